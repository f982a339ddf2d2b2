"""The parts of the daemon, put together once: what knows whom stands here and nowhere else."""

from __future__ import annotations

import random as randomness
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import structlog

from gateway import __version__
from gateway.daemon.admission import Admission
from gateway.daemon.anchoring import Anchoring
from gateway.daemon.capping import Capping
from gateway.daemon.checkpoints import Checkpoints
from gateway.daemon.commands import Changes
from gateway.daemon.connect import connect_tcp
from gateway.daemon.consents import Consents
from gateway.daemon.conversation import Conversation
from gateway.daemon.deadlines import Deadlines
from gateway.daemon.dispatch import Dispatcher
from gateway.daemon.guard import GuardedClock, require_plausible
from gateway.daemon.inbound import Inbound
from gateway.daemon.inquiries import Inquiries
from gateway.daemon.judging import Judging
from gateway.daemon.learning import learn
from gateway.daemon.link import Link
from gateway.daemon.lists import Lists
from gateway.daemon.months import month_of
from gateway.daemon.operator import Operator
from gateway.daemon.optouts import Optouts
from gateway.daemon.parties import Parties
from gateway.daemon.permissions import Permissions
from gateway.daemon.pipeline import Pipeline, in_thread
from gateway.daemon.planning import Planner
from gateway.daemon.proofs import Proofs
from gateway.daemon.questions import Questions, ThreadRead
from gateway.daemon.reading import SubmissionReader
from gateway.daemon.recall import Recall
from gateway.daemon.receipts import Receipts
from gateway.daemon.registries import Registries
from gateway.daemon.releases import Releases
from gateway.daemon.replacements import Replacements
from gateway.daemon.responses import Responses
from gateway.daemon.routing import Routing
from gateway.daemon.sealer import Sealer
from gateway.daemon.services import Services
from gateway.daemon.signups import Signups
from gateway.daemon.stamping import stamp_sources
from gateway.daemon.state import DaemonState
from gateway.daemon.ties import Ties
from gateway.daemon.waiting import Waiting
from gateway.daemon.web import open_web
from gateway.daemon.wishes import Wishes
from gateway.daemon.work import WorkSet
from gateway.evidence.permits import PersonRecords
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE, SIGNER_STATE, Records
from gateway.evidence.signer import LogSigner
from gateway.evidence.vault import LOG_KEY, PERSON_KEY, Vault, load_seed
from gateway.ledger.entry import object_hash
from gateway.ledger.reader import Reader
from gateway.ledger.rows import State
from gateway.ledger.store import Store
from gateway.policy.keywords import load_keywords
from gateway.policy.loader import load_rulebook, shipped_packs
from gateway.policy.replies import load_replies
from gateway.resources import config_directory
from gateway.settings import KeySource
from gateway.smpp.dialect import load_dialect

log = structlog.get_logger()

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.clock import Clock
    from gateway.daemon.link import Connect
    from gateway.daemon.permissions import Change
    from gateway.daemon.pipeline import Offload
    from gateway.daemon.questions import Read
    from gateway.daemon.web import Web
    from gateway.policy.book import Rulebook
    from gateway.policy.rules import Profile
    from gateway.settings import Settings
    from gateway.smpp.pdu import Mode

LEDGER_FORMAT = "acuse-ledger/v1"


@dataclass(slots=True)
class Gateway:
    """Everything `run` needs of an opened data directory."""

    settings: Settings
    store: Store
    reader: Reader
    clock: GuardedClock
    operators: Mapping[str, Operator]
    dispatcher: Dispatcher
    pipeline: Pipeline
    anchoring: Anchoring
    questions: Questions
    state: DaemonState
    unknown_after_crash: int


def open_gateway(
    settings: Settings,
    clock: Clock,
    *,
    now_s: float,
    connect: Connect = connect_tcp,
    offload: Offload = in_thread,
    read: Read | None = None,
    random: randomness.Random | None = None,
    web: Web = open_web,
) -> Gateway:
    """Open the data directory (whose lock the caller holds) and put the daemon together.

    A new directory gets its ledger and, where none is configured, its keys. What was `sending`
    when the last daemon died is unknown from here on; that and `x.Boot` are durable on return.

    Raises:
        AcuseError: configuration, storage or clock do not allow to start.
    """
    book = _rulebook(settings)
    routing = Routing(settings.routes, settings.operators)
    ledger = _open_ledger(settings, clock)
    store, vault = ledger.store, ledger.vault
    works, sealer = WorkSet(store, vault), Sealer(store)
    parties = Parties(settings, store)
    operators = _operators(settings, parties, now_s)
    submissions = SubmissionReader(settings.brands, book.numbering)
    consents, capping = Consents(store, vault, sealer), Capping(book, store, works)
    judging = Judging(book, store, parties, consents, capping, settings.policy.close_guard_s)
    admission = Admission(judging, store, vault, sealer, works, parties, submissions, routing)
    waiting = _waiting(settings, book, store, works, admission)
    replacements = Replacements(store, works, sealer, operators)
    leaving = (operators, routing, replacements, capping, waiting)
    dispatcher = Dispatcher(store, works, sealer, admission, *leaving)
    optouts = Optouts(store, vault, sealer, consents)
    replies = load_replies(config_directory() / "replies.toml")
    taking = (admission, dispatcher, submissions, parties, book.numbering, replies)
    services = Services(settings, store, vault, works, *taking)
    inbound, asking = _hearing(settings, ledger, works, sealer, optouts, consents, services)
    receipts = Receipts(store, vault, works, sealer, inbound, parties.profiles, capping)
    confirm_s = settings.gateway.confirm_within_s
    inquiries = Inquiries(operators, works, receipts)
    ties = Ties(store, works, sealer, receipts)
    deadlines = Deadlines(store, works, sealer, inquiries, confirm_within_s=confirm_s)
    heard = (works, sealer, dispatcher, receipts, ties, deadlines, replacements, capping)
    responses = Responses(store, *heard)
    checkpoints = _checkpoints(settings, ledger)
    recall = Recall(store, works, admission)
    told = (responses, receipts, inquiries, deadlines, checkpoints)
    parts = (works, sealer, recall, dispatcher, *told)
    pipeline = Pipeline(store, ledger.clock, *parts, offload=offload)
    chance = random or randomness.Random()
    for operator in operators.values():
        operator.links = _links(operator, pipeline, connect, chance)
    sources = stamp_sources(settings.timestamp, ledger.clock, chance)
    anchoring = Anchoring(sources, store, sealer, pipeline, web, chance)
    checkpoints.on_durable = anchoring.checkpointed
    unknown = _boot(settings, book, ledger, sealer, works, responses)
    _take_up(ledger, operators, inbound, receipts)
    reader = Reader(store.path)
    counted = (admission, responses, receipts, sealer, pipeline, anchoring)
    state = DaemonState(settings.gateway.name, store, reader, operators, *counted)
    changed = (works, sealer, admission, dispatcher, inquiries, replacements, capping)
    changes = Changes(*changed, max_queued=settings.gateway.max_queued)
    takers = (store, vault, sealer, submissions)
    lists, registries = Lists(*takers), Registries(*takers)
    permissions = Permissions(consents, optouts, lists, registries, submissions, asking)
    witnesses = [each.vkey for each in settings.witness]
    proofs = Proofs(reader, vault, ledger.signer, witnesses)
    records = Records(reader, vault)
    planner = Planner(admission, submissions, store, routing, operators)
    permits = PersonRecords(reader, vault)
    asked = (changes, permissions, planner, records, permits, proofs, state)
    learning = partial(learn, reader, operators)
    questions = Questions(pipeline, anchoring, *asked, read or ThreadRead(), learning)
    ways = (operators, dispatcher, pipeline, anchoring, questions, state)
    return Gateway(settings, store, reader, ledger.clock, *ways, unknown)


def _rulebook(settings: Settings) -> Rulebook:
    policy = settings.policy
    return load_rulebook(
        (shipped_packs(), *policy.packs),
        cast("Profile", settings.gateway.profile),
        overlays=policy.overlays,
        added_holidays=policy.added_holidays,
    )


def _waiting(
    settings: Settings, book: Rulebook, store: Store, works: WorkSet, admission: Admission
) -> Waiting:
    """What is held, and a hash of everything but facts by which it is judged."""
    basis = object_hash({**book.versions, "settings": settings.digest})
    releases = Releases(store, spread_s=settings.policy.release_spread_s)
    return Waiting(store, works, admission, releases, basis=basis)


def _hearing(
    settings: Settings,
    ledger: _Ledger,
    works: WorkSet,
    sealer: Sealer,
    optouts: Optouts,
    consents: Consents,
    services: Services,
) -> tuple[Inbound, dict[str, Change]]:
    """What takes in and obeys what people write, and the commands about that."""
    store, vault = ledger.store, ledger.vault
    conversation = Conversation(store, works)
    signups = Signups(services, consents, conversation, store, vault, works)
    words = load_keywords(config_directory() / "keywords.toml")
    confirming = frozenset(n for n, brand in settings.brands.items() if brand.confirm_opt_out)
    wishes = Wishes(words, optouts, consents, services, signups, confirming)
    inbound = Inbound(store, vault, conversation, sealer, wishes, services)
    return inbound, {
        "consent.request": signups.request,
        "consent.confirm": signups.confirm,
        "optout.resolve": wishes.resolve,
    }


class _Ledger(NamedTuple):
    """The opened data directory."""

    store: Store
    clock: GuardedClock
    vault: Vault
    signer: LogSigner


def _open_ledger(settings: Settings, clock: Clock) -> _Ledger:
    require_plausible(clock.wall_ms())  # before the first file is made
    directory = settings.gateway.data_dir
    store = Store.open(directory / LEDGER_FILE, settings.origin, now_ms=clock.wall_ms())
    guarded = GuardedClock(clock, floor_ms=store.last_t_ms)
    guarded.now_ms()  # refuses a clock behind the ledger before anything is written
    vault = Vault(directory / KEYS_DIRECTORY)
    fresh = store.size == 0
    if fresh and not vault.has(PERSON_KEY):
        vault.make(PERSON_KEY)
    month = month_of(guarded.now_ms())
    if store.last_month() == month:
        vault.require(month)  # a lost key must not be replaced by a new one in passing
    seed = _log_seed(settings, vault, fresh=fresh)
    if fresh:
        log.info(
            "ledger.created",
            origin=settings.origin,
            file=str(store.path),
            keys=str(vault.directory),
        )
    state = directory / SIGNER_STATE
    signer = LogSigner(seed, settings.origin, state, ledger_size=store.size)
    return _Ledger(store, guarded, vault, signer)


def _checkpoints(settings: Settings, ledger: _Ledger) -> Checkpoints:
    often = settings.ledger
    return Checkpoints(
        ledger.store,
        ledger.signer,
        every_s=often.checkpoint_every_s,
        every=often.checkpoint_every_entries,
    )


def _log_seed(settings: Settings, vault: Vault, *, fresh: bool) -> bytes:
    source = settings.ledger.key
    if isinstance(source, KeySource) and source.path is not None:
        credential = source.origin.startswith("credential:")
        return load_seed(source.path, credential=credential)
    if fresh and not vault.has(LOG_KEY):
        vault.make(LOG_KEY)
    return vault.log_seed()


def _boot(
    settings: Settings,
    book: Rulebook,
    ledger: _Ledger,
    sealer: Sealer,
    works: WorkSet,
    responses: Responses,
) -> int:
    """The first batch of this process; returns how many outcomes a crash made unknown."""
    software, store, now_ms = f"acuse {__version__}", ledger.store, ledger.clock.now_ms()
    if store.size == 0:
        sealer.log_event("x.Genesis", now_ms, software=software, format=LEDGER_FORMAT)
    sealer.log_event(
        "x.Boot",
        now_ms,
        software=software,
        config=settings.digest,
        rules=book.version,
        tzdata=book.versions["tzdata"],
    )
    unknown = responses.recover(now_ms)
    store.flush()
    store.commit()
    counts = store.count_open()
    works.waiting = counts.get(State.HELD, 0) + counts.get(State.QUEUED, 0)
    return unknown


def _take_up(
    ledger: _Ledger, operators: Mapping[str, Operator], inbound: Inbound, receipts: Receipts
) -> None:
    """What waited for something that had not come when the last daemon ended."""
    inbound.load(operators)
    receipts.load(operators, ledger.clock.now_ms())
    if ledger.store.flush():
        ledger.store.commit()


def _operators(settings: Settings, parties: Parties, now_s: float) -> dict[str, Operator]:
    directory = config_directory() / "operators"
    return {
        name: Operator(
            name,
            operator,
            load_dialect(directory / f"{operator.dialect}.toml"),
            parties.profiles[name],
            now_s,
        )
        for name, operator in settings.operators.items()
    }


def _links(
    operator: Operator, pipeline: Pipeline, connect: Connect, random: randomness.Random
) -> list[Link]:
    """As many links as the operator has sessions, of one kind or as split pairs."""
    kinds: dict[str, tuple[tuple[str, Mode], ...]] = {
        "transceiver": (("trx", "transceiver"),),
        "transmitter": (("tx", "transmitter"),),
        "receiver": (("rx", "receiver"),),
        "split": (("tx", "transmitter"), ("rx", "receiver")),
    }
    return [
        Link(operator, f"{short}{number}", mode, pipeline, connect=connect, random=random)
        for number in range(1, operator.settings.sessions + 1)
        for short, mode in kinds[operator.settings.bind]
    ]

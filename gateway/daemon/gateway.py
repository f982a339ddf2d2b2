"""The parts of the daemon, put together once: what knows whom stands here and nowhere else."""

from __future__ import annotations

import random as randomness
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import structlog

from gateway import __version__
from gateway.daemon.admission import Admission
from gateway.daemon.anchoring import Anchoring
from gateway.daemon.capping import Capping
from gateway.daemon.commands import Changes
from gateway.daemon.connect import connect_tcp
from gateway.daemon.consents import Consents
from gateway.daemon.conversation import Conversation
from gateway.daemon.custody import Custody
from gateway.daemon.deadlines import Deadlines
from gateway.daemon.dispatch import Dispatcher
from gateway.daemon.erasing import Erasing
from gateway.daemon.inbound import Inbound
from gateway.daemon.inquiries import Inquiries
from gateway.daemon.judging import Judging
from gateway.daemon.learning import learn
from gateway.daemon.link import Link
from gateway.daemon.lists import Lists
from gateway.daemon.opening import key_rotation, open_ledger, signing, vouchers
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
from gateway.daemon.retention import Retention
from gateway.daemon.routing import Routing
from gateway.daemon.sealer import Sealer
from gateway.daemon.services import Services
from gateway.daemon.signups import Signups
from gateway.daemon.state import DaemonState
from gateway.daemon.sweeping import Sweeping
from gateway.daemon.ties import Ties
from gateway.daemon.waiting import Waiting
from gateway.daemon.web import open_web
from gateway.daemon.wishes import Wishes
from gateway.daemon.work import WorkSet
from gateway.evidence.epoch import followed
from gateway.evidence.permits import PersonRecords
from gateway.evidence.records import Records
from gateway.ledger.due import Due
from gateway.ledger.entry import object_hash
from gateway.ledger.reader import Reader
from gateway.ledger.rows import State
from gateway.policy.keywords import load_keywords
from gateway.policy.loader import load_rulebook, shipped_packs
from gateway.policy.replies import load_replies
from gateway.resources import config_directory
from gateway.smpp.dialect import load_dialect

log = structlog.get_logger()

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.clock import Clock
    from gateway.daemon.guard import GuardedClock
    from gateway.daemon.link import Connect
    from gateway.daemon.opening import OpenLedger
    from gateway.daemon.permissions import Change
    from gateway.daemon.pipeline import Offload
    from gateway.daemon.questions import Read
    from gateway.daemon.rotation import KeyRotation
    from gateway.daemon.web import Web
    from gateway.ledger.store import Store
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
    retention: Retention
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
    book, routing = _rulebook(settings), Routing(settings.routes, settings.operators)
    ledger = open_ledger(settings, clock)
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
    inquiries, ties = Inquiries(operators, works, receipts), Ties(store, works, sealer, receipts)
    deadlines = Deadlines(store, works, sealer, inquiries, confirm_within_s=confirm_s)
    heard = (works, sealer, dispatcher, receipts, ties, deadlines, replacements, capping)
    responses, checkpoints = Responses(store, *heard), signing(settings, ledger)
    told = (responses, receipts, inquiries, deadlines, checkpoints)
    parts = (works, sealer, Recall(store, works, admission), dispatcher, *told)
    pipeline = Pipeline(store, ledger.clock, *parts, offload=offload)
    chance = random or randomness.Random()
    for operator in operators.values():
        operator.links = _links(operator, pipeline, connect, chance)
    reader, reading = Reader(store.path), read or ThreadRead()
    sources, quorum = vouchers(settings, ledger, reader, reading, chance)
    anchoring = Anchoring(sources, quorum, store, sealer, pipeline, web, chance)
    checkpoints.on_durable = anchoring.checkpointed
    rotation = key_rotation(ledger, sealer)
    unknown = _boot(settings, book, ledger, sealer, works, responses, rotation)
    _take_up(ledger, operators, inbound, receipts)
    counted = (admission, responses, receipts, sealer, pipeline, anchoring)
    state = DaemonState(settings.gateway.name, store, reader, operators, *counted)
    changed = (works, sealer, admission, dispatcher, inquiries, replacements, capping)
    changes = Changes(*changed, rotation, max_queued=settings.gateway.max_queued)
    permissions = _permissions(ledger, sealer, submissions, consents, optouts, asking)
    proofs = Proofs(reader, vault, ledger.signer, quorum, settings.qualified)
    records, permits = Records(reader, vault), PersonRecords(reader, vault)
    planner = Planner(admission, submissions, routing, operators)
    erasing = Erasing(store, vault, works, sealer, receipts, inbound, permits.forget)
    retention, custody = _keeping(settings, ledger, submissions, erasing, reader, pipeline, reading)
    asked = (changes, permissions, planner, records, permits, proofs, custody, state)
    questions = Questions(pipeline, anchoring, *asked, reading, partial(learn, reader, operators))
    ways = (operators, dispatcher, pipeline, anchoring, questions, state, retention)
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
    ledger: OpenLedger,
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


def _keeping(
    settings: Settings,
    ledger: OpenLedger,
    numbers: SubmissionReader,
    erasing: Erasing,
    reader: Reader,
    pipeline: Pipeline,
    read: Read,
) -> tuple[Retention, Custody]:
    """What destroys content when its time is over or somebody asks, and what keeps it longer."""
    store, vault = ledger.store, ledger.vault
    parts = (Due(reader), erasing, Sweeping(store, pipeline, erasing), pipeline, read)
    custody = Custody(store, reader, vault, erasing.sealer, numbers, *parts)
    return Retention(settings.retention, vault, *parts), custody


def _permissions(
    ledger: OpenLedger,
    sealer: Sealer,
    reader: SubmissionReader,
    consents: Consents,
    optouts: Optouts,
    answers: dict[str, Change],
) -> Permissions:
    """The commands about what persons allow, one by one and in lists."""
    takers = (ledger.store, ledger.vault, sealer, reader)
    lists, registries = Lists(*takers), Registries(*takers)
    return Permissions(consents, optouts, lists, registries, reader, answers)


def _boot(
    settings: Settings,
    book: Rulebook,
    ledger: OpenLedger,
    sealer: Sealer,
    works: WorkSet,
    responses: Responses,
    rotation: KeyRotation,
) -> int:
    """The first batch of this process; returns how many outcomes a crash made unknown."""
    software, store, now_ms = f"acuse {__version__}", ledger.store, ledger.clock.now_ms()
    if store.size == 0:
        before = followed(settings.gateway.data_dir)
        sealer.log_event("x.Genesis", now_ms, software=software, format=LEDGER_FORMAT, **before)
    sealer.log_event(
        "x.Boot",
        now_ms,
        software=software,
        config=settings.digest,
        rules=book.version,
        tzdata=book.versions["tzdata"],
    )
    unknown = responses.recover(now_ms)
    if ledger.wanted is not None:
        rotation.announce(ledger.wanted, now_ms)
    store.flush()
    store.commit()
    counts = store.count_open()
    works.waiting = counts.get(State.HELD, 0) + counts.get(State.QUEUED, 0)
    return unknown


def _take_up(
    ledger: OpenLedger, operators: Mapping[str, Operator], inbound: Inbound, receipts: Receipts
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

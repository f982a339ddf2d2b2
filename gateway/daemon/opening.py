"""Opening the ledger and what belongs to it: keys, signer, and who outside vouches for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from gateway.daemon.checkpoints import Checkpoints
from gateway.daemon.guard import GuardedClock, require_plausible
from gateway.daemon.months import month_of
from gateway.daemon.rotation import KeyRotation
from gateway.daemon.stamping import stamp_sources
from gateway.evidence.logkeys import open_log_keys
from gateway.evidence.quorum import Quorum
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE, SIGNER_STATE
from gateway.evidence.signer import LogSigner, read_state
from gateway.evidence.vault import PERSON_KEY, Vault
from gateway.ledger import merkle
from gateway.ledger.store import Store

if TYPE_CHECKING:
    from random import Random

    from gateway.clock import Clock
    from gateway.daemon.anchoring import Source
    from gateway.daemon.questions import Read
    from gateway.daemon.sealer import Sealer
    from gateway.ledger.note import NoteSigner
    from gateway.ledger.reader import Reader
    from gateway.settings import Settings

log = structlog.get_logger()


class OpenLedger(NamedTuple):
    """The opened data directory."""

    store: Store
    clock: GuardedClock
    vault: Vault
    signer: LogSigner
    #: The configured key, where the log does not know it yet.
    wanted: NoteSigner | None
    key_configured: bool


def open_ledger(settings: Settings, clock: Clock, *, adopt: bool = False) -> OpenLedger:
    """Open the ledger of the configuration; a new one is made, with the keys it lacks.

    *adopt*: see `LogSigner`.

    Raises:
        AcuseError: storage, keys or clock do not allow it.
    """
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
    state = directory / SIGNER_STATE
    keys = open_log_keys(settings.ledger, vault, settings.origin, fresh=fresh)
    arranged = keys.arrange(store.rotations.last(), read_state(state))
    if fresh:
        log.info(
            "ledger.created",
            origin=settings.origin,
            file=str(store.path),
            keys=str(vault.directory),
        )
    current, incoming = arranged.current, arranged.incoming
    signer = LogSigner(current, state, ledger_size=store.size, adopt=adopt, incoming=incoming)
    signer.require_one_history(lambda size: merkle.root_at(size, store.read_tile))
    return OpenLedger(store, guarded, vault, signer, arranged.wanted, keys.configured)


def vouchers(
    settings: Settings, ledger: OpenLedger, reader: Reader, read: Read, chance: Random
) -> tuple[list[Source], Quorum]:
    """Who outside is asked to vouch for checkpoints, and how many witnesses it takes.

    Raises:
        ConfigError: certificates, verifier keys or the policy cannot be used.
    """
    quorum = Quorum.of(settings)
    stamps = stamp_sources(settings.timestamp, ledger.clock, chance)
    if not settings.witness:
        return [*stamps], quorum
    from gateway.daemon.witnesses import witness_sources  # brings httpx, which starts slowly

    store, signer = ledger.store, ledger.signer
    return [*stamps, *witness_sources(settings.witness, store, reader, signer, read)], quorum


def key_rotation(ledger: OpenLedger, sealer: Sealer) -> KeyRotation:
    """Changes of the log's key; one that a crash cut off is ended."""
    store, signer, configured = ledger.store, ledger.signer, ledger.key_configured
    rotation = KeyRotation(store, sealer, signer, ledger.vault, configured=configured)
    rotation.finish()  # where the last daemon died before it could
    return rotation


def signing(settings: Settings, ledger: OpenLedger) -> Checkpoints:
    """When and how the log is signed."""
    often = settings.ledger
    return Checkpoints(
        ledger.store,
        ledger.signer,
        every_s=often.checkpoint_every_s,
        every=often.checkpoint_every_entries,
    )

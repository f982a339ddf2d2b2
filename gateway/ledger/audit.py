"""Verification of a whole ledger: every entry streamed once, memory independent of its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from gateway.errors import DataError, StorageError
from gateway.ledger import entry as event
from gateway.ledger import trust
from gateway.ledger.anchored import Anchors
from gateway.ledger.canonical import decode
from gateway.ledger.checks import OpenNote, open_checkpoint, place_faults
from gateway.ledger.facts import LEDGER, facts_of_log
from gateway.ledger.links import Links
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.report import Findings, Report
from gateway.ledger.stamps import check_age
from gateway.ledger.verify import open_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.ledger.policyfile import Policy
    from gateway.ledger.stamps import StampCheck


class LedgerSource(Protocol):
    """Where a ledger is read from. Methods may raise StorageError for what is not there."""

    @property
    def origin(self) -> str:
        """The log's origin."""
        ...

    @property
    def size(self) -> int:
        """How many entries there are."""
        ...

    @property
    def vkey(self) -> str | None:
        """The log's verifier key, if it is at hand."""
        ...

    @property
    def signer_state(self) -> str | None:
        """The signed note its signer remembers, if that is at hand."""
        ...

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """The exact bytes of entries, in order."""
        ...

    def entry(self, seq: int) -> bytes:
        """The exact bytes of one entry."""
        ...

    def checkpoints(self) -> Iterator[str]:
        """Every stored signed checkpoint, smallest first."""
        ...

    def tile(self, level: int, index: int) -> bytes | None:
        """The stored hashes of a tile; None where this source keeps none."""
        ...

    def rotations(self) -> Iterable[bytes]:
        """The exact bytes of every `x.KeyRotate` entry, in order."""
        ...

    def has_key(self, submission_id: str) -> bool | None:
        """Whether the submission's key K is still there; None: not known here."""
        ...

    def tokens(self, size: int) -> list[bytes]:
        """The stored time stamp tokens (DER) over the checkpoint of that size."""
        ...

    def cosignatures(self, size: int) -> list[str]:
        """The stored cosignature lines of the checkpoint of that size."""
        ...


def verify_ledger(
    source: LedgerSource,
    *,
    now_ms: int,
    policy: Policy | None = None,
    since: str | None = None,
    max_age_s: int | None = None,
    stamp_check: StampCheck | None = None,
) -> Report:
    """Check a whole ledger; the arguments are those of `verify_bundle`.

    Raises:
        DataError: *since* is no signed checkpoint.
        StorageError: the source cannot be read at all.
    """
    known = open_known(since) if since is not None else None
    audit = _Audit(source, policy, known, stamp_check)
    audit.read()
    audit.finish(now_ms, max_age_s)
    verdict, reason, seq = audit.found.verdict()
    return Report(
        verdict,
        reason,
        audit.broken if audit.found.faults else seq,
        audit.found.checks(),
        size=audit.tree.size,
        notes=audit.found.notes,
        tail=audit.anchors.tail(audit.tree.size),
        facts=facts_of_log(LEDGER, source.origin, audit.found),
    )


class _Audit:
    """One pass over a ledger."""

    def __init__(
        self,
        source: LedgerSource,
        policy: Policy | None,
        known: OpenNote | None,
        check: StampCheck | None,
    ) -> None:
        self.source = source
        self.found = Findings()
        self.tree = Frontier()
        #: The lowest entry whose leaf its successor's `prev` contradicts.
        self.broken: int | None = None
        self._policy = policy
        self._known = known
        self._keys = trust.Keys.of(policy, source.vkey, source.origin, self.found)
        self._keys.look_back(self._rotations())
        self._signer = self._open_signer()
        self._previous = event.NO_PREVIOUS
        self._last_t = ""
        self.anchors = Anchors(source, self.found, check)
        self._links = Links(source, self.found)
        self._tile_fault = ""
        #: Roots at the sizes of the notes known from elsewhere.
        self._roots: dict[int, bytes | None] = {
            note.checkpoint.size: None for note in (known, self._signer) if note
        }
        self._checkpoints = source.checkpoints()
        self._next: OpenNote | None = None
        #: The largest signed checkpoint that this tree bears out, and a signed one it does not.
        self._borne_out: OpenNote | None = None
        self._contradicted: OpenNote | None = None

    # -- the pass ------------------------------------------------------------------------------

    def read(self) -> None:
        """Stream the entries."""
        self.found.took("canonical", "inclusion", "place", "chain", "links", "complete", "time")
        self.found.took("checkpoint")
        self._advance()
        for raw in self.source.entries(0, self.source.size):
            self._at_size()
            self._take(raw)
        self._at_size()
        size = self.tree.size
        while self._next is not None:
            covered = self._next.checkpoint.size
            self.found.fault("checkpoint", f"one covers {covered} entries, there are {size}")
            self._advance()

    def _take(self, raw: bytes) -> None:
        seq, leaf = self.tree.size, leaf_hash(raw)
        for level, index, hashes in self.tree.append(leaf):
            self._compare(level, index, hashes)
        previous, self._previous = self._previous, leaf.hex()
        try:
            body = decode(raw)
        except DataError as error:
            self.found.fault("canonical", f"entry {seq}: {error.message}")
            return
        if body.get("prev") != previous:
            self.found.fault("chain", f"entry {seq} does not follow entry {seq - 1}")
            if self.broken is None and seq:
                self.broken = seq - 1
        faults = list(place_faults(body, seq, self.source.origin))
        for step, message in faults:
            self.found.fault(step, message)
        if faults:
            return
        if (body["ev"] == event.GENESIS) != (seq == 0):
            self.found.fault("place", f"entry {seq} is {body['ev']}; x.Genesis is the first only")
        if body["t"] < self._last_t:
            self.found.fault("time", f"entry {seq} is earlier than the one before it")
        self._last_t = body["t"]
        if "mid" in body:
            self._links.take(seq, self._previous, body)
        elif body["ev"] == event.ANCHOR:
            self.anchors.entry(seq, body)
        elif body["ev"] == event.KEY_ROTATE:
            self._keys.announce(body)

    # -- tiles and checkpoints -----------------------------------------------------------------

    def _compare(self, level: int, index: int, hashes: bytes) -> None:
        try:
            stored = self.source.tile(level, index)
        except StorageError as error:
            self._tile_fault = self._tile_fault or error.message
            return
        if stored is not None and stored != hashes:
            self._tile_fault = self._tile_fault or (
                f"the stored tile {level}/{index} is not what the entries give"
            )

    def _advance(self) -> None:
        """Take the next checkpoint that is one."""
        self._next = None
        for note in self._checkpoints:
            try:
                self._next = open_checkpoint(note)
            except DataError as error:
                self.found.refused(error)
            else:
                return

    def _at_size(self) -> None:
        """Compare what was signed at the present size."""
        size = self.tree.size
        if size in self._roots:
            self._roots[size] = self.tree.root()
        while self._next is not None and self._next.checkpoint.size <= size:
            self._check(self._next)
            self._advance()

    def _check(self, opened: OpenNote) -> None:
        checkpoint, found = opened.checkpoint, self.found
        if checkpoint.size < self.tree.size or checkpoint.origin != self.source.origin:
            found.fault("checkpoint", "the checkpoints are not in order, or of another log")
            return
        self.anchors.signed(opened)
        signed = self._keys.check(opened, found, step="checkpoint")
        if signed:
            self._keys.settle()
        elif (
            found.steps["checkpoint"]
            and self._keys.known
            and not self._keys.signed_before(opened.text, opened.lines)
        ):
            found.fault(
                "checkpoint", f"the one over {checkpoint.size} entries is not signed by a known key"
            )
        if checkpoint.root != self.tree.root():
            found.fault(
                "checkpoint", f"the tree of {checkpoint.size} entries is not what was signed"
            )
            if signed:
                self._contradicted = self._contradicted or opened
        elif signed:
            self._borne_out = opened
            if self._contradicted:
                found.fork(self._contradicted.note, opened.note)

    # -- the end -------------------------------------------------------------------------------

    def finish(self, now_ms: int, max_age_s: int | None) -> None:
        """Everything that needs the whole ledger to have been read."""
        found = self.found
        for level in range(8):
            edge = self.tree.tile(level, self.tree.size >> 8 * (level + 1))
            if edge is not None:
                self._compare(level, self.tree.size >> 8 * (level + 1), edge)
        if self._tile_fault and self.broken is None:
            found.fault("inclusion", self._tile_fault)
        elif self._tile_fault:  # a consequence of the broken chain, which says where
            found.steps["inclusion"] = False
        self._links.finish(self.tree.size)
        if self._borne_out is None:
            found.lacks("checkpoint", "checkpoint: no signature over this ledger could be checked")
        else:
            cosigned = self.anchors.cosigned or self._borne_out
            trust.check_witnesses(cosigned, self._policy, (), found)
        self.anchors.finish()
        if self._signer is not None:
            self._check_elsewhere(self._signer, "signer")
        if self._known is not None:
            self._check_elsewhere(self._known, "since")
        newest = self.anchors.newest
        if newest is not None:
            check_age(newest.at_ms, now_ms, max_age_s, found)
        elif self._last_t:
            check_age(event.time_ms(self._last_t), now_ms, max_age_s, found)

    def _rotations(self) -> Iterator[dict[str, Any]]:
        """The changes of the key; an entry is found in its place again when that is read."""
        for raw in self.source.rotations():
            try:
                body = decode(raw)
            except DataError:
                continue  # its place will say so
            if body.get("ev") == event.KEY_ROTATE:
                yield body

    def _open_signer(self) -> OpenNote | None:
        state = self.source.signer_state
        if state is None:
            return None
        try:
            return open_checkpoint(state)
        except DataError as error:
            self.found.fault("signer", error.message)
            return None

    def _check_elsewhere(self, opened: OpenNote, step: str) -> None:
        """A checkpoint kept apart from the ledger: the tree must have been that once."""
        found, then, size = self.found, opened.checkpoint, self.tree.size
        found.took(step)
        if then.origin != self.source.origin:
            found.fault(step, f"the checkpoint kept elsewhere is of the log {then.origin}")
            return
        signed = self._keys.check(opened, found, step=step)
        if then.size > size:
            found.stale = f"{step}: {size} entries, but {then.size} were signed before"
        elif self._roots[then.size] != then.root:
            found.fault(
                step, f"the first {then.size} entries are not those that were signed before"
            )
            ours = self._borne_out
            if signed and ours is not None and ours.checkpoint.size >= then.size:
                found.fork(ours.note, opened.note)

"""Verification of a whole ledger: every entry streamed once, memory independent of its length.

Others may have examined the ledger stretch by stretch (`stretch.examine`): where they found nothing
wrong, what they return is joined, and the verdict is the same. Where they did, the ledger is read
again from its first entry, one by one, because only that says what came first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from gateway.errors import DataError, StorageError
from gateway.ledger import entry as event
from gateway.ledger import trust
from gateway.ledger.anchored import Anchors
from gateway.ledger.canonical import decode
from gateway.ledger.checks import OpenNote, open_checkpoint
from gateway.ledger.facts import LEDGER, facts_of_log
from gateway.ledger.merkle import HASH_BYTES, TILE_BYTES, TILE_WIDTH, Frontier
from gateway.ledger.report import Findings, Report
from gateway.ledger.stamps import check_age
from gateway.ledger.stretch import Part, Stretch
from gateway.ledger.verify import open_known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gateway.ledger.policyfile import Policy
    from gateway.ledger.stamps import StampCheck

#: Entries between two words of progress.
_TOLD_EVERY = 1 << 12


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

    def last_seq(self, submission_id: str) -> int | None:
        """Where the submission's latest entry is said to stand; None: not known here."""
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
    parts: Iterable[Part | None] = (),
    progress: Callable[[int], object] = lambda _: None,
) -> Report:
    """Check a whole ledger; the arguments are those of `verify_bundle`.

    *parts* are what `stretch.examine` made of its stretches, in order; they may be of its beginning
    only. *progress* is told now and then how many entries are done; it may begin again.

    Raises:
        DataError: *since* is no signed checkpoint.
        StorageError: the source cannot be read at all.
    """
    known = open_known(since) if since is not None else None
    audit = _Audit(source, policy, known, stamp_check)
    if not audit.join(parts, progress):
        audit = _Audit(source, policy, known, stamp_check)
    audit.read(progress)
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
        self.found.took("canonical", "inclusion", "place", "chain", "links", "complete", "time")
        self.found.took("checkpoint")
        self.tree = Frontier()
        self._policy = policy
        self._known = known
        self._keys = trust.Keys.of(policy, source.vkey, source.origin, self.found)
        self._keys.look_back(self._rotations())
        self._signer = self._open_signer()
        self.anchors = Anchors(source, self.found, check)
        self._stretch = Stretch(source, self.found, self._event)
        self._tile_fault = ""
        #: Roots at the sizes of the notes known from elsewhere.
        self._roots: dict[int, bytes | None] = {
            note.checkpoint.size: None for note in (known, self._signer) if note
        }
        self._checkpoints = source.checkpoints()
        self._next: OpenNote | None = None
        self._advance()
        #: The largest signed checkpoint that this tree bears out, and a signed one it does not.
        self._borne_out: OpenNote | None = None
        self._contradicted: OpenNote | None = None

    # -- the pass ------------------------------------------------------------------------------

    @property
    def broken(self) -> int | None:
        """The lowest entry whose leaf its successor's `prev` contradicts."""
        return self._stretch.broken

    def join(
        self, parts: Iterable[Part | None], progress: Callable[[int], object] = lambda _: None
    ) -> bool:
        """Take what was examined elsewhere; False where something is not as it must be."""
        for part in parts:
            if part is None or not self._fits(part):
                return False
            self._adopt(part)
            progress(self.tree.size)
        return True

    def read(self, progress: Callable[[int], object] = lambda _: None) -> None:
        """Stream the entries that are not known yet."""
        take, append = self._stretch.take, self.tree.append
        for raw in self.source.entries(self.tree.size, self.source.size):
            self._at_size()
            for level, index, hashes in append(take(raw)):
                self._compare(level, index, hashes)
            if not self.tree.size % _TOLD_EVERY:
                progress(self.tree.size)
        self._at_size()
        size = self.tree.size
        progress(size)
        while self._next is not None:
            covered = self._next.checkpoint.size
            self.found.fault("checkpoint", f"one covers {covered} entries, there are {size}")
            self._advance()

    def _fits(self, part: Part) -> bool:
        """Whether the part goes on where this audit stands."""
        mine = self._stretch
        return (
            part.start == self.tree.size == mine.seq
            and part.previous == mine.previous
            and part.first_t >= mine.last_t
            and mine.links.join(part.start, part.followed, part.follows, part.origins)
        )

    def _adopt(self, part: Part) -> None:
        """Go on to the end of the part: the tree, and what was said and signed on the way."""
        tree, leaves = self.tree, part.leaves
        events = list(part.events[::-1])
        while tree.size < part.stop:
            self._at_size()
            seq, at = tree.size, (tree.size - part.start) * HASH_BYTES
            if events and events[-1][0] == seq:
                self._event(*events.pop())
            whole = seq + TILE_WIDTH
            if seq % TILE_WIDTH or min(part.stop, self._next_size(events)) < whole:
                full = tree.append(leaves[at : at + HASH_BYTES])
            else:
                full = tree.append_tile(leaves[at : at + TILE_BYTES])
            for level, index, hashes in full:
                self._compare(level, index, hashes)
        self._stretch.seq, self._stretch.last_t = part.stop, part.last_t
        self._stretch.previous = leaves[-HASH_BYTES:].hex()

    def _next_size(self, events: list[tuple[int, dict[str, Any]]]) -> int:
        """The next size of the tree, or beyond it, at which there is something to look at."""
        sizes = [size for size in self._roots if size > self.tree.size]
        if self._next is not None:
            sizes.append(self._next.checkpoint.size)
        if events:
            sizes.append(events[-1][0])
        return min(sizes, default=self.source.size)

    def _event(self, seq: int, body: dict[str, Any]) -> None:
        """An entry that says something of the log itself."""
        if body["ev"] == event.ANCHOR:
            self.anchors.entry(seq, body)
        else:
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
            # A genuine checkpoint of other entries has signed none of these.
            if checkpoint.root == self.tree.root():
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
        self._stretch.links.finish()
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
        elif self._stretch.last_t:
            check_age(event.time_ms(self._stretch.last_t), now_ms, max_age_s, found)

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

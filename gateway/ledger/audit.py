"""Verification of a whole ledger: every entry streamed once, memory independent of its length.

What is kept: the tree's right edge, the courses of open submissions (bounded; an evicted one is
read again when it goes on), and for each entry one bit, for each submission eight bytes, which
show exactly whether two entries follow the same one or two chains begin with the same
submission.
"""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from gateway.errors import DataError, StorageError
from gateway.ledger import entry as event
from gateway.ledger import trust
from gateway.ledger.canonical import decode
from gateway.ledger.checks import OpenNote, open_checkpoint, place_faults
from gateway.ledger.course import Course
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.report import Findings, Report
from gateway.ledger.verify import open_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.ledger.policyfile import Policy

#: Open submissions whose course is kept; about 1 kB each, and twice as many at most.
COURSES = 16_384
_HASH_MASK = (1 << 64) - 1
#: The heads' hashes are sorted in as many portions, so that sorting stays small too.
_PORTION_BITS = 4


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

    def has_key(self, submission_id: str) -> bool | None:
        """Whether the submission's key K is still there; None: not known here."""
        ...


def verify_ledger(
    source: LedgerSource,
    *,
    now_ms: int,
    policy: Policy | None = None,
    since: str | None = None,
    max_age_s: int | None = None,
) -> Report:
    """Check a whole ledger; the arguments are those of `verify_bundle`.

    Raises:
        DataError: *since* is no signed checkpoint.
        StorageError: the source cannot be read at all.
    """
    known = open_known(since) if since is not None else None
    audit = _Audit(source, policy, known)
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
        tail=audit.tail(),
    )


class _Audit:
    """One pass over a ledger."""

    def __init__(self, source: LedgerSource, policy: Policy | None, known: OpenNote | None) -> None:
        self.source = source
        self.found = Findings()
        self.tree = Frontier()
        #: The lowest entry whose leaf its successor's `prev` contradicts.
        self.broken: int | None = None
        self._policy = policy
        self._known = known
        self._keys = trust.Keys.of(policy, source.vkey, source.origin, self.found)
        self._signer = self._open_signer()
        self._previous = event.NO_PREVIOUS
        self._last_t = ""
        #: `size` of the last anchored checkpoint, and the `x.Anchor` entries at or after it.
        self._anchored = 0
        self._anchors: list[int] = []
        self._links = _Links(source, self.found)
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
            self._anchor(seq, body)
        elif body["ev"] == event.KEY_ROTATE:
            self._keys.rotate(body)

    def _anchor(self, seq: int, body: dict[str, Any]) -> None:
        size = body.get("size")
        if type(size) is not int or not self._anchored <= size <= seq:
            self.found.fault("place", f"the anchor {seq} covers no checkpoint before it")
            return
        self._anchored = size
        self._anchors = [other for other in self._anchors if other >= size] + [seq]

    def tail(self) -> int:
        """Entries that the last anchor does not cover, anchors themselves not counted."""
        return self.tree.size - self._anchored - len(self._anchors)

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
        signed = self._keys.check(opened, found, step="checkpoint")
        if not signed and found.steps["checkpoint"] and self._keys.known:
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
            trust.check_witnesses(self._borne_out, self._policy, (), found)
        found.lacks("timestamp", "timestamp: no trusted time stamp covers the ledger")
        if self._signer is not None:
            self._check_elsewhere(self._signer, "signer")
        if self._known is not None:
            self._check_elsewhere(self._known, "since")
        if self._last_t:
            trust.check_age(event.time_ms(self._last_t), now_ms, max_age_s, found)

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


class _Links:
    """The submissions of a ledger: links, seals and the order of events."""

    def __init__(self, source: LedgerSource, found: Findings) -> None:
        self._source = source
        self._found = found
        # Two generations: when the young one is full it becomes the old one, and what was not
        # used since is forgotten. Courses that are sealed are forgotten at once.
        self._young: dict[str, Course] = {}
        self._old: dict[str, Course] = {}
        self._followed = bytearray()
        self._heads = array("Q")
        self._keyless: set[str] = set()

    def take(self, seq: int, leaf_hex: str, body: dict[str, Any]) -> None:
        """The next entry about a submission."""
        mid = body["mid"]
        if not isinstance(mid, str):
            self._found.fault("links", f"mid of entry {seq} is no text")
            return
        course = self._young.get(mid) or self._old.pop(mid, None) or self._course(seq, mid, body)
        self._follow(seq, body.get("mprev"))
        for step, message in course.take(seq, leaf_hex, body):
            self._found.fault(step, f"submission {mid}: {message}")
        if body["ev"] == event.ERASED:
            self._keyless.discard(mid)
        if body["ev"] == event.SEAL:
            self._young.pop(mid, None)
            return
        self._young[mid] = course
        if len(self._young) > COURSES:
            self._old, self._young = self._young, {}

    def _follow(self, seq: int, before: object) -> None:
        """Note that *seq* follows *before*, which nothing else may follow."""
        if type(before) is not int or not 0 <= before < seq:
            return  # no link, or one that the course refuses
        byte, bit = before >> 3, 1 << (before & 7)
        if byte >= len(self._followed):
            self._followed.extend(bytes(byte + 1 - len(self._followed)))
        if self._followed[byte] & bit:
            self._found.fault("links", f"entry {seq} follows {before}, as another entry does")
        self._followed[byte] |= bit

    def _course(self, seq: int, mid: str, body: dict[str, Any]) -> Course:
        """A course that begins, or one that was forgotten and is read again."""
        course = Course()
        if "mprev" not in body:
            self._heads.append(hash(mid) & _HASH_MASK)
            if self._source.has_key(mid) is False:
                self._keyless.add(mid)
            return course
        chain: list[tuple[int, str, dict[str, Any]]] = []
        before: object = body["mprev"]
        while type(before) is int and 0 <= before < seq:
            seq = before
            try:
                raw = self._source.entry(seq)
                earlier = decode(raw)
            except (DataError, StorageError):
                break  # it has been, or will be, reported where it stands
            if any(place_faults(earlier, seq, self._source.origin)):
                break
            if earlier.get("mid") != mid:
                self._found.fault("links", f"submission {mid}: entry {seq} is of another one")
                break
            chain.append((seq, leaf_hash(raw).hex(), earlier))
            before = earlier.get("mprev")
        for at, leaf_hex, earlier in reversed(chain):
            list(course.take(at, leaf_hex, earlier))  # said when it was first read
        return course

    def finish(self, size: int) -> None:
        """What shows only at the end: submissions that begin twice, keys gone without a word."""
        for doubled in _doubles(self._heads):
            for mid in self._began_twice(doubled, size):
                self._found.fault("links", f"submission {mid} begins twice")
        if self._keyless:
            some = min(self._keyless)
            self._found.fault(
                "commitments",
                f"the key of {len(self._keyless)} submissions is gone without x.Erased, {some} one",
            )

    def _began_twice(self, doubled: set[int], size: int) -> Iterator[str]:
        """Which submissions of those hashes really begin twice (hashes may collide)."""
        seen: set[str] = set()
        for raw in self._source.entries(0, size):
            try:
                body = decode(raw)
            except DataError:
                continue
            mid = body.get("mid")
            if isinstance(mid, str) and "mprev" not in body and hash(mid) & _HASH_MASK in doubled:
                if mid in seen:
                    yield mid
                seen.add(mid)


def _doubles(hashes: array[int]) -> Iterator[set[int]]:
    """The values that occur more than once, portion by portion, empty portions left out."""
    for portion in range(1 << _PORTION_BITS):
        part = sorted(item for item in hashes if item >> (64 - _PORTION_BITS) == portion)
        doubled = {a for a, b in pairwise(part) if a == b}
        if doubled:
            yield doubled

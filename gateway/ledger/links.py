"""The submissions of a ledger under audit: links, seals and the order of events.

What is kept: the courses of open submissions (bounded; one that was forgotten is read again when
it goes on), and for each entry one bit. They show exactly whether two entries follow the same
one, or two chains begin with the same submission.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from gateway.errors import DataError, StorageError
from gateway.ledger import entry as event
from gateway.ledger.canonical import decode
from gateway.ledger.checks import place_faults
from gateway.ledger.course import Course
from gateway.ledger.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.ledger.audit import LedgerSource
    from gateway.ledger.report import Findings

#: Open submissions whose course is kept; about 1 kB each, and twice as many at most.
COURSES = 16_384
#: A submission's id begins with its time (UUID version 7): 48 bits in hex and a hyphen.
_TIME_DIGITS = 13
_HASH_MASK = (1 << 64) - 1
#: Entries looked at, from a submission's last one back, for the one that says it was erased.
_LOOKED_BACK = 16


class Origins:
    """Where submissions begin: shows that none does so twice, without remembering them all.

    Ids begin with a time and so come in order: one whose time is beyond every earlier one's is
    new. Kept are those of the latest time, and eight bytes for each that came out of order.
    """

    def __init__(self) -> None:
        #: The time of the first id, and the ids that share it; the same of the latest.
        self.first = self.latest = ""
        self.of_first: set[str] = set()
        self.of_latest: set[str] = set()
        self.late = array("Q")

    def add(self, mid: str) -> None:
        """A submission begins."""
        time = mid[:_TIME_DIGITS]
        if time > self.latest or not self.of_latest:
            self.latest, self.of_latest = time, set()
            if not self.of_first:
                self.first, self.of_first = time, self.of_latest
        elif time < self.latest or mid in self.of_latest:
            self.late.append(hash(mid) & _HASH_MASK)
            return
        self.of_latest.add(mid)

    def join(self, after: Origins) -> bool:
        """Take those of the stretch that follows; False where that is not certainly right."""
        if not after.of_first:
            return True  # nothing begins there
        if after.late or after.first < self.latest:
            return False
        if after.first == self.latest:
            if self.of_latest & after.of_first:
                return False
            if after.latest == self.latest:
                self.of_latest |= after.of_latest
                return True
        self.latest, self.of_latest = after.latest, after.of_latest
        return True


class Links:
    """The submissions of a ledger, or of the stretch from *start* on."""

    def __init__(self, source: LedgerSource, found: Findings, *, start: int = 0) -> None:
        self._source = source
        self._found = found
        self._start = start
        # Two generations: when the young one is full it becomes the old one, and what was not
        # used since is forgotten. Courses that are sealed are forgotten at once.
        self._young: dict[str, Course] = {}
        self._old: dict[str, Course] = {}
        #: A bit for each entry from *start* on that another follows; the earlier ones by `seq`.
        self.followed = bytearray()
        self.follows: list[int] = []
        self.origins = Origins()
        #: Submissions whose key is gone, and no entry has said why yet.
        self.keyless: set[str] = set()

    def take(self, seq: int, leaf_hex: str, body: dict[str, Any]) -> None:
        """The next entry about a submission."""
        mid = body["mid"]
        if not isinstance(mid, str):
            self._found.fault("links", f"mid of entry {seq} is no text")
            return
        course = self._young.get(mid) or self._old.pop(mid, None) or self._course(seq, mid, body)
        before = body.get("mprev")
        if not self.follow(seq, before):
            self._found.fault("links", f"entry {seq} follows {before}, as another entry does")
        for step, message in course.take(seq, leaf_hex, body):
            self._found.fault(step, f"submission {mid}: {message}")
        if body["ev"] == event.ERASED:
            self.keyless.discard(mid)
        if body["ev"] == event.SEAL:
            self._young.pop(mid, None)
            return
        self._young[mid] = course
        if len(self._young) > COURSES:
            self._old, self._young = self._young, {}

    def follow(self, seq: int, before: object) -> bool:
        """Note that *seq* follows *before*; False if another entry does."""
        if type(before) is not int or not 0 <= before < seq:
            return True  # no link, or one that the course refuses
        if before < self._start:
            self.follows.append(before)
            return True
        byte, bit = (before - self._start) >> 3, 1 << (before - self._start & 7)
        if byte >= len(self.followed):
            self.followed.extend(bytes(byte + 1 - len(self.followed)))
        free = not self.followed[byte] & bit
        self.followed[byte] |= bit
        return free

    def join(self, start: int, followed: bytes, follows: tuple[int, ...], origins: Origins) -> bool:
        """Take what another found of the stretch that begins where this ends, at *start*, a
        multiple of 8.

        False where two entries may follow the same one, or a submission may begin twice.
        """
        self.followed.extend(bytes((start >> 3) - len(self.followed)))
        self.followed += followed
        free = [self.follow(start, before) for before in follows]
        return all(free) and self.origins.join(origins)

    def _course(self, seq: int, mid: str, body: dict[str, Any]) -> Course:
        """A course that begins, or one that was forgotten and is read again."""
        course = Course()
        if "mprev" not in body:
            self.origins.add(mid)
            if self._source.has_key(mid) is False and not self._is_erased(mid):
                self.keyless.add(mid)
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

    def _is_erased(self, mid: str) -> bool:
        """Whether an entry that is still to come says that the submission was erased.

        It only spares remembering the submission until then; what the entry is worth is judged
        where it stands.
        """
        before: object = self._source.last_seq(mid)
        for _ in range(_LOOKED_BACK):
            if type(before) is not int or not 0 <= before < self._source.size:
                break
            try:
                body = decode(self._source.entry(before))
            except (DataError, StorageError):
                break
            if body.get("mid") != mid or any(place_faults(body, before, self._source.origin)):
                break
            if body["ev"] == event.ERASED:
                return True
            before = body.get("mprev")
        return False

    def finish(self) -> None:
        """What shows only at the end: submissions that begin twice, keys gone without a word."""
        for mid in self._began_twice():
            self._found.fault("links", f"submission {mid} begins twice")
        if self.keyless:
            some = min(self.keyless)
            self._found.fault(
                "commitments",
                f"the key of {len(self.keyless)} submissions is gone without x.Erased, {some} one",
            )

    def _began_twice(self) -> Iterator[str]:
        """Which submissions begin twice, among those that came out of order (hashes may collide).

        It reads the ledger again, which an honest one does not need.
        """
        late = set(self.origins.late)
        seen: set[str] = set()
        for raw in self._source.entries(0, self._source.size) if late else ():
            try:
                body = decode(raw)
            except DataError:
                continue
            mid = body.get("mid")
            if isinstance(mid, str) and "mprev" not in body and hash(mid) & _HASH_MASK in late:
                if mid in seen:
                    yield mid
                seen.add(mid)

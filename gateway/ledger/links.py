"""The submissions of a ledger under audit: links, seals and the order of events.

What is kept: the courses of open submissions (bounded; one that was forgotten is read again when
it goes on), and for each entry one bit, for each submission eight bytes. They show exactly
whether two entries follow the same one, or two chains begin with the same submission.
"""

from __future__ import annotations

from array import array
from itertools import pairwise
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
_HASH_MASK = (1 << 64) - 1
#: The heads' hashes are sorted in as many portions, so that sorting stays small too.
_PORTION_BITS = 4


class Links:
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

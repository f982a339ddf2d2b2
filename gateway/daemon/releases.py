"""When what is held goes out: not before its instant, by deadline, and not all in one second.

At eight o'clock a whole country opens. What was held for that instant leaves evenly over a time the
configuration sets, the soonest deadline first; what would expire within that time does not wait.
The pace lives in memory: after a restart the rest is counted and spread anew.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.ledger.store import Store

#: Releases a second at least, and how many leave in the first moment.
_LEAST_PER_S: Final = 10.0
#: While a release goes on, it is looked at so often at most.
_TICK_MS: Final = 100


class Releases:
    """Gives out held submissions that are due, page by page."""

    def __init__(self, store: Store, *, spread_s: int = 0) -> None:
        self._store = store
        self._spread_ms = spread_s * 1000
        #: Of the release that goes on: since when, how many there were, how many are given out.
        self._began_ms = 0
        self._due = 0
        self._given = 0
        #: Rows that were given out and stayed what they were: nothing can be done with them.
        self._stuck: set[int] = set()
        self._last: set[int] = set()

    def page(self, now_ms: int, most: int) -> list[int]:
        """Row ids of submissions that may go now, *most* at most; each is given out once."""
        if self._given >= self._due:
            self._began_ms, self._given = now_ms, 0
            self._due = max(0, self._store.count_held_due(now_ms) - len(self._stuck))
        last, self._last = self._last, set()
        if not self._due:
            return []
        found, over = self._choose(now_ms, most, last)
        self._given = self._due if over else self._given + len(found)
        self._last.update(found)
        return found

    def _choose(self, now_ms: int, most: int, last: set[int]) -> tuple[list[int], bool]:
        """The next rows in turn, and whether there are no more of this release."""
        allowed = self._allowed(now_ms)
        found: list[int] = []
        for row_id, deadline_ms in self._store.held_due(now_ms, most + len(self._stuck) + 1):
            if row_id in last:
                self._stuck.add(row_id)
            if row_id in self._stuck:
                continue
            waits = self._given + len(found) >= allowed
            if len(found) == most or (waits and deadline_ms > now_ms + self._spread_ms):
                return found, False
            found.append(row_id)
        return found, True

    def next_ms(self, now_ms: int) -> float:
        """When to ask for a page again."""
        if self._given < self._due:
            return now_ms if self._allowed(now_ms) > self._given else now_ms + _TICK_MS
        if self._due:  # there may be more that became due meanwhile
            return now_ms
        due = self._store.next_held_ms(now_ms)
        return math.inf if due is None else due

    def _allowed(self, now_ms: int) -> int:
        """How many of this release may be out by now."""
        if not self._spread_ms:
            return self._due
        per_s = max(_LEAST_PER_S, self._due * 1000 / self._spread_ms)
        return min(self._due, int(_LEAST_PER_S + per_s * (now_ms - self._began_ms) / 1000))

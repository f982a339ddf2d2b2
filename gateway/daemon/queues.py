"""What waits to be sent: one queue for each way, and the order of the messages to one person.

A way is the operators a route names. Messages to one person leave in the order they came: while a
message to somebody is under way, or waits to be tried again, a later one to the same person is
parked, and everybody else's pass (`Lanes`).
"""

from __future__ import annotations

import math
from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.daemon.operator import Operator
    from gateway.daemon.work import Work
    from gateway.ledger.rows import SegmentRow

Item: TypeAlias = tuple["Work", "SegmentRow"]

#: priority_flag of SMPP 3.4 section 5.2.14: 0 to 3, the highest leaves first.
PRIORITIES: Final = 4


class Way(NamedTuple):
    """Where a message may go: operators by preference, or by weight where there are weights."""

    names: tuple[str, ...]
    weights: tuple[int, ...] = ()


class Queue:
    """The segments that wait for one way, by priority, then in order of arrival."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self._lines: tuple[deque[Item], ...] = tuple(deque() for _ in range(PRIORITIES))
        self._length = 0
        self._credits = dict.fromkeys(way.names, 0)

    def __len__(self) -> int:
        return self._length

    def append(self, item: Item) -> None:
        """*item* goes to the end."""
        self._lines[item[0].request.priority].append(item)
        self._length += 1

    def appendleft(self, item: Item) -> None:
        """*item* goes to the front: it was there before."""
        self._lines[item[0].request.priority].appendleft(item)
        self._length += 1

    def popleft(self) -> Item:
        """The next one; there must be one."""
        self._length -= 1
        return next(line for line in reversed(self._lines) if line).popleft()

    def choose(self, rooms: Sequence[tuple[Operator, int]]) -> int:
        """Index of the operator of *rooms* that gets the next message.

        Without weights the first. With weights in turn, evenly interleaved (smooth weighted
        round-robin), among those that have room: a slow one does not hold the others up.
        """
        if not self.way.weights or len(rooms) == 1:
            return 0
        weights = dict(zip(self.way.names, self.way.weights, strict=True))
        total = 0
        for operator, _ in rooms:
            self._credits[operator.name] += weights[operator.name]
            total += weights[operator.name]
        best = max(range(len(rooms)), key=lambda at: self._credits[rooms[at][0].name])
        self._credits[rooms[best][0].name] -= total
        return best


class Lanes:
    """Whose message to a person is under way, and what waits behind it."""

    def __init__(self) -> None:
        self._owner: dict[bytes, Work] = {}
        self._parked: dict[bytes, deque[Item]] = {}

    def blocked(self, work: Work) -> bool:
        """Whether another message to the same person is under way."""
        owner = self._owner.get(work.row.person)
        return owner is not None and owner is not work

    def enter(self, work: Work) -> None:
        """*work* is under way; later messages to its person wait."""
        self._owner[work.row.person] = work

    def park(self, item: Item) -> None:
        """Keep *item* until those before it are done."""
        self._parked.setdefault(item[0].row.person, deque()).append(item)

    def leave(self, work: Work) -> list[Item]:
        """*work* is done, or leaves no more: the segments of the message whose turn it is now."""
        person = work.row.person
        if self._owner.get(person) is not work:
            return []
        parked = self._parked.get(person)
        if parked is None:
            del self._owner[person]
            return []
        following = self._owner[person] = parked[0][0]
        items: list[Item] = []
        while parked and parked[0][0] is following:
            items.append(parked.popleft())
        if not parked:
            del self._parked[person]
        return items


class Returned:
    """Segments that did not go through: some at once again, some when their wait is over."""

    def __init__(self) -> None:
        self._now: list[Item] = []
        self._later: list[tuple[float, int, Item]] = []
        self._order = count()

    def add(self, item: Item, due_s: float | None) -> None:
        """*item* may leave again, at *due_s* or at once."""
        if due_s is None:
            self._now.append(item)
        else:
            heappush(self._later, (due_s, next(self._order), item))

    def take(self, now_s: float) -> list[Item]:
        """What may leave again now, the last first: each goes to the front of its queue."""
        while self._later and self._later[0][0] <= now_s:
            self._now.append(heappop(self._later)[2])
        items, self._now = self._now, []
        items.sort(key=lambda item: item[1].id, reverse=True)
        return items

    def next_s(self, now_s: float) -> float | None:
        """When `take` has something."""
        if self._now:
            return now_s
        return self._later[0][0] if self._later else None


class Expiries:
    """When the validity of what waits ends, soonest first."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, int]] = []

    def add(self, work: Work) -> None:
        """Watch *work*, if it has an end."""
        if work.row.expires_ms is not None:
            heappush(self._ends, (work.row.expires_ms, work.row.id))

    def take(self, now_ms: int) -> Iterator[int]:
        """Row ids of what has come to its end, each once."""
        while self._ends and self._ends[0][0] <= now_ms:
            yield heappop(self._ends)[1]

    @property
    def next_ms(self) -> float:
        """When `take` has something; infinity for never."""
        return self._ends[0][0] if self._ends else math.inf


def room_of(name: str | None, rooms: Sequence[tuple[Operator, int]]) -> int | None:
    """Where among *rooms* the operator of that name is."""
    for at, (operator, _) in enumerate(rooms):
        if operator.name == name:
            return at
    return None

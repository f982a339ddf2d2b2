"""One customer of the simulated operator: the receipts that wait, and the links that take them."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.sim.message import Accepted, Pending


class Receiver(Protocol):
    """A link that may carry receipts, and can be told that one is due."""

    def wake(self, due: float) -> None:
        """A receipt of this account is due at *due*."""
        ...


class Account:
    """A system_id. Receipts belong to it and not to a link: any of its links may carry them."""

    def __init__(self, system_id: str) -> None:
        self.system_id = system_id
        self.receivers: list[Receiver] = []
        self._heap: list[tuple[float, int, Pending]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._heap)

    def schedule(self, pending: Pending, due: float) -> None:
        """Receipts due at one instant leave in the order they were scheduled."""
        heappush(self._heap, (due, next(self._order), pending))

    def due_at(self, receiver: Receiver) -> float | None:
        """When the next receipt for *receiver* is due; None if none waits."""
        return self._heap[0][0] if self._heap and self._may_take(receiver) else None

    def take(self, now: float, receiver: Receiver) -> Pending | None:
        """The next receipt that is due at *now* and may go by *receiver*, off the queue."""
        if self._heap and self._heap[0][0] <= now and self._may_take(receiver):
            return heappop(self._heap)[2]
        return None

    def drop(self, message: Accepted) -> None:
        """No receipt about *message* is to come any more."""
        self._heap = [each for each in self._heap if each[2].message is not message]
        heapify(self._heap)

    def _may_take(self, receiver: Receiver) -> bool:
        """A receipt that avoids a link waits for another, as long as there is one."""
        return self._heap[0][2].avoids is not receiver or len(self.receivers) < 2

    def wake(self, but: Receiver) -> None:
        """Tell the other links when the next receipt is due."""
        if self._heap:
            for receiver in self.receivers:
                if receiver is not but:
                    receiver.wake(self._heap[0][0])

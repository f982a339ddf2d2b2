"""Submits on their way: prepared, in flight, or given up with an answer that may still come.

One number is in one place only. `session` decides when things move; this keeps the books.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

from gateway.smpp.events import Lost

MAX_LATE: Final = 10_000
"""Timed-out submits whose answer is still matched; beyond, the oldest are given up for good."""


#: congestion_state at which the SMSC is best used, and at which it can take no more.
OPTIMUM: Final = (80, 90)
CONGESTED: Final = 100


class Window:
    """At most `size` submits prepared or in flight; each has `timeout_s` to be answered."""

    def __init__(self, size: int, timeout_s: float) -> None:
        self.size = size
        #: `size`, or less where the peer is congested.
        self.allowed = size
        self._timeout_s = timeout_s
        self._prepared: dict[int, tuple[object, bytes]] = {}
        # In the order of transmission, so of deadlines: the first is always the next to time out.
        # A plain dict would walk over what was deleted at its front to find it.
        self._in_flight: OrderedDict[int, tuple[object, float]] = OrderedDict()
        self._late: OrderedDict[int, object] = OrderedDict()

    @property
    def in_flight(self) -> int:
        """Submits transmitted, not answered and not timed out."""
        return len(self._in_flight)

    def free(self) -> int:
        """Slots left."""
        return max(0, self.allowed - len(self._in_flight) - len(self._prepared))

    def steer(self, state: bytes | None) -> None:
        """The peer's congestion_state (SMPP 5.0 section 4.8.4.18): 80 to 90 is where it works best.

        Below, one more may be on the way, up to `size`; above, a quarter fewer; at 100 one alone.
        Anything that is not one octet of 0 to 100 says nothing.
        """
        if state is None or len(state) != 1 or state[0] > CONGESTED:
            return
        if state[0] < OPTIMUM[0]:
            self.allowed = min(self.size, self.allowed + 1)
        elif state[0] == CONGESTED:
            self.allowed = 1
        elif state[0] > OPTIMUM[1]:
            self.allowed = max(1, self.allowed - max(1, self.allowed // 4))

    def holds(self, sequence: int) -> bool:
        """Whether an answer with this number would mean a submit of ours."""
        return sequence in self._in_flight or sequence in self._prepared or sequence in self._late

    def prepare(self, sequence: int, token: object, octets: bytes) -> None:
        """Take a slot for a submit that is not to be sent yet."""
        self._prepared[sequence] = (token, octets)

    def transmit(self, sequence: int, now: float) -> bytes | None:
        """The octets to send, and their timer starts; None when nothing is prepared so."""
        prepared = self._prepared.pop(sequence, None)
        if prepared is None:
            return None
        self._in_flight[sequence] = (prepared[0], now + self._timeout_s)
        return prepared[1]

    def withdraw(self, sequence: int) -> bool:
        """Give the slot of a prepared submit back; False when nothing is prepared so."""
        return self._prepared.pop(sequence, None) is not None

    def settle(self, sequence: int) -> tuple[object, bool] | None:
        """The token an answer means, and whether it comes late; None for an answer to nothing."""
        flight = self._in_flight.pop(sequence, None)
        if flight is not None:
            return flight[0], False
        if sequence in self._late:
            return self._late.pop(sequence), True
        return None

    def due(self) -> float:
        """When the next submit times out; math.inf for never."""
        for _, due in self._in_flight.values():
            return due
        return math.inf

    def expire(self, now: float) -> list[tuple[int, object]]:
        """Number and token of what is not answered by now. Their slots are free, not their numbers:
        a late answer still carries the message_id of a certified message.
        """
        expired: list[tuple[int, object]] = []
        while self.due() <= now:
            sequence, (token, _) = self._in_flight.popitem(last=False)
            expired.append((sequence, token))
            self._late[sequence] = token
            if len(self._late) > MAX_LATE:
                self._late.popitem(last=False)
        return expired

    def clear(self) -> Lost:
        """Forget everything; what was prepared or in flight is handed back."""
        lost = Lost(
            tuple(token for token, _ in self._prepared.values()),
            tuple(token for token, _ in self._in_flight.values()),
        )
        self._prepared.clear()
        self._in_flight.clear()
        self._late.clear()
        return lost

"""Requests about messages under way on a session: each with its own timer (section 7.2)."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

#: Requests unanswered at once; they are rare, and an operator that answers none must not pile up.
MAX_REQUESTS: Final = 16


class Requests:
    """Sequence number → token of what was asked, in the order of the deadlines."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._open: OrderedDict[int, tuple[object, float]] = OrderedDict()

    def free(self) -> int:
        """How many more may be asked now."""
        return MAX_REQUESTS - len(self._open)

    def holds(self, sequence: int) -> bool:
        """Whether an answer with this number would mean one of them."""
        return sequence in self._open

    def add(self, sequence: int, token: object, now: float) -> None:
        """It is on its way; its timer starts."""
        self._open[sequence] = (token, now + self._timeout_s)

    def settle(self, sequence: int) -> object | None:
        """The token an answer means; None for an answer to nothing."""
        found = self._open.pop(sequence, None)
        return None if found is None else found[0]

    def due(self) -> float:
        """When the next one times out; math.inf for never."""
        return next((due for _, due in self._open.values()), math.inf)

    def expire(self, now: float) -> list[object]:
        """The tokens of what is not answered by now; nothing waits for those any more."""
        expired = []
        while self.due() <= now:
            expired.append(self._open.popitem(last=False)[1][0])
        return expired

    def clear(self) -> tuple[object, ...]:
        """Forget everything; the tokens of what was unanswered."""
        tokens = tuple(token for token, _ in self._open.values())
        self._open.clear()
        return tokens

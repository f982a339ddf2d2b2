"""How fast an operator is sent to: its contract's rate, a pause when it throttles, a slow return.

The pauses grow exponentially while the operator goes on throttling. After each the rate is half of
what it was before, and comes back in even steps for every second without a complaint: multiplied
down, added up, as TCP does, because that finds the operator's real limit and stays below it.
"""

from __future__ import annotations

import math
from typing import Final

#: First and longest pause after the operator said "throttled" or "queue full".
PAUSE_S: Final = (0.5, 30.0)
#: The rate never falls below this share of the contract's.
LEAST_SHARE: Final = 1 / 16
#: What a quiet second gives back, as a share of the contract's rate.
STEP_SHARE: Final = 0.1
STEP_S: Final = 1.0
#: A bucket holds this share of a second's rate: what may leave at once after a quiet moment.
_BURST_S = 0.05
#: A token that is whole but for floating point is whole; else a wait for it would never end.
_ROUNDING = 1e-6


class RateLimiter:
    """Tokens per second; the bucket starts empty, so a restart never bursts."""

    def __init__(self, rate: float, now_s: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * _BURST_S)
        self._tokens = 0.0
        self._at_s = now_s

    def available(self, now_s: float) -> int:
        """Whole tokens there are now."""
        self._tokens = min(self._most, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        return int(self._tokens + _ROUNDING)

    def take(self) -> None:
        """Spend one token."""
        self._tokens -= 1

    def next_s(self) -> float:
        """When the next whole token is there."""
        return self._at_s + max(_ROUNDING, 1 - self._tokens) / self._rate

    def change(self, rate: float, now_s: float) -> None:
        """Another rate from *now_s* on; of the tokens there are at most one is kept."""
        self._tokens = min(1.0, self._tokens + max(0.0, now_s - self._at_s) * self._rate)
        self._rate = rate
        self._most = max(1.0, rate * _BURST_S)
        self._at_s = max(self._at_s, now_s)


class Pace:
    """The speed one operator is sent to, over all its sessions. Times are monotonic seconds."""

    def __init__(self, rate: float, now_s: float) -> None:
        self.paused_until_s = -math.inf
        #: How often the operator made us pause.
        self.pauses = 0
        #: The present share of the contract's rate, 1 when all is well.
        self.share = 1.0
        self._contract = rate
        self._limiter = RateLimiter(rate, now_s)
        self._pause_s = 0.0
        self._step_at_s = math.inf

    @property
    def rate(self) -> float:
        """`submit_sm` per second at present."""
        return self._contract * self.share

    def available(self, now_s: float) -> int:
        """How many may leave now."""
        if now_s < self.paused_until_s:
            return 0
        if now_s >= self._step_at_s:
            self._recover(now_s)
        return self._limiter.available(now_s)

    def take(self) -> None:
        """One leaves."""
        self._limiter.take()

    def next_s(self, now_s: float) -> float:
        """When `available` may be more than now."""
        return self.paused_until_s if now_s < self.paused_until_s else self._limiter.next_s()

    def left_s(self, now_s: float) -> float:
        """How long the pause still lasts; 0 when there is none."""
        return max(0.0, self.paused_until_s - now_s)

    def slow_down(self, now_s: float) -> bool:
        """The operator throttles: pause, twice as long as last time, and come back at half speed.

        False: it paused already; these are answers to what was on the way.
        """
        if now_s < self.paused_until_s:
            return False
        self.pauses += 1
        self._pause_s = min(PAUSE_S[1], max(PAUSE_S[0], self._pause_s * 2))
        self.paused_until_s = now_s + self._pause_s
        self._step_at_s = self.paused_until_s + STEP_S
        self._run_at(max(LEAST_SHARE, self.share / 2), self.paused_until_s)
        return True

    def _recover(self, now_s: float) -> None:
        """The operator was content for one step or more: faster, and the next pause is shorter."""
        steps = 1 + int((now_s - self._step_at_s) / STEP_S)
        self._run_at(min(1.0, self.share + steps * STEP_SHARE), now_s)
        if self.share == 1.0:
            self._pause_s, self._step_at_s = 0.0, math.inf
        else:
            self._pause_s /= 2**steps
            self._step_at_s += steps * STEP_S

    def _run_at(self, share: float, now_s: float) -> None:
        self.share = share
        self._limiter.change(self.rate, now_s)

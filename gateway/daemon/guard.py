"""The daemon's wall clock: never earlier than the last entry, and its corrections are told.

The ledger's times must not decrease. A correction of up to `max_step_s` is absorbed (the clock
stands still until the wall has caught up); a wall clock further behind is refused loudly, because
sealing times that are known to be wrong would spoil the proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.clock import to_seconds_text
from gateway.errors import TryAgain

if TYPE_CHECKING:
    from gateway.clock import Clock

#: Corrections of the wall clock from this size on become `x.ClockStep` entries.
STEP_MS = 1000


#: What a clock may show: from the year of the calendars that came with Acuse to their end. A ledger
#: begun in 1970 would look forged, and one begun in 2150 could not be continued for a century.
EARLIEST_MS = 1_767_225_600_000  # 2026-01-01
LATEST_MS = 4_097_174_400_000  # 2099-11-01


def require_plausible(wall_ms: int) -> None:
    """Refuse a wall clock that cannot be right.

    Raises:
        TryAgain: it shows a time before 2026 or after most of 2099.
    """
    if not EARLIEST_MS <= wall_ms < LATEST_MS:
        year = 1970 + wall_ms // 31_556_952_000  # of any integer, also where datetime gives up
        raise TryAgain(
            f"the clock shows the year {year}: no hours can be kept and no times sealed by it",
            hint="set the clock right (timedatectl, chronyc tracking), then start again",
            clock_ms=wall_ms,
        )


class Step(NamedTuple):
    """A correction of the wall clock: what it would have shown, and what it showed."""

    before_ms: int
    after_ms: int


class GuardedClock:
    """Wall time that never decreases, for everything that goes into an entry."""

    def __init__(self, clock: Clock, *, floor_ms: int, max_step_ms: int = 1000) -> None:
        self._clock = clock
        self._last_ms = floor_ms
        self._max_step_ms = max_step_ms
        self._origin_ms = clock.wall_ms() - round(clock.monotonic_s() * 1000)

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, never less than before.

        Raises:
            TryAgain: the wall clock is behind the last time given by more than `max_step_ms`, or
                shows what cannot be.
        """
        wall_ms = self._clock.wall_ms()
        require_plausible(wall_ms)
        if wall_ms >= self._last_ms:
            self._last_ms = wall_ms
        elif self._last_ms - wall_ms > self._max_step_ms:
            raise TryAgain(
                f"the clock says {to_seconds_text(wall_ms)}, but the ledger already holds"
                f" {to_seconds_text(self._last_ms)}",
                hint="set the clock right (timedatectl, chronyc tracking); the daemon starts again"
                " when it is past that time",
                clock=to_seconds_text(wall_ms),
                ledger=to_seconds_text(self._last_ms),
            )
        return self._last_ms

    def monotonic_s(self) -> float:
        """Seconds on the clock that never steps."""
        return self._clock.monotonic_s()

    def take_step(self) -> Step | None:
        """The correction of the wall clock since the last call, if it was a second or more."""
        wall_ms = self._clock.wall_ms()
        elapsed_ms = round(self._clock.monotonic_s() * 1000)
        expected_ms = self._origin_ms + elapsed_ms
        if abs(wall_ms - expected_ms) < STEP_MS:
            return None
        self._origin_ms = wall_ms - elapsed_ms
        return Step(expected_ms, wall_ms)

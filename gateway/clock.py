"""Two clocks, always passed in: intervals are monotonic, law and evidence use wall UTC.

Wall instants are integers: milliseconds since the Unix epoch (`_ms`). Text is ISO 8601 in UTC.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from gateway.errors import DataError


class Clock(Protocol):
    """What the daemon asks for the time; tests pass one that they turn by hand."""

    def wall_ms(self) -> int:
        """Wall clock, milliseconds since the Unix epoch."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never steps; only differences mean something."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


def to_datetime(instant_ms: int) -> datetime:
    """The instant as an aware UTC datetime."""
    return datetime.fromtimestamp(instant_ms / 1000, UTC)


def to_seconds_text(instant_ms: int) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, the form of times in commands and JSON; milliseconds are cut off."""
    return datetime.fromtimestamp(instant_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def optional_text(instant_ms: int | None) -> str | None:
    """`to_seconds_text`, or None for None."""
    return None if instant_ms is None else to_seconds_text(instant_ms)


def parse_instant(text: str, *, field: str) -> int:
    """Milliseconds of an ISO 8601 instant with a zone (`Z` or an offset).

    Raises:
        DataError: not ISO 8601, or without a zone; `fields["field"]` is *field*.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(
            f"{field}: {text!r} is not a time",
            hint="write it as 2026-11-28T20:59:59Z",
            field=field,
        ) from None
    if parsed.tzinfo is None:
        raise DataError(
            f"{field}: {text!r} has no zone",
            hint="end it with Z for UTC, or with an offset such as +01:00",
            field=field,
        )
    return round(parsed.timestamp() * 1000)

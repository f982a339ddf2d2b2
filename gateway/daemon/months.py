"""Retention months: which key-encryption key a piece of content is wrapped with."""

from __future__ import annotations

from functools import lru_cache

from gateway.clock import to_datetime

_DAY_MS = 86_400_000


def month_of(instant_ms: int) -> str:
    """The month of an instant in UTC, `YYYY-MM`."""
    return _month_of_day(instant_ms // _DAY_MS)


@lru_cache(maxsize=64)
def _month_of_day(day: int) -> str:
    noon = to_datetime(day * _DAY_MS + _DAY_MS // 2)
    return f"{noon.year:04d}-{noon.month:02d}"

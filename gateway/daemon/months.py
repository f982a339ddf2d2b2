"""Retention months: which key-encryption key a piece of content is wrapped with."""

from __future__ import annotations

from gateway.clock import to_datetime


def month_of(instant_ms: int) -> str:
    """The month of an instant in UTC, `YYYY-MM`."""
    day = to_datetime(instant_ms)
    return f"{day.year:04d}-{day.month:02d}"

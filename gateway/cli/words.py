"""The words of the contract that options take, and times as people write them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import click

STATES = (
    "held",
    "queued",
    "sending",
    "accepted",
    "delivered",
    "delivered_to_operator",
    "undelivered",
    "expired",
    "deleted",
    "rejected",
    "refused",
    "cancelled",
    "unknown",
    "unconfirmed",
    "erased",
)
#: The states in which the message has arrived, as far as the operator lets anybody know.
ARRIVED = frozenset({"delivered", "delivered_to_operator"})
#: The states that change only if somebody contradicts them.
FINAL = frozenset(STATES) - {"held", "queued", "sending", "accepted", "unknown"}

_SPAN = re.compile(r"(\d{1,4})([smhdw])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def instant(text: str) -> str:
    """A time: ISO 8601, a date (its midnight in UTC), or how long ago, as `90m`, `2h`, `1d`."""
    ago = _SPAN.fullmatch(text)
    if ago:
        return _seconds_text(datetime.fromtimestamp(time.time() - _span_s(ago), UTC))
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a time; write 2026-11-28T09:00:00Z, or 2h for two hours ago"
        ) from None
    if parsed.tzinfo is None and len(text) == len("2026-11-28"):
        parsed = parsed.replace(tzinfo=UTC)
    if parsed.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no zone; end it with Z for UTC, or with +01:00")
    if not 1900 < parsed.year < 9000:
        raise click.BadParameter(f"{text!r} is too far away")
    return _seconds_text(parsed.astimezone(UTC))


def span(text: str) -> int:
    """A span of time, as `90m`, `24h`, `7d`, in whole seconds."""
    matched = _SPAN.fullmatch(text)
    if matched is None:
        raise click.BadParameter(f"{text!r} is not a span of time; write 90m, 24h or 7d")
    return _span_s(matched)


def _span_s(matched: re.Match[str]) -> int:
    return int(matched[1]) * _UNIT_S[matched[2]]


def _seconds_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""The `[policy]` table: how the rules of `config/jurisdictions` are applied here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from gateway.settings.kinds import FilePath, Many, Whole
from gateway.settings.names import OVERLAY
from gateway.settings.reading import Reading, Reported, Wrong, about, type_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.settings.lines import Place

_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
#: More days than this in one jurisdiction are not holidays.
_DAYS_MOST = 400


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """Days by jurisdiction: `{"ES-MD" = ["2026-12-26"]}`; kept as ISO 8601 dates."""

    def read(self, value: object, place: Place, reading: Reading) -> dict[str, tuple[str, ...]]:
        if not isinstance(value, dict):
            raise Wrong(
                f"must be a table of jurisdictions, not {type_words(value)}",
                'write {"ES-MD" = ["2026-12-26"]}',
            )
        good: dict[str, tuple[str, ...]] = {}
        for name, days in value.items():
            try:
                good[name] = self._days(name, days)
            except Wrong as wrong:
                reading.problem((*place, name), wrong.message, wrong.hint)
        if len(good) < len(value):
            raise Reported
        return good

    def _days(self, name: str, days: object) -> tuple[str, ...]:
        if not _JURISDICTION.fullmatch(name):
            raise Wrong(f"{name!r} is no jurisdiction", "use ISO 3166, as ES or ES-MD")
        if not isinstance(days, list) or len(days) > _DAYS_MOST:
            raise Wrong(f"must be a list of at most {_DAYS_MOST} days", '["2026-12-26"]')
        return tuple(sorted({_day(day) for day in days}))

    def words(self) -> str:
        return "table: jurisdiction to list of days"


def _day(value: object) -> str:
    """A day as text, or as TOML's own kind of date."""
    if type(value) is date:
        return value.isoformat()
    try:
        if isinstance(value, str) and len(value) == len("2026-12-26"):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise Wrong(f"{str(value)[:40]!r} is no day", 'write it as "2026-12-26"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How messages are judged: rules beside those that came with Acuse, and how they are applied.

    Packs only tighten; what loosens is a waiver in a pack of one's own. `acuse policy check` says
    what is wrong with them.
    """

    packs: tuple[Path, ...] = field(
        default=(),
        metadata=about(
            "Further directories of rule packs: the house's own rules and waivers.",
            Many(FilePath()),
            sample='["packs"]',
        ),
    )
    overlays: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Groups of stricter rules that count only when they are named here. Shipped: "
            "us-conservative, US states' hours for sales calls, kept for texts too.",
            Many(OVERLAY),
            sample='["us-conservative"]',
        ),
    )
    close_guard_s: int = field(
        default=120,
        metadata=about(
            "A promotion, cart reminder or debt claim that could still leave in the last moments "
            "before quiet hours waits for the next opening instead: what an operator delivers a "
            "minute later would arrive in them.",
            Whole(0, 3600),
            unit="s",
        ),
    )
    release_spread_s: int = field(
        default=60,
        metadata=about(
            "When an opening releases many held messages at once, they leave evenly over this "
            "time, the soonest deadline first, but at least ten a second; never faster than the "
            "operators' rates. 0 = as fast as the operators take them.",
            Whole(0, 3600),
            unit="s",
        ),
    )
    added_holidays: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict,
        metadata=about(
            "Days on which every rule that closes on public holidays closes too, by jurisdiction: "
            "local holidays and days the calendars do not know yet. Days of a country count in "
            "all its parts.",
            ClosedDays(),
            sample='{"ES-MD" = ["2026-12-26"]}',
        ),
    )

"""Local wall time to UTC: opening hours become sorted intervals of UTC seconds.

A window is a set of local wall times, half-open. An instant is open when the wall clock of the
zone shows a time inside it; so a window that starts in a gap opens at the first instant after the
gap, and a wall time that occurs twice is open both times. Weekday, holiday and dates in force are
those of the day a window starts, also when it runs over midnight.
"""

from __future__ import annotations

import importlib.metadata
import zoneinfo
from bisect import bisect_right
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Final, TypeAlias

from gateway.policy.rules import MINUTES_PER_DAY, WindowRule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Sorted, disjoint, non-touching `[start, end)` in UTC seconds since the Unix epoch.
Intervals: TypeAlias = tuple[tuple[int, int], ...]

DAY_S: Final = 86_400
#: Intervals are computed for blocks of time; every instant of a block sees at least three weeks on.
BLOCK_S: Final = 14 * DAY_S
HORIZON_S: Final = 35 * DAY_S
#: Zone rules change at most twice in a season; no two changes lie closer than this.
_PROBE_S: Final = DAY_S // 4
_EPOCH_DAY: Final = date(1970, 1, 1)


def use_pinned_zones() -> None:
    """Make the `tzdata` package decide: a system copy may be years old and wrong today."""
    zoneinfo.reset_tzpath(())
    zoneinfo.ZoneInfo.clear_cache()
    for cache in (zone_named, offsets, known_zones):
        cache.cache_clear()


def data_versions() -> dict[str, str]:
    """Versions of the zone rules (IANA name, as `2026f`) and of the holiday calendars."""
    with resources.files("tzdata").joinpath("zoneinfo", "tzdata.zi").open("rb") as lines:
        first = lines.readline().decode("ascii")  # "# version 2026f"
    return {
        "tzdata": first.removeprefix("# version ").strip(),
        "holidays": importlib.metadata.version("holidays"),
    }


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Names of all zones of the pinned `tzdata`."""
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    return frozenset(names)


@lru_cache(maxsize=700)
def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """The zone; the name must be one of `known_zones()`."""
    return zoneinfo.ZoneInfo(name)


def offset_at(zone: str, instant_s: int) -> int:
    """Seconds the zone's wall clock is ahead of UTC at that instant."""
    local = datetime.fromtimestamp(instant_s, zone_named(zone))
    offset = local.utcoffset()
    assert offset is not None
    return offset // timedelta(seconds=1)


def block_of(instant_s: int) -> int:
    """The block an instant belongs to."""
    return instant_s // BLOCK_S


def horizon(block: int) -> tuple[int, int]:
    """First second of a block and the end of what is computed for it."""
    return block * BLOCK_S, block * BLOCK_S + HORIZON_S


@lru_cache(maxsize=2048)
def offsets(zone: str, block: int) -> tuple[tuple[int, int, int], ...]:
    """`(start, end, offset)` pieces of constant UTC offset over the block's horizon."""
    start, end = horizon(block)
    pieces: list[tuple[int, int, int]] = []
    begin, current = start, offset_at(zone, start)
    for probe in range(start + _PROBE_S, end + 1, _PROBE_S):
        after = offset_at(zone, probe)
        if after != current:
            low, high = probe - _PROBE_S, probe
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(zone, middle) == current else (low, middle)
            pieces.append((begin, high, current))
            begin, current = high, after
    pieces.append((begin, end, current))
    return tuple(pieces)


@lru_cache(maxsize=512)
def holidays_of(country: str, subdivision: str, year: int) -> frozenset[date]:
    """Public holidays of one year. `subdivision` "" is the country's own list.

    The package takes 0.2 s to import, so it is imported when the first rule asks for it.
    """
    import holidays

    return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=year))


def holiday_problem(country: str, subdivision: str) -> str:
    """Why the `holidays` package has no such list; "" when it has."""
    try:
        holidays_of(country, subdivision, 2026)
    except NotImplementedError:  # what the package raises for a list it does not have
        name = f"{country}, part {subdivision}" if subdivision else country
        return f"the holidays package has no list for {name}"
    return ""


def open_intervals(
    rule: WindowRule,
    zone: str,
    subdivision: str,
    block: int,
    added: frozenset[date] = frozenset(),
) -> Intervals:
    """When the rule is open for a recipient in that zone and subdivision, over the horizon.

    *added* are holidays there that the calendars do not have. On days the rule is not in force it
    closes nothing.
    """
    zone = rule.zone or zone
    pieces = offsets(zone, block)
    first = _local_day(pieces[0][0] + pieces[0][2]) - timedelta(days=1)
    last = _local_day(pieces[-1][1] + pieces[-1][2])
    local = merge(list(_local_windows(rule, subdivision, added, first, last)))
    found: list[tuple[int, int]] = []
    for start, end, offset in pieces:
        for opens, closes in local:
            low, high = max(start, opens - offset), min(end, closes - offset)
            if low < high:
                found.append((low, high))
    return merge(found)


def _local_day(local_s: int) -> date:
    return _EPOCH_DAY + timedelta(days=local_s // DAY_S)


def _local_windows(
    rule: WindowRule, subdivision: str, added: frozenset[date], first: date, last: date
) -> Iterator[tuple[int, int]]:
    """The rule's windows as seconds of wall-clock time, for each local day."""
    for number in range((first - _EPOCH_DAY).days, (last - _EPOCH_DAY).days + 1):
        day = _EPOCH_DAY + timedelta(days=number)
        midnight = number * DAY_S
        if not rule.in_force(day):
            yield midnight, midnight + DAY_S
            continue
        if is_closed(rule, subdivision, day, added):
            continue
        for hours in rule.hours:
            if day.weekday() in hours.days:
                close = hours.close + (MINUTES_PER_DAY if hours.close <= hours.open else 0)
                yield midnight + hours.open * 60, midnight + close * 60


def is_closed(
    rule: WindowRule, subdivision: str, day: date, added: frozenset[date] = frozenset()
) -> bool:
    """Whether that local day is a holiday on which the rule opens nothing."""
    if not rule.holidays:
        return False
    if day in added:
        return True
    region = subdivision if rule.by_subdivision else ""
    return day in holidays_of(rule.holidays, region, day.year)


def merge(intervals: Sequence[tuple[int, int]]) -> Intervals:
    """Union: sorted, overlapping and touching ones joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            if end > joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def intersect(one: Intervals, other: Intervals) -> Intervals:
    """What lies in both."""
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(one) and j < len(other):
        low, high = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if low < high:
            found.append((low, high))
        if one[i][1] <= other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


class Openings:
    """Intervals ready to be asked in O(log n)."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, intervals: Intervals) -> None:
        self._starts = [start for start, _ in intervals]
        self._ends = [end for _, end in intervals]

    def until(self, instant_s: float) -> int:
        """The end of the interval the instant lies in; 0 when it lies in none."""
        at = bisect_right(self._starts, instant_s) - 1
        if at < 0 or self._ends[at] <= instant_s:
            return 0
        return self._ends[at]

    def around(self, instant_s: float) -> tuple[int, int] | None:
        """The interval the instant lies in; None when it lies in none."""
        at = bisect_right(self._starts, instant_s) - 1
        if at < 0 or self._ends[at] <= instant_s:
            return None
        return self._starts[at], self._ends[at]

    def next(self, instant_s: float) -> int | None:
        """The first opening after an instant that lies in none; None: not within the horizon."""
        at = bisect_right(self._starts, instant_s)
        return self._starts[at] if at < len(self._starts) else None

    def opens_within(self, instant_s: float, span_s: int) -> bool:
        """Whether it is open at the instant or opens within the span after it."""
        following = self.next(instant_s)
        return bool(self.until(instant_s)) or (
            following is not None and following - instant_s <= span_s
        )


def local_text(instant_s: float, zone: str) -> str:
    """Wall time of the zone with its offset, whole seconds: `2026-11-28T21:59:59+01:00`."""
    second = int(instant_s)
    for start, end, offset in offsets(zone, second // BLOCK_S):
        if start <= second < end:
            minute, seconds = divmod(second + offset, 60)
            return f"{_minute_text(minute)}:{seconds:02d}{_offset_text(offset)}"
    raise AssertionError("a block covers its own instants")


def utc_text(instant_s: float) -> str:
    """The instant in UTC, whole seconds: `2026-11-30T07:00:00Z`."""
    minute, seconds = divmod(int(instant_s), 60)
    return f"{_minute_text(minute)}:{seconds:02d}Z"


def _minute_text(minute: int) -> str:
    days, of_day = divmod(minute, MINUTES_PER_DAY)
    return f"{_date_text(days)}T{of_day // 60:02d}:{of_day % 60:02d}"


@lru_cache(maxsize=512)
def _date_text(days: int) -> str:
    return (_EPOCH_DAY + timedelta(days=days)).isoformat()


@lru_cache(maxsize=64)
def _offset_text(offset: int) -> str:
    minutes = abs(offset) // 60
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"

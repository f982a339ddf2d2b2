"""Clocks of the whole world against an independent scan, minute by minute; whose zones count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.policy.calendar import (
    Openings,
    block_of,
    known_zones,
    local_text,
    open_intervals,
    use_pinned_zones,
)
from gateway.policy.loader import load_rulebook
from gateway.policy.rules import Hours, WindowRule
from tests.policy.samples import ask, pack, rule, seconds, window, write_packs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Every geographic zone of the pinned package; those that surprise, with the day they do.
ZONES: Final = sorted(name for name in known_zones() if "/" in name and not name.startswith("Etc/"))
SURPRISES: Final = [
    ("Australia/Lord_Howe", "2026-10-03", "half an hour forward"),
    ("Australia/Lord_Howe", "2027-04-03", "half an hour back"),
    ("Pacific/Chatham", "2026-09-26", "a gap from 02:45, twelve hours and three quarters ahead"),
    ("Pacific/Chatham", "2027-04-03", "a fold at 03:45"),
    ("Pacific/Apia", "2011-12-29", "the whole of Friday the 30th left out"),
    ("Africa/Casablanca", "2027-02-06", "back for Ramadan"),
    ("Africa/Casablanca", "2027-03-13", "forward again after Ramadan"),
    ("America/Santiago", "2026-09-05", "Sunday begins at one in the morning"),
    ("America/Santiago", "2027-04-03", "Saturday's last hour comes twice"),
    ("America/Asuncion", "2024-10-05", "the last gap before summer time became permanent"),
    ("America/Asuncion", "2025-03-22", "no fold any more"),
    ("America/Havana", "2027-03-13", "midnight is left out"),
    ("America/Havana", "2026-10-31", "midnight to one comes twice"),
    ("America/Sao_Paulo", "2018-11-03", "midnight is left out"),
    ("Asia/Gaza", "2027-03-26", "a decree at two in the morning"),
    ("Asia/Tehran", "2022-09-20", "the last fold"),
    ("Europe/Dublin", "2026-10-24", "winter is the odd half of the year there"),
    ("Antarctica/Troll", "2027-03-27", "two hours forward"),
    ("America/Vancouver", "2026-10-31", "no fold any more"),
    ("Africa/Cairo", "2027-04-29", "midnight is left out, on a Friday"),
]


@pytest.fixture(autouse=True)
def _pinned() -> Iterator[None]:
    use_pinned_zones()
    yield
    use_pinned_zones()


def shows(rule: WindowRule, zone: ZoneInfo, instant_s: int, added: frozenset[date]) -> bool:
    """Whether the wall clock shows a time inside a window of the rule: nothing precomputed."""
    local = datetime.fromtimestamp(instant_s, zone)
    for days_ago in (0, 1):
        start = (local - timedelta(days=days_ago)).date()
        if rule.holidays and start in added:
            continue
        for hours in rule.hours:
            if start.weekday() not in hours.days:
                continue
            minute = local.hour * 60 + local.minute + days_ago * 1440
            closes = hours.close + (1440 if hours.close <= hours.open else 0)
            if hours.open <= minute < closes:
                return True
    return False


def agree(rule: WindowRule, zone: str, day: str, added: frozenset[date], hours: int) -> None:
    start = seconds(f"{day}T00:00:00Z")
    openings: dict[int, Openings] = {}
    clock = ZoneInfo(zone)
    for instant in range(start, start + hours * 3600, 60):
        block = block_of(instant)
        if block not in openings:
            openings[block] = Openings(open_intervals(rule, zone, "", block, added))
        expected = shows(rule, clock, instant, added)
        assert bool(openings[block].until(instant)) is expected, local_text(instant, zone)


@pytest.mark.parametrize(("zone", "day", "what"), SURPRISES)
@pytest.mark.parametrize("hours", ["mon-sun 08:00-20:00", "mon-sun 00:00-01:30", "sat 22:30-03:00"])
def test_the_surprises_of_the_worlds_clocks(zone: str, day: str, what: str, hours: str) -> None:
    agree(window(hours), zone, day, frozenset(), 72)


some_hours = st.builds(
    Hours,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    open=st.integers(0, 1439),
    close=st.integers(1, 1440),
).filter(lambda hours: hours.open != hours.close)


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2005, 1, 1), date(2045, 12, 28)),
    hours=st.lists(some_hours, min_size=1, max_size=3),
    off=st.integers(0, 2),
)
@settings(deadline=None, max_examples=120)
def test_any_zone_on_any_day_under_any_hours(
    zone: str, day: date, hours: list[Hours], off: int
) -> None:
    # A list of holidays that has none: only the added days close.
    rule = window(hours=tuple(hours), holidays="FR")
    added = frozenset({day + timedelta(days=off)})
    public = {date(day.year + year, 1, 1) for year in (0, 1)}
    if any(abs((day - each).days) < 4 for each in public):
        added |= public
    start = day.isoformat()
    closed = frozenset(
        day + timedelta(days=step)
        for step in range(-2, 4)
        if day + timedelta(days=step) in added or _is_french_holiday(day + timedelta(days=step))
    )
    agree(rule, zone, start, closed, 36)


@given(zone=st.sampled_from(ZONES), instant=st.integers(946_684_800, 4_097_174_399))
@settings(deadline=None, max_examples=300)
def test_the_wall_clock_is_told_as_the_zone_itself_tells_it(zone: str, instant: int) -> None:
    assert local_text(instant, zone) == datetime.fromtimestamp(instant, ZoneInfo(zone)).isoformat()


def _is_french_holiday(day: date) -> bool:
    import holidays

    return day in holidays.country_holidays("FR", years=day.year)


# --- added days -----------------------------------------------------------------------------------


def test_a_day_the_house_adds_closes_what_closes_on_holidays_there_and_in_its_parts(
    tmp_path: Path,
) -> None:
    rules = (
        rule("ES-QH", holidays='"closed:ES"'),
        rule("ES-BRANDS", open='"06:00"', applies='["otp"]'),
    )
    directory = write_packs(tmp_path, ES=pack("ES", *rules))
    plain = load_rulebook([directory])
    added = {"ES": ["2026-11-25"], "ES-CN": ["2026-11-26"], "FR": ["2026-11-27"]}
    book = load_rulebook([directory], added_holidays=added)
    night = "2026-11-25T00:00:00Z"
    madrid, canary = "+34911234567", "+34928123456"
    assert ask(plain, madrid, night).until_text() == "2026-11-25T07:00:00Z"
    assert ask(book, madrid, night).until_text() == "2026-11-26T07:00:00Z"
    assert ask(book, canary, night).until_text() == "2026-11-27T08:00:00Z"
    # A rule that does not close on holidays does not close on these.
    assert ask(book, madrid, night, "otp").until_text() == "2026-11-25T05:00:00Z"
    assert ask(book.under("law"), madrid, night).until_text() == "2026-11-26T07:00:00Z"
    assert book.version != plain.version
    same = load_rulebook([directory], added_holidays=dict(reversed(added.items())))
    assert same.version == book.version


def test_days_added_for_france_count_in_its_departments_overseas() -> None:
    book = load_rulebook(added_holidays={"FR": ["2026-11-24"], "GP": ["2026-11-25"]})
    monday = "2026-11-24T15:00:00Z"
    assert ask(book, "+590690123456", monday).until_text() == "2026-11-26T12:00:00Z"
    assert ask(book, "+33639981234", monday).until_text() == "2026-11-25T07:00:00Z"


@pytest.mark.parametrize("name", ["XX", "XX-1"])
def test_a_day_added_to_no_jurisdiction_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_rulebook(added_holidays={name: ["2026-11-24"]})
    assert caught.value.fields["setting"] == f"policy.added_holidays.{name}"


# --- whose zone rules count -----------------------------------------------------------------------


@pytest.fixture
def poisoned(tmp_path: Path) -> Path:
    """A system's copy of the zones in which Paris keeps the time of Tokyo."""
    wrong = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    for name in ("Europe/Paris", "Europe/Madrid"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(wrong)
    return tmp_path


def test_the_pinned_zones_win_over_a_poisoned_system_copy(poisoned: Path) -> None:
    before = zoneinfo.TZPATH
    noon = seconds("2026-11-24T12:00:00Z")
    try:
        zoneinfo.reset_tzpath([str(poisoned)])
        ZoneInfo.clear_cache()
        assert datetime.fromtimestamp(noon, ZoneInfo("Europe/Paris")).hour == 21  # it is poisoned
        use_pinned_zones()
        assert local_text(noon, "Europe/Paris") == "2026-11-24T13:00:00+01:00"
    finally:
        zoneinfo.reset_tzpath(before)


def test_the_command_judges_by_the_pinned_zones_whatever_the_environment_says(
    poisoned: Path,
) -> None:
    request = {"to": "+33639981234", "now": "2026-11-24T02:00:00Z", "checks": ["windows"]}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "policy", "explain", "--json"],
        input=json.dumps(request),
        env={**os.environ, "PYTHONTZPATH": str(poisoned), "ACUSE_CONFIG": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["until"] == "2026-11-24T07:00:00Z"
    assert answer["candidates"][0]["local_time"] == "2026-11-24T03:00:00+01:00"
    assert answer["versions"]["tzdata"] >= "2026f"
    assert set(answer["versions"]) == {"rules", "tzdata", "holidays", "prefixes"}
    assert datetime.now(UTC).tzinfo is UTC

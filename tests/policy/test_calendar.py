"""Opening hours in local wall time as UTC intervals: DST, midnight, holidays, and a slow scan."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.calendar import (
    Openings,
    block_of,
    data_versions,
    holidays_of,
    horizon,
    intersect,
    is_closed,
    local_text,
    merge,
    offsets,
    open_intervals,
    use_pinned_zones,
)
from gateway.policy.rules import Hours, WindowRule
from tests.policy.samples import seconds, window

HELSINKI, NEW_YORK, LORD_HOWE = "Europe/Helsinki", "America/New_York", "Australia/Lord_Howe"
#: Zones with summer time on both hemispheres, by half an hour, at midnight, by decree, and none.
ZONES = [
    "Europe/Madrid", "Atlantic/Canary", NEW_YORK, LORD_HOWE, "America/Havana", "Africa/Cairo",
    "Africa/Casablanca", "America/Santiago", "Asia/Beirut", "America/Nuuk", "Asia/Kathmandu",
    "Pacific/Kiritimati", "America/Phoenix", "Antarctica/Troll",
]  # fmt: skip


def openings(rule: WindowRule, zone: str, now: str, subdivision: str = "") -> Openings:
    return Openings(open_intervals(rule, zone, subdivision, block_of(seconds(now))))


def is_open(rule: WindowRule, zone: str, instant: str, subdivision: str = "") -> bool:
    return bool(openings(rule, zone, instant, subdivision).until(seconds(instant)))


def opens_at(rule: WindowRule, zone: str, instant: str, subdivision: str = "") -> str:
    found = openings(rule, zone, instant, subdivision).next(seconds(instant))
    assert found is not None
    return datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_window_is_half_open_so_eight_is_open_and_eight_in_the_evening_is_shut() -> None:
    rule = window("mon-sun 08:00-20:00")
    assert not is_open(rule, "Europe/Madrid", "2026-11-24T06:59:59Z")
    assert is_open(rule, "Europe/Madrid", "2026-11-24T07:00:00Z")
    assert is_open(rule, "Europe/Madrid", "2026-11-24T18:59:59Z")
    assert not is_open(rule, "Europe/Madrid", "2026-11-24T19:00:00Z")


def test_a_window_to_24_00_ends_with_the_day_and_meets_the_next_one() -> None:
    rule = window("mon-sun 00:00-24:00")
    assert open_intervals(rule, "Europe/Madrid", "", 1400) == (horizon(1400),)


def test_a_window_that_starts_in_a_gap_opens_at_the_first_instant_after_it() -> None:
    # 2027-03-14 02:00 to 03:00 does not exist in New York; 02:30 would be 07:30Z or 06:30Z.
    rule = window("sun 02:30-05:00")
    assert opens_at(rule, NEW_YORK, "2027-03-14T05:00:00Z") == "2027-03-14T07:00:00Z"


def test_a_window_that_ends_in_a_gap_shuts_when_the_gap_begins() -> None:
    rule = window("sun 01:00-02:30")
    assert is_open(rule, NEW_YORK, "2027-03-14T06:59:59Z")
    assert not is_open(rule, NEW_YORK, "2027-03-14T07:00:00Z")


def test_a_window_inside_a_gap_never_opens_that_day() -> None:
    rule = window("sun 02:10-02:50")
    assert opens_at(rule, NEW_YORK, "2027-03-14T05:00:00Z") == "2027-03-21T06:10:00Z"


def test_a_wall_time_that_occurs_twice_is_open_both_times() -> None:
    # 2026-11-01 01:00 to 02:00 occurs twice in New York: 05:00Z and 06:00Z.
    rule = window("sun 01:00-01:30")
    for instant, expected in (
        ("2026-11-01T05:00:00Z", True),
        ("2026-11-01T05:29:59Z", True),
        ("2026-11-01T05:30:00Z", False),
        ("2026-11-01T06:00:00Z", True),
        ("2026-11-01T06:29:59Z", True),
        ("2026-11-01T06:30:00Z", False),
    ):
        assert is_open(rule, NEW_YORK, instant) is expected, instant


def test_a_window_over_a_fold_lasts_an_hour_longer_and_over_a_gap_an_hour_less() -> None:
    rule = window("sun 00:00-04:00")
    autumn = open_intervals(rule, NEW_YORK, "", block_of(seconds("2026-11-01T04:00:00Z")))
    spring = open_intervals(rule, NEW_YORK, "", block_of(seconds("2027-03-14T05:00:00Z")))
    assert (seconds("2026-11-01T04:00:00Z"), seconds("2026-11-01T09:00:00Z")) in autumn
    assert (seconds("2027-03-14T05:00:00Z"), seconds("2027-03-14T08:00:00Z")) in spring


def test_a_clock_change_of_half_an_hour_moves_the_opening_by_half_an_hour() -> None:
    rule = window("mon-sun 08:00-20:00")
    assert opens_at(rule, LORD_HOWE, "2026-10-02T12:00:00Z") == "2026-10-02T21:30:00Z"
    assert opens_at(rule, LORD_HOWE, "2026-10-03T12:00:00Z") == "2026-10-03T21:00:00Z"


def test_a_fold_at_midnight_repeats_the_last_hour_of_the_day_not_the_day() -> None:
    # Cairo turns 24:00 back to 23:00 on 29 October 2026: Thursday's last hour comes twice.
    rule = window("thu 23:00-24:00")
    found = open_intervals(rule, "Africa/Cairo", "", block_of(seconds("2026-10-29T20:00:00Z")))
    assert (seconds("2026-10-29T20:00:00Z"), seconds("2026-10-29T22:00:00Z")) in found


def test_a_window_over_midnight_belongs_to_the_day_it_starts() -> None:
    rule = window("sat 22:00-02:00")
    assert is_open(rule, "Europe/Madrid", "2026-11-28T21:00:00Z")  # Saturday 22:00
    assert is_open(rule, "Europe/Madrid", "2026-11-29T00:59:59Z")  # Sunday 01:59:59
    assert not is_open(rule, "Europe/Madrid", "2026-11-29T21:00:00Z")  # Sunday 22:00
    assert not is_open(rule, "Europe/Madrid", "2026-11-28T00:30:00Z")  # Saturday 01:30, of Friday


def test_a_window_that_began_before_the_computed_block_is_open_at_its_first_second() -> None:
    rule = window("mon-sun 22:00-02:00")
    for block in range(1480, 1484):
        start, _ = horizon(block)  # 00:00 UTC
        assert open_intervals(rule, "Atlantic/Reykjavik", "", block)[0] == (start, start + 7200)


def test_a_window_over_midnight_that_starts_before_a_holiday_runs_on_into_it() -> None:
    rule = window("mon-sun 22:00-02:00", holidays="FR")
    assert is_open(rule, "Europe/Paris", "2026-12-25T00:30:00Z")  # 01:30 on Christmas, of the 24th
    assert not is_open(rule, "Europe/Paris", "2026-12-25T22:00:00Z")
    assert not is_open(rule, "Europe/Paris", "2026-12-26T00:30:00Z")


def test_the_holiday_is_that_of_the_local_date_not_of_the_utc_date() -> None:
    # 20 July is a holiday in Colombia; 03:00Z on the 21st is still the evening of the 20th there.
    rule = window("mon-sun 00:00-24:00", holidays="CO")
    assert not is_open(rule, "America/Bogota", "2026-07-21T03:00:00Z")
    assert is_open(rule, "America/Bogota", "2026-07-21T05:00:00Z")


def test_colombia_has_its_nineteenth_holiday_from_2026_on() -> None:
    assert date(2026, 7, 13) in holidays_of("CO", "", 2026)
    assert len(holidays_of("CO", "", 2026)) == 19


@pytest.mark.parametrize(
    ("subdivision", "day", "closed"),
    [
        ("", "2026-07-14", True),
        ("", "2026-04-03", False),  # Good Friday is no holiday in Paris
        ("57", "2026-04-03", True),  # … but in Moselle
        ("6AE", "2026-12-26", True),  # … and St Stephen's day in Alsace
        ("", "2026-12-26", False),
        ("971", "2026-05-27", True),  # abolition of slavery: Guadeloupe
        ("972", "2026-05-22", True),  # Martinique
        ("973", "2026-06-10", True),  # French Guiana
        ("974", "2026-12-20", True),  # Réunion
        ("976", "2026-04-27", True),  # Mayotte
        ("BL", "2026-10-09", True),  # Saint-Barthélemy
        ("MF", "2026-05-28", True),  # Saint-Martin
        ("971", "2026-12-20", False),
    ],
)
def test_each_part_of_france_has_holidays_of_its_own(
    subdivision: str, day: str, closed: bool
) -> None:
    rule = window("mon-sun 08:00-22:00", holidays="FR", by_subdivision=True)
    assert is_closed(rule, subdivision, date.fromisoformat(day)) is closed


def test_a_rule_that_names_only_the_country_does_not_add_a_subdivisions_days() -> None:
    rule = window("mon-sun 08:00-22:00", holidays="FR")
    assert not is_closed(rule, "57", date(2026, 4, 3))


def test_before_it_takes_effect_and_after_it_expires_a_rule_closes_nothing() -> None:
    rule = window("mon-sun 08:00-20:00", effective=date(2026, 11, 24), expires=date(2026, 11, 26))
    assert is_open(rule, "Europe/Madrid", "2026-11-23T22:59:59Z")  # the 23rd until midnight
    assert not is_open(rule, "Europe/Madrid", "2026-11-23T23:00:00Z")  # 00:00 on the 24th
    assert not is_open(rule, "Europe/Madrid", "2026-11-25T22:00:00Z")
    assert is_open(rule, "Europe/Madrid", "2026-11-25T23:00:00Z")  # 00:00 on the 26th


def test_a_window_in_a_zone_of_its_own_ignores_the_recipients_zone() -> None:
    rule = window("mon-sun 18:00-02:00", zone="Europe/London")
    assert is_open(rule, NEW_YORK, "2026-11-24T18:00:00Z")
    assert not is_open(rule, NEW_YORK, "2026-11-24T17:59:59Z")


def test_the_pieces_of_an_offset_change_at_the_exact_second() -> None:
    block = block_of(seconds("2026-10-25T00:00:00Z"))
    changes = [end for _, end, _ in offsets("Europe/Madrid", block)[:-1]]
    assert changes == [seconds("2026-10-25T01:00:00Z")]


def test_merging_joins_overlapping_and_touching_intervals_and_drops_contained_ones() -> None:
    assert merge([(5, 9), (1, 3), (3, 4), (6, 7), (8, 12)]) == ((1, 4), (5, 12))


def test_intersecting_keeps_what_lies_in_both_and_no_empty_piece() -> None:
    assert intersect(((0, 10), (20, 30)), ((5, 20), (25, 40))) == ((5, 10), (25, 30))


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 20)), max_size=8),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 20)), max_size=8),
)
@settings(deadline=None, max_examples=100)
def test_intervals_behave_as_the_sets_of_seconds_they_stand_for(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    def seconds_of(intervals: object) -> set[int]:
        assert isinstance(intervals, tuple)
        return {second for start, end in intervals for second in range(start, end)}

    first = merge([(start, start + length) for start, length in one])
    second = merge([(start, start + length) for start, length in other])
    assert seconds_of(intersect(first, second)) == seconds_of(first) & seconds_of(second)
    found = Openings(first)
    for instant in range(-1, 125):
        assert bool(found.until(instant)) is (instant in seconds_of(first))
        if instant not in seconds_of(first):
            later = [start for start, _ in first if start > instant]
            assert found.next(instant) == min(later, default=None)


def test_local_text_tells_the_offset_so_that_a_repeated_hour_is_told_apart() -> None:
    first, second = seconds("2026-11-01T05:30:00Z"), seconds("2026-11-01T06:30:00Z")
    assert local_text(first, NEW_YORK) == "2026-11-01T01:30:00-04:00"
    assert local_text(second, NEW_YORK) == "2026-11-01T01:30:00-05:00"


def test_the_pinned_zone_rules_decide_and_not_the_systems() -> None:
    use_pinned_zones()
    # British Columbia and Alberta stopped changing clocks in 2026; older system copies say 8 and 7.
    winter = seconds("2026-12-15T12:00:00Z")
    assert local_text(winter, "America/Vancouver").endswith("-07:00")
    assert local_text(winter, "America/Edmonton").endswith("-06:00")
    assert data_versions()["tzdata"] >= "2026f"
    assert data_versions()["holidays"] >= "0.109"


# --- the slow way -------------------------------------------------------------------------------


def scan(rule: WindowRule, zone: str, subdivision: str, instant_s: int) -> bool:
    """Whether the wall clock of the zone shows a time inside a window: no cleverness."""
    local = datetime.fromtimestamp(instant_s, ZoneInfo(rule.zone or zone))
    minute = local.hour * 60 + local.minute
    if not rule.in_force(local.date()):
        return True
    for ago in (0, 1):
        start = local.date() - timedelta(days=ago)
        if not rule.in_force(start) or is_closed(rule, subdivision, start):
            continue
        for hours in rule.hours:
            length = (hours.close - hours.open) % 1440 or 1440
            if start.weekday() in hours.days and 0 <= minute + ago * 1440 - hours.open < length:
                return True
    return False


some_hours = st.builds(
    Hours,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    open=st.integers(0, 1439),
    close=st.integers(1, 1440),
).filter(lambda hours: hours.open != hours.close)
#: Days around clock changes, holidays and nothing in particular.
some_days = st.sampled_from(
    ["2026-10-04", "2026-10-25", "2026-11-01", "2027-03-14", "2027-03-28", "2027-04-04",
     "2027-02-07", "2027-03-14", "2026-09-06", "2026-10-30", "2026-12-25", "2026-07-14",
     "2026-11-11", "2027-01-01", "2026-06-10"]
)  # fmt: skip


@given(
    hours=st.lists(some_hours, min_size=1, max_size=3),
    zone=st.sampled_from(ZONES),
    day=some_days,
    holidays=st.sampled_from(["", "FR"]),
    effective=st.sampled_from(["2000-01-01", "2026-10-25", "2027-03-14"]),
    expires=st.sampled_from([None, "2026-11-01", "2027-03-28"]),
    own_zone=st.sampled_from(["", "", "Europe/London"]),
)
@settings(deadline=None, max_examples=60)
def test_intervals_agree_with_a_scan_of_the_local_clock_minute_by_minute(
    hours: list[Hours],
    zone: str,
    day: str,
    holidays: str,
    effective: str,
    expires: str | None,
    own_zone: str,
) -> None:
    rule = window(
        hours=tuple(hours),
        holidays=holidays,
        by_subdivision=True,
        zone=own_zone,
        effective=date.fromisoformat(effective),
        expires=date.fromisoformat(expires) if expires else None,
    )
    start = seconds(day + "T00:00:00Z") - 18 * 3600
    block = block_of(start)
    found = Openings(open_intervals(rule, zone, "974", block))
    for instant in range(start, start + 2 * 86_400, 60):
        assert bool(found.until(instant)) is scan(rule, zone, "974", instant), instant

"""Hours of every place, one second before and at both ends, in both profiles where they differ.

Local times stand in the ids; instants are given with the local offset, so that each line can be
read against the clock there. 2026-11-24 is a Tuesday.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.policy.loader import load_rulebook
from tests.policy.asking import HOURS, asked, verdict

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook

P, C, K, L = "promotional", "cart_reminder", "debt_claim", "legal_notice"
#: place, category, profile, opens, closes (local, on that day), offset, the rule that shuts first.
WINDOWS = [
    # 1.2, the United States: the called party's own clock, each state its own law
    ("US-NY", P, "law", "08:00", "21:00", "-05:00", "US-FED-QH"),
    ("US-NY", C, "law", "08:00", "21:00", "-05:00", "US-FED-QH"),
    ("US-CA", P, "seed", "08:00", "21:00", "-08:00", "US-FED-QH"),
    ("US-NY", K, "law", "08:00", "21:00", "-05:00", "US-DEBT"),
    ("US-FL", P, "law", "08:00", "20:00", "-05:00", "US-FL-QH"),
    ("US-FL", C, "seed", "08:00", "20:00", "-05:00", "US-FL-QH"),
    ("US-FL", K, "seed", "08:00", "21:00", "-05:00", "US-DEBT"),
    ("US-OK", P, "law", "08:00", "20:00", "-06:00", "US-OK-QH"),
    ("US-MD", P, "law", "08:00", "20:00", "-05:00", "US-MD-QH"),
    ("US-WA", P, "law", "08:00", "20:00", "-08:00", "US-WA-QH"),
    ("US-CT", P, "law", "09:00", "20:00", "-05:00", "US-CT-QH"),
    ("US-CT", C, "seed", "09:00", "20:00", "-05:00", "US-CT-QH"),
    ("US-NJ", P, "law", "08:00", "21:00", "-05:00", "US-NJ-QH"),
    ("US-NJ", P, "seed", "08:00", "20:00", "-05:00", "US-NJ-SEED-QH"),
    ("US-TX", P, "law", "09:00", "21:00", "-06:00", "US-TX-QH"),
    ("US-VA", P, "law", "08:00", "21:00", "-05:00", "US-VA-QH"),
    # Europe
    ("FR", P, "law", "08:00", "22:00", "+01:00", "FR-QH"),
    ("FR", C, "seed", "08:00", "22:00", "+01:00", "FR-QH"),
    ("FR", K, "seed", "08:00", "20:00", "+01:00", "HOUSE-DEBT"),
    ("FR", L, "seed", "08:00", "22:00", "+01:00", "HOUSE-LEGAL"),
    ("ES", P, "seed", "08:00", "20:00", "+01:00", "HOUSE-QH"),
    ("ES", K, "seed", "08:00", "20:00", "+01:00", "HOUSE-DEBT"),
    ("GB", P, "seed", "08:00", "21:00", "+00:00", "VENDOR-QH"),
    ("DE", P, "seed", "08:00", "21:00", "+01:00", "VENDOR-QH"),
    ("AT", C, "seed", "08:00", "21:00", "+01:00", "VENDOR-QH"),
    ("CH", P, "seed", "08:00", "21:00", "+01:00", "VENDOR-QH"),
    # the Pacific and Canada; +61 4 may be on any Australian clock, so its day is shorter
    ("CA", P, "seed", "08:00", "21:00", "-05:00", "VENDOR-QH"),
    # Latin America
    ("CO", P, "law", "08:00", "19:00", "-05:00", "CO-QH"),
    ("CO", K, "law", "07:00", "19:00", "-05:00", "CO-QH"),
    ("CL", K, "law", "08:00", "20:00", "-03:00", "CL-DEBT"),
    ("CL", P, "seed", "08:00", "20:00", "-03:00", "HOUSE-QH"),
    ("PE", K, "law", "07:00", "20:00", "-05:00", "PE-DEBT"),
    ("PE", P, "seed", "08:00", "20:00", "-05:00", "HOUSE-QH"),
    ("MX", K, "law", "07:00", "22:00", "-06:00", "MX-DEBT"),
    ("MX", P, "seed", "08:00", "20:00", "-06:00", "HOUSE-QH"),
    ("BR", P, "law", "08:00", "18:00", "-03:00", "BR-QH"),
    ("AR", P, "seed", "08:00", "20:00", "-03:00", "HOUSE-QH"),
    ("UY", P, "seed", "08:00", "20:00", "-03:00", "HOUSE-QH"),
    ("PY", P, "seed", "08:00", "20:00", "-03:00", "HOUSE-QH"),
    ("BO", P, "seed", "08:00", "20:00", "-04:00", "HOUSE-QH"),
    ("CR", P, "seed", "08:00", "20:00", "-06:00", "HOUSE-QH"),
    ("GT", P, "seed", "08:00", "20:00", "-06:00", "HOUSE-QH"),
    ("SV", P, "seed", "08:00", "20:00", "-06:00", "HOUSE-QH"),
    ("HN", P, "seed", "08:00", "20:00", "-06:00", "HOUSE-QH"),
    ("NI", P, "seed", "08:00", "20:00", "-06:00", "HOUSE-QH"),
    ("PA", P, "seed", "08:00", "20:00", "-05:00", "HOUSE-QH"),
    ("DO", P, "seed", "08:00", "20:00", "-04:00", "HOUSE-QH"),
    ("VE", P, "seed", "08:00", "20:00", "-04:00", "HOUSE-QH"),
    ("VE", K, "seed", "08:00", "20:00", "-04:00", "HOUSE-DEBT"),
    # everybody else: the house's hours in both profiles
    ("IE", P, "law", "08:00", "20:00", "+00:00", "DEFAULT-QH"),
    ("IE", P, "seed", "08:00", "20:00", "+00:00", "DEFAULT-QH"),
    ("IE", K, "law", "08:00", "20:00", "+00:00", "DEFAULT-DEBT"),
]
DAY = "2026-11-24"


def second_before(clock: str) -> str:
    hours, minutes = map(int, clock.split(":"))
    total = hours * 60 + minutes - 1
    return f"{total // 60:02d}:{total % 60:02d}:59"


@pytest.mark.parametrize(
    ("place", "category", "profile", "opens", "closes", "offset", "rule"),
    [
        pytest.param(*row, id=f"{row[0]}-{row[1]}-{row[2]}-opens-{row[3]}-shuts-{row[4]}-{row[6]}")
        for row in WINDOWS
    ],
)
def test_the_day_opens_and_shuts_to_the_second(
    book: Rulebook, place: str, category: str, profile: str, opens: str, closes: str, offset: str,
    rule: str,
) -> None:  # fmt: skip
    def action(clock: str) -> dict[str, Any]:
        now = f"{DAY}T{clock}{offset}"
        return asked(book, place, now, category, profile=profile, checks=HOURS)

    assert action(second_before(opens))["action"] == "hold"
    assert action(f"{opens}:00")["action"] == "release"
    assert action(second_before(closes))["action"] == "release"
    shut = action(f"{closes}:00")
    assert (shut["action"], shut["reason"]) == ("hold", "quiet_hours")
    assert rule in shut["rules"]


@pytest.mark.parametrize("place", ["ES", "GB", "DE", "AT", "CH", "CA", "AR", "UY", "PY", "EC"])
def test_where_no_statute_sets_hours_the_law_profile_releases_at_any_hour(
    book: Rulebook, place: str
) -> None:
    night = "2026-11-29T03:00:00Z"
    assert verdict(book, place, night, P, profile="law", checks=HOURS) == "release"
    assert verdict(book, place, night, K, profile="law", checks=HOURS) == "release"


#: place, category, profile, the local instant, what becomes of it, and why in the id.
DAYS = [
    ("US-TX", P, "law", "2026-11-29T11:59:59-06:00", "hold 2026-11-29T18:00:00Z US-TX-QH",
     "texas-sunday-begins-at-noon"),
    ("US-TX", P, "law", "2026-11-29T12:00:00-06:00", "release", "texas-sunday-noon-is-open"),
    ("US-TX", P, "law", "2026-11-28T09:00:00-06:00", "release", "texas-saturday-is-a-weekday"),
    ("US-TX", P, "law", "2025-08-31T08:30:00-05:00", "release",
     "texas-sb-140-is-not-in-force-on-2025-08-31-so-the-federal-8-am-counts"),
    ("US-TX", P, "law", "2025-09-01T08:30:00-05:00", "hold 2025-09-01T14:00:00Z US-TX-QH",
     "texas-sb-140-counts-from-2025-09-01-at-the-instant-of-sending"),
    ("FR", P, "law", "2026-11-29T12:00:00+01:00", "hold 2026-11-30T07:00:00Z FR-QH",
     "france-no-sundays"),
    ("FR", P, "law", "2026-07-14T12:00:00+02:00", "hold 2026-07-15T06:00:00Z FR-QH",
     "france-bastille-day"),
    ("FR", P, "law", "2026-12-26T12:00:00+01:00", "release",
     "france-26-december-is-no-holiday-without-a-location-in-alsace"),
    ("GP", P, "law", "2026-05-27T12:00:00-04:00", "hold 2026-05-29T12:00:00Z FR-QH",
     "guadeloupe-abolition-day-which-saint-martin-on-the-same-prefix-keeps-a-day-later"),
    ("GP", P, "law", "2026-07-21T12:00:00-04:00", "hold 2026-07-22T12:00:00Z FR-QH",
     "guadeloupe-schoelcher-day"),
    ("MQ", P, "law", "2026-05-22T12:00:00-04:00", "hold 2026-05-23T12:00:00Z FR-QH",
     "martinique-abolition-day"),
    ("RE", P, "law", "2027-12-20T12:00:00+04:00", "hold 2027-12-21T04:00:00Z FR-QH",
     "reunion-abolition-day"),
    ("CO", P, "law", "2026-11-28T14:59:59-05:00", "release", "colombia-saturday-until-15"),
    ("CO", P, "law", "2026-11-28T15:00:00-05:00",
     "hold 2026-11-30T13:00:00Z CO-QH CO-OPERATOR-QH",
     "colombia-saturday-15-00-is-shut-until-monday-8-the-operators-hour"),
    ("CO", K, "law", "2026-11-28T15:00:00-05:00", "hold 2026-11-30T12:00:00Z CO-QH",
     "colombia-a-claim-may-go-monday-at-7"),
    ("CO", K, "law", "2026-11-28T07:59:59-05:00", "hold 2026-11-28T13:00:00Z CO-QH",
     "colombia-saturday-from-8"),
    ("CO", K, "law", "2026-11-29T12:00:00-05:00", "hold 2026-11-30T12:00:00Z CO-QH",
     "colombia-no-sundays"),
    ("CO", K, "law", "2026-07-13T12:00:00-05:00", "hold 2026-07-14T12:00:00Z CO-QH",
     "colombia-chiquinquira-the-holiday-of-2026"),
    ("CO", K, "law", "2026-07-20T22:00:00-05:00", "hold 2026-07-21T12:00:00Z CO-QH",
     "colombia-the-local-date-decides-not-the-utc-date"),
    ("CL", K, "law", "2026-11-29T12:00:00-03:00", "hold 2026-11-30T11:00:00Z CL-DEBT",
     "chile-sunday-is-no-working-day"),
    ("CL", K, "law", "2026-12-08T12:00:00-03:00", "hold 2026-12-09T11:00:00Z CL-DEBT",
     "chile-immaculate-conception"),
    ("CL", K, "law", "2026-11-28T12:00:00-03:00", "release", "chile-saturday-counts"),
    ("PE", K, "law", "2026-11-28T12:00:00-05:00", "hold 2026-11-30T12:00:00Z PE-DEBT",
     "peru-no-saturdays"),
    ("PE", K, "law", "2026-12-09T12:00:00-05:00", "hold 2026-12-10T12:00:00Z PE-DEBT",
     "peru-battle-of-ayacucho"),
    ("MX", K, "law", "2026-11-28T12:00:00-06:00", "hold 2026-11-30T13:00:00Z MX-DEBT",
     "mexico-working-days-only"),
    ("MX", K, "law", "2026-11-16T12:00:00-06:00", "hold 2026-11-17T13:00:00Z MX-DEBT",
     "mexico-revolution-day"),
    ("BR", P, "law", "2026-11-28T08:59:59-03:00", "hold 2026-11-28T12:00:00Z BR-QH",
     "brazil-saturday-from-9"),
    ("BR", P, "law", "2026-11-28T13:00:00-03:00", "hold 2026-11-30T11:00:00Z BR-QH",
     "brazil-saturday-until-13"),
    ("BR", P, "law", "2026-09-07T12:00:00-03:00", "hold 2026-09-08T11:00:00Z BR-QH",
     "brazil-independence-day"),
    ("+5592900000000", P, "law", "2026-11-24T07:30:00-04:00", "release",
     "brazil-manaus-at-7-30-is-8-30-in-brasilia-whose-clock-counts"),
    ("ES", K, "seed", "2026-11-29T12:00:00+01:00", "hold 2026-11-30T07:00:00Z HOUSE-DEBT",
     "spain-no-claims-on-sundays-by-house-policy"),
    ("AU", P, "seed", "2026-11-24T08:00:00+11:00", "hold 2026-11-24T00:00:00Z VENDOR-QH",
     "australia-a-mobile-may-be-in-perth-so-sydneys-8-am-is-too-early"),
    ("NZ", P, "seed", "2026-11-24T08:00:00+13:00", "release",
     "new-zealand-the-chatham-islands-are-45-minutes-ahead"),
    ("EC", P, "seed", "2026-11-24T08:00:00-05:00", "hold 2026-11-24T14:00:00Z HOUSE-QH",
     "ecuador-a-mobile-may-be-in-the-galapagos-an-hour-behind"),
    ("toll-free", P, "law", "2026-11-24T17:59:59+00:00",
     "hold 2026-11-24T18:00:00Z",
     "a-number-of-no-state-waits-for-8-am-in-hawaii-18-00z-in-winter"),
    ("toll-free", P, "law", "2026-11-25T00:59:59+00:00", "release",
     "a-number-of-no-state-goes-until-8-pm-in-connecticut-and-florida-01-00z-in-winter"),
    ("toll-free", P, "law", "2026-07-01T00:00:00+00:00",
     "hold 2026-07-01T18:00:00Z",
     "and-until-00-00z-in-summer"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "category", "profile", "now", "expected"),
    [pytest.param(*row[:5], id=row[5]) for row in DAYS],
)
def test_days_and_dates(
    book: Rulebook, place: str, category: str, profile: str, now: str, expected: str
) -> None:
    found = verdict(book, place, now, category, profile=profile, checks=HOURS)
    assert found == expected or (place == "toll-free" and found.startswith(f"{expected} "))


@pytest.mark.parametrize("postcode", ["57000", "67000", "68000"])
def test_alsace_moselle_keeps_good_friday_only_when_the_location_says_so(
    book: Rulebook, postcode: str
) -> None:
    good_friday = "2026-04-03T12:00:00+02:00"
    for evidence in ("verified", "declared"):
        location = {"country": "FR", "postcode": postcode, "evidence": evidence}
        found = verdict(book, "FR", good_friday, P, checks=HOURS, location=location)
        assert found == "hold 2026-04-04T06:00:00Z FR-QH"
    assert verdict(book, "FR", good_friday, P, checks=HOURS) == "release"


def test_us_debt_with_address_and_area_code_apart_goes_only_when_both_are_awake(
    book: Rulebook,
) -> None:
    location = {"country": "US", "region": "CA", "evidence": "verified"}
    early = "2026-11-24T08:30:00-05:00"  # New York; 05:30 in Los Angeles
    found = verdict(book, "US-NY", early, K, checks=HOURS, location=location)
    assert found == "hold 2026-11-24T16:00:00Z US-DEBT"
    promotional = verdict(
        book, "US-NY", "2026-11-24T21:30:00-05:00", P, checks=HOURS, location=location
    )
    assert promotional == "release"  # a verified location rebuts the area code: 18:30 there


def test_a_verified_location_rebuts_a_state_presumed_by_the_area_code(book: Rulebook) -> None:
    evening = "2026-11-24T20:30:00-05:00"
    location = {"country": "US", "region": "NY", "evidence": "verified"}
    assert verdict(book, "US-FL", evening, P, checks=HOURS, location=location) == "release"
    declared = location | {"evidence": "declared"}
    assert "US-FL-QH" in verdict(book, "US-FL", evening, P, checks=HOURS, location=declared)


def test_a_doubtful_rule_warns_and_lets_the_message_go(book: Rulebook) -> None:
    night = asked(book, "MX", "2026-11-24T21:00:00-06:00", P, profile="law", checks=HOURS)
    assert night["action"] == "release"
    assert any(warning.startswith("MX-OPERATOR-QH: ") for warning in night["warnings"])


def test_urgent_frees_a_legal_notice_from_house_hours_and_nothing_from_the_law(
    book: Rulebook,
) -> None:
    night = "2026-11-29T03:00:00Z"
    assert verdict(book, "ES", night, L, checks=HOURS).startswith("hold")
    assert verdict(book, "ES", night, L, checks=HOURS, urgent=True) == "release"
    assert verdict(book, "CO", night, K, checks=HOURS, urgent=True).startswith("hold")


def test_transactional_messages_and_codes_go_at_any_hour_everywhere(book: Rulebook) -> None:
    for place in ("FR", "ES", "US-FL", "CO", "BR", "IE", "toll-free", "AU"):
        for category in ("transactional", "otp"):
            assert verdict(book, place, "2026-11-29T03:00:00Z", category, checks=HOURS) == "release"


@pytest.mark.parametrize(
    ("place", "now", "rule"),
    [
        ("US-AL", "2026-11-29T12:00:00-06:00", "US-AL-CALL-QH"),  # no Sundays
        ("US-RI", "2026-11-24T18:00:00-05:00", "US-RI-CALL-QH"),  # until 18:00
        ("US-RI", "2026-11-26T12:00:00-05:00", "US-RI-CALL-QH"),  # Thanksgiving
    ],
)
def test_the_conservative_overlay_keeps_call_hours_for_texts_when_it_is_on(
    book: Rulebook, place: str, now: str, rule: str
) -> None:
    assert verdict(book, place, now, P, checks=HOURS) == "release"
    stricter = load_rulebook(overlays=["us-conservative"])
    assert rule in verdict(stricter, place, now, P, checks=HOURS)
    assert verdict(stricter, place, now, K, checks=HOURS) == "release"

"""May it go now: release, hold until an exact second, or refuse with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.policy.calendar import BLOCK_S
from gateway.policy.decide import NO_FACTS, Facts, Message, decide
from gateway.policy.loader import load_rulebook
from gateway.policy.location import Location
from gateway.policy.request import brand_windows
from gateway.policy.rules import CATEGORIES
from tests.policy.samples import AGREED, ask, at, pack, rule, write_packs
from tests.support.counting import calls_of

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook

PARISIAN, SPANIARD, MADRILENO = "+33639981234", "+34600111222", "+34910000000"
FLORIDIAN, PANHANDLE, TOLL_FREE = "+13055550123", "+18505550123", "+18005550199"


def brand(*windows: dict[str, Any]) -> Any:
    return brand_windows(list(windows))


# --- the contract's own example, and the ends of windows ------------------------------------------


def test_one_second_before_22_00_in_paris_is_open_and_22_00_is_not(book: Rulebook) -> None:
    before = ask(book, PARISIAN, "2026-11-28T20:59:59Z")
    assert (before.action, before.reason, before.rules) == ("release", None, ["FR-QH"])
    after = ask(book, PARISIAN, "2026-11-28T21:00:00Z")
    assert (after.action, after.reason, after.rules) == ("hold", "quiet_hours", ["FR-QH"])


def test_a_saturday_evening_in_france_waits_for_monday_because_sunday_is_closed(
    book: Rulebook,
) -> None:
    decision = ask(book, PARISIAN, "2026-11-28T21:00:00Z")
    assert decision.until_text() == "2026-11-30T07:00:00Z"
    assert decision.until == datetime(2026, 11, 30, 7, tzinfo=UTC)


def test_a_holiday_before_a_sunday_waits_three_nights(book: Rulebook) -> None:
    # Friday 25 December 2026 is closed; Saturday the 26th opens in Paris, but not in Alsace.
    decision = ask(book, PARISIAN, "2026-12-24T21:30:00Z")
    assert decision.until_text() == "2026-12-26T07:00:00Z"
    alsace = Facts(location=Location(country="FR", postcode="67000", evidence="verified"))
    assert ask(book, PARISIAN, "2026-12-24T21:30:00Z", facts=alsace).until_text() == (
        "2026-12-28T07:00:00Z"
    )


def test_a_declared_alsatian_is_bound_by_the_holidays_of_both_places(book: Rulebook) -> None:
    declared = Facts(location=Location(country="FR", region="57"))
    decision = ask(book, PARISIAN, "2026-04-03T10:00:00Z", facts=declared)  # Good Friday
    assert decision.action == "hold"
    assert [candidate.open for candidate in decision.candidates] == [True, False]


@pytest.mark.parametrize(
    ("number", "holiday"),
    [
        ("+596696000000", "2026-05-22"),
        ("+594694000000", "2026-06-10"),
        ("+590690000000", "2026-05-27"),
        ("+590690000000", "2026-10-09"),  # of Saint-Barthélemy, which shares 590
        ("+590690000000", "2026-05-28"),  # of Saint-Martin, likewise
        ("+262639000000", "2026-04-27"),
    ],
)
def test_a_holiday_of_an_overseas_department_holds_there_and_not_in_paris(
    book: Rulebook, number: str, holiday: str
) -> None:
    noon = f"{holiday}T16:00:00Z" if number < "+594" else f"{holiday}T14:00:00Z"
    if number.startswith("+262"):
        noon = f"{holiday}T08:00:00Z"
    assert ask(book, number, noon).action == "hold"
    assert ask(book, PARISIAN, noon).action == "release"


def test_a_spanish_mobile_is_bound_by_the_later_clock_in_the_morning_and_the_earlier_at_night(
    book: Rulebook,
) -> None:
    # Madrid opens at 07:00Z and the Canary Islands an hour later; Madrid shuts first, at 19:00Z.
    assert ask(book, SPANIARD, "2026-11-24T07:30:00Z").until_text() == "2026-11-24T08:00:00Z"
    assert ask(book, SPANIARD, "2026-11-24T18:59:59Z").action == "release"
    assert ask(book, SPANIARD, "2026-11-24T19:00:00Z").until_text() == "2026-11-25T08:00:00Z"
    assert ask(book, MADRILENO, "2026-11-24T07:30:00Z").action == "release"


def test_the_florida_panhandle_waits_for_both_of_its_clocks(book: Rulebook) -> None:
    assert ask(book, FLORIDIAN, "2026-11-24T13:30:00Z").action == "release"
    decision = ask(book, PANHANDLE, "2026-11-24T13:30:00Z")
    assert decision.until_text() == "2026-11-24T14:00:00Z"
    assert [candidate.open for candidate in decision.candidates] == [True, False]


def test_a_toll_free_number_waits_for_hawaii_and_stops_with_the_strictest_eastern_state(
    book: Rulebook,
) -> None:
    assert ask(book, TOLL_FREE, "2026-11-24T12:00:00Z").until_text() == "2026-11-24T18:00:00Z"
    assert ask(book, TOLL_FREE, "2026-11-25T00:59:59Z").action == "release"
    assert ask(book, TOLL_FREE, "2026-11-25T01:00:00Z").action == "hold"  # New York: 20:00
    summer = ask(book, TOLL_FREE, "2026-07-01T00:00:00Z")
    assert summer.until_text() == "2026-07-01T18:00:00Z"


def test_the_night_of_a_clock_change_is_an_hour_longer_in_seconds_not_in_local_time(
    book: Rulebook,
) -> None:
    decision = ask(book, FLORIDIAN, "2026-11-01T02:00:00Z")  # Saturday 22:00 EDT
    assert decision.until_text() == "2026-11-01T13:00:00Z"  # Sunday 08:00 EST
    spring = ask(book, FLORIDIAN, "2027-03-14T03:00:00Z")
    assert spring.until_text() == "2027-03-14T12:00:00Z"


# --- categories and profiles ----------------------------------------------------------------------


@pytest.mark.parametrize("category", ["otp", "transactional"])
def test_what_a_person_asked_for_goes_at_any_hour(book: Rulebook, category: Any) -> None:
    for number in (PARISIAN, SPANIARD, FLORIDIAN, "+5511900000000", "+88213000000"):
        decision = ask(book, number, "2026-11-29T03:00:00Z", category)
        assert (decision.action, decision.rules) == ("release", [])


def test_legal_notices_keep_reasonable_hours_in_the_seed_profile_only(
    book: Rulebook, law: Rulebook
) -> None:
    night = "2026-11-29T02:00:00Z"
    assert ask(book, MADRILENO, night, "legal_notice").until_text() == "2026-11-29T07:00:00Z"
    assert ask(law, MADRILENO, night, "legal_notice").action == "release"


def test_an_urgent_legal_notice_goes_at_once_but_an_urgent_promotion_waits(
    book: Rulebook,
) -> None:
    night = "2026-11-29T02:00:00Z"
    assert ask(book, MADRILENO, night, "legal_notice", urgent=True).action == "release"
    assert ask(book, MADRILENO, night, "promotional", urgent=True).action == "hold"


def test_a_debt_claim_keeps_house_hours_where_no_law_says_otherwise(book: Rulebook) -> None:
    sunday = ask(book, MADRILENO, "2026-11-29T12:00:00Z", "debt_claim")
    assert (sunday.until_text(), sunday.rules) == ("2026-11-30T07:00:00Z", ["HOUSE-DEBT"])


def test_the_hours_of_collection_are_the_laws_own_where_it_has_them(law: Rulebook) -> None:
    colombia = ask(law, "+573000000000", "2026-11-28T20:00:00Z", "debt_claim")  # Saturday 15:00
    assert (colombia.until_text(), colombia.rules) == ("2026-11-30T12:00:00Z", ["CO-QH"])
    chile = ask(law, "+56900000000", "2026-12-08T15:00:00Z", "debt_claim")  # a holiday
    assert (chile.until_text(), chile.rules) == ("2026-12-09T11:00:00Z", ["CL-DEBT"])
    florida = ask(law, FLORIDIAN, "2026-11-25T02:00:00Z", "debt_claim")
    assert (florida.until_text(), florida.rules) == ("2026-11-25T13:00:00Z", ["US-DEBT"])


def test_spain_has_no_statutory_hours_so_the_law_profile_releases_at_night(
    book: Rulebook, law: Rulebook
) -> None:
    night = "2026-11-29T02:00:00Z"
    assert ask(law, SPANIARD, night).action == "release"
    assert ask(book, SPANIARD, night).rules == ["HOUSE-QH"]


def test_a_missing_category_is_promotional() -> None:
    assert Message("+34600111222").category == "promotional"


def test_a_country_without_a_pack_gets_cautious_hours_and_a_warning_in_every_profile(
    book: Rulebook, law: Rulebook
) -> None:
    for rules in (book, law):
        decision = ask(rules, "+353850000000", "2026-11-24T20:00:00Z")  # 20:00 in Dublin
        assert (decision.action, decision.rules) == ("hold", ["DEFAULT-QH"])
        first, *others = decision.warnings
        assert first == "no_rule_pack: no rules on file for IE, the default's apply"
        assert {each.split(":")[0] for each in others} <= {"content_not_judged"}


# --- location -------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["promotional", "cart_reminder", "debt_claim"])
def test_a_number_of_no_country_gets_nothing_that_needs_a_local_time(
    book: Rulebook, category: Any
) -> None:
    decision = ask(book, "+88213000000", "2026-11-24T12:00:00Z", category)
    assert (decision.action, decision.reason) == ("refuse", "location_ambiguous")


def test_a_legal_notice_to_a_number_of_no_country_goes_with_a_warning(book: Rulebook) -> None:
    decision = ask(book, "+88213000000", "2026-11-24T03:00:00Z", "legal_notice")
    assert decision.action == "release"
    assert decision.warnings == ("location_unknown: the number belongs to no country",)
    assert decision.as_json()["candidates"] == [
        {"jurisdiction": "001", "zone": None, "local_time": None, "open": True}
    ]
    assert decision.as_entry()["local"] == []


def test_places_that_never_open_together_within_a_week_are_ambiguous(book: Rulebook) -> None:
    # 08 to 12 in Paris and in Auckland never meet.
    mornings = brand({"open": "08:00", "close": "12:00"})
    far = Facts(location=Location(country="NZ", zone="Pacific/Auckland"))
    decision = ask(book, PARISIAN, "2026-11-24T08:00:00Z", facts=far, windows=mornings)
    assert (decision.action, decision.reason) == ("refuse", "location_ambiguous")
    assert decision.until is None
    assert set(decision.rules) == {"FR-QH", "VENDOR-QH", "BRAND-1"}


def test_places_that_meet_again_after_a_closed_weekend_are_not_ambiguous(book: Rulebook) -> None:
    far = Facts(location=Location(country="NZ", zone="Pacific/Auckland"))
    decision = ask(book, PARISIAN, "2026-11-28T21:30:00Z", facts=far)
    # 08:00 in Paris is 20:00 in Auckland, which shuts at 21:00.
    assert (decision.action, decision.until_text()) == ("hold", "2026-11-30T07:00:00Z")


def test_rules_that_leave_no_hour_at_all_are_not_blamed_on_the_location(book: Rulebook) -> None:
    nights = brand({"open": "01:00", "close": "05:00"})
    for number in (MADRILENO, SPANIARD):
        decision = ask(book, number, "2026-11-24T12:00:00Z", windows=nights)
        assert (decision.action, decision.reason) == ("refuse", "quiet_hours")
        assert set(decision.rules) == {"HOUSE-QH", "BRAND-1"}


# --- opt-out --------------------------------------------------------------------------------------

WILLING = Facts(consents=AGREED)
BY_BRAND, BY_ALL = Facts(opted_out="brand"), Facts(opted_out="all")


@pytest.mark.parametrize("category", ["promotional", "cart_reminder"])
@pytest.mark.parametrize("facts", [BY_BRAND, BY_ALL])
@pytest.mark.parametrize("number", [PARISIAN, SPANIARD, FLORIDIAN, "+5511900000000"])
def test_nothing_commercial_follows_an_opt_out(
    book: Rulebook, law: Rulebook, number: str, facts: Facts, category: Any
) -> None:
    for rules in (book, law):
        decision = ask(rules, number, "2026-11-24T15:00:00Z", category, facts=facts)
        assert (decision.action, decision.reason) == ("refuse", "opted_out")
        assert decision.rules
        assert decision.until is None


def test_an_opt_out_of_one_brand_does_not_stop_its_transactional_messages(book: Rulebook) -> None:
    noon = "2026-11-24T15:00:00Z"
    assert ask(book, SPANIARD, noon, "transactional", facts=BY_BRAND).action == "release"
    assert ask(book, SPANIARD, noon, "transactional", facts=BY_ALL).reason == "opted_out"


def test_codes_and_legal_notices_reach_people_who_opted_out(book: Rulebook) -> None:
    for category in ("otp", "legal_notice"):
        for number in (SPANIARD, FLORIDIAN, PARISIAN):
            decision = ask(book, number, "2026-11-24T15:00:00Z", category, facts=BY_ALL)
            assert decision.action == "release"


def test_a_debt_claim_honours_an_opt_out_in_the_united_states_only(book: Rulebook) -> None:
    noon = "2026-11-24T15:00:00Z"
    refused = ask(book, FLORIDIAN, noon, "debt_claim", facts=BY_BRAND)
    assert (refused.reason, refused.rules) == ("opted_out", ["US-DEBT-OPTOUT"])
    assert ask(book, SPANIARD, noon, "debt_claim", facts=BY_BRAND).action == "release"


def test_an_opt_out_is_said_before_the_hour_because_waiting_does_not_help(book: Rulebook) -> None:
    decision = ask(book, SPANIARD, "2026-11-24T03:00:00Z", facts=BY_BRAND)
    assert (decision.action, decision.reason) == ("refuse", "opted_out")


def test_an_opt_out_rule_does_not_count_before_it_takes_effect(book: Rulebook) -> None:
    old = ask(book, FLORIDIAN, "2025-04-10T15:00:00Z", facts=BY_BRAND)
    assert old.rules == ["HOUSE-OPTOUT"]
    new = ask(book, FLORIDIAN, "2025-04-11T15:00:00Z", facts=BY_BRAND)
    assert new.rules == ["US-FED-REVOKE", "HOUSE-OPTOUT"]


# --- validity -------------------------------------------------------------------------------------


def test_a_message_that_expires_before_the_opening_is_refused_at_once(book: Rulebook) -> None:
    night = "2026-11-24T02:00:00Z"  # Madrid opens at 07:00Z
    for valid, action in (
        ("2026-11-24T06:59:59Z", "refuse"),
        ("2026-11-24T07:00:00Z", "refuse"),  # valid for no time at all once it opens
        ("2026-11-24T07:00:01Z", "hold"),
    ):
        decision = ask(book, MADRILENO, night, valid_until=at(valid))
        assert decision.action == action, valid
        assert decision.reason == ("expired_before_window" if action == "refuse" else "quiet_hours")
        assert decision.rules == ["HOUSE-QH"]


def test_a_message_that_has_expired_is_not_released_in_open_hours(book: Rulebook) -> None:
    noon = "2026-11-24T12:00:00Z"
    decision = ask(book, MADRILENO, noon, valid_until=at(noon))
    assert (decision.action, decision.reason) == ("refuse", "expired_before_window")
    later = ask(book, MADRILENO, noon, valid_until=at("2026-11-24T12:00:01Z"))
    assert later.action == "release"


# --- a brand's own hours --------------------------------------------------------------------------


def test_a_brands_hours_tighten_the_law_and_never_loosen_it(book: Rulebook) -> None:
    evening = brand({"open": "18:00", "close": "02:00"})
    noon = ask(book, MADRILENO, "2026-11-24T11:00:00Z", windows=evening)
    assert (noon.until_text(), noon.rules) == ("2026-11-24T17:00:00Z", ["BRAND-1"])
    night = ask(book, MADRILENO, "2026-11-24T22:00:00Z", windows=evening)
    assert (night.until_text(), night.rules) == ("2026-11-25T17:00:00Z", ["HOUSE-QH", "BRAND-1"])


def test_a_brands_hours_bind_the_categories_it_names_in_the_zone_it_names(
    book: Rulebook,
) -> None:
    london = brand(
        {
            "zone": "Europe/London",
            "open": "18:00",
            "close": "02:00",
            "days": "mon-sun",
            "applies": ["transactional"],
        }
    )
    noon = "2026-11-24T12:00:00Z"
    assert ask(book, MADRILENO, noon, windows=london).action == "release"
    decision = ask(book, MADRILENO, noon, "transactional", windows=london)
    assert decision.until_text() == "2026-11-24T18:00:00Z"
    nowhere = ask(book, "+88213000000", noon, "transactional", windows=london)
    assert nowhere.until_text() == "2026-11-24T18:00:00Z"


def test_several_windows_of_a_brand_all_bind(book: Rulebook) -> None:
    both = brand({"open": "10:00", "close": "18:00"}, {"open": "12:00", "close": "20:00"})
    decision = ask(book, MADRILENO, "2026-11-24T08:00:00Z", windows=both)
    assert (decision.until_text(), decision.rules) == (
        "2026-11-24T11:00:00Z",
        ["BRAND-1", "BRAND-2"],
    )


# --- actions of rules -----------------------------------------------------------------------------


def test_a_rule_that_refuses_does_not_hold(tmp_path: Path) -> None:
    book = load_rulebook([write_packs(tmp_path, ES=pack("ES", rule(on_violation='"refuse"')))])
    decision = ask(book, MADRILENO, "2026-11-24T03:00:00Z")
    assert (decision.action, decision.reason) == ("refuse", "quiet_hours")
    assert ask(book, MADRILENO, "2026-11-24T12:00:00Z").action == "release"


def test_a_hold_ends_only_when_a_refusing_rule_is_open_too(tmp_path: Path) -> None:
    rules = (
        rule("ES-HOLD", open='"10:00"', close='"12:00"'),
        rule("ES-REFUSE", on_violation='"refuse"', open='"08:00"', close='"11:00"'),
    )
    book = load_rulebook([write_packs(tmp_path, ES=pack("ES", *rules))])
    waiting = ask(book, MADRILENO, "2026-11-24T08:00:00Z")  # 09:00 in Madrid
    assert (waiting.until_text(), waiting.rules) == ("2026-11-24T09:00:00Z", ["ES-HOLD"])
    assert ask(book, MADRILENO, "2026-11-24T10:30:00Z").rules == ["ES-REFUSE"]


@pytest.mark.parametrize("change", [{"confidence": '"low"'}, {"on_violation": '"warn"'}])
def test_a_rule_nobody_has_confirmed_warns_and_does_not_act(
    tmp_path: Path, change: dict[str, str]
) -> None:
    text = pack("ES", rule(**change), rule("ES-2", open='"07:00"'))
    book = load_rulebook([write_packs(tmp_path, ES=text)])
    early = ask(book, MADRILENO, "2026-11-24T06:30:00Z")
    assert (early.action, early.rules) == ("release", ["ES-2"])
    assert early.warnings == ("ES-QH: outside its hours (a law)",)
    assert [candidate.open for candidate in early.candidates] == [True]
    assert ask(book, MADRILENO, "2026-11-24T12:00:00Z").warnings == ()


def test_a_rule_binds_from_its_effective_date_at_the_instant_of_sending(tmp_path: Path) -> None:
    text = pack("ES", rule(effective="2026-12-01"))
    book = load_rulebook([write_packs(tmp_path, ES=text)])
    before = ask(book, MADRILENO, "2026-11-30T03:00:00Z")
    assert (before.action, before.rules) == ("release", [])
    assert ask(book, MADRILENO, "2026-12-01T03:00:00Z").action == "hold"


def test_a_pack_of_a_part_of_a_country_adds_to_the_countrys(tmp_path: Path) -> None:
    florida = pack("US-FL", rule("US-FL-QH", close='"19:00"'), head='parents = ["US"]')
    book = load_rulebook([write_packs(tmp_path, US=pack("US", rule("US-QH")), US_FL=florida)])
    evening = "2026-11-25T00:30:00Z"  # 19:30 in Miami
    # Until the morning the country's own rule shuts too, so both are grounds of the hold.
    assert ask(book, FLORIDIAN, evening).rules == ["US-FL-QH", "US-QH"]
    until = at("2026-11-25T00:40:00Z")
    expiring = ask(book, FLORIDIAN, evening, valid_until=until)
    assert expiring.reason == "expired_before_window"
    assert ask(book, "+12125550123", evening).action == "release"
    assert [pack.jurisdiction for pack in book.chain("US-FL")] == ["US-FL", "US"]


def test_a_rule_inherited_over_two_ways_binds_once(tmp_path: Path) -> None:
    florida = pack("US-FL", rule("US-FL-QH"), head='parents = ["US", "CA"]')
    america = pack("US", rule("US-QH"), head='parents = ["CA"]')
    canada = pack("CA", rule("CA-QH"))
    book = load_rulebook([write_packs(tmp_path, US=america, US_FL=florida, CA=canada)])
    assert [found.jurisdiction for found in book.chain("US-FL")] == ["US-FL", "US", "CA"]


def test_a_toll_free_number_is_bound_by_every_state_with_rules_in_that_states_zones(
    tmp_path: Path,
) -> None:
    florida = pack("US-FL", rule("US-FL-QH", close='"19:00"'), head='parents = ["US"]')
    book = load_rulebook([write_packs(tmp_path, US=pack("US", rule("US-QH")), US_FL=florida)])
    evening = ask(book, TOLL_FREE, "2026-11-25T00:30:00Z")
    assert evening.rules == ["US-QH", "US-FL-QH"]
    florida_zones = {c.zone for c in evening.candidates if c.jurisdiction == "US-FL"}
    assert florida_zones == {"America/New_York", "America/Chicago"}
    shut = {c.jurisdiction + "@" + c.zone for c in evening.candidates if not c.open}
    assert shut == {"US-FL@America/New_York"}


# --- checks, bad input ----------------------------------------------------------------------------


def test_checks_limit_what_is_judged(book: Rulebook) -> None:
    night = "2026-11-24T03:00:00Z"
    assert ask(book, MADRILENO, night, checks=["location"]).action == "release"
    assert ask(book, MADRILENO, night, checks=["windows"]).action == "hold"
    out = {"facts": BY_BRAND}
    assert ask(book, MADRILENO, night, checks=["windows"], **out).reason == "quiet_hours"
    assert ask(book, MADRILENO, night, checks=["consent"], **out).reason == "opted_out"
    nowhere = ask(book, "+88213000000", night, checks=["windows"])
    assert (nowhere.action, len(nowhere.warnings)) == ("release", 1)


def test_an_unknown_category_is_an_error_not_a_release(book: Rulebook) -> None:
    with pytest.raises(DataError, match="'promo' is none of promotional") as caught:
        ask(book, SPANIARD, "2026-11-24T12:00:00Z", "promo")
    assert caught.value.fields["field"] == "category"


def test_a_time_without_a_zone_is_an_error_not_a_guess(book: Rulebook) -> None:
    naive = at("2026-11-24T12:00:00Z").replace(tzinfo=None)
    with pytest.raises(DataError, match="no zone"):
        decide(book, Message(SPANIARD), NO_FACTS, naive)


@pytest.mark.parametrize("year", [1999, 2100])
def test_a_clock_far_off_is_an_error_not_a_decision(book: Rulebook, year: int) -> None:
    with pytest.raises(DataError, match="outside the years") as caught:
        decide(book, Message(SPANIARD), NO_FACTS, datetime(year, 6, 1, tzinfo=UTC))
    assert caught.value.fields["field"] == "now"


# --- shape ----------------------------------------------------------------------------------------


def test_the_answer_and_the_ledger_entry_have_the_shapes_of_the_contract(book: Rulebook) -> None:
    checks = frozenset({"location", "consent", "windows", "caps"})
    decision = ask(book, SPANIARD, "2026-11-24T22:15:30.250Z", checks=checks)
    assert decision.as_json() == {
        "action": "hold",
        "until": "2026-11-25T08:00:00Z",
        "reason": "quiet_hours",
        "rules": ["HOUSE-QH"],
        "warnings": [],
        "candidates": [
            {
                "jurisdiction": "ES",
                "zone": "Europe/Madrid",
                "local_time": "2026-11-24T23:15:30+01:00",
                "open": False,
            },
            {
                "jurisdiction": "ES-CN",
                "zone": "Atlantic/Canary",
                "local_time": "2026-11-24T22:15:30+00:00",
                "open": False,
            },
        ],
        "versions": book.versions,
        "caps": [{"rule": "HOUSE-CAP", "counted": 0, "most": 2, "since": "2026-11-23T22:15:30Z"}],
    }
    assert decision.as_entry() == {
        "action": "hold",
        "until": "2026-11-25T08:00:00Z",
        "reason": "quiet_hours",
        "rules": ["HOUSE-QH"],
        "versions": book.versions,
        "local": [
            {
                "jurisdiction": "ES",
                "zone": "Europe/Madrid",
                "time": "2026-11-24T23:15:30+01:00",
            },
            {
                "jurisdiction": "ES-CN",
                "zone": "Atlantic/Canary",
                "time": "2026-11-24T22:15:30+00:00",
            },
        ],
        "caps": [{"rule": "HOUSE-CAP", "counted": 0, "most": 2, "since": "2026-11-23T22:15:30Z"}],
    }
    assert "until" not in ask(book, SPANIARD, "2026-11-24T12:00:00Z").as_entry()


def test_every_decision_names_the_versions_it_rests_on(book: Rulebook, law: Rulebook) -> None:
    versions = ask(book, SPANIARD, "2026-11-24T12:00:00Z").versions
    assert list(versions) == ["rules", "tzdata", "holidays", "prefixes"]
    assert versions["rules"] == book.version
    assert ask(law, SPANIARD, "2026-11-24T12:00:00Z").versions["rules"] == law.version


# --- properties -----------------------------------------------------------------------------------

numbers = st.sampled_from(
    [PARISIAN, SPANIARD, MADRILENO, FLORIDIAN, PANHANDLE, TOLL_FREE, "+590690000000",
     "+262692000000", "+508550000", "+79160000000", "+573000000000", "+56900000000",
     "+61491570006", "+353850000000", "+212600000000"]
)  # fmt: skip
instants = st.integers(0, 2 * 366 * 86_400 * 4).map(
    lambda quarters: at("2026-01-01T00:00:00Z") + timedelta(seconds=quarters / 4)
)
some_windows = st.lists(
    st.fixed_dictionaries(
        {"open": st.sampled_from(["00:00", "09:30", "12:00", "22:00"]),
         "close": st.sampled_from(["02:00", "10:00", "18:00", "24:00"])},
        optional={"days": st.sampled_from(["mon-fri", "sat-sun", "wed"]),
                  "zone": st.sampled_from(["Europe/London", "America/Denver"])},
    ),
    max_size=2,
)  # fmt: skip


@given(numbers, st.sampled_from(CATEGORIES), instants, some_windows, st.booleans())
@settings(deadline=None, max_examples=150)
def test_a_held_message_is_released_at_its_instant_and_not_a_second_before(
    book: Rulebook, number: str, category: Any, now: datetime, windows: Any, urgent: bool
) -> None:
    message = Message(number, category, urgent=urgent, windows=brand_windows(windows))
    decision = decide(book, message, WILLING, now)
    if decision.action == "hold":
        assert decision.until is not None
        assert decision.until > now
        assert decision.until.microsecond == 0
        assert decide(book, message, WILLING, decision.until).action == "release"
        before = max(now, decision.until - timedelta(seconds=1))
        assert decide(book, message, WILLING, before).until == decision.until
    assert (decision.until is None) == (decision.action != "hold")
    assert (decision.reason is None) == (decision.action == "release")
    if decision.action == "release":
        assert all(candidate.open for candidate in decision.candidates)


@given(numbers, instants, some_windows)
@settings(deadline=None, max_examples=80)
def test_more_rules_never_let_through_what_fewer_forbid(
    book: Rulebook, number: str, now: datetime, windows: Any
) -> None:
    tighter = decide(book, Message(number, windows=brand_windows(windows)), WILLING, now)
    if tighter.action == "release":
        assert decide(book, Message(number), WILLING, now).action == "release"
        assert decide(book.under("law"), Message(number), WILLING, now).action == "release"


def test_the_answer_does_not_depend_on_where_a_block_of_computed_time_ends(
    book: Rulebook,
) -> None:
    for block in range(1480, 1500):
        edge = datetime.fromtimestamp(block * BLOCK_S, UTC)
        for number in (PARISIAN, TOLL_FREE, "+573000000000"):
            one = decide(book, Message(number), WILLING, edge - timedelta(seconds=1))
            other = decide(book, Message(number), WILLING, edge)
            if one.action == "hold" and one.until != edge:
                assert other.until == one.until
            else:
                assert other.action in ("release", "hold")


def test_a_warm_decision_takes_few_steps_however_many_rules_and_places(book: Rulebook) -> None:
    messages = [Message(number) for number in (PARISIAN, SPANIARD, FLORIDIAN, TOLL_FREE)]
    hours = [at("2026-11-24T00:00:00Z") + timedelta(hours=hour) for hour in range(24)]

    def judged() -> None:
        for now in hours:
            for message in messages:
                decide(book, message, WILLING, now)

    judged()
    assert calls_of(judged) / (len(hours) * len(messages)) < 100


def test_the_caches_are_bounded(book: Rulebook) -> None:
    for cache in (book._schedules, book._intern, book._facts):
        assert cache.cache_parameters()["maxsize"] is not None

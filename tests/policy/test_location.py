"""Where the recipient is: verified wins, declared intersects, contradictions are errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import DataError
from gateway.policy.decide import Facts
from gateway.policy.facts import Sent
from gateway.policy.location import Location
from tests.policy.samples import ask, at

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook

NEW_YORKER, PARISIAN, SPANIARD, ANYWHERE = (
    "+12125550123",
    "+33639981234",
    "+34600111222",
    "+18005550199",
)
NOON = "2026-11-24T12:00:00Z"


def places(book: Rulebook, to: str, category: Any = "promotional", **location: Any) -> list[str]:
    decision = ask(book, to, NOON, category, facts=Facts(location=Location(**location)))
    return [f"{found.jurisdiction}@{found.zone}" for found in decision.candidates]


def refusal(book: Rulebook, to: str, **location: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        places(book, to, **location)
    assert caught.value.hint
    return caught.value


def test_a_verified_location_displaces_the_numbers_presumption(book: Rulebook) -> None:
    found = places(book, NEW_YORKER, country="US", region="CA", evidence="verified")
    assert found == ["US-CA@America/Los_Angeles"]


def test_a_declared_location_is_added_to_the_numbers(book: Rulebook) -> None:
    found = places(book, NEW_YORKER, country="US", region="CA", evidence="declared")
    assert found == ["US-NY@America/New_York", "US-CA@America/Los_Angeles"]


def test_evidence_nobody_named_counts_as_declared(book: Rulebook) -> None:
    assert len(places(book, NEW_YORKER, region="CA")) == 2


def test_a_us_debt_claim_must_suit_every_location_even_against_a_verified_one(
    book: Rulebook, law: Rulebook
) -> None:
    # 12 CFR 1006.6(b): where address and area code disagree, a time convenient in all of them.
    verified = {"country": "US", "region": "CA", "evidence": "verified"}
    for rules in (book, law):
        assert len(places(rules, NEW_YORKER, "debt_claim", **verified)) == 2
        assert len(places(rules, NEW_YORKER, "legal_notice", **verified)) == 1
    verified = {"country": "US", "region": "NY", "evidence": "verified"}
    assert len(places(book, PARISIAN, "debt_claim", **verified)) == 2


def test_a_debt_claim_elsewhere_follows_the_verified_location(book: Rulebook) -> None:
    verified = {"country": "FR", "evidence": "verified"}
    assert places(book, SPANIARD, "debt_claim", **verified) == ["FR@Europe/Paris"]


def test_the_region_may_be_written_with_or_without_the_country_and_in_any_case(
    book: Rulebook,
) -> None:
    for region in ("CA", "US-CA", "ca", "us-ca"):
        found = places(book, NEW_YORKER, country="us", region=region, evidence="verified")
        assert found == ["US-CA@America/Los_Angeles"]


def test_without_a_country_the_numbers_country_is_meant(book: Rulebook) -> None:
    found = places(book, SPANIARD, region="CN", evidence="verified")
    assert found == ["ES-CN@Atlantic/Canary"]


@pytest.mark.parametrize("region", ["CN", "GC", "TF", "ES-TF"])
def test_the_canary_islands_go_by_the_names_of_their_provinces_too(
    book: Rulebook, region: str
) -> None:
    found = places(book, SPANIARD, country="ES", region=region, evidence="verified")
    assert found == ["ES-CN@Atlantic/Canary"]


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ({"country": "FR", "postcode": "97110"}, "GP@America/Guadeloupe"),
        ({"country": "FR", "postcode": "97133"}, "BL@America/Guadeloupe"),
        ({"country": "FR", "postcode": "97150"}, "MF@America/Guadeloupe"),
        ({"country": "FR", "region": "974"}, "RE@Indian/Reunion"),
        ({"country": "FR", "region": "YT"}, "YT@Indian/Mayotte"),
        ({"country": "MQ"}, "MQ@America/Martinique"),
        ({"country": "MQ", "region": "972"}, "MQ@America/Martinique"),
        ({"country": "MQ", "postcode": "97200"}, "MQ@America/Martinique"),
        ({"country": "FR", "postcode": "67 000"}, "FR-67@Europe/Paris"),
        ({"country": "FR", "region": "57"}, "FR-57@Europe/Paris"),
        ({"country": "FR", "postcode": "75001"}, "FR@Europe/Paris"),
        ({"country": "FR", "region": "75"}, "FR-75@Europe/Paris"),
        ({"country": "US", "postcode": "90001"}, "US-CA@America/Los_Angeles"),
        ({"country": "US", "postcode": "90001", "region": "CA"}, "US-CA@America/Los_Angeles"),
        ({"country": "ES", "postcode": "35001"}, "ES-CN@Atlantic/Canary"),
        ({"country": "ES", "zone": "Europe/Madrid"}, "ES@Europe/Madrid"),
        ({"country": "US", "zone": "US/Pacific"}, "US@US/Pacific"),
        ({"country": "US", "region": "MI", "zone": "America/New_York"}, "US-MI@America/New_York"),
        ({"country": "PR"}, "PR@America/Puerto_Rico"),
    ],
)
def test_every_part_of_a_location_narrows_the_place(
    book: Rulebook, location: dict[str, str], place: str
) -> None:
    assert places(book, PARISIAN, **location, evidence="verified") == [place]


def test_a_country_of_several_zones_alone_means_all_of_them(book: Rulebook) -> None:
    found = places(book, PARISIAN, country="US", evidence="verified")
    assert {"US@America/New_York", "US@Pacific/Honolulu"} <= set(found)


def test_a_location_gives_a_number_of_no_country_a_place(book: Rulebook) -> None:
    found = places(book, "+88213000000", country="ES", region="CN", evidence="verified")
    assert found == ["ES-CN@Atlantic/Canary"]


@pytest.mark.parametrize(
    ("to", "location", "field", "says"),
    [
        (SPANIARD, {"country": "XX"}, "country", "'XX' is no country code"),
        (SPANIARD, {"country": "Spain"}, "country", "is no country code"),
        (SPANIARD, {"country": "ES-CN"}, "country", "is no country code"),
        ("+88213000000", {"zone": "Europe/Madrid"}, "country", "does not say the country"),
        ("+77010000000", {"country": "US", "region": "XX"}, "region", "'XX' is no part of US"),
        (SPANIARD, {"country": "ES", "region": "Las Palmas"}, "region", "is no part of ES"),
        (NEW_YORKER, {"region": "CA", "postcode": "33101"}, "postcode", "lies in US-FL"),
        (PARISIAN, {"region": "75", "postcode": "97110"}, "postcode", "lies in GP"),
        (PARISIAN, {"country": "MQ", "region": "GP"}, "region", "lies in GP"),
        (PARISIAN, {"country": "MQ", "postcode": "97110"}, "postcode", "lies in GP"),
        (NEW_YORKER, {"zone": "Europe/Paris"}, "zone", "nobody in US lives by Europe/Paris"),
        (
            NEW_YORKER,
            {"region": "FL", "zone": "America/Los_Angeles"},
            "zone",
            "nobody in US-FL lives by",
        ),
        (NEW_YORKER, {"zone": "America/Jamaica"}, "zone", "nobody in US lives by"),
        (NEW_YORKER, {"zone": "America/New_Yrok"}, "zone", "is no time zone"),
        (NEW_YORKER, {"zone": "../../etc/passwd"}, "zone", "is no time zone"),
    ],
)
def test_a_location_that_is_unknown_or_contradicts_itself_is_an_error_not_a_guess(
    book: Rulebook, to: str, location: dict[str, str], field: str, says: str
) -> None:
    error = refusal(book, to, **location)
    assert says in error.message
    assert error.fields["field"] == f"location.{field}"


def test_a_misspelt_zone_is_answered_with_the_nearest_one(book: Rulebook) -> None:
    assert (
        refusal(book, NEW_YORKER, zone="America/New_Yrok").hint == "did you mean America/New_York?"
    )


def test_a_number_of_several_french_collectivities_still_has_one_country(book: Rulebook) -> None:
    found = places(book, "+590690000000", postcode="97133", evidence="verified")
    assert found == ["BL@America/Guadeloupe"]


def test_one_location_for_many_numbers_of_a_prefix_is_worked_out_once(book: Rulebook) -> None:
    facts = Facts(location=Location(country="US", region="CA", evidence="verified"))
    first = ask(book, NEW_YORKER, NOON, facts=facts)
    second = ask(book, "+12125550187", NOON, facts=facts)
    assert first.schedule is second.schedule


def test_a_declared_location_can_only_tighten_what_the_number_says(book: Rulebook) -> None:
    instants = [f"2026-11-24T{hour:02d}:30:00Z" for hour in range(24)]
    for zone in ("America/Los_Angeles", "America/New_York"):
        facts = Facts(location=Location(country="US", zone=zone, evidence="declared"))
        for now in instants:
            if ask(book, NEW_YORKER, now, facts=facts).action == "release":
                assert ask(book, NEW_YORKER, now).action == "release"


def test_a_verified_location_abroad_brings_that_countrys_rules_and_drops_the_numbers(
    book: Rulebook,
) -> None:
    sunday = "2026-11-29T15:00:00Z"
    abroad = Facts(location=Location(country="FR", evidence="verified"))
    assert ask(book, NEW_YORKER, sunday).action == "release"
    assert ask(book, NEW_YORKER, sunday, facts=abroad).rules == ["FR-QH"]
    home = Facts(location=Location(country="US", region="NY", evidence="verified"))
    assert ask(book, PARISIAN, sunday, facts=home).action == "release"


def test_a_verified_zone_alone_tells_the_clock_and_not_the_state(book: Rulebook) -> None:
    evening = "2026-11-25T01:30:00Z"  # 20:30 in New York
    zoned = Facts(location=Location(zone="America/New_York", evidence="verified"))
    decision = ask(book, NEW_YORKER, evening, facts=zoned)
    # Some state of that clock: Florida and Connecticut among them, which shut at 20:00.
    assert decision.action == "hold"
    assert {"US-FL", "US-CT"} <= {c.jurisdiction for c in decision.candidates}


def test_a_verified_place_frees_a_number_of_no_state_from_all_the_others(book: Rulebook) -> None:
    morning = "2026-11-24T14:30:00Z"  # 09:30 and 08:30 in Florida, 04:30 in Hawaii
    florida = Facts(location=Location(country="US", region="FL", evidence="verified"))
    assert ask(book, "+18005550199", morning).action == "hold"
    assert ask(book, "+18005550199", morning, facts=florida).action == "release"
    declared = Facts(location=Location(country="US", region="FL", evidence="declared"))
    assert ask(book, "+18005550199", morning, facts=declared).action == "hold"


def test_a_us_debt_claim_to_a_spanish_number_of_a_verified_new_yorker_suits_both(
    book: Rulebook,
) -> None:
    facts = Facts(location=Location(country="US", region="NY", evidence="verified"))
    found = ask(book, SPANIARD, "2026-11-24T12:30:00Z", "debt_claim", facts=facts)
    assert found.until_text() == "2026-11-24T13:00:00Z"  # 08:00 in New York
    evening = ask(book, SPANIARD, "2026-11-24T20:00:00Z", "debt_claim", facts=facts)
    assert evening.action == "hold"  # 21:00 in Madrid, where the house's claims end at 20:00
    assert "HOUSE-DEBT" in evening.rules


def test_a_us_debt_claim_is_held_at_the_numbers_place_also_in_one_checked_alone(
    book: Rulebook,
) -> None:
    facts = Facts(location=Location(country="US", region="CA", evidence="verified"))
    late = "2026-11-25T02:30:00Z"  # 21:30 in New York, 18:30 in California
    assert ask(book, NEW_YORKER, late, "debt_claim", facts=facts, checks=["windows"]).rules == [
        "US-DEBT"
    ]
    assert ask(book, NEW_YORKER, late, facts=facts).action == "release"


def test_caps_of_every_candidate_place_count_and_the_strictest_wins(book: Rulebook) -> None:
    at_noon = "2026-11-24T18:00:00Z"
    history = tuple(
        Sent(at(f"2026-11-24T{hour}:00:00Z").timestamp(), "promotional", "A")
        for hour in ("09", "10", "11")
    )
    agreed = Facts(history=history, location=Location(country="US", region="FL"))
    decision = ask(book, NEW_YORKER, at_noon, facts=agreed, campaign="A")
    assert (decision.action, decision.reason, decision.rules[0]) == ("hold", "cap", "US-FL-CAP")
    assert ask(book, NEW_YORKER, at_noon, facts=Facts(history=history)).action == "release"

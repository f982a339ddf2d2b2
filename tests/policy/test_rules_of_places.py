"""Caps, consent, registries, senders, carriers and deadlines of every place, as the material says.

Each check is asked alone, at an hour at which every window is open.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from gateway.policy.explain import judge
from gateway.policy.listing import rules_in_force
from gateway.policy.loader import load_rulebook, shipped_packs
from tests.policy.asking import AGREED, asked, verdict
from tests.policy.samples import at

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook
    from gateway.policy.rules import Category

P, C, T, OTP, L, K = (
    *("promotional", "cart_reminder", "transactional"),
    *("otp", "legal_notice", "debt_claim"),
)  # fmt: skip
NOON = "2026-11-24T18:00:00Z"
SINGLE = [{"purpose": "marketing", "method": "single"}]
DOUBLE = [{"purpose": "marketing", "method": "double"}]
CART = [{"purpose": "cart", "method": "double"}]
CART_SINGLE = [{"purpose": "cart", "method": "single"}]


def sent(*times: str, category: str = P, **more: Any) -> list[dict[str, Any]]:
    return [{"at": time, "category": category, **more} for time in times]


def warned(answer: dict[str, Any]) -> set[str]:
    """Ids of the rules that warn."""
    return {warning.partition(":")[0] for warning in answer["warnings"]}


# --- caps -----------------------------------------------------------------------------------------

THREE = ("2026-11-23T19:00:00Z", "2026-11-24T08:00:00Z", "2026-11-24T17:00:00Z")


@pytest.mark.parametrize("profile", ["law", "seed"])
def test_florida_counts_three_in_24_hours_for_each_campaign(book: Rulebook, profile: str) -> None:
    history = sent(*THREE, campaign="A")
    more = {"profile": profile, "checks": ["caps"], "history": history}
    same = verdict(book, "US-FL", NOON, P, campaign="A", **more)
    assert same == "hold 2026-11-24T19:00:00Z US-FL-CAP"  # 24 h after the oldest, to the second
    assert verdict(book, "US-FL", NOON, P, campaign="B", **more) == "release"
    assert verdict(book, "US-FL", NOON, P, **more) == "hold 2026-11-24T19:00:00Z US-FL-CAP"


@pytest.mark.parametrize("place", ["US-OK", "US-MD"])
def test_oklahoma_and_maryland_count_by_subject_in_law_and_by_person_in_the_seed_profile(
    book: Rulebook, place: str
) -> None:
    more = {"campaign": "B", "checks": ["caps"], "history": sent(*THREE, campaign="A")}
    assert verdict(book, place, NOON, P, profile="law", **more) == "release"
    assert verdict(book, place, NOON, P, profile="seed", **more) == (
        f"hold 2026-11-24T19:00:00Z {place}-SEED-CAP"
    )
    more["campaign"] = "A"
    assert verdict(book, place, NOON, P, profile="law", **more) == (
        f"hold 2026-11-24T19:00:00Z {place}-CAP"
    )


def test_elsewhere_the_third_in_24_hours_is_warned_about_in_the_seed_profile_only(
    book: Rulebook,
) -> None:
    for place in ("ES", "FR", "US-NY", "GB", "IE"):
        more = {"checks": ["caps"]}
        second = asked(book, place, NOON, P, history=sent(*THREE[:1]), **more)
        assert second["action"] == "release"
        assert "HOUSE-CAP" not in warned(second)
        third = asked(book, place, NOON, P, history=sent(*THREE[:2]), **more)
        assert third["action"] == "release"
        assert "HOUSE-CAP" in warned(third)
        law = asked(book, place, NOON, P, history=sent(*THREE[:2]), profile="law", **more)
        assert "HOUSE-CAP" not in warned(law)


def test_colombia_allows_one_contact_a_local_day_advertising_and_claims_together(
    book: Rulebook,
) -> None:
    earlier = sent("2026-11-24T13:00:00Z", category=K)  # 08:00 in Bogotá
    more: dict[str, Any] = {"checks": ["caps"], "profile": "law"}
    for category in (P, K):
        found = verdict(book, "CO", NOON, category, history=earlier, **more)
        assert found == "hold 2026-11-25T05:00:00Z CO-DAY"  # midnight in Bogotá
    yesterday = sent("2026-11-24T04:59:59Z", category=P)  # 23:59:59 of the day before
    assert verdict(book, "CO", NOON, P, history=yesterday, **more) == "release"


def test_colombia_counts_contacts_made_so_a_failed_one_gives_its_place_back(
    book: Rulebook,
) -> None:
    more: dict[str, Any] = {"checks": ["caps"], "profile": "law"}
    for outcome, found in (
        ("undelivered", "release"),
        ("delivered", "hold 2026-11-25T05:00:00Z CO-DAY"),
        ("unknown", "hold 2026-11-25T05:00:00Z CO-DAY"),
        ("accepted", "hold 2026-11-25T05:00:00Z CO-DAY"),
    ):
        history = sent("2026-11-24T13:00:00Z", category=K, outcome=outcome)
        assert verdict(book, "CO", NOON, K, history=history, **more) == found, outcome


def test_colombias_next_day_may_be_shut_so_cap_and_window_wait_together(book: Rulebook) -> None:
    history = sent("2026-11-28T14:00:00Z", category=K)  # Saturday 09:00
    found = verdict(
        book, "CO", "2026-11-28T15:00:00Z", K, history=history, checks=["caps", "windows"]
    )
    assert found == "hold 2026-11-30T12:00:00Z CO-DAY CO-QH"


def test_chile_allows_two_claims_a_week_two_days_apart(book: Rulebook) -> None:
    more: dict[str, Any] = {"checks": ["caps"], "profile": "law"}
    gap = sent("2026-11-23T15:00:00Z", category=K)
    assert verdict(book, "CL", NOON, K, history=gap, **more) == "hold 2026-11-25T15:00:00Z CL-GAP"
    week = sent("2026-11-23T15:00:00Z", "2026-11-25T15:00:00Z", category=K)
    found = verdict(book, "CL", "2026-11-28T15:00:00Z", K, history=week, **more)
    assert found == "hold 2026-11-30T03:00:00Z CL-GAP"  # Monday 00:00 in Santiago
    assert verdict(book, "CL", NOON, P, history=gap, **more) == "release"


def test_a_cart_is_reminded_of_once_in_the_united_states(book: Rulebook) -> None:
    more: dict[str, Any] = {"checks": ["caps"], "cart_abandoned_at": "2026-11-24T10:00:00Z"}
    history = sent("2026-11-24T12:00:00Z", category=C)
    for profile in ("law", "seed"):
        found = verdict(book, "US-NY", NOON, C, history=history, profile=profile, **more)
        assert found == "refuse cap US-CART-CAP"
    before = sent("2026-11-24T09:59:59Z", category=C)  # of another cart
    assert verdict(book, "US-NY", NOON, C, history=before, **more) == "release"
    assert verdict(book, "ES", NOON, C, history=history, **more) == "release"


# --- deadlines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "abandoned", "expected"),
    [
        pytest.param("seed", "2026-11-23T18:00:01Z", "release", id="seed-a-second-within-24-hours"),
        pytest.param("seed", "2026-11-23T18:00:00Z",
                     "refuse expired_before_window US-CART-SEED-DEADLINE", id="seed-24-hours-ago"),
        pytest.param("law", "2026-11-23T18:00:00Z", "release", id="law-24-hours-ago-is-in-time"),
        pytest.param("law", "2026-11-22T18:00:00Z", "refuse expired_before_window US-CART-DEADLINE",
                     id="law-48-hours-ago-is-too-late-for-the-carriers"),
    ],
)  # fmt: skip
def test_a_cart_reminder_has_a_deadline_in_the_united_states(
    book: Rulebook, profile: str, abandoned: str, expected: str
) -> None:
    more = {"checks": ["windows"], "cart_abandoned_at": abandoned, "profile": profile}
    assert verdict(book, "US-NY", NOON, C, **more) == expected
    assert verdict(book, "FR", "2026-11-24T12:00:00Z", C, **more) == "release"


def test_a_cart_whose_deadline_falls_into_the_night_is_refused_at_once(book: Rulebook) -> None:
    found = verdict(
        book, "US-NY", "2026-11-25T02:00:00Z", C, checks=["windows"],
        cart_abandoned_at="2026-11-24T12:59:59Z",
    )  # fmt: skip
    assert found.startswith("refuse expired_before_window US-FED-QH")


# --- consent --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "rules"),
    [
        ("ES", "ES-CONSENT"), ("FR", "FR-CONSENT"), ("GB", "GB-CONSENT"), ("DE", "DE-CONSENT"),
        ("AT", "AT-CONSENT"), ("CH", "CH-CONSENT"), ("CA", "CA-CONSENT"), ("NZ", "NZ-CONSENT"),
        ("AU", "AU-CONSENT"), ("US-NY", "US-FED-CONSENT"),
        ("US-FL", "US-FL-CONSENT US-FED-CONSENT"), ("US-OK", "US-OK-CONSENT US-FED-CONSENT"),
        ("US-MD", "US-MD-CONSENT US-FED-CONSENT"), ("US-CT", "US-CT-CONSENT US-FED-CONSENT"),
        ("US-NJ", "US-NJ-CONSENT US-FED-CONSENT"), ("CO", "CO-CONSENT"), ("PE", "PE-CONSENT"),
        ("CL", ""), ("MX", ""), ("BR", ""), ("EC", ""), ("IE", ""),
    ],
)  # fmt: skip
def test_marketing_needs_consent_everywhere_in_both_profiles(
    book: Rulebook, place: str, rules: str
) -> None:
    for profile in ("law", "seed"):
        more: dict[str, Any] = {"checks": ["consent"], "profile": profile}
        found = verdict(book, place, NOON, P, **more)
        assert found.startswith(f"refuse consent_missing {rules}".rstrip())
        assert "HOUSE-CONSENT" in found
        assert verdict(book, place, NOON, P, consent=DOUBLE, **more) == "release"
        assert verdict(book, place, NOON, P, consent=CART, **more).startswith("refuse consent")
        for category in (T, OTP, L, K):
            assert verdict(book, place, NOON, category, **more) == "release"


def test_consent_for_a_cart_is_not_consent_for_marketing_nor_the_other_way_round(
    book: Rulebook,
) -> None:
    assert verdict(book, "ES", NOON, C, checks=["consent"], consent=DOUBLE) == (
        "refuse consent_missing HOUSE-CONSENT-CART"
    )
    assert verdict(book, "ES", NOON, C, checks=["consent"], consent=CART_SINGLE) == "release"


@pytest.mark.parametrize("profile", ["law", "seed"])
def test_a_cart_in_the_united_states_needs_confirmed_consent_that_names_carts(
    book: Rulebook, profile: str
) -> None:
    more: dict[str, Any] = {"checks": ["consent"], "profile": profile}
    found = verdict(book, "US-NY", NOON, C, consent=CART_SINGLE, **more)
    assert found == "refuse double_opt_in_required US-CART-DOI"
    assert verdict(book, "US-NY", NOON, C, consent=CART, **more) == "release"
    assert verdict(book, "US-NY", NOON, C, consent=DOUBLE, **more).startswith("refuse consent_")


@pytest.mark.parametrize("place", ["DE", "AT", "CH"])
def test_german_speaking_countries_prefer_confirmed_consent_and_the_house_demands_it(
    book: Rulebook, place: str
) -> None:
    more: dict[str, Any] = {"checks": ["consent"], "consent": SINGLE}
    assert verdict(book, place, NOON, P, profile="seed", **more) == (
        "refuse double_opt_in_required HOUSE-DOI-PROOF"
    )
    law = asked(book, place, NOON, P, profile="law", **more)
    assert (law["action"], warned(law)) == ("release", {f"{place}-DOI"})


def test_elsewhere_single_consent_is_warned_about_in_the_seed_profile_only(
    book: Rulebook,
) -> None:
    for place in ("ES", "FR", "GB", "US-NY", "MX"):
        seed = asked(book, place, NOON, P, checks=["consent"], consent=SINGLE)
        assert (seed["action"], warned(seed)) == ("release", {"HOUSE-DOI"})
        law = asked(book, place, NOON, P, checks=["consent"], consent=SINGLE, profile="law")
        assert (law["action"], law["warnings"]) == ("release", [])


def test_consent_counts_from_the_instant_it_was_given_to_the_one_it_was_withdrawn(
    book: Rulebook,
) -> None:
    given = [{"purpose": "marketing", "method": "double", "granted_at": NOON,
              "withdrawn_at": "2026-11-25T18:00:00Z"}]  # fmt: skip
    for now, released in (
        ("2026-11-24T17:59:59Z", False),
        (NOON, True),
        ("2026-11-25T17:59:59Z", True),
        ("2026-11-25T18:00:00Z", False),
    ):
        found = verdict(book, "ES", now, P, checks=["consent"], consent=given)
        assert (found == "release") is released, now


# --- opt-out --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "category", "scope", "expected"),
    [
        pytest.param("ES", P, "brand", "refuse opted_out ES-OPTOUT HOUSE-OPTOUT", id="spain"),
        pytest.param("FR", C, "brand", "refuse opted_out FR-OPTOUT HOUSE-OPTOUT", id="france"),
        pytest.param("US-VA", P, "brand",
                     "refuse opted_out US-VA-OPTOUT US-FED-REVOKE HOUSE-OPTOUT",
                     id="virginia-ten-years"),
        pytest.param("IE", P, "all", "refuse opted_out HOUSE-OPTOUT", id="everywhere-else"),
        pytest.param("ES", T, "brand", "release", id="the-brand's-transactional-messages-go"),
        pytest.param("ES", T, "all", "refuse opted_out HOUSE-OPTOUT-ALL",
                     id="an-opt-out-of-everything-covers-transactional-messages"),
        pytest.param("ES", L, "all", "release", id="a-legal-notice-is-never-blocked"),
        pytest.param("ES", OTP, "all", "release", id="a-code-is-never-blocked"),
        pytest.param("ES", K, "all", "release", id="a-claim-is-not-blocked-in-spain"),
        pytest.param("US-NY", K, "brand", "refuse opted_out US-DEBT-OPTOUT",
                     id="but-in-the-united-states"),
    ],
)  # fmt: skip
def test_an_opt_out_blocks_what_the_place_says(
    book: Rulebook, place: str, category: str, scope: str, expected: str
) -> None:
    more: dict[str, Any] = {"checks": ["consent"], "opted_out": scope, "consent": AGREED}
    for profile in ("law", "seed"):
        assert verdict(book, place, NOON, category, profile=profile, **more) == expected


# --- registries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "registry", "rule"),
    [
        ("CO", "rne", "CO-RNE"),
        ("MX", "repep", "MX-REPEP"),
        ("MX", "reus", "MX-REUS"),
        ("AR", "nollame_ar", "AR-NO-LLAME"),
        ("UY", "nollame_uy", "UY-NO-LLAME"),
        ("PY", "nollame_py", "PY-NO-MOLESTAR"),
    ],
)
def test_a_registry_blocks_advertising_of_its_own_country_and_no_claims(
    book: Rulebook, place: str, registry: str, rule: str
) -> None:
    more: dict[str, Any] = {"checks": ["consent"], "consent": AGREED, "registries": [registry]}
    for profile in ("law", "seed"):
        found = verdict(book, place, NOON, P, profile=profile, **more)
        assert found == f"refuse registry {rule}"
    assert verdict(book, place, NOON, K, **more) == "release"
    assert verdict(book, "ES", NOON, P, **more) == "release"


@pytest.mark.parametrize(("place", "registry"), [("ES", "robinson"), ("US-NY", "dnc")])
def test_consent_of_the_brands_own_goes_before_robinson_and_the_us_registry(
    book: Rulebook, place: str, registry: str
) -> None:
    more: dict[str, Any] = {"checks": ["consent"], "registries": [registry]}
    assert verdict(book, place, NOON, P, consent=DOUBLE, **more) == "release"
    assert verdict(book, place, NOON, P, **more).startswith("refuse consent_missing")


def test_an_old_snapshot_of_a_registry_is_warned_about(book: Rulebook) -> None:
    old = [{"registry": "nollame_ar", "as_of": "2026-10-01T00:00:00Z"}]
    found = asked(book, "AR", NOON, K, checks=["consent"], registries=old)
    assert found["action"] == "release"
    found = asked(book, "AR", NOON, P, checks=["consent"], registries=old, consent=DOUBLE)
    assert "registry_outdated" in warned(found)
    assert "AR-NO-LLAME" in str(found["warnings"])


# --- senders and carriers -------------------------------------------------------------------------


@pytest.mark.parametrize("category", [P, C, T, OTP, L, K])
@pytest.mark.parametrize("place", ["ES", "AU"])
def test_an_alphanumeric_sender_must_be_registered_in_spain_and_australia_for_everything(
    book: Rulebook, place: str, category: str
) -> None:
    more: dict[str, Any] = {"checks": ["sender"]}
    for profile in ("law", "seed"):
        found = verdict(book, place, NOON, category, profile=profile, **{"from": "ACME"}, **more)
        assert found == f"refuse sender_unregistered {place}-ALIAS"
    for number in ("+34600111222", "35550"):
        assert verdict(book, place, NOON, category, **{"from": number}, **more) == "release"
    assert verdict(book, "GB", NOON, category, **{"from": "ACME"}, **more) == "release"


@pytest.mark.parametrize(
    ("place", "before", "since"),
    [
        ("ES", "2026-09-14T12:00:00Z", "2026-09-15T12:00:00Z"),
        ("AU", "2026-06-30T02:00:00Z", "2026-07-01T02:00:00Z"),
    ],
)
def test_a_register_of_senders_counts_from_its_day_at_the_instant_of_sending(
    book: Rulebook, place: str, before: str, since: str
) -> None:
    more: dict[str, Any] = {"checks": ["sender"], "from": "ACME"}
    assert verdict(book, place, before, L, **more) == "release"
    assert verdict(book, place, since, L, **more).startswith("refuse sender_unregistered")


@pytest.mark.parametrize(
    ("sender", "category", "rule"),
    [
        pytest.param("+33639981235", P, "FR-SENDER-MOBILE", id="a-mobile-number-for-marketing"),
        pytest.param("+33700000000", L, "FR-SENDER-MOBILE", id="nor-for-a-legal-notice"),
        pytest.param("0639981235", T, "FR-SENDER-MOBILE", id="nor-as-dialled-inside-france"),
        pytest.param("38123", P, "FR-SENDER-38", id="38xxx-is-not-for-marketing"),
        pytest.param("38123", T, "", id="38xxx-is-for-transactional-messages"),
        pytest.param("36123", P, "", id="36xxx-is-for-marketing"),
        pytest.param("36123", T, "FR-SENDER-36", id="36xxx-is-for-nothing-else"),
        pytest.param("36123", K, "FR-SENDER-36", id="nor-for-claims"),
        pytest.param("ACME", P, "", id="a-name-may-send"),
        pytest.param("+33139980000", P, "", id="a-fixed-number-may-send"),
    ],
)
def test_france_separates_its_senders(
    book: Rulebook, sender: str, category: str, rule: str
) -> None:
    expected = f"refuse sender_unregistered {rule}" if rule else "release"
    for profile in ("law", "seed"):
        more = {"from": sender, "checks": ["sender"], "profile": profile}
        assert verdict(book, "FR", NOON, category, **more) == expected


def test_oklahoma_advises_against_toll_free_senders_in_the_seed_profile(book: Rulebook) -> None:
    more: dict[str, Any] = {"from": "+18005550199", "checks": ["sender"]}
    found = asked(book, "US-OK", NOON, P, **more)
    assert (found["action"], warned(found)) == ("release", {"US-OK-TOLL-FREE"})
    assert asked(book, "US-OK", NOON, P, profile="law", **more)["warnings"] == []


@pytest.mark.parametrize(("place", "rule"), [("US-NY", "US"), ("US-FL", "US"), ("CA", "CA")])
def test_american_and_canadian_carriers_carry_no_third_partys_claims(
    book: Rulebook, place: str, rule: str
) -> None:
    more: dict[str, Any] = {"checks": ["sender"]}
    for profile in ("law", "seed"):
        found = verdict(book, place, NOON, K, third_party_collector=True, profile=profile, **more)
        assert found == f"refuse carrier_policy {rule}-DEBT-CARRIER"
    assert verdict(book, place, NOON, K, **more) == "release"
    assert verdict(book, "ES", NOON, K, third_party_collector=True, **more) == "release"


# --- waivers --------------------------------------------------------------------------------------

WAIVER = """
[ruleset]
jurisdiction = "house"
name = "our own"
layer = "house"
version = "1"

[[waiver]]
id = "OWN-ES-ALIAS"
rule = "ES-ALIAS"
brand = "acme"
applies = ["legal_notice", "promotional"]
reason = "the alias is in the register, the entry is not yet shown"
author = "M. Ruiz, counsel"
effective = 2026-11-01
expires = 2026-12-01
"""


@pytest.fixture
def waived(tmp_path: Path) -> Rulebook:
    """The shipped packs and one waiver of the house's own."""
    (tmp_path / "own.toml").write_text(WAIVER, "utf-8")
    return load_rulebook([shipped_packs(), tmp_path])


def alias(book: Rulebook, now: str, brand: str = "acme", category: str = L) -> dict[str, Any]:
    return asked(book, "ES", now, category, brand=brand, checks=["sender"], **{"from": "ACME"})


def test_a_waiver_sets_a_rule_aside_and_says_who_answers_for_it(waived: Rulebook) -> None:
    answer = alias(waived, NOON)
    assert (answer["action"], answer["waivers"]) == ("release", ["OWN-ES-ALIAS"])
    assert answer["warnings"] == [
        (
            "OWN-ES-ALIAS: ES-ALIAS is set aside by M. Ruiz, counsel until 2026-12-01: "
            "the alias is in the register, the entry is not yet shown"
        )
    ]


@pytest.mark.parametrize(
    ("now", "brand", "category"),
    [
        pytest.param(NOON, "other", L, id="another-brand-is-still-bound"),
        pytest.param(NOON, "", L, id="no-brand-is-still-bound"),
        pytest.param(NOON, "acme", K, id="another-category-is-still-bound"),
        pytest.param("2026-10-31T23:59:59Z", "acme", L, id="the-day-before-it-begins"),
        pytest.param("2026-12-01T00:00:00Z", "acme", L, id="from-the-first-second-after-it"),
    ],
)
def test_outside_its_terms_a_waiver_sets_nothing_aside(
    waived: Rulebook, now: str, brand: str, category: str
) -> None:
    answer = alias(waived, now, brand, category)
    assert (answer["action"], answer["rules"]) == ("refuse", ["ES-ALIAS"])
    assert "waivers" not in answer


def test_an_expired_waiver_is_named_when_its_rule_binds_again(waived: Rulebook) -> None:
    answer = alias(waived, "2026-12-01T00:00:00Z")
    assert answer["warnings"] == ["OWN-ES-ALIAS: expired on 2026-12-01, ES-ALIAS binds"]


def test_a_release_by_a_waiver_holds_until_it_expires(waived: Rulebook) -> None:
    message = {"to": "+34910000000", "category": L, "from": "ACME", "brand": "acme"}
    decision = judge(waived, message | {"now": "2026-11-30T18:00:00Z", "profile": "law"})
    assert decision.released_until_s == at("2026-12-01T00:00:00Z").timestamp()


def test_waivers_are_listed_with_the_rules_they_set_aside(waived: Rulebook) -> None:
    shown = rules_in_force(waived, "ES", at(NOON).date())
    assert shown[-1] == {
        "id": "OWN-ES-ALIAS",
        "kind": "waiver",
        "rule": "ES-ALIAS",
        "brand": "acme",
        "applies": ["legal_notice", "promotional"],
        "summary": "sets aside ES-ALIAS for the brand acme: the alias is in the register, "
        "the entry is not yet shown (M. Ruiz, counsel)",
        "reason": "the alias is in the register, the entry is not yet shown",
        "author": "M. Ruiz, counsel",
        "effective": "2026-11-01",
        "expires": "2026-12-01",
    }
    elsewhere: list[tuple[str, date, Category | None]] = [
        ("FR", date(2026, 11, 24), None),
        ("ES", date(2026, 12, 1), None),
        ("ES", date(2026, 11, 24), "debt_claim"),
    ]
    for place, day, category in elsewhere:
        found = rules_in_force(waived, place, day, category)
        assert "waiver" not in {rule["kind"] for rule in found}

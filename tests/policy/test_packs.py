"""The shipped packs: complete, cited, and each rule where it belongs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.policy.loader import load_rulebook, shipped_packs
from gateway.policy.rules import DEFAULT, SHARED, ActingRule, Rules

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook

LATIN_AMERICA = [
    "AR",
    "BO",
    "BR",
    "CL",
    "CO",
    "CR",
    "DO",
    "EC",
    "GT",
    "HN",
    "MX",
    "NI",
    "PA",
    "PE",
    "PY",
    "SV",
    "UY",
    "VE",
]
STATES = [f"US-{state}" for state in ["CT", "FL", "MD", "NJ", "OK", "TX", "VA", "WA"]]
PLACES = [*LATIN_AMERICA, *["AT", "AU", "CA", "CH", "DE", "ES", "FR", "GB", "NZ", "US"], *STATES]
SHARED_PACKS = [
    "confirmed-consent",
    "default-eu",
    "default-hours",
    "house",
    "house-age-gate",
    "house-alcohol",
    "house-claims",
    "house-hours",
    "vendor-hours",
]
OVERLAY = [
    f"US-{state}"
    for state in ["AL", "KY", "LA", "MA", "MI", "MN", "MS", "NM", "NV", "PA", "RI", "UT"]
]


def ruling(book: Rulebook, place: str) -> Rules:
    """Every rule that counts there, inherited ones too."""
    return Rules.union(pack.rules for pack in book.chain(place))


def test_these_packs_are_shipped(book: Rulebook) -> None:
    assert sorted(book.packs) == sorted([*PLACES, *SHARED_PACKS, DEFAULT])


def test_every_law_and_practice_has_an_address_and_every_rule_a_citation(book: Rulebook) -> None:
    for name, pack in book.packs.items():
        for rule in pack.rules.every():
            assert rule.cite
            assert rule.layer == "house" or rule.url.startswith("https://"), rule.id
            if SHARED.fullmatch(name) and name != DEFAULT:
                assert rule.id.startswith(("HOUSE-", "VENDOR-", "DEFAULT-")), rule.id
                assert rule.layer == "house"
            else:
                assert rule.id.startswith(f"{name}-".upper()), rule.id


@pytest.mark.parametrize("place", [*PLACES, DEFAULT])
def test_nothing_commercial_goes_after_an_opt_out_or_without_consent_in_any_profile(
    book: Rulebook, place: str
) -> None:
    rules = ruling(book, place)
    blocked = {
        category
        for rule in rules.optouts
        if rule.scope == "brand" and rule.profile == "law"
        for category in rule.applies
    }
    assert {"promotional", "cart_reminder"} <= blocked
    needing = {
        (category, rule.purpose)
        for rule in rules.consents
        if rule.profile == "law" and rule.acts
        for category in rule.applies
    }
    assert needing == {("promotional", "marketing"), ("cart_reminder", "cart")}


@pytest.mark.parametrize("place", [*PLACES, DEFAULT])
def test_the_seed_profile_sets_hours_for_promotions_claims_and_notices_everywhere(
    book: Rulebook, place: str
) -> None:
    limited = {category for rule in ruling(book, place).windows for category in rule.applies}
    assert limited == {"promotional", "cart_reminder", "debt_claim", "legal_notice"}


@pytest.mark.parametrize("place", [*PLACES, DEFAULT])
def test_nothing_holds_or_refuses_a_code(book: Rulebook, place: str) -> None:
    for rule in ruling(book, place).every():
        if "otp" in rule.applies:
            assert rule.id in ("ES-ALIAS", "AU-ALIAS", "FR-SENDER-MOBILE", "FR-SENDER-36")


def test_house_hours_count_in_the_seed_profile_only_except_where_no_law_is_on_file(
    book: Rulebook,
) -> None:
    for pack in book.packs.values():
        for rule in pack.rules.windows:
            always = rule.layer != "house" or rule.id in ("DEFAULT-QH", "DEFAULT-DEBT")
            assert (rule.profile == "law") is always, rule.id


def test_only_confirmed_laws_act_and_low_confidence_warns(book: Rulebook) -> None:
    doubtful = {
        rule.id
        for pack in book.packs.values()
        for rule in pack.rules.every()
        if rule.confidence == "low"
    }
    assert doubtful == {"US-DEBT-STATEMENT", "US-NJ-ADDRESS", "MX-OPERATOR-QH"}
    for pack in book.packs.values():
        for rule in pack.rules.every():
            if rule.id in doubtful:
                assert isinstance(rule, ActingRule)
                assert not rule.acts


def test_every_overseas_department_and_territory_is_ruled_by_its_country(book: Rulebook) -> None:
    for area in ("GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF", "FR-57", "FR-67", "FR-68"):
        assert book.chain(area) == book.chain("FR")
        assert book.chain(area)[0].jurisdiction == "FR"
        assert book.subdivision(area)
    for area in ("PR", "VI", "GU", "AS", "MP", "US-CA"):
        assert book.chain(area)[0].jurisdiction == "US"
    assert book.subdivision("FR") == ""
    assert book.chain("IE")[0].jurisdiction == "default-eu"
    assert book.chain("NO")[0].jurisdiction == DEFAULT


def test_the_conservative_overlay_counts_only_when_it_is_named(book: Rulebook) -> None:
    assert not set(OVERLAY) & set(book.packs)
    stricter = load_rulebook(overlays=["us-conservative"])
    assert sorted(set(stricter.packs) - set(book.packs)) == OVERLAY
    assert stricter.version != book.version
    for state in OVERLAY:
        assert [pack.jurisdiction for pack in stricter.chain(state)][:2] == [state, "US"]


def test_every_shipped_file_says_in_words_what_it_is_and_when_it_was_reviewed() -> None:
    for path in shipped_packs().glob("*.toml"):
        text = path.read_text("utf-8")
        assert text.startswith("# "), path.name
        assert "reviewed = 2026-11-21" in text, path.name


def test_loading_all_packs_in_a_fresh_process_stays_within_60_mib() -> None:
    code = (
        "from gateway.policy.loader import load_rulebook\n"
        "load_rulebook(overlays=['us-conservative'])\n"
        "print(open('/proc/self/status').read())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    peak = next(line for line in done.stdout.splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) <= 60 * 1024

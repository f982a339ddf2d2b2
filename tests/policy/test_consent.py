"""Opt-out, consent and do-not-contact registries, as the judges see them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.consent import REGISTRIES, listed, missing, opted_out, outdated, stands
from gateway.policy.decide import decide
from gateway.policy.facts import Consent, Facts, Listing, Message
from gateway.policy.loader import load_rulebook
from gateway.policy.rules import ConsentRule, OptOutRule, RegistryRule
from tests.policy.samples import write_packs

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.facts import OptedOut

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RULE: dict[str, Any] = {
    "id": "TEST",
    "jurisdiction": "ES",
    "layer": "law",
    "profile": "law",
    "applies": frozenset({"promotional"}),
    "effective": date(2000, 1, 1),
    "expires": None,
    "cite": "a law",
    "url": "https://example.org/law",
    "confidence": "high",
    "reviewed": date(2026, 11, 21),
}
ASKS = ConsentRule(**RULE, on_violation="refuse", purpose="marketing")
ASKS_TWICE = replace(ASKS, method="double")
ROBINSON = RegistryRule(**RULE, on_violation="refuse", registry="robinson", unless_consent=True)
RNE = RegistryRule(**RULE, on_violation="refuse", registry="rne", max_age_days=30)
AGREED = Consent("marketing", "single", NOW - SECOND)


def reasons(rule: ConsentRule, *consents: Consent) -> list[str]:
    return [reason for _, reason, _ in missing([rule], Facts(consents=consents), NOW)]


# -- opt-outs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_to", "scope", "blocks"),
    [
        ("", "brand", False),
        ("", "all", False),
        ("brand", "brand", True),
        ("brand", "all", False),
        ("all", "brand", True),
        ("all", "all", True),
    ],
)
def test_an_opt_out_blocks_by_its_scope(given_to: OptedOut, scope: Any, blocks: bool) -> None:
    rule = OptOutRule(**RULE, scope=scope)
    assert opted_out([rule], Facts(opted_out=given_to), NOW) == ((rule,) if blocks else ())


def test_an_opt_out_rule_not_in_force_blocks_nothing() -> None:
    facts = Facts(opted_out="all")
    tomorrow = OptOutRule(**RULE | {"effective": date(2026, 11, 22)}, scope="brand")
    expired = OptOutRule(**RULE | {"expires": date(2026, 11, 21)}, scope="brand")
    assert opted_out([tomorrow, expired], facts, NOW) == ()


# -- consent ---------------------------------------------------------------------------------------


def test_without_consent_for_the_purpose_there_is_none() -> None:
    assert reasons(ASKS) == ["consent_missing"]
    assert reasons(ASKS, replace(AGREED, purpose="cart")) == ["consent_missing"]
    assert reasons(ASKS, AGREED) == []


def test_a_single_consent_does_not_do_where_a_confirmed_one_is_asked_for() -> None:
    assert reasons(ASKS_TWICE, AGREED) == ["double_opt_in_required"]
    assert reasons(ASKS_TWICE, AGREED, replace(AGREED, method="double")) == []
    assert reasons(ASKS_TWICE) == ["consent_missing"]
    assert reasons(ASKS, replace(AGREED, method="double")) == []


def test_a_withdrawn_confirmed_consent_does_not_lend_its_method_to_a_single_one() -> None:
    double = replace(AGREED, method="double", withdrawn_at=NOW - SECOND)
    assert reasons(ASKS_TWICE, double, AGREED) == ["double_opt_in_required"]
    assert reasons(ASKS_TWICE, double) == ["consent_missing"]


@pytest.mark.parametrize(
    ("granted_at", "withdrawn_at", "standing"),
    [
        (None, None, True),
        (NOW, None, True),
        (NOW + SECOND, None, False),
        (None, NOW, False),
        (None, NOW + SECOND, True),
        (NOW - SECOND, NOW - SECOND, False),
    ],
)
def test_a_consent_stands_from_the_instant_it_was_given_until_it_was_withdrawn(
    granted_at: datetime | None, withdrawn_at: datetime | None, standing: bool
) -> None:
    assert stands(Consent("marketing", "single", granted_at, withdrawn_at), NOW) is standing


@settings(deadline=None)
@given(granted=st.integers(-5, 5), withdrawn=st.none() | st.integers(-5, 5))
def test_once_withdrawn_a_consent_never_stands_again(granted: int, withdrawn: int | None) -> None:
    consent = Consent(
        "marketing",
        "single",
        NOW + granted * SECOND,
        None if withdrawn is None else NOW + withdrawn * SECOND,
    )
    course = [stands(consent, NOW + at * SECOND) for at in range(-6, 7)]
    ended = False
    for before, after in pairwise(course):
        ended = ended or (before and not after)
        assert not (ended and after)


# -- registries ------------------------------------------------------------------------------------


def told(rule: RegistryRule, facts: Facts) -> list[str]:
    return [reason for _, reason, _ in listed([rule], facts, NOW)]


def test_a_registry_blocks_whom_it_lists_and_nobody_else() -> None:
    assert told(RNE, Facts(registries=(Listing("rne"),))) == ["registry"]
    assert told(RNE, Facts(registries=(Listing("dnc"),))) == []
    assert told(RNE, Facts()) == []


def test_consent_overrides_a_registry_only_where_its_rule_says_so() -> None:
    on_both = (Listing("robinson"), Listing("rne"))
    assert told(ROBINSON, Facts(registries=on_both)) == ["registry"]
    assert told(ROBINSON, Facts(registries=on_both, consents=(AGREED,))) == []
    assert told(RNE, Facts(registries=on_both, consents=(AGREED,))) == ["registry"]
    for other in (replace(AGREED, purpose="cart"), replace(AGREED, withdrawn_at=NOW)):
        assert told(ROBINSON, Facts(registries=on_both, consents=(other,))) == ["registry"]


def warnings(rule: RegistryRule, **facts: Any) -> list[str]:
    return list(outdated([rule], Facts(**facts), NOW))


def test_a_registry_that_was_never_imported_is_warned_about_once() -> None:
    assert warnings(RNE, snapshots=()) == ["registry_missing: TEST: rne was never imported"]
    assert warnings(RNE, snapshots=(Listing("dnc", NOW),)) == [
        "registry_missing: TEST: rne was never imported"
    ]


def test_where_it_is_not_known_what_there_is_nothing_is_said() -> None:
    assert warnings(RNE) == []
    assert warnings(RNE, registries=(Listing("rne"),)) == []


@pytest.mark.parametrize(("days", "stale"), [(30, False), (31, True)])
def test_a_stale_snapshot_is_warned_about_also_for_whom_it_does_not_list(
    days: int, stale: bool
) -> None:
    snapshot = Listing("rne", NOW - timedelta(days=days))
    text = f"registry_outdated: TEST: rne: its snapshot is {days} days old, of at most 30"
    expected = [text] if stale else []
    assert warnings(RNE, snapshots=(snapshot,)) == expected
    assert warnings(RNE, registries=(snapshot,)) == expected
    assert warnings(RNE, registries=(snapshot,), snapshots=(snapshot,)) == expected


def test_of_several_dates_the_newest_counts() -> None:
    old, new = Listing("rne", NOW - timedelta(days=90)), Listing("rne", NOW)
    assert warnings(RNE, snapshots=(old, new)) == warnings(RNE, snapshots=(new, old)) == []
    assert warnings(RNE, snapshots=(Listing("rne"), new)) == []


def test_nothing_is_said_of_a_registry_that_does_not_matter() -> None:
    assert warnings(ROBINSON, snapshots=(), consents=(AGREED,)) == []
    assert warnings(ROBINSON, snapshots=()) != []
    assert warnings(replace(RNE, effective=date(2026, 11, 22)), snapshots=()) == []


# -- together --------------------------------------------------------------------------------------

PACK = """
[ruleset]
jurisdiction = "default"
name = "a place"
layer = "law"
version = "1"
[[consent]]
id = "CONSENT"
applies = ["promotional", "cart_reminder"]
purpose = "marketing"
effective = 2020-01-01
cite = "a law"
url = "https://example.org/law"
confidence = "high"
reviewed = 2026-11-21
[[registry]]
id = "REGISTRY"
applies = ["promotional"]
registry = "rne"
max_age_days = 30
effective = 2020-01-01
cite = "another law"
url = "https://example.org/law"
confidence = "high"
reviewed = 2026-11-21
"""


def test_a_decision_refuses_for_consent_before_registry_and_only_what_they_cover(
    tmp_path: Path,
) -> None:
    book = load_rulebook([write_packs(tmp_path, default=PACK)])

    def ask(category: Any, **facts: Any) -> Any:
        message = Message("+573005550123", category)
        return decide(book, message, Facts(**facts), NOW, frozenset({"consent"}))

    on_it = (Listing("rne", NOW),)
    assert ask("promotional", registries=on_it).reason == "consent_missing"
    refused = ask("promotional", registries=on_it, consents=(AGREED,))
    assert (refused.action, refused.reason, refused.rules) == ("refuse", "registry", ["REGISTRY"])
    assert ask("cart_reminder", registries=on_it, consents=(AGREED,)).action == "release"
    assert ask("debt_claim", registries=on_it).action == "release"
    free = ask("promotional", consents=(AGREED,), snapshots=())
    assert free.action == "release"
    assert [each for each in free.warnings if "registry" in each] == [
        "registry_missing: REGISTRY: rne was never imported"
    ]
    assert not any("registry" in each for each in ask("debt_claim", snapshots=()).warnings)


def test_every_registry_a_shipped_rule_names_can_be_imported() -> None:
    packs = load_rulebook().packs.values()
    named = {rule.registry for pack in packs for rule in pack.rules.registries}
    assert named <= set(REGISTRIES)

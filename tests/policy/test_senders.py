"""Which sender a message may carry: kinds, ranges, registration, third parties' claims."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from gateway.policy import senders
from gateway.policy.facts import Message, SenderFacts
from gateway.policy.rules import CATEGORIES, SENDER_KINDS, CarrierRule, SenderKind, SenderRule

BASE: dict[str, Any] = {
    "jurisdiction": "ES",
    "layer": "law",
    "profile": "law",
    "applies": frozenset(CATEGORIES),
    "effective": date(2000, 1, 1),
    "expires": None,
    "cite": "the law",
    "url": "https://law.example",
    "confidence": "high",
    "reviewed": date(2026, 11, 21),
    "on_violation": "refuse",
}


def sender(*kinds: SenderKind, **given: Any) -> SenderRule:
    return SenderRule(id="TEST", kinds=frozenset(kinds or SENDER_KINDS), **BASE, **given)


ALIAS = sender("alphanumeric", registered="ES")


def unfit(rule: SenderRule, name: str | None, known: SenderFacts | None = None) -> list[str]:
    asked = Message("+34600111222", sender=name, sender_facts=known)
    return [told for _, why, told in senders.unfit([rule], asked) if why == "sender_unregistered"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ACME", "alphanumeric"),
        ("3M", "alphanumeric"),
        ("21234", "short_code"),
        ("12345678", "short_code"),
        ("123456789", "long_code"),
        ("+34600111222", "long_code"),
        ("+18005550100", "toll_free"),
        ("+18885550100", "toll_free"),
        ("+18015550100", "long_code"),
        ("+34+", "alphanumeric"),
        ("", "alphanumeric"),
    ],
)
def test_a_sender_shows_what_it_is(name: str, kind: str) -> None:
    assert senders.kind_of(name) == kind
    seen = senders.seen(Message("+34600111222", sender=name))
    assert (seen.kind, seen.receives) == (kind, kind != "alphanumeric")
    assert seen.registered_in == frozenset()


def test_what_the_configuration_says_goes_before_what_it_looks_like() -> None:
    known = SenderFacts("long_code", frozenset({"ES"}), receives=False)
    assert senders.seen(Message("+1", sender="ACME", sender_facts=known)) is known


def test_an_alias_is_refused_unless_it_is_registered_there() -> None:
    [told] = unfit(ALIAS, "ACME")
    assert 'registered_in = ["ES"]' in told
    assert "[senders.ACME]" in told
    assert unfit(ALIAS, "ACME", SenderFacts("alphanumeric", frozenset({"AU"}), receives=False))
    assert not unfit(ALIAS, "ACME", SenderFacts("alphanumeric", frozenset({"ES"})))


def test_numbers_need_no_registration_of_letters() -> None:
    for name in ("21234", "+34600111222"):
        assert not unfit(ALIAS, name)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("+33639980012", True),
        ("+33712345678", True),
        ("+33939000000", False),
        ("36111", False),
        ("ACME", False),
    ],
)
def test_french_mobile_numbers_are_no_senders(name: str, refused: bool) -> None:
    assert bool(unfit(sender(beginnings=("+336", "+337")), name)) is refused


@pytest.mark.parametrize(("name", "refused"), [("38111", True), ("36111", False), ("38", True)])
def test_a_range_of_short_codes_may_be_for_something_else(name: str, refused: bool) -> None:
    assert bool(unfit(sender("short_code", beginnings=("38",)), name)) is refused


def test_advice_is_told_without_forbidding() -> None:
    rule = sender("toll_free", advice="consider call forwarding")
    assert unfit(rule, "+18005550100") == ["the sender +18005550100: consider call forwarding"]
    assert not unfit(rule, "ACME")


def test_a_sender_nobody_gave_is_not_judged_and_that_is_said_where_a_rule_asks() -> None:
    asked = Message("+34600111222")
    assert not list(senders.unfit([ALIAS], asked))
    assert [each.split(":")[0] for each in senders.doubts([ALIAS], asked)] == ["sender_not_judged"]
    assert not list(senders.doubts([], asked))
    assert not list(senders.doubts([ALIAS], Message("+34600111222", sender="ACME")))
    assert not list(senders.unfit([], Message("+34600111222", sender="ACME")))


def test_a_third_partys_claim_is_not_carried() -> None:
    rule = CarrierRule(id="TEST", **BASE)
    mine = Message("+13105550123", category="debt_claim")
    theirs = Message("+13105550123", category="debt_claim", third_party_collector=True)
    assert not list(senders.uncarried([rule], mine))
    [(_, why, told)] = senders.uncarried([rule], theirs)
    assert (why, "creditor itself" in told) == ("carrier_policy", True)

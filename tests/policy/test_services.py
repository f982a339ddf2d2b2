"""Messages that only answer what the person did: what does not bind them, and what does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import ConfigError
from gateway.policy.decide import decide
from gateway.policy.facts import Consent, Facts, Listing, Message, SenderFacts
from gateway.policy.loader import load_rulebook
from gateway.policy.rules import CATEGORIES, ServiceRule
from gateway.policy.services import passed
from tests.policy.samples import ask, at, window

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook

SPAIN, FLORIDA, PARIS = "+34600111222", "+13055550123", "+33639980123"
#: Three in the night everywhere from Madrid to New York.
NIGHT = "2026-11-25T05:00:00Z"
NOON = "2026-11-25T17:00:00Z"
CLOSED = window("mon-sun 09:00-12:00", applies=frozenset(CATEGORIES), id="BRAND-1", layer="brand")


def service(**changes: Any) -> ServiceRule:
    values: dict[str, Any] = {
        "id": "TEST-SERVICE",
        "jurisdiction": "default",
        "layer": "house",
        "profile": "law",
        "applies": frozenset({"transactional"}),
        "effective": date(2020, 1, 1),
        "expires": None,
        "cite": "ours",
        "url": "",
        "confidence": "high",
        "reviewed": date(2026, 11, 21),
        "service": "help_reply",
        "passes": frozenset({"optout", "windows"}),
    }
    return ServiceRule(**(values | changes))


@pytest.mark.parametrize("number", [SPAIN, FLORIDA, PARIS])
def test_an_opt_out_is_confirmed_at_night_and_despite_itself(book: Rulebook, number: str) -> None:
    left = Facts(opted_out="all")
    plain = ask(book, number, NIGHT, "transactional", facts=left, windows=(CLOSED,))
    assert (plain.action, plain.reason) == ("refuse", "opted_out")
    late = ask(book, number, NIGHT, "transactional", windows=(CLOSED,))
    assert (late.action, late.reason) == ("hold", "quiet_hours")
    reply = ask(
        book,
        number,
        NIGHT,
        "transactional",
        facts=left,
        windows=(CLOSED,),
        service="optout_confirmation",
    )
    assert reply.action == "release"
    cited = {
        rule.id
        for rule in reply.grounds
        if isinstance(rule, ServiceRule) and rule.service == "optout_confirmation"
    }
    assert cited == {"US-FED-CONFIRM" if number == FLORIDA else "DEFAULT-STOP-REPLY"}
    assert reply.rules == sorted(cited)


def test_the_american_confirmation_cites_the_american_rule(book: Rulebook) -> None:
    reply = ask(book, FLORIDA, NIGHT, "transactional", service="optout_confirmation")
    assert "64.1200(a)(12)" in reply.grounds[0].cite


def test_who_takes_an_opt_out_back_is_not_told_so_while_all_brands_are_left(
    book: Rulebook,
) -> None:
    told = ask(
        book,
        SPAIN,
        NIGHT,
        "transactional",
        facts=Facts(opted_out="all"),
        service="optin_confirmation",
    )
    assert (told.action, told.reason) == ("refuse", "opted_out")


@pytest.mark.parametrize("category", ["promotional", "cart_reminder", "debt_claim"])
def test_calling_advertising_a_reply_changes_nothing(book: Rulebook, category: str) -> None:
    left = Facts(opted_out="all")
    decision = ask(book, FLORIDA, NOON, category, facts=left, service="optout_confirmation")
    assert (decision.action, decision.reason) == ("refuse", "opted_out")


def test_the_sender_and_the_place_of_a_reply_are_judged(tmp_path: Path) -> None:
    book = load_rulebook([_packs(tmp_path, _SENDER)], profile="law")
    decision = ask(
        book,
        SPAIN,
        NOON,
        "transactional",
        sender="5757",
        sender_facts=SenderFacts("short_code"),
        service="help_reply",
    )
    assert (decision.action, decision.reason) == ("refuse", "sender_unregistered")


def test_a_request_to_confirm_needs_no_consent_and_everything_else(tmp_path: Path) -> None:
    book = load_rulebook([_packs(tmp_path, _CONSENT)], profile="law")

    def asked(now: str = NOON, service: Any = "double_opt_in", **facts: Any) -> str | None:
        message = Message(SPAIN, "promotional", service=service)
        return decide(book, message, Facts(**facts), at(now)).reason

    assert asked(service=None) == "consent_missing"
    assert asked() is None
    assert asked(opted_out="brand") == "opted_out"
    assert asked(opted_out="suspected") == "opted_out"
    assert asked(now="2026-11-25T02:00:00Z") == "quiet_hours"
    # Express consent goes before the first registry, so the question whether there is any does too.
    assert asked(registries=(Listing("robinson"),)) is None
    assert asked(registries=(Listing("rne"),)) == "registry"
    agreed = (Consent("marketing", "single"),)
    assert asked(service=None, consents=agreed, registries=(Listing("robinson"),)) is None


@pytest.mark.parametrize(
    ("category", "number", "action"),
    [
        ("promotional", SPAIN, "refuse"),
        ("cart_reminder", SPAIN, "refuse"),
        ("transactional", SPAIN, "release"),
        ("debt_claim", FLORIDA, "release"),
        ("legal_notice", FLORIDA, "release"),
        ("otp", FLORIDA, "release"),
    ],
)
def test_what_is_suspected_blocks_advertising_only(
    book: Rulebook, category: str, number: str, action: str
) -> None:
    facts = Facts(opted_out="suspected")
    assert ask(book, number, NOON, category, facts=facts, checks=_CONSENT_ONLY).action == action


_CONSENT_ONLY = frozenset({"consent"})


def test_what_no_rule_speaks_of_passes_nothing() -> None:
    message = Message(to=SPAIN, category="transactional")
    rule, now = service(), datetime(2026, 11, 25, tzinfo=UTC)
    reply = replace(message, service="help_reply")
    assert passed([rule], message, now) == ((), frozenset())
    assert passed([rule], reply, now) == ((rule,), frozenset({"optout", "windows"}))
    assert passed([rule], replace(message, service="double_opt_in"), now) == ((), frozenset())
    assert passed([replace(rule, expires=date(2026, 11, 25))], reply, now) == ((), frozenset())
    doubtful = replace(rule, confidence="low")
    assert passed([rule, doubtful], reply, now) == ((), frozenset())
    other = replace(rule, id="OTHER", passes=frozenset({"windows", "caps"}))
    assert passed([rule, other], reply, now) == ((rule, other), frozenset({"windows"}))


def test_a_service_rule_with_a_mistake_is_refused_by_name(tmp_path: Path) -> None:
    wrong = _SERVICE.replace('"windows"', '"law"').replace('"help_reply"', '"advert"')
    with pytest.raises(ConfigError) as caught:
        load_rulebook([_packs(tmp_path, wrong)])
    settings = {str(problem.fields["setting"]) for problem in caught.value.problems}
    assert any("service" in setting for setting in settings)
    assert any("passes" in setting for setting in settings)


def test_every_number_has_a_rule_for_each_kind_of_reply(book: Rulebook) -> None:
    for number in (SPAIN, FLORIDA, PARIS, "+573001234567", "+819012345678", "+59899123456"):
        for kind in ("optout_confirmation", "optin_confirmation", "help_reply"):
            found = ask(book, number, "2026-11-25T15:00:00Z", "transactional", service=kind)
            assert found.action == "release", (number, kind)
            assert any(isinstance(rule, ServiceRule) for rule in found.grounds), (number, kind)
    assert at(NOON) > at(NIGHT)


_COMMON = """
effective = 2000-01-01
cite = "a law"
url = "https://example.org/law"
confidence = "high"
reviewed = 2026-11-21
"""
_SERVICE = f"""
[[service]]
id = "DEFAULT-SERVICE"
service = "help_reply"
applies = ["transactional"]
passes = ["windows"]
{_COMMON}
[[service]]
id = "DEFAULT-DOI"
service = "double_opt_in"
applies = ["promotional"]
passes = ["consent"]
{_COMMON}
[[optout]]
id = "DEFAULT-OPTOUT"
applies = ["promotional"]
scope = "brand"
{_COMMON}
"""
_SENDER = f"""{_SERVICE}
[[sender]]
id = "DEFAULT-SENDER"
applies = ["transactional"]
kinds = ["short_code"]
forbidden = true
{_COMMON}
"""
_CONSENT = f"""{_SERVICE}
[[consent]]
id = "DEFAULT-CONSENT"
applies = ["promotional"]
purpose = "marketing"
{_COMMON}
[[registry]]
id = "DEFAULT-ROBINSON"
applies = ["promotional"]
registry = "robinson"
unless_consent = true
{_COMMON.replace("reviewed", "max_age_days = 30" + chr(10) + "reviewed")}
[[registry]]
id = "DEFAULT-RNE"
applies = ["promotional"]
registry = "rne"
{_COMMON.replace("reviewed", "max_age_days = 30" + chr(10) + "reviewed")}
[[window]]
id = "DEFAULT-QH"
applies = ["promotional"]
days = "mon-sun"
open = "08:00"
close = "20:00"
on_violation = "hold"
{_COMMON}
"""


def _packs(directory: Path, rules: str) -> Path:
    head = '[ruleset]\njurisdiction = "default"\nname = "test"\nlayer = "law"\nversion = "1"\n'
    (directory / "default.toml").write_text(head + rules)
    return directory

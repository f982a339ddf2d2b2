"""Decisions told as a paragraph with sources, and the rules in force for a number or a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import DataError
from gateway.policy.decide import Facts
from gateway.policy.listing import rules_in_force
from gateway.policy.loader import load_rulebook
from gateway.policy.prose import paragraph
from gateway.policy.request import brand_windows
from tests.policy.samples import ask, at, pack, rule, write_packs

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook

NOW = at("2026-11-24T12:00:00Z")
TODAY = NOW.date()


def told(book: Rulebook, to: str, now: str, category: Any = "promotional", **more: Any) -> str:
    return paragraph(ask(book, to, now, category, **more))


def test_a_hold_is_told_with_its_instant_in_both_times_its_rule_and_its_source(
    book: Rulebook,
) -> None:
    text = told(book, "+33639981234", "2026-11-28T21:00:00Z")
    assert text.startswith(
        "Hold until 2026-11-30T07:00:00Z (Mon 2026-11-30, 08:00 in Europe/Paris): "
        "a promotional message must wait. "
        "The recipient is taken to be in FR, where it is 22:00 on 2026-11-28 (Europe/Paris, shut). "
        "FR-QH (operator, confidence high): it may leave mon-sat 08:00-22:00, "
        "closed on public holidays."
    )
    assert "https://www.af2m.org/sms-marketing]" in text
    assert f"Judged by rules {book.version[:12]}, tzdata " in text


def test_a_hold_for_several_clocks_is_told_in_utc_only(book: Rulebook) -> None:
    text = told(book, "+34600111222", "2026-11-24T22:00:00Z")
    assert text.startswith("Hold until 2026-11-25T08:00:00Z: a promotional message must wait. ")
    assert (
        "may be in ES, where it is 23:00 on 2026-11-24 (Europe/Madrid, shut); or in ES-CN" in text
    )


def test_many_places_are_counted_and_not_listed(book: Rulebook) -> None:
    assert "or in one of 14 more places." in told(book, "+18005550199", "2026-11-24T20:00:00Z")


@pytest.mark.parametrize(
    ("to", "more", "says"),
    [
        ("+33639981234", {"facts": Facts(opted_out="brand")}, "the recipient has opted out"),
        ("+88213000000", {}, "state a location, best a verified one"),
        (
            "+33639981234",
            {"valid_until": NOW},
            "its deadline or validity ends before it may be sent",
        ),
        (
            "+33639981234",
            {"windows": brand_windows([{"open": "02:00", "close": "03:00"}])},
            "waiting does not help",
        ),
    ],
)
def test_a_refusal_says_why(book: Rulebook, to: str, more: dict[str, Any], says: str) -> None:
    text = told(book, to, "2026-11-24T12:00:00Z", **more)
    assert text.startswith("Refuse a promotional message: ")
    assert says in text


def test_a_release_that_no_rule_limits_says_so(book: Rulebook) -> None:
    text = told(book, "+34600111222", "2026-11-24T02:00:00Z", "otp")
    assert text.startswith("Release: a one-time password may go to this number now.")
    assert "Nothing that was judged stands in its way." in text


def test_warnings_are_told(book: Rulebook) -> None:
    text = told(book, "+88213000000", "2026-11-24T02:00:00Z", "otp")
    assert "The number belongs to no country. " in text
    assert "Note: location_unknown: the number belongs to no country. " in text


def test_the_rules_in_force_for_a_number_come_with_what_they_rest_on(book: Rulebook) -> None:
    found = rules_in_force(book, "+33 6 39 98 12 34", TODAY)
    assert next(rule for rule in found if rule["id"] == "FR-QH") == {
        "id": "FR-QH",
        "jurisdiction": "FR",
        "layer": "operator",
        "profile": "law",
        "kind": "window",
        "applies": ["cart_reminder", "promotional"],
        "summary": "mon-sat 08:00-22:00, closed on public holidays",
        "effective": "2018-01-01",
        "expires": None,
        "cite": book.packs["FR"].rules.windows[0].cite,
        "url": "https://www.af2m.org/sms-marketing",
        "confidence": "high",
        "reviewed": "2026-11-21",
    }
    layers = [str(rule["layer"]) for rule in found]
    assert layers == sorted(layers, key=["law", "operator", "house"].index)
    assert set(layers) == {"law", "operator", "house"}


@pytest.mark.parametrize("place", ["GP", "gp", "FR-75", "FR"])
def test_a_part_of_a_country_is_ruled_by_the_countrys_rules(book: Rulebook, place: str) -> None:
    if place == "FR-75":
        with pytest.raises(DataError):
            rules_in_force(book, place, TODAY)
        return
    assert "FR-QH" in [rule["id"] for rule in rules_in_force(book, place, TODAY)]


@pytest.mark.parametrize(
    ("place", "alcohol"), [("IE", "age-gate"), ("NO", "alcohol"), ("default", "alcohol")]
)
def test_a_country_without_a_pack_shows_the_defaults_rules(
    book: Rulebook, place: str, alcohol: str
) -> None:
    found = rules_in_force(book, place, TODAY)
    shown = {rule["jurisdiction"] for rule in found}
    assert shown == {"default", "default-hours", "house", f"house-{alcohol}"}


def test_the_list_of_a_place_holds_the_rules_on_our_own_answers_that_count_there(
    book: Rulebook,
) -> None:
    def services(place: str) -> list[object]:
        shown = rules_in_force(book, place, TODAY)
        return [rule["id"] for rule in shown if rule["kind"] == "service"]

    usual = ["DEFAULT-START-REPLY", "DEFAULT-HELP-REPLY", "DEFAULT-DOUBLE-OPT-IN"]
    assert services("FR") == services("default-eu") == ["DEFAULT-STOP-REPLY", *usual]
    assert services("+13055550123") == ["US-FED-CONFIRM", *usual]
    assert services("house") == []  # it is only inherited: what counts beside it depends on where


def test_house_rules_of_the_seed_profile_are_not_shown_under_law(law: Rulebook) -> None:
    shown = [str(rule["id"]) for rule in rules_in_force(law, "ES", TODAY)]
    assert [name for name in shown if name.startswith("HOUSE")] == [
        "HOUSE-CONSENT",
        "HOUSE-CONSENT-CART",
        "HOUSE-OPTOUT",
        "HOUSE-OPTOUT-ALL",
    ]


def test_only_rules_in_force_on_the_day_are_shown(tmp_path: Path) -> None:
    rules = (
        rule("ES-OLD", expires="2026-11-24"),
        rule("ES-NOW", expires="2026-11-25", confidence='"low"', zone='"Europe/Madrid"'),
        rule("ES-NEW", effective="2026-11-25"),
        rule("ES-URGENT", urgent_bypass="true"),
    )
    book = load_rulebook([write_packs(tmp_path, ES=pack("ES", *rules))])
    found = {str(rule["id"]): rule for rule in rules_in_force(book, "ES", TODAY)}
    assert list(found) == ["ES-NOW", "ES-URGENT"]
    assert found["ES-NOW"]["expires"] == "2026-11-25"
    assert found["ES-NOW"]["summary"] == ("mon-sun 08:00-20:00 (Europe/Madrid time) (warns only)")
    assert found["ES-URGENT"]["summary"] == "mon-sun 08:00-20:00, urgent ones at any hour"


def test_a_place_nobody_knows_is_an_error_with_a_hint(book: Rulebook) -> None:
    with pytest.raises(DataError, match="neither a number nor a jurisdiction") as caught:
        rules_in_force(book, "Narnia", TODAY)
    assert caught.value.hint
    with pytest.raises(DataError, match="have 11 digits"):
        rules_in_force(book, "+3460011122", TODAY)

"""What a lawyer would ask to catch the rules out: edges where two of them, or two clocks, meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import ConfigError, DataError
from gateway.policy.explain import judge
from gateway.policy.listing import rules_in_force
from gateway.policy.loader import load_rulebook, shipped_packs
from gateway.policy.prose import paragraph
from tests.policy.asking import AGREED, HOURS, asked, verdict
from tests.policy.samples import at, pack, rule, waiver, write_packs

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook

P, C, T, L, K = (
    *("promotional", "cart_reminder", "transactional"),
    *("legal_notice", "debt_claim"),
)  # fmt: skip
NOON = "2026-11-24T17:00:00Z"
CAPS = [*HOURS, "caps"]
WHISKY = {"text": "ACME: 20% off whisky. Reply STOP to end", "from": "+34600111200"}


def hours(start: str, end: str, days: str = "mon-sun", zone: str = "") -> list[dict[str, str]]:
    return [{"open": start, "close": end, "days": days, "zone": zone}]


# --- the European Union ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    ["+393331234567", "+351912345678", "+31612345678", "+353850000000", "+32470123456",
     "+48501234567", "+358181234567"],
)  # fmt: skip
def test_a_member_of_the_union_without_a_pack_has_the_age_gate_and_still_the_warning(
    book: Rulebook, number: str
) -> None:
    more: dict[str, Any] = {"brand": "acme", "checks": ["content"], **WHISKY}
    refused = asked(book, number, NOON, P, **more)
    assert (refused["reason"], refused["rules"]) == ("age_gate", ["HOUSE-AGE-GATE"])
    assert refused["warnings"][0].startswith("no_rule_pack: ")
    assert verdict(book, number, NOON, P, age_verified=True, **more) == "release"
    assert verdict(book, number, "2026-11-24T22:30:00Z", P, checks=HOURS).endswith("DEFAULT-QH")


@pytest.mark.parametrize("place", ["GB", "CH", "NZ", "CA", "+4790123456", "+5511900000000"])
def test_outside_of_it_no_verification_of_age_lets_alcohol_go_and_none_is_advised(
    book: Rulebook, place: str
) -> None:
    text = "ACME: 20% off whisky. acme.example/info Reply STOP to end"
    more = {"checks": ["content"], "from": "+34600111200", "text": text, "age_verified": True}
    found = asked(book, place, NOON, P, **more)
    assert found["reason"] == "prohibited_content"
    assert "age_verified" not in str(found["why"])


def test_every_member_of_the_union_has_the_age_gate_and_no_other_country_without_a_pack(
    book: Rulebook,
) -> None:
    members = {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    }
    gated = {
        name
        for name in book.numbering.jurisdictions()
        if len(name) == 2 and "house-age-gate" in [each.jurisdiction for each in book.chain(name)]
    }
    overseas = {"GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF", "AX"}
    assert gated - overseas == {*members, "US", "AU", "PR", "VI", "GU", "AS", "MP"}


def test_a_country_is_stood_in_for_by_one_pack_and_a_place_stands_in_for_none(
    tmp_path: Path,
) -> None:
    one = pack("our-one", head='countries = ["IE", "PT"]')
    packs = write_packs(tmp_path, one=one, two=pack("our-two", head='countries = ["IE"]'))
    with pytest.raises(ConfigError, match="stands in for IE already"):
        load_rulebook([packs])
    write_packs(tmp_path, two=pack("our-two", head='countries = ["XX"]'))
    with pytest.raises(ConfigError, match="'XX' is no country code"):
        load_rulebook([packs])
    write_packs(tmp_path, two=pack("ES", head='countries = ["XK"]'))
    with pytest.raises(ConfigError, match="ES is a place itself"):
        load_rulebook([packs])
    write_packs(tmp_path, two=pack("our-two", head="countries = 3"))
    with pytest.raises(ConfigError, match="must be a list of jurisdictions"):
        load_rulebook([packs])


# --- packs of one's own ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "number", "kept"),
    [
        ("IE", "+353850000000", {"HOUSE-CONSENT", "DEFAULT-QH", "HOUSE-AGE-GATE"}),
        ("NO", "+4790123456", {"HOUSE-CONSENT", "DEFAULT-QH", "HOUSE-NO-ALCOHOL"}),
        ("US-CA", "+13105550123", {"US-FED-QH", "US-FED-CONSENT", "HOUSE-CONSENT"}),
        ("GP", "+590690000000", {"FR-QH", "FR-STOP", "HOUSE-CONSENT"}),
        ("ES", "+34600111222", {"ES-CONSENT", "ES-ALIAS", "HOUSE-CONSENT"}),
    ],
)
def test_a_rule_of_ones_own_adds_to_what_rules_in_its_place_and_displaces_nothing(
    tmp_path: Path, place: str, number: str, kept: set[str]
) -> None:
    text = pack(place, rule("OUR-QH", open='"10:00"')).replace("parents = []\n", "")
    text = text.replace('layer = "law"', 'layer = "house"')
    (tmp_path / "own.toml").write_text(text, "utf-8")
    book = load_rulebook([shipped_packs(), tmp_path])
    assert {"OUR-QH", *kept} <= {
        rule["id"] for rule in rules_in_force(book, number, at(NOON).date())
    }
    assert verdict(book, number, NOON, P, checks=["consent"]).startswith("refuse consent_missing")


def test_a_file_with_only_a_waiver_loosens_that_rule_and_no_other(tmp_path: Path) -> None:
    text = pack("IE", waiver("OUR-W", rule='"DEFAULT-QH"')).replace("parents = []\n", "")
    (tmp_path / "own.toml").write_text(text, "utf-8")
    book = load_rulebook([shipped_packs(), tmp_path])
    more: dict[str, Any] = {"checks": [*HOURS, "consent"]}
    night = "2026-11-24T23:00:00Z"
    assert verdict(book, "IE", night, P, **more) == "refuse consent_missing HOUSE-CONSENT"
    assert verdict(book, "IE", night, P, consent=AGREED, **more) == "release"


def test_a_waiver_stands_in_the_decisions_of_the_places_its_rule_binds_and_in_no_other(
    tmp_path: Path,
) -> None:
    """A decision in the ledger must not say that somebody set a rule aside which never bound it."""
    running = waiver("OUR-W", rule='"FR-QH"')
    over = waiver("OUR-OLD", rule='"FR-STOP"', effective="2020-01-01", expires="2020-02-01")
    text = pack("FR", running, over).replace("parents = []\n", "")
    (tmp_path / "own.toml").write_text(text, "utf-8")
    book = load_rulebook([shipped_packs(), tmp_path])
    france = asked(book, "FR", "2026-11-28T23:00:00Z", P, checks=HOURS)
    assert (france["action"], france["waivers"]) == ("release", ["OUR-W"])
    assert [each.partition(":")[0] for each in france["warnings"]] == ["OUR-W", "OUR-OLD"]
    spain = asked(book, "ES", NOON, P, checks=HOURS)
    assert ("waivers" in spain, spain["warnings"]) == (False, [])
    both = asked(book, "ES", NOON, P, checks=HOURS, location={"country": "FR"})
    assert both["waivers"] == ["OUR-W"]


# --- clocks ---------------------------------------------------------------------------------------

SYDNEY = {"country": "AU", "region": "NSW", "zone": "Australia/Sydney", "evidence": "verified"}


@pytest.mark.parametrize(
    ("why", "place", "now", "windows", "more", "expected"),
    [
        ("a window begins in the gap of spring", "US-NY", "2027-03-14T06:30:00Z",
         hours("02:30", "05:00"), {}, "hold 2027-03-14T07:00:00Z BRAND-1"),
        ("a window ends in the gap", "US-NY", "2027-03-14T06:59:59Z",
         hours("00:00", "02:30"), {}, "release"),
        ("it is over at the gap", "US-NY", "2027-03-14T07:00:00Z",
         hours("00:00", "02:30"), {}, "hold 2027-03-15T04:00:00Z BRAND-1"),
        ("the hour of autumn, first pass", "US-NY", "2026-11-01T05:30:00Z",
         hours("01:00", "02:00"), {}, "release"),
        ("the hour of autumn, second pass", "US-NY", "2026-11-01T06:59:59Z",
         hours("01:00", "02:00"), {}, "release"),
        ("the hour of autumn, over", "US-NY", "2026-11-01T07:00:00Z",
         hours("01:00", "02:00"), {}, "hold 2026-11-02T06:00:00Z BRAND-1"),
        ("closed at 01:30 once, open again at 01:00", "US-NY", "2026-11-01T05:30:00Z",
         hours("00:30", "01:30"), {}, "hold 2026-11-01T06:00:00Z BRAND-1"),
        ("the southern gap, in October", "AU", "2026-10-03T15:59:59Z",
         hours("02:30", "05:00"), {"location": SYDNEY}, "hold 2026-10-03T16:00:00Z BRAND-1"),
        ("the southern second pass, in April", "AU", "2027-04-03T16:30:00Z",
         hours("02:00", "03:00"), {"location": SYDNEY}, "release"),
        ("Friday night goes on after midnight", "GB", "2026-11-28T01:59:59Z",
         hours("22:00", "02:00", "fri"), {}, "release"),
        ("Saturday night does not", "GB", "2026-11-28T22:30:00Z",
         hours("22:00", "02:00", "fri"), {}, "hold 2026-12-04T22:00:00Z BRAND-1"),
    ],
)  # fmt: skip
def test_brand_windows_at_the_edges_of_the_clock(
    book: Rulebook, why: str, place: str, now: str, windows: Any, more: Any, expected: str
) -> None:
    found = verdict(book, place, now, T, checks=HOURS, windows=windows, **more)
    assert found == expected, why


@pytest.mark.parametrize(
    ("why", "place", "now", "category", "expected"),
    [
        ("20 July is over in UTC and not in Bogotá", "CO", "2026-07-21T03:00:00Z", K,
         "hold 2026-07-21T12:00:00Z CO-QH"),
        ("the year has begun in Paris and not in UTC", "FR", "2026-12-31T23:30:00Z", P,
         "hold 2027-01-02T07:00:00Z FR-QH"),
        ("20 December closes Réunion", "RE", "2027-12-20T06:00:00Z", P,
         "hold 2027-12-21T04:00:00Z FR-QH"),
        ("and not Mayotte", "+262639000000", "2027-12-20T06:00:00Z", P, "release"),
        ("Acre lives two hours behind Brasília, whose time counts", "+5568900000000",
         "2026-11-23T11:00:00Z", P, "release"),
        ("toll-free in winter: Connecticut closes all", "toll-free", "2026-11-24T01:00:00Z", P,
         "hold 2026-11-24T18:00:00Z"),
        ("El Paso cannot be told by its window alone", "+19155550123", "2026-11-24T15:30:00Z", P,
         "hold 2026-11-24T16:00:00Z US-TX-QH"),
        ("Chile's claims wait over the clock's gap at midnight", "CL", "2026-09-06T04:00:00Z", K,
         "hold 2026-09-07T11:00:00Z CL-DEBT"),
    ],
)  # fmt: skip
def test_hours_at_the_edges_of_days_and_places(
    book: Rulebook, why: str, place: str, now: str, category: str, expected: str
) -> None:
    assert verdict(book, place, now, category, checks=HOURS).startswith(expected), why


# --- caps with windows and ends -------------------------------------------------------------------


def sent(*times: str, category: str = P) -> list[dict[str, str]]:
    return [{"at": time, "category": category, "campaign": "A"} for time in times]


THREE = sent("2026-11-22T20:00:00Z", "2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z")


@pytest.mark.parametrize(
    ("why", "place", "now", "category", "more", "expected"),
    [
        ("what frees a place comes at the very end", "US-FL", "2026-11-23T18:00:00Z", P,
         {"history": THREE, "valid_until": "2026-11-23T20:00:00Z"},
         "refuse expired_before_window US-FL-CAP"),
        ("one second of life left", "US-FL", "2026-11-23T18:00:00Z", P,
         {"history": THREE, "valid_until": "2026-11-23T20:00:01Z"},
         "hold 2026-11-23T20:00:00Z US-FL-CAP"),
        ("24 hours are elapsed ones over the change of clocks", "US-FL", "2027-03-14T22:30:00Z", P,
         {"history": sent(*["2027-03-13T23:30:00Z"] * 3)}, "hold 2027-03-14T23:30:00Z US-FL-CAP"),
        ("a declared Florida counts for a New York number", "US-NY", "2026-11-23T18:00:00Z", P,
         {"history": THREE, "location": {"country": "US", "region": "FL"}},
         "hold 2026-11-23T20:00:00Z US-FL-CAP"),
        ("a verified New York rebuts the Florida number", "US-FL", "2026-11-23T18:00:00Z", P,
         {"history": THREE,
          "location": {"country": "US", "region": "NY", "evidence": "verified"}}, "release"),
        ("a week of Chile's goes on over new year", "CL", "2027-01-02T13:00:00Z", K,
         {"history": sent("2026-12-28T13:00:00Z", "2026-12-30T13:00:00Z", category=K)},
         "hold 2027-01-04T11:00:00Z"),
        ("Chile's gap ends on a holiday", "CL", "2026-12-07T13:00:00Z", K,
         {"history": sent("2026-12-06T13:00:00Z", category=K)},
         "hold 2026-12-09T11:00:00Z"),
        ("the cart's hours are over before the morning", "US-NY", "2026-11-24T02:30:00Z", C,
         {"cart_abandoned_at": "2026-11-23T12:30:00Z"}, "refuse expired_before_window US-FED-QH"),
        ("in Bogotá yesterday's contact was at 23:59", "CO", "2026-11-24T13:00:00Z", K,
         {"history": sent("2026-11-24T04:59:59Z", category=K)}, "release"),
        ("and today's at midnight", "CO", "2026-11-24T13:00:00Z", K,
         {"history": sent("2026-11-24T05:00:00Z", category=K)}, "hold 2026-11-25T12:00:00Z"),
    ],
)  # fmt: skip
def test_caps_where_they_meet_windows_and_ends(
    book: Rulebook, why: str, place: str, now: str, category: str, more: Any, expected: str
) -> None:
    found = verdict(book, place, now, category, checks=CAPS, campaign="A", **more)
    assert found.startswith(expected), why


# --- texts ----------------------------------------------------------------------------------------


def test_the_french_stop_counts_as_the_months_instruction_and_is_not_warned_about(
    book: Rulebook,
) -> None:
    more: dict[str, Any] = {"checks": ["content"], "from": "ACME", "brand": "acme"}
    found = asked(book, "FR", NOON, P, text="ACME: soldes -20% STOP au 36111", **more)
    assert (found["action"], found["warnings"]) == ("release", [])
    found = asked(book, "FR", NOON, P, text="ACME: soldes -20% STOP au 38111", **more)
    assert found["why"] == [
        "the short code after STOP is not for advertising: one for this begins as 36xxx"
    ]


def test_an_instruction_still_to_come_tells_nobody_how_to_opt_out(book: Rulebook) -> None:
    more: dict[str, Any] = {"checks": ["content"], "from": "+34600111200", "text": "ACME: rebajas"}
    for when, told in (("2026-11-24T17:00:00Z", True), ("2026-11-24T17:00:01Z", False)):
        found = asked(book, "CO", NOON, P, last_optout_instruction_at=when, **more)
        warned = any(each.startswith("HOUSE-OPTOUT-TEXT") for each in found["warnings"])
        assert warned is not told


@pytest.mark.parametrize(("category", "warns"), [(K, True), (L, True), (T, False)])
@pytest.mark.parametrize("profile", ["law", "seed"])
def test_what_looks_like_a_courts_is_warned_about_where_no_law_forbids_it(
    book: Rulebook, category: str, warns: bool, profile: str
) -> None:
    text = "ACME: CITACION JUDICIAL. Juzgado 3. Embargo de bienes"
    more = {"checks": ["content"], "from": "+34600111200", "profile": profile}
    found = asked(book, "ES", NOON, category, text=text, **more)
    assert found["action"] == "release"
    assert any(each.startswith("court_lookalike") for each in found["warnings"]) is warns


@pytest.mark.parametrize(
    "sender", ["+33639981234", "0639981234", "+262692000000", "+590690000000", "+596696000000"]
)
def test_no_french_mobile_number_sends_overseas_ones_neither(book: Rulebook, sender: str) -> None:
    for place in ("FR", "RE"):
        found = verdict(
            book, place, NOON, "otp", text="1234", checks=["sender"], **{"from": sender}
        )
        assert found == "refuse sender_unregistered FR-SENDER-MOBILE"


# --- mistakes in a question -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("registries", ["robinzon"], "registries[0]"),
        ("registries", [{"registry": ""}], "registries[0].registry"),
        ("registries", [{}], "registries[0].registry"),
        ("windows", 0, "windows"),
        ("windows", "", "windows"),
        ("location", [], "location"),
        ("location", "", "location"),
        ("location", False, "location"),
        ("opted_out", 0, "opted_out"),
        ("opted_out", False, "opted_out"),
        ("opted_out", [], "opted_out"),
    ],
)
def test_a_wrong_value_that_looks_like_nothing_is_an_error_and_no_answer(
    book: Rulebook, key: str, value: object, field: str
) -> None:
    with pytest.raises(DataError) as error:
        judge(book, {"to": "+34600111222", "now": NOON, key: value})
    assert error.value.fields["field"] == field
    assert error.value.hint


def test_nothing_stated_is_nothing_known(book: Rulebook) -> None:
    nothing: dict[str, Any] = {
        "registries": None,
        "windows": None,
        "location": {},
        "opted_out": None,
    }
    assert verdict(book, "FR", "2026-11-28T10:00:00Z", P, checks=HOURS, **nothing) == "release"
    assert verdict(book, "FR", "2026-11-28T10:00:00Z", P, checks=HOURS, location=None) == "release"


# --- what a person reads --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "says", "not_"),
    [
        ({"to": "+3460011122"}, "Note: invalid_number: numbers that begin with +34", "to:"),
        ({"to": "+573000000000", "consent": AGREED, "registries": ["rne"]},
         "The recipient is listed in the Registro de Números Excluidos, CRC (CO).", " rne"),
        ({"to": "+56900000000", "category": K, "checks": ["content"], "from": "+34600111200",
          "text": "CITACION JUDICIAL: Juzgado 3, embargo"},
         "the text must not look like a document of a court.", "lookalike"),
        ({"to": "+34600111222", "category": "otp", "checks": []},
         "Nothing that was judged stands in its way.", "No rule"),
        ({"to": "+12125550123", "category": C, "checks": ["windows"],
          "cart_abandoned_at": "2026-11-20T17:00:00Z"},
         "its deadline or validity ends before it may be sent", "waiting"),
    ],
)  # fmt: skip
def test_a_paragraph_says_what_is_true_in_words_a_person_uses(
    book: Rulebook, request_: dict[str, Any], says: str, not_: str
) -> None:
    text = paragraph(judge(book, {"now": NOON, **request_}))
    assert says in text
    assert not_ not in text

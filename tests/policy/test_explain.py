"""`acuse policy explain`: the contract's request, every bad value named, line by line in bulk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import DataError
from gateway.policy.explain import explain, explain_lines, judge
from gateway.policy.prose import paragraph
from gateway.policy.request import brand_windows, parse_location, parse_request

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook

NOON = "2026-11-24T12:00:00Z"
#: The request of the contract, every key in use.
FULL: dict[str, Any] = {
    "to": "+33639981234",
    "category": "promotional",
    "now": "2026-11-28T20:59:59Z",
    "brand": "acme",
    "campaign": "A",
    "from": "ACME",
    "text": "acme: -20% ce soir. STOP 36111",
    "profile": "seed",
    "location": {
        "country": "US",
        "region": "CA",
        "postcode": "90001",
        "zone": "America/Los_Angeles",
        "evidence": "declared",
    },
    "history": [
        {"at": NOON, "category": "promotional", "campaign": "A", "outcome": "accepted"},
    ],
    "consent": [
        {"purpose": "marketing", "granted_at": NOON, "method": "single", "withdrawn_at": None},
    ],
    "cart_abandoned_at": NOON,
    "valid_until": "2026-12-24T12:00:00+01:00",
    "urgent": False,
    "third_party_collector": False,
    "opted_out": None,
    "checks": ["location", "consent", "content", "sender", "windows", "caps"],
    "windows": [
        {
            "zone": "Europe/London",
            "open": "18:00",
            "close": "02:00",
            "days": "mon-sun",
            "applies": ["transactional"],
        }
    ],
}


def asked(**changes: Any) -> dict[str, Any]:
    """The smallest request about a person who agreed to marketing, changed."""
    consent = [{"purpose": "marketing", "method": "double"}]
    return {"to": "+33639981234", "now": NOON, "consent": consent} | changes


def test_the_contracts_request_is_understood_whole(book: Rulebook) -> None:
    answer = explain(book, FULL)
    assert (answer["action"], answer["reason"], answer["until"]) == ("release", None, None)
    assert answer["rules"] == ["FR-QH", "US-FED-QH"]
    parsed = parse_request(book, FULL)
    assert parsed.message.sender == "ACME"
    assert parsed.message.valid_until is not None
    assert parsed.message.valid_until.isoformat() == "2026-12-24T11:00:00+00:00"
    assert parsed.profile == "seed"


def test_only_number_and_time_are_required_and_nothing_else_means_promotional(
    book: Rulebook,
) -> None:
    bare = {"to": "+33 6 39 98 12 34", "now": "2026-11-28T22:00:00+01:00"}
    assert explain(book, bare)["reason"] == "consent_missing"
    answer = explain(book, bare | {"checks": ["location", "windows"]})
    assert list(answer) == [
        "action",
        "until",
        "reason",
        "rules",
        "warnings",
        "candidates",
        "versions",
    ]
    assert (answer["action"], answer["until"]) == ("hold", "2026-11-30T07:00:00Z")
    assert json.loads(json.dumps(answer)) == answer


def test_a_request_may_ask_for_another_profile(book: Rulebook) -> None:
    night = asked(to="+34600111222", now="2026-11-24T02:00:00Z")
    assert explain(book, night)["action"] == "hold"
    assert explain(book, night | {"profile": "law"})["action"] == "release"
    assert explain(book, night | {"profile": None})["action"] == "hold"


def test_null_is_the_same_as_not_given(book: Rulebook) -> None:
    empty = {key: None for key in FULL if key not in ("to", "now")}
    nothing = asked()
    del nothing["consent"]
    assert explain(book, asked(**empty)) == explain(book, nothing)


def test_an_opt_out_may_be_part_of_the_question(book: Rulebook) -> None:
    assert explain(book, asked(opted_out="brand"))["reason"] == "opted_out"
    assert explain(book, asked(opted_out=""))["action"] == "release"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("+3363998", "numbers that begin with +33 have 11 digits"),
        ("+11555012345", "no area code of country code 1 begins with 1"),
        ("hello", "consists of + and digits"),
        ("6622", "4 digits are a short code"),
        ("+9990001112223", "no country code begins with +999"),
    ],
)
def test_a_number_that_nobody_can_have_is_refused_and_said_why(
    book: Rulebook, number: str, says: str
) -> None:
    answer = explain(book, asked(to=number))
    assert (answer["action"], answer["reason"]) == ("refuse", "invalid_number")
    assert (answer["until"], answer["rules"], answer["candidates"]) == (None, [], [])
    assert says in str(answer["warnings"])
    assert answer["versions"] == book.versions
    told = paragraph(judge(book, asked(to=number, category="otp")))
    assert told.startswith("Refuse a one-time password: there can be no such number. ")


def test_a_mistake_elsewhere_is_an_error_also_when_the_number_cannot_be(book: Rulebook) -> None:
    with pytest.raises(DataError) as caught:
        explain(book, asked(to="+3363998", campain="A"))
    assert caught.value.fields["field"] == "campain"
    assert caught.value.hint == "did you mean campaign?"


def test_checks_limit_what_is_judged(book: Rulebook) -> None:
    night = asked(now="2026-11-24T02:00:00Z")
    assert explain(book, night | {"checks": ["windows"]})["action"] == "hold"
    assert explain(book, night | {"checks": ["content", "caps"]})["action"] == "release"


def test_facts_no_rule_asks_for_change_nothing(book: Rulebook) -> None:
    facts = {"history": [{"at": NOON}] * 5, "consent": [{}], "cart_abandoned_at": NOON}
    otp = asked(category="otp")
    assert explain(book, otp | facts) == explain(book, otp)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": None}, "to"),
        ({"to": 33639981234}, "to"),
        ({"to": ""}, "to"),
        ({"to": "0639981234"}, "to"),
        ({"now": None}, "now"),
        ({"now": "yesterday"}, "now"),
        ({"now": "2026-11-24T12:00:00"}, "now"),
        ({"now": 1795521600}, "now"),
        ({"now": "0001-01-01T00:00:00+14:00"}, "now"),
        ({"now": "1971-01-01T00:00:00Z"}, "now"),
        ({"tto": "x"}, "tto"),
        ({"category": "promo"}, "category"),
        ({"category": ["otp"]}, "category"),
        ({"brand": 5}, "brand"),
        ({"campaign": []}, "campaign"),
        ({"from": 5}, "from"),
        ({"text": 5}, "text"),
        ({"profile": "strict"}, "profile"),
        ({"urgent": "no"}, "urgent"),
        ({"third_party_collector": 0}, "third_party_collector"),
        ({"opted_out": "some"}, "opted_out"),
        ({"valid_until": "soon"}, "valid_until"),
        ({"checks": "windows"}, "checks"),
        ({"checks": ["hours"]}, "checks"),
        ({"location": "US"}, "location"),
        ({"location": {"state": "CA"}}, "location.state"),
        ({"location": {"country": 1}}, "location.country"),
        ({"location": {"country": "US", "evidence": "sworn"}}, "location.evidence"),
        ({"location": {"country": "US", "zone": "Europe/Paris"}}, "location.zone"),
        ({"history": {}}, "history"),
        ({"history": [5]}, "history[0]"),
        ({"history": [{"at": NOON}, {"at": "x"}]}, "history[1].at"),
        ({"history": [{}]}, "history[0].at"),
        ({"history": [{"at": NOON, "category": "x"}]}, "history[0].category"),
        ({"history": [{"at": NOON, "campaign": 1}]}, "history[0].campaign"),
        ({"history": [{"at": NOON, "outcome": "lost"}]}, "history[0].outcome"),
        ({"history": [{"at": NOON, "out": "lost"}]}, "history[0].out"),
        ({"consent": [{"purpose": "fun"}]}, "consent[0].purpose"),
        ({"consent": [{"method": "triple"}]}, "consent[0].method"),
        ({"consent": [{"granted_at": "x"}]}, "consent[0].granted_at"),
        ({"consent": [{"withdrawn_at": "2026-01-01"}]}, "consent[0].withdrawn_at"),
        ({"cart_abandoned_at": 5}, "cart_abandoned_at"),
        ({"cart_abandoned_at": "2026-11-24T12:00:01Z"}, "cart_abandoned_at"),
        ({"windows": {"open": "08:00"}}, "windows"),
        ({"windows": [5]}, "windows[0]"),
        ({"windows": [{"open": "08:00"}]}, "windows[0].close"),
        ({"windows": [{"open": "8", "close": "20:00"}]}, "windows[0].open"),
        ({"windows": [{"open": "08:00", "close": "08:00"}]}, "windows[0].close"),
        ({"windows": [{"open": "08:00", "close": "20:00", "days": "x"}]}, "windows[0].days"),
        ({"windows": [{"open": "08:00", "close": "20:00", "zone": "x"}]}, "windows[0].zone"),
        ({"windows": [{"open": "08:00", "close": "20:00", "applies": []}]}, "windows[0].applies"),
        (
            {"windows": [{"open": "08:00", "close": "20:00", "applies": ["x"]}]},
            "windows[0].applies",
        ),
        ({"windows": [{"open": "08:00", "close": "20:00", "until": "x"}]}, "windows[0].until"),
        ({"windows": [{"open": "08:00", "close": "20:00"}] * 51}, "windows"),
    ],
)
def test_every_bad_value_is_one_error_that_names_its_place_and_the_way_out(
    book: Rulebook, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(DataError) as caught:
        explain(book, asked(**changes))
    assert caught.value.fields["field"] == field
    assert caught.value.hint
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("missing", ["to", "now"])
def test_a_missing_number_or_time_is_named(book: Rulebook, missing: str) -> None:
    request = asked()
    del request[missing]
    with pytest.raises(DataError, match=f"{missing}: is missing"):
        explain(book, request)


@pytest.mark.parametrize("request_", [None, [], "x", 5])
def test_a_request_that_is_no_object_is_an_error(book: Rulebook, request_: object) -> None:
    with pytest.raises(DataError, match="must be a JSON object"):
        judge(book, request_)


def test_a_misspelt_key_is_answered_with_the_nearest_known_one(book: Rulebook) -> None:
    with pytest.raises(DataError) as caught:
        explain(book, asked(catgory="otp"))
    assert caught.value.hint == "did you mean category?"


def test_a_location_given_without_evidence_is_only_declared() -> None:
    assert parse_location({"country": "FR"}).evidence == "declared"


def test_a_brands_windows_default_to_every_day_and_category_and_the_recipients_zone() -> None:
    (found,) = brand_windows([{"open": "08:00", "close": "20:00"}])
    assert found.layer == "brand"
    assert len(found.applies) == 6
    assert len(found.hours[0].days) == 7
    assert found.zone == ""


def test_equal_windows_of_a_brand_are_one_object_so_that_schedules_are_shared() -> None:
    one = brand_windows([{"open": "08:00", "close": "20:00"}])
    assert one is brand_windows([{"close": "20:00", "open": "08:00", "days": "mon-sun"}])


def test_one_bad_line_is_an_error_for_that_line_and_the_rest_goes_on(book: Rulebook) -> None:
    good = json.dumps(asked())
    lines = [
        good,
        '{"to":"+33639981234"',
        "",
        "   \n",
        json.dumps(asked(to="0639981234")),
        "[1]",
        "[" * 100_000,
        "1" * 5000,
        '"' + "x" * 1_000_001 + '"',
        json.dumps(asked(**{"\ud800": 1})),
        good,
    ]
    answers = [json.loads(line) for line in explain_lines(book, lines)]
    assert len(answers) == len(lines) - 2
    assert answers[0] == answers[-1] == explain(book, asked())
    bad = [answer["error"] for answer in answers[1:-1]]
    assert [error["fields"]["line"] for error in bad] == [2, 5, 6, 7, 8, 9, 10]
    assert {error["code"] for error in bad} == {"data"}
    assert all(error["hint"] for error in bad)
    assert bad[1]["fields"]["field"] == "to"


def test_every_answer_is_one_line_that_can_be_written_as_utf_8(book: Rulebook) -> None:
    lines = [json.dumps(asked(**{key: 1})) for key in ("\ud800", "ñ", "a\nb")]
    for line in explain_lines(book, [*lines, json.dumps(asked(category="\udc00\n"))]):
        assert "\n" not in line
        line.encode("utf-8")

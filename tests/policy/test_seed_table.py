"""The prefix table line by line against the numbering facts it was corrected by.

Two independent public tables were compared; where they differ, the stricter reading counts: a
prefix that may be on two clocks has both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import phonenumbers
import pytest

from gateway.errors import DataError
from tests.policy.samples import ask
from tests.support import places as known

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook

#: Area codes of North America with more than one clock; the owner may live by any of them.
SEVERAL = {
    "850 448": "US-FL: America/New_York America/Chicago",
    "219 574 812 930": "US-IN: America/Chicago America/Indiana/Indianapolis",
    "270 364 606": "US-KY: America/Chicago America/New_York",
    "423 729": "US-TN: America/New_York America/Chicago",
    "906": "US-MI: America/Detroit America/Menominee",
    "308 402 531": "US-NE: America/Chicago America/Denver",
    "701": "US-ND: America/Chicago America/Denver",
    "605": "US-SD: America/Chicago America/Denver",
    "620 785": "US-KS: America/Chicago America/Denver",
    "432": "US-TX: America/Chicago America/Denver",
    "915": "US-TX: America/Denver",
    "208 986": "US-ID: America/Boise America/Los_Angeles",
    "541 458": "US-OR: America/Los_Angeles America/Boise",
    "775": "US-NV: America/Los_Angeles America/Denver",
    "928": "US-AZ: America/Phoenix America/Denver",
    "907": "US-AK: America/Anchorage America/Adak",
    "236 250 257 672 778": "CA-BC: America/Vancouver America/Edmonton America/Dawson_Creek",
    "807": "CA-ON: America/Toronto America/Winnipeg",
    "709 879": "CA-NL: America/St_Johns America/Goose_Bay",
    "418 581 367": "CA-QC: America/Toronto America/Halifax",
    "306 639 474": "CA-SK: America/Regina America/Edmonton",
    "604": "CA-BC: America/Vancouver",
    "416": "CA-ON: America/Toronto",
    "514": "CA-QC: America/Toronto",
    "403": "CA-AB: America/Edmonton",
    "689 407 305 786 561 813 904 941": "US-FL: America/New_York",
    "787": "PR: America/Puerto_Rico",
    "809": "DO: America/Santo_Domingo",
    "441": "BM: Atlantic/Bermuda",
    "876": "JM: America/Jamaica",
    "284": "VG: America/Tortola",
}
#: Other numbers, where published data is wrong, too coarse, or right and easy to lose.
ELSEWHERE = {
    "+34600111222 +34711000000": "ES@Europe/Madrid ES-CN@Atlantic/Canary",
    "+34928000000 +34922000000": "ES-CN@Atlantic/Canary",
    "+34910000000": "ES@Europe/Madrid",
    "+33639981234 +33700000000": "FR@Europe/Paris",
    "+590690000000": "GP@America/Guadeloupe BL@America/Guadeloupe MF@America/Guadeloupe",
    "+594694000000": "GF@America/Cayenne",
    "+596696000000": "MQ@America/Martinique",
    "+508550000": "PM@America/Miquelon",
    "+687750000": "NC@Pacific/Noumea",
    "+68987000000": "PF@Pacific/Tahiti PF@Pacific/Marquesas PF@Pacific/Gambier",
    "+262692000000 +262693000000": "RE@Indian/Reunion",
    "+262639000000": "YT@Indian/Mayotte",
    "+573000000000": "CO@America/Bogota",
    "+525500000000": "MX@America/Mexico_City",
    "+526640000000 +526860000000": "MX@America/Tijuana",
    "+526560000000": "MX@America/Ciudad_Juarez",
    "+529980000000": "MX@America/Cancun",
    "+528670000000 +528680000000": "MX@America/Matamoros",
    "+526140000000 +526250000000 +526270000000 +526360000000 +526390000000":
        "MX@America/Chihuahua",
    "+5581900000000 +5587900000000": "BR@America/Recife",
    "+5593900000000 +5594900000000": "BR@America/Belem",
    "+5511900000000": "BR@America/Sao_Paulo",
    "+5592900000000": "BR@America/Manaus",
    "+51900000000": "PE@America/Lima",
    "+56900000000": "CL@America/Santiago",
    "+584120000000": "VE@America/Caracas",
    "+59170000000": "BO@America/La_Paz",
    "+593990000000": "EC@America/Guayaquil EC@Pacific/Galapagos",
    "+595961000000": "PY@America/Asuncion",
    "+59894000000": "UY@America/Montevideo",
    "+50680000000": "CR@America/Costa_Rica",
    "+50250000000": "GT@America/Guatemala",
    "+50760000000": "PA@America/Panama",
    "+447400000000": "GB@Europe/London",
    "+447797000000": "JE@Europe/Jersey",
    "+447781000000": "GG@Europe/Guernsey",
    "+447624000000": "IM@Europe/Isle_of_Man",
    "+77010000000": "KZ@Asia/Almaty",
    "+212600000000": "MA@Africa/Casablanca",
    "+882130000000 +870770000000": "001@",
}  # fmt: skip


def pairs(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(key, text) for keys, text in table.items() for key in keys.split()]


def zones(book: Rulebook, number: str) -> list[str]:
    numbering = book.numbering
    return [f"{p.jurisdiction}@{p.zone}" for p in numbering.places(numbering.normalise(number))]


@pytest.mark.parametrize(("npa", "expected"), pairs(SEVERAL))
def test_an_area_code_is_on_each_clock_its_owners_may_live_by(
    book: Rulebook, npa: str, expected: str
) -> None:
    jurisdiction, _, names = expected.partition(": ")
    assert zones(book, f"+1{npa}5550123") == [f"{jurisdiction}@{zone}" for zone in names.split()]


@pytest.mark.parametrize(("number", "expected"), pairs(ELSEWHERE))
def test_a_number_elsewhere_is_where_its_plan_says(
    book: Rulebook, number: str, expected: str
) -> None:
    assert zones(book, number) == expected.split()


def test_the_three_territories_of_northern_canada_share_an_area_code(book: Rulebook) -> None:
    assert set(zones(book, "+18675550123")) == {
        "CA-YT@America/Whitehorse",
        "CA-NT@America/Inuvik",
        "CA-NU@America/Rankin_Inlet",
        "CA-NU@America/Iqaluit",
    }


def test_russian_numbers_are_on_russian_clocks_only(book: Rulebook) -> None:
    found = zones(book, "+79160000000")
    assert {place.partition("@")[0] for place in found} == {"RU"}
    assert len(found) > 5


def test_published_data_calls_exactly_these_area_codes_in_service_invalid(book: Rulebook) -> None:
    # When it learns one of them, the entry in tests/support/places.py can go; when the list grows,
    # somebody found another area code that must not be refused.
    unknown = set()
    for npa in map(str, range(200, 1000)):
        jurisdiction = zones(book, f"+1{npa}5550123")[0].partition("@")[0]
        number = phonenumbers.parse(f"+1{npa}5550123")
        of_a_state = jurisdiction[:3] in ("US-", "CA-") and jurisdiction != "US-*"
        if of_a_state and not phonenumbers.is_valid_number(number):
            unknown.add(npa)
    assert unknown == {"621", "679", "729", "357", "837", "457", "471", "483"}
    assert unknown == set(known.UNLISTED)


def test_every_area_code_that_published_data_calls_a_place_is_in_the_table(
    book: Rulebook,
) -> None:
    kinds = (
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.MOBILE,
    )
    for npa in map(str, range(200, 1000)):
        number = phonenumbers.parse(f"+1{npa}5550123")
        if phonenumbers.number_type(number) in kinds:
            assert not zones(book, f"+1{npa}5550123")[0].startswith("US-*"), npa


@pytest.mark.parametrize("number", ["+33690000000", "+33692000000", "+16215550123"])
def test_what_published_validity_refuses_is_sent_all_the_same(book: Rulebook, number: str) -> None:
    assert not phonenumbers.is_valid_number(phonenumbers.parse(number))
    assert book.numbering.normalise(number) == number


@pytest.mark.parametrize(
    ("old", "new"), [("+5215500000000", "+525500000000"), ("+52 1 614 000 0000", "+526140000000")]
)
def test_the_old_mexican_1_is_taken_away_before_the_number_is_placed(
    book: Rulebook, old: str, new: str
) -> None:
    assert book.numbering.normalise(old) == new


def test_a_mexican_number_whose_area_code_begins_with_1_would_be_one_digit_longer(
    book: Rulebook,
) -> None:
    with pytest.raises(DataError, match="have 12 digits"):
        book.numbering.normalise("+5215500000")


@pytest.mark.parametrize("number", ["+18005550199", "+18335550199", "+15005550123", "+17005550123"])
def test_a_number_of_no_state_is_bound_by_the_country_and_every_state_with_rules(
    book: Rulebook, number: str
) -> None:
    decision = ask(book, number, "2026-11-24T20:00:00Z")
    bound = {candidate.jurisdiction for candidate in decision.candidates}
    assert bound == {"US", *(name for name in book.packs if name.startswith("US-"))}
    zones_of_the_country = {c.zone for c in decision.candidates if c.jurisdiction == "US"}
    assert {"America/New_York", "Pacific/Honolulu", "America/Anchorage"} <= zones_of_the_country

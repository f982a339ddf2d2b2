"""The shipped prefix table against its generator and against the published data it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from phonenumbers import timezone as published

from gateway.policy.calendar import known_zones
from gateway.policy.numbering import load_numbering
from gateway.resources import config_directory
from tests.policy.samples import at
from tests.support import make_prefixes
from tests.support.counting import calls_of

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook

#: Area codes of the seven states with rules of their own: confirmed by two independent tables.
STATES = {
    "FL": "239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 "
    "941 954",
    "OK": "405 539 572 580 918",
    "WA": "206 253 360 425 509 564",
    "CT": "203 475 860 959",
    "MD": "227 240 301 410 443 667",
    "NJ": "201 551 609 640 732 848 856 862 908 973",
    "TX": "210 214 254 281 325 346 361 409 430 432 469 512 621 682 713 726 737 806 817 830 832 "
    "903 915 936 940 945 956 972 979",
}
#: Countries where the published zones of a mobile number are known to be wrong or too many.
CORRECTED = {
    "AU": "one of the zones is missing: Darwin",
    "CN": "the law's clock",
    "DZ": "published as Paris",
    "FM": "an island's prefix is published for a mobile number",
    "ID": "a town's prefix is published for a mobile number",
    "GL": "one of the zones is missing: Danmarkshavn",
    "KZ": "published as all of Russia",
    "LY": "published as Bucharest",
    "MA": "published as Canary",
    "MN": "published with Choibalsan",
    "NI": "published as Chicago",
    "PG": "one of the zones is missing: Bougainville",
    "PS": "published as Bucharest",
    "RE": "the prefix tells which",
    "RU": "published as sixteen zones, Kazakhstan's among them",
    "SS": "published as Nairobi",
    "YT": "the prefix tells which",
}
#: Countries whose mobile numbers cannot be told from a larger neighbour's on the same code.
SHARED = {
    "AX": "FI", "BL": "FR", "CC": "AU", "CX": "AU", "EH": "MA", "MF": "FR", "SJ": "NO", "VA": "IT"
}  # fmt: skip
NANP = set(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1])


def test_the_shipped_table_is_what_the_generator_writes_now() -> None:
    shipped = (config_directory() / "prefixes.csv").read_text("utf-8")
    assert shipped == make_prefixes.table(), "run: python -m tests.support.make_prefixes"


def test_loading_the_table_takes_few_steps_a_row() -> None:
    path = config_directory() / "prefixes.csv"
    rows = len(path.read_text("utf-8").splitlines())
    assert calls_of(lambda: load_numbering(path)) < 5 * rows


@pytest.mark.parametrize("state", STATES)
def test_every_area_code_of_a_state_with_rules_of_its_own_is_known(
    book: Rulebook, state: str
) -> None:
    known = {
        npa
        for npa in map(str, range(200, 1000))
        if book.numbering.places(f"+1{npa}5550123")[0].jurisdiction == f"US-{state}"
    }
    assert known == set(STATES[state].split())


def clock(zone: str) -> tuple[object, ...]:
    return tuple(
        at(day + "T12:00:00Z").astimezone(ZoneInfo(zone)).utcoffset()
        for day in ("2026-12-15", "2027-03-20", "2027-07-15", "2027-10-28")
    )


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS - {"TA"}))
def test_a_mobile_number_is_placed_in_the_country_and_zones_that_are_published(
    book: Rulebook, region: str
) -> None:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert number is not None
    text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    places = book.numbering.places(book.numbering.normalise(text))
    countries = {book.areas.get(p.jurisdiction) or p.jurisdiction[:2] for p in places}
    assert countries == {SHARED.get(region) or book.areas.get(region) or region}
    islands = region in NANP - {"US", "CA"}  # published as every zone of country code 1
    if not islands and region not in CORRECTED and SHARED.get(region) not in CORRECTED:
        expected = {clock(zone) for zone in published.time_zones_for_number(number)}
        assert {clock(place.zone) for place in places} == expected


def test_every_possible_length_of_every_country_is_accepted(book: Rulebook) -> None:
    for region in sorted(phonenumbers.SUPPORTED_REGIONS - NANP):
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        assert metadata is not None
        assert metadata.general_desc is not None
        code = f"+{metadata.country_code}"
        for length in metadata.general_desc.possible_length:
            total = len(code) - 1 + length
            if 7 <= total <= 15:
                book.numbering.normalise(code + "9" * length)


def test_every_zone_of_the_table_exists_and_every_country_has_one(book: Rulebook) -> None:
    for jurisdiction in book.numbering.jurisdictions():
        zones = book.numbering.zones(jurisdiction)
        assert zones
        assert set(zones) <= known_zones()
    for region in phonenumbers.SUPPORTED_REGIONS:
        assert book.numbering.zones(region), region


def test_a_country_lists_no_two_zones_that_keep_the_same_time(book: Rulebook) -> None:
    for jurisdiction in filter(lambda name: len(name) == 2, book.numbering.jurisdictions()):
        clocks = [make_prefixes._clock(zone) for zone in book.numbering.zones(jurisdiction)]
        assert len(set(clocks)) == len(clocks), jurisdiction

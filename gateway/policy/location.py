"""Where the recipient is, beside what the number says: facts with evidence.

A verified location displaces the number's places, a declared one is added to them (windows
intersect). A US debt claim must suit every location that is known: 12 CFR 1006.6(b).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal

from gateway.errors import DataError
from gateway.policy.calendar import known_zones, offset_at
from gateway.policy.numbering import NOWHERE, Numbering, Place

if TYPE_CHECKING:
    from collections.abc import Mapping

Evidence = Literal["verified", "declared"]
EVIDENCE: Final = ("verified", "declared")
#: Countries whose subdivisions the table lists completely: another name is a mistake.
COMPLETE: Final = ("US", "CA")
#: 15 January and 15 July 2027: the seasons tell apart zones that differ.
_SEASONS_S: Final = (1_800_000_000, 1_815_609_600)
_REGION: Final = re.compile(r"[A-Z0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Location:
    """What is known of the recipient's place; "" = not known. Codes as ISO 3166."""

    country: str = ""
    region: str = ""
    postcode: str = ""
    zone: str = ""
    evidence: Evidence = "declared"


def locate(
    location: Location, numbered: tuple[Place, ...], numbering: Numbering, areas: Mapping[str, str]
) -> tuple[Place, ...]:
    """The places the location stands for.

    *numbered* are the number's own places: they say the country when the location does not.
    *areas* maps jurisdictions that have a code of their own to the country they belong to (GP: FR).

    Raises:
        DataError: a part is unknown, or parts contradict each other.
    """
    country = location.country.upper() or _country_of(numbered, areas)
    if country in areas:
        country, jurisdiction = areas[country], country
        if location.region:
            _agree(_region(location, country, numbering, areas), jurisdiction, "region")
    elif "-" in country or not numbering.zones(country):
        raise DataError(
            f"location.country: {location.country!r} is no country code",
            hint="use the two letters of ISO 3166, as ES",
            field="location.country",
        )
    else:
        jurisdiction = _region(location, country, numbering, areas) if location.region else country
    posted = _posted(location.postcode, country, numbering)
    if posted and jurisdiction != country:
        _agree(posted, jurisdiction, "postcode")
    elif posted:
        jurisdiction = posted
    zones = numbering.zones(jurisdiction) or numbering.zones(country)
    if location.zone:
        zones = (_zone(location.zone, zones, jurisdiction),)
    if jurisdiction == "US":
        jurisdiction = "US-*"  # some state, unknown which
    return tuple(Place(jurisdiction, zone) for zone in zones)


def _country_of(numbered: tuple[Place, ...], areas: Mapping[str, str]) -> str:
    countries = {
        areas.get(place.jurisdiction, place.jurisdiction.partition("-")[0]) for place in numbered
    }
    if len(countries) > 1 or NOWHERE in countries:
        raise DataError(
            "location.country: the number does not say the country",
            hint="add the country's two letters, as ES",
            field="location.country",
        )
    return countries.pop()


def _region(
    location: Location, country: str, numbering: Numbering, areas: Mapping[str, str]
) -> str:
    """`CA`, `US-CA`, and for parts with a code of their own that code, as a jurisdiction."""
    region = location.region.upper().removeprefix(country + "-")
    if areas.get(region) == country:
        return region
    jurisdiction = f"{country}-{region}"
    known = bool(numbering.zones(jurisdiction))
    if not known and country not in COMPLETE:
        # A department of France is the beginning of its postcodes: 971 is Guadeloupe.
        jurisdiction = numbering.postcodes.get(country, {}).get(region, jurisdiction)
        known = True
    if not (known and _REGION.fullmatch(region)):
        raise DataError(
            f"location.region: {location.region!r} is no part of {country}",
            hint="use the code of ISO 3166-2, as CA or US-CA for California",
            field="location.region",
        )
    return jurisdiction


def _posted(postcode: str, country: str, numbering: Numbering) -> str:
    """The jurisdiction a postcode lies in; "" when the table does not know."""
    beginnings = numbering.postcodes.get(country, {})
    compact = postcode.replace(" ", "").upper()
    for length in range(len(compact), 0, -1):
        if compact[:length] in beginnings:
            return beginnings[compact[:length]]
    return ""


def _agree(found: str, jurisdiction: str, part: str) -> None:
    if found != jurisdiction:
        raise DataError(
            f"location.{part}: it lies in {found}, the rest of the location says {jurisdiction}",
            hint="leave out what is not certain",
            field=f"location.{part}",
        )


def _zone(name: str, zones: tuple[str, ...], jurisdiction: str) -> str:
    if name not in known_zones():
        near = get_close_matches(name, known_zones(), n=1)
        raise DataError(
            f"location.zone: {name!r} is no time zone",
            hint=f"did you mean {near[0]}?" if near else "use an IANA name, as Europe/Madrid",
            field="location.zone",
        )
    if not any(_same_clock(name, zone) for zone in zones):
        raise DataError(
            f"location.zone: nobody in {jurisdiction} lives by {name}",
            hint=f"zones there: {', '.join(zones)}",
            field="location.zone",
        )
    return name


def _same_clock(one: str, other: str) -> bool:
    return all(offset_at(one, at) == offset_at(other, at) for at in _SEASONS_S)

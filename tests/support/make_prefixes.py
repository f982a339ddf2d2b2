"""Writes `config/prefixes.csv`: `python -m tests.support.make_prefixes`.

Countries, area codes and lengths come from `phonenumbers`, zones of countries from `tzdata`, and
`places.py` corrects both. Run it when one of them changes; a test compares the file and the result.
"""

from __future__ import annotations

import re
import zoneinfo
from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.tzdata import TIMEZONE_DATA

from gateway.policy.calendar import data_versions, use_pinned_zones
from gateway.resources import config_directory
from tests.support import places

if TYPE_CHECKING:
    from collections.abc import Iterable

STATES = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA",
    "Colorado": "CO", "Connecticut": "CT", "Delaware": "DE", "Florida": "FL", "Georgia": "GA",
    "Hawaii": "HI", "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA",
    "Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME", "Maryland": "MD",
    "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS",
    "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH",
    "New Jersey": "NJ", "New Mexico": "NM", "New York": "NY", "North Carolina": "NC",
    "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK", "Oregon": "OR", "Pennsylvania": "PA",
    "Rhode Island": "RI", "South Carolina": "SC", "South Dakota": "SD", "Tennessee": "TN",
    "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington State": "WA",
    "Washington D.C.": "DC", "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY",
}  # fmt: skip
PROVINCES = {
    "Alberta": "AB", "British Columbia": "BC", "British Colombia": "BC", "Manitoba": "MB",
    "New Brunswick": "NB", "Newfoundland and Labrador": "NL", "Ontario": "ON", "Quebec": "QC",
    "Saskatchewan": "SK",
}  # fmt: skip


def main() -> None:
    """Write the file."""
    use_pinned_zones()
    (config_directory() / "prefixes.csv").write_text(table(), "utf-8")


def table() -> str:
    """The whole file."""
    rows = _countries() | _area_codes() | _north_america()
    for keys, text in places.PREFIX_PLACES.items():
        for key in keys.split():
            lengths = rows.get(key, ("", ""))[0]
            rows[key] = (lengths, text)
    lines = [
        "# Which places a number may belong to. Written by tests/support/make_prefixes.py,",
        f"# from phonenumbers {phonenumbers.__version__} and tzdata {data_versions()['tzdata']}.",
    ]
    lines += [f"={name};{' '.join(zones)}" for name, zones in sorted(_zones().items())]
    lines += [
        f"~{country};{postcode};{jurisdiction}"
        for country, codes in (places.POSTCODES | {"US": _zip_codes()}).items()
        for postcode, jurisdiction in sorted(codes.items())
    ]
    lines += [f"+{key};{lengths};{text}" for key, (lengths, text) in sorted(_compact(rows).items())]
    return "\n".join(lines) + "\n"


Rows = dict[str, tuple[str, str]]  # prefix → (lengths, places)


def _compact(rows: Rows) -> Rows:
    """Ten sisters that agree become their parent; what the parent says is not repeated."""
    folded = dict(rows)
    for length in range(max(map(len, rows)) - 1, 0, -1):
        for parent in {key[:length] for key in folded if len(key) == length + 1}:
            sisters = [parent + digit for digit in "0123456789"]
            said = {folded.get(sister) for sister in sisters}
            if parent not in folded and len(said) == 1 and None not in said:
                folded[parent] = folded[sisters[0]]
                for sister in sisters:
                    del folded[sister]
    kept: Rows = {}
    for key in sorted(folded):
        shorter = [kept[key[:n]][1] for n in range(len(key) - 1, 0, -1) if key[:n] in kept]
        if folded[key][0] or not shorter or shorter[0] != folded[key][1]:
            kept[key] = folded[key]
    return kept


def _countries() -> Rows:
    """One row for every country code, with the zones of its main country."""
    rows: Rows = {}
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        lengths = {
            len(str(code)) + length
            for region in regions
            for length in _lengths(_metadata(code, region))
        }
        if regions[0] == "001":
            text = "001@"
        elif code == 1:
            text = "US-*@" + " ".join(_zones()["US"])
        else:
            text = f"{regions[0]}@{' '.join(_zones()[regions[0]])}"
        if code == 1:
            lengths = {11}  # shorter ones are local dialling
        rows[str(code)] = (",".join(map(str, sorted(n for n in lengths if n <= 15))), text)
    return rows


def _metadata(code: int, region: str) -> phonenumbers.PhoneMetadata:
    found = (
        phonenumbers.PhoneMetadata.metadata_for_nongeo_region(code)
        if region == "001"
        else phonenumbers.PhoneMetadata.metadata_for_region(region)
    )
    assert found is not None
    return found


def _lengths(metadata: phonenumbers.PhoneMetadata) -> tuple[int, ...]:
    assert metadata.general_desc is not None
    return tuple(metadata.general_desc.possible_length)


def _area_codes() -> Rows:
    """Zones by area code where mobile numbers have one."""
    rows: Rows = {}
    for code, (region, digits, mobile) in places.BY_AREA_CODE.items():
        clocks = {_clock(zone) for zone in _zones()[region]}
        for number in range(10 ** (digits - 1), 10**digits):
            key = f"{code}{number}"
            own = [zone for zone in _longest(key + mobile, len(code)) if _clock(zone) in clocks]
            if own:
                rows[key] = ("", f"{region}@{' '.join(_distinct(own))}")
    return rows


def _longest(key: str, beyond: int) -> tuple[str, ...]:
    """What the published data says of the longest known prefix, longer than *beyond* digits."""
    for length in range(len(key), beyond, -1):
        if key[:length] in TIMEZONE_DATA:
            return tuple(TIMEZONE_DATA[key[:length]])
    return ()


def _north_america() -> Rows:
    """Area codes of country code 1."""
    zones = {npa: text for keys, text in places.NPA_ZONES.items() for npa in keys.split()}
    several = {npa: text for keys, text in places.NPA_PLACES.items() for npa in keys.split()}
    rows: Rows = {}
    for number in range(200, 1000):
        npa = str(number)
        jurisdiction = places.UNLISTED.get(npa) or _jurisdiction(npa)
        if npa in several:
            rows["1" + npa] = ("", several[npa])
        elif jurisdiction:
            own = zones.get(npa) or " ".join(_npa_zones(npa, jurisdiction))
            rows["1" + npa] = ("", f"{jurisdiction}@{own}")
    return rows


def _jurisdiction(npa: str) -> str:
    """`US-FL`, `CA-ON`, `JM`; "" for area codes of no place, such as 800."""
    for name, _ in _descriptions().get(npa, Counter()).most_common(1):
        if name in STATES or name in STATES.values():
            return "US-" + STATES.get(name, name)
        if name in PROVINCES or name in PROVINCES.values():
            return "CA-" + PROVINCES.get(name, name)
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]:
        leading = _metadata(1, region).leading_digits
        if region not in ("US", "CA") and leading and re.fullmatch(leading, npa):
            return str(region)
    return ""


@cache
def _descriptions() -> dict[str, Counter[str]]:
    """Area code → states its exchanges are described by."""
    found: dict[str, Counter[str]] = {}
    for prefix, entry in GEOCODE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4 and "en" in entry:
            name = entry["en"].rpartition(", ")[2]
            found.setdefault(prefix[1:4], Counter())[name] += 1
    return found


def _npa_zones(npa: str, jurisdiction: str) -> list[str]:
    """The zones of the place that the published data knows for the area code."""
    published = {
        _clock(zone)
        for prefix, zones in TIMEZONE_DATA.items()
        if prefix.startswith("1" + npa)
        for zone in zones
    }
    own = list(_zones()[jurisdiction])
    return [zone for zone in own if _clock(zone) in published] or own


@cache
def _zones() -> dict[str, tuple[str, ...]]:
    """Zones of every jurisdiction; of several that keep the same time, one."""
    listed: dict[str, list[str]] = {}
    now = [line[2] for line in _tab("zonenow.tab")]
    for country, _, zone, *_ in _tab("zone.tab"):
        listed.setdefault(country, []).append(zone)
    zones = {
        country: _distinct(sorted(names, key=lambda name: name not in now))
        for country, names in listed.items()
        if country not in ("AQ", "UM")
    }
    zones |= {name: tuple(text.split()) for name, text in places.COUNTRY_ZONES.items()}
    zones |= {f"US-{name}": tuple(text.split()) for name, text in places.STATE_ZONES.items()}
    zones |= {f"CA-{name}": tuple(text.split()) for name, text in places.PROVINCE_ZONES.items()}
    return zones | {"ES-CN": ("Atlantic/Canary",)}


def _tab(name: str) -> list[list[str]]:
    text = resources.files("tzdata").joinpath("zoneinfo", name).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    found: dict[object, str] = {}
    for name in names:
        found.setdefault(_clock(name), name)
    return tuple(found.values())


@cache
def _clock(name: str) -> tuple[timedelta | None, ...]:
    """The zone's offsets from November 2026 for three years."""
    zone = zoneinfo.ZoneInfo(name)
    start = datetime(2026, 11, 1, tzinfo=zone)
    return tuple((start + timedelta(days=week * 7)).utcoffset() for week in range(160))


def _zip_codes() -> dict[str, str]:
    """ZIP beginnings of three digits, of two where all ten agree."""
    codes = {
        f"{number:03d}": f"US-{state}"
        for state, ranges in places.ZIP3.items()
        for first, last in (part.split("-") for part in ranges.split())
        for number in range(int(first), int(last) + 1)
    }
    for number in range(100):
        ten = [f"{number:02d}{digit}" for digit in range(10)]
        states = {codes.get(code, "") for code in ten}
        if len(states) == 1 and "" not in states:
            for code in ten:
                del codes[code]
            codes[f"{number:02d}"] = states.pop()
    return codes


if __name__ == "__main__":
    main()

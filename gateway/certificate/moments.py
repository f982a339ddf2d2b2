"""Times as a certificate writes them: UTC always, and the hour of the recipient's place."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.errors import DataError

if TYPE_CHECKING:
    from gateway.certificate.facts import Facts
    from gateway.certificate.words import Words

#: More places than these are no help to a reader.
MOST_ZONES = 3
_UTC = "UTC"
#: 9999-01-01T00:00:00Z
_END_MS = 253_370_764_800_000


@cache
def _zones() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def zone(name: str) -> ZoneInfo | None:
    """The zone of the pinned `tzdata` (never the system's, which is another on each machine)."""
    if name not in _zones():
        return None
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def places(facts: Facts) -> list[str]:
    """The zones the recipient may be in, by the decisions; empty where none is known."""
    found: list[str] = []
    for one in facts.events:
        for item in one.mapping("decision").objects("local"):
            name = one.part("local", item).text("zone")
            if name not in found and zone(name) is not None:
                found.append(name)
    return found


def local(instant_ms: int, name: str) -> datetime:
    """The instant by the clocks of the zone *name* (`places`, or UTC).

    Raises:
        DataError: it lies before 1970 or after 9998, where calendars have no place for a zone.
    """
    if not 0 <= instant_ms < _END_MS:
        raise DataError(
            "an entry has a time that no calendar has in every zone",
            hint="no certificate is made of an entry that Acuse does not write like this",
            field="t",
        )
    moment = datetime.fromtimestamp(instant_ms // 1000, UTC)
    there = None if name == _UTC else zone(name)
    return moment if there is None else moment.astimezone(there)


def exact(instant_ms: int, name: str = _UTC) -> str:
    """`2026-11-21 10:00:00.477`."""
    return f"{local(instant_ms, name):%Y-%m-%d %H:%M:%S}.{instant_ms % 1000:03d}"


def there(instant_ms: int, name: str, *, exactly: bool = True) -> str:
    """By the clocks of *name*; the date only where it is another than in UTC."""
    shown, utc = (
        (exact(instant_ms, name), exact(instant_ms))
        if exactly
        else (claimed(instant_ms, name), claimed(instant_ms))
    )
    return shown[11:] if shown[:10] == utc[:10] else shown


def claimed(instant_ms: int, name: str = _UTC) -> str:
    """The same of a time known to the minute, or to the second where it has seconds."""
    form = "%Y-%m-%d %H:%M:%S" if instant_ms // 1000 % 60 else "%Y-%m-%d %H:%M"
    return local(instant_ms, name).strftime(form)


class Calendar:
    """Dates in words, by the clocks of the first place the recipient may be in."""

    def __init__(self, words: Words, zones: list[str]) -> None:
        self._words = words
        self.zone = zones[0] if zones else _UTC

    def date(self, instant_ms: int, name: str | None = None) -> str:
        """`21 de noviembre de 2026`."""
        day = local(instant_ms, name or self.zone)
        month = self._words.month(day.month)
        return self._words("date", "form", day=day.day, month=month, year=day.year)

    def time(self, instant_ms: int, name: str | None = None) -> str:
        """`11:00:00`."""
        return f"{local(instant_ms, name or self.zone):%H:%M:%S}"

    def moment(self, instant_ms: int) -> str:
        """`el 21 de noviembre de 2026 a las 11:00:00 (Europe/Madrid)`."""
        return self._words(
            "date",
            "moment",
            date=self.date(instant_ms),
            time=self.time(instant_ms),
            zone=self.zone if self.zone == _UTC else f"{self.zone}, UTC{self.offset(instant_ms)}",
        )

    def offset(self, instant_ms: int) -> str:
        """`+01:00`."""
        text = f"{local(instant_ms, self.zone):%z}"
        return f"{text[:3]}:{text[3:5]}"

"""From a number to the places its owner may be in, by an own longest-prefix table.

The table (`config/prefixes.csv`) is made at build time from published numbering data and corrected
by hand; nothing guesses at run time. Rows of the file, fields separated by `;`:

    +34928;11;ES-CN@Atlantic/Canary          prefix; lengths (all digits); places, `|` between them
    =US-FL;America/New_York America/Chicago  jurisdiction; all its zones
    ~FR;972;MQ                               country; first characters of a postcode; jurisdiction

A row without lengths takes those of the next shorter prefix. `US-*` means some state, unknown
which; `001` a number of no country.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pathlib import Path

#: Jurisdiction of numbers that belong to no country (satellite phones, global networks).
NOWHERE: Final = "001"
#: What people write between digits.
_SEPARATORS: Final = str.maketrans("", "", " -.()/\u00a0\u202f\u2011")
_MAX_DIGITS: Final = 15  # ITU-T E.164 section 6
_MIN_DIGITS: Final = 7
_SHORT_CODE_MOST: Final = 6
_LENGTHS: Final = re.compile(r"(\d+(,\d+)*)?")
_HINT: Final = "write it in international form, as +34600111222"


@dataclass(frozen=True, slots=True)
class Place:
    """A jurisdiction and the local time there; `zone` is "" where no local time is known."""

    jurisdiction: str
    zone: str


@dataclass(frozen=True, slots=True)
class _Row:
    lengths: frozenset[int]
    places: tuple[Place, ...]


class Numbering:
    """The prefix table, and the zones and postcodes of jurisdictions that came with it."""

    __slots__ = ("_heads", "_rows", "_zones", "postcodes", "version")

    def __init__(
        self,
        rows: dict[str, _Row],
        zones: dict[str, tuple[str, ...]],
        postcodes: dict[str, dict[str, str]],
        version: str,
    ) -> None:
        self._rows = rows
        self._zones = zones
        # Lengths of the prefixes that begin with the same digit, longest first.
        self._heads: dict[str, tuple[int, ...]] = {
            head: tuple(sorted({len(row) for row in rows if row[:2] == head}, reverse=True))
            for head in {row[:2] for row in rows}
        }
        #: Country → first characters of a postcode → jurisdiction.
        self.postcodes = postcodes
        self.version = version

    def places(self, number: str) -> tuple[Place, ...]:
        """Every place the number's owner may be in, as the prefix says.

        The same tuple object for every number of one prefix, so that it can key a cache.

        Raises:
            DataError: no country code begins like this.
        """
        return self._row(number, "to").places

    def zones(self, jurisdiction: str) -> tuple[str, ...]:
        """All zones of a country or a subdivision; () when the table does not know it."""
        return self._zones.get(jurisdiction, ())

    def jurisdictions(self) -> tuple[str, ...]:
        """Every country and subdivision whose zones are known."""
        return tuple(self._zones)

    def normalise(self, number: str, field: str = "to") -> str:
        """The number as `+` and digits.

        Only what cannot exist is refused: a length the country does not have, a country code that
        nobody has. Whether a range is in use is not judged: published validity data lags behind.

        Raises:
            DataError: with `fields["field"]` = *field*.
        """
        compact = number.translate(_SEPARATORS)
        digits = compact.removeprefix("+")
        if not (digits.isascii() and digits.isdigit()) or digits == compact:
            raise _not_a_number(compact, field)
        if digits.startswith("521") and len(digits) == 13:
            compact = "+52" + digits[3:]  # Mexico dropped the mobile 1 in 2019; old lists keep it
            digits = compact[1:]
        if not _MIN_DIGITS <= len(digits) <= _MAX_DIGITS:
            raise DataError(
                f"{field}: a number has {_MIN_DIGITS} to {_MAX_DIGITS} digits with its country "
                f"code, this one {len(digits)}",
                hint=_HINT,
                field=field,
                reason="invalid_number",
            )
        if digits[0] == "1" and digits[1] in "01":
            raise DataError(
                f"{field}: no area code of country code 1 begins with {digits[1]}",
                hint="leave out the 1 that is dialled before the area code",
                field=field,
                reason="invalid_number",
            )
        row = self._row(compact, field)
        if len(digits) not in row.lengths:
            allowed = " or ".join(map(str, sorted(row.lengths)))
            raise DataError(
                f"{field}: numbers that begin with +{digits[:2]} have {allowed} digits "
                f"with the country code, this one {len(digits)}",
                hint="leave out the 0 that is dialled inside the country, and count the digits",
                field=field,
                reason="invalid_number",
            )
        return compact

    def _row(self, number: str, field: str) -> _Row:
        rows = self._rows
        for length in self._heads.get(number[:2], ()):
            row = rows.get(number[:length])
            if row is not None:
                return row
        raise DataError(
            f"{field}: no country code begins with {number[:4]}",
            hint=_HINT,
            field=field,
            reason="invalid_number",
        )


def _not_a_number(compact: str, field: str) -> DataError:
    if not compact:
        return DataError(f"{field}: there is no number", hint=_HINT, field=field)
    if compact.isascii() and compact.isdigit() and len(compact) <= _SHORT_CODE_MOST:
        return DataError(
            f"{field}: {len(compact)} digits are a short code, which receives no message",
            hint="a recipient has a whole number with its country code, as +34600111222",
            field=field,
            reason="invalid_number",
        )
    if compact.isascii() and compact.isdigit():
        return DataError(
            f"{field}: the number does not begin with + and a country code",
            hint=_HINT,
            field=field,
        )
    return DataError(
        f"{field}: a phone number consists of + and digits",
        hint=_HINT,
        field=field,
        reason="invalid_number",
    )


def load_numbering(path: Path) -> Numbering:
    """Read the table.

    Raises:
        ConfigError: the file is missing or damaged; `fields["setting"]` is its name and line.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path.name}: the prefix table cannot be read: {error}",
            hint="reinstall Acuse, the table is part of it",
            setting=path.name,
        ) from None
    rows: dict[str, _Row] = {}
    zones: dict[str, tuple[str, ...]] = {}
    postcodes: dict[str, dict[str, str]] = {}
    interned: dict[str, tuple[Place, ...]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split(";")
        match line[:1], fields:
            case ("#" | "", _):
                pass
            case ("=", [key, names]):
                zones[key[1:]] = tuple(names.split())
            case ("~", [country, postcode, jurisdiction]):
                postcodes.setdefault(country[1:], {})[postcode] = jurisdiction
            case ("+", [prefix, lengths, places]) if _LENGTHS.fullmatch(lengths):
                if places not in interned:
                    interned[places] = _places(places)
                rows[prefix] = _Row(_lengths(lengths, prefix, rows), interned[places])
            case _:
                raise _damaged(path, number)
    return Numbering(rows, zones, postcodes, hashlib.sha256(data).hexdigest()[:16])


def _damaged(path: Path, line: int) -> ConfigError:
    return ConfigError(
        f"{path.name}: line {line} is damaged",
        hint="reinstall Acuse, the table is part of it",
        setting=f"{path.name}:{line}",
    )


def _places(text: str) -> tuple[Place, ...]:
    return tuple(
        Place(jurisdiction, zone)
        for jurisdiction, _, zones in (part.partition("@") for part in text.split("|"))
        for zone in zones.split(" ")
    )


def _lengths(text: str, prefix: str, rows: dict[str, _Row]) -> frozenset[int]:
    """Own lengths, or those of the next shorter prefix, which stands earlier in the file."""
    if text:
        return frozenset(map(int, text.split(",")))
    for length in range(len(prefix) - 1, 1, -1):
        if prefix[:length] in rows:
            return rows[prefix[:length]].lengths
    return frozenset(range(_MIN_DIGITS, _MAX_DIGITS + 1))

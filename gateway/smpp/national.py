"""The national language tables of 3GPP TS 23.038 that Acuse can send: annexes A.2 and A.3.

A single shift table replaces the extension: a character costs an escape, and a handset that does
not know the table shows the letter below it (í as i). A locking shift table replaces the default
alphabet of the whole segment: a character costs one septet, and an old handset shows others in
its place. Spanish has no locking shift table (A.3.2 is void).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from gateway.smpp import gsm7

#: Information elements of the user data header (3GPP TS 23.040 sections 9.2.3.24.15 and .16).
SINGLE_SHIFT_ELEMENT: Final = 0x24
LOCKING_SHIFT_ELEMENT: Final = 0x25

#: Name -> national language identifier (section 6.2.1.2.4).
LANGUAGES: Final = {"turkish": 1, "spanish": 2, "portuguese": 3}
NAMES: Final = {number: name for name, number in LANGUAGES.items()}

#: What the single shift tables share with the default extension.
_COMMON: Final = gsm7.EXTENSION

_SINGLE_SHIFT: Final = {
    1: _COMMON | {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "\u0131", 0x73: "ş"},
    2: _COMMON
    | {0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú"}
    | {0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú"},
    3: _COMMON
    | {0x05: "ê", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á"}
    | {0x12: "Φ", 0x13: "Γ", 0x15: "Ω", 0x16: "Π", 0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê"}
    | {0x41: "À", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x5B: "Ã", 0x5C: "Õ"}
    | {0x61: "Â", 0x69: "í", 0x6F: "ó", 0x75: "ú", 0x7B: "ã", 0x7C: "õ", 0x7F: "â"},
}

#: Septets of the locking shift tables that differ from the default alphabet.
_LOCKING_SHIFT: Final = {
    1: {
        0x04: "€",
        0x07: "\u0131",
        0x0B: "Ğ",
        0x0C: "ğ",
        0x1C: "Ş",
        0x1D: "ş",
        0x40: "İ",
        0x60: "ç",
    },
    3: {0x04: "ê", 0x06: "ú", 0x07: "í", 0x08: "ó", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô"}
    | {0x0E: "Á", 0x0F: "á", 0x12: "ª", 0x13: "Ç", 0x14: "À", 0x15: "∞", 0x16: "^", 0x17: "\\"}
    | {0x18: "€", 0x19: "Ó", 0x1A: "|", 0x1C: "Â", 0x1D: "â", 0x1E: "Ê", 0x24: "º", 0x40: "Í"}
    | {0x5B: "Ã", 0x5C: "Õ", 0x5D: "Ú", 0x60: "~", 0x7B: "ã", 0x7C: "õ", 0x7D: "`"},
}


@dataclass(frozen=True, slots=True)
class Tables:
    """Which tables a segment uses, by language identifier; 0 is the default one."""

    locking: int = 0
    single: int = 0

    @property
    def elements(self) -> bytes:
        """The information elements that announce them."""
        made = b""
        if self.single:
            made += bytes((SINGLE_SHIFT_ELEMENT, 1, self.single))
        if self.locking:
            made += bytes((LOCKING_SHIFT_ELEMENT, 1, self.locking))
        return made

    @property
    def name(self) -> str:
        """`gsm7`, `gsm7-spanish-single`, `gsm7-turkish-locking-single`."""
        language = NAMES.get(self.locking or self.single)
        kinds = ("locking",) * (self.locking > 0) + ("single",) * (self.single > 0)
        return "-".join(("gsm7", language, *kinds)) if language else "gsm7"


def choices(language: str) -> tuple[Tables, ...]:
    """The ways to use a language's tables, the one that fails most gracefully first."""
    number = LANGUAGES[language]
    if number not in _LOCKING_SHIFT:
        return (Tables(single=number),)
    return (Tables(single=number), Tables(locking=number), Tables(number, number))


@cache
def alphabet(tables: Tables) -> gsm7.Alphabet:
    """The alphabet of a segment with these tables; a table nobody knows counts as the default.

    So section 6.2.1.2.1 asks it of handsets.
    """
    changed = _LOCKING_SHIFT.get(tables.locking, {})
    table = "".join(changed.get(septet, char) for septet, char in enumerate(gsm7.DEFAULT))
    return gsm7.Alphabet(table, _SINGLE_SHIFT.get(tables.single, gsm7.EXTENSION))

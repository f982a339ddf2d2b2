"""The GSM 7-bit alphabets: a table of 128 septets and what an escape adds (3GPP TS 23.038, 6.2.1).

One octet holds one septet ("unpacked"), the form SMPP usually carries and the operator packs. The
default table is our own: others send "`" as 0x5F, which is the section sign, and take "§" for
unencodable.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ESCAPE: Final = 0x1B

#: Position in the string is the septet. 0x1B, the escape, holds a character no text may use.
DEFAULT: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)

#: Septet after the escape -> character; each costs two septets.
EXTENSION: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_PAIR: Final = re.compile("\x1b(.)", re.DOTALL)


class Alphabet:
    """One table of 128 septets and one of what may follow an escape.

    `single` are the characters of one septet, `double` those that need an escape too; `characters`
    are both.
    """

    __slots__ = ("_decode", "_encode", "_extension", "characters", "double", "single")

    def __init__(self, table: str, extension: Mapping[int, str]) -> None:
        self.single = frozenset(table) - {chr(ESCAPE)}
        self.double = frozenset(extension.values()) - self.single
        self.characters = self.single | self.double
        # Latin-1 is the bridge between octets and str: one code point below 256 per octet, at C
        # speed. A character of both tables goes by the shorter way.
        self._encode = {
            ord(char): chr(ESCAPE) + chr(septet) for septet, char in extension.items()
        } | {ord(char): chr(septet) for septet, char in enumerate(table)}
        self._decode = dict(enumerate(table)) | {
            ESCAPE: _REPLACEMENT,
            **dict.fromkeys(range(0x80, 0x100), _REPLACEMENT),
        }
        self._extension = dict(extension)

    def encode(self, text: str) -> bytes:
        """One octet per septet. Every character must be in `characters`."""
        return text.translate(self._encode).encode("latin-1")

    def decode(self, septets: bytes) -> str:
        """The text of unpacked septets; never raises.

        After an escape, a septet the second table does not list shows as in the first one, as
        section 6.2.1.1 asks of handsets. An escape at the end, a doubled escape and octets above
        0x7F become U+FFFD.
        """
        text = septets.decode("latin-1")
        if "\x1b" not in text:
            return text.translate(self._decode)
        pieces = _PAIR.split(text)  # plain, escaped, plain, escaped, …, plain
        return "".join(
            piece.translate(self._decode)
            if index % 2 == 0
            else self._extension.get(ord(piece)) or piece.translate(self._decode)
            for index, piece in enumerate(pieces)
        )


#: The default alphabet with its own extension: what every handset reads.
GSM7: Final = Alphabet(DEFAULT, EXTENSION)
SINGLE: Final = GSM7.single
DOUBLE: Final = GSM7.double
ALPHABET: Final = GSM7.characters
encode = GSM7.encode
decode = GSM7.decode

"""The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038 section 6.2.1).

One octet holds one septet ("unpacked"), the form SMPP carries and the operator packs. The table is
our own: others send "`" as 0x5F, which is the section sign, and take "§" for unencodable.
"""

from __future__ import annotations

import re
from typing import Final

ESCAPE: Final = 0x1B

#: Position in the string is the septet. 0x1B, the escape, holds a character no text may use.
_DEFAULT: Final = (
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
_EXTENSION: Final = {
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

SINGLE: Final = frozenset(_DEFAULT) - {chr(ESCAPE)}
DOUBLE: Final = frozenset(_EXTENSION.values())
ALPHABET: Final = SINGLE | DOUBLE

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# Latin-1 is the bridge between octets and str: one code point below 256 per octet, at C speed.
_ENCODE: Final = {ord(char): chr(septet) for septet, char in enumerate(_DEFAULT)} | {
    ord(char): chr(ESCAPE) + chr(septet) for septet, char in _EXTENSION.items()
}
_DECODE: Final = dict(enumerate(_DEFAULT)) | {
    ESCAPE: _REPLACEMENT,
    **dict.fromkeys(range(0x80, 0x100), _REPLACEMENT),
}
_PAIR: Final = re.compile("\x1b(.)", re.DOTALL)


def encode(text: str) -> bytes:
    """One octet per septet. Every character must be in `ALPHABET`."""
    return text.translate(_ENCODE).encode("latin-1")


def decode(septets: bytes) -> str:
    """The text of unpacked septets; never raises.

    A septet the extension table does not list shows as in the default table, as section 6.2.1.1
    asks of handsets. An escape at the end, a doubled escape and octets above 0x7F become U+FFFD.
    """
    text = septets.decode("latin-1")
    if "\x1b" not in text:
        return text.translate(_DECODE)
    pieces = _PAIR.split(text)  # plain, escaped, plain, escaped, …, plain
    return "".join(
        piece.translate(_DECODE)
        if index % 2 == 0
        else _EXTENSION.get(ord(piece)) or piece.translate(_DECODE)
        for index, piece in enumerate(pieces)
    )

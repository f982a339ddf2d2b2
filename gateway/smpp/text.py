"""Message text: which coding carries it, how it is cut into parts, and how octets read back.

A long text goes out as concatenated parts under an 8-bit user data header (3GPP TS 23.040 section
9.2.3.24.1: 05 00 03 reference total number). Parts never begin or end inside a GSM escape pair or a
surrogate pair. What a reader sees as one character (an emoji of several code points, a letter with
its combining marks) stays in one part wherever one part can hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.errors import DataError
from gateway.smpp import graphemes, gsm7

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_PARTS: Final = 255
UDHI: Final = 0x40
_UDH_HEAD: Final = b"\x05\x00\x03"

_LATIN1: Final = frozenset(map(chr, range(1, 0x100)))
_ASCII: Final = frozenset(map(chr, range(1, 0x80)))


@dataclass(frozen=True, slots=True)
class _Encoding:
    """What a coding carries, the octets it makes, and the units in a lone message or a part."""

    name: str
    data_coding: int
    alphabet: frozenset[str] | None  # None carries everything
    encode: Callable[[str], bytes]
    unit_bytes: int
    lone_units: int
    part_units: int


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


_ENCODINGS: Final = {
    encoding.name: encoding
    for encoding in (
        _Encoding("gsm7", 0, gsm7.ALPHABET, gsm7.encode, 1, 160, 153),
        _Encoding("ascii", 1, _ASCII, lambda text: text.encode("ascii"), 1, 140, 134),
        _Encoding("latin1", 3, _LATIN1, lambda text: text.encode("latin-1"), 1, 140, 134),
        _Encoding("ucs2", 8, None, _utf16, 2, 70, 67),
    )
}
#: What `default_alphabet` may say that data_coding 0 means at an operator.
DEFAULT_ALPHABETS: Final = ("gsm7", "latin1", "ascii")
ENCODINGS: Final = tuple(_ENCODINGS)


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text ready for `short_message`.

    `parts` are whole short_message values, header included; `part_units` says how many units each
    uses of the `unit_limit` that one part can hold, and `units` is their sum. A unit is a septet
    (gsm7), an octet (ascii, latin1) or a 16-bit unit (ucs2).
    """

    encoding: str
    data_coding: int
    esm_class: int
    parts: tuple[bytes, ...]
    units: int
    part_units: tuple[int, ...]
    unit_limit: int


def encode_text(
    text: str,
    *,
    default_alphabet: str = "gsm7",
    reference: int = 0,
    encoding: str | None = None,
) -> EncodedText:
    """Encode *text*, in one part if it fits, else in parts under header reference *reference*.

    The operator's default alphabet (data_coding 0) is used if it carries the text, else UCS-2
    (data_coding 8, surrogate pairs as UTF-16). *encoding* forces one of `ENCODINGS` instead. Only
    the low eight bits of *reference* go into the header.

    Raises:
        DataError: empty text, a character that the coding does not carry, a NUL, half a surrogate
            pair, or more than 255 parts; `fields["field"]` is "text". An unknown alphabet or
            encoding, with the field of that name.
    """
    _check_name("default_alphabet", default_alphabet, DEFAULT_ALPHABETS)
    if encoding is not None:
        _check_name("encoding", encoding, ENCODINGS)
    _check_characters(text)
    chosen = _choose(text, default_alphabet, encoding)
    # data_coding 0 when the text is in the operator's own alphabet, the number of the coding else.
    data_coding = 0 if chosen.name == default_alphabet else chosen.data_coding
    data = chosen.encode(text)
    units = len(data) // chosen.unit_bytes
    if units <= chosen.lone_units:
        return EncodedText(chosen.name, data_coding, 0, (data,), units, (units,), chosen.lone_units)
    pieces = _split(text, data, chosen)
    header = _UDH_HEAD + bytes((reference & 0xFF, len(pieces)))
    return EncodedText(
        chosen.name,
        data_coding,
        UDHI,
        tuple(header + bytes((n,)) + piece for n, piece in enumerate(pieces, 1)),
        units,
        tuple(len(piece) // chosen.unit_bytes for piece in pieces),
        chosen.part_units,
    )


def not_carried(text: str, alphabet: str) -> tuple[str, ...]:
    """The distinct characters of *text* that *alphabet* lacks, in order: why a text is UCS-2."""
    _check_name("default_alphabet", alphabet, ENCODINGS)
    known = _ENCODINGS[alphabet].alphabet
    if known is None:
        return ()
    return tuple(dict.fromkeys(char for char in text if char not in known))


def decode_text(
    data: bytes, data_coding: int, *, default_alphabet: str = "gsm7", udh: bool = False
) -> str:
    """The text of one short_message; never raises. What cannot be read becomes U+FFFD.

    *udh* says that the octets begin with a user data header, which is left out; a header longer
    than the message is no header. Octets of binary codings (2, 4) are shown as Latin-1, which loses
    nothing. Codings above 0x0F follow 3GPP TS 23.038 section 4 (message class, message waiting).
    """
    if udh:
        data = strip_udh(data)
    codec = _CODECS.get(data_coding) or _codec_of_group(data_coding)
    if codec == "default":
        codec = {"latin1": "latin-1", "ascii": "ascii"}.get(default_alphabet, "gsm7")
    if codec == "gsm7":
        return gsm7.decode(data)
    return data.decode(codec, "replace")


def strip_udh(data: bytes) -> bytes:
    """*data* without the user data header that its first octet measures, if it has room for one."""
    return data[data[0] + 1 :] if data and data[0] < len(data) else data


#: data_coding -> Python codec (SMPP 3.4 section 5.2.19).
_CODECS: Final = {
    0: "default",
    1: "ascii",
    2: "latin-1",
    3: "latin-1",
    4: "latin-1",
    5: "shift_jis",
    6: "iso8859_5",
    7: "iso8859_8",
    8: "utf-16-be",
    10: "iso2022_jp",
    13: "euc_jp",
    14: "euc_kr",
}


def _codec_of_group(data_coding: int) -> str:
    group = data_coding & 0xF0
    if group == 0xE0:  # message waiting, UCS-2
        return "utf-16-be"
    if group == 0xF0:  # message class; bit 2 says 8-bit data
        return "latin-1" if data_coding & 0x04 else "gsm7"
    if group < 0x80:  # general group, bits 3 and 2 are the alphabet
        return ("gsm7", "latin-1", "utf-16-be", "latin-1")[data_coding >> 2 & 3]
    return "gsm7"  # message waiting in the default alphabet, and what is reserved


def _check_name(field: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise DataError(
            f"{field}: {value!r} is not known", hint=f"one of {', '.join(known)}", field=field
        )


def _check_characters(text: str) -> None:
    if not text:
        raise DataError("text: empty", hint="a message needs at least one character", field="text")
    if "\0" in text:
        raise DataError(
            f"text: a NUL at character {text.index(chr(0)) + 1}",
            hint="remove it; handsets and operators cut the text there",
            field="text",
        )
    try:
        text.encode("utf-16-be")
    except UnicodeEncodeError as exc:
        raise DataError(
            f"text: half a surrogate pair (U+{ord(text[exc.start]):04X}) at character"
            f" {exc.start + 1}",
            hint="the text was cut or decoded wrongly on its way here; send it as UTF-8",
            field="text",
        ) from None


def _choose(text: str, default_alphabet: str, wanted: str | None) -> _Encoding:
    if wanted is None:
        default = _ENCODINGS[default_alphabet]
        # Every default alphabet is a set; the comparison is one pass in C.
        fits = default.alphabet is not None and default.alphabet.issuperset(text)
        return default if fits else _ENCODINGS["ucs2"]
    if wanted == "gsm7" and default_alphabet != "gsm7":
        raise DataError(
            f"encoding: no data_coding says gsm7 where the default alphabet is {default_alphabet}",
            hint=f"leave the encoding out, or use {default_alphabet} or ucs2",
            field="encoding",
        )
    missing = not_carried(text, wanted)
    if missing:
        shown = " ".join(f"{char!r} (U+{ord(char):04X})" for char in missing[:3])
        raise DataError(
            f"text: {wanted} cannot carry {shown}",
            hint="replace it, or let the encoding be chosen",
            field="text",
        )
    return _ENCODINGS[wanted]


def _split(text: str, data: bytes, encoding: _Encoding) -> list[bytes]:
    """Cut into pieces of at most `part_units` units each."""
    limit_units = MAX_PARTS * encoding.part_units
    pieces: list[bytes] = []
    if len(data) <= limit_units * encoding.unit_bytes:
        if encoding.name == "ucs2":
            pieces = (
                _split_clusters(text, encoding.part_units)
                if graphemes.joins(text)
                else _split_utf16(data, encoding.part_units * 2)
            )
        else:
            pieces = _split_octets(data, encoding.part_units, escapes=encoding.name == "gsm7")
    if not 0 < len(pieces) <= MAX_PARTS:
        units = len(data) // encoding.unit_bytes
        raise DataError(
            f"text: {units} units of {encoding.name} need more than {MAX_PARTS} parts",
            hint=f"shorten it to {limit_units} units or less",
            field="text",
            units=units,
        )
    return pieces


def _split_octets(data: bytes, room: int, *, escapes: bool) -> list[bytes]:
    """One unit per octet; an escape and what it escapes stay together, and so do CR LF."""
    pieces: list[bytes] = []
    start = 0
    while len(data) - start > room:
        end = start + room
        if (escapes and data[end - 1] == gsm7.ESCAPE) or data[end - 1 : end + 1] == b"\r\n":
            end -= 1
        pieces.append(data[start:end])
        start = end
    pieces.append(data[start:])
    return pieces


def _split_utf16(data: bytes, room_bytes: int) -> list[bytes]:
    """For text of single code points, the usual case: surrogate pairs stay together."""
    pieces: list[bytes] = []
    start = 0
    while len(data) - start > room_bytes:
        end = start + room_bytes
        if 0xD8 <= data[end - 2] <= 0xDB:
            end -= 2
        pieces.append(data[start:end])
        start = end
    pieces.append(data[start:])
    return pieces


def _split_clusters(text: str, room: int) -> list[bytes]:
    """UTF-16 units; a cluster is cut, between its code points, only if no part can hold it."""
    pieces: list[str] = []
    piece, used = "", 0
    for cluster in graphemes.clusters(text):
        for atom in (cluster,) if _utf16_units(cluster) <= room else cluster:
            units = _utf16_units(atom)
            if used + units > room:
                pieces.append(piece)
                piece, used = "", 0
            piece += atom
            used += units
    pieces.append(piece)
    return [_utf16(piece) for piece in pieces]


def _utf16_units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)

"""Message text: which coding carries it, and how it is cut into parts.

The operator's own alphabet is used if it carries the text, else a national language table it
allows where that saves parts, else UCS-2. A long text goes out as concatenated parts under a user
data header (3GPP TS 23.040 section 9.2.3.24.1 and .8), under SAR TLVs, or whole in
message_payload. Parts never begin or end inside a GSM escape pair or a surrogate pair. What a
reader sees as one character (an emoji of several code points, a letter with its combining marks)
stays in one part wherever one part can hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.errors import DataError
from gateway.smpp import cutting, national, septets, udh
from gateway.smpp.consts import Tag
from gateway.smpp.decoding import decode_text, strip_udh
from gateway.smpp.national import Tables
from gateway.smpp.pdu import Tlv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "DEFAULT_ALPHABETS",
    "ENCODINGS",
    "LONG_MESSAGES",
    "MAX_PARTS",
    "PLAIN",
    "UDHI",
    "Coding",
    "EncodedText",
    "decode_text",
    "encode_text",
    "not_carried",
    "strip_udh",
]

MAX_PARTS: Final = 255
UDHI: Final = 0x40
#: Octets of user data in one short message.
_ROOM_BYTES: Final = 140
#: Octets of a user data header that only concatenates, by the width of its reference.
_HEADER_8: Final = 6
_HEADER_16: Final = 7

_LATIN1: Final = frozenset(map(chr, range(1, 0x100)))
_ASCII: Final = frozenset(map(chr, range(1, 0x80)))


@dataclass(frozen=True, slots=True)
class _Encoding:
    """What a coding carries, and the octets it makes."""

    name: str
    data_coding: int
    alphabet: frozenset[str] | None  # None carries everything
    encode: Callable[[str], bytes]
    unit_bytes: int
    tables: Tables | None = None  # of 7-bit codings only
    elements: bytes = b""  # that announce the tables

    def room(self, header_bytes: int) -> int:
        """How many units fit beside a header of that size."""
        left = _ROOM_BYTES - header_bytes
        return left * 8 // 7 if self.tables is not None else left // self.unit_bytes


def _gsm7(tables: Tables) -> _Encoding:
    alphabet = national.alphabet(tables)
    characters, encode = alphabet.characters, alphabet.encode
    return _Encoding(tables.name, 0, characters, encode, 1, tables, tables.elements)


_ENCODINGS: Final = {
    encoding.name: encoding
    for encoding in (
        _gsm7(Tables()),
        _Encoding("ascii", 1, _ASCII, lambda text: text.encode("ascii"), 1),
        _Encoding("latin1", 3, _LATIN1, lambda text: text.encode("latin-1"), 1),
        _Encoding("ucs2", 8, None, cutting.utf16, 2),
    )
}
#: Ways to use each language's tables, the most graceful first.
_NATIONAL: Final = {
    language: tuple(map(_gsm7, national.choices(language))) for language in national.LANGUAGES
}
#: What `default_alphabet` may say that data_coding 0 means at an operator.
DEFAULT_ALPHABETS: Final = ("gsm7", "latin1", "ascii")
ENCODINGS: Final = tuple(_ENCODINGS)
#: How a text of several parts may travel.
LONG_MESSAGES: Final = ("udh", "udh16", "sar", "payload")


def _check_name(field: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise DataError(
            f"{field}: {value!r} is not known", hint=f"one of {', '.join(known)}", field=field
        )


@dataclass(frozen=True, slots=True)
class Coding:
    """What an operator wants of text: everything that decides how a text becomes segments.

    Raises:
        DataError: a word that is not known, or two that exclude each other; `fields["field"]`
            names the setting.
    """

    default_alphabet: str = "gsm7"
    national_tables: tuple[str, ...] = ()
    packed: bool = False
    long_message: str = "udh"

    def __post_init__(self) -> None:
        _check_name("default_alphabet", self.default_alphabet, DEFAULT_ALPHABETS)
        _check_name("long_message", self.long_message, LONG_MESSAGES)
        for language in self.national_tables:
            _check_name("national_tables", language, national.LANGUAGES)
        if self.default_alphabet != "gsm7":
            for field, given in (
                ("national_tables", self.national_tables),
                ("packed", self.packed),
            ):
                if given:
                    raise DataError(
                        f"{field}: only 7-bit text has it, and {self.default_alphabet} is not",
                        hint="leave it out, or set the default alphabet to gsm7",
                        field=field,
                    )


#: What most operators want.
PLAIN: Final = Coding()


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text ready for its `submit_sm`s.

    `parts` are the octets of each, user data header included; `part_units` says how many units each
    uses of the `unit_limit` that one part can hold (of message_payload: that the operator's parts
    can), and `units` is their sum. A unit is a septet (gsm7), an octet (ascii, latin1) or a 16-bit
    unit (ucs2). `on_air` is how many short messages the handset gets.
    """

    encoding: str
    data_coding: int
    esm_class: int
    parts: tuple[bytes, ...]
    units: int
    part_units: tuple[int, ...]
    unit_limit: int
    on_air: int = 1
    long_message: str = ""  # how several parts travel; "" for one that needs none
    reference: int = 0
    tables: Tables | None = None

    def body(self, number: int) -> tuple[bytes, tuple[Tlv, ...]]:
        """`short_message` and the TLVs of part *number* (SMPP 3.4, 5.3.2.22 to .24 and .32)."""
        part = self.parts[number - 1]
        if self.long_message == "payload":
            return b"", (Tlv(int(Tag.MESSAGE_PAYLOAD), part),)
        if self.long_message == "sar":
            return part, (
                Tlv(int(Tag.SAR_MSG_REF_NUM), (self.reference & 0xFFFF).to_bytes(2, "big")),
                Tlv(int(Tag.SAR_TOTAL_SEGMENTS), bytes((len(self.parts),))),
                Tlv(int(Tag.SAR_SEGMENT_SEQNUM), bytes((number,))),
            )
        return part, ()


def encode_text(
    text: str,
    coding: Coding = PLAIN,
    *,
    reference: int = 0,
    encoding: str | None = None,
) -> EncodedText:
    """Encode *text* as *coding* asks, in one part if it fits.

    *encoding* forces one of `ENCODINGS`. *reference* ties the parts of one message together; as
    many of its low bits are used as the method has room for.

    Raises:
        DataError: empty text, a character that the coding does not carry, a NUL, half a surrogate
            pair, or more than 255 parts; `fields["field"]` is "text". An unknown encoding, with
            the field of that name.
    """
    if encoding is not None:
        _check_name("encoding", encoding, ENCODINGS)
    _check_characters(text)
    chosen = _choose(text, coding.default_alphabet, encoding)
    if encoding is None and chosen.name == "ucs2" and coding.national_tables:
        best = _best_national(text, coding, reference)
        if best is not None:
            return best
    return _build(text, chosen, coding, reference)


def not_carried(text: str, alphabet: str) -> tuple[str, ...]:
    """The distinct characters of *text* that *alphabet* lacks, in order: why a text is UCS-2."""
    _check_name("default_alphabet", alphabet, ENCODINGS)
    known = _ENCODINGS[alphabet].alphabet
    if known is None:
        return ()
    return tuple(dict.fromkeys(char for char in text if char not in known))


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


def _best_national(text: str, coding: Coding, reference: int) -> EncodedText | None:
    """The national table that needs fewest parts, if fewer than UCS-2; None if none does."""
    best = None
    fewest = _parts_needed(text, _ENCODINGS["ucs2"], coding)
    for language in coding.national_tables:
        for candidate in _NATIONAL[language]:
            assert candidate.alphabet is not None
            if not candidate.alphabet.issuperset(text):
                continue
            needed = _parts_needed(text, candidate, coding)
            if needed < fewest:
                best, fewest = candidate, needed
    return None if best is None else _build(text, best, coding, reference)


def _layout(encoding: _Encoding, long_message: str) -> tuple[int, int]:
    """Octets of the header of a lone message, and of each of several parts.

    An operator that turns SAR TLVs or message_payload into parts makes their headers itself; room
    is left for its widest under SAR, where the cuts are ours.
    """
    tables = len(encoding.elements)
    part = _HEADER_16 if long_message in ("udh16", "sar") else _HEADER_8
    return (tables + 1 if tables else 0), part + tables


def _parts_needed(text: str, encoding: _Encoding, coding: Coding) -> int:
    """How many parts; more than `MAX_PARTS` where it cannot be done."""
    data = encoding.encode(text)
    lone, part = _layout(encoding, coding.long_message)
    if len(data) // encoding.unit_bytes <= encoding.room(lone):
        return 1
    if encoding.elements and coding.long_message in ("sar", "payload"):
        return MAX_PARTS + 1  # the header would be the operator's, and the tables stand in ours
    room = encoding.room(part)
    if len(data) // encoding.unit_bytes > MAX_PARTS * room:
        return MAX_PARTS + 1
    return len(_cut(text, data, encoding, coding, room))


def _cut(text: str, data: bytes, encoding: _Encoding, coding: Coding, room: int) -> list[bytes]:
    if encoding.unit_bytes == 2:
        return cutting.cut_utf16(text, data, room)
    seven = encoding.tables is not None
    return cutting.cut_octets(data, room, escapes=seven, packed=seven and coding.packed)


def _build(text: str, encoding: _Encoding, coding: Coding, reference: int) -> EncodedText:
    data = encoding.encode(text)
    units = len(data) // encoding.unit_bytes
    # data_coding 0 when the text is in the operator's own alphabet, the number of the coding else.
    data_coding = 0 if encoding.name == coding.default_alphabet else encoding.data_coding
    method = coding.long_message
    lone, part = _layout(encoding, method)
    packed = coding.packed and encoding.tables is not None
    elements = encoding.elements
    esm_class = UDHI if elements else 0
    limit = encoding.room(lone)
    if units <= limit:
        octets = _with_header(udh.header(elements), data, packed=packed)
        single = (encoding.name, data_coding, esm_class, (octets,), units, (units,), limit)
        return EncodedText(*single, tables=encoding.tables)
    limit = encoding.room(part)
    # Before anything is cut, so that a text of megabytes costs nothing.
    pieces = _cut(text, data, encoding, coding, limit) if units <= MAX_PARTS * limit else []
    on_air = len(pieces)
    if not 0 < on_air <= MAX_PARTS:
        raise DataError(
            f"text: {units} units of {encoding.name} need more than {MAX_PARTS} parts",
            hint=f"shorten it to {MAX_PARTS * limit} units or less",
            field="text",
            units=units,
        )
    if method == "payload":
        pieces = [data]
    parts = []
    for number, piece in enumerate(pieces, 1):
        head = b""
        if method in ("udh", "udh16"):
            told = udh.concatenated(reference, on_air, number, wide=method == "udh16")
            head, esm_class = udh.header(told + elements), UDHI
        parts.append(_with_header(head, piece, packed=packed))
    return EncodedText(
        encoding.name,
        data_coding,
        esm_class,
        tuple(parts),
        units,
        tuple(len(piece) // encoding.unit_bytes for piece in pieces),
        limit,
        on_air,
        method,
        reference,
        encoding.tables,
    )


def _with_header(head: bytes, data: bytes, *, packed: bool) -> bytes:
    if not packed:
        return head + data
    most = max(_ROOM_BYTES - len(head), len(data))
    return head + septets.pack(data, header_bytes=len(head), most_bytes=most)

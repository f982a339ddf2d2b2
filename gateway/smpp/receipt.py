"""Delivery receipts: what an operator says became of a message, from TLVs first, then from text.

The text form is the vendor's own matter (SMPP 3.4 Appendix B), so it is read without regard to the
order and case of labels, to missing fields, or to a state without its label. What cannot be read is
left out, never guessed: a state that is not listed, or told in two ways that differ, decides
nothing. Values are the operator's own strings. The octets stay the evidence; this is a reading.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from gateway.smpp.consts import DataCoding, EsmClass, Tag
from gateway.smpp.pdu import DataSm, DeliverSm, Record, record
from gateway.smpp.text import strip_udh

if TYPE_CHECKING:
    from gateway.smpp.dialect import Dialect

#: States after which the operator has nothing more to say. ACCEPTD is final in the standard
#: (5.2.28), and says only that somebody took the message; UNKNOWN says nothing at all.
FINAL_STATES: Final = frozenset(
    ("delivered", "expired", "deleted", "undelivered", "rejected", "skipped")
)

#: A word and the state it names: the state is None where the word is not listed.
_Named: TypeAlias = tuple[str, str | None]

#: Octets of message_state (SMPP 3.4 section 5.2.28; 0 and 9 are of 5.0).
_MESSAGE_STATES: Final[dict[int, _Named]] = {
    0: ("SCHEDULED", "scheduled"),
    1: ("ENROUTE", "enroute"),
    2: ("DELIVRD", "delivered"),
    3: ("EXPIRED", "expired"),
    4: ("DELETED", "deleted"),
    5: ("UNDELIV", "undelivered"),
    6: ("ACCEPTD", "accepted"),
    7: ("UNKNOWN", "unknown"),
    8: ("REJECTD", "rejected"),
    9: ("SKIPPED", "skipped"),
}

# Plain ints: looking a member up in an enumeration costs more than the comparison it serves.
_TYPE_MASK: Final = EsmClass.TYPE_MASK
_INTERMEDIATE: Final = EsmClass.INTERMEDIATE
_UDHI: Final = EsmClass.UDHI
#: The two together are reserved in 5.2.12; some operators send them.
_RECEIPT_TYPES: Final = frozenset(
    (EsmClass.RECEIPT, EsmClass.INTERMEDIATE, EsmClass.RECEIPT | EsmClass.INTERMEDIATE)
)
_RECEIPTED_MESSAGE_ID: Final = int(Tag.RECEIPTED_MESSAGE_ID)
_MESSAGE_STATE: Final = int(Tag.MESSAGE_STATE)
_NETWORK_ERROR_CODE: Final = int(Tag.NETWORK_ERROR_CODE)
_UCS2: Final = int(DataCoding.UCS2)


@record
class Receipt(Record):
    """A receipt as read. `state` is one of `dialect.STATES`, or None where no verdict is possible.

    `message_state` is the operator's word verbatim: the text's, or for a TLV alone the seven-letter
    word, or its octets as 0x… where they name no state; "" if there is neither. `error` is the
    string after `err:`, leading zeros kept; `network_error_code` is TLV 0x0423 in hex, or its
    digits where it holds three ASCII digits instead of a type and a number. Times are UTC.
    `conflict`: different states are named. `text_message_id`: the id in the text, where it is not
    written as in the TLV (`message_id.same_id` judges whether it is another id).
    """

    message_id: str | None
    message_state: str
    state: str | None
    final: bool
    error: str | None
    network_error_code: str | None
    submit_at_ms: int | None
    done_at_ms: int | None
    conflict: bool
    text_message_id: str | None


def parse_receipt(
    pdu: DeliverSm | DataSm, dialect: Dialect, *, utc_offset_s: int | None, now_ms: int
) -> Receipt | None:
    """Read the receipt in *pdu*; None if it is none: an MO, or a handset's acknowledgement.

    *utc_offset_s* is what dates without an offset of their own are relative to (None: taken as
    UTC); *now_ms*, the arrival, only settles which century two digits of a year mean. esm_class
    decides (5.2.12): a text that looks like a receipt is none without the mark, unless the dialect
    says that this operator leaves the mark out, and then only with an id and a state. Never raises.
    """
    kind = pdu.esm_class & _TYPE_MASK
    unmarked = kind == 0
    if kind not in _RECEIPT_TYPES and not (unmarked and dialect.receipt_with_esm_class_0):
        return None
    tlv_id = network_error = ""
    named: list[_Named] = []
    for tag, value in pdu.tlvs:
        if tag == _RECEIPTED_MESSAGE_ID:
            tlv_id = tlv_id or value.split(b"\0", 1)[0].decode("latin-1").strip()
        elif tag == _MESSAGE_STATE and value:
            named.append(_octet_state(value))
        elif tag == _NETWORK_ERROR_CODE:
            network_error = network_error or _network_error(value)
    fields, words = _read(pdu, dialect)
    named += [(word, dialect.state(word)) for word in words]
    # An unlisted word agrees with itself only: beside a state it is a contradiction like any other.
    conflict = len(named) > 1 and len({state or word.upper() for word, state in named}) > 1
    text_id = fields.get("id", "")
    if unmarked and not (named and (tlv_id or text_id)):
        return None
    state = named[0][1] if named and not conflict else None
    zone_ms = (utc_offset_s or 0) * 1000
    this_year = 1970 + now_ms // _YEAR_MS
    return Receipt(
        tlv_id or text_id or None,
        words[0] if words else named[0][0] if named else "",
        state,
        state in FINAL_STATES and not kind & _INTERMEDIATE,
        fields.get("err") or None,
        network_error or None,
        _date_ms(fields.get("subm", ""), zone_ms, this_year),
        _date_ms(fields.get("done", ""), zone_ms, this_year),
        conflict,
        text_id if tlv_id and text_id and text_id != tlv_id else None,
    )


def _octet_state(value: bytes) -> _Named:
    """One octet in the standard; longer ones are met, and read as a number in network order."""
    number = int.from_bytes(value, "big")
    return _MESSAGE_STATES.get(number) or (f"0x{value.hex()}", None)


def _network_error(value: bytes) -> str:
    return value.decode("ascii") if len(value) == 3 and value.isdigit() else value.hex()


#: A label, and the white space that must stand before it. Its first four letters tell labels apart.
_LABEL: Final = re.compile(
    r"\s(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)[ \t]*:", re.IGNORECASE
)
_OTHER_LABEL: Final = re.compile(r"\s+[^\s:]+:")


def _read(pdu: DeliverSm | DataSm, dialect: Dialect) -> tuple[dict[str, str], list[str]]:
    """Fields of the text by the first four letters of their label, and the words that name states.

    Labels and values are ASCII whatever data_coding says of the text they quote, so any one-octet
    coding reads as Latin-1. Operators that state UCS-2 wrongly, either way, are read all the same.
    """
    data = pdu.message
    if not data:
        return {}, []
    if pdu.esm_class & _UDHI:
        data = strip_udh(data)
    if pdu.data_coding == _UCS2:
        fields, words = _scan(data.decode("utf-16-be", "replace"), dialect)
        return (fields, words) if fields else _scan(data.decode("latin-1"), dialect)
    fields, words = _scan(data.decode("latin-1"), dialect)
    if not fields and b"\0" in data:
        return _scan(data.decode("utf-16-be", "replace"), dialect)
    return fields, words


def _scan(text: str, dialect: Dialect) -> tuple[dict[str, str], list[str]]:
    # 0x11 is the underscore in the GSM alphabet, and a control code in the ASCII it is read as.
    before, *pieces = _LABEL.split(" " + text.rstrip("\0").replace("\x11", "_"))
    fields: dict[str, str] = {}
    quoted: dict[str, str] = {}
    words: list[str] = []
    loose = before.split()
    in_text = False
    for label, value in zip(pieces[::2], pieces[1::2], strict=True):
        key = label[:4].lower()
        if key == "text":
            # The rest is the subscriber's text, unless the state is still to come.
            if words or _listed(loose, dialect):
                break
            in_text = True
        elif key == "stat":
            word = _stat_word(value)
            if word:
                words.append(word)
        else:
            tokens = value.split()
            if tokens:
                if in_text:
                    quoted[key] = tokens[0]  # the last: what the text quotes stands before it
                elif key not in fields:
                    fields[key] = tokens[0]
                loose += tokens[1:]
    if quoted:
        fields = quoted | fields
    return fields, words or _listed(loose, dialect)


def _listed(loose: list[str], dialect: Dialect) -> list[str]:
    """Of the words no label introduces, those that name a state."""
    return [word for word in loose if dialect.state(word)]


def _stat_word(value: str) -> str:
    """The state's own string: all up to the next label, known or not.

    Words that follow may turn the sense ("DELIVERED TO SMSC"), so they belong to it; figures
    do not.
    """
    word = value.strip()
    if " " not in word:
        return word
    word = _OTHER_LABEL.split(word, maxsplit=1)[0]
    first, _, rest = word.partition(" ")
    return word if any(map(str.isalpha, rest)) else first


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_MS: Final = 31_556_952_000
_MILLISECOND: Final = timedelta(milliseconds=1)


def _date_ms(text: str, zone_ms: int, this_year: int) -> int | None:
    """YYMMDDhhmm, with ss, with a century, or the absolute time of 7.1.1 (…tnnp); None if neither.

    p is + where local time is ahead of UTC; nn counts quarters of an hour, t tenths of a second.
    """
    return _instant_ms(text, zone_ms, this_year) if 10 <= len(text) <= 16 else None


@lru_cache(maxsize=4096)  # receipts come in bursts, and a burst has few different dates
def _instant_ms(text: str, zone_ms: int, this_year: int) -> int | None:
    plus_ms = 0
    if len(text) == 16 and text[15] in "+-":
        text, tail = text[:12], text[12:]
        if not (tail[:3].isascii() and tail[:3].isdigit()):
            return None
        plus_ms = int(tail[0]) * 100
        zone_ms = int(tail[3] + tail[1:3]) * 900_000
    if len(text) not in (10, 12, 14) or not (text.isascii() and text.isdigit()):
        return None
    if len(text) == 14:
        year, text = int(text[:4]), text[4:]
    else:  # the year with these two digits that is nearest to the arrival
        year, text = this_year - 50 + (int(text[:2]) - this_year + 50) % 100, text[2:]
    month, day, hour, minute = (int(text[at : at + 2]) for at in (0, 2, 4, 6))
    try:
        local = datetime(year, month, day, hour, minute, int(text[8:] or 0), tzinfo=UTC)
    except ValueError:
        return None
    return (local - _EPOCH) // _MILLISECOND + plus_ms - zone_ms

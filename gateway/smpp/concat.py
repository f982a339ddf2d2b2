"""Messages in parts: which part of what a PDU is (3GPP TS 23.040 section 9.2.3.24, SMPP 3.4 SAR).

A part is told by a user data header with an 8 or 16 bit reference, or by the three SAR parameters
(sections 5.3.2.22 to 24). The octets are the short_message or the message_payload, without header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.smpp.consts import EsmClass, Tag
from gateway.smpp.pdu import Record, record
from gateway.smpp.text import decode_text, strip_udh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.smpp.pdu import DataSm, DeliverSm

_REFERENCE_8: Final = 0x00
_REFERENCE_16: Final = 0x08
_UDHI: Final = EsmClass.UDHI
_SAR_REFERENCE: Final = int(Tag.SAR_MSG_REF_NUM)
_SAR_TOTAL: Final = int(Tag.SAR_TOTAL_SEGMENTS)
_SAR_NUMBER: Final = int(Tag.SAR_SEGMENT_SEQNUM)


@record
class Part(Record):
    """One part: `number` of `total`, of the message its sender calls `reference`.

    `kind` tells references apart that were made in different ways. A message in one piece is part 1
    of 1.
    """

    kind: str
    reference: int
    total: int
    number: int
    octets: bytes
    data_coding: int


def part_of(pdu: DeliverSm | DataSm) -> Part:
    """The part that *pdu* carries; never raises. A numbering that cannot be is none."""
    data = pdu.message
    header = b""
    if pdu.esm_class & _UDHI:
        octets = strip_udh(data)
        header = data[1 : len(data) - len(octets)]
        data = octets
    kind, (reference, total, number) = _by_header(header) or _by_sar(pdu) or ("", (0, 1, 1))
    if not 1 <= number <= total:
        kind, reference, total, number = "", 0, 1, 1
    return Part(kind, reference, total, number, data, pdu.data_coding)


def joined_text(parts: Sequence[Part], default_alphabet: str) -> str:
    """What *parts*, in order, say together; never raises.

    Parts of one coding are joined as octets, so that a character cut in two is whole again.
    """
    codings = {part.data_coding for part in parts}
    if len(codings) == 1:
        octets = b"".join(part.octets for part in parts)
        return decode_text(octets, codings.pop(), default_alphabet=default_alphabet)
    return "".join(
        decode_text(part.octets, part.data_coding, default_alphabet=default_alphabet)
        for part in parts
    )


_Numbering = tuple[str, tuple[int, int, int]]


def _by_header(header: bytes) -> _Numbering | None:
    at = 0
    while at + 2 <= len(header):
        element, length = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + length]
        if element == _REFERENCE_8 and len(value) == length == 3:
            return "udh8", (value[0], value[1], value[2])
        if element == _REFERENCE_16 and len(value) == length == 4:
            return "udh16", (value[0] << 8 | value[1], value[2], value[3])
        at += 2 + length
    return None


def _by_sar(pdu: DeliverSm | DataSm) -> _Numbering | None:
    values = [pdu.tlv(tag) for tag in (_SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER)]
    if not all(values):
        return None
    reference, total, number = (int.from_bytes(value or b"", "big") for value in values)
    return "sar", (reference, total, number)

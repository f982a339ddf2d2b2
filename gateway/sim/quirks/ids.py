"""Habits about message ids: how they are written, how long they are, how often one is given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.sim.quirks.base import Quirk
from gateway.smpp.consts import Tag
from gateway.smpp.pdu import Tlv

if TYPE_CHECKING:
    from gateway.sim.message import Pending
    from gateway.smpp.pdu import DataSm, DeliverSm

#: Between 2^73 and 2^74: a signed 64-bit integer and a double both merge neighbours here.
_BIG: Final = 10**22
#: Ids that look like numbers and are names, with the message's number in them.
OPAQUE: Final = (
    "0e999f21-81ef-4c5a-9b1e-{:012x}",
    "{:08X}",
    "00B8{:08X}",
    "SAR-2347-{:x}-2-1",
    "{:012}",
    "1101C1-{:06X}-F000",
)
#: In this form the TLV leaves the hyphens out.
_WITHOUT_HYPHENS: Final = 0
#: In this form the receipt writes lower case.
_OTHER_CASE: Final = 5
#: Messages that get one id.
_REUSED: Final = 2


class HexInResponse(Quirk):
    """`39f99dd5` in the response, `id:0972660181` in the receipt."""

    def ids(self, number: int, turn: int) -> tuple[str, str]:
        return f"{number:x}", f"{number:010}"


class TlvAndTextDiffer(Quirk):
    """One number twice in a receipt: padded decimal in the text, hexadecimal in the TLV."""

    def ids(self, number: int, turn: int) -> tuple[str, str]:
        return f"{number:x}", f"{number:010}"

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        return _named(pdu, f"{int(pending.message.message_id):x}")


class IdAbove64Bit(Quirk):
    """Ids of 23 digits that differ in the last one."""

    def number(self, number: int) -> int:
        return _BIG + number

    def ids(self, number: int, turn: int) -> tuple[str, str]:
        return str(number), str(number)


class OpaqueIds(Quirk):
    """Leading zeros, letters, hyphens; in one form the case changes on the way."""

    def ids(self, number: int, turn: int) -> tuple[str, str]:
        form = turn % len(OPAQUE)
        name = OPAQUE[form].format(number)
        return name, name.lower() if form == _OTHER_CASE else name

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        if turn % len(OPAQUE) == _WITHOUT_HYPHENS:
            return _named(pdu, pending.message.message_id.replace("-", ""))
        return pdu


class IdReuse(Quirk):
    """One id for two messages that follow each other."""

    def ids(self, number: int, turn: int) -> tuple[str, str]:
        name = f"7{turn // _REUSED:05}"
        return name, name


class UnrelatedIds(Quirk):
    """The id of the response is never heard of again: receipts name the recipient's own."""

    def ids(self, number: int, turn: int) -> tuple[str, str]:
        return str(number), f"{number}-0001"


def _named(pdu: DeliverSm | DataSm, name: str) -> DeliverSm | DataSm:
    """*pdu* with another receipted_message_id."""
    tag = int(Tag.RECEIPTED_MESSAGE_ID)
    rest = tuple(tlv for tlv in pdu.tlvs if tlv.tag != tag)
    return replace(pdu, tlvs=(Tlv(tag, name.encode() + b"\0"), *rest))

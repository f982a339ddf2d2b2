"""Habits about receipts: their text, their TLVs, their octets, and how many there are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.sim.outcomes import DELIVERED, Report
from gateway.sim.quirks.base import Quirk
from gateway.smpp.consts import EsmClass, MessageState, Tag
from gateway.smpp.pdu import DataSm, DeliverSm, Tlv
from gateway.smpp.wire import encode

if TYPE_CHECKING:
    from gateway.sim.message import Accepted, Pending
    from gateway.sim.outcomes import Outcome
    from gateway.sim.quirks.base import Wire

_ID: Final = int(Tag.RECEIPTED_MESSAGE_ID)
_NETWORK_ERROR: Final = int(Tag.NETWORK_ERROR_CODE)
_DAY_S: Final = 86_400.0
#: Words met in the field that no standard knows.
ODD_STATS: Final = ("FAILED", "BUFFRED", "ACKED", "0", "DND_REJECTED", "BUFFERD")
#: Fields that are missing, without their label, in another order, or not what they are called.
TEXTS: Final = (
    "id:{id} submit date:{submitted} done date:{done} stat:{stat} err:{err} text:hello",
    "id:{id} sub:001 dlvrd:001 submit date:{submitted} done date:{done} stat:{stat}",
    "id:{id} sub:001 dlvrd:001 submit date:{submitted} done date:{done} {stat} err:{err} Text:",
    "id:{id} err:{err} stat:{stat} done date:{done} submit date:{submitted}",
    (
        "id:{id} sub:null dlvrd:null submit date:{submitted} done date:{done} stat:{stat} err:null"
        " text:null"
    ),
    (
        "id:{id} sub:001 dlvrd:001 submit date:{submitted} done date:{done} stat:{stat} err:0032"
        " Text:hello"
    ),
    "ID:{id} SUB:001 DLVRD:001 SUBMIT DATE:{submitted} DONE DATE:{done} STAT:{stat} ERR:21b TEXT:",
    (
        "id:{id} sub:001 dlvrd:001 submit date:{submitted} done date:{done} stat:{stat} err:{err}"
        " text:id:1 stat:UNDELIV err:99"
    ),
)
#: `done date` as operators write it; {0} has ten digits, YYMMDDhhmm.
DATES: Final = ("{0}", "{0}05", "20{0}05", "{0}05912+", "0000000000")
_PLAIN: Final = (
    "id:{id} sub:001 dlvrd:001 submit date:{submitted} done date:{done} stat:{stat} err:{err} text:"
)
#: TLVs of vendors, and what an operator of php-smpp's users sends as network error.
_VENDOR_TLVS: Final = (
    Tlv(_NETWORK_ERROR, b"\0\0\0"),
    Tlv(0x1454, b"\0\0\0\x01"),
    Tlv(0x1418, b"\0\0\0\0"),
    Tlv(0x1400, b"\x05"),
    Tlv(0x0005, b"\x71"),
)
_UDH: Final = bytes.fromhex("050003840101")


class _TextOnly(Quirk):
    """A receipt of text alone, in the forms of `texts`."""

    texts: tuple[str, ...] = (_PLAIN,)

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        text = self.text(pending, turn)
        assert isinstance(pdu, DeliverSm), "this habit writes deliver_sm"
        return replace(pdu, short_message=text.encode("latin-1"), tlvs=())

    def text(self, pending: Pending, turn: int, **changed: str) -> str:
        fields = {
            "id": pending.message.message_id,
            "submitted": pending.submitted,
            "done": pending.done,
            "stat": pending.report.word,
            "err": pending.report.error,
        }
        return self.texts[turn % len(self.texts)].format(**(fields | changed))


class ReceiptBeforeResponse(Quirk):
    """The receipt and then the response, in one segment."""

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        return replace(outcome, answer="after_receipt")


class ReceiptOnOtherBind(Quirk):
    """A receipt never comes by the link of its message."""

    def by_another_link(self) -> bool:
        return True


class OddStat(_TextOnly):
    """A word that nobody defined."""

    def text(self, pending: Pending, turn: int, **changed: str) -> str:
        return super().text(pending, 0, stat=ODD_STATS[turn % len(ODD_STATS)])


class MissingFields(_TextOnly):
    """Fields missing, reordered, relabelled."""

    texts = TEXTS


class DateForms(_TextOnly):
    """Dates of 10, 12, 14 and 16 characters, and one of zeros."""

    def text(self, pending: Pending, turn: int, **changed: str) -> str:
        return super().text(pending, 0, done=DATES[turn % len(DATES)].format(pending.done))


class TlvOnly(Quirk):
    """No text; then no TLVs."""

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        assert isinstance(pdu, DeliverSm), "this habit writes deliver_sm"
        return replace(pdu, tlvs=()) if turn % 2 else replace(pdu, short_message=b"")


class ForeignTlvs(Quirk):
    """Vendor TLVs, TLVs of another version, one that runs over, one stray octet before them."""

    forms = 4

    def response(self, octets: bytes, turn: int) -> bytes:
        if turn % self.forms == 1:  # congestion_state of SMPP 5.0
            return _lengthened(octets + bytes.fromhex("0428000100"))
        return octets

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        return replace(pdu, tlvs=(*_VENDOR_TLVS, *pdu.tlvs)) if turn % self.forms == 0 else pdu

    def receipt_octets(self, octets: bytes, turn: int) -> bytes:
        at = octets.rindex(_ID.to_bytes(2, "big") + b"\0")
        if turn % self.forms == 2:  # its own id, announced as 65 octets, ends the PDU
            length = int.from_bytes(octets[at + 2 : at + 4], "big")
            value = octets[at + 4 : at + 4 + length]
            return _lengthened(octets[:at] + b"\x00\x1e\x00\x41" + value)
        if turn % self.forms == 3:
            return _lengthened(octets[:at] + b"\0" + octets[at:])
        return octets


class LyingSmLength(_TextOnly):
    """sm_length above what is left, one too small, and 255."""

    forms = 3

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        if turn % self.forms == 1:
            return pdu
        plain = super().receipt(pdu, pending, 0)
        assert isinstance(plain, DeliverSm), "this habit writes deliver_sm"
        text = plain.short_message
        return replace(plain, short_message=text.ljust(254) if turn % self.forms == 2 else text)

    def receipt_octets(self, octets: bytes, turn: int) -> bytes:
        at = octets.index(b"id:") - 1
        if turn % self.forms == 2:
            return _lengthened(octets[:at] + b"\xff" + octets[at + 1 :] + b" ")
        off = 8 if turn % self.forms == 0 else -1
        return octets[:at] + bytes((octets[at] + off,)) + octets[at + 1 :]


class EsmClasses(_TextOnly):
    """Marked as receipt; with a header before the text; marked twice; not marked at all."""

    forms = (EsmClass.RECEIPT, EsmClass.RECEIPT | EsmClass.UDHI, 0x24, EsmClass.DEFAULT)

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        plain = super().receipt(pdu, pending, 0)
        assert isinstance(plain, DeliverSm), "this habit writes deliver_sm"
        esm_class = self.forms[turn % len(self.forms)]
        header = _UDH if esm_class & EsmClass.UDHI else b""
        return replace(plain, esm_class=esm_class, short_message=header + plain.short_message)


class ForgedMo(Quirk):
    """No receipt; instead the subscriber sends a text that looks like one."""

    forms = (EsmClass.DEFAULT, EsmClass.DELIVERY_ACK, EsmClass.USER_ACK)

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        return replace(outcome, reports=())

    def taken(self, link: Wire, message: Accepted, turn: int, now: float) -> None:
        text = _PLAIN.format(
            id=message.message_id, submitted="2611211000", done="2611211001", stat="DELIVRD", err=0
        )
        forged = DeliverSm(
            source=message.dest,
            dest=message.source,
            short_message=text.encode(),
            esm_class=self.forms[turn % len(self.forms)],
        )
        link.ask("mo", encode(forged, 1))


class RepeatedReceipts(Quirk):
    """ENROUTE and DELIVRD at once and DELIVRD again; EXPIRED then DELIVRD; days later."""

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        delivrd = DELIVERED.reports[0]
        enroute = Report("ENROUTE", MessageState.ENROUTE)
        expired = Report("EXPIRED", MessageState.EXPIRED, "027")
        forms = (
            (enroute, delivrd, replace(delivrd, after_s=0.01)),
            (expired, replace(delivrd, after_s=1.0)),
            (replace(delivrd, after_s=5 * _DAY_S),),
        )
        return replace(outcome, reports=forms[turn % len(forms)])


class ReceiptCharset(_TextOnly):
    """The text in UCS-2, in Latin-1, as unpacked GSM 7-bit octets, and padded with spaces."""

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        plain = super().receipt(pdu, pending, 0)
        assert isinstance(plain, DeliverSm), "this habit writes deliver_sm"
        text = plain.short_message
        forms = (
            (8, text.decode().encode("utf-16-be")),
            (3, text + "mañana".encode("latin-1")),
            (0, text + b"H\x1bello \x00\x11world"),
            (3, text + b"Hello" + b" " * 15),
        )
        coding, octets = forms[turn % len(forms)]
        return replace(plain, data_coding=coding, short_message=octets)


class DataSmReceipt(Quirk):
    """data_sm instead of deliver_sm."""

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        reports = tuple(replace(report, form="data_sm") for report in outcome.reports)
        return replace(outcome, reports=reports)


class OddDeliverResp(Quirk):
    """Takes a deliver_sm_resp only if its message_id is one NUL; else the receipt comes again."""

    def accepts(self, response: bytes) -> bool:
        return response[16:] == b"\0"


class NetworkErrorCode(Quirk):
    """UNDELIV, with network_error_code as three digits of text, then as the standard has it."""

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        return replace(outcome, reports=(Report("UNDELIV", MessageState.UNDELIVERABLE, "034"),))

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        value = b"\x03\x00\x22" if turn % 2 else b"034"
        return replace(pdu, tlvs=(*pdu.tlvs, Tlv(_NETWORK_ERROR, value)))


def _lengthened(octets: bytes) -> bytes:
    """*octets* with the command_length they have."""
    return len(octets).to_bytes(4, "big") + octets[4:]

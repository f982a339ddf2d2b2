"""What the simulated operator keeps of a message, and the receipts it writes about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gateway.smpp.consts import EsmClass, MessageState, RegisteredDelivery, Tag
from gateway.smpp.pdu import DataSm, DeliverSm, SubmitSm, Tlv
from gateway.smpp.text import decode_text, strip_udh

if TYPE_CHECKING:
    from gateway.sim.outcomes import Report
    from gateway.sim.quirks.base import Quirk

# Plain ints: a member of an enumeration costs more to look up than to compare.
_RECEIPTED_MESSAGE_ID: Final = int(Tag.RECEIPTED_MESSAGE_ID)
_MESSAGE_STATE: Final = int(Tag.MESSAGE_STATE)
_MESSAGE_PAYLOAD: Final = int(Tag.MESSAGE_PAYLOAD)
_DELIVERED: Final = int(MessageState.DELIVERED)
_UDHI: Final = EsmClass.UDHI
#: data_codings of which a receipt can quote the beginning, octet by octet.
_QUOTED_CODINGS: Final = frozenset((0, 1, 3))
_QUOTED_BYTES: Final = 20
_RECEIPT_BITS: Final = 0x03
_ON_SUCCESS: Final = 0x03  # SMPP 5.0 section 4.7.21; reserved in 3.4


@dataclass(slots=True)
class Accepted:
    """One submit_sm taken: a whole message, or one segment of it.

    `message_id` is as receipts name it, `octets` the short_message with its header, `at` the
    operator's `now`.
    """

    source: str
    dest: str
    message_id: str
    octets: bytes
    data_coding: int
    esm_class: int
    registered_delivery: int
    numbering: tuple[int, int, int, int]  # TON and NPI of source, then of dest
    at: float
    system_id: str
    #: Its id as the response names it, and the state its latest receipt tells; None before one.
    named: str = ""
    state: int | None = None
    #: The habits that apply to it, and which turn of each it is.
    quirks: tuple[tuple[Quirk, int], ...] = ()

    @property
    def text(self) -> str:
        """What this segment says, with data_coding 0 read as GSM 7-bit."""
        return decode_text(self.octets, self.data_coding, udh=bool(self.esm_class & _UDHI))

    @property
    def segment(self) -> tuple[int, int, int]:
        """(reference, total, number) of its 8-bit header; (0, 1, 1) for a message in one part."""
        if self.esm_class & _UDHI and self.octets[:3] == b"\x05\x00\x03" and len(self.octets) > 5:
            return self.octets[3], self.octets[4], self.octets[5]
        return 0, 1, 1


@dataclass(slots=True)
class Pending:
    """A receipt that no deliver_sm_resp has answered with 0 yet."""

    message: Accepted
    report: Report
    done: str = ""  # the date it tells, the same each time it is sent
    submitted: str = ""
    sent: int = 0
    avoids: object = None  # the link it does not go by


def wanted(report: Report, registered_delivery: int) -> bool:
    """Whether the sender asked for this receipt (SMPP 3.4 section 5.2.17)."""
    asked = registered_delivery & _RECEIPT_BITS
    if report.intermediate:
        # Operators send them unasked too; only "failure" or "success" alone keeps them back.
        return asked == RegisteredDelivery.RECEIPT or bool(
            registered_delivery & RegisteredDelivery.INTERMEDIATE
        )
    if asked == RegisteredDelivery.RECEIPT_ON_FAILURE:
        return report.failure
    return asked == RegisteredDelivery.RECEIPT or (asked == _ON_SUCCESS and not report.failure)


def receipt_pdu(pending: Pending, now_text: str, submitted: str) -> DeliverSm | DataSm:
    """The receipt in the form its report has; *now_text* is the date of its first sending."""
    pending.done = pending.done or now_text
    pending.submitted = submitted
    report, message = pending.report, pending.message
    text = b"" if report.form == "tlv" else _text(pending)
    tlvs: tuple[Tlv, ...] = ()
    if report.form != "text":
        tlvs = (
            Tlv(_RECEIPTED_MESSAGE_ID, message.message_id.encode() + b"\0"),
            Tlv(_MESSAGE_STATE, bytes((report.state,))),
        )
    asked_for = message.registered_delivery & RegisteredDelivery.INTERMEDIATE
    esm_class = EsmClass.INTERMEDIATE if report.intermediate and asked_for else EsmClass.RECEIPT
    source_ton, source_npi, dest_ton, dest_npi = message.numbering
    if report.form == "data_sm":
        return DataSm(
            source=message.dest,
            dest=message.source,
            source_ton=dest_ton,
            source_npi=dest_npi,
            dest_ton=source_ton,
            dest_npi=source_npi,
            esm_class=esm_class,
            tlvs=(*tlvs, Tlv(_MESSAGE_PAYLOAD, text)),
        )
    return DeliverSm(
        source=message.dest,
        dest=message.source,
        short_message=text,
        source_ton=dest_ton,
        source_npi=dest_npi,
        dest_ton=source_ton,
        dest_npi=source_npi,
        esm_class=esm_class,
        tlvs=tlvs,
    )


def _text(pending: Pending) -> bytes:
    """The form of SMPP 3.4 Appendix B."""
    report, message = pending.report, pending.message
    delivered = "001" if report.state == _DELIVERED else "000"
    quoted = b""
    if message.data_coding in _QUOTED_CODINGS:
        octets = strip_udh(message.octets) if message.esm_class & _UDHI else message.octets
        quoted = octets[:_QUOTED_BYTES]
    return (
        f"id:{message.message_id} sub:001 dlvrd:{delivered} submit date:{pending.submitted}"
        f" done date:{pending.done} stat:{report.word} err:{report.error} text:".encode()
        + quoted
    )


@lru_cache(maxsize=1024)
def date_text(wall_minute: int) -> str:
    """YYMMDDhhmm of the minutes since the Unix epoch, already in the SMSC's local time (7.1.1)."""
    return datetime.fromtimestamp(wall_minute * 60, UTC).strftime("%y%m%d%H%M")


def accepted(pdu: SubmitSm, message_id: str, system_id: str, now: float) -> Accepted:
    """What is kept of *pdu*."""
    return Accepted(
        pdu.source,
        pdu.dest,
        message_id,
        pdu.message,
        pdu.data_coding,
        pdu.esm_class,
        pdu.registered_delivery,
        (pdu.source_ton, pdu.source_npi, pdu.dest_ton, pdu.dest_npi),
        now,
        system_id,
    )

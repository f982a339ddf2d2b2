"""Habits about answers to submit_sm: their shape, when they come, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.sim.quirks.base import Quirk
from gateway.smpp.consts import Status, Tag
from gateway.smpp.pdu import GenericNack, SubmitSmResp, Tlv
from gateway.smpp.wire import encode

if TYPE_CHECKING:
    from gateway.sim.message import Accepted
    from gateway.sim.outcomes import Outcome
    from gateway.smpp.pdu import SubmitSm

#: Between the answers to the segments of a message that are answered last part first.
_BETWEEN_S: Final = 0.2
_VENDOR_STATUS: Final = 0x400


class _RefusesOnce(Quirk):
    """Refuses a segment the first time it comes, in the ways of `answers`, and then takes it."""

    #: The kind of the answer and its status.
    answers: tuple[tuple[type[SubmitSmResp] | type[GenericNack], int], ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self._refused: set[tuple[str, bytes]] = set()

    def refusal(self, pdu: SubmitSm) -> bytes | None:
        key = (pdu.dest, pdu.message)
        if key in self._refused:
            return None
        kind, status = self.answers[len(self._refused) % len(self.answers)]
        self._refused.add(key)
        return encode(kind(status=status, sequence=pdu.sequence))


class Throttle(_RefusesOnce):
    """0x58, 0x14, 0x45, generic_nack with 0x58, and the vendor's 0x400."""

    answers = (
        (SubmitSmResp, Status.ESME_RTHROTTLED),
        (SubmitSmResp, Status.ESME_RMSGQFUL),
        (SubmitSmResp, Status.ESME_RSUBMITFAIL),
        (GenericNack, Status.ESME_RTHROTTLED),
        (SubmitSmResp, _VENDOR_STATUS),
    )


class GenericNackForSubmit(_RefusesOnce):
    """generic_nack in place of a submit_sm_resp: 0x03, then 0x64."""

    answers = ((GenericNack, Status.ESME_RINVCMDID), (GenericNack, Status.ESME_RX_T_APPN))


class ResponseShapes(Quirk):
    """Errors bare, with an id and with a TLV; OK with an id without NUL, an empty one, and none."""

    forms = 6

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0

    def refusal(self, pdu: SubmitSm) -> bytes | None:
        form, self._seen = self._seen % self.forms, self._seen + 1
        error = SubmitSmResp(status=Status.ESME_RINVDSTADR, sequence=pdu.sequence)
        text = Tlv(int(Tag.ADDITIONAL_STATUS_INFO_TEXT), b"no such number\0")
        if form == 0:
            return encode(error)
        if form == 1:
            return encode(replace(error, message_id="0A000000A3D323A1"))
        return encode(replace(error, tlvs=(text,))) if form == 2 else None

    def response(self, octets: bytes, turn: int) -> bytes:
        cut = (octets[:-1], octets[:16] + b"\0", octets[:16])[turn % 3]
        return len(cut).to_bytes(4, "big") + cut[4:]


class NoResponse(Quirk):
    """Taken, and the response never comes; or late; or never, and yet a receipt does."""

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        if turn % 3 == 0:
            return replace(outcome, answer="none", reports=())
        return replace(outcome, answer="late" if turn % 3 == 1 else "none")


class MultipartPartial(Quirk):
    """Answers last part first; a receipt for the first part alone; the second part refused."""

    forms = 3

    def __init__(self) -> None:
        super().__init__()
        self._messages: dict[str, int] = {}

    def refusal(self, pdu: SubmitSm) -> bytes | None:
        second = pdu.message[:3] == b"\x05\x00\x03" and pdu.message[5:6] == b"\x02"
        if second and self._form(pdu.dest) == 2:
            return encode(SubmitSmResp(status=Status.ESME_RINVDSTADR, sequence=pdu.sequence))
        return None

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        only_first = self._form(message.dest) == 1 and message.segment[2] > 1
        return replace(outcome, reports=()) if only_first else outcome

    def delay_s(self, message: Accepted) -> float:
        _, total, number = message.segment
        return (total - number) * _BETWEEN_S if self._form(message.dest) == 0 else 0.0

    def _form(self, dest: str) -> int:
        """Messages are told apart by their recipient."""
        return self._messages.setdefault(dest, len(self._messages)) % self.forms

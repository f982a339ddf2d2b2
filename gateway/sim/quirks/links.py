"""Habits about the link: binds, framing, sequence numbers, silence, and unasked requests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.sim.message import Pending
from gateway.sim.outcomes import DELIVERED
from gateway.sim.quirks.base import Quirk
from gateway.smpp.codec import HEADER
from gateway.smpp.consts import RESPONSE_BIT, CommandId, Status
from gateway.smpp.pdu import BindResp, DeliverSm
from gateway.smpp.wire import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.sim.message import Accepted
    from gateway.sim.outcomes import Outcome
    from gateway.sim.quirks.base import Wire
    from gateway.smpp.pdu import Bind

#: What stands where a command_length should: below a header, above any PDU, other protocols.
BAD_LENGTHS: Final = (
    bytes(4),
    b"\x00\x00\x00\x05",
    b"\x00\x00\x00\x0f\x80\x00\x00\x04",
    b"\x7f\xff\xff\xff\x00\x00\x00\x05",
    b"\xf0\x00\x00\x11\x00\x00\x00\x05",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"AMQP\x00\x00\x09\x01",
)
#: Sequence numbers outside 1 to 0x7FFFFFFF, and the two ends of it.
ODD_SEQUENCES: Final = (0x00000000, 0x80000000, 0x806A179B, 0xA2859F22, 0xFFFFFFFF, 0x7FFFFFFF)
#: A command of SMPP 5.0, one of nobody's, and one that the standard leaves unanswered.
UNKNOWN_COMMANDS: Final = (0x00000112, 0x00000ABC, int(CommandId.ALERT_NOTIFICATION))
#: Refused binds come with these, one after the other, before one is let in.
BIND_REFUSALS: Final = (
    Status.ESME_RALYBND,
    Status.ESME_RINVPASWD,
    Status.ESME_RINVSYSID,
    Status.ESME_RBINDFAIL,
)
_GAP_S: Final = 3.0
FLOOD: Final = 500
#: How long nothing is read while the flood goes out.
DEAF_S: Final = 8.0


class BadLength(Quirk):
    """After a message: octets that are no PDU."""

    def taken(self, link: Wire, message: Accepted, turn: int, now: float) -> None:
        link.send(BAD_LENGTHS[turn % len(BAD_LENGTHS)])


class OddSequences(Quirk):
    """Requests are numbered from outside the range of the standard."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = 0

    def sequence(self, given: int) -> int:
        lap, at = divmod(self._numbers, len(ODD_SEQUENCES))
        self._numbers += 1
        return (ODD_SEQUENCES[at] + lap) & 0xFFFFFFFF


class DripFeed(Quirk):
    """A message before the answer to the bind and one with it; then one octet at a time."""

    def bound(self, link: Wire, answer: bytes) -> bytes:
        early = DeliverSm(source="34600111201", dest="ACME", short_message=b"before the bind_resp")
        link.ask("mo", encode(early, 1))
        return answer

    def pieces(self, octets: bytes) -> Iterator[tuple[bytes, float]]:
        middle = min(20, len(octets) // 2)
        for at in range(len(octets)):
            yield octets[at : at + 1], _GAP_S if at == middle else 0.0


class BindTrouble(Quirk):
    """Refuses binds in four ways, with and without body; then lets in, without body."""

    def __init__(self) -> None:
        super().__init__()
        self._refused = 0

    def bind_answer(self, pdu: Bind) -> bytes | None:
        if self._refused == len(BIND_REFUSALS):
            return None
        status = BIND_REFUSALS[self._refused]
        name = "SMSC" if self._refused % 2 else ""
        self._refused += 1
        return encode(BindResp(name, mode=pdu.mode, status=status, sequence=pdu.sequence))

    def bound(self, link: Wire, answer: bytes) -> bytes:
        return b"\0\0\0\x10" + answer[4:16]


class HalfOpen(Quirk):
    """Answers a message and then says nothing more, with the connection open."""

    def taken(self, link: Wire, message: Accepted, turn: int, now: float) -> None:
        link.fall_silent()


class UnbindMidWindow(Quirk):
    """Takes a message and unbinds instead of answering; its receipt comes on the next link."""

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        return replace(outcome, answer="none")

    def taken(self, link: Wire, message: Accepted, turn: int, now: float) -> None:
        link.unbind()


class UnknownCommand(Quirk):
    """After a message: a request nobody serves."""

    def taken(self, link: Wire, message: Accepted, turn: int, now: float) -> None:
        command = UNKNOWN_COMMANDS[turn % len(UNKNOWN_COMMANDS)]
        body = b"\0" * 12
        octets = HEADER.pack(16 + len(body), command & ~RESPONSE_BIT, 0, 1) + body
        link.ask(f"0x{command:08X}", octets)


class ZeroWindow(Quirk):
    """Reads nothing for a while, and meanwhile sends one receipt hundreds of times."""

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        return replace(outcome, reports=())

    def taken(self, link: Wire, message: Accepted, turn: int, now: float) -> None:
        link.stop_reading(now + DEAF_S)
        link.repeat(Pending(message, DELIVERED.reports[0]), FLOOD, now)

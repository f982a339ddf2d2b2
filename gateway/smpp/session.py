"""One bound life as an ESME (SMPP 3.4 section 2), without I/O and without a clock.

Theory of operation. The owner gives octets and times (`receive_data`, `handle_timeout`), takes
events and, after every call, octets (`data_to_send`). Times are monotonic seconds and never run
backwards. `next_deadline` says when `handle_timeout` is due.

A submit_sm goes through three hands. `prepare` gives it a sequence number and a window slot and
encodes it: what will be sent is known and can be made durable. `transmit` puts it on its way and
starts its response timer. An answer, or the timer, ends it. A submit that timed out gives its slot
back but keeps its number, for its answer may still come and still carries the message_id.

A deliver_sm is handed up and stays unanswered until `answer`, so the acknowledgement can wait for
the disk. enquire_link, unbind and commands we do not serve are answered here, at once.

The state changes by `state.TRANSITIONS` only. What a state does with a PDU that changes no state
is in the handlers: those of messages below, those of the link itself in `link`. Whatever the peer
sends gives events or RemoteProtocolError; any other exception out of `receive_data` is a defect.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from gateway.errors import RemoteProtocolError
from gateway.smpp import wire
from gateway.smpp.consts import RESPONSE_BIT, VERSION_3_3, VERSION_5_0, CommandId, Status, Tag
from gateway.smpp.events import (
    BindRefused,
    Bound,
    Delivered,
    Event,
    Ignored,
    LinkDead,
    Lost,
    PeerUnbound,
    RequestAnswered,
    RequestTimedOut,
    SubmitAnswered,
    SubmitTimedOut,
    Unbound,
)
from gateway.smpp.link import Link
from gateway.smpp.older import as_3_3
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    Damaged,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.requests import Requests
from gateway.smpp.state import State, Step
from gateway.smpp.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BindRefused",
    "Bound",
    "Delivered",
    "Event",
    "Ignored",
    "LinkDead",
    "Lost",
    "PeerUnbound",
    "RequestAnswered",
    "RequestTimedOut",
    "Session",
    "State",
    "SubmitAnswered",
    "SubmitTimedOut",
    "Unbound",
]

MAX_EARLY: Final = 256
"""deliver_sm kept while the bind is unanswered; more are refused for now and come again."""

_DAMAGED_STATUS: Final = int(Status.ESME_RX_P_APPN)
"""Answer to a deliver_sm whose fields cannot be found. Not OK, for nothing was understood; not
temporary, for then the same octets come again for days (smppex met such an operator)."""


class Session(Link):
    """An ESME's side of one link, from the bind to its end; then it is thrown away.

    Args:
        bind: what to bind with; its mode decides whether submits are possible.
        window: submits prepared or unanswered at most, 1 or more.
        enquire_link_s: after this long without a PDU received, ask whether the peer is there.
        response_timeout_s: patience for any answer, each operation for itself (section 7.2).
        session_init_s: patience for the answer to the bind; by default as for any other.
        now: monotonic seconds.
        first_sequence: where our sequence numbers begin, 1 to 0x7FFFFFFF.
    """

    def __init__(
        self,
        bind: Bind,
        *,
        window: int,
        enquire_link_s: float = 30.0,
        response_timeout_s: float = 10.0,
        session_init_s: float | None = None,
        now: float,
        first_sequence: int = 1,
    ) -> None:
        super().__init__(
            bind,
            enquire_link_s=enquire_link_s,
            response_timeout_s=response_timeout_s,
            session_init_s=session_init_s,
            now=now,
            first_sequence=first_sequence,
        )
        self._window = Window(window, response_timeout_s)
        #: SMPP 5.0 lets the SMSC steer the window by congestion_state (4.8.4.18).
        self._steered = bind.interface_version >= VERSION_5_0
        self._splitter = wire.Splitter()
        self._requests = Requests(response_timeout_s)
        self._owed: RemoteProtocolError | None = None  # to be raised by the next call
        self._early: list[Delivered] = []

    def free(self) -> int:
        """Submits that may be prepared now: 0 unless bound as transmitter or transceiver."""
        if self.state is not State.BOUND or self.bind.mode == "receiver":
            return 0
        return self._window.free()

    @property
    def window(self) -> int:
        """Submits that may be on the way at once, as the SMSC's congestion_state leaves it."""
        return self._window.allowed

    @property
    def takes_tlvs(self) -> bool:
        """Whether both sides speak a version with optional parameters: 3.4 or later."""
        return self.peer_version > VERSION_3_3

    @property
    def in_flight(self) -> int:
        """Submits transmitted, not answered and not timed out."""
        return self._window.in_flight

    def prepare(self, pdu: SubmitSm | ReplaceSm, token: object) -> tuple[int, bytes]:
        """Give a submit its sequence number and a window slot; nothing is sent yet.

        A replace_sm is one too: it sends a text, and its outcome may stay unknown.

        Returns the number and the octets that `transmit` will send. `token` is the caller's name
        for it and comes back in the event that ends it.

        Raises:
            LocalProtocolError: not bound for sending, or the window is full; ask `free()` before.
            DataError: a field does not fit; `fields["field"]` names it. No slot is taken.
        """
        if self.free() < 1:
            raise self._misuse("prepare a submit_sm", in_flight=self._window.in_flight)
        sequence = self._next_sequence()
        if isinstance(pdu, SubmitSm) and pdu.tlvs and not self.takes_tlvs:
            pdu = as_3_3(pdu)
        octets = wire.encode(pdu, sequence)
        self._window.prepare(sequence, token, octets)
        return sequence, octets

    def transmit(self, sequence: int, now: float) -> None:
        """Put a prepared submit into the outbound buffer and start its response timer.

        Raises:
            LocalProtocolError: not prepared, or no longer BOUND: look at `state` before. The
                token then stays with the session until `withdraw` or `close`.
        """
        octets = self._window.transmit(sequence, now) if self.state is State.BOUND else None
        if octets is None:
            raise self._misuse("transmit a submit_sm")
        self._outbound.append(octets)

    def withdraw(self, sequence: int) -> None:
        """Take back a submit that was prepared and not transmitted; its slot is free again.

        Raises:
            LocalProtocolError: there is none with this number.
        """
        if not self._window.withdraw(sequence):
            raise self._misuse("withdraw a submit_sm")

    def may_ask(self) -> bool:
        """Whether `request` is possible now."""
        bound = self.state is State.BOUND and self.bind.mode != "receiver"
        return bound and self._requests.free() > 0

    def request(self, pdu: QuerySm | CancelSm, token: object, now: float) -> None:
        """Queue a query_sm or cancel_sm; a RequestAnswered or RequestTimedOut ends it.

        Raises:
            LocalProtocolError: not bound for sending, or too many are unanswered: `may_ask()`.
            DataError: a field does not fit; `fields["field"]` names it.
        """
        if not self.may_ask():
            raise self._misuse("ask about a message")
        sequence = self._next_sequence()
        self._send(pdu, sequence)
        self._requests.add(sequence, token, now)

    def answer(self, delivered: Delivered, status: int = 0) -> None:
        """Acknowledge a deliver_sm or data_sm, with the sequence it came with (5.1.4).

        On a CLOSED session the answer goes nowhere: the SMSC will deliver again.
        """
        if self.state is State.CLOSED:
            return
        answer = DeliverSmResp if isinstance(delivered.pdu, DeliverSm) else DataSmResp
        self._send(answer("", status, delivered.pdu.sequence))

    def close(self) -> Lost:
        """The link is gone, or is given up. What it still held is handed back, once."""
        self._move(Step.CLOSE)
        lost = self._window.clear()
        return Lost(lost.prepared, lost.transmitted, self._requests.clear())

    def next_deadline(self) -> float:
        """When `handle_timeout` is due; math.inf for never, -math.inf for at once."""
        if self._owed is not None:
            return -math.inf
        if self.state is State.CLOSED:
            return math.inf
        return min(self._due(), self._window.due(), self._requests.due())

    def handle_timeout(self, now: float) -> list[Event]:
        """Do what is due by now: give up on answers, ask whether the peer is there.

        Raises:
            RemoteProtocolError: the one that was kept back so as not to lose the events before it.
        """
        events: list[Event] = []
        if self._owed is not None:
            owed, self._owed = self._owed, None
            raise owed
        if self.state is not State.CLOSED:
            expired = self._window.expire(now)
            events.extend(SubmitTimedOut(token, sequence) for sequence, token in expired)
            events.extend(RequestTimedOut(token) for token in self._requests.expire(now))
            self._tick(now, events)
        return events

    def receive_data(self, data: bytes | bytearray, now: float) -> list[Event]:
        """Take octets off the link, in pieces of any size.

        Raises:
            RemoteProtocolError: the stream is out of step (kind "command_length") and the session
                CLOSED; a generic_nack waits in data_to_send(). Where whole PDUs before it gave
                events, those are returned and the error is raised by the next call, which
                `next_deadline` then asks for at once.
        """
        self._owed = None
        try:
            whole = self._splitter.feed(data)
        except RemoteProtocolError:
            self._fall_out_of_step()
            raise
        if whole:
            self._heard(now)
        events: list[Event] = []
        for octets in whole:
            pdu = wire.decode(octets)
            _HANDLERS.get(type(pdu), Session._on_foreign)(self, pdu, events)
        if self._splitter.error is not None:
            self._fall_out_of_step()
            if not events:
                raise self._splitter.error
            self._owed = self._splitter.error
        return events

    def _on_submit_resp(self, pdu: SubmitSmResp, events: list[Event]) -> None:
        """Matched in any state: an answer that follows the peer's unbind still counts."""
        settled = self._window.settle(pdu.sequence)
        if settled is None:
            events.append(Ignored(pdu.raw, "unmatched"))
            return
        token, late = settled
        if pdu.tlvs and self._steered:
            self._window.steer(pdu.tlv(Tag.CONGESTION_STATE))
        message_id = pdu.message_id or None
        events.append(
            SubmitAnswered(token, pdu.sequence, pdu.status, message_id, pdu.raw, late, False)
        )

    def _on_replace_resp(self, pdu: ReplaceSmResp, events: list[Event]) -> None:
        self._on_submit_resp(SubmitSmResp("", pdu.status, pdu.sequence, raw=pdu.raw), events)

    def _on_submit_nack(self, pdu: GenericNack, events: list[Event]) -> None:
        """A generic_nack settles the submit it names, now and not at its time-out (section 4.3)."""
        settled = self._window.settle(pdu.sequence)
        if settled is None:
            if not self._answered(pdu, None, events):
                self._on_nack(pdu, events)
            return
        token, late = settled
        events.append(SubmitAnswered(token, pdu.sequence, pdu.status, None, pdu.raw, late, True))

    def _on_request_resp(self, pdu: QuerySmResp | CancelSmResp, events: list[Event]) -> None:
        if not self._answered(pdu, pdu, events):
            events.append(Ignored(pdu.raw, "unmatched"))

    def _answered(
        self,
        pdu: GenericNack | Damaged | QuerySmResp | CancelSmResp,
        answer: QuerySmResp | CancelSmResp | None,
        events: list[Event],
    ) -> bool:
        """Whether this answers a request about a message."""
        token = self._requests.settle(pdu.sequence)
        if token is not None:
            events.append(RequestAnswered(token, pdu.status, answer, pdu.raw))
        return token is not None

    def _on_delivery(self, pdu: DeliverSm | DataSm, events: list[Event]) -> None:
        """Handed up in any bind mode: a receipt on a transmitter is odd, and still a receipt."""
        if self.state is State.BOUND or self.state is State.UNBINDING:
            events.append(Delivered(pdu, pdu.raw))
        elif self.state is State.CLOSED:
            events.append(Ignored(pdu.raw, "closed"))
        elif len(self._early) < MAX_EARLY:
            self._early.append(Delivered(pdu, pdu.raw))
        else:
            self.answer(Delivered(pdu, pdu.raw), Status.ESME_RX_T_APPN)
            events.append(Ignored(pdu.raw, "not_bound"))

    def _on_bind_answer(self, pdu: BindResp, events: list[Event]) -> None:
        """What came before the bind was answered is handed up now, in its order.

        Where the bind fails it stays unanswered, and the SMSC sends it again on the next session.
        """
        self._on_bind_resp(pdu, events)
        if self.state is State.BOUND:
            events.extend(self._early)
            self._early.clear()

    def _on_damaged(self, pdu: Damaged, events: list[Event]) -> None:
        """Its own response with an error, not generic_nack: the command was understood (4.3)."""
        if pdu.command_id & RESPONSE_BIT and self._answered(pdu, None, events):
            return
        answer = _DAMAGED_ANSWER.get(pdu.command_id)
        if answer is None or self.state is State.CLOSED:
            self._on_foreign(pdu, events)
            return
        self._send(answer("", _DAMAGED_STATUS, pdu.sequence))
        events.append(Ignored(pdu.raw, "damaged"))

    def _holds(self, sequence: int) -> bool:
        return (
            super()._holds(sequence)
            or self._window.holds(sequence)
            or self._requests.holds(sequence)
        )


_HANDLERS: Final[dict[type, Callable[[Session, Any, list[Event]], None]]] = {
    SubmitSmResp: Session._on_submit_resp,
    ReplaceSmResp: Session._on_replace_resp,
    DeliverSm: Session._on_delivery,
    DataSm: Session._on_delivery,
    QuerySmResp: Session._on_request_resp,
    CancelSmResp: Session._on_request_resp,
    EnquireLink: Session._on_enquire_link,
    EnquireLinkResp: Session._on_enquire_link_resp,
    BindResp: Session._on_bind_answer,
    Unbind: Session._on_unbind,
    UnbindResp: Session._on_unbind_resp,
    GenericNack: Session._on_submit_nack,
    Damaged: Session._on_damaged,
}

_DAMAGED_ANSWER: Final[dict[int, type[DeliverSmResp] | type[DataSmResp]]] = {
    CommandId.DELIVER_SM: DeliverSmResp,
    CommandId.DATA_SM: DataSmResp,
}

"""The link level of a session: bind, unbind, enquire_link, generic_nack, sequence numbers.

What SMPP 3.4 sections 4.1 to 4.3 and 4.11 say of one link as an ESME, whatever messages it
carries; `session` puts the messages on top. Sans-IO like the rest: octets and monotonic seconds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gateway.errors import LocalProtocolError
from gateway.smpp import wire
from gateway.smpp.consts import (
    MAX_SEQUENCE,
    RESPONSE_BIT,
    VERSION_3_3,
    CommandId,
    Status,
    command_name,
)
from gateway.smpp.events import (
    BindRefused,
    Bound,
    Event,
    Ignored,
    LinkDead,
    PeerUnbound,
    Reason,
    Silence,
    Unbound,
)
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    Unbind,
    UnbindResp,
)
from gateway.smpp.state import TRANSITIONS, State, Step

if TYPE_CHECKING:
    from gateway.errors import Field

_NO_RESPONSE: Final = frozenset({int(CommandId.OUTBIND), int(CommandId.ALERT_NOTIFICATION)})
"""Requests the protocol has no response for (sections 4.1.7, 4.12)."""


class Link:
    """One link as an ESME without its messages; the base of `Session`, of no use alone."""

    def __init__(
        self,
        bind: Bind,
        *,
        enquire_link_s: float,
        response_timeout_s: float,
        session_init_s: float | None,
        now: float,
        first_sequence: int,
    ) -> None:
        self.bind = bind
        self.enquire_link_s = enquire_link_s
        self.response_timeout_s = response_timeout_s
        self.session_init_s = response_timeout_s if session_init_s is None else session_init_s
        #: What both sides speak once bound; a bind_resp that does not say means 3.3 (5.3.2.25).
        self.peer_version = VERSION_3_3
        self.state = State.CONNECTED
        self._outbound: list[bytes] = []
        self._sequence = first_sequence - 1
        self._asked = 0  # sequence of the bind, later of the unbind; 0 while there is none
        self._answer_due = math.inf  # for that bind or unbind
        self._probe = 0  # sequence of the last enquire_link unanswered; 0 while there is none
        self._probe_due = math.inf  # its answer, or any other sign of life
        self._probe_at = now + enquire_link_s  # the next one

    def start(self, now: float) -> None:
        """Queue the bind (section 4.1) and start its response timer.

        Raises:
            LocalProtocolError: the session was started before.
            DataError: a field of the bind does not fit; `fields["field"]` names it.
        """
        if self.state is not State.CONNECTED or self._asked:
            raise self._misuse("start")
        sequence = self._next_sequence()
        self._send(self.bind, sequence)
        self._asked = sequence
        self._answer_due = now + self.session_init_s

    def unbind(self, now: float) -> None:
        """Queue an unbind (section 4.2). Answers to submits and deliveries still come in.

        Raises:
            LocalProtocolError: the session is not BOUND.
        """
        self._move(Step.UNBIND)
        self._asked = self._next_sequence()
        self._answer_due = now + self.response_timeout_s
        self._send(Unbind(self._asked))

    def data_to_send(self) -> bytes:
        """Take what waits to be sent; take it after every other call, and also when CLOSED."""
        octets = b"".join(self._outbound)
        self._outbound.clear()
        return octets

    @property
    def unsent(self) -> int:
        """PDUs that wait for `data_to_send`; a peer that reads nothing lets them grow."""
        return len(self._outbound)

    def _due(self) -> float:
        """When the link level is due: an answer awaited, or the next enquire_link."""
        if self.state is State.BOUND:
            return min(self._answer_due, self._probe_at, self._probe_due)
        return self._answer_due

    def _heard(self, now: float) -> None:
        """A PDU came. Any is a sign of life, so an enquire_link that waits is answered by it."""
        self._probe_due = math.inf
        self._probe_at = now + self.enquire_link_s

    def _tick(self, now: float, events: list[Event]) -> None:
        """Give up on an answer that is due, or ask whether the peer is there (section 7.2)."""
        if now >= self._answer_due:
            unbinding = self.state is State.UNBINDING
            self._give_up("unbind_unanswered" if unbinding else "bind_unanswered", events)
        elif self.state is State.BOUND and now >= self._probe_due:
            self._give_up("enquire_link_unanswered", events)
        elif self.state is State.BOUND and now >= self._probe_at:
            self._probe = self._next_sequence()
            self._probe_at = math.inf
            self._probe_due = now + self.response_timeout_s
            self._send(EnquireLink(self._probe))

    def _give_up(self, reason: Silence, events: list[Event]) -> None:
        self._move(Step.SILENCE)
        events.append(LinkDead(reason))

    def _on_bind_resp(self, pdu: BindResp, events: list[Event]) -> None:
        asked = self.state is State.CONNECTED and self._asked and pdu.sequence == self._asked
        if not asked or pdu.command_id != self.bind.command_id | RESPONSE_BIT:
            events.append(Ignored(pdu.raw, "unmatched"))
        elif pdu.status:
            self._refused(pdu.status, events)
        else:
            self._move(Step.BIND_ACCEPTED)
            self._answer_due = math.inf
            version = pdu.sc_interface_version or VERSION_3_3
            self.peer_version = min(version, self.bind.interface_version)
            events.append(Bound(pdu))

    def _refused(self, status: int, events: list[Event]) -> None:
        self._move(Step.BIND_REFUSED)
        events.append(BindRefused(status))

    def _on_nack(self, pdu: GenericNack, events: list[Event]) -> None:
        """generic_nack (section 4.3) answers whatever of ours had its sequence number."""
        if self._asked and pdu.sequence == self._asked and self.state is State.CONNECTED:
            self._refused(pdu.status, events)
        elif pdu.sequence == self._asked and self.state is State.UNBINDING:
            self._move(Step.UNBIND_ANSWERED)
            events.append(Unbound())
        elif self._probe and pdu.sequence == self._probe:
            self._probe = 0  # a peer that does not know enquire_link is there all the same
        else:
            events.append(Ignored(pdu.raw, "unmatched"))

    def _on_enquire_link(self, pdu: EnquireLink, events: list[Event]) -> None:
        if self.state is State.CLOSED:
            events.append(Ignored(pdu.raw, "closed"))
        else:
            self._send(EnquireLinkResp(pdu.sequence))

    def _on_enquire_link_resp(self, pdu: EnquireLinkResp, events: list[Event]) -> None:
        if self._probe and pdu.sequence == self._probe:
            self._probe = 0
        else:
            events.append(Ignored(pdu.raw, "unmatched"))

    def _on_unbind(self, pdu: Unbind, events: list[Event]) -> None:
        if self.state is State.CLOSED:
            events.append(Ignored(pdu.raw, "closed"))
            return
        self._send(UnbindResp(pdu.sequence))
        self._move(Step.PEER_UNBIND)
        events.append(PeerUnbound())

    def _on_unbind_resp(self, pdu: UnbindResp, events: list[Event]) -> None:
        # Whatever its sequence: there is only one unbind it can mean.
        if self.state is State.UNBINDING:
            self._move(Step.UNBIND_ANSWERED)
            events.append(Unbound())
        else:
            events.append(Ignored(pdu.raw, "unmatched"))

    def _on_foreign(self, pdu: Pdu, events: list[Event]) -> None:
        """Commands we do not serve: nacked with their own sequence (section 4.3), session kept."""
        reason: Reason = "unsupported"
        if pdu.command_id & RESPONSE_BIT:
            reason = "unmatched"
        elif self.state is State.CLOSED:
            reason = "closed"
        elif pdu.command_id not in _NO_RESPONSE:
            self._send(GenericNack(pdu.sequence, Status.ESME_RINVCMDID))
        events.append(Ignored(pdu.raw, reason))

    def _fall_out_of_step(self) -> None:
        # Sequence 0, not what might be read where the sequence should stand: how the octets are
        # cut into reads must not matter.
        if self.state is not State.CLOSED:
            self._send(GenericNack(0, Status.ESME_RINVCMDLEN))
        self._move(Step.OUT_OF_STEP)

    def _send(self, pdu: Pdu, sequence: int | None = None) -> None:
        self._outbound.append(wire.encode(pdu, sequence))

    def _move(self, step: Step) -> None:
        after = TRANSITIONS[self.state].get(step)
        if after is None:
            raise self._misuse(step.value)
        self.state = after

    def _holds(self, sequence: int) -> bool:
        """Whether an answer with this number would mean a request of ours."""
        return sequence in (self._asked, self._probe)

    def _next_sequence(self) -> int:
        """The next number nobody waits on: 1 to 0x7FFFFFFF, then 1 again (section 5.1.4)."""
        while True:
            self._sequence = self._sequence % MAX_SEQUENCE + 1
            if not self._holds(self._sequence):
                return self._sequence

    def _misuse(self, action: str, **fields: Field) -> LocalProtocolError:
        return LocalProtocolError(
            f"the session cannot {action} in state {self.state.value}",
            hint="look at Session.state and Session.free() before",
            state=self.state.value,
            bind=command_name(self.bind.command_id),
            **fields,
        )

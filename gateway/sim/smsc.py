"""One link of the simulated operator, without I/O: octets and a time in, octets out.

The server side of SMPP 3.4 as far as an ESME sees it: binds, submit_sm, receipts with a window of
their own, enquire_link both ways, unbind, and a generic_nack for the rest.
"""

from __future__ import annotations

import math
from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

from gateway.errors import RemoteProtocolError
from gateway.sim.operations import answer_operation
from gateway.sim.operator import Reply
from gateway.sim.outcomes import outcome_of
from gateway.smpp.consts import INTERFACE_VERSION, MAX_SEQUENCE, RESPONSE_BIT, Status
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    CancelSm,
    DataSmResp,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Mode,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.wire import Splitter, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.sim.account import Account
    from gateway.sim.message import Accepted, Pending
    from gateway.sim.operator import Operator
    from gateway.sim.outcomes import Outcome

SYSTEM_ID: Final = "ACUSESIM"
#: A response that follows its receipt waits this long where the receipt goes by another link.
_AFTER_RECEIPT_S: Final = 0.05


class SmscSession:
    """One connection to *operator*. `closing` says that what is queued is the last to be sent.

    A receipt stays on this link until a response with status 0 answers it; one left unanswered for
    `resend_s`, refused, or on its way when the link ends goes back to its account.
    """

    def __init__(self, operator: Operator, now: float) -> None:
        self.operator = operator
        self.closing = False
        self.mode: Mode | None = None
        self.account: Account | None = None
        self._splitter = Splitter()
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._sequence = 0
        self._outstanding: dict[int, Pending] = {}
        self._resends: deque[tuple[float, int]] = deque()  # constant delay: in order of time
        self._later: list[tuple[float, int, bytes]] = []
        self._order = count()
        self._heard_at = now
        self._probe_until = math.inf
        self._asked: dict[int, str] = {}
        self._silent = False
        self._unbinding = False
        self.deaf_until = -math.inf

    def wake(self, due: float) -> None:
        """A receipt that this link may carry is due at *due*; whoever drives the link overrides."""

    # --- what the driver calls ----------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Take octets off the link; everything they call for is queued. Never raises."""
        if self._silent:
            return
        self._heard_at = now
        self._probe_until = math.inf
        try:
            for raw in self._splitter.feed(data):
                self._receive(decode(raw), now)
                if self.closing:
                    return
        except RemoteProtocolError:
            pass
        self._pump(now)
        if self.account is not None and self.mode == "transmitter":
            self.account.wake(self)
        if self._splitter.error is not None:  # out of step: nothing after this can be read
            self._nack(Status.ESME_RINVCMDLEN, 0)
            self.closing = True

    def handle_timeout(self, now: float) -> None:
        """Do what has fallen due."""
        while self._later and self._later[0][0] <= now:
            self._queue(heappop(self._later)[2])
        while self._resends and self._resends[0][0] <= now:
            pending = self._outstanding.pop(self._resends.popleft()[1], None)
            if pending is not None:
                self._back(pending, now)
        self._pump(now)
        self._probe(now)

    def next_deadline(self) -> float:
        """When `handle_timeout` has something to do, in seconds of `now`; infinity: never."""
        deadline = min(self._probe_until, self._probe_at())
        if self._later:
            deadline = min(deadline, self._later[0][0])
        if self._resends:
            deadline = min(deadline, self._resends[0][0])
        if self._can_deliver() and self.account is not None:
            due = self.account.due_at(self)
            if due is not None:
                deadline = min(deadline, due)
        return deadline

    def data_to_send(self) -> bytes:
        """Take what is to be written."""
        data = b"".join(self._out)
        self._out.clear()
        self._out_bytes = 0
        return data

    def unsent_bytes(self) -> int:
        """How much waits to be written: a peer that reads nothing lets it grow."""
        return self._out_bytes

    def close(self, now: float) -> None:
        """The link is gone: receipts on their way go back to the account, for its other links."""
        self.closing = True
        account, self.account = self.account, None
        if account is None:
            return
        self.operator.stats.links_lost += 1
        if self in account.receivers:
            account.receivers.remove(self)
        for pending in self._outstanding.values():
            account.schedule(pending, now)
        self._outstanding.clear()
        account.wake(self)

    # --- what habits do to it ------------------------------------------------------------------

    def send(self, octets: bytes) -> None:
        """Queue octets that nobody answers."""
        self._queue(octets)

    def ask(self, label: str, octets: bytes) -> None:
        """Queue a request; `Operator.replies` keeps what answers it. Its sequence is filled in."""
        sequence = self._next_sequence()
        self._asked[sequence] = label
        self._queue(octets[:12] + sequence.to_bytes(4, "big") + octets[16:])

    def fall_silent(self) -> None:
        """Send what is queued, and from then on nothing; whatever comes is not looked at."""
        self._silent = True

    def stop_reading(self, until: float) -> None:
        """Leave everything in the socket until then; whoever drives the link sees to it."""
        self.deaf_until = until

    def unbind(self) -> None:
        """Ask to end the session; the answer closes it."""
        self._queue(encode(Unbind(self._next_sequence())))
        self._unbinding = True

    def repeat(self, pending: Pending, times: int, now: float) -> None:
        """Send a receipt that many times at once, whatever the window."""
        for _ in range(times):
            self._send_receipt(pending, now)

    def pieces(self, data: bytes) -> Iterable[tuple[bytes, float]]:
        """What is to be written at once of *data*, and the pause in seconds after each."""
        for quirk in self.operator.habits:
            pieces = quirk.pieces(data)
            if pieces is not None:
                return pieces
        return ((data, 0.0),)

    # --- PDUs ----------------------------------------------------------------------------------

    def _receive(self, pdu: Pdu, now: float) -> None:
        match pdu:
            case SubmitSm():
                self._submit(pdu, now)
            case DeliverSmResp() | DataSmResp():
                self._answered(pdu, now)
            case EnquireLink(sequence=sequence):
                self._queue(encode(EnquireLinkResp(sequence)))
            case EnquireLinkResp():
                pass
            case Bind():
                self._bind(pdu)
            case Unbind(sequence=sequence):
                self._queue(encode(UnbindResp(sequence)))
                self.closing = True
            case GenericNack():
                self._nacked(pdu, now)
            case QuerySm() | CancelSm() | ReplaceSm() if self.account is not None:
                self._queue(answer_operation(self.operator, self.account, pdu, now))
            case UnbindResp(sequence=sequence) if self._unbinding:
                self.operator.replies.append(Reply("unbind", sequence, pdu.raw))
                self.closing = True
            case _ if not pdu.command_id & RESPONSE_BIT:
                self._nack(Status.ESME_RINVCMDID, pdu.sequence)
            case _:
                pass  # a response to nothing

    def _bind(self, pdu: Bind) -> None:
        options = self.operator.options
        for quirk in self.operator.habits:
            refusal = quirk.bind_answer(pdu)
            if refusal is not None:
                self.operator.stats.binds_refused += 1
                self._queue(refusal)
                return
        status = Status.ESME_ROK
        if self.account is not None:
            status = Status.ESME_RALYBND
        elif options.system_id not in (None, pdu.system_id):
            status = Status.ESME_RINVSYSID
        elif options.password not in (None, pdu.password):
            status = Status.ESME_RINVPASWD
        if status:
            self.operator.stats.binds_refused += 1
            self._queue(encode(BindResp(mode=pdu.mode, status=status, sequence=pdu.sequence)))
            return
        self.operator.stats.binds += 1
        self.mode = pdu.mode
        self.account = self.operator.account(pdu.system_id)
        if pdu.mode != "transmitter":
            self.account.receivers.append(self)
        answer = encode(
            BindResp(
                SYSTEM_ID,
                mode=pdu.mode,
                sc_interface_version=INTERFACE_VERSION,
                sequence=pdu.sequence,
            )
        )
        for quirk in self.operator.habits:
            answer = quirk.bound(self, answer)
        self._queue(answer)

    def _submit(self, pdu: SubmitSm, now: float) -> None:
        operator, account = self.operator, self.account
        if account is None or self.mode == "receiver":
            self._refuse(pdu, Status.ESME_RINVBNDSTS)
            return
        for quirk in operator.quirks(pdu.dest):
            refusal = quirk.refusal(pdu)
            if refusal is not None:
                operator.refused(pdu, int.from_bytes(refusal[8:12], "big"), now)
                self._queue(refusal)
                return
        outcome = outcome_of(pdu.dest)
        status = operator.judge(pdu, outcome, now)
        if status:
            self._refuse(pdu, status)
            return
        message, message_id = operator.accept(pdu, account.system_id, now)
        for quirk, turn in message.quirks:
            outcome = quirk.outcome(outcome, message, turn)
        self._respond(pdu, message, message_id, outcome, now)
        for quirk, turn in message.quirks:
            quirk.taken(self, message, turn, now)

    def _respond(
        self, pdu: SubmitSm, message: Accepted, message_id: str, outcome: Outcome, now: float
    ) -> None:
        operator, account = self.operator, self.account
        assert account is not None
        answer = outcome.answer
        if answer == "prompt" and operator.chance(operator.options.early):
            answer = "after_receipt"
        delay_s = operator.options.response_delay_s
        if answer == "after_receipt":
            operator.plan(message, outcome, account, now, self)
            if not self._pump(now):
                account.wake(self)
                delay_s = max(delay_s, _AFTER_RECEIPT_S)
        else:
            due = now + operator.receipt_delay_s()
            operator.plan(message, outcome, account, due, self)
        if answer == "drop":
            self.closing = True
        elif answer != "none":
            if answer == "late":
                delay_s = operator.options.late_response_s
            response = encode(
                SubmitSmResp(message_id if outcome.with_id else "", sequence=pdu.sequence)
            )
            for quirk, turn in message.quirks:
                response = quirk.response(response, turn)
                delay_s += quirk.delay_s(message)
            if delay_s:
                heappush(self._later, (now + delay_s, next(self._order), response))
            else:
                self._queue(response)

    def _refuse(self, pdu: SubmitSm, status: int) -> None:
        self._queue(encode(SubmitSmResp(status=status, sequence=pdu.sequence)))

    def _answered(self, pdu: DeliverSmResp | DataSmResp | GenericNack, now: float) -> None:
        label = self._asked.pop(pdu.sequence, None)
        if label is not None:
            self.operator.replies.append(Reply(label, pdu.sequence, pdu.raw))
        pending = self._outstanding.pop(pdu.sequence, None)
        if pending is None:
            return
        liked = all(quirk.accepts(pdu.raw) for quirk, _ in pending.message.quirks)
        if pdu.status == 0 and liked and not isinstance(pdu, GenericNack):
            self.operator.acknowledged(pending, now)
        else:
            self.operator.stats.receipts_refused += 1
            self._back(pending, now + self.operator.options.resend_s)

    def _nacked(self, pdu: GenericNack, now: float) -> None:
        if pdu.sequence not in self._asked and pdu.sequence not in self._outstanding:
            self.operator.replies.append(Reply("nack", pdu.sequence, pdu.raw))
        self._answered(pdu, now)

    def _nack(self, status: int, sequence: int) -> None:
        self.operator.stats.nacks += 1
        self._queue(encode(GenericNack(sequence, status)))

    # --- receipts and probes -------------------------------------------------------------------

    def _can_deliver(self) -> bool:
        return (
            self.mode in ("transceiver", "receiver")
            and not (self.closing or self._silent or self._unbinding)
            and len(self._outstanding) < self.operator.options.receipt_window
        )

    def _pump(self, now: float) -> bool:
        """Send the receipts that are due, as far as the window lets; whether any was sent."""
        account = self.account
        if account is None:
            return False
        sent = False
        while self._can_deliver():
            pending = account.take(now, self)
            if pending is None:
                break
            self._send_receipt(pending, now)
            sent = True
        return sent

    def _send_receipt(self, pending: Pending, now: float) -> None:
        sequence = self._next_sequence()
        self._queue(self.operator.receipt(pending, sequence, now))
        self._outstanding[sequence] = pending
        self._resends.append((now + self.operator.options.resend_s, sequence))

    def _back(self, pending: Pending, due: float) -> None:
        if self.account is not None:
            self.account.schedule(pending, due)

    def _probe_at(self) -> float:
        idle_s = self.operator.options.enquire_link_s
        if not idle_s or self.account is None or self._silent or self._probe_until < math.inf:
            return math.inf
        return self._heard_at + idle_s

    def _probe(self, now: float) -> None:
        if self._probe_until <= now:
            self.closing = True
        elif self._probe_at() <= now:
            self._queue(encode(EnquireLink(self._next_sequence())))
            self._probe_until = now + self.operator.options.response_timeout_s

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % MAX_SEQUENCE + 1
        sequence = self._sequence
        for quirk in self.operator.habits:
            sequence = quirk.sequence(sequence)
        return sequence

    def _queue(self, octets: bytes) -> None:
        if self._silent:
            return
        self._out.append(octets)
        self._out_bytes += len(octets)

"""What became of an attempt: accepted, rejected, failed for now, or unknown.

Three outcomes are final for the attempt, and unknown is one of them: a message that may have
arrived is never sent again by itself (DESIGN, promise 2).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.daemon.operator import Attempt
from gateway.ledger.entry import time_text
from gateway.ledger.rows import Outcome, State
from gateway.smpp.consts import Status, status_name
from gateway.smpp.message_id import normalise_message_id

log = structlog.get_logger()

#: States that no answer of an operator can say anything about.
_NOT_FOR_THE_OPERATOR: Final = (State.REFUSED, State.CANCELLED)
#: First and longest wait before a message is tried again that alone failed for now.
RETRY_S: Final = (0.5, 60.0)

if TYPE_CHECKING:
    from gateway.daemon.capping import Capping
    from gateway.daemon.deadlines import Deadlines
    from gateway.daemon.dispatch import Dispatcher
    from gateway.daemon.operator import Operator
    from gateway.daemon.receipts import Receipts
    from gateway.daemon.replacements import Replacements
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.ties import Ties
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.rows import SegmentRow
    from gateway.ledger.store import Store
    from gateway.smpp.events import SubmitAnswered


class Responses:
    """Takes what happened to attempts into the open batch."""

    def __init__(
        self,
        store: Store,
        works: WorkSet,
        sealer: Sealer,
        dispatcher: Dispatcher,
        receipts: Receipts,
        ties: Ties,
        deadlines: Deadlines,
        replacements: Replacements,
        capping: Capping,
    ) -> None:
        self._store = store
        self._works = works
        self._sealer = sealer
        self._dispatcher = dispatcher
        self._receipts = receipts
        self._ties = ties
        self._deadlines = deadlines
        self._replacements = replacements
        self._capping = capping
        self.accepted = 0
        self.rejected = 0

    # -- from the wire -------------------------------------------------------------------------

    def answered(
        self, operator: Operator, answer: SubmitAnswered, now_ms: int, now_s: float
    ) -> None:
        """A `submit_sm_resp` (or `generic_nack`) came, in time or late."""
        concerned = self._concerned(answer)
        if concerned is None:
            # What it would be sealed under is destroyed, and a seal stands on what was known.
            log.info("submit.answer_dropped", operator=operator.name, reason="content erased")
            return
        work, segment = concerned
        if not answer.late:
            operator.in_flight -= 1
        segment.command_status = answer.status
        segment.answered_ms = now_ms
        segment.response = work.seal_pdu(f"response.{segment.number}", answer.raw)
        self._store.put(segment)
        if answer.status == Status.ESME_ROK:
            replaces = work.request.replaces
            named = answer.message_id if replaces is None else str(replaces["message_id"])
            self._accept(operator, work, segment, named, now_ms)
            if replaces is not None:
                self._replacements.accepted(operator, work, answer.raw, self._receipts, now_ms)
        elif operator.dialect.is_temporary(answer.status):
            self._fail_for_now(operator, work, segment, answer.status, now_ms, now_s)
            self._replacements.not_taken(operator, work, self._receipts, now_ms)
        else:
            self._ties.refused(operator, work, segment, now_ms)
            segment.outcome = Outcome.REJECTED
            self._settle(work, now_ms, segment)
            self._replacements.not_taken(operator, work, self._receipts, now_ms)
        self._receipts.resolve(operator, work, now_ms)
        self._dispatcher.settled(work)
        if not answer.late:
            self._works.unpin(work)

    def _concerned(self, answer: SubmitAnswered) -> tuple[Work, SegmentRow] | None:
        """Whose answer it is; None: of one whose content was erased meanwhile.

        In time: still in memory, pinned. Late: it may have been forgotten and loaded again
        meanwhile, and only the object that everybody else uses may be changed.
        """
        attempt = _attempt(answer.token)
        if not answer.late:
            return attempt.work, attempt.segment
        work = self._works.get_or_none(attempt.work.row.id)
        return None if work is None else (work, work.segments[attempt.segment.number - 1])

    def unknown(self, operator: Operator, token: object, now_ms: int) -> None:
        """No response in time, or the link was lost after the PDU left."""
        attempt = _attempt(token)
        operator.in_flight -= 1
        self._mark_unknown(attempt.work, attempt.segment, now_ms)
        self._receipts.resolve(operator, attempt.work, now_ms)
        self._dispatcher.settled(attempt.work)
        self._works.unpin(attempt.work)

    def never_left(self, operator: Operator, token: object, now_ms: int) -> None:
        """The link was lost before a byte of the PDU was written: it is simply sent again."""
        attempt = _attempt(token)
        operator.in_flight -= 1
        work, segment = attempt.work, attempt.segment
        self._back_to_queue(work, segment)
        self._replacements.not_taken(operator, work, self._receipts, now_ms)
        self._dispatcher.settled(work)
        self._works.unpin(work)

    def recover(self, now_ms: int) -> int:
        """After a crash: what was `sending` may have arrived, so it is unknown. Returns how many.

        The same path as a lost link takes; run before anything is dispatched.
        """
        found = 0
        for row_id in self._store.open_ids(State.SENDING, due_ms=0, limit=-1):
            work = self._works.usable(row_id)
            if work is None:
                continue
            for segment in work.segments:
                if segment.outcome is Outcome.SENDING:
                    self._mark_unknown(work, segment, now_ms)
                    found += 1
            self._dispatcher.resume(work)
        return found

    # -- outcomes ------------------------------------------------------------------------------

    def _accept(
        self,
        operator: Operator,
        work: Work,
        segment: SegmentRow,
        message_id: str | None,
        now_ms: int,
    ) -> None:
        segment.outcome = Outcome.ACCEPTED
        segment.message_id = message_id or None
        if message_id:
            form = operator.settings.message_id_form
            self._works.forget_key(segment)  # what a receipt by recipient had taught
            segment.match_key = normalise_message_id(message_id, form)
            self._works.remember_key(work, segment)
            for other in self._ties.named(operator, work, segment, message_id, now_ms):
                self._stand_open(other, now_ms)
                self._receipts.resolve(operator, other, now_ms)
        self._settle(work, now_ms, segment)

    def _fail_for_now(
        self,
        operator: Operator,
        work: Work,
        segment: SegmentRow,
        status: int,
        now_ms: int,
        now_s: float,
    ) -> None:
        series: dict[str, dict[str, Any]] = json.loads(work.row.attempts or "{}")
        one = series.setdefault(
            str(status),
            {
                "operator": operator.name,
                "segment": segment.number,
                "count": 0,
                "first": now_ms,
                "last": now_ms,
            },
        )
        one["count"] += 1
        one["last"] = now_ms
        work.row.attempts = json.dumps(series)
        if not operator.dialect.is_throttling(status):
            # This one message failed; the others may pass, but none to the same person.
            self._back_to_queue(work, segment, due_s=now_s + retry_after_s(one["count"]))
            return
        if operator.pace.slow_down(now_s):
            log.warning(
                "submit.throttled",
                operator=operator.name,
                status=status_name(status),
                pause_s=round(operator.pace.left_s(now_s), 1),
                rate=round(operator.pace.rate, 3),
            )
        # Together with the others that were on the way, in their order, when the pause is over.
        self._back_to_queue(work, segment, due_s=operator.pace.paused_until_s)

    def _back_to_queue(
        self, work: Work, segment: SegmentRow, *, due_s: float | None = None
    ) -> None:
        still_open = work.row.closed_ms is None
        segment.outcome = Outcome.PENDING if still_open else Outcome.REJECTED
        self._store.put(segment)
        if still_open:
            fresh = not work.begun()
            work.row.state = State.QUEUED if fresh else State.SENDING
            self._works.waiting += fresh
            self._dispatcher.requeue(work, segment, due_s)
        self._store.put(work.row)

    def _mark_unknown(self, work: Work, segment: SegmentRow, now_ms: int) -> None:
        segment.outcome = Outcome.UNKNOWN
        self._store.put(segment)
        self._replacements.unknown(work, now_ms)
        if work.row.closed_ms is not None:
            return
        self._sealer.end_series(work, now_ms)
        name = f"submit.{segment.number}"
        content = {"submit": work.open(name, segment.submit)} if segment.submit else None
        body: dict[str, Any] = {
            "operator": segment.operator,
            "bind": segment.bind,
            "segment": segment.number,
        }
        self._sealer.event(work, "x.OutcomeUnknown", now_ms, body, content)
        log.warning("submit.unknown", submission_id=work.id, operator=segment.operator)
        self._settle(work, now_ms, segment)

    def _settle(self, work: Work, now_ms: int, segment: SegmentRow) -> None:
        """Where the whole submission stands after *segment* changed."""
        row = work.row
        if row.closed_ms is not None:
            self._settle_sealed(work, now_ms, segment)
            return
        outcomes = {segment.outcome for segment in work.segments}
        if Outcome.SENDING in outcomes:
            row.state = State.SENDING
        elif Outcome.REJECTED in outcomes:
            self._reject(work, now_ms)
        elif Outcome.PENDING in outcomes:
            row.state = State.SENDING  # the rest of it waits for its turn
        elif Outcome.UNKNOWN in outcomes:
            row.state = State.UNKNOWN
            self._deadlines.start(work, now_ms)
        else:
            self._relay(work, now_ms)
        self._capping.told(work)
        self._store.put(row)

    def _settle_sealed(self, work: Work, now_ms: int, segment: SegmentRow) -> None:
        """An answer came after the verdict. It stands in the ledger as any other: F.1 when it was
        the last part's, F.2 when it refuses, and until then as a report that decides nothing.

        F.1 decides nothing about arrival, so the state stays, but for `unknown`: it is known now
        that the operator took the message, and that no receipt came in time.
        """
        state = work.row.state
        if state in _NOT_FOR_THE_OPERATOR:
            return
        if segment.outcome is Outcome.REJECTED and state is not State.REJECTED:
            self._sealer.reopen(work, now_ms)
            work.row.contradicted |= int(state not in (State.UNKNOWN, State.UNCONFIRMED))
            self._reject(work, now_ms)
        elif all(each.outcome is Outcome.ACCEPTED for each in work.segments):
            self._sealer.reopen(work, now_ms)
            self._relay(work, now_ms)
            unknown = state is State.UNKNOWN
            self._sealer.close(work, State.UNCONFIRMED if unknown else state, now_ms)
        else:
            self._report(work, segment, now_ms)

    def _report(self, work: Work, segment: SegmentRow, now_ms: int) -> None:
        """The answer to one part of a message whose verdict stands."""
        content: dict[str, bytes] = {}
        self._take_pdus(work, segment, content)
        body: dict[str, Any] = {
            "operator": segment.operator,
            "bind": segment.bind,
            "profile": self._receipts.profiles[segment.operator or ""],
            "part": segment.number,
            "stat": status_name(segment.command_status or 0),
            "err": "",
            "rx": time_text(now_ms),
            "done": None,
            "message_id": segment.message_id or "",
        }
        self._sealer.event(work, "x.CarrierReport", now_ms, body, content)
        self._store.put(work.row)

    def _stand_open(self, work: Work, now_ms: int) -> None:
        """Open again: the receipt it was sealed by is another message's. Its own may still come."""
        known = all(each.outcome is Outcome.ACCEPTED for each in work.segments)
        work.row.state = State.ACCEPTED if known else State.UNKNOWN
        self._deadlines.start(work, now_ms)
        self._capping.told(work)
        self._store.put(work.row)

    def _relay(self, work: Work, now_ms: int) -> None:
        """Every segment was accepted: F.1."""
        self._sealer.end_series(work, now_ms)
        content: dict[str, bytes] = {}
        for segment in work.segments:
            self._take_pdus(work, segment, content)
        self._sealer.event(work, "F.1", now_ms, self._relay_body(work), content)
        row = work.row
        row.state = State.ACCEPTED
        if work.request.instructs:
            # Only now: a message that never left, or was refused, told nobody anything.
            self._store.put_instructed(row.person, row.brand, now_ms, row.id)
        self.accepted += 1
        log.debug("submit.accepted", submission_id=work.id, operator=work.row.operator)
        self._deadlines.start(work, now_ms)

    def _reject(self, work: Work, now_ms: int) -> None:
        """A segment was refused for good, and none is under way any more: F.2 closes it."""
        self._sealer.end_series(work, now_ms)
        refused = next(s for s in work.segments if s.outcome is Outcome.REJECTED)
        body = self._relay_body(work)
        body["status"] = status_name(refused.command_status or 0)
        content: dict[str, bytes] = {}
        self._take_pdus(work, refused, content)
        self._sealer.event(work, "F.2", now_ms, body, content)
        self.rejected += 1
        log.info(
            "submit.rejected",
            submission_id=work.id,
            operator=work.row.operator,
            status=body["status"],
        )
        self._sealer.close(work, State.REJECTED, now_ms)
        self._capping.refused(work)

    def _relay_body(self, work: Work) -> dict[str, Any]:
        last = next(s for s in reversed(work.segments) if s.operator is not None)
        assert last.operator is not None
        body: dict[str, Any] = {
            "operator": last.operator,
            "bind": last.bind,
            "profile": self._receipts.profiles[last.operator],
            "parts": [
                {
                    "n": segment.number,
                    "message_id": segment.message_id or "",
                    "sent": time_text(segment.sent_ms or 0),
                    "answered": time_text(segment.answered_ms or 0),
                }
                for segment in work.segments
                if segment.outcome is Outcome.ACCEPTED
            ],
        }
        if work.counts:  # what stood under each cap when it took its place
            body["caps"] = [count.as_dict() for count in work.counts]
        return body

    @staticmethod
    def _take_pdus(work: Work, segment: SegmentRow, content: dict[str, bytes]) -> None:
        for name, sealed in (("submit", segment.submit), ("response", segment.response)):
            if sealed is not None:
                field = f"{name}.{segment.number}"
                content[field] = work.pdus.pop(field, b"") or work.open(field, sealed)


def _attempt(token: object) -> Attempt:
    """A session hands back the token it was given; ours are attempts."""
    assert isinstance(token, Attempt)
    return token


def retry_after_s(tries: int) -> float:
    """How long a message waits that failed for now so many times: longer each time."""
    return min(RETRY_S[1], RETRY_S[0] * 2.0 ** min(tries - 1, 16))

"""Asking an operator about a message it took: query_sm and cancel_sm, where it has them.

An answer that says what became of the message is taken like a receipt: the whole PDU is kept and
committed to, and it decides as a receipt with that state would. Anything else decides nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

import structlog
import trio

from gateway.daemon.operator import source_of
from gateway.ledger.rows import Outcome
from gateway.smpp.consts import MessageState, Status, status_name
from gateway.smpp.events import RequestAnswered
from gateway.smpp.pdu import CancelSm, CancelSmResp, QuerySm, QuerySmResp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.operator import Operator
    from gateway.daemon.receipts import Receipts
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.rows import SegmentRow
    from gateway.smpp.events import RequestTimedOut

log = structlog.get_logger()

#: message_state of SMPP 3.4 section 5.2.28 as the word a receipt would have.
_WORDS: Final[dict[int, str]] = {
    MessageState.ENROUTE: "ENROUTE",
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.ACCEPTED: "ACCEPTD",
    MessageState.UNKNOWN: "UNKNOWN",
    MessageState.REJECTED: "REJECTD",
    MessageState.SKIPPED: "SKIPPED",
}


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a session carries beside a query_sm or cancel_sm: whose it is."""

    work: Work
    segment: SegmentRow
    bind: str


class Asked(Enum):
    """What became of a question."""

    YES = "asked"
    NO = "there is nobody to ask, or nothing to ask by"
    NO_ROOM = "too many wait for an answer"


class Inquiries:
    """Sends the questions, takes the answers into the open batch."""

    def __init__(
        self, operators: Mapping[str, Operator], works: WorkSet, receipts: Receipts
    ) -> None:
        self._operators = operators
        self._works = works
        self._receipts = receipts
        #: Questions without an answer yet, by operator, and who left the last one without.
        self._open: Counter[str] = Counter()
        self._silent: set[str] = set()

    def times_s(self, work: Work) -> tuple[int, ...]:
        """How long after it was taken the operator of *work* is asked about it."""
        operator = self._operator(work, "query_sm")
        return () if operator is None else operator.settings.query_after_s

    def query(self, work: Work) -> Asked:
        """Ask what became of *work*, where its operator has query_sm and an id of it is known.

        An operator that left a question unanswered is asked one at a time until it answers.
        """
        operator = self._operator(work, "query_sm")
        if operator is None or not operator.bound():
            return Asked.NO
        if operator.name in self._silent and self._open[operator.name] > 0:
            return Asked.NO
        if not any(link.session and link.session.may_ask() for link in operator.links):
            return Asked.NO_ROOM
        asked = self._ask(work, cancel=False)
        return Asked.YES if asked else Asked.NO

    def cancel(self, work: Work) -> int:
        """Ask the operator to cancel what it took of *work*; how many segments were asked for."""
        return self._ask(work, cancel=True) if self._operator(work, "cancel_sm") else 0

    def answered(
        self, operator: Operator, answer: RequestAnswered | RequestTimedOut, now_ms: int
    ) -> None:
        """The operator answered, or did not in time."""
        inquiry = answer.token
        assert isinstance(inquiry, Inquiry)
        work, segment = inquiry.work, inquiry.segment
        word, error = None, "000"
        self._open[operator.name] -= 1
        if isinstance(answer, RequestAnswered):
            self._silent.discard(operator.name)
        else:
            self._silent.add(operator.name)
        if isinstance(answer, RequestAnswered):
            pdu = answer.pdu
            if answer.status != Status.ESME_ROK:
                log.info(
                    "inquiry.refused",
                    submission_id=work.id,
                    operator=operator.name,
                    status=status_name(answer.status),
                )
            elif isinstance(pdu, QuerySmResp):
                word, error = _WORDS.get(pdu.message_state), f"{pdu.error_code:03d}"
            elif isinstance(pdu, CancelSmResp):
                word = "DELETED"
            if word is not None:
                self._receipts.told(
                    operator, inquiry.bind, work, segment, word, error, answer.raw, now_ms
                )
        self._works.unpin(work)

    def lost(self, token: object) -> None:
        """The link was lost before an answer."""
        assert isinstance(token, Inquiry)
        self._open[token.segment.operator or ""] -= 1
        self._works.unpin(token.work)

    def _operator(self, work: Work, setting: str) -> Operator | None:
        operator = self._operators.get(work.row.operator or "")
        return operator if operator and getattr(operator.settings, setting) else None

    def _ask(self, work: Work, *, cancel: bool) -> int:
        operator = self._operators[work.row.operator or ""]
        asked = 0
        for segment in work.segments:
            known = segment.outcome is Outcome.ACCEPTED and segment.message_id
            if not known or segment.final is not None or segment.operator != operator.name:
                continue
            link = next(
                (each for each in operator.links if each.session and each.session.may_ask()), None
            )
            if link is None or link.session is None:
                break
            pdu = _cancel_sm(work, segment) if cancel else _query_sm(work, segment)
            link.session.request(pdu, Inquiry(work, segment, link.name), trio.current_time())
            self._works.pin(work)
            self._open[operator.name] += 1
            link.flush()
            asked += 1
        return asked


def _query_sm(work: Work, segment: SegmentRow) -> QuerySm:
    ton, npi, source = source_of(work.request.sender)
    return QuerySm(segment.message_id or "", ton, npi, source)


def _cancel_sm(work: Work, segment: SegmentRow) -> CancelSm:
    ton, npi, source = source_of(work.request.sender)
    return CancelSm(segment.message_id or "", ton, npi, source, 1, 1, work.request.to[1:])

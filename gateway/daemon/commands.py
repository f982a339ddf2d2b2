"""What a person or a program may ask to be changed; each runs inside a batch of the pipeline and
is answered after that batch is durable.

A command that cannot be done raises before it has written anything, so it leaves no trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import structlog

from gateway.clock import optional_text
from gateway.errors import AcuseError, AnswerIsNo, TryAgain
from gateway.ledger.rows import Outcome, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.daemon.admission import Admission
    from gateway.daemon.capping import Capping
    from gateway.daemon.dispatch import Dispatcher
    from gateway.daemon.inquiries import Inquiries
    from gateway.daemon.replacements import Replacements
    from gateway.daemon.rotation import KeyRotation
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import Work, WorkSet

    Reply: TypeAlias = Callable[[dict[str, Any] | AcuseError], None]

log = structlog.get_logger()

#: What a person may say of an unknown, and the state it closes in.
RESOLUTIONS: Final = {
    "delivered": State.DELIVERED_TO_OPERATOR,
    "not-sent": State.UNDELIVERED,
}


class Command:
    """Something to be done in a batch. `reply` gets the result, or the error, after the commit."""

    def __init__(self, do: Callable[[int], dict[str, Any]], reply: Reply) -> None:
        self._do = do
        self._reply = reply
        self._outcome: dict[str, Any] | AcuseError | None = None

    def run(self, now_ms: int) -> None:
        """Do it, inside the open batch."""
        try:
            self._outcome = self._do(now_ms)
        except AcuseError as error:
            self._outcome = error

    def done(self) -> None:
        """The batch is durable: answer."""
        assert self._outcome is not None
        self._reply(self._outcome)


class Changes:
    """The changes people may ask for."""

    def __init__(
        self,
        works: WorkSet,
        sealer: Sealer,
        admission: Admission,
        dispatcher: Dispatcher,
        inquiries: Inquiries,
        replacements: Replacements,
        capping: Capping,
        rotation: KeyRotation,
        *,
        max_queued: int,
    ) -> None:
        self._works = works
        self._sealer = sealer
        self._admission = admission
        self._dispatcher = dispatcher
        self._inquiries = inquiries
        self._replacements = replacements
        self._capping = capping
        self.rotation = rotation
        self._max_queued = max_queued

    def submit(self, args: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Take a submission; CONTRACT's `submit` object."""
        if self._works.waiting >= self._max_queued:
            raise TryAgain(
                f"{self._works.waiting} messages wait already",
                hint="try again when the queue is shorter, or raise gateway.max_queued",
                setting="gateway.max_queued",
            )
        result, work = self._admission.admit(args, now_ms)
        if work is not None:
            self._works.waiting += 1
            self._dispatcher.enqueue(work)
        return result

    def resolve(
        self, submission_id: str, said: str, why: str, by: str, now_ms: int
    ) -> dict[str, Any]:
        """A person decides what became of a message whose outcome nobody knows.

        A person's word is no handover (E.1), so `delivered` closes as `delivered_to_operator`;
        `not-sent` closes as `undelivered`, and whoever wants it sent submits it anew. A receipt
        that comes later all the same reopens it.
        """
        work = self._existing(submission_id)
        row = work.row
        if row.state not in (State.UNKNOWN, State.UNCONFIRMED):
            raise AnswerIsNo(
                f"submission {submission_id} is {row.state.value}, and that is known",
                hint="only what is unknown or unconfirmed is for a person to decide",
                submission_id=submission_id,
                state=row.state.value,
            )
        if row.closed_ms is not None:
            self._sealer.reopen(work, now_ms)
        body = {"by": by, "as": said, "why": why}
        self._sealer.event(work, "x.Resolved", now_ms, body)
        self._sealer.close(work, RESOLUTIONS[said], now_ms)
        self._capping.told(work)
        log.info("submission.resolved", submission_id=work.id, by=by, said=said)
        return {"submission_id": submission_id, "state": row.state.value, "as": said}

    def _existing(self, submission_id: str) -> Work:
        work = self._works.by_submission_id(submission_id)
        if work is None and self._works.exists(submission_id):
            raise AnswerIsNo(
                f"the content of submission {submission_id} was erased",
                hint="nothing can be done with it; its proof still verifies: `acuse bundle`",
                submission_id=submission_id,
                state=State.ERASED.value,
            )
        if work is None:
            raise AnswerIsNo(
                f"there is no submission {submission_id!r}",
                hint="`acuse messages list` shows the latest ones",
                submission_id=submission_id,
            )
        return work

    def cancel(self, submission_id: str, by: str, now_ms: int) -> dict[str, Any]:
        """Withdraw a submission of which nothing has been sent.

        One the operator has accepted it is asked to cancel, where it has cancel_sm: the answer
        says how many segments were asked for, and the outcome shows as any receipt does.
        """
        work = self._existing(submission_id)
        row = work.row
        asked = self._inquiries.cancel(work) if row.state is State.ACCEPTED else 0
        if asked:
            command = f"messages.cancel {submission_id}"
            self._sealer.log_event("x.Admin", now_ms, by=by, cmd=command)
            return {"submission_id": submission_id, "state": row.state.value, "asked": asked}
        untouched = all(segment.outcome is Outcome.PENDING for segment in work.segments)
        if (
            row.closed_ms is not None
            or row.state not in (State.HELD, State.QUEUED)
            or not untouched
        ):
            raise AnswerIsNo(
                f"submission {submission_id} is {row.state.value} and cannot be cancelled",
                hint="only what is held or queued can be withdrawn; what was accepted only at an"
                " operator with cancel_sm = true",
                submission_id=submission_id,
                state=row.state.value,
            )
        self._sealer.event(work, "x.Cancelled", now_ms, {"by": by})
        self._sealer.close(work, State.CANCELLED, now_ms)
        self._capping.forgo(work)
        self._works.waiting -= 1
        return {"submission_id": submission_id, "state": row.state.value}

    def replace(
        self, submission_id: str, args: Mapping[str, Any], by: str, now_ms: int
    ) -> dict[str, Any]:
        """Replace the text of a message its operator accepted: a new submission, see
        `replacements`. `submit`'s object, with the id of the old one as `replaces`.
        """
        original = self._existing(submission_id)
        self._replacements.require(original)
        request, row = original.request, original.row
        given = {name: args[name] for name in ("text", "not_before", "valid_for") if name in args}
        same = {
            "to": request.to,
            "from": request.sender,
            "brand": row.brand or None,
            "category": row.category,
            "campaign": request.campaign,
            "location": request.location,
            "urgent": request.urgent,
            "age_verified": request.age_verified,
            "third_party_collector": request.third_party_collector,
            "cart_abandoned_at": optional_text(request.cart_abandoned_ms),
            "fix": request.fix,
        }
        result, work = self._admission.admit({**same, **given}, now_ms, original)
        command = f"messages.replace {submission_id}"
        self._sealer.log_event("x.Admin", now_ms, by=by, cmd=command)
        if work is not None:
            self._works.waiting += 1
            self._dispatcher.enqueue(work)
        return {**result, "replaces": submission_id}

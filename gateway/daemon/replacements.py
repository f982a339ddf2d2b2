"""Another text for a message the operator took: replace_sm, as a submission of its own.

What was certified once stays as it was said, so the new text is a new submission: decided by
policy, with an `A.1` of its own that names the old one (`replaces`), durable before the PDU leaves,
and with the three outcomes of any attempt. What they make of the old submission:

- accepted: it is `deleted`, by an `E.2` with the reason REPLACED and the replace_sm_resp as its
  evidence. Receipts that name the id are about the new text from then on.
- refused, or failed for now: nothing; the old text stands.
- unknown: nobody knows which text the handset got. Both say so (`x.OutcomeUnknown`), and a receipt
  that names the id fits both and decides neither.

While the answer is awaited a receipt that names the id waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.errors import AnswerIsNo, DataError
from gateway.ledger.rows import Outcome, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.operator import Operator
    from gateway.daemon.receipts import Receipts
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.store import Store
    from gateway.smpp.text import EncodedText

log = structlog.get_logger()

#: What the old submission's receipt row and `E.2` call it.
REPLACED: Final = "REPLACED"


def fits_in_place_of(original: Work, encoded: EncodedText) -> None:
    """replace_sm carries one short_message and says neither data_coding nor esm_class (4.10.1).

    Raises:
        DataError: the new text needs what the old one had not.
    """
    known = original.encoded()
    tlvs = encoded.body(1)[1]
    if len(encoded.parts) > 1 or tlvs:
        raise DataError(
            "text: replace_sm carries one segment only",
            hint="shorten the text, or cancel the message and submit another",
            field="text",
        )
    if (encoded.data_coding, encoded.esm_class) != (known.data_coding, known.esm_class):
        raise DataError(
            f"text: it goes out as {encoded.encoding}, the message as {known.encoding}, and"
            " replace_sm cannot say so",
            hint="use only characters of the message's own alphabet",
            field="text",
        )


class Replacements:
    """The ties between old and new, in the open batch."""

    def __init__(
        self, store: Store, works: WorkSet, sealer: Sealer, operators: Mapping[str, Operator]
    ) -> None:
        self._store = store
        self._works = works
        self._sealer = sealer
        self._operators = operators

    # -- before it leaves ----------------------------------------------------------------------

    def require(self, original: Work) -> None:
        """The text of *original* can be replaced, as far as we know.

        Raises:
            AnswerIsNo: it cannot; the hint says what can be done.
        """
        why = self._obstacle(original, None)
        if why is not None:
            raise AnswerIsNo(
                f"submission {original.id} cannot be replaced: {why}",
                hint="only a message in one segment that an operator with replace_sm = true has"
                " accepted and not yet reported on; `acuse messages cancel` withdraws one that"
                " has not left",
                submission_id=original.id,
                state=original.row.state.value,
            )

    def _obstacle(self, original: Work, by: Work | None) -> str | None:
        row, segment = original.row, original.segments[0]
        operator = self._operators.get(row.operator or "")
        if row.state is not State.ACCEPTED or row.closed_ms is not None:
            return f"it is {row.state.value}"
        if len(original.segments) > 1:
            return "it has several segments"
        if not segment.message_id or segment.final is not None:
            return "the operator gave it no id" if not segment.message_id else "it is reported on"
        if operator is None or not operator.settings.replace_sm:
            return f"operator {row.operator} has no replace_sm"
        if original.request.replaced_by not in (None, None if by is None else by.id):
            return "it is being replaced"
        return None

    def may_leave(self, work: Work, now_ms: int) -> bool:
        """Whether *work* can still replace what it is to replace; if not, it is withdrawn."""
        original = self._original(work)
        why = "it is gone" if original is None else self._obstacle(original, work)
        if why is None:
            return True
        self._sealer.event(work, "x.Cancelled", now_ms, {"by": "gateway", "why": why})
        self._sealer.close(work, State.CANCELLED, now_ms)
        self._works.waiting -= 1
        return False

    def leaves(self, work: Work) -> None:
        """Its replace_sm is about to leave: from now on the old text is in doubt."""
        original = self._original(work)
        if original is not None:
            self._note(original, work.id)

    # -- what became of it ---------------------------------------------------------------------

    def accepted(
        self, operator: Operator, work: Work, raw: bytes, receipts: Receipts, now_ms: int
    ) -> None:
        """The operator replaced the text; *raw* is its answer."""
        original = self._original(work)
        if original is None:
            return
        segment = original.segments[0]
        self._works.forget_key(segment)
        segment.match_key = None  # the id is the new text's
        self._note(original, work.id)
        self._store.put(segment)
        bind = work.segments[0].bind or ""
        receipts.told(operator, bind, original, segment, REPLACED, "", raw, now_ms, state="deleted")

    def not_taken(self, operator: Operator, work: Work, receipts: Receipts, now_ms: int) -> None:
        """Refused, failed for now, or never sent: the old text stands."""
        original = self._original(work)
        if original is not None:
            self._note(original, None)
            receipts.resolve(operator, original, now_ms)

    def unknown(self, work: Work, now_ms: int) -> None:
        """No answer: which text the handset gets is not known."""
        original = self._original(work)
        if original is None:
            return
        old, new = original.segments[0], work.segments[0]
        new.message_id, new.match_key = old.message_id, old.match_key
        self._works.remember_key(work, new)
        self._store.put(new)
        row = original.row
        sealed = row.closed_ms is not None
        if sealed:
            self._sealer.reopen(original, now_ms)
        body: dict[str, Any] = {
            "operator": new.operator,
            "bind": new.bind,
            "segment": 1,
            "replaced_by": work.id,
        }
        self._sealer.event(original, "x.OutcomeUnknown", now_ms, body)
        if sealed:
            self._sealer.close(original, row.state, now_ms)
        else:
            row.state = State.UNKNOWN
        self._store.put(row)

    # -- inside --------------------------------------------------------------------------------

    def _original(self, work: Work) -> Work | None:
        replaces = work.request.replaces
        return None if replaces is None else self._works.get_or_none(int(replaces["row"]))

    def _note(self, original: Work, by: str | None) -> None:
        original.request.replaced_by = by
        original.row.request = original.seal("request", original.request.to_bytes())
        self._store.put(original.row)


def in_doubt(work: Work, outcome: Outcome, match_key: str | None) -> bool:
    """Whether nobody knows if a receipt that names its id is about this text or another one."""
    if work.request.replaced_by is not None:
        return match_key is not None
    return work.request.replaces is not None and outcome is Outcome.UNKNOWN

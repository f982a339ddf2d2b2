"""What the receipts about the parts of a message say of the whole (LEDGER section 2).

The parts that the operator gave one id are told apart by nobody: its receipt speaks of the id.

- A failure of the id is a failure of the message.
- DELIVRD of the id is not DELIVRD of every part at the handset: some operators send one such
  receipt for the whole message, others one for each part under the same id, and the first one looks
  the same. It says that the operator is done with what it knows by that id, so the message closes
  as `delivered_to_operator`. As many different receipts as parts make it `delivered`; a receipt
  sent twice is still one.
- DELIVRD after a failure may be of another part, so it takes the failure back for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.ledger.rows import Outcome, State

if TYPE_CHECKING:
    from gateway.daemon.work import Work
    from gateway.ledger.rows import SegmentRow

#: What a final state of a segment makes of the submission; DELIVRD depends on all segments.
FAILURES: Final = {
    "expired": State.EXPIRED,
    "deleted": State.DELETED,
    "undelivered": State.UNDELIVERED,
    "skipped": State.UNDELIVERED,
    "rejected": State.REJECTED,
}
DELIVERED: Final = "delivered"


def parts_of_one_id(work: Work, segment: SegmentRow) -> list[SegmentRow]:
    """The segments the operator gave the id of *segment*, itself among them."""
    if len(work.segments) == 1 or segment.match_key is None:
        return [segment]
    return [
        each
        for each in work.segments
        if each.match_key == segment.match_key and each.operator == segment.operator
    ]


def note_final(work: Work, segment: SegmentRow, state: str | None) -> bool:
    """Take a receipt's *state* for *segment*; whether it says anything of arrival.

    ACCEPTD, UNKNOWN, ENROUTE and words nobody lists do not.
    """
    if state is None or (state != DELIVERED and state not in FAILURES):
        return False
    failed = segment.final is not None and segment.final != DELIVERED
    if state == DELIVERED and failed and len(parts_of_one_id(work, segment)) > 1:
        return False
    segment.final = state
    return True


def verdict_of(work: Work, latest: SegmentRow, *, means_handset: bool) -> State | None:
    """What the receipts so far say of *work*, of which that about *latest* came last; None: nothing
    yet.
    """
    if any(each.outcome is Outcome.REJECTED for each in work.segments):
        return None  # the operator refused a part: the message cannot have arrived whole
    if latest.final is not None and latest.final != DELIVERED:
        return FAILURES[latest.final]
    if all(each.final == DELIVERED for each in work.segments):
        return State.DELIVERED if means_handset else State.DELIVERED_TO_OPERATOR
    for each in work.segments:
        peers = parts_of_one_id(work, each)
        spoken_of = any(peer.final == DELIVERED for peer in peers)
        if each.final not in (None, DELIVERED) or not spoken_of:
            return None
    return State.DELIVERED_TO_OPERATOR

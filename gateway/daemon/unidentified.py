"""What has no message id in common: open messages the operator gave none for (or none that reached
us), and receipts whose id nobody knows. Recipient and time may still single out a pair.

It is weak evidence and marked so (`matched_by: "recipient"`). A receipt fits a segment that has no
id, at the same operator, whose recipient is the receipt's source address, which was sent before
the receipt came, and within `matching.SKEW_MS` of the date of submission the receipt quotes (within
`matching.ANY_ZONE_MS` where `receipt_utc_offset` is not set; a receipt without the date fits by its
arrival alone). They are tied only if no other submission fits, no message to that number waits for
its answer, and there are no more receipts than segments. Everything else stays as it is.

Both sides are kept in memory, bounded, and are loaded when the daemon starts: nothing here ever
looks through history.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from gateway.daemon.matching import TAIL_DIGITS, same_number, sent_when

if TYPE_CHECKING:
    from gateway.daemon.operator import Operator
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.rows import ReceiptRow, SegmentRow

#: Segments and receipts kept at most; the oldest go first, and stay what they are.
OPEN_LIMIT = 100_000
ORPHAN_LIMIT = 10_000


class Orphan(NamedTuple):
    """A receipt that matched nothing, with what its PDU says of recipient and time."""

    row: ReceiptRow
    source: str
    submit_ms: int | None


#: A submission's row id and the number of a segment.
_Open = tuple[int, int]
_Key = tuple[str, str]


class Unidentified:
    """Both sides by operator and the last digits of the recipient's number."""

    def __init__(self, works: WorkSet) -> None:
        self._works = works
        self._open: dict[_Key, list[_Open]] = {}
        self._open_keys: OrderedDict[_Open, _Key] = OrderedDict()
        self._orphans: dict[_Key, list[Orphan]] = {}
        self._orphan_keys: OrderedDict[int, _Key] = OrderedDict()

    # -- both sides ----------------------------------------------------------------------------

    def add(self, work: Work, segment: SegmentRow) -> None:
        """*segment* was sent, and no message id of it is known."""
        one = (work.row.id, segment.number)
        if segment.operator is None or one in self._open_keys:
            return
        key = _key(segment.operator, work.request.to)
        self._open_keys[one] = key
        self._open.setdefault(key, []).append(one)
        if len(self._open_keys) > OPEN_LIMIT:
            self._forget(next(iter(self._open_keys)))

    def discard(self, work: Work, segment: SegmentRow) -> None:
        """An id of *segment* is known now."""
        self._forget((work.row.id, segment.number))

    def add_orphan(self, orphan: Orphan) -> None:
        """*orphan* matched nothing by its id."""
        key = _key(orphan.row.operator, orphan.source)
        self._orphan_keys[orphan.row.id] = key
        self._orphans.setdefault(key, []).append(orphan)
        if len(self._orphan_keys) > ORPHAN_LIMIT:
            self.discard_orphan(next(iter(self._orphan_keys)))

    def discard_orphan(self, row_id: int) -> None:
        """That receipt has found its message."""
        key = self._orphan_keys.pop(row_id, None)
        if key is not None:
            left = [each for each in self._orphans[key] if each.row.id != row_id]
            if left:
                self._orphans[key] = left
            else:
                del self._orphans[key]

    def submissions(self) -> set[int]:
        """Row ids of the submissions that have a segment without id."""
        return {row_id for row_id, _ in self._open_keys}

    def _forget(self, one: _Open) -> None:
        key = self._open_keys.pop(one, None)
        if key is not None:
            self._open[key].remove(one)
            if not self._open[key]:
                del self._open[key]

    # -- pairs ---------------------------------------------------------------------------------

    def of_receipt(self, operator: Operator, orphan: Orphan) -> tuple[Work, SegmentRow] | None:
        """The segment that alone fits *orphan*, which has just arrived.

        None where other receipts about that number wait: then `pairs` judges them together.
        """
        if _key(operator.name, orphan.source) in self._orphans:
            return None
        fitting = self._fitting(operator, orphan)
        return fitting[0] if fitting else None

    def pairs(self, operator: Operator, number: str) -> list[tuple[Work, SegmentRow, Orphan]]:
        """The receipts that waited and now single out a segment sent to *number*.

        Receipts that name one id are about one segment, so they go together.
        """
        key = _key(operator.name, number)
        if key not in self._orphans or key not in self._open:
            return []
        named: dict[str | int, list[Orphan]] = {}
        for orphan in self._orphans[key]:
            named.setdefault(orphan.row.match_key or orphan.row.id, []).append(orphan)
        claims: dict[int, list[tuple[list[Orphan], list[tuple[Work, SegmentRow]]]]] = {}
        for orphans in named.values():
            fitting = self._fitting(operator, orphans[0])
            if fitting:
                claims.setdefault(fitting[0][0].row.id, []).append((orphans, fitting))
        found = []
        for claim in claims.values():
            fitting = claim[0][1]
            if len(claim) <= len(fitting):
                for (orphans, _), (work, segment) in zip(claim, fitting, strict=False):
                    found += [(work, segment, orphan) for orphan in orphans]
        return found

    def _fitting(self, operator: Operator, orphan: Orphan) -> list[tuple[Work, SegmentRow]]:
        """The segments of the one submission that *orphan* fits; none if there are several."""
        zone_known = operator.settings.receipt_utc_offset_s is not None
        fitting = []
        for row_id, number in tuple(self._open.get(_key(operator.name, orphan.source), ())):
            work = self._works.get_or_none(row_id)
            if work is None or work.row.closed_ms is not None:
                self._forget((row_id, number))
                continue
            segment = work.segments[number - 1]
            if (
                same_number(work.request.to, orphan.source)
                and segment.sent_ms is not None
                and segment.sent_ms <= orphan.row.received_ms
                and sent_when(segment, orphan.submit_ms, zone_known=zone_known)
            ):
                fitting.append((work, segment))
        if len({id(work) for work, _ in fitting}) != 1:
            return []
        if self._works.sending_to(operator.name, fitting[0][0].request.to):
            return []  # the receipt may be of the one whose answer is still to come
        return fitting


def _key(operator: str, number: str) -> _Key:
    return operator, number[-TAIL_DIGITS:]

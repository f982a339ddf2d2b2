"""Ties made by recipient and time alone, once a response says whose id it really is.

Such a tie is weak (`unidentified`). The response that names the id confirms it, and the receipt's
`matched_by` says so from then on; or it shows that the receipt is another message's. Then the
receipt is an orphan again, matched anew, and what it had decided is taken back: the entry stays in
the ledger, an entry after it names it as `untied`, and a seal that stood on it is opened again.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import structlog

from gateway.daemon.matching import BY_RECIPIENT
from gateway.daemon.orphans import reread
from gateway.daemon.verdict import verdict_of
from gateway.ledger.entry import time_text
from gateway.smpp.message_id import look_up_keys, matched_by, normalise_message_id

if TYPE_CHECKING:
    from gateway.daemon.operator import Operator
    from gateway.daemon.orphans import Read
    from gateway.daemon.receipts import Receipts
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.rows import ReceiptRow, SegmentRow
    from gateway.ledger.store import Store

log = structlog.get_logger()

#: Ids whose message was found by recipient that are remembered; the oldest go first.
_REMEMBERED = 100_000
#: How many of the latest receipts are looked through for them at a start.
_LOOKED_THROUGH = 5000


class WeakTies:
    """Which submission an id was taken for that no response has named."""

    def __init__(self, store: Store) -> None:
        self._owners: OrderedDict[tuple[str, str], int] = OrderedDict()
        for operator, key, submission in store.tied_by_recipient(_LOOKED_THROUGH):
            self._owners[operator, key] = submission

    def add(self, row: ReceiptRow) -> None:
        """*row* was tied by recipient."""
        if row.match_key is not None and row.submission is not None:
            self._owners[row.operator, row.match_key] = row.submission
            if len(self._owners) > _REMEMBERED:
                self._owners.popitem(last=False)

    def take(self, operator: str, key: str) -> int | None:
        """Row id of the submission that was taken for the owner of that id; asked once."""
        return self._owners.pop((operator, key), None)


class Ties:
    """Confirms them and undoes them, in the open batch."""

    def __init__(self, store: Store, works: WorkSet, sealer: Sealer, receipts: Receipts) -> None:
        self._store = store
        self._works = works
        self._sealer = sealer
        self._receipts = receipts

    def named(
        self, operator: Operator, work: Work, segment: SegmentRow, message_id: str, now_ms: int
    ) -> list[Work]:
        """The response to *segment* named *message_id*, which it has by now.

        Returns the other submissions that are open again because the id is not theirs.
        """
        key = normalise_message_id(message_id, operator.settings.message_id_form)
        reopened: list[Work] = []
        owner = self._receipts.weak.take(operator.name, key)
        if owner is not None and owner != work.row.id:
            other = self._works.get_or_none(owner)
            for each in () if other is None else other.segments:
                if other is not None and each.message_id is None and each.match_key == key:
                    since_ms = work.row.submitted_ms  # an older one cannot be about *work*
                    rows = [r for r in self._rows(other, each) if r.received_ms >= since_ms]
                    self._undo(operator, other, each, rows, now_ms)
                    if other.row.closed_ms is None:
                        reopened.append(other)
        wrong = []
        for row in self._rows(work, segment):
            rule = self._rule(operator, work, row, message_id)
            if rule is None:
                wrong.append(row)
            else:
                row.matched_by = rule
                self._store.put(row)
        self._undo(operator, work, segment, wrong, now_ms)
        return reopened

    def refused(self, operator: Operator, work: Work, segment: SegmentRow, now_ms: int) -> None:
        """The operator never took *segment*: what was tied to it is about something else."""
        self._undo(operator, work, segment, self._rows(work, segment), now_ms)

    def _rows(self, work: Work, segment: SegmentRow) -> list[ReceiptRow]:
        """The receipts tied to *segment* by recipient."""
        fresh = {row.id: row for row in self._receipts.tied.get(work.row.id, ())}
        known = {row.id: row for row in self._store.receipts(work.row.id)} if work.marks else {}
        return [
            row
            for row in {**known, **fresh}.values()
            if row.segment == segment.number and row.matched_by == BY_RECIPIENT
        ]

    def _rule(self, operator: Operator, work: Work, row: ReceiptRow, message_id: str) -> str | None:
        """How the id of a receipt is *message_id*; None if it is not. One without id stays tied."""
        form = operator.settings.message_id_form
        key = normalise_message_id(message_id, form)
        read = self._read(operator, work, row)
        ids = () if read is None else (read.receipt.message_id, read.receipt.text_message_id)
        named = [each for each in ids if each is not None]
        for each in named:
            if key in look_up_keys(each, form):
                return matched_by(message_id, each)
        return None if named else BY_RECIPIENT

    @staticmethod
    def _read(operator: Operator, work: Work, row: ReceiptRow) -> Read | None:
        raw = work.open(f"receipt.{row.id}", row.raw or b"")
        return reread(operator, row, raw)

    def _undo(
        self,
        operator: Operator,
        work: Work,
        segment: SegmentRow,
        rows: list[ReceiptRow],
        now_ms: int,
    ) -> None:
        """Let go of *rows*: the verdict that stood on them first, then the receipts themselves."""
        if not rows:
            return
        stood_on = verdict_of(work, segment, means_handset=operator.means_handset)
        before, segment.final = segment.final, None
        if segment.message_id is None:
            self._works.forget_key(segment)
            segment.match_key = None
        self._store.put(segment)
        untied = [row.seq for row in rows]
        row = work.row
        if before is not None and row.closed_ms is not None and stood_on is row.state:
            self._sealer.reopen(work, now_ms, untied=untied)
            row.contradicted = 1
        else:
            self._sealer.event(
                work, "x.CarrierReport", now_ms, self._body(operator, segment, untied, now_ms)
            )
        self._store.put(row)
        log.warning("receipt.untied", submission_id=work.id, operator=operator.name, of=untied)
        again = [(each, self._let_go(operator, work, each, now_ms)) for each in rows]
        for each, read in again:
            if read is not None:
                self._receipts.match_again(operator, each, read, now_ms)

    def _body(
        self, operator: Operator, segment: SegmentRow, untied: list[int], now_ms: int
    ) -> dict[str, Any]:
        """An entry that says nothing but that earlier ones were not about this message."""
        return {
            "operator": operator.name,
            "bind": segment.bind,
            "profile": self._receipts.profiles[operator.name],
            "part": segment.number,
            "stat": "",
            "err": "",
            "rx": time_text(now_ms),
            "done": None,
            "untied": untied,
        }

    def _let_go(self, operator: Operator, work: Work, row: ReceiptRow, now_ms: int) -> Read | None:
        """*row* is an orphan again."""
        raw = work.open(f"receipt.{row.id}", row.raw or b"")
        read = reread(operator, row, raw)
        work.marks.pop(row.mark, None)
        entry = row.seq
        row.submission = row.segment = row.matched_by = row.duplicate_of = None
        row.mark = b""
        row.conflict = int(read is not None and read.receipt.conflict)
        self._receipts.orphans.keep(row, raw, now_ms, untied=entry)
        self._store.put(row)
        return read

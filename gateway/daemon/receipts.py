"""A `deliver_sm` comes in: read, matched, sealed; it is answered only after the commit.

A receipt is never dropped. One that matches nothing is kept as an orphan and adopted when the
response that names its id arrives, on whatever session (DESIGN, promise 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from gateway.daemon.matching import BY_RECIPIENT, Found, Matcher
from gateway.daemon.orphans import HEADER_BYTES, Orphans
from gateway.daemon.receiptrow import read_receipt, receipt_row
from gateway.daemon.replacements import in_doubt
from gateway.daemon.ties import WeakTies
from gateway.daemon.unidentified import OPEN_LIMIT, ORPHAN_LIMIT, Orphan, Unidentified
from gateway.daemon.verdict import DELIVERED, FAILURES, note_final, verdict_of
from gateway.ledger.entry import time_text
from gateway.ledger.rows import Outcome, ReceiptRow, State
from gateway.smpp.consts import EsmClass
from gateway.smpp.message_id import orphan_keys
from gateway.smpp.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.inbound import Inbound
    from gateway.daemon.operator import Operator
    from gateway.daemon.orphans import Read
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import Work, WorkSet
    from gateway.evidence.vault import Vault
    from gateway.ledger.rows import SegmentRow
    from gateway.ledger.store import Store
    from gateway.smpp.events import Delivered


log = structlog.get_logger()


#: What a receipt may change a seal from without contradicting anything: it says more, or at last.
_OPEN_ENDS = (State.UNCONFIRMED, State.UNKNOWN)
_NO_CONTRADICTION = ((State.DELIVERED_TO_OPERATOR, State.DELIVERED),)


class Receipts:
    """Takes what operators deliver into the open batch."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        works: WorkSet,
        sealer: Sealer,
        inbound: Inbound,
        profiles: Mapping[str, str],
    ) -> None:
        self._store = store
        self._works = works
        self._sealer = sealer
        self._inbound = inbound
        self._matcher = Matcher(store, works)
        self.unidentified = Unidentified(works)
        #: Hash of what "delivered" means, by operator.
        self.profiles = profiles
        self.received = 0
        self.duplicates = 0
        self.orphans = Orphans(store, vault, sealer)
        self.weak = WeakTies(store)
        #: Receipts that the open batch tied by recipient, which the file does not show yet.
        self.tied: dict[int, list[ReceiptRow]] = {}

    # -- arrival -------------------------------------------------------------------------------

    def load(self, operators: Mapping[str, Operator], now_ms: int) -> None:
        """After a start: take up what has no message id and the receipts that matched nothing."""
        for row_id, number in self._store.unidentified(OPEN_LIMIT):
            work = self._works.get_or_none(row_id)
            if work is not None:
                self.unidentified.add(work, work.segments[number - 1])
        for row in self._store.last_orphans(ORPHAN_LIMIT):
            operator = operators.get(row.operator)
            read = None if operator is None else self.orphans.read(operator, row)
            if operator is not None and read is not None:
                self.match_again(operator, row, read, now_ms)
        for row_id in self.unidentified.submissions():
            work = self._works.get_or_none(row_id)
            operator = None if work is None else operators.get(work.row.operator or "")
            if work is not None and operator is not None:
                self._resolve(operator, work.request.to, now_ms)

    def deliver(
        self, operator: Operator, bind: str, delivered: Delivered, rx_ms: int, now_ms: int
    ) -> None:
        """Take in one `deliver_sm` or `data_sm` that arrived at *rx_ms*."""
        pdu, body = delivered.pdu, delivered.raw[HEADER_BYTES:]
        receipt = read_receipt(operator, pdu, rx_ms)
        found = None
        if receipt is not None:
            strict = pdu.esm_class & EsmClass.TYPE_MASK == 0
            found = self._matcher.find(operator, receipt, pdu.source, body, strict=strict)
            if found is None and strict:
                receipt = None  # unmarked, and of no message to that person: what a person wrote
        if receipt is None:
            self._inbound.deliver(operator, bind, delivered, rx_ms, now_ms)
            return
        self.received += 1
        row = receipt_row(self._store.next_id(ReceiptRow), operator, bind, receipt, rx_ms)
        if found is None:
            orphan = Orphan(row, pdu.source, receipt.submit_at_ms)
            alone = self.unidentified.of_receipt(operator, orphan)
            if alone is None:
                self._keep_orphan(row, delivered.raw, now_ms)
                self.unidentified.add_orphan(orphan)
                self._resolve(operator, pdu.source, now_ms)
                return
            found = Found(*alone, BY_RECIPIENT)
        if found.fits == 0:
            self._keep_orphan(row, delivered.raw, now_ms)
            return
        row.conflict |= int(self._matcher.names_two(operator, receipt, pdu.source, found.work))
        self._store.put_new(row)
        self._take(operator, found, row, delivered.raw, receipt.state, now_ms)

    def told(
        self,
        operator: Operator,
        bind: str,
        work: Work,
        segment: SegmentRow,
        word: str,
        error: str,
        raw: bytes,
        now_ms: int,
        *,
        state: str | None = None,
    ) -> None:
        """The operator said by query_sm_resp, cancel_sm_resp or replace_sm_resp (*raw*) where a
        segment stands; *state* is what *word* means where it is ours.
        """
        state = state or operator.dialect.state(word)
        final = state == DELIVERED or state in FAILURES
        said = Receipt(None, word, state, final, error, None, None, None, False, None)
        row = receipt_row(self._store.next_id(ReceiptRow), operator, bind, said, now_ms)
        self._store.put_new(row)
        self._take(operator, Found(work, segment, "id"), row, raw, state, now_ms)

    # -- orphans -------------------------------------------------------------------------------

    def _keep_orphan(self, row: ReceiptRow, raw: bytes, now_ms: int) -> None:
        self.duplicates += self.orphans.keep(row, raw, now_ms)
        self._store.put_new(row)

    def match_again(self, operator: Operator, row: ReceiptRow, read: Read, now_ms: int) -> bool:
        """See whether an orphan has a message now; whether it had one."""
        args = (operator, read.receipt, read.source, read.body)
        found = self._matcher.find(*args, strict=False)
        if found is not None and row.received_ms < found.work.row.submitted_ms:
            found = None  # it came before there was such a message: the id is used again
        if found is None:
            self.unidentified.add_orphan(Orphan(row, read.source, read.receipt.submit_at_ms))
        elif found.fits:
            self._adopt_one(operator, found, row, read, now_ms)
        return found is not None

    def _adopt(self, operator: Operator, message_id: str, now_ms: int) -> None:
        """A response named an id: take over the receipts that came before it."""
        keys = orphan_keys(message_id, operator.settings.message_id_form)
        for row in self.orphans.named(operator.name, *keys):
            read = self.orphans.read(operator, row)
            if read is not None:
                self.match_again(operator, row, read, now_ms)

    def resolve(self, operator: Operator, work: Work, now_ms: int) -> None:
        """The operator's answer to *work* came, or will not come: take over the receipts that came
        before it, and see whether one that matched nothing is singled out by recipient and time, to
        it or to another message to the same person.

        While parts of it are unanswered nobody knows which of them share an id.
        """
        told_apart = work.row.closed_ms is not None or work.all_answered()
        for segment in work.segments:
            if segment.message_id is not None and segment.match_key is not None:
                self.unidentified.discard(work, segment)
                if self.orphans.count and told_apart:
                    self._adopt(operator, segment.message_id, now_ms)
        if len(work.segments) > 1 and told_apart:
            self._reconsider(operator, work, now_ms)
        if work.row.closed_ms is None:
            for segment in work.segments:
                without_id = segment.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)
                if without_id and segment.match_key is None:
                    self.unidentified.add(work, segment)
        self._resolve(operator, work.request.to, now_ms)

    def _resolve(self, operator: Operator, number: str, now_ms: int) -> None:
        for owner, segment, orphan in self.unidentified.pairs(operator, number):
            read = self.orphans.read(operator, orphan.row)
            if read is not None:
                found = Found(owner, segment, BY_RECIPIENT)
                self._adopt_one(operator, found, orphan.row, read, now_ms)

    def _adopt_one(
        self, operator: Operator, found: Found, row: ReceiptRow, read: Read, now_ms: int
    ) -> None:
        row.month = found.work.row.month
        two = self._matcher.names_two(operator, read.receipt, read.source, found.work)
        row.conflict |= int(two)
        self._store.put(row)
        self.orphans.adopted(row)
        self.unidentified.discard_orphan(row.id)
        self._take(operator, found, row, read.raw, read.receipt.state, now_ms)

    def forget_fresh(self) -> None:
        """The batch is committed: the file shows its orphans."""
        self.orphans.forget_fresh()
        self.tied.clear()

    # -- the verdict ---------------------------------------------------------------------------

    def _take(
        self,
        operator: Operator,
        found: Found,
        row: ReceiptRow,
        raw: bytes,
        state: str | None,
        now_ms: int,
    ) -> None:
        """Tie a receipt to its segment: the row, the entry, and the seal when it decides."""
        work, segment, row.matched_by, fits = found
        row.submission, row.segment = work.row.id, segment.number
        if row.matched_by == BY_RECIPIENT and segment.match_key is None:
            # The next receipts about it name the same id; what the response said stays null.
            segment.match_key = row.match_key
            self._works.remember_key(work, segment)
            self.unidentified.discard(work, segment)
        if row.matched_by == BY_RECIPIENT:
            self.tied.setdefault(work.row.id, []).append(row)
            self.weak.add(row)
        row.raw = work.seal(f"receipt.{row.id}", raw)
        row.mark = work.mark(raw[HEADER_BYTES:])
        known = work.marks.get(row.mark)
        if known is not None:
            self.duplicates += 1
            row.duplicate_of = known
            row.seq = self._sealer.event(work, "x.Duplicate", now_ms, {"of": known})
            log.debug("receipt.duplicated", submission_id=work.id, of=known)
            self._store.put(work.row)
            return
        if in_doubt(work, segment.outcome, segment.match_key):
            fits = max(fits, 2)
        if row.conflict or not row.final or fits > 1:
            state = None
        before = work.row.state if work.row.closed_ms is not None else None
        verdict = None
        if note_final(work, segment, state):
            verdict = verdict_of(work, segment, means_handset=operator.means_handset)
        if verdict is None or verdict is before:
            row.seq = self._report(work, "x.CarrierReport", segment, row, raw, now_ms, fits)
        else:
            if before is not None:
                self._sealer.reopen(work, now_ms)
                if (before, verdict) not in _NO_CONTRADICTION and before not in _OPEN_ENDS:
                    work.row.contradicted = 1
            row.seq = self._report(work, _event(verdict), segment, row, raw, now_ms)
            self._sealer.close(work, verdict, now_ms)
            log.debug("receipt.sealed", submission_id=work.id, state=verdict.value)
        work.marks[row.mark] = row.seq
        self._store.put(segment)
        self._store.put(work.row)

    def _reconsider(self, operator: Operator, work: Work, now_ms: int) -> None:
        """Which parts share an id is known now: a receipt that came before may speak of all."""
        final = next((each for each in work.segments if each.final is not None), None)
        if final is None or work.row.closed_ms is not None:
            return
        if verdict_of(work, final, means_handset=True) is State.DELIVERED_TO_OPERATOR:
            self._sealer.close(work, State.DELIVERED_TO_OPERATOR, now_ms)

    def _report(
        self,
        work: Work,
        event: str,
        segment: SegmentRow,
        row: ReceiptRow,
        raw: bytes,
        now_ms: int,
        fits: int = 1,
    ) -> int:
        body: dict[str, Any] = {
            "operator": row.operator,
            "bind": row.bind,
            "profile": self.profiles[row.operator],
            "part": segment.number,
            "stat": row.message_state,
            "err": row.error or "",
            "rx": time_text(row.received_ms),
            "done": None if row.done_ms is None else time_text(row.done_ms),
        }
        if work.request.replaced_by is not None:
            body["replaced_by"] = work.request.replaced_by
        if event.startswith("E."):
            body["assertedBy"] = "carrier"
        if fits > 1:
            body["fits"] = fits
        if event == "E.2":
            body["reason"] = row.message_state
        return self._sealer.event(work, event, now_ms, body, {"receipt": raw})


def _event(verdict: State) -> str:
    """The code of the event that brings a verdict about (LEDGER section 2)."""
    if verdict is State.DELIVERED:
        return "E.1"
    return "x.CarrierReport" if verdict is State.DELIVERED_TO_OPERATOR else "E.2"

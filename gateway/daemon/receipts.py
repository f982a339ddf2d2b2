"""A `deliver_sm` comes in: read, matched, sealed; it is answered only after the commit.

A receipt is never dropped. One that matches nothing is kept as an orphan and adopted when the
response that names its id arrives, on whatever session (DESIGN, promise 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from gateway.daemon.matching import Found, Matcher
from gateway.daemon.receiptrow import read_receipt, receipt_row
from gateway.daemon.unidentified import OPEN_LIMIT, ORPHAN_LIMIT, Orphan, Unidentified
from gateway.daemon.work import orphan_key
from gateway.errors import StorageError
from gateway.evidence.vault import ContentCipher
from gateway.ledger.entry import time_text
from gateway.ledger.rows import Outcome, ReceiptRow, State
from gateway.smpp.consts import EsmClass
from gateway.smpp.message_id import orphan_keys
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.receipt import Receipt
from gateway.smpp.wire import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.inbound import Inbound
    from gateway.daemon.operator import Operator
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import Work, WorkSet
    from gateway.evidence.vault import Vault
    from gateway.ledger.rows import SegmentRow
    from gateway.ledger.store import Store
    from gateway.smpp.events import Delivered


log = structlog.get_logger()

#: What a final state of a segment makes of the submission; DELIVRD depends on all segments.
_FAILURES = {
    "expired": State.EXPIRED,
    "deleted": State.DELETED,
    "undelivered": State.UNDELIVERED,
    "skipped": State.UNDELIVERED,
    "rejected": State.REJECTED,
}
_HEADER_BYTES = 16
#: `matched_by` of a receipt that no message id ties to its message.
BY_RECIPIENT = "recipient"


class _Read(NamedTuple):
    """An orphan, read again."""

    receipt: Receipt
    source: str
    raw: bytes


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
        self._vault = vault
        self._works = works
        self._sealer = sealer
        self._inbound = inbound
        self._matcher = Matcher(store, works)
        self.unidentified = Unidentified(works)
        #: Hash of what "delivered" means, by operator.
        self.profiles = profiles
        self.received = 0
        self.duplicates = 0
        self.orphans = store.count_orphans()
        #: Orphans of the open batch, which the file does not show yet.
        self._fresh_orphans: dict[tuple[str, str], list[ReceiptRow]] = {}
        #: Orphans that found their message in the open batch.
        self._adopted: set[int] = set()

    # -- arrival -------------------------------------------------------------------------------

    def load(self, operators: Mapping[str, Operator], now_ms: int) -> None:
        """After a start: take up what has no message id and the receipts that matched nothing."""
        for row_id, number in self._store.unidentified(OPEN_LIMIT):
            work = self._works.get_or_none(row_id)
            if work is not None:
                self.unidentified.add(work, work.segments[number - 1])
        for row in self._store.last_orphans(ORPHAN_LIMIT):
            operator = operators.get(row.operator)
            read = None if operator is None else self._read_again(operator, row)
            if read is not None:
                self.unidentified.add_orphan(Orphan(row, read.source, read.receipt.submit_at_ms))
        for row_id in self.unidentified.submissions():
            work = self._works.get_or_none(row_id)
            operator = None if work is None else operators.get(work.row.operator or "")
            if work is not None and operator is not None:
                self._resolve(operator, work.request.to, now_ms)

    def deliver(
        self, operator: Operator, bind: str, delivered: Delivered, rx_ms: int, now_ms: int
    ) -> None:
        """Take in one `deliver_sm` or `data_sm` that arrived at *rx_ms*."""
        pdu, body = delivered.pdu, delivered.raw[_HEADER_BYTES:]
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
    ) -> None:
        """The operator said by query_sm_resp or cancel_sm_resp (*raw*) where a segment stands."""
        state = operator.dialect.state(word)
        final = state == "delivered" or state in _FAILURES
        said = Receipt(None, word, state, final, error, None, None, None, False, None)
        row = receipt_row(self._store.next_id(ReceiptRow), operator, bind, said, now_ms)
        self._store.put_new(row)
        self._take(operator, Found(work, segment, "id"), row, raw, state, now_ms)

    # -- orphans -------------------------------------------------------------------------------

    def _keep_orphan(self, row: ReceiptRow, raw: bytes, now_ms: int) -> None:
        """It matches nothing yet: kept under a key of its own, told in the ledger, answered."""
        key, owner = self._vault.new_key(), f"receipt:{row.id}"
        same = self._same_orphan(row, raw)
        if same is not None:
            self.duplicates += 1
            row.duplicate_of = same.seq
            row.seq = self._sealer.log_event("x.Duplicate", now_ms, of=same.seq)
        else:
            self.orphans += 1
            log.info("receipt.orphaned", operator=row.operator, bind=row.bind)
            row.seq = self._sealer.log_event(
                "x.Orphan",
                now_ms,
                key=key,
                content={"receipt": raw},
                operator=row.operator,
                bind=row.bind,
                stat=row.message_state,
                rx=time_text(row.received_ms),
            )
        row.key = self._vault.wrap(key, owner, row.month)
        row.raw = ContentCipher(key).seal(owner, "receipt", raw)
        self._store.put_new(row)
        if row.match_key is not None:
            fresh = self._fresh_orphans.setdefault((row.operator, row.match_key), [])
            fresh.append(row)

    def _same_orphan(self, row: ReceiptRow, raw: bytes) -> ReceiptRow | None:
        if self.orphans == 0 or row.match_key is None:
            return None
        for other in self._orphans_of(row.operator, row.match_key):
            body = self._open_orphan(other)[_HEADER_BYTES:]
            if other.duplicate_of is None and body == raw[_HEADER_BYTES:]:
                return other
        return None

    def _orphans_of(self, operator: str, *match_keys: str) -> list[ReceiptRow]:
        fresh = [row for key in match_keys for row in self._fresh_orphans.get((operator, key), ())]
        stored = self._store.orphans(operator, match_keys)
        return [row for row in stored + fresh if row.id not in self._adopted]

    def _read_again(self, operator: Operator, row: ReceiptRow) -> _Read | None:
        """An orphan as its octets say; None if it is no receipt by today's dialect."""
        raw = self._open_orphan(row)
        pdu = decode(raw)
        if not isinstance(pdu, DeliverSm | DataSm):
            return None
        receipt = read_receipt(operator, pdu, row.received_ms)
        return None if receipt is None else _Read(receipt, pdu.source, raw)

    def _open_orphan(self, row: ReceiptRow) -> bytes:
        if row.raw is None:
            raise StorageError(
                f"receipt {row.id} has no content",
                hint="stop the daemon and run `acuse ledger verify`",
                receipt=row.id,
            )
        cipher = ContentCipher(orphan_key(self._vault, row))
        return cipher.open_record(f"receipt:{row.id}", "receipt", row.raw)

    def adopt(
        self, operator: Operator, work: Work, segment: SegmentRow, message_id: str, now_ms: int
    ) -> None:
        """A response named an id: take over the receipts that came before it."""
        self.unidentified.discard(work, segment)
        if self.orphans == 0:
            return
        keys = orphan_keys(message_id, operator.settings.message_id_form)
        for row in self._orphans_of(operator.name, *keys):
            read = self._read_again(operator, row)
            if read is None:
                continue
            body = read.raw[_HEADER_BYTES:]
            found = self._matcher.find(operator, read.receipt, read.source, body, strict=False)
            if found is not None:
                self._adopt_one(operator, found, row, read, now_ms)

    def resolve(self, operator: Operator, work: Work, now_ms: int) -> None:
        """The operator's answer to *work* came, or will not come: see whether a receipt that
        matched nothing is singled out by recipient and time, to it or to another message to the
        same person.
        """
        if work.row.closed_ms is None:
            for segment in work.segments:
                without_id = segment.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)
                if without_id and segment.match_key is None:
                    self.unidentified.add(work, segment)
        self._resolve(operator, work.request.to, now_ms)

    def _resolve(self, operator: Operator, number: str, now_ms: int) -> None:
        for owner, segment, orphan in self.unidentified.pairs(operator, number):
            read = self._read_again(operator, orphan.row)
            if read is not None:
                found = Found(owner, segment, BY_RECIPIENT)
                self._adopt_one(operator, found, orphan.row, read, now_ms)

    def _adopt_one(
        self, operator: Operator, found: Found, row: ReceiptRow, read: _Read, now_ms: int
    ) -> None:
        row.month, row.key = found.work.row.month, None
        two = self._matcher.names_two(operator, read.receipt, read.source, found.work)
        row.conflict |= int(two)
        self._store.put(row)
        self._adopted.add(row.id)
        self.unidentified.discard_orphan(row.id)
        if row.duplicate_of is None:
            self.orphans -= 1
        row.duplicate_of = None
        self._take(operator, found, row, read.raw, read.receipt.state, now_ms)

    def forget_fresh(self) -> None:
        """The batch is committed: the file shows its orphans."""
        self._fresh_orphans.clear()
        self._adopted.clear()

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
        row.raw = work.seal(f"receipt.{row.id}", raw)
        row.mark = work.mark(raw[_HEADER_BYTES:])
        known = work.marks.get(row.mark)
        if known is not None:
            self.duplicates += 1
            row.duplicate_of = known
            row.seq = self._sealer.event(work, "x.Duplicate", now_ms, {"of": known})
            log.debug("receipt.duplicated", submission_id=work.id, of=known)
            self._store.put(work.row)
            return
        if row.conflict or not row.final or fits > 1:
            state = None
        before = work.row.state if work.row.closed_ms is not None else None
        verdict = self._verdict(operator, work, segment, state)
        if verdict is None or verdict is before:
            row.seq = self._report(work, "x.CarrierReport", segment, row, raw, now_ms, fits)
        else:
            if before is not None:
                self._sealer.reopen(work, now_ms)
                if before not in (State.UNCONFIRMED, State.UNKNOWN):
                    work.row.contradicted = 1
            row.seq = self._report(work, _event(verdict), segment, row, raw, now_ms)
            self._sealer.close(work, verdict, now_ms)
            log.debug("receipt.sealed", submission_id=work.id, state=verdict.value)
        work.marks[row.mark] = row.seq
        self._store.put(segment)
        self._store.put(work.row)

    def _verdict(
        self, operator: Operator, work: Work, segment: SegmentRow, state: str | None
    ) -> State | None:
        """What the receipts so far say of the whole submission; None: nothing yet.

        ACCEPTD, UNKNOWN, ENROUTE and words nobody lists say nothing about arrival.
        """
        failure = _FAILURES.get(state) if state is not None else None
        if failure is None and state != "delivered":
            return None
        segment.final = state
        if any(each.outcome is Outcome.REJECTED for each in work.segments):
            return None  # the operator refused a part: the message cannot have arrived whole
        if failure is not None:
            return failure
        if any(each.final != "delivered" for each in work.segments):
            return None
        return State.DELIVERED if operator.means_handset else State.DELIVERED_TO_OPERATOR

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

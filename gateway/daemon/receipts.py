"""A `deliver_sm` comes in: read, matched, sealed; it is answered only after the commit.

A receipt is never dropped. One that matches nothing is kept as an orphan and adopted when the
response that names its id arrives, on whatever session (DESIGN, promise 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from gateway.daemon.months import month_of
from gateway.daemon.work import orphan_key
from gateway.errors import StorageError
from gateway.evidence.vault import ContentCipher
from gateway.ledger.entry import time_text
from gateway.ledger.rows import InboundRow, Outcome, ReceiptRow, State
from gateway.smpp.message_id import fold_receipt_id, same_id
from gateway.smpp.receipt import parse_receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.operator import Operator
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import Work, WorkSet
    from gateway.evidence.vault import Vault
    from gateway.ledger.rows import SegmentRow
    from gateway.ledger.store import Store
    from gateway.smpp.events import Delivered
    from gateway.smpp.receipt import Receipt

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


class Receipts:
    """Takes what operators deliver into the open batch."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        works: WorkSet,
        sealer: Sealer,
        profiles: Mapping[str, str],
    ) -> None:
        self._store = store
        self._vault = vault
        self._works = works
        self._sealer = sealer
        #: Hash of what "delivered" means, by operator.
        self.profiles = profiles
        self.received = 0
        self.duplicates = 0
        self.orphans = store.count_orphans()
        #: Orphans of the open batch, which the file does not show yet.
        self._fresh_orphans: dict[tuple[str, str], list[ReceiptRow]] = {}

    # -- arrival -------------------------------------------------------------------------------

    def deliver(
        self, operator: Operator, bind: str, delivered: Delivered, rx_ms: int, now_ms: int
    ) -> None:
        """Take in one `deliver_sm` or `data_sm` that arrived at *rx_ms*."""
        receipt = parse_receipt(
            delivered.pdu,
            operator.dialect,
            utc_offset_s=operator.settings.receipt_utc_offset_s,
            now_ms=rx_ms,
        )
        if receipt is None:
            self._keep_inbound(operator, bind, delivered.raw, rx_ms)
            return
        self.received += 1
        row = ReceiptRow(
            id=self._store.next_id(ReceiptRow),
            submission=None,
            segment=None,
            operator=operator.name,
            bind=bind,
            match_key=None
            if receipt.message_id is None
            else fold_receipt_id(receipt.message_id, operator.settings.message_id_form),
            message_state=receipt.message_state,
            final=int(receipt.final),
            error=receipt.error,
            network_error_code=receipt.network_error_code,
            received_ms=rx_ms,
            done_ms=receipt.done_at_ms,
            conflict=int(receipt.conflict),
            duplicate_of=None,
            seq=-1,
            mark=b"",
            month=month_of(rx_ms),
            key=None,
            raw=None,
        )
        matched = self._match(operator, row.match_key, receipt, delivered)
        if matched is None:
            self._keep_orphan(row, delivered.raw, now_ms)
        else:
            row.conflict |= int(self._names_two(operator, receipt, matched[0]))
            self._store.put_new(row)
            self._take(operator, *matched, row, delivered.raw, receipt.state, now_ms)

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
        row = ReceiptRow(
            id=self._store.next_id(ReceiptRow),
            submission=None,
            segment=None,
            operator=operator.name,
            bind=bind,
            match_key=None,
            message_state=word,
            final=int(state == "delivered" or state in _FAILURES),
            error=error,
            network_error_code=None,
            received_ms=now_ms,
            done_ms=None,
            conflict=0,
            duplicate_of=None,
            seq=-1,
            mark=b"",
            month=month_of(now_ms),
            key=None,
            raw=None,
        )
        self._store.put_new(row)
        self._take(operator, work, segment, row, raw, state, now_ms)

    def _match(
        self, operator: Operator, match_key: str | None, receipt: Receipt, delivered: Delivered
    ) -> tuple[Work, SegmentRow] | None:
        """The segment it is about; the key is operator, id, recipient, time, never a socket."""
        found: list[tuple[Work, SegmentRow]] = []
        if match_key is not None:
            found = self._works.by_match_key(operator.name, match_key)
        if not found and receipt.text_message_id is not None:
            form = operator.settings.message_id_form
            key = fold_receipt_id(receipt.text_message_id, form)
            found = self._works.by_match_key(operator.name, key)
        if len(found) > 1:
            # An id the operator gave twice: the recipient tells them apart, else the latest.
            digits = delivered.pdu.source.lstrip("+")
            to_them = [each for each in found if each[0].request.to[1:] == digits]
            found = to_them or found
        return found[0] if found else None

    def _names_two(self, operator: Operator, receipt: Receipt, work: Work) -> bool:
        """Whether TLV and text name two submissions we know: then it decides nothing."""
        other = receipt.text_message_id
        if other is None or receipt.message_id is None or same_id(receipt.message_id, other):
            return False
        form = operator.settings.message_id_form
        known = self._works.by_match_key(operator.name, fold_receipt_id(other, form))
        return any(each[0] is not work for each in known)

    def _keep_inbound(self, operator: Operator, bind: str, raw: bytes, rx_ms: int) -> None:
        """Not a receipt: a handset's own message, kept whole before it is answered."""
        row_id = self._store.next_id(InboundRow)
        key, month, owner = self._vault.new_key(), month_of(rx_ms), f"inbound:{row_id}"
        sealed = ContentCipher(key).seal(owner, "deliver", raw)
        wrapped = self._vault.wrap(key, owner, month)
        self._store.put_new(InboundRow(row_id, operator.name, bind, rx_ms, month, wrapped, sealed))

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

    def _orphans_of(self, operator: str, match_key: str) -> list[ReceiptRow]:
        fresh = self._fresh_orphans.get((operator, match_key), [])
        return self._store.orphans(operator, match_key) + [
            row for row in fresh if row.submission is None
        ]

    def _open_orphan(self, row: ReceiptRow) -> bytes:
        if row.raw is None:
            raise StorageError(
                f"receipt {row.id} has no content",
                hint="stop the daemon and run `acuse ledger verify`",
                receipt=row.id,
            )
        cipher = ContentCipher(orphan_key(self._vault, row))
        return cipher.open_record(f"receipt:{row.id}", "receipt", row.raw)

    def adopt(self, operator: Operator, work: Work, segment: SegmentRow, now_ms: int) -> None:
        """A response named an id: take over the receipts that came before it."""
        if self.orphans == 0 or segment.match_key is None:
            return
        for row in self._orphans_of(operator.name, segment.match_key):
            raw = self._open_orphan(row)
            row.month, row.key = work.row.month, None
            self._store.put(row)
            if row.duplicate_of is None:
                self.orphans -= 1
            row.duplicate_of = None
            state = operator.dialect.state(row.message_state)
            self._take(operator, work, segment, row, raw, state, now_ms)

    def forget_fresh(self) -> None:
        """The batch is committed: the file shows its orphans."""
        self._fresh_orphans.clear()

    # -- the verdict ---------------------------------------------------------------------------

    def _take(
        self,
        operator: Operator,
        work: Work,
        segment: SegmentRow,
        row: ReceiptRow,
        raw: bytes,
        state: str | None,
        now_ms: int,
    ) -> None:
        """Tie a receipt to its segment: the row, the entry, and the seal when it decides."""
        row.submission, row.segment = work.row.id, segment.number
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
        if row.conflict or not row.final:
            state = None
        before = work.row.state if work.row.closed_ms is not None else None
        verdict = self._verdict(operator, work, segment, state)
        if verdict is None or verdict is before:
            row.seq = self._report(work, "x.CarrierReport", segment, row, raw, now_ms)
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
        if event == "E.2":
            body["reason"] = row.message_state
        return self._sealer.event(work, event, now_ms, body, {"receipt": raw})


def _event(verdict: State) -> str:
    """The code of the event that brings a verdict about (LEDGER section 2)."""
    if verdict is State.DELIVERED:
        return "E.1"
    return "x.CarrierReport" if verdict is State.DELIVERED_TO_OPERATOR else "E.2"

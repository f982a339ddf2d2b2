"""Receipts that match nothing: kept whole, told in the ledger, found again by the id they name.

Each has a key of its own, until it finds its message and shares that one's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from gateway.daemon.months import month_of
from gateway.daemon.receiptrow import read_receipt
from gateway.errors import StorageError
from gateway.evidence.vault import ContentCipher
from gateway.ledger.entry import time_text
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.wire import decode

if TYPE_CHECKING:
    from gateway.daemon.operator import Operator
    from gateway.daemon.sealer import Sealer
    from gateway.evidence.vault import Vault
    from gateway.ledger.rows import ReceiptRow
    from gateway.ledger.store import Store
    from gateway.smpp.receipt import Receipt

log = structlog.get_logger()

HEADER_BYTES = 16


class Read(NamedTuple):
    """A stored receipt, read again."""

    receipt: Receipt
    source: str
    raw: bytes

    @property
    def body(self) -> bytes:
        """The PDU without its header, by which one that is sent again is known."""
        return self.raw[HEADER_BYTES:]


class Orphans:
    """Keeps them in the open batch, and finds them there and in the file."""

    def __init__(self, store: Store, vault: Vault, sealer: Sealer) -> None:
        self._store = store
        self._vault = vault
        self._sealer = sealer
        #: How many there are, repeated ones left out.
        self.count = store.count_orphans()
        #: Those of the open batch, which the file does not show yet.
        self._fresh: dict[tuple[str, str], list[ReceiptRow]] = {}
        #: Those that found their message in the open batch, though the file shows them still.
        self._adopted: set[int] = set()

    def keep(self, row: ReceiptRow, raw: bytes, now_ms: int, *, untied: int | None = None) -> bool:
        """Keep *row*, whose PDU is *raw*; whether it repeats one that is kept already.

        *untied*: the `seq` of the entry that had wrongly tied it to a message. The row is put by
        the caller.
        """
        key, owner = self._vault.new_key(), f"receipt:{row.id}"
        same = self._same(row, raw)
        if same is not None:
            row.duplicate_of = same.seq
            row.seq = self._sealer.log_event("x.Duplicate", now_ms, of=same.seq)
        else:
            self.count += 1
            log.info("receipt.orphaned", operator=row.operator, bind=row.bind)
            body = {
                "operator": row.operator,
                "bind": row.bind,
                "stat": row.message_state,
                "rx": time_text(row.received_ms),
                **({} if untied is None else {"untied": untied}),
            }
            row.seq = self._sealer.log_event(
                "x.Orphan", now_ms, key=key, content={"receipt": raw}, **body
            )
        row.month = month_of(row.received_ms)
        row.key = self._vault.wrap(key, owner, row.month)
        row.raw = ContentCipher(key).seal(owner, "receipt", raw)
        if row.match_key is not None:
            self._adopted.discard(row.id)
            self._fresh.setdefault((row.operator, row.match_key), []).append(row)
        return same is not None

    def named(self, operator: str, *match_keys: str) -> list[ReceiptRow]:
        """Those of *operator* that name one of these ids."""
        if self.count == 0:
            return []
        fresh = [row for key in match_keys for row in self._fresh.get((operator, key), ())]
        ids = {row.id for row in fresh}
        stored = [row for row in self._store.orphans(operator, match_keys) if row.id not in ids]
        return [row for row in stored + fresh if row.id not in self._adopted]

    def adopted(self, row: ReceiptRow) -> None:
        """*row* has found its message."""
        self._adopted.add(row.id)
        row.key = None
        if row.duplicate_of is None:
            self.count -= 1
        row.duplicate_of = None

    def read(self, operator: Operator, row: ReceiptRow) -> Read | None:
        """An orphan as its octets say; None if it is no receipt by today's dialect."""
        return reread(operator, row, self._open(row))

    def forget_fresh(self) -> None:
        """The batch is committed: the file shows its orphans."""
        self._fresh.clear()
        self._adopted.clear()

    def _same(self, row: ReceiptRow, raw: bytes) -> ReceiptRow | None:
        if row.match_key is None:
            return None
        for other in self.named(row.operator, row.match_key):
            body = self._open(other)[HEADER_BYTES:]
            if other.duplicate_of is None and body == raw[HEADER_BYTES:]:
                return other
        return None

    def _open(self, row: ReceiptRow) -> bytes:
        if row.raw is None:
            raise StorageError(
                f"receipt {row.id} has no content",
                hint="stop the daemon and run `acuse ledger verify`",
                receipt=row.id,
            )
        cipher = ContentCipher(_key(self._vault, row))
        return cipher.open_record(f"receipt:{row.id}", "receipt", row.raw)


def reread(operator: Operator, row: ReceiptRow, raw: bytes) -> Read | None:
    """What the PDU of a stored receipt says; None where it is none (a query_sm_resp, or by today's
    dialect).
    """
    pdu = decode(raw)
    if not isinstance(pdu, DeliverSm | DataSm):
        return None
    receipt = read_receipt(operator, pdu, row.received_ms)
    return None if receipt is None else Read(receipt, pdu.source, raw)


def _key(vault: Vault, receipt: ReceiptRow) -> bytes:
    """The opened key of a receipt that has one of its own."""
    if receipt.key is None:
        raise StorageError(
            f"receipt {receipt.id} has no key",
            hint="stop the daemon and run `acuse ledger verify`",
            receipt=receipt.id,
        )
    return vault.unwrap(receipt.key, f"receipt:{receipt.id}", receipt.month)

"""Reading a receipt with its operator's dialect and offset, and the row it becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.daemon.months import month_of
from gateway.ledger.rows import ReceiptRow
from gateway.smpp.message_id import fold_receipt_id
from gateway.smpp.receipt import Receipt, parse_receipt

if TYPE_CHECKING:
    from gateway.daemon.operator import Operator
    from gateway.smpp.pdu import DataSm, DeliverSm


def receipt_row(
    row_id: int, operator: Operator, bind: str, receipt: Receipt, rx_ms: int
) -> ReceiptRow:
    """The row of a receipt that arrived at *rx_ms*, tied to nothing yet."""
    return ReceiptRow(
        id=row_id,
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


def read_receipt(operator: Operator, pdu: DeliverSm | DataSm, rx_ms: int) -> Receipt | None:
    """The receipt in *pdu*, or None if it is a person's own message."""
    return parse_receipt(
        pdu,
        operator.dialect,
        utc_offset_s=operator.settings.receipt_utc_offset_s,
        now_ms=rx_ms,
    )

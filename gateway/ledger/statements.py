"""One prepared INSERT and one UPDATE for each kind of row; SQLite caches them by their text."""

from __future__ import annotations

from operator import attrgetter

from gateway.ledger.rows import (
    TABLES,
    ChunkRow,
    ConsentRequestRow,
    ConsentRow,
    InboundRow,
    OptoutRow,
    ReceiptRow,
    Row,
    SegmentRow,
    ServiceRow,
    SnapshotRow,
    SubmissionRow,
    columns,
)

#: What may change after a row was inserted; the rest is written once.
_MUTABLE: dict[type[Row], tuple[str, ...]] = {
    SubmissionRow: (
        "state",
        "request",
        "operator",
        "due_ms",
        "closed_ms",
        "last_seq",
        "seal_seq",
        "reason",
        "rules",
        "attempts",
        "contradicted",
    ),
    SegmentRow: (
        "outcome",
        "operator",
        "bind",
        "message_id",
        "match_key",
        "command_status",
        "sent_ms",
        "answered_ms",
        "final",
        "submit",
        "response",
    ),
    ReceiptRow: (
        "submission",
        "segment",
        "seq",
        "mark",
        "month",
        "key",
        "raw",
        "duplicate_of",
        "conflict",
        "matched_by",
    ),
    InboundRow: ("month", "key", "raw", "whole", "submission", "seq", "text", "optout"),
    OptoutRow: ("added_ms", "source", "seq", "month", "key", "number", "suspected", "text"),
    ServiceRow: ("tries",),
    ConsentRow: ("key", "number", "details", "withdrawn_ms", "withdrawn_seq", "withdrawal"),
    ConsentRequestRow: ("key", "number", "details", "closed_ms"),
    ChunkRow: ("key", "details"),
    SnapshotRow: ("state", "members", "digest", "imported_ms", "seq"),
}


def _insert(kind: type[Row]) -> str:
    names = columns(kind)
    return f"INSERT INTO {TABLES[kind]} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _update(kind: type[Row]) -> str:
    return f"UPDATE {TABLES[kind]} SET {', '.join(f'{n}=?' for n in _MUTABLE[kind])} WHERE id=?"


#: Statement and the values it takes of a row, by kind.
INSERT = {kind: (_insert(kind), attrgetter(*columns(kind))) for kind in TABLES}
UPDATE = {kind: (_update(kind), attrgetter(*_MUTABLE[kind], "id")) for kind in _MUTABLE}

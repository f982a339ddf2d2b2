"""What came from operators beside a message's own receipts, as it is shown: replies and orphans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.clock import optional_text, to_seconds_text
from gateway.evidence.vault import ContentCipher

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.evidence.vault import Vault


def shown_replies(
    rows: Sequence[Mapping[str, Any]], message: Mapping[str, Any], cipher: ContentCipher | None
) -> Iterator[dict[str, Any]]:
    """The replies to *message* (a row of `submissions`), one object for each whole message.

    `raw` holds its PDUs in the order of their parts; `complete` says whether all parts came.
    """
    owner = message["submission_id"]
    for last in rows:
        if last["whole"] != last["id"]:
            continue
        parts = sorted(
            (row for row in rows if row["whole"] == last["id"]), key=lambda row: row["number"]
        )
        text, raw = None, []
        if cipher is not None:
            text = cipher.open_record(owner, f"reply.{last['id']}", last["text"]).decode()
            raw = [
                cipher.open_record(owner, f"inbound.{row['id']}", row["raw"]).hex() for row in parts
            ]
        yield {
            "seq": last["seq"],
            "received_at": to_seconds_text(last["received_ms"]),
            "operator": last["operator"],
            "bind": last["bind"],
            "text": text,
            "complete": len(parts) == last["total"],
            "optout": last["optout"],
            "raw": raw,
        }


def shown_orphan(row: Mapping[str, Any], vault: Vault) -> dict[str, Any]:
    """A receipt that matches no message; `message_id` is written as it is looked up."""
    raw = None
    if row["key"] is not None and row["raw"] is not None:
        owner = f"receipt:{row['id']}"
        cipher = ContentCipher(vault.unwrap(row["key"], owner, row["month"]))
        raw = cipher.open_record(owner, "receipt", row["raw"]).hex()
    return {
        "seq": row["seq"],
        "operator": row["operator"],
        "bind": row["bind"],
        "message_id": row["match_key"],
        "message_state": row["message_state"],
        "final": bool(row["final"]),
        "error": row["error"],
        "network_error_code": row["network_error_code"],
        "received_at": to_seconds_text(row["received_ms"]),
        "done_at": optional_text(row["done_ms"]),
        "duplicate_of": row["duplicate_of"],
        "raw": raw,
    }

"""Objects as the daemon answers them."""

from __future__ import annotations

from typing import Any

ID = "0199e0c4-6a00-7000-8000-1a2b3c4d5e6f"

SUBMITTED: dict[str, Any] = {
    "submission_id": ID,
    "state": "queued",
    "decision": {
        "action": "release",
        "until": None,
        "reason": None,
        "rules": ["ES-QH"],
        "warnings": [],
    },
    "encoding": "gsm7",
    "segments": 1,
}

RECORD: dict[str, Any] = {
    "submission_id": ID,
    "ref": "2026/117",
    "state": "delivered",
    "category": "legal_notice",
    "brand": "acme",
    "to": "+34600111222",
    "from": "ACME",
    "text": "Su factura 2026/117 vence el 30 de noviembre. Página 1\n\x1b[31mrojo " + "largo " * 20,
    "encoding": "gsm7",
    "operator": "movistar",
    "submitted_at": "2026-11-28T20:59:59Z",
    "closed_at": "2026-11-28T21:00:03Z",
    "decision": {"action": "release", "until": None, "reason": None, "rules": ["ES-QH"]},
    "segments": [
        {
            "number": 1,
            "message_id": "4f3a11c7",
            "outcome": "accepted",
            "command_status": 0,
            "sent_at": "2026-11-28T21:00:00Z",
            "answered_at": "2026-11-28T21:00:00Z",
        }
    ],
    "receipts": [
        {
            "segment": 1,
            "message_state": "DELIVRD",
            "final": True,
            "error": "000",
            "network_error_code": None,
            "received_at": "2026-11-28T21:00:03Z",
            "done_at": "2026-11-28T21:00:02Z",
            "raw": "00",
            "bind": "movistar/1",
            "duplicate_of": None,
        }
    ],
    "events": [
        {"seq": 12, "event": "A.1", "at": "2026-11-28T20:59:59.001Z"},
        {"seq": 13, "event": "F.1", "at": "2026-11-28T21:00:00.120Z"},
        {"seq": 17, "event": "S.1", "at": "2026-11-28T21:00:03.010Z"},
    ],
    "seal": {"seq": 17, "leaf": "ab" * 32, "checkpoint_size": 32, "anchored": False},
}

MESSAGE: dict[str, Any] = {
    "submission_id": ID,
    "ref": "2026/117",
    "state": "delivered_to_operator",
    "category": "legal_notice",
    "brand": "acme",
    "to": "+34600111222",
    "from": "ACME",
    "operator": "movistar",
    "submitted_at": "2026-11-28T20:59:59Z",
    "closed_at": "2026-11-28T21:00:03Z",
    "due_at": None,
    "reason": None,
}


def operator(name: str, state: str = "bound") -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "since": "2026-11-28T20:59:59Z",
        "bind": "transceiver",
        "links": [],
        "window": 100,
        "in_flight": 100,
        "rate": 1000.0,
        "sent": 12_345_678,
        "throttled_until": None,
        "last_error": None if state == "bound" else "connection refused by the operator " * 4,
    }


STATUS: dict[str, Any] = {
    "name": "sms.example.es",
    "software": "acuse 0.1.0",
    "pid": 4242,
    "started_at": "2026-11-28T20:59:59Z",
    "ready": True,
    "draining": False,
    "operators": [operator("movistar"), operator("vodafone-es-transactional", "waiting")],
    "queues": {
        "held": 1_234_567,
        "queued": 1_234_567,
        "sending": 100,
        "accepted": 1_234_567,
        "unknown": 1_234,
        "orphans": 1_234,
    },
    "held": [
        {"reason": "quiet_hours", "count": 1_234_000, "next": "2026-11-29T07:00:00Z"},
        {"reason": "cap", "count": 500, "next": "2026-11-29T08:00:00Z"},
        {"reason": "not_before", "count": 67, "next": "2026-12-01T08:00:00Z"},
    ],
    "held_next": "2026-11-29T07:00:00Z",
    "oldest_queued": "2026-11-28T20:59:59Z",
    "totals": {
        "submitted": 123_456_789,
        "refused": 1_234_567,
        "accepted": 123_456_789,
        "rejected": 1_234_567,
        "receipts": 123_456_789,
        "sealed": 123_456_789,
        "duplicates": 1_234_567,
    },
    "ledger": {
        "origin": "sms.example.es/2026a",
        "size": 987_654_321,
        "root": "ab" * 32,
        "checkpoint_size": 987_654_000,
        "checkpoint_at": "2026-11-28T21:00:00Z",
    },
    "anchors": {
        "size": 987_654_000,
        "at": "2026-11-28T21:00:00Z",
        "age_s": 58,
        "pending": True,
        "sources": [
            {
                "name": "tsa-one",
                "kind": "timestamp",
                "state": "done",
                "size": 987_654_000,
                "at": "2026-11-28T21:00:00Z",
                "last_error": None,
                "hint": None,
                "next_try_at": None,
            },
            {
                "name": "tsa-two",
                "kind": "timestamp",
                "state": "failing",
                "size": None,
                "at": None,
                "last_error": "it cannot be reached: all connection attempts failed, as so often",
                "hint": None,
                "next_try_at": "2026-11-28T21:05:00Z",
            },
        ],
    },
    "writer": {"commits": 1_234_567, "last_commit_ms": 0.712, "batch": 100},
}

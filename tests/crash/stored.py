"""What a data directory holds after a crash, read from the files with the daemon down."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE
from gateway.evidence.vault import ContentCipher, Vault
from tests.support.sealed import entries_of_file

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

FINAL = {
    *("delivered", "delivered_to_operator", "undelivered", "expired", "deleted", "rejected"),
    *("refused", "cancelled", "unconfirmed"),
}


class Submission(NamedTuple):
    submission_id: str
    ref: str
    state: str
    closed_ms: int | None
    last_seq: int


class Segment(NamedTuple):
    id: int
    submission_id: str
    outcome: str
    operator: str | None
    message_id: str | None


class Receipt(NamedTuple):
    submission_id: str | None
    operator: str
    message_id: str
    state: str
    duplicate_of: int | None
    seq: int
    body: bytes


@dataclass(frozen=True)
class Stored:
    """One look at the files."""

    submissions: dict[str, Submission]
    segments: dict[int, Segment]
    receipts: list[Receipt]
    entries: list[dict[str, Any]]

    @classmethod
    def read(cls, data: Path) -> Stored:
        """What is committed in the data directory *data*."""
        vault = Vault(data / KEYS_DIRECTORY)
        uri = f"{(data / LEDGER_FILE).as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            rows = connection.execute(
                "SELECT id, submission_id, ref, state, closed_ms, last_seq, key, month"
                " FROM submissions"
            ).fetchall()
            names = {row[0]: row[1] for row in rows}
            keys = {row[0]: vault.unwrap(row[6], row[1], row[7]) for row in rows}
            segments = {
                row[0]: Segment(row[0], names[row[1]], *row[2:])
                for row in connection.execute(
                    "SELECT id, submission, outcome, operator, message_id FROM segments"
                )
            }
            rows_of_receipts = connection.execute(
                "SELECT id, submission, operator, key, month, raw, match_key, message_state,"
                " duplicate_of, seq FROM receipts ORDER BY id"
            ).fetchall()
        receipts = []
        for (
            row_id,
            submission,
            operator,
            key,
            month,
            raw,
            match_key,
            word,
            of,
            seq,
        ) in rows_of_receipts:
            owner, name = f"receipt:{row_id}", "receipt"
            if submission is not None:
                owner, name = names[submission], f"receipt.{row_id}"
            k = keys[submission] if submission else vault.unwrap(key, owner, month)
            body = ContentCipher(k).open_record(owner, name, raw)[16:]
            receipts.append(
                Receipt(names.get(submission), operator, match_key, word, of, seq, body)
            )
        return cls(
            {row[1]: Submission(*row[1:6]) for row in rows},
            segments,
            receipts,
            entries_of_file(data),
        )

    def boots(self) -> int:
        """How often a daemon came as far as to say that it starts."""
        return sum(entry["ev"] == "x.Boot" for entry in self.entries)

    def sending(self) -> set[int]:
        """Segments of which nobody knows whether they left."""
        return {each.id for each in self.segments.values() if each.outcome == "sending"}

    def assert_each_receipt_is_sealed_once(self) -> None:
        """However often an operator sent it, a receipt decides once; the rest are duplicates."""
        once = Counter[tuple[str, str, bytes]]()
        for receipt in self.receipts:
            key = (receipt.operator, receipt.message_id, receipt.body)
            once[key] += receipt.duplicate_of is None
        assert set(once.values()) <= {1}
        told = {receipt.seq: receipt for receipt in self.receipts}
        assert len(told) == len(self.receipts)
        for seq, receipt in told.items():
            entry = self.entries[seq]
            if receipt.duplicate_of is not None:
                assert (entry["ev"], entry["of"]) == ("x.Duplicate", receipt.duplicate_of)
            elif receipt.submission_id is None:
                assert entry["ev"] == "x.Orphan"
            else:
                assert entry["ev"] in ("E.1", "E.2", "x.CarrierReport")
            assert receipt.submission_id is None or entry["mid"] == receipt.submission_id

    def assert_each_seal_is_the_only_one(self) -> None:
        """A closed submission has one S.1, and one more each time it was reopened."""
        events = Counter((entry.get("mid"), entry["ev"]) for entry in self.entries)
        for submission_id, row in self.submissions.items():
            closed = row.closed_ms is not None
            assert events[submission_id, "S.1"] == closed + events[submission_id, "x.Reopened"]
            assert events[submission_id, "A.1"] + events[submission_id, "A.2"] == 1
            assert closed == (row.state in FINAL) or row.state == "unknown"
        assert {mid for mid, _ in events} - {None} == set(self.submissions)

"""The reads of the hot path, on the writer's own connection, between its commits.

They see what is committed. What is still in the open batch is found in memory by those who put it
there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gateway.errors import StorageError
from gateway.ledger.files import storage_errors
from gateway.ledger.rows import (
    TABLES,
    ChunkRow,
    ConsentRequestRow,
    ConsentRow,
    InboundRow,
    OptoutRow,
    ReceiptRow,
    SegmentRow,
    ServiceRow,
    SnapshotRow,
    SubmissionRow,
    columns,
    segment_id,
)
from gateway.ledger.schema import DEADLINE, HELD, WAITING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_Row = TypeVar(
    "_Row",
    SubmissionRow,
    SegmentRow,
    ReceiptRow,
    InboundRow,
    OptoutRow,
    ServiceRow,
    ConsentRow,
    ConsentRequestRow,
    ChunkRow,
    SnapshotRow,
)
#: How far back the last submission to a person is looked for: entries of one narrow index, read
#: from its end, some tens of milliseconds at most.
_LOOK_BACK = 500_000


class RowReader:
    """Rows of the file as objects."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection

    def _rows(self, kind: type[_Row], where: str, values: Iterable[object]) -> list[_Row]:
        query = f"SELECT {', '.join(columns(kind))} FROM {TABLES[kind]} WHERE {where}"
        try:
            with storage_errors(self.path):
                return [kind(*row) for row in self._connection.execute(query, tuple(values))]
        except ValueError as error:  # a state or outcome that is none: somebody changed the file
            raise StorageError(
                f"a row of {TABLES[kind]} in {self.path} is damaged: {error}",
                hint="keep the file as evidence and restore the last backup",
                file=str(self.path),
            ) from None


class Lookups(RowReader):
    """Each is one query over an index; none grows with history."""

    def last_note(self) -> str | None:
        """The latest signed checkpoint that is stored."""
        row = self._connection.execute(
            "SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1"
        ).fetchone()
        return None if row is None else str(row[0])

    def submission(self, row_id: int) -> SubmissionRow | None:
        """The submission with that row id."""
        return next(iter(self._rows(SubmissionRow, "id=?", (row_id,))), None)

    def submission_by_id(self, submission_id: str) -> SubmissionRow | None:
        """The submission with that public id."""
        return next(iter(self._rows(SubmissionRow, "submission_id=?", (submission_id,))), None)

    def last_month(self) -> str | None:
        """The retention month of the latest submission."""
        with storage_errors(self.path):
            row = self._connection.execute(
                "SELECT month FROM submissions ORDER BY id DESC LIMIT 1"
            ).fetchone()
        return None if row is None else str(row[0])

    def open_ids(self, state: str, *, due_ms: int, after_id: int = 0, limit: int) -> list[int]:
        """Row ids of open submissions of a state that are due, soonest due first."""
        with storage_errors(self.path):
            cursor = self._connection.execute(
                "SELECT id FROM submissions WHERE closed_ms IS NULL AND state=? AND due_ms<=?"
                " AND id>? ORDER BY due_ms, id LIMIT ?",
                (state, due_ms, after_id, limit),
            )
            return [row[0] for row in cursor]

    def next_due_ms(self, state: str) -> int | None:
        """The soonest `due_ms` of the open submissions of a state."""
        with storage_errors(self.path):
            row = self._connection.execute(
                "SELECT min(due_ms) FROM submissions WHERE closed_ms IS NULL AND state=?", (state,)
            ).fetchone()
        value: int | None = row[0]
        return value

    def held_due(self, due_ms: int, limit: int) -> list[tuple[int, int]]:
        """Row id and deadline of held submissions that are due: by due instant, then deadline."""
        with storage_errors(self.path):
            cursor = self._connection.execute(
                f"SELECT id, {DEADLINE} FROM submissions INDEXED BY submissions_held"
                f" WHERE {HELD} AND due_ms<=? ORDER BY due_ms, {DEADLINE}, id LIMIT ?",
                (due_ms, limit),
            )
            return cursor.fetchall()

    def count_held_due(self, due_ms: int) -> int:
        """How many held submissions are due; reads as many entries of one narrow index."""
        with storage_errors(self.path):
            row = self._connection.execute(
                "SELECT count(*) FROM submissions INDEXED BY submissions_held"
                f" WHERE {HELD} AND due_ms<=?",
                (due_ms,),
            ).fetchone()
        return int(row[0])

    def next_held_ms(self, after_ms: int) -> int | None:
        """The soonest `due_ms` of held submissions later than that."""
        with storage_errors(self.path):
            row = self._connection.execute(
                "SELECT due_ms FROM submissions INDEXED BY submissions_held"
                f" WHERE {HELD} AND due_ms>? ORDER BY due_ms LIMIT 1",
                (after_ms,),
            ).fetchone()
        return None if row is None else int(row[0])

    def held_after(self, due_ms: int, row_id: int, limit: int) -> list[tuple[int, int]]:
        """`due_ms` and row id of held submissions, in that order, after the given ones."""
        with storage_errors(self.path):
            cursor = self._connection.execute(
                "SELECT due_ms, id FROM submissions INDEXED BY submissions_open"
                " WHERE closed_ms IS NULL AND state='held' AND (due_ms, id) > (?, ?)"
                " ORDER BY due_ms, id LIMIT ?",
                (due_ms, row_id, limit),
            )
            return cursor.fetchall()

    def waiting_of(self, person: bytes, after_id: int, limit: int) -> list[int]:
        """Row ids of what is held or queued for a person, after the given one."""
        with storage_errors(self.path):
            cursor = self._connection.execute(
                "SELECT id FROM submissions INDEXED BY submissions_waiting"
                f" WHERE person=? AND id>? AND {WAITING} ORDER BY id LIMIT ?",
                (person, after_id, limit),
            )
            return [row[0] for row in cursor]

    def judged_by(self) -> str:
        """The hash of rules, calendars and settings by which all that is held was judged."""
        with storage_errors(self.path):
            row = self._connection.execute("SELECT judged_by FROM log").fetchone()
        return str(row[0])

    def count_open(self) -> dict[str, int]:
        """How many open submissions there are of each state."""
        with storage_errors(self.path):
            cursor = self._connection.execute(
                "SELECT state, count(*) FROM submissions WHERE closed_ms IS NULL GROUP BY state"
            )
            return dict(cursor.fetchall())

    def segments(self, submission: int) -> list[SegmentRow]:
        """The segments of a submission, by number."""
        first = segment_id(submission, 0)
        return self._rows(SegmentRow, "id>=? AND id<? ORDER BY id", (first, first + 256))

    def segments_by_key(self, operator: str, match_key: str) -> list[SegmentRow]:
        """Segments an operator answered with that message id, latest first."""
        return self._rows(
            SegmentRow, "match_key=? AND operator=? ORDER BY sent_ms DESC", (match_key, operator)
        )

    def receipts(self, submission: int) -> list[ReceiptRow]:
        """The receipts tied to a submission, in order of arrival."""
        return self._rows(ReceiptRow, "submission=? ORDER BY id", (submission,))

    def orphans(self, operator: str, match_keys: Sequence[str]) -> list[ReceiptRow]:
        """Receipts of an operator that named one of those ids and matched nothing yet."""
        marks = ",".join("?" * len(match_keys))
        return self._rows(
            ReceiptRow,
            f"submission IS NULL AND operator=? AND match_key IN ({marks}) AND raw IS NOT NULL"
            " ORDER BY id",
            (operator, *match_keys),
        )

    def last_orphans(self, limit: int) -> list[ReceiptRow]:
        """The latest receipts that matched nothing yet, repeated ones too, oldest first."""
        # Left to itself SQLite would look through all receipts there ever were, from the latest.
        latest = (
            "id IN (SELECT id FROM receipts INDEXED BY receipts_orphaned"
            " WHERE submission IS NULL AND raw IS NOT NULL ORDER BY id DESC LIMIT ?) ORDER BY id"
        )
        return self._rows(ReceiptRow, latest, (limit,))

    def unidentified(self, limit: int) -> list[tuple[int, int]]:
        """Row id and segment number of what is open and has no message id: accepted without one,
        or unknown. Reads the open submissions, so it is for the start.
        """
        with storage_errors(self.path):
            cursor = self._connection.execute(
                "SELECT s.id, g.number FROM submissions s JOIN segments g"
                " ON g.id >= s.id * 256 AND g.id < s.id * 256 + 256"
                " WHERE s.closed_ms IS NULL AND s.state IN ('accepted', 'unknown', 'sending')"
                " AND g.match_key IS NULL AND g.outcome IN ('accepted', 'unknown')"
                " ORDER BY g.id DESC LIMIT ?",
                (limit,),
            )
            return cursor.fetchall()[::-1]

    def rules_seen(self, limit: int) -> list[tuple[str, str, int]]:
        """Operator, rule and how often it tied one of the latest receipts to its response."""
        with storage_errors(self.path):
            cursor = self._connection.execute(
                "SELECT operator, matched_by, count(*) FROM (SELECT operator, matched_by"
                " FROM receipts ORDER BY id DESC LIMIT ?)"
                " WHERE matched_by IS NOT NULL GROUP BY 1, 2",
                (limit,),
            )
            return cursor.fetchall()

    def tied_by_recipient(self, limit: int) -> list[tuple[str, str, int]]:
        """Operator, id and submission of those of the latest receipts that no id tied to it."""
        with storage_errors(self.path):
            cursor = self._connection.execute(
                "SELECT operator, match_key, submission FROM (SELECT operator, match_key,"
                " submission, matched_by FROM receipts ORDER BY id DESC LIMIT ?)"
                " WHERE matched_by='recipient' AND match_key IS NOT NULL",
                (limit,),
            )
            return cursor.fetchall()

    def last_submissions_to(self, person: bytes, limit: int) -> list[int]:
        """Row ids of the latest submissions to a person, latest first, among the last half million.

        The index is in order of arrival, so that it costs nothing to write; the rare question
        reads it backwards.
        """
        with storage_errors(self.path):
            newest = self._connection.execute("SELECT max(id) FROM submissions").fetchone()[0] or 0
            cursor = self._connection.execute(
                "SELECT id FROM submissions INDEXED BY submissions_person"
                " WHERE id>? AND person=? ORDER BY id DESC LIMIT ?",
                (newest - _LOOK_BACK, person, limit),
            )
            return [row[0] for row in cursor]

    def partial_inbound(self, limit: int) -> list[InboundRow]:
        """Parts of messages from handsets that are not whole yet, oldest first."""
        return self._rows(InboundRow, "whole IS NULL ORDER BY id LIMIT ?", (limit,))

    def count_orphans(self) -> int:
        """How many receipts are tied to nothing, those whose content was erased left out."""
        row = self._connection.execute(
            "SELECT count(*) FROM receipts WHERE submission IS NULL AND duplicate_of IS NULL"
            " AND raw IS NOT NULL"
        ).fetchone()
        return int(row[0])

    def count_inbound(self) -> int:
        """How many messages from handsets are kept."""
        row = self._connection.execute("SELECT count(*) FROM inbound").fetchone()
        return int(row[0])

    def entry(self, seq: int) -> bytes:
        """The exact bytes of a committed entry."""
        with storage_errors(self.path):
            row = self._connection.execute(
                "SELECT entry FROM entries WHERE seq=?", (seq,)
            ).fetchone()
        if row is None:
            raise StorageError(
                f"ledger entry {seq} is missing from {self.path}",
                hint="stop the daemon and run `acuse ledger verify`",
                seq=seq,
            )
        return bytes(row[0])

    def _anybody_instructed(self) -> bool:
        found = self._connection.execute("SELECT 1 FROM instructed LIMIT 1").fetchone()
        return found is not None

    def _instructed_before(self, person: bytes, brand: str) -> int | None:
        with storage_errors(self.path):
            row = self._connection.execute(
                "SELECT at_ms FROM instructed WHERE person=? AND brand=?", (person, brand)
            ).fetchone()
        return None if row is None else int(row[0])

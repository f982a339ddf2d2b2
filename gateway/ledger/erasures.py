"""Destroying content in the ledger file: the writer's part of an erasure and of legal holds.

Everything here is for a batch of its own: what the file shows is then all there is. It is written
by the store's next `flush`, together with the entries that tell of it, so that no crash leaves one
without the other.

What stays of a submission says nothing of a person: its keyed hash is emptied wherever the
submission is named beside it. Who opted out, who was told how to, and how often somebody was
written to goes on counting by the keyed hash alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.ledger.files import storage_errors
from gateway.ledger.lookups import RowReader
from gateway.ledger.rows import (
    ChunkRow,
    ConsentRequestRow,
    ConsentRow,
    InboundRow,
    OptoutRow,
    ReceiptRow,
    SubmissionRow,
    segment_id,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_SUBMISSION: Final = (
    """UPDATE submissions SET state='erased', key=NULL, request=NULL, person=x'', ref=:ref,
        attempts=NULL, last_seq=:seq WHERE id=:id""",
    """UPDATE segments SET submit=NULL, response=NULL, match_key=NULL
        WHERE id>=:first AND id<:first+256""",
    "UPDATE receipts SET key=NULL, raw=NULL, mark=x'', match_key=NULL WHERE submission=:id",
    "UPDATE inbound SET key=NULL, raw=NULL, text=NULL, optout=NULL WHERE submission=:id",
    "DELETE FROM kept WHERE submission=:id",
    "UPDATE instructed SET submission=0 WHERE person=:person AND submission=:id",
    "UPDATE services SET submission=0 WHERE person=:person AND submission=:id",
    # A place under the caps counts on, and nobody can tell any more for which message.
    """UPDATE sent SET submission=-(abs(random()) >> 11), at_ms=at_ms/1000*1000
        WHERE person=:person AND submission=:id""",
)
#: What is emptied of everything else, by kind.
_ROW: Final = {
    "orphans": "UPDATE receipts SET key=NULL, raw=NULL, mark=x'', match_key=NULL WHERE id=?",
    "inbound": """UPDATE inbound SET key=NULL, raw=NULL, text=NULL, optout=NULL,
        whole=ifnull(whole, id) WHERE id=?""",
    "optouts": "UPDATE optouts SET key=NULL, number=NULL, text=NULL WHERE id=?",
    "consents": """UPDATE consents SET key=NULL, number=NULL, details=NULL, withdrawal=NULL
        WHERE id=?""",
    "requests": "UPDATE consent_requests SET key=NULL, number=NULL, details=NULL WHERE id=?",
    "lists": "UPDATE chunks SET key=NULL, details=NULL WHERE id=?",
    "services": "DELETE FROM services WHERE id=?",
}
_REWRAP: Final = {
    "submissions": "UPDATE submissions SET key=?, month=? WHERE id=?",
    "consents": "UPDATE consents SET key=?, month=? WHERE id=?",
    "chunks": "UPDATE chunks SET key=?, month=? WHERE id=?",
}
_ORPHAN_LEFT: Final = """SELECT 1 FROM receipts INDEXED BY receipts_orphaned
    WHERE submission IS NULL AND month=? AND key IS NOT NULL LIMIT 1"""
_NEEDED: Final = """SELECT 1 FROM consents WHERE id>=? AND id<? AND chunk=?
    AND (withdrawn_ms IS NULL OR withdrawn_ms>?) LIMIT 1"""
_NEXT_CONSENT: Final = "SELECT id, added_ms FROM consents WHERE id>=? ORDER BY id LIMIT 1"


class Hold(NamedTuple):
    """One row of `holds`: a submission (row id) that must not be erased."""

    submission: int
    placed_ms: int
    actor: str
    why: str
    seq: int


class Erasures(RowReader):
    """What is destroyed and what is held, on the writer's own connection."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self._pending: list[tuple[str, Any]] = []

    # -- rows, as the file has them ------------------------------------------------------------

    def submission(self, row_id: int) -> SubmissionRow | None:
        """The submission with that row id."""
        return next(iter(self._rows(SubmissionRow, "id=?", (row_id,))), None)

    def hold(self, row_id: int) -> Hold | None:
        """The legal hold on a submission."""
        query = "SELECT submission, placed_ms, actor, why, seq FROM holds WHERE submission=?"
        with storage_errors(self.path):
            row = self._connection.execute(query, (row_id,)).fetchone()
        return None if row is None else Hold(*row)

    def orphans(self, ids: Sequence[int]) -> list[ReceiptRow]:
        """Receipts tied to nothing that have content."""
        where = f"id IN ({_marks(ids)}) AND submission IS NULL AND key IS NOT NULL"
        return self._rows(ReceiptRow, where, ids)

    def inbound(self, ids: Sequence[int]) -> list[InboundRow]:
        """What people wrote that answers no message of ours and has content."""
        return self._rows(InboundRow, f"id IN ({_marks(ids)}) AND key IS NOT NULL", ids)

    def optouts(self, ids: Sequence[int]) -> list[OptoutRow]:
        """Opt-outs given one by one whose number can be read."""
        return self._rows(OptoutRow, f"id IN ({_marks(ids)}) AND key IS NOT NULL", ids)

    def consents(self, ids: Sequence[int]) -> list[ConsentRow]:
        """Consents with content, of lists too."""
        where = f"id IN ({_marks(ids)}) AND (key IS NOT NULL OR details IS NOT NULL)"
        return self._rows(ConsentRow, where, ids)

    def requests(self, ids: Sequence[int]) -> list[ConsentRequestRow]:
        """Requests to confirm a consent whose number can be read."""
        return self._rows(ConsentRequestRow, f"id IN ({_marks(ids)}) AND key IS NOT NULL", ids)

    def lists(self, ids: Sequence[int]) -> list[ChunkRow]:
        """Chunks of imported lists that have their key."""
        return self._rows(ChunkRow, f"id IN ({_marks(ids)}) AND key IS NOT NULL", ids)

    def is_needed(self, chunk: ChunkRow, ended_ms: int) -> bool:
        """Whether a consent of a chunk stands, or ended after *ended_ms*."""
        # Its rows came with it, and rows lie in the order in which they came.
        span = (self._first_consent(chunk.added_ms), self._first_consent(chunk.added_ms + 1))
        with storage_errors(self.path):
            row = self._connection.execute(_NEEDED, (*span, chunk.id, ended_ms)).fetchone()
        return row is not None

    def _first_consent(self, added_ms: int) -> int:
        with storage_errors(self.path):
            row = self._connection.execute("SELECT max(id) FROM consents").fetchone()
            low, high = 1, (row[0] or 0) + 1
            while low < high:
                middle = (low + high) // 2
                found = self._connection.execute(_NEXT_CONSENT, (middle,)).fetchone()
                if found is None or found[1] >= added_ms:
                    high = middle
                else:
                    low = found[0] + 1
        return low

    def orphan_left(self, month: str) -> bool:
        """Whether a receipt tied to nothing is wrapped with the KEK of *month*."""
        with storage_errors(self.path):
            return self._connection.execute(_ORPHAN_LEFT, (month,)).fetchone() is not None

    def unswept(self) -> bool:
        """Whether something was erased since unused parts of pages were last overwritten."""
        with storage_errors(self.path):
            return bool(self._connection.execute("SELECT unswept FROM log").fetchone()[0])

    # -- with the batch ------------------------------------------------------------------------

    def erase_submission(self, row: SubmissionRow, seq: int, ref: str | None) -> None:
        """Empty *row* and all that belongs to it; *seq* is the entry that tells of it.

        *ref*: what stands for its reference from now on.
        """
        first = segment_id(row.id, 0)
        values = {"id": row.id, "first": first, "seq": seq, "ref": ref, "person": row.person}
        self._pending += ((statement, values) for statement in _SUBMISSION)
        self.mark_unswept()

    def erase_rows(self, kind: str, ids: Iterable[int]) -> None:
        """Empty rows of another kind."""
        self._pending += ((_ROW[kind], (each,)) for each in ids)
        self.mark_unswept()

    def erase_suppressed(self, rows: Iterable[tuple[bytes, str]]) -> None:
        """Forget the numbers of persons on imported lists; the opt-outs stay."""
        update = "UPDATE suppressions SET number=NULL WHERE person=? AND brand=?"
        self._pending += ((update, each) for each in rows)
        self.mark_unswept()

    def rewrap(self, table: str, row_id: int, key: bytes, month: str) -> None:
        """Keep a key that was wrapped anew: *table* is submissions, consents or chunks."""
        self._pending.append((_REWRAP[table], (key, month, row_id)))
        if table == "submissions":
            keep = "INSERT OR REPLACE INTO kept (submission, month) VALUES (?,?)"
            self._pending.append((keep, (row_id, month)))
        self.mark_unswept()  # the old wrapping goes too

    def place_hold(self, hold: Hold) -> None:
        """Hold a submission."""
        statement = (
            "INSERT OR REPLACE INTO holds (submission, placed_ms, actor, why, seq)"
            " VALUES (?,?,?,?,?)"
        )
        self._pending.append((statement, hold))

    def release_hold(self, row_id: int) -> None:
        """Hold a submission no more."""
        self._pending.append(("DELETE FROM holds WHERE submission=?", (row_id,)))

    def mark_unswept(self, *, unswept: bool = True) -> None:
        """Note whether unused parts of pages may hold what was erased."""
        mark = ("UPDATE log SET unswept=?", (int(unswept),))
        if mark not in self._pending[-1:]:
            self._pending.append(mark)

    # -- the file, between batches -------------------------------------------------------------

    def fold(self) -> bool:
        """Fold the WAL back into the file and empty it; False while somebody reads an older state.

        Never waits. Pages kept in memory are dropped: what is written next begins with what the
        file has.
        """
        with storage_errors(self.path):
            run = self._connection.execute
            waits_ms = int(run("PRAGMA busy_timeout").fetchone()[0])
            run("PRAGMA busy_timeout=0")
            try:
                busy = run("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                run(f"PRAGMA busy_timeout={waits_ms}")
            run("PRAGMA shrink_memory")
        return not busy

    # -- the batch (called by the store) -------------------------------------------------------

    def pending(self) -> bool:
        """Whether the open batch has anything to write here."""
        return bool(self._pending)

    def flush(self) -> None:
        """Write the batch in the open transaction."""
        for statement, values in self._pending:
            self._connection.execute(statement, values)

    def forget(self) -> None:
        """The batch is committed, or undone."""
        self._pending.clear()


def _marks(ids: Sequence[int]) -> str:
    return ",".join("?" * len(ids))

"""Reading the ledger file, beside a running daemon or without one; nothing here writes.

Used by the daemon for questions, by the command line when the daemon is down, and by
`acuse ledger verify`.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from gateway.errors import StorageError
from gateway.ledger import canonical
from gateway.ledger.files import require_plain, require_version, storage_errors
from gateway.ledger.rows import State, segment_id
from gateway.ledger.schema import HELD
from gateway.ledger.tiles import stored_tile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PAGE = 500
#: No log will have more entries; larger numbers are damage, and no reader of JSON keeps them exact.
_MAX_SIZE = 1 << 53


class Reader:
    """A read-only view of a ledger file; each question sees the last commit."""

    def __init__(self, path: Path) -> None:
        """Open the file at *path*.

        Raises:
            StorageError: missing, not a ledger, of a newer schema, or damaged.
        """
        self.path = path
        if not path.is_file():
            raise StorageError(
                f"there is no ledger file {path}",
                hint="gateway.data_dir must name the data directory of the daemon",
                file=str(path),
            )
        with storage_errors(path):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=5,
            )
            #: The file's schema: one that no daemon opened since an upgrade lacks newer tables.
            self.schema = require_version(self._connection, path)
            require_plain(self._connection, path)
            self._database = Database(self._connection)
            row = self._connection.execute("SELECT origin FROM log").fetchone()
        if row is None:
            raise StorageError(
                f"the ledger file {path} was never used", hint="start the daemon once: acuse serve"
            )
        self.origin = str(row[0])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Every question inside sees one and the same commit, however the daemon goes on."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def backup(self, target: sqlite3.Connection) -> None:
        """Copy the whole file, as it is committed, into *target*."""
        with storage_errors(self.path):
            self._connection.backup(target)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    # -- the ledger ----------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many entries are committed."""
        with storage_errors(self.path):
            row = self._connection.execute("SELECT max(seq) FROM entries").fetchone()
        size = 0 if row[0] is None else int(row[0]) + 1
        if size > _MAX_SIZE:
            raise StorageError(
                f"the ledger file {self.path} is damaged: it names an entry {size - 1}",
                hint="keep the file as evidence and restore the last backup",
                file=str(self.path),
            )
        return size

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """The exact bytes of the entries from *start* up to *stop*, streamed.

        What stands there instead of bytes in a damaged file is given as none at all.
        """
        with storage_errors(self.path):
            cursor = self._connection.execute(
                "SELECT entry FROM entries WHERE seq>=? AND seq<? ORDER BY seq", (start, stop)
            )
            for (entry,) in cursor:
                yield entry if isinstance(entry, bytes) else b""

    def entry(self, seq: int) -> bytes:
        """The exact bytes of one entry."""
        with storage_errors(self.path):
            row = self._connection.execute(
                "SELECT entry FROM entries WHERE seq=?", (seq,)
            ).fetchone()
        if row is None or not isinstance(row[0], bytes):
            raise StorageError(
                f"ledger entry {seq} is missing", hint="run `acuse ledger verify`", seq=seq
            )
        return row[0]

    def entries_of(self, last_seq: int) -> list[tuple[int, bytes]]:
        """Every entry of the submission whose latest one is *last_seq*, in order."""
        found = []
        seq: int | None = last_seq
        while seq is not None:
            entry = self.entry(seq)
            found.append((seq, entry))
            seq = canonical.decode(entry).get("mprev")
        return found[::-1]

    def tile(self, level: int, index: int, size: int) -> bytes:
        """The hashes of a tile of the tree over *size* entries."""
        with storage_errors(self.path):
            return stored_tile(self._connection, level, index, size)

    def checkpoints(self) -> Iterator[str]:
        """Every stored checkpoint note, smallest first."""
        for row in self._query("SELECT note FROM checkpoints ORDER BY size", {}):
            yield str(row["note"])

    def last_checkpoint(self) -> dict[str, Any] | None:
        """`size`, `made_ms` and `note` of the latest checkpoint."""
        return self._one("SELECT * FROM checkpoints ORDER BY size DESC LIMIT 1", {})

    def party(self, digest: str) -> str | None:
        """The canonical JSON behind a hash that entries carry."""
        row = self._one("SELECT body FROM parties WHERE hash=:hash", {"hash": digest})
        return None if row is None else str(row["body"])

    # -- rows ----------------------------------------------------------------------------------

    def submission(self, submission_id: str) -> dict[str, Any] | None:
        """The row of a submission, by its public id."""
        return self._one("SELECT * FROM submissions WHERE submission_id=:id", {"id": submission_id})

    def month_of_key(self, submission_id: str) -> str | None:
        """The month whose KEK wraps the key of that submission; None where there is no key."""
        with storage_errors(self.path):
            row = self._connection.execute(
                "SELECT month FROM submissions WHERE submission_id=? AND key IS NOT NULL",
                (submission_id,),
            ).fetchone()
        return None if row is None else str(row[0])

    def submissions(self, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Rows of submissions, newest first, page by page.

        Filters, all optional: `state`, `operator`, `brand`, `person` (keyed hash), `since_ms`,
        `until_ms` (of `submitted_ms`, half-open), `limit`.
        """
        conditions = ["id>=:first", "id<:before"]
        for name, condition in _CONDITIONS.items():
            if filters.get(name) is not None:
                conditions.append(condition)
        if filters.get("state") in _WAITING:
            conditions.append(_IS_OPEN)
        left, first, before = filters.get("limit"), 0, 1 << 62
        if filters.get("since_ms") is not None:
            first = self._first_since(filters["since_ms"])
        if filters.get("until_ms") is not None:
            before = self._first_since(filters["until_ms"])
        while left is None or left > 0:
            page = list(
                self._query(
                    f"SELECT * FROM submissions WHERE {' AND '.join(conditions)}"
                    " ORDER BY id DESC LIMIT :page",
                    {
                        **filters,
                        "first": first,
                        "before": before,
                        "page": _PAGE if left is None else min(left, _PAGE),
                    },
                )
            )
            yield from page
            if len(page) < _PAGE:
                return
            before = page[-1]["id"]
            left = None if left is None else left - len(page)

    def _first_since(self, instant_ms: int) -> int:
        """The row id from which on submissions were made at or after an instant.

        Ids are given in order of time, by a clock that never runs backwards.
        """
        newest = self._one("SELECT max(id) AS id FROM submissions", {})
        low, high = 1, (newest["id"] or 0 if newest else 0) + 1
        while low < high:
            middle = (low + high) // 2
            row = self._one(
                "SELECT id, submitted_ms FROM submissions WHERE id>=:id ORDER BY id LIMIT 1",
                {"id": middle},
            )
            if row is None or row["submitted_ms"] >= instant_ms:
                high = middle
            else:
                low = int(row["id"]) + 1
        return low

    def segments(self, submission: int) -> list[dict[str, Any]]:
        """Rows of the segments of a submission, by number."""
        return list(
            self._query(
                "SELECT * FROM segments WHERE id>=:first AND id<:first + 256 ORDER BY id",
                {"first": segment_id(submission, 0)},
            )
        )

    def receipts(self, submission: int) -> list[dict[str, Any]]:
        """Rows of the receipts tied to a submission, in order of arrival."""
        return list(
            self._query(
                "SELECT * FROM receipts WHERE submission=:id ORDER BY id", {"id": submission}
            )
        )

    def replies(self, submission: int) -> list[dict[str, Any]]:
        """Rows of what its recipient answered to a submission, in order of arrival."""
        return list(
            self._query(
                "SELECT * FROM inbound WHERE submission=:id ORDER BY id", {"id": submission}
            )
        )

    def orphans(self, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Rows of receipts tied to nothing, newest first; filters as of `submissions`."""
        # Left to itself SQLite would look through all receipts there ever were, from the latest.
        conditions = [
            "id IN (SELECT id FROM receipts INDEXED BY receipts_orphaned WHERE submission IS NULL)"
        ]
        for name, condition in _ORPHAN_CONDITIONS.items():
            if filters.get(name) is not None:
                conditions.append(condition)
        limit = filters.get("limit")
        return self._query(
            f"SELECT * FROM receipts WHERE {' AND '.join(conditions)}"
            " ORDER BY id DESC LIMIT :limit",
            {**filters, "limit": -1 if limit is None else limit},
        )

    def habits(self, operator: str, latest: int) -> list[dict[str, Any]]:
        """What an operator's receipts say, among the *latest* of all: `message_state`,
        `matched_by`, `received_ms`, `done_ms` and `submission` of each.
        """
        return list(
            self._query(
                "SELECT * FROM (SELECT operator, message_state, matched_by, received_ms, done_ms,"
                " submission FROM receipts ORDER BY id DESC LIMIT :latest)"
                " WHERE operator=:operator",
                {"operator": operator, "latest": latest},
            )
        )

    def refusals(self, operator: str, latest: int) -> dict[int, int]:
        """How often an operator's last word on a segment was which command_status other than 0."""
        rows = self._query(
            "SELECT command_status AS status, count(*) AS n FROM (SELECT operator, command_status"
            " FROM segments ORDER BY id DESC LIMIT :latest)"
            " WHERE operator=:operator AND command_status>0 GROUP BY 1 ORDER BY 2 DESC",
            {"operator": operator, "latest": latest},
        )
        return {row["status"]: row["n"] for row in rows}

    def count_open(self) -> dict[str, int]:
        """How many open submissions there are of each state."""
        rows = self._query(
            "SELECT state, count(*) AS n FROM submissions WHERE closed_ms IS NULL GROUP BY state",
            {},
        )
        return {row["state"]: row["n"] for row in rows}

    def count_orphans(self) -> int:
        """How many receipts are tied to nothing."""
        row = self._one(
            "SELECT count(*) AS n FROM receipts WHERE submission IS NULL AND duplicate_of IS NULL"
            " AND raw IS NOT NULL",
            {},
        )
        return 0 if row is None else int(row["n"])

    def held(self) -> list[dict[str, Any]]:
        """What is held, by `reason` (None: by its submitter): `count` and the soonest `due_ms`."""
        return list(
            self._query(
                "SELECT reason, count(*) AS count, min(due_ms) AS due_ms FROM submissions"
                f" INDEXED BY submissions_held WHERE {HELD} GROUP BY reason ORDER BY 3, 1",
                {},
            )
        )

    def oldest(self, state: str) -> dict[str, Any] | None:
        """The open submission of a state that is due first."""
        return self._one(
            "SELECT * FROM submissions WHERE closed_ms IS NULL AND state=:state"
            " ORDER BY due_ms, id LIMIT 1",
            {"state": state},
        )

    def query(self, sql: str, **values: object) -> Iterator[dict[str, Any]]:
        """The rows of a question about persons (`evidence.permits` asks them)."""
        return self._query(sql, values)

    def due_instructions(self, before_ms: int, brand: str | None, limit: int) -> Iterator[Any]:
        """Whom a brand last told by then how to opt out, longest ago first; not who opted out.

        With what opens the number of the submission that told them.
        """
        return self._query(
            "SELECT i.brand, i.at_ms, s.submission_id, s.key, s.month, s.request FROM instructed i"
            " LEFT JOIN submissions s ON s.id=i.submission WHERE i.at_ms<=:before"
            " AND (:brand IS NULL OR i.brand=:brand) AND NOT EXISTS (SELECT 1 FROM optouts o"
            " WHERE o.person=i.person AND o.brand IN ('', i.brand))"
            " AND NOT EXISTS (SELECT 1 FROM suppressions o"
            " WHERE o.person=i.person AND o.brand IN ('', i.brand)) ORDER BY i.at_ms LIMIT :limit",
            {"before": before_ms, "brand": brand, "limit": limit},
        )

    # -- inside --------------------------------------------------------------------------------

    def _query(self, sql: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        with storage_errors(self.path):
            yield from self._database.query(sql, dict(values))

    def _one(self, sql: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
        return next(iter(self._query(sql, values)), None)


#: States that only open submissions have, and how to find these among all there ever were.
_WAITING = frozenset({State.HELD, State.QUEUED, State.SENDING, State.ACCEPTED})
_IS_OPEN = (
    "id IN (SELECT id FROM submissions INDEXED BY submissions_open"
    " WHERE closed_ms IS NULL AND state=:state)"
)
_CONDITIONS = {
    "state": "state=:state",
    "operator": "operator=:operator",
    "brand": "brand=:brand",
    "person": "id IN (SELECT id FROM submissions WHERE person=:person)",
    "since_ms": "submitted_ms>=:since_ms",
    "until_ms": "submitted_ms<:until_ms",
}
_ORPHAN_CONDITIONS = {
    "operator": "operator=:operator",
    "since_ms": "received_ms>=:since_ms",
    "until_ms": "received_ms<:until_ms",
}

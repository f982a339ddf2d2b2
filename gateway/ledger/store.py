"""The one writer of the ledger file: batches in, one durable commit out.

A batch is: `append` entries and `put` rows in memory, `flush` them as SQL on the caller's thread,
`commit` (the only call that waits for the disk, so the only one worth a thread hop). Nothing of a
batch is visible to anybody before its commit; `rollback` undoes it, the tree in memory included.

Order of durability: `commit` returns only after SQLite's WAL is synced (`synchronous=FULL`).
Before that nothing of the batch may be answered to a submitter or to an operator.

Only this connection writes and checkpoints: SQLite before 3.51.3 can corrupt a WAL that two
connections reset at the same time. Readers open the file with `mode=ro`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlite_utils import Database

from gateway.errors import StorageError
from gateway.ledger import canonical, merkle
from gateway.ledger.entry import ANCHOR, time_text
from gateway.ledger.erasures import Erasures
from gateway.ledger.files import open_file, read_tail, storage_errors
from gateway.ledger.lookups import Lookups
from gateway.ledger.outside import OutsideLog
from gateway.ledger.people import People
from gateway.ledger.rotations import RotationLog
from gateway.ledger.rows import (
    TABLES,
    OptoutRow,
    Row,
    SubmissionRow,
)
from gateway.ledger.schema import migrations
from gateway.ledger.sent import SentLog
from gateway.ledger.statements import INSERT, UPDATE
from gateway.ledger.sweep import Sweep
from gateway.ledger.tiles import stored_tile

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


class Appended(NamedTuple):
    """Where an entry landed: its `seq` and its leaf hash."""

    seq: int
    leaf: bytes


class Store(Lookups):
    """The ledger file, open for writing. One per data directory (the caller holds the lock)."""

    def __init__(self, connection: sqlite3.Connection, origin: str, path: Path) -> None:
        self.origin = origin
        self.commits = 0
        self.last_leaf = bytes(32)
        self.last_t_ms = 0
        self.checkpoint_size = 0
        self.checkpoint_ms: int | None = None
        #: Nothing but `x.Anchor` entries since the last checkpoint: they ask for no new one.
        self.only_anchors = True
        self.frontier = merkle.Frontier()
        super().__init__(connection, path)
        #: What caps count.
        self.sent = SentLog(connection, path)
        #: What vouches for checkpoints.
        self.outside = OutsideLog(connection, path)
        #: Changes of the log's key.
        self.rotations = RotationLog(connection, path)
        #: What is destroyed, and what must not be.
        self.erasures = Erasures(connection, path)
        self.sweep = Sweep(path)
        self._parts = (self.sent, self.outside, self.rotations, self.erasures)
        self._entries: list[tuple[int, bytes]] = []
        self._tiles: list[tuple[int, int, bytes, bytes]] = []
        self._checkpoints: list[tuple[int, int, str]] = []
        self._new: dict[type[Row], list[Row]] = {kind: [] for kind in TABLES}
        self._changed: dict[type[Row], dict[int, Row]] = {kind: {} for kind in UPDATE}
        self._parties: dict[str, str] = {}
        self._instructed: dict[tuple[bytes, str], tuple[int, int]] = {}
        self._fresh: set[int] = set()
        #: What persons allow and refuse; part of every batch.
        self.people = People(connection, path)
        self._judged_by: str | None = None
        self._refs: dict[tuple[str, str], SubmissionRow] = {}
        self._load_edge()

    @classmethod
    def open(cls, path: Path, origin: str, *, now_ms: int) -> Store:
        """Open or create the ledger file at *path* for the log *origin*.

        Raises:
            StorageError: not an Acuse ledger, of a newer schema, truncated, damaged at its end,
                of another origin, or not readable and writable here.
        """
        with storage_errors(path):
            connection = open_file(path)
            database = Database(connection)
            migrations.apply(database)
            known = [row["origin"] for row in database["log"].rows]
            if not known:
                database.table("log").insert({"origin": origin, "created_ms": now_ms})
            elif known != [origin]:
                raise StorageError(
                    f"the ledger in {path} is the log {known[0]!r}, not {origin!r}",
                    hint="gateway.name and ledger.epoch make the origin: set them back, or give"
                    " the new log a data_dir of its own",
                    setting="ledger.epoch",
                )
            return cls(connection, origin, path)

    # -- the ledger ----------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Entries in the log, those of the open batch included; also the next entry's `seq`."""
        return self.frontier.size

    def append(self, event: str, t_ms: int, body: dict[str, Any]) -> Appended:
        """Add one entry to the batch. *body* holds the event's own keys (LEDGER section 2).

        *t_ms* must not be earlier than the previous entry's: `DaemonClock` sees to that.
        """
        assert t_ms >= self.last_t_ms, "the ledger's clock ran backwards"
        seq = self.frontier.size
        body["v"] = 1
        body["log"] = self.origin
        body["seq"] = seq
        body["prev"] = self.last_leaf.hex()
        body["t"] = time_text(t_ms)
        body["ev"] = event
        entry = canonical.encode_entry(body)
        leaf = merkle.leaf_hash(entry)
        for level, index, hashes in self.frontier.append(leaf):
            self._tiles.append((level, index, merkle.tile_root(hashes), hashes))
        self._entries.append((seq, entry))
        if event != ANCHOR:
            self.only_anchors = False
        self.last_leaf = leaf
        self.last_t_ms = t_ms
        return Appended(seq, leaf)

    def entry(self, seq: int) -> bytes:
        """The exact bytes of an entry, one of the open batch included."""
        if self._entries and seq >= self._entries[0][0]:
            return self._entries[seq - self._entries[0][0]][1]
        return super().entry(seq)

    def put_checkpoint(self, size: int, made_ms: int, note: str) -> None:
        """Keep a signed checkpoint with the batch; *size* is what is committed, before it grows."""
        self._checkpoints.append((size, made_ms, note))
        self.checkpoint_size = size
        self.checkpoint_ms = made_ms
        self.only_anchors = True

    def read_tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile, from the edge in memory or from the file (between batches)."""
        edge = self.frontier.tile(level, index)
        if edge is not None:
            return edge
        return stored_tile(self._connection, level, index, self.frontier.size)

    # -- rows ----------------------------------------------------------------------------------

    def next_id(self, kind: type[Row]) -> int:
        """A row id nobody has."""
        self._last_id[kind] += 1
        return self._last_id[kind]

    def put_new(self, row: Row) -> None:
        """Insert *row* with the batch; later changes to it in the same batch go along."""
        self._new[type(row)].append(row)
        self._fresh.add(id(row))
        if type(row) is SubmissionRow and row.ref is not None:
            self._refs[row.brand, row.ref] = row
        else:
            self.people.added(row)

    def put(self, row: Row) -> None:
        """Write the changes of *row* with the batch."""
        if id(row) not in self._fresh:
            self._changed[type(row)][row.id] = row
            self.people.altered(row)

    def put_party(self, digest: str, body: str) -> None:
        """Keep the object behind a hash that entries carry."""
        self._parties[digest] = body

    def put_judged_by(self, basis: str) -> None:
        """Note with the batch by what all that is held was judged."""
        self._judged_by = basis

    def put_instructed(self, person: bytes, brand: str, at_ms: int, submission: int) -> None:
        """A brand told a person how to opt out, by that submission (its row id)."""
        self._instructed[person, brand] = at_ms, submission
        self._any_instructed = True

    def remove_optout(self, row: OptoutRow) -> None:
        """Take an opt-out that was given alone away with the batch."""
        fresh = self._new[OptoutRow]
        if row in fresh:
            fresh.remove(row)  # it was never written
        self.people.remove(row)

    # -- the batch -----------------------------------------------------------------------------

    def flush(self) -> bool:
        """Turn the batch into SQL in an open transaction. False: there was nothing to write."""
        if not (
            self._entries
            or self._checkpoints
            or self.people.waiting
            or self._parties
            or self._judged_by is not None
            or self._instructed
            or any(part.pending() for part in self._parts)
            or any(self._new.values())
            or any(self._changed.values())
        ):
            return False
        with storage_errors(self.path):
            run = self._connection.executemany
            self._connection.execute("BEGIN IMMEDIATE")
            self._require_alone()
            run("INSERT INTO entries (seq, entry) VALUES (?, ?)", self._entries)
            if self._tiles:
                run("INSERT INTO tiles (level, idx, root, hashes) VALUES (?,?,?,?)", self._tiles)
            if self._checkpoints:
                run(
                    "INSERT OR REPLACE INTO checkpoints (size, made_ms, note) VALUES (?,?,?)",
                    self._checkpoints,
                )
            self.people.flush_removals()
            for kind, rows in self._new.items():
                if rows:
                    statement, values = INSERT[kind]
                    run(statement, map(values, rows))
            for kind, changed in self._changed.items():
                if changed:
                    statement, values = UPDATE[kind]
                    run(statement, map(values, changed.values()))
            if self._judged_by is not None:
                run("UPDATE log SET judged_by=?", [(self._judged_by,)])
            self.people.flush_additions()
            if self._parties:
                run(
                    "INSERT OR IGNORE INTO parties (hash, body) VALUES (?,?)",
                    self._parties.items(),
                )
            if self._instructed:
                told = [(*pair, *last) for pair, last in self._instructed.items()]
                run(
                    "INSERT INTO instructed (person, brand, at_ms, submission) VALUES (?,?,?,?)"
                    " ON CONFLICT (person, brand)"
                    " DO UPDATE SET at_ms=excluded.at_ms, submission=excluded.submission",
                    told,
                )
            for part in self._parts:
                part.flush()
        return True

    def commit(self) -> None:
        """Make the flushed batch durable; may run in another thread while nobody else calls.

        Raises:
            StorageError: the disk is full or failed; the batch is not durable, or it is unknown
                whether it is. The caller must answer nothing of it.
        """
        with storage_errors(self.path):
            self._connection.execute("COMMIT")
        self.commits += 1
        self._forget()

    def rollback(self) -> None:
        """Undo the open batch: file, tree and ids are again as after the last commit."""
        with storage_errors(self.path):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._forget()
        self._load_edge()
        self.people.load()

    def close(self) -> None:
        """Fold the WAL back into the file and close."""
        with storage_errors(self.path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
        self.sweep.close()

    def abandon(self) -> None:
        """Close as a crash would: what is not committed is lost.

        The WAL stays as it is if a reader is still open; the last connection folds it back.
        """
        self._connection.close()
        self.sweep.close()

    # -- reads of the hot path (between commits, on the writer's connection) -------------------

    def submission_by_ref(self, brand: str, ref: str, erased: str) -> SubmissionRow | None:
        """The submission a brand gave that reference, one of the open batch included.

        *erased* is what stands for the reference where the content was erased.
        """
        waiting = self._refs.get((brand, ref))
        if waiting is not None:
            return waiting
        where = "brand=? AND ref IN (?,?)"
        return next(iter(self._rows(SubmissionRow, where, (brand, ref, erased))), None)

    def waiting_for(self, person: bytes, after_id: int, limit: int) -> list[int]:
        """Row ids of what is held or queued for a person, those of the open batch included.

        What the open batch changed may be among them, and is something else by now.
        """
        stored = self.waiting_of(person, after_id, limit)
        fresh = [
            row.id
            for row in self._new[SubmissionRow]
            if isinstance(row, SubmissionRow) and row.person == person and row.id > after_id
        ]
        return (stored + fresh)[:limit]

    def instructed_ms(self, person: bytes, brand: str) -> int | None:
        """When a brand last told a person how to opt out, in the open batch included."""
        if not self._any_instructed:
            return None  # nobody ever was: spare the look-up
        fresh = self._instructed.get((person, brand))
        return fresh[0] if fresh is not None else self._instructed_before(person, brand)

    # -- inside --------------------------------------------------------------------------------

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _require_alone(self) -> None:
        """Nobody else wrote since this store read the file: what it knows of the log's end, and of
        what caps have counted, still is the truth. The lock of the data directory sees to that; a
        file copied over it or another program would not ask.
        """
        if self._data_version() != self._version:
            raise StorageError(
                f"another program wrote to {self.path}",
                hint="nothing of this batch was sent or stored; only one daemon may use a data"
                " directory",
                file=str(self.path),
            )

    def _forget(self) -> None:
        self._entries.clear()
        self._tiles.clear()
        self._checkpoints.clear()
        self.people.forget()
        self._parties.clear()
        self._judged_by = None
        self._instructed.clear()
        self._fresh.clear()
        self._refs.clear()
        for part in self._parts:
            part.forget()
        for rows in self._new.values():
            rows.clear()
        for changed in self._changed.values():
            changed.clear()

    def _load_edge(self) -> None:
        """Take the right edge of the tree, the last entry and the row ids from the file.

        The entries of the edge are checked to chain: a file that lost or changed its end must not
        be continued.
        """
        with storage_errors(self.path):
            self._version = self._data_version()
            tail = read_tail(self._connection)
            self.frontier = merkle.Frontier.restore(
                tail.size,
                lambda level, index: stored_tile(self._connection, level, index, tail.size),
            )
            self.last_leaf = tail.last_leaf
            self.last_t_ms = tail.last_t_ms
            self.checkpoint_size = tail.checkpoint_size
            self.checkpoint_ms = tail.checkpoint_ms
            self.only_anchors = tail.only_anchors
            self._any_instructed = self._anybody_instructed()
            self._last_id: dict[type[Row], int] = {}
            for kind, table in TABLES.items():
                row = self._connection.execute(f"SELECT max(id) FROM {table}").fetchone()
                self._last_id[kind] = row[0] or 0

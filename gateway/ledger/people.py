"""What persons allow and refuse, as the one writer keeps it: opt-outs, consents, registries.

A part of the store's unit of work: what is put here is written by the store's next `flush`, and
every look-up sees the open batch. A person is a keyed hash; look-ups are one search in an index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from gateway.ledger.files import storage_errors
from gateway.ledger.lookups import RowReader
from gateway.ledger.rows import (
    ChunkRow,
    ConsentRequestRow,
    ConsentRow,
    OptoutRow,
    ServiceRow,
    SnapshotRow,
    Suppression,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from gateway.ledger.rows import Row

_Kept = TypeVar("_Kept", OptoutRow, ConsentRow, ConsentRequestRow, ServiceRow)

#: Rows that are about what persons allow.
_KINDS = frozenset({OptoutRow, ConsentRow, ConsentRequestRow, ServiceRow, SnapshotRow, ChunkRow})
#: The brands a person opted out of, alone or in a list.
LEFT = (
    "SELECT brand FROM optouts WHERE person=?1"
    " UNION ALL SELECT brand FROM suppressions WHERE person=?1"
)
#: What decides of the consents of a person to a brand.
GIVEN = (
    "SELECT purpose, method, granted_ms, withdrawn_ms FROM consents"
    " WHERE person=? AND brand=? ORDER BY id"
)
#: Persons whose permission changed in one batch that are remembered one by one.
_TOUCHED_MOST = 100_000


class People(RowReader):
    """Everything that is known of persons by their keyed hash."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        #: Counts what may turn a release into something else, for those who remember a decision.
        self.changes = 0
        #: Whose permission changed since this was last emptied.
        self.touched: set[bytes] = set()
        self._fresh: dict[tuple[type[Row], bytes], list[Row]] = {}
        self._altered: dict[tuple[type[Row], int], Row] = {}
        self._gone: list[tuple[int]] = []
        self._suppressed: dict[bytes, dict[str, Suppression]] = {}
        self._released: dict[tuple[bytes, str], None] = {}
        self._listed: dict[int, set[bytes]] = {}
        self._dead: list[tuple[int, int]] = []
        self.load()

    def load(self) -> None:
        """Take from the file what is asked for each message: which tables have anything at all."""
        self._any: dict[type[Row] | type[Suppression], bool] = {
            OptoutRow: self._exists("SELECT 1 FROM optouts"),
            ServiceRow: self._exists("SELECT 1 FROM services"),
            ConsentRow: self._exists("SELECT 1 FROM consents"),
            ConsentRequestRow: self._exists("SELECT 1 FROM consent_requests"),
            Suppression: self._exists("SELECT 1 FROM suppressions"),
        }
        current = self._rows(SnapshotRow, "state='current'", ())
        self._current = {row.name: row for row in current}

    # -- rows of the open batch (told by the store) --------------------------------------------

    def added(self, row: Row) -> None:
        """*row* was put into the batch."""
        if type(row) not in _KINDS:
            return  # as most are
        if isinstance(row, OptoutRow | ConsentRow | ConsentRequestRow):
            self._fresh.setdefault((type(row), row.person), []).append(row)
            self._any[type(row)] = True
            self.touch(row.person)
        elif isinstance(row, ServiceRow):  # permits nothing: nobody is judged anew for it
            self._fresh.setdefault((ServiceRow, row.person), []).append(row)
            self._any[ServiceRow] = True
        elif isinstance(row, SnapshotRow | ChunkRow):
            self._fresh.setdefault((type(row), b""), []).append(row)

    def altered(self, row: Row) -> None:
        """A stored *row* was changed in the batch."""
        if type(row) not in _KINDS:
            return
        if isinstance(row, ConsentRow | ConsentRequestRow):
            self._altered[type(row), row.id] = row
            self.touch(row.person)
        elif isinstance(row, ServiceRow):
            self._altered[ServiceRow, row.id] = row
        elif isinstance(row, SnapshotRow):
            self._altered[SnapshotRow, row.id] = row

    def touch(self, person: bytes) -> None:
        """What *person* allows changed: what waits for them is judged again."""
        self.changes += 1
        if len(self.touched) < _TOUCHED_MOST:  # the others are judged again when they leave
            self.touched.add(person)

    # -- opt-outs ------------------------------------------------------------------------------

    def optouts(self, person: bytes) -> list[OptoutRow]:
        """The opt-outs of a person that were given one by one, of whatever brand."""
        gone = {row_id for (row_id,) in self._gone}
        return [row for row in self._of(OptoutRow, person) if row.id not in gone]

    def suppressions(self, person: bytes) -> list[Suppression]:
        """The opt-outs of a person that came in a list of many, of whatever brand."""
        if not self._any[Suppression]:
            return []
        with storage_errors(self.path):
            cursor = self._connection.execute(
                "SELECT person, brand, chunk, place, source, added_ms, number FROM suppressions"
                " WHERE person=?",
                (person,),
            )
            found = {row[1]: Suppression(*row) for row in cursor}
        for brand in [brand for brand in found if (person, brand) in self._released]:
            del found[brand]
        found.update(self._suppressed.get(person, {}))
        return list(found.values())

    def opted_out(self, person: bytes) -> set[str]:
        """The brands a person wants nothing of; "" stands for all brands."""
        if not (self._any[OptoutRow] or self._any[Suppression]):
            return set()
        if not (self._fresh or self._gone or self._suppressed or self._released):
            # Asked for every message: one search, where nothing of it is in the open batch.
            with storage_errors(self.path):
                return {brand for (brand,) in self._connection.execute(LEFT, (person,))}
        return {row.brand for row in self.optouts(person)} | {
            row.brand for row in self.suppressions(person)
        }

    def suppress(self, rows: Iterable[Suppression]) -> None:
        """Take in opt-outs of a list; none of them is stored yet."""
        for row in rows:
            self._suppressed.setdefault(row.person, {})[row.brand] = row
            self.touch(row.person)
        self._any[Suppression] = True

    def release(self, person: bytes, brand: str) -> None:
        """Take an opt-out that came in a list away."""
        if self._suppressed.get(person, {}).pop(brand, None) is None:
            self._released[person, brand] = None
        self.touch(person)

    def remove(self, row: OptoutRow) -> None:
        """Take an opt-out that was given alone away."""
        fresh = self._fresh.get((OptoutRow, row.person), [])
        if row in fresh:
            fresh.remove(row)
        else:
            self._gone.append((row.id,))
        self.touch(row.person)

    def services(self, person: bytes, since_ms: int) -> list[ServiceRow]:
        """Our own messages to a person since then that answered what they did, oldest first."""
        found = self._of(ServiceRow, person, f" AND made_ms >= {int(since_ms)}")
        return [row for row in found if row.made_ms >= since_ms]

    # -- consents ------------------------------------------------------------------------------

    def consents(self, person: bytes) -> list[ConsentRow]:
        """Every consent a person gave, to whatever brand, withdrawn ones too, oldest first."""
        return self._of(ConsentRow, person)

    def given(self, person: bytes, brand: str) -> list[tuple[str, str, int, int | None]]:
        """Purpose, method, `granted_ms` and `withdrawn_ms` of each consent to a brand."""
        if not self._any[ConsentRow]:
            return []
        if self._fresh or self._altered:
            return [
                (row.purpose, row.method, row.granted_ms, row.withdrawn_ms)
                for row in self.consents(person)
                if row.brand == brand
            ]
        with storage_errors(self.path):  # asked for every promotion: only what decides
            return self._connection.execute(GIVEN, (person, brand)).fetchall()

    def requests(self, person: bytes) -> list[ConsentRequestRow]:
        """The requests to a person that are neither answered nor taken back, oldest first."""
        found = self._of(ConsentRequestRow, person, " AND closed_ms IS NULL")
        return [row for row in found if row.closed_ms is None]

    def chunk(self, row_id: int) -> ChunkRow | None:
        """The chunk of a list with that row id, one of the open batch included."""
        fresh = self._fresh.get((ChunkRow, b""), [])
        found = [row for row in fresh if isinstance(row, ChunkRow) and row.id == row_id]
        return next(iter(found or self._rows(ChunkRow, "id=?", (row_id,))), None)

    # -- do-not-contact registries -------------------------------------------------------------

    def snapshots(self) -> dict[str, SnapshotRow]:
        """The snapshot that counts, of each registry that was imported."""
        return self._current

    def snapshot(self, row_id: int) -> SnapshotRow | None:
        """The snapshot with that row id, one of the open batch included."""
        known = self._altered.get((SnapshotRow, row_id))
        if isinstance(known, SnapshotRow):
            return known
        fresh = self._fresh.get((SnapshotRow, b""), [])
        found = [row for row in fresh if isinstance(row, SnapshotRow) and row.id == row_id]
        return next(iter(found or self._rows(SnapshotRow, "id=?", (row_id,))), None)

    def unfinished(self, name: str) -> list[SnapshotRow]:
        """Snapshots of a registry whose import began and did not end."""
        return self._rows(SnapshotRow, "state='loading' AND name=?", (name,))

    def listings(self, person: bytes, names: Collection[str]) -> list[SnapshotRow]:
        """The current snapshots of the registries *names* that list a person."""
        wanted = [row for name, row in self._current.items() if name in names]
        return [row for row in wanted if self._is_listed(row.id, person)]

    def enlist(self, snapshot: int, persons: Iterable[bytes]) -> int:
        """Take members of a registry in; how many it did not have yet."""
        taken = self._listed.setdefault(snapshot, set())
        before = len(taken)
        taken.update(each for each in persons if not self._is_listed(snapshot, each))
        return len(taken) - before

    def make_current(self, row: SnapshotRow) -> None:
        """From the next look-up on *row* is the snapshot of its registry."""
        self._current[row.name] = row
        self.changes += 1

    def forget_registry(self, name: str) -> SnapshotRow | None:
        """No snapshot counts for that registry any more; the one that did."""
        self.changes += 1
        return self._current.pop(name, None)

    def sweep(self, limit: int) -> int:
        """Remove up to *limit* members of dead snapshots with the batch; how many are left over.

        0 means that nothing is left to sweep.
        """
        dead = self._rows(SnapshotRow, "state='dead' ORDER BY id LIMIT 1", ())
        if not dead:
            return 0
        self._dead.append((dead[0].id, limit))
        return 1

    # -- the batch (told by the store) ---------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Whether there is anything to write."""
        several = (self._gone, self._suppressed, self._released, self._listed, self._dead)
        return any(several)

    def flush_removals(self) -> None:
        """Write what goes, before what comes: the same person may be added again."""
        run = self._connection.executemany
        if self._gone:
            run("DELETE FROM optouts WHERE id=?", self._gone)
        if self._released:
            run("DELETE FROM suppressions WHERE person=? AND brand=?", self._released)
        for snapshot, limit in self._dead:
            swept = self._connection.execute(
                "DELETE FROM listed WHERE snapshot=?1 AND person IN"
                " (SELECT person FROM listed WHERE snapshot=?1 ORDER BY person LIMIT ?2)",
                (snapshot, limit),
            )
            if swept.rowcount < limit:
                self._connection.execute("DELETE FROM snapshots WHERE id=?", (snapshot,))

    def flush_additions(self) -> None:
        """Write what came in lists, in the order of the key, so that pages are touched once."""
        run = self._connection.executemany
        if self._suppressed:
            rows = sorted(row for each in self._suppressed.values() for row in each.values())
            run("INSERT INTO suppressions VALUES (?,?,?,?,?,?,?)", rows)
        for snapshot, persons in self._listed.items():
            run("INSERT INTO listed VALUES (?,?)", [(snapshot, each) for each in sorted(persons)])

    def forget(self) -> None:
        """The batch is written, or undone."""
        several = (self._fresh, self._altered, self._suppressed, self._released, self._listed)
        for each in (*several, self._gone, self._dead):
            each.clear()

    # -- inside --------------------------------------------------------------------------------

    def _of(self, kind: type[_Kept], person: bytes, where: str = "") -> list[_Kept]:
        if not self._any[kind]:
            return []  # nobody ever: spare the look-up, there are several for each message
        stored = self._rows(kind, f"person=?{where} ORDER BY id", (person,))
        if not self._fresh and not self._altered:
            return stored
        now = [cast("_Kept", self._altered.get((kind, row.id), row)) for row in stored]
        return now + cast("list[_Kept]", self._fresh.get((kind, person), []))

    def _is_listed(self, snapshot: int, person: bytes) -> bool:
        if person in self._listed.get(snapshot, ()):
            return True
        return self._exists("SELECT 1 FROM listed WHERE snapshot=? AND person=?", snapshot, person)

    def _exists(self, query: str, *values: object) -> bool:
        with storage_errors(self.path):
            return self._connection.execute(f"{query} LIMIT 1", values).fetchone() is not None

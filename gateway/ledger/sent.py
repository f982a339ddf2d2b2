"""What caps count: when which brand was given over to an operator for whom (table `sent`).

One row is one place that is taken. It is written with the batch that says `sending`, taken back
when the operator has refused the message or it never left, and forgotten when no cap reaches back
so far. Look-ups see the open batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from gateway.ledger.files import storage_errors

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

#: Whose places: the keyed hash of a number, and a brand.
Key: TypeAlias = tuple[bytes, str]

_OF: Final = """SELECT person, brand, at_ms, submission, category, campaign, undelivered
    FROM sent WHERE person=? AND brand=? AND at_ms>=?"""
_AFTER: Final = """SELECT person, brand, at_ms, submission, category, campaign, undelivered
    FROM sent WHERE (person, brand, at_ms, submission) > (?, ?, ?, ?)
    ORDER BY person, brand, at_ms, submission LIMIT ?"""
_PUT: Final = """INSERT OR REPLACE INTO sent
    (person, brand, at_ms, submission, category, campaign, undelivered) VALUES (?,?,?,?,?,?,?)"""
_REMOVE: Final = "DELETE FROM sent WHERE person=? AND brand=? AND at_ms=? AND submission=?"
_WAITING: Final = """SELECT id FROM submissions WHERE reason='cap' AND closed_ms IS NULL
    AND person=? AND brand=? AND state='held' ORDER BY id"""
#: Sorts before every key.
_START: Final = (b"", "", 0, 0)


@dataclass(frozen=True, slots=True)
class Place:
    """One row of `sent`: a message that counts from *at_ms* on.

    `campaign` is a short hash, empty for none. `undelivered`: every receipt says it did not arrive.
    """

    person: bytes
    brand: str
    at_ms: int
    submission: int
    category: str
    campaign: bytes
    undelivered: bool = False


class SentLog:
    """The places taken, on the writer's own connection; part of the store's batch."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        #: The open batch: a place that was put, or None for one that was taken back.
        self._batch: dict[Key, dict[tuple[int, int], Place | None]] = {}
        self._cursor: tuple[bytes, str, int, int] = _START

    def of(self, key: Key, since_ms: int) -> list[Place]:
        """The places of that person and brand from *since_ms* on, oldest first."""
        with storage_errors(self._path):
            cursor = self._connection.execute(_OF, (*key, since_ms))
            stored = [_place(row) for row in cursor]
        changed = self._batch.get(key)
        if changed is None:
            return stored
        every = {(place.at_ms, place.submission): place for place in stored}
        for name, place in changed.items():
            if place is None:
                every.pop(name, None)
            elif place.at_ms >= since_ms:
                every[name] = place
        return [every[name] for name in sorted(every)]

    def put(self, place: Place) -> None:
        """Take a place with the batch, or change the one this message has at that instant."""
        self._changed(place)[place.at_ms, place.submission] = place

    def remove(self, place: Place) -> None:
        """Give a place back with the batch."""
        self._changed(place)[place.at_ms, place.submission] = None

    def prune(self, before_ms: int, look_at: int) -> int:
        """Forget what is older than *before_ms* among the next *look_at* rows; how many it were.

        Each call goes on where the last one ended, and begins anew at the end of the table.
        """
        with storage_errors(self._path):
            rows = self._connection.execute(_AFTER, (*self._cursor, look_at)).fetchall()
        self._cursor = rows[-1][:4] if len(rows) == look_at else _START
        old = [_place(row) for row in rows if row[2] < before_ms]
        for place in old:
            self.remove(place)
        return len(old)

    def waiting(self, key: Key) -> list[int]:
        """Row ids of the submissions to that person that a cap holds, in order of arrival; of what
        is committed.
        """
        with storage_errors(self._path):
            return [row[0] for row in self._connection.execute(_WAITING, key)]

    # -- the batch (called by the store) -------------------------------------------------------

    def pending(self) -> bool:
        """Whether the open batch has anything to write here."""
        return bool(self._batch)

    def flush(self) -> None:
        """Write the batch in the open transaction."""
        put, gone = [], []
        for key, changed in self._batch.items():
            for name, place in changed.items():
                if place is None:
                    gone.append((*key, *name))
                else:
                    said = (place.category, place.campaign, int(place.undelivered))
                    put.append((*key, *name, *said))
        if gone:
            self._connection.executemany(_REMOVE, gone)
        if put:
            self._connection.executemany(_PUT, put)

    def forget(self) -> None:
        """The batch is committed, or undone."""
        self._batch.clear()

    def _changed(self, place: Place) -> dict[tuple[int, int], Place | None]:
        return self._batch.setdefault((place.person, place.brand), {})


def _place(row: tuple[bytes, str, int, int, str, bytes, int]) -> Place:
    return Place(*row[:6], undelivered=bool(row[6]))

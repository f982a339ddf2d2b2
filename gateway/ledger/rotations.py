"""Changes of the log's key, as stored (table `rotations`): the `x.KeyRotate` entry, and the
checkpoint that both keys signed.

A row is written with its entry, in one transaction, and gets its note with the checkpoint that
follows. Without a note the change is under way, and both keys sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.ledger.files import storage_errors

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from gateway.ledger.reader import Reader

#: The first schema with this table; a file that no daemon opened since has none.
_SCHEMA: Final = 2
_ALL: Final = "SELECT seq, old, new, note FROM rotations ORDER BY seq"
_LAST: Final = "SELECT seq, old, new, note FROM rotations ORDER BY seq DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Rotation:
    """One change: the entry's `seq`, both verifier keys, and the note; None while under way."""

    seq: int
    old: str
    new: str
    note: str | None


class RotationLog:
    """The rotations of the open batch, on the writer's connection; part of the store's batch."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._begun: list[tuple[int, str, str]] = []
        self._note: str | None = None

    def begin(self, seq: int, old: str, new: str) -> None:
        """The entry *seq* of the open batch says that *new* follows *old*."""
        self._begun.append((seq, old, new))

    def settle(self, note: str) -> None:
        """Both keys signed *note*, a checkpoint that covers the entry."""
        self._note = note

    def pending(self) -> bool:
        """Whether the open batch has any of it."""
        return bool(self._begun) or self._note is not None

    def flush(self) -> None:
        """Write those of the open batch; what was begun in it is covered by no checkpoint yet."""
        if self._note is not None:
            self._connection.execute(
                "UPDATE rotations SET note=? WHERE note IS NULL", (self._note,)
            )
        self._connection.executemany(
            "INSERT INTO rotations (seq, old, new) VALUES (?,?,?)", self._begun
        )

    def forget(self) -> None:
        """The batch is written, or undone."""
        self._begun.clear()
        self._note = None

    def all(self) -> list[Rotation]:
        """Every change, in order."""
        with storage_errors(self._path):
            return [Rotation(*row) for row in self._connection.execute(_ALL)]

    def last(self) -> Rotation | None:
        """The last change, if there was any."""
        with storage_errors(self._path):
            row = self._connection.execute(_LAST).fetchone()
        return None if row is None else Rotation(*row)


def stored_rotations(reader: Reader) -> list[Rotation]:
    """Every change, in order, read beside the daemon or without it."""
    if reader.schema < _SCHEMA:
        return []
    return [Rotation(**row) for row in reader.query(_ALL)]

"""What stands outside vouches for checkpoints: time stamp tokens and cosignatures, as stored beside
them (tables `tokens` and `cosignatures`). The `x.Anchor` entry `seq` commits to each by its hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gateway.ledger.files import storage_errors

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from gateway.ledger.reader import Reader

#: The first schema with these tables; a file that no daemon opened since has none.
_SCHEMA: Final = 2
#: Rows looked at for the nearest of each authority, so that no question grows with history.
_NEARBY: Final = 64


@dataclass(frozen=True, slots=True)
class TokenRow:
    """An RFC 3161 token (DER) by *tsa* over the checkpoint of *size* entries, and its time."""

    size: int
    tsa: str
    at_ms: int
    accuracy_ms: int
    token: bytes

    @property
    def hash(self) -> str:
        """What an `x.Anchor` names it by."""
        return sha256(self.token).hexdigest()


@dataclass(frozen=True, slots=True)
class CosignatureRow:
    """A signature line (without line end) by *witness* for the checkpoint of *size* entries."""

    size: int
    witness: str
    at_ms: int
    line: str

    @property
    def hash(self) -> str:
        """What an `x.Anchor` names it by."""
        return sha256(self.line.encode()).hexdigest()


Voucher: TypeAlias = TokenRow | CosignatureRow


class OutsideLog:
    """The vouchers of the open batch, on the writer's own connection; part of the store's batch."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._batch: list[tuple[int, Voucher]] = []

    def put(self, seq: int, voucher: Voucher) -> None:
        """Keep what the `x.Anchor` entry *seq* commits to with the batch."""
        self._batch.append((seq, voucher))

    def pending(self) -> bool:
        """Whether the open batch has any."""
        return bool(self._batch)

    def flush(self) -> None:
        """Write those of the open batch."""
        for seq, row in self._batch:
            if isinstance(row, TokenRow):
                self._connection.execute(
                    "INSERT OR REPLACE INTO tokens (size, tsa, at_ms, accuracy_ms, token, hash,"
                    " seq) VALUES (?,?,?,?,?,?,?)",
                    (row.size, row.tsa, row.at_ms, row.accuracy_ms, row.token, row.hash, seq),
                )
            else:
                self._connection.execute(
                    "INSERT OR REPLACE INTO cosignatures (size, witness, at_ms, line, hash, seq)"
                    " VALUES (?,?,?,?,?,?)",
                    (row.size, row.witness, row.at_ms, row.line, row.hash, seq),
                )

    def forget(self) -> None:
        """The batch is written, or undone."""
        self._batch.clear()

    def newest(self) -> tuple[int, int] | None:
        """Size of the newest checkpoint that was vouched for, and when (by the voucher)."""
        with storage_errors(self._path):
            rows = [
                self._connection.execute(
                    f"SELECT size, at_ms FROM {table} ORDER BY size DESC LIMIT 1"
                ).fetchone()
                for table in ("tokens", "cosignatures")
            ]
        return max(((int(row[0]), int(row[1])) for row in rows if row is not None), default=None)

    def last_of(self, table: str, column: str, name: str) -> tuple[int, int] | None:
        """The largest size that *name* vouched for, and when."""
        with storage_errors(self._path):
            row = self._connection.execute(
                f"SELECT size, at_ms FROM {table} WHERE {column}=? ORDER BY size DESC LIMIT 1",
                (name,),
            ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))


class OutsideReader:
    """The stored vouchers, read beside the daemon or without it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._there = reader.schema >= _SCHEMA

    def tokens(self, size: int) -> list[TokenRow]:
        """The tokens over the checkpoint of *size* entries."""
        return [row for _, row in self._tokens("size=:size ORDER BY id", size=size)]

    def cosignatures(self, size: int) -> list[str]:
        """The cosignature lines of the checkpoint of *size* entries."""
        rows = self._rows("SELECT line FROM cosignatures WHERE size=:size ORDER BY id", size=size)
        return [str(row["line"]) for row in rows]

    def stamped_size(self) -> int:
        """The largest checkpoint that has a token; 0: none has."""
        row = next(iter(self._rows("SELECT max(size) AS size FROM tokens")), None)
        return int(row["size"] or 0) if row else 0

    def best_over(self, seq: int, met: Callable[[list[str]], bool]) -> int | None:
        """The checkpoint best vouched for that covers entry *seq*: of the latest with a token and a
        quorum of witnesses (*met* says whether these names are one) the newest, else with a token
        and a cosignature, else with a token, else with a cosignature.
        """
        stamped = {int(row["size"]) for row in self._latest("size", "tokens", seq)}
        witnesses: dict[int, list[str]] = {}
        for row in self._latest("size, witness", "cosignatures", seq):
            witnesses.setdefault(int(row["size"]), []).append(str(row["witness"]))
        both = stamped & witnesses.keys()
        quorum = {size for size in both if met(witnesses[size])}
        return max(quorum or both or stamped or witnesses.keys(), default=None)

    def _latest(self, columns: str, table: str, seq: int) -> list[dict[str, Any]]:
        return list(
            self._rows(
                f"SELECT {columns} FROM {table} WHERE size>:seq ORDER BY size DESC LIMIT :nearby",
                seq=seq,
                nearby=_NEARBY,
            )
        )

    def oldest_over(self, seq: int, most: int) -> list[TokenRow]:
        """Of each authority the token over the smallest checkpoint that covers entry *seq* and has
        at most *most* entries.
        """
        where = "size>:seq AND size<=:most ORDER BY size LIMIT :nearby"
        return _one_of_each(row for _, row in self._tokens(where, seq=seq, most=most))

    def anchored_before(self, seq: int) -> list[tuple[int, TokenRow]]:
        """Of each authority the newest token whose `x.Anchor` stands before entry *seq*, and where
        that stands.
        """
        found: dict[str, tuple[int, TokenRow]] = {}
        for anchor, row in self._tokens("seq<:seq ORDER BY seq DESC LIMIT :nearby", seq=seq):
            found.setdefault(row.tsa, (anchor, row))
        return list(found.values())

    def last_rotation(self) -> int:
        """The latest `x.KeyRotate` entry; -1: there is none."""
        row = next(iter(self._rows("SELECT max(seq) AS seq FROM rotations")), {"seq": None})
        return -1 if row["seq"] is None else int(row["seq"])

    def note(self, size: int) -> str | None:
        """The checkpoint of *size* entries with every cosignature line it has."""
        for row in self._reader.query("SELECT note FROM checkpoints WHERE size=:size", size=size):
            return str(row["note"]) + "".join(f"{line}\n" for line in self.cosignatures(size))
        return None

    def _tokens(self, where: str, **values: int) -> list[tuple[int, TokenRow]]:
        """Rows with the `seq` of their anchors."""
        rows = self._rows(f"SELECT * FROM tokens WHERE {where}", nearby=_NEARBY, **values)
        return [
            (
                row["seq"],
                TokenRow(row["size"], row["tsa"], row["at_ms"], row["accuracy_ms"], row["token"]),
            )
            for row in rows
        ]

    def _rows(self, sql: str, **values: int) -> Iterable[dict[str, Any]]:
        return self._reader.query(sql, **values) if self._there else ()


def _one_of_each(rows: Iterable[TokenRow]) -> list[TokenRow]:
    found: dict[str, TokenRow] = {}
    for row in rows:
        found.setdefault(row.tsa, row)
    return list(found.values())

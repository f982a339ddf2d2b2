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
    from collections.abc import Iterable
    from pathlib import Path

    from gateway.ledger.reader import Reader

#: The first schema with these tables; a file that no daemon opened since has none.
_SCHEMA: Final = 2


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
            row = self._connection.execute(
                "SELECT size, at_ms FROM (SELECT size, at_ms FROM tokens"
                " UNION ALL SELECT size, at_ms FROM cosignatures)"
                " ORDER BY size DESC, at_ms LIMIT 1"
            ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

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
        return self._tokens("size=:size ORDER BY id", size=size)

    def cosignatures(self, size: int) -> list[str]:
        """The cosignature lines of the checkpoint of *size* entries."""
        rows = self._rows("SELECT line FROM cosignatures WHERE size=:size ORDER BY id", size=size)
        return [str(row["line"]) for row in rows]

    def stamped_size(self) -> int:
        """The largest checkpoint that has a token; 0: none has."""
        row = next(iter(self._rows("SELECT max(size) AS size FROM tokens")), None)
        return int(row["size"] or 0) if row else 0

    def best_over(self, seq: int) -> int | None:
        """The checkpoint best vouched for that covers entry *seq*: of those with a token and a
        cosignature the newest, else the newest with a token, else with a cosignature.
        """
        newest = "SELECT size FROM {} WHERE size>:seq ORDER BY size DESC LIMIT 1"
        both = "tokens t JOIN cosignatures c USING (size)"
        for table in (both, "tokens", "cosignatures"):
            for row in self._rows(newest.format(table), seq=seq):
                return int(row["size"])
        return None

    def oldest_over(self, seq: int, most: int) -> list[TokenRow]:
        """The tokens over the smallest checkpoint that covers entry *seq*, of at most *most*."""
        return self._tokens(
            "size=(SELECT min(size) FROM tokens WHERE size>:seq AND size<=:most) ORDER BY id",
            seq=seq,
            most=most,
        )

    def anchored_before(self, seq: int) -> tuple[int, list[TokenRow]] | None:
        """The last `x.Anchor` before entry *seq* that names tokens, and those tokens."""
        tokens = self._tokens(
            "seq=(SELECT max(seq) FROM tokens WHERE seq<:before) ORDER BY id", before=seq
        )
        if not tokens:
            return None
        row = next(
            iter(self._rows("SELECT max(seq) AS seq FROM tokens WHERE seq<:before", before=seq))
        )
        return int(row["seq"]), tokens

    def note(self, size: int) -> str | None:
        """The checkpoint of *size* entries with every cosignature line it has."""
        for row in self._reader.query("SELECT note FROM checkpoints WHERE size=:size", size=size):
            return str(row["note"]) + "".join(f"{line}\n" for line in self.cosignatures(size))
        return None

    def _tokens(self, where: str, **values: int) -> list[TokenRow]:
        rows = self._rows(f"SELECT * FROM tokens WHERE {where}", **values)
        return [
            TokenRow(row["size"], row["tsa"], row["at_ms"], row["accuracy_ms"], row["token"])
            for row in rows
        ]

    def _rows(self, sql: str, **values: int) -> Iterable[dict[str, Any]]:
        return self._reader.query(sql, **values) if self._there else ()

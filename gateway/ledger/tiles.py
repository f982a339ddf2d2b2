"""Reading tiles of the Merkle tree from the ledger file: full ones as stored, the edge rebuilt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import StorageError
from gateway.ledger import merkle

if TYPE_CHECKING:
    import sqlite3


def stored_tile(connection: sqlite3.Connection, level: int, index: int, size: int) -> bytes:
    """The hashes of tile *index* of *level* in a tree of *size* leaves, 32 bytes each.

    A full tile is one row. A partial one is made of at most 255 leaf hashes (level 0) or of the
    roots of at most 255 tiles below: the cost does not grow with the log.

    Raises:
        StorageError: rows that must be there are missing.
    """
    row = connection.execute(
        "SELECT hashes FROM tiles WHERE level=? AND idx=?", (level, index)
    ).fetchone()
    width = merkle.TILE_WIDTH
    count = min(size // width**level - index * width, width)
    if row is not None:
        return bytes(row[0])[: 32 * count]
    first = index * width
    if level == 0:
        rows = connection.execute(
            "SELECT entry FROM entries WHERE seq>=? AND seq<? ORDER BY seq", (first, first + count)
        )
        hashes = [merkle.leaf_hash(entry or b"") for (entry,) in rows]
    else:
        rows = connection.execute(
            "SELECT root FROM tiles WHERE level=? AND idx>=? AND idx<? ORDER BY idx",
            (level - 1, first, first + count),
        )
        hashes = [bytes(root) for (root,) in rows]
    if len(hashes) != count:
        raise StorageError(
            f"tile {level}/{index} of the ledger's tree is incomplete",
            hint="stop here: keep the file as evidence and run `acuse ledger verify`",
            level=level,
            index=index,
        )
    return b"".join(hashes)

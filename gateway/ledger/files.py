"""Opening the ledger file with care: is it ours, is it whole, does its end chain?"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import DataError, StorageError
from gateway.ledger import canonical, merkle
from gateway.ledger.entry import ANCHOR, time_ms
from gateway.ledger.schema import APPLICATION_ID, SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Pages the WAL may hold before the writer folds it back: 16 MiB, one fold in some thousand
#: messages, each fold paid inside a commit and thus off the event loop's thread.
_WAL_PAGES = 4096
#: How many entries at the end of the file are checked to chain at every start.
_TAIL_ENTRIES = 256
#: Of every SQLite file (https://www.sqlite.org/fileformat.html section 1.3).
_HEADER_BYTES = 100


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as one StorageError that names the file and the way out."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # Python cannot even decode what SQLite says of some damaged schemas.
        raise _explained(path, error) from error
    except OSError as error:
        raise StorageError(
            f"the ledger file {path} cannot be used: {error.strerror or error}",
            hint="check that the directory exists and belongs to the user of the daemon",
            file=str(path),
        ) from error


def _explained(path: Path, error: sqlite3.DatabaseError | UnicodeDecodeError) -> StorageError:
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        text = error.object.decode("utf-8", "replace")
    if "not a database" in text or "malformed" in text:
        return StorageError(
            f"{path} is damaged or not a ledger ({text})",
            hint="keep the file as evidence and restore the last backup into an empty directory",
            file=str(path),
        )
    if "full" in text:
        return StorageError(
            f"the disk of {path} is full",
            hint="make room; nothing was acknowledged that is not stored",
            file=str(path),
        )
    if "locked" in text:
        return StorageError(
            f"another program writes to {path}",
            hint="only one daemon may use a data directory; copy the file to look at it",
            file=str(path),
        )
    return StorageError(
        f"the ledger file {path} cannot be used ({text})",
        hint="check permissions and the disk",
        file=str(path),
    )


def open_file(path: Path) -> sqlite3.Connection:
    """A connection for writing, with the pragmas durability and privacy rest on.

    Raises:
        StorageError: another kind of file, a newer schema, or a truncated file.
    """
    fresh = not path.exists() or path.stat().st_size == 0
    if not fresh:
        _require_sqlite(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    path.chmod(0o600)
    execute = connection.execute
    if fresh:
        # Both or neither: a start that is cut off in between leaves a file that is still fresh.
        execute("BEGIN")
        execute(f"PRAGMA application_id={APPLICATION_ID}")
        execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        execute("COMMIT")
    else:
        require_version(connection, path)
    execute("PRAGMA journal_mode=WAL")
    execute("PRAGMA synchronous=FULL")
    execute("PRAGMA secure_delete=ON")
    execute("PRAGMA temp_store=MEMORY")
    execute("PRAGMA mmap_size=0")
    execute("PRAGMA cache_size=-32768")
    execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
    # With the WAL folded back the header's page count is the truth about the file's length.
    execute("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = int(execute("PRAGMA page_count").fetchone()[0])
    page_bytes = int(execute("PRAGMA page_size").fetchone()[0])
    if path.stat().st_size < pages * page_bytes:
        raise StorageError(
            f"{path} is truncated: {path.stat().st_size} bytes instead of {pages * page_bytes}",
            hint="keep the file as evidence and restore the last backup into an empty directory",
            file=str(path),
        )
    return connection


def _require_sqlite(path: Path) -> None:
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(b"SQLite format 3\x00"):
        raise StorageError(
            f"{path} is not a SQLite file",
            hint="keep it as evidence; gateway.data_dir must hold an Acuse ledger or be empty",
            file=str(path),
        )
    if len(header) < _HEADER_BYTES:  # SQLite would take it for an empty file
        raise StorageError(
            f"{path} is damaged: it ends within its header",
            hint="keep the file as evidence and restore the last backup into an empty directory",
            file=str(path),
        )


def require_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the schema; another program's file and a newer schema are refused."""
    kind = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if kind != APPLICATION_ID:
        raise StorageError(
            f"{path} is not an Acuse ledger",
            hint="gateway.data_dir must hold an Acuse ledger or be empty",
            file=str(path),
        )
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"{path} has schema version {version}; this program knows up to {SCHEMA_VERSION}",
            hint="run the newer acuse that wrote it, or a later one",
            file=str(path),
            version=version,
        )
    return version


#: The largest value of a row; ours are entries of 1 MiB at most.
_MAX_VALUE_BYTES = 16 << 20


def require_plain(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that computes what it shows, and bound what a question may cost.

    A view may stand under a table's name and never end, a generated column may be as large as
    memory; whoever hands in a ledger file to be verified chooses its schema.

    Raises:
        StorageError: a view, trigger, virtual table or computed column.
    """
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    row = connection.execute(
        "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
        " OR (type='table' AND rootpage=0) LIMIT 1"
    ).fetchone()
    row = (
        row
        or connection.execute(
            "SELECT t.name FROM sqlite_master t, pragma_table_xinfo(t.name) c"
            " WHERE t.type='table' AND c.hidden<>0 LIMIT 1"
        ).fetchone()
    )
    if row is not None:
        raise StorageError(
            f"{path} is no ledger of Acuse's making: {str(row[0])[:60]!r} in it computes what it"
            " shows",
            hint="keep the file as evidence; restore the last backup into an empty directory",
            file=str(path),
        )


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of the log as the file has it."""

    size: int
    last_leaf: bytes
    last_t_ms: int
    checkpoint_size: int
    checkpoint_ms: int | None
    #: Whether nothing but `x.Anchor` entries came since the last checkpoint.
    only_anchors: bool


def read_tail(connection: sqlite3.Connection) -> Tail:
    """The end of the log, its last entries checked to chain.

    Raises:
        StorageError: entries are missing, not canonical, or do not chain.
    """
    row = connection.execute("SELECT max(seq) FROM entries").fetchone()
    size = 0 if row[0] is None else int(row[0]) + 1
    last_leaf, last_t_ms = bytes(32), 0
    expected: str | None = None
    seq = max(0, size - _TAIL_ENTRIES)
    for found, raw in connection.execute(
        "SELECT seq, entry FROM entries WHERE seq>=? ORDER BY seq", (seq,)
    ):
        try:
            entry = canonical.decode(raw if isinstance(raw, bytes) else b"")
            ok = found == seq == entry["seq"] and entry["prev"] == (expected or entry["prev"])
            last_t_ms = time_ms(str(entry["t"]))
        except (DataError, KeyError):
            ok = False
        if not ok:
            raise StorageError(
                f"the ledger is broken at entry {seq}",
                hint="stop here: keep the file as evidence and run `acuse ledger verify`",
                seq=seq,
            )
        last_leaf = merkle.leaf_hash(bytes(raw))
        expected = last_leaf.hex()
        seq += 1
    if seq != size:
        raise StorageError(
            f"the ledger is broken at entry {seq}",
            hint="stop here: keep the file as evidence and run `acuse ledger verify`",
            seq=seq,
        )
    made = connection.execute(
        "SELECT size, made_ms FROM checkpoints ORDER BY size DESC LIMIT 1"
    ).fetchone()
    signed, signed_ms = made or (0, None)
    return Tail(size, last_leaf, last_t_ms, signed, signed_ms, _only_anchors(connection, signed))


def _only_anchors(connection: sqlite3.Connection, start: int) -> bool:
    """Whether every entry from *start* on is an `x.Anchor`; reads up to the first that is not."""
    entries = connection.execute("SELECT entry FROM entries WHERE seq>=? ORDER BY seq", (start,))
    return all(_is_anchor(entry) for (entry,) in entries)


def _is_anchor(entry: object) -> bool:
    try:
        return isinstance(entry, bytes) and canonical.decode(entry).get("ev") == ANCHOR
    except DataError:  # damaged: not this function's business, it only is no anchor
        return False

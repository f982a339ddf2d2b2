"""A new epoch: another log, with keys of its own, that begins where the last one ended.

After its key was stolen a log must not go on: whoever has the key can sign another history of it.
The old ledger is frozen under its last checkpoint and kept as it is; the new one has another
origin, and its first entry holds that checkpoint (docs/ledger-additions.md). What persons allow and
refuse, registries, and what caps count go along; messages, receipts and their proofs stay behind.

    old ledger closed and signed to its end → a copy without its log → the copy in its place, whole
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import AnswerIsNo, DataError, StorageError
from gateway.evidence.keyfile import make_directory, sync_directory, write_draft
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE
from gateway.evidence.vault import LOG_KEY
from gateway.ledger.files import storage_errors
from gateway.ledger.note import Checkpoint, open_note
from gateway.ledger.reader import Reader

if TYPE_CHECKING:
    from pathlib import Path

#: The last checkpoint of the log before, in the data directory of a log that follows one.
FOLLOWED = "followed-checkpoint"
#: As `ledger.epoch` takes it.
_EPOCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
#: What proves or tells of single messages; it stays with the log that it is in.
_LEFT = (
    *("entries", "tiles", "checkpoints", "tokens", "cosignatures", "rotations", "log"),
    *("submissions", "segments", "receipts", "inbound", "services", "holds", "kept"),
)
#: Columns that name an entry; -1 - n is entry n of a log before.
_NAMING = (
    *(("optouts", "seq"), ("consents", "seq"), ("consents", "withdrawn_seq")),
    *(("consent_requests", "seq"), ("chunks", "seq"), ("snapshots", "seq")),
)
#: Columns with the row of a submission that stays behind; new ones must not be taken for it.
_OF_MESSAGES = (("sent", "submission"), ("instructed", "submission"))


@dataclass(frozen=True, slots=True)
class Begun:
    """A new epoch: its data directory, its origin, and the checkpoint it follows."""

    directory: Path
    origin: str
    note: str


def begin_epoch(old: Path, directory: Path, name: str, epoch: str, *, now_ms: int) -> Begun:
    """Make the data directory *directory* of the log `NAME/EPOCH`, which follows that in *old*.

    No daemon may run on *old*. It is only read.

    Raises:
        DataError: *epoch* is no name of one.
        AnswerIsNo: submissions are open, the log is not signed to its end, or has that origin.
        StorageError: a file cannot be read or made; *directory* is as before then.
    """
    if not _EPOCH.fullmatch(epoch):
        raise DataError(
            f"{epoch!r} is no epoch", hint="letters, digits, . _ and -, as in 2026b", field="epoch"
        )
    origin = f"{name}/{epoch}"
    with closing(Reader(old / LEDGER_FILE)) as reader:
        note = _final(reader, origin)
        if directory.exists():
            raise StorageError(
                f"{directory} exists",
                hint="name a directory that does not: it is made for the new epoch",
                path=str(directory),
            )
        draft = directory.with_name(f".{directory.name}.new")
        with storage_errors(draft):
            shutil.rmtree(draft, ignore_errors=True)  # of a start that was cut off
        make_directory(draft)
        with storage_errors(draft):
            _copy(reader, draft / LEDGER_FILE, origin, now_ms)
            _copy_keys(old / KEYS_DIRECTORY, draft / KEYS_DIRECTORY)
            os.replace(write_draft(draft / FOLLOWED, note.encode(), 0o600), draft / FOLLOWED)
            sync_directory(draft)
            os.rename(draft, directory)
            sync_directory(directory.parent)
    return Begun(directory, origin, note)


def followed(directory: Path) -> dict[str, Any]:
    """What the first entry of the log in *directory* says of the one before it: `follows`, or
    nothing.

    Raises:
        StorageError: it is damaged.
    """
    path = directory / FOLLOWED
    with storage_errors(path):
        if not path.exists():
            return {}
        note = path.read_text()
    try:
        last = Checkpoint.parse(open_note(note)[0])
    except DataError as error:
        raise StorageError(
            f"{path} is not a checkpoint: {error.message}",
            hint="it is the last checkpoint of the epoch before: `acuse ledger head` prints it",
            path=str(path),
        ) from None
    root = last.root.hex()
    return {"follows": {"origin": last.origin, "size": last.size, "root": root, "note": note}}


def _final(reader: Reader, origin: str) -> str:
    """The checkpoint that ends the old log."""
    if reader.origin == origin:
        raise AnswerIsNo(
            f"{origin} is the log that is to end",
            hint="a new epoch needs another name, as 2026b after 2026a",
        )
    states = "SELECT state, count(*) AS n FROM submissions WHERE closed_ms IS NULL GROUP BY state"
    open_ = {row["state"]: row["n"] for row in reader.query(states)}
    if open_:
        said = ", ".join(f"{n} {state}" for state, n in sorted(open_.items()))
        raise AnswerIsNo(
            f"submissions are open: {said}",
            hint="start the daemon and let them end; cancel what is held or queued (acuse messages"
            " cancel), decide what is unknown (acuse messages resolve)",
        )
    last = reader.last_checkpoint()
    if last is None or last["size"] != reader.size:
        raise AnswerIsNo(
            "the log is not signed to its end",
            hint="start the daemon once more and stop it in good order: acuse stop",
        )
    return str(last["note"])


def _copy(reader: Reader, path: Path, origin: str, now_ms: int) -> None:
    """The old file without its log, under the new origin; nothing of what left is in its pages."""
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, isolation_level=None)) as new:
        reader.backup(new)
        there = {
            name for (name,) in new.execute("SELECT name FROM sqlite_master WHERE type='table'")
        }
        new.execute("PRAGMA journal_mode=DELETE")
        new.execute("PRAGMA secure_delete=ON")
        new.execute("BEGIN")
        for table in _LEFT:
            if table in there:
                new.execute(f"DELETE FROM {table}")
        for table, column in _NAMING:
            new.execute(f"UPDATE {table} SET {column}=-1-{column} WHERE {column}>=0")
        for table, column in _OF_MESSAGES:
            new.execute(f"UPDATE {table} SET {column}=-{column} WHERE {column}>0")
        new.execute("INSERT INTO log (origin, created_ms) VALUES (?,?)", (origin, now_ms))
        new.execute("COMMIT")
        new.execute("VACUUM")
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _copy_keys(old: Path, new: Path) -> None:
    """What opens content and finds persons; the key that signs is the old log's alone."""
    make_directory(new)
    for source in sorted(old.iterdir()):
        if source.is_file() and not source.name.startswith(LOG_KEY):
            data = source.read_bytes()
            os.replace(write_draft(new / source.name, data, 0o600), new / source.name)
    sync_directory(new)

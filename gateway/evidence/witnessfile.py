"""What a witness remembers, and its key: a directory of mode 0700 with two files.

- `witness.db`: every log's latest cosigned checkpoints with the log's own notes, and evidence of
  forks (SQLite, `synchronous=FULL`),
- `witness-key`: the Ed25519 seed of cosignatures, in `keyfile`'s form.

Order of durability: what is cosigned is on the disk, as the successor of what was cosigned before
and of nothing else, before the cosignature exists. A crash in between costs a cosignature, which
can be asked for again; never does it lead to two that do not go together.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.errors import ConfigError, DataError, StorageError, TryAgain
from gateway.evidence.keyfile import KEY_BYTES, make_directory, read_key, write_key
from gateway.evidence.witness import (
    BAD_REQUEST,
    OK,
    Answer,
    Cosigned,
    Cosigner,
    Evidence,
    judge,
    parse_add_checkpoint,
)
from gateway.ledger.note import Checkpoint, check_name, open_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.evidence.witness import AddCheckpoint, Logs

DATABASE = "witness.db"
WITNESS_KEY = "witness-key"
#: "ACUW": tells a witness's memory from any other SQLite file.
_APPLICATION_ID = 0x41435557
#: Earlier cosigned checkpoints kept of each log: a fork from one of them proves itself.
HISTORY_MOST = 4096
#: Forks kept of each log; the first one is all the proof it takes.
FORKS_MOST = 256
_UNAVAILABLE = 503

_TABLES = (
    "CREATE TABLE witness (name TEXT PRIMARY KEY) STRICT",
    """CREATE TABLE cosigned (
        origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL,
        at_s INTEGER NOT NULL, PRIMARY KEY (origin, size)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE forks (
        id INTEGER PRIMARY KEY, origin TEXT NOT NULL, at_s INTEGER NOT NULL,
        proven INTEGER NOT NULL, ours TEXT NOT NULL, theirs TEXT NOT NULL) STRICT""",
    "CREATE UNIQUE INDEX forks_once ON forks (origin, ours, theirs)",
)
_SELECT = "SELECT origin, size, root, note, at_s FROM cosigned"


class WitnessFile:
    """The memory of one witness, open for writing."""

    def __init__(self, connection: sqlite3.Connection, path: Path, name: str) -> None:
        self._connection = connection
        self.path = path
        self.name = name

    @classmethod
    def open(cls, path: Path, name: str | None) -> WitnessFile:
        """Open the memory at *path*, or make one for the witness *name*.

        Raises:
            ConfigError: it is another witness's, or a new one and *name* is None.
            StorageError: it cannot be used.
        """
        with _storage_errors(path):
            fresh = not path.exists()
            if fresh and name is None:
                raise ConfigError(
                    "a new witness needs a name",
                    hint="--name witness.example.org: a domain name you own; it stands in every"
                    " cosignature",
                )
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
            connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=0.2
            )
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # one witness, one process
            if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
                _make(connection, path, name)
            connection.execute("PRAGMA journal_mode=WAL")
            known = str(connection.execute("SELECT name FROM witness").fetchone()[0])
        if name is not None and name != known:
            connection.close()
            raise ConfigError(
                f"the witness in {path.parent} is {known!r}, not {name!r}",
                hint="leave --name out, or give the other witness a directory of its own",
            )
        return cls(connection, path, known)

    def close(self) -> None:
        """Let go of the file."""
        with _storage_errors(self.path):
            self._connection.close()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Look and write as one step, durable when the block ends; undone when it raises."""
        with _storage_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def latest(self, origin: str) -> Cosigned | None:
        """What was cosigned last of that log."""
        return self._one(f"{_SELECT} WHERE origin=? ORDER BY size DESC LIMIT 1", origin)

    def used(self) -> bool:
        """Whether anything was ever cosigned."""
        with _storage_errors(self.path):
            return self._connection.execute("SELECT 1 FROM cosigned").fetchone() is not None

    def at(self, origin: str, size: int) -> Cosigned | None:
        """What was cosigned of that log at that size, as far as it is kept."""
        return self._one(f"{_SELECT} WHERE origin=? AND size=?", origin, size)

    def put(self, new: Cosigned) -> None:
        """Remember *new* as the latest of its log; inside `exclusive`."""
        checkpoint = new.checkpoint
        self._connection.execute(
            "INSERT OR REPLACE INTO cosigned (origin, size, root, note, at_s) VALUES (?,?,?,?,?)",
            (checkpoint.origin, checkpoint.size, checkpoint.root, new.note, new.at_s),
        )
        self._connection.execute(
            "DELETE FROM cosigned WHERE origin=?1 AND size < (SELECT size FROM cosigned"
            " WHERE origin=?1 ORDER BY size DESC LIMIT 1 OFFSET ?2)",
            (checkpoint.origin, HISTORY_MOST),
        )

    def keep(self, origin: str, evidence: Evidence, at_s: int) -> bool:
        """Keep *evidence*; inside `exclusive`. False: it is known, or there is enough of it."""
        kept = self._connection.execute(
            "INSERT OR IGNORE INTO forks (origin, at_s, proven, ours, theirs)"
            " SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM forks WHERE origin=?1) < ?6",
            (origin, at_s, evidence.proven, evidence.ours, evidence.theirs, FORKS_MOST),
        )
        return kept.rowcount == 1

    def forks(self) -> list[dict[str, object]]:
        """The evidence kept, oldest first: `origin`, `at_s`, `proven`, `ours`, `theirs`."""
        with _storage_errors(self.path):
            rows = self._connection.execute(
                "SELECT origin, at_s, proven, ours, theirs FROM forks ORDER BY id"
            ).fetchall()
        names = ("origin", "at_s", "proven", "ours", "theirs")
        return [dict(zip(names, (*row[:2], bool(row[2]), *row[3:]), strict=True)) for row in rows]

    def _one(self, query: str, *values: str | int) -> Cosigned | None:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else Cosigned(Checkpoint(*row[:3]), row[3], row[4])


def _make(connection: sqlite3.Connection, path: Path, name: str | None) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] or name is None:
        raise StorageError(
            f"{path} is not a witness's memory",
            hint="--dir must name the witness's own directory, or one that is empty",
            path=str(path),
        )
    check_name(name)
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO witness (name) VALUES (?)", (name,))
    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    connection.execute("COMMIT")


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if "locked" in str(error):
            raise TryAgain(
                f"another acuse witness uses {path.parent}",
                hint="stop it, or give this one another --dir",
                path=str(path),
            ) from None
        raise StorageError(
            f"the witness's memory {path} cannot be used: {error}",
            hint="nothing was cosigned; check the disk and who owns the file, and never put an"
            " older copy in its place",
            path=str(path),
        ) from None


class Witness:
    """A witness at work: requests in, answers out, its memory in between."""

    def __init__(self, file: WitnessFile, cosigner: Cosigner, logs: Logs) -> None:
        self._file = file
        self._cosigner = cosigner
        self.logs = logs

    @classmethod
    def open(
        cls,
        directory: Path,
        logs: Logs,
        *,
        name: str | None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Witness:
        """The witness in *directory*, which is made with memory and key where it is missing.

        Raises:
            ConfigError: it is another witness, or a new one without a *name*.
            DataError: *name* cannot be a witness's.
            StorageError: directory, memory or key cannot be used safely.
        """
        if name is not None:
            check_name(name)
        make_directory(directory)
        database, key = directory / DATABASE, directory / WITNESS_KEY
        if os.path.lexists(key) and not database.exists():
            raise StorageError(
                f"{directory} holds a witness's key without its memory",
                hint=f"restore {database}; if it is lost, this key must cosign nothing more: make"
                " a new witness in another directory",
                path=str(database),
            )
        file = WitnessFile.open(database, name)
        if not os.path.lexists(key):
            if file.used():
                raise StorageError(
                    f"the key of the witness in {directory} is gone",
                    hint=f"restore {key}; if it is lost, make a new witness in another directory",
                    path=str(key),
                )
            write_key(key, WITNESS_KEY, random(KEY_BYTES))
        return cls(file, Cosigner(file.name, read_key(key, WITNESS_KEY)), logs)

    @property
    def vkey(self) -> str:
        """The verifier key."""
        return self._cosigner.vkey

    @property
    def name(self) -> str:
        """The witness's name."""
        return self._cosigner.name

    def close(self) -> None:
        """Let go of the memory."""
        self._file.close()

    def add_checkpoint(self, body: bytes, now_s: int) -> tuple[AddCheckpoint | None, Answer]:
        """Answer an `add-checkpoint` request; the request too, where it could be read.

        `evidence` of the answer is set only where it is new.

        Raises:
            StorageError: the memory failed; nothing was cosigned.
        """
        try:
            request = parse_add_checkpoint(body)
        except DataError as error:
            return None, Answer(BAD_REQUEST, f"{error.message}\n")
        admitted = self.logs.admit(request)
        if isinstance(admitted, Answer):
            return request, admitted
        request = admitted
        origin = request.checkpoint.origin
        with self._file.exclusive():
            latest = self._file.latest(origin)
            answer = judge(request, latest, self._file.at(origin, request.checkpoint.size))
            if answer.evidence and not self._file.keep(origin, answer.evidence, now_s):
                answer = Answer(answer.status, answer.body, answer.content_type)
            if answer.status != OK:
                return request, answer
            if latest is not None and now_s < latest.at_s:
                # "The largest I have seen at that time" would contradict the one given before.
                return request, Answer(_UNAVAILABLE, "the witness's clock was set back\n")
            self._file.put(Cosigned(request.checkpoint, request.note, now_s))
        # The state is durable: from here on the cosignature may exist.
        line = self._cosigner.cosign(request.text, now_s)
        return request, Answer(OK, f"{line}\n")

    def checkpoint(self, origin: str) -> str | None:
        """The latest cosigned checkpoint of a log, with the log's signatures and our own."""
        with self._file.exclusive():
            latest = self._file.latest(origin)
        if latest is None:
            return None
        text, _ = open_note(latest.note)
        return f"{latest.note}{self._cosigner.cosign(text, latest.at_s)}\n"

    def forks(self) -> list[dict[str, object]]:
        """The evidence kept; see `WitnessFile.forks`."""
        return self._file.forks()

"""A ledger file as the verifier reads it: one snapshot, and what its signer remembers."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from gateway.cli.progress import counted_bar
from gateway.errors import StorageError
from gateway.evidence.keyfile import read_key
from gateway.evidence.logkeys import NEXT_LOG_KEY
from gateway.evidence.records import KEYS_DIRECTORY, SIGNER_STATE
from gateway.evidence.vault import LOG_KEY, load_seed, months_in
from gateway.ledger.audit import verify_ledger
from gateway.ledger.note import Signer
from gateway.ledger.outside import OutsideReader
from gateway.ledger.reader import Reader
from gateway.ledger.rotations import stored_rotations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.cli.verify import Trust
    from gateway.ledger.report import Report
    from gateway.settings import KeySource


def check_ledger(path: Path, key: KeySource | None, trust: Trust, *, quiet: bool = False) -> Report:
    """Verifies the whole ledger file *path*, with a bar on a terminal unless *quiet*.

    Raises:
        StorageError: it does not open.
    """
    from gateway.cli.auditing import examined

    with (
        LedgerFile(path, key) as source,
        counted_bar("checking", source.size, quiet=quiet) as progress,
        contextlib.closing(examined(path, source.size)) as parts,
    ):
        return verify_ledger(source, **trust.given(), parts=parts, progress=progress)


class Snapshot(Reader):
    """A reader whose every question sees the same commit, however the daemon goes on writing."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._connection.execute("BEGIN")


class LedgerFile:
    """The `LedgerSource` of the file *path*; *key* is the configured log key, if any.

    Raises:
        StorageError: missing, not a ledger, or damaged so that it does not open.
    """

    def __init__(self, path: Path, key: KeySource | None = None) -> None:
        # The signer remembers a checkpoint only after its entries are durable. Read in this order
        # the ledger can be ahead of what it remembers, never behind.
        self.signer_state = _text(path.with_name(SIGNER_STATE))
        keys = path.parent / KEYS_DIRECTORY
        before = _months(keys)
        self._reader = Snapshot(path)
        # One may be made or destroyed just now; either look has those of the snapshot.
        self._months = before | _months(keys)
        self._keys_at_hand = os.access(keys, os.R_OK | os.X_OK)
        self._outside = OutsideReader(self._reader)
        self.origin = self._reader.origin
        self.size = self._reader.size
        self.vkey = self._vkey(path, key)

    def __enter__(self) -> LedgerFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        return self._reader.entries(start, stop)

    def entry(self, seq: int) -> bytes:
        return self._reader.entry(seq)

    def checkpoints(self) -> Iterator[str]:
        return self._reader.checkpoints()

    def tile(self, level: int, index: int) -> bytes:
        return self._reader.tile(level, index, self.size)

    def tokens(self, size: int) -> list[bytes]:
        return [row.token for row in self._outside.tokens(size)]

    def cosignatures(self, size: int) -> list[str]:
        return self._outside.cosignatures(size)

    def rotations(self) -> list[bytes]:
        return [self._reader.entry(each.seq) for each in stored_rotations(self._reader)]

    def has_key(self, submission_id: str) -> bool:
        """Whether the wrapped key is there, and, where the key directory is, what opens it."""
        month = self._reader.month_of_key(submission_id)
        return month is not None and (not self._keys_at_hand or month in self._months)

    def last_seq(self, submission_id: str) -> int | None:
        row = self._reader.submission(submission_id)
        return None if row is None else int(row["last_seq"])

    def _vkey(self, path: Path, key: KeySource | None) -> str | None:
        """From the log key where this user may read it; without it a policy must name the key."""
        try:
            if key is not None and key.path is not None:
                credential = key.origin.startswith("credential:")
                seed = load_seed(key.path, credential=credential)
            else:
                keys = path.parent / KEYS_DIRECTORY
                there = (keys / name for name in (LOG_KEY, NEXT_LOG_KEY))
                seed = read_key(next((each for each in there if each.exists()), keys), LOG_KEY)
        except StorageError:
            return None
        return Signer.from_seed(self.origin, seed).vkey


def _months(directory: Path) -> frozenset[str]:
    """The months whose KEK is in *directory*; none where it is not at hand (a copy of the ledger
    elsewhere, another user).
    """
    if not os.access(directory, os.R_OK | os.X_OK):
        return frozenset()
    return frozenset(months_in(directory))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"what the signer remembers, {path}, cannot be read: {error}",
            hint="run as the daemon's user; without it a cut ledger would look whole",
            file=str(path),
        ) from None

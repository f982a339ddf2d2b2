"""The log as a directory of c2sp.org/tlog-tiles files, which other tools and mirrors read.

Tiles and bundles never change, so an export only adds. `checkpoint` is written last: until then a
reader of the directory sees the log as it was before.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from gateway.errors import AnswerIsNo, DataError, StorageError
from gateway.ledger import merkle
from gateway.ledger.checks import open_checkpoint
from gateway.ledger.merkle import TILE_HEIGHT, TILE_WIDTH
from gateway.ledger.tilenames import CHECKPOINT, bundle, bundle_name, new_tiles, tile_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.ledger.reader import Reader


class Mirror:
    """A directory that holds a log as tiles."""

    def __init__(self, reader: Reader, directory: Path) -> None:
        """*reader* sees one commit throughout.

        Raises:
            AnswerIsNo: the log was never signed.
            DataError: the directory holds another log, or more of this one.
            StorageError: the directory cannot be used.
        """
        last = reader.last_checkpoint()
        if last is None:
            raise AnswerIsNo("the log was never signed", hint="`acuse ledger checkpoint` signs it")
        self.size = int(last["size"])
        self.written = 0
        self._note = str(last["note"])
        self._reader = reader
        self._directory = directory
        with _writing(directory):
            directory.mkdir(parents=True, exist_ok=True)
            #: How much is there already; more may be, of an export that was cut off.
            self.known = self._known()

    def write(self, progress: Callable[[int], object], *, entries: bool = True) -> dict[str, Any]:
        """Add what is missing; *progress* is told how many entries are done. What was done.

        Raises:
            DataError: an entry is too long for a bundle, or a tile there is another log's.
            StorageError: it cannot be written.
        """
        with _writing(self._directory):
            start = 0 if entries and not self._has_entries() else self.known
            if self.size != start:
                for index, width in new_tiles(start, self.size, 0):
                    tile = self._tile(0, index, width)
                    if entries:
                        self._put(bundle_name(index, width), self._bundle(index, tile))
                    self._put(tile_name(0, index, width), tile)
                    progress(index * TILE_WIDTH + width)
                level = 1
                while self.size >> TILE_HEIGHT * level:
                    for index, width in new_tiles(start, self.size, level):
                        self._put(tile_name(level, index, width), self._tile(level, index, width))
                    level += 1
                # Tens of thousands of files, one wait: everything is on disk before the
                # checkpoint says that it is there.
                os.sync()
            self._put(CHECKPOINT, self._note.encode(), replace=True)
        return {
            "directory": str(self._directory),
            "origin": self._reader.origin,
            "size": self.size,
            "added": self.size - start,
            "files": self.written,
        }

    # -- inside --------------------------------------------------------------------------------

    def _tile(self, level: int, index: int, width: int) -> bytes:
        return self._read(level, index)[: width * merkle.HASH_BYTES]

    def _read(self, level: int, index: int) -> bytes:
        return self._reader.tile(level, index, self.size)

    def _bundle(self, index: int, tile: bytes) -> bytes:
        first = index * TILE_WIDTH
        entries = list(self._reader.entries(first, first + len(tile) // merkle.HASH_BYTES))
        if b"".join(map(merkle.leaf_hash, entries)) != tile:
            raise StorageError(
                f"the entries from {first} on are not those of the tree",
                hint="the ledger file is damaged there: run `acuse ledger verify`",
                seq=first,
            )
        return bundle(first, entries)

    def _has_entries(self) -> bool:
        """Whether the last export was one with entries."""
        if not self.known:
            return True
        index, rest = divmod(self.known, TILE_WIDTH)
        name = bundle_name(index, rest) if rest else bundle_name(index - 1)
        return (self._directory / name).exists()

    def _known(self) -> int:
        path = self._directory / CHECKPOINT
        try:
            note = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return 0
        then = open_checkpoint(note).checkpoint
        if then.origin != self._reader.origin or then.size > self.size:
            raise DataError(
                f"{path} is of {then.origin} over {then.size} entries; this is"
                f" {self._reader.origin} over {self.size}",
                hint="export into an empty directory; keep both if it is the same log",
                file=str(path),
            )
        if then.size and merkle.root_at(then.size, self._read) != then.root:
            raise DataError(
                f"the log does not contain the checkpoint over {then.size} entries in {path}",
                hint="keep both as evidence, and run: acuse ledger verify --since that file",
                file=str(path),
            )
        return then.size

    def _put(self, name: str, data: bytes, *, replace: bool = False) -> None:
        """Write a file whole or not at all; one that is there already must be the same."""
        path = self._directory / name
        with contextlib.suppress(FileNotFoundError):
            there = path.read_bytes()
            if there == data:
                return
            # A shorter one lost its end when the power went, before anything said it was there.
            if len(there) >= len(data) and not replace:
                raise DataError(
                    f"{path} is not what this log has there",
                    hint="export into an empty directory",
                    file=str(path),
                )
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            draft.write_bytes(data)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(data)
        try:
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        self.written += 1


@contextlib.contextmanager
def _writing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{directory} cannot be written: {error.strerror}",
            hint="name a directory of yours, with room",
            file=str(directory),
        ) from None

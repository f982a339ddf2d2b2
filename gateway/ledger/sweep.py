"""Overwriting what SQLite leaves behind in the unused parts of its pages.

`secure_delete` zeroes what is deleted. But when rows move to a neighbouring page, because one of
them grew, the old page keeps a copy of them in the space between its cell pointers and its cells,
and nothing ever clears that: deleting the row later clears its new place only. Such copies are
rare and cannot be found by key, so every page of the file is looked at.

Safe only while nothing else writes to the database file: with the WAL folded back, and before the
writer's next commit. Readers never look at those bytes.

The format: https://www.sqlite.org/fileformat.html sections 1.3 and 1.6.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from gateway.errors import StorageError
from gateway.ledger.files import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Pages looked at in one go: a few milliseconds.
PAGES: Final = 2048
_FILE_HEADER: Final = 100
_MAGIC: Final = b"SQLite format 3\x00"
#: b-tree pages by their first octet: bytes of the header before the cell pointers.
_HEADERS: Final = {0x02: 12, 0x05: 12, 0x0A: 8, 0x0D: 8}
#: The first octets of any other page are the number of a page. In a file with fewer pages than
#: this, they cannot be taken for one of the above.
_PAGES_MOST: Final = 0x0200_0000


class Sweep:
    """Passes over a database file, in portions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._next = 0
        #: Bytes that were overwritten in this pass.
        self.cleared = 0

    def begin(self) -> None:
        """Begin a pass."""
        self._next = self.cleared = 0

    def go_on(self, pages: int = PAGES) -> bool:
        """Look at the next *pages*; False when the end of the file was reached.

        Raises:
            StorageError: the file is none of SQLite's, is too large to be sure, or cannot be
                written.
        """
        with storage_errors(self._path):
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            return self._portion(self._descriptor, pages)

    def close(self) -> None:
        """Let go of the file; only after every connection of this process to it is closed.

        Closing it earlier would drop the locks those hold (fcntl(2)), and another program could
        take the file for unused.
        """
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _portion(self, descriptor: int, pages: int) -> bool:
        size = self._page_bytes(descriptor)
        if os.fstat(descriptor).st_size // size >= _PAGES_MOST:
            raise StorageError(
                f"{self._path} is too large to be swept page by page",
                hint="VACUUM it with the daemon stopped; begin a new epoch in time",
                file=str(self._path),
            )
        data = os.pread(descriptor, size * pages, size * self._next)
        wrote = False
        for start in range(0, len(data) - size + 1, size):
            page = data[start : start + size]
            number = self._next + start // size
            for begin, end in unused(page, first=number == 0):
                os.pwrite(descriptor, bytes(end - begin), size * number + begin)
                self.cleared += end - begin
                wrote = True
        if wrote:
            os.fsync(descriptor)
        self._next += len(data) // size
        return len(data) == size * pages

    def _page_bytes(self, descriptor: int) -> int:
        header = os.pread(descriptor, _FILE_HEADER, 0)
        size = int.from_bytes(header[16:18], "big")
        if header[:16] != _MAGIC or header[20] != 0:
            raise StorageError(
                f"{self._path} is no file that the ledger is kept in",
                hint="keep it as evidence and restore the last backup",
                file=str(self._path),
            )
        return 65_536 if size == 1 else size


def unused(page: bytes, *, first: bool) -> Iterator[tuple[int, int]]:
    """Where the unused parts of a page lie that hold anything but zeros: begin and end.

    *first*: it is the first page, whose beginning is the file's header. A page that is no b-tree's,
    or is damaged, has none.
    """
    at = _FILE_HEADER if first else 0
    header = _HEADERS.get(page[at])
    if header is None:
        return
    cells = int.from_bytes(page[at + 3 : at + 5], "big")
    content = int.from_bytes(page[at + 5 : at + 7], "big") or 65_536
    begin = at + header + 2 * cells
    if begin > content or content > len(page):
        return
    if page.count(0, begin, content) != content - begin:
        yield begin, content
    block = int.from_bytes(page[at + 1 : at + 3], "big")
    while content <= block <= len(page) - 4:
        after = int.from_bytes(page[block : block + 2], "big")
        end = block + int.from_bytes(page[block + 2 : block + 4], "big")
        if end > len(page) or 0 < after < end:
            return
        if page.count(0, block + 4, end) != end - block - 4:
            yield block + 4, end
        block = after

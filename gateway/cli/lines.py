"""Numbered lines of a file of bytes, one at a time; a line that is no text breaks alone."""

from __future__ import annotations

from collections import deque
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: A longer line is no submission; the daemon takes no request of more than 1 MiB either.
MAX_LINE_BYTES = 1024 * 1024


class Bad(Exception):
    """A line is no submission; *reason* and *field* say why. It never leaves the reading."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


class Lines:
    """Numbered lines that can be given back, so that reading may resume after a broken record."""

    def __init__(self, file: IO[bytes], progress: Callable[[int], object]) -> None:
        self._file = file
        self._progress = progress
        self._ahead: deque[tuple[int, bytes]] = deque()
        self._number = 0
        self._bytes = 0

    def peek(self) -> bytes | None:
        taken = self.take()
        if taken is None:
            return None
        self._ahead.appendleft(taken)
        return taken[1]

    def take(self) -> tuple[int, bytes] | None:
        """The next line with its number; a byte order mark before the first is dropped."""
        if self._ahead:
            return self._ahead.popleft()
        line = self._file.readline(MAX_LINE_BYTES + 1)
        if not line:
            return None
        self._number += 1
        self._bytes += len(line)
        if len(line) > MAX_LINE_BYTES:
            self._skip_rest(line)
        if self._number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        self._progress(self._bytes)
        return self._number, line

    def give_back(self, taken: list[tuple[int, bytes]]) -> None:
        self._ahead.extendleft(reversed(taken))

    def _skip_rest(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._file.readline(MAX_LINE_BYTES)
            self._bytes += len(line)


def decoded(line: bytes) -> str:
    """The line as text; raises `Bad`."""
    if len(line) > MAX_LINE_BYTES:
        raise Bad(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Bad(f"not UTF-8 (byte {error.start + 1} of the line)") from None

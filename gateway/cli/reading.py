"""Reading the files a verifier is given: bounded, and without trust in what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

_SQLITE = b"SQLite format 3\0"
_CHUNK_BYTES = 1 << 20
#: Beyond the largest note that is one; what is longer is told so by the verifier.
_MAX_NOTE_BYTES = 1 << 20


def begins_as_ledger(path: Path) -> bool:
    """True if the file is a SQLite database; raises `DataError` if it cannot be read."""
    return _head(path, len(_SQLITE)) == _SQLITE


def read_file(path: Path, most_bytes: int) -> bytes:
    """The content of a file; raises `DataError` if it cannot be read or is too large."""
    data = _head(path, most_bytes + 1)
    if len(data) > most_bytes:
        raise DataError(
            f"{path} is larger than {most_bytes} bytes",
            hint="is it the right file?",
            file=str(path),
        )
    return data


def read_note(path: Path) -> str:
    """The text of a signed note's file; raises `DataError` if it cannot be read.

    What is not UTF-8 is no note; the verifier says so in its own words.
    """
    return read_file(path, _MAX_NOTE_BYTES).decode("utf-8", "replace")


def _head(path: Path, most_bytes: int) -> bytes:
    """Chunk by chunk: asked for all at once, Python reserves memory for a file's largest size."""
    chunks, left = [], most_bytes
    try:
        with path.open("rb") as file:
            while left > 0 and (chunk := file.read(min(left, _CHUNK_BYTES))):
                chunks.append(chunk)
                left -= len(chunk)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}", hint="name a file", file=str(path)
        ) from None
    return b"".join(chunks)

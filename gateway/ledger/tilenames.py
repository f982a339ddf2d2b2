"""The log as static files: names and contents of c2sp.org/tlog-tiles resources.

Whoever has these files can make every root and proof of the log without the gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import DataError
from gateway.ledger.merkle import TILE_HEIGHT, TILE_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHECKPOINT = "checkpoint"
#: What the length before an entry in a bundle can say.
MAX_BUNDLED_BYTES = (1 << 16) - 1
_ENTRIES = "entries"
_GROUP = 1000


def tile_name(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """`tile/<L>/<N>[.p/<W>]`: the hashes of a tile, 32 bytes each."""
    return f"tile/{level}/{_numbered(index, width)}"


def bundle_name(index: int, width: int = TILE_WIDTH) -> str:
    """`tile/entries/<N>[.p/<W>]`: the entries under the tile of level 0 of that number."""
    return f"tile/{_ENTRIES}/{_numbered(index, width)}"


def _numbered(index: int, width: int) -> str:
    """Three digits an element, all but the last marked by an x: 1234067 is x001/x234/067."""
    path = f"{index % _GROUP:03d}"
    while index := index // _GROUP:
        path = f"x{index % _GROUP:03d}/{path}"
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def bundle(first: int, entries: Sequence[bytes]) -> bytes:
    """The entries from *first* on, each after its length in two bytes.

    Raises:
        DataError: one is too long to be bundled.
    """
    parts: list[bytes] = []
    for seq, entry in enumerate(entries, first):
        if len(entry) > MAX_BUNDLED_BYTES:
            raise DataError(
                f"entry {seq} has {len(entry)} bytes; a tlog-tiles bundle holds entries of at most"
                f" {MAX_BUNDLED_BYTES}",
                hint="export the tree without the entries: --hashes-only",
                seq=seq,
            )
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def new_tiles(old: int, size: int, level: int) -> Iterator[tuple[int, int]]:
    """(index, width) of the tiles of *level* that a log of *size* entries has and one of *old*
    entries had not, or not that wide; none is empty.
    """
    before, now = old >> TILE_HEIGHT * level, size >> TILE_HEIGHT * level
    for index in range(before // TILE_WIDTH, -(-now // TILE_WIDTH)):
        width = min(now - index * TILE_WIDTH, TILE_WIDTH)
        if index * TILE_WIDTH + width > before:
            yield index, width

"""The Merkle tree over the log: RFC 6962 section 2.1 hashes in the c2sp.org/tlog-tiles layout.

A tile is 256 consecutive hashes of one level; level 0 holds leaf hashes, each hash of level L+1 is
the root over one full tile of level L. Whoever holds the tiles can make every root and proof
with O(log n) of them. `Frontier` keeps only what the next leaf needs.

"Height" counts binary levels of the tree, "level" counts tile levels of eight heights each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TypeAlias

from gateway.errors import DataError

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_BYTES
#: Root of the tree without leaves, RFC 6962 section 2.1.
EMPTY_ROOT = sha256(b"").digest()

#: (level, index) -> the hashes of that tile one after another; at least as many as the tree of
#: the size in question has there (a full tile may stand in for the partial one it grew from).
TileRead: TypeAlias = Callable[[int, int], bytes]

# Copying a hash that has read the prefix is a little faster than joining prefix and data.
_leaf_start = sha256(b"\x00")
_node_start = sha256(b"\x01")


class ProofError(DataError):
    """A proof does not prove what it should; `fields["reason"]` is "inclusion" or "since"."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry)."""
    state = _leaf_start.copy()
    state.update(entry)
    return state.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    state = _node_start.copy()
    state.update(left + right)
    return state.digest()


def _fold(roots: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees of falling size, as the right edge of a tree has them."""
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = node_hash(left, root)
    return root


def tile_root(hashes: bytes) -> bytes:
    """The root over a power of two of hashes given one after another: of a full tile, or less."""
    row = [hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


# --- the growing edge ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """A state of a `Frontier` to come back to; see `Frontier.rewind`."""

    size: int
    roots: tuple[bytes, ...]
    tiles: tuple[tuple[bytearray, int], ...]


class Frontier:
    """The right edge of the append-only tree: the partial tile of each level and nothing else."""

    __slots__ = ("_roots", "_tiles", "size")

    def __init__(self) -> None:
        self.size = 0
        # Roots of the perfect subtrees the leaves fall into, largest first.
        self._roots: list[bytes] = []
        # By level: the hashes of the partial tile. A tile that filled up is replaced, never
        # cleared, because a Mark may still hold it.
        self._tiles: list[bytearray] = [bytearray()]

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf hash; the tiles it completed as (level, index, hashes), lowest level first."""
        full: list[tuple[int, int, bytes]] = []
        tile = self._tiles[0]
        tile += leaf
        if len(tile) == TILE_BYTES:
            full.append((0, self.size >> TILE_HEIGHT, bytes(tile)))
            self._tiles[0] = bytearray()
        root, height, carry, roots = leaf, 0, self.size, self._roots
        while carry & 1:
            root = node_hash(roots.pop(), root)
            height += 1
            carry >>= 1
            if not height % TILE_HEIGHT:
                self._put(height // TILE_HEIGHT, root, full)
        roots.append(root)
        self.size += 1
        return full

    def append_tile(self, hashes: bytes) -> list[tuple[int, int, bytes]]:
        """Add the leaf hashes of a whole tile where one begins: `append` for each, in half the
        time.
        """
        assert not self.size % TILE_WIDTH
        assert len(hashes) == TILE_BYTES
        full = [(0, self.size >> TILE_HEIGHT, hashes)]
        self.size += TILE_WIDTH - 1  # `_put` names tiles by their last leaf
        root, height, carry = tile_root(hashes), TILE_HEIGHT, self.size
        self._put(1, root, full)
        while carry >> height & 1:
            root = node_hash(self._roots.pop(), root)
            height += 1
            if not height % TILE_HEIGHT:
                self._put(height // TILE_HEIGHT, root, full)
        self._roots.append(root)
        self.size += 1
        return full

    def _put(self, level: int, root: bytes, full: list[tuple[int, int, bytes]]) -> None:
        if level == len(self._tiles):
            self._tiles.append(bytearray())
        tile = self._tiles[level]
        tile += root
        if len(tile) == TILE_BYTES:
            full.append((level, self.size >> (TILE_HEIGHT * (level + 1)), bytes(tile)))
            self._tiles[level] = bytearray()

    def root(self) -> bytes:
        """The root hash over all leaves so far, O(log n) hashes."""
        return _fold(self._roots) if self._roots else EMPTY_ROOT

    def tile(self, level: int, index: int) -> bytes | None:
        """The partial tile at the right edge, if it is that one and not empty; else None."""
        if level < len(self._tiles) and index == self.size >> (TILE_HEIGHT * (level + 1)):
            return bytes(self._tiles[level]) or None
        return None

    def mark(self) -> Mark:
        """The present state, O(log n); cheap enough for every batch."""
        tiles = tuple((tile, len(tile)) for tile in self._tiles)
        return Mark(self.size, tuple(self._roots), tiles)

    def rewind(self, mark: Mark) -> None:
        """Forget every leaf appended since *mark*.

        A mark taken after *mark* is void from here on, *mark* itself stays good.
        """
        if mark.size > self.size:
            raise AssertionError(f"the mark at {mark.size} lies ahead of {self.size}")
        self.size = mark.size
        self._roots = list(mark.roots)
        self._tiles = [tile for tile, _ in mark.tiles]
        for tile, length in mark.tiles:
            del tile[length:]

    @classmethod
    def restore(cls, size: int, read: TileRead) -> Frontier:
        """The frontier of a tree of *size* leaves, from its partial tiles.

        Raises:
            DataError: *read* gave fewer hashes than a tile must hold.
        """
        self = cls()
        self.size = size
        self._tiles = [
            bytearray(_edge_tile(size, level, read)) for level in range(_levels(size) or 1)
        ]
        self._roots = _edge_roots(size, read)
        return self


# --- reading tiles ------------------------------------------------------------------------------


def _levels(size: int) -> int:
    """How many tile levels a tree of *size* leaves has."""
    return (size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT


def _read(read: TileRead, level: int, index: int, width: int) -> bytes:
    hashes = read(level, index)
    if len(hashes) < width * HASH_BYTES or len(hashes) % HASH_BYTES:
        raise DataError(
            f"tile {level}/{index} holds {len(hashes)} bytes, {width * HASH_BYTES} are needed",
            hint="the tiles are rebuilt from the entries",
            reason="inclusion",
            level=level,
            index=index,
        )
    return hashes[: width * HASH_BYTES]


def _edge_tile(size: int, level: int, read: TileRead) -> bytes:
    """The hashes of the partial tile at *level*; empty where the level ends with a full one."""
    width = (size >> (TILE_HEIGHT * level)) % TILE_WIDTH
    if not width:
        return b""
    return _read(read, level, size >> (TILE_HEIGHT * (level + 1)), width)


def _edge_roots(size: int, read: TileRead) -> list[bytes]:
    """Roots of the perfect subtrees a tree of *size* leaves falls into, largest first."""
    roots: list[bytes] = []
    for level in reversed(range(_levels(size))):
        hashes = _edge_tile(size, level, read)
        start = 0
        while start < len(hashes):
            count = 1 << ((len(hashes) - start) // HASH_BYTES).bit_length() - 1
            roots.append(tile_root(hashes[start : start + count * HASH_BYTES]))
            start += count * HASH_BYTES
    return roots


def _range_root(start: int, stop: int, read: Tiles) -> bytes:
    """MTH(D[start:stop]) for a range that is a subtree of some RFC 6962 tree (start is aligned)."""
    if (place := (start, stop)) in read.roots:
        return read.roots[place]
    roots: list[bytes] = []
    while start < stop:
        height = (stop - start).bit_length() - 1
        level, rest = divmod(height, TILE_HEIGHT)
        first = start >> (TILE_HEIGHT * level)
        offset, count = first % TILE_WIDTH, 1 << rest
        hashes = _read(read, level, first >> TILE_HEIGHT, offset + count)
        roots.append(tile_root(hashes[offset * HASH_BYTES :]))
        start += 1 << height
    read.roots[place] = root = _fold(roots)
    return root


class Tiles:
    """*read* that asks for each tile once and hashes each subtree once, for several proofs."""

    def __init__(self, read: TileRead) -> None:
        self._read = cache(read)
        self.roots: dict[tuple[int, int], bytes] = {}

    def __call__(self, level: int, index: int) -> bytes:
        return self._read(level, index)


def _once(read: TileRead) -> Tiles:
    return read if isinstance(read, Tiles) else Tiles(read)


def root_at(size: int, read: TileRead) -> bytes:
    """The root the tree had at *size* leaves.

    Raises:
        DataError: a tile is shorter than that size needs.
    """
    return _fold(_edge_roots(size, read)) if size else EMPTY_ROOT


def _split(size: int) -> int:
    """The largest power of two below *size*, where RFC 6962 divides a tree of two or more."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, read: TileRead) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1: sibling hashes from the leaf upwards.

    Raises:
        DataError: a tile is shorter than needed.
    """
    if not 0 <= index < size:
        raise AssertionError(f"no leaf {index} in a tree of {size}")
    read, path = _once(read), []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(_range_root(middle, stop, read))
            stop = middle
        else:
            path.append(_range_root(start, middle, read))
            start = middle
    path.reverse()
    return path


def consistency_proof(old: int, new: int, read: TileRead) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 section 2.1.2; empty for equal sizes and for old = 0.

    Raises:
        DataError: a tile is shorter than needed.
    """
    if not 0 <= old <= new:
        raise AssertionError(f"no proof leads from {old} to {new}")
    if old in (0, new):
        return []
    read, path = _once(read), []
    start, stop, known = 0, new, True
    while old < stop:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(_range_root(middle, stop, read))
            stop = middle
        else:
            path.append(_range_root(start, middle, read))
            start, known = middle, False
    if not known:
        path.append(_range_root(start, stop, read))
    path.reverse()
    return path


# --- checking proofs ----------------------------------------------------------------------------


def _check_hashes(reason: str, *hashes: bytes) -> None:
    if any(len(item) != HASH_BYTES for item in hashes):
        raise ProofError("a hash in the proof is not 32 bytes long", reason=reason)


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that *leaf* is leaf number *index* of the tree (RFC 9162 section 2.1.3.2).

    Raises:
        ProofError: it is not proven; reason "inclusion".
    """
    _check_hashes("inclusion", leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}", reason="inclusion")
    fn, sn, current = index, size - 1, leaf
    for sibling in proof:
        if not sn:
            raise ProofError("the inclusion proof is too long", reason="inclusion")
        if fn & 1 or fn == sn:
            current = node_hash(sibling, current)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            current = node_hash(current, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofError("the inclusion proof is too short", reason="inclusion")
    if current != root:
        raise ProofError("the inclusion proof does not lead to the root", reason="inclusion")


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the first *old* leaves are the same in both trees (RFC 9162 section 2.1.4.2).

    An empty old tree is refused: every tree extends it, so there is nothing to prove.

    Raises:
        ProofError: it is not proven; reason "since".
    """
    _check_hashes("since", old_root, new_root, *proof)
    if not 0 < old <= new:
        raise ProofError(f"no consistency proof leads from {old} to {new}", reason="since")
    if old == new:
        if proof or old_root != new_root:
            raise ProofError("two trees of one size differ", reason="since")
        return
    path = list(proof)
    if not old & (old - 1):  # a perfect old tree is itself the first hash
        path.insert(0, old_root)
    if not path:
        raise ProofError("the consistency proof is empty", reason="since")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for node in path[1:]:
        if not sn:
            raise ProofError("the consistency proof is too long", reason="since")
        if fn & 1 or fn == sn:
            first, second = node_hash(node, first), node_hash(node, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, node)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofError("the consistency proof is too short", reason="since")
    if first != old_root or second != new_root:
        raise ProofError("the consistency proof does not lead to both roots", reason="since")

"""The Merkle tree against the definition of RFC 6962 and against itself."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.ledger import merkle

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/merkle.json").read_text())
LEAVES = [hashlib.sha256(str(n).encode()).digest() for n in range(66_200)]
#: Around every border of the tile layout: 256, 2 * 256, 256 * 256.
BORDERS = [1, 2, 3, 5, 254, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, 66_100]


@functools.cache
def mth(start: int, stop: int) -> bytes:
    """MTH of RFC 6962 section 2.1, as it is written there."""
    if stop == start:
        return hashlib.sha256(b"").digest()
    if stop - start == 1:
        return LEAVES[start]
    half = 1
    while half * 2 < stop - start:
        half *= 2
    return hashlib.sha256(b"\x01" + mth(start, start + half) + mth(start + half, stop)).digest()


class Log:
    """A frontier with the tiles it gave away, as a store keeps them."""

    def __init__(self, size: int) -> None:
        self.frontier = merkle.Frontier()
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.reads = 0
        for leaf in LEAVES[:size]:
            self.take(leaf)

    def take(self, leaf: bytes) -> None:
        for level, index, hashes in self.frontier.append(leaf):
            assert (level, index) not in self.tiles
            self.tiles[level, index] = hashes

    def read(self, level: int, index: int) -> bytes:
        self.reads += 1
        return self.tiles.get((level, index)) or self.frontier.tile(level, index) or b""


BIG = Log(66_200)
sizes = st.sampled_from(BORDERS) | st.integers(1, 66_200) | st.integers(1, 600)


def test_the_reference_tree_of_certificate_transparency_is_reproduced() -> None:
    frontier = merkle.Frontier()
    assert frontier.root() == merkle.EMPTY_ROOT
    for leaf, root in zip(VECTORS["leaves"], VECTORS["roots"], strict=True):
        frontier.append(merkle.leaf_hash(bytes.fromhex(leaf)))
        assert frontier.root().hex() == root


@pytest.mark.parametrize("size", BORDERS)
def test_tiles_hold_the_hashes_tlog_tiles_says(size: int) -> None:
    log = Log(size)
    level, width = 0, 1
    while size // width:
        count = size // width
        for index in {0, count // 256, max(0, count // 256 - 1)}:
            first, last = index * 256, min(index * 256 + 256, count)
            expected = b"".join(mth(n * width, (n + 1) * width) for n in range(first, last))
            assert log.read(level, index) == expected
            assert (level, index) in log.tiles or last - first < 256
        level, width = level + 1, width * 256
    assert log.frontier.tile(0, size // 256 + 1) is None
    assert log.frontier.tile(level + 1, 0) is None


@given(sizes)
@settings(deadline=None, max_examples=40)
def test_every_earlier_root_and_frontier_can_be_had_from_the_tiles(size: int) -> None:
    assert merkle.root_at(size, BIG.read) == mth(0, size)
    restored = merkle.Frontier.restore(size, BIG.read)
    assert (restored.size, restored.root()) == (size, mth(0, size))
    again: list[tuple[int, int, bytes]] = []
    for leaf in LEAVES[size : size + 300]:
        again += restored.append(leaf)
    assert restored.root() == mth(0, min(size + 300, 66_200))
    assert all(BIG.read(level, index)[: len(h)] == h for level, index, h in again)


def test_the_empty_tree_can_be_restored_and_grows() -> None:
    restored = merkle.Frontier.restore(0, BIG.read)
    assert restored.root() == merkle.EMPTY_ROOT == merkle.root_at(0, BIG.read)
    assert restored.tile(0, 0) is None
    restored.append(LEAVES[0])
    assert restored.root() == LEAVES[0]


@given(sizes, st.data())
@settings(deadline=None, max_examples=60)
def test_inclusion_is_proven_by_few_tiles(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    BIG.reads = 0
    proof = merkle.inclusion_proof(index, size, BIG.read)
    assert BIG.reads <= 2 * 3  # two edges of three levels
    assert len(proof) <= (size - 1).bit_length()
    merkle.verify_inclusion(LEAVES[index], index, size, proof, mth(0, size))


@given(sizes, st.data())
@settings(deadline=None, max_examples=60)
def test_consistency_is_proven_by_few_tiles(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new) | st.sampled_from([b for b in BORDERS if b <= new]))
    BIG.reads = 0
    proof = merkle.consistency_proof(old, new, BIG.read)
    assert BIG.reads <= 3 * 3
    assert len(proof) <= new.bit_length() + 1
    merkle.verify_consistency(old, mth(0, old), new, mth(0, new), proof)


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


@given(st.integers(1, 600), st.data())
@settings(deadline=None, max_examples=60)
def test_no_single_bit_of_an_inclusion_proof_can_change(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaf, root = LEAVES[index], mth(0, size)
    proof = merkle.inclusion_proof(index, size, BIG.read)
    bit = data.draw(st.integers(0, 255))
    wrong = [
        (flip(leaf, bit), index, size, proof, root),
        (leaf, index, size, proof, flip(root, bit)),
        (leaf, index, size, [*proof, root], root),
        (leaf, index + size, size, proof, root),
        (leaf, -1, size, proof, root),
        (leaf[:31], index, size, proof, root),
    ]
    for at in range(len(proof)):
        wrong.append(
            (leaf, index, size, [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]], root)
        )
        wrong.append((leaf, index, size, [*proof[:at], *proof[at + 1 :]], root))
    others = {index ^ 1 << n for n in range(size.bit_length())} - {index}
    wrong += [(leaf, other, size, proof, root) for other in others]
    for case in wrong:
        with pytest.raises(merkle.ProofError) as caught:
            merkle.verify_inclusion(*case)
        assert caught.value.fields["reason"] == "inclusion"


@given(st.integers(2, 600), st.data())
@settings(deadline=None, max_examples=60)
def test_no_single_bit_of_a_consistency_proof_can_change(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    before, after = mth(0, old), mth(0, new)
    proof = merkle.consistency_proof(old, new, BIG.read)
    bit = data.draw(st.integers(0, 255))
    wrong = [
        (old, flip(before, bit), new, after, proof),
        (old, before, new, flip(after, bit), proof),
        (old, before, new, after, []),
        (old, before, new, after, [*proof, after]),
        (new, after, old, before, proof),
        (0, merkle.EMPTY_ROOT, new, after, []),
        (old, before[:31], new, after, proof),
    ]
    for at in range(len(proof)):
        wrong.append(
            (old, before, new, after, [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]])
        )
        wrong.append((old, before, new, after, [*proof[:at], *proof[at + 1 :]]))
    for case in wrong:
        with pytest.raises(merkle.ProofError) as caught:
            merkle.verify_consistency(*case)
        assert caught.value.fields["reason"] == "since"


def test_a_leaf_that_is_called_the_root_is_not_included_without_a_proof() -> None:
    with pytest.raises(merkle.ProofError, match="too short"):
        merkle.verify_inclusion(LEAVES[0], 0, 2, [], LEAVES[0])


def test_a_tree_is_consistent_with_itself_and_only_with_itself() -> None:
    root = mth(0, 7)
    assert merkle.consistency_proof(7, 7, BIG.read) == []
    assert merkle.consistency_proof(0, 7, BIG.read) == []
    merkle.verify_consistency(7, root, 7, root, [])
    for other, proof in ((mth(0, 6), []), (root, [root])):
        with pytest.raises(merkle.ProofError):
            merkle.verify_consistency(7, root, 7, other, proof)


@given(st.integers(0, 700), st.lists(st.integers(0, 600), max_size=4))
@settings(deadline=None, max_examples=40)
def test_a_failed_batch_leaves_no_trace_in_the_tree(size: int, batches: list[int]) -> None:
    log = Log(size)
    mark = log.frontier.mark()
    for count in batches:
        for leaf in LEAVES[1000 : 1000 + count]:
            log.frontier.append(leaf)
        log.frontier.rewind(mark)
        assert (log.frontier.size, log.frontier.root()) == (size, mth(0, size))
    for leaf in LEAVES[size : size + 300]:
        log.take(leaf)
    assert log.frontier.root() == mth(0, size + 300)
    assert merkle.root_at(size + 300, log.read) == mth(0, size + 300)


def test_defects_of_the_caller_are_no_data_errors() -> None:
    frontier = merkle.Frontier()
    frontier.append(LEAVES[0])
    mark = frontier.mark()
    with pytest.raises(AssertionError):
        merkle.Frontier().rewind(mark)
    with pytest.raises(AssertionError):
        merkle.inclusion_proof(3, 3, BIG.read)
    with pytest.raises(AssertionError):
        merkle.consistency_proof(4, 3, BIG.read)


@pytest.mark.parametrize("hashes", [b"", bytes(31), bytes(33), bytes(32 * 2)])
def test_a_tile_that_is_too_short_is_named(hashes: bytes) -> None:
    with pytest.raises(DataError, match="tile 0/0") as caught:
        merkle.root_at(3, lambda _level, _index: hashes)
    assert (caught.value.fields["level"], caught.value.fields["index"]) == (0, 0)


@pytest.mark.parametrize("start", [0, 256, 65_024, 65_280])
def test_a_whole_tile_is_added_as_its_leaves_are(start: int) -> None:
    one, whole = merkle.Frontier(), merkle.Frontier()
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(start + 3 * 256)]
    for at in range(0, len(leaves), 256):
        full = [tile for leaf in leaves[at : at + 256] for tile in one.append(leaf)]
        assert whole.append_tile(b"".join(leaves[at : at + 256])) == full
        assert (whole.size, whole.root()) == (one.size, one.root())
    one.append(leaves[0])
    whole.append(leaves[0])
    assert whole.root() == one.root()
    assert [whole.tile(level, whole.size >> 8 * (level + 1)) for level in range(4)] == [
        one.tile(level, one.size >> 8 * (level + 1)) for level in range(4)
    ]


def test_several_proofs_share_what_they_read_and_hash() -> None:
    asked: list[tuple[int, int]] = []

    def read(level: int, index: int) -> bytes:
        asked.append((level, index))
        return BIG.read(level, index)

    size = 66_100
    tiles = merkle.Tiles(read)
    for index in (5, 300, 40_000, 66_099):
        alone = merkle.inclusion_proof(index, size, BIG.read)
        assert merkle.inclusion_proof(index, size, tiles) == alone
    assert merkle.consistency_proof(300, size, tiles) == merkle.consistency_proof(
        300, size, BIG.read
    )
    assert len(asked) == len(set(asked))

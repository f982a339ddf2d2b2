"""Lists in one entry: the tree over the salted commitments of many rows.

An import of many persons is one entry that holds the root; each row can be disclosed alone, with
its salt and the path from its commitment to that root (docs/ledger-additions.md). The tree is that
of RFC 6962 section 2.1: its leaves are the commitments, hashed as entries are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.ledger.canonical import encode
from gateway.ledger.entry import commitment, time_text
from gateway.ledger.merkle import HASH_BYTES, Frontier, inclusion_proof, leaf_hash, verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def row_field(place: int) -> str:
    """The field name under which the row at that 0-based place is committed to."""
    return f"row.{place}"


def row_value(
    who: Mapping[str, str],
    at_ms: int,
    *,
    source: str = "",
    text: str | None = None,
    withdrawn_ms: int | None = None,
    evidence: Mapping[str, str] | None = None,
) -> bytes:
    """What a list commits to for one row, in canonical form. *who* is `to`, or `person` in hex."""
    said = {**who, **(evidence or {}), "at": time_text(at_ms)}
    if source:
        said["source"] = source
    if text is not None:
        said["text"] = text
    if withdrawn_ms is not None:
        said["withdrawn"] = time_text(withdrawn_ms)
    return encode(said)


def row_commitments(key: bytes, seq: int, values: Sequence[bytes]) -> bytes:
    """The commitments to *values* in the entry *seq*, 32 bytes each, side by side."""
    return b"".join(
        commitment(key, row_field(place), seq, value) for place, value in enumerate(values)
    )


def list_root(commitments: bytes) -> bytes:
    """The root of the tree over *commitments*, 32 bytes each, side by side."""
    return _tree(commitments)[0].root()


def list_path(place: int, commitments: bytes) -> list[bytes]:
    """The hashes that lead from the commitment at *place* to the root."""
    frontier, tiles = _tree(commitments)

    def read(level: int, index: int) -> bytes:
        return frontier.tile(level, index) or tiles[level, index]

    return inclusion_proof(place, frontier.size, read)


def verify_row(
    commitment_: bytes, place: int, count: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that *commitment_* is row *place* of the list of *count* rows with that *root*.

    Raises:
        ProofError: it is not proven; reason "inclusion".
    """
    verify_inclusion(leaf_hash(commitment_), place, count, path, root)


def _tree(commitments: bytes) -> tuple[Frontier, dict[tuple[int, int], bytes]]:
    frontier, tiles = Frontier(), {}
    for start in range(0, len(commitments), HASH_BYTES):
        leaf = leaf_hash(commitments[start : start + HASH_BYTES])
        for level, index, hashes in frontier.append(leaf):
            tiles[level, index] = hashes
    return frontier, tiles

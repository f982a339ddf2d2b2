"""What aics-tlog finds in an exported log: DIRECTORY VKEY [PROOF OLD_CHECKPOINT]. Prints one line.

It runs by itself, with only that package, never with Acuse.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import aics_tlog
from aics_tlog.verified import audit_tiles


def main(directory: str, vkey: str, *since: str) -> None:
    """Check the checkpoint, every tile and bundle, and a consistency proof if one is given."""
    note = aics_tlog.parse_note(Path(directory, "checkpoint").read_text())
    signed = aics_tlog.verify_checkpoint(note, aics_tlog.parse_vkey(vkey))
    assert signed.ok, signed.error
    audited = audit_tiles(aics_tlog.FileSystemTileReader(directory), signed.size, signed.root)
    if since:
        proof, known = map(Path, since)
        old = aics_tlog.parse_checkpoint(aics_tlog.parse_note(known.read_text()).text)
        head, _, _ = proof.read_text().partition("\n\n")
        first, *lines = head.split("\n")
        assert first == f"old {old.size}"
        hashes = [base64.b64decode(line) for line in lines]
        assert aics_tlog.verify_consistency(old.size, signed.size, old.root, signed.root, hashes)
    sys.stdout.write(f"{signed.size} {audited.tiles} {audited.bundles}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

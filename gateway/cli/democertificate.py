"""The certificate of `acuse demo`: a seal of its own authority, one document, and its check."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.sim.sealauthority import SealAuthority

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.demostage import Stage

#: In the demo's configuration, relative to its directory.
CONFIG = """
[seal]
certificate = "seal.pem"
key = {file = "seal.key"}
chain = "seal-chain.pem"
crls = "seal-crls.pem"
"""
_VALID, _INVALID = 0, 1


def make_seal(place: Path) -> None:
    """The files that `CONFIG` names, and `seal-ca.pem` to trust; their names say that they are
    worthless in law.

    Raises:
        StorageError: they cannot be written.
    """
    authority = SealAuthority(datetime.now(UTC))
    authority.write(place, authority.issue("Acuse Demo SL"))


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo says of its certificate."""

    ok: bool
    lines: tuple[str, ...]


def certify(stage: Stage, submission_id: str) -> Shown:
    """Issue the certificate of a message, check it, and show that one changed byte is noticed."""
    path = stage.certificate
    made = stage.run("certificate", submission_id, "-o", str(path))
    if made.exit_code != 0:
        return Shown(False, (f"acuse certificate: {made.said.get('error') or made.meaning()}",))
    good = stage.run("verify", str(path), *stage.seal_trust())
    spoiled = path.with_name("spoiled.pdf")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    spoiled.write_bytes(data)
    bad = stage.run("verify", str(spoiled), *stage.seal_trust())
    spoiled.unlink()
    return Shown(
        good.exit_code == _VALID and bad.exit_code == _INVALID,
        (
            f"sealed by {good.said.get('certificate', {}).get('sealed_by')}",
            f"acuse verify: {good.said['verdict']} ({good.meaning()})",
            "the same with one bit of the file changed:",
            f"{bad.said['verdict']}: {bad.said['reason']}",
        ),
    )

"""The verifiers that need no Acuse: files that are put beside a proof that is given away."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from gateway.errors import DataError, StorageError
from gateway.resources import config_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROGRAM = "acuse-verify.py"
PAGE = "acuse-verify.html"
#: Of the demo only: it names the files the demo leaves.
BY_HAND = "check-by-hand.sh"


def verifiers_for(proof: Path) -> dict[Path, bytes]:
    """What belongs beside *proof*: path -> content.

    Raises:
        DataError: another file has the name of one of them.
        StorageError: one that is there cannot be read.
    """
    wanted = {
        proof.parent / name: (config_directory() / "verifier" / name).read_bytes()
        for name in (PROGRAM, PAGE)
    }
    for path, data in wanted.items():
        _check_room(path, data)
    return wanted


def write_by_hand(directory: Path) -> None:
    """Put beside the demo's proof the commands of openssl and poppler that check it."""
    script = config_directory() / "verifier" / BY_HAND
    (directory / BY_HAND).write_bytes(script.read_bytes())


def _check_room(path: Path, data: bytes) -> None:
    try:
        free = not path.exists() or (path.is_file() and path.read_bytes() == data)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror}",
            hint="write the proof into another directory",
            file=str(path),
        ) from None
    if not free:
        raise DataError(
            f"{path} is there and is another file, perhaps of another version",
            hint="move it away, or write the proof into another directory",
            file=str(path),
        )


def commands_for(
    proof: Path, trust: Sequence[str] = ("--policy", "FILE", "--tsa-ca", "FILE")
) -> list[str]:
    """How somebody without Acuse checks *proof*, a line for each way; *trust* are options."""
    program, page = (shlex.quote(str(proof.parent / name)) for name in (PROGRAM, PAGE))
    return [
        f"python3 {program} {shlex.quote(str(proof))} {shlex.join(trust)} --explain",
        f"or open {page} in a browser and drop {proof.name} there",
    ]

"""An exported log and its consistency proofs, read by a package that knows nothing of Acuse."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.evidence.records import KEYS_DIRECTORY
from gateway.evidence.vault import Vault
from gateway.ledger.note import Signer
from tests.interop.install import HERE, TLOG
from tests.support.logfile import ORIGIN, LogFile
from tests.support.process import ACUSE, environment

if TYPE_CHECKING:
    from pathlib import Path


def acuse(log: LogFile, *args: str) -> str:
    """What a command on that ledger prints."""
    command = [*ACUSE, "ledger", *args, "--config", str(log.config)]
    env = environment()
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout


def read(log: LogFile, *args: Path) -> subprocess.CompletedProcess[str]:
    """What aics-tlog makes of the files."""
    seed = Vault(log.path.parent / KEYS_DIRECTORY).log_seed()
    vkey = Signer.from_seed(ORIGIN, seed).vkey
    directory, *since = map(str, args)
    command = [sys.executable, "-P", str(HERE / "peers" / "tlog.py"), directory, vkey, *since]
    env = environment(PYTHONPATH=str(TLOG))
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


@pytest.mark.parametrize("size", [1, 256, 70_000])
def test_a_published_reader_finds_the_log_in_the_files(tmp_path: Path, size: int) -> None:
    log, out = LogFile.make(tmp_path), tmp_path / "out"
    old = log.grow(max(1, size // 3))
    acuse(log, "export", str(out))
    if size > 1:
        log.grow(size - size // 3)
        acuse(log, "export", str(out))
    known, proof = tmp_path / "known", tmp_path / "proof"
    known.write_text(old)
    proof.write_text(acuse(log, "consistency", str(known)))
    done = read(log, out, proof, known)
    assert (done.returncode, done.stderr) == (0, "")
    tiles = {1: 1, 256: 2, 70_000: 277}[size]
    assert done.stdout == f"{size} {tiles} {-(-size // 256)}\n"


def test_a_published_reader_sees_a_changed_byte(tmp_path: Path) -> None:
    log, out = LogFile.make(tmp_path), tmp_path / "out"
    log.grow(300)
    acuse(log, "export", str(out))
    for name in ("tile/0/000", "tile/entries/000", "tile/1/000.p/1", "checkpoint"):
        file = out / name
        data = file.read_bytes()
        file.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        assert read(log, out).returncode == 1, name
        file.write_bytes(data)
    assert read(log, out).returncode == 0

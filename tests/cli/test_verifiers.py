"""`acuse bundle --with-verifier`: what is put beside a proof that is given away."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.resources import config_directory
from tests.cli.samples import ID
from tests.support.ledgers import MemoryLedger

if TYPE_CHECKING:
    from tests.cli.conftest import Acuse

NAMES = ("acuse-verify.py", "acuse-verify.html")


def proof() -> str:
    ledger = MemoryLedger()
    ledger.submission("m0")
    return ledger.bundle("m0").decode()


def test_both_verifiers_stand_beside_the_proof_and_the_commands_are_told(acuse: Acuse) -> None:
    acuse.daemon(bundle={"submission_id": ID, "bundle": proof()})
    file = acuse.directory / "my proof.json"
    for _ in range(2):  # the same files may be there already
        ran = acuse("bundle", ID, "-o", str(file), "--with-verifier")
        assert ran.code == 0
        assert f"python3 {file.parent}/acuse-verify.py '{file}' --policy FILE" in ran.err
        assert "acuse-verify.html" in ran.err
    for name in NAMES:
        shipped = config_directory() / "verifier" / name
        assert (file.parent / name).read_bytes() == shipped.read_bytes()
    ran = acuse("bundle", ID, "-o", str(file), "--with-verifier", "--json")
    assert ran.lines()[0]["verifiers"] == [str(file.parent / name) for name in NAMES]
    assert "verifiers" not in acuse("bundle", ID, "-o", str(file), "--json").lines()[0]


def test_another_file_of_that_name_is_left_and_nothing_is_written(acuse: Acuse) -> None:
    daemon = acuse.daemon(bundle={"submission_id": ID, "bundle": proof()})
    file, mine = acuse.directory / "proof.json", acuse.directory / NAMES[1]
    for make in (lambda: mine.write_text("mine"), mine.mkdir):
        make()
        ran = acuse("bundle", ID, "-o", str(file), "--with-verifier")
        assert (ran.code, file.exists(), daemon.asked) == (65, False, [])
        assert "is another file" in ran.err
        mine.unlink() if mine.is_file() else mine.rmdir()


@pytest.mark.parametrize("output", [(), ("-o", "/dev/null")])
def test_a_verifier_needs_a_file_to_stand_beside(acuse: Acuse, output: tuple[str, ...]) -> None:
    acuse.daemon(bundle={"submission_id": ID, "bundle": proof()})
    ran = acuse("bundle", ID, *output, "--with-verifier")
    assert (ran.code, ran.out) == (64, "")
    assert "name the proof's file with -o" in ran.err


def test_the_program_that_was_written_runs_alone(acuse: Acuse) -> None:
    acuse.daemon(bundle={"submission_id": ID, "bundle": proof()})
    acuse("bundle", ID, "-o", str(acuse.directory / "proof.json"), "--with-verifier")
    done = subprocess.run(
        [sys.executable, "-I", "acuse-verify.py", "--help"],
        cwd=acuse.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--policy FILE" in done.stdout

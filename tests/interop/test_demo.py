"""What `acuse demo` leaves is accepted, and refused when changed, by programs nobody here wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("demo") / "left"
    done = run(sys.executable, "-m", "gateway.cli.main", "demo", "--dir", str(place), "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def by_hand(demo: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return run("sh", f"{demo['dir']}/check-by-hand.sh")


def test_openssl_and_pdfsig_accept_what_the_demo_leaves(demo: dict[str, Any]) -> None:
    done = by_hand(demo)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert done.stdout.count("Verification: OK") == 2
    assert "Signature is Valid." in done.stdout
    assert "Certificate is Trusted." in done.stdout


def test_one_byte_changed_is_refused_by_openssl_and_by_the_standalone_verifier(
    demo: dict[str, Any], tmp_path: Path
) -> None:
    trust = ("--policy", demo["policy"], "--tsa-ca", demo["tsa_ca"])
    program = f"{demo['dir']}/acuse-verify.py"
    assert run(sys.executable, program, demo["bundle"], *trust).returncode == 0
    changed = tmp_path / "bundle.json"
    with open(demo["bundle"], encoding="utf-8") as file:
        text = file.read()
    changed.write_text(text.replace("0,148", "0,149", 1), encoding="utf-8")
    assert changed.read_text(encoding="utf-8") != text
    assert run(sys.executable, program, str(changed), *trust).returncode == 1
    with open(demo["certificate"], "r+b") as file:
        file.seek(30_000)
        (byte,) = file.read(1)
        file.seek(30_000)
        file.write(bytes((byte ^ 1,)))
    done = by_hand(demo)
    assert done.returncode != 0
    assert "verification failure" in done.stderr

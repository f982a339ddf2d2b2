"""`acuse verify`: verdicts, exit codes, and files that are no proofs."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from gateway.cli.verify import gravest
from gateway.ledger.report import EXIT_CODES, GRAVITY, Report
from tests.support.ledgers import MemoryLedger

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Acuse


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """A bundle, its log's policy and its checkpoint, side by side."""
    ledger = MemoryLedger()
    ledger.submission("m1", "delivered")
    note = ledger.checkpoint()
    (tmp_path / "proof.json").write_bytes(ledger.bundle("m1"))
    (tmp_path / "policy").write_text(f"log {ledger.vkey}\nquorum none\n")
    (tmp_path / "note").write_text(note)
    ledger.submission("m2", "delivered")
    (tmp_path / "later").write_text(ledger.checkpoint())
    return tmp_path / "proof.json"


def test_a_proof_without_anchors_says_so(acuse: Acuse, proof: Path) -> None:
    ran = acuse("verify", str(proof), "--json")
    assert ran.code == 4
    shown = ran.json()
    assert set(shown) == {
        *("verdict", "reason", "seq", "submission_id", "state", "size", "time", "checks"),
    }
    assert (shown["verdict"], shown["submission_id"]) == ("UNANCHORED", "m1")
    policy = str(proof.with_name("policy"))
    checks = acuse("verify", str(proof), "--policy", policy, "--json").json()["checks"]
    assert {"name": "policy", "ok": True} in checks
    out = acuse("verify", str(proof)).out
    assert out.startswith("UNANCHORED: ")
    assert "  holds  inclusion: " in out


def test_one_flipped_byte_is_invalid_with_its_reason(acuse: Acuse, proof: Path) -> None:
    damaged = proof.read_text().replace("DELIVRD", "DELIVRE", 1)
    assert damaged != proof.read_text()
    proof.write_text(damaged)
    ran = acuse("verify", str(proof), "--json")
    assert ran.code == 1
    assert ran.json()["verdict"] == "INVALID"
    assert ran.json()["reason"]
    assert acuse("verify", str(proof)).out.startswith("INVALID: ")


def test_known_checkpoints_and_ages(acuse: Acuse, proof: Path) -> None:
    def code(*args: str) -> int:
        return acuse("verify", str(proof), *args).code

    assert code("--since", str(proof.with_name("note"))) == 4
    assert code("--since", str(proof.with_name("later"))) == 3
    assert code("--max-age", "1s") in (3, 4)
    assert code("--since", str(proof)) == 65
    assert code("--max-age", "soon") == 64
    assert code("--policy", str(proof)) == 65
    assert code("--policy", str(proof.with_name("none"))) == 65


def test_the_gravest_of_several_files_decides(acuse: Acuse, proof: Path) -> None:
    damaged = proof.with_name("damaged.json")
    damaged.write_text(proof.read_text().replace("DELIVRD", "DELIVRE", 1))
    missing = proof.with_name("missing.json")
    ran = acuse("verify", str(proof), str(damaged), "--json")
    assert ran.code == 1
    assert [line["file"] for line in ran.lines()] == [str(proof), str(damaged)]
    ran = acuse("verify", str(missing), str(proof), "--json")
    assert ran.code == 65
    assert [("error" in line, "verdict" in line) for line in ran.lines()] == [
        (True, False),
        (False, True),
    ]
    ran = acuse("verify", str(missing), str(damaged))
    assert ran.code == 1
    assert f"{missing} cannot be read" in ran.err
    assert f"{damaged}\nINVALID" in ran.out


def test_every_verdict_keeps_its_exit_code() -> None:
    reports = {verdict: Report(verdict, None, None, ()) for verdict in GRAVITY}
    for verdict, report in reports.items():
        assert gravest([report], unreadable=False) == EXIT_CODES[verdict]
    for graver, lesser in pairwise(GRAVITY):
        pair = [reports[lesser], reports[graver]]
        assert gravest(pair, unreadable=False) == EXIT_CODES[graver]
    assert gravest([reports["VALID"]], unreadable=True) == 65
    assert gravest([reports["INVALID"]], unreadable=True) == 1
    assert gravest([], unreadable=True) == 65


@pytest.mark.parametrize("data", [b"", b"hello", b"{}", b'{"format":"other/v1"}', b"\xff\xfe"])
def test_what_is_no_proof_is_65(acuse: Acuse, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(data)
    ran = acuse("verify", str(file), "--json")
    assert ran.code == 65
    assert ran.json()["error"]["code"] == "data"


def test_a_file_that_is_too_large(
    acuse: Acuse, proof: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cli.proofkinds.MAX_PROOF_BYTES", 10)
    ran = acuse("verify", str(proof))
    assert (ran.code, ran.out) == (65, "")
    assert "is larger than 10 bytes" in ran.err

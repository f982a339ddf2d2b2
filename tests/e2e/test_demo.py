"""`make demo` as a newcomer runs it, and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.standalone import judge

EXPECTED = {
    "delivered": "delivered",
    "undelivered": "undelivered",
    "throttled": "delivered",
    "multi-part": "delivered",
    "unknown": "unknown",
    "held": "held",
    "refused": "refused",
    "stopped": "refused",
    "answered": "delivered",
}


def acuse(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_demo_ends_well_and_leaves_a_proof_that_one_changed_byte_spoils(
    tmp_path: Path,
) -> None:
    done = acuse("demo", "--json", "--dir", str(tmp_path / "demo"), "--keep")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["ok"] is True
    assert {each["case"]: each["state"] for each in said["messages"]} == EXPECTED

    trust = ("--policy", said["policy"], "--tsa-ca", said["tsa_ca"])
    good = acuse("verify", said["bundle"], *trust, "--json")
    assert good.returncode == 0
    assert json.loads(good.stdout)["verdict"] == "VALID"
    without = acuse("verify", said["bundle"], *trust[:2], "--json")
    assert json.loads(without.stdout)["verdict"] == "UNANCHORED"

    # A verifier that shares no line with ours comes to the same end.
    vkey = Path(said["policy"]).read_text().splitlines()[0].removeprefix("log ")
    bundle = Path(said["bundle"]).read_text()
    assert judge(bundle, vkey)[0] == 4
    spoiled = tmp_path / "spoiled.json"
    spoiled.write_text(bundle.replace("energía", "energia", 1))
    bad = acuse("verify", str(spoiled), *trust, "--json")
    assert bad.returncode == 1
    verdict = json.loads(bad.stdout)
    assert (verdict["verdict"], verdict["reason"].split(":")[0]) == ("INVALID", "commitments")
    assert judge(spoiled.read_text(), vkey)[0] == 1

    # The document says the same, and whoever changes it is noticed.
    sealed = (*trust, "--signer-ca", said["signer_ca"])
    paper = json.loads(acuse("verify", said["certificate"], *sealed, "--json").stdout)
    assert paper["verdict"] == "VALID"
    assert paper["certificate"]["sealed_by"] == "Acuse Demo SL, worthless in law"
    unknown = json.loads(acuse("verify", said["certificate"], *trust, "--json").stdout)
    assert (unknown["verdict"], unknown["reason"].split(":")[0]) == ("UNANCHORED", "signer")
    torn = tmp_path / "torn.pdf"
    torn.write_bytes(Path(said["certificate"]).read_bytes()[:-100])
    assert acuse("verify", str(torn), *sealed).returncode == 1

    # The kept directory works on: the ledger answers without a daemon.
    config = ("--config", said["config"])
    listed = acuse("receipts", "list", "--json", *config)
    assert len(listed.stdout.splitlines()) == len(EXPECTED)
    ledger = acuse("ledger", "verify", *trust, "--json", *config)
    assert json.loads(ledger.stdout)["verdict"] == "VALID"


def test_without_keep_only_the_proof_stays(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    done = acuse("demo", "--dir", str(place))
    assert done.returncode == 0, done.stdout
    left = sorted(path.name for path in place.iterdir())
    assert left == [
        "acuse-verify.html",
        "acuse-verify.py",
        "bundle.json",
        "certificate.pdf",
        "check-by-hand.sh",
        "seal-ca.pem",
        "trusted.policy",
        "tsa-ca.pem",
    ]
    assert "Everything ended as it should" in done.stdout
    commands = ("verify /", "acuse-verify.", "check-by-hand.sh")
    told = [line for line in done.stdout.splitlines() if not any(one in line for one in commands)]
    assert max(map(len, told)) <= 80
    assert f"python3 {place}/acuse-verify.py {place}/bundle.json --policy {place}" in done.stdout


def test_a_directory_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    done = acuse("demo", "--dir", str(tmp_path), "--json")
    assert done.returncode == 74
    assert json.loads(done.stdout)["error"]["code"] == "storage"
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]

"""`acuse verify` knows what it is given by how it begins; `acuse bundle --since` reads notes."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from gateway.evidence import asic, cades
from gateway.ledger.note import open_note
from gateway.sim.authority import StampingAuthority
from tests.hostile.corpus import ledger_file
from tests.support.ledgers import MemoryLedger
from tests.support.seals import SEALED_AT, make_seal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Acuse


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A bundle, a container, a checkpoint, a ledger file, and what to trust."""
    ledger = MemoryLedger()
    ledger.submission("m1")
    note = ledger.checkpoint()
    bundle, seal = ledger.bundle("m1"), make_seal()
    files = {
        "proof.json": bundle,
        "proof.asice": asic.pack_proof(
            bundle, lambda data: cades.sign(data, seal.signer, at=SEALED_AT)
        ),
        "known.checkpoint": note.encode(),
        "ledger.db": ledger_file(),
        "policy": f"log {ledger.vkey}\nquorum none\n".encode(),
        "seal-ca.pem": seal.root_pem,
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("name", ["proof.json", "proof.asice", "known.checkpoint", "ledger.db"])
def test_every_kind_has_its_verdict(acuse: Acuse, given: Path, name: str) -> None:
    ran = acuse("verify", str(given / name), "--policy", str(given / "policy"), "--json")
    assert ran.code == 4
    assert ran.json()["verdict"] == "UNANCHORED"


def test_several_kinds_at_once_and_their_gravest(acuse: Acuse, given: Path) -> None:
    damaged = given / "damaged.asice"
    whole = (given / "proof.asice").read_bytes()
    damaged.write_bytes(whole[:500] + b"?" + whole[501:])
    ran = acuse("verify", str(given / "known.checkpoint"), str(damaged), "--json")
    assert ran.code == 1
    assert [line["verdict"] for line in ran.lines()] == ["UNANCHORED", "INVALID"]


def test_a_time_stamp_beside_a_checkpoint_counts(acuse: Acuse, given: Path) -> None:
    """As a token or as the whole answer of the authority."""
    authority = StampingAuthority(datetime.now(UTC))
    note = given / "known.checkpoint"
    digest = sha256(open_note(note.read_text())[0].encode()).digest()
    token = authority.token(digest, None, datetime.now(UTC))
    (given / "tsa.pem").write_bytes(authority.ca_pem)
    arguments = (
        "verify",
        str(note),
        *("--policy", str(given / "policy"), "--tsa-ca", str(given / "tsa.pem"), "--json"),
    )
    assert acuse(*arguments).code == 4
    beside = note.with_name("known.checkpoint.tsr")
    beside.write_bytes(token)
    ran = acuse(*arguments)
    assert (ran.code, ran.json()["verdict"]) == (0, "VALID")
    assert ran.json()["time"]["not_after"]
    beside.write_bytes(bytes.fromhex("3082%04x" % (len(token) + 5)) + b"\x30\3\2\1\0" + token)
    assert acuse(*arguments).code == 0
    other = authority.token(sha256(b"else").digest(), None, datetime.now(UTC))
    beside.write_bytes(other)
    assert acuse(*arguments).code == 1
    beside.write_bytes(b"nonsense")
    assert acuse(*arguments).code == 1


def test_a_damaged_ledger_file_is_bad_data_and_the_next_file_is_still_judged(
    acuse: Acuse, given: Path
) -> None:
    broken = given / "broken.db"
    broken.write_bytes((given / "ledger.db").read_bytes()[:3000])
    ran = acuse("verify", str(broken), str(given / "proof.json"), "--json")
    assert ran.code == 65
    assert ["error" in line for line in ran.lines()] == [True, False]


def test_names_in_a_file_do_not_steer_the_terminal(acuse: Acuse, tmp_path: Path) -> None:
    ledger = MemoryLedger()
    ledger.accept("m\x1b[2J")
    (tmp_path / "x.json").write_bytes(ledger.bundle("m\x1b[2J"))
    ran = acuse("verify", str(tmp_path / "x.json"))
    assert "\x1b" not in ran.out + ran.err


def test_bundle_since_sends_the_notes_it_reads(acuse: Acuse, given: Path) -> None:
    daemon = acuse.daemon(bundle={"submission_id": "m1", "bundle": "{}\n"})
    note = given / "known.checkpoint"
    ran = acuse("bundle", "m1", "--since", str(note), "--since", str(note))
    assert ran.code == 0
    assert daemon.asked[-1][1]["since"] == [note.read_text()] * 2
    assert acuse("bundle", "m1", "--since", str(given / "none")).code == 65

"""`acuse bundle --asic`: sealed with the configured seal, time-stamped, and verified."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from asn1crypto import cms

from gateway.cli.verifiers import PAGE, PROGRAM
from gateway.evidence.asic import SIGNATURE
from gateway.evidence.container import pack, unpack
from gateway.evidence.examine import verify_container
from gateway.evidence.rfc3161 import trusting
from tests.support.office import MID, Office, stamped_bundle
from tests.support.world import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.ledger.report import Report
    from tests.cli.conftest import Acuse

TEN_YEARS_MS = 10 * 365 * 86_400_000


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office.open(tmp_path_factory.mktemp("office")) as made:
        yield made


def configured(office: Office, directory: Path, *more: str) -> Path:
    path = write_config(directory, {"movistar": ""})
    path.write_text(path.read_text() + office.toml() + "".join(more))
    return path


def made(acuse: Acuse, office: Office, directory: Path, *options: str) -> bytes:
    bundle = stamped_bundle(office.tsa)
    acuse.daemon(bundle={"submission_id": MID, "bundle": bundle.decode()})
    file, config = directory / "proof.asice", configured(office, directory)
    ran = acuse("bundle", MID, "--asic", "-o", str(file), "--config", str(config), *options)
    assert ran.code == 0, ran.err
    return file.read_bytes()


def judge(office: Office, data: bytes, **given: Any) -> Report:
    bundle = unpack(data)["acuse-proof.json"]
    known: dict[str, Any] = {
        "now_ms": time.time_ns() // 1_000_000,
        "policy": office.policy(bundle),
        "stamp_check": trusting(office.tsa.authority.ca_pem),
        "signer_ca": office.authority.ca_pem,
        "tsa_ca": office.tsa.authority.ca_pem,
    }
    return verify_container(data, **{**known, **given})


def test_what_the_command_makes_is_valid_and_stays_so_when_certificates_have_expired(
    acuse: Acuse, office: Office, tmp_path: Path
) -> None:
    data = made(acuse, office, tmp_path)
    report = judge(office, data)
    assert (report.verdict, report.reason) == ("VALID", None)
    assert report.facts is not None
    assert "Ejemplo Mensajes SL" in report.facts.sealed_by
    later = time.time_ns() // 1_000_000 + TEN_YEARS_MS
    assert judge(office, data, now_ms=later).verdict == "VALID"
    unstamped = judge(office, data, now_ms=later, tsa_ca=None)
    assert (unstamped.verdict, unstamped.reason) == (
        "UNANCHORED",
        "signer: the seal's certificate is not valid any more",
    )


def test_the_verifiers_travel_inside_it(acuse: Acuse, office: Office, tmp_path: Path) -> None:
    data = made(acuse, office, tmp_path, "--with-verifier")
    files = unpack(data)
    assert {PROGRAM, PAGE} < set(files)
    assert not (tmp_path / PROGRAM).exists()
    assert judge(office, data).verdict == "VALID"
    assert files["timestamp001.tst"]


def test_another_authority_is_asked_when_the_first_is_down(
    acuse: Acuse, office: Office, tmp_path: Path
) -> None:
    toml = office.toml()
    url = office.tsa.settings.url
    down = toml[toml.index("[[timestamp]]") :].replace(url, "http://127.0.0.1:9/")
    bundle = stamped_bundle(office.tsa)
    acuse.daemon(bundle={"submission_id": MID, "bundle": bundle.decode()})
    config = write_config(tmp_path, {"movistar": ""})
    seal = toml[: toml.index("[[timestamp]]")]
    down = down.replace(f'name = "{office.tsa.name}"', 'name = "down"')
    config.write_text(config.read_text() + seal + down)
    file = tmp_path / "x.asice"
    arguments = ("bundle", MID, "--asic", "-o", str(file), "--config", str(config))
    assert acuse(*arguments).code not in (0, 70)
    assert not file.exists()
    config.write_text(config.read_text() + toml[toml.index("[[timestamp]]") :])
    assert acuse(*arguments).code == 0
    assert judge(office, file.read_bytes()).verdict == "VALID"


def test_a_time_stamp_of_something_else_on_the_seal_is_told(
    acuse: Acuse, office: Office, tmp_path: Path
) -> None:
    one, again = made(acuse, office, tmp_path), tmp_path / "again.asice"
    config = str(tmp_path / "acuse.toml")
    assert acuse("bundle", MID, "--asic", "-o", str(again), "--config", config).code == 0
    files, theirs = unpack(one), unpack(again.read_bytes())
    ours, foreign = (cms.ContentInfo.load(each[SIGNATURE]) for each in (files, theirs))
    theirs_stamp = foreign["content"]["signer_infos"][0]["unsigned_attrs"]
    ours["content"]["signer_infos"][0]["unsigned_attrs"] = theirs_stamp
    files[SIGNATURE] = ours.dump()
    report = judge(office, pack(files, stored=frozenset({"mimetype"})))
    assert (report.verdict, report.reason) == (
        "INVALID",
        "signer: the seal of the container: its time stamp does not hold",
    )


def test_wrong_use_is_told(acuse: Acuse, office: Office, tmp_path: Path) -> None:
    assert acuse("bundle", MID, "--asic").code == 64
    acuse.daemon(bundle={"submission_id": MID, "bundle": "{}"})
    config = write_config(tmp_path, {"movistar": ""})
    ran = acuse("bundle", MID, "--asic", "-o", str(tmp_path / "x"), "--config", str(config))
    assert ran.code == 78
    assert "seal" in ran.err

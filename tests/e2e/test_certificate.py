"""`acuse certificate` with the real daemon, a seal of our own and a TSA on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.office import Office
from tests.support.process import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "Su factura 2026/117 vence el 30 de noviembre."


class Desk:
    """A site that can issue certificates, and what a verifier trusts."""

    def __init__(self, site: Site, office: Office) -> None:
        self.site = site
        self.office = office
        self.trust: tuple[str, ...] = ()
        self.ids: list[str] = []

    def settle(self, count: int) -> None:
        """Messages that end delivered."""
        for number in range(count):
            options = ("--from", "ACME", "--brand", "acme", "--category", "legal_notice")
            to = f"+3460011122{number}"
            done = self.site.acuse(
                "submit", "--to", to, *options, "--text", TEXT, "--wait", "--json"
            )
            assert done.json()["state"] == "delivered", done
            self.ids.append(done.json()["submission_id"])
        vkey = self.site.acuse("ledger", "head", "--json").json()["vkey"]
        policy = self.site.directory / "trusted.policy"
        policy.write_text(f"log {vkey}\nquorum none\n")
        trusted = {
            "--policy": policy,
            "--tsa-ca": self.office.tsa.ca_file,
            "--signer-ca": self.office.files.ca,
        }
        self.trust = tuple(str(word) for pair in trusted.items() for word in pair)

    def verdict(self, path: Path) -> str:
        """What `acuse verify` says of a file."""
        return str(self.site.acuse("verify", str(path), *self.trust, "--json").json()["verdict"])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    directory = tmp_path_factory.mktemp("office")
    with Office.open(directory) as office, Site.open({"movistar": {}}) as site:
        site.config.write_text(site.config.read_text() + office.toml())
        site.serve().ready()
        desk = Desk(site, office)
        desk.settle(3)
        yield desk


def test_one_certificate_is_issued_checked_and_renewed(desk: Desk, tmp_path: Path) -> None:
    site, path = desk.site, tmp_path / "one.pdf"
    made = site.acuse("certificate", desk.ids[0], "-o", str(path), "--lang", "en", "--json")
    assert made.code == 0, made.err
    said = made.json()
    assert (said["submission_id"], said["language"], said["sealed"]) == (desk.ids[0], "en", True)
    assert said["bytes"] == path.stat().st_size
    report = site.acuse("verify", str(path), *desk.trust, "--json").json()
    assert (report["verdict"], report["state"]) == ("VALID", "delivered")
    assert report["certificate"]["language"] == "en"

    before = path.read_bytes()
    assert site.acuse("certificate", "--renew", str(path)).code == 0
    assert path.read_bytes().startswith(before)
    report = site.acuse("verify", str(path), *desk.trust, "--json").json()
    assert (report["verdict"], report["certificate"]["time_stamps"]) == ("VALID", 2)

    spoiled = tmp_path / "spoiled.pdf"
    spoiled.write_bytes(before[:-200] + b"\n" + before[-199:])
    refused = site.acuse("certificate", "--renew", str(spoiled), "--json")
    assert refused.code == 1
    assert "does not hold" in refused.json()["error"]["message"]


def test_a_redacted_certificate_shows_less_and_verifies(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "redacted.pdf"
    options = ("-o", str(path), "--redact", "text", "--redact", "to")
    assert desk.site.acuse("certificate", desk.ids[0], *options).code == 0
    assert desk.verdict(path) == "VALID"


def test_an_unsealed_certificate_is_never_valid(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "unsealed.pdf"
    assert desk.site.acuse("certificate", desk.ids[0], "-o", str(path), "--unsealed").code == 0
    assert desk.verdict(path) == "UNANCHORED"


def test_many_are_issued_once_and_again_only_when_something_happened(
    desk: Desk, tmp_path: Path
) -> None:
    directory = tmp_path / "many"
    batch = ("certificate", "--since", "1d", "-o", str(directory), "--json")
    first = desk.site.acuse(*batch)
    assert first.code == 0, first.err
    assert [each["submission_id"] for each in first.lines()] == desk.ids
    files = sorted(directory.iterdir())
    assert {path.name.split(".")[0] for path in files} == set(desk.ids)
    assert {path.name.split(".")[2] for path in files} == {"es"}
    checked = desk.site.acuse("verify", *map(str, files), *desk.trust, "--json")
    assert [each["verdict"] for each in checked.lines()] == ["VALID"] * 3

    again = desk.site.acuse(*batch)
    assert (again.code, again.lines()) == (0, [])
    assert "3 were there" in again.err
    files[0].unlink()
    assert len(desk.site.acuse(*batch).lines()) == 1
    assert len(desk.site.acuse(*batch, "--force").lines()) == 3
    assert desk.site.acuse(*batch, "--state", "undelivered", "--force").lines() == []


def test_wrong_use_is_told_before_anything_is_made(desk: Desk, tmp_path: Path) -> None:
    acuse = desk.site.acuse
    missing = "01990c4e-6a00-7000-8000-000000000000"
    for arguments, code in (
        (("--renew", "no-such-file.pdf"), 65),
        ((missing, "-o", str(tmp_path / "none.pdf")), 1),
    ):
        done = acuse("certificate", *arguments)
        assert done.code == code, (arguments, done)
        assert "hint" in done.err + done.out
    assert list(tmp_path.iterdir()) == []


def test_without_seal_the_way_out_is_named(desk: Desk, tmp_path: Path) -> None:
    plain = tmp_path / "plain.toml"
    text = desk.site.config.read_text()
    plain.write_text(text[: text.index("[seal]")] + text[text.index("[[timestamp]]") :])
    plain.chmod(0o600)
    path = tmp_path / "none.pdf"
    options = ("--config", str(plain), "--socket", str(desk.site.directory / "admin.sock"))
    done = desk.site.acuse("certificate", desk.ids[0], "-o", str(path), "--json", *options)
    assert done.code == 78
    assert json.loads(done.out)["error"]["fields"]["setting"] == "seal.certificate"
    assert "--unsealed" in json.loads(done.out)["error"]["hint"]
    assert not path.exists()

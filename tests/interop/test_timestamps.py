"""Time stamps by OpenSSL: real ones are believed, it believes what we keep, lies are seen."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from gateway.errors import DataError
from gateway.evidence.records import LEDGER_FILE
from gateway.evidence.rfc3161 import ask, read_answer, trusting
from gateway.ledger.note import open_note
from gateway.ledger.outside import OutsideReader
from gateway.ledger.reader import Reader
from gateway.sim.authority import StampingAuthority
from tests.interop.openssl_tsa import openssl, serving
from tests.support.process import Site, wait_until
from tests.support.tokens import NOTE

TIMESTAMP = """
[[timestamp]]
name = "openssl"
url = "{url}"
ca_file = "{ca}"
policy_oid = "1.2.3.4.1"
"""


def stamp_time() -> datetime:
    return datetime.now(UTC)


def token_of(url: str) -> bytes:
    query = ask(NOTE, 77, "1.2.3.4.1")
    headers = {"content-type": "application/timestamp-query"}
    with httpx.Client(trust_env=False) as client:
        reply = client.post(url, content=query.der, headers=headers, timeout=60)
    return read_answer(query, reply.content)


def openssl_believes(directory: Path, token: bytes, text: str, ca: Path) -> None:
    (directory / "token.der").write_bytes(token)
    (directory / "note.txt").write_text(text)
    files = ("-data", str(directory / "note.txt"), "-in", str(directory / "token.der"))
    openssl("ts", "-verify", *files, "-token_in", "-CAfile", str(ca))


@pytest.mark.parametrize("kind", ["right", "with-chain"])
def test_tokens_of_openssl_are_believed(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, kind) as (tsa, url):
        token = token_of(url)
        stamp = trusting(tsa.ca.read_bytes())(token, NOTE)
        assert stamp is not None
        assert stamp.accuracy_ms == 1000
        openssl_believes(tmp_path, token, NOTE, tsa.ca)
        with pytest.raises(DataError, match="over something else"):
            trusting(tsa.ca.read_bytes())(token, NOTE + " ")
        assert trusting(StampingAuthority(stamp_time()).ca_pem)(token, NOTE) is None


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("expired", "was not valid at the time it states"),
        ("no-eku", "not for time stamps alone"),
        ("other-imprint", "something else than was asked"),
    ],
)
def test_an_openssl_that_lies_is_not(tmp_path: Path, kind: str, why: str) -> None:
    with serving(tmp_path, kind) as (tsa, url), pytest.raises(DataError, match=why):
        trusting(tsa.ca.read_bytes())(token_of(url), NOTE)


def test_a_daemon_stamped_by_openssl_gives_valid_proofs_and_openssl_checks_what_it_keeps(
    tmp_path: Path,
) -> None:
    with Site.open({"movistar": {}}) as site, serving(tmp_path, "with-chain") as (tsa, url):
        with site.config.open("a") as file:
            file.write(TIMESTAMP.format(url=url, ca=tsa.ca))
        daemon = site.serve().ready()
        message = ("--to", "+34600111222", "--text", "hola", "--category", "legal_notice")
        sent = site.acuse("submit", *message, "--wait", "--json").json()
        site.acuse("ledger", "checkpoint")
        wait_until(lambda: daemon.events("ledger.anchored"), "a token is anchored")
        proof, policy = site.directory / "proof.json", site.directory / "trusted.policy"
        assert site.acuse("bundle", sent["submission_id"], "-o", str(proof)).code == 0
        vkey = json.loads(proof.read_text())["log"]
        policy.write_text(f"log {vkey}\nquorum none\n")
        trust = ("--policy", str(policy), "--tsa-ca", str(tsa.ca), "--json")
        assert site.acuse("verify", str(proof), *trust).json()["verdict"] == "VALID"
        as_documented(tmp_path, proof)
        daemon.stop()
        assert site.acuse("ledger", "verify", *trust).json()["verdict"] == "VALID"
        with closing(Reader(site.data / LEDGER_FILE)) as reader:
            outside = OutsideReader(reader)
            size = outside.stamped_size()
            (row,) = outside.tokens(size)
            note = outside.note(size)
        assert note is not None
        openssl_believes(tmp_path, row.token, open_note(note)[0], tsa.ca)


def as_documented(directory: Path, proof: Path) -> None:
    """Run the commands of docs/timestamps.md; they end with openssl's verdict."""
    shutil.copy(proof, directory / "proof.json")
    shutil.copy(directory / "ca.pem", directory / "tsa-ca.pem")
    page = (Path(__file__).parents[2] / "docs" / "timestamps.md").read_text()
    commands = page.rpartition("```sh\n")[2].partition("```")[0]
    assert commands.splitlines()[-1].startswith("openssl ts -verify")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Verification: OK\n"), done.stderr


def test_openssl_believes_the_demo_s_authority(tmp_path: Path) -> None:
    maker = StampingAuthority(stamp_time())
    query = ask(NOTE, 5)
    token = read_answer(query, maker.answer(query.der, stamp_time()))
    ca = tmp_path / "demo-ca.pem"
    ca.write_bytes(maker.ca_pem)
    openssl_believes(tmp_path, token, NOTE, ca)

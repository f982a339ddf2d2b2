"""The real daemon, a real time stamp server, and the verifier: from a submission to VALID."""

from __future__ import annotations

import base64
import json
import random
import sqlite3
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from gateway.evidence.records import LEDGER_FILE
from tests.support.process import Child, Site, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMESTAMP = """
[[timestamp]]
name = "tsa"
url = "http://127.0.0.1:{port}/tsr"
ca_file = "{ca}"
"""


@contextmanager
def stamping(site: Site, *options: str) -> Iterator[Path]:
    """A time stamp server that the site's daemon is configured to ask; its certificate."""
    ca = site.directory / "tsa-ca.pem"
    command = [sys.executable, "-m", "gateway.sim.tsa", "--port", "0", "--ca", str(ca), *options]
    with Child(command, site.directory / "tsa.log") as server:
        port = server.line()["port"]
        with site.config.open("a") as file:
            file.write(TIMESTAMP.format(port=port, ca=ca))
        yield ca


def delivered(site: Site) -> str:
    message = ("--to", "+34600111222", "--text", "hola", "--category", "legal_notice")
    sent = site.acuse("submit", *message, "--wait", "--json").json()
    assert sent["state"] == "delivered"
    submission_id: str = sent["submission_id"]
    return submission_id


def trust(site: Site, ca: Path) -> tuple[str, ...]:
    head = site.acuse("ledger", "head", "--json").json()
    policy = site.directory / "trusted.policy"
    policy.write_text(f"log {head['vkey']}\nquorum none\n")
    return ("--policy", str(policy), "--tsa-ca", str(ca), "--json")


def with_token(bundle: dict[str, Any], token: bytes) -> str:
    first, *rest = bundle["timestamps"]
    altered = {**first, "token": base64.b64encode(token).decode()}
    return json.dumps({**bundle, "timestamps": [altered, *rest]})


def test_a_delivered_message_becomes_a_proof_with_the_time_from_outside() -> None:
    with Site.open({"movistar": {}}) as site, stamping(site) as ca:
        daemon = site.serve().ready()
        submission_id = delivered(site)
        proof = site.directory / "proof.json"
        assert site.acuse("bundle", submission_id, "-o", str(proof)).code == 0
        options = trust(site, ca)
        report = site.acuse("verify", str(proof), *options)
        assert (report.code, report.json()["verdict"]) == (0, "VALID")
        assert report.json()["time"]["not_after"] is not None
        shown = site.acuse("receipts", "show", submission_id, "--json").json()
        assert shown["seal"]["anchored"] is True
        anchors = daemon.status()["anchors"]
        assert (anchors["pending"], anchors["sources"][0]["state"]) == (False, "done")
        assert "anchors     up to" in site.acuse("status").out
        assert daemon.events("ledger.anchored")

        # Its signature, and what that is over, cannot be changed.
        bundle = json.loads(proof.read_text())
        token = base64.b64decode(bundle["timestamps"][0]["token"])
        place = len(token) - random.Random(5).randrange(1, 200)
        spoiled = site.directory / "spoiled.json"
        spoiled.write_text(
            with_token(bundle, token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :])
        )
        report = site.acuse("verify", str(spoiled), *options)
        assert (report.code, report.json()["verdict"]) == (1, "INVALID")
        assert report.json()["reason"].startswith("timestamp:")
        daemon.stop()

        # The whole ledger, with nobody there any more.
        report = site.acuse("ledger", "verify", *options)
        assert (report.code, report.json()["verdict"]) == (0, "VALID")
        with closing(sqlite3.connect(site.data / LEDGER_FILE)) as file, file:
            altered = "CAST(substr(token, 1, length(token) - 1) || x'00' AS BLOB)"
            file.execute(f"UPDATE tokens SET token = {altered}")
        report = site.acuse("ledger", "verify", *options)
        assert (report.code, report.json()["verdict"]) == (1, "INVALID")
        assert report.json()["reason"].startswith("timestamp: a token that the anchor")


def test_with_a_lying_authority_messages_go_out_and_nothing_is_anchored() -> None:
    with Site.open({"movistar": {}}) as site, stamping(site, "--behaviour", "expired") as ca:
        daemon = site.serve().ready()
        submission_id = delivered(site)
        proof = site.directory / "proof.json"
        assert site.acuse("bundle", submission_id, "-o", str(proof)).code == 0
        options = trust(site, ca)
        report = site.acuse("verify", str(proof), *options)
        assert (report.code, report.json()["verdict"]) == (4, "UNANCHORED")
        wait_until(lambda: daemon.events("timestamp.failed"), "it is told")
        told = daemon.status()["anchors"]["sources"][0]
        assert (told["state"], "was not valid" in told["last_error"]) == ("failing", True)
        assert "tsa: the certificate of the time stamp was not" in site.acuse("status").out
        daemon.stop()
        ledger = site.acuse("ledger", "verify", *options)
        assert ledger.json()["verdict"] == "UNANCHORED"


def test_what_was_erased_by_law_is_valid_still_and_says_so() -> None:
    with Site.open({"movistar": {}}) as site, stamping(site) as ca:
        site.serve().ready()
        submission_id = delivered(site)
        before, after = site.directory / "before.json", site.directory / "after.json"
        assert site.acuse("bundle", submission_id, "-o", str(before)).code == 0
        erase = ("ledger", "erase", submission_id, "--basis", "GDPR 17(1)(b)", "--yes")
        assert site.acuse(*erase).code == 0
        assert site.acuse("ledger", "checkpoint").code == 0
        assert site.acuse("bundle", submission_id, "-o", str(after)).code == 0
        options = trust(site, ca)
        for proof, code, verdict in ((before, 0, "VALID"), (after, 6, "VALID-ERASED")):
            report = site.acuse("verify", str(proof), *options)
            assert (report.code, report.json()["verdict"]) == (code, verdict)
        assert "hola" in before.read_text()
        assert "hola" not in after.read_text()
        whole = site.acuse("ledger", "verify", *options)
        assert (whole.code, whole.json()["verdict"]) == (0, "VALID")

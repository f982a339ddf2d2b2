"""A text replaced at the operator, through the real daemon, the simulator and the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.ledger.verify import verify_bundle
from tests.support.process import Site, wait_until

if TYPE_CHECKING:
    from pathlib import Path


def test_a_replaced_text_arrives_and_the_old_one_s_proof_does_not_say_it_did(
    tmp_path: Path,
) -> None:
    options = {"seed": 5, "receipt_delay_min_s": 4.0, "receipt_delay_max_s": 4.0}
    settings = "replace_sm = true\ncancel_sm = true\nquery_sm = true"
    with Site.open({"movistar": options}, settings=settings) as site:
        site.serve().ready()
        args = ("--to", "+34600111222", "--category", "legal_notice", "--json")
        old = site.acuse("submit", *args, "--text", "Vence el 30").json()["submission_id"]
        other = site.acuse("submit", *args, "--text", "Vence el 29").json()["submission_id"]

        def state(submission_id: str) -> object:
            return site.acuse("receipts", "show", submission_id, "--json").json()["state"]

        wait_until(lambda: state(other) == "accepted", "the operator took both")
        ran = site.acuse("messages", "replace", old, "--text", "Vence el 31", "--json")
        cancelled = site.acuse("messages", "cancel", other, "--json")
        assert (ran.code, ran.json()["replaces"]) == (0, old)
        assert cancelled.json()["asked"] == 1
        new = ran.json()["submission_id"]
        wait_until(lambda: state(new) == "delivered", "the receipt of the new text")
        assert (state(old), state(other)) == ("deleted", "deleted")
        again = site.acuse("messages", "replace", old, "--text", "tarde", "--json")
        assert again.code == 1
        shown = site.acuse("messages", "show", old)
        assert f"replaced_by {new}" in " ".join(shown.out.split())
        assert site.simulators["movistar"].journal("replaced")[0]["octets"] == b"Vence el 31".hex()
        receipt = site.acuse("receipts", "show", new, "--json").json()["receipts"][0]
        assert b"text:Vence el 31" in bytes.fromhex(receipt["raw"])
        file = tmp_path / "old.json"
        assert site.acuse("bundle", old, "-o", str(file)).code == 0
        text = file.read_bytes()
        assert not any(
            b'"ev":"E.1"' in each["entry"].encode() for each in json.loads(text)["entries"]
        )
        assert verify_bundle(text, now_ms=1 << 45).state == "deleted"

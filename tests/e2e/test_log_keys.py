"""The log's keys on the command line: changed under a running daemon, printed for verifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.ledger.policyfile import parse_policy
from tests.support.ledgers import Witness
from tests.support.process import Site
from tests.support.sealed import broken_checks

if TYPE_CHECKING:
    from pathlib import Path

WITNESSES = [Witness(f"w{n}.example") for n in range(2)]


def test_a_key_is_changed_and_every_proof_still_checks(tmp_path: Path) -> None:
    with Site.open({"movistar": {}}) as site:
        daemon = site.serve().ready()
        made = site.acuse(
            *("submit", "--to", "+34600111222", "--from", "ACME", "--brand", "acme"),
            *("--category", "legal_notice", "--text", "Su factura vence", "--wait", "--json"),
        )
        submission_id = made.json()["submission_id"]
        head = site.acuse("ledger", "head", "--json").json()
        assert head["old_vkeys"] == []
        said = site.acuse("ledger", "rotate-key", "--json").json()
        assert said["old"] == head["vkey"]
        again = site.acuse("ledger", "rotate-key")
        assert again.code == 0
        assert "destroy it" in again.err
        now = site.acuse("ledger", "head", "--json").json()
        assert now["old_vkeys"] == [said["old"], said["new"]]
        bundle = site.directory / "proof.json"
        assert site.acuse("bundle", submission_id, "-o", str(bundle)).code == 0
        policy = site.directory / "trusted.policy"
        for vkey in (now["vkey"], *now["old_vkeys"]):
            policy.write_text(f"log {vkey}\nquorum none\n")
            for what in (("verify", str(bundle)), ("ledger", "verify")):
                ran = site.acuse(*what, "--policy", str(policy), "--json")
                assert broken_checks(ran.json()) == {"timestamp"}, (what, vkey)
        changed = daemon.events("ledger.key_changed")
        assert [each["old"] for each in changed] == now["old_vkeys"]
        daemon.stop()
        # Without a policy the file's own key is enough to find nothing wrong.
        ran = site.acuse("ledger", "verify", "--json")
        assert broken_checks(ran.json()) == {"policy", "timestamp"}


def test_the_policy_for_verifiers_is_printed_with_and_without_the_daemon() -> None:
    tables = "".join(
        f'[[witness]]\nname = "w{n}"\nurl = "http://127.0.0.1:1"\nvkey = "{each.vkey}"\n'
        for n, each in enumerate(WITNESSES)
    )
    with Site.open({"movistar": {}}, gateway=tables) as site:
        daemon = site.serve().ready()
        site.acuse("ledger", "rotate-key")
        online = site.acuse("ledger", "policy")
        daemon.stop()
        offline = site.acuse("ledger", "policy")
        assert (online.code, offline.code) == (0, 0), offline.err
        assert online.out == offline.out
        assert site.acuse("ledger", "policy", "--json").json() == {"policy": online.out}
        policy = parse_policy(online.out.encode())
        assert len(policy.logs) == 2
        assert [key.vkey for key in policy.witnesses.values()] == [w.vkey for w in WITNESSES]
        assert policy.satisfied({"w1"})
        assert not policy.satisfied(set())

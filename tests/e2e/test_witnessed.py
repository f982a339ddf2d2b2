"""A daemon and its witness as processes: cosigned, killed, rolled back, adopted, ended."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from gateway.evidence.keyfile import write_key
from gateway.evidence.vault import LOG_KEY
from gateway.ledger.note import open_note
from tests.e2e.test_witness import Process
from tests.support.ledgers import seed
from tests.support.process import Site, wait_until
from tests.support.sealed import broken_checks, entries_of_file
from tests.support.witnesses import LOG
from tests.support.world import write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.process import Daemon

TABLE = '\n[[witness]]\nname = "notary"\nurl = "{url}"\nvkey = "{vkey}"\ntimeout_s = 5\n'


def configure(site: Site, more: str, *, epoch: str = "1", data: Path | None = None) -> None:
    """The site's configuration with a key known beforehand, quick checkpoints, and *more*."""
    ports = {name: simulator.port for name, simulator in site.simulators.items()}
    ledger = f'[ledger]\nepoch = "{epoch}"\ncheckpoint_every_s = 1\n'
    if epoch == "1":
        ledger += f'key = {{file = "{site.directory}/log-key"}}\n'
    write_config(site.directory, {"movistar": ""}, ports=ports, gateway=ledger + more)
    if data is not None:
        text = site.config.read_text()
        site.config.write_text(text.replace(f'"{site.data}"', f'"{data}"'))


def sent(site: Site) -> str:
    ran = site.acuse(
        *("submit", "--to", "+34600111222", "--from", "ACME", "--brand", "acme"),
        *("--category", "legal_notice", "--text", "Su factura vence", "--wait", "--json"),
    )
    submission_id: str = ran.json()["submission_id"]
    return submission_id


def anchors(site: Site) -> dict[str, Any]:
    shown: dict[str, Any] = site.acuse("status", "--json").json()["anchors"]
    return shown


def serve(site: Site) -> Daemon:
    return site.serve().ready()


def witnessed(site: Site) -> None:
    """Wait until the newest checkpoint is cosigned."""
    site.acuse("ledger", "checkpoint")
    wait_until(lambda: not anchors(site)["pending"], "the newest checkpoint is cosigned")


def test_a_checkpoint_is_cosigned_and_a_restored_backup_is_found_out() -> None:
    with ExitStack() as stack:
        site = stack.enter_context(Site.open({"movistar": {}}))
        write_key(site.directory / "log-key", LOG_KEY, seed("world"))
        options = ("--name", "notary.example/1", "--log", LOG.vkey)
        witness = stack.enter_context(Process(site.directory, *options))
        configure(site, TABLE.format(**witness.said))
        daemon = serve(site)
        first = sent(site)
        witnessed(site)
        bundle, policy = site.directory / "proof.json", site.directory / "trusted.policy"
        assert site.acuse("bundle", first, "-o", str(bundle)).code == 0
        policy.write_text(site.acuse("ledger", "policy").out)
        assert "quorum notary" in policy.read_text()
        ran = site.acuse("verify", str(bundle), "--policy", str(policy), "--json")
        assert broken_checks(ran.json()) == {"timestamp"}
        daemon.stop()
        ran = site.acuse("ledger", "verify", "--policy", str(policy), "--json")
        assert broken_checks(ran.json()) == {"timestamp"}

        backup = site.directory / "backup"
        shutil.copytree(site.data, backup)
        daemon = serve(site)
        sent(site)
        witnessed(site)
        daemon.stop()
        newest = site.directory / "newest"
        site.data.rename(newest)
        backup.rename(site.data)
        daemon = site.serve()
        assert (
            daemon.wait() == 74
        )  # it signs once, is shown the other history, and is to sign again
        (told,) = daemon.events("ledger.contradicted")
        assert told["proven"] is True
        ours, theirs = (open_note(told[side])[0].split("\n") for side in ("ours", "theirs"))
        assert (ours[0], int(ours[1]) < int(theirs[1])) == (theirs[0], True)
        again = site.serve()
        assert again.wait() == 74
        assert "another history" in again.events("daemon.failed")[-1]["reason"]

        shutil.rmtree(site.data)
        newest.rename(site.data)
        daemon = serve(site)
        sent(site)
        witnessed(site)
        daemon.stop()


def test_a_lost_memory_is_adopted_and_an_epoch_ended_on_the_command_line() -> None:
    with Site.open({"movistar": {}}) as site:
        daemon = serve(site)
        first = sent(site)
        known = site.directory / "known"
        known.write_text(site.acuse("ledger", "checkpoint").out)
        refused = site.acuse("ledger", "adopt", "--known", str(known))
        assert refused.code == 75, refused.err  # the daemon runs
        daemon.stop()
        assert site.acuse("ledger", "adopt", "--known", str(known)).code == 1
        (site.data / "signer-state").unlink()
        assert site.acuse("ledger", "adopt").code == 64
        assert site.acuse("ledger", "adopt", "--known", str(known), "--unchecked").code == 64
        adopted = site.acuse("ledger", "adopt", "--known", str(known), "--json").json()
        assert adopted["compared"] is True
        serve(site).stop()
        assert "x.Admin" in [entry["ev"] for entry in entries_of_file(site.data)]

        new = site.directory / "data-2"
        begun = site.acuse("ledger", "new-epoch", "2", "--dir", str(new), "--json")
        assert begun.code == 0, begun.err
        assert begun.json()["origin"] == "sms.example.es/2"
        again = site.acuse("ledger", "new-epoch", "3", "--dir", str(new))
        assert again.code == 74
        old = site.config.read_text()
        assert site.acuse("ledger", "verify", "--json").json()["verdict"] == "UNANCHORED"
        site.config.write_text(
            old.replace(f'"{site.data}"', f'"{new}"') + '\n[ledger]\nepoch = "2"\n'
        )
        daemon = serve(site)
        assert site.acuse("receipts", "show", first, "--json").code == 1
        second = sent(site)
        assert site.acuse("bundle", second, "-o", str(site.directory / "p")).code == 0
        daemon.stop()
        assert site.acuse("ledger", "verify", "--json").json()["verdict"] == "UNANCHORED"
        assert entries_of_file(new)[0]["follows"]["note"] == begun.json()["follows"]

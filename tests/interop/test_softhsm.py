"""The log's key in a hardware module, as far as SoftHSM2 is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.softhsm import SoftHsm
from tests.support.process import Site, environment
from tests.support.sealed import broken_checks
from tests.support.world import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.process import Daemon


@pytest.fixture
def hsm(tmp_path: Path) -> SoftHsm:
    made = SoftHsm.make(tmp_path)
    made.make_key("ledger-key")
    return made


@pytest.fixture
def site() -> Iterator[Site]:
    with Site.open({"movistar": {}}) as made:
        yield made


def configure(site: Site, ledger: str) -> None:
    ports = {name: simulator.port for name, simulator in site.simulators.items()}
    write_config(site.directory, {"movistar": ""}, ports=ports, gateway=f"[ledger]\n{ledger}")


def serve(site: Site, hsm: SoftHsm) -> Daemon:
    return site.serve(env=environment(**hsm.env))


def sent(site: Site) -> str:
    ran = site.acuse(
        *("submit", "--to", "+34600111222", "--from", "ACME", "--brand", "acme"),
        *("--category", "legal_notice", "--text", "Su factura vence", "--wait", "--json"),
    )
    submission_id: str = ran.json()["submission_id"]
    return submission_id


def assert_both_hold(site: Site, submission_id: str, vkey: str) -> None:
    """The bundle and the whole ledger, for somebody who pins that key."""
    bundle, policy = site.directory / "proof.json", site.directory / "trusted.policy"
    assert site.acuse("bundle", submission_id, "-o", str(bundle)).code == 0
    policy.write_text(f"log {vkey}\nquorum none\n")
    for what in (("verify", str(bundle)), ("ledger", "verify")):
        ran = site.acuse(*what, "--policy", str(policy), "--json")
        assert broken_checks(ran.json()) == {"timestamp"}, what


def test_the_log_is_signed_by_a_key_that_never_leaves_its_module(site: Site, hsm: SoftHsm) -> None:
    configure(site, f"key = {hsm.key('ledger-key')}")
    for _ in range(2):
        daemon = serve(site, hsm).ready()
        vkey = site.acuse("ledger", "head", "--json").json()["vkey"]
        assert_both_hold(site, sent(site), vkey)
        daemon.stop()
    assert not (site.data / "keys" / "log-key").exists()


def test_the_key_is_changed_for_another_one_of_the_same_module(site: Site, hsm: SoftHsm) -> None:
    configure(site, f"key = {hsm.key('ledger-key')}")
    daemon = serve(site, hsm).ready()
    old, first = site.acuse("ledger", "head", "--json").json()["vkey"], sent(site)
    daemon.stop()
    hsm.make_key("ledger-key-2")
    keys = f"key = {hsm.key('ledger-key-2')}\nold_key = {hsm.key('ledger-key')}"
    configure(site, keys)
    daemon = serve(site, hsm).ready()
    assert site.acuse("ledger", "checkpoint").code == 0
    new = site.acuse("ledger", "head", "--json").json()["vkey"]
    assert new != old
    for vkey in (old, new):
        assert_both_hold(site, first, vkey)
    daemon.stop()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"label": "nothing"}, "No key"),
        ({"label": "ledger-key", "token": "other"}, "No token"),
        ({"label": "ledger-key", "pin": "wrong-pin"}, "PIN is wrong"),
        ({"label": "p256"}, "No key"),
    ],
)
def test_a_key_that_cannot_be_used_is_told_by_name(
    site: Site, hsm: SoftHsm, given: dict[str, str], says: str
) -> None:
    hsm.make_key("p256", curve="1.2.840.10045.3.1.7")
    configure(site, f"key = {hsm.key(**given)}")
    daemon = serve(site, hsm)
    assert daemon.wait() == 74
    (failed,) = daemon.events("daemon.failed")
    assert says in failed["reason"]
    assert "ledger.key.pkcs11" in failed["hint"]

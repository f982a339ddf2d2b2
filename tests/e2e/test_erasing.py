"""Erasing and legal holds with the real daemon, the real commands and the files on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.process import Site
from tests.support.remains import Remains, plain_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

ANNA, BERTA = "+34600111201", "+34600111202"
SECRET = "Zanahoria 7391 en el Registro de Toledo"
BASIS = ("--basis", "GDPR 17(1)(b), request 117")
WHY = ("--why", "court of Madrid, case 12 of 2026")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.open({"movistar": {"seed": 1}}) as made:
        made.serve().ready()
        yield made


def sent(site: Site, to: str = ANNA) -> str:
    ran = site.acuse(
        *("submit", "--to", to, "--from", "ACME", "--brand", "acme", "--text", SECRET),
        *("--category", "legal_notice", "--wait", "--json"),
    )
    assert ran.code == 0, ran.err
    submission_id: str = ran.json()["submission_id"]
    return submission_id


def error_of(ran: Any) -> dict[str, Any]:
    error: dict[str, Any] = ran.json()["error"]
    return error


def test_a_message_is_erased_and_its_proofs_hold(site: Site) -> None:
    gone, stays = sent(site), sent(site, BERTA)
    before, after = site.directory / "before.json", site.directory / "after.json"
    assert site.acuse("bundle", gone, "-o", str(before)).code == 0
    remains = Remains(site.data, plain_forms(ANNA, SECRET))
    remains.take_submission(gone)

    asked = site.acuse("ledger", "erase", gone, *BASIS)
    assert asked.code == 64
    assert "--yes" in asked.err
    assert site.acuse("receipts", "show", gone, "--json").json()["text"] == SECRET

    told = site.acuse("ledger", "erase", gone, *BASIS, "--yes", "--json")
    assert told.code == 0, told.err
    assert [each["submission_id"] for each in told.json()["erased"]] == [gone]
    assert told.json()["swept"] is True
    assert remains.found() == set()
    again = site.acuse("ledger", "erase", gone, *BASIS, "--yes")
    assert (again.code, again.out) == (0, f"{gone}  was erased before\n")

    shown = site.acuse("receipts", "show", gone)
    assert "erased on " in shown.out
    assert BASIS[1] in shown.out
    assert "x.Erased" in shown.out
    assert SECRET not in shown.out
    assert site.acuse("receipts", "list").code == 0
    assert site.acuse("messages", "show", gone).code == 0
    assert site.acuse("receipts", "show", stays, "--json").json()["text"] == SECRET

    assert site.acuse("bundle", gone, "-o", str(after)).code == 0
    for path, state in ((before, "delivered"), (after, "erased")):
        checked = site.acuse("verify", str(path), "--json")
        assert (checked.code, checked.json()["state"]) == (4, state)  # nobody outside vouches
    assert SECRET not in after.read_text()
    assert site.acuse("ledger", "verify", "--json").code == 4


def test_a_person_is_erased_but_for_what_a_court_wants(site: Site) -> None:
    to = "+34600111203"
    first, second = sent(site, to), sent(site, to)
    assert site.acuse("ledger", "hold", first, *WHY).out == f"{first}  held\n"
    refused = site.acuse("ledger", "erase", first, *BASIS, "--yes", "--json")
    assert (refused.code, error_of(refused)["fields"]["reason"]) == (1, "held")
    (held,) = site.acuse("ledger", "holds", "--json").lines()
    assert (held["submission_id"], held["why"]) == (first, WHY[1])
    assert WHY[1] in site.acuse("ledger", "holds").out

    told = site.acuse("ledger", "erase", "--to", to, *BASIS, "--yes")
    assert told.code == 1
    assert f"{second}  erased, entry " in told.out
    assert f"{first}  NOT erased: it is under legal hold: {WHY[1]}" in told.out
    assert "acuse ledger release" in told.err

    assert site.acuse("ledger", "release", "--to", to, *WHY).out == f"{first}  released\n"
    assert site.acuse("ledger", "holds", "--json").lines() == []
    assert site.acuse("ledger", "release", first, *WHY).code == 1
    assert site.acuse("ledger", "erase", "--to", to, *BASIS, "--yes").code == 0
    none = site.acuse("ledger", "erase", "--to", to, *BASIS, "--yes")
    assert (none.code, none.out) == (0, "no message to this recipient has content\n")
    nobody = site.acuse("ledger", "hold", "--to", to, *WHY)
    assert (nobody.code, nobody.out) == (0, "")
    assert "no message with content" in nobody.err


@pytest.mark.parametrize("arguments", [(), ("x", "--to", ANNA)])
def test_it_must_be_said_which(site: Site, arguments: tuple[str, ...]) -> None:
    for command in (("erase", *BASIS, "--yes"), ("hold", *WHY), ("release", *WHY)):
        ran = site.acuse("ledger", *command, *arguments, "--json")
        assert (ran.code, error_of(ran)["code"]) == (64, "usage")


def test_what_was_erased_stays_so_after_sigkill_and_is_read_without_a_daemon(site: Site) -> None:
    gone = sent(site)
    remains = Remains(site.data)
    remains.take_submission(gone)
    assert site.acuse("ledger", "erase", gone, *BASIS, "--yes").code == 0
    daemon = site.daemons[-1]
    daemon.kill()
    assert remains.found() == set()
    assert site.acuse("receipts", "show", gone, "--json").json()["state"] == "erased"
    assert site.acuse("messages", "list", "--state", "erased").code == 0
    assert site.acuse("ledger", "verify", "--json").code == 4
    assert SECRET not in daemon.log()
    assert ANNA[1:] not in daemon.log()
    site.serve().ready()
    assert remains.found() == set()

"""How the daemon begins and ends: what it refuses, how it drains, what systemd hears."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE
from gateway.evidence.vault import LOG_KEY
from tests.support.process import NotifySocket, Site, environment, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.cli.client import Client

NUMBER: Final = "+34600111222"
SILENT: Final = "+34600111930"


@pytest.fixture
def site() -> Iterator[Site]:
    """An operator that takes 0.7 s to answer."""
    with Site.open(
        {"movistar": {"seed": 1, "response_delay_s": 0.7, "receipt_delay_max_s": 0.06}}
    ) as made:
        yield made


@pytest.fixture(scope="module")
def used() -> Iterator[Site]:
    """A site whose daemon has run once, sent a message, and ended in good order."""
    with Site.open({"movistar": {"seed": 1, "receipt_delay_max_s": 0.06}}) as site:
        daemon = site.serve().ready()
        with site.admin() as admin:
            answer = submitted(admin)
            admin.call("messages.wait", {"submission_id": answer["submission_id"], "timeout_s": 30})
        daemon.stop()
        yield site


@pytest.fixture
def ended(used: Site) -> Iterator[Site]:
    """That site, to be damaged: its data is as it was when the test is over."""
    kept = used.directory / "kept"
    shutil.copytree(used.data, kept)
    yield used
    shutil.rmtree(used.data)
    kept.rename(used.data)


def submitted(admin: Client, to: str = NUMBER) -> dict[str, Any]:
    request = {"to": to, "text": "Su factura vence", "category": "legal_notice"}
    return admin.call("submit", request)


def refused(site: Site, code: int) -> str:
    """What the daemon says when it refuses to start with *code*."""
    ran = site.acuse("serve", "--config", str(site.config))
    assert (ran.code, ran.out) == (code, ""), ran
    assert "Traceback" not in ran.err
    return ran.err


# -- refusing to start -----------------------------------------------------------------------------


def test_a_second_daemon_on_the_same_data_directory_is_told_who_has_it(site: Site) -> None:
    first = site.serve().ready()
    told = refused(site, 75)
    assert str(first.pid) in told
    assert told.count("daemon.failed") == 1
    assert first.status()["ready"]  # and still has its socket
    other = site.config.with_name("other.toml")
    other.write_text(site.config.read_text().replace("/data", "/elsewhere"))
    other.chmod(0o600)
    ran = site.acuse("serve", "--config", str(other))
    assert ran.code == 78
    assert "another daemon answers" in ran.err
    assert first.status()["ready"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text + "[gateway\n", "line"),
        (lambda text: text.replace("data_dir", "datadir"), "data_dir"),
        (lambda text: text.replace("port = ", "port = 7"), "port"),
        (lambda text: text.replace('operators = ["movistar"]', 'operators = ["x"]'), "routes"),
        (lambda text: "", "gateway"),
    ],
    ids=["malformed", "unknown key", "impossible value", "unknown operator", "empty"],
)
def test_a_wrong_configuration_is_explained_and_nothing_is_made(
    site: Site, change: Callable[[str], str], told: str
) -> None:
    site.config.write_text(change(site.config.read_text()))
    assert told in refused(site, 78)
    assert not site.data.exists()
    ran = site.acuse("serve", "--config", str(site.config), "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (78, "config")
    assert ran.json()["error"]["message"]


def test_a_configuration_that_is_not_there_is_explained(site: Site) -> None:
    site.config.unlink()
    assert str(site.config) in refused(site, 78)


def _truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _from_the_future(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")


def _of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id=1")


def _no_database(path: Path) -> None:
    path.write_text("These are not the messages you are looking for.")


def _without_its_last_entry(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM entries WHERE seq=(SELECT max(seq) FROM entries)")


def _edited(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE entries SET entry=CAST(replace(entry, 'acme', 'acmf') AS BLOB) WHERE seq=2"
        )


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_truncate, "restore"),
        (_from_the_future, "schema version 99"),
        (_of_another_program, "not an Acuse ledger"),
        (_no_database, "not a SQLite file"),
        (_without_its_last_entry, "have been signed"),
        (_edited, "broken at entry"),
    ],
)
def test_a_damaged_ledger_is_refused_and_left_as_it_is(
    ended: Site, damage: Callable[[Path], None], told: str
) -> None:
    path = ended.data / LEDGER_FILE
    damage(path)
    content = path.read_bytes()
    said = refused(ended, 74)
    assert told in said
    assert said.count("daemon.failed") == 1
    assert path.read_bytes() == content


def test_receipts_of_a_damaged_ledger_are_one_error_too(ended: Site) -> None:
    _truncate(ended.data / LEDGER_FILE)
    for command in (("receipts", "list"), ("ledger", "verify"), ("ledger", "head")):
        ran = ended.acuse(*command, "--json")
        assert (ran.code, ran.json()["error"]["code"]) == (74, "storage"), ran


def test_a_key_that_others_can_read_is_refused(ended: Site) -> None:
    (ended.data / KEYS_DIRECTORY / LOG_KEY).chmod(0o644)
    assert LOG_KEY in refused(ended, 74)


# -- ending ----------------------------------------------------------------------------------------


def test_a_new_data_directory_is_private(ended: Site) -> None:
    modes = {p.relative_to(ended.data).as_posix(): p.stat().st_mode for p in ended.data.rglob("*")}
    assert ended.data.stat().st_mode & 0o077 == 0
    assert {name for name, mode in modes.items() if mode & 0o027} == set()
    assert not (ended.directory / "admin.sock").exists()


def test_sigterm_lets_a_message_in_flight_be_answered_first(site: Site) -> None:
    daemon = site.serve().ready()
    with site.admin() as admin:
        answer = submitted(admin)
        daemon.wait_for(lambda status: status["operators"][0]["in_flight"] == 1, "it is sent")
        daemon.send(signal.SIGTERM)
        wait_until(lambda: daemon.events("drain.started"), "the drain begins")
        late = site.acuse("submit", "--to", NUMBER, "--text", "x", "--category", "otp", "--json")
        assert (late.code, late.json()["error"]["code"]) == (75, "try_again")
        assert daemon.wait() == 0
    assert daemon.events("drain.finished")
    record = site.acuse("receipts", "show", answer["submission_id"], "--json").json()
    assert record["segments"][0]["outcome"] == "accepted"
    assert record["state"] in ("accepted", "delivered")
    report = site.acuse("ledger", "verify", "--json").json()
    assert report["verdict"] == "UNANCHORED"
    note = site.acuse("ledger", "head", "--json").json()
    assert note["checkpoint_size"] == note["size"]


def test_a_second_sigterm_stops_now_and_the_message_is_unknown(site: Site) -> None:
    daemon = site.serve().ready()
    with site.admin() as admin:
        answer = submitted(admin, SILENT)
        daemon.wait_for(lambda status: status["operators"][0]["in_flight"] == 1, "it is sent")
    daemon.send(signal.SIGTERM)
    wait_until(lambda: daemon.events("drain.started"), "the drain begins")
    daemon.send(signal.SIGTERM)
    assert daemon.wait(patience_s=8) == 0  # the drain would take until the answer is overdue
    record = site.acuse("receipts", "show", answer["submission_id"], "--json").json()
    assert (record["state"], record["segments"][0]["outcome"]) == ("unknown", "unknown")
    again = site.serve().ready()
    again.stop()
    assert len(site.simulators["movistar"].journal("accepted")) == 1


def test_after_a_crash_the_socket_it_left_behind_is_replaced(site: Site) -> None:
    daemon = site.serve().ready()
    daemon.kill()
    assert (site.directory / "admin.sock").exists()
    assert site.acuse("status", "--json").json()["error"]["code"] == "unreachable"
    site.serve().ready().stop()


def test_the_service_manager_hears_of_start_watchdog_and_stop(site: Site) -> None:
    with NotifySocket(site.directory) as manager:
        told = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "200000"}
        daemon = site.serve(env=environment(**told))
        assert manager.hear() == "READY=1"
        assert daemon.status()["ready"]
        assert [manager.hear(), manager.hear()] == ["WATCHDOG=1", "WATCHDOG=1"]
        daemon.send(signal.SIGTERM)
        heard = manager.hear()
        while heard == "WATCHDOG=1":
            heard = manager.hear()
        assert heard == "STOPPING=1"
        assert daemon.wait() == 0

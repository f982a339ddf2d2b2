"""A crash at every write of a small history, lost or persisted, and then a restart.

In virtual time, with the real daemon, store and signer; what comes after the restart is what a
submitter does: the same submissions again, with the same refs.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.cli.ledgerfile import check_ledger
from gateway.cli.verify import Trust
from gateway.evidence.permits import PersonRecords
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE
from gateway.evidence.vault import Vault
from gateway.ledger.reader import Reader
from gateway.ledger.schema import APPLICATION_ID, SCHEMA_VERSION, migrations
from gateway.ledger.store import Store
from gateway.sim.operator import Operator
from gateway.sim.options import SimOptions
from tests.crash.powercut import Cut, Mode, PowerCutError
from tests.crash.stored import FINAL, Stored
from tests.support.sealed import broken_checks
from tests.support.standalone import judge
from tests.support.world import NOON_MS, Daemon, World, write_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

ORIGIN: Final = "sms.example.es/1"
LONG: Final = "La factura vence el dia 30 de este mes; la segunda, el 15 del siguiente. " * 3
#: ref → recipient, text: delivered, failed in two segments, receipt first, throttled, refused.
MESSAGES: Final = {
    "plain": ("+34600111222", "Su factura vence"),
    "failing": ("+34600111901", LONG),
    "early": ("+34600111940", "Su pedido llega"),
    "throttled": ("+34600111921", "Su cita es hoy"),
    "twice": ("+34600111941", "Su clave es 1234"),
}
OPTED_OUT: Final = "+34600111244"
IMPORTED: Final = ("+34600111250", "+34600111251", "+34600111252")


@dataclass
class Scene:
    """A world, and what its submitter and its operator were told."""

    world: World
    journal: list[dict[str, Any]]
    acknowledged: dict[str, str] = field(default_factory=dict)
    bundle: str = ""
    vkey: str = ""

    @classmethod
    def make(cls, directory: Path) -> Scene:
        directory.mkdir()
        journal: list[dict[str, Any]] = []
        options = SimOptions(
            seed=7,
            response_delay_s=0.05,
            receipt_delay_min_s=0.1,
            receipt_delay_max_s=0.4,
            resend_s=2,
        )
        operator = Operator(options, wall_s=NOON_MS / 1000, journal=journal.append)
        config = write_config(
            directory,
            {"movistar": "enquire_link_s = 3600\ninactivity_s = 7200"},
            gateway="confirm_within_s = 60",
        )
        return cls(World(directory, {"movistar": operator}, config), journal)

    async def play(self, daemon: Daemon) -> None:
        """Submit, wait for the end of each, sign the log, take a proof."""
        await daemon.result("optout.add", to=OPTED_OUT)
        await self.permit(daemon)
        for ref, (to, text) in MESSAGES.items():
            answer = await daemon.submit(to, ref=ref, text=text)
            self._acknowledge(ref, answer)
        refused = await daemon.result("submit", to=OPTED_OUT, text="Oferta", ref="refused")
        self._acknowledge("refused", refused)
        assert refused["state"] == "refused"
        later = await daemon.submit("+34600111223", ref="later", not_before="2026-11-22T12:00:00Z")
        self._acknowledge("later", later)
        if later["state"] == "held":
            await daemon.result("messages.cancel", submission_id=later["submission_id"])
        for submission_id in self.acknowledged.values():
            record = await daemon.final(submission_id)
            assert record["seal"] is not None
        await daemon.result("ledger.checkpoint")
        found = await daemon.result("bundle", submission_id=self.acknowledged["failing"])
        self.bundle, self.vkey = found["bundle"], (await daemon.result("ledger.head"))["vkey"]

    async def permit(self, daemon: Daemon) -> None:
        """Say what persons allow, alone and in lists; all of it may be said again."""
        given = {"brand": "acme", "purpose": "cart", "method": "single"}
        await daemon.result("consent.grant", to=IMPORTED[0], at="2026-11-20T10:00:00Z", **given)
        rows = [{"to": number, "brand": "acme"} for number in IMPORTED]
        await daemon.result("optout.import", rows=rows)
        at = {"at": "2026-11-20T10:00:00Z"}
        await daemon.result("consent.import", rows=[row | given | at for row in rows[1:]])
        begun = await daemon.result("registry.begin", name="rne", as_of="2026-11-20T00:00:00Z")
        await daemon.result("registry.add", snapshot=begun["snapshot"], rows=rows)
        await daemon.result("registry.finish", snapshot=begun["snapshot"], sha256="ab" * 32)
        while (await daemon.result("registry.sweep"))["more"]:
            pass

    def _assert_permissions_are_whole(self) -> None:
        """Each is there once, whatever was cut off and said again, and each can be proven."""
        data = self.world.directory / "data"
        with closing(Reader(data / LEDGER_FILE)) as reader:
            records = PersonRecords(reader, Vault(data / KEYS_DIRECTORY))
            assert len(list(records.optouts({}))) == 1 + len(IMPORTED)
            assert len(list(records.consents({}))) == len(IMPORTED)
            assert [row["members"] for row in records.registries({})] == [len(IMPORTED)]
            for number in IMPORTED:
                left = records.optout({"to": number})["opted_out"]
                given = records.consent({"to": number})["consents"]
                assert [each["proof"]["disclose"] != {} for each in left] == [True]
                assert [each["proofs"][0]["disclose"] != {} for each in given] == [True]

    def _acknowledge(self, ref: str, answer: dict[str, Any]) -> None:
        assert self.acknowledged.setdefault(ref, answer["submission_id"]) == answer["submission_id"]

    def assert_promises_hold(self) -> None:
        """What must be true after any crash, once everything has ended."""
        data = self.world.directory / "data"
        stored = Stored.read(data)
        refs = {row.ref: row.submission_id for row in stored.submissions.values()}
        assert refs == self.acknowledged
        assert {row.state for row in stored.submissions.values()} <= FINAL | {"unknown"}
        assert {segment.outcome for segment in stored.segments.values()} <= {
            *("accepted", "rejected", "unknown", "pending"),
        }
        stored.assert_each_receipt_is_sealed_once()
        stored.assert_each_seal_is_the_only_one()
        operator = self.world.operators["movistar"]
        assert operator.duplicates() == {}
        told = Counter(
            (line["message_id"], line["stat"])
            for line in self.journal
            if line["event"] == "acknowledged"
        )
        assert not told - Counter((each.message_id, each.state) for each in stored.receipts)
        assert operator.report()["receipts_waiting"] == 0
        self._assert_permissions_are_whole()
        report = check_ledger(data / LEDGER_FILE, None, Trust(None, None, None))
        assert report.verdict == "UNANCHORED", f"{report.reason}: {_course(stored, report.reason)}"
        assert broken_checks(report.as_json()) == {"policy", "timestamp"}
        assert judge(self.bundle, self.vkey)[0] == 4


async def life(
    scene: Scene,
    cut: Cut,
    monkeypatch: pytest.MonkeyPatch,
) -> bool:
    """One life of the daemon; whether it was cut short."""
    try:
        with cut.wired(monkeypatch):
            async with scene.world.running() as daemon:
                await scene.play(daemon)
    except* PowerCutError:
        pass
    return len(cut.passed) == cut.at


async def test_the_history_that_is_cut_passes_every_kind_of_write(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, cut = Scene.make(tmp_path / "whole"), Cut()
    assert not await life(scene, cut, monkeypatch)
    scene.assert_promises_hold()
    assert set(cut.passed) == {"commit", "fsync", "link", "replace"}
    assert cut.passed.count("commit") > 12
    events = [entry["ev"] for entry in Stored.read(tmp_path / "whole" / "data").entries]
    assert set(events) >= {
        *("x.Genesis", "x.Boot", "x.OptOut", "x.Consent", "A.1", "A.2", "F.1", "E.1", "E.2", "S.1"),
        *("x.Attempt", "x.Cancelled", "x.CarrierReport", "x.Duplicate", "x.Orphan"),
    }


@pytest.mark.parametrize("mode", ["lost", "persisted"])
async def test_after_a_crash_at_any_write_every_promise_holds(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    at, cut_short = 0, True
    while cut_short:
        at += 1
        scene, cut = Scene.make(tmp_path / str(at)), Cut(at, mode)
        cut_short = await life(scene, cut, monkeypatch)
        if cut_short:
            print(f"{mode} at write {at}, {cut.passed[-1]}")
            await life(scene, Cut(), monkeypatch)
        scene.assert_promises_hold()
    assert at > 30


async def test_crashing_again_while_recovering_changes_nothing(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes with messages on the way, and again at each of the first writes after."""
    for again in range(1, 5):
        scene = Scene.make(tmp_path / str(again))
        assert await life(scene, Cut(26, "persisted"), monkeypatch)
        assert await life(scene, Cut(again, "persisted"), monkeypatch)
        assert await life(scene, Cut(again, "lost"), monkeypatch)
        await life(scene, Cut(), monkeypatch)
        scene.assert_promises_hold()


# -- the very first start --------------------------------------------------------------------------


def _half(connection: sqlite3.Connection) -> None:
    """As far as `open_file` is when only one of the two marks is made."""
    connection.execute("BEGIN")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")


def _version(connection: sqlite3.Connection) -> None:
    _half(connection)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _wal(connection: sqlite3.Connection) -> None:
    _version(connection)
    connection.execute("PRAGMA journal_mode=WAL")


def _migrations_table(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database

    _wal(connection)
    migrations.ensure_migrations_table(Database(connection))


def _tables(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database

    _wal(connection)
    migrations.apply(Database(connection))


@pytest.mark.parametrize(
    "begun", [lambda _: None, _half, _version, _wal, _migrations_table, _tables]
)
def test_a_first_start_that_was_cut_off_is_finished_by_the_next(
    tmp_path: Path, begun: Callable[[sqlite3.Connection], None]
) -> None:
    path = tmp_path / LEDGER_FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        begun(connection)
    store = Store.open(path, ORIGIN, now_ms=NOON_MS)
    store.append("x.Genesis", NOON_MS, {"software": "test", "format": "acuse-ledger/v1"})
    store.flush()
    store.commit()
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("SELECT origin FROM log").fetchall() == [(ORIGIN,)]


def _course(stored: Stored, reason: str | None) -> list[str]:
    """The events of the submission a verdict names."""
    mid = next((word.strip(":") for word in (reason or "").split() if word.count("-") == 4), None)
    return [entry["ev"] for entry in stored.entries if entry.get("mid") == mid]

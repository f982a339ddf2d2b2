"""The power goes in the middle of an erasure, or of the end of a month, at every write there is."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import trio

from gateway.cli.ledgerfile import check_ledger
from gateway.cli.verify import Trust
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE
from gateway.evidence.vault import months_in
from tests.crash.powercut import SYSTEM_CALLS, Cut, PowerCutError
from tests.daemon.test_erasing import SECRET, closed
from tests.support.deliveries import deliver, receipt
from tests.support.remains import Remains
from tests.support.sealed import broken_checks, entries_of_file
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from trio.testing import MockClock

    from tests.crash.powercut import Mode
    from tests.support.world import Daemon

    Act = Callable[[Daemon, list[str]], Awaitable[None]]

#: More than one batch of erasures.
MESSAGES = 70
CALLS = (*SYSTEM_CALLS, "unlink")
DAY_MS = 86_400_000


def made(directory: Path) -> World:
    return World.make(directory, gateway="[retention]\ncontent_days = 1")


async def prepared(world: World) -> list[str]:
    """Messages that are closed, one of them held, and a receipt of none; two weeks go by."""
    async with world.running() as daemon:
        ids = [await closed(daemon, f"+346001112{number:02}") for number in range(MESSAGES)]
        await deliver(daemon, receipt("nobody-knows", "34600111299"))
        await daemon.result("optout.add", to="+34600111298")
        await daemon.result("ledger.hold", submission_ids=[ids[0]], why="case 12")
    world.clock.offset_ms += 14 * DAY_MS
    return ids


async def erase(daemon: Daemon, ids: list[str]) -> None:
    told = await daemon.result("ledger.erase", submission_ids=ids, basis="GDPR 17")
    assert {each["reason"] for each in told["kept"]} == {"held"}


async def end_the_month(daemon: Daemon, ids: list[str]) -> None:
    await daemon.gateway.retention.end_months(daemon.gateway.pipeline.clock.now_ms())


def assert_never_half(data: Path, ids: list[str]) -> int:
    """Whatever was cut, content is whole, or gone and told of; of how many messages it is gone."""
    told = {entry.get("mid") for entry in entries_of_file(data) if entry["ev"] == "x.Erased"}
    query = "SELECT submission_id, state='erased', key IS NULL, request IS NULL, person=x'', ("
    query += "SELECT count(*) FROM segments g WHERE g.submission=s.id AND submit IS NOT NULL), ("
    query += "SELECT count(*) FROM receipts r WHERE r.submission=s.id AND raw IS NOT NULL)"
    with closing(sqlite3.connect(data / LEDGER_FILE)) as connection:
        for submission_id, *gone, submits, raws in connection.execute(
            f"{query} FROM submissions s"
        ):
            assert len(set(gone)) == 1
            assert (submission_id in told) == bool(gone[0])
            assert (submits, raws) == ((0, 0) if gone[0] else (1, 1))
    report = check_ledger(data / LEDGER_FILE, None, Trust(None, None, None))
    assert report.verdict == "UNANCHORED", report.reason
    assert broken_checks(report.as_json()) == {"policy", "timestamp"}
    return len(told & set(ids))


async def cut_life(
    world: World, act: Act, ids: list[str], cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """One life of the daemon that does *act*; whether it was cut short."""
    cut.armed = False
    try:
        with cut.wired(monkeypatch):
            async with world.running() as daemon:
                cut.armed = True
                await act(daemon, ids)
                cut.armed = False
    except* PowerCutError:
        pass
    return len(cut.passed) == cut.at


@pytest.mark.parametrize("mode", ["lost", "persisted"])
@pytest.mark.parametrize("act", [erase, end_the_month])
async def test_an_erasure_that_is_cut_off_anywhere_is_never_half_done_and_goes_on(
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    act: Act,
    mode: Mode,
) -> None:
    (tmp_path / "first").mkdir()
    first = made(tmp_path / "first")
    ids = await prepared(first)
    at, cut_short, between = 0, True, set()
    passed: list[str] = []
    while cut_short:
        at += 1
        directory = tmp_path / str(at)
        directory.mkdir()
        world, data = made(directory), directory / "data"
        world.clock.offset_ms = first.clock.offset_ms
        shutil.copytree(first.directory / "data", data)
        remains = Remains(data)
        for each in ids[1::10]:
            remains.take_submission(each)
        cut = Cut(at, mode, calls=CALLS)
        cut_short = await cut_life(world, act, ids, cut, monkeypatch)
        passed = cut.passed
        between.add(assert_never_half(data, ids))
        async with world.running() as daemon:
            await act(daemon, ids)
            await trio.sleep(120)  # a sweep that was cut off is done by then
            assert (await daemon.show(ids[0]))["text"] == SECRET
            assert not daemon.gateway.store.erasures.unswept()
        assert assert_never_half(data, ids) == MESSAGES - 1
        assert remains.found() == set()
        if act is end_the_month:
            assert "2026-11" not in months_in(data / KEYS_DIRECTORY)
            assert list((data / KEYS_DIRECTORY).glob("*kek-2026-11*")) == []
    assert between >= {0, MESSAGES - 1}
    assert len(between) > 2  # some were cut between two batches
    assert set(passed) >= ({"commit", "fsync", "unlink"} if act is end_the_month else {"commit"})


async def test_crashing_again_while_going_on_changes_nothing(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = made(tmp_path)
    ids = await prepared(world)
    for at in (2, 1, 3, 2, 5):
        await cut_life(world, end_the_month, ids, Cut(at, "persisted", calls=CALLS), monkeypatch)
        assert_never_half(tmp_path / "data", ids)
    async with world.running() as daemon:
        await end_the_month(daemon, ids)
    assert assert_never_half(tmp_path / "data", ids) == MESSAGES - 1

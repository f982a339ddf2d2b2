"""When a log cannot go on: adopting it after its signer forgot, and ending it with its epoch."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gateway.cli.ledgerfile import check_ledger
from gateway.cli.verify import Trust
from gateway.daemon.adopting import adopt
from gateway.errors import AnswerIsNo, DataError, StorageError
from gateway.evidence.epoch import FOLLOWED, begin_epoch
from gateway.evidence.records import LEDGER_FILE, SIGNER_STATE
from gateway.ledger.note import Checkpoint, Signer, Verifier, open_note, sign_note, verified_by
from gateway.ledger.policyfile import parse_policy
from gateway.settings import load_settings
from tests.daemon.test_rotation import judged, rests_on, sound
from tests.support.ledgers import seed
from tests.support.sealed import entries_of_file
from tests.support.world import NOON_MS, PROMOTION, World

if TYPE_CHECKING:
    from pathlib import Path

    import trio.testing

    from gateway.ledger.report import Report
    from tests.support.world import Daemon

TO = "+34600111222"
NAME = "sms.example.es"


async def sent(daemon: Daemon, to: str = TO, **given: object) -> str:
    submission_id: str = (await daemon.submit(to, **given))["submission_id"]
    await daemon.final(submission_id)
    return submission_id


def ledger_of(data: Path, vkey: str) -> Report:
    return check_ledger(data / LEDGER_FILE, None, Trust(rests_on(vkey), None, None))


# -- adopting --------------------------------------------------------------------------------------


async def test_a_ledger_whose_signer_forgot_is_adopted_after_comparing(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await sent(daemon)
        known = (await daemon.result("ledger.checkpoint"))["note"]
        vkey = (await daemon.result("ledger.head"))["vkey"]
        await sent(daemon)
    state = tmp_path / "data" / SIGNER_STATE
    settings = load_settings(world.config)
    with pytest.raises(AnswerIsNo, match="remembers"):
        adopt(settings, world.clock, known, by="root")
    state.unlink()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with world.running():
            pass
    assert caught.group_contains(StorageError, match="remembers none")
    done = adopt(settings, world.clock, known, by="root")
    assert done["compared"] is True
    text, lines = open_note(done["note"])
    assert verified_by(text, lines, [Verifier.from_vkey(vkey)])
    assert state.read_text() == done["note"]
    last = entries_of_file(tmp_path / "data")[-1]
    assert (last["ev"], last["cmd"], last["compared"]) == ("x.Admin", "ledger adopt", True)
    async with world.running() as daemon:
        await sent(daemon)
    assert sound(ledger_of(tmp_path / "data", vkey))


async def test_a_ledger_that_is_not_what_was_signed_is_not_adopted(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await sent(daemon)
    data, early = tmp_path / "data", tmp_path / "early"
    shutil.copytree(data, early)
    async with world.running() as daemon:
        await sent(daemon)
        known = (await daemon.result("ledger.checkpoint"))["note"]
    shutil.rmtree(data)
    shutil.copytree(early, data)
    (data / SIGNER_STATE).unlink()
    settings = load_settings(world.config)
    before = (data / LEDGER_FILE).read_bytes()
    with pytest.raises(AnswerIsNo, match="the checkpoint kept elsewhere"):
        adopt(settings, world.clock, known, by="root")
    stranger = sign_note(open_note(known)[0], Signer.from_seed(f"{NAME}/1", seed("stranger")))
    for bad in ("nonsense", stranger, known.replace("\n\n", "\n\u2014 x AAAAAAA=\n\n", 1)):
        with pytest.raises(DataError, match="known"):
            adopt(settings, world.clock, bad, by="root")
    assert (data / LEDGER_FILE).read_bytes() == before
    assert not (data / SIGNER_STATE).exists()
    # It grew another way in the meantime: as long, and not the same.
    adopt(settings, world.clock, None, by="root")
    async with world.running() as daemon:
        for _ in range(3):
            await sent(daemon)
    (data / SIGNER_STATE).unlink()
    with pytest.raises(AnswerIsNo, match="another root"):
        adopt(settings, world.clock, known, by="root")


async def test_there_is_nothing_to_adopt_where_no_ledger_is(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World.make(tmp_path)
    settings = load_settings(world.config)
    settings.gateway.data_dir.mkdir()
    with pytest.raises(AnswerIsNo, match="no ledger"):
        adopt(settings, world.clock, None, by="root")
    assert list(settings.gateway.data_dir.iterdir()) == []


# -- a new epoch -----------------------------------------------------------------------------------


def follow(world: World, epoch: str, directory: Path) -> None:
    """Configure the daemon for the new epoch, as a person does."""
    text = world.config.read_text()
    text = text.replace(f'"{world.directory}/data"', f'"{directory}"')
    world.config.write_text(text + f'\n[ledger]\nepoch = "{epoch}"\n')


async def test_a_new_epoch_holds_the_last_checkpoint_of_the_old_one_and_both_verify(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        first = await sent(daemon)
        old_key = (await daemon.result("ledger.head"))["vkey"]
        await daemon.willing("+34600111333", "+34600111444")
        await daemon.result("optout.add", to="+34600111333", brand="acme")
        old_bundle = (await daemon.result("bundle", submission_id=first))["bundle"]
    old, new = tmp_path / "data", tmp_path / "data-2"
    kept = (old / LEDGER_FILE).read_bytes()
    begun = begin_epoch(old, new, NAME, "2", now_ms=NOON_MS)
    assert (old / LEDGER_FILE).read_bytes() == kept
    assert begun.origin == f"{NAME}/2"
    assert stat.S_IMODE(new.stat().st_mode) == 0o700
    assert stat.S_IMODE((new / LEDGER_FILE).stat().st_mode) == 0o600
    assert not (new / "keys" / "log-key").exists()
    follow(world, "2", new)
    async with world.running() as daemon:
        new_key = (await daemon.result("ledger.head"))["vkey"]
        assert new_key.split("+")[2] != old_key.split("+")[2]
        # What people refuse and allow holds without a gap, and what was sent stays behind.
        given = {"text": PROMOTION, "category": "promotional", "brand": "acme"}
        refused = await daemon.result("submit", to="+34600111333", **given)
        assert refused["decision"]["reason"] == "opted_out"
        allowed = await daemon.result("submit", to="+34600111444", **given)
        assert allowed["state"] != "refused"
        answer = await daemon.ask("receipts.show", submission_id=first)
        assert answer["error"]["code"] == "no"
        shown = await daemon.result("optout.show", to="+34600111333")
        (only,) = shown["opted_out"]
        assert only["proof"]["seq"] < 0
        assert only["proof"]["entry"] is None
        consents = await daemon.result("consent.show", to="+34600111444", brand="acme")
        assert json.dumps(consents)
        withdrawn = await daemon.result(
            "consent.withdraw", to="+34600111444", brand="acme", purpose="marketing"
        )
        assert withdrawn
        second = await sent(daemon)
        bundle = (await daemon.result("bundle", submission_id=second))["bundle"]
    genesis = entries_of_file(new)[0]
    text, lines = open_note(genesis["follows"]["note"])
    assert verified_by(text, lines, [Verifier.from_vkey(old_key)])
    end = Checkpoint.parse(text)
    assert (end.origin, end.size) == (f"{NAME}/1", len(entries_of_file(old)))
    assert (genesis["follows"]["root"], genesis["follows"]["size"]) == (end.root.hex(), end.size)
    assert sound(ledger_of(old, old_key))
    assert sound(ledger_of(new, new_key))
    assert sound(judged(old_bundle.encode(), old_key))
    assert sound(judged(bundle.encode(), new_key))
    both = parse_policy(f"log {old_key}\nlog {new_key}\nquorum none\n".encode())
    assert len(both.logs) == 2


async def test_what_caps_count_goes_along(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await sent(daemon, "+33639980101", category="promotional")
    begin_epoch(tmp_path / "data", tmp_path / "data-2", NAME, "2", now_ms=NOON_MS)

    def places(data: Path) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(data / LEDGER_FILE)) as connection:
            return connection.execute("SELECT person, brand, at_ms FROM sent").fetchall()

    assert places(tmp_path / "data-2") == places(tmp_path / "data") != []


async def test_an_epoch_does_not_end_with_submissions_open(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World.make(tmp_path)
    world.reachable = False
    async with world.running() as daemon:
        waiting = (await daemon.submit(TO))["submission_id"]
        daemon.gateway.state.stop(now=True)
        await daemon.gateway.state.ended.wait()
    new = tmp_path / "data-2"
    with pytest.raises(AnswerIsNo, match="open: 1 queued"):
        begin_epoch(tmp_path / "data", new, NAME, "2", now_ms=NOON_MS)
    assert not new.exists()
    async with world.running(crash=True) as daemon:
        await daemon.result("messages.cancel", submission_id=waiting)
    with pytest.raises(AnswerIsNo, match="not signed to its end"):
        begin_epoch(tmp_path / "data", new, NAME, "2", now_ms=NOON_MS)
    async with world.running():
        pass
    with pytest.raises(AnswerIsNo, match="the log that is to end"):
        begin_epoch(tmp_path / "data", new, NAME, "1", now_ms=NOON_MS)
    with pytest.raises(DataError, match="no epoch"):
        begin_epoch(tmp_path / "data", new, NAME, "a/b", now_ms=NOON_MS)
    with pytest.raises(StorageError, match="exists"):
        begin_epoch(tmp_path / "data", tmp_path / "data", NAME, "2", now_ms=NOON_MS)
    (tmp_path / ".data-2.new").mkdir()  # of a start that was cut off
    begin_epoch(tmp_path / "data", new, NAME, "2", now_ms=NOON_MS)
    (new / FOLLOWED).write_text("nonsense")
    follow(world, "2", new)
    with pytest.raises(BaseExceptionGroup) as caught:
        async with world.running():
            pass
    assert caught.group_contains(StorageError, match="not a checkpoint")

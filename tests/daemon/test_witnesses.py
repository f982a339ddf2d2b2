"""Checkpoints are cosigned by a quorum of witnesses; and what happens when one knows better."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from gateway.errors import ConfigError, StorageError
from gateway.evidence.rfc3161 import trusting
from gateway.ledger.note import Verifier, open_note, verified_by
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.verify import verify_bundle
from tests.support.sealed import entries_of_file
from tests.support.stamps import Makers, authority, configured
from tests.support.standalone import agree
from tests.support.witnesses import LOG, Witnesses, log_key
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.world import Daemon

TO = "+34600111222"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path, gateway=log_key(tmp_path))


@pytest.fixture
def witnesses(world: World) -> Iterator[Witnesses]:
    made = Witnesses(world.directory, world.clock)
    world.web = made.web
    yield made
    made.close()


def ask(world: World, witnesses: Witnesses, *names: str) -> None:
    """Have the daemon ask witnesses of those names."""
    for name in names:
        witnesses.start(name)
    with world.config.open("a") as file:
        file.write(witnesses.configured(*names))


async def anchors(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = (await daemon.result("status"))["anchors"]
    return found


async def sent(daemon: Daemon) -> str:
    submission_id: str = (await daemon.submit(TO))["submission_id"]
    await daemon.final(submission_id)
    return submission_id


async def test_a_bundle_shows_who_cosigned_its_checkpoint(
    world: World, witnesses: Witnesses, autojump_clock: trio.testing.MockClock
) -> None:
    ask(world, witnesses, "one", "two")
    async with world.running() as daemon:
        submission_id = await sent(daemon)
        for _ in range(3):
            await daemon.submit(TO)
            await trio.sleep(120)
        text = (await daemon.result("bundle", submission_id=submission_id))["bundle"]
        shown = await anchors(daemon)
    assert (shown["pending"], shown["quorum"]) == (False, True)
    assert [each["state"] for each in shown["sources"]] == ["done", "done"]
    one, two = (witnesses.start(name).vkey for name in ("one", "two"))
    rows = f"log {LOG.vkey}\nwitness a {one}\nwitness b {two}\ngroup g all a b\nquorum g\n"
    given: dict[str, Any] = {"now_ms": 2 * NOON_MS, "policy": parse_policy(rows.encode())}
    report = verify_bundle(text.encode(), **given)
    agree(report, text.encode(), **given)
    assert dict(report.checks)["witnesses"] is True
    assert json.loads(text)["witnesses"] == [one, two]
    entries = entries_of_file(world.directory / "data")
    found = [entry for entry in entries if entry["ev"] == "x.Anchor"]
    assert len(found) > 2
    assert all(len(entry["witnesses"]) == 2 for entry in found)


async def test_a_quorum_is_enough_and_the_rest_are_asked_on(
    world: World, witnesses: Witnesses, autojump_clock: trio.testing.MockClock
) -> None:
    ask(world, witnesses, "one", "two", "three")
    keys = {name: witnesses.start(name).vkey for name in ("one", "two", "three")}
    policy = world.directory / "trusted.policy"
    rows = [f"witness {name} {key}" for name, key in keys.items()]
    policy.write_text("\n".join([*rows, "group all3 2 one two three", "quorum all3", ""]))
    text = world.config.read_text()
    key = f'key = {{file = "{world.directory}/log-key"}}\n'
    world.config.write_text(text.replace(key, f'{key}policy_file = "{policy}"\n'))
    witnesses.down = {"two", "three"}
    async with world.running() as daemon:
        await sent(daemon)
        await trio.sleep(90)
        shown = await anchors(daemon)
        assert (shown["pending"], shown["quorum"]) == (True, False)
        witnesses.down = {"three"}
        await trio.sleep(400)
        shown = await anchors(daemon)
        assert (shown["pending"], shown["quorum"]) == (False, True)
        assert [each["state"] for each in shown["sources"]] == ["done", "done", "failing"]
        asked = witnesses.asked.count("three")
        await trio.sleep(1000)
        assert witnesses.asked.count("three") > asked
        witnesses.down = set()
        await trio.sleep(400)
        states = [each["state"] for each in (await anchors(daemon))["sources"]]
        assert states == ["done", "done", "done"]


async def test_a_bundle_is_under_the_newest_checkpoint_that_a_quorum_cosigned(
    world: World, witnesses: Witnesses, autojump_clock: trio.testing.MockClock
) -> None:
    """Stamped and cosigned by one is less than stamped and cosigned by the two it takes."""
    ask(world, witnesses, "one", "two")
    keys = {name: witnesses.start(name).vkey for name in ("one", "two")}
    rows = "".join(f"witness {name} {key}\n" for name, key in keys.items())
    rows += "group both all one two\nquorum both\n"
    policy = world.directory / "trusted.policy"
    policy.write_text(rows)
    key = f'key = {{file = "{world.directory}/log-key"}}\n'
    text = world.config.read_text().replace(key, f'{key}policy_file = "{policy}"\n')
    world.config.write_text(text + configured(world.directory, "tsa"))
    makers = Makers(world.clock)

    async def answer(request: httpx.Request) -> httpx.Response:
        stamps = request.url.host.startswith("tsa")
        asked = makers.answer if stamps else witnesses.answer
        return await asked(request)

    world.web = lambda: httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with world.running() as daemon:
        submission_id = await sent(daemon)
        await trio.sleep(90)
        witnesses.down = {"two"}
        for _ in range(2):
            await sent(daemon)
            await trio.sleep(120)
        told = (await daemon.result("bundle", submission_id=submission_id))["bundle"]
    report = verify_bundle(
        told.encode(),
        now_ms=2 * NOON_MS,
        policy=parse_policy(f"log {LOG.vkey}\n{rows}".encode()),
        stamp_check=trusting(authority("tsa").ca_pem),
    )
    assert report.verdict == "VALID", report.reason


async def test_a_restart_and_a_lost_answer_are_caught_up_with(
    world: World, witnesses: Witnesses, autojump_clock: trio.testing.MockClock
) -> None:
    ask(world, witnesses, "one")
    async with world.running(crash=True) as daemon:
        await sent(daemon)
        await trio.sleep(90)
    async with world.running(crash=True) as daemon:
        await daemon.result("ledger.checkpoint")  # cosigned, and the answer is lost with us
    async with world.running() as daemon:
        await sent(daemon)
        await trio.sleep(90)
        (shown,) = (await anchors(daemon))["sources"]
        assert shown["state"] == "done"


async def rolled_back(world: World) -> Path:
    """Two lives of the ledger; the data is that of the first again, the second's is kept."""
    data, early, late = (world.directory / name for name in ("data", "early", "late"))
    async with world.running() as daemon:
        await sent(daemon)
        await trio.sleep(90)
    shutil.copytree(data, early)
    async with world.running() as daemon:
        await sent(daemon)
        await trio.sleep(90)
    data.rename(late)
    early.rename(data)
    return late


async def refuted(world: World) -> None:
    """The daemon's last hours: it asks, sees the other history, and tells, until it is to sign."""
    async with world.running() as daemon:
        await daemon.submit(TO)
        await trio.sleep(61)
        (shown,) = (await anchors(daemon))["sources"]
        assert shown["state"] == "failing"
        assert "another history" in shown["last_error"]
        for side in ("ours", "theirs"):
            text, lines = open_note(shown["conflict"][side])
            assert verified_by(text, lines, [Verifier.from_vkey(LOG.vkey)])
        await daemon.submit(TO)
        await trio.sleep(600)
        raise AssertionError("it signs on")


async def test_a_rolled_back_ledger_is_not_signed_any_more_and_both_notes_are_kept(
    world: World, witnesses: Witnesses, autojump_clock: trio.testing.MockClock
) -> None:
    """Ledger and signer's memory were both put back, as a restored machine has them."""
    ask(world, witnesses, "one")
    late = await rolled_back(world)
    data = world.directory / "data"
    with pytest.raises(BaseExceptionGroup) as caught:
        await refuted(world)
    assert caught.group_contains(StorageError, match="nothing more is signed")
    notes = [(data / name).read_text() for name in ("signer-state", "signer-state.fork")]
    sizes = [int(note.split("\n")[1]) for note in notes]
    assert sizes[0] < sizes[1]
    with pytest.raises(BaseExceptionGroup) as caught:
        async with world.running():
            pass
    assert caught.group_contains(StorageError, match="another history of this log")
    # The way out: the newer ledger comes back.
    fork = (data / "signer-state.fork").read_text()
    shutil.rmtree(data)
    late.rename(data)
    (data / "signer-state.fork").write_text(fork)
    async with world.running() as daemon:
        await sent(daemon)
        await trio.sleep(90)
        (shown,) = (await anchors(daemon))["sources"]
        assert shown["state"] == "done"
    assert not (data / "signer-state.fork").exists()


async def test_a_witness_that_only_says_so_stops_nothing(
    world: World, witnesses: Witnesses, autojump_clock: trio.testing.MockClock
) -> None:
    ask(world, witnesses, "one", "two")
    witnesses.lies["one"] = (409, "999999\n")
    async with world.running() as daemon:
        for _ in range(3):
            await sent(daemon)
            await trio.sleep(120)
        one, two = (await anchors(daemon))["sources"]
        assert (one["state"], two["state"]) == ("failing", "done")
        assert "999999 entries" in one["last_error"]
        assert "theirs" not in one["conflict"]
        size = (await daemon.result("ledger.head"))["checkpoint_size"]
        assert two["size"] == size
    assert not (world.directory / "data/signer-state.fork").exists()


async def test_what_the_witness_shows_must_be_signed_by_the_log_to_count(
    world: World, witnesses: Witnesses, autojump_clock: trio.testing.MockClock
) -> None:
    """It refuses with 422 and shows its own note, which is in our past: it lies."""
    ask(world, witnesses, "one")
    async with world.running() as daemon:
        await sent(daemon)
        await trio.sleep(90)
        witnesses.lies["one"] = (422, "no\n")
        await sent(daemon)
        await trio.sleep(400)
        (shown,) = (await anchors(daemon))["sources"]
        assert shown["state"] == "failing"
        assert set(shown["conflict"]) == {"ours", "theirs"}
        before = (await daemon.result("ledger.head"))["checkpoint_size"]
        await sent(daemon)
        await trio.sleep(120)
        assert (await daemon.result("ledger.head"))["checkpoint_size"] > before
        witnesses.lies.clear()
        await trio.sleep(1000)
        (shown,) = (await anchors(daemon))["sources"]
        assert shown["state"] == "done"


async def test_a_key_that_changed_is_to_be_told_to_the_witnesses(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World.make(tmp_path)
    witnesses = Witnesses(tmp_path, world.clock)
    world.web = witnesses.web
    async with world.running() as daemon:
        old = (await daemon.result("ledger.head"))["vkey"]
    witnesses.start("one", old)
    with world.config.open("a") as file:
        file.write(witnesses.configured("one"))
    async with world.running() as daemon:
        new = (await daemon.result("ledger.rotate_key"))["new"]
        await trio.sleep(30)
        (shown,) = (await anchors(daemon))["sources"]
        assert shown["state"] == "done"  # the one that both signed
        await sent(daemon)
        await trio.sleep(120)
        (shown,) = (await anchors(daemon))["sources"]
        assert shown["state"] == "failing"
        assert "rotate-key" in shown["hint"]
        witnesses.start("one", old, new)
        await trio.sleep(600)
        (shown,) = (await anchors(daemon))["sources"]
        assert shown["state"] == "done"
    witnesses.close()


async def test_a_witness_with_a_key_that_is_none_is_refused_at_the_start(
    world: World, witnesses: Witnesses
) -> None:
    ask(world, witnesses, "one")
    text = world.config.read_text()
    world.config.write_text(text.replace(witnesses.start("one").vkey, LOG.vkey))
    with pytest.raises(BaseExceptionGroup) as caught:
        async with world.running():
            pass
    assert caught.group_contains(ConfigError)

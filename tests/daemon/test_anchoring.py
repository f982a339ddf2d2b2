"""Checkpoints are time-stamped, and the log commits to it: with authorities up, down and lying."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from gateway.clock import SystemClock
from gateway.daemon.guard import GuardedClock
from gateway.daemon.stamping import stamp_sources
from gateway.daemon.web import open_web
from gateway.errors import ConfigError
from gateway.evidence.rfc3161 import trusting
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.verify import verify_bundle
from gateway.settings import load_settings
from gateway.sim.authority import Behaviour
from tests.support.sealed import entries_of_file
from tests.support.stamps import Makers, authority, configured
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ledger.report import Report
    from tests.support.world import Daemon

TO = "+34600111222"


def stamped(directory: Path, *names: str, settings: str = "") -> tuple[World, Makers]:
    """A world whose daemon asks the authorities of those names."""
    world = World.make(directory)
    with world.config.open("a") as file:
        file.write(configured(directory, *names, settings=settings))
    makers = Makers(world.clock)
    world.web = makers.web
    return world, makers


def anchors(world: World) -> list[dict[str, Any]]:
    entries = entries_of_file(world.directory / "data")
    return [entry for entry in entries if entry["ev"] == "x.Anchor"]


async def judged(daemon: Daemon, submission_id: str, *names: str) -> Report:
    """The verdict on a submission's bundle, of one who trusts these authorities."""
    answer = await daemon.result("bundle", submission_id=submission_id)
    bundle = json.loads(answer["bundle"])
    pem = b"".join(authority(name).ca_pem for name in names)
    return verify_bundle(
        answer["bundle"].encode(),
        now_ms=2 * NOON_MS,
        policy=parse_policy(f"log {bundle['log']}\nquorum none\n".encode()),
        stamp_check=trusting(pem),
    )


async def status(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = (await daemon.result("status"))["anchors"]
    return found


# -- authorities that are right ------------------------------------------------------------------


async def test_a_bundle_is_valid_once_its_checkpoint_has_a_time_stamp(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, makers = stamped(tmp_path, "tsa")
    async with world.running() as daemon:
        sent = await daemon.submit(TO)
        await daemon.final(sent["submission_id"])
        report = await judged(daemon, sent["submission_id"], "tsa")
        assert (report.verdict, report.state) == ("VALID", "delivered")
        assert (await daemon.show(sent["submission_id"]))["seal"]["anchored"] is True
        shown = await status(daemon)
        assert (shown["pending"], shown["age_s"]) == (False, 0)
        assert shown["sources"] == [
            {
                "name": "tsa",
                "kind": "timestamp",
                "state": "done",
                "size": shown["size"],
                "at": shown["at"],
                "last_error": None,
                "hint": None,
                "next_try_at": None,
            }
        ]
        assert (await judged(daemon, sent["submission_id"], "other")).verdict == "UNANCHORED"
    assert makers.asked == ["tsa"]


async def test_anchors_ask_for_no_checkpoint_and_checkpoints_for_no_second_stamp(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, makers = stamped(tmp_path, "tsa")
    async with world.running() as daemon:
        for _ in range(60):  # the writer is woken, and has nothing to write
            await daemon.ask("messages.cancel", submission_id="nobody's")
            await trio.sleep(60)
        assert makers.asked == ["tsa"]  # x.Genesis and x.Boot; an hour of nothing asks no more
        await daemon.submit(TO)
        await trio.sleep(7200)
        size = (await daemon.result("ledger.head"))["size"]
    assert len(makers.asked) <= 4  # taken, delivered: a checkpoint or two
    found = anchors(world)
    assert len(found) == len(makers.asked)
    assert size <= 2 + 4 + len(found)


async def test_a_submission_between_two_stamps_is_bounded_on_both_sides(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, _ = stamped(tmp_path, "tsa")
    async with world.running() as daemon:
        await trio.sleep(120)
        before_ms = world.clock.wall_ms()
        sent = await daemon.submit(TO)
        await daemon.final(sent["submission_id"])
        await trio.sleep(120)
        for _ in range(3):  # later stamps do not widen the bounds
            await daemon.submit(TO)
            await trio.sleep(600)
        report = await judged(daemon, sent["submission_id"], "tsa")
    assert report.verdict == "VALID"
    assert report.not_before_ms is not None
    assert report.not_after_ms is not None
    assert before_ms - 70_000 <= report.not_before_ms <= before_ms
    assert before_ms <= report.not_after_ms <= before_ms + 130_000


async def test_two_authorities_share_an_anchor_and_either_will_do(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, _ = stamped(tmp_path, "tsa", "other")
    async with world.running() as daemon:
        sent = await daemon.submit(TO)
        await daemon.final(sent["submission_id"])
        for name in ("tsa", "other"):
            assert (await judged(daemon, sent["submission_id"], name)).verdict == "VALID"
    (found,) = anchors(world)
    assert len(found["tokens"]) == 2
    assert found["witnesses"] == []


async def test_bundles_asked_for_again_cost_no_further_stamps(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, makers = stamped(tmp_path, "tsa")
    async with world.running() as daemon:
        sent = await daemon.submit(TO)
        await daemon.final(sent["submission_id"])
        bundles = {
            (await daemon.result("bundle", submission_id=sent["submission_id"]))["bundle"]
            for _ in range(5)
        }
    assert len(bundles) == 1
    assert makers.asked == ["tsa"]


# -- authorities that are not --------------------------------------------------------------------


async def test_while_an_authority_is_down_the_log_goes_on_and_it_is_asked_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, makers = stamped(tmp_path, "tsa")
    makers.down.add("tsa")
    async with world.running() as daemon:
        sent = await daemon.submit(TO)
        assert (await daemon.final(sent["submission_id"]))["state"] == "delivered"
        assert (await judged(daemon, sent["submission_id"], "tsa")).verdict == "UNANCHORED"
        assert (await daemon.show(sent["submission_id"]))["seal"]["anchored"] is False
        (shown,) = (await status(daemon))["sources"]
        assert shown["state"] == "failing"
        assert shown["last_error"] == "it cannot be reached: connection refused"
        assert shown["next_try_at"] is not None
        await trio.sleep(3600)
        tries = len(makers.asked)
        assert 10 <= tries <= 40  # later and later, five minutes at most
        makers.down.clear()
        await trio.sleep(301)
        assert len(makers.asked) == tries + 1
        assert (await judged(daemon, sent["submission_id"], "tsa")).verdict == "VALID"
        (shown,) = (await status(daemon))["sources"]
        assert (shown["state"], shown["last_error"]) == ("done", None)


async def test_one_authority_that_is_down_does_not_hold_up_the_other(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, makers = stamped(tmp_path, "tsa", "other")
    makers.behaviour["other"] = Behaviour.SLOW
    async with world.running() as daemon:
        sent = await daemon.submit(TO)
        await daemon.final(sent["submission_id"])
        assert (await judged(daemon, sent["submission_id"], "tsa")).verdict == "VALID"
        await trio.sleep(30)
        told = {each["name"]: each for each in (await status(daemon))["sources"]}
        assert told["tsa"]["state"] == "done"
        assert told["other"]["last_error"] == "no answer within 10 s"


LIES = {
    Behaviour.OTHER_IMPRINT: "stamps something else",
    Behaviour.WRONG_NONCE: "another nonce",
    Behaviour.OTHER_POLICY: "not the one asked for",
    Behaviour.WRONG_TIME: "s apart",
    Behaviour.BAD_SIGNATURE: "does not verify",
    Behaviour.EXPIRED: "was not valid",
    Behaviour.NO_EKU: "not for time stamps",
    Behaviour.UNKNOWN_ISSUER: "not issued by an authority of ca_file",
    Behaviour.REJECTED: "refused: the subscription is over",
    Behaviour.GARBAGE: "not an RFC 3161 answer",
    Behaviour.HTTP_500: "HTTP status 500",
    Behaviour.HUGE: "is larger than",
}


@pytest.mark.parametrize("behaviour", LIES)
async def test_an_authority_that_lies_is_never_anchored_and_is_shown(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, behaviour: Behaviour
) -> None:
    world, makers = stamped(tmp_path, "tsa", settings='policy_oid = "2.999.3161.7"')
    makers.behaviour["tsa"] = behaviour
    async with world.running() as daemon:
        sent = await daemon.submit(TO)
        await daemon.final(sent["submission_id"])
        assert (await judged(daemon, sent["submission_id"], "tsa")).verdict == "UNANCHORED"
        await trio.sleep(1000)
        (shown,) = (await status(daemon))["sources"]
        assert LIES[behaviour] in shown["last_error"]
        assert shown["size"] is None
    assert anchors(world) == []


async def test_an_answer_of_another_kind_is_no_answer(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, _ = stamped(tmp_path, "tsa")
    page = httpx.Response(200, headers={"content-type": "text/html; charset=utf-8"}, text="<p>")
    world.web = lambda: httpx.AsyncClient(transport=httpx.MockTransport(lambda _: page))
    async with world.running() as daemon:
        await trio.sleep(100)
        (shown,) = (await status(daemon))["sources"]
        assert shown["last_error"] == ("it answers with text/html, not application/timestamp-reply")


# -- lives ---------------------------------------------------------------------------------------


async def test_what_was_pending_when_the_daemon_ended_is_stamped_by_the_next(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, makers = stamped(tmp_path, "tsa")
    makers.down.add("tsa")
    async with world.running(crash=True) as daemon:
        sent = await daemon.submit(TO)
        await daemon.final(sent["submission_id"])
        await trio.sleep(100)
    makers.down.clear()
    async with world.running() as daemon:
        await trio.sleep(1)  # at once: it need not wait for a new checkpoint
        assert (await judged(daemon, sent["submission_id"], "tsa")).verdict == "VALID"
        shown = await status(daemon)
    asked = len(makers.asked)
    async with world.running() as daemon:
        assert (await status(daemon))["size"] == shown["size"]  # it is remembered
    assert len(makers.asked) <= asked + 1


async def test_a_daemon_that_stops_asks_nobody_for_its_last_checkpoint(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world, makers = stamped(tmp_path, "tsa")
    async with world.running() as daemon:
        await daemon.submit(TO)
    assert makers.asked == []


async def test_without_authorities_nobody_is_asked_and_status_says_so(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World.make(tmp_path)
    assert world.web is open_web
    async with world.running() as daemon:
        await trio.sleep(100)
        assert await status(daemon) == {
            "size": None,
            "at": None,
            "age_s": None,
            "pending": False,
            "sources": [],
        }


def test_issuers_that_cannot_be_read_are_a_fault_of_the_configuration(tmp_path: Path) -> None:
    world, _ = stamped(tmp_path, "tsa")
    (timestamp,) = load_settings(world.config).timestamp
    for damage, why in (
        (lambda: timestamp.ca_file.write_bytes(b""), "holds no certificate"),
        (timestamp.ca_file.unlink, "cannot be read: No such file"),
    ):
        damage()
        with pytest.raises(ConfigError, match=why) as caught:
            stamp_sources([timestamp], GuardedClock(SystemClock(), floor_ms=0), random.Random(1))
        assert caught.value.fields["setting"] == "timestamp[0].ca_file"

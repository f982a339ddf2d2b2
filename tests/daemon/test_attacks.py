"""What a careless or hostile peer, an odd configuration or an odd moment must not bring about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.support.world import World, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


@pytest.mark.parametrize(
    ("cmd", "args"),
    [
        ("messages.list", {"state": []}),
        ("messages.list", {"to": {"a": 1}}),
        ("optout.list", {"limit": 1 << 63}),
        ("optout.list", {"limit": True}),
        ("submit", {"to": "+34600111222", "text": "x", "campaign": "\ud800"}),
        ("submit", {"to": "+34600111222", "text": "x", "\ud800": "x"}),
        ("messages.show", {"submission_id": "\udfff"}),
        ("messages.show", {"submission_id": "x" * 100_000}),
        ("\ud800", {}),
    ],
)
async def test_no_line_can_stop_the_daemon(
    tmp_path: Path, autojump_clock: MockClock, cmd: str, args: dict[str, Any]
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answers = await daemon.ask_all([(cmd, args)])
        assert "error" in answers[0]
        assert answers[0]["id"] is not None  # who sent many must know which it was
        assert (await daemon.result("status"))["ready"]


async def test_an_optout_taken_back_and_given_again_in_one_batch(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    who = {"to": "+34600111222"}
    async with world.running() as daemon:
        await daemon.result("optout.add", **who)
        answers = await daemon.ask_all(
            [("optout.remove", who), ("optout.add", who), ("optout.remove", who)]
        )
        assert all("result" in answer for answer in answers)
        assert await daemon.items("optout.list") == []


async def test_the_last_entry_is_signed_though_nothing_follows_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await trio.sleep(200)
        await daemon.result("optout.add", to="+34600111222")
        await trio.sleep(200)
        ledger = (await daemon.result("status"))["ledger"]
    assert ledger["checkpoint_size"] == ledger["size"]


async def test_validity_ends_while_the_operator_is_down(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.reachable = False
    async with world.running() as daemon:
        answer = await daemon.submit("+34600111222", valid_for="10m")
        record = await daemon.final(answer["submission_id"], timeout_s=700)
    assert record["state"] == "expired"


async def test_the_rest_of_a_begun_message_is_judged_anew_after_days(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Part one left, the daemon died, the person opted out: part two stays here."""
    world = World.make(tmp_path, {"movistar": "window = 1"})
    long = {"category": "transactional", "text": "x" * 300}
    async with world.running(crash=True) as daemon:
        answer = await daemon.submit("+34600111930", **long)
        with trio.fail_after(60):
            while world.operators["movistar"].stats.submits < 1:
                await trio.sleep(0.01)
    world.reachable = False
    async with world.running() as daemon:
        await daemon.result("optout.add", to="+34600111930")
        await trio.sleep(3 * 86_400)
        world.reachable = True
        await trio.sleep(600)
        record = await daemon.show(answer["submission_id"])
    assert world.operators["movistar"].stats.submits == 1
    assert record["state"] == "refused"


async def test_a_message_whose_route_is_gone_keeps_no_other_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.reachable = False
    async with world.running(crash=True) as daemon:
        stuck = await daemon.submit("+33639980101")
        other = await daemon.submit("+34600111222")
    config = world.config.read_text()
    world.config.write_text(config.replace('to = ["+"]', 'to = ["+34"]'))
    world.reachable = True
    async with world.running() as daemon:
        assert (await daemon.final(other["submission_id"]))["state"] == "delivered"
        assert (await daemon.show(stuck["submission_id"]))["state"] == "queued"


async def test_a_held_message_whose_route_is_gone_keeps_no_other_back_and_expires_in_its_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    later = {"not_before": "2026-11-21T11:00:00Z"}
    async with world.running() as daemon:
        stuck = await daemon.submit("+33639980101", **later)
        mortal = await daemon.submit("+33639980102", **later, valid_for="1h")
        other = await daemon.submit("+34600111222", **later)
    config = world.config.read_text()
    world.config.write_text(config.replace('to = ["+"]', 'to = ["+34"]'))
    async with world.running() as daemon:
        assert (await daemon.final(other["submission_id"], 7200))["state"] == "delivered"
        record = await daemon.show(stuck["submission_id"])
        assert record["state"] == "held"
        assert [event["event"] for event in record["events"]] == ["A.1"]
        assert (await daemon.final(mortal["submission_id"], 7200))["state"] == "expired"
    world.config.write_text(config)
    async with world.running() as daemon:
        assert (await daemon.final(stuck["submission_id"]))["state"] == "delivered"


async def test_half_a_message_whose_route_is_gone_does_not_keep_the_daemon_from_starting(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    operators = {"orange": "window = 1", "movistar": ""}
    routes = {"+33": ["orange"], "+34": ["movistar"]}
    world = World.make(tmp_path, operators, routes=routes)
    async with world.running(crash=True) as daemon:
        stuck = await daemon.submit("+33639980930", text="x" * 300)
        with trio.fail_after(60):
            while world.operators["orange"].stats.submits < 1:
                await trio.sleep(0.01)
    write_config(tmp_path, {"movistar": ""}, routes={"+34": ["movistar"]})
    async with world.running() as daemon:
        other = await daemon.submit("+34600111222")
        assert (await daemon.final(other["submission_id"]))["state"] == "delivered"
        record = await daemon.show(stuck["submission_id"])
        assert [each["outcome"] for each in record["segments"]] == ["unknown", "pending"]


async def test_what_is_held_at_sending_says_so(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    night = datetime(2026, 11, 21, 20, 30, tzinfo=UTC)  # Saturday 15:30 in Bogotá
    world.clock.offset_ms = round(night.timestamp() * 1000)
    async with world.running() as daemon:
        request = {"category": "debt_claim", "ref": "A-1"}
        await daemon.submit("+573000000123", **request)
        again = await daemon.submit("+573000000123", **request)
        record = await daemon.show(again["submission_id"])
    assert again["decision"]["action"] == record["decision"]["action"] == "hold"
    assert again["decision"]["until"] == record["decision"]["until"] == "2026-11-23T12:00:00Z"
    assert again["decision"]["rules"] == ["CO-QH"]

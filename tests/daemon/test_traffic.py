"""Window, rate, throttling, fail-over and drain, as the operator sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from gateway.daemon.pace import RateLimiter
from gateway.sim.options import SimOptions
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


async def test_no_more_than_the_window_is_ever_on_the_way(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(
        tmp_path, {"movistar": "window = 3"}, options=SimOptions(response_delay_s=1.0)
    )
    seen = []
    async with world.running() as daemon:
        submitted = [await daemon.submit(f"+34600444{n:03d}") for n in range(12)]
        with trio.fail_after(60):
            while world.operators["movistar"].stats.submits < 12:
                seen.append(daemon.gateway.operators["movistar"].in_flight)
                await trio.sleep(0.1)
        records = [await daemon.final(each["submission_id"]) for each in submitted]
    assert max(seen) == 3
    assert {record["state"] for record in records} == {"delivered"}


async def test_the_rate_of_the_contract_is_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path, {"movistar": "window = 100"})
    text = world.config.read_text().replace("rate = 100000.0", "rate = 5.0")
    world.config.write_text(text)
    async with world.running() as daemon:
        began = trio.current_time()
        submitted = [await daemon.submit(f"+34600444{n:03d}") for n in range(20)]
        with trio.fail_after(60):
            while world.operators["movistar"].stats.submits < 20:
                await trio.sleep(0.01)
        took = trio.current_time() - began
        for each in submitted:
            await daemon.final(each["submission_id"])
    assert took == pytest.approx(20 / 5, abs=0.25)


def test_a_restart_never_bursts() -> None:
    limiter = RateLimiter(10.0, now_s=0.0)
    assert limiter.available(0.0) == 0
    assert limiter.available(3600.0) == 1


async def test_throttling_pauses_the_operator_and_loses_and_reorders_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": "window = 1"})
    async with world.running() as daemon:
        first = await daemon.submit("+34600444923")
        second = await daemon.submit("+34600444001")
        records = [
            await daemon.final(first["submission_id"]),
            await daemon.final(second["submission_id"]),
        ]
        status = await daemon.result("status")
    assert [record["state"] for record in records] == ["delivered", "delivered"]
    assert [each.dest for each in world.operators["movistar"].accepted] == [
        "34600444923",
        "34600444001",
    ]
    assert status["operators"][0]["throttled"] == 3


async def test_the_second_operator_takes_over_while_the_first_is_down(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": "", "vodafone": ""})
    refusing = SimOptions(system_id="acuse", password="other")
    world.operators["movistar"].options = refusing
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        record = await daemon.final(answer["submission_id"])
        status = await daemon.result("status")
    assert record["operator"] == "vodafone"
    assert status["operators"][0]["state"] == "waiting"
    assert "ESME_RINVPASWD" in status["operators"][0]["last_error"]


async def test_a_refused_bind_is_tried_again_ever_more_slowly_but_never_given_up(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": "reconnect_s = [1, 60]"})
    world.operators["movistar"].options = SimOptions(system_id="acuse", password="other")
    async with world.running():
        await trio.sleep(3600)
        hammered = world.connections
        world.operators["movistar"].options = SimOptions()
        await trio.sleep(120)
        bound = world.operators["movistar"].stats.binds
    assert 60 <= hammered <= 140
    assert bound == 1


async def test_a_drain_waits_for_answers_and_acknowledges_receipts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(
        tmp_path, {"movistar": "window = 2"}, options=SimOptions(response_delay_s=3.0)
    )
    async with world.running() as daemon:
        submitted = [await daemon.submit(f"+34600444{n:03d}") for n in range(5)]
        with trio.fail_after(60):
            while world.operators["movistar"].stats.submits < 2:
                await trio.sleep(0.01)
        daemon.gateway.state.stop()
        refused = await daemon.ask("submit", to="+34600444009", text="x", category="otp")
        assert refused["error"]["code"] == "try_again"
    assert world.operators["movistar"].stats.submits == 2
    async with world.running() as daemon:
        states = [(await daemon.final(each["submission_id"]))["state"] for each in submitted]
    assert states[2:] == ["delivered"] * 3
    assert "unknown" not in states
    assert not world.operators["movistar"].duplicates()


async def test_a_second_request_to_stop_does_not_wait(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444930")
        with trio.fail_after(60):
            while world.operators["movistar"].stats.submits < 1:
                await trio.sleep(0.01)
        began = trio.current_time()
        daemon.gateway.state.stop()
        daemon.gateway.state.stop()
        await daemon.gateway.state.ended.wait()
        took = trio.current_time() - began
    assert took < 1
    async with world.running() as daemon:
        assert (await daemon.show(answer["submission_id"]))["state"] == "unknown"


async def test_a_backlog_larger_than_memory_goes_out_in_order(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.daemon.dispatch._READY_MOST", 8)
    monkeypatch.setattr("gateway.daemon.dispatch._READY_LOW", 4)
    monkeypatch.setattr("gateway.daemon.dispatch._PAGE", 3)
    monkeypatch.setattr("gateway.daemon.work._IDLE_LIMIT", 4)
    world = World.make(tmp_path, {"movistar": "window = 2"})
    world.reachable = False
    numbers = [f"+34600445{n:03d}" for n in range(100)]
    async with world.running() as daemon:
        requests = [("submit", {"to": to, "text": "x", "category": "otp"}) for to in numbers]
        answers = await daemon.ask_all(requests)
        world.reachable = True
        for answer in answers:
            record = await daemon.final(answer["result"]["submission_id"])
            assert record["state"] == "delivered"
    assert [f"+{each.dest}" for each in world.operators["movistar"].accepted] == numbers

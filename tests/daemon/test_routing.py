"""Which message leaves first, and by which operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from gateway.sim.options import SimOptions
from gateway.smpp.pdu import SubmitSm, SubmitSmResp
from tests.support.scripted import Script
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu


async def test_what_is_urgent_leaves_first_and_says_so_to_the_operator(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    script = world.scripts["movistar"] = Script()
    world.reachable = False
    async with world.running() as daemon:
        for number, priority in enumerate([0, 1, 3, 0, "2", 3]):
            await daemon.submit(f"+3460044400{number}", text=str(number), priority=priority)
        world.reachable = True
        with trio.fail_after(120):
            while len(script.submits()) < 6:
                await trio.sleep(0.1)
    sent = [(pdu.short_message.decode(), pdu.priority) for pdu in script.submits()]
    assert sent == [("2", 3), ("5", 3), ("4", 2), ("1", 1), ("0", 0), ("3", 0)]


async def test_what_is_urgent_does_not_wait_behind_a_backlog_on_disk(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.daemon.dispatch._READY_MOST", 8)
    monkeypatch.setattr("gateway.daemon.dispatch._READY_LOW", 4)
    monkeypatch.setattr("gateway.daemon.dispatch._PAGE", 3)
    world = World.make(tmp_path, {"movistar": "window = 1"})
    script = world.scripts["movistar"] = Script()
    world.reachable = False
    async with world.running() as daemon:
        for number in range(30):
            await daemon.submit(f"+346004440{number:02d}", text=str(number))
        await daemon.submit("+34600444099", text="urgent", priority=3)
        world.reachable = True
        with trio.fail_after(120):
            while len(script.submits()) < 31:
                await trio.sleep(0.1)
        await trio.sleep(10)
    texts = [pdu.short_message.decode() for pdu in script.submits()]
    assert texts == ["urgent", *(str(number) for number in range(30))]


async def test_a_priority_that_does_not_exist_is_refused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        for wrong in (4, -1, "high", True, 1.5):
            answer = await daemon.ask("submit", to="+34600444001", text="x", priority=wrong)
            assert answer["error"]["fields"]["field"] == "priority"


def balanced(tmp_path: Path, settings: str = "weights = [3, 1]") -> World:
    world = World.make(tmp_path, {"movistar": "", "vodafone": ""})
    text = world.config.read_text()
    world.config.write_text(f'{text}strategy = "balance"\n{settings}\n')
    return world


async def test_a_balance_follows_its_weights(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = balanced(tmp_path)
    async with world.running() as daemon:
        await trio.sleep(1)
        submitted = [await daemon.submit(f"+34600444{n:03d}") for n in range(80)]
        records = [await daemon.final(each["submission_id"]) for each in submitted]
    assert [world.operators[name].stats.submits for name in ("movistar", "vodafone")] == [60, 20]
    assert {record["state"] for record in records} == {"delivered"}


async def test_the_segments_of_a_balanced_message_stay_together(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = balanced(tmp_path, "")
    world.config.write_text(world.config.read_text().replace("rate = 100000.0", "rate = 5.0"))
    async with world.running() as daemon:
        await trio.sleep(1)
        submitted = [
            await daemon.submit(f"+34600444{n:03d}", text=f"{n}" + "x" * 400) for n in range(10)
        ]
        records = [await daemon.final(each["submission_id"]) for each in submitted]
    assert {record["state"] for record in records} == {"delivered"}
    for sim in world.operators.values():
        assert sim.stats.submits == 15
        assert len({each.dest for each in sim.accepted}) == 5


async def test_a_balance_goes_on_without_an_operator_that_is_down(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = balanced(tmp_path)
    world.operators["movistar"].options = SimOptions(system_id="acuse", password="other")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        record = await daemon.final(answer["submission_id"])
    assert record["operator"] == "vodafone"


async def test_a_message_throttled_before_it_began_goes_to_the_next_operator_when_the_first_is_lost(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": "", "vodafone": ""})

    def throttled(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, SubmitSm):
            return [SubmitSmResp(sequence=pdu.sequence, status=0x58)]
        return None

    script = world.scripts["movistar"] = Script(throttled)
    async with world.running() as daemon:
        with trio.fail_after(60):
            while not all(each.bound() for each in daemon.gateway.operators.values()):
                await trio.sleep(0.1)
        answer = await daemon.submit("+34600444001")
        await trio.sleep(1)
        world.scripts["movistar"] = Script(lambda _: [])  # it never answers the bind again
        await script.links[0].aclose()
        record = await daemon.final(answer["submission_id"])
    assert record["operator"] == "vodafone"
    assert record["state"] == "delivered"


async def test_a_plan_of_a_balance_shows_the_shares_of_those_that_are_up(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": "", "vodafone": "", "orange": ""})
    text = world.config.read_text()
    conditions = 'from = ["ACME"]\nbrand = ["acme"]\nstrategy = "balance"\nweights = [3, 1, 4]\n'
    world.config.write_text(text + conditions)
    world.operators["orange"].options = SimOptions(system_id="acuse", password="other")
    async with world.running() as daemon:
        await trio.sleep(1)
        plan = await daemon.result("plan", to="+34600444001", text="x")
        daemon.gateway.operators["movistar"].pace.slow_down(trio.current_time())
        paused = await daemon.result("plan", to="+34600444001", text="x")
        daemon.gateway.operators["movistar"].links = ()
        alone = await daemon.result("plan", to="+34600444001", text="x")
    assert plan["route"]["because"] == [
        "any recipient fits",
        "the sender is ACME",
        "the brand is acme",
    ]
    assert plan["operator"] is None
    assert plan["why"] == "whose turn it is, by weight among those that are bound"
    shown = [
        (each["name"], each["bound"], each["weight"], each["share"]) for each in plan["operators"]
    ]
    assert shown == [
        ("movistar", True, 3, 0.75),
        ("vodafone", True, 1, 0.25),
        ("orange", False, 4, 0.0),
    ]
    assert [each["paused_s"] for each in paused["operators"]] == [0.5, 0.0, 0.0]
    assert alone["operator"] == "vodafone"
    assert alone["why"] == "the only one of the route that is bound"
    assert alone["operators"][1]["share"] == 1.0


async def test_a_plan_of_a_failover_says_who_takes_it_now_and_why(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": "", "vodafone": ""})
    async with world.running() as daemon:
        await trio.sleep(1)
        first = await daemon.result("plan", to="+34600444001", text="x")
        daemon.gateway.operators["movistar"].pace.slow_down(trio.current_time())
        paused = await daemon.result("plan", to="+34600444001", text="x")
        daemon.gateway.operators["movistar"].links = ()
        second = await daemon.result("plan", to="+34600444001", text="x")
    assert (first["operator"], first["why"]) == ("movistar", "the first of the route")
    assert paused["operator"] == "movistar"
    assert paused["why"] == "the first of the route, and what it puts off waits for it"
    assert second["operator"] == "vodafone"
    assert second["why"] == "the first of the route that is bound"
    assert "share" not in second["operators"][0]


async def test_a_route_to_nowhere_is_said_at_submission_with_every_routes_reason(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    text = world.config.read_text()
    only = 'to = ["+33"]\nfrom = ["OTHER"]\n[[routes]]\nto = ["+34"]\nbrand = ["acme"]\n'
    world.config.write_text(text.replace('to = ["+"]\n', f'operators = ["movistar"]\n{only}'))
    async with world.running() as daemon:
        for command in ("submit", "plan"):
            answer = await daemon.ask(command, to="+4915112345678", text="x")
            error = answer["error"]
            assert error["fields"]["setting"] == "routes"
            assert error["message"] == (
                "routes: none leads to this recipient: [0] the recipient does not begin with +33;"
                " [1] the recipient does not begin with +34"
            )
            assert "[[routes]]" in error["hint"]
        assert await daemon.items("messages.list") == []

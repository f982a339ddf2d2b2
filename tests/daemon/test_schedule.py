"""Held, released, expired: by deadline, evenly, within the recipient's hours, and said at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.errors import TryAgain
from gateway.smpp.pdu import SubmitSm
from tests.support.deliveries import deliver, from_handset
from tests.support.scripted import Script
from tests.support.world import PROMOTION, World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.support.world import Daemon

#: Metropolitan France, promotional: closed from Saturday 22:00 until Monday 08:00 local time.
PARIS = "+33639980123"
MONDAY_8 = "2026-11-23T07:00:00Z"
LONG = f"{PROMOTION} {'Hasta agotar existencias. ' * 5}"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def world_at(directory: Path, instant: str, **settings: object) -> World:
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    world = World.make(directory, gateway=f"[policy]\n{lines}")
    world.clock.offset_ms = ms(instant)
    return world


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def parts_of(relative: str) -> timedelta:
    """A relative time of SMPP 3.4 section 7.1.1, `YYMMDDhhmmss000R`."""
    assert len(relative) == 16
    assert relative.endswith("000R")
    years, months, days, hours, minutes, seconds = (
        int(relative[at : at + 2]) for at in range(0, 12, 2)
    )
    assert (years, months) == (0, 0)
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


async def until(world: World, instant: str) -> None:
    """Let time pass."""
    await trio.sleep((ms(instant) - world.clock.wall_ms()) / 1000)


# -- the hours of arrival --------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["promotional", "cart_reminder"])
async def test_the_operator_may_try_until_the_recipients_hours_end_and_no_longer(
    tmp_path: Path, autojump_clock: MockClock, category: str
) -> None:
    world = world_at(tmp_path, "2026-11-21T20:30:00Z")  # 21:30 in Paris, which shuts at 22:00
    world.scripts["movistar"] = script = Script()
    async with world.running() as daemon:
        await trio.sleep(1)
        await daemon.submit(PARIS, category=category)
        await daemon.submit("+33639980124", category=category, valid_for="10m")
        await daemon.submit("+33639980125", category=category, valid_for="48h")
        await trio.sleep(1)
    unbounded, shorter, longer = (parts_of(pdu.validity_period) for pdu in script.submits())
    assert timedelta(minutes=29, seconds=57) <= unbounded <= timedelta(minutes=29, seconds=59)
    assert timedelta(minutes=9, seconds=58) <= shorter <= timedelta(minutes=10)
    assert longer == unbounded


async def test_every_segment_of_a_long_promotion_ends_with_the_hours(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T20:30:00Z")
    world.scripts["movistar"] = script = Script()
    async with world.running() as daemon:
        await trio.sleep(1)
        await daemon.submit(PARIS, category="promotional", text=LONG)
        await trio.sleep(1)
    ends = [parts_of(pdu.validity_period) for pdu in script.submits()]
    assert len(ends) == 2
    assert all(timedelta(minutes=29) < each < timedelta(minutes=30) for each in ends)


async def test_a_legal_notice_may_arrive_at_night_and_a_promotion_where_no_hours_are_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T20:30:00Z")
    world.scripts["movistar"] = script = Script()
    async with world.running() as daemon:
        await trio.sleep(1)
        await daemon.submit(PARIS)
        await daemon.submit("+34600111222", category="promotional")  # no hours in Spain's law
        await trio.sleep(1)
    assert [pdu.validity_period for pdu in script.submits()] == ["", ""]


async def test_in_the_last_two_minutes_a_promotion_waits_for_the_next_opening(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T20:57:00Z")
    async with world.running() as daemon:
        await trio.sleep(59)
        before = await daemon.submit(PARIS, category="promotional")
        await trio.sleep(1.5)
        within = await daemon.submit("+33639980124", category="promotional")
        notice = await daemon.submit("+33639980125")
    assert (before["state"], within["state"], notice["state"]) == ("queued", "held", "queued")
    assert (within["decision"]["until"], within["decision"]["rules"]) == (MONDAY_8, ["FR-QH"])


async def test_a_promotion_that_waited_for_its_operator_into_the_guard_is_held(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T20:30:00Z")
    world.reachable = False
    async with world.running() as daemon:
        answer = await daemon.submit(PARIS, category="promotional")
        await until(world, "2026-11-21T20:58:10Z")
        world.reachable = True
        await trio.sleep(70)
        record = await daemon.show(answer["submission_id"])
    assert record["state"] == "held"
    assert record["decision"]["rules"] == ["FR-QH"]
    assert world.operators["movistar"].stats.submits == 0


async def test_without_a_guard_the_last_second_counts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T20:59:50Z", close_guard_s=0)
    world.scripts["movistar"] = script = Script()
    async with world.running() as daemon:
        await trio.sleep(1)
        assert (await daemon.submit(PARIS, category="promotional"))["state"] == "queued"
        await trio.sleep(1)
    assert timedelta(0) < parts_of(script.submits()[0].validity_period) < timedelta(seconds=10)


# -- said at once ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "state"),
    [
        ({"valid_for": "2h"}, "refused"),
        ({"valid_for": "33h"}, "refused"),  # ends Monday 07:30 in Paris, half an hour too early
        ({"valid_for": "34h"}, "held"),
        ({"valid_for": "34h", "not_before": "2026-11-22T06:00:00Z"}, "held"),  # until Monday 17:00
        ({"valid_for": "2h", "not_before": "2026-11-22T06:00:00Z"}, "refused"),  # a Sunday
        ({"valid_for": "2h", "not_before": "2026-11-23T08:00:00Z"}, "held"),  # open by then
        ({"valid_for": "1h", "not_before": "2026-11-23T21:30:00Z"}, "refused"),  # shut again
    ],
)
async def test_what_cannot_leave_before_its_validity_ends_is_refused_when_it_is_submitted(
    tmp_path: Path, autojump_clock: MockClock, args: dict[str, Any], state: str
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z")
    async with world.running() as daemon:
        answer = await daemon.submit(PARIS, category="promotional", **args)
        plan = await daemon.result("plan", to=PARIS, text=PROMOTION, category="promotional", **args)
    assert (answer["state"], plan["state"]) == (state, state)
    if state == "refused":
        assert answer["decision"]["reason"] == "expired_before_window"
        assert answer["decision"]["rules"] == ["FR-QH"]


# -- many at once ----------------------------------------------------------------------------------


async def test_an_opening_releases_evenly_and_the_soonest_deadline_first(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z", release_spread_s=5)
    world.scripts["movistar"] = script = Script()
    count = 200
    async with world.running() as daemon:
        await daemon.willing(*(f"+3363998{number:04d}" for number in range(count)))
        await daemon.ask_all(
            [
                (
                    "submit",
                    {
                        "to": f"+3363998{number:04d}",
                        "text": f"{PROMOTION} n{number:03d}",
                        "category": "promotional",
                        # Every other one never expires; of the others the last has least time.
                        **({"valid_for": f"{60 * 48 - number}m"} if number % 2 else {}),
                    },
                )
                for number in range(count)
            ]
        )
        await until(world, MONDAY_8)
        opened_s = trio.current_time()
        assert not script.submits()
        await trio.sleep(20)
    sent = [
        (now, pdu.short_message.decode()[-4:])
        for now, pdu in script.seen
        if isinstance(pdu, SubmitSm)
    ]
    times = [now - opened_s for now, _ in sent]
    assert len(sent) == count
    assert min(times) >= 0
    assert 4 < max(times) < 6
    for second in range(5):
        assert 25 < sum(second <= each < second + 1 for each in times) < 70
    expected = [f"n{number:03d}" for number in range(count - 1, 0, -2)]
    expected += [f"n{number:03d}" for number in range(0, count, 2)]
    assert [text for _, text in sent] == expected


async def test_what_expires_while_the_others_leave_does_not_wait_for_its_turn(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-23T06:00:00Z", release_spread_s=3600)
    async with world.running() as daemon:
        ids = []
        for number in range(40):
            answer = await daemon.submit(
                f"+3363998{number:04d}", category="promotional", valid_for="61m"
            )
            ids.append(answer["submission_id"])
        await until(world, "2026-11-23T07:00:05Z")
        states = {(await daemon.show(each))["state"] for each in ids}
    assert states <= {"accepted", "delivered"}


async def test_a_damaged_message_keeps_no_other_back_at_the_opening_and_nobody_busy(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z")
    async with world.running() as daemon:
        damaged = await daemon.submit(PARIS, category="promotional")
        good = await daemon.submit("+33639980124", category="promotional")
        connection = daemon.gateway.store._connection
        connection.execute(
            "UPDATE submissions SET key=NULL WHERE submission_id=?", (damaged["submission_id"],)
        )
        await until(world, MONDAY_8)
        await trio.sleep(30)
        assert (await daemon.show(good["submission_id"]))["state"] == "delivered"
        commits = daemon.gateway.store.commits
        await trio.sleep(600)
        assert daemon.gateway.store.commits - commits < 30


# -- what is learnt meanwhile ----------------------------------------------------------------------


async def test_a_stop_refuses_what_is_held_and_queued_at_once_and_wakes_who_waits_for_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z")
    async with world.running() as daemon:
        asked = trio.current_time()
        held = await daemon.submit(PARIS, category="promotional")
        later = await daemon.submit(PARIS, category="promotional", not_before=MONDAY_8)
        notice = await daemon.submit(PARIS, not_before=MONDAY_8)
        other = await daemon.submit("+33639980124", category="promotional")
        records: list[dict[str, Any]] = []

        async def wait_for_it(daemon: Daemon) -> None:
            records.append(await daemon.final(held["submission_id"], timeout_s=80_000))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_it, daemon)
            await trio.sleep(10)
            await deliver(daemon, from_handset(PARIS[1:], "STOP"))
        assert trio.current_time() - asked < 60
        after = [(await daemon.show(a["submission_id"]))["state"] for a in (later, notice, other)]
        waiting = daemon.gateway.pipeline._works.waiting
        status = await daemon.result("status")
    assert codes(records[0]) == ["A.1", "A.2", "S.1"]
    assert (records[0]["state"], records[0]["decision"]["reason"]) == ("refused", "opted_out")
    assert after == ["refused", "held", "held"]
    assert waiting == status["queues"]["held"] == 2
    assert world.operators["movistar"].stats.submits == 0


async def test_an_opt_out_of_one_brand_or_in_the_same_breath_reaches_what_waits(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z")
    world.reachable = False
    async with world.running() as daemon:
        await daemon.willing(PARIS, "+34600111222")
        promotion = {"text": PROMOTION, "category": "promotional"}
        answers = await daemon.ask_all(
            [
                ("submit", {"to": PARIS, **promotion}),
                ("submit", {"to": "+34600111222", **promotion}),
                ("optout.add", {"to": PARIS, "brand": "acme"}),
                ("optout.add", {"to": "+34600111222"}),
            ]
        )
        ids = [answer["result"]["submission_id"] for answer in answers[:2]]
        states = [answer["result"]["state"] for answer in answers[:2]]
        now = [(await daemon.show(each))["state"] for each in ids]
    assert states == ["held", "queued"]
    assert now == ["refused", "refused"]


async def test_an_opt_out_goes_through_any_number_of_messages_page_by_page(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z")
    async with world.running() as daemon:
        await daemon.willing(PARIS)
        for _ in range(6):
            request = ("submit", {"to": PARIS, "text": PROMOTION, "category": "promotional"})
            await daemon.ask_all([request] * 100)
        assert (await daemon.result("status"))["queues"]["held"] == 600
        await daemon.result("optout.add", to=PARIS)
        await trio.sleep(1)
        status = await daemon.result("status")
    assert status["queues"]["held"] == 0
    assert status["totals"]["sealed"] == 600


async def test_new_rules_move_what_is_held_when_the_daemon_starts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z")
    async with world.running() as daemon:
        held = await daemon.submit(PARIS, category="promotional")
        planned = await daemon.submit("+34600111222", not_before="2026-11-24T09:00:00Z")
        doomed = await daemon.submit("+33639980124", category="promotional", valid_for="48h")
        assert (await daemon.show(held["submission_id"]))["decision"]["until"] == MONDAY_8
    text = world.config.read_text()
    world.config.write_text(
        text.replace("[policy]", '[policy]\nadded_holidays.FR = ["2026-11-23"]')
    )
    async with world.running() as daemon:
        await trio.sleep(1)
        moved = await daemon.show(held["submission_id"])
        stays = await daemon.show(planned["submission_id"])
        refused = await daemon.show(doomed["submission_id"])
        basis = daemon.gateway.store.judged_by()
    assert moved["decision"]["until"] == "2026-11-24T07:00:00Z"
    assert stays["decision"]["until"] == "2026-11-24T09:00:00Z"
    assert (refused["state"], refused["decision"]["reason"]) == ("refused", "expired_before_window")
    world.config.write_text(text)  # the day is none after all: it may leave sooner again
    async with world.running() as daemon:
        await trio.sleep(1)
        assert daemon.gateway.store.judged_by() != basis
        assert (await daemon.show(held["submission_id"]))["decision"]["until"] == MONDAY_8
        await until(world, MONDAY_8)
        await trio.sleep(30)
        assert (await daemon.show(held["submission_id"]))["state"] == "delivered"


# -- clocks ----------------------------------------------------------------------------------------


async def test_a_machine_that_slept_over_the_opening_holds_to_the_next_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z")
    async with world.running() as daemon:
        held = await daemon.submit(PARIS, category="promotional")
        late = await daemon.submit("+33639980124", category="promotional", valid_for="40h")
        world.clock.offset_ms += ms("2026-11-23T22:30:00Z") - world.clock.wall_ms()
        await trio.sleep(90)
        record = await daemon.show(held["submission_id"])
        expired = await daemon.show(late["submission_id"])
    assert record["state"] == "held"
    assert record["decision"]["until"] == "2026-11-24T07:00:00Z"
    assert expired["state"] == "expired"
    assert world.operators["movistar"].stats.submits == 0


async def test_a_clock_set_forward_over_the_opening_releases_within_a_minute(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z")
    async with world.running() as daemon:
        held = await daemon.submit(PARIS, category="promotional")
        world.clock.offset_ms += ms("2026-11-23T07:30:00Z") - world.clock.wall_ms()
        await trio.sleep(90)
        assert (await daemon.show(held["submission_id"]))["state"] == "delivered"


async def test_a_clock_set_back_across_the_opening_lets_nothing_leave_early(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-23T06:59:00Z")
    async with world.running() as daemon:
        held = await daemon.submit(PARIS, category="promotional")
        await until(world, "2026-11-23T06:59:59.500Z")
        world.clock.offset_ms -= 900  # NTP; less than a second is absorbed
        await trio.sleep(0.8)  # 06:59:59.4 by the wall
        assert (await daemon.show(held["submission_id"]))["state"] == "held"
        await trio.sleep(2)
        record = await daemon.final(held["submission_id"])
    assert record["segments"][0]["sent_at"] >= MONDAY_8


async def test_a_clock_set_back_by_an_hour_stops_the_daemon_and_the_next_one_waits(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-23T06:59:00Z")
    with pytest.RaisesGroup(TryAgain, flatten_subgroups=True, allow_unwrapped=True):
        async with world.running(crash=True) as daemon:
            await daemon.submit(PARIS, category="promotional")
            world.clock.offset_ms -= 3_600_000
            await trio.sleep(120)
    behind = pytest.RaisesExc(TryAgain, match="the ledger already holds")
    with pytest.RaisesGroup(behind, flatten_subgroups=True):
        async with world.running(crash=True):
            pass
    assert world.operators["movistar"].stats.submits == 0


# -- visible ---------------------------------------------------------------------------------------


async def test_what_is_held_shows_its_reason_its_instant_and_its_rule(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = world_at(tmp_path, "2026-11-21T21:30:00Z")
    async with world.running() as daemon:
        await daemon.submit(PARIS, category="promotional")
        await daemon.submit("+33639980124", category="promotional")
        await daemon.submit("+34600111222", not_before="2026-11-24T09:00:00Z")
        listed = await daemon.items("messages.list", state="held")
        status = await daemon.result("status")
    assert [(each["reason"], each["due_at"], each["rules"]) for each in listed] == [
        (None, "2026-11-24T09:00:00Z", []),
        ("quiet_hours", MONDAY_8, ["FR-QH"]),
        ("quiet_hours", MONDAY_8, ["FR-QH"]),
    ]
    assert status["held"] == [
        {"reason": "quiet_hours", "count": 2, "next": MONDAY_8},
        {"reason": "not_before", "count": 1, "next": "2026-11-24T09:00:00Z"},
    ]
    assert (status["queues"]["held"], status["held_next"]) == (3, MONDAY_8)

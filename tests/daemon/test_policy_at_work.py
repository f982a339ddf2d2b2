"""The law decides before the wire does: at admission, and again at the moment of sending."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import trio

from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

#: Colombia, claims: closed from Saturday 15:00 until Monday 07:00 local time (Ley 2300).
BOGOTA = "+573000000123"
SATURDAY_15_30 = round(datetime(2026, 11, 21, 20, 30, tzinfo=UTC).timestamp() * 1000)
MONDAY_7 = "2026-11-23T12:00:00Z"
#: Claims in the United States honour an opt-out and keep 08:00 to 21:00; Guam is ten hours ahead.
GUAM = "+16715550123"
GUAM_22_30 = round(datetime(2026, 11, 21, 12, 30, tzinfo=UTC).timestamp() * 1000)


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


async def test_a_claim_on_saturday_afternoon_goes_out_on_monday_at_seven_local_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.clock.offset_ms = SATURDAY_15_30
    async with world.running() as daemon:
        answer = await daemon.submit(BOGOTA, category="debt_claim")
        assert answer["state"] == "held"
        assert answer["decision"]["action"] == "hold"
        assert answer["decision"]["until"] == MONDAY_7
        assert answer["decision"]["reason"] == "quiet_hours"
        assert answer["decision"]["rules"] == ["CO-QH"]
        listed = await daemon.items("messages.list", state="held")
        assert listed[0]["due_at"] == MONDAY_7
        record = await daemon.final(answer["submission_id"], timeout_s=80_000)
        if record.get("timed_out"):
            record = await daemon.final(answer["submission_id"], timeout_s=80_000)
    assert record["state"] == "delivered"
    assert codes(record) == ["A.1", "x.Released", "F.1", "E.1", "S.1"]
    assert record["segments"][0]["sent_at"] == MONDAY_7


async def test_a_stop_that_arrives_meanwhile_refuses_a_held_message(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.clock.offset_ms = GUAM_22_30
    async with world.running() as daemon:
        answer = await daemon.submit(GUAM, category="debt_claim")
        await daemon.result("optout.add", to=GUAM, source="STOP")
        record = await daemon.final(answer["submission_id"], timeout_s=80_000)
        if record.get("timed_out"):
            record = await daemon.final(answer["submission_id"], timeout_s=80_000)
    assert record["state"] == "refused"
    assert record["decision"]["reason"] == "opted_out"
    assert codes(record) == ["A.1", "A.2", "S.1"]
    assert world.operators["movistar"].stats.submits == 0


async def test_a_message_that_waited_for_its_operator_into_the_night_is_held(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.clock.offset_ms = SATURDAY_15_30 - 2 * 3_600_000
    world.reachable = False
    async with world.running() as daemon:
        answer = await daemon.submit(BOGOTA, category="debt_claim")
        assert answer["state"] == "queued"
        await trio.sleep(3 * 3600)
        world.reachable = True
        await trio.sleep(120)
        record = await daemon.show(answer["submission_id"])
    assert record["state"] == "held"
    assert world.operators["movistar"].stats.submits == 0


async def test_an_opted_out_american_gets_no_claim_but_the_legal_notice(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await daemon.result("optout.add", to=GUAM, brand="acme", source="web")
        refused = await daemon.submit(GUAM, category="debt_claim")
        notice = await daemon.submit(GUAM, category="legal_notice")
        listed = await daemon.items("optout.list")
        await daemon.result("optout.remove", to=GUAM, brand="acme")
        again = await daemon.submit(GUAM, category="debt_claim")
        record = await daemon.show(refused["submission_id"])
    assert refused["state"] == "refused"
    assert refused["decision"]["reason"] == "opted_out"
    assert codes(record) == ["A.2", "S.1"]
    assert notice["state"] == "queued"
    assert [(o["to"], o["brand"], o["source"]) for o in listed] == [(GUAM, "acme", "web")]
    assert again["state"] == "queued"


async def test_what_cannot_be_sent_before_its_validity_ends_is_refused_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.clock.offset_ms = SATURDAY_15_30
    async with world.running() as daemon:
        answer = await daemon.submit(BOGOTA, category="debt_claim", valid_for="2h")
    assert answer["state"] == "refused"
    assert answer["decision"]["reason"] == "expired_before_window"


async def test_not_before_is_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    at = datetime.fromtimestamp(NOON_MS / 1000 + 7200, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600111222", not_before=at)
        assert answer["state"] == "held"
        record = await daemon.final(answer["submission_id"], timeout_s=10_000)
    assert record["segments"][0]["sent_at"] == at


async def test_validity_that_ends_in_the_queue_is_told_and_nothing_is_sent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.reachable = False
    async with world.running() as daemon:
        answer = await daemon.submit("+34600111222", valid_for="10m")
        await trio.sleep(3600)
        world.reachable = True
        record = await daemon.final(answer["submission_id"])
    assert record["state"] == "expired"
    assert codes(record) == ["A.1", "x.Expired", "S.1"]
    assert world.operators["movistar"].stats.submits == 0

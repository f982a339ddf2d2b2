"""What a submitter sees of a message, from `submit` to the seal, with a simulated operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


async def test_a_message_is_accepted_delivered_and_sealed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600111222")
        assert answer["state"] == "queued"
        record = await daemon.final(answer["submission_id"])
    assert record["state"] == "delivered"
    assert codes(record) == ["A.1", "F.1", "E.1", "S.1"]
    assert record["to"] == "+34600111222"
    assert record["segments"][0]["outcome"] == "accepted"
    assert record["receipts"][0]["message_state"] == "DELIVRD"
    assert record["seal"]["seq"] == record["events"][-1]["seq"]
    assert len(world.operators["movistar"].accepted) == 1


@pytest.mark.parametrize(
    ("ending", "state", "events"),
    [
        ("901", "undelivered", ["A.1", "F.1", "E.2", "S.1"]),
        ("902", "expired", ["A.1", "F.1", "E.2", "S.1"]),
        ("903", "deleted", ["A.1", "F.1", "E.2", "S.1"]),
        ("904", "rejected", ["A.1", "F.1", "E.2", "S.1"]),
        ("905", "unconfirmed", ["A.1", "F.1", "x.CarrierReport", "x.NoConfirmation", "S.1"]),
        ("906", "unconfirmed", ["A.1", "F.1", "x.CarrierReport", "x.NoConfirmation", "S.1"]),
        ("910", "rejected", ["A.1", "F.2", "S.1"]),
        ("923", "delivered", ["A.1", "x.Attempt", "F.1", "E.1", "S.1"]),
        ("932", "delivered", ["A.1", "x.Attempt", "F.1", "E.1", "S.1"]),
        ("940", "delivered", None),
        ("942", "unconfirmed", ["A.1", "F.1", "x.NoConfirmation", "S.1"]),
        ("943", "delivered", ["A.1", "F.1", "x.CarrierReport", "E.1", "S.1"]),
    ],
)
async def test_each_outcome_the_operator_can_bring_about(
    tmp_path: Path,
    autojump_clock: MockClock,
    ending: str,
    state: str,
    events: list[str] | None,
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit(f"+34600111{ending}")
        record = await daemon.final(answer["submission_id"], timeout_s=80_000)
        if record.get("timed_out"):
            record = await daemon.final(answer["submission_id"], timeout_s=86_000)
            for _ in range(4):
                if record.get("timed_out"):
                    record = await daemon.final(answer["submission_id"], timeout_s=86_000)
    assert record["state"] == state
    if events is not None:
        assert codes(record) == events

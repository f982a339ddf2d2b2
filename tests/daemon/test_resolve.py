"""A person decides an unknown, and the proof of it checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.daemon.roles import Role
from gateway.ledger.verify import verify_bundle
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def faults(bundle: dict[str, Any]) -> list[str]:
    """What an offline check finds wrong with the course of the bundle's submission."""
    report = verify_bundle(bundle["bundle"].encode(), now_ms=2 * NOON_MS)
    return [name for name, ok in report.checks if not ok and name in ("links", "complete")]


@pytest.mark.parametrize(
    ("said", "state"), [("delivered", "delivered_to_operator"), ("not-sent", "undelivered")]
)
async def test_a_person_decides_an_unknown(
    tmp_path: Path, autojump_clock: MockClock, said: str, state: str
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600333930")
        await trio.sleep(60)
        submission_id = answer["submission_id"]
        why = "operator ticket INC-7"
        resolved = await daemon.result(
            "messages.resolve", **{"submission_id": submission_id, "as": said, "why": why}
        )
        record = await daemon.show(submission_id)
        bundle = await daemon.result("bundle", submission_id=submission_id)
        again = await daemon.ask(
            "messages.resolve", **{"submission_id": submission_id, "as": said, "why": why}
        )
    assert resolved["state"] == record["state"] == state
    assert codes(record) == ["A.1", "x.OutcomeUnknown", "x.Resolved", "S.1"]
    assert why in bundle["bundle"]
    assert faults(bundle) == []
    assert again["error"]["code"] == "no"
    assert world.operators["movistar"].stats.submits == 1  # nothing was sent again


async def test_a_person_decides_even_after_the_deadline_closed_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, gateway="confirm_within_s = 3600")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600333930")
        await daemon.final(answer["submission_id"], timeout_s=8000)
        closed = await daemon.result("bundle", submission_id=answer["submission_id"])
        await daemon.result(
            "messages.resolve",
            **{"submission_id": answer["submission_id"], "as": "not-sent", "why": "asked them"},
        )
        record = await daemon.show(answer["submission_id"])
        bundle = await daemon.result("bundle", submission_id=answer["submission_id"])
    assert record["state"] == "undelivered"
    assert faults(closed) == []
    assert faults(bundle) == []
    assert codes(record)[-3:] == ["x.Reopened", "x.Resolved", "S.1"]


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"as": "maybe", "why": "x"}, "as"),
        ({"as": "delivered"}, "why"),
        ({"as": "delivered", "why": "  "}, "why"),
        ({"as": "delivered", "why": "x" * 201}, "why"),
        ({"as": "delivered", "why": "she confirmed from +34 600 333 930"}, "why"),
    ],
)
async def test_a_decision_needs_its_words(
    tmp_path: Path, autojump_clock: MockClock, args: dict[str, str], field: str
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.ask("messages.resolve", submission_id="x", **args)
    assert answer["error"]["fields"]["field"] == field


async def test_what_is_known_is_not_for_a_person_to_decide(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600333001")
        await daemon.final(answer["submission_id"])
        args = {"as": "not-sent", "why": "x"}
        known = await daemon.ask(
            "messages.resolve", **{"submission_id": answer["submission_id"], **args}
        )
        nothing = await daemon.ask("messages.resolve", **{"submission_id": "nothing", **args})
        daemon.role = Role.SUBMIT
        refused = await daemon.ask("messages.resolve", **{"submission_id": "x", **args})
    assert known["error"]["fields"]["state"] == "delivered"
    assert nothing["error"]["code"] == "no"
    assert refused["error"]["code"] == "not_permitted"

"""One id for all parts of a message: its receipts speak of the id, and nothing is made up of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.smpp.pdu import SubmitSm, SubmitSmResp
from tests.support.deliveries import deliver, receipt
from tests.support.proofs import proven
from tests.support.scripted import Script
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu
    from tests.support.world import Daemon

TO = "+34600111942"
DONE = ("2611211001", "2611211002", "2611211003")


def one_id(pdu: Pdu) -> list[Pdu] | None:
    return [SubmitSmResp("77", sequence=pdu.sequence)] if isinstance(pdu, SubmitSm) else None


def world_of(tmp_path: Path, answer: Any = one_id) -> World:
    world = World.make(tmp_path, gateway="confirm_within_s = 3600")
    world.scripts["movistar"] = Script(answer)
    return world


async def sent(daemon: Daemon) -> str:
    submitted: str = (await daemon.submit(TO, text="x" * 400))["submission_id"]
    await trio.sleep(1)
    return submitted


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (["DELIVRD"], "delivered_to_operator"),  # of which part, or of all, nobody said
        (["DELIVRD"] * 2, "delivered_to_operator"),
        (["DELIVRD"] * 3, "delivered"),
        (["DELIVRD", "UNDELIV"], "undelivered"),
        (["UNDELIV", "DELIVRD", "DELIVRD", "DELIVRD"], "undelivered"),  # of the other parts
        (["DELIVRD", "DELIVRD", "DELIVRD", "UNDELIV"], "undelivered"),
        (["ENROUTE"], "accepted"),
    ],
)
async def test_as_many_different_receipts_as_parts_make_it_delivered_and_fewer_do_not(
    tmp_path: Path, autojump_clock: MockClock, said: list[str], state: str
) -> None:
    async with world_of(tmp_path).running() as daemon:
        submitted = await sent(daemon)
        for number, word in enumerate(said):
            when = f"26112110{number:02d}"
            await deliver(daemon, receipt("77", TO[1:], word, submitted=when))
        record = await daemon.show(submitted)
        await proven(daemon, submitted)
    assert record["state"] == state
    assert len(record["receipts"]) == len(said)
    assert record.get("contradicted", False) is ("UNDELIV" in said and said[0] != "UNDELIV")


async def test_the_same_receipt_again_is_no_second_part(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world_of(tmp_path).running() as daemon:
        submitted = await sent(daemon)
        for _ in range(3):
            await deliver(daemon, receipt("77", TO[1:]))
        record = await daemon.show(submitted)
        await proven(daemon, submitted)
    assert record["state"] == "delivered_to_operator"
    assert [each["duplicate_of"] is None for each in record["receipts"]] == [True, False, False]


@pytest.mark.parametrize(("count", "state"), [(1, "delivered_to_operator"), (3, "delivered")])
@pytest.mark.parametrize("answered", [0, 1])
async def test_receipts_that_come_before_the_other_parts_answers_count_once_they_are_there(
    tmp_path: Path, autojump_clock: MockClock, count: int, state: str, answered: int
) -> None:
    def some(pdu: Pdu) -> list[Pdu] | None:
        if not isinstance(pdu, SubmitSm):
            return None
        return one_id(pdu) if len(script.submits()) <= answered else []

    world = world_of(tmp_path, some)
    script = world.scripts["movistar"]
    async with world.running() as daemon:
        submitted = await sent(daemon)
        for when in DONE[:count]:
            await deliver(daemon, receipt("77", TO[1:], submitted=when))
        assert (await daemon.show(submitted))["state"] == "sending"
        for pdu in script.submits()[answered:]:
            await script.send(SubmitSmResp("77", sequence=pdu.sequence))
        await trio.sleep(1)
        record = await daemon.show(submitted)
        status = await daemon.result("status")
        await proven(daemon, submitted)
    assert record["state"] == state
    assert len(record["receipts"]) == count
    assert status["queues"]["orphans"] == 0


async def test_a_failure_of_the_id_is_a_failure_of_the_message(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world_of(tmp_path).running() as daemon:
        submitted = await sent(daemon)
        await deliver(daemon, receipt("77", TO[1:], "EXPIRED"))
        record = await daemon.show(submitted)
    assert record["state"] == "expired"

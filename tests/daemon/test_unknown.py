"""Unknown is an outcome: what may have arrived is never sent again by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.sim.options import SimOptions
from tests.support.deliveries import bound
from tests.support.doctored import doctor
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


async def test_no_answer_makes_it_unknown_and_it_is_not_resent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600333930")
        await trio.sleep(3600)
        record = await daemon.show(answer["submission_id"])
    assert record["state"] == "unknown"
    assert codes(record) == ["A.1", "x.OutcomeUnknown"]
    assert record["segments"][0]["outcome"] == "unknown"
    assert world.operators["movistar"].stats.submits == 1


async def test_a_late_answer_resolves_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(
        tmp_path,
        {"movistar": "response_timeout_s = 5"},
        options=SimOptions(receipt_delay_min_s=20.0, receipt_delay_max_s=20.0),
    )
    async with world.running() as daemon:
        answer = await daemon.submit("+34600333931")
        record = await daemon.final(answer["submission_id"])
    assert record["state"] == "delivered"
    assert codes(record)[:3] == ["A.1", "x.OutcomeUnknown", "F.1"]


async def test_a_link_that_drops_instead_of_answering_leaves_it_unknown(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600333945")
        await trio.sleep(600)
        record = await daemon.show(answer["submission_id"])
        status = await daemon.result("status")
    assert record["state"] == "unknown"
    assert status["operators"][0]["state"] == "bound"  # it came back by itself
    assert world.connections == 2
    assert world.operators["movistar"].stats.submits == 1


async def test_after_a_crash_what_was_sending_is_unknown_and_what_was_queued_goes_out(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(
        tmp_path, {"movistar": "window = 1"}, options=SimOptions(response_delay_s=5.0)
    )
    async with world.running(crash=True) as daemon:
        first = await daemon.submit("+34600333001")
        second = await daemon.submit("+34600333002")
        with trio.fail_after(60):
            while (await daemon.show(first["submission_id"]))["state"] != "sending":
                await trio.sleep(0.01)
    async with world.running() as daemon:
        assert (await daemon.show(first["submission_id"]))["state"] == "unknown"
        assert (await daemon.final(second["submission_id"]))["state"] == "delivered"
        # Its receipt comes all the same; recipient and time tie it to the message.
        record = await daemon.final(first["submission_id"])
        status = await daemon.result("status")
    assert codes(record) == ["A.1", "x.OutcomeUnknown", "E.1", "S.1"]
    assert record["receipts"][0]["matched_by"] == "recipient"
    assert status["queues"]["unknown"] == status["queues"]["orphans"] == 0
    assert not world.operators["movistar"].duplicates()


async def test_an_unknown_message_is_closed_as_unknown_at_its_deadline(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, gateway="confirm_within_s = 3600")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600333930")
        record = await daemon.final(answer["submission_id"], timeout_s=8000)
    assert record["state"] == "unknown"
    assert codes(record) == ["A.1", "x.OutcomeUnknown", "x.NoConfirmation", "S.1"]


@pytest.mark.parametrize("parts", [1, 3])
async def test_what_never_left_is_sent_on_the_next_link(
    tmp_path: Path, autojump_clock: MockClock, parts: int
) -> None:
    """The link dies after the commit that says "sending", before a byte was written."""
    world = World.make(tmp_path)
    async with world.running() as daemon:
        gateway = daemon.gateway
        link = await bound(daemon)
        transmit = gateway.dispatcher.transmit
        lost: list[bool] = []

        def drop(now_ms: int, now_s: float) -> None:
            if not lost and link.session is not None and link.session.free() < 10:
                lost.append(True)
                session, link.session = link.session, None
                gateway.pipeline.link_lost(link, session.close())
                transmit(now_ms, now_s)
                link.session = session
            else:
                transmit(now_ms, now_s)

        doctor(gateway.dispatcher, "transmit", drop)
        text = "x" * (100 if parts == 1 else 400)
        answer = await daemon.submit("+34600333001", text=text)
        record = await daemon.final(answer["submission_id"])
    assert lost
    assert record["state"] == "delivered"
    assert "x.OutcomeUnknown" not in codes(record)
    assert not world.operators["movistar"].duplicates()

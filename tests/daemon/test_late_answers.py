"""A response that comes when the verdict stands, or that says whose a receipt really was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.smpp.consts import Status
from gateway.smpp.pdu import SubmitSm, SubmitSmResp
from tests.support.deliveries import deliver, receipt
from tests.support.proofs import proven
from tests.support.scripted import Script
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu
    from tests.support.world import Daemon

TO = "+34600111942"
HOUR = "confirm_within_s = 3600"


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def silent(pdu: Pdu) -> list[Pdu] | None:
    return [] if isinstance(pdu, SubmitSm) else None


@pytest.fixture
async def late(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[tuple[Daemon, Script]]:
    """A daemon whose operator answers a submit_sm only when the test does."""
    settings = 'response_timeout_s = 5\nreceipt_utc_offset = "+00:00"'
    world = World.make(tmp_path, {"movistar": settings}, gateway=HOUR)
    script = world.scripts["movistar"] = Script(silent)
    async with world.running() as daemon:
        yield daemon, script


async def answer(script: Script, nth: int, message_id: str = "", status: int = 0) -> None:
    """The operator answers the *nth* submit_sm at last."""
    sequence = script.submits()[nth].sequence
    await script.send(SubmitSmResp(message_id, status=status, sequence=sequence))
    await trio.sleep(0.5)


async def test_a_late_ok_after_the_deadline_stands_in_the_ledger(
    late: tuple[Daemon, Script],
    autojump_clock: MockClock,
) -> None:
    daemon, script = late
    submitted = (await daemon.submit(TO))["submission_id"]
    assert (await daemon.final(submitted, timeout_s=8000))["state"] == "unknown"
    await answer(script, 0, "4711")
    record = await daemon.show(submitted)
    entries = await proven(daemon, submitted)
    assert record["state"] == "unconfirmed"
    assert codes(record)[-4:] == ["S.1", "x.Reopened", "F.1", "S.1"]
    relayed = next(each for each in entries if each["ev"] == "F.1")
    assert relayed["parts"][0]["message_id"] == "4711"
    assert set(relayed["commit"]) == {"submit.1", "response.1"}
    await deliver(daemon, receipt("4711", TO[1:]))  # and its receipt still finds it
    record = await daemon.show(submitted)
    await proven(daemon, submitted)
    assert record["state"] == "delivered"
    assert "contradicted" not in record


async def test_a_late_refusal_after_the_deadline_stands_in_the_ledger(
    late: tuple[Daemon, Script],
    autojump_clock: MockClock,
) -> None:
    daemon, script = late
    submitted = (await daemon.submit(TO))["submission_id"]
    await daemon.final(submitted, timeout_s=8000)
    await answer(script, 0, status=Status.ESME_RINVDSTADR)
    record = await daemon.show(submitted)
    await proven(daemon, submitted)
    assert record["state"] == "rejected"
    assert codes(record)[-4:] == ["S.1", "x.Reopened", "F.2", "S.1"]
    assert "contradicted" not in record


async def test_late_oks_of_parts_stand_in_the_ledger_one_by_one(
    late: tuple[Daemon, Script],
    autojump_clock: MockClock,
) -> None:
    daemon, script = late
    submitted = (await daemon.submit(TO, text="x" * 300))["submission_id"]
    await daemon.final(submitted, timeout_s=8000)
    await answer(script, 1, "4712")
    record = await daemon.show(submitted)
    entries = await proven(daemon, submitted)
    assert record["state"] == "unknown"
    assert codes(record)[-2:] == ["S.1", "x.CarrierReport"]
    assert (entries[-1]["part"], entries[-1]["message_id"]) == (2, "4712")
    assert set(entries[-1]["commit"]) == {"submit.2", "response.2"}
    await answer(script, 0, "4711")
    record = await daemon.show(submitted)
    await proven(daemon, submitted)
    assert record["state"] == "unconfirmed"
    assert codes(record)[-3:] == ["x.Reopened", "F.1", "S.1"]


async def test_a_late_id_confirms_a_receipt_that_recipient_and_time_had_tied(
    late: tuple[Daemon, Script],
    autojump_clock: MockClock,
) -> None:
    daemon, script = late
    submitted = (await daemon.submit(TO))["submission_id"]
    await trio.sleep(6)
    await deliver(daemon, receipt("4711", TO[1:]))
    record = await daemon.show(submitted)
    assert (record["state"], record["receipts"][0]["matched_by"]) == ("delivered", "recipient")
    await answer(script, 0, "4711")
    record = await daemon.show(submitted)
    await proven(daemon, submitted)
    assert (record["state"], record["receipts"][0]["matched_by"]) == ("delivered", "id")
    assert record["segments"][0]["message_id"] == "4711"
    assert codes(record)[-3:] == ["x.Reopened", "F.1", "S.1"]
    assert "contradicted" not in record


async def test_a_late_id_that_is_another_takes_the_receipt_and_its_verdict_back(
    late: tuple[Daemon, Script],
    autojump_clock: MockClock,
) -> None:
    daemon, script = late
    submitted = (await daemon.submit(TO))["submission_id"]
    await trio.sleep(6)
    for _ in range(2):
        await deliver(daemon, receipt("9999", TO[1:]))
    await answer(script, 0, "4711")
    record = await daemon.show(submitted)
    entries = await proven(daemon, submitted)
    orphans = await daemon.items("receipts.list", orphans=True)
    status = await daemon.result("status")
    assert record["state"] == "accepted"
    assert record["seal"] is None
    assert record["receipts"] == []
    assert record["contradicted"] is True
    assert codes(record)[-2:] == ["x.Reopened", "F.1"]
    decided = [each["seq"] for each in entries if each["ev"] in ("E.1", "x.Duplicate")]
    assert entries[-2]["untied"] == decided
    assert {each["message_id"] for each in orphans} == {"9999"}
    assert len(orphans) == 2
    assert status["queues"]["orphans"] == 1
    await deliver(daemon, receipt("4711", TO[1:], "UNDELIV"))
    record = await daemon.show(submitted)
    await proven(daemon, submitted)
    assert record["state"] == "undelivered"


async def test_a_late_id_brings_a_receipt_home_from_the_message_it_was_tied_to(
    late: tuple[Daemon, Script],
    autojump_clock: MockClock,
) -> None:
    """The one it is about was given up at its deadline, so that it seemed to be the other's."""
    daemon, script = late
    yours = (await daemon.submit(TO))["submission_id"]
    assert (await daemon.final(yours, timeout_s=8000))["state"] == "unknown"
    mine = (await daemon.submit(TO))["submission_id"]
    await trio.sleep(1)
    await answer(script, 1)  # OK without an id
    await deliver(daemon, receipt("4711", TO[1:], submitted="2611211100"))
    assert (await daemon.show(mine))["state"] == "delivered"
    await answer(script, 0, "4711")
    records = [await daemon.show(each) for each in (mine, yours)]
    for each in (mine, yours):
        await proven(daemon, each)
    status = await daemon.result("status")
    assert [each["state"] for each in records] == ["accepted", "delivered"]
    assert records[1]["receipts"][0]["matched_by"] == "id"
    assert records[0]["receipts"] == []
    assert status["queues"]["orphans"] == 0
    again = await daemon.final(mine, timeout_s=8000)
    await proven(daemon, mine)
    assert again["state"] == "unconfirmed"


async def test_a_receipt_that_only_reported_is_untied_without_opening_anything(
    late: tuple[Daemon, Script],
    autojump_clock: MockClock,
) -> None:
    daemon, script = late
    submitted = (await daemon.submit(TO))["submission_id"]
    await trio.sleep(6)
    await deliver(daemon, receipt("9999", TO[1:], "ENROUTE"))
    await answer(script, 0, "4711")
    record = await daemon.show(submitted)
    entries = await proven(daemon, submitted)
    assert record["state"] == "accepted"
    assert codes(record)[-3:] == ["x.CarrierReport", "x.CarrierReport", "F.1"]
    assert entries[-2]["untied"] == [entries[-3]["seq"]]


async def test_a_late_refusal_takes_back_what_was_tied_to_a_message_never_taken(
    late: tuple[Daemon, Script],
    autojump_clock: MockClock,
) -> None:
    daemon, script = late
    submitted = (await daemon.submit(TO))["submission_id"]
    await trio.sleep(6)
    await deliver(daemon, receipt("9999", TO[1:]))
    await answer(script, 0, status=Status.ESME_RINVDSTADR)
    record = await daemon.show(submitted)
    await proven(daemon, submitted)
    assert record["state"] == "rejected"
    assert codes(record)[-3:] == ["x.Reopened", "F.2", "S.1"]
    assert record["receipts"] == []


async def test_an_id_used_again_takes_no_older_receipt_along(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A tie is undone only for a receipt that can be about the other message: not an older one."""
    world = World.make(tmp_path, gateway=HOUR)
    script = world.scripts["movistar"] = Script(silent)
    async with world.running() as daemon:
        mine = (await daemon.submit(TO))["submission_id"]
        await trio.sleep(1)
        await answer(script, 0)
        await deliver(daemon, receipt("4711", TO[1:]))
    async with world.running() as daemon:
        await trio.sleep(1)
        yours = (await daemon.submit(TO))["submission_id"]
        await trio.sleep(1)
        await answer(script, 1, "4711")
        records = [await daemon.show(each) for each in (mine, yours)]
        for each in (mine, yours):
            await proven(daemon, each)
    assert [each["state"] for each in records] == ["delivered", "accepted"]

"""Promises that hang on one line each; every test here fails without its line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from gateway.smpp.consts import Status
from gateway.smpp.pdu import SubmitSm, SubmitSmResp, Tlv
from tests.support.deliveries import deliver, receipt
from tests.support.scripted import Script
from tests.support.sealed import entries_of_file
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu

TO = "+34600111942"


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def scripted(tmp_path: Path, script: Script, settings: str = "", gateway: str = "") -> World:
    world = World.make(tmp_path, {"movistar": settings}, gateway=gateway)
    world.scripts["movistar"] = script
    return world


def silent(pdu: Pdu) -> list[Pdu] | None:
    return [] if isinstance(pdu, SubmitSm) else None


async def test_who_opts_out_while_the_message_waits_does_not_get_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script()
    world = scripted(tmp_path, script)
    world.reachable = False
    async with world.running() as daemon:
        answer = await daemon.submit(TO, category="promotional")
        await trio.sleep(1)
        await daemon.result("optout.add", to=TO)
        world.reachable = True
        record = await daemon.final(answer["submission_id"], timeout_s=600)
    assert record["state"] == "refused"
    assert script.submits() == []


async def test_a_segment_that_waits_twice_leaves_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script()
    world = scripted(tmp_path, script)
    world.reachable = False
    async with world.running() as daemon:
        answer = await daemon.submit(TO, text="x" * 300)
        gateway = daemon.gateway
        work = gateway.pipeline._works.by_submission_id(answer["submission_id"])
        assert work is not None
        gateway.dispatcher._push(work)  # as a jump of the queue, and its page read afterwards
        world.reachable = True
        await trio.sleep(100)
    assert len(script.submits()) == 2


async def test_no_further_part_leaves_after_one_was_refused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """While another one's answer is awaited the message is still open."""

    script = Script(silent)
    world = scripted(tmp_path, script, "window = 2")
    async with world.running() as daemon:
        submitted = await daemon.submit(TO, text="x" * 400)
        await trio.sleep(1)
        first = script.submits()[0].sequence
        await script.send(SubmitSmResp(status=Status.ESME_RINVDSTADR, sequence=first))
        await trio.sleep(1)
        assert len(script.submits()) == 2
        await script.send(SubmitSmResp("2", sequence=script.submits()[1].sequence))
        record = await daemon.final(submitted["submission_id"])
    assert record["state"] == "rejected"
    assert len(script.submits()) == 2


async def test_a_held_message_whose_validity_is_over_is_not_released(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script()
    world = scripted(tmp_path, script)
    async with world.running() as daemon:
        times = {"not_before": "2026-11-21T11:00:00Z", "valid_for": "10m"}
        answer = await daemon.submit(TO, **times)
    await trio.sleep(3 * 3600)
    async with world.running() as daemon:
        record = await daemon.final(answer["submission_id"], timeout_s=60)
    assert record["state"] == "expired"
    assert codes(record) == ["A.1", "x.Expired", "S.1"]


async def test_the_window_is_whole_again_after_answers_that_came_too_late(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script(delay_s=8)
    world = scripted(tmp_path, script, "window = 2\nresponse_timeout_s = 5")
    async with world.running() as daemon:
        for number in range(6):
            await daemon.submit(f"+3460011194{number}")
        await trio.sleep(100)
        status = await daemon.result("status")
    assert len(script.submits()) == 6
    assert status["operators"][0]["in_flight"] == 0
    assert status["queues"]["accepted"] == 6


async def test_a_receipt_that_says_two_things_decides_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = scripted(tmp_path, Script())
    async with world.running() as daemon:
        answer = await daemon.submit(TO)
        await trio.sleep(1)
        for state in (5, 2):
            pdu = receipt("1", TO[1:], "DELIVRD" if state == 5 else "UNDELIV")
            pdu = replace(pdu, tlvs=(Tlv(0x0427, bytes((state,))),))
            await deliver(daemon, pdu)
        record = await daemon.show(answer["submission_id"])
    assert record["state"] == "accepted"
    assert [each["conflict"] for each in record["receipts"]] == [True, True]


async def test_of_two_uses_of_an_id_the_recipient_s_counts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The other one's sender is that number, so that nothing contradicts it."""

    def answer(pdu: Pdu) -> list[Pdu] | None:
        return [SubmitSmResp("77", sequence=pdu.sequence)] if isinstance(pdu, SubmitSm) else None

    world = scripted(tmp_path, Script(answer))
    async with world.running() as daemon:
        mine = await daemon.submit(TO)
        other = await daemon.submit("+34600112942", **{"from": TO})
        await trio.sleep(1)
        await deliver(daemon, receipt("77", TO[1:]))
        records = [await daemon.show(each["submission_id"]) for each in (mine, other)]
    assert [each["state"] for each in records] == ["delivered", "accepted"]


async def test_what_was_refused_in_part_stays_rejected_whatever_the_other_part_s_receipt_says(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, SubmitSm) and len(script.submits()) == 2:
            return [SubmitSmResp(status=Status.ESME_RINVDSTADR, sequence=pdu.sequence)]
        return None

    script = Script(answer)
    world = scripted(tmp_path, script)
    async with world.running() as daemon:
        submitted = await daemon.submit(TO, text="x" * 300)
        await trio.sleep(1)
        for word in ("DELIVRD", "UNDELIV"):
            await deliver(daemon, receipt("1", TO[1:], word))
        record = await daemon.show(submitted["submission_id"])
    assert record["state"] == "rejected"
    assert codes(record) == ["A.1", "F.2", "S.1", "x.CarrierReport", "x.CarrierReport"]


async def test_orphans_are_counted_once_each_and_until_they_are_adopted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script(silent)
    world = scripted(tmp_path, script, "response_timeout_s = 60")

    async def counted(daemon: Any) -> tuple[int, int]:
        status = await daemon.result("status")
        return status["queues"]["orphans"], status["totals"]["duplicates"]

    async with world.running() as daemon:
        submitted = await daemon.submit(TO)
        await deliver(daemon, receipt("9001", TO[1:]))
        assert await counted(daemon) == (1, 0)
        await deliver(daemon, receipt("9001", TO[1:]))
        assert await counted(daemon) == (1, 1)
        await deliver(daemon, receipt("9002", "34600112942"))
        assert await counted(daemon) == (2, 1)
        await script.send(SubmitSmResp("9001", sequence=script.submits()[0].sequence))
        record = await daemon.final(submitted["submission_id"])
        assert (await counted(daemon))[0] == 1
    assert len(record["receipts"]) == 2
    async with world.running() as daemon:
        assert (await counted(daemon))[0] == 1


async def test_the_log_is_signed_every_so_many_entries(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    often = "[ledger]\ncheckpoint_every_s = 3600\ncheckpoint_every_entries = 8"
    world = scripted(tmp_path, Script(), gateway=often)
    async with world.running() as daemon:
        for number in range(5):
            await daemon.submit(f"+3460011194{number}")
        await trio.sleep(2)
        status = await daemon.result("status")
    assert status["ledger"]["checkpoint_size"] >= 8


async def test_what_a_lost_link_had_answered_is_told_before_what_it_had_not(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.daemon.pipeline._BATCH_MOST", 1)
    script = Script(silent)
    world = scripted(tmp_path, script)
    async with world.running() as daemon:
        for number in range(4):
            await daemon.submit(f"+3460011194{number}")
        await trio.sleep(1)
        asked = [pdu.sequence for pdu in script.submits()]
        await script.send(*(SubmitSmResp(f"{each}", sequence=each) for each in asked[:3]))
        await script.links[0].aclose()
        await trio.sleep(1)
    told = [e["ev"] for e in entries_of_file(tmp_path / "data") if "mid" in e]
    assert told[4:] == ["F.1", "F.1", "F.1", "x.OutcomeUnknown"]

"""Receipts that come early, twice, late, contradicting, or for nothing anybody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from gateway.sim.options import SimOptions
from tests.support.deliveries import bound
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.support.world import Daemon


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


async def all_final(daemon: Daemon, submitted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [await daemon.final(each["submission_id"]) for each in submitted]


async def test_receipts_before_their_responses_are_adopted_and_none_stays_an_orphan(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, options=SimOptions(early=1.0, response_delay_s=2.0))
    async with world.running() as daemon:
        submitted = [await daemon.submit(f"+34600222{n:03d}") for n in range(20)]
        records = await all_final(daemon, submitted)
        status = await daemon.result("status")
    assert {record["state"] for record in records} == {"delivered"}
    assert all(codes(record) == ["A.1", "F.1", "E.1", "S.1"] for record in records)
    assert status["queues"]["orphans"] == 0
    # Each was an orphan first: the ledger says so.
    assert status["totals"]["receipts"] == 20
    assert status["ledger"]["size"] == 2 + 20 * 4 + 20


async def test_a_receipt_acknowledged_as_an_orphan_survives_a_crash(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Its response died with the link; recipient and time tell whose receipt it is."""
    world = World.make(tmp_path, options=SimOptions(early=1.0, response_delay_s=5.0))
    async with world.running(crash=True) as daemon:
        answer = await daemon.submit("+34600222001")
        with trio.fail_after(60):
            while not world.operators["movistar"].stats.receipts_acknowledged:
                await trio.sleep(0.01)
    async with world.running() as daemon:
        record = await daemon.show(answer["submission_id"])
        status = await daemon.result("status")
    assert record["state"] == "delivered"
    assert codes(record) == ["A.1", "x.OutcomeUnknown", "E.1", "S.1"]
    assert [each["matched_by"] for each in record["receipts"]] == ["recipient"]
    assert status["queues"]["orphans"] == 0
    assert world.operators["movistar"].stats.submits == 1


async def test_the_same_receipt_again_is_told_once_more_and_sealed_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600222941")
        await daemon.final(answer["submission_id"])
        await trio.sleep(60)
        record = await daemon.show(answer["submission_id"])
    assert codes(record) == ["A.1", "F.1", "E.1", "S.1", "x.Duplicate"]
    assert [receipt["duplicate_of"] for receipt in record["receipts"]] == [
        None,
        record["events"][2]["seq"],
    ]
    assert record["state"] == "delivered"


async def test_a_receipt_that_contradicts_a_seal_reopens_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600222944")
        await daemon.final(answer["submission_id"])
        await trio.sleep(60)
        record = await daemon.show(answer["submission_id"])
    assert codes(record) == ["A.1", "F.1", "E.2", "S.1", "x.Reopened", "E.1", "S.1"]
    assert record["state"] == "delivered"
    assert record["contradicted"] is True


async def test_where_delivered_means_the_smsc_nobody_is_told_that_a_handset_has_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    text = world.config.read_text().replace('receipt_means = "handset"', 'receipt_means = "smsc"')
    world.config.write_text(text)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600222001")
        record = await daemon.final(answer["submission_id"])
    assert record["state"] == "delivered_to_operator"
    assert codes(record) == ["A.1", "F.1", "x.CarrierReport", "S.1"]


async def test_a_long_message_is_delivered_only_when_its_last_part_is(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600222001", text="Estimado cliente: " + "x" * 400)
        assert answer["segments"] == 3
        record = await daemon.final(answer["submission_id"])
    assert record["state"] == "delivered"
    assert codes(record) == ["A.1", "F.1", "x.CarrierReport", "x.CarrierReport", "E.1", "S.1"]
    assert [segment["outcome"] for segment in record["segments"]] == ["accepted"] * 3
    assert len({segment["message_id"] for segment in record["segments"]}) == 3


async def test_a_handsets_own_message_is_answered_only_once_it_is_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """An MO is no receipt: it must not count as one, and it must not be lost."""
    from gateway.smpp.events import Delivered
    from gateway.smpp.pdu import DeliverSm

    world = World.make(tmp_path)
    async with world.running() as daemon:
        gateway = daemon.gateway
        link = await bound(daemon)
        forged = DeliverSm(
            source="34600222001",
            dest="ACME",
            short_message=b"id:1 sub:001 dlvrd:001 stat:DELIVRD err:000",
            raw=b"\0" * 16 + b"whole",
        )
        gateway.pipeline.post(link, [Delivered(forged, forged.raw)])
        await trio.sleep(1)
        status = await daemon.result("status")
        rows = gateway.store.count_inbound()
    assert status["totals"]["receipts"] == 0
    assert rows == 1

"""What people write back: kept, put together, tied to what it answers, and obeyed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.smpp.pdu import DataSm, DeliverSm, Tlv
from tests.support.deliveries import deliver, from_handset
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.support.world import Daemon

ME = "+34600222001"
#: In the United States, and only there, an opt-out stops a brand's claims too.
GUAM = "+16715550123"


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def part(number: int, text: bytes, *, total: int = 2, how: str = "udh8") -> DeliverSm:
    """One part of a message from `ME`."""
    if how == "udh8":
        header = bytes((5, 0, 3, 77, total, number))
    else:
        header = bytes((6, 8, 4, 1, 77, total, number))
    if how.startswith("udh"):
        return DeliverSm(
            source=ME[1:], dest="ACME", short_message=header + text, data_coding=3, esm_class=0x40
        )
    numbering = (
        Tlv(0x020C, b"\x01\x4d"),
        Tlv(0x020E, bytes((total,))),
        Tlv(0x020F, bytes((number,))),
    )
    if how == "sar":
        return DeliverSm(
            source=ME[1:], dest="ACME", short_message=text, data_coding=3, tlvs=numbering
        )
    return DeliverSm(
        source=ME[1:], dest="ACME", data_coding=3, tlvs=(*numbering, Tlv(0x0424, text))
    )


async def delivered(daemon: Daemon, to: str = ME, **args: object) -> str:
    answer = await daemon.submit(to, **args)
    await daemon.final(answer["submission_id"])
    submission_id: str = answer["submission_id"]
    return submission_id


async def test_a_reply_is_an_entry_of_the_last_message_to_that_person(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        earlier = await delivered(daemon)
        latest = await delivered(daemon)
        await delivered(daemon, "+34600222002")
        await deliver(daemon, from_handset(ME[1:], "¿Quién es?"))
        record = await daemon.result("messages.show", submission_id=latest)
        other = await daemon.result("messages.show", submission_id=earlier)
        bundle = await daemon.result("bundle", submission_id=latest)
    assert codes(record) == ["A.1", "F.1", "E.1", "S.1", "F.3"]
    assert [(each["text"], each["complete"]) for each in record["replies"]] == [
        ("¿Quién es?", True)
    ]
    assert record["replies"][0]["seq"] == record["events"][-1]["seq"]
    assert record["replies"][0]["optout"] is None
    assert other["replies"] == []
    disclosed = json.loads(bundle["bundle"])["disclose"][str(record["events"][-1]["seq"])]
    assert set(disclosed) == {"text", "deliver"}


@pytest.mark.parametrize("how", ["udh8", "udh16", "sar", "payload"])
async def test_a_reply_in_parts_is_put_together_however_it_is_numbered_and_ordered(
    tmp_path: Path, autojump_clock: MockClock, how: str
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        sent = await delivered(daemon)
        await deliver(daemon, part(2, b"el lunes", how=how))
        assert (await daemon.result("messages.show", submission_id=sent))["replies"] == []
        await deliver(daemon, part(1, b"Pago ", how=how))
        record = await daemon.result("messages.show", submission_id=sent)
    assert [each["text"] for each in record["replies"]] == ["Pago el lunes"]
    assert len(record["replies"][0]["raw"]) == 2
    assert codes(record).count("F.3") == 1


async def test_parts_outlive_a_crash(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    async with world.running(crash=True) as daemon:
        sent = await delivered(daemon)
        await deliver(daemon, part(1, b"Pago "))
    async with world.running() as daemon:
        await deliver(daemon, part(2, b"el lunes"))
        record = await daemon.result("messages.show", submission_id=sent)
    assert [each["text"] for each in record["replies"]] == ["Pago el lunes"]


async def test_a_part_sent_again_counts_once_and_a_reference_used_again_begins_anew(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        sent = await delivered(daemon)
        await deliver(daemon, part(1, b"uno "), part(1, b"uno "), part(1, b"otro "))
        await deliver(daemon, part(2, b"dos"))
        record = await daemon.result("messages.show", submission_id=sent)
        kept = daemon.gateway.store.count_inbound()
    assert [(each["text"], each["complete"]) for each in record["replies"]] == [
        ("uno ", False),
        ("otro dos", True),
    ]
    assert kept == 4


async def test_what_stays_in_pieces_for_a_day_is_taken_for_what_there_is(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        sent = await delivered(daemon)
        await deliver(daemon, part(1, b"Pago "))
        await trio.sleep(25 * 3600)
        await deliver(daemon, from_handset("34600222009", "otra persona"))
        record = await daemon.result("messages.show", submission_id=sent)
    assert [(each["text"], each["complete"]) for each in record["replies"]] == [("Pago ", False)]


async def test_an_optout_word_refuses_what_is_queued(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        sent = await delivered(daemon, GUAM)
        held = await daemon.submit(GUAM, category="debt_claim", not_before="2026-11-21T10:30:00Z")
        assert held["state"] == "held"
        await deliver(daemon, from_handset(GUAM[1:], "Baja, por favor."))
        refused = await daemon.final(held["submission_id"], timeout_s=8000)
        after = await daemon.submit(GUAM, category="debt_claim")
        listed = await daemon.items("optout.list")
        record = await daemon.result("messages.show", submission_id=sent)
        entries = [
            json.loads(daemon.gateway.reader.entry(seq))
            for seq in range(daemon.gateway.reader.size)
        ]
    assert (refused["state"], refused["decision"]["reason"]) == ("refused", "opted_out")
    assert after["state"] == "refused"
    assert [(each["to"], each["brand"]) for each in listed] == [(GUAM, "acme")]
    assert record["replies"][0]["optout"] == "BAJA"
    optouts = [entry for entry in entries if entry["ev"] == "x.OptOut"]
    assert [(each["brand"], each["method"]) for each in optouts] == [("acme", "reply BAJA")]
    assert world.operators["movistar"].stats.submits == 1


async def test_an_ordinary_reply_opts_nobody_out(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await delivered(daemon)
        await deliver(daemon, from_handset(ME[1:], "Para el lunes, cancelar no"))
        assert await daemon.items("optout.list") == []
        assert (await daemon.submit(ME))["state"] == "queued"


async def test_a_stranger_who_opts_out_is_on_the_list_of_who_they_wrote_to_else_of_all(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await deliver(
            daemon,
            from_handset("34600222009", "STOP"),
            from_handset("34600222010", "STOP", "1111"),
            from_handset("5757", "STOP"),
        )
        listed = await daemon.items("optout.list")
        assert daemon.gateway.store.count_inbound() == 3
    assert [(each["to"], each["brand"]) for each in listed] == [
        ("+34600222010", None),
        ("+34600222009", "acme"),
    ]


async def test_after_a_month_a_message_is_no_answer_any_more(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    # A month of silence has fewer enquire_link in it this way.
    world = World.make(tmp_path, {"movistar": "enquire_link_s = 3600\ninactivity_s = 9000"})
    async with world.running() as daemon:
        sent = await delivered(daemon)
        await trio.sleep(31 * 86400)
        await deliver(daemon, from_handset(ME[1:], "hola"))
        record = await daemon.result("messages.show", submission_id=sent)
    assert record["replies"] == []


async def test_a_forged_receipt_is_what_a_person_wrote(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600222942")
        await trio.sleep(1)
        record = await daemon.show(answer["submission_id"])
        named = record["segments"][0]["message_id"]
        forged = from_handset("34600222942", f"id:{named} sub:001 dlvrd:001 stat:DELIVRD err:000")
        handset_ack = replace(forged, esm_class=0x08)
        await deliver(daemon, forged, handset_ack)
        record = await daemon.result("messages.show", submission_id=answer["submission_id"])
        status = await daemon.result("status")
    assert record["state"] == "accepted"
    assert record["receipts"] == []
    assert len(record["replies"]) == 2
    assert status["totals"]["receipts"] == 0


async def test_a_reply_by_data_sm_is_a_reply(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    payload = Tlv(0x0424, "sí 👍".encode("utf-16-be"))
    pdu = DataSm(source=ME[1:], dest="ACME", data_coding=8, tlvs=(payload,))
    async with world.running() as daemon:
        sent = await delivered(daemon)
        await deliver(daemon, pdu)
        record = await daemon.result("messages.show", submission_id=sent)
    assert [each["text"] for each in record["replies"]] == ["sí 👍"]

"""Receipts as operators write them: whatever the form, what is said is sealed and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.smpp.pdu import DataSm, DeliverSm, Tlv
from tests.support.deliveries import deliver
from tests.support.doctored import doctor
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

ME = "34600111942"


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def said(text: bytes, **fields: Any) -> DeliverSm:
    return DeliverSm(source=ME, dest="ACME", short_message=text, **{"esm_class": 0x04, **fields})


async def after(tmp_path: Path, *pdus: DeliverSm | DataSm, named: str = "4711") -> dict[str, Any]:
    """The record of a message whose id is *named* after the operator delivered *pdus*."""
    world = World.make(tmp_path)
    doctor(world.operators["movistar"], "_new_ids", lambda quirks: (named, named))
    async with world.running() as daemon:
        answer = await daemon.submit(f"+{ME}")
        await trio.sleep(1)
        for pdu in pdus:
            await deliver(daemon, pdu)
        status = await daemon.result("status")
        record = await daemon.show(answer["submission_id"])
    assert status["totals"]["receipts"] == len(pdus)
    assert status["queues"]["orphans"] == 0
    return record


@pytest.mark.parametrize(
    "word", ["FAILED", "BUFFRED", "ACKED", "0", "DND_REJECTED", "DELIVERED TO SMSC", "ACCEPTD"]
)
async def test_a_word_nobody_listed_is_kept_and_is_no_verdict(
    tmp_path: Path, autojump_clock: MockClock, word: str
) -> None:
    """Q8."""
    record = await after(tmp_path, said(f"id:4711 stat:{word} err:000 text:".encode()))
    assert record["state"] == "accepted"
    assert codes(record)[-1] == "x.CarrierReport"
    assert record["receipts"][0]["message_state"] == word


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("id:4711 submit date:2611211000 done date:2611211000 stat:DELIVRD err:000 text:x", "000"),
        ("id:4711 done date:2611211000 DELIVRD err:000 Text:", "000"),
        ("id:4711 err:0032 stat:DELIVRD", "0032"),
        ("ID:4711 STAT:delivrd ERR:21b", "21b"),
        ("id:4711 sub:null dlvrd:null stat:DELIVRD err:nul text:stat:UNDELIV", "nul"),
        ("id:4711 sub:001 stat:DELIVRD", None),
    ],
)
async def test_fields_may_be_missing_reordered_or_without_label(
    tmp_path: Path, autojump_clock: MockClock, text: str, error: str | None
) -> None:
    """Q9."""
    record = await after(tmp_path, said(text.encode()))
    assert record["state"] == "delivered"
    assert record["receipts"][0]["error"] == error


@pytest.mark.parametrize(
    ("date", "done_at"),
    [
        ("2611211000", "2026-11-21T10:00:00Z"),
        ("261121100005", "2026-11-21T10:00:05Z"),
        ("20261121100005", "2026-11-21T10:00:05Z"),
        ("261121130005012+", "2026-11-21T10:00:05Z"),
        ("0000000000", None),
        ("yesterday", None),
    ],
)
async def test_every_form_of_date_and_none_is_an_error(
    tmp_path: Path, autojump_clock: MockClock, date: str, done_at: str | None
) -> None:
    """Q10; the time of evidence is our own."""
    text = f"id:4711 submit date:{date} done date:{date} stat:DELIVRD err:000 text:"
    record = await after(tmp_path, said(text.encode()))
    assert record["state"] == "delivered"
    assert record["receipts"][0]["done_at"] == done_at
    assert record["receipts"][0]["received_at"].startswith("2026-11-21T10:0")


STATE = (Tlv(0x001E, b"4711\0"), Tlv(0x0427, b"\x02"))


@pytest.mark.parametrize(
    "pdu",
    [
        said(b"", tlvs=STATE),  # Q11
        said(b"id:4711 stat:DELIVRD"),
        said(b"id:4711 stat:DELIVRD", tlvs=STATE),
        said(b"\x05\x00\x03\x84\x01\x01id:4711 stat:DELIVRD", esm_class=0x44),  # Q18
        said("id:4711 stat:DELIVRD err:000".encode("utf-16-be"), data_coding=8),  # Q21
        said(b"id:4711 stat:DELIVRD err:000 text:H\x1bello \x00\x11", data_coding=0),
        said(b"", tlvs=(Tlv(0x0424, b"id:4711 stat:DELIVRD err:000"),)),
        DataSm(source=ME, dest="ACME", esm_class=0x04, tlvs=STATE),  # Q27
        said(b"id:4711 stat:DELIVRD", tlvs=(Tlv(0x1454, b"\x01"), Tlv(0x0428, b"\x01"))),  # Q14
    ],
    ids=["tlvs", "text", "both", "udh", "ucs2", "gsm7", "payload", "data_sm", "vendor"],
)
async def test_text_tlvs_or_both_in_any_wrapping(
    tmp_path: Path, autojump_clock: MockClock, pdu: DeliverSm | DataSm
) -> None:
    record = await after(tmp_path, pdu)
    assert record["state"] == "delivered"
    assert codes(record)[-2:] == ["E.1", "S.1"]


@pytest.mark.parametrize(
    ("value", "shown"), [(b"\x03\x00\x0b", "03000b"), (b"011", "011"), (b"\x03", "03")]
)
async def test_a_network_error_code_is_shown_as_it_came(
    tmp_path: Path, autojump_clock: MockClock, value: bytes, shown: str
) -> None:
    """Q29."""
    record = await after(
        tmp_path, said(b"id:4711 stat:UNDELIV err:011", tlvs=(Tlv(0x0423, value),))
    )
    assert record["state"] == "undelivered"
    assert record["receipts"][0]["network_error_code"] == shown


async def test_intermediate_repeated_and_late_receipts_are_all_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Q19."""
    enroute = said(b"id:4711 stat:ENROUTE", esm_class=0x20)
    delivered = said(b"id:4711 stat:DELIVRD")
    record = await after(tmp_path, enroute, delivered, delivered, said(b"id:4711 stat:EXPIRED"))
    assert codes(record)[2:] == [
        "x.CarrierReport",
        "E.1",
        "S.1",
        "x.Duplicate",
        "x.Reopened",
        "E.2",
        "S.1",
    ]
    assert record["state"] == "expired"
    assert record["contradicted"] is True
    assert len(record["receipts"]) == 4


async def test_an_intermediate_notification_is_never_final(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    record = await after(tmp_path, said(b"id:4711 stat:DELIVRD", esm_class=0x20))
    assert record["state"] == "accepted"


async def test_tlv_and_text_that_contradict_each_other_decide_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    record = await after(tmp_path, said(b"id:4711 stat:UNDELIV", tlvs=STATE))
    assert record["state"] == "accepted"
    assert record["receipts"][0]["conflict"] is True

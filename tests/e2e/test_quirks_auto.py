"""Habits that a person would have to set, met by `message_id_form = "auto"` and by recipients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.smpp.dialect import load_dialect
from gateway.smpp.pdu import DeliverSm
from gateway.smpp.wire import encode
from tests.support.stage import codes, stage

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.dialect import Dialect

AUTO = 'message_id_form = "auto"'


def states(records: list[dict[str, Any]]) -> list[str]:
    return [record["state"] for record in records]


@pytest.mark.parametrize(
    ("behaviour", "count"),
    [
        ("hex-in-response", 5),
        ("id-above-64-bit", 5),
        ("id-above-64-bit,hex-in-response", 5),
        ("tlv-and-text-differ", 5),
        ("opaque-ids", 12),
        ("id-reuse", 4),
        ("receipt-before-response,hex-in-response", 5),
    ],
)
async def test_auto_learns_how_ids_are_written_and_loses_no_receipt(
    tmp_path: Path, autojump_clock: MockClock, behaviour: str, count: int
) -> None:
    async with stage(tmp_path, behaviour, AUTO) as shown:
        records = await shown.outcome(count, after_s=300)
        status = await shown.status()
        assert states(records) == ["delivered"] * count
        assert status["queues"]["orphans"] == 0


async def test_q13_ok_without_an_id_is_settled_by_the_one_receipt_for_that_person(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Forms 5 and 6: an empty id, and no body. Recipient and time single out one receipt."""
    async with stage(tmp_path, "response-shapes", gateway="confirm_within_s = 3600") as shown:
        records = await shown.outcome(6, after_s=7200)
        assert states(records) == ["rejected"] * 3 + ["delivered"] * 3
        for record in records[4:]:
            assert record["receipts"][0]["matched_by"] == "recipient"


async def test_q23_an_unanswered_message_is_settled_by_the_one_receipt_for_that_person(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Form 3: no response ever, and yet a receipt for that recipient."""
    settings = "response_timeout_s = 5"
    gateway = "confirm_within_s = 3600"
    async with stage(tmp_path, "no-response", settings, gateway=gateway) as shown:
        records = await shown.outcome(3, after_s=7200)
        assert codes(records[2])[:2] == ["A.1", "x.OutcomeUnknown"]
        assert records[2]["state"] == "delivered"
        assert records[2]["receipts"][0]["matched_by"] == "recipient"


async def test_q18_an_unmarked_receipt_from_somebody_else_is_a_message_and_no_receipt(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialect lets receipts go unmarked; a third person knows the id and writes it."""

    def load(path: Path) -> Dialect:
        return replace(load_dialect(path), receipt_with_esm_class_0=True)

    monkeypatch.setattr("gateway.daemon.gateway.load_dialect", load)
    async with stage(tmp_path, "") as shown:
        answer = await shown.daemon.submit("+34600111942")  # accepted, and no receipt
        await trio.sleep(5)
        (message,) = shown.operator.accepted
        forged = DeliverSm(
            source="34600111299",
            dest="ACME",
            short_message=(
                f"id:{message.message_id} sub:001 dlvrd:001 submit date:2611211000"
                f" done date:2611211001 stat:DELIVRD err:000 text:"
            ).encode(),
        )
        link: Any = shown.operator.accounts["acuse"].receivers[0]
        link.ask("mo", encode(forged, 1))
        link.wake(trio.current_time())
        await trio.sleep(5)
        record = await shown.daemon.show(answer["submission_id"])
        assert record["state"] == "accepted"
        assert record["receipts"] == []
        assert shown.daemon.gateway.store.count_inbound() == 1
        assert [reply.raw[8:12] for reply in shown.replies("mo")] == [bytes(4)]

"""Every shape of an answer to a submit_sm, through the whole daemon (quirks Q13, Q16, Q26, Q32)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.smpp.consts import Status
from gateway.smpp.pdu import GenericNack, SubmitSm, SubmitSmResp
from tests.support.scripted import Script
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu


def octets(command_id: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """A PDU by hand."""
    words = (16 + len(body), command_id, status, sequence)
    return b"".join(word.to_bytes(4, "big") for word in words) + body


async def outcome_of(tmp_path: Path, status: int, body: bytes) -> tuple[dict[str, Any], World]:
    """How a message ends that is answered so, and that the next one is not harmed by it."""
    hard: list[Pdu] = []

    def answer(pdu: Pdu) -> list[bytes] | None:
        if isinstance(pdu, SubmitSm) and not hard:
            hard.append(pdu)
            return [octets(0x80000004, status, pdu.sequence, body)]
        return None

    world = World.make(tmp_path)
    world.scripts["movistar"] = script = Script(answer)
    async with world.running() as daemon:
        first = await daemon.submit("+34600444001")
        await trio.sleep(1)
        record = await daemon.show(first["submission_id"])
        second = await daemon.submit("+34600444002")
        await trio.sleep(1)
        assert (await daemon.show(second["submission_id"]))["state"] == "accepted"
    assert len(script.binds()) == 1  # the session was kept
    assert len(script.submits()) == 2  # and nothing was sent twice
    return record, world


@pytest.mark.parametrize(
    ("body", "message_id"),
    [
        (b"", None),
        (b"\0", None),
        (b"0A0000\0", "0A0000"),
        (b"0A0000", "0A0000"),  # without its NUL
        (b"0A0000\0\x04\x28\x00\x01\x00", "0A0000"),  # with a TLV of another version
    ],
)
async def test_an_ok_of_any_shape_is_accepted(
    tmp_path: Path, autojump_clock: MockClock, body: bytes, message_id: str | None
) -> None:
    record, _ = await outcome_of(tmp_path, 0, body)
    assert record["state"] == "accepted"
    assert record["segments"][0]["message_id"] == message_id
    assert [event["event"] for event in record["events"]] == ["A.1", "F.1"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (0x0B, b""),
        (0x0B, b"0A000000A3D323A1\0"),
        (0x0A, b"00000000\0"),
        (0x411, b"\0\x00\x1d\x00\x04full"),
        (0x45454545, b""),
    ],
)
async def test_an_error_of_any_shape_is_a_rejection(
    tmp_path: Path, autojump_clock: MockClock, status: int, body: bytes
) -> None:
    record, _ = await outcome_of(tmp_path, status, body)
    assert record["state"] == "rejected"
    assert record["segments"][0]["command_status"] == status
    assert record["segments"][0]["message_id"] is None
    assert [event["event"] for event in record["events"]] == ["A.1", "F.2", "S.1"]


async def test_a_message_without_an_id_is_unconfirmed_at_its_deadline(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, gateway="confirm_within_s = 3600")

    def answer(pdu: Pdu) -> list[Pdu] | None:
        return [SubmitSmResp(sequence=pdu.sequence)] if isinstance(pdu, SubmitSm) else None

    world.scripts["movistar"] = Script(answer)
    async with world.running() as daemon:
        submitted = await daemon.submit("+34600444001")
        record = await daemon.final(submitted["submission_id"], timeout_s=8000)
    assert record["state"] == "unconfirmed"


async def test_a_nack_of_a_submit_fails_it_now_and_not_at_its_time_out(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, SubmitSm):
            return [GenericNack(pdu.sequence, Status.ESME_RINVCMDLEN)]
        return None

    world = World.make(tmp_path)
    world.scripts["movistar"] = Script(answer)
    async with world.running() as daemon:
        submitted = await daemon.submit("+34600444001")
        await trio.sleep(1)
        record = await daemon.show(submitted["submission_id"])
    assert record["state"] == "rejected"
    assert record["segments"][0]["command_status"] == Status.ESME_RINVCMDLEN


async def test_an_unknown_command_is_nacked_with_its_sequence_and_the_session_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.scripts["movistar"] = script = Script()
    async with world.running() as daemon:
        await trio.sleep(1)
        await script.send(octets(0x00010203, 0, 0xA2859F22, b"whatever"))
        await trio.sleep(1)
        submitted = await daemon.submit("+34600444001")
        await trio.sleep(1)
        assert (await daemon.show(submitted["submission_id"]))["state"] == "accepted"
    (nack,) = [pdu for _, pdu in script.seen if isinstance(pdu, GenericNack)]
    assert (nack.sequence, nack.status) == (0xA2859F22, Status.ESME_RINVCMDID)
    assert len(script.binds()) == 1


@pytest.mark.parametrize(
    "junk",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes.fromhex("7fffffff"), bytes.fromhex("00000005")],
)
async def test_a_stream_out_of_step_is_nacked_closed_and_opened_again(
    tmp_path: Path, autojump_clock: MockClock, junk: bytes
) -> None:
    world = World.make(tmp_path)
    world.scripts["movistar"] = script = Script()
    async with world.running() as daemon:
        await trio.sleep(1)
        await script.send(junk)
        await trio.sleep(5)
        shown = (await daemon.result("status"))["operators"][0]
    (nack,) = [pdu for _, pdu in script.seen if isinstance(pdu, GenericNack)]
    assert nack.status == Status.ESME_RINVCMDLEN
    assert shown["state"] == "bound"
    assert len(script.binds()) == 2


async def test_a_validity_goes_along_to_the_operator(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.scripts["movistar"] = script = Script()
    async with world.running() as daemon:
        await daemon.submit("+34600444001", valid_for="25h")
        await trio.sleep(1)
    assert script.submits()[0].validity_period == "000001010000000R"

"""Throttled, queue full, failed for now: who waits, who passes, in which order, how fast again."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.clock import to_seconds_text
from gateway.daemon.pace import LEAST_SHARE, PAUSE_S, Pace
from gateway.daemon.responses import RETRY_S, retry_after_s
from gateway.smpp.consts import Status
from gateway.smpp.pdu import GenericNack, SubmitSm, SubmitSmResp
from tests.support.scripted import Script
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu
    from tests.support.world import Daemon


def refusing(status: int, times: int, *, to: str = "", nack: bool = False) -> Script:
    """Answers the first *times* submits (to a number that ends in *to*) with *status*."""
    left = [times]

    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, SubmitSm) and pdu.dest.endswith(to) and left[0]:
            left[0] -= 1
            kind = GenericNack if nack else SubmitSmResp
            return [kind(sequence=pdu.sequence, status=status)]
        return None

    return Script(answer)


def scripted(tmp_path: Path, script: Script, settings: str = "") -> World:
    world = World.make(tmp_path, {"movistar": settings})
    world.scripts["movistar"] = script
    return world


async def accepted(daemon: Daemon, submission_id: str) -> dict[str, Any]:
    """The record once the operator took all of it."""
    with trio.fail_after(600):
        while True:
            record = await daemon.show(submission_id)
            if record["state"] not in ("queued", "sending"):
                return record
            await trio.sleep(0.1)


@pytest.mark.parametrize(
    "status", [Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL, Status.ESME_RSUBMITFAIL]
)
@pytest.mark.parametrize("nack", [False, True])
async def test_throttling_by_response_or_nack_pauses_ever_longer_and_loses_nothing(
    tmp_path: Path, autojump_clock: MockClock, status: int, *, nack: bool
) -> None:
    script = refusing(status, 4, nack=nack)
    world = scripted(tmp_path, script)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        record = await accepted(daemon, answer["submission_id"])
        shown = (await daemon.result("status"))["operators"][0]
    assert record["state"] == "accepted"
    times = [at for at, pdu in script.seen if isinstance(pdu, SubmitSm)]
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses == pytest.approx([0.5, 1.0, 2.0, 4.0], abs=0.1)
    assert shown["throttled"] == 4
    assert shown["rate_now"] < shown["rate"]
    assert [event["event"] for event in record["events"]] == ["A.1", "x.Attempt", "F.1"]


async def test_a_nack_with_another_status_is_final(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = scripted(tmp_path, refusing(Status.ESME_RINVCMDID, 1, nack=True))
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        record = await daemon.final(answer["submission_id"])
    assert record["state"] == "rejected"
    assert record["segments"][0]["command_status"] == Status.ESME_RINVCMDID


async def test_a_vendor_s_code_throttles_where_the_dialect_says_so(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = refusing(0x412, 1)
    world = scripted(tmp_path, script)
    async with world.running() as daemon:
        operator = daemon.gateway.operators["movistar"]
        operator.dialect = replace(
            operator.dialect,
            temporary=operator.dialect.temporary | {0x412},
            throttling=operator.dialect.throttling | {0x412},
        )
        answer = await daemon.submit("+34600444001")
        record = await accepted(daemon, answer["submission_id"])
        assert operator.pace.pauses == 1
    assert record["state"] == "accepted"
    assert len(script.submits()) == 2


async def test_every_throttled_segment_is_counted_in_the_ledger(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = refusing(Status.ESME_RTHROTTLED, 3)
    script.delay_s = 0.2
    world = scripted(tmp_path, script)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001", text="x" * 400)
        await accepted(daemon, answer["submission_id"])
        entry = next(
            entry
            for entry in (daemon.gateway.store.entry(n) for n in range(daemon.gateway.store.size))
            if b"x.Attempt" in entry
        )
    assert b'"count":3' in entry
    assert b'"operator":"movistar"' in entry
    parts = [pdu.short_message[5] for pdu in script.submits()]
    assert parts == [1, 2, 3, 1, 2, 3]


async def test_what_is_throttled_is_not_overtaken_by_a_later_message_to_the_same_person(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = refusing(Status.ESME_RTHROTTLED, 2)
    script.delay_s = 0.2
    world = scripted(tmp_path, script, "window = 10")
    async with world.running() as daemon:
        for number in range(6):
            await daemon.submit("+34600444001", text=f"message {number}")
        with trio.fail_after(600):
            while len(script.submits()) < 8:
                await trio.sleep(0.1)
    texts = [pdu.short_message.decode() for pdu in script.submits()]
    assert texts == ["message 0"] * 3 + [f"message {n}" for n in range(1, 6)]


async def test_a_message_that_alone_failed_lets_others_pass_but_not_those_to_its_person(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = refusing(Status.ESME_RX_T_APPN, 3, to="001")
    world = scripted(tmp_path, script)
    async with world.running() as daemon:
        first = await daemon.submit("+34600444001", text="first")
        await daemon.submit("+34600444001", text="second")
        await daemon.submit("+34600444002", text="other")
        record = await accepted(daemon, first["submission_id"])
        with trio.fail_after(60):
            while len(script.submits()) < 6:
                await trio.sleep(0.1)
        assert daemon.gateway.operators["movistar"].pace.pauses == 0
    assert record["state"] == "accepted"
    texts = [pdu.short_message.decode() for pdu in script.submits()]
    assert texts == ["first", "other", "first", "first", "first", "second"]


async def test_a_cancelled_message_behind_another_lets_the_next_one_through(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = refusing(Status.ESME_RX_T_APPN, 3)
    world = scripted(tmp_path, script)
    async with world.running() as daemon:
        await daemon.submit("+34600444001", text="first")
        await trio.sleep(0.1)
        second = await daemon.submit("+34600444001", text="second")
        await daemon.submit("+34600444001", text="third")
        await daemon.result("messages.cancel", submission_id=second["submission_id"])
        with trio.fail_after(60):
            while len(script.submits()) < 5:
                await trio.sleep(0.1)
    texts = [pdu.short_message.decode() for pdu in script.submits()]
    assert texts == ["first"] * 4 + ["third"]


async def test_attempts_of_a_message_whose_time_is_over_are_told_before_its_seal(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = scripted(tmp_path, refusing(Status.ESME_RTHROTTLED, 1000))
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001", valid_for="10s")
        record = await daemon.final(answer["submission_id"])
    assert record["state"] == "expired"
    assert [e["event"] for e in record["events"]] == ["A.1", "x.Expired", "x.Attempt", "S.1"]


def test_after_a_pause_the_rate_comes_back_step_by_step() -> None:
    pace = Pace(100.0, 0.0)
    assert pace.available(10.0) == 5
    assert pace.slow_down(10.0)
    assert not pace.slow_down(10.1)  # what was on the way
    assert pace.pauses == 1
    assert pace.available(10.4) == 0
    assert pace.left_s(10.4) == pytest.approx(0.1)
    assert pace.next_s(10.4) == 10.5
    shares = []
    for second in range(8):
        pace.available(10.5 + second)
        shares.append(pace.share)
    assert shares == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0])


def test_pauses_grow_to_a_limit_and_the_rate_falls_to_one() -> None:
    pace, now_s, waits = Pace(100.0, 0.0), 0.0, []
    for _ in range(10):
        pace.slow_down(now_s)
        waits.append(pace.left_s(now_s))
        now_s = pace.paused_until_s
        pace.available(now_s)
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == PAUSE_S[1]
    assert pace.share == LEAST_SHARE
    assert pace.rate == 100.0 * LEAST_SHARE
    pace.available(now_s + 60)
    assert pace.share == 1.0
    pace.slow_down(now_s + 61)
    assert pace.left_s(now_s + 61) == PAUSE_S[0]


def test_the_wait_of_one_message_grows_to_a_limit() -> None:
    assert [retry_after_s(tries) for tries in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert retry_after_s(10_000) == RETRY_S[1]


async def test_status_says_until_when_an_operator_is_paused_and_forgets_it_then(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await trio.sleep(1)
        daemon.gateway.operators["movistar"].pace.slow_down(trio.current_time())
        paused = (await daemon.result("status"))["operators"][0]["throttled_until"]
        soon = to_seconds_text(world.clock.wall_ms() + 500)
        await trio.sleep(PAUSE_S[0] + 1)
        over = (await daemon.result("status"))["operators"][0]
    assert paused == soon
    assert over["throttled_until"] is None
    assert over["throttled"] == 1

"""query_sm and cancel_sm, at operators that have them and at those that only say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.ledger.verify import verify_bundle
from gateway.smpp.consts import MessageState, Status
from gateway.smpp.pdu import CancelSm, CancelSmResp, GenericNack, QuerySm, QuerySmResp
from tests.support.scripted import Script
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu

HOUR = "confirm_within_s = 3600"


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def telling(state: int, error: int = 0) -> Callable[[Pdu], list[Pdu] | None]:
    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, QuerySm):
            return [QuerySmResp(pdu.message_id, "", state, error, sequence=pdu.sequence)]
        return None

    return answer


def scripted(tmp_path: Path, script: Script, settings: str) -> World:
    world = World.make(tmp_path, {"movistar": settings}, gateway=HOUR)
    world.scripts["movistar"] = script
    return world


@pytest.mark.parametrize(
    ("said", "state", "event"),
    [
        (MessageState.DELIVERED, "delivered", "E.1"),
        (MessageState.UNDELIVERABLE, "undelivered", "E.2"),
        (MessageState.EXPIRED, "expired", "E.2"),
    ],
)
async def test_a_message_whose_receipt_is_overdue_is_asked_about(
    tmp_path: Path, autojump_clock: MockClock, said: int, state: str, event: str
) -> None:
    script = Script(telling(said, 7))
    world = scripted(tmp_path, script, "query_sm = true")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        record = await daemon.final(answer["submission_id"], timeout_s=8000)
        bundle = await daemon.result("bundle", submission_id=answer["submission_id"])
    assert record["state"] == state
    assert codes(record) == ["A.1", "F.1", event, "S.1"]
    assert record["receipts"][0]["error"] == "007"
    assert record["receipts"][0]["raw"][8:16] == "80000003"  # the query_sm_resp itself
    (query,) = [pdu for _, pdu in script.seen if isinstance(pdu, QuerySm)]
    assert (query.message_id, query.source) == ("1", "ACME")
    report = verify_bundle(bundle["bundle"].encode(), now_ms=2 * NOON_MS)
    assert all(ok for name, ok in report.checks if name in ("links", "complete", "content"))


async def test_an_answer_that_says_nothing_leaves_it_unconfirmed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    for number, answer in enumerate(
        (
            telling(MessageState.ENROUTE),
            telling(99),
            lambda pdu: [] if isinstance(pdu, QuerySm) else None,
            lambda pdu: (
                [GenericNack(pdu.sequence, Status.ESME_RINVCMDID)]
                if isinstance(pdu, QuerySm)
                else None
            ),
        )
    ):
        directory = tmp_path / str(number)
        directory.mkdir()
        script = Script(answer)
        world = scripted(directory, script, "query_sm = true")
        async with world.running() as daemon:
            submitted = await daemon.submit("+34600444001")
            record = await daemon.final(submitted["submission_id"], timeout_s=8000)
        assert record["state"] == "unconfirmed"
        assert codes(record)[-2:] == ["x.NoConfirmation", "S.1"]
        assert sum(isinstance(pdu, QuerySm) for _, pdu in script.seen) == 1


async def test_an_operator_without_query_sm_is_never_asked(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script(telling(MessageState.DELIVERED))
    world = scripted(tmp_path, script, "")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        record = await daemon.final(answer["submission_id"], timeout_s=8000)
        cancelled = await daemon.ask("messages.cancel", submission_id=answer["submission_id"])
    assert record["state"] == "unconfirmed"
    assert not any(isinstance(pdu, QuerySm | CancelSm) for _, pdu in script.seen)
    assert "cancel" in cancelled["error"]["message"]


async def test_a_link_lost_with_a_question_open_gives_the_message_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script(lambda pdu: [] if isinstance(pdu, QuerySm) else None)
    world = scripted(tmp_path, script, "query_sm = true")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        with trio.fail_after(8000):
            while not any(isinstance(pdu, QuerySm) for _, pdu in script.seen):
                await trio.sleep(1)
        await script.links[0].aclose()
        record = await daemon.final(answer["submission_id"], timeout_s=8000)
        await trio.sleep(1)
        work = daemon.gateway.pipeline._works.by_submission_id(answer["submission_id"])
        assert work is not None
        assert work.pinned == 0
    assert record["state"] == "unconfirmed"


async def test_what_was_accepted_is_cancelled_where_the_operator_can(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def answer(pdu: Pdu) -> list[Pdu] | None:
        return [CancelSmResp(pdu.sequence)] if isinstance(pdu, CancelSm) else None

    script = Script(answer)
    world = scripted(tmp_path, script, "cancel_sm = true")
    async with world.running() as daemon:
        submitted = await daemon.submit("+34600444001")
        await trio.sleep(1)
        asked = await daemon.result("messages.cancel", submission_id=submitted["submission_id"])
        record = await daemon.final(submitted["submission_id"])
    assert asked == {
        "submission_id": submitted["submission_id"],
        "state": "accepted",
        "asked": 1,
    }
    assert record["state"] == "deleted"
    assert codes(record) == ["A.1", "F.1", "E.2", "S.1"]
    (cancel,) = [pdu for _, pdu in script.seen if isinstance(pdu, CancelSm)]
    assert (cancel.message_id, cancel.source, cancel.dest) == ("1", "ACME", "34600444001")


async def test_a_refused_cancel_changes_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    def answer(pdu: Pdu) -> list[Pdu] | None:
        failed = Status.ESME_RCANCELFAIL
        return [CancelSmResp(pdu.sequence, failed)] if isinstance(pdu, CancelSm) else None

    world = scripted(tmp_path, Script(answer), "cancel_sm = true")
    async with world.running() as daemon:
        submitted = await daemon.submit("+34600444001")
        await trio.sleep(1)
        await daemon.result("messages.cancel", submission_id=submitted["submission_id"])
        await trio.sleep(5)
        record = await daemon.show(submitted["submission_id"])
    assert record["state"] == "accepted"
    assert record["receipts"] == []


async def test_an_overdue_receipt_is_asked_for_at_the_times_set_and_at_the_deadline(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script(telling(MessageState.ENROUTE))
    world = scripted(tmp_path, script, "query_sm = true\nquery_after_s = [600, 1800, 7200]")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        record = await daemon.final(answer["submission_id"], timeout_s=8000)
    asked = [round(at / 60) for at, pdu in script.seen if isinstance(pdu, QuerySm)]
    assert asked == [10, 30, 60]  # 7200 s is beyond the deadline
    assert record["state"] == "unconfirmed"
    assert codes(record).count("x.CarrierReport") == 1  # the same answer again adds x.Duplicate


async def test_a_final_answer_to_an_early_question_closes_the_message_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script(telling(MessageState.DELIVERED))
    world = scripted(tmp_path, script, "query_sm = true\nquery_after_s = [600]")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        record = await daemon.final(answer["submission_id"], timeout_s=700)
    assert record["state"] == "delivered"


async def test_questions_are_bounded_and_every_message_is_asked_about_in_the_end(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    open_now: list[int] = []

    def later(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, QuerySm):
            open_now.append(sum(isinstance(each, QuerySm) for _, each in script.seen))
            return [QuerySmResp(pdu.message_id, "", MessageState.DELIVERED, sequence=pdu.sequence)]
        return None

    script = Script(later)
    world = scripted(tmp_path, script, "query_sm = true\nquery_after_s = [600]")
    async with world.running() as daemon:
        answers = [await daemon.submit(f"+346004440{n:02d}") for n in range(40)]
        records = [await daemon.final(each["submission_id"], timeout_s=2000) for each in answers]
    assert {each["state"] for each in records} == {"delivered"}
    assert len(open_now) == 40


async def test_an_operator_that_answers_no_question_is_asked_one_at_a_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script(lambda pdu: [] if isinstance(pdu, QuerySm) else None)
    world = scripted(tmp_path, script, "query_sm = true\nquery_after_s = [600, 1200]")
    async with world.running() as daemon:
        for number in range(40):
            await daemon.submit(f"+346004440{number:02d}")
        await trio.sleep(1150)
        first = sum(isinstance(pdu, QuerySm) for _, pdu in script.seen)
        await trio.sleep(200)
        second = sum(isinstance(pdu, QuerySm) for _, pdu in script.seen) - first
    assert first <= 32
    assert second == 1

"""replace_sm: a new text is a new submission, and no proof says that the old one arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.smpp.consts import Status
from gateway.smpp.pdu import ReplaceSm, ReplaceSmResp
from tests.support.deliveries import deliver, receipt
from tests.support.proofs import proven
from tests.support.scripted import Script
from tests.support.world import PROMOTION, World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu
    from tests.support.world import Daemon

TO = "+34600111942"
SETTINGS = 'replace_sm = true\nresponse_timeout_s = 5\nreceipt_utc_offset = "+00:00"'


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def world_of(tmp_path: Path, status: int | None, settings: str = SETTINGS) -> tuple[World, Script]:
    """An operator that answers replace_sm with *status*; None: never."""

    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, ReplaceSm):
            return [] if status is None else [ReplaceSmResp(pdu.sequence, status)]
        return None

    world = World.make(tmp_path, {"movistar": settings}, gateway="confirm_within_s = 3600")
    world.scripts["movistar"] = script = Script(answer)
    return world, script


async def taken(daemon: Daemon, **args: object) -> str:
    submitted: str = (await daemon.submit(TO, **args))["submission_id"]
    await trio.sleep(1)
    return submitted


async def replaced(daemon: Daemon, old: str, text: str = "Vence el 31", **args: object) -> str:
    answer = await daemon.result("messages.replace", submission_id=old, text=text, **args)
    assert answer["replaces"] == old
    new: str = answer["submission_id"]
    return new


def sent(script: Script) -> list[ReplaceSm]:
    return [pdu for _, pdu in script.seen if isinstance(pdu, ReplaceSm)]


async def test_what_the_operator_replaced_is_deleted_and_its_receipt_is_the_new_text_s(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, script = world_of(tmp_path, 0)
    async with world.running() as daemon:
        old = await taken(daemon)
        await trio.sleep(1800)  # the receipt quotes when the old one was submitted
        new = await replaced(daemon, old)
        await trio.sleep(1)
        await deliver(daemon, receipt("1", TO[1:]))
        first, second = await daemon.show(old), await daemon.show(new)
        before, after = await proven(daemon, old), await proven(daemon, new)
        whole = await daemon.result("messages.show", submission_id=old)
    (pdu,) = sent(script)
    assert (pdu.message_id, pdu.source, pdu.short_message) == ("1", "ACME", b"Vence el 31")
    assert (pdu.registered_delivery, pdu.schedule_delivery_time, pdu.validity_period) == (1, "", "")
    assert (first["state"], first["replaced_by"]) == ("deleted", new)
    assert codes(first) == ["A.1", "F.1", "E.2", "S.1"]
    assert before[2]["reason"] == "REPLACED"
    assert before[2]["replaced_by"] == new
    assert first["receipts"][0]["raw"][8:16] == "80000007"
    assert (second["state"], second["replaces"], second["text"]) == (
        "delivered",
        old,
        "Vence el 31",
    )
    assert codes(second) == ["A.1", "F.1", "E.1", "S.1"]
    assert after[0]["replaces"] == old
    assert after[1]["parts"][0]["message_id"] == "1"
    assert whole["replaced_by"] == new


async def test_a_refused_replacement_leaves_the_old_text_as_it_was(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, _ = world_of(tmp_path, Status.ESME_RREPLACEFAIL)
    async with world.running() as daemon:
        old = await taken(daemon)
        new = await replaced(daemon, old)
        await trio.sleep(1)
        assert (await daemon.show(old))["state"] == "accepted"
        await deliver(daemon, receipt("1", TO[1:]))
        first, second = await daemon.show(old), await daemon.show(new)
        await proven(daemon, old)
        await proven(daemon, new)
    assert (first["state"], second["state"]) == ("delivered", "rejected")
    assert "replaced_by" not in first
    assert codes(second) == ["A.1", "F.2", "S.1"]


async def test_without_an_answer_nobody_knows_which_text_arrived_and_both_say_so(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, script = world_of(tmp_path, None)
    async with world.running() as daemon:
        old = await taken(daemon)
        new = await replaced(daemon, old)
        await trio.sleep(1)
        # It comes while the answer is awaited: whose it is will be seen.
        await deliver(daemon, receipt("1", TO[1:]))
        assert (await daemon.show(old))["receipts"] == []
        await trio.sleep(10)
        records = [await daemon.show(each) for each in (old, new)]
        assert [each["state"] for each in records] == ["unknown", "unknown"]
        assert sum(len(each["receipts"]) for each in records) == 1
        bundles = [await proven(daemon, old), await proven(daemon, new, "AMBIGUOUS")]
        entries = [entry for bundle in bundles for entry in bundle]
        assert [e["fits"] for e in entries if e["ev"] == "x.CarrierReport"] == [2]
        assert not any(each["ev"] == "E.1" for each in entries)
        records = [await daemon.final(each, timeout_s=8000) for each in (old, new)]
        await deliver(daemon, receipt("1", TO[1:], submitted="2611211200"))
        records = [await daemon.show(each) for each in (old, new)]
        await proven(daemon, old)
        await proven(daemon, new, "AMBIGUOUS")
    assert [each["state"] for each in records] == ["unknown", "unknown"]
    assert "x.OutcomeUnknown" in codes(records[0])
    assert len(sent(script)) == 1


async def test_a_crash_before_the_answer_leaves_both_unknown(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, script = world_of(tmp_path, None)
    async with world.running(crash=True) as daemon:
        old = await taken(daemon)
        new = await replaced(daemon, old)
        await trio.sleep(1)
    async with world.running() as daemon:
        await trio.sleep(1)
        records = [await daemon.show(each) for each in (old, new)]
        await deliver(daemon, receipt("1", TO[1:]))
        after = [await daemon.show(each) for each in (old, new)]
    assert [each["state"] for each in records + after] == ["unknown"] * 4
    assert len(sent(script)) == 1


async def test_a_late_answer_settles_which_text_it_was(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, script = world_of(tmp_path, None)
    async with world.running() as daemon:
        old = await taken(daemon)
        new = await replaced(daemon, old)
        await trio.sleep(10)
        await script.send(ReplaceSmResp(sent(script)[0].sequence))
        await trio.sleep(1)
        await deliver(daemon, receipt("1", TO[1:]))
        records = [await daemon.show(each) for each in (old, new)]
        for each in (old, new):
            await proven(daemon, each)
    assert [each["state"] for each in records] == ["deleted", "delivered"]


async def test_a_throttled_replacement_goes_out_again_unless_the_receipt_came(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, script = world_of(tmp_path, Status.ESME_RTHROTTLED)
    async with world.running() as daemon:
        old = await taken(daemon)
        new = await replaced(daemon, old)
        await trio.sleep(0.2)
        await deliver(daemon, receipt("1", TO[1:]))
        records = [await daemon.show(old), await daemon.final(new, timeout_s=600)]
        for each in (old, new):
            await proven(daemon, each)
    assert [each["state"] for each in records] == ["delivered", "cancelled"]
    assert sent(script)


@pytest.mark.parametrize(
    ("args", "settings", "said"),
    [
        ({}, "", "has no replace_sm"),
        ({"text": "x" * 400}, SETTINGS, "several segments"),
    ],
)
async def test_what_cannot_be_replaced_is_refused_at_once(
    tmp_path: Path, autojump_clock: MockClock, args: dict[str, Any], settings: str, said: str
) -> None:
    world, script = world_of(tmp_path, 0, settings)
    async with world.running() as daemon:
        old = await taken(daemon, **args)
        answer = await daemon.ask("messages.replace", submission_id=old, text="no")
        await deliver(daemon, receipt("1", TO[1:]))
    assert answer["error"]["code"] == "no"
    assert said in answer["error"]["message"]
    assert sent(script) == []


@pytest.mark.parametrize("text", ["x" * 161, "Счёт 117"])
async def test_a_text_that_replace_sm_cannot_carry_is_bad_input_and_leaves_no_trace(
    tmp_path: Path, autojump_clock: MockClock, text: str
) -> None:
    world, script = world_of(tmp_path, 0)
    async with world.running() as daemon:
        old = await taken(daemon)
        size = daemon.gateway.store.size
        answer = await daemon.ask("messages.replace", submission_id=old, text=text)
        assert daemon.gateway.store.size == size
    assert answer["error"]["fields"]["field"] == "text"
    assert sent(script) == []


async def test_what_was_reported_on_or_is_being_replaced_is_not_replaced(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, _ = world_of(tmp_path, None)
    async with world.running() as daemon:
        old = await taken(daemon)
        await replaced(daemon, old)
        await trio.sleep(1)
        twice = await daemon.ask("messages.replace", submission_id=old, text="otra vez")
        other = await taken(daemon)
        await trio.sleep(10)
        await deliver(daemon, receipt("2", TO[1:]))
        late = await daemon.ask("messages.replace", submission_id=other, text="tarde")
    assert "being replaced" in twice["error"]["message"]
    assert "delivered" in late["error"]["message"]


async def test_times_go_along_as_smpp_has_them(tmp_path: Path, autojump_clock: MockClock) -> None:
    world, script = world_of(tmp_path, 0)
    async with world.running() as daemon:
        old = await taken(daemon)
        await replaced(daemon, old, not_before="2026-11-21T15:00:00Z", valid_for="2h")
        await trio.sleep(1)
    (pdu,) = sent(script)
    assert pdu.schedule_delivery_time == "261121150000000+"
    assert pdu.validity_period == "000000065959000R"  # from now: until 17:00


async def test_an_optout_refuses_the_replacement_and_not_what_was_sent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, script = world_of(tmp_path, 0)
    async with world.running() as daemon:
        old = await taken(daemon, category="transactional")
        await daemon.result("optout.add", to=TO)
        answer = await daemon.result("messages.replace", submission_id=old, text="hola")
        record = await daemon.show(old)
    assert (answer["state"], record["state"]) == ("refused", "accepted")
    assert sent(script) == []


async def test_what_was_declared_of_the_old_text_is_declared_of_the_new_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, script = world_of(tmp_path, Status.ESME_ROK)
    world.config.write_text(world.config.read_text().replace('"law"', '"seed"'))
    wine = f"{PROMOTION} Vinos de Rioja."
    promoted = {"category": "promotional", "text": wine}
    async with world.running() as daemon:
        await trio.sleep(1)
        minor = await daemon.submit("+34600111222", **promoted)
        assert minor["decision"]["reason"] == "age_gate"  # the text is one that asks for an age
        old = await taken(daemon, **promoted, age_verified=True)
        answer = await daemon.result("messages.replace", submission_id=old, text=f"{wine} Hoy.")
        assert answer["state"] == "queued"
        await trio.sleep(1)
    assert len(sent(script)) == 1

"""Whose receipt it is: operator, message id, recipient and time tell; nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.sim.options import SimOptions
from gateway.smpp.pdu import DeliverSm, Tlv
from tests.support.deliveries import deliver, receipt
from tests.support.doctored import doctor
from tests.support.world import World, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.support.world import Daemon

#: The last digits that make the simulator accept and never send a receipt of its own.
QUIET = "942"
AUTO = 'message_id_form = "auto"\nreceipt_utc_offset = "+00:00"'


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def rules(record: dict[str, Any]) -> list[str]:
    return [each["matched_by"] for each in record["receipts"]]


async def accepted(daemon: Daemon, to: str, **args: object) -> dict[str, Any]:
    """Submit, and wait until the operator took it."""
    answer = await daemon.submit(to, **args)
    with trio.fail_after(60):
        while True:
            record = await daemon.show(answer["submission_id"])
            if record["state"] == "accepted":
                return record
            await trio.sleep(0.01)


def rename(world: World, ids: list[str]) -> None:
    """Let the operator answer the next messages with these ids."""
    operator = world.operators[next(iter(world.operators))]
    left = list(ids)
    doctor(operator, "_new_ids", lambda quirks: (left[0], left.pop(0)))


async def matched(
    tmp_path: Path, given: str, named: str, *, settings: str = AUTO, source: str = "34600111942"
) -> dict[str, Any]:
    """The record of a message the operator answered with id *given*, after a receipt *named*."""
    world = World.make(tmp_path, {"movistar": settings})
    rename(world, [given])
    async with world.running() as daemon:
        record = await accepted(daemon, "+34600111942")
        await deliver(daemon, receipt(named, source))
        return await daemon.show(record["submission_id"])


@pytest.mark.parametrize(
    ("given", "named", "rule"),
    [
        ("0e999f21-81ef", "0e999f21-81ef", "id"),
        ("1101C1-C9D03D-F000", "1101c1-c9d03d-f000", "case"),
        ("00B8BE19", "b8be19", "padding"),
        ("39f94dd5", "0972639701", "hex"),
        ("59113978", "38601FA", "decimal"),
        ("812AC7470000001B", "9307470687671156763", "hex"),
        ("171026999222636445993424531920", "171026999222636445993424531920", "id"),
    ],
)
async def test_auto_knows_an_id_in_every_writing_and_says_which(
    tmp_path: Path, autojump_clock: MockClock, given: str, named: str, rule: str
) -> None:
    record = await matched(tmp_path, given, named)
    assert record["state"] == "delivered"
    assert rules(record) == [rule]
    assert record["segments"][0]["message_id"] == given


async def test_another_writing_counts_only_with_the_recipients_number(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    record = await matched(tmp_path, "39f94dd5", "0972639701", source="34600111777")
    assert record["state"] == "accepted"
    assert record["receipts"] == []


async def test_the_number_may_come_in_national_form(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    record = await matched(tmp_path, "39f94dd5", "0972639701", source="600111942")
    assert record["state"] == "delivered"


async def test_the_same_digits_in_the_other_base_are_another_message(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The id of one message, read as hexadecimal, is that of another: the number decides."""
    world = World.make(tmp_path, {"movistar": AUTO})
    rename(world, ["81234567", "2166572391"])
    async with world.running() as daemon:
        first = await accepted(daemon, "+34600111942")
        second = await accepted(daemon, "+34600112942")
        await deliver(daemon, receipt("81234567", "34600112942"))
        records = [await daemon.show(each["submission_id"]) for each in (first, second)]
    assert [each["state"] for each in records] == ["accepted", "delivered"]
    assert rules(records[1]) == ["decimal"]


async def test_what_was_learned_settles_what_fits_in_two_ways(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Two messages to one person, and an id that is either's: a habit decides, or nobody."""
    world = World.make(tmp_path, {"movistar": AUTO})
    number = 0x20
    # For the receipt "32": 0x20 in decimal, and 50 in hexadecimal.
    rename(world, ["20", "50", "aa", "bb", "cc", "20", "50"])
    async with world.running() as daemon:
        guess = [await accepted(daemon, "+34600111942") for _ in range(2)]
        await deliver(daemon, receipt(str(number), "34600111942"))
        assert (await daemon.result("status"))["queues"]["orphans"] == 1
        for name in ("aa", "bb", "cc"):
            await accepted(daemon, "+34600112942")
            await deliver(daemon, receipt(str(int(name, 16)), "34600112942"))
        await deliver(daemon, receipt(str(number), "34600111942", "UNDELIV"))
        records = [await daemon.show(each["submission_id"]) for each in guess]
    assert [each["state"] for each in records] == ["undelivered", "accepted"]
    assert rules(records[0]) == ["hex"]


async def test_an_id_given_twice_is_told_apart_by_recipient_and_by_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": 'receipt_utc_offset = "+00:00"'})
    rename(world, ["77", "77", "77"])
    async with world.running() as daemon:
        mine = await accepted(daemon, "+34600111942")
        yours = await accepted(daemon, "+34600112942")
        await trio.sleep(7200)
        later = await accepted(daemon, "+34600111942")
        await deliver(daemon, receipt("77", "34600112942"))
        await deliver(daemon, receipt("77", "34600111942", "UNDELIV", submitted="2611211200"))
        await deliver(daemon, receipt("77", "34600111942"))
        states = [
            (await daemon.show(each["submission_id"]))["state"] for each in (mine, yours, later)
        ]
    assert states == ["delivered", "delivered", "undelivered"]


async def test_between_two_that_fit_alike_nothing_is_decided(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    rename(world, ["77", "77"])
    async with world.running() as daemon:
        both = [await accepted(daemon, "+34600111942") for _ in range(2)]
        await deliver(daemon, receipt("77", "34600111942"))
        records = [await daemon.show(each["submission_id"]) for each in both]
        entries = [
            daemon.gateway.reader.entry(event["seq"])
            for record in records
            for event in record["events"]
            if event["event"] == "x.CarrierReport"
        ]
    assert [each["state"] for each in records] == ["accepted", "accepted"]
    assert len(entries) == 1
    assert b'"fits":2' in entries[0]


async def test_the_same_id_at_two_operators_is_two_messages(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": "", "vodafone": ""})
    write_config(
        tmp_path,
        {"movistar": "", "vodafone": ""},
        routes={"+34": ["movistar"], "+33": ["vodafone"]},
    )
    for operator in world.operators.values():
        doctor(operator, "_new_ids", lambda quirks: ("77", "77"))
    async with world.running() as daemon:
        spain = await accepted(daemon, "+34600111942")
        france = await accepted(daemon, "+33639980942")
        await deliver(daemon, receipt("77", "33639980942", "UNDELIV"), operator="vodafone")
        await deliver(daemon, receipt("77", "34600111942"), operator="movistar")
        states = [(await daemon.show(each["submission_id"]))["state"] for each in (spain, france)]
    assert states == ["delivered", "undelivered"]


async def test_a_receipt_after_a_restart_days_later_finds_its_message(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": AUTO}, gateway="confirm_within_s = 864000")
    rename(world, ["39f94dd5"])
    async with world.running() as daemon:
        record = await accepted(daemon, "+34600111942")
    await trio.sleep(5 * 86400)
    async with world.running() as daemon:
        await deliver(daemon, receipt("972639701", "34600111942"))
        record = await daemon.show(record["submission_id"])
    assert record["state"] == "delivered"
    assert rules(record) == ["hex"]


async def test_a_habit_outlives_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path, {"movistar": AUTO})
    rename(world, ["aa", "bb", "cc"])
    async with world.running() as daemon:
        for name in ("aa", "bb", "cc"):
            await accepted(daemon, "+34600112942")
            await deliver(daemon, receipt(str(int(name, 16)), "34600112942"))
    rename(world, ["20", "50"])
    async with world.running() as daemon:
        both = [await accepted(daemon, "+34600111942") for _ in range(2)]
        await deliver(daemon, receipt("32", "34600111942"))
        states = [(await daemon.show(each["submission_id"]))["state"] for each in both]
    assert states == ["delivered", "accepted"]


@pytest.mark.parametrize("form", ["same", "auto"])
async def test_one_id_in_two_forms_is_one_id(
    tmp_path: Path, autojump_clock: MockClock, form: str
) -> None:
    """Q3: the text has it in decimal, the TLV in hexadecimal; the response as the text."""
    world = World.make(tmp_path, {"movistar": f'message_id_form = "{form}"'})
    rename(world, ["0059113978"])
    async with world.running() as daemon:
        record = await accepted(daemon, "+34600111942")
        await deliver(daemon, receipt("0059113978", "34600111942", tlv_id="38601fa"))
        record = await daemon.show(record["submission_id"])
    assert record["state"] == "delivered"
    assert "conflict" not in record["receipts"][0]


async def test_a_receipt_that_names_two_known_messages_decides_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    rename(world, ["100", "200"])
    async with world.running() as daemon:
        both = [await accepted(daemon, "+34600111942") for _ in range(2)]
        await deliver(daemon, receipt("200", "34600111942", tlv_id="100"))
        records = [await daemon.show(each["submission_id"]) for each in both]
    assert [each["state"] for each in records] == ["accepted", "accepted"]
    assert records[0]["receipts"][0]["conflict"] is True


async def test_early_receipts_in_another_base_are_adopted(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    options = SimOptions(early=1.0, response_delay_s=2.0, message_id="hex_in_response")
    world = World.make(tmp_path, {"movistar": AUTO}, options=options)
    async with world.running() as daemon:
        submitted = [await daemon.submit(f"+346002220{n:02d}") for n in range(10)]
        records = [await daemon.final(each["submission_id"]) for each in submitted]
        status = await daemon.result("status")
    assert {each["state"] for each in records} == {"delivered"}
    assert {rule for each in records for rule in rules(each)} == {"hex"}
    assert status["queues"]["orphans"] == 0


# -- without an id --------------------------------------------------------------------------------


async def test_accepted_without_id_is_delivered_when_recipient_and_time_single_it_out(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600222946")
        record = await daemon.final(answer["submission_id"])
    assert record["state"] == "delivered"
    assert record["segments"][0]["message_id"] is None
    assert rules(record) == ["recipient"]


async def test_accepted_without_id_and_without_receipt_is_unconfirmed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, gateway="confirm_within_s = 3600")
    rename(world, [""])
    async with world.running() as daemon:
        answer = await daemon.submit("+34600222942")
        record = await daemon.final(answer["submission_id"], timeout_s=8000)
    assert record["state"] == "unconfirmed"


async def test_two_messages_that_one_receipt_fits_stay_as_they_are(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    rename(world, ["", ""])
    async with world.running() as daemon:
        both = [await accepted(daemon, "+34600111942") for _ in range(2)]
        await deliver(daemon, receipt("4711", "34600111942"))
        states = [(await daemon.show(each["submission_id"]))["state"] for each in both]
        orphans = await daemon.items("receipts.list", orphans=True)
    assert states == ["accepted", "accepted"]
    assert [each["message_id"] for each in orphans] == ["4711"]
    assert orphans[0]["message_state"] == "DELIVRD"
    assert bytes.fromhex(orphans[0]["raw"]).endswith(b"err:000 text:")


@pytest.mark.parametrize(
    ("source", "submitted"),
    [("34600111999", "2611211000"), ("34600111942", "2611211400"), ("34600111942", "2611210930")],
)
async def test_another_number_or_another_time_does_not_fit(
    tmp_path: Path, autojump_clock: MockClock, source: str, submitted: str
) -> None:
    world = World.make(tmp_path, {"movistar": 'receipt_utc_offset = "+00:00"'})
    rename(world, [""])
    async with world.running() as daemon:
        record = await accepted(daemon, "+34600111942")
        await deliver(daemon, receipt("4711", source, submitted=submitted))
        record = await daemon.show(record["submission_id"])
        status = await daemon.result("status")
    assert record["state"] == "accepted"
    assert status["queues"]["orphans"] == 1


async def test_all_receipts_of_a_message_without_id_follow_the_first(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    rename(world, ["", ""])
    async with world.running() as daemon:
        record = await accepted(daemon, "+34600111942")
        await deliver(daemon, receipt("4711", "34600111942", "ENROUTE"))
        await accepted(daemon, "+34600111942")
        await deliver(daemon, receipt("4711", "34600111942"))
        record = await daemon.show(record["submission_id"])
    assert record["state"] == "delivered"
    assert rules(record) == ["recipient", "recipient"]


async def test_a_receipt_waits_while_an_answer_is_still_to_come(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It may be of the message whose response is late; when that came, the other one is left."""
    world = World.make(tmp_path)
    rename(world, ["", "1000"])
    operator = world.operators["movistar"]
    async with world.running() as daemon:
        first = await accepted(daemon, "+34600111942")
        object.__setattr__(operator.options, "response_delay_s", 5.0)
        second = await daemon.submit("+34600111942")
        await trio.sleep(1)
        await deliver(daemon, receipt("4711", "34600111942"))
        assert (await daemon.show(first["submission_id"]))["state"] == "accepted"
        await trio.sleep(10)
        records = [await daemon.show(each["submission_id"]) for each in (first, second)]
    assert [each["state"] for each in records] == ["delivered", "accepted"]


async def test_a_receipt_sent_again_decides_once_though_it_came_first_as_an_orphan(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It waits for the other message's answer, and the operator sends it once more meanwhile."""
    world = World.make(tmp_path)
    rename(world, ["", "1000"])
    operator = world.operators["movistar"]
    async with world.running() as daemon:
        first = await accepted(daemon, "+34600111942")
        object.__setattr__(operator.options, "response_delay_s", 5.0)
        await daemon.submit("+34600111942")
        await trio.sleep(1)
        for _ in range(2):
            await deliver(daemon, receipt("4711", "34600111942"))
        await trio.sleep(10)
        await deliver(daemon, receipt("4711", "34600111942"))
        record = await daemon.show(first["submission_id"])
        status = await daemon.result("status")
    assert record["state"] == "delivered"
    assert codes(record) == ["A.1", "F.1", "E.1", "S.1", "x.Duplicate", "x.Duplicate"]
    assert status["queues"]["orphans"] == 0


async def test_an_unknown_message_in_parts_is_resolved_by_as_many_receipts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit("+34600333930", text="x" * 400)
        await trio.sleep(60)
        for number in range(3):
            assert (await daemon.show(answer["submission_id"]))["state"] == "unknown"
            await deliver(daemon, receipt(f"90{number}", "34600333930"))
        record = await daemon.show(answer["submission_id"])
    assert record["state"] == "delivered"
    assert rules(record) == ["recipient"] * 3
    assert sorted(each["segment"] for each in record["receipts"]) == [1, 2, 3]


# -- marks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "source", "state"),
    [
        ("4711", "34600111942", "delivered"),
        ("4711", "34600111943", "accepted"),
        ("4712", "34600111942", "accepted"),
    ],
)
async def test_an_unmarked_receipt_needs_the_dialect_a_known_id_and_the_number(
    tmp_path: Path, autojump_clock: MockClock, named: str, source: str, state: str
) -> None:
    """Q18: what does not fit is what a person wrote, and kept as that."""
    from dataclasses import replace

    world = World.make(tmp_path)
    rename(world, ["4711"])
    async with world.running() as daemon:
        operator = daemon.gateway.operators["movistar"]
        operator.dialect = replace(operator.dialect, receipt_with_esm_class_0=True)
        record = await accepted(daemon, "+34600111942")
        await deliver(daemon, receipt(named, source, esm_class=0))
        record = await daemon.show(record["submission_id"])
        status = await daemon.result("status")
    assert record["state"] == state
    assert status["totals"]["receipts"] == int(state == "delivered")
    assert status["queues"]["orphans"] == 0


async def test_a_receipt_of_tlvs_without_text_or_date_finds_a_message_without_id(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    rename(world, [""])
    bare = DeliverSm(
        source="34600111942",
        dest="ACME",
        esm_class=0x04,
        tlvs=(Tlv(0x001E, b"4711\0"), Tlv(0x0427, b"\x02")),
    )
    async with world.running() as daemon:
        record = await accepted(daemon, "+34600111942")
        await deliver(daemon, bare)
        record = await daemon.show(record["submission_id"])
    assert record["state"] == "delivered"


# -- somebody else's number -----------------------------------------------------------------------


@pytest.mark.parametrize("form", ["same", "auto"])
@pytest.mark.parametrize("source", ["34600111777", "+33639980942", "600111777"])
async def test_a_receipt_from_another_number_decides_nothing_though_the_id_is_exact(
    tmp_path: Path, autojump_clock: MockClock, form: str, source: str
) -> None:
    world = World.make(tmp_path, {"movistar": f'message_id_form = "{form}"'})
    rename(world, ["1101C1-F0"])
    async with world.running() as daemon:
        record = await accepted(daemon, "+34600111942")
        await deliver(daemon, receipt("1101C1-F0", source))
        record = await daemon.show(record["submission_id"])
        orphans = await daemon.items("receipts.list", orphans=True)
    assert record["state"] == "accepted"
    assert [each["message_state"] for each in orphans] == ["DELIVRD"]


@pytest.mark.parametrize(
    "source", ["600111942", "0034600111942", "", "5555", "ACME", "34600111***", "34600555000"]
)
async def test_what_operators_write_instead_of_the_number_contradicts_nothing(
    tmp_path: Path, autojump_clock: MockClock, source: str
) -> None:
    """A national form, a short code, a name, a mask, and our own number (the last one)."""
    world = World.make(tmp_path)
    rename(world, ["1101C1-F0"])
    async with world.running() as daemon:
        record = await accepted(daemon, "+34600111942", **{"from": "+34600555000"})
        await deliver(daemon, receipt("1101C1-F0", source))
        record = await daemon.show(record["submission_id"])
    assert record["state"] == "delivered"

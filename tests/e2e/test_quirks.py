"""The habits of real operators, one after the other, against the whole daemon in virtual time.

Each test says what an operator does and what the submitter sees of it: the state, the events, the
receipts. Everywhere the link stays up or comes back, and nothing is sent twice (`stage` checks it).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from gateway.sim.options import SimOptions
from gateway.sim.quirks.links import BAD_LENGTHS, FLOOD, ODD_SEQUENCES, UNKNOWN_COMMANDS
from gateway.sim.quirks.receipts import DATES, ODD_STATS, TEXTS
from gateway.smpp.consts import CommandId, Status
from gateway.smpp.dialect import load_dialect
from tests.support.stage import NAME, codes, stage
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from trio.testing import MockClock

    from gateway.smpp.dialect import Dialect

DELIVERED = ["A.1", "F.1", "E.1", "S.1"]
LONG = "Estimado cliente: " + "x" * 400


def states(records: list[dict[str, Any]]) -> list[str]:
    return [record["state"] for record in records]


def all_delivered(records: list[dict[str, Any]]) -> bool:
    """Each once, each by one receipt of its own."""
    return (
        {record["state"] for record in records} == {"delivered"}
        and all(codes(record) == DELIVERED for record in records)
        and all(len(record["receipts"]) == 1 for record in records)
    )


def speak(monkeypatch: pytest.MonkeyPatch, **habits: object) -> None:
    """Give the operator a dialect with these *habits*."""

    def load(path: Path) -> Dialect:
        changed: dict[str, Any] = dict(habits)
        return replace(load_dialect(path), **changed)

    monkeypatch.setattr("gateway.daemon.gateway.load_dialect", load)


# -- message ids -----------------------------------------------------------------------------------


async def test_q1_a_receipt_before_its_response_waits_for_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "receipt-before-response") as shown:
        records = await shown.outcome(5)
        status = await shown.status()
        assert all_delivered(records)
        assert status["queues"]["orphans"] == 0
        assert shown.all_acknowledged()


async def test_q1_a_receipt_before_its_response_survives_a_crash_in_between(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The response dies with the daemon; the receipt was answered, so it must be kept."""
    options = SimOptions(behaviour="receipt-before-response", response_delay_s=5.0)
    world = World.make(tmp_path, options=options)
    operator = world.operators[NAME]
    async with world.running(crash=True) as daemon:
        await daemon.submit("+34600111201")
        with trio.fail_after(60):
            while not operator.stats.receipts_acknowledged:
                await trio.sleep(0.01)
    async with world.running() as daemon:
        status = await daemon.result("status")
    assert status["queues"]["orphans"] + status["totals"]["sealed"] >= 1
    assert operator.stats.submits == 1


async def test_q2_hexadecimal_in_the_response_and_decimal_in_the_receipt_are_one_id(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    setting = 'message_id_form = "hex_in_response"'
    async with stage(tmp_path, "hex-in-response", setting) as shown:
        assert all_delivered(await shown.outcome(5))
        assert shown.all_acknowledged()


async def test_q3_tlv_and_text_name_one_message_in_two_ways(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "tlv-and-text-differ") as shown:
        records = await shown.outcome(3)
        assert all_delivered(records)
        raw = bytes.fromhex(records[0]["receipts"][0]["raw"])
        message_id = records[0]["segments"][0]["message_id"]
        assert f"{int(message_id, 16):010}".encode() in raw  # both forms are in the evidence
        assert message_id.encode() + b"\0" in raw


async def test_q4_ids_above_64_bits_are_never_merged(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Neighbours that a double and a 64-bit integer take for one; each has its own end."""
    async with stage(tmp_path, "id-above-64-bit") as shown:
        endings = {"+34600111901": "undelivered", "+34600111902": "expired"}
        ids = await shown.send(3)
        for to in endings:
            ids.append((await shown.daemon.submit(to))["submission_id"])
        await trio.sleep(60)
        records = await shown.records(ids)
        assert states(records) == ["delivered"] * 3 + ["undelivered", "expired"]
        given = [record["segments"][0]["message_id"] for record in records]
        assert len({float(each) for each in given}) < len(set(given)) == 5


async def test_q4_big_ids_in_two_numerals(tmp_path: Path, autojump_clock: MockClock) -> None:
    setting = 'message_id_form = "hex_in_response"'
    async with stage(tmp_path, "id-above-64-bit,hex-in-response", setting) as shown:
        assert all_delivered(await shown.outcome(4))


async def test_q5_ids_are_names_and_keep_zeros_letters_and_hyphens(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "opaque-ids") as shown:
        records = await shown.outcome(5)
        assert all_delivered(records)
        given = [record["segments"][0]["message_id"] for record in records]
        assert given[0].startswith("0e999f21-81ef-")
        assert given[2].startswith("00B8")
        assert given[3].startswith("SAR-")


async def test_q6_one_id_for_two_people_gives_each_their_own_receipt(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "id-reuse") as shown:
        first = await shown.daemon.submit("+34600111201")
        second = await shown.daemon.submit("+34600111901")
        await trio.sleep(60)
        records = await shown.records([first["submission_id"], second["submission_id"]])
        assert states(records) == ["delivered", "undelivered"]
        one, other = (record["segments"][0]["message_id"] for record in records)
        assert one == other


async def test_q6_the_same_ids_at_two_operators_are_two_messages(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(
        tmp_path,
        "id-reuse",
        operators={NAME: "", "vodafone": ""},
        routes={"+34": [NAME], "+33": ["vodafone"]},
        connections=2,
    ) as shown:
        await trio.sleep(1)
        ids = [
            (await shown.daemon.submit(to))["submission_id"]
            for to in ("+34600111901", "+33639980122")
        ]
        await trio.sleep(60)
        records = await shown.records(ids)
        assert states(records) == ["undelivered", "delivered"]
        one, other = (record["segments"][0]["message_id"] for record in records)
        assert one == other
        assert [record["operator"] for record in records] == [NAME, "vodafone"]


async def test_q7_a_receipt_on_another_link_of_the_account_counts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "receipt-on-other-bind", "sessions = 2", connections=2) as shown:
        await trio.sleep(1)
        records = await shown.outcome(6)
        assert all_delivered(records)
        assert shown.all_acknowledged()


async def test_q7_a_receipt_comes_by_the_receiver_of_a_split_pair(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "", 'bind = "split"', connections=2) as shown:
        await trio.sleep(1)
        records = await shown.outcome(3)
        assert all_delivered(records)


# -- receipts --------------------------------------------------------------------------------------


async def test_q8_a_word_nobody_defined_is_kept_and_decides_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "odd-stat", gateway="confirm_within_s = 3600") as shown:
        ids = await shown.send(len(ODD_STATS))
        records = await shown.records(ids)
        assert states(records) == ["accepted"] * len(ODD_STATS)
        told = [record["receipts"][0]["message_state"] for record in records]
        assert told == list(ODD_STATS)
        assert not any(record["receipts"][0]["final"] for record in records)
        await trio.sleep(4000)
        assert set(states(await shown.records(ids))) == {"unconfirmed"}


async def test_q9_fields_are_found_by_label_in_any_order_or_by_their_value(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "missing-fields") as shown:
        records = await shown.outcome(len(TEXTS))
        assert all_delivered(records)
        errors = [record["receipts"][0]["error"] for record in records]
        assert errors == ["000", None, "000", "000", "null", "0032", "21b", "000"]


async def test_q10_every_form_of_a_date_is_read_and_our_clock_is_the_evidence(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "date-forms") as shown:
        records = await shown.outcome(len(DATES))
        assert all_delivered(records)
        receipts = [record["receipts"][0] for record in records]
        assert [each["done_at"] for each in receipts] == [
            "2026-11-21T10:00:00Z",
            "2026-11-21T10:00:05Z",
            "2026-11-21T10:00:05Z",
            "2026-11-21T07:00:05Z",  # three hours ahead of UTC, so before it was submitted
            None,
        ]
        assert all(each["received_at"].startswith("2026-11-21T10:00:") for each in receipts)


async def test_q10_dates_in_the_operators_local_time_become_utc(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    setting = 'receipt_utc_offset = "+02:00"'
    async with stage(tmp_path, "", setting, utc_offset_s=7200) as shown:
        record = (await shown.outcome(1))[0]
        assert record["receipts"][0]["done_at"] == "2026-11-21T10:00:00Z"


async def test_q11_receipts_of_tlvs_alone_and_of_text_alone_both_count(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "tlv-only") as shown:
        assert all_delivered(await shown.outcome(4))
        assert shown.all_acknowledged()


async def test_q14_foreign_tlvs_disturb_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with stage(tmp_path, "foreign-tlvs") as shown:
        records = await shown.outcome(8)
        assert all_delivered(records)
        assert shown.all_acknowledged()
        assert b"\x14\x54\x00\x04" in bytes.fromhex(records[0]["receipts"][0]["raw"])


async def test_q15_a_lying_sm_length_is_bounded_by_the_pdu(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "lying-sm-length") as shown:
        assert all_delivered(await shown.outcome(6))
        assert shown.all_acknowledged()


async def test_q18_receipts_are_known_by_their_mark_and_an_unmarked_one_decides_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "esm-class") as shown:
        records = await shown.outcome(4)
        assert states(records) == ["delivered", "delivered", "accepted", "accepted"]
        assert shown.all_acknowledged()
        # The third is marked as intermediate too: told, and no verdict. The fourth is an MO.
        assert [len(record["receipts"]) for record in records] == [1, 1, 1, 0]


async def test_q18_a_subscribers_text_that_looks_like_a_receipt_never_counts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "forged-mo") as shown:
        records = await shown.outcome(3)
        status = await shown.status()
        assert states(records) == ["accepted"] * 3
        assert not any(record["receipts"] for record in records)
        assert status["totals"]["receipts"] == 0
        assert [reply.raw[8:12] for reply in shown.replies("mo")] == [bytes(4)] * 3
        assert shown.operator.stats.submits == 3  # and nobody was answered by SMS


async def test_q18_an_operator_that_never_marks_receipts_has_a_dialect_that_says_so(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak(monkeypatch, receipt_with_esm_class_0=True)
    async with stage(tmp_path, "esm-class") as shown:
        records = await shown.outcome(4)
        assert states(records) == ["delivered", "delivered", "accepted", "delivered"]


async def test_q19_every_receipt_is_told_and_the_last_word_counts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(
        tmp_path,
        "repeated-receipts",
        "enquire_link_s = 3600\ninactivity_s = 80000",
        gateway="confirm_within_s = 864000",
        enquire_link_s=0,
    ) as shown:
        records = await shown.outcome(3, after_s=6 * 86_400)
        assert states(records) == ["delivered"] * 3
        assert codes(records[0]) == ["A.1", "F.1", "x.CarrierReport", "E.1", "S.1", "x.Duplicate"]
        assert codes(records[1]) == ["A.1", "F.1", "E.2", "S.1", "x.Reopened", "E.1", "S.1"]
        assert codes(records[2]) == DELIVERED
        assert records[1]["contradicted"] is True
        assert [len(record["receipts"]) for record in records] == [3, 2, 1]


async def test_q20_a_long_message_is_what_all_its_parts_are(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "multipart-partial") as shown:
        whole, partial, refused = await shown.outcome(3, text=LONG)
        assert whole["state"] == "delivered"
        assert len({part["message_id"] for part in whole["segments"]}) == 3
        assert len(whole["receipts"]) == 3
        answered = [part["answered_at"] for part in whole["segments"]]
        assert answered == sorted(answered, reverse=True)  # the last part first
        assert partial["state"] == "accepted"  # one part arrived; nobody says that all did
        assert [receipt["segment"] for receipt in partial["receipts"]] == [1]
        assert refused["state"] == "rejected"
        assert "rejected" in [part["outcome"] for part in refused["segments"]]
        assert "F.2" in codes(refused)
        asked = {each.registered_delivery for each in shown.operator.accepted}
        assert asked == {1}  # every part asks for its receipt


async def test_q21_a_receipt_is_read_in_the_character_set_it_comes_in(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "receipt-charset") as shown:
        records = await shown.outcome(4)
        assert all_delivered(records)
        raw = bytes.fromhex(records[0]["receipts"][0]["raw"])
        assert "stat:DELIVRD".encode("utf-16-be") in raw  # the octets stay as they came


async def test_q27_a_receipt_by_data_sm_counts(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with stage(tmp_path, "data-sm-receipt") as shown:
        records = await shown.outcome(3)
        assert all_delivered(records)
        assert shown.all_acknowledged()
        raw = bytes.fromhex(records[0]["receipts"][0]["raw"])
        assert int.from_bytes(raw[4:8], "big") == CommandId.DATA_SM


async def test_q28_the_answer_to_a_receipt_has_one_nul_and_nothing_else(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "odd-deliver-resp") as shown:
        assert all_delivered(await shown.outcome(3))
        assert shown.all_acknowledged()


async def test_q29_the_networks_error_is_told_in_either_form(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "network-error-code") as shown:
        records = await shown.outcome(2)
        assert states(records) == ["undelivered"] * 2
        told = [record["receipts"][0]["network_error_code"] for record in records]
        assert told == ["034", "030022"]


async def test_q31_a_receipt_under_another_id_is_kept_and_delivers_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "unrelated-ids", gateway="confirm_within_s = 3600") as shown:
        ids = await shown.send(2)
        status = await shown.status()
        assert states(await shown.records(ids)) == ["accepted"] * 2
        assert status["queues"]["orphans"] == 2
        assert shown.all_acknowledged()
        assert shown.operator.stats.nacks == 0  # two people, two submit_sm, no submit_multi
        await trio.sleep(4000)
        assert states(await shown.records(ids)) == ["unconfirmed"] * 2


# -- answers ---------------------------------------------------------------------------------------


async def test_q13_no_shape_of_an_answer_closes_the_link_or_sends_a_message_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "response-shapes") as shown:
        records = await shown.outcome(6)
        assert states(records)[:4] == ["rejected"] * 3 + ["delivered"]
        assert {part["command_status"] for part in records[1]["segments"]} == {0x0B}
        assert shown.operator.stats.submits == 6
        for record in records[4:]:  # OK without an id: taken, and nothing to know its receipt by
            assert record["segments"][0]["outcome"] == "accepted"
            assert record["segments"][0]["message_id"] is None


async def test_q22_throttling_in_every_form_pauses_and_loses_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "throttle") as shown:
        records = await shown.outcome(5, after_s=600)
        assert states(records) == ["delivered"] * 4 + ["rejected"]
        assert {part["command_status"] for part in records[4]["segments"]} == {0x400}
        told = [code for record in records for code in codes(record)]
        assert told.count("x.Attempt") == 4
        status = await shown.status()
        assert status["operators"][0]["throttled"] >= 1


async def test_q22_a_vendors_code_throttles_where_the_dialect_lists_it(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes_of_theirs = frozenset({0x14, 0x45, 0x58, 0x64, 0x400})
    speak(monkeypatch, temporary=codes_of_theirs, throttling=codes_of_theirs)
    async with stage(tmp_path, "throttle") as shown:
        assert states(await shown.outcome(5, after_s=600)) == ["delivered"] * 5


async def test_q23_no_answer_is_unknown_and_never_sent_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    # The late response comes after 12 s, the receipts after 20 s.
    async with stage(
        tmp_path,
        "no-response",
        "response_timeout_s = 5",
        receipt_delay_min_s=20,
        receipt_delay_max_s=20,
    ) as shown:
        never, late, silent = await shown.outcome(3, after_s=600)
        assert never["state"] == "unknown"
        assert codes(never) == ["A.1", "x.OutcomeUnknown"]
        assert codes(late)[:3] == ["A.1", "x.OutcomeUnknown", "F.1"]
        assert late["state"] == "delivered"
        assert codes(silent)[:2] == ["A.1", "x.OutcomeUnknown"]
        assert shown.operator.stats.submits == 3
        assert shown.all_acknowledged()


async def test_q32_a_generic_nack_settles_the_message_it_names_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "generic-nack-for-submit") as shown:
        ids = await shown.send(2, after_s=5)
        records = await shown.records(ids)
        assert records[0]["state"] == "rejected"
        assert records[0]["segments"][0]["command_status"] == Status.ESME_RINVCMDID
        assert records[1]["state"] == "delivered"  # 0x64 passes: it was sent again


# -- the link --------------------------------------------------------------------------------------


async def test_q12_what_cannot_be_a_pdu_is_nacked_and_the_link_made_anew(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    count = len(BAD_LENGTHS)
    async with stage(
        tmp_path, "bad-length", "reconnect_s = [1, 1]", connections=1 + count
    ) as shown:
        records = []
        for number in range(count):
            ids = [(await shown.daemon.submit(f"+34600111{201 + number}"))["submission_id"]]
            await trio.sleep(60)
            records += await shown.records(ids)
        assert all_delivered(records)
        nacks = [reply.raw for reply in shown.replies("nack")]
        assert nacks == [bytes.fromhex("00000010 80000000 00000002 00000000")] * count


async def test_q16_sequence_numbers_of_any_size_come_back_unchanged(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "odd-sequences") as shown:
        assert all_delivered(await shown.outcome(2 * len(ODD_SEQUENCES), after_s=300))
        assert shown.all_acknowledged()


async def test_q17_octet_by_octet_and_before_the_bind_resp_nothing_is_lost(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    setting = "response_timeout_s = 60"
    async with stage(tmp_path, "drip-feed", setting) as shown:
        assert all_delivered(await shown.outcome(3, after_s=300))
        assert [reply.raw[4:12] for reply in shown.replies("mo")] == [
            bytes.fromhex("80000005 00000000")
        ]
        assert shown.daemon.gateway.store.count_inbound() == 1


async def test_q24_a_refused_bind_is_tried_again_and_a_bare_bind_resp_is_enough(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    began = trio.current_time()
    async with stage(tmp_path, "bind-trouble", "reconnect_s = [1, 60]", connections=5) as shown:
        took = trio.current_time() - began
        assert all_delivered(await shown.outcome(2))
        assert shown.operator.stats.binds_refused == 4
        assert took >= 0.5 + 1 + 2 + 4  # ever more slowly, and never given up


async def test_q25_a_silent_link_is_noticed_and_made_anew(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    settings = "enquire_link_s = 10\nresponse_timeout_s = 5"
    async with stage(tmp_path, "half-open@201", settings, connections=2) as shown:
        records = await shown.outcome(1, after_s=30)
        assert all_delivered(records)  # its receipt came on the next link


async def test_q25_an_unbind_in_the_middle_is_answered_and_what_was_on_the_way_is_unknown(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "unbind-mid-window@201", connections=2) as shown:
        unknown, after = await shown.outcome(2)
        assert codes(unknown)[:2] == ["A.1", "x.OutcomeUnknown"]
        assert unknown["state"] in ("unknown", "delivered")
        assert after["state"] == "delivered"
        assert shown.operator.stats.submits == 2
        assert [reply.raw[4:12] for reply in shown.replies("unbind")] == [
            bytes.fromhex("80000006 00000000")
        ]


async def test_q26_an_unknown_command_is_nacked_with_its_own_number_and_the_link_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "unknown-command") as shown:
        assert all_delivered(await shown.outcome(len(UNKNOWN_COMMANDS)))
        nacks = {reply.label: reply for reply in shown.operator.replies}
        assert set(nacks) == {"0x00000112", "0x00000ABC"}  # alert_notification has no answer
        for reply in nacks.values():
            assert reply.raw[4:12] == bytes.fromhex("80000000 00000003")


async def test_q30_an_operator_that_reads_nothing_is_read_all_the_same(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with stage(tmp_path, "zero-window@201", lockstep=True, resend_s=60) as shown:
        ids = await shown.send(1, after_s=5)
        status = await shown.status()
        assert status["totals"]["receipts"] == FLOOD  # before a single answer was read
        await trio.sleep(30)
        record = (await shown.records(ids))[0]
        assert record["state"] == "delivered"
        assert record["events"][-1]["event"] == "x.Duplicate"
        assert shown.operator.stats.receipts_acknowledged == FLOOD

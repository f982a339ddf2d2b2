"""A gateway binds to the simulated operator, submits, and is told what became of each message."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.resources import config_directory
from gateway.sim.operator import Operator
from gateway.sim.options import SimOptions
from gateway.sim.outcomes import OUTCOMES
from gateway.sim.smsc import SmscSession
from gateway.smpp.dialect import load_dialect
from gateway.smpp.pdu import (
    BindResp,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    Unbind,
    UnbindResp,
)
from gateway.smpp.receipt import Receipt, parse_receipt
from gateway.smpp.text import encode_text
from gateway.smpp.wire import encode
from tests.sim.esme import Esme, only

GENERIC = load_dialect(config_directory() / "operators" / "generic.toml")
PROMPT = SimOptions(seed=1, receipt_delay_min_s=0.1, receipt_delay_max_s=0.1, enquire_link_s=0)
NUMBER = "34600111"  # and three digits that force the outcome
#: Digits of those who write back, and what.
ANSWERED = {
    "960": "STOP",
    "961": "SI",
    "962": "AYUDA",
    "963": "ALTA",
    "964": "no quiero m\xe1s mensajes",
}


def customer(options: SimOptions = PROMPT, *, bound: bool = True) -> tuple[Operator, Esme]:
    operator = Operator(options, wall_s=1_790_000_000.0)
    esme = Esme(SmscSession(operator, 0.0))
    if bound:
        assert esme.bind().status == 0
    return operator, esme


def link(operator: Operator, now: float = 0.0) -> Esme:
    esme = Esme(SmscSession(operator, now))
    esme.now = now
    return esme


def reported(esme: Esme) -> list[Receipt]:
    receipts = [
        parse_receipt(pdu, GENERIC, utc_offset_s=0, now_ms=1_790_000_000_000)
        for pdu in esme.got
        if isinstance(pdu, DeliverSm | DataSm)
    ]
    return [each for each in receipts if each is not None]


def test_a_message_is_accepted_and_then_delivered() -> None:
    operator, esme = customer()
    esme.submit(NUMBER + "222")
    (response,) = esme.responses()
    assert response.status == 0
    assert response.message_id.isdecimal()
    assert not esme.receipts()
    esme.wait(0.1)
    (pdu,) = esme.receipts()
    assert (pdu.source, pdu.dest, pdu.source_ton, pdu.dest_ton) == (NUMBER + "222", "ACME", 1, 5)
    assert (
        pdu.short_message
        == (
            f"id:{response.message_id} sub:001 dlvrd:001 submit date:2609211413"
            " done date:2609211413 stat:DELIVRD err:000 text:hello"
        ).encode()
    )
    (receipt,) = reported(esme)
    assert receipt.state == "delivered"
    assert receipt.message_id == response.message_id
    esme.acknowledge(pdu)
    esme.wait(60)
    assert len(esme.receipts()) == 1
    assert operator.stats.receipts_acknowledged == 1
    (taken,) = operator.accepted
    assert (taken.dest, taken.text, taken.segment) == (NUMBER + "222", "hello", (0, 1, 1))


@pytest.mark.parametrize(
    ("digits", "words", "final"),
    [
        ("900", ["DELIVRD"], "delivered"),
        ("901", ["UNDELIV"], "undelivered"),
        ("902", ["EXPIRED"], "expired"),
        ("903", ["DELETED"], "deleted"),
        ("904", ["REJECTD"], "rejected"),
        ("905", ["ACCEPTD"], None),
        ("906", ["UNKNOWN"], None),
        ("907", ["FAILED"], None),
        ("931", ["DELIVRD"], "delivered"),
        ("933", ["DELIVRD"], "delivered"),
        ("940", ["DELIVRD"], "delivered"),
        ("941", ["DELIVRD", "DELIVRD"], "delivered"),
        ("942", [], None),
        ("943", ["ENROUTE", "DELIVRD"], "delivered"),
        ("944", ["EXPIRED", "DELIVRD"], "delivered"),
        ("945", [], None),
        ("946", ["DELIVRD"], "delivered"),
        ("947", ["DELIVRD"], "delivered"),
        ("948", ["DELIVRD"], "delivered"),
        ("949", ["DELIVRD"], None),
        ("950", ["DELIVRD"], "delivered"),
        ("555", ["DELIVRD"], "delivered"),
        ("930", [], None),
    ],
)
def test_the_last_digits_decide_what_is_reported(
    digits: str, words: list[str], final: str | None
) -> None:
    _, esme = customer()
    esme.submit(NUMBER + digits)
    esme.wait(4)
    receipts = reported(esme)
    assert [each.message_state for each in receipts] == words
    verdicts = [each.state for each in receipts if each.final]
    assert (verdicts or [None])[-1] == final
    assert all(each.conflict for each in receipts) is (digits == "949" or not receipts)


@pytest.mark.parametrize(("digits", "text"), ANSWERED.items())
def test_some_subscribers_write_back_once_they_have_the_whole_message(
    digits: str, text: str
) -> None:
    _, esme = customer()
    for part in encode_text("x" * 200).parts:
        dest, udhi = NUMBER + digits, 0x40
        esme.say(
            SubmitSm(
                source="ACME",
                dest=dest,
                short_message=part,
                esm_class=udhi,
                registered_delivery=1,
            )
        )
    esme.wait(0.1)
    assert [each.esm_class for each in esme.receipts()] == [0x04, 0x04]
    esme.wait(1)
    (written,) = esme.receipts()[2:]
    assert (written.source, written.dest) == (NUMBER + digits, "ACME")
    assert (written.esm_class, written.short_message.decode("latin-1")) == (0, text)
    esme.acknowledge(written)


def test_every_row_of_the_table_is_tried_here_or_is_a_refusal() -> None:
    tried = {"900", "901", "902", "903", "904", "905", "906", "907", "930", "931", "933", "940"}
    tried |= {"941", "942", "943", "944", "945", "946", "947", "948", "949", "950"}
    tried |= set(ANSWERED)
    refusals = {digits for digits, outcome in OUTCOMES.items() if outcome.refusal}
    assert tried | refusals == set(OUTCOMES)


@pytest.mark.parametrize(
    ("digits", "statuses"),
    [
        ("910", [0x0B] * 4),
        ("911", [0x411] * 4),
        ("912", [0x45, 0, 0x45, 0]),
        ("913", [0x08, 0, 0x08, 0]),
        ("914", [0x64, 0, 0x64, 0]),
        ("932", [0x14, 0, 0x14, 0]),
        ("921", [0x58, 0, 0x58, 0]),
        ("923", [0x58, 0x58, 0x58, 0]),
        ("929", [0x58] * 9 + [0]),
    ],
)
def test_the_last_digits_decide_what_is_refused_and_how_often(
    digits: str, statuses: list[int]
) -> None:
    operator, esme = customer()
    for _ in statuses:
        esme.submit(NUMBER + digits)
    assert [each.status for each in esme.responses()] == statuses
    assert operator.stats.accepted == statuses.count(0)
    assert operator.stats.refused == len(statuses) - statuses.count(0)
    assert operator.stats.throttled == statuses.count(0x58)


def test_segments_are_refused_each_as_often_as_the_number_says() -> None:
    _, esme = customer()
    for part in encode_text("x" * 200).parts * 2:
        esme.submit(NUMBER + "921", part)
    assert [each.status for each in esme.responses()] == [0x58, 0x58, 0, 0]


def test_a_response_never_comes_or_comes_late() -> None:
    _, esme = customer()
    esme.submit(NUMBER + "930")
    esme.submit(NUMBER + "931")
    esme.wait(11.9)
    assert not esme.responses()
    esme.wait(0.2)
    (late,) = esme.responses()
    assert late.sequence == 3
    assert late.message_id


def test_a_receipt_comes_before_its_response() -> None:
    _, esme = customer()
    esme.submit(NUMBER + "940")
    kinds = [type(each).__name__ for each in esme.got]
    assert kinds == ["BindResp", "DeliverSm", "SubmitSmResp"]
    assert reported(esme)[0].message_id == esme.responses()[0].message_id


def test_a_receipt_on_another_link_comes_before_its_response_too() -> None:
    operator, sender = customer(bound=False)
    sender.bind("transmitter")
    receiver = link(operator)
    receiver.bind("receiver")
    sender.submit(NUMBER + "940")
    assert not sender.responses()
    receiver.wait(0)
    assert receiver.receipts()
    sender.wait(0.1)
    assert sender.responses()


def test_the_link_drops_instead_of_an_answer() -> None:
    operator, esme = customer()
    esme.submit(NUMBER + "900")
    esme.submit(NUMBER + "945")
    assert esme.session.closing
    assert len(esme.responses()) == 1
    assert len(operator.accepted) == 2


def test_a_response_may_lack_its_id() -> None:
    _, esme = customer()
    esme.submit(NUMBER + "946")
    assert (esme.responses()[0].status, esme.responses()[0].message_id) == (0, "")


@pytest.mark.parametrize(
    ("registered_delivery", "digits", "words"),
    [
        (0x00, "900", []),
        (0x01, "901", ["UNDELIV"]),
        (0x02, "900", []),
        (0x02, "901", ["UNDELIV"]),
        (0x03, "900", ["DELIVRD"]),
        (0x03, "901", []),
        (0x02, "943", []),
        (0x10, "943", ["ENROUTE"]),
        (0x11, "943", ["ENROUTE", "DELIVRD"]),
    ],
)
def test_only_receipts_that_were_asked_for_are_sent(
    registered_delivery: int, digits: str, words: list[str]
) -> None:
    _, esme = customer()
    esme.submit(NUMBER + digits, registered_delivery=registered_delivery)
    esme.wait(4)
    assert [each.message_state for each in reported(esme)] == words
    if registered_delivery & 0x10:
        assert esme.receipts()[0].esm_class == 0x20


def test_an_unanswered_receipt_is_sent_again_until_it_is_answered() -> None:
    operator, esme = customer(replace(PROMPT, resend_s=90))  # another minute each time
    esme.submit(NUMBER + "900")
    esme.wait(181)
    first, second, third = esme.receipts()
    assert first.short_message == second.short_message == third.short_message
    assert len({first.sequence, second.sequence, third.sequence}) == 3
    esme.acknowledge(third)
    esme.wait(600)
    assert len(esme.receipts()) == 3
    assert operator.stats.receipts_resent == 2


def test_a_refused_receipt_is_sent_again() -> None:
    operator, esme = customer()
    esme.submit(NUMBER + "950")
    esme.wait(0.1)
    (first,) = only(esme.got, DataSm)
    esme.acknowledge(first, status=0x64)
    assert operator.stats.receipts_refused == 1
    esme.wait(4.9)
    assert len(only(esme.got, DataSm)) == 1
    esme.wait(0.2)
    assert len(only(esme.got, DataSm)) == 2
    esme.session.receive_data(
        encode(GenericNack(status=0x03), only(esme.got, DataSm)[1].sequence), esme.now
    )
    assert operator.stats.receipts_refused == 2
    assert operator.stats.receipts_acknowledged == 0


def test_a_killed_gateway_gets_its_receipts_when_it_binds_again() -> None:
    operator, esme = customer()
    for text in (b"one", b"two", b"three"):
        esme.submit(NUMBER + "900", text)
    esme.wait(0.1)
    esme.acknowledge(esme.receipts()[1])
    esme.submit(NUMBER + "900", b"four")
    esme.session.close(esme.now)
    esme.session.close(esme.now)  # again does nothing
    assert operator.stats.links_lost == 1
    again = link(operator, 1.0)
    again.bind()
    assert [each.short_message[-4:] for each in again.receipts()] == [b":one", b"hree", b"four"]


def test_receipts_of_one_customer_never_go_to_another() -> None:
    operator, esme = customer()
    other = link(operator)
    other.bind(system_id="rival")
    esme.submit(NUMBER + "900")
    esme.session.close(0.0)
    other.wait(60)
    assert not other.receipts()


def test_no_more_receipts_are_on_their_way_than_the_window_holds() -> None:
    _, esme = customer(
        SimOptions(receipt_window=2, receipt_delay_min_s=0, receipt_delay_max_s=0, enquire_link_s=0)
    )
    for _ in range(5):
        esme.submit(NUMBER + "900")
    assert len(esme.receipts()) == 2
    esme.acknowledge(esme.receipts()[0])
    assert len(esme.receipts()) == 3


@pytest.mark.parametrize(
    ("form", "in_response", "in_receipt", "digits"),
    [
        ("decimal", 10, 10, 9),
        ("hex", 16, 16, 7),
        ("hex_in_response", 16, 10, 10),
        ("decimal_in_response", 10, 16, 10),
    ],
)
def test_ids_are_written_as_the_option_says(
    form: str, in_response: int, in_receipt: int, digits: int
) -> None:
    _, esme = customer(
        SimOptions(seed=1, message_id=form, receipt_delay_min_s=0, receipt_delay_max_s=0)
    )
    esme.submit(NUMBER + "900")
    name = reported(esme)[0].message_id or ""
    assert int(esme.responses()[0].message_id, in_response) == int(name, in_receipt)
    assert len(name) == digits


def test_opaque_ids_are_repeatable_by_seed() -> None:
    names = []
    for _ in range(2):
        _, esme = customer(SimOptions(seed=7, message_id="uuid"))
        esme.submit(NUMBER + "900")
        names.append(esme.responses()[0].message_id)
    assert names[0] == names[1]
    assert len(names[0]) == 36


def test_responses_take_the_time_the_option_says() -> None:
    _, esme = customer(
        SimOptions(response_delay_s=0.5, receipt_delay_max_s=5, receipt_delay_min_s=5)
    )
    esme.submit(NUMBER + "900")
    assert not esme.wait(0.4)
    assert esme.wait(0.2) == esme.responses()


def test_a_gateway_that_is_too_fast_is_throttled() -> None:
    operator, esme = customer(SimOptions(max_rate=5, seed=1))
    for _ in range(7):
        esme.submit(NUMBER + "900")
    assert Counter(each.status for each in esme.responses()) == {0: 5, 0x58: 2}
    esme.wait(0.4)
    for _ in range(3):
        esme.submit(NUMBER + "900")
    assert operator.stats.accepted == 7


def test_chances_fall_as_often_as_they_are_told_to() -> None:
    options = SimOptions(
        seed=3,
        early=0.3,
        duplicate=0.2,
        throttle=0.1,
        reorder=0.1,
        receipt_delay_min_s=0.01,
        receipt_delay_max_s=0.1,
        receipt_window=10_000,
        resend_s=60,
        enquire_link_s=0,
    )
    operator, esme = customer(options)
    for number in range(1000):
        esme.submit(NUMBER + "900", b"%d" % number)
    esme.wait(1)
    assert 60 < operator.stats.throttled < 140
    extra = len(esme.receipts()) - operator.stats.accepted
    assert 120 < extra < 240
    before = 0
    answered: set[str] = set()
    for pdu in esme.got:
        if isinstance(pdu, SubmitSmResp):
            answered.add(pdu.message_id)
        elif isinstance(pdu, DeliverSm):
            before += (pdu.tlv(0x1E) or b"")[:-1].decode() not in answered
    assert before > 150
    order = [each.message_id for each in reported(esme)]
    assert order != sorted(order, key=lambda name: int(name or 0))


def test_what_was_sent_twice_is_found() -> None:
    operator, esme = customer()
    esme.submit(NUMBER + "222", b"one")
    esme.submit(NUMBER + "222", b"two")
    assert not operator.duplicates()
    esme.submit(NUMBER + "222", b"one")
    assert operator.duplicates() == {(NUMBER + "222", b"one"): 2}
    assert operator.report()["duplicates"] == 1


def test_parts_and_payloads_are_remembered_whole() -> None:
    operator, esme = customer()
    for part in encode_text("я" * 100, reference=9).parts:
        esme.say(
            SubmitSm(
                source="ACME",
                dest=NUMBER + "222",
                short_message=part,
                esm_class=0x40,
                data_coding=8,
            )
        )
    esme.say(SubmitSm(source="ACME", dest=NUMBER + "222", tlvs=(Tlv(0x0424, b"long"),)))
    assert [each.segment for each in operator.accepted] == [(9, 2, 1), (9, 2, 2), (0, 1, 1)]
    assert "".join(each.text for each in operator.accepted) == "я" * 100 + "long"


def test_a_receipt_quotes_no_header_and_no_ucs2() -> None:
    _, esme = customer()
    esme.say(
        SubmitSm(
            source="ACME",
            dest=NUMBER + "222",
            short_message=bytes.fromhex("050003010201") + b"quoted",
            esm_class=0x40,
            registered_delivery=1,
        )
    )
    esme.say(
        SubmitSm(
            source="ACME",
            dest=NUMBER + "222",
            short_message="я".encode("utf-16-be"),
            data_coding=8,
            registered_delivery=1,
        )
    )
    esme.wait(0.2)
    assert [each.short_message.split(b" text:")[1] for each in esme.receipts()] == [b"quoted", b""]


# --- binds, probes, and what a link may not do ---------------------------------------------------


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (SimOptions(system_id="acme"), 0),
        (SimOptions(system_id="other"), 0x0F),
        (SimOptions(password="secret"), 0x0E),
    ],
)
def test_a_bind_needs_the_right_name_and_password(options: SimOptions, status: int) -> None:
    operator, esme = customer(options, bound=False)
    answer = esme.bind()
    assert answer.status == status
    assert (operator.stats.binds, operator.stats.binds_refused) == ((0, 1) if status else (1, 0))
    assert answer.sc_interface_version == (None if status else 0x34)


def test_a_link_binds_once() -> None:
    _, esme = customer()
    assert esme.bind().status == 0x05
    assert not esme.session.closing


@pytest.mark.parametrize("mode", [None, "receiver"])
def test_a_link_that_is_not_bound_to_send_may_not(mode: str | None) -> None:
    _, esme = customer(bound=False)
    if mode == "receiver":
        esme.bind("receiver")
    esme.submit(NUMBER + "900")
    assert esme.responses()[0].status == 0x04


def test_an_unbind_is_answered_and_ends_the_link() -> None:
    _, esme = customer()
    sequence = esme.say(Unbind())
    assert only(esme.got, UnbindResp)[0].sequence == sequence
    assert esme.session.closing


def test_an_enquire_link_is_answered_bound_or_not() -> None:
    _, esme = customer(bound=False)
    sequence = esme.say(EnquireLink())
    assert only(esme.got, EnquireLinkResp)[0].sequence == sequence


def test_an_unknown_command_is_refused_under_its_number() -> None:
    operator, esme = customer()
    esme.session.receive_data(bytes.fromhex("00000010000000030000000080000007"), 0.0)
    (nack,) = only(esme.listen(), GenericNack)
    assert (nack.status, nack.sequence) == (0x03, 0x80000007)
    assert operator.stats.nacks == 1
    assert not esme.session.closing


def test_responses_to_nothing_are_left_alone() -> None:
    _, esme = customer()
    esme.say(DeliverSmResp())
    esme.say(BindResp())
    esme.say(EnquireLinkResp())
    assert len(esme.got) == 1


@pytest.mark.parametrize("before", [b"", encode(EnquireLink(5))])
def test_a_stream_out_of_step_is_refused_and_closed(before: bytes) -> None:
    _, esme = customer()
    esme.session.receive_data(before + b"HTTP/1.1 200 OK\r\n\r\n", 0.0)
    new = esme.listen()
    assert [type(each).__name__ for each in new] == ["EnquireLinkResp"] * bool(before) + [
        "GenericNack"
    ]
    assert new[-1].status == 0x02
    assert esme.session.closing


def test_a_silent_link_is_probed_and_a_dead_one_closed() -> None:
    _, esme = customer(SimOptions(enquire_link_s=30, response_timeout_s=10))
    assert not esme.wait(29)
    esme.wait(2)
    (probe,) = only(esme.got, EnquireLink)
    esme.say(EnquireLinkResp(probe.sequence))
    esme.wait(35)
    assert len(only(esme.got, EnquireLink)) == 2
    assert not esme.session.closing
    esme.wait(10)
    assert esme.session.closing


def test_a_link_that_never_binds_is_not_probed() -> None:
    _, esme = customer(SimOptions(enquire_link_s=30), bound=False)
    assert esme.session.next_deadline() == math.inf


def test_a_transmitter_gets_no_receipts_and_a_receiver_gets_all() -> None:
    operator, sender = customer(bound=False)
    sender.bind("transmitter")
    receiver = link(operator)
    receiver.bind("receiver")
    sender.submit(NUMBER + "900")
    sender.wait(5)
    receiver.wait(5)
    assert not sender.receipts()
    assert len(receiver.receipts()) == 1


def test_a_receipt_on_its_way_when_the_link_ends_goes_by_another() -> None:
    operator, first = customer()
    second = link(operator)
    second.bind()
    first.submit(NUMBER + "900")
    first.wait(0.1)
    assert first.receipts()
    first.session.close(0.2)
    second.wait(0.3)
    assert second.receipts()


@given(st.lists(st.binary(max_size=60), max_size=5))
@settings(deadline=None, max_examples=100)
def test_no_octets_raise(chunks: list[bytes]) -> None:
    _, esme = customer()
    for chunk in chunks:
        if not esme.session.closing:
            esme.session.receive_data(chunk, esme.now)
            esme.listen()


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_how_the_octets_are_cut_changes_nothing(cuts: list[int], seed: int) -> None:
    options = SimOptions(seed=seed, duplicate=0.5, receipt_delay_min_s=0, receipt_delay_max_s=0)
    stream = b"".join(
        encode(
            SubmitSm(
                source="ACME", dest=NUMBER + digits, short_message=b"x", registered_delivery=1
            ),
            sequence,
        )
        for sequence, digits in enumerate(["900", "921", "921", "904", "941", "910"], 10)
    )
    _, whole = customer(options)
    whole.session.receive_data(stream, 0.0)
    _, pieces = customer(options)
    for size in [*cuts, len(stream)]:
        pieces.session.receive_data(stream[:size], 0.0)
        stream = stream[size:]
    # A receipt due at once leaves with the read it was due in: the order of kinds may differ.
    assert sorted(map(repr, whole.listen())) == sorted(map(repr, pieces.listen()))

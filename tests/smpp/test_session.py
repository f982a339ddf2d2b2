"""Messages on a session: the window, the timers, the answers early, late and odd."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError, LocalProtocolError
from gateway.smpp import wire
from gateway.smpp.consts import MAX_SEQUENCE, CommandId
from gateway.smpp.pdu import (
    BindResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    GenericNack,
    Mode,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    Unbind,
)
from gateway.smpp.session import (
    Delivered,
    Ignored,
    Lost,
    State,
    SubmitAnswered,
    SubmitTimedOut,
)
from gateway.smpp.window import MAX_LATE, Window

from .peer import HELLO, bound, connected, state_of, submit
from .strategies import framed


def test_a_submit_is_prepared_then_transmitted_then_answered() -> None:
    session, smsc = bound(window=2)
    sequence, octets = session.prepare(HELLO, "first")
    assert session.free() == 1
    assert session.in_flight == 0
    assert smsc.read() == []
    session.transmit(sequence, 3.0)
    assert session.data_to_send() == octets
    assert wire.decode(octets).sequence == sequence == 2
    assert session.in_flight == 1
    answer = wire.encode(SubmitSmResp("38601fa", sequence=sequence))
    assert smsc.say(answer, now=4) == [
        SubmitAnswered("first", sequence, 0, "38601fa", answer, late=False, nack=False)
    ]
    assert session.free() == 2


def test_many_answers_in_one_read_in_any_order() -> None:
    session, smsc = bound(window=50)
    numbers = [submit(session, f"token {count}") for count in range(50)]
    assert len(smsc.read()) == 50
    events = smsc.say(*(SubmitSmResp(f"id{each}", sequence=each) for each in reversed(numbers)))
    assert [event.sequence for event in events if isinstance(event, SubmitAnswered)] == [
        *reversed(numbers)
    ]
    assert session.free() == 50


@pytest.mark.parametrize(
    ("status", "body", "message_id"),
    [
        (0x58, b"", None),
        (0x0B, b"0A00A3\0", "0A00A3"),
        (0, b"", None),
        (0, b"\0", None),
        (0, b"a1f2", "a1f2"),
        (0, b"a1f2\0\x04\x28\0\1\x50", "a1f2"),
        (0x45, b"\0\x1d\0\2no", None),
    ],
)
def test_any_shape_of_answer_settles_the_submit(
    status: int, body: bytes, message_id: str | None
) -> None:
    session, smsc = bound()
    sequence = submit(session, "first")
    octets = framed(CommandId.SUBMIT_SM_RESP, status, sequence, body)
    (event,) = smsc.say(octets)
    assert event == SubmitAnswered("first", sequence, status, message_id, octets)
    assert state_of(session) is State.BOUND


def test_a_generic_nack_fails_the_submit_it_names_now() -> None:
    session, smsc = bound()
    sequence = submit(session, "first")
    octets = wire.encode(GenericNack(sequence, 0x58))
    assert smsc.say(octets) == [
        SubmitAnswered("first", sequence, 0x58, None, octets, late=False, nack=True)
    ]
    assert session.next_deadline() == 30


def test_each_submit_times_out_alone_and_the_link_stays() -> None:
    session, smsc = bound()
    first, second = submit(session, "first", now=1), submit(session, "second", now=2)
    assert session.next_deadline() == 11
    assert session.handle_timeout(11) == [SubmitTimedOut("first", first)]
    assert (session.in_flight, session.free()) == (1, 9)
    assert session.next_deadline() == 12
    assert session.handle_timeout(13) == [SubmitTimedOut("second", second)]
    assert state_of(session) is State.BOUND
    assert smsc.say(SubmitSmResp("x", sequence=99)) != []


@pytest.mark.parametrize("nack", [False, True])
def test_a_late_answer_is_still_matched_once(nack: bool) -> None:
    session, smsc = bound()
    sequence = submit(session, "first", now=0)
    session.handle_timeout(10)
    answer = GenericNack(sequence, 8) if nack else SubmitSmResp("38601fa", sequence=sequence)
    (event,) = smsc.say(answer, now=25)
    assert isinstance(event, SubmitAnswered)
    assert (event.token, event.late, event.nack) == ("first", True, nack)
    assert event.message_id == (None if nack else "38601fa")
    (again,) = smsc.say(answer, now=26)
    assert isinstance(again, Ignored)


def test_answers_to_nothing_change_nothing() -> None:
    session, smsc = bound()
    prepared, _ = session.prepare(HELLO, "prepared")
    strangers: list[Pdu] = [
        SubmitSmResp("a1", sequence=prepared),  # not on the wire yet
        SubmitSmResp("a1", sequence=0x80000001),
        DeliverSmResp("", sequence=1),
        DataSmResp("", sequence=1),
        GenericNack(0, 0x58),
    ]
    events = smsc.say(*strangers)
    assert events == [Ignored(wire.encode(each), "unmatched") for each in strangers]
    assert smsc.read() == []
    assert session.free() == 9
    session.transmit(prepared, 0)


def test_a_full_window_takes_no_more() -> None:
    session, _ = bound(window=2)
    session.prepare(HELLO, 1)
    submit(session, 2)
    assert session.free() == 0
    with pytest.raises(LocalProtocolError):
        session.prepare(HELLO, 3)


def test_a_withdrawn_submit_gives_its_slot_back() -> None:
    session, smsc = bound(window=1)
    sequence, _ = session.prepare(HELLO, "first")
    session.withdraw(sequence)
    assert session.free() == 1
    assert smsc.read() == []
    with pytest.raises(LocalProtocolError):
        session.withdraw(sequence)
    with pytest.raises(LocalProtocolError):
        session.transmit(sequence, 0)


def test_a_submit_that_does_not_fit_takes_no_slot() -> None:
    session, _ = bound(window=1)
    with pytest.raises(DataError) as caught:
        session.prepare(SubmitSm(dest="1" * 42), "first")
    assert caught.value.fields["field"] == "dest"
    assert session.free() == 1


@pytest.mark.parametrize(
    ("mode", "slots"), [("transceiver", 10), ("transmitter", 10), ("receiver", 0)]
)
def test_a_receiver_never_sends(mode: Mode, slots: int) -> None:
    session, _ = bound(mode)
    assert session.free() == slots
    if not slots:
        with pytest.raises(LocalProtocolError):
            session.prepare(HELLO, "first")


def test_nothing_is_sent_before_the_bind_nor_after_the_unbind() -> None:
    session, smsc = connected()
    assert session.free() == 0
    with pytest.raises(LocalProtocolError):
        session.prepare(HELLO, "first")
    smsc.say(BindResp("smsc", sequence=1))
    sequence, _ = session.prepare(HELLO, "first")
    session.unbind(0)
    assert session.free() == 0
    with pytest.raises(LocalProtocolError) as caught:
        session.transmit(sequence, 0)
    assert caught.value.fields["state"] == "unbinding"
    assert session.close() == Lost(("first",), ())


def test_answers_still_come_while_unbinding() -> None:
    session, smsc = bound()
    sequence = submit(session, "first", now=0)
    other = submit(session, "second", now=0)
    session.unbind(5)
    (event,) = smsc.say(SubmitSmResp("a1", sequence=sequence), now=6)
    assert isinstance(event, SubmitAnswered)
    assert session.handle_timeout(10) == [SubmitTimedOut("second", other)]


def test_a_lost_link_hands_back_what_it_held() -> None:
    session, _ = bound()
    session.prepare(HELLO, "prepared")
    submit(session, "flying")
    submit(session, "later")
    assert session.close() == Lost(("prepared",), ("flying", "later"))
    assert state_of(session) is State.CLOSED
    assert session.close() == Lost((), ())
    assert session.next_deadline() == math.inf


def test_a_peer_that_unbinds_mid_window_leaves_the_rest_to_close() -> None:
    session, smsc = bound()
    submit(session, "flying")
    smsc.say(Unbind(5))
    assert session.handle_timeout(100) == []
    assert session.close() == Lost((), ("flying",))


def test_sequence_numbers_wrap_to_one_and_skip_what_is_waited_for() -> None:
    session, smsc = bound(first_sequence=MAX_SEQUENCE - 3, window=20)
    late = submit(session, "late", now=0)
    session.handle_timeout(10)
    flying = submit(session, "flying", now=10)
    prepared, _ = session.prepare(HELLO, "prepared")
    assert [late, flying, prepared] == [MAX_SEQUENCE - 2, MAX_SEQUENCE - 1, MAX_SEQUENCE]
    assert submit(session, "wrapped", now=10) == 1
    session._sequence = MAX_SEQUENCE - 4  # one round later
    assert submit(session, "next", now=11) == 2
    smsc.say(SubmitSmResp("a", sequence=late), SubmitSmResp("b", sequence=flying), now=12)
    session._sequence = MAX_SEQUENCE - 4
    assert submit(session, "reused", now=12) == late


def test_an_enquire_link_never_shares_a_number_with_a_submit() -> None:
    session, smsc = bound(now=0)
    session.handle_timeout(30)
    (probe,) = smsc.read()
    assert isinstance(probe, EnquireLink)
    session._sequence = probe.sequence - 1
    assert submit(session, "first", now=30) == probe.sequence + 1


def test_late_answers_are_kept_for_a_bounded_number() -> None:
    window = Window(MAX_LATE + 5, 10)
    for sequence in range(1, MAX_LATE + 6):
        window.prepare(sequence, f"token {sequence}", b"")
        assert window.transmit(sequence, 0) == b""
    assert len(window.expire(10)) == MAX_LATE + 5
    assert [window.settle(sequence) for sequence in (1, 5)] == [None, None]
    assert window.settle(6) == ("token 6", True)
    assert not window.holds(5)
    assert window.holds(7)


RECEIPT = DeliverSm("34600111222", "Acuse", b"id:1 stat:DELIVRD", esm_class=4, sequence=0x806A179B)


def test_a_receipt_waits_for_its_answer() -> None:
    session, smsc = bound()
    (event,) = smsc.say(RECEIPT)
    assert event == Delivered(RECEIPT, wire.encode(RECEIPT))
    assert smsc.read() == []
    session.answer(event)
    answer = session.data_to_send()
    assert answer == framed(CommandId.DELIVER_SM_RESP, 0, 0x806A179B, b"\0")


def test_a_receipt_that_cannot_be_kept_is_asked_for_again() -> None:
    session, smsc = bound()
    (event,) = smsc.say(RECEIPT)
    assert isinstance(event, Delivered)
    session.answer(event, 0x64)
    assert smsc.read() == [DeliverSmResp("", 0x64, RECEIPT.sequence)]


def test_a_receipt_by_data_sm_is_answered_by_data_sm_resp() -> None:
    session, smsc = bound()
    receipt = DataSm("34600111222", "Acuse", esm_class=4, sequence=7, tlvs=(Tlv(0x427, b"\2"),))
    (event,) = smsc.say(receipt)
    assert event == Delivered(receipt, wire.encode(receipt))
    session.answer(event)
    assert smsc.read() == [DataSmResp("", 0, 7)]


@pytest.mark.parametrize("mode", ["transceiver", "transmitter", "receiver"])
def test_a_receipt_is_taken_on_any_bind(mode: Mode) -> None:
    _, smsc = bound(mode)
    (event,) = smsc.say(RECEIPT)
    assert isinstance(event, Delivered)


class Model:
    """What the books of a window must say, kept the simple way."""

    def __init__(self) -> None:
        self.prepared: list[int] = []
        self.flying: dict[int, float] = {}
        self.late: set[int] = set()
        self.ended: list[object] = []


Action = st.tuples(st.sampled_from("ptwrnse"), st.integers(0, 5))


@given(st.lists(Action, max_size=60))
@settings(deadline=None, max_examples=150)
def test_no_submit_is_lost_and_none_ends_twice(actions: list[tuple[str, int]]) -> None:
    session, smsc = bound(window=4)
    model = Model()
    now = 0.0
    for what, which in actions:
        if what == "p" and session.free():
            sequence, _ = session.prepare(HELLO, session._sequence + 1)
            assert sequence not in {*model.prepared, *model.flying, *model.late}
            model.prepared.append(sequence)
        elif what == "t" and model.prepared:
            sequence = model.prepared.pop(which % len(model.prepared))
            session.transmit(sequence, now)
            model.flying[sequence] = now + 10
        elif what == "w" and model.prepared:
            session.withdraw(model.prepared.pop(which % len(model.prepared)))
        elif what in "rn" and (model.flying or model.late):
            known = sorted({*model.flying, *model.late})
            sequence = known[which % len(known)]
            answer = GenericNack(sequence, 8) if what == "n" else SubmitSmResp("a", 0, sequence)
            (event,) = smsc.say(answer, now=now)
            assert isinstance(event, SubmitAnswered)
            assert event.late == (sequence in model.late)
            model.flying.pop(sequence, None)
            model.late.discard(sequence)
            model.ended.append(event.token)
        elif what == "s":
            now += which
            smsc.say(EnquireLink(1), now=now)
        elif what == "e":
            for event in session.handle_timeout(now):
                assert isinstance(event, SubmitTimedOut)
                assert model.flying.pop(event.sequence) <= now
                model.late.add(event.sequence)
            assert all(due > now for due in model.flying.values())
        assert session.free() == 4 - len(model.prepared) - len(model.flying)
        assert session.next_deadline() <= min(model.flying.values(), default=math.inf)
    assert len(model.ended) == len(set(model.ended))
    assert session.close() == Lost(tuple(model.prepared), tuple(model.flying))

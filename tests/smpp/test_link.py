"""The life of a link: bound, kept alive, unbound; refused, silent, out of step."""

from __future__ import annotations

import math

import pytest

from gateway.errors import DataError, LocalProtocolError, RemoteProtocolError
from gateway.smpp import wire
from gateway.smpp.consts import CommandId
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Mode,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.session import (
    BindRefused,
    Bound,
    Delivered,
    Ignored,
    LinkDead,
    PeerUnbound,
    Session,
    State,
    SubmitAnswered,
    Unbound,
)
from gateway.smpp.state import TRANSITIONS, Step

from .peer import Smsc, bound, connected, state_of, submit
from .strategies import framed

MO = DeliverSm("34600111222", "Acuse", b"OK", sequence=900)


@pytest.mark.parametrize("mode", ["transceiver", "transmitter", "receiver"])
def test_a_bind_is_sent_and_accepted(mode: Mode) -> None:
    session = Session(Bind("acuse", "s3cret", mode=mode), window=5, now=0)
    assert session.next_deadline() == math.inf
    session.start(0)
    smsc = Smsc(session)
    assert smsc.read() == [Bind("acuse", "s3cret", mode=mode, sequence=1)]
    assert state_of(session) is State.CONNECTED
    response = BindResp("smsc-1", mode, 0x34, sequence=1)
    assert smsc.say(response) == [Bound(response)]
    assert state_of(session) is State.BOUND


def test_a_bind_that_does_not_fit_is_refused_before_anything_is_sent() -> None:
    session = Session(Bind("acuse", "nine chars"), window=5, now=0)
    with pytest.raises(DataError, match="password"):
        session.start(0)
    assert session.data_to_send() == b""


def test_a_session_is_started_once() -> None:
    session, _ = connected()
    with pytest.raises(LocalProtocolError):
        session.start(1)
    session.close()
    with pytest.raises(LocalProtocolError):
        session.start(1)


@pytest.mark.parametrize(
    "answer",
    [
        framed(CommandId.BIND_TRANSCEIVER_RESP, 0x0D, 1, b""),
        framed(CommandId.BIND_TRANSCEIVER_RESP, 0x0D, 1, b"SMSC\0"),
        framed(CommandId.GENERIC_NACK, 0x0D, 1, b""),
    ],
)
def test_a_refused_bind_ends_the_session(answer: bytes) -> None:
    session, smsc = connected()
    assert smsc.say(answer) == [BindRefused(0x0D)]
    assert state_of(session) is State.CLOSED
    assert session.next_deadline() == math.inf


def test_only_the_answer_to_our_bind_binds() -> None:
    session, smsc = connected()
    strangers: list[Pdu] = [
        BindResp("smsc", "receiver", sequence=1),  # another command
        BindResp("smsc", sequence=2),  # another sequence
        EnquireLinkResp(1),
        SubmitSmResp("1", sequence=1),
        UnbindResp(1),
        GenericNack(0, 3),
    ]
    events = smsc.say(*strangers)
    assert [type(event) for event in events] == [Ignored] * len(strangers)
    assert {event.reason for event in events if isinstance(event, Ignored)} == {"unmatched"}
    assert state_of(session) is State.CONNECTED
    smsc.say(BindResp("smsc", sequence=1))
    (again,) = smsc.say(BindResp("smsc", sequence=1))
    assert isinstance(again, Ignored)
    assert state_of(session) is State.BOUND


def test_an_answer_before_the_bind_was_even_sent_binds_nothing() -> None:
    session = Session(Bind("acuse"), window=5, now=0)
    smsc = Smsc(session)
    for nothing in (BindResp("smsc", sequence=0), GenericNack(0, 3)):
        (event,) = smsc.say(nothing)
        assert isinstance(event, Ignored)
    assert state_of(session) is State.CONNECTED


def test_an_unanswered_bind_is_given_up() -> None:
    session, _ = connected(now=100)
    assert session.next_deadline() == 110
    assert session.handle_timeout(109.9) == []
    assert session.handle_timeout(110) == [LinkDead("bind_unanswered")]
    assert state_of(session) is State.CLOSED
    assert session.handle_timeout(200) == []


def test_a_delivery_before_the_bind_answer_is_kept_for_after_it() -> None:
    session, smsc = connected()
    assert smsc.say(MO) == []
    assert smsc.read() == []
    response = BindResp("smsc", sequence=1)
    later = DeliverSm("34600111222", "Acuse", b"more", sequence=901)
    events = smsc.say(response, later)
    assert events[0] == Bound(response)
    deliveries = [event for event in events if isinstance(event, Delivered)]
    assert [event.pdu for event in deliveries] == [MO, later]
    assert [event.raw for event in deliveries] == [wire.encode(MO), wire.encode(later)]
    for event in deliveries:
        session.answer(event)
    assert [pdu.sequence for pdu in smsc.read()] == [900, 901]


def test_a_delivery_in_the_same_read_as_the_bind_answer_is_not_lost() -> None:
    for order in (0, 1):
        _, smsc = connected()
        pdus = [MO, BindResp("smsc", sequence=1)]
        events = smsc.say(*(pdus if order else reversed(pdus)))
        assert [type(event) for event in events] == [Bound, Delivered]


def test_too_many_deliveries_before_the_bind_answer_are_sent_again_later() -> None:
    _, smsc = connected()
    events = smsc.say(*(DeliverSm(sequence=number) for number in range(257)))
    assert [event.reason for event in events if isinstance(event, Ignored)] == ["not_bound"]
    (refused,) = smsc.read()
    assert (refused.sequence, refused.status) == (256, 0x64)
    assert len(smsc.say(BindResp("smsc", sequence=1))) == 1 + 256


def test_our_enquire_link_goes_out_when_the_peer_is_silent() -> None:
    session, smsc = bound(now=0)
    assert session.next_deadline() == 30
    assert session.handle_timeout(29) == []
    assert smsc.read() == []
    assert session.handle_timeout(30) == []
    assert smsc.read() == [EnquireLink(2)]
    assert session.next_deadline() == 40
    assert smsc.say(EnquireLinkResp(2), now=31) == []
    assert session.next_deadline() == 61
    assert smsc.say(EnquireLinkResp(2), now=31) != []


def test_any_pdu_received_puts_the_enquire_link_off() -> None:
    session, smsc = bound(now=0)
    smsc.say(MO, now=20)
    assert session.next_deadline() == 50
    session.receive_data(b"\0\0", now=25)  # half a header is not a sign of life
    assert session.next_deadline() == 50


def test_a_mute_operator_is_dropped() -> None:
    session, _ = bound(now=0)
    session.handle_timeout(30)
    assert session.handle_timeout(39) == []
    assert session.handle_timeout(40) == [LinkDead("enquire_link_unanswered")]
    assert state_of(session) is State.CLOSED


def test_traffic_in_place_of_the_answer_keeps_the_link() -> None:
    session, smsc = bound(now=0)
    session.handle_timeout(30)
    smsc.say(MO, now=39)
    assert session.handle_timeout(40) == []
    assert state_of(session) is State.BOUND
    assert session.next_deadline() == 69


def test_a_peer_that_nacks_enquire_link_is_there() -> None:
    session, smsc = bound(now=0)
    session.handle_timeout(30)
    assert smsc.say(GenericNack(2, 3), now=31) == []
    assert session.handle_timeout(40) == []
    assert state_of(session) is State.BOUND
    (stranger,) = smsc.say(EnquireLinkResp(2), now=41)
    assert isinstance(stranger, Ignored)


@pytest.mark.parametrize("sequence", [0, 1, 0x80000000, 0x806A179B, 0xFFFFFFFF])
def test_the_peers_enquire_link_is_answered_at_once_with_its_own_number(sequence: int) -> None:
    for session, smsc in (connected(), bound()):
        assert smsc.say(EnquireLink(sequence)) == []
        assert smsc.read() == [EnquireLinkResp(sequence)]
        assert state_of(session) is not State.CLOSED


def test_we_unbind_and_are_let_go() -> None:
    session, smsc = bound(now=0)
    session.unbind(5)
    assert state_of(session) is State.UNBINDING
    assert smsc.read() == [Unbind(2)]
    assert session.next_deadline() == 15
    (delivered,) = smsc.say(MO, now=6)
    assert isinstance(delivered, Delivered)
    session.answer(delivered)
    assert [pdu.sequence for pdu in smsc.read()] == [900]
    assert smsc.say(UnbindResp(2)) == [Unbound()]
    assert state_of(session) is State.CLOSED


@pytest.mark.parametrize("answer", [UnbindResp(0), GenericNack(2, 3)])
def test_an_unbind_answered_oddly_is_answered_all_the_same(
    answer: UnbindResp | GenericNack,
) -> None:
    session, smsc = bound()
    session.unbind(0)
    assert smsc.say(answer) == [Unbound()]
    assert state_of(session) is State.CLOSED


def test_an_unanswered_unbind_is_given_up() -> None:
    session, smsc = bound(now=0)
    session.unbind(50)
    assert smsc.say(MO, now=55) != []
    assert session.handle_timeout(59) == []
    assert session.handle_timeout(60) == [LinkDead("unbind_unanswered")]
    assert state_of(session) is State.CLOSED


def test_a_session_not_bound_has_nothing_to_unbind() -> None:
    session, _ = connected()
    with pytest.raises(LocalProtocolError) as caught:
        session.unbind(0)
    assert caught.value.fields["state"] == "connected"


@pytest.mark.parametrize("state", ["connected", "bound", "unbinding"])
def test_the_peer_unbinds_and_is_answered(state: str) -> None:
    session, smsc = connected() if state == "connected" else bound()
    if state == "unbinding":
        session.unbind(0)
        smsc.read()
    assert smsc.say(Unbind(77)) == [PeerUnbound()]
    assert smsc.read() == [UnbindResp(77)]
    assert state_of(session) is State.CLOSED


def test_after_the_end_requests_go_unanswered_and_answers_still_count() -> None:
    session, smsc = bound()
    sequence = submit(session, "first")
    smsc.read()
    events = smsc.say(
        Unbind(77),
        SubmitSmResp("a1", sequence=sequence),
        MO,
        EnquireLink(5),
        Unbind(78),
        SubmitSm(sequence=6),
        framed(CommandId.DELIVER_SM, 0, 7, b""),
    )
    assert smsc.read() == [UnbindResp(77)]
    assert isinstance(events[0], PeerUnbound)
    answered = events[1]
    assert isinstance(answered, SubmitAnswered)
    assert (answered.token, answered.message_id) == ("first", "a1")
    assert [event.reason for event in events[2:] if isinstance(event, Ignored)] == ["closed"] * 5
    session.answer(Delivered(MO, b""))
    assert smsc.read() == []
    assert session.close().transmitted == ()


@pytest.mark.parametrize(
    "command_id",
    [
        CommandId.QUERY_SM,
        CommandId.CANCEL_SM,
        CommandId.REPLACE_SM,
        CommandId.SUBMIT_SM,
        CommandId.SUBMIT_MULTI,
        CommandId.BIND_RECEIVER,
        0x00010201,
        0x7FFFFFFF,
    ],
)
def test_a_command_we_do_not_serve_is_nacked_with_its_own_number(command_id: int) -> None:
    session, smsc = bound()
    (event,) = smsc.say(framed(command_id, 0, 0xA2859F22, b"c\0"))
    assert isinstance(event, Ignored)
    assert event.reason == "unsupported"
    assert event.raw == framed(command_id, 0, 0xA2859F22, b"c\0")
    assert smsc.read() == [GenericNack(0xA2859F22, 3)]
    assert state_of(session) is State.BOUND


@pytest.mark.parametrize(
    "command_id",
    [CommandId.OUTBIND, CommandId.ALERT_NOTIFICATION, CommandId.QUERY_SM_RESP, 0x80010201],
)
def test_what_wants_no_response_gets_none(command_id: int) -> None:
    _, smsc = bound()
    (event,) = smsc.say(framed(command_id, 0, 9, b""))
    assert isinstance(event, Ignored)
    assert smsc.read() == []


@pytest.mark.parametrize("command_id", [CommandId.DELIVER_SM, CommandId.DATA_SM])
def test_a_damaged_delivery_is_refused_and_the_session_stays(command_id: int) -> None:
    session, smsc = bound()
    octets = framed(command_id, 0, 9, b"\0\1\1346")
    (event,) = smsc.say(octets)
    assert event == Ignored(octets, "damaged")
    (answer,) = smsc.read()
    assert answer.command_id == 0x80000000 | command_id
    assert (answer.status, answer.sequence) == (0x65, 9)
    assert state_of(session) is State.BOUND


@pytest.mark.parametrize(
    "octets", [b"HTTP/1.1 400 Bad Request", b"\0\0\0\x05", b"\x7f\xff\xff\xff"]
)
def test_an_impossible_length_is_nacked_and_ends_the_session(octets: bytes) -> None:
    for session, smsc in (connected(), bound()):
        with pytest.raises(RemoteProtocolError) as caught:
            session.receive_data(octets, 1)
        assert caught.value.fields["kind"] == "command_length"
        assert smsc.read() == [GenericNack(0, 2)]
        assert state_of(session) is State.CLOSED
        with pytest.raises(RemoteProtocolError):
            session.receive_data(b"", 2)
        assert smsc.read() == []
        assert session.handle_timeout(99) == []


def test_what_came_before_the_impossible_length_is_not_lost() -> None:
    session, smsc = bound()
    sequence = submit(session, "first")
    smsc.read()
    (event,) = smsc.say(SubmitSmResp("a1", sequence=sequence), b"\0\0\0\0")
    assert isinstance(event, SubmitAnswered)
    assert state_of(session) is State.CLOSED
    assert smsc.read() == [GenericNack(0, 2)]
    assert session.next_deadline() == -math.inf
    with pytest.raises(RemoteProtocolError):
        session.handle_timeout(0)
    assert session.next_deadline() == math.inf


def test_an_answer_of_ours_before_the_impossible_length_still_goes_out() -> None:
    session, smsc = bound()
    with pytest.raises(RemoteProtocolError):
        smsc.say(EnquireLink(8), b"\0\0\0\0")
    assert smsc.read() == [EnquireLinkResp(8), GenericNack(0, 2)]
    assert state_of(session) is State.CLOSED


def test_the_owed_error_is_raised_by_the_next_read_too() -> None:
    session, smsc = bound()
    assert smsc.say(MO, b"\0\0\0\0")
    with pytest.raises(RemoteProtocolError):
        session.receive_data(b"", 1)
    assert session.next_deadline() == math.inf


def test_the_table_knows_every_state_and_ends_in_closed() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {Step.CLOSE, Step.OUT_OF_STEP} == set.intersection(*map(set, TRANSITIONS.values()))
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}
    assert {step for steps in TRANSITIONS.values() for step in steps} == set(Step)

"""query_sm and cancel_sm on the wire and in a session; what SMPP 3.3 and 5.0 change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from smpplib import command as smpplib_command

from gateway.errors import DataError, LocalProtocolError
from gateway.smpp import wire
from gateway.smpp.consts import EsmClass, Status, Tag
from gateway.smpp.events import Ignored, RequestAnswered, RequestTimedOut, SubmitAnswered
from gateway.smpp.older import as_3_3
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    Damaged,
    GenericNack,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitSm,
    SubmitSmResp,
    Tlv,
)
from gateway.smpp.requests import MAX_REQUESTS
from gateway.smpp.session import Session
from gateway.smpp.window import Window
from tests.smpp.peer import HELLO, Smsc, bound

QUERY = QuerySm("1a2b", 5, 0, "Acuse")
CANCEL = CancelSm("1a2b", 5, 0, "Acuse", 1, 1, "34600111222")


def test_query_sm_equals_smpplib_s() -> None:
    command: Any = smpplib_command.factory("query_sm", sequence=7)
    command.sequence = 7
    command.message_id, command.source_addr = "1a2b", "Acuse"
    command.source_addr_ton, command.source_addr_npi = 5, 0
    assert wire.encode(QUERY, 7) == command.generate()


def test_query_sm_resp_equals_smpplib_s() -> None:
    command: Any = smpplib_command.factory("query_sm_resp", sequence=7)
    command.sequence = 7
    command.message_id, command.final_date = "1a2b", "261121110000000+"
    command.message_state, command.error_code = 2, 9
    pdu = QuerySmResp("1a2b", "261121110000000+", 2, 9)
    assert wire.encode(pdu, 7) == command.generate()


def test_cancel_sm_is_laid_out_as_section_4_9_1_says() -> None:
    octets = wire.encode(CANCEL, 9)
    assert octets == (
        b"\x00\x00\x00\x2c\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x09"
        b"\x001a2b\x00\x05\x00Acuse\x00\x01\x0134600111222\x00"
    )


@pytest.mark.parametrize(
    "pdu",
    [
        QUERY,
        CANCEL,
        QuerySmResp("1a2b", "", 2, 9),
        QuerySmResp(status=Status.ESME_RQUERYFAIL),
        CancelSmResp(status=Status.ESME_RCANCELFAIL),
        ReplaceSm("1a2b", 5, 0, "Acuse", "261121150000000+", "", 1, 0, b"hola"),
        ReplaceSmResp(status=Status.ESME_RREPLACEFAIL),
    ],
)
def test_what_is_written_is_read_again(pdu: QuerySm) -> None:
    assert wire.decode(wire.encode(pdu)) == pdu


@pytest.mark.parametrize("cut", range(1, 9))
def test_one_that_ends_too_soon_is_damaged(cut: int) -> None:
    whole = wire.encode(QuerySmResp("1a2b", "", 2, 9))
    octets = (len(whole) - cut).to_bytes(4, "big") + whole[4:-cut]
    assert isinstance(wire.decode(octets), Damaged)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(DataError) as caught:
        wire.encode(QuerySm("x" * 65))
    assert caught.value.fields["field"] == "message_id"
    with pytest.raises(DataError) as caught:
        wire.encode(QuerySm("x", 256))
    assert caught.value.fields["field"] == "source_ton"


def test_an_answer_comes_back_with_its_token() -> None:
    session, smsc = bound()
    session.request(QUERY, "query", 0.0)
    session.request(CANCEL, "cancel", 0.0)
    query, cancel = smsc.read()
    assert isinstance(query, QuerySm)
    assert isinstance(cancel, CancelSm)
    answer = QuerySmResp("1a2b", "", 2, 0, sequence=query.sequence)
    (first,) = smsc.say(answer)
    assert isinstance(first, RequestAnswered)
    assert (first.token, first.status, first.pdu) == ("query", 0, answer)
    (second,) = smsc.say(GenericNack(cancel.sequence, Status.ESME_RINVCMDID))
    assert isinstance(second, RequestAnswered)
    assert (second.token, second.status, second.pdu) == ("cancel", Status.ESME_RINVCMDID, None)
    (third,) = smsc.say(answer)
    assert isinstance(third, Ignored)


def test_an_answer_that_cannot_be_read_still_ends_the_request() -> None:
    session, smsc = bound()
    session.request(QUERY, "query", 0.0)
    (query,) = smsc.read()
    assert isinstance(query, QuerySm)
    whole = wire.encode(QuerySmResp("1a2b", "", 2, 0, sequence=query.sequence))
    (event,) = smsc.say((len(whole) - 4).to_bytes(4, "big") + whole[4:-4])
    assert isinstance(event, RequestAnswered)
    assert event.pdu is None
    damaged = (20).to_bytes(4, "big") + whole[4:20]
    (ignored,) = smsc.say(damaged)
    assert isinstance(ignored, Ignored)


def test_each_request_has_a_timer_of_its_own() -> None:
    session, _ = bound()
    session.request(QUERY, "first", 0.0)
    session.request(QUERY, "second", 3.0)
    assert session.next_deadline() == 10.0
    assert session.handle_timeout(10.0) == [RequestTimedOut("first")]
    session.receive_data(b"", 10.0)
    assert session.next_deadline() == 13.0


def test_requests_are_bounded_and_handed_back_when_the_link_ends() -> None:
    session, _ = bound()
    for number in range(MAX_REQUESTS):
        assert session.may_ask()
        session.request(QUERY, number, 0.0)
    assert not session.may_ask()
    with pytest.raises(LocalProtocolError):
        session.request(QUERY, "too many", 0.0)
    assert session.close().asked == tuple(range(MAX_REQUESTS))


def test_a_receiver_asks_nothing() -> None:
    session, _ = bound("receiver")
    assert not session.may_ask()


# -- versions -----------------------------------------------------------------------------------


def spoken(ours: int, theirs: int | None) -> tuple[Session, Smsc]:
    session = Session(Bind("acuse", "x", interface_version=ours), window=10, now=0.0)
    smsc = Smsc(session)
    session.start(0.0)
    smsc.read()
    smsc.say(BindResp("smsc", "transceiver", theirs, sequence=1))
    return session, smsc


REFERENCE = Tlv(Tag.USER_MESSAGE_REFERENCE, b"\0\1")
SAR = (
    Tlv(Tag.SAR_MSG_REF_NUM, b"\1\2"),
    Tlv(Tag.SAR_TOTAL_SEGMENTS, b"\3"),
    Tlv(Tag.SAR_SEGMENT_SEQNUM, b"\1"),
)


@pytest.mark.parametrize(
    ("ours", "theirs", "version", "tlvs"),
    [
        (0x34, 0x34, 0x34, 1),
        (0x34, None, 0x33, 0),
        (0x33, 0x34, 0x33, 0),
        (0x50, 0x34, 0x34, 1),
        (0x50, 0x50, 0x50, 1),
    ],
)
def test_no_tlv_leaves_for_a_peer_of_version_3_3(
    ours: int, theirs: int | None, version: int, tlvs: int
) -> None:
    session, smsc = spoken(ours, theirs)
    assert session.peer_version == version
    sequence, _ = session.prepare(SubmitSm("Acuse", "34600111222", b"x", tlvs=(REFERENCE,)), 1)
    session.transmit(sequence, 0.0)
    (sent,) = smsc.read()
    assert isinstance(sent, SubmitSm)
    assert len(sent.tlvs) == tlvs
    assert sent.short_message == b"x"


def test_without_tlvs_the_text_stays_whole() -> None:
    part = as_3_3(SubmitSm("A", "34600111222", b"abc", tlvs=(*SAR, REFERENCE)))
    assert part.short_message == b"\x05\x00\x03\x02\x03\x01abc"
    assert part.esm_class == EsmClass.UDHI
    assert part.tlvs == ()
    payload = as_3_3(SubmitSm("A", "34600111222", tlvs=(Tlv(Tag.MESSAGE_PAYLOAD, b"abc"),)))
    assert (payload.short_message, payload.esm_class, payload.tlvs) == (b"abc", 0, ())
    long = SubmitSm("A", "34600111222", tlvs=(Tlv(Tag.MESSAGE_PAYLOAD, b"x" * 255),))
    assert as_3_3(long) is long
    headed = SubmitSm("A", "34600111222", b"\5\0\3\1\2\1x", esm_class=0x40, tlvs=SAR)
    assert as_3_3(headed).short_message == headed.short_message


def test_congestion_state_moves_the_window_towards_the_optimum() -> None:
    window = Window(8, 10.0)
    seen = []
    for state in (95, 95, 95, 85, 100, 85, 0, 79, 90, 80, 101):
        window.steer(bytes((state,)))
        seen.append(window.allowed)
    assert seen == [6, 5, 4, 4, 1, 1, 2, 3, 3, 3, 3]
    for nonsense in (None, b"", b"\0\0"):
        window.steer(nonsense)
    assert window.allowed == 3
    for _ in range(20):
        window.steer(b"\0")
    assert window.allowed == window.free() == 8


@pytest.mark.parametrize(("version", "window"), [(0x34, 10), (0x50, 1)])
def test_only_smpp_5_0_is_steered(version: int, window: int) -> None:
    session, smsc = spoken(version, version)
    sequence, _ = session.prepare(HELLO, "token")
    session.transmit(sequence, 0.0)
    full = Tlv(Tag.CONGESTION_STATE, b"\x64")
    smsc.say(SubmitSmResp("1", sequence=sequence, tlvs=(full,)))
    assert session.window == window


REPLACE = ReplaceSm("1a2b", 5, 0, "Acuse", registered_delivery=1, short_message=b"hola")


def test_a_replace_sm_takes_a_slot_of_the_window_as_a_submit_does() -> None:
    session, _ = bound()
    room = session.free()
    sequence, octets = session.prepare(REPLACE, "new")
    assert wire.decode(octets) == replace(REPLACE, sequence=sequence)
    session.transmit(sequence, 0.0)
    assert session.free() == room - 1
    (answered,) = session.receive_data(wire.encode(ReplaceSmResp(sequence)), 1.0)
    assert isinstance(answered, SubmitAnswered)
    assert (answered.token, answered.status, answered.message_id) == ("new", 0, None)
    assert session.free() == room


def test_a_replace_sm_without_its_text_is_damaged() -> None:
    whole = wire.encode(REPLACE, 1)
    octets = (len(whole) - 5).to_bytes(4, "big") + whole[4:-5]
    assert isinstance(wire.decode(octets), Damaged)


def test_a_text_that_replace_sm_cannot_carry_is_named() -> None:
    with pytest.raises(DataError) as caught:
        wire.encode(replace(REPLACE, short_message=b"x" * 256))
    assert caught.value.fields["field"] == "short_message"

"""Nonsense on the wire raises one named error; how the stream is cut does not matter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import RemoteProtocolError
from gateway.smpp import wire
from gateway.smpp.pdu import (
    BindResp,
    DataSm,
    DeliverSm,
    EnquireLink,
    GenericNack,
    SubmitSmResp,
    Tlv,
    Unbind,
)
from gateway.smpp.session import Session, State

from .peer import bound, connected, state_of, submit
from .strategies import bruised, cut, framed, noise

if TYPE_CHECKING:
    from gateway.smpp.events import Event


def in_state(state: State) -> Session:
    """A session there, with a submit in flight, one late and an enquire_link unanswered."""
    if state is State.CONNECTED:
        return connected()[0]
    session, smsc = bound(now=0)
    submit(session, "late", now=0)
    session.handle_timeout(10)
    session.handle_timeout(30)
    submit(session, "flying", now=30)
    if state is State.UNBINDING:
        session.unbind(31)
    if state is State.CLOSED:
        smsc.say(Unbind(5))
    return session


@given(
    st.sampled_from(State),
    st.lists(noise | bruised() | st.binary(max_size=30), max_size=8),
    st.lists(st.integers(0, 200), max_size=5),
)
@settings(deadline=None, max_examples=400)
def test_nonsense_gives_events_or_the_one_named_error(
    state: State, pieces: list[bytes], points: list[int]
) -> None:
    session = in_state(state)
    stream = b"".join(pieces)
    for piece in cut(stream, [point for point in points if point < len(stream)]):
        try:
            session.receive_data(piece, 32)
        except RemoteProtocolError as error:
            kind = error.fields["kind"]
        else:
            continue
        assert kind == "command_length"
        assert state_of(session) is State.CLOSED
    for octets in wire.Splitter().feed(session.data_to_send()):
        wire.decode(octets)
    deadline = session.next_deadline()
    if deadline == -math.inf:
        with pytest.raises(RemoteProtocolError):
            session.handle_timeout(32)
    else:
        session.handle_timeout(99)
    assert set(session.close().transmitted) <= {"flying"}


STREAM = b"".join(
    [
        wire.encode(DeliverSm("34600111222", "Acuse", b"early", sequence=1)),
        wire.encode(BindResp("smsc", sc_interface_version=0x34, sequence=1)),
        wire.encode(EnquireLink(0x80000000)),
        wire.encode(DeliverSm("34600111222", "Acuse", b"id:1", sequence=2)),
        framed(0x80000004, 0x0B, 2, b"0A00\0"),
        wire.encode(DataSm(tlvs=(Tlv(0x424, b"id:2"), Tlv(0x1454, b"\0")), sequence=3)),
        framed(0x00010201, 0, 4, b"\xc0\xff\xee"),
        framed(5, 0, 5, b"\0\1"),
        wire.encode(SubmitSmResp("a1", sequence=2)),
        wire.encode(GenericNack(3, 0x58)),
        wire.encode(Unbind(9)),
    ]
)


def run(pieces: list[bytes]) -> tuple[list[Event], bytes, str]:
    """Everything a session makes of the stream: its events, its octets, how it ended."""
    session, _ = connected()
    events: list[Event] = []
    ending = ""
    try:
        for piece in pieces:
            events += session.receive_data(piece, 1)
        if session.next_deadline() == -math.inf:
            session.handle_timeout(1)
    except RemoteProtocolError as error:
        ending = str(error)
    return events, session.data_to_send(), ending


@given(
    st.lists(st.integers(0, len(STREAM) + 8), max_size=15),
    st.sampled_from([b"", b"\0\0\0\x05rest", b"HTTP/1.1"]),
)
@settings(deadline=None, max_examples=150)
def test_any_cut_gives_the_same_events_and_the_same_octets(points: list[int], tail: bytes) -> None:
    stream = STREAM + tail
    pieces = cut(stream, [point for point in points if point < len(stream)])
    assert run(pieces) == run([stream])


def test_octet_by_octet_too() -> None:
    stream = STREAM + b"HTTP"
    events, octets, ending = run([stream[at : at + 1] for at in range(len(stream))])
    assert (events, octets, ending) == run([stream])
    assert len(events) == 10
    assert "PDU" in ending

"""A byte stream becomes PDUs, however the network cuts it; a lie about length ends it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import RemoteProtocolError
from gateway.smpp import wire
from gateway.smpp.consts import MAX_PDU_BYTES
from gateway.smpp.pdu import DeliverSm, EnquireLink, SubmitSmResp

from . import strategies

PDUS = [
    wire.encode(DeliverSm("34600111222", "Acuse", b"id:1 stat:DELIVRD", sequence=1)),
    wire.encode(EnquireLink(2)),
    wire.encode(SubmitSmResp("a1", sequence=3)),
]
STREAM = b"".join(PDUS)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
@settings(deadline=None)
def test_any_cut_gives_the_same_pdus(points: list[int]) -> None:
    splitter = wire.Splitter()
    found = [pdu for piece in strategies.cut(STREAM, points) for pdu in splitter.feed(piece)]
    assert found == PDUS


def test_a_tls_stream_gives_bytearrays_and_pdus_are_bytes_all_the_same() -> None:
    splitter = wire.Splitter()
    found = splitter.feed(bytearray(STREAM))
    assert found == PDUS
    assert {type(pdu) for pdu in found} == {bytes}


def test_the_longest_pdu_may_come_octet_by_octet() -> None:
    longest = strategies.framed(5, 0, 1, bytes(MAX_PDU_BYTES - 16))
    splitter = wire.Splitter()
    for number in range(len(longest) - 1):
        assert splitter.feed(longest[number : number + 1]) == []
    assert splitter.feed(longest[-1:]) == [longest]
    assert splitter.feed(PDUS[1]) == [PDUS[1]]


@pytest.mark.parametrize(
    "octets",
    [
        bytes.fromhex("00000005"),
        bytes.fromhex("0000000f"),
        bytes.fromhex("7fffffff"),
        bytes.fromhex("f0000011"),
        (MAX_PDU_BYTES + 1).to_bytes(4, "big"),
        b"HTTP/1.1 400 Bad Request\r\n",
        b"AMQP\0\0\x09\x01",
        bytes(4),
    ],
)
def test_a_length_no_pdu_has_ends_the_stream_at_once(octets: bytes) -> None:
    splitter = wire.Splitter()
    with pytest.raises(RemoteProtocolError) as caught:
        splitter.feed(octets)
    assert caught.value.fields["kind"] == "command_length"
    assert caught.value.fields["length"] == int.from_bytes(octets[:4], "big")
    with pytest.raises(RemoteProtocolError):
        splitter.feed(PDUS[0])


def test_what_came_whole_before_the_lie_is_not_lost() -> None:
    splitter = wire.Splitter()
    assert splitter.feed(STREAM + b"\0\0\0\x05" + STREAM) == PDUS
    assert splitter.error is not None
    with pytest.raises(RemoteProtocolError):
        splitter.feed(b"")


def test_three_octets_of_a_lie_say_nothing_yet() -> None:
    splitter = wire.Splitter()
    assert splitter.feed(b"\xff\xff\xff") == []
    with pytest.raises(RemoteProtocolError):
        splitter.feed(b"\xff")

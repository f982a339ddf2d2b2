"""What hypothesis draws: PDUs we may send, octets a peer may send, and ways to cut a stream."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

from gateway.smpp import wire
from gateway.smpp.consts import CommandId
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Mode,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    Unbind,
    UnbindResp,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

M = TypeVar("M", SubmitSm, DeliverSm)

octets = st.integers(0, 255)
sequences = st.integers(0, 0xFFFFFFFF)
statuses = st.just(0) | st.integers(0, 0xFFFFFFFF)
tlvs = st.lists(st.builds(Tlv, st.integers(0, 0xFFFF), st.binary(max_size=12)), max_size=4)


def ascii_text(longest: int, shortest: int = 0) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=shortest).map(
        lambda text: text[:longest]
    )


times = st.just("") | st.text("0123456789+-R", min_size=16, max_size=16)


def messages(
    kind: type[M], extras: st.SearchStrategy[list[Tlv]] | None = None
) -> st.SearchStrategy[M]:
    """Any message we may send; `extras` are its TLVs, none that carries text."""
    without_text = tlvs if extras is None else extras
    return st.builds(
        kind,
        source=ascii_text(20),
        dest=ascii_text(20),
        short_message=st.binary(max_size=254),
        source_ton=octets,
        source_npi=octets,
        dest_ton=octets,
        dest_npi=octets,
        esm_class=octets,
        protocol_id=octets,
        priority=octets,
        schedule_delivery_time=times,
        validity_period=times,
        registered_delivery=octets,
        replace_if_present=octets,
        data_coding=octets,
        sm_default_msg_id=octets,
        service_type=ascii_text(5),
        tlvs=without_text.map(lambda all_: tuple(each for each in all_ if each.tag != 0x424)),
        status=statuses,
        sequence=sequences,
    )


modes: st.SearchStrategy[Mode] = st.sampled_from(["transceiver", "transmitter", "receiver"])

binds = st.builds(
    Bind,
    system_id=ascii_text(15),
    password=ascii_text(8),
    mode=modes,
    system_type=ascii_text(12),
    interface_version=octets,
    addr_ton=octets,
    addr_npi=octets,
    address_range=ascii_text(40),
    sequence=sequences,
)
bind_resps = st.builds(
    BindResp,
    system_id=ascii_text(15),
    mode=modes,
    sc_interface_version=st.none() | octets,
    sequence=sequences,
)
data_sms = st.builds(
    DataSm,
    source=ascii_text(20),
    dest=ascii_text(20),
    source_ton=octets,
    source_npi=octets,
    dest_ton=octets,
    dest_npi=octets,
    esm_class=octets,
    registered_delivery=octets,
    data_coding=octets,
    service_type=ascii_text(5),
    tlvs=tlvs.map(tuple),
    sequence=sequences,
)
message_ids = ascii_text(64)
answers = st.one_of(
    [
        st.builds(
            kind,
            message_id=message_ids,
            status=statuses,
            sequence=sequences,
            tlvs=tlvs.map(tuple),
        )
        for kind in (SubmitSmResp, DeliverSmResp, DataSmResp)
    ]
)
bares = st.one_of(
    [
        st.builds(kind, sequence=sequences, status=statuses)
        for kind in (EnquireLink, EnquireLinkResp, Unbind, UnbindResp, GenericNack)
    ]
)
pdus: st.SearchStrategy[Pdu] = st.one_of(
    messages(SubmitSm), messages(DeliverSm), binds, bind_resps, data_sms, answers, bares
)


def framed(command_id: int, status: int, sequence: int, body: bytes) -> bytes:
    """A PDU whose header is right, whatever its body."""
    return struct.pack(">4L", 16 + len(body), command_id, status, sequence) + body


#: Small numbers, so that some mean a request of ours.
likely_sequences = st.integers(0, 12) | sequences
command_ids = st.sampled_from([int(one) for one in CommandId]) | sequences
bodies = st.binary(max_size=60) | st.lists(st.sampled_from([b"\0", b"a", b"\x04"])).map(b"".join)
noise = st.builds(framed, command_ids, statuses, likely_sequences, bodies)


@st.composite
def bruised(draw: st.DrawFn) -> bytes:
    """A PDU that was right, cut short or altered inside its body; its length is right again."""
    data = bytearray(wire.encode(draw(pdus)))
    struct.pack_into(">L", data, 12, draw(likely_sequences))
    for _ in range(draw(st.integers(0, 3))):
        if len(data) > 16:
            data[draw(st.integers(16, len(data) - 1))] = draw(octets)
    data = data[: draw(st.integers(16, len(data)))]
    struct.pack_into(">L", data, 0, len(data))
    return bytes(data)


def cut(stream: bytes, points: Iterable[int]) -> list[bytes]:
    """The stream in pieces, as reads could bring it."""
    places = [0, *sorted(points), len(stream)]
    return [stream[a:b] for a, b in pairwise(places)]

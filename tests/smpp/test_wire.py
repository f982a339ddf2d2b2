"""Octets to PDUs and back: vectors of our own, strict writing, forgiving reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError, LocalProtocolError, RemoteProtocolError
from gateway.smpp import pdu as pdus
from gateway.smpp import wire
from gateway.smpp.consts import Tag
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    Damaged,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    Unknown,
)

from . import strategies

VECTORS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("vectors.json").read_text(encoding="utf-8")
)


def expected(vector: dict[str, Any]) -> Pdu:
    fields = dict(vector["fields"])
    if "short_message" in fields:
        fields["short_message"] = bytes.fromhex(fields["short_message"])
    if "tlvs" in fields:
        fields["tlvs"] = tuple(Tlv(tag, bytes.fromhex(value)) for tag, value in fields["tlvs"])
    if vector["kind"] in {"Damaged", "Unknown"}:
        fields["raw"] = bytes.fromhex("".join(vector["octets"]))
    pdu: Pdu = getattr(pdus, vector["kind"])(**fields)
    return pdu


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    octets = bytes.fromhex("".join(vector["octets"]))
    pdu = wire.decode(octets)
    assert pdu == expected(vector), vector["comment"]
    assert pdu.raw == octets
    assert pdu.command_id == int(vector["octets"][1], 16)
    if vector["encodes"]:
        assert wire.encode(expected(vector)) == octets, vector["comment"]


def test_vectors_cover_every_pdu_there_is() -> None:
    assert {vector["kind"] for vector in VECTORS} == {kind.__name__ for kind in Pdu.__args__}


@given(strategies.pdus)
@settings(deadline=None, max_examples=300)
def test_what_is_written_is_read_again(pdu: Pdu) -> None:
    octets = wire.encode(pdu)
    again = wire.decode(octets)
    assert again == pdu
    assert again.raw == octets


def test_a_sequence_given_beside_the_pdu_is_the_one_on_the_wire() -> None:
    submit = SubmitSm(dest="34600111222", sequence=3)
    assert wire.decode(wire.encode(submit, 77)).sequence == 77
    assert wire.decode(wire.encode(submit)).sequence == 3
    assert wire.decode(wire.encode(Bind("acuse"), 0)).sequence == 0


TOO_MUCH: list[tuple[Pdu, str]] = [
    (Bind("a" * 16), "system_id"),
    (Bind("a", "p" * 9), "password"),
    (Bind("a", system_type="t" * 13), "system_type"),
    (Bind("a", address_range="1" * 41), "address_range"),
    (Bind("a", interface_version=256), "interface_version"),
    (Bind("a", addr_ton=-1), "addr_ton"),
    (Bind("ñ"), "system_id"),
    (Bind("a\0b"), "system_id"),
    (BindResp("s" * 16), "system_id"),
    (BindResp("s", sc_interface_version=256), "sc_interface_version"),
    (SubmitSm(source="1" * 21), "source"),
    (SubmitSm(dest="1" * 21), "dest"),
    (SubmitSm(dest="3460\x00111222"), "dest"),
    (SubmitSm(source="Peña"), "source"),
    (SubmitSm(dest="\u0663"), "dest"),
    (SubmitSm(source="a\0"), "source"),
    (SubmitSm(service_type="abcdef"), "service_type"),
    (SubmitSm(service_type="é"), "service_type"),
    (SubmitSm(schedule_delivery_time="26123123595900+"), "schedule_delivery_time"),
    (SubmitSm(validity_period="261231235959000+0"), "validity_period"),
    (SubmitSm(short_message=bytes(255)), "short_message"),
    (DeliverSm(short_message=bytes(255)), "short_message"),
    (SubmitSm(short_message=b"x", tlvs=(Tlv(Tag.MESSAGE_PAYLOAD, b"x"),)), "short_message"),
    (SubmitSm(tlvs=(Tlv(0x10000, b""),)), "tlvs"),
    (SubmitSm(tlvs=(Tlv(0x1E, bytes(65536)),)), "tlvs"),
    (SubmitSm(tlvs=(Tlv(0x1E, bytes(65535)), Tlv(0x1F, bytes(65535)))), "tlvs"),
    (DataSm(dest="1" * 21), "dest"),
    (DataSm(esm_class=300), "esm_class"),
    (SubmitSmResp("m" * 65), "message_id"),
    (SubmitSmResp("é"), "message_id"),
    (SubmitSmResp("m", sequence=1 << 32), "sequence"),
    (DeliverSmResp("", 1 << 32), "status"),
    (EnquireLink(-1), "sequence"),
]


@pytest.mark.parametrize(
    ("pdu", "field"), TOO_MUCH, ids=[f"{type(pdu).__name__}-{field}" for pdu, field in TOO_MUCH]
)
def test_what_does_not_fit_is_refused_by_name(pdu: Pdu, field: str) -> None:
    with pytest.raises(DataError) as caught:
        wire.encode(pdu)
    assert caught.value.fields["field"] == field
    assert caught.value.hint


@pytest.mark.parametrize(
    "field",
    [
        "source_ton",
        "source_npi",
        "dest_ton",
        "dest_npi",
        "esm_class",
        "protocol_id",
        "priority",
        "registered_delivery",
        "replace_if_present",
        "data_coding",
        "sm_default_msg_id",
    ],
)
@pytest.mark.parametrize("value", [-1, 256])
def test_one_octet_is_all_there_is(field: str, value: int) -> None:
    fields: dict[str, Any] = {field: value}
    with pytest.raises(DataError, match=field):
        wire.encode(SubmitSm(**fields))


def test_an_error_never_shows_a_number_or_a_text() -> None:
    for pdu in (SubmitSm(dest="34600111222" * 2), SubmitSm(source="Peña")):
        with pytest.raises(DataError) as caught:
            wire.encode(pdu)
        assert "34600111222" not in str(caught.value.as_dict())
        assert "Peña" not in str(caught.value.as_dict())


def test_what_is_for_reading_only_is_not_written() -> None:
    for pdu in (Unknown(0x10201), Damaged(5, "mandatory fields")):
        with pytest.raises(LocalProtocolError):
            wire.encode(pdu)


def test_the_longest_payload_goes_through() -> None:
    submit = SubmitSm(dest="34600111222", tlvs=(Tlv(Tag.MESSAGE_PAYLOAD, bytes(65535)),))
    assert wire.decode(wire.encode(submit)) == submit


@pytest.mark.parametrize("data", [b"", b"\0\0\0\x10", bytes(16), b"\0\0\0\x11" + bytes(12)])
def test_octets_that_are_not_one_pdu_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        wire.decode(data)
    assert caught.value.fields["kind"] == "command_length"


@given(st.binary(max_size=80) | strategies.noise | strategies.bruised())
@settings(deadline=None, max_examples=400)
def test_any_octets_are_a_pdu_or_one_named_error(data: bytes) -> None:
    try:
        pdu = wire.decode(data)
    except RemoteProtocolError as error:
        kind = error.fields["kind"]
    else:
        assert pdu.raw == data
        return
    assert kind == "command_length"


@given(strategies.messages(DeliverSm), st.data())
@settings(deadline=None, max_examples=150)
def test_a_cut_deliver_sm_never_reads_past_its_end(pdu: DeliverSm, data: st.DataObject) -> None:
    whole = wire.encode(pdu)
    size = data.draw(st.integers(16, len(whole) - 1))
    cut = wire.decode(size.to_bytes(4, "big") + whole[4:size])
    if isinstance(cut, DeliverSm):
        assert pdu.short_message.startswith(cut.short_message)
        assert (cut.source, cut.dest) == (pdu.source, pdu.dest)
    else:
        assert isinstance(cut, Damaged)

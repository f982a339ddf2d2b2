"""PDUs as values: equal by what they say, told apart by what they are."""

from __future__ import annotations

import dataclasses

import pytest

from gateway.smpp.consts import CommandId, Tag
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    DataSm,
    DeliverSm,
    EnquireLink,
    Mode,
    SubmitSm,
    Tlv,
    Unbind,
    Unknown,
)


def test_raw_takes_no_part_in_comparison() -> None:
    assert SubmitSm(dest="34600111222", raw=b"x") == SubmitSm(dest="34600111222")
    assert SubmitSm(dest="34600111222") != SubmitSm(dest="34600111223")


def test_pdus_of_two_commands_are_never_equal() -> None:
    mixed: list[object] = [SubmitSm(), DeliverSm(), EnquireLink(1), Unbind(1)]
    assert all((a == b) is (a is b) for a in mixed for b in mixed)


def test_a_pdu_can_be_copied_with_one_field_changed() -> None:
    assert dataclasses.replace(SubmitSm(dest="1"), sequence=9) == SubmitSm(dest="1", sequence=9)


@pytest.mark.parametrize(
    ("mode", "command_id"),
    [("receiver", 1), ("transmitter", 2), ("transceiver", 9)],
)
def test_the_mode_of_a_bind_is_its_command(mode: Mode, command_id: int) -> None:
    assert Bind("acuse", mode=mode).command_id == command_id
    assert BindResp("smsc", mode=mode).command_id == 0x80000000 | command_id


def test_a_password_does_not_show_in_a_log() -> None:
    assert "s3cret" not in repr(Bind("acuse", "s3cret"))


def test_the_first_tlv_of_a_tag_is_found() -> None:
    pdu = DeliverSm(tlvs=(Tlv(0x1E, b"a\0"), Tlv(0x427, b"\2"), Tlv(0x427, b"\5")))
    assert pdu.tlv(Tag.MESSAGE_STATE) == b"\2"
    assert pdu.tlv(Tag.NETWORK_ERROR_CODE) is None


def test_the_text_is_found_wherever_it_travels() -> None:
    payload = (Tlv(Tag.MESSAGE_PAYLOAD, b"long"),)
    assert DeliverSm(short_message=b"short").message == b"short"
    assert DeliverSm(tlvs=payload).message == b"long"
    assert DeliverSm().message == b""
    assert DataSm(tlvs=payload).message == b"long"
    assert DataSm().message == b""


def test_every_pdu_says_its_command() -> None:
    assert SubmitSm().command_id == CommandId.SUBMIT_SM
    assert Unknown(0x10201).command_id == 0x10201

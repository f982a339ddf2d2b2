"""Our traffic in tshark's reading: nothing malformed, and the fields that our own records hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.smpp.consts import CommandId, MessageState, Status, Tag
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    Unbind,
    UnbindResp,
)
from gateway.smpp.wire import decode, encode
from tests.interop.capture import PORT, Seen, capture_of, captured, read
from tests.support.process import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG: Final = "Le recordamos que la factura 2026/117 vence el dia 30. " * 6
MESSAGES: Final = {
    "+34600111222": ("¡Niño! Son 12,50 € [IVA ~21%] {Ñ}", "delivered"),
    "+34600111223": ("Счёт 117 следует оплатить 😀", "delivered"),
    "+34600111224": (LONG, "delivered"),
    "+34600111901": ("hola", "undelivered"),
    "+34600111910": ("hola", "rejected"),
    "+34600111940": ("hola", "delivered"),
    "+34600111947": ("hola", "delivered"),
    "+34600111948": ("hola", "delivered"),
    "+34600111950": ("hola", "delivered"),
}


@dataclass
class Traffic:
    """A day of the daemon and an operator, as the three of them tell it."""

    seen: list[Seen]
    records: list[dict[str, Any]]
    accepted: list[dict[str, Any]]

    def of(self, command: CommandId) -> list[Seen]:
        return [pdu for pdu in self.seen if pdu.number("command_id") == command]


@pytest.fixture(scope="module")
def traffic() -> Iterator[Traffic]:
    options = {"seed": 5, "receipt_delay_max_s": 0.1, "message_id": "hex"}
    with Site.open({"movistar": options}, settings="enquire_link_s = 0.5") as site:
        simulator = site.simulators["movistar"]
        file = site.directory / "lo.pcapng"
        with captured(simulator.port, file):
            daemon = site.serve().ready()
            with site.admin() as admin:
                answers = [
                    admin.call("submit", {"to": to, "text": text, "category": "legal_notice"})
                    for to, (text, _) in MESSAGES.items()
                ]
                records = [
                    admin.call(
                        "messages.wait",
                        {"submission_id": answer["submission_id"], "timeout_s": 20},
                    )
                    for answer in answers
                ]
            daemon.wait_for(lambda status: not status["queues"]["orphans"], "no receipt waits")
            assert {r["to"]: r["state"] for r in records} == {
                to: state for to, (_, state) in MESSAGES.items()
            }
            daemon.stop()
            accepted = simulator.journal("accepted")
            simulator.stop()
        yield Traffic(read(file, simulator.port), records, accepted)


def test_nothing_is_malformed(traffic: Traffic) -> None:
    assert [pdu for pdu in traffic.seen if pdu.complaints] == []
    assert len(traffic.seen) > 40


def test_every_request_has_its_answer(traffic: Traffic) -> None:
    pairs = (
        (CommandId.BIND_TRANSCEIVER, CommandId.BIND_TRANSCEIVER_RESP),
        (CommandId.SUBMIT_SM, CommandId.SUBMIT_SM_RESP),
        (CommandId.DELIVER_SM, CommandId.DELIVER_SM_RESP),
        (CommandId.DATA_SM, CommandId.DATA_SM_RESP),
        (CommandId.UNBIND, CommandId.UNBIND_RESP),
    )
    for request, response in pairs:
        asked = Counter(pdu.number("sequence_number") for pdu in traffic.of(request))
        answered = Counter(pdu.number("sequence_number") for pdu in traffic.of(response))
        assert asked == answered, request
        assert asked, request


def test_each_submit_is_the_one_in_the_operator_s_records(traffic: Traffic) -> None:
    ids = {
        pdu.number("sequence_number"): pdu.text("message_id")
        for pdu in traffic.of(CommandId.SUBMIT_SM_RESP)
        if pdu.number("command_status") == 0
    }
    seen = Counter(
        (
            pdu.text("source_addr"),
            pdu.text("destination_addr"),
            ids[pdu.number("sequence_number")],
            pdu.number("data_coding"),
            pdu.number("sm_length"),
        )
        for pdu in traffic.of(CommandId.SUBMIT_SM)
        if pdu.number("sequence_number") in ids
    )
    kept = Counter(
        (
            line["source"] or None,
            line["dest"],
            line["message_id"],
            line["data_coding"],
            len(line["octets"]) // 2,
        )
        for line in traffic.accepted
    )
    assert seen == kept


def test_each_id_is_the_one_in_our_records(traffic: Traffic) -> None:
    answered = [
        pdu.text("message_id")
        for pdu in traffic.of(CommandId.SUBMIT_SM_RESP)
        if pdu.number("command_status") == 0
    ]
    kept = [
        segment["message_id"]
        for record in traffic.records
        for segment in record["segments"]
        if segment["outcome"] == "accepted"
    ]
    assert Counter(answered) == Counter(kept)


def test_each_receipt_is_the_one_we_keep(traffic: Traffic) -> None:
    seen = Counter(
        (
            pdu.number("sequence_number"),
            pdu.text("source_addr"),
            pdu.text("destination_addr"),
            pdu.number("sm_length"),
            pdu.text("receipted_message_id"),
            pdu.number("message_state"),
        )
        for pdu in traffic.of(CommandId.DELIVER_SM) + traffic.of(CommandId.DATA_SM)
    )
    raws = [r["raw"] for record in traffic.records for r in record["receipts"]]
    kept = Counter(_reading(decode(bytes.fromhex(raw))) for raw in raws)
    assert seen == kept


def _reading(pdu: Pdu) -> tuple[object, ...]:
    """What `test_each_receipt_is_the_one_we_keep` compares, in our own reading."""
    assert isinstance(pdu, DeliverSm | DataSm)
    tlvs = dict(pdu.tlvs)
    message_id = tlvs.get(Tag.RECEIPTED_MESSAGE_ID)
    return (
        pdu.sequence,
        pdu.source,
        pdu.dest or None,
        len(pdu.short_message) if isinstance(pdu, DeliverSm) else None,
        None if message_id is None else message_id.rstrip(b"\0").decode(),
        tlvs[Tag.MESSAGE_STATE][0] if Tag.MESSAGE_STATE in tlvs else None,
    )


HOLA: Final = SubmitSm(
    source="ACME",
    source_ton=5,
    dest="34600111222",
    dest_ton=1,
    dest_npi=1,
    short_message=b"hola",
    registered_delivery=1,
)
#: One of each kind of PDU that the gateway or the simulator sends.
KINDS: Final[tuple[Pdu, ...]] = (
    Bind(mode="transmitter", system_id="acuse", password="secret", system_type="SMPP"),
    Bind(mode="receiver", system_id="acuse", password="secret", address_range="34600*"),
    Bind(mode="transceiver", system_id="acuse", password="secret"),
    BindResp("SMSC", mode="transceiver", sc_interface_version=0x34),
    BindResp("SMSC", mode="receiver"),
    BindResp(mode="transmitter", status=Status.ESME_RINVPASWD),
    HOLA,
    replace(
        HOLA,
        data_coding=8,
        esm_class=0x40,
        short_message=b"\x05\0\x03\x21\x02\x01" + "Счёт".encode("utf-16-be"),
        validity_period="261122110000000+",
        schedule_delivery_time="261121120000000+",
        priority=1,
    ),
    replace(
        HOLA,
        tlvs=(
            Tlv(Tag.USER_MESSAGE_REFERENCE, b"\0\x07"),
            Tlv(Tag.SAR_MSG_REF_NUM, b"\0\x21"),
            Tlv(Tag.SAR_TOTAL_SEGMENTS, b"\2"),
            Tlv(Tag.SAR_SEGMENT_SEQNUM, b"\1"),
        ),
    ),
    replace(HOLA, short_message=b"", tlvs=(Tlv(Tag.MESSAGE_PAYLOAD, b"x" * 400),)),
    SubmitSmResp("4A3F01"),
    SubmitSmResp(status=Status.ESME_RTHROTTLED),
    DeliverSm(
        source="34600111222",
        dest="ACME",
        esm_class=4,
        short_message=b"id:4A3F01 stat:DELIVRD",
        tlvs=(
            Tlv(Tag.RECEIPTED_MESSAGE_ID, b"4A3F01\0"),
            Tlv(Tag.MESSAGE_STATE, bytes((MessageState.DELIVERED,))),
            Tlv(Tag.NETWORK_ERROR_CODE, b"\3\0\0"),
        ),
    ),
    DeliverSmResp(),
    DeliverSmResp(status=Status.ESME_RX_T_APPN),
    DataSm("34600111222", "ACME", esm_class=4, tlvs=(Tlv(Tag.MESSAGE_STATE, b"\2"),)),
    DataSmResp(),
    DataSmResp(status=Status.ESME_RX_P_APPN),
    QuerySm("4A3F01", 5, 0, "ACME"),
    QuerySmResp("4A3F01", "261121110000000+", MessageState.DELIVERED, 0),
    QuerySmResp(status=Status.ESME_RQUERYFAIL),
    CancelSm("4A3F01", 5, 0, "ACME", 1, 1, "34600111222"),
    CancelSmResp(),
    CancelSmResp(status=Status.ESME_RCANCELFAIL),
    ReplaceSm("4A3F01", 5, 0, "ACME", registered_delivery=1, short_message=b"adios"),
    ReplaceSm("4A3F01", 1, 1, "34600111222", "261121150000000+", "000000020000000R", 1, 0, b"si"),
    ReplaceSmResp(),
    ReplaceSmResp(status=Status.ESME_RREPLACEFAIL),
    DeliverSmResp(status=Status.ESME_RX_P_APPN),
    EnquireLink(),
    EnquireLinkResp(),
    Unbind(),
    UnbindResp(),
    GenericNack(status=Status.ESME_RINVCMDID),
)


def test_each_kind_of_pdu_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = [(pdu, encode(pdu, number)) for number, pdu in enumerate(KINDS, start=1)]
    capture_of((octets for _, octets in written), tmp_path / "kinds.pcap")
    seen = read(tmp_path / "kinds.pcap", PORT)
    assert [pdu.complaints for pdu in seen] == [[]] * len(KINDS)
    for number, ((pdu, octets), theirs) in enumerate(zip(written, seen, strict=True), start=1):
        assert theirs.number("command_length") == len(octets)
        assert theirs.number("command_id") == pdu.command_id
        assert theirs.number("sequence_number") == number
        assert (theirs.number("command_status") or 0) == pdu.status
        for theirs_name, ours_name in FIELDS.items():
            if theirs_name in theirs.fields:
                assert theirs.text(theirs_name) == getattr(pdu, ours_name), theirs_name
        if isinstance(pdu, SubmitSm | DeliverSm):
            assert theirs.number("sm_length") == len(pdu.short_message)
            assert theirs.number("data_coding") == pdu.data_coding
            assert theirs.number("source_addr_ton") == pdu.source_ton
            assert theirs.number("dest_addr_npi") == pdu.dest_npi
        if isinstance(pdu, SubmitSm | DeliverSm | DataSm):
            tags = [int(tag, 16) for tag in theirs.fields.get("opt_param_tag", [])]
            sizes = [int(size) for size in theirs.fields.get("opt_param_len", [])]
            assert list(zip(tags, sizes, strict=True)) == [(t.tag, len(t.value)) for t in pdu.tlvs]


#: tshark's names of texts, and ours.
FIELDS: Final = {
    "system_id": "system_id",
    "password": "password",
    "system_type": "system_type",
    "address_range": "address_range",
    "source_addr": "source",
    "destination_addr": "dest",
    "message_id": "message_id",
}


def test_tshark_notices_a_pdu_that_lies(tmp_path: Path) -> None:
    octets = encode(HOLA, 1)
    lying = octets[:-5] + bytes((200,)) + octets[-4:]
    capture_of([octets, lying], tmp_path / "lie.pcap")
    complaints = [pdu.complaints for pdu in read(tmp_path / "lie.pcap", PORT)]
    assert complaints[0] == []
    assert any(complaints[1:])

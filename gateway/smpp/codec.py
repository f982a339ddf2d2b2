"""The hot PDUs as octets: submit_sm, deliver_sm and every response with a message_id.

A certified message costs one submit_sm, one submit_sm_resp, one deliver_sm and one
deliver_sm_resp, so these have a path of their own on `struct`; property tests prove it equal to
smpplib octet for octet. Everything else goes through `wire`, which is also the door to this module.

Encoding is strict: what SMPP has no room for is a DataError that names the field, nothing is cut.
Decoding is lenient: what a peer sent is kept as far as it can be read, and never read past its end.
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error
from typing import Final, TypeVar

from gateway.errors import DataError
from gateway.smpp.consts import (
    HEADER_BYTES,
    MAX_ADDRESS,
    MAX_MESSAGE_ID,
    MAX_PDU_BYTES,
    MAX_SERVICE_TYPE,
    MAX_SHORT_MESSAGE_BYTES,
    MAX_TLV_BYTES,
    TIME_LENGTH,
    Tag,
)
from gateway.smpp.pdu import (
    Answer,
    Damaged,
    Message,
    SubmitSmResp,
    Tlv,
)

HEADER: Final = Struct(">4L")
_TLV_HEAD: Final = Struct(">HH")
_MESSAGE_PAYLOAD: Final = int(Tag.MESSAGE_PAYLOAD)
_SUBMIT_SM_RESP: Final = SubmitSmResp.command_id
_BODY: Final = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b"

_OCTETS: Final = (
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
)

M = TypeVar("M", bound=Message)
A = TypeVar("A", bound=Answer)


def header(command_id: int, status: int, sequence: int, body_bytes: int) -> bytes:
    """The sixteen octets of section 3.2.

    Raises:
        DataError: a number does not fit its field, or the PDU would pass MAX_PDU_BYTES.
    """
    length = HEADER_BYTES + body_bytes
    if length > MAX_PDU_BYTES:
        raise DataError(
            f"the PDU would be {length} octets long; a peer may refuse more than {MAX_PDU_BYTES}",
            hint="send the text in several segments",
            field="tlvs",
            limit_bytes=MAX_PDU_BYTES,
        )
    try:
        return HEADER.pack(length, command_id, status, sequence)
    except struct_error as error:
        name = "sequence" if 0 <= status <= 0xFFFFFFFF else "status"
        raise DataError(
            f"{name} does not fit the 32 bits SMPP has for it",
            hint=f"give a {name} from 0 to 4294967295",
            field=name,
        ) from error


def string(name: str, value: str, limit: int) -> bytes:
    """A C-octet string without its NUL (section 3.1): ASCII, at most `limit` characters.

    Raises:
        DataError: too long, not ASCII, or with a NUL inside; `fields["field"]` is `name`.
    """
    if len(value) > limit:
        raise DataError(
            f"{name} has {len(value)} characters; SMPP has room for {limit}",
            hint=f"shorten {name} to {limit} characters",
            field=name,
            limit=limit,
        )
    if not value.isascii() or "\0" in value:
        raise DataError(
            f"{name} holds a character that SMPP cannot carry there",
            hint=f"use ASCII characters in {name}, and no NUL",
            field=name,
        )
    return value.encode("ascii")


def _no_octet(name: str, value: int) -> DataError:
    return DataError(
        f"{name} is {value}; SMPP has one octet for it",
        hint=f"give {name} from 0 to 255",
        field=name,
    )


def octet(name: str, value: int) -> int:
    """`value`, when it fits the one octet SMPP has for the field.

    Raises:
        DataError: it is not 0 to 255; `fields["field"]` is `name`.
    """
    if not 0 <= value <= 0xFF:
        raise _no_octet(name, value)
    return value


def encode_tlvs(tlvs: tuple[Tlv, ...]) -> bytes:
    """Optional parameters in the order given (section 3.2.4.1).

    Raises:
        DataError: a tag or a length does not fit two octets.
    """
    chunks: list[bytes] = []
    for tag, value in tlvs:
        if not 0 <= tag <= 0xFFFF or len(value) > MAX_TLV_BYTES:
            raise DataError(
                f"TLV {tag:#06x} of {len(value)} octets cannot be written",
                hint=f"a tag has two octets, a value at most {MAX_TLV_BYTES}",
                field="tlvs",
            )
        chunks.append(_TLV_HEAD.pack(tag, len(value)))
        chunks.append(value)
    return b"".join(chunks)


def _check(pdu: Message) -> None:
    """Look at every string of a message; the usual ones were found good without coming here.

    Raises:
        DataError: for the first one that cannot be written.
    """
    string("service_type", pdu.service_type, MAX_SERVICE_TYPE)
    string("source", pdu.source, MAX_ADDRESS)
    string("dest", pdu.dest, MAX_ADDRESS)
    for name in ("schedule_delivery_time", "validity_period"):
        value: str = getattr(pdu, name)
        if string(name, value, TIME_LENGTH) and len(value) != TIME_LENGTH:
            raise DataError(
                f"{name} has {len(value)} characters; it is empty or has {TIME_LENGTH}",
                hint="write it as YYMMDDhhmmsstnnp (SMPP 3.4 section 7.1.1)",
                field=name,
            )
    if len(pdu.short_message) > MAX_SHORT_MESSAGE_BYTES:
        raise DataError(
            f"short_message has {len(pdu.short_message)} octets; "
            f"SMPP has room for {MAX_SHORT_MESSAGE_BYTES}",
            hint="send the text in several segments, or as message_payload",
            field="short_message",
            limit=MAX_SHORT_MESSAGE_BYTES,
        )


def encode_message(pdu: Message, command_id: int, sequence: int) -> bytes:
    """submit_sm or deliver_sm (sections 4.4.1, 4.6.1; the two share one layout).

    Raises:
        DataError: a field does not fit; `fields["field"]` names it.
    """
    source, dest, text = pdu.source, pdu.dest, pdu.short_message
    service, schedule, validity = pdu.service_type, pdu.schedule_delivery_time, pdu.validity_period
    if (
        len(source) > MAX_ADDRESS
        or len(dest) > MAX_ADDRESS
        or len(text) > MAX_SHORT_MESSAGE_BYTES
        or not (source.isascii() and dest.isascii())
        or "\0" in source
        or "\0" in dest
        or service
        or schedule
        or validity
    ):
        _check(pdu)
    try:
        body = _BODY % (
            service.encode("ascii"),
            pdu.source_ton,
            pdu.source_npi,
            source.encode("ascii"),
            pdu.dest_ton,
            pdu.dest_npi,
            dest.encode("ascii"),
            pdu.esm_class,
            pdu.protocol_id,
            pdu.priority,
            schedule.encode("ascii"),
            validity.encode("ascii"),
            pdu.registered_delivery,
            pdu.replace_if_present,
            pdu.data_coding,
            pdu.sm_default_msg_id,
            len(text),
            text,
        )
    except OverflowError as error:
        wrong = next(name for name in _OCTETS if not 0 <= getattr(pdu, name) <= 0xFF)
        raise _no_octet(wrong, getattr(pdu, wrong)) from error
    if pdu.tlvs:
        if text and pdu.tlv(_MESSAGE_PAYLOAD) is not None:
            raise DataError(
                "a PDU carries its text as short_message or as message_payload, never as both",
                hint="leave short_message empty, or drop the TLV 0x0424 (SMPP 3.4 5.3.2.32)",
                field="short_message",
            )
        body += encode_tlvs(pdu.tlvs)
    return header(command_id, pdu.status, sequence, len(body)) + body


def encode_answer(pdu: Answer, command_id: int, sequence: int) -> bytes:
    """submit_sm_resp, deliver_sm_resp or data_sm_resp.

    A submit_sm_resp that says an error has no body (4.4.2), unless it was given a message_id or
    TLVs to carry; the other two always have their message_id, one NUL when empty (4.6.2, 4.7.2).

    Raises:
        DataError: a field does not fit; `fields["field"]` names it.
    """
    if command_id == _SUBMIT_SM_RESP and pdu.status and not pdu.message_id and not pdu.tlvs:
        return header(command_id, pdu.status, sequence, 0)
    body = string("message_id", pdu.message_id, MAX_MESSAGE_ID) + b"\0"
    if pdu.tlvs:
        body += encode_tlvs(pdu.tlvs)
    return header(command_id, pdu.status, sequence, len(body)) + body


def _read_tlvs(data: bytes, position: int) -> tuple[tuple[Tlv, ...], int]:
    """The TLVs from `position`, and how many octets the last one lacks (negative: are left)."""
    end = len(data)
    found: list[Tlv] = []
    while end - position >= 4:
        tag, length = _TLV_HEAD.unpack_from(data, position)
        position += 4
        found.append(Tlv(tag, data[position : position + length]))
        position += length
    return tuple(found), position - end


def decode_tlvs(data: bytes, position: int) -> tuple[Tlv, ...]:
    """The optional parameters from `position` to the end of the PDU, unknown ones included.

    One that says more octets than are left is cut at the end and kept; fewer than four octets at
    the end cannot be a TLV and stay in `raw` only. Operators also send one octet too many before
    the TLVs (a NUL after short_message, or an sm_length one too small): where reading at once runs
    over the end and reading one octet later comes out even, the latter is what was meant.
    """
    found, lack = _read_tlvs(data, position)
    if lack > 0:
        shifted, rest = _read_tlvs(data, position + 1)
        if shifted and rest == 0:
            return shifted
    return found


def decode_message(kind: type[M], data: bytes, status: int, sequence: int) -> M | Damaged:
    """One whole submit_sm or deliver_sm (sections 4.4.1, 4.6.1).

    An sm_length beyond the PDU's end is bounded by it. `Damaged` when the octets end before
    sm_length.
    """
    find = data.index
    try:
        service = find(0, 16)
        source = find(0, service + 3)
        dest = find(0, source + 3)
        schedule = find(0, dest + 4)
        validity = find(0, schedule + 1)
        text = validity + 6
        length = data[text - 1]
    except (ValueError, IndexError):
        return Damaged(kind.command_id, "mandatory fields", status, sequence, data)
    end = text + length
    return kind(
        data[service + 3 : source].decode("latin-1"),
        data[source + 3 : dest].decode("latin-1"),
        data[text:end],
        data[service + 1],
        data[service + 2],
        data[source + 1],
        data[source + 2],
        data[dest + 1],
        data[dest + 2],
        data[dest + 3],
        data[dest + 4 : schedule].decode("latin-1") if schedule > dest + 4 else "",
        data[schedule + 1 : validity].decode("latin-1") if validity > schedule + 1 else "",
        data[validity + 1],
        data[validity + 2],
        data[validity + 3],
        data[validity + 4],
        data[16:service].decode("latin-1") if service > 16 else "",
        decode_tlvs(data, end) if len(data) > end else (),
        status,
        sequence,
        data,
    )


def decode_answer(kind: type[A], data: bytes, status: int, sequence: int) -> A:
    """One whole submit_sm_resp, deliver_sm_resp or data_sm_resp, in any shape operators send.

    With or without body, message_id with or without NUL, on success and on error. An error may
    bring TLVs and no message_id at all: it is read so when that comes out even and reading a
    message_id first does not.
    """
    end = data.find(0, 16)
    last = len(data) - 1
    if end == last:
        return kind(data[16:last].decode("latin-1"), status, sequence, (), data)
    if end < 0:
        return kind(data[16:].decode("latin-1"), status, sequence, (), data)
    if status and _read_tlvs(data, end + 1)[1]:
        tlvs, lack = _read_tlvs(data, 16)
        if lack == 0:
            return kind("", status, sequence, tlvs, data)
    return kind(data[16:end].decode("latin-1"), status, sequence, decode_tlvs(data, end + 1), data)

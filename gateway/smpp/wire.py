"""Octets to PDUs and back: the one door between the values of `pdu` and a byte stream.

This is the only module that knows smpplib. Of it serve the PDU classes, as tables of fields for
what is rare (binds, data_sm) and as writers of it. Its session, its text encoder and its parser do
not: it puts sequence 0 on the wire for a sequence it is given (here the attribute is set after
construction), cuts strings that are too long (here lengths are checked first), and its parser
leaks struct.error and KeyError, raises on unknown TLVs and falls out of step on integer TLVs of
unusual length (here the field tables are walked by our own reader, and TLVs too).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from smpplib import command as smpplib_command

from gateway.errors import LocalProtocolError, RemoteProtocolError
from gateway.smpp import codec
from gateway.smpp.consts import (
    HEADER_BYTES,
    MAX_ADDRESS,
    MAX_ADDRESS_RANGE,
    MAX_PASSWORD,
    MAX_PDU_BYTES,
    MAX_SERVICE_TYPE,
    MAX_SYSTEM_ID,
    MAX_SYSTEM_TYPE,
    RESPONSE_BIT,
    CommandId,
    Tag,
    command_name,
)
from gateway.smpp.operations import encode_operation, operation
from gateway.smpp.pdu import (
    BIND_IDS,
    Answer,
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    Damaged,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Message,
    Mode,
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
    Unknown,
)

_HEADER: Final = codec.HEADER
_BIND_FIELDS: Final = smpplib_command.BindTransceiver
_DATA_SM_FIELDS: Final = smpplib_command.DataSM
_MODES: Final[dict[int, Mode]] = {number: mode for mode, number in BIND_IDS.items()}

#: Our name of a field, smpplib's name of it, its longest string (None: an octet).
_Fields: TypeAlias = tuple[tuple[str, str, int | None], ...]
_BIND: Final[_Fields] = (
    ("system_id", "system_id", MAX_SYSTEM_ID),
    ("password", "password", MAX_PASSWORD),
    ("system_type", "system_type", MAX_SYSTEM_TYPE),
    ("interface_version", "interface_version", None),
    ("addr_ton", "addr_ton", None),
    ("addr_npi", "addr_npi", None),
    ("address_range", "address_range", MAX_ADDRESS_RANGE),
)
_BIND_RESP: Final[_Fields] = (("system_id", "system_id", MAX_SYSTEM_ID),)
_DATA_SM: Final[_Fields] = (
    ("service_type", "service_type", MAX_SERVICE_TYPE),
    ("source_ton", "source_addr_ton", None),
    ("source_npi", "source_addr_npi", None),
    ("source", "source_addr", MAX_ADDRESS),
    ("dest_ton", "dest_addr_ton", None),
    ("dest_npi", "dest_addr_npi", None),
    ("dest", "destination_addr", MAX_ADDRESS),
    ("esm_class", "esm_class", None),
    ("registered_delivery", "registered_delivery", None),
    ("data_coding", "data_coding", None),
)


def _write(pdu: Pdu, sequence: int, fields: _Fields = ()) -> bytes:
    """A rare PDU by smpplib's class of it, with every length and range checked before."""
    command: Any = smpplib_command.factory(command_name(pdu.command_id), sequence=sequence)
    for ours, theirs, limit in fields:
        value = getattr(pdu, ours)
        if limit is None:
            codec.octet(ours, value)
        else:
            codec.string(ours, value, limit)
        setattr(command, theirs, value)
    body: bytes = command.generate_params()
    if isinstance(pdu, BindResp):
        if pdu.status and not pdu.system_id:
            body = b""  # 4.1.2 note: an error brings no body
        if pdu.sc_interface_version is not None:
            version = codec.octet("sc_interface_version", pdu.sc_interface_version)
            body += codec.encode_tlvs((Tlv(Tag.SC_INTERFACE_VERSION, bytes((version,))),))
    elif isinstance(pdu, DataSm):
        body += codec.encode_tlvs(pdu.tlvs)
    return codec.header(pdu.command_id, pdu.status, sequence, len(body)) + body


def encode(pdu: Pdu, sequence: int | None = None) -> bytes:
    """The PDU as octets, with `sequence` in place of the PDU's own where one is given.

    Raises:
        DataError: a field does not fit into SMPP; `fields["field"]` names it. Nothing is cut.
        LocalProtocolError: the PDU is Unknown or Damaged; those are for reading only.
    """
    number = pdu.sequence if sequence is None else sequence
    if isinstance(pdu, Message):
        return codec.encode_message(pdu, pdu.command_id, number)
    if isinstance(pdu, Answer):
        return codec.encode_answer(pdu, pdu.command_id, number)
    if isinstance(pdu, QuerySm | QuerySmResp | CancelSm | ReplaceSm):
        return encode_operation(pdu, number)
    if isinstance(pdu, EnquireLink | EnquireLinkResp | CancelSmResp | ReplaceSmResp):
        return codec.header(pdu.command_id, pdu.status, number, 0)
    if isinstance(pdu, Bind):
        return _write(pdu, number, _BIND)
    if isinstance(pdu, BindResp):
        return _write(pdu, number, _BIND_RESP)
    if isinstance(pdu, DataSm):
        return _write(pdu, number, _DATA_SM)
    if isinstance(pdu, Unknown | Damaged):
        raise LocalProtocolError(
            f"{type(pdu).__name__} stands for octets that were received; it cannot be sent",
            hint="send its raw octets, if those are meant",
            command=command_name(pdu.command_id),
        )
    return _write(pdu, number)


def _read(
    table: type[smpplib_command.Command], fields: _Fields, data: bytes
) -> tuple[dict[str, Any], int] | str:
    """Mandatory fields by smpplib's table of them, and where they end; or the field not found."""
    values: dict[str, Any] = {}
    position = HEADER_BYTES
    for ours, theirs, _ in fields:
        if table.params[theirs].type is int:
            if position == len(data):
                return ours
            values[ours] = data[position]
            position += 1
            continue
        end = data.find(0, position)
        if end < 0:
            return ours
        values[ours] = data[position:end].decode("latin-1")
        position = end + 1
    return values, position


def _bind(command_id: int, status: int, sequence: int, data: bytes) -> Pdu:
    read = _read(_BIND_FIELDS, _BIND, data)
    if isinstance(read, str):
        return Damaged(command_id, read, status, sequence, data)
    mode = _MODES[command_id]
    return Bind(**read[0], mode=mode, status=status, sequence=sequence, raw=data)


def _bind_resp(command_id: int, status: int, sequence: int, data: bytes) -> Pdu:
    # The layout is that of a response with a message_id, and operators vary it in the same ways.
    answer = codec.decode_answer(SubmitSmResp, data, status, sequence)
    version = answer.tlv(Tag.SC_INTERFACE_VERSION)
    return BindResp(
        answer.message_id,
        _MODES[command_id & ~RESPONSE_BIT],
        int.from_bytes(version, "big") if version else None,
        status,
        sequence,
        data,
    )


def _data_sm(command_id: int, status: int, sequence: int, data: bytes) -> Pdu:
    read = _read(_DATA_SM_FIELDS, _DATA_SM, data)
    if isinstance(read, str):
        return Damaged(command_id, read, status, sequence, data)
    values, end = read
    tlvs = codec.decode_tlvs(data, end)
    return DataSm(**values, tlvs=tlvs, status=status, sequence=sequence, raw=data)


Decoder: TypeAlias = Callable[[int, int, int, bytes], Pdu]


def _message(kind: type[SubmitSm] | type[DeliverSm]) -> Decoder:
    return lambda _, status, sequence, data: codec.decode_message(kind, data, status, sequence)


def _answer(kind: type[SubmitSmResp] | type[DeliverSmResp] | type[DataSmResp]) -> Decoder:
    return lambda _, status, sequence, data: codec.decode_answer(kind, data, status, sequence)


def _bare(kind: Callable[[int, int, bytes], Pdu]) -> Decoder:
    # A body where none belongs is left in `raw`.
    return lambda _, status, sequence, data: kind(sequence, status, data)


_DECODERS: Final[dict[int, Decoder]] = {
    CommandId.SUBMIT_SM: _message(SubmitSm),
    CommandId.DELIVER_SM: _message(DeliverSm),
    CommandId.SUBMIT_SM_RESP: _answer(SubmitSmResp),
    CommandId.DELIVER_SM_RESP: _answer(DeliverSmResp),
    CommandId.DATA_SM_RESP: _answer(DataSmResp),
    CommandId.DATA_SM: _data_sm,
    CommandId.QUERY_SM: operation(QuerySm),
    CommandId.QUERY_SM_RESP: operation(QuerySmResp),
    CommandId.CANCEL_SM: operation(CancelSm),
    CommandId.CANCEL_SM_RESP: _bare(CancelSmResp),
    CommandId.REPLACE_SM: operation(ReplaceSm),
    CommandId.REPLACE_SM_RESP: _bare(ReplaceSmResp),
    CommandId.ENQUIRE_LINK: _bare(EnquireLink),
    CommandId.ENQUIRE_LINK_RESP: _bare(EnquireLinkResp),
    CommandId.UNBIND: _bare(Unbind),
    CommandId.UNBIND_RESP: _bare(UnbindResp),
    CommandId.GENERIC_NACK: _bare(GenericNack),
    **dict.fromkeys(BIND_IDS.values(), _bind),
    **{command_id | RESPONSE_BIT: _bind_resp for command_id in BIND_IDS.values()},
}


def out_of_step(length: int) -> RemoteProtocolError:
    """The error for a command_length no PDU can have (section 3.2.1); the stream is lost."""
    return RemoteProtocolError(
        f"the peer announced a PDU of {length} octets; one has {HEADER_BYTES} to {MAX_PDU_BYTES}",
        hint="check that the address and port are those of an SMPP server, and TLS on both ends",
        kind="command_length",
        length=length,
    )


def decode(data: bytes) -> Pdu:
    """One whole PDU. A command we do not serve is Unknown, a body beyond reading is Damaged.

    Raises:
        RemoteProtocolError: the octets are not one PDU: command_length says otherwise.
            Nothing else is ever raised, whatever the octets.
    """
    if len(data) < HEADER_BYTES or int.from_bytes(data[:4], "big") != len(data):
        raise RemoteProtocolError(
            f"{len(data)} octets are not one whole PDU by their own command_length",
            hint="give decode() what Splitter.feed() gave",
            kind="command_length",
            length=len(data),
        )
    _, command_id, status, sequence = _HEADER.unpack_from(data)
    decoder = _DECODERS.get(command_id)
    if decoder is None:
        return Unknown(command_id, status, sequence, data)
    return decoder(command_id, status, sequence, data)


class Splitter:
    """Cuts a byte stream into whole PDUs by command_length (section 3.2), however it arrives.

    Holds less than one PDU between calls, so at most MAX_PDU_BYTES; never allocates on a peer's
    word. Time is linear in the octets fed, one at a time included.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._wanted = 4
        self.error: RemoteProtocolError | None = None

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """The PDUs that are complete now, in order.

        A command_length below 16 or above MAX_PDU_BYTES ends the stream: `error` is set, at the
        fourth octet of it. The PDUs before it in the same octets are still given back; nothing
        that came whole is lost.

        Raises:
            RemoteProtocolError: kind "command_length"; at once when no PDU came before the bad
                length in these octets, else from the next call on.
        """
        if self.error is not None:
            raise self.error
        data = bytes(data)  # a TLS stream gives bytearrays; PDUs are kept as evidence
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._wanted:
                return []
            data = bytes(rest)
            rest.clear()
        whole: list[bytes] = []
        position, end = 0, len(data)
        self._wanted = 4
        while end - position >= 4:
            length = int.from_bytes(data[position : position + 4], "big")
            if not HEADER_BYTES <= length <= MAX_PDU_BYTES:
                self.error = out_of_step(length)
                if not whole:
                    raise self.error
                return whole
            if end - position < length:
                self._wanted = length
                break
            whole.append(data[position : position + length])
            position += length
        rest += data[position:]
        return whole

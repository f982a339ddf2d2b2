"""The operations on a message that was taken: query_sm, cancel_sm, replace_sm (4.8 to 4.10).

Their fields are strings and octets in a row, so a table of each is all there is to it. smpplib
knows query_sm only; a test proves it equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from gateway.smpp import codec
from gateway.smpp.consts import (
    HEADER_BYTES,
    MAX_ADDRESS,
    MAX_MESSAGE_ID,
    MAX_SERVICE_TYPE,
    TIME_LENGTH,
)
from gateway.smpp.pdu import CancelSm, Damaged, QuerySm, QuerySmResp, ReplaceSm

if TYPE_CHECKING:
    from collections.abc import Callable

Operation: TypeAlias = QuerySm | QuerySmResp | CancelSm | ReplaceSm
T = TypeVar("T", QuerySm, QuerySmResp, CancelSm, ReplaceSm)

#: The limit of a field of octets behind an octet that says how many.
_COUNTED: Final = -1
#: Name of each field in its order, and its longest string; None is an octet.
_Fields: TypeAlias = tuple[tuple[str, int | None], ...]
_SOURCE: Final[_Fields] = (("source_ton", None), ("source_npi", None), ("source", MAX_ADDRESS))
_FIELDS: Final[dict[type[Operation], _Fields]] = {
    QuerySm: (("message_id", MAX_MESSAGE_ID), *_SOURCE),
    QuerySmResp: (
        ("message_id", MAX_MESSAGE_ID),
        ("final_date", TIME_LENGTH),
        ("message_state", None),
        ("error_code", None),
    ),
    CancelSm: (
        ("service_type", MAX_SERVICE_TYPE),
        ("message_id", MAX_MESSAGE_ID),
        *_SOURCE,
        ("dest_ton", None),
        ("dest_npi", None),
        ("dest", MAX_ADDRESS),
    ),
    ReplaceSm: (
        ("message_id", MAX_MESSAGE_ID),
        *_SOURCE,
        ("schedule_delivery_time", TIME_LENGTH),
        ("validity_period", TIME_LENGTH),
        ("registered_delivery", None),
        ("sm_default_msg_id", None),
        ("short_message", _COUNTED),
    ),
}


def encode_operation(pdu: Operation, sequence: int) -> bytes:
    """The PDU as octets; a query_sm_resp that says an error has no body.

    Raises:
        DataError: a field does not fit; `fields["field"]` names it.
    """
    body = b""
    for name, limit in () if pdu.status else _FIELDS[type(pdu)]:
        value: Any = getattr(pdu, name)
        if limit is None:
            body += bytes((codec.octet(name, value),))
        elif limit == _COUNTED:
            body += bytes((codec.octet(name, len(value)),)) + value
        else:
            body += codec.string(name, value, limit) + b"\0"
    return codec.header(pdu.command_id, pdu.status, sequence, len(body)) + body


def operation(kind: type[T]) -> Callable[[int, int, int, bytes], T | Damaged]:
    """A decoder of one of them; fields that are missing from an error stay at their defaults."""

    def decode(command_id: int, status: int, sequence: int, data: bytes) -> T | Damaged:
        values: dict[str, Any] = {}
        position = HEADER_BYTES
        for name, limit in _FIELDS[kind]:
            if limit == _COUNTED and position < len(data):
                # Bounded by the PDU, whatever the octet says (smpp.md, Q15).
                values[name] = data[position + 1 : position + 1 + data[position]]
                break
            end = position if limit is None else data.find(0, position)
            if end < 0 or end >= len(data):
                if status:
                    break
                return Damaged(command_id, name, status, sequence, data)
            values[name] = data[end] if limit is None else data[position:end].decode("latin-1")
            position = end + 1
        return kind(**values, status=status, sequence=sequence, raw=data)

    return decode

"""A client that does nothing but submit and answer, to know how fast the simulator is by itself."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

from gateway.smpp.consts import CommandId
from gateway.smpp.pdu import Bind, SubmitSm
from gateway.smpp.wire import encode

if TYPE_CHECKING:
    from typing import Self

_HEADER: Final = struct.Struct("!IIII")
_SUBMIT_RESP: Final = int(CommandId.SUBMIT_SM_RESP)
_DELIVER: Final = int(CommandId.DELIVER_SM)
_DELIVER_RESP: Final = int(CommandId.DELIVER_SM_RESP)
_READ_BYTES: Final = 1 << 18
_PATIENCE_S: Final = 60.0


class Esme:
    """A bound transceiver with one message, encoded once."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        #: (command id, sequence number) of each PDU that was read and not looked at yet.
        self._arrived: list[tuple[int, int]] = []
        self._pdu = encode(
            SubmitSm(
                source_ton=5,
                source="ACME",
                dest_ton=1,
                dest_npi=1,
                dest="34600111222",
                registered_delivery=1,
                short_message=b"Su factura 0000001 vence el 30 de noviembre.",
            )
        )

    def __enter__(self) -> Self:
        self._socket.sendall(encode(Bind("bench", mode="transceiver"), 1))
        self._read()
        assert [command for command, _ in self._arrived] == [int(CommandId.BIND_TRANSCEIVER_RESP)]
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, messages: int, window: int) -> None:
        """Submit *messages*, *window* at a time on the way; answer every receipt."""
        left, sequence, receipts = messages, 2, 0
        head, body = self._pdu[:12], self._pdu[16:]
        room = window
        while receipts < messages:
            out = []
            for _ in range(min(room, left)):
                out.append(head + sequence.to_bytes(4, "big") + body)
                sequence += 1
            left, room = left - len(out), room - len(out)
            for command, number in self._arrived:
                if command == _SUBMIT_RESP:
                    room += 1
                elif command == _DELIVER:
                    out.append(_HEADER.pack(17, _DELIVER_RESP, 0, number) + b"\0")
                    receipts += 1
            self._arrived.clear()
            if out:
                self._socket.sendall(b"".join(out))
            if receipts < messages and not (room and left):
                self._read()

    def _read(self) -> None:
        """Take what has come."""
        data = self._socket.recv(_READ_BYTES)
        assert data, "the simulator hung up"
        data = self._buffer + data
        at = 0
        while len(data) - at >= 16:
            length, command, _, number = _HEADER.unpack_from(data, at)
            if len(data) - at < length:
                break
            self._arrived.append((command, number))
            at += length
        self._buffer = data[at:]

"""The admin socket: one JSON object per line in, items and results out (CONTRACT, Admin socket).

A connection dies alone. What a peer can cost is bounded: line length, connections, requests under
way, and the time it may take to read an answer.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

import orjson
import structlog
import trio

from gateway.daemon.roles import peer_of, role_of
from gateway.errors import AcuseError, DataError, TryAgain, UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from gateway.daemon.questions import Questions
    from gateway.daemon.roles import Peer, Role
    from gateway.settings import Admin

log = structlog.get_logger()

LINE_MOST_BYTES = 1 << 20
CONNECTIONS_MOST = 128
#: Requests of one connection that may be under way; its next line is read when one is done.
OUTSTANDING_MOST = 1024
#: A peer that takes nothing for so long while answers wait is dropped.
SLOW_READER_S = 30.0
_READ_BYTES = 65_536
_EXAMPLE = '{"v":1,"id":1,"cmd":"status","args":{}}'


class AdminServer:
    """Accepts connections and serves them until cancelled."""

    def __init__(self, questions: Questions, settings: Admin) -> None:
        self._questions = questions
        self._settings = settings
        self._connections = 0

    async def serve(self, listener: socket.socket) -> None:
        """Serve connections of *listener* for ever."""
        listening = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
        await trio.serve_listeners(self.serve_one, [listening])

    async def serve_one(self, stream: trio.SocketStream) -> None:
        """One connection, from its first line to its end."""
        if self._connections >= CONNECTIONS_MOST:
            busy = TryAgain(
                f"{CONNECTIONS_MOST} admin connections are open", hint="close one, or try again"
            )
            with trio.move_on_after(1):
                await stream.send_all(_line({"id": None, "error": busy.as_dict()}))
            await stream.aclose()
            return
        self._connections += 1
        peer = peer_of(stream.socket)
        connection = Connection(stream, peer, role_of(peer, self._settings), self._questions)
        try:
            async with stream:
                await connection.run()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer went away; what it asked for is done all the same
        except* AcuseError as group:
            log.warning("admin.dropped", uid=peer.uid, reason=str(group.exceptions[0]))
        finally:
            self._connections -= 1


class Connection:
    """One peer: lines in, answers out as they become true, in whatever order that is."""

    def __init__(
        self, stream: trio.abc.Stream, peer: Peer, role: Role, questions: Questions
    ) -> None:
        self.peer = peer
        self.role = role
        self._stream = stream
        self._questions = questions
        self._outbox: deque[bytes] = deque()
        self._to_write = trio.Event()
        self._outstanding = 0
        self._room = trio.Event()
        self._taken = trio.Event()
        self._closing = False

    async def run(self) -> None:
        """Read requests until the peer has no more; write until every answer is out."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            await self._read(nursery)
            self._closing = True
            self._to_write.set()

    def item(self, request: object, item: Mapping[str, Any]) -> None:
        """One element of a list."""
        self._send({"id": request, "item": item})

    def finish(self, request: object, outcome: Mapping[str, Any] | AcuseError) -> None:
        """The end of a request: its result, or its error."""
        if isinstance(outcome, AcuseError):
            self._send({"id": request, "error": outcome.as_dict()})
        else:
            self._send({"id": request, "ok": True, **outcome})
        self._outstanding -= 1
        self._room.set()

    async def drained(self) -> None:
        """Wait until the peer has taken what it was sent (a long list goes at its speed)."""
        while len(self._outbox) > OUTSTANDING_MOST:
            self._taken = trio.Event()
            await self._taken.wait()

    def _send(self, answer: Mapping[str, Any]) -> None:
        self._outbox.append(_line(answer))
        self._to_write.set()

    async def _read(self, nursery: trio.Nursery) -> None:
        buffer = bytearray()
        while True:
            data = await self._stream.receive_some(_READ_BYTES)
            if not data:
                break
            buffer += data
            *lines, rest = buffer.split(b"\n")
            buffer = bytearray(rest)
            for line in lines:
                if line.strip():
                    await self._request(bytes(line), nursery)
            if len(buffer) > LINE_MOST_BYTES:
                error = UsageError(
                    f"a line is longer than {LINE_MOST_BYTES} bytes",
                    hint="one request per line, at most 1 MiB",
                )
                self._send({"id": None, "error": error.as_dict()})
                return
        if buffer.strip():
            await self._request(bytes(buffer), nursery)

    async def _request(self, line: bytes, nursery: trio.Nursery) -> None:
        while self._outstanding >= OUTSTANDING_MOST:
            self._room = trio.Event()
            await self._room.wait()
        self._outstanding += 1
        request_id: object = None
        try:
            request = _parse(line)
            request_id = request.get("id")
            self._questions.ask(self, request_id, request, nursery)
        except AcuseError as error:
            self.finish(_id_of(line) if request_id is None else request_id, error)

    async def _write(self) -> None:
        while True:
            if not self._outbox:
                if self._closing and self._outstanding == 0:
                    return
                self._to_write = trio.Event()
                await self._to_write.wait()
                continue
            data = b"".join(self._outbox)
            self._outbox.clear()
            self._taken.set()
            with trio.move_on_after(SLOW_READER_S) as patience:
                await self._stream.send_all(data)
            if patience.cancelled_caught:
                raise TryAgain(
                    "the peer did not read its answers", hint="read while you write requests"
                )


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise _no_request(line) from None
    if not isinstance(request, dict) or not isinstance(request.get("cmd"), str):
        raise UsageError("a request is an object with cmd", hint=_EXAMPLE)
    number = request.get("id")
    if not isinstance(number, str | int | None):
        request["id"] = None
        raise UsageError("id must be a whole number or a text", hint=_EXAMPLE)
    if request.get("v") != 1:
        raise UsageError("this protocol version is not spoken here", hint='send "v":1')
    if not isinstance(request.setdefault("args", {}), dict):
        raise UsageError("args must be an object", hint='{"args":{}}')
    return request


def _no_request(line: bytes) -> AcuseError:
    """Why a line cannot be read. Half of a surrogate pair is JSON, but no text in any encoding: its
    sender is told which argument holds it.
    """
    request: object = None
    try:
        request = json.loads(line)
        json.dumps(request, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        args = request.get("args") if isinstance(request, dict) else None
        field = next((name for name, value in _texts(args) if not _is_text(value)), "a value")
        field = field if _is_text(field) else "a name"
        return DataError(
            f"{field} holds half of a surrogate pair",
            hint="send the whole character, in UTF-8 or as two \\u escapes",
            field=field,
        )
    except (ValueError, RecursionError):
        pass
    return UsageError("a line is not JSON", hint=f"one object per line: {_EXAMPLE}")


def _id_of(line: bytes) -> int | str | None:
    """The id of a request that cannot be taken: who sent many must know which of them it was."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    number = request.get("id") if isinstance(request, dict) else None
    if isinstance(number, str) and _is_text(number):
        return number
    return number if isinstance(number, int) and abs(number) < 2**53 else None


def _texts(args: object) -> list[tuple[str, str]]:
    if not isinstance(args, dict):
        return []
    return [(name, value) for name, value in args.items() if isinstance(value, str)]


def _is_text(value: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in value)


def _line(answer: Mapping[str, Any]) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)

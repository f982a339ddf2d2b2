"""A time stamp server over HTTP (RFC 3161 section 3.4) for the demo and for tests.

    python -m gateway.sim.tsa --port 0 --ca tsa-ca.pem

makes an authority of its own, writes the certificate to pin, prints where it listens as one line of
JSON, and serves until it is ended. Its stamps are worthless in law.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import h11
import trio

from gateway.errors import AcuseError, DataError
from gateway.sim.authority import Behaviour, StampingAuthority
from gateway.sim.server import bound_port, listen

if TYPE_CHECKING:
    from collections.abc import Callable

#: A request has some 70 bytes.
_MAX_REQUEST_BYTES: Final = 64 * 1024
_HUGE_BYTES: Final = 64 * 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_PATIENCE_S: Final = 30.0
#: How long a slow server thinks; longer than anybody waits for it.
_SLOW_S: Final = 600.0
_QUERY: Final = "application/timestamp-query"
_REPLY: Final = "application/timestamp-reply"


def wall() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class StampServer:
    """Serves an authority on streams; `behaviour` may be changed while it runs."""

    def __init__(
        self,
        authority: StampingAuthority,
        behaviour: Behaviour = Behaviour.RIGHT,
        now: Callable[[], datetime] = wall,
    ) -> None:
        self.authority = authority
        self.behaviour = behaviour
        #: Requests answered, in whatever way.
        self.answered = 0
        self._now = now

    async def serve_stream(self, stream: trio.abc.Stream) -> None:
        """One connection, request after request, until either side ends it."""
        connection = h11.Connection(h11.SERVER)
        try:
            async with stream:
                while await self._exchange(connection, stream):
                    connection.start_next_cycle()
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            return  # the peer went away, or does not speak HTTP

    async def _exchange(self, connection: h11.Connection, stream: trio.abc.Stream) -> bool:
        """Read one request and answer it; False when the connection is over."""
        request, body = None, bytearray()
        with trio.move_on_after(_PATIENCE_S):
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(bytes(await stream.receive_some(_CHUNK_BYTES)))
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data) and len(body) <= _MAX_REQUEST_BYTES:
                    body += event.data
                elif not isinstance(event, h11.Data):
                    break
        if request is None:
            return False
        status, kind, answer = self._answer(request, bytes(body))
        if self.behaviour is Behaviour.SLOW:
            await trio.sleep(_SLOW_S)
        await self._send(connection, stream, status, kind, answer)
        self.answered += 1
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    def _answer(self, request: h11.Request, body: bytes) -> tuple[int, str, bytes]:
        kinds = [value for name, value in request.headers if name == b"content-type"]
        if request.method != b"POST" or kinds != [_QUERY.encode()]:
            return 415, "text/plain", f"POST {_QUERY} here\n".encode()
        if self.behaviour is Behaviour.HTTP_500:
            return 500, "text/plain", b"out of order\n"
        if self.behaviour is Behaviour.HUGE:
            return 200, _REPLY, b""
        if len(body) > _MAX_REQUEST_BYTES:
            return 413, "text/plain", b"too large\n"
        try:
            return 200, _REPLY, self.authority.answer(body, self._now(), self.behaviour)
        except DataError as error:
            return 400, "text/plain", f"{error.message}\n".encode()

    async def _send(
        self,
        connection: h11.Connection,
        stream: trio.abc.Stream,
        status: int,
        kind: str,
        answer: bytes,
    ) -> None:
        huge = self.behaviour is Behaviour.HUGE
        length = _HUGE_BYTES if huge else len(answer)
        headers = [("content-type", kind), ("content-length", str(length))]
        head = connection.send(h11.Response(status_code=status, headers=headers))
        await stream.send_all(head or b"")
        for _ in range(_HUGE_BYTES // _CHUNK_BYTES if huge else 0):
            piece = connection.send(h11.Data(data=bytes(_CHUNK_BYTES)))
            await stream.send_all(piece or b"")
        if answer:
            await stream.send_all(connection.send(h11.Data(data=answer)) or b"")
        await stream.send_all(connection.send(h11.EndOfMessage()) or b"")


async def run(host: str, port: int, ca: Path, behaviour: Behaviour) -> None:
    """Serve on *host* until cancelled; *ca* gets the certificate to pin.

    Raises:
        UsageError: the address cannot be listened on.
    """
    authority = StampingAuthority(wall())
    await trio.Path(ca).write_bytes(authority.ca_pem)
    server = StampServer(authority, behaviour)
    listeners = await listen(host, port)
    line = json.dumps({"port": bound_port(listeners), "ca": str(ca)})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    await trio.serve_listeners(server.serve_stream, listeners)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="gateway.sim.tsa", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3161, help="0 takes a free one")
    parser.add_argument("--ca", type=Path, default=Path("tsa-ca.pem"), help="written: what to pin")
    parser.add_argument(
        "--behaviour", type=Behaviour, choices=list(Behaviour), default=Behaviour.RIGHT
    )
    given = parser.parse_args(arguments)
    try:
        trio.run(partial(run, given.host, given.port, given.ca, given.behaviour))
    except AcuseError as error:
        sys.stderr.write(f"gateway.sim.tsa: error: {error.message}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

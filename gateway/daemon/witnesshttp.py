"""The witness's HTTP door: `add-checkpoint` of c2sp.org/tlog-witness, and what it has seen.

    POST /add-checkpoint       a cosignature, or why not
    GET  /checkpoint/HASH      the latest cosigned checkpoint of a log; HASH: SHA-256 of its origin
    GET  /forks                the evidence kept, as JSON
    GET  /                     who this is, for people

A connection dies alone. What a peer can cost is bounded: connections, size and time of a request.
"""

from __future__ import annotations

import json
import signal
import ssl
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import h11
import structlog
import trio

from gateway.errors import StorageError, UsageError
from gateway.evidence.witness import (
    CONFLICT,
    MAX_REQUEST_BYTES,
    NOT_FOUND,
    OK,
    UNPROCESSABLE,
    Answer,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from gateway.evidence.witness import AddCheckpoint
    from gateway.evidence.witnessfile import Witness

log = structlog.get_logger()

CONNECTIONS_MOST = 64
#: A request must have come, and its answer be taken, within this time.
REQUEST_S = 10.0
#: A connection kept open (logs come once a minute) may be silent for so long.
IDLE_S = 120.0
_READ_BYTES = 65_536
_METHOD_NOT_ALLOWED = 405
_TOO_LARGE = 413
_STORAGE_FAILED = 500
_JSON = "application/json"


class _Request(NamedTuple):
    method: str
    path: str
    body: bytes


class WitnessServer:
    """Serves one witness to any number of logs."""

    def __init__(
        self, witness: Witness, now_s: Callable[[], int], tls: ssl.SSLContext | None = None
    ) -> None:
        self._witness = witness
        self._tls = tls
        self._now_s = now_s
        self._connections = 0
        self._busy = 0
        self._quiet = trio.Event()
        #: One request at a time looks at the memory and changes it.
        self._alone = trio.CapacityLimiter(1)
        self._hashes = {sha256(o.encode()).hexdigest(): o for o in witness.logs.keys}
        #: Set when the memory failed: a witness without memory must not go on.
        self.failed: StorageError | None = None
        self.stop = trio.Event()

    async def serve_one(self, stream: trio.abc.Stream) -> None:
        """One connection, to its end."""
        if self._connections >= CONNECTIONS_MOST:
            await trio.aclose_forcefully(stream)
            return
        self._connections += 1
        if self._tls is not None:
            stream = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
        try:
            async with stream:
                await self._converse(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer went away; what was cosigned for it can be asked for again
        finally:
            self._connections -= 1

    async def _converse(self, stream: trio.abc.Stream) -> None:
        peer = h11.Connection(h11.SERVER)
        while True:
            with trio.move_on_after(IDLE_S) as idle:
                request = await self._read(peer, stream, idle)
                if request is not None:
                    await self._serve(peer, stream, request)
            if idle.cancelled_caught or request is None or peer.our_state is not h11.DONE:
                return
            if peer.their_state is not h11.DONE:
                return
            peer.start_next_cycle()

    async def _serve(
        self, peer: h11.Connection, stream: trio.abc.Stream, request: _Request
    ) -> None:
        self._busy += 1
        self._quiet = trio.Event()
        try:
            await _send(peer, stream, await self._answer(request))
        finally:
            self._busy -= 1
            if not self._busy:
                self._quiet.set()

    async def settle(self) -> None:
        """Wait until what is being answered is."""
        with trio.move_on_after(REQUEST_S):
            if self._busy:
                await self._quiet.wait()

    async def _read(
        self, peer: h11.Connection, stream: trio.abc.Stream, patience: trio.CancelScope
    ) -> _Request | None:
        """The next request; None: the peer is done. *patience* ends sooner once it has begun."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            try:
                event = peer.next_event()
            except h11.RemoteProtocolError as error:
                await _send(peer, stream, Answer(error.error_status_hint, "that is not HTTP\n"))
                return None
            if event is h11.NEED_DATA:
                if peer.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    await stream.send_all(peer.send(go_on))
                data = await stream.receive_some(_READ_BYTES)
                patience.deadline = min(patience.deadline, _soon())
                peer.receive_data(bytes(data))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_REQUEST_BYTES:
                    await _send(peer, stream, Answer(_TOO_LARGE, "the request is too large\n"))
                    return None
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                path = head.target.decode("ascii", "replace").partition("?")[0]
                return _Request(head.method.decode("ascii"), path, bytes(body))
            else:
                return None

    async def _answer(self, request: _Request) -> Answer:
        if request.path == "/add-checkpoint":
            if request.method != "POST":
                return Answer(_METHOD_NOT_ALLOWED, "add-checkpoint is a POST\n")
            return await self._add(request.body)
        if request.method not in ("GET", "HEAD"):
            return Answer(_METHOD_NOT_ALLOWED, "this is read with GET\n")
        if request.path == "/":
            return Answer(OK, self._greeting())
        if request.path == "/forks":
            forks = await trio.to_thread.run_sync(self._witness.forks, limiter=self._alone)
            return Answer(OK, json.dumps({"forks": forks}) + "\n", _JSON)
        origin = self._hashes.get(request.path.removeprefix("/checkpoint/"))
        note = None
        if origin is not None:
            find = self._witness.checkpoint
            note = await trio.to_thread.run_sync(find, origin, limiter=self._alone)
        if note is None:
            return Answer(NOT_FOUND, "there is nothing here\n")
        return Answer(OK, note)

    async def _add(self, body: bytes) -> Answer:
        try:
            request, answer = await trio.to_thread.run_sync(
                self._witness.add_checkpoint, body, self._now_s(), limiter=self._alone
            )
        except StorageError as error:
            self.failed = error
            self.stop.set()
            return Answer(_STORAGE_FAILED, "the witness's memory failed\n")
        _tell(request, answer)
        return answer

    def _greeting(self) -> str:
        logs = "".join(f"log {origin}\n" for origin in self._witness.logs.keys)
        return (
            f"{self._witness.name} is a witness (c2sp.org/tlog-witness); it cosigns checkpoints by"
            f" POST to /add-checkpoint\n{self._witness.vkey}\n{logs}"
        )


def _soon() -> float:
    return trio.current_time() + REQUEST_S


def _tell(request: AddCheckpoint | None, answer: Answer) -> None:
    """One log event for each request that says something of a log."""
    if request is None:
        log.debug("witness.refused", status=answer.status, reason=answer.body.strip())
        return
    shown = request.checkpoint
    fields = {"origin": shown.origin, "size": shown.size, "root": shown.root.hex()}
    if answer.status == OK:
        log.info("witness.cosigned", **fields)
    elif answer.evidence is not None:
        both = {"ours": answer.evidence.ours, "theirs": answer.evidence.theirs}
        log.error("witness.forked", proven=answer.evidence.proven, **fields, **both)
    else:
        reason = answer.body.strip()
        if answer.status == CONFLICT:
            reason = f"{reason} entries were cosigned last, not {request.old_size}"
        level = log.warning if answer.status == UNPROCESSABLE else log.info
        level("witness.refused", status=answer.status, reason=reason, **fields)


async def _send(peer: h11.Connection, stream: trio.abc.Stream, answer: Answer) -> None:
    if peer.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    body = answer.body.encode()
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    data = peer.send(h11.Response(status_code=answer.status, headers=headers)) or b""
    data += peer.send(h11.Data(data=body)) or b""
    data += peer.send(h11.EndOfMessage()) or b""
    await stream.send_all(data)


async def listen(host: str, port: int) -> list[trio.SocketListener]:
    """Listeners on *host*.

    Raises:
        UsageError: the address cannot be used.
    """
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise UsageError(
            f"listen: {host} port {port}: {error.strerror or error}",
            hint="name an address of this machine and a free port, as 127.0.0.1:7780 or [::1]:7780",
            field="listen",
        ) from None


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """HTTPS with that certificate (PEM, with its chain) and key.

    Raises:
        UsageError: they cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"tls-cert: {certificate} and {key} cannot be used: {error}",
            hint="a PEM certificate with its chain, and its PEM key without a password",
            field="tls-cert",
        ) from None
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")


async def serve(
    server: WitnessServer,
    listeners: list[trio.SocketListener],
    ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT, which let what is being answered finish.

    Raises:
        StorageError: the memory failed.
    """
    async with trio.open_nursery() as nursery:
        accepting = trio.CancelScope()

        async def accept() -> None:
            with accepting:
                await trio.serve_listeners(server.serve_one, listeners, handler_nursery=nursery)

        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            nursery.start_soon(accept)
            nursery.start_soon(_until_told, signals, server.stop)
            ready()
            await server.stop.wait()
            accepting.cancel()
            await server.settle()
        nursery.cancel_scope.cancel()
    if server.failed is not None:
        raise server.failed


async def _until_told(signals: AsyncIterator[int], stop: trio.Event) -> None:
    async for _ in signals:
        stop.set()

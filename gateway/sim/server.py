"""The simulated operator on streams: TCP for other processes, memory streams for tests.

A link has one task that reads and one that writes and keeps its timers, so that neither waits for
the other. Time is trio's, hence virtual under a test's clock.
"""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING

import trio

from gateway.errors import UsageError
from gateway.sim.smsc import SmscSession

if TYPE_CHECKING:
    from gateway.sim.operator import Operator

#: Unread answers beyond which no more requests are read: a peer that never reads costs no more.
MAX_UNSENT_BYTES = 1 << 20


class _Link(SmscSession):
    """A session, with the means to wake the task that writes for it."""

    def __init__(self, operator: Operator, now: float) -> None:
        super().__init__(operator, now)
        self._changed = trio.Event()
        self._drained = trio.Event()
        self._scope = trio.CancelScope()

    def wake(self, due: float) -> None:
        self._scope.deadline = min(self._scope.deadline, due)

    async def read(self, stream: trio.abc.ReceiveStream) -> None:
        """Until the peer closes, or the session does."""
        while not self.closing:
            await self._listen_again()
            try:
                data = await stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                break
            if not data:
                break
            self.receive_data(bytes(data), trio.current_time())
            self._changed.set()
            if self.unsent_bytes() > MAX_UNSENT_BYTES:
                self._drained = trio.Event()
                await self._drained.wait()
        self.closing = True
        self._changed.set()

    async def _listen_again(self) -> None:
        """Wait out a time in which the operator reads nothing; what was to be sent goes out."""
        if self.deaf_until > trio.current_time():
            await trio.sleep_until(self.deaf_until)

    async def write(self, stream: trio.abc.SendStream) -> None:
        """Until the session closes and its last octets are out, or the link breaks."""
        while True:
            data = self.data_to_send()
            self._drained.set()
            if data:
                try:
                    for piece, pause_s in self.pieces(data):
                        await stream.send_all(piece)
                        if pause_s:
                            await trio.sleep(pause_s)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.closing = True
                    return
            elif self.closing:
                return
            else:
                await self._wait()
            if not self.closing:
                self.handle_timeout(trio.current_time())

    async def _wait(self) -> None:
        """Until something was read, or a deadline of this link or of its account has come."""
        self._scope = trio.CancelScope(deadline=self.next_deadline())
        with self._scope:
            await self._changed.wait()
        self._changed = trio.Event()


async def serve_stream(stream: trio.abc.Stream, operator: Operator) -> None:
    """Serve one connection until either side ends it; the stream is closed then."""
    link = _Link(operator, trio.current_time())
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.read, stream)
            await link.write(stream)
            nursery.cancel_scope.cancel()
    finally:
        link.close(trio.current_time())
        await trio.aclose_forcefully(stream)


async def listen(host: str, port: int) -> list[trio.SocketListener]:
    """Listeners on *host*; port 0 takes one that is free.

    Raises:
        UsageError: the address cannot be listened on; `fields["field"]` is "port" or "host".
    """
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as exc:
        taken = exc.errno == errno.EADDRINUSE
        raise UsageError(
            f"cannot listen on {host} port {port}: {exc.strerror}",
            hint="--port 0 takes a free port" if taken else "give an address of this machine",
            field="port" if taken or exc.errno == errno.EACCES else "host",
        ) from None


def bound_port(listeners: list[trio.SocketListener]) -> int:
    """The port that was given, or found."""
    port: int = listeners[0].socket.getsockname()[1]
    return port


async def serve_listeners(listeners: list[trio.SocketListener], operator: Operator) -> None:
    """Serve every connection until cancelled."""
    await trio.serve_listeners(partial(serve_stream, operator=operator), listeners)


async def serve_tcp(
    operator: Operator,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """`listen` and `serve_listeners`, for `nursery.start`, which is given the port."""
    listeners = await listen(host, port)
    task_status.started(bound_port(listeners))
    await serve_listeners(listeners, operator)

"""One TCP connection to an operator, kept up: connect, bind, read, write, back off, again.

The session holds the rules; this is the half that touches the socket. It survives the named
errors of a link and nothing else: a bug goes through and stops the daemon (DESIGN, "What dies
when"). Reading never waits for writing.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog
import trio

from gateway.daemon.backoff import Backoff, Trouble, hint_of, trouble_of
from gateway.daemon.connect import tls_state
from gateway.errors import BindRefused, LinkLost, RemoteProtocolError
from gateway.smpp.consts import status_name
from gateway.smpp.events import BindRefused as BindAnsweredNo
from gateway.smpp.events import (
    Bound,
    Delivered,
    Ignored,
    LinkDead,
    PeerUnbound,
    RequestAnswered,
    RequestTimedOut,
    SubmitAnswered,
    SubmitTimedOut,
    Unbound,
)
from gateway.smpp.pdu import Bind
from gateway.smpp.session import Session, State

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from gateway.daemon.connect import TlsState
    from gateway.daemon.operator import Operator
    from gateway.daemon.pipeline import LinkEvent, Pipeline
    from gateway.settings import OperatorSettings
    from gateway.smpp.events import Event
    from gateway.smpp.pdu import Mode

    Connect = Callable[[OperatorSettings], Awaitable[trio.abc.Stream]]

log = structlog.get_logger()

_READ_BYTES = 65_536
#: `deliver_sm` waiting for the disk at most; beyond that the socket is not read.
_UNANSWERED_MOST = 2_000
#: PDUs waiting to be written at most. Reading goes on while the operator reads nothing, but one
#: that asks and asks and never reads the answers must not fill the memory.
_UNSENT_MOST = 50_000
#: A link that held this long is steady: the next try comes quickly again.
_STEADY_S = 10.0
#: How long a peer that is being left may take to read what it is still told.
_LAST_WORDS_S = 1.0
_ABOUT_REQUESTS = (SubmitAnswered, SubmitTimedOut, RequestAnswered, RequestTimedOut)
_SILENCE = {
    "bind_unanswered": "the bind was not answered",
    "enquire_link_unanswered": "enquire_link was not answered",
    "unbind_unanswered": "unbind was not answered",
}


class Alarm(NamedTuple):
    """Something only a person can mend."""

    kind: str
    message: str
    hint: str
    since_ms: int


class Link:
    """One bound connection of an operator, and the task that keeps it."""

    def __init__(
        self,
        operator: Operator,
        name: str,
        mode: Mode,
        pipeline: Pipeline,
        *,
        connect: Connect,
        random: random.Random,
    ) -> None:
        self.operator = operator
        self.name = name
        self.mode: Mode = mode
        self.session: Session | None = None
        self.state = "connecting"
        self.since_ms = pipeline.clock.now_ms()
        self.last_error: str | None = None
        #: What a person must look at before it can be bound.
        self.alarm: Alarm | None = None
        self.tls: TlsState | None = None
        self._pipeline = pipeline
        self._connect = connect
        self._backoff = Backoff(operator.settings.reconnect_s, random)
        self._to_write = trio.Event()
        self._scope = trio.CancelScope()
        self._sending = trio.Lock()
        self._unanswered = 0
        self._room = trio.Event()
        self._drained = trio.Event()

    # -- what the dispatcher and the pipeline call ---------------------------------------------

    def can_submit(self) -> bool:
        """Whether it is bound and may carry a `submit_sm`."""
        session = self.session
        return session is not None and session.state is State.BOUND and self.mode != "receiver"

    def flush(self) -> None:
        """Let the writing task run, and the reading one wake in time for the new timers."""
        self._to_write.set()
        if self.session is not None:
            deadline = self.session.next_deadline()
            self._scope.deadline = min(self._scope.deadline, deadline)

    def answer(self, session: Session | None, delivered: Delivered) -> None:
        """The commit is done: answer a `deliver_sm`, if the session it came on is still there."""
        if session is None or session is not self.session:
            return
        self._unanswered -= 1
        if self._unanswered < _UNANSWERED_MOST:
            self._room.set()
        if session.state is not State.CLOSED:
            session.answer(delivered)

    def drain(self) -> None:
        """Unbind, or stop trying to bind, and do not come back."""
        self._drained.set()
        if self.session is not None and self.session.state is State.BOUND:
            self.session.unbind(trio.current_time())
            self.flush()
        else:
            self._scope.cancel()

    # -- the task ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the link bound until drained. Exponential back-off with jitter between tries."""
        while not self._drained.is_set():
            connected_at = math.inf
            try:
                stream = await self._connect(self.operator.settings)
                async with stream:
                    connected_at = trio.current_time()
                    self.tls = tls_state(stream)
                    await self._talk(stream)
            except (LinkLost, RemoteProtocolError, BindRefused) as error:
                if trio.current_time() - connected_at > _STEADY_S:
                    self._backoff.reset()
                if self._drained.is_set():
                    break
                await self._wait(error)
        self._is("closed")

    async def _wait(self, error: LinkLost | RemoteProtocolError | BindRefused) -> None:
        """Say what is wrong, and wait for the next try."""
        trouble = Trouble.LINK
        if isinstance(error, BindRefused):
            trouble = trouble_of(int(str(error.fields["status"])))
        self.tls = None
        self.last_error = error.message
        self._is("waiting")
        wait_s = self._backoff.wait_s(trouble)
        names = {"operator": self.operator.name, "bind": self.name}
        log.warning(
            "bind.refused" if isinstance(error, BindRefused) else "bind.lost",
            **names,
            trouble=trouble.value,
            reason=error.message,
            retry_in_s=round(wait_s, 1),
        )
        kind = trouble if trouble is Trouble.CREDENTIALS else error.fields.get("alarm")
        if kind is not None:
            since_ms = self.since_ms if self.alarm is None else self.alarm.since_ms
            if self.alarm is None:
                log.error("alarm.raised", **names, alarm=kind, reason=error.message)
            self.alarm = Alarm(str(kind), error.message, error.hint, since_ms)
        with self._fresh_scope():
            await trio.sleep(wait_s)

    def _is(self, state: str) -> None:
        self.state = state
        self.since_ms = self._pipeline.clock.now_ms()

    def _fresh_scope(self) -> trio.CancelScope:
        """What `flush` can shorten and `drain` can end: the present wait."""
        self._scope = trio.CancelScope()
        return self._scope

    async def _talk(self, stream: trio.abc.Stream) -> None:
        """One session, from bind to its end."""
        settings = self.operator.settings
        session = Session(
            Bind(
                mode=self.mode,
                system_id=settings.system_id,
                password=settings.password.reveal(),
                system_type=settings.system_type,
                interface_version=settings.smpp_version,
                addr_ton=settings.addr_ton,
                addr_npi=settings.addr_npi,
            ),
            window=settings.window,
            enquire_link_s=settings.enquire_link_s,
            response_timeout_s=settings.response_timeout_s,
            session_init_s=settings.session_init_s,
            now=trio.current_time(),
        )
        self.session = session
        self._unanswered = 0
        self._is("binding")
        ended: Exception | None = None
        try:
            session.start(trio.current_time())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream, session)
                try:
                    await self._read(stream, session)
                except (LinkLost, RemoteProtocolError, BindRefused):
                    await self._say_last(stream, session)
                    raise
                finally:
                    nursery.cancel_scope.cancel()
        except* (LinkLost, RemoteProtocolError, BindRefused) as group:
            ended = _first(group)
        finally:
            self.session = None
            self._pipeline.link_lost(self, session.close())
        # Not raised above: Python before 3.11.4 wraps what leaves an `except*` into a new group.
        if ended is not None:
            raise ended

    async def _read(self, stream: trio.abc.Stream, session: Session) -> None:
        inactivity_s = self.operator.settings.inactivity_s
        heard_at = trio.current_time()
        self.flush()
        while True:
            if self._unanswered >= _UNANSWERED_MOST:
                self._room = trio.Event()
                await self._room.wait()
            received: bytes | None = None
            with self._fresh_scope() as scope:
                scope.deadline = min(session.next_deadline(), heard_at + inactivity_s)
                try:
                    received = bytes(await stream.receive_some(_READ_BYTES))
                except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    raise _lost(error) from None
            now = trio.current_time()
            if received is None and now >= heard_at + inactivity_s:
                raise LinkLost(
                    f"nothing was heard for {inactivity_s:g} s", hint="the link is opened again"
                )
            if received is None and self._drained.is_set() and session.state is State.CONNECTED:
                return  # drained before the operator let us in
            if received is None:
                events = session.handle_timeout(now)
            elif received:
                heard_at = now
                events = session.receive_data(received, now)
            else:
                raise LinkLost(
                    "the operator closed the connection",
                    hint="its log says why; too many binds and missing enquire_links are common",
                )
            if self._handle(session, events):
                return
            if session.unsent > _UNSENT_MOST:
                raise LinkLost(
                    f"{session.unsent} answers wait, and the operator reads none",
                    hint="the link is opened again",
                )
            self.flush()

    def _handle(self, session: Session, events: list[Event]) -> bool:
        """Sort events to the pipeline; True when the session ended in good order."""
        work: list[LinkEvent | Delivered] = []
        ended = False
        for event in events:
            if isinstance(event, _ABOUT_REQUESTS):
                work.append(event)
            elif isinstance(event, Delivered):
                self._unanswered += 1
                work.append(event)
            elif isinstance(event, Bound):
                self._is("bound")
                self._bound(session)
                self._pipeline.wake()
                if self._drained.is_set():
                    session.unbind(trio.current_time())
            elif isinstance(event, Unbound):
                ended = True
            elif isinstance(event, Ignored):
                log.debug("pdu.ignored", operator=self.operator.name, reason=event.reason)
            else:
                self._pipeline.post(self, work)
                self._end(session, event)
        self._pipeline.post(self, work)
        return ended

    def _bound(self, session: Session) -> None:
        self.last_error = None
        names = {"operator": self.operator.name, "bind": self.name}
        log.info("bind.up", **names, mode=self.mode, version=version_text(session.peer_version))
        if self.alarm is not None:
            log.info("alarm.cleared", **names, alarm=self.alarm.kind)
            self.alarm = None

    def _end(self, session: Session, event: BindAnsweredNo | LinkDead | PeerUnbound) -> None:
        if isinstance(event, BindAnsweredNo):
            raise BindRefused(
                f"the operator refused the bind: {status_name(event.status)}",
                hint=hint_of(trouble_of(event.status)),
                status=event.status,
            )
        if isinstance(event, LinkDead):
            raise LinkLost(_SILENCE[event.reason], hint="the link is opened again")
        raise LinkLost("the operator unbound", hint="the link is opened again")

    async def _write(self, stream: trio.abc.Stream, session: Session) -> None:
        while True:
            await self._to_write.wait()
            self._to_write = trio.Event()
            try:
                await self._send(stream, session)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise _lost(error) from None

    async def _send(self, stream: trio.abc.Stream, session: Session) -> None:
        """Send what waits; a stream takes one sender at a time."""
        async with self._sending:
            data = session.data_to_send()
            if data:
                await stream.send_all(data)

    async def _say_last(self, stream: trio.abc.Stream, session: Session) -> None:
        """Before hanging up, what the peer is owed: its unbind_resp, or why the link ends."""
        with (
            trio.move_on_after(_LAST_WORDS_S),
            suppress(trio.BrokenResourceError, trio.ClosedResourceError),
        ):
            await self._send(stream, session)


def version_text(version: int) -> str:
    """`3.4` for 0x34."""
    return f"{version >> 4}.{version & 15}"


def _lost(error: Exception) -> LinkLost:
    return LinkLost(
        f"the connection broke: {error.__cause__ or error}", hint="the link is opened again"
    )


def _first(group: BaseExceptionGroup[LinkLost | RemoteProtocolError | BindRefused]) -> Exception:
    """The first error of a link that ended; its two tasks often fail together."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error

"""The hot path, from top to bottom: one task owns all state, one batch after another.

Links and admin connections post what happened; nobody else changes anything. A batch is

    refill (queues from the file) → responses → receipts → commands → recall → dispatch
        → flush (SQL, here) → commit (the disk, in a thread) → answers and transmissions

and everything that anybody outside may see leaves after the commit that makes it true. While the
disk works, links read on and the next batch gathers, so that the busier it is, the more rows one
sync pays for. There is no task and no thread hop per message.
"""

from __future__ import annotations

import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import structlog
import trio

from gateway.clock import to_seconds_text
from gateway.errors import AcuseError
from gateway.smpp.events import (
    Delivered,
    RequestAnswered,
    RequestTimedOut,
    SubmitAnswered,
    SubmitTimedOut,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.daemon.checkpoints import Checkpoints
    from gateway.daemon.commands import Command
    from gateway.daemon.deadlines import Deadlines
    from gateway.daemon.dispatch import Dispatcher
    from gateway.daemon.guard import GuardedClock
    from gateway.daemon.inquiries import Inquiries
    from gateway.daemon.link import Link
    from gateway.daemon.recall import Recall
    from gateway.daemon.receipts import Receipts
    from gateway.daemon.responses import Responses
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import WorkSet
    from gateway.ledger.store import Store
    from gateway.smpp.events import Lost
    from gateway.smpp.session import Session

    Offload: TypeAlias = Callable[[Callable[[], None]], Awaitable[None]]

log = structlog.get_logger()

T = TypeVar("T")

#: Events taken into one batch at most; it bounds how long the event loop is busy at a stretch.
_BATCH_MOST = 512
#: A batch that takes longer than this is stuck, as the watchdog sees it.
_STUCK_S = 10.0

LinkEvent: TypeAlias = SubmitAnswered | SubmitTimedOut | RequestAnswered | RequestTimedOut


class _Arrival(NamedTuple):
    """A `deliver_sm` and when it came."""

    link: Link
    session: Session | None
    delivered: Delivered
    rx_ms: int


class _Alone:
    """Something that is done while nothing is in the open batch."""

    def __init__(self, do: Callable[[int], Any], *, aside: bool = False) -> None:
        self.aside = aside
        self.done = trio.Event()
        self.answer: Any = None
        self.error: AcuseError | None = None
        self._do = do

    def run(self, now_ms: int) -> None:
        """Do it; an error that was to be expected is for who asked."""
        try:
            self.answer = self._do(now_ms)
        except AcuseError as error:
            self.error = error


async def in_thread(work: Callable[[], None]) -> None:
    """Run *work* in a worker thread; a cancelled daemon still waits for its commit."""
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(work)


class Pipeline:
    """The writer: takes what was posted, batch by batch."""

    def __init__(
        self,
        store: Store,
        clock: GuardedClock,
        works: WorkSet,
        sealer: Sealer,
        recall: Recall,
        dispatcher: Dispatcher,
        responses: Responses,
        receipts: Receipts,
        inquiries: Inquiries,
        deadlines: Deadlines,
        checkpoints: Checkpoints,
        *,
        offload: Offload = in_thread,
    ) -> None:
        self.clock = clock
        self.batch_size = 0
        self.commit_s = 0.0
        self._store = store
        self._works = works
        self._sealer = sealer
        self._recall = recall
        self._dispatcher = dispatcher
        self._responses = responses
        self._receipts = receipts
        self._inquiries = inquiries
        self._deadlines = deadlines
        self._checkpoints = checkpoints
        self._offload = offload
        self._answers: deque[tuple[Link, LinkEvent]] = deque()
        self._lost: deque[tuple[Link, Lost]] = deque()
        self._arrivals: deque[_Arrival] = deque()
        self._commands: deque[Command] = deque()
        self._alone: deque[_Alone] = deque()
        self._signings: list[Callable[[], None]] = []
        self._waiters: dict[str, list[Callable[[], None]]] = {}
        self._wake = trio.Event()
        self._stopping = False
        self._began_s = trio.current_time()

    # -- posting (any task) --------------------------------------------------------------------

    def post(self, link: Link, events: Sequence[LinkEvent | Delivered]) -> None:
        """What a link read; taken into the next batch."""
        if not events:
            return
        rx_ms = self.clock.now_ms()
        for event in events:
            if isinstance(event, Delivered):
                self._arrivals.append(_Arrival(link, link.session, event, rx_ms))
            else:
                self._answers.append((link, event))
        self._wake.set()

    def link_lost(self, link: Link, lost: Lost) -> None:
        """A link is gone, with what was on it."""
        if lost.prepared or lost.transmitted or lost.asked:
            self._lost.append((link, lost))
            self._wake.set()

    def command(self, command: Command) -> None:
        """Something a person or program asked for that changes something."""
        self._commands.append(command)
        self._wake.set()

    async def alone(self, change: Callable[[int], T]) -> T:
        """Do *change*, given the time, in a batch of its own, and give its answer when that batch
        is durable. It finds everything durable, and nothing under way but what was sent.

        Raises:
            AcuseError: *change* raised it, before it had written anything.
        """
        answer: T = await self._in_turn(_Alone(change))
        return answer

    async def aside(self, work: Callable[[], T]) -> T:
        """Do *work* in another thread while nobody writes, and give its answer.

        Raises:
            AcuseError: *work* raised it.
        """
        answer: T = await self._in_turn(_Alone(lambda _: work(), aside=True))
        return answer

    async def _in_turn(self, one: _Alone) -> Any:  # noqa: ANN401 (what it was asked for)
        self._alone.append(one)
        self._wake.set()
        await one.done.wait()
        if one.error is not None:
            raise one.error
        return one.answer

    def sign(self, signed: Callable[[], None]) -> None:
        """Sign the log as it is now; *signed* is called when the note is durable."""
        self._signings.append(signed)
        self._wake.set()

    def on_close(self, submission_id: str, closed: Callable[[], None]) -> None:
        """Call *closed* once, when that submission is sealed and durable."""
        self._waiters.setdefault(submission_id, []).append(closed)

    def off_close(self, submission_id: str, closed: Callable[[], None]) -> None:
        """Take back an `on_close` that was not called."""
        waiters = self._waiters.get(submission_id, [])
        if closed in waiters:
            waiters.remove(closed)
        if not waiters:
            self._waiters.pop(submission_id, None)

    def wake(self) -> None:
        """Something changed that may let messages leave (a bind is up)."""
        self._wake.set()

    def stop(self) -> None:
        """Finish what was posted, sign the log, and return from `run`."""
        self._stopping = True
        self._wake.set()

    def healthy(self) -> bool:
        """Whether a batch began lately; an idle writer is healthy, a stuck one is not."""
        return not self._posted() or trio.current_time() - self._began_s < _STUCK_S

    # -- the loop ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write batches until stopped. Any error here is fatal: nothing more is acknowledged."""
        while True:
            self._wake = trio.Event()
            await self._batch()
            if self._posted():
                await trio.lowlevel.checkpoint()  # let the links read and write meanwhile
                continue
            if self._stopping:
                break
            with trio.CancelScope(deadline=self._wake_s()):
                await self._wake.wait()
        self.sign(lambda: None)  # a clean stop leaves a signed log
        await self._batch()

    def _posted(self) -> bool:
        return bool(
            self._answers
            or self._lost
            or self._arrivals
            or self._commands
            or self._signings
            or self._alone
            or self._recall.due
        )

    def _wake_s(self) -> float:
        now_ms, now_s = self.clock.now_ms(), trio.current_time()
        deadline_ms = self._deadlines.next_ms
        overdue = math.inf if deadline_ms == math.inf else now_s + (deadline_ms - now_ms) / 1000
        dispatch = self._dispatcher.wake_s(now_ms, now_s)
        return min(dispatch, overdue, self._checkpoints.wake_s())

    async def _batch(self) -> None:
        if self._alone:
            await self._one_alone(self._alone.popleft())
        now_ms, now_s = self.clock.now_ms(), trio.current_time()
        self._began_s = now_s
        signings, self._signings = self._signings, []
        if signings or self._checkpoints.due(now_s):
            self._checkpoints.make(now_ms)  # before anything is added: only what is durable
        self._tell_clock_step(now_ms)
        self._dispatcher.refill(now_ms)
        self._deadlines.close_overdue(now_ms)
        commands, arrivals = self._take(now_ms, now_s)
        self._recall.run(now_ms)
        self._dispatcher.dispatch(now_ms, now_s)
        if self._store.flush():
            # What follows this line may be told to others; what precedes it may not.
            started = trio.current_time()
            await self._offload(self._store.commit)
            self.commit_s = trio.current_time() - started
            self.batch_size = len(commands) + len(arrivals)
            self._checkpoints.grew(now_s)
        self._tell(commands, arrivals)
        for signed in signings:
            signed()
        self._works.trim()

    async def _one_alone(self, one: _Alone) -> None:
        self._began_s = trio.current_time()
        if one.aside:
            await self._offload(partial(one.run, 0))
        else:
            one.run(self.clock.now_ms())
            if self._store.flush():
                await self._offload(self._store.commit)
                self._checkpoints.grew(trio.current_time())
        one.done.set()

    def _take(self, now_ms: int, now_s: float) -> tuple[list[Command], list[_Arrival]]:
        """Everything posted, in the order that makes most sense of it.

        Responses before receipts: a receipt that overtook its response in the same read finds it.
        """
        room = _BATCH_MOST
        while self._answers and room:
            link, event = self._answers.popleft()
            self._take_answer(link, event, now_ms, now_s)
            room -= 1
        if not self._answers:  # a lost link's last answers come before its losses
            while self._lost:
                link, lost = self._lost.popleft()
                for token in lost.prepared:
                    self._responses.never_left(link.operator, token, now_ms)
                for token in lost.transmitted:
                    self._responses.unknown(link.operator, token, now_ms)
                for token in lost.asked:
                    self._inquiries.lost(token)
        arrivals = []
        while self._arrivals and room:
            arrival = self._arrivals.popleft()
            operator, name = arrival.link.operator, arrival.link.name
            self._receipts.deliver(operator, name, arrival.delivered, arrival.rx_ms, now_ms)
            arrivals.append(arrival)
            room -= 1
        commands = []
        while self._commands and room:
            command = self._commands.popleft()
            command.run(now_ms)
            commands.append(command)
            room -= 1
        return commands, arrivals

    def _take_answer(self, link: Link, event: LinkEvent, now_ms: int, now_s: float) -> None:
        if isinstance(event, SubmitAnswered):
            self._responses.answered(link.operator, event, now_ms, now_s)
        elif isinstance(event, SubmitTimedOut):
            self._responses.unknown(link.operator, event.token, now_ms)
        else:
            self._inquiries.answered(link.operator, event, now_ms)

    def _tell(self, commands: list[Command], arrivals: list[_Arrival]) -> None:
        """The batch is durable: answer the operators and the submitters, let messages leave."""
        self._receipts.forget_fresh()
        links = set()
        for arrival in arrivals:
            arrival.link.answer(arrival.session, arrival.delivered)
            links.add(arrival.link)
        self._dispatcher.transmit(self.clock.now_ms(), trio.current_time())
        for link in links:
            link.flush()
        for command in commands:
            command.done()
        closed, self._sealer.closed = self._sealer.closed, []
        if self._waiters:
            for submission_id in closed:
                for waiter in self._waiters.pop(submission_id, ()):
                    waiter()

    def _tell_clock_step(self, now_ms: int) -> None:
        step = self.clock.take_step()
        if step is not None:
            before, after = to_seconds_text(step.before_ms), to_seconds_text(step.after_ms)
            log.warning("clock.stepped", before=before, after=after)
            self._sealer.clock_step(now_ms, step)

"""What is due goes out: queues by route, policy once more, window and rate, "sending" on disk.

A queue holds segments in order of arrival. Only the front of a long queue is in memory; the rest
waits in the ledger file behind `_cursor` and is loaded page by page, so memory does not grow with
the backlog. A segment that comes back (throttled, or never written) returns to the front, and no
later message to the same person overtakes it (`queues`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog

from gateway.daemon.operator import Attempt
from gateway.daemon.queues import Expiries, Lanes, Queue, Returned, Way, room_of
from gateway.errors import ConfigError
from gateway.ledger.entry import time_text
from gateway.ledger.rows import Outcome, State
from gateway.smpp.session import State as SessionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.admission import Admission
    from gateway.daemon.capping import Capping
    from gateway.daemon.operator import Operator, OperatorLink
    from gateway.daemon.replacements import Replacements
    from gateway.daemon.routing import Routing
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.waiting import Waiting
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.rows import SegmentRow
    from gateway.ledger.store import Store
    from gateway.policy.decide import Decision
    from gateway.smpp.session import Session

log = structlog.get_logger()

#: Segments kept in memory at most, and how many are left when the next page is read.
_READY_MOST = 16_384
_READY_LOW = 4096
#: Segments of one message leave together; a later one than this is judged anew.
_ONE_BREATH_MS = 60_000
#: The wall clock may be set, or the machine sleep: it is looked at again after so long.
_LOOK_S = 60.0
#: Submissions brought into memory in one batch; more would hold up its answers.
_PAGE = 256
_WAITS = (State.QUEUED, State.HELD)


class Dispatcher:
    """Decides, batch by batch, which segments leave now and on which link."""

    def __init__(
        self,
        store: Store,
        works: WorkSet,
        sealer: Sealer,
        admission: Admission,
        operators: Mapping[str, Operator],
        routing: Routing,
        replacements: Replacements,
        capping: Capping,
        waiting: Waiting,
    ) -> None:
        self._waiting = waiting
        self._store = store
        self._works = works
        self._sealer = sealer
        self._admission = admission
        self._operators = operators
        self._routing = routing
        self._replacements = replacements
        self._capping = capping
        self._queues: dict[Way, Queue] = {}
        self._lanes = Lanes()
        self._returned = Returned()
        self._ready = 0
        #: Every queued submission up to this row id is in memory; later ones may not be.
        self._cursor = 0
        self._backlog = True
        self._next_held_ms: float = 0
        self._expiries = Expiries()
        self._prepared: list[tuple[OperatorLink, Session, int, Work, SegmentRow]] = []
        self.stopped = False

    # -- the queue -----------------------------------------------------------------------------

    def enqueue(self, work: Work) -> None:
        """A submission that was just admitted or released is ready to go."""
        if work.row.state is State.HELD:
            self._next_held_ms = min(self._next_held_ms, work.row.due_ms)
            return
        if work.row.id > self._cursor:
            # What is urgent does not wait in the file; that it is loaded again later does no harm,
            # for a segment leaves only while it is pending.
            jumps = work.request.priority > 0 and self._ready < 2 * _READY_MOST
            if not self._backlog and self._ready < _READY_MOST:
                self._cursor = work.row.id
            else:
                self._backlog = True  # it waits in the file, behind the others
                if not jumps:
                    return
        self._push(work)

    def requeue(self, work: Work, segment: SegmentRow, due_s: float | None = None) -> None:
        """A segment that did not go through leaves again: before all others, or from *due_s* on."""
        self._works.pin(work)
        self._returned.add((work, segment), due_s)
        self._ready += 1

    def settled(self, work: Work) -> None:
        """An attempt of *work* ended: if nothing of it is to follow, its person's next one may."""
        if work.row.closed_ms is not None or work.all_answered():
            self._hand_over(work)

    def resume(self, work: Work) -> None:
        """After a restart: what is left of a submission that was begun goes out."""
        if self._has_way(work):
            self._push(work)

    def _push(self, work: Work) -> None:
        queue = self._queue(work)
        self._expiries.add(work)
        for segment in work.segments:
            if segment.outcome is Outcome.PENDING:
                self._works.pin(work)
                queue.append((work, segment))
                self._ready += 1

    def _queue(self, work: Work) -> Queue:
        # Once a segment went to an operator, the others follow it there.
        operator = self._bound_to(work)
        way = self._routing.way(work) if operator is None else Way((operator,))
        queue = self._queues.get(way)
        if queue is None:
            queue = self._queues[way] = Queue(way)
        return queue

    def _bound_to(self, work: Work) -> str | None:
        """The operator the rest of a begun message, or a replacement, must go to; None where it is
        not, or no longer, configured.
        """
        operator = work.row.operator
        fixed = work.begun() or work.request.replaces is not None
        return operator if operator in self._operators and fixed else None

    def _hand_over(self, work: Work) -> None:
        for item in reversed(self._lanes.leave(work)):
            self._queue(item[0]).appendleft(item)

    # -- one batch -----------------------------------------------------------------------------

    def refill(self, now_ms: int) -> None:
        """Bring due held submissions and the next page of the backlog into memory.

        First in a batch, while the file shows everything there is.
        """
        self._expire_waiting(now_ms)
        # First, or what a release holds again were due at once, and taken for stuck.
        freed_ms = self._capping.refill(now_ms)
        if self._next_held_ms <= now_ms and self._ready < _READY_MOST and not self.stopped:
            self._release_held(now_ms)
        self._next_held_ms = min(self._next_held_ms, freed_ms, self._waiting.judge_anew(now_ms))
        if self._backlog and self._ready < _READY_LOW:
            page = self._store.open_ids(State.QUEUED, due_ms=0, after_id=self._cursor, limit=_PAGE)
            for row_id in page:
                self._cursor = row_id
                work = self._works.usable(row_id)
                if work is not None and self._has_way(work):
                    self._push(work)
            self._backlog = len(page) == _PAGE

    def _has_way(self, work: Work) -> bool:
        """Whether a route still leads to the recipient. A message without one must not keep the
        others back: it stays where it is until it expires, and a person is told.
        """
        try:
            self._queue(work)
        except ConfigError as error:
            log.warning("message.stuck", row=work.row.id, reason=error.message, hint=error.hint)
            self._expiries.add(work)
            return False
        return True

    def _expire_waiting(self, now_ms: int) -> None:
        """Close what waits in memory and whose validity is over, its operator up or not."""
        for row_id in self._expiries.take(now_ms):
            work = self._works.usable(row_id)
            if work is not None and work.row.state in _WAITS and not work.begun():
                self._expire(work, now_ms)

    def _release_held(self, now_ms: int) -> None:
        page = self._waiting.releases.page(now_ms, _PAGE)
        for row_id in page:
            work = self._works.usable(row_id)
            if work is None:
                continue
            row = work.row
            if row.state is not State.HELD or row.due_ms > now_ms or self._expire(work, now_ms):
                continue
            decision = self._judged(work, now_ms)
            if decision is not None and self._has_way(work):
                self._capping.released(work)
                row.state, row.due_ms = State.QUEUED, 0
                work.decided(decision)
                body = {"decision": decision.as_entry()}
                self._sealer.event(work, "x.Released", now_ms, body)
                self._store.put(row)
                self._push(work)
        self._next_held_ms = self._waiting.releases.next_ms(now_ms)

    def dispatch(self, now_ms: int, now_s: float) -> None:
        """Mark what may leave now as `sending`; `transmit` puts it on the wire after the commit."""
        if self.stopped:
            return
        for item in self._returned.take(now_s):
            self._queue(item[0]).appendleft(item)
        for queue in list(self._queues.values()):
            if queue:
                self._send(queue, now_ms, now_s)

    def _send(self, queue: Queue, now_ms: int, now_s: float) -> None:
        """Let go of a queue what its operators have room for."""
        rooms = self._rooms(queue.way, now_s)
        while rooms and queue:
            work, segment = item = queue.popleft()
            if self._lanes.blocked(work):
                self._lanes.park(item)  # still ready, still pinned
                continue
            begun = work.begun()
            bound_to = self._bound_to(work)
            chosen = queue.choose(rooms) if bound_to is None else room_of(bound_to, rooms)
            if chosen is None:  # the rest of a message follows its beginning
                self._queue(work).append(item)
                continue
            self._ready -= 1
            if self._may_leave(work, segment, now_ms, now_s, begun=begun):
                operator, room = rooms[chosen]
                self._prepare(operator, work, segment, now_ms)
                if room > 1:
                    rooms[chosen] = operator, room - 1
                else:
                    del rooms[chosen]
            elif work.row.state is State.HELD:
                self._hand_over(work)
            else:
                self.settled(work)
            self._works.unpin(work)

    def _rooms(self, way: Way, now_s: float) -> list[tuple[Operator, int]]:
        """Which operators take messages of this way now, and how many."""
        rooms = []
        for name in way.names:
            operator = self._operators[name]
            if operator.bound():
                room = operator.capacity(now_s)
                if room > 0:
                    rooms.append((operator, room))
                if not way.weights:
                    break  # the others are for when it is down
        return rooms

    def transmit(self, now_ms: int, now_s: float) -> None:
        """The commit that says `sending` is durable: from here on segments may be on the wire.

        A session that died meanwhile has given its prepared segments back already.
        """
        touched: set[OperatorLink] = set()
        for link, session, sequence, work, segment in self._prepared:
            if link.session is session and session.state is SessionState.BOUND:
                session.transmit(sequence, now_s)
                self._capping.left(work, segment, now_ms)
                segment.sent_ms = now_ms
                touched.add(link)
        self._prepared.clear()
        for link in touched:
            link.flush()

    def _may_leave(
        self, work: Work, segment: SegmentRow, now_ms: int, now_s: float, *, begun: bool
    ) -> bool:
        """Whether the submission still wants this segment sent, and policy still lets it."""
        row = work.row
        if row.closed_ms is not None or segment.outcome is not Outcome.PENDING:
            return False
        if any(other.outcome is Outcome.REJECTED for other in work.segments):
            return False
        if begun:
            return self._may_go_on(work, segment, now_ms, now_s)
        if row.state is not State.QUEUED or self._expire(work, now_ms):
            return False
        if work.request.replaces is not None and not self._replacements.may_leave(work, now_ms):
            self._capping.forgo(work)
            return False
        stands = work.permission_changes == self._store.people.changes
        if stands and now_ms < work.released_until_ms and self._capping.unchanged(work, now_ms):
            return True  # nobody opted out, the same hours are open, caps count the same
        return self._judged(work, now_ms) is not None

    def _judged(self, work: Work, now_ms: int) -> Decision | None:
        """What lets *work* go now; None where it is refused, or held."""
        decision = self._admission.decide(work, now_ms)
        if decision.action == "refuse":
            self._refuse(work, decision, now_ms)
            return None
        if decision.action == "hold" and decision.until is not None:
            work.hold(decision, round(decision.until.timestamp() * 1000))
            self._store.put(work.row)
            self._next_held_ms = min(self._next_held_ms, work.row.due_ms)
            return None
        return decision

    def _may_go_on(self, work: Work, segment: SegmentRow, now_ms: int, now_s: float) -> bool:
        """Whether the rest of a begun message may follow. Half a message helps nobody, so what is
        being sent is finished; but a rest that waited (the operator was down, we were) is judged
        like any other message.
        """
        last_ms = max((other.sent_ms or 0) for other in work.segments)
        if now_ms - last_ms < _ONE_BREATH_MS and work.released_until_ms >= 0:
            return True
        decision = self._admission.decide(work, now_ms)
        if decision.action == "hold" and decision.until is not None:
            wait_s = decision.until.timestamp() - now_ms / 1000
            self.requeue(work, segment, now_s + wait_s)
            return False
        if decision.action == "refuse":
            self._admission.refuse(work, decision, now_ms)
            return False
        return True

    def _expire(self, work: Work, now_ms: int) -> bool:
        """Close *work* if its validity ended before it could be sent."""
        row = work.row
        if row.expires_ms is None or now_ms < row.expires_ms:
            return False
        self._sealer.event(work, "x.Expired", now_ms, {"deadline": time_text(row.expires_ms)})
        self._sealer.close(work, State.EXPIRED, now_ms)
        self._capping.forgo(work)
        self._works.waiting -= 1
        return True

    def _refuse(self, work: Work, decision: Decision, now_ms: int) -> None:
        self._admission.refuse(work, decision, now_ms)
        self._works.waiting -= 1

    def _prepare(self, operator: Operator, work: Work, segment: SegmentRow, now_ms: int) -> None:
        link, session = operator.pick()
        pdu = operator.pdu(work, segment.number, now_ms)
        sequence, wire = session.prepare(pdu, Attempt(work, segment))
        self._prepared.append((link, session, sequence, work, segment))
        operator.pace.take()
        operator.in_flight += 1
        operator.sent += 1
        segment.outcome = Outcome.SENDING
        segment.operator, segment.bind = operator.name, link.name
        segment.sent_ms = now_ms
        segment.submit = work.seal_pdu(f"submit.{segment.number}", wire)
        row = work.row
        if row.state is State.QUEUED:
            self._works.waiting -= 1
            self._capping.take(work, now_ms)
        row.state, row.operator, row.due_ms = State.SENDING, operator.name, 0
        if work.request.replaces is not None:
            self._replacements.leaves(work)
        self._works.pin(work)
        self._lanes.enter(work)
        self._store.put(segment)
        self._store.put(row)

    # -- waiting -------------------------------------------------------------------------------

    def wake_s(self, now_ms: int, now_s: float) -> float:
        """The monotonic instant at which there may be something to do without an event."""
        if self.stopped:
            return math.inf
        paging = self._backlog and self._ready < _READY_LOW
        if paging or self._waiting.busy or self._capping.freed:
            return now_s
        wake = math.inf
        held_ms = self._next_held_ms if self._ready < _READY_MOST else math.inf
        if (wall_ms := min(held_ms, self._expiries.next_ms)) < math.inf:
            wake = now_s + min(_LOOK_S, max(0.0, (wall_ms - now_ms) / 1000))
        if (returned := self._returned.next_s(now_s)) is not None:
            wake = min(wake, returned)
        for queue in self._queues.values():
            for name in queue.way.names if queue else ():
                operator = self._operators[name]
                if operator.bound():
                    wake = min(wake, operator.wake_s(now_s))
                    if not queue.way.weights:
                        break
        return wake

    @property
    def ready(self) -> int:
        """Segments in memory that wait to be sent."""
        return self._ready

"""How long a receipt is waited for, and when an operator that has query_sm is asked meanwhile.

`due_ms` of an open message is the next instant at which something is done about it. Before its
deadline that is a question, each of `query_after_s` once; at the deadline it is the last question,
and then the end: `x.NoConfirmation`. A question that finds no room waits a minute; where the
operator is not bound, or left the last one unanswered, it is left out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gateway.daemon.inquiries import Asked
from gateway.ledger.entry import time_text
from gateway.ledger.rows import Outcome, State

if TYPE_CHECKING:
    from gateway.daemon.inquiries import Inquiries
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.store import Store

#: How long after its deadline a message is kept open for the answer to a query_sm, and how long a
#: question waits that found no room.
_QUERY_MS: Final = 60_000
_PAGE: Final = 256


class Deadlines:
    """Asks and closes, first in a batch."""

    def __init__(
        self,
        store: Store,
        works: WorkSet,
        sealer: Sealer,
        inquiries: Inquiries,
        *,
        confirm_within_s: int,
    ) -> None:
        self._store = store
        self._works = works
        self._sealer = sealer
        self._inquiries = inquiries
        self._confirm_ms = confirm_within_s * 1000
        self.next_ms: float = 0

    def start(self, work: Work, now_ms: int) -> None:
        """The operator took *work*, or may have: from now on its receipts are waited for."""
        self._due(work, now_ms, now_ms + self._confirm_ms, now_ms)

    def close_overdue(self, now_ms: int) -> None:
        """Ask about what is due for a question; close what got no final receipt in time."""
        if now_ms < self.next_ms:
            return
        found = False
        for state in (State.ACCEPTED, State.UNKNOWN):
            for row_id in self._store.open_ids(state, due_ms=now_ms, limit=_PAGE):
                work = self._works.get(row_id)
                if work.row.closed_ms is None and work.row.state is state:
                    found = True
                    self._look_after(work, now_ms)
        if found:
            return  # more may be due: look again in the next batch
        dues = (self._store.next_due_ms(state) for state in (State.ACCEPTED, State.UNKNOWN))
        self.next_ms = min((due for due in dues if due is not None), default=math.inf)

    def _look_after(self, work: Work, now_ms: int) -> None:
        row = work.row
        taken_ms = max((each.answered_ms or 0 for each in work.segments), default=0)
        deadline_ms = taken_ms + self._confirm_ms
        known = any(each.outcome is Outcome.ACCEPTED for each in work.segments)
        if known and now_ms < deadline_ms:
            if self._inquiries.query(work) is Asked.NO_ROOM:
                row.due_ms = min(now_ms + _QUERY_MS, deadline_ms)
            else:
                self._due(work, taken_ms, deadline_ms, now_ms)
            self._store.put(row)
            return
        if not work.queried and self._inquiries.query(work) is Asked.YES:
            work.queried = True
            row.due_ms = now_ms + _QUERY_MS
            self._store.put(row)
            return
        self._sealer.event(work, "x.NoConfirmation", now_ms, {"deadline": time_text(row.due_ms)})
        accepted = row.state is State.ACCEPTED
        self._sealer.close(work, State.UNCONFIRMED if accepted else row.state, now_ms)

    def _due(self, work: Work, taken_ms: int, deadline_ms: int, now_ms: int) -> None:
        """The next question, or the deadline."""
        times = (taken_ms + after_s * 1000 for after_s in self._inquiries.times_s(work))
        work.row.due_ms = min(
            (at_ms for at_ms in times if now_ms < at_ms < deadline_ms), default=deadline_ms
        )
        self.next_ms = min(self.next_ms, work.row.due_ms)

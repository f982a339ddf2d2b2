"""What is held is judged anew when other rules hold it than before.

The rules, the calendars or the configuration are not those of the last life: the instants of what
is held are computed again, page by page, so that no batch gets long.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import structlog

from gateway.ledger.rows import State

if TYPE_CHECKING:
    from gateway.daemon.admission import Admission
    from gateway.daemon.releases import Releases
    from gateway.daemon.work import WorkSet
    from gateway.ledger.store import Store

log = structlog.get_logger()

#: Submissions looked at in one batch at most.
_PAGE: Final = 256


class Waiting:
    """What is held: what releases it, and the *basis* by which it is judged."""

    def __init__(
        self,
        store: Store,
        works: WorkSet,
        admission: Admission,
        releases: Releases,
        *,
        basis: str = "",
    ) -> None:
        self._store = store
        self._works = works
        self._admission = admission
        self.releases = releases
        self._basis = basis
        #: The last held submission that was judged anew; None: all are.
        self._judged: tuple[int, int] | None = None
        self._moved = 0
        if store.judged_by() != basis:
            self._judged = (-1, 0)

    @property
    def busy(self) -> bool:
        """Whether the next batch should not wait for an event."""
        return self._judged is not None

    def judge_anew(self, now_ms: int) -> float:
        """Go on computing when what is held may leave, where other rules computed it; the soonest
        of the new instants.

        Before the commands of a batch, while the file shows everything there is.
        """
        if self._judged is None:
            return math.inf
        page = self._store.held_after(*self._judged, _PAGE)
        soonest_ms = min((self._judge_anew(row_id, now_ms) for _, row_id in page), default=math.inf)
        self._judged = page[-1] if len(page) == _PAGE else None
        if self._judged is None:
            self._store.put_judged_by(self._basis)
            if self._moved:
                log.info("policy.updated", moved=self._moved)
        return soonest_ms

    def _judge_anew(self, row_id: int, now_ms: int) -> float:
        """When that submission is due now."""
        work = self._works.usable(row_id)
        if work is None or work.row.state is not State.HELD or work.row.due_ms <= now_ms:
            return math.inf  # what is due is judged on its way out
        row, planned_ms = work.row, max(now_ms, work.request.not_before_ms or 0)
        decision = self._admission.decide(work, now_ms, planned_ms=planned_ms)
        if decision.action == "refuse":
            self._moved += 1
            self._works.waiting -= 1
            self._admission.refuse(work, decision, now_ms)
            return math.inf
        due_ms = planned_ms
        if decision.action == "hold" and decision.until is not None:
            due_ms = round(decision.until.timestamp() * 1000)
        if (due_ms, decision.reason) != (row.due_ms, row.reason):
            self._moved += 1
            work.hold(decision, due_ms)
            self._store.put(row)
        return due_ms

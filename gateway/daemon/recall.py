"""Judging again, at once, what waits for persons whose permission changed.

Held messages are refused the moment their recipient opts out or takes consent back, and not only
when their hour comes; so is what waits in memory for its turn. The rest of a long queue is judged
when it is about to leave, as everything is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.ledger.rows import State

if TYPE_CHECKING:
    from gateway.daemon.admission import Admission
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.store import Store

#: Persons looked at in one batch.
_PAGE = 500
_REASONS = frozenset({"opted_out", "consent_missing", "double_opt_in_required", "registry"})


class Recall:
    """Refuses what may not go any more; first in a batch, while the file shows all there is."""

    def __init__(self, store: Store, works: WorkSet, admission: Admission) -> None:
        self._store = store
        self._works = works
        self._admission = admission

    @property
    def due(self) -> bool:
        """Whether somebody's permission changed since the last look."""
        return bool(self._store.people.touched)

    def run(self, now_ms: int) -> None:
        """Look at the persons whose permission changed."""
        touched = self._store.people.touched
        if not touched:
            return
        if not self._works.waiting:
            touched.clear()
            return
        persons = {touched.pop() for _ in range(min(_PAGE, len(touched)))}
        waiting = {work.row.id: work for work in self._works.waiting_for(persons)}
        for person in persons:
            for row_id in self._store.held_for(person):
                work = waiting.get(row_id) or self._works.usable(row_id)
                if work is not None:
                    waiting[row_id] = work
        for work in waiting.values():
            self._judge(work, now_ms)

    def _judge(self, work: Work, now_ms: int) -> None:
        if work.row.state not in (State.HELD, State.QUEUED) or work.begun():
            return
        decision = self._admission.decide(work, now_ms)
        # What is planned for later may still be refused for its hour; that is seen when it comes.
        if decision.action == "refuse" and decision.reason in _REASONS:
            self._admission.refuse(work, decision, now_ms)
            self._works.waiting -= 1

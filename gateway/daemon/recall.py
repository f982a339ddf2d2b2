"""Judging again, at once, what waits for persons whose permission changed.

What is held or queued for them, in memory or behind a long queue, is refused in the same batch in
which they opt out or take consent back; a person with very many messages takes some more batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.ledger.rows import State

if TYPE_CHECKING:
    from gateway.daemon.admission import Admission
    from gateway.daemon.work import WorkSet
    from gateway.ledger.store import Store

#: Submissions, and persons, looked at in one batch at most.
_PAGE = 256
_REASONS = frozenset({"opted_out", "consent_missing", "double_opt_in_required", "registry"})


class Recall:
    """Refuses what may not go any more; in a batch after everything that may be learnt in it."""

    def __init__(self, store: Store, works: WorkSet, admission: Admission) -> None:
        self._store = store
        self._works = works
        self._admission = admission
        #: Persons whose waiting messages are looked at, and after which row.
        self._persons: dict[bytes, int] = {}

    @property
    def due(self) -> bool:
        """Whether there is more to look at than fitted into the last batch."""
        return bool(self._persons)

    def run(self, now_ms: int) -> None:
        """Look at what waits for persons whose permission changed."""
        touched = self._store.people.touched
        if touched:
            self._persons.update(dict.fromkeys(touched, 0))
            touched.clear()
        if not self._works.waiting:
            self._persons.clear()
        room = _PAGE
        while self._persons and room > 0:
            person, after_id = next(iter(self._persons.items()))
            page = self._store.waiting_for(person, after_id, room)
            for row_id in page:
                self._judge(row_id, now_ms)
            if len(page) < room:
                del self._persons[person]
            else:
                self._persons[person] = page[-1]
            room -= max(1, len(page))

    def _judge(self, row_id: int, now_ms: int) -> None:
        work = self._works.usable(row_id)
        if work is None or work.row.state not in (State.HELD, State.QUEUED) or work.begun():
            return
        decision = self._admission.decide(work, now_ms)
        # What is planned for later may still be refused for its hour; that is seen when it comes.
        if decision.action == "refuse" and decision.reason in _REASONS:
            self._admission.refuse(work, decision, now_ms)
            self._works.waiting -= 1

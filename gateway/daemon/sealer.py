"""Facts become ledger entries here: commitments instead of content, links between a submission's
entries, and the `S.1` that closes it (LEDGER sections 1 and 2).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.ledger.entry import ERASED, commitments, time_text
from gateway.ledger.rows import State
from gateway.smpp.consts import status_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.guard import Step
    from gateway.daemon.work import Work
    from gateway.ledger.rows import SubmissionRow
    from gateway.ledger.store import Store

#: States that close a submission.
FINAL_STATES = frozenset(
    {
        State.DELIVERED,
        State.DELIVERED_TO_OPERATOR,
        State.UNDELIVERED,
        State.EXPIRED,
        State.DELETED,
        State.REJECTED,
        State.REFUSED,
        State.CANCELLED,
        State.UNCONFIRMED,
    }
)


class Sealer:
    """Appends entries to the open batch of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.sealed = 0
        #: Submissions closed in the open batch.
        self.closed: list[str] = []

    def log_event(
        self,
        event: str,
        t_ms: int,
        *,
        key: bytes | None = None,
        content: Mapping[str, bytes] | None = None,
        **body: object,
    ) -> int:
        """An entry about no submission; returns its `seq`. *content* is committed under *key*."""
        fields: dict[str, Any] = body
        if content and key is not None:
            fields["commit"] = self._commit(key, content)
        return self._store.append(event, t_ms, fields).seq

    def event(
        self,
        work: Work,
        event: str,
        t_ms: int,
        body: dict[str, Any],
        content: Mapping[str, bytes] | None = None,
    ) -> int:
        """An entry about *work*, linked to its previous one; returns its `seq`."""
        row = work.row
        body["mid"] = row.submission_id
        if work.events:
            body["mprev"] = row.last_seq
        if content:
            body["commit"] = self._commit(work.key, content)
        seq, leaf = self._store.append(event, t_ms, body)
        work.events.append((seq, leaf.hex()))
        row.last_seq = seq
        return seq

    def end_series(self, work: Work, t_ms: int) -> None:
        """The attempts that failed for now are over: one entry per status."""
        if work.row.attempts is None:
            return
        series: Mapping[str, dict[str, Any]] = json.loads(work.row.attempts)
        for status, one in series.items():
            body = {
                "operator": one.get("operator", work.row.operator),
                "segment": one["segment"],
                "status": status_name(int(status)),
                "count": one["count"],
                "first": time_text(one["first"]),
                "last": time_text(one["last"]),
            }
            self.event(work, "x.Attempt", t_ms, body)
        work.row.attempts = None

    def close(self, work: Work, state: State, t_ms: int) -> None:
        """Seal *work* in *state*: an `S.1` over every entry it has so far."""
        row = work.row
        self.end_series(work, t_ms)
        row.state = state
        row.closed_ms = t_ms
        row.due_ms = 0
        events = [[seq, leaf] for seq, leaf in work.events]
        row.seal_seq = self.event(work, "S.1", t_ms, {"state": state.value, "events": events})
        self._store.put(row)
        self.sealed += 1
        self.closed.append(row.submission_id)

    def erased(self, row: SubmissionRow, basis: str, t_ms: int) -> int:
        """An entry that says that the content of a submission is destroyed; returns its `seq`.

        It needs no key, and commits to nothing.
        """
        body: dict[str, Any] = {
            "mid": row.submission_id,
            "mprev": row.last_seq,
            "basis": basis,
        }
        return self._store.append(ERASED, t_ms, body).seq

    def clock_step(self, t_ms: int, step: Step) -> None:
        """The wall clock was corrected by a second or more."""
        self.log_event(
            "x.ClockStep", t_ms, before=time_text(step.before_ms), after=time_text(step.after_ms)
        )

    def reopen(self, work: Work, t_ms: int, *, untied: list[int] | None = None) -> None:
        """Say that a later fact contradicts the seal; the fact and a new seal follow.

        *untied*: the entries of receipts that turned out to be another message's.
        """
        body: dict[str, Any] = {"of": work.row.seal_seq}
        if untied is not None:
            body["untied"] = untied
        self.event(work, "x.Reopened", t_ms, body)
        work.row.closed_ms = None

    def _commit(self, key: bytes, content: Mapping[str, bytes]) -> dict[str, str]:
        return commitments(key, self._store.size, content)

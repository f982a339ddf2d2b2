"""What the daemon is doing, for `acuse status`, and the one place that says "stop"."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import trio

from gateway import __version__
from gateway.clock import optional_text, to_datetime, to_seconds_text
from gateway.daemon.link import version_text
from gateway.ledger.rows import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.daemon.admission import Admission
    from gateway.daemon.anchoring import Anchoring
    from gateway.daemon.operator import Operator, OperatorLink
    from gateway.daemon.pipeline import Pipeline
    from gateway.daemon.receipts import Receipts
    from gateway.daemon.responses import Responses
    from gateway.daemon.sealer import Sealer
    from gateway.ledger.reader import Reader
    from gateway.ledger.store import Store


class DaemonState:
    """The counters of the running parts, read; nothing is counted twice for it."""

    def __init__(
        self,
        name: str,
        store: Store,
        reader: Reader,
        operators: Mapping[str, Operator],
        admission: Admission,
        responses: Responses,
        receipts: Receipts,
        sealer: Sealer,
        pipeline: Pipeline,
        anchoring: Anchoring,
    ) -> None:
        self._name = name
        self._store = store
        self._reader = reader
        self._operators = operators
        self._admission = admission
        self._responses = responses
        self._receipts = receipts
        self._sealer = sealer
        self._pipeline = pipeline
        self._anchoring = anchoring
        self._started_ms = pipeline.clock.now_ms()
        self.ready = False
        self.draining = False
        self.stopping = trio.Event()
        self.stopping_now = trio.Event()
        self.ended = trio.Event()

    def stop(self, *, now: bool = False) -> None:
        """Begin to drain; *now*, or asked twice: do not wait for answers that are under way."""
        if now or self.draining:
            self.stopping_now.set()
        self.draining = True
        self.stopping.set()

    def queues(self) -> dict[str, Any]:
        """What waits, counted in the file; for a worker thread."""
        counts = self._reader.count_open()
        held = self._reader.held()
        queued = self._reader.oldest(State.QUEUED)
        waiting = (State.HELD, State.QUEUED, State.SENDING, State.ACCEPTED, State.UNKNOWN)
        return {
            "queues": {
                **{state.value: counts.get(state, 0) for state in waiting},
                "orphans": self._receipts.orphans.count,
            },
            "held": [
                {
                    "reason": each["reason"] or "not_before",
                    "count": each["count"],
                    "next": to_seconds_text(each["due_ms"]),
                }
                for each in held
            ],
            "held_next": to_seconds_text(held[0]["due_ms"]) if held else None,
            "oldest_queued": None if queued is None else to_seconds_text(queued["submitted_ms"]),
        }

    def status(self, queues: dict[str, Any]) -> dict[str, Any]:
        """The object of the admin command `status`, from the event loop's own thread."""
        store = self._store
        return {
            "name": self._name,
            "software": f"acuse {__version__}",
            "pid": os.getpid(),
            "started_at": to_seconds_text(self._started_ms),
            "ready": self.ready,
            "draining": self.draining,
            "operators": [self._operator(operator) for operator in self._operators.values()],
            **queues,
            "totals": {
                "submitted": self._admission.submitted,
                "refused": self._admission.refused,
                "accepted": self._responses.accepted,
                "rejected": self._responses.rejected,
                "receipts": self._receipts.received,
                "sealed": self._sealer.sealed,
                "duplicates": self._receipts.duplicates,
            },
            "ledger": {
                "origin": store.origin,
                "size": store.size,
                "root": store.frontier.root().hex(),
                "checkpoint_size": store.checkpoint_size,
                "checkpoint_at": optional_text(store.checkpoint_ms),
            },
            "anchors": self._anchoring.status(),
            "writer": {
                "commits": store.commits,
                "last_commit_ms": round(self._pipeline.commit_s * 1000, 3),
                "batch": self._pipeline.batch_size,
            },
        }

    def _operator(self, operator: Operator) -> dict[str, Any]:
        links = operator.links
        best = min(links, key=lambda link: _RANK.get(link.state, len(_RANK)))
        pause_s = operator.pace.left_s(trio.current_time())
        now_ms = self._pipeline.clock.now_ms()
        return {
            "name": operator.name,
            "state": "draining" if self.draining and best.state == "bound" else best.state,
            "since": to_datetime(best.since_ms).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "bind": operator.settings.bind,
            "links": [
                {
                    "name": link.name,
                    "mode": link.mode,
                    "state": link.state,
                    "since": to_seconds_text(link.since_ms),
                    "last_error": link.last_error,
                    "version": None
                    if link.session is None
                    else version_text(link.session.peer_version),
                    "window": None if link.session is None else link.session.window,
                    "tls": None if link.tls is None else link.tls._asdict(),
                }
                for link in links
            ],
            "window": operator.settings.window,
            "in_flight": operator.in_flight,
            "rate": operator.settings.rate,
            "sent": operator.sent,
            "rate_now": round(operator.pace.rate, 3),
            "throttled": operator.pace.pauses,
            "throttled_until": to_seconds_text(now_ms + round(pause_s * 1000)) if pause_s else None,
            "last_error": best.last_error,
            "alarm": _alarm(links),
        }


def _alarm(links: Sequence[OperatorLink]) -> dict[str, Any] | None:
    """The first thing about an operator that only a person can mend."""
    for link in links:
        if link.alarm is not None:
            kind, message, hint, since_ms = link.alarm
            since = to_seconds_text(since_ms)
            return {
                "kind": kind,
                "bind": link.name,
                "message": message,
                "hint": hint,
                "since": since,
            }
    return None


_RANK = {"bound": 0, "binding": 1, "connecting": 2, "waiting": 3, "closed": 4}

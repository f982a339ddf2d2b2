"""What may happen to a submission, and in which order (LEDGER section 2).

A `Course` is given a submission's entries one by one and says what is wrong with each. It is the
same whether a bundle shows one submission or an audit streams a whole ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.ledger import entry as event

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Events that decide the state a seal names.
DECIDING = frozenset(
    {
        event.SUBMISSION_REJECTION,
        event.RELAY_FAILURE,
        event.CONTENT_HANDOVER,
        event.CONTENT_HANDOVER_FAILURE,
        event.NO_CONFIRMATION,
        event.CANCELLED,
        event.EXPIRED,
        event.RESOLVED,
    }
)
#: What may follow a seal without `x.Reopened`.
AFTER_SEAL = frozenset(
    {event.DUPLICATE, event.CARRIER_REPORT, event.RECEIVED, event.ERASED, event.REOPENED}
)
_FIRST = frozenset({event.SUBMISSION_ACCEPTANCE, event.SUBMISSION_REJECTION})

#: State of a seal -> the last deciding event it needs. A person's decision (`x.Resolved`) can
#: stand for any but the two that LEDGER ties to one event.
_SEALED_BY = {
    "delivered": {event.CONTENT_HANDOVER},
    "refused": {event.SUBMISSION_REJECTION},
    "undelivered": {event.CONTENT_HANDOVER_FAILURE, event.RESOLVED},
    "deleted": {event.CONTENT_HANDOVER_FAILURE, event.RESOLVED},
    "expired": {event.CONTENT_HANDOVER_FAILURE, event.EXPIRED, event.RESOLVED},
    "rejected": {event.CONTENT_HANDOVER_FAILURE, event.RELAY_FAILURE, event.RESOLVED},
    "unconfirmed": {event.NO_CONFIRMATION, event.RESOLVED},
    "cancelled": {event.CANCELLED, event.RESOLVED},
    # Closed by a carrier report, which decides nothing else.
    "delivered_to_operator": {event.CARRIER_REPORT, event.RESOLVED},
    "unknown": {event.NO_CONFIRMATION, event.RESOLVED},
}


class Course:
    """One submission's way through the log, as far as it has been followed."""

    __slots__ = (
        "_deciding",
        "_reported",
        "ambiguous",
        "erased",
        "events",
        "final",
        "opened",
        "seal",
        "state",
    )

    def __init__(self) -> None:
        #: [[seq, leaf hex], …] of every entry so far: what the next seal must list.
        self.events: list[list[Any]] = []
        #: `t` of the first entry.
        self.opened = ""
        #: The state the last seal names; None before the first one and after `x.Reopened`.
        self.final: str | None = None
        #: The state as far as entries tell it.
        self.state = "queued"
        #: `seq` of the last seal.
        self.seal: int | None = None
        self.erased = False
        #: The receipt that decides fits other submissions too.
        self.ambiguous = False
        self._deciding = ""
        #: A carrier report came since the last deciding event.
        self._reported = False

    def take(self, seq: int, leaf_hex: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Follow the next entry; (step, message) of everything that is wrong with it.

        *body* has been checked to have `t` and `ev` of the right form.
        """
        code = body["ev"]
        if self.events:
            if body.get("mprev") != self.events[-1][0]:
                yield "links", f"entry {seq} does not link to entry {self.events[-1][0]}"
            if code == event.SUBMISSION_ACCEPTANCE:
                yield "links", "a submission is accepted once, first of all"
        else:
            self.opened = body["t"]
            if "mprev" in body:
                yield "links", f"entry {seq} links to an entry before the first one shown"
            if code not in _FIRST:
                yield "links", f"a submission begins with A.1 or A.2, not with {code}"
        if "rx" in body:
            received = body["rx"]
            if not event.is_time(received):
                yield "time", f"rx of entry {seq} is no time"
            elif not self.opened <= received <= body["t"]:
                yield "time", f"entry {seq} was received before the submission or after its own t"
        if self.final is not None and code not in AFTER_SEAL:
            yield "complete", f"{code} follows the seal without x.Reopened"
        if code == event.SEAL:
            yield from self._sealed(seq, body)
        elif code == event.REOPENED:
            if self.final is None or body.get("of") != self.seal:
                yield "complete", f"entry {seq} reopens no seal"
            self.final = None
        else:
            self._note(code, body)
        self.events.append([seq, leaf_hex])

    def _sealed(self, seq: int, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if body.get("events") != self.events:
            yield "complete", f"the seal {seq} does not list exactly the entries before it"
        state = body.get("state")
        if not isinstance(state, str) or state not in _SEALED_BY:
            yield "complete", f"the seal {seq} names no final state"
            state = "unknown"
        elif self._deciding not in _SEALED_BY[state] and not (
            self._reported and event.CARRIER_REPORT in _SEALED_BY[state]
        ):
            what = self._deciding or "nothing"
            yield "complete", f"the seal {seq} says {state}, but what decided is {what}"
        self.final = self.state = state
        self.seal = seq

    def _note(self, code: str, body: dict[str, Any]) -> None:
        if code in DECIDING:
            self._deciding = code
            self._reported = False
            self.ambiguous = _fits_several(body)
        elif code == event.CARRIER_REPORT:
            self._reported = True
            self.ambiguous = self.ambiguous or _fits_several(body)
        elif code == event.ERASED:
            self.erased = True
            self.state = "erased"
        if self.final is None:
            self._open_state(code, body)

    def _open_state(self, code: str, body: dict[str, Any]) -> None:
        if code == event.RELAY:
            self.state = "accepted"
        elif code == event.OUTCOME_UNKNOWN:
            self.state = "unknown"
        elif code == event.RELEASED:
            self.state = "queued"
        elif code == event.SUBMISSION_ACCEPTANCE:
            decision = body.get("decision")
            held = isinstance(decision, dict) and decision.get("action") == "hold"
            self.state = "held" if held else "queued"


def _fits_several(body: dict[str, Any]) -> bool:
    """Whether the entry says that its receipt fits more than one open submission."""
    fits = body.get("fits")
    return (type(fits) is int and fits > 1) or (isinstance(fits, list) and len(fits) > 1)

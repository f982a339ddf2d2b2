"""The answer: which outcome a submission had, in which words, and what a reader must be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.certificate.facts import ERASED, WITHHELD
from gateway.certificate.oddities import oddities
from gateway.ledger import entry as event

if TYPE_CHECKING:
    from gateway.certificate.facts import Event, Facts

#: How a reader may take it at a glance; shape and words say the same without colour.
ARRIVED = "yes"
FAILED = "no"
OPEN = "open"

_TONES = {
    "delivered": ARRIVED,
    **dict.fromkeys(
        (
            *("undelivered", "expired", "deleted", "rejected_later", "rejected"),
            *("expired_here", "refused", "cancelled"),
        ),
        FAILED,
    ),
}
_REPORTS = (event.CONTENT_HANDOVER, event.CONTENT_HANDOVER_FAILURE, event.CARRIER_REPORT)
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it: `key` is a table `outcome.KEY` of the words."""

    key: str
    tone: str
    event: Event


def outcome_of(facts: Facts) -> Outcome:
    """The answer of the certificate."""
    last, state = facts.decisive, facts.state
    key = state
    if facts.sealed and last.code == event.RESOLVED:
        key = "resolved"
    elif state == "expired" and last.code == event.EXPIRED:
        key = "expired_here"
    elif state == "rejected" and last.code == event.CONTENT_HANDOVER_FAILURE:
        key = "rejected_later"
    return Outcome(key, _TONES.get(key, OPEN), last)


def reports(facts: Facts) -> list[Event]:
    """What the operator reported: every receipt but those it only repeated."""
    return facts.of(*_REPORTS)


def is_receipt(one: Event) -> bool:
    """Whether a report came as a receipt; else it is a late response to a submission."""
    return "receipt" in one.contents


def clock_disagrees(facts: Facts, report: Event) -> bool:
    """Whether the time an operator claims lies before the submission or after its receipt."""
    done_ms = report.time("done")
    if done_ms is None:
        return False
    received_ms = report.time("rx") or report.at_ms
    # A claim to the minute may lie as much before what it is about.
    return done_ms + _MINUTE_MS <= facts.first.at_ms or done_ms > received_ms + _MINUTE_MS


def odd_texts(facts: Facts) -> bool:
    """Whether the annex of code points has something to list."""
    replies = [one.contents["text"] for one in facts.of(event.RECEIVED) if "text" in one.contents]
    texts = [content.text for content in (facts.text, facts.shown_sender, *replies)]
    return any(oddities(text) for text in texts if text)


def stamped_by(facts: Facts) -> list[str]:
    """The authorities whose tokens cover the whole submission, as far as can be read."""
    names = []
    if facts.not_after_ms is not None:
        names = [token.tsa for token in facts.tokens if token.stamp]
    return list(dict.fromkeys(names))


def authorities_at(facts: Facts, at_ms: int) -> list[str]:
    """Whose tokens state that time."""
    names = [token.tsa for token in facts.tokens if token.stamp and token.stamp.at_ms == at_ms]
    return list(dict.fromkeys(names))


def withheld(facts: Facts) -> list[str]:
    """What this copy keeps back: `to`, `from`, `text`, `pdus`."""
    named = (("to", facts.recipient), ("from", facts.shown_sender), ("text", facts.text))
    found = [name for name, content in named if content.status == WITHHELD]
    if found and any(
        content.status == WITHHELD
        for one in facts.events
        for name, content in one.contents.items()
        if name not in event.TEXT_FIELDS
    ):
        found.append("pdus")
    return found


def notes(facts: Facts) -> list[str]:
    """Keys of the table `note` that apply, the gravest first."""
    found = {
        "contradicted": bool(facts.of(event.REOPENED)),
        "ambiguous": any((one.number("fits") or 0) > 1 for one in reports(facts)),
        "open": not facts.sealed,
        "erased": facts.text.status == ERASED,
        "withheld": bool(withheld(facts)),
        "odd": odd_texts(facts),
        "clock": any(clock_disagrees(facts, one) for one in reports(facts)),
        "incomplete": not facts.complete,
        "pending": not stamped_by(facts),
    }
    return [name for name, applies in found.items() if applies]

"""The first page: the answer, the parties, the message, what happened when, and how to check it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import segno

from gateway.certificate.moments import exact
from gateway.certificate.outcome import (
    authorities_at,
    is_receipt,
    notes,
    outcome_of,
    stamped_by,
    withheld,
)
from gateway.certificate.scribe import DASH, merged
from gateway.ledger import entry as event

if TYPE_CHECKING:
    from gateway.certificate.facts import Event
    from gateway.certificate.outcome import Outcome
    from gateway.certificate.scribe import Scribe

#: A longer text, or one of more lines, begins on the first page and stands whole in the annex.
FIRST_PAGE_CHARACTERS = 700
FIRST_PAGE_LINES = 8
#: Set larger.
_SHORT_CHARACTERS = 320
_EXCERPT_CHARACTERS = 480
_EXCERPT_LINES = 7
#: Characters, and as many for each row, that fit the page in full size.
_TIGHT = 1150
#: Rows of the first page's timeline; the annex has them all.
_TIMELINE_ROWS = 9
_ROWS_KEPT_FIRST = 2
_ROWS_KEPT_LAST = 5
#: Events that decide nothing: they give way first.
_MINOR = frozenset({event.ATTEMPT, event.CARRIER_REPORT, event.DUPLICATE, event.RELEASED})
#: Any of the eight can be read; to try them all takes longer than all the rest of a page.
_QR_MASK = 2
VERIFY = "acuse verify CERTIFICATE.pdf --policy POLICY --tsa-ca TSA.pem --signer-ca SIGNER.pem"


def first_page(scribe: Scribe, numbers: dict[str, str]) -> dict[str, Any]:
    """The data of the first page; *numbers* says which section of the annex has what."""
    facts, words = scribe.facts, scribe.words
    outcome = outcome_of(facts)
    return {
        "issuer": scribe.runs(scribe.issuer),
        "issuer_id": scribe.runs(facts.issuer.get("tax_id", "")),
        "title": words("document", "title"),
        "evidence": words(
            "document",
            "evidence",
            date=scribe.calendar.date(facts.evidence_ms, "UTC"),
            time=scribe.calendar.time(facts.evidence_ms, "UTC"),
        ),
        "tone": outcome.tone,
        "tight": _is_tight(scribe),
        "head": words(f"outcome.{outcome.key}", "head"),
        "by": scribe.sentence(
            f"outcome.{outcome.key}",
            "by",
            _values(scribe, outcome, numbers),
            strong=False,
        ),
        "answer": _answer(scribe, outcome, numbers),
        "notes": _notes(scribe, numbers),
        "parties": _parties(scribe),
        "message": _message(scribe, numbers),
        "timeline": _timeline(scribe, numbers),
        "check": _check(scribe, numbers),
    }


def _is_tight(scribe: Scribe) -> bool:
    """Whether there is so much to say that all of it must be set smaller to fit the page."""
    facts = scribe.facts
    parties = 3 * len(scribe.issuer) + 2 * len(scribe.sender) + len(facts.sender.get("address", ""))
    text = facts.text.text or ""
    rows = len(facts.events) + 2 * len(notes(facts)) + text.count("\n")
    return parties + min(len(text), FIRST_PAGE_CHARACTERS) + 60 * rows > _TIGHT


# --- the answer ---------------------------------------------------------------------------------


def _answer(scribe: Scribe, outcome: Outcome, numbers: dict[str, str]) -> list[list[Any]]:
    facts = scribe.facts
    made = scribe.sentence(
        "lead",
        "sent",
        {
            "issuer": scribe.issuer,
            "sender": scribe.sender,
            "moment": scribe.moment(facts.first.at_ms),
            "to": facts.recipient,
            "from": facts.shown_sender,
        },
    )
    paragraphs = [made]
    told: list[Any] = []
    relayed = facts.of(event.RELAY)
    if relayed:
        told += scribe.sentence(
            "lead",
            "accepted",
            {
                "operator": scribe.operator_of(relayed[-1]),
                "moment": scribe.moment(relayed[-1].at_ms),
            },
        )
    elif facts.of(event.OUTCOME_UNKNOWN):
        asked = facts.of(event.OUTCOME_UNKNOWN)[-1]
        told += scribe.sentence("lead", "unanswered", {"operator": scribe.operator_of(asked)})
    elif outcome.event.code == event.RELAY_FAILURE and outcome.event.objects("parts"):
        counts = {
            "some": str(len(outcome.event.objects("parts"))),
            "all": str(facts.first.number("segments") or "?"),
        }
        operator = scribe.operator_of(outcome.event)
        told += scribe.sentence("lead", "accepted_partly", {"operator": operator, **counts})
    if told:
        told.append(" ")
    told += scribe.sentence(f"outcome.{outcome.key}", "text", _values(scribe, outcome, numbers))
    return [*paragraphs, merged(told)]


def _values(scribe: Scribe, outcome: Outcome, numbers: dict[str, str]) -> dict[str, Any]:
    """Every value a sentence about an outcome may name."""
    one, words = outcome.event, scribe.words
    none = words("status", "none")
    at_ms = one.time("deadline") if one.code == event.NO_CONFIRMATION else one.time("rx")
    reason = one.mapping("decision").text("reason")
    return {
        "issuer": scribe.issuer,
        "operator": scribe.operator_of(one),
        "moment": scribe.moment(one.at_ms if at_ms is None else at_ms),
        "stat": one.text("stat") or none,
        "err": one.text("err") or none,
        "status": one.text("status") or none,
        "reason": reason_text(scribe, reason),
        "who": one.text("by") or none,
        "said": one.text("as") or none,
        "why": one.text("why") or none,
        "section": numbers["operator"],
    }


def reason_text(scribe: Scribe, reason: str) -> str:
    """Why a decision was as it was, in words."""
    if not reason:
        return scribe.words("status", "none")
    if scribe.words.has("reason", reason) and reason != "other":
        return scribe.words("reason", reason)
    return scribe.words("reason", "other", reason=reason)


def _notes(scribe: Scribe, numbers: dict[str, str]) -> list[Any]:
    facts, words = scribe.facts, scribe.words
    made = []
    for key in notes(facts):
        values: dict[str, str] = {"section": numbers["times" if key == "clock" else "points"]}
        erased = facts.erased
        if erased is not None:
            values["moment"] = scribe.moment(erased.at_ms)
            values["basis"] = erased.text("basis") or words("status", "none")
        fields = [words("field", name) for name in withheld(facts)]
        if len(fields) > 1:
            values["what"] = words("date", "and", some=", ".join(fields[:-1]), last=fields[-1])
        elif fields:
            values["what"] = fields[0]
        made.append(scribe.sentence("note", key, dict(values)))
    return made


# --- parties and message ------------------------------------------------------------------------


def _parties(scribe: Scribe) -> list[dict[str, Any]]:
    facts = scribe.facts
    sender = facts.sender
    return [
        {
            "label": scribe.label("sender"),
            "name": scribe.runs(scribe.sender),
            "rows": [
                (scribe.label("tax_id"), scribe.runs(sender.get("tax_id", ""))),
                (scribe.label("address"), scribe.runs(sender.get("address", ""))),
                (scribe.label("sender_id"), scribe.content(facts.shown_sender)),
            ],
        },
        {
            "label": scribe.label("recipient"),
            "name": scribe.content(facts.recipient),
            "rows": [],
        },
    ]


def whole_on_first_page(text: str) -> bool:
    """Whether the first page has room for all of *text*."""
    return len(text) <= FIRST_PAGE_CHARACTERS and text.count("\n") < FIRST_PAGE_LINES


def _message(scribe: Scribe, numbers: dict[str, str]) -> dict[str, Any]:
    text = scribe.facts.text.text
    made: dict[str, Any] = {"label": scribe.label("message"), "caption": encoding_text(scribe)}
    if text is None:
        return {**made, "why": scribe.status(scribe.facts.text)}
    made["short"] = len(text) <= _SHORT_CHARACTERS
    if whole_on_first_page(text):
        return {**made, "lines": scribe.lines(text)}
    opening = "\n".join(text[:_EXCERPT_CHARACTERS].split("\n")[:_EXCERPT_LINES])
    opening = opening.rpartition(" ")[0] or opening
    return {
        **made,
        "lines": scribe.lines(opening.rstrip() + " …"),
        "more": scribe.words("note", "excerpt", section=numbers["message"]),
    }


def encoding_text(scribe: Scribe) -> str:
    """The encoding and number of segments, as far as known."""
    words, first = scribe.words, scribe.facts.first
    name, count = first.text("encoding"), first.number("segments")
    if not name or count is None:
        return ""
    shown = words("encoding", name) if words.has("encoding", name) else name
    if count == 1:
        return words("message", "segments_one", encoding=shown)
    return words("message", "segments_many", encoding=shown, count=count)


# --- the timeline -------------------------------------------------------------------------------


def happened(scribe: Scribe, one: Event) -> str:
    """An event in a few words."""
    words = scribe.words
    key = one.code if words.has("event", one.code) and one.code[1:2] == "." else "other"
    if one.code == event.CARRIER_REPORT and not is_receipt(one):
        key = "answered"
    none = words("status", "none")
    state = one.text("state")
    return words(
        "event",
        key,
        stat=one.text("stat") or none,
        status=one.text("status") or none,
        state=words("state", state) if state and words.has("state", state) else state or none,
    )


def said_by(scribe: Scribe, one: Event) -> str:
    """On whose word an event stands."""
    words = scribe.words
    if one.code == event.RESOLVED:
        return words("by", "person")
    if one.text("operator") and one.code not in (event.OUTCOME_UNKNOWN, event.ATTEMPT):
        return words("by", "operator", operator=one.text("operator"))
    return words("by", "issuer")


def _timeline(scribe: Scribe, numbers: dict[str, str]) -> dict[str, Any]:
    facts, zone = scribe.facts, scribe.calendar.zone

    def kind(one: Event) -> tuple[str, str]:
        return happened(scribe, one), said_by(scribe, one)

    groups = [(*about, list(several)) for about, several in groupby(facts.events, key=kind)]
    kept = _kept([several[0].code for _, _, several in groups])
    rows = [
        [_span(several, zone), scribe.runs(_counted(scribe, what, several)), scribe.runs(who)]
        for at, (what, who, several) in enumerate(groups)
        if at in kept
    ]
    stamps = (
        (facts.not_after_ms, "stamped", len(rows)),
        (facts.not_before_ms, "stamped_before", 0),
    )
    for at_ms, key, place in stamps:
        if at_ms is not None:
            who = ", ".join(authorities_at(facts, at_ms))
            what = scribe.words("event", key)
            rows.insert(place, [exact(at_ms, zone)[:19], what, scribe.runs(who)])
    left = len(groups) - len(kept)
    return {
        "label": scribe.label("timeline"),
        "zone": zone,
        "rows": rows,
        "more": scribe.words("note", "more", count=left, section=numbers["events"]) if left else "",
    }


def _kept(codes: list[str]) -> set[int]:
    """Which rows stand on the first page: what decided or contradicted before what did not."""
    kept = list(range(len(codes)))
    for droppable in (
        [at for at in kept if codes[at] in _MINOR],
        [at for at in kept if codes[at] not in _MINOR][_ROWS_KEPT_FIRST:-_ROWS_KEPT_LAST],
    ):
        while len(kept) > _TIMELINE_ROWS and droppable:
            kept.remove(droppable.pop(len(droppable) // 2))
    return set(kept)


def _span(several: list[Event], zone: str) -> str:
    """When events of one kind that follow each other happened."""
    here, then = exact(several[0].at_ms, zone)[:19], exact(several[-1].at_ms, zone)[:19]
    if then == here:
        return here
    return f"{here} {DASH} {then[11:] if then[:10] == here[:10] else then}"


def _counted(scribe: Scribe, what: str, several: list[Event]) -> str:
    if len(several) == 1:
        return what
    return scribe.words("event", "several", count=len(several), what=what)


# --- the foot -----------------------------------------------------------------------------------


def label_text(scribe: Scribe) -> str:
    """What the service is and is not, and whose time stamp it has (never more than that)."""
    names = stamped_by(scribe.facts)
    if not names:
        return scribe.words("document", "unstamped")
    qualified = {token.tsa for token in scribe.facts.tokens if token.qualified}
    named = [
        scribe.words("document", "qualified", tsa=name) if name in qualified else name
        for name in names
    ]
    return scribe.words("document", "unqualified", tsa=", ".join(named))


def _check(scribe: Scribe, numbers: dict[str, str]) -> dict[str, Any]:
    facts, words = scribe.facts, scribe.words
    payload = f"ACUSE {facts.code}\n{facts.submission_id}\n{facts.checkpoint.origin}\n{VERIFY}\n"
    return {
        "qr": qr_svg(payload),
        "qr_alt": words("document", "qr", code=facts.code),
        "code_label": words("document", "code"),
        "code": facts.code,
        "intro": words("document", "verify", section=numbers["check"]),
        "command": VERIFY,
        "label": scribe.runs(label_text(scribe)),
    }


def qr_svg(payload: str) -> str:
    """A QR code as one SVG path, a unit a module, the quiet zone included."""
    quiet = 2
    path = []
    matrix = segno.make_qr(payload, error="m", mask=_QR_MASK).matrix
    rows = [[bool(cell) for cell in row] for row in matrix]
    for y, row in enumerate(rows):
        x = 0
        for dark, cells in groupby(row):
            width = len(list(cells))
            if dark:
                path.append(f"M{x + quiet} {y + quiet}h{width}v1h-{width}z")
            x += width
    side = len(rows) + 2 * quiet
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}">'
        f'<path d="{"".join(path)}"/></svg>'
    )

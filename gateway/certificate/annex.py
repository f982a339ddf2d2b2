"""The technical annex: every fact of the bundle, section by section."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from unicodedata import category

from gateway.certificate.engine import template
from gateway.certificate.evidence import ledger
from gateway.certificate.facts import SHOWN
from gateway.certificate.happenings import receipts, times
from gateway.certificate.moments import exact
from gateway.certificate.oddities import code_of, name_of, oddities
from gateway.certificate.outcome import odd_texts, reports
from gateway.certificate.scribe import DASH, listed, merged
from gateway.certificate.sheet import (
    VERIFY,
    encoding_text,
    happened,
    reason_text,
    whole_on_first_page,
)
from gateway.ledger import entry as event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.certificate.facts import Content, Event, Facts
    from gateway.certificate.scribe import Block, Scribe

_POINTS_PER_LINE = 16
_HASH = re.compile(r"[0-9a-f]{40,}")
_SHORT_HASH = 16
_DOTTED_CIRCLE = "\u25cc"


def sections_of(facts: Facts) -> list[str]:
    """The sections this certificate has, in order; their names are keys of the table `section`."""
    found = {
        "parties": True,
        "message": True,
        "times": True,
        "operator": any(one.text("operator") for one in facts.events),
        "receipts": bool(reports(facts) or facts.of(event.DUPLICATE, event.RECEIVED)),
        "events": True,
        "decision": True,
        "ledger": True,
        "points": odd_texts(facts),
        "check": True,
    }
    return [name for name, there in found.items() if there]


def numbered(facts: Facts) -> dict[str, str]:
    """Section -> its number; what is not there has a dash."""
    there = sections_of(facts)
    return {name: str(there.index(name) + 1) if name in there else DASH for name in _WRITERS}


def annex(scribe: Scribe, numbers: dict[str, str]) -> list[dict[str, Any]]:
    """The sections, each `{"number", "title", "blocks"}`."""
    return [
        {
            "number": numbers[name],
            "title": scribe.words("section", name),
            "blocks": list(_WRITERS[name](scribe, numbers)),
        }
        for name in sections_of(scribe.facts)
    ]


# --- parties and message ------------------------------------------------------------------------


def _parties(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    facts = scribe.facts
    for key, party in (("issuer", facts.issuer), ("sender", facts.sender)):
        yield {"kind": "sub", "text": scribe.label(key)}
        yield scribe.fields(
            ("legal_name", scribe.runs(party.get("legal_name", ""))),
            ("tax_id", scribe.runs(party.get("tax_id", ""))),
            ("address", scribe.runs(party.get("address", ""))),
            ("policy_uri", scribe.runs(party.get("policy_uri", ""))),
            ("brand", scribe.runs(facts.first.text("brand")) if key == "sender" else ""),
            ("sender_id", scribe.content(facts.shown_sender) if key == "sender" else ""),
        )
    yield {"kind": "sub", "text": scribe.label("recipient")}
    yield scribe.fields(("number", scribe.content(facts.recipient)))


def _message(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    facts, words = scribe.facts, scribe.words
    category, text = facts.first.text("category"), facts.text.text
    yield scribe.fields(
        ("reference", scribe.mono(facts.submission_id)),
        ("category", words("category", category) if words.has("category", category) else category),
        ("encoding", encoding_text(scribe)),
        ("characters", str(len(text)) if text is not None else ""),
    )
    yield scribe.text("message", "sent_form")
    if text is None:
        yield {"kind": "text", "runs": [{"why": scribe.status(facts.text)}]}
    elif not whole_on_first_page(text):
        yield {"kind": "message", "lines": scribe.lines(text)}
    pdus = [
        [str(one.seq), scribe.mono(name), *_pdu(scribe, content)]
        for one in facts.events
        for name, content in sorted(one.contents.items(), key=_by_segment)
        if name not in event.TEXT_FIELDS
    ]
    if pdus:
        yield {"kind": "sub", "text": words("message", "pdus")}
        if (facts.first.number("segments") or 0) > 1:
            yield scribe.text("message", "split")
        yield scribe.table("auto auto auto 1fr", ("seq", "pdu", "octets", "hash"), pdus)


def _by_segment(item: tuple[str, Content]) -> tuple[int, bool]:
    """submit.1, response.1, submit.2, …"""
    name, _, number = item[0].partition(".")
    return int(number) if number.isdecimal() else 0, name != "submit"


def _pdu(scribe: Scribe, content: Content) -> list[object]:
    if content.status != SHOWN:
        return [DASH, {"why": scribe.status(content)}]
    return [str(len(content.value)), scribe.mono(sha256(content.value).hexdigest())]


# --- the operator and its segments --------------------------------------------------------------


def _operator(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    facts, words = scribe.facts, scribe.words
    names = list(dict.fromkeys(filter(None, (one.text("operator") for one in facts.events))))
    for name in names:
        profile = facts.operators.get(name, {})
        means = profile.get("receipt_means", "")
        binds = [one.text("bind") for one in facts.events if one.text("operator") == name]
        yield scribe.fields(
            ("operator", scribe.runs(name)),
            ("bind", scribe.runs(", ".join(dict.fromkeys(filter(None, binds))))),
            (
                "means",
                words("means", means if words.has("means", means) else "unknown")
                if profile
                else "",
            ),
            (
                "offset",
                (profile.get("receipt_utc_offset") or words("time", "no_offset"))
                if profile
                else "",
            ),
        )
    rows = [
        [
            str(part.number("n") or ""),
            scribe.mono(part.text("message_id") or words("status", "none")),
            _stamp(part.time("sent")),
            _stamp(part.time("answered")),
        ]
        for one in facts.of(event.RELAY, event.RELAY_FAILURE)
        for part in (one.part("parts", item) for item in one.objects("parts"))
    ]
    if rows:
        yield scribe.table(
            "auto 1fr auto auto", ("segment", "message_id", "sent", "answered"), rows
        )


def _stamp(instant_ms: int | None) -> str:
    return DASH if instant_ms is None else exact(instant_ms)


# --- every event --------------------------------------------------------------------------------


def _events(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    rows = [
        [
            str(one.seq),
            exact(one.at_ms),
            scribe.mono(one.code),
            scribe.runs(happened(scribe, one)),
            _details(scribe, one),
        ]
        for one in scribe.facts.events
    ]
    yield scribe.table("auto auto auto 3fr 4fr", ("seq", "utc", "code", "what", "details"), rows)


def _details(scribe: Scribe, one: Event) -> list[Any]:
    """What an entry says besides its kind, as runs; what is printed elsewhere is left out there."""
    texts = (
        *("operator", "bind", "status", "stat", "reason", "by", "replaces", "replaced_by"),
        "basis",
    )
    labels = {"stat": "state", "err": "error", "as": "said", "why": "because"}
    numbers = {"segment": "segment", "part": "segment", "count": "count", "of": "of"}
    found = [
        (scribe.label(labels.get(key, key)), one.text(key))
        for key in (*texts, "err", "as", "why")
        if one.text(key)
    ]
    for key, label in numbers.items():
        number = one.number(key)
        if number is not None:
            found.append((scribe.label(label), str(number)))
    for key, label in (("first", "first"), ("last", "last"), ("deadline", "deadline")):
        instant_ms = one.time(key)
        if instant_ms is not None:
            found.append((scribe.label(label), f"{exact(instant_ms)} UTC"))
    if one.number("fits") is not None:
        found.append((scribe.label("fits"), str(one.number("fits"))))
    if one.code == event.RELAY_FAILURE:
        found.append((scribe.label("accepted_parts"), str(len(one.objects("parts")))))
    untied = one.body.get("untied")
    if isinstance(untied, list) and untied:
        found.append((scribe.label("untied"), ", ".join(map(str, untied))))
    if one.mapping("decision").text("action"):
        found.append((scribe.label("action"), _action(scribe, one)))
    found.append((scribe.label("leaf"), f"{one.leaf[:_SHORT_HASH]}…"))
    made: list[Any] = []
    for label, value in found:
        if made:
            made.append(" · ")
        made += [{"dim": label + " "}, *listed(scribe.runs(value))]
    return merged(made)


# --- the decision -------------------------------------------------------------------------------


def _action(scribe: Scribe, one: Event) -> str:
    action = one.mapping("decision").text("action")
    return scribe.words("action", action) if scribe.words.has("action", action) else action


def _decision(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    words = scribe.words
    for one in scribe.facts.events:
        decision = one.mapping("decision")
        if not decision.body:
            continue
        local = [
            f"{item.text('jurisdiction')} · {item.text('zone')} · {item.text('time')}"
            for item in (decision.part("local", each) for each in decision.objects("local"))
        ]
        caps = [
            f"{cap.text('rule')}: {cap.number('counted')} / {cap.number('most')}"
            for cap in (decision.part("caps", each) for each in decision.objects("caps"))
        ]
        versions = decision.mapping("versions")
        named = ", ".join(f"{key} {_short(versions.text(key))}" for key in sorted(versions.body))
        reason = decision.text("reason")
        nobody = words("status", "nobody")
        yield scribe.fields(
            ("seq", f"{one.seq} · {exact(one.at_ms)} UTC"),
            ("action", _action(scribe, one)),
            ("reason", reason_text(scribe, reason) if reason else ""),
            ("rules", scribe.mono(", ".join(decision.words("rules")) or nobody)),
            ("waivers", scribe.mono(", ".join(decision.words("waivers")) or nobody)),
            ("until", scribe.runs(decision.text("until"))),
            ("caps", scribe.runs("; ".join(caps))),
            ("local", scribe.runs("; ".join(local))),
            ("versions", scribe.mono(named) if named else ""),
        )


def _short(version: str) -> str:
    """Whole hashes stand in the bundle; sixteen digits are enough to tell them apart."""
    return _HASH.sub(lambda found: found[0][:_SHORT_HASH] + "…", version)


# --- code points --------------------------------------------------------------------------------


def _points(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    facts, words = scribe.facts, scribe.words
    yield scribe.text("points", "intro")
    texts = [
        (words("points", "of_text"), facts.text.text),
        (words("points", "of_from"), facts.shown_sender.text),
    ]
    texts += [
        (words("points", "of_reply", seq=one.seq), one.contents["text"].text)
        for one in facts.of(event.RECEIVED)
        if "text" in one.contents
    ]
    for title, text in texts:
        found = oddities(text) if text else []
        if not text or not found:
            continue
        rows = [
            [
                [{"glyph": scribe.runs(_carried(odd.char))}],
                scribe.mono(odd.code),
                scribe.runs(name_of(odd.char) or words("points", "unnamed")),
                words("kind", odd.kind),
                scribe.runs(_places(odd.places)),
            ]
            for odd in found
        ]
        yield {"kind": "sub", "text": title}
        heads = ("character", "point", "name", "why", "places")
        yield scribe.table("auto auto 3fr 3fr 2fr", heads, rows)
        yield {"kind": "sub", "text": scribe.label("all_points")}
        yield {"kind": "code", "lines": list(_all_points(text))}


def _carried(char: str) -> str:
    """A mark needs something to stand on."""
    return _DOTTED_CIRCLE + char if category(char)[0] == "M" else char


def _places(places: tuple[int, ...]) -> str:
    """Places from 1, neighbours as a range."""
    made: list[str] = []
    start = before = places[0]
    for place in (*places[1:], -1):
        if place != before + 1:
            made.append(str(start + 1) if start == before else f"{start + 1}{DASH}{before + 1}")
            start = place
        before = place
    return ", ".join(made)


def _all_points(text: str) -> Iterator[str]:
    for at in range(0, len(text), _POINTS_PER_LINE):
        row = text[at : at + _POINTS_PER_LINE]
        yield f"{at + 1:>5}  " + " ".join(code_of(char)[2:] for char in row)


# --- how to check it ----------------------------------------------------------------------------


def _check(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    facts = scribe.facts
    yield scribe.text("check", "intro", issuer=scribe.issuer)
    yield scribe.code(VERIFY)
    yield scribe.text("check", "files")
    yield scribe.text("check", "get", issuer=scribe.issuer)
    yield scribe.code(
        f"acuse bundle {facts.submission_id} -o acuse-proof.json --with-verifier",
        VERIFY.replace("acuse verify", "python3 acuse-verify.py"),
    )
    if facts.issuer.get("policy_uri"):
        yield scribe.text("check", "policy_uri", uri=facts.issuer["policy_uri"])
    yield scribe.text("check", "detach")
    yield scribe.code(
        "pdfdetach -save 1 -o acuse-proof.json CERTIFICATE.pdf", "sha256sum acuse-proof.json"
    )
    yield scribe.fields(
        ("digest", scribe.mono(facts.digest)),
        ("renderer", scribe.mono(scribe.renderer)),
        ("template", scribe.mono(template().digest)),
    )
    yield scribe.text("check", "code")
    yield scribe.text("check", "again")
    yield scribe.text("check", "law")


_WRITERS: dict[str, Callable[[Scribe, dict[str, str]], Iterator[Block]]] = {
    "parties": _parties,
    "message": _message,
    "times": times,
    "operator": _operator,
    "receipts": receipts,
    "events": _events,
    "decision": _decision,
    "ledger": ledger,
    "points": _points,
    "check": _check,
}

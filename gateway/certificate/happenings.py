"""The annex's sections about time and receipts: each hour with its source, each receipt whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from gateway.certificate.facts import SHOWN
from gateway.certificate.moments import MOST_ZONES, claimed, exact, there
from gateway.certificate.outcome import authorities_at, clock_disagrees, is_receipt, reports
from gateway.ledger import entry as event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.certificate.facts import Event
    from gateway.certificate.scribe import Block, Scribe

#: What, in UTC, in each place, on whose word.
_Row: TypeAlias = tuple[str, str, dict[str, str], str]
#: Text inside an operator's PDU: printable ASCII long enough to be no accident.
_READABLE = re.compile(rb"[\x20-\x7e]{12,}")
#: SMPP appendix B; the octet before it is a length and may look like a letter.
_RECEIPT = re.compile(rb"id:[\x20-\x7e]{8,}")
_MINUTE_MS = 60_000


def times(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    """Every time that matters, in UTC and in the recipient's place, and on whose word."""
    zones = scribe.zones[:MOST_ZONES]
    rows = [
        [scribe.runs(what), shown, *([shown_in[name] for name in zones]), scribe.runs(source)]
        for what, shown, shown_in, source in _rows(scribe, zones)
    ]
    yield {
        "kind": "table",
        "widths": ["3fr", "auto", *("auto" for _ in zones), "3fr"],
        "heads": [scribe.label("what"), scribe.label("utc"), *zones, scribe.label("source")],
        "rows": rows,
    }
    if any(clock_disagrees(scribe.facts, one) for one in reports(scribe.facts)):
        yield scribe.text("time", "disagrees", issuer=scribe.issuer)
    if len(scribe.zones) > 1:
        yield scribe.text("time", "places")
    yield scribe.text("time", "explained", section=numbers["check"])


def _rows(scribe: Scribe, zones: list[str]) -> Iterator[_Row]:
    facts, words = scribe.facts, scribe.words
    clock = words("time", "clock", issuer=scribe.issuer)

    def row(key: str, instant_ms: int, source: str, **values: str) -> _Row:
        local = {name: there(instant_ms, name) for name in zones}
        return words("time", key, **values), exact(instant_ms), local, source

    def stamped(label: str, instant_ms: int) -> _Row:
        local = {name: there(instant_ms, name) for name in zones}
        source = words("time", "stamp", tsa=", ".join(authorities_at(facts, instant_ms)))
        return scribe.label(label), exact(instant_ms), local, source

    if facts.not_before_ms is not None:
        yield stamped("not_before", facts.not_before_ms)
    for one in facts.events:
        segment = str(one.number("part") or "")
        if one.code in (event.SUBMISSION_ACCEPTANCE, event.SUBMISSION_REJECTION):
            accepted = one.code == event.SUBMISSION_ACCEPTANCE
            yield row("accepted_here" if accepted else "refused_here", one.at_ms, clock)
        elif one.code == event.RELAY:
            yield row("relayed", one.at_ms, clock)
        elif one.code == event.SEAL:
            yield row("sealed", one.at_ms, clock)
        elif one in reports(facts) and is_receipt(one):
            done_ms = one.time("done")
            if done_ms is not None:
                key = "claimed" if one.code == event.CONTENT_HANDOVER else "final"
                local = {name: there(done_ms, name, exactly=False) for name in zones}
                what = words("time", key, segment=segment)
                yield what, claimed(done_ms), local, _claim(scribe, one, done_ms)
            received_ms = one.time("rx")
            at_ms = one.at_ms if received_ms is None else received_ms
            yield row("reported", at_ms, clock, segment=segment)
    if facts.not_after_ms is not None:
        yield stamped("not_after", facts.not_after_ms)


def _claim(scribe: Scribe, one: Event, done_ms: int) -> str:
    operator = scribe.operator_of(one)
    offset = scribe.facts.operators.get(operator, {}).get("receipt_utc_offset", "")
    key = "operator_exact" if done_ms % _MINUTE_MS else "operator"
    shown = offset or scribe.words("time", "no_offset")
    return scribe.words("time", key, operator=operator, offset=shown)


# --- receipts -----------------------------------------------------------------------------------


def receipts(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    """Each receipt and each reply as it came, to the last octet."""
    for one in scribe.facts.of(
        event.CONTENT_HANDOVER,
        event.CONTENT_HANDOVER_FAILURE,
        event.CARRIER_REPORT,
        event.DUPLICATE,
        event.RECEIVED,
    ):
        if one.code == event.DUPLICATE:
            yield {"kind": "sub", "text": f"{scribe.words('event', one.code)} · {one.seq}"}
            yield scribe.fields(("of", str(one.number("of") or 0)), ("received", exact(one.at_ms)))
        else:
            yield from _receipt(scribe, one)


def _readable(raw: bytes) -> str:
    """What a person can read of a PDU: the receipt's text, else its longest text."""
    receipt = _RECEIPT.search(raw)
    found = [receipt[0]] if receipt else _READABLE.findall(raw)
    return max(found, key=len, default=b"").decode("ascii")


def _receipt(scribe: Scribe, one: Event) -> Iterator[Block]:
    reply = one.code == event.RECEIVED
    received_ms, done_ms = one.time("rx"), one.time("done")
    title = scribe.label("reply" if reply else "receipt" if is_receipt(one) else "status")
    yield {"kind": "sub", "text": f"{title} · {one.seq}"}
    offset = scribe.facts.operators.get(one.text("operator"), {}).get("receipt_utc_offset")
    raw = next(
        (content for name, content in one.contents.items() if name in ("receipt", "deliver")), None
    )
    readable = "" if raw is None else _readable(raw.value)
    yield scribe.fields(
        ("operator", scribe.runs(f"{one.text('operator')} · {one.text('bind')}")),
        ("segment", str(one.number("part") or "")),
        ("message_id", scribe.mono(one.text("message_id")) if one.text("message_id") else ""),
        ("state", scribe.mono(one.text("stat")) if one.text("stat") else ""),
        ("error", scribe.mono(one.text("err")) if one.text("err") else ""),
        ("received", "" if received_ms is None else exact(received_ms)),
        ("done", "" if done_ms is None else f"{claimed(done_ms)} UTC ({offset or '?'})"),
        ("reply", scribe.content(one.contents["text"]) if "text" in one.contents else ""),
        ("readable", scribe.mono(readable) if readable and not reply else ""),
    )
    if raw is None:
        return
    if raw.status == SHOWN:
        yield scribe.dump(raw.value)
    else:
        yield {"kind": "text", "runs": [{"why": scribe.status(raw)}]}

"""One message's record for people: who, what, to whom, and everything that happened to it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from gateway.cli.output import (
    Column,
    coloured,
    field,
    instant,
    moment,
    plain,
    print_table,
    width_of_terminal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL = 11

#: What an event's code says, in a few words (the codes are those of the ledger).
EVENTS = {
    "A.1": "submission accepted",
    "A.2": "submission refused",
    "x.Released": "released after holding",
    "x.Attempt": "attempts put off by the operator",
    "x.OutcomeUnknown": "no answer from the operator",
    "F.1": "accepted by the operator",
    "F.2": "refused by the operator",
    "x.CarrierReport": "report by the operator",
    "E.1": "delivered, says the operator",
    "E.2": "not delivered, says the operator",
    "x.NoConfirmation": "no final receipt in time",
    "x.Duplicate": "the same receipt again",
    "F.3": "answered by the recipient",
    "x.Reopened": "contradicted, opened again",
    "x.Resolved": "decided by a person",
    "x.Cancelled": "withdrawn before sending",
    "x.Expired": "validity over before sending",
    "x.Erased": "content destroyed",
    "S.1": "sealed",
}


def print_record(record: Mapping[str, object]) -> None:
    """The object of `receipts show` as a page that fits 80 columns where its values do."""
    _head(record)
    segments = objects(record.get("segments"))
    if segments:
        section("segments")
        print_table(_SEGMENTS, segments)
    receipts = objects(record.get("receipts"))
    if receipts:
        section("receipts")
        print_table(_RECEIPTS, receipts)
    replies = objects(record.get("replies"))
    if replies:
        section("replies")
        print_table(_REPLIES, replies)
    events = objects(record.get("events"))
    if events:
        section("events")
        print_table(_EVENTS, events)
    _seal(record.get("seal"))


def print_decision(decision: object) -> None:
    """The `decision` of a submission: what, why and by which rules."""
    if not isinstance(decision, dict):
        return
    words = [plain(decision.get("action"))]
    if decision.get("until"):
        words.append(f"until {moment(decision['until'])} UTC")
    if decision.get("reason"):
        words.append(f"because of {plain(decision['reason'])}")
    labelled("decision", " ".join(words))
    rules = decision.get("rules")
    if isinstance(rules, list) and rules:
        wrapped("rules", ", ".join(map(plain, rules)))
    waivers = decision.get("waivers")
    if isinstance(waivers, list) and waivers:
        wrapped("waived by", ", ".join(map(plain, waivers)))
    why = decision.get("why")
    for told in why if isinstance(why, list) else []:
        wrapped("because", plain(told))
    warnings = decision.get("warnings")
    for warning in warnings if isinstance(warnings, list) else []:
        wrapped("warning", plain(warning))


def _head(record: Mapping[str, object]) -> None:
    state = coloured(record.get("state"))
    erased = record.get("erased")
    if isinstance(erased, dict):
        state += f" on {_utc(erased.get('at'))}: {plain(erased.get('basis'))}"
    if record.get("contradicted"):
        state += " (contradicted: an earlier final receipt said otherwise)"
    labelled("submission", plain(record.get("submission_id")))
    labelled("state", state)
    for name in ("ref", "brand", "category", "from", "to", "operator", "replaces", "replaced_by"):
        if record.get(name):
            labelled(name, plain(record[name]))
    if record.get("text") is not None:
        wrapped("text", plain(record["text"]))
    print_appended(record)
    substituted = objects(record.get("substituted"))
    if substituted:
        wrapped("substituted", ", ".join(map(substitution, substituted)))
    if record.get("encoding"):
        parts = len(objects(record.get("segments")))
        plural = "" if parts == 1 else "s"
        labelled("encoding", f"{plain(record['encoding'])}, {parts} segment{plural}")
    print_decision(record.get("decision"))
    labelled("submitted", _utc(record.get("submitted_at")))
    labelled("closed", _utc(record.get("closed_at")))


def print_appended(record: Mapping[str, object]) -> None:
    """What was appended to the text as given, and what the text took without it."""
    for each in objects(record.get("fixed")):
        wrapped(
            "appended", f"{plain(each.get('text')).strip()} ({_WHAT.get(plain(each.get('what')))})"
        )
    before = record.get("segments_before")
    if before is not None:
        labelled("without", f"{plain(before)} segment{'' if before == 1 else 's'}")


_WHAT = {
    "brand": "who writes",
    "company_info": "the company's details",
    "optout": "how to opt out",
}


def substitution(entry: Mapping[str, object]) -> str:
    """`U+2019 by ' (2 times)`: a character the brand had replaced before sending."""
    places = entry.get("at")
    times = len(places) if isinstance(places, list) else 0
    by = plain(entry.get("by")).replace(" ", "a space") or "nothing"
    return f"{plain(entry.get('code'))} by {by}" + (f" ({times} times)" if times > 1 else "")


def _utc(value: object) -> str:
    return f"{moment(value)} UTC" if value else "not yet"


def _seal(seal: object) -> None:
    click.echo()
    if not isinstance(seal, dict):
        labelled("seal", "not yet: the message is not closed")
        return
    size = seal.get("checkpoint_size")
    covered = f"in the checkpoint of size {size}" if size else "no checkpoint over it yet"
    anchored = "anchored" if seal.get("anchored") else "not anchored"
    labelled("seal", f"entry {plain(seal.get('seq'))}, {covered}, {anchored}")
    if seal.get("leaf"):
        labelled("leaf", plain(seal["leaf"]))


def section(title: str) -> None:
    """A heading after an empty line."""
    click.echo()
    click.secho(title, bold=True)


def labelled(label: str, value: str) -> None:
    """A label and what it says."""
    click.echo(f"{label:<{_LABEL}} {value}")


def wrapped(label: str, value: str) -> None:
    """`labelled` over as many lines as the terminal needs."""
    width = (width_of_terminal() or 80) - _LABEL - 1
    lines = textwrap.wrap(value, width, drop_whitespace=False, break_on_hyphens=False) or [""]
    for line in lines:
        labelled(label, line.rstrip())
        label = ""


def objects(value: object) -> list[dict[str, object]]:
    """The objects of a list, as far as it is one."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _clock(name: str) -> Column:
    return Column(
        f"{name.removesuffix('_at')} (UTC)",
        instant(name),
        shorter=_SHORTER,
        brief=name.removesuffix("_at"),
        may_go=True,
    )


_SHORTER = (lambda text: text[5:], lambda text: text[11:])

_SEGMENTS = (
    Column("#", field("number")),
    Column("message_id", field("message_id")),
    Column("outcome", field("outcome")),
    Column("status", field("command_status"), may_go=True),
    _clock("sent_at"),
    _clock("answered_at"),
)


def _remark(receipt: Mapping[str, object]) -> str:
    words = ["final" if receipt.get("final") else "not final"]
    if receipt.get("duplicate_of") is not None:
        words.append("again")
    if receipt.get("conflict"):
        words.append("conflict")
    if receipt.get("matched_by") == "recipient":
        words.append("matched by recipient")
    return ", ".join(words)


_RECEIPTS = (
    Column("#", field("segment")),
    Column("says", field("message_state")),
    Column("means", _remark),
    Column("error", field("error")),
    _clock("done_at"),
    _clock("received_at"),
)


_REPLIES = (
    _clock("received_at"),
    Column("text", field("text")),
    Column("opted out", field("optout"), may_go=True),
)


def _words(event: Mapping[str, object]) -> str:
    return EVENTS.get(str(event.get("event")), "")


_EVENTS = (
    Column("entry", field("seq")),
    Column("at (UTC)", instant("at")),
    Column("event", field("event")),
    Column("", _words, may_go=True),
)

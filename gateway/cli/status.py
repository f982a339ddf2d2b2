"""`acuse status`: what the daemon is doing, on one screen of 80 by 24."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.command import command
from gateway.cli.output import (
    SHORTER_TIMES,
    Column,
    count,
    field,
    instant,
    moment,
    plain,
    print_json,
    print_table,
)
from gateway.cli.root import root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.cli.command import Run

#: Lines the screen needs besides its operators, the prompt after it included.
_OTHER_LINES = 19
_LABEL = 11


@command(root, "status", example="acuse status --json | jq .queues")
def status(run: Run) -> None:
    """Show binds, queues, totals and ledger on one screen.

    Exit code 69 if no daemon answers.
    """
    shown = run.call("status", {})
    if run.as_json:
        print_json(shown)
    else:
        print_status(shown)


def print_status(shown: Mapping[str, Any]) -> None:
    """The object of the admin command `status`, for people."""
    _head(shown)
    anchors = shown.get("anchors") or {}
    failing = [each for each in anchors.get("sources") or [] if each.get("state") == "failing"]
    _operators(shown.get("operators") or [], _OTHER_LINES + bool(failing))
    queues = shown.get("queues") or {}
    _pairs("queues", queues)
    waiting = [
        f"{words} {moment(shown[name])}"
        for name, words in (("held_next", "next held"), ("oldest_queued", "oldest queued"))
        if shown.get(name)
    ]
    if waiting:
        _line("due (UTC)", ", ".join(waiting))
    held = [
        f"{plain(each.get('reason'))} {count(each.get('count'))}"
        for each in shown.get("held") or []
    ]
    if held:
        _line("held for", _cut(", ".join(held)))
    click.echo()
    _pairs("since start", shown.get("totals") or {})
    _ledger(shown.get("ledger") or {})
    _anchors(anchors, failing)
    writer = shown.get("writer") or {}
    _line(
        "writer",
        f"{count(writer.get('commits', 0))} commits, the last of {count(writer.get('batch', 0))} "
        f"took {plain(writer.get('last_commit_ms', 0))} ms",
    )


def _head(shown: Mapping[str, Any]) -> None:
    if shown.get("draining"):
        state, colour = "draining", "yellow"
    elif shown.get("ready"):
        state, colour = "ready", "green"
    else:
        state, colour = "starting", "yellow"
    click.echo(
        f"{click.style(plain(shown.get('name')), bold=True)}  {click.style(state, fg=colour)}  "
        f"{plain(shown.get('software'))}, pid {plain(shown.get('pid'))}, "
        f"up {_age(shown.get('started_at'))}"
    )
    click.echo()


def _age(started_at: object) -> str:
    try:
        then = datetime.fromisoformat(str(started_at)).timestamp()
    except ValueError:
        return "-"
    minutes = max(0, int(time.time() - then)) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"


def _operators(operators: list[Mapping[str, Any]], other_lines: int) -> None:
    """As many as fit beside *other_lines*, those in trouble first, with what troubles them."""
    ordered = sorted(operators, key=lambda operator: operator.get("state") == "bound")
    troubled = [operator for operator in ordered if _trouble(operator)]
    most, most_troubled = len(ordered), len(troubled)
    # What is wrong stands at the end of a sentence: whole ones, where there is room for them.
    told = [
        line
        for operator in troubled
        for line in textwrap.wrap(_told(operator), 80, subsequent_indent="    ")
    ]
    if sys.stdout.isatty():
        room = max(4, shutil.get_terminal_size((80, 24)).lines - other_lines)
        if most + len(told) > room:
            told = [_cut(_told(operator)) for operator in troubled]
        if most + most_troubled > room:
            most = min(most, max(room // 2, room - most_troubled))
            told = told[: room - most]
    print_table(_COLUMNS, ordered[:most])
    if len(ordered) > most:
        click.echo(f"and {len(ordered) - most} more: acuse status --json")
    for line in told:
        click.echo(line)
    click.echo()


def _told(operator: Mapping[str, Any]) -> str:
    return f"  {plain(operator['name'])}: {_trouble(operator)}"


def _trouble(operator: Mapping[str, Any]) -> str:
    alarm = operator.get("alarm")
    if isinstance(alarm, dict):
        return f"ALARM {plain(alarm.get('kind'))}: {plain(alarm.get('message'))}"
    return "" if operator.get("state") == "bound" else plain(operator.get("last_error"))


def _window(operator: Mapping[str, object]) -> str:
    return f"{plain(operator.get('in_flight'))}/{plain(operator.get('window'))}"


def _rate(operator: Mapping[str, object]) -> str:
    rate = operator.get("rate")
    return f"{rate:g}/s" if isinstance(rate, int | float) else "-"


def _state(operator: Mapping[str, object]) -> str:
    state = plain(operator.get("state"))
    return "throttled" if state == "bound" and operator.get("throttled_until") else state


def _paint(cell: str) -> str:
    return click.style(cell, fg="green" if cell.startswith("bound") else "yellow")


_COLUMNS = (
    Column("operator", field("name")),
    Column("bind", field("bind"), may_go=True),
    Column("state", _state, paint=_paint),
    Column("since (UTC)", instant("since"), shorter=SHORTER_TIMES, brief="UTC", may_go=True),
    Column("window", _window),
    Column("rate", _rate),
    Column("sent", lambda operator: count(operator.get("sent"))),
)


def _pairs(label: str, numbers: Mapping[str, object]) -> None:
    """`name 123` for each number, over as many lines as 80 columns need."""
    words: list[str] = []
    for name, number in numbers.items():
        word = f"{plain(name)} {count(number)}"
        if words and _LABEL + 1 + sum(map(len, words)) + 3 * len(words) + len(word) > 79:
            _line(label, "   ".join(words))
            label, words = "", []
        words.append(word)
    _line(label, "   ".join(words))


def _ledger(ledger: Mapping[str, Any]) -> None:
    _line("ledger", f"{plain(ledger.get('origin'))}, {count(ledger.get('size'))} entries")
    if ledger.get("root"):
        _line("root", plain(ledger["root"]))
    if ledger.get("checkpoint_size"):
        _line(
            "",
            f"signed up to {count(ledger['checkpoint_size'])} at "
            f"{moment(ledger.get('checkpoint_at'))} UTC",
        )
    else:
        _line("", "not signed yet")


def _anchors(anchors: Mapping[str, Any], failing: list[Mapping[str, Any]]) -> None:
    """Up to where somebody outside vouches for the ledger, and who fails to: on a terminal one."""
    if anchors.get("size"):
        ago = _span(anchors.get("age_s"))
        _line("anchors", f"up to {count(anchors['size'])} entries, {ago} ago")
    else:
        _line(
            "anchors",
            "none yet" if anchors.get("sources") else "none: no [[timestamp]], no [[witness]]",
        )
    for source in failing[:1] if sys.stdout.isatty() else failing:
        when = f" (again {moment(source.get('next_try_at'))[-8:]})"
        said = f"{plain(source.get('name'))}: {plain(source.get('last_error'))}"
        _line("", click.style(_shorter(said, 79 - _LABEL - len(when)), fg="yellow") + when)


def _span(seconds: object) -> str:
    """A length of time, in its largest fitting unit."""
    if not isinstance(seconds, int):
        return "-"
    for unit, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {word}"
    return f"{seconds} s"


def _shorter(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _cut(text: str) -> str:
    return _shorter(text, 80)


def _line(label: str, value: str) -> None:
    click.echo(f"{label:<{_LABEL}} {value}")

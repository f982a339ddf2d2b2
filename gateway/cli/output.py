"""What commands print: JSON for programs, aligned text for people, talk to stderr.

Nothing that came from outside reaches a terminal raw: control characters are shown, not obeyed.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING

import click

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gateway.errors import AcuseError

GAP = "  "
#: Rows whose widths decide the columns of a list; the rest follows as it comes.
_FIRST_ROWS = 100

STATE_COLOURS = {
    "delivered": "green",
    "delivered_to_operator": "green",
    "undelivered": "red",
    "expired": "red",
    "rejected": "red",
    "refused": "red",
    "unknown": "yellow",
    "unconfirmed": "yellow",
}


def print_json(value: object) -> None:
    """One object on one line of stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def say(text: str) -> None:
    """Talk: a line on stderr."""
    click.echo(text, err=True)


def note(text: str) -> None:
    """Talk that tells the person something they should know about the answer."""
    say(f"acuse: note: {text}")


def warn(message: str, hint: str) -> None:
    """Talk about something that works and is probably not meant."""
    say(f"acuse: warning: {message}")
    if hint:
        say(f"acuse: hint: {hint}")


def error_object(error: AcuseError) -> dict[str, object]:
    """The `error` object of the contract; a configuration's problems are in its fields."""
    told = error.as_dict()
    if isinstance(error, ConfigError) and error.problems:
        problems = [
            {**problem.fields, "message": problem.message, "hint": problem.hint}
            for problem in error.problems
        ]
        told["fields"] = {**error.fields, "problems": problems}
    return told


def print_error(error: AcuseError) -> None:
    """`acuse: error: …` and, where there is one, `acuse: hint: …` on stderr."""
    say(f"acuse: error: {plain(error.message)}")
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        for problem in error.problems:
            line = problem.fields.get("line")
            place = f"line {line}: " if line else ""
            say(f"  {place}{problem.fields.get('setting')}: {plain(problem.message)}")
            if problem.hint:
                say(f"    hint: {plain(problem.hint)}")
    elif error.fields.get("line") and isinstance(error, ConfigError) and error.problems:
        say(f"  at line {error.fields['line']}")
    if error.hint:
        say(f"acuse: hint: {plain(error.hint)}")


def plain(value: object) -> str:
    """*value* as one line that a terminal only shows: control and bidi characters as `\\x..`."""
    text = "" if value is None else str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char == "\n":
        return "⏎"
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"
    return char


def coloured(state: object) -> str:
    """A state word in the colour of its meaning; click drops the colour where nobody sees it."""
    word = plain(state)
    return click.style(word, fg=STATE_COLOURS.get(word))


def coloured_cell(cell: str) -> str:
    """A state in its column, in the colour of its meaning."""
    word = cell.rstrip()
    return coloured(word) + " " * (len(cell) - len(word))


def moment(text: object) -> str:
    """`2026-11-28T20:59:59Z` as people read it; the heading says that it is UTC."""
    return plain(text).removesuffix("Z").replace("T", " ") if text else "-"


def count(number: object) -> str:
    """A number with its thousands apart."""
    return f"{number:,}" if isinstance(number, int) else plain(number)


def width_of_terminal() -> int | None:
    """Columns of the terminal on stdout; None where there is none and nothing need be cut."""
    if not sys.stdout.isatty():
        return None
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def width_of(text: str) -> int:
    """Terminal cells of *text*: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def filled(text: str, width: int) -> str:
    """*text* in at least *width* cells."""
    return text + " " * (width - width_of(text))


def padded(text: str, width: int) -> str:
    """*text* in exactly *width* cells: filled with spaces, or cut and marked with `…`."""
    if width_of(text) <= width:
        return filled(text, width)
    while width_of(text) > width - 1:
        text = text[:-1]
    return filled(f"{text}…", width)


class Column:
    """One column of a table.

    *show* gives the cell of a row. *shorter* are other forms for a narrow terminal, each shorter
    than the last, under the heading *brief*. A column that *may_go* is left out where even those do
    not fit; one that may not is never cut, so that what is copied from it is whole.
    """

    def __init__(
        self,
        heading: str,
        show: Callable[[Mapping[str, object]], str],
        *,
        shorter: Sequence[Callable[[str], str]] = (),
        brief: str = "",
        may_go: bool = False,
        paint: Callable[[str], str] | None = None,
    ) -> None:
        self.heading = heading
        self.brief = brief or heading
        self.forms = [show, *(_shortened(show, shorten) for shorten in shorter)]
        self.may_go = may_go
        self.paint = paint


def _shortened(
    show: Callable[[Mapping[str, object]], str], shorten: Callable[[str], str]
) -> Callable[[Mapping[str, object]], str]:
    return lambda row: shorten(show(row))


def field(name: str) -> Callable[[Mapping[str, object]], str]:
    """The cell of a plain field."""
    return lambda row: plain(row.get(name)) or "-"


def instant(name: str) -> Callable[[Mapping[str, object]], str]:
    """The cell of a time."""
    return lambda row: moment(row.get(name))


#: Shorter forms of a time: without year, without seconds, the clock alone.
SHORTER_TIMES: tuple[Callable[[str], str], ...] = (
    lambda text: text[5:],
    lambda text: text[5:16],
    lambda text: text[11:16],
)


def print_table(columns: Sequence[Column], rows: Iterable[Mapping[str, object]]) -> int:
    """Prints rows as they come, aligned by the first hundred; returns how many there were."""
    source = iter(rows)
    first = list(itertools.islice(source, _FIRST_ROWS))
    if not first:
        return 0
    chosen = _fitting(columns, first)
    headings = [
        filled(column.heading if width_of(column.heading) <= width else column.brief, width)
        for column, _, width in chosen
    ]
    click.secho(GAP.join(headings).rstrip(), dim=True)
    cuttable = width_of_terminal() is not None
    total = 0
    for row in itertools.chain(first, source):
        cells = []
        for column, show, width in chosen:
            text = show(row)
            cell = padded(text, width) if cuttable and column.may_go else filled(text, width)
            cells.append(column.paint(cell) if column.paint else cell)
        click.echo(GAP.join(cells).rstrip())
        total += 1
    return total


def _fitting(
    columns: Sequence[Column], rows: Sequence[Mapping[str, object]]
) -> list[tuple[Column, Callable[[Mapping[str, object]], str], int]]:
    """The columns to print, each with the form and the width that fit the terminal.

    Those that may go are taken in their order, each in its longest form that still fits.
    """
    room = width_of_terminal()
    chosen: dict[Column, tuple[Callable[[Mapping[str, object]], str], int]] = {}
    for column in sorted(columns, key=lambda column: column.may_go):
        for number, form in enumerate(column.forms):
            heading = column.heading if number == 0 else column.brief
            width = max(width_of(heading), *(width_of(form(row)) for row in rows))
            taken = sum(other + len(GAP) for _, other in chosen.values())
            if not column.may_go or room is None or taken + width <= room:
                chosen[column] = form, width
                break
    return [(column, *chosen[column]) for column in columns if column in chosen]


def prefer_utf8() -> None:
    """JSON and texts are UTF-8 whatever the locale says; what cannot be encoded is escaped."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def abandon_stdout() -> None:
    """Nobody reads any more: what is still buffered goes nowhere, without a second complaint."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())

"""Submissions from a file: CSV with a header, or JSONL, a line at a time in flat memory.

A line that cannot be one is a `Broken` with its number and reason; the lines around it go through.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from gateway.cli.lines import Bad, Lines, decoded
from gateway.daemon.arguments import ARGUMENTS, BY_NAME, KEYS
from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUIRED = tuple(argument.name for argument in ARGUMENTS if argument.required)
#: A quoted CSV field may have line breaks, but one that spans more than this was never closed.
MAX_RECORD_LINES = 200
_UNCLOSED = "a quote is opened and never closed"


@dataclass(frozen=True, slots=True)
class Row:
    """One submission: the 1-based number of its first line, and the arguments of `submit`."""

    line: int
    args: dict[str, object]


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is no submission, and why."""

    line: int
    reason: str
    field: str | None = None


def read_rows(
    file: IO[bytes], name: str, *, progress: Callable[[int], object] = lambda _: None
) -> Iterator[Row | Broken]:
    """The submissions in *file*, whose *name* tells CSV from JSONL (else its first character does).

    *progress* is called with the bytes read so far.

    Raises:
        DataError: no line can be read: the file is empty, or its header is wrong.
    """
    lines = Lines(file, progress)
    first = lines.peek()
    if first is None:
        raise DataError(f"{name} is empty", hint="a CSV begins with a header line", file=name)
    if name.endswith((".jsonl", ".ndjson")) or (
        not name.endswith(".csv") and first.lstrip().startswith(b"{")
    ):
        yield from _read_jsonl(lines)
    else:
        yield from _read_csv(lines, name)


# -- JSONL -----------------------------------------------------------------------------------------


def _read_jsonl(lines: Lines) -> Iterator[Row | Broken]:
    while (taken := lines.take()) is not None:
        number, line = taken
        if not line.strip():
            continue
        try:
            yield Row(number, _checked(_object(decoded(line))))
        except Bad as bad:
            yield Broken(number, bad.reason, bad.field)


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise Bad(f"not JSON: {error.msg} (column {error.colno})") from None
    except (RecursionError, ValueError):
        raise Bad("not JSON: nested too deeply, or a number too long") from None
    if not isinstance(value, dict):
        raise Bad("not a JSON object")
    return value


def _checked(value: dict[str, object]) -> dict[str, object]:
    args: dict[str, object] = {}
    for key, item in value.items():
        if key not in KEYS:
            raise Bad(f"{key!r} is not a key; {_nearest(key)}", key)
        if item is None:
            continue
        kind = BY_NAME[key].kind
        if not kind.takes(item):
            raise Bad(f"{key}: must be {kind.words}", key)
        args[key] = item
    return _complete(args)


def _complete(args: dict[str, object]) -> dict[str, object]:
    for key in REQUIRED:
        if not args.get(key):
            raise Bad(f"{key}: is missing", key)
    return args


def _nearest(name: str) -> str:
    from gateway.settings.reading import nearest_hint

    return nearest_hint(name.strip().lower().replace("-", "_").replace(" ", "_"), KEYS)


# -- CSV -------------------------------------------------------------------------------------------


def _read_csv(lines: Lines, name: str) -> Iterator[Row | Broken]:
    header = _header(lines, name)
    while (record := read_record(lines)) is not None:
        if isinstance(record, Broken):
            yield record
            continue
        number, cells = record
        if not any(cells):
            continue
        try:
            yield Row(number, _from_cells(header, cells))
        except Bad as bad:
            yield Broken(number, bad.reason, bad.field)


def _header(lines: Lines, name: str) -> list[str]:
    record = read_record(lines)
    if isinstance(record, Broken):
        raise DataError(
            f"{name}: the header is broken: {record.reason}",
            hint=f"the first line names the columns: {','.join(KEYS)}",
            file=name,
            line=record.line,
        )
    if record is None:
        raise DataError(f"{name} is empty", hint="a CSV begins with a header line", file=name)
    columns = [cell.strip() for cell in record[1]]
    for column in columns:
        if column in KEYS:
            continue
        separator = next((char for char in ";\t|" if char in column), None)
        raise DataError(
            f"{name}: {column!r} is not a column",
            hint="separate the columns with commas" if separator else _nearest(column),
            file=name,
            line=record[0],
            field=column[:40],
        )
    for key in REQUIRED:
        if columns.count(key) == 0:
            raise DataError(
                f"{name} has no column {key!r}",
                hint=f"the columns are {','.join(KEYS)}; {' and '.join(REQUIRED)} are needed",
                file=name,
                line=record[0],
                field=key,
            )
    if len(set(columns)) < len(columns):
        raise DataError(
            f"{name}: a column stands there twice", hint="each only once", file=name, line=record[0]
        )
    return columns


def read_record(lines: Lines, separator: str = ",") -> tuple[int, list[str]] | Broken | None:
    """The next CSV record: the number of its first line, and its cells.

    A quote that is opened and never closed would swallow everything after it. So a record that
    turns out not to be one breaks its first line only, and reading goes on at the second.
    """
    first = lines.take()
    if first is None:
        return None
    taken = [first]
    text = ""
    reason = ""
    while True:
        try:
            text += decoded(taken[-1][1])
        except Bad as bad:
            reason = bad.reason
            break
        try:
            return first[0], next(csv.reader([text], strict=True, delimiter=separator), [])
        except csv.Error as error:
            reason = _csv_reason(str(error))
        if reason != _UNCLOSED:
            break
        following = lines.take() if len(taken) < MAX_RECORD_LINES else None
        if following is None:
            break
        taken.append(following)
    lines.give_back(taken[1:])
    return Broken(first[0], reason)


def _csv_reason(message: str) -> str:
    """The csv module's message in words that name what to mend in the file."""
    for part, words in (
        ("unexpected end of data", _UNCLOSED),
        ("expected after", "a quoted field goes on after its closing quote; double quotes inside"),
        ("new-line character", "a carriage return stands alone; end lines with a line feed"),
    ):
        if part in message:
            return words
    return message


def _from_cells(header: list[str], cells: list[str]) -> dict[str, object]:
    if len(cells) != len(header):
        raise Bad(f"{len(cells)} columns where the header has {len(header)}")
    args: dict[str, object] = {}
    for key, cell in zip(header, cells, strict=True):
        if not cell:
            continue
        try:
            args[key] = BY_NAME[key].from_text(cell)
        except DataError as error:
            raise Bad(error.message, key) from None
    return _complete(args)

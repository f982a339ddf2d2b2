"""Exports of lists as CSV that an import reads back, streamed, whole or not at all."""

from __future__ import annotations

import csv
import io
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from gateway.cli.command import whole_file
from gateway.cli.output import count, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gateway.cli.command import Run


def export(
    run: Run,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, object]],
    path: Path | None,
    what: str,
) -> int:
    """Writes *rows* to *path* (None: stdout), with --json one object a line; the exit code.

    Raises:
        StorageError: the file cannot be written.
    """
    total = 0
    if run.as_json and path is None:
        for row in rows:
            print_json(row)
        return 0
    with _target(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([row.get(column) or "" for column in columns])
            total += 1
    if path is not None:
        say(f"{count(total)} {what} written to {path}")
        if run.as_json:
            print_json({"file": str(path), "rows": total})
    return 0


@contextmanager
def _target(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    # Whole numbers of people stand in it: for its owner only.
    with whole_file(path, 0o600) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
        yield text

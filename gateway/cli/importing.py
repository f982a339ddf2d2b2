"""Imports of long lists: chunk by chunk, each durable, with a bar on a terminal.

Broken lines are told with number, field and reason, the good ones are taken. An import that is cut
off leaves whole chunks; run again, it skips what is known.
"""

from __future__ import annotations

import csv
import json
import os
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, Final, cast

from gateway.cli.batch import opened, progress_bar
from gateway.cli.output import count, plain, print_json, say
from gateway.cli.table import ABOUT, Cells, Table
from gateway.errors import AcuseError, DaemonUnreachable, DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from gateway.cli.client import Client
    from gateway.cli.rows import Broken

#: Rows and bytes of one chunk at most, and chunks on the way: what the daemon takes in one breath.
_CHUNK_ROWS: Final = 1000
_CHUNK_BYTES: Final = 512 * 1024
_OUTSTANDING: Final = 2
#: Broken lines told on stderr, and in the JSON result.
_TOLD_MOST: Final = 20
_ERRORS_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """What is imported: the admin command that takes a chunk, and the columns of the file."""

    command: str
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    args: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Imported:
    """What became of a file."""

    lines: int = 0
    added: int = 0
    known: int = 0
    rejected: int = 0
    sha256: str = ""
    errors: list[dict[str, object]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The JSON result."""
        return {
            "lines": self.lines,
            "added": self.added,
            "known": self.known,
            "rejected": self.rejected,
            "errors": self.errors,
        }


def import_file(
    client: Client, name: str, kind: Kind, *, rejects: Path | None, dry_run: bool
) -> Imported:
    """Imports every good line of the file *name* (`-`: stdin).

    Raises:
        DataError: the file is no such table.
        StorageError: *rejects* cannot be written.
        AcuseError: the daemon took a chunk not, or is gone; the chunks before it are taken.
    """
    with ExitStack() as stack:
        file = stack.enter_context(opened(name))
        progress = stack.enter_context(progress_bar(name, file, "importing"))
        hashed = _Hashed(file)
        shown = "stdin" if name == "-" else name
        table = Table(cast("IO[bytes]", hashed), shown, kind.columns, kind.needed, progress)
        reject = stack.enter_context(_rejects(rejects, table.columns))
        one = _Import(shown, table, kind, reject, dry_run=dry_run)
        try:
            for result in client.pipeline(one.requests(), outstanding=_OUTSTANDING):
                one.take(result)
        except KeyboardInterrupt:
            one.tell_interrupted()
            raise
        except DaemonUnreachable as error:
            raise DaemonUnreachable(
                f"{error.message}; up to line {one.done_line} every line is taken",
                hint="import the file again: what is known is skipped",
                line=one.done_line,
            ) from None
        one.result.sha256 = hashed.digest.hexdigest()
        return one.result


def conclude(
    as_json: bool, name: str, result: Imported, extra: Mapping[str, object], *, dry_run: bool
) -> int:
    """Prints the result; returns the exit code: 65 if a line was broken."""
    if result.rejected > _TOLD_MOST:
        say(f"acuse: … and {count(result.rejected - _TOLD_MOST)} more broken lines")
    if as_json:
        print_json({"file": name, **result.as_dict(), **extra, "dry_run": dry_run})
    else:
        would = "would be added" if dry_run else "added"
        print(
            f"{count(result.lines)} lines: {count(result.added)} {would},"
            f" {count(result.known)} known already, {count(result.rejected)} broken"
        )
    return DataError.exit_code if result.rejected else 0


class _Hashed:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = sha256()

    def readline(self, most: int) -> bytes:
        """The next line, or its beginning."""
        line = self._file.readline(most)
        self.digest.update(line)
        return line


class _Import:
    """The chunks on the way, and what has become of those that came back."""

    def __init__(
        self,
        name: str,
        table: Table,
        kind: Kind,
        reject: Callable[[int, Mapping[str, str], str, str], None],
        *,
        dry_run: bool,
    ) -> None:
        self.result = Imported()
        self.done_line = 0
        self._name = name
        self._table = table
        self._kind = kind
        self._reject = reject
        self._args = {**kind.args, **({"dry_run": True} if dry_run else {})}
        self._waiting: deque[list[Cells]] = deque()

    def requests(self) -> Iterator[tuple[str, dict[str, object]]]:
        """A request for each chunk of good lines."""
        chunk: list[Cells] = []
        size = 0
        for row in self._table.rows():
            self.result.lines += 1
            if not isinstance(row, Cells):
                self._tell_broken(row)
                continue
            row_bytes = len(json.dumps(row.values))
            if len(chunk) == _CHUNK_ROWS or (chunk and size + row_bytes > _CHUNK_BYTES):
                yield self._request(chunk)
                chunk, size = [], 0
            chunk.append(row)
            size += row_bytes
        if chunk:
            yield self._request(chunk)

    def take(self, result: dict[str, Any] | AcuseError) -> None:
        """The answer to the oldest chunk that waits for one."""
        rows = self._waiting.popleft()
        if isinstance(result, AcuseError):
            raise result
        self.result.added += result["added"]
        self.result.known += result["known"]
        for each in result["rejected"]:
            row = rows[each["row"]]
            self._tell(row.line, row.values, each["field"] or "", each["reason"])
        self.done_line = rows[-1].line

    def tell_interrupted(self) -> None:
        """Say how far it came."""
        say(
            f"acuse: interrupted: up to line {self.done_line} every line is taken; import the file"
            " again, what is known is skipped"
        )

    def _request(self, chunk: list[Cells]) -> tuple[str, dict[str, object]]:
        self._waiting.append(chunk)
        return self._kind.command, {**self._args, "rows": [row.values for row in chunk]}

    def _tell_broken(self, row: Broken) -> None:
        self._tell(row.line, {}, row.field or "", row.reason)

    def _tell(self, line: int, values: Mapping[str, str], field_: str, reason: str) -> None:
        self.result.rejected += 1
        if self.result.rejected <= _TOLD_MOST:
            say(f"acuse: error: {plain(self._name)} line {line}: {plain(reason)}")
        if self.result.rejected <= _ERRORS_MOST:
            self.result.errors.append({"line": line, "field": field_ or None, "reason": reason})
        self._reject(line, values, field_, reason)


@contextmanager
def _rejects(
    path: Path | None, columns: list[str]
) -> Iterator[Callable[[int, Mapping[str, str], str, str], None]]:
    """Where broken lines go: a CSV with the file's columns and what is wrong with each line."""
    if path is None:
        yield lambda *_: None
        return
    names = [name for name in columns if name not in ABOUT]
    try:
        # Whole numbers of people stand in it: for its owner only.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}",
            hint="name another file with --rejects",
            file=str(path),
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, *ABOUT])
        yield lambda line, values, field_, reason: writer.writerow(
            [*(values.get(name, "") for name in names), line, field_, reason]
        )

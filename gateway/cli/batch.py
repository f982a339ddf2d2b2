"""`acuse submit --batch`: a file of submissions, pipelined, with results in the file's order."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter, deque
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gateway.cli.output import (
    Column,
    coloured_cell,
    count,
    field,
    plain,
    print_json,
    print_table,
    say,
)
from gateway.cli.rows import Broken, read_rows
from gateway.errors import (
    AcuseError,
    AnswerIsNo,
    ConfigError,
    DaemonUnreachable,
    DataError,
    TryAgain,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from gateway.cli.client import Object
    from gateway.cli.command import Run

#: Errors of one line (of the configuration: no route leads to this one); any other would be the
#: same for every line, and ends the batch.
_OF_ONE_LINE = (DataError, UsageError, AnswerIsNo, TryAgain, ConfigError)


def submit_batch(run: Run, name: str) -> int:
    """Submits every line of the file *name*; returns the exit code.

    65 if a line could not be submitted, else 75 if some must be tried again, else 1 if policy
    refused some, else 0.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(opened(name))
        client = stack.enter_context(run.client())
        progress = stack.enter_context(progress_bar(name, file, "submitting"))
        batch = _Batch(run, "stdin" if name == "-" else name)
        try:
            for result in client.pipeline(batch.requests(file, progress)):
                batch.take(result)
        except DaemonUnreachable as error:
            raise batch.interrupted(error) from None
    return batch.conclude()


class _Batch:
    """The lines on the way, and what has become of those that came back."""

    def __init__(self, run: Run, name: str) -> None:
        self._run = run
        self._name = name
        self._waiting: deque[int] = deque()
        #: By state and, of what is held or refused, the reason.
        self._states: Counter[tuple[str, str]] = Counter()
        self._failed: Counter[int] = Counter()
        self._answered_line = 0

    def requests(
        self, file: IO[bytes], progress: Callable[[int], object]
    ) -> Iterator[tuple[str, dict[str, object]] | AcuseError]:
        """What to send for each good line, and the error of each broken one."""
        for row in read_rows(file, self._name, progress=progress):
            self._waiting.append(row.line)
            if isinstance(row, Broken):
                fields = {"field": row.field} if row.field else {}
                yield DataError(row.reason, **fields)
            else:
                yield "submit", row.args

    def take(self, result: Object | AcuseError) -> None:
        """The answer to the oldest line that waits for one."""
        line = self._answered_line = self._waiting.popleft()
        if isinstance(result, AcuseError):
            if not isinstance(result, _OF_ONE_LINE):
                raise result
            self._tell_error(line, result)
        else:
            decision = result.get("decision")
            reason = decision.get("reason") if isinstance(decision, dict) else None
            self._states[str(result.get("state")), plain(reason)] += 1
            if self._run.as_json:
                print_json(result)

    def _tell_error(self, line: int, error: AcuseError) -> None:
        self._failed[error.exit_code] += 1
        say(f"acuse: error: {plain(self._name)} line {line}: {plain(error.message)}")
        if self._run.as_json:
            print_json({"line": line, "error": error.as_dict()})

    def interrupted(self, error: DaemonUnreachable) -> DaemonUnreachable:
        """The daemon went away in the middle: what is known about which lines."""
        return DaemonUnreachable(
            f"{error.message}; up to line {self._answered_line} every line is answered, from there"
            " on a line may or may not have been taken",
            hint="lines with a ref can safely be submitted again: the same ref is taken once",
            answered_to_line=self._answered_line,
        )

    def conclude(self) -> int:
        """Prints the sum for people; returns the exit code."""
        taken = sum(self._states.values())
        failed = sum(self._failed.values())
        if not self._run.as_json:
            columns = [
                Column("state", lambda row: plain(row["state"]), paint=coloured_cell),
                Column("messages", lambda row: count(row["n"])),
            ]
            if any(reason for _, reason in self._states):
                columns.append(Column("because of", field("reason")))
            print_table(
                columns,
                [
                    {"state": state, "reason": reason, "n": n}
                    for (state, reason), n in self._states.most_common()
                ],
            )
        say(f"{count(taken + failed)} lines: {count(taken)} answered, {count(failed)} failed")
        if self._failed:
            return (
                TryAgain.exit_code
                if set(self._failed) == {TryAgain.exit_code}
                else DataError.exit_code
            )
        refused = any(state == "refused" for state, _ in self._states)
        return AnswerIsNo.exit_code if refused else 0


def opened(name: str) -> AbstractContextManager[IO[bytes]]:
    """The file of that name, or stdin for `-`.

    Raises:
        DataError: it cannot be read.
    """
    if name == "-":
        return contextlib.nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise DataError(
            f"{name} cannot be read: {error.strerror}",
            hint="name a file, or - for stdin",
            file=name,
        ) from None


@contextlib.contextmanager
def progress_bar(name: str, file: IO[bytes], doing: str) -> Iterator[Callable[[int], object]]:
    """A bar on stderr, by bytes read so that no line need be counted first; none in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    size = os.fstat(file.fileno()).st_size if name != "-" else None
    with Progress(
        TextColumn(doing),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=size)
        yield lambda done: bar.update(task, completed=done)

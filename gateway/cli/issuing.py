"""Certificates by the hundred: fetched one after the other, set and sealed by several processes."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
import sys
from collections import Counter, deque
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.cli.command import write_file
from gateway.cli.output import count, note, plain, print_json, say
from gateway.errors import AnswerIsNo, DaemonUnreachable, DataError, StorageError, TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.certificate.seal import Sealer
    from gateway.cli.certificate import Order
    from gateway.cli.client import Client
    from gateway.errors import AcuseError
    from gateway.settings import Seal, Timestamp

#: More than cores: a good part of the time goes into waiting for the TSA.
_PROCESSES = 4
#: Certificates fetched and not yet written; bounds the memory.
_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Recipe:
    """What it takes to make the PDF of a bundle, in this process or in another."""

    language: str
    #: Seal and TSAs; None: it stays unsealed.
    sealed_with: tuple[Seal, tuple[Timestamp, ...]] | None

    @classmethod
    def of(cls, order: Order) -> Recipe:
        """That of an order."""
        settings = order.settings
        with_seal = None if order.unsealed else (settings.seal, settings.timestamp)
        return cls(order.language, with_seal)

    @contextlib.contextmanager
    def maker(self) -> Iterator[Callable[[bytes], bytes]]:
        """What makes PDFs.

        Raises:
            ConfigError, NotPermitted, StorageError: the seal or the TSA is not as it must be.
        """
        from gateway.certificate import page

        if self.sealed_with is None:
            yield lambda bundle: page.render(bundle, self.language)
            return
        from gateway.certificate.seal import Sealer

        sealer: Sealer
        with Sealer(*self.sealed_with) as sealer:
            yield lambda bundle: sealer.seal(page.render(bundle, self.language))


class _Worker:
    """This process as one that makes certificates; closed by its end."""

    make: Callable[[bytes], bytes]
    #: Holds the seal open.
    stack = contextlib.ExitStack()

    @classmethod
    def start(cls, recipe: Recipe) -> None:
        # Ctrl-C reaches the parent too, which ends its workers in order.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        cls.make = cls.stack.enter_context(recipe.maker())

    @classmethod
    def work(cls, path: Path, bundle: bytes) -> int:
        """Makes one, writes it, and tells its size in bytes."""
        pdf = cls.make(bundle)
        write_file(path, pdf)
        return len(pdf)


def issue_all(order: Order, filters: dict[str, object], directory: Path, *, force: bool) -> int:
    """Certificates of all closed messages that match, into *directory*; returns the exit code.

    0 all are there; 65 some could not be made, 75 stopped before the end: the daemon or every TSA
    went away. What was written stays, and the next run goes on from there.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{directory} cannot be made: {error.strerror}",
            hint="name another directory with -o",
            dir=str(directory),
        ) from None
    with Recipe.of(order).maker(), order.run.client() as client:  # before there is anything to undo
        batch = _Batch(order, client, directory)
        return batch.run(_closed(client, filters, batch.tally), force=force)


def _closed(
    client: Client, filters: dict[str, object], tally: Counter[str]
) -> list[tuple[str, int]]:
    """(submission_id, seq of its newest entry) of the closed messages that match, oldest first.

    Read to the end before anything is made: the daemon drops who reads slowly.
    """
    found = []
    for record in client.stream("receipts.list", filters):
        if record["seal"] is None:
            tally["open"] += 1
            continue
        found.append((str(record["submission_id"]), int(record["events"][-1]["seq"])))
    found.reverse()
    return found


class _Batch:
    """What is on its way, and what has become of the rest."""

    def __init__(self, order: Order, client: Client, directory: Path) -> None:
        self._order = order
        self._client = client
        self._directory = directory
        self._waiting: deque[tuple[str, Path, Future[int]]] = deque()
        self.tally: Counter[str] = Counter()

    def run(self, wanted: list[tuple[str, int]], *, force: bool) -> int:
        """Makes them, in order."""
        stopped: AcuseError | None = None
        pool = ProcessPoolExecutor(
            _PROCESSES,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_Worker.start,
            initargs=(Recipe.of(self._order),),
        )
        with pool, _progress(len(wanted)) as advance:
            try:
                for submission_id, seq in wanted:
                    if not force and self._path(submission_id, seq).exists():
                        self.tally["there"] += 1
                    else:
                        self._start(pool, submission_id)
                    self._finish(_AHEAD)
                    advance()
                self._finish(0)
            except (DaemonUnreachable, TryAgain) as error:
                stopped = error
                pool.shutdown(cancel_futures=True)
        return self._conclude(stopped)

    def _start(self, pool: ProcessPoolExecutor, submission_id: str) -> None:
        try:
            bundle = self._order.bundle(self._client, submission_id)
        except (DataError, AnswerIsNo) as error:
            self._failed(submission_id, error)
            return
        last = json.loads(bundle)["entries"][-1]["entry"]
        path = self._path(submission_id, int(json.loads(last)["seq"]))
        self._waiting.append((submission_id, path, pool.submit(_Worker.work, path, bundle)))

    def _finish(self, most: int) -> None:
        """Take what is ready, and wait until no more than *most* are on their way."""
        while self._waiting and (len(self._waiting) > most or self._waiting[0][2].done()):
            submission_id, path, future = self._waiting.popleft()
            try:
                size_bytes = future.result()
            except DataError as error:
                self._failed(submission_id, error)
                continue
            self.tally["written"] += 1
            if self._order.run.as_json:
                print_json(self._order.made(submission_id, path, size_bytes))

    def _failed(self, submission_id: str, error: AcuseError) -> None:
        self.tally["failed"] += 1
        say(f"acuse: error: {submission_id}: {plain(error.message)}")
        if self._order.run.as_json:
            print_json({"submission_id": submission_id, "error": error.as_dict()})

    def _path(self, submission_id: str, seq: int) -> Path:
        order = self._order
        parts = [submission_id, str(seq), order.language]
        parts += [f"without-{'-'.join(order.redact)}"] if order.redact else []
        parts += ["unsealed"] if order.unsealed else []
        return self._directory / f"{'.'.join(parts)}.pdf"

    def _conclude(self, stopped: AcuseError | None) -> int:
        tally = self.tally
        said = f"{count(tally['written'])} written to {self._directory}"
        said += f", {count(tally['there'])} were there" if tally["there"] else ""
        said += f", {count(tally['failed'])} failed" if tally["failed"] else ""
        say(said)
        if tally["open"]:
            note(f"{count(tally['open'])} that match are still open; each can be issued by its ID")
        if stopped is not None:
            raise type(stopped)(
                f"{stopped.message}; stopped before the end",
                hint="run the same command again: it goes on from here",
            )
        return DataError.exit_code if tally["failed"] else 0


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], object]]:
    """A bar on stderr; none in a pipe."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("issuing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)

"""Certificates by the hundred: fetched one after the other, set and sealed by a few threads."""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
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

#: Most of their time goes into waiting for the TSA. A hardware module takes one login at a time.
_THREADS = 4
#: Certificates fetched and not yet written; bounds the memory.
_AHEAD = 16


@contextlib.contextmanager
def maker(order: Order) -> Iterator[Callable[[bytes], bytes]]:
    """What makes the PDF of a bundle, sealed unless the order says otherwise; any thread may call
    it, each has a sealer of its own.

    Raises:
        ConfigError, NotPermitted, StorageError: the seal or the TSA is not as it must be.
    """
    from gateway.certificate import page

    if order.unsealed:
        yield lambda bundle: page.render(bundle, order.language)
        return
    from gateway.certificate.seal import Sealer

    settings, local = order.settings, threading.local()
    spare: queue.SimpleQueue[Sealer] = queue.SimpleQueue()
    with ExitStack() as stack:
        for _ in range(threads(order)):
            sealer = Sealer(settings.seal, settings.timestamp)
            spare.put(stack.enter_context(sealer))

        def make(bundle: bytes) -> bytes:
            if not hasattr(local, "sealer"):
                local.sealer = spare.get_nowait()
            sealed: bytes = local.sealer.seal(page.render(bundle, order.language))
            return sealed

        yield make


def threads(order: Order) -> int:
    """How many seal at once."""
    return 1 if order.settings.seal.pkcs11 is not None else _THREADS


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
    with maker(order) as make, order.run.client() as client:
        batch = _Batch(order, client, directory, make)
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

    def __init__(
        self, order: Order, client: Client, directory: Path, make: Callable[[bytes], bytes]
    ) -> None:
        self._order = order
        self._client = client
        self._directory = directory
        self._make = make
        self._waiting: deque[tuple[str, Future[dict[str, object]]]] = deque()
        self.tally: Counter[str] = Counter()

    def run(self, wanted: list[tuple[str, int]], *, force: bool) -> int:
        """Makes them, in order."""
        stopped: AcuseError | None = None
        with ThreadPoolExecutor(threads(self._order)) as pool, _progress(len(wanted)) as advance:
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

    def _start(self, pool: ThreadPoolExecutor, submission_id: str) -> None:
        try:
            bundle = self._order.bundle(self._client, submission_id)
        except (DataError, AnswerIsNo) as error:
            self._failed(submission_id, error)
            return
        self._waiting.append((submission_id, pool.submit(self._write, submission_id, bundle)))

    def _write(self, submission_id: str, bundle: bytes) -> dict[str, object]:
        """Makes one and writes it (in a thread)."""
        entries = json.loads(bundle)["entries"]
        path = self._path(submission_id, int(json.loads(entries[-1]["entry"])["seq"]))
        pdf = self._make(bundle)
        write_file(path, pdf)
        return {
            "submission_id": submission_id,
            "file": str(path),
            "bytes": len(pdf),
            "language": self._order.language,
            "sealed": not self._order.unsealed,
        }

    def _finish(self, most: int) -> None:
        """Take what is ready, and wait until no more than *most* are on their way."""
        while self._waiting and (len(self._waiting) > most or self._waiting[0][1].done()):
            submission_id, future = self._waiting.popleft()
            try:
                made = future.result()
            except DataError as error:
                self._failed(submission_id, error)
                continue
            self.tally["written"] += 1
            if self._order.run.as_json:
                print_json(made)

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

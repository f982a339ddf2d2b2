"""A long ledger examined by as many processes as there are processors.

Each takes the next stretch of the file; what it returns is small. A process that dies costs time
and nothing else: what was not examined is read by the one that waits for it.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Final

from gateway.cli.ledgerfile import LedgerFile
from gateway.ledger.stretch import STRETCH_ENTRIES, Part, examine

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

#: A ledger of fewer entries is read before the first process would have begun.
_WORTH_IT: Final = 4 * STRETCH_ENTRIES
#: More processes would wait for the one that joins what they find.
_PROCESSES_MOST: Final = 8


def examined(
    path: Path, size: int, *, step: int = STRETCH_ENTRIES, processes: int | None = None
) -> Generator[Part | None]:
    """The parts of the first *size* entries of a ledger file, in order; nothing if it is short.

    Close the iterator if it is left early: that ends the processes.
    """
    count = processes or min(len(os.sched_getaffinity(0)), _PROCESSES_MOST)
    if processes is None and (size < _WORTH_IT or count < 2):
        return
    # Spawned, not forked: SQLite does not survive a fork with the file open.
    spawn = multiprocessing.get_context("spawn")
    waiting: deque[Future[Part | None]] = deque()
    starts = iter(range(0, size, step))
    pool = ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin, initargs=(path,))
    try:
        for start in starts:
            waiting.append(pool.submit(_examine, start, min(start + step, size)))
            if len(waiting) > 2 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)


_source: LedgerFile


def _begin(path: Path) -> None:
    """In the new process: open the file."""
    global _source
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that waits says what ends
    gc.disable()  # nothing made here refers to itself, and there is much of it
    _source = LedgerFile(path)


def _examine(start: int, stop: int) -> Part | None:
    return examine(_source, start, stop)

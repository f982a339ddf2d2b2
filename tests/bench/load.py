"""One measurement: a simulator and a daemon in processes of their own, and a submitter in this one.

Counted is what is certified: submitted, accepted, its receipt sealed, durable and acknowledged. The
simulator ends when the last receipt is acknowledged, which happens after the commit that made it
durable; the clock runs from the first byte of the first submission to that end.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.esme import Esme
from tests.support.process import Simulator, Site, short_directory
from tests.support.ruled import command as ruled
from tests.support.spent import three_a_day

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Longest wait for the end of one run.
PATIENCE_S: Final = 300.0
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_READ_BYTES: Final = 1 << 18


@dataclass(frozen=True)
class Measured:
    """What one run cost. CPU time is the daemon's, user and system."""

    window: int
    messages: int
    seconds: float
    commits: int
    disk_bytes: int
    cpu_s: float
    peak_rss_bytes: int

    @property
    def rate(self) -> float:
        """Certified messages per second."""
        return self.messages / self.seconds

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {**asdict(self), "rate": round(self.rate, 1)}


def simulated(window: int, messages: int) -> dict[str, object]:
    """An operator that answers and reports at once, and ends after the last receipt."""
    return {
        "seed": 1,
        "receipt_delay_min_s": 0,
        "receipt_delay_max_s": 0,
        "receipt_window": max(100, window),
        "resend_s": 60,
        "count": messages,
    }


def measure(
    window: int, messages: int, *, profile: Path | None = None, capped: bool = False
) -> Measured:
    """Send *messages* through a fresh daemon with one operator and *window*.

    *capped*: they are promotions under a cap, three to each person, and so none too many. *profile*
    makes the daemon run under cProfile, which slows it down, and names the file.
    """
    with Site.open(
        {"operator": simulated(window, messages)}, settings=f"window = {window}", journal=False
    ) as site:
        command: list[str] = []
        if profile is not None:
            command = [sys.executable, "-m", "tests.bench.profiled", str(site.config), str(profile)]
        elif capped:
            command = ruled(site, three_a_day(site.directory))
        daemon = site.serve(command).ready()
        before = daemon.status()
        cpu_s, empty_bytes = _cpu_s(daemon.pid), _size_bytes(site.data)
        requests = b"".join(_requests(messages, capped=capped))
        started = time.perf_counter()
        _submit(site.directory / "admin.sock", requests, messages)
        counts = site.simulators["operator"].line(patience_s=PATIENCE_S)
        seconds = time.perf_counter() - started
        cpu_s = _cpu_s(daemon.pid) - cpu_s
        peak = _peak_rss_bytes(daemon.pid)
        after = daemon.status()
        _check(after, counts, messages)
        daemon.stop()
        return Measured(
            window,
            messages,
            seconds,
            after["writer"]["commits"] - before["writer"]["commits"],
            _size_bytes(site.data) - empty_bytes,
            cpu_s,
            peak,
        )


def ceiling(window: int, messages: int) -> float:
    """Messages per second that the simulator does with a client that does nothing else."""
    with (
        short_directory() as directory,
        Simulator(directory, "operator", simulated(window, messages), journal=False) as simulator,
        Esme(simulator.port) as esme,
    ):
        started = time.perf_counter()
        esme.send(messages, window)
        simulator.line()
        return messages / (time.perf_counter() - started)


def _requests(messages: int, *, capped: bool) -> Iterator[bytes]:
    people = -(-messages // 3)
    for number in range(messages):
        to = f"+346{number % people:05d}222" if capped else f"+346001112{number % 100:02d}"
        args = {
            "to": to,
            "from": "ACME",
            "brand": "acme",
            "category": "promotional" if capped else "legal_notice",
            "text": f"Su factura {number:07d} vence el 30 de noviembre.",
        }
        yield json.dumps({"v": 1, "id": number, "cmd": "submit", "args": args}).encode() + b"\n"


def _submit(path: Path, requests: bytes, messages: int) -> None:
    """Write as fast as the daemon takes it, and read every answer."""
    waiting = memoryview(requests)
    answered = 0
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection,
        selectors.DefaultSelector() as selector,
    ):
        connection.connect(str(path))
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while answered < messages:
            ready = selector.select(PATIENCE_S)
            assert ready, f"{answered} of {messages} were answered"
            for _, events in ready:
                if events & selectors.EVENT_WRITE and waiting:
                    waiting = waiting[connection.send(waiting[:_READ_BYTES]) :]
                    if not waiting:
                        selector.modify(connection, selectors.EVENT_READ)
                if events & selectors.EVENT_READ:
                    data = connection.recv(_READ_BYTES)
                    assert data, "the daemon hung up"
                    assert b'"error"' not in data, data[:500]
                    answered += data.count(b"\n")


def _check(status: dict[str, Any], counts: dict[str, int], messages: int) -> None:
    """A figure of messages that were lost or sent twice would be worth nothing."""
    totals = status["totals"]
    assert totals["submitted"] == totals["accepted"] == totals["sealed"] == messages, status
    assert counts["accepted"] == counts["receipts_acknowledged"] == messages, counts
    assert counts["receipts_resent"] == counts["duplicates"] == 0, counts
    assert not any(status["queues"].values()), status


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process so far (proc_pid_stat(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _peak_rss_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _size_bytes(directory: Path) -> int:
    """The size of a ledger: its pages, and what of it is still in the WAL only."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())

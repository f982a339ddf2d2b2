"""`make bench`: certified messages per second, with one operator, by window; `--policy`: decisions.

Each run has a fresh daemon and a fresh ledger. Nothing here passes or fails by speed; a run whose
messages were not all certified exactly once is an error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import pstats
import sqlite3
import statistics
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway import __version__
from tests.bench import policy
from tests.bench.load import Measured, ceiling, measure
from tests.support.process import short_directory

WINDOWS: Final = (10, 100, 1_000)
MESSAGES: Final = 8_000
RUNS: Final = 3


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--window", type=int, action="append", help="one or more (10 100 1000)")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="in each run (%(default)s)")
    parser.add_argument("--runs", type=int, default=RUNS, help="for each window (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument(
        "--profile", action="store_true", help="show where the daemon's time goes, once per window"
    )
    parser.add_argument(
        "--capped", action="store_true", help="promotions under a cap, three to each person"
    )
    parser.add_argument(
        "--policy", action="store_true", help="measure decisions and explanations instead"
    )
    args = parser.parse_args()
    windows = tuple(args.window or WINDOWS)
    machine = about()
    print("\n".join(f"{name:<10} {value}" for name, value in machine.items()), flush=True)
    if args.policy:
        figures = policy.measure()
        print("\n" + policy.table(figures))
        if args.json:
            args.json.write_text(json.dumps({"machine": machine, "policy": figures}, indent=2))
        return 0
    if args.profile:
        for window in windows:
            print(f"\nwindow {window}", flush=True)
            print_profile(window, args.messages)
        return 0
    print("\n" + HEADER, flush=True)
    rows = []
    for window in windows:
        runs = [measure(window, args.messages, capped=args.capped) for _ in range(args.runs)]
        alone = ceiling(window, 2 * args.messages)
        rows.append({"window": window, "simulator": round(alone), **summary(runs)})
        print(line(rows[-1]), flush=True)
    print(LEGEND)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    return 0


def about() -> dict[str, str]:
    """Versions and machine: a figure without them says nothing."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "acuse": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.release()}",
        "processor": f"{len(os.sched_getaffinity(0))} x {_processor()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [row.partition(":")[2].strip() for row in lines if row.startswith("model name")]
    return names[0] if names else platform.machine()


COLUMNS: Final = (
    ("window", 6, "{window:,}"),
    ("certified/s", 11, "{rate:,.0f}"),
    ("spread", 15, "{slowest:,.0f}-{fastest:,.0f}"),
    ("commits/1000", 12, "{commits_per_1000:,.1f}"),
    ("bytes/msg", 9, "{bytes_per_message:,.0f}"),
    ("CPU us/msg", 10, "{cpu_us_per_message:,.0f}"),
    ("peak MiB", 8, "{peak_mib:,.0f}"),
    ("simulator/s", 11, "{simulator:,}"),
)
HEADER: Final = "  ".join(f"{name:>{width}}" for name, width, _ in COLUMNS)
LEGEND: Final = """
certified/s   submitted, accepted, receipt sealed, durable and acknowledged; median of the runs
bytes/msg     growth of the data directory       CPU us/msg   of the daemon, user and system
simulator/s   what the simulated operator does with a client that does nothing else"""


def summary(runs: list[Measured]) -> dict[str, Any]:
    """The median of some runs, with their spread."""
    rates = sorted(run.rate for run in runs)
    messages = runs[0].messages

    def median(values: list[float]) -> float:
        return round(statistics.median(values), 1)

    return {
        "messages": messages,
        "rate": median(rates),
        "slowest": round(rates[0], 1),
        "fastest": round(rates[-1], 1),
        "commits_per_1000": median([run.commits * 1_000 / messages for run in runs]),
        "bytes_per_message": median([run.disk_bytes / messages for run in runs]),
        "cpu_us_per_message": median([run.cpu_s * 1e6 / messages for run in runs]),
        "peak_mib": median([run.peak_rss_bytes / 2**20 for run in runs]),
        "runs": [run.as_json() for run in runs],
    }


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    return "  ".join(f"{form.format(**row):>{width}}" for _, width, form in COLUMNS)


def print_profile(window: int, messages: int) -> None:
    """Own time by module and by function, in microseconds a message, as cProfile slows it down."""
    with short_directory() as directory:
        path = directory / "stats"
        measured = measure(window, messages, profile=path)
        stats = pstats.Stats(str(path))
    print(f"{measured.rate:,.0f} certified/s under the profiler, {measured.commits} commits")
    scale = 1e6 / messages
    modules: dict[str, float] = defaultdict(float)
    functions = []
    for (file, number, name), (_, calls, own_s, all_s, _) in vars(stats)["stats"].items():
        modules[_module(file)] += own_s * scale
        figures = f"{own_s * scale:6.1f}  {all_s * scale:12.1f}  {calls / messages:9.2f}"
        functions.append((own_s, f"{figures}  {_module(file)}:{number} {name}"))
    print("\nus/msg  module")
    for us, name in sorted(((us, name) for name, us in modules.items()), reverse=True)[:25]:
        print(f"{us:6.1f}  {name}")
    print("\nus/msg  with callees  calls/msg  function")
    for _, shown in sorted(functions, reverse=True)[:45]:
        print(shown)


def _module(file: str) -> str:
    """A file as people name it: from the package on."""
    for root in ("site-packages/", "/gateway/"):
        if root in file:
            return (
                file.rpartition(root)[2]
                if root == "site-packages/"
                else "gateway/" + (file.rpartition(root)[2])
            )
    return file if file.startswith(("~", "<")) else Path(file).name


if __name__ == "__main__":
    sys.exit(main())

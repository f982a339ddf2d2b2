"""What a long past costs: `python -m tests.bench.aged --entries 10000000`.

Makes a ledger of that length (`history`), starts the daemon on it, asks what people ask, proves
random submissions, and checks all of it. Prints one JSON object; the ledger is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from gateway.evidence.records import LEDGER_FILE
from gateway.ledger.reader import Reader
from tests.bench.history import History, certify_patterns
from tests.support.process import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.client import Client

PROOFS: Final = 200
#: A simulator that answers and reports at once.
PROMPT: Final = {"seed": 1, "receipt_delay_min_s": 0, "receipt_delay_max_s": 0.1}
_PATIENCE_S: Final = 3600.0


def main() -> int:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.aged", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    args = parser.parse_args()
    with Site.open({"operator": PROMPT}, journal=False) as site:
        certify_patterns(site)
        History(site).write(args.entries)
        sys.stdout.write(json.dumps(measure(site), indent=1) + "\n")
    return 0


def measure(site: Site) -> dict[str, Any]:
    """The figures of a site whose ledger has a past."""
    path = site.data / LEDGER_FILE
    with closing(Reader(path)) as reader:
        entries, ids = reader.size, some_ids(reader, PROOFS)
    started = time.perf_counter()
    daemon = site.serve().ready(bound=False)
    figures: dict[str, Any] = {
        "entries": entries,
        "bytes": path.stat().st_size,
        "start_s": round(time.perf_counter() - started, 2),
    }
    with site.admin() as admin:

        def times(work: Callable[[str], object]) -> dict[str, float]:
            taken = sorted(_timed_ms(work, each) for each in ids)
            return {
                "median": round(statistics.median(taken), 2),
                "p99": round(taken[-max(1, len(taken) // 100)], 2),
            }

        figures["bundle_ms"] = times(lambda each: admin.call("bundle", {"submission_id": each}))
        figures["show_ms"] = times(
            lambda each: admin.call("receipts.show", {"submission_id": each})
        )
        figures["head_ms"] = times(lambda _: admin.call("ledger.head", {}))
        figures["status_ms"] = times(lambda _: admin.call("status", {}))
        figures["list_20_ms"] = times(lambda _: list(admin.stream("receipts.list", {"limit": 20})))
    for name, command in COMMANDS.items():
        figures[name] = round(_timed_ms(lambda c: site.acuse(*c), command) / 1000, 2)
    daemon.stop()
    cpu_s = sum(os.times()[2:4])
    started = time.perf_counter()
    ran = site.acuse("ledger", "verify", "--json", patience_s=_PATIENCE_S)
    taken_s = time.perf_counter() - started
    figures["verify"] = {
        "verdict": ran.json()["verdict"],
        "seconds": round(taken_s, 1),
        "cpu_s": round(sum(os.times()[2:4]) - cpu_s, 1),
        "entries_per_s": round(entries / taken_s),
    }
    return figures


COMMANDS: Final = {
    "head_command_s": ("ledger", "head"),
    "list_command_s": ("receipts", "list", "--limit", "20"),
    "status_command_s": ("status",),
}


def some_ids(reader: Reader, count: int) -> list[str]:
    """Ids of submissions from all over the past, the same ones for the same file."""
    (row,) = reader.query("SELECT max(id) AS last FROM submissions")
    chosen = random.Random(1).sample(range(1, row["last"] + 1), min(count, row["last"]))
    marks = ",".join(map(str, sorted(chosen)))
    found = reader.query(f"SELECT submission_id FROM submissions WHERE id IN ({marks})")
    return [each["submission_id"] for each in found]


def _ask(admin: Client, command: str, submission_id: str) -> object:
    return admin.call(command, {"submission_id": submission_id})


def _timed_ms(work: Callable[[Any], object], argument: object) -> float:
    started = time.perf_counter()
    work(argument)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    sys.exit(main())

"""How big and how fast many opt-outs are: `python -m tests.bench.suppression 1000000`.

Takes so many opt-outs the way `acuse optout import` does, chunk by chunk, each committed, into a
store on disk, and then asks for random persons as every decision does. Prints one JSON object.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from gateway.daemon.lists import Lists
from gateway.daemon.reading import SubmissionReader
from gateway.daemon.sealer import Sealer
from gateway.evidence.vault import PERSON_KEY, Vault
from gateway.ledger.store import Store
from gateway.policy.loader import load_rulebook

CHUNK = 1000
LOOKUPS = 20_000
NOW_MS = 1_795_255_200_000


def main(total: int) -> None:
    """Import *total* opt-outs and measure."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        vault = Vault(directory / "keys")
        vault.make(PERSON_KEY)
        store = Store.open(directory / "ledger.db", "bench.example/1", now_ms=NOW_MS)
        reader = SubmissionReader({}, load_rulebook().numbering)
        lists = Lists(store, vault, Sealer(store), reader)
        began_s = time.perf_counter()
        slowest_s = 0.0
        for start in range(0, total, CHUNK):
            rows = [_row(number) for number in range(start, min(start + CHUNK, total))]
            chunk_s = time.perf_counter()
            lists.take_optouts({"rows": rows}, "bench", NOW_MS)
            store.flush()
            store.commit()
            slowest_s = max(slowest_s, time.perf_counter() - chunk_s)
        import_s = time.perf_counter() - began_s
        lookups_s = sorted(_lookup_s(store, vault, total) for _ in range(LOOKUPS))
        store.close()
        size = (directory / "ledger.db").stat().st_size
        figures = {
            "opt_outs": total,
            "import_s": round(import_s, 1),
            "slowest_chunk_ms": round(slowest_s * 1000, 1),
            "bytes": size,
            "bytes_per_opt_out": round(size / total, 1),
            "lookup_us_median": round(lookups_s[LOOKUPS // 2] * 1e6, 1),
            "lookup_us_p99": round(lookups_s[-LOOKUPS // 100] * 1e6, 1),
            "lookup_us_p999": round(lookups_s[-LOOKUPS // 1000] * 1e6, 1),
        }
        sys.stdout.write(json.dumps(figures) + "\n")


def _row(number: int) -> dict[str, str]:
    return {"to": f"+34{600_000_000 + number}", "source": "lista", "at": "2026-11-01T00:00:00Z"}


def _lookup_s(store: Store, vault: Vault, total: int) -> float:
    number = random.randrange(2 * total)
    person = vault.person(f"+34{600_000_000 + number}")[:16]
    began_s = time.perf_counter()
    store.people.opted_out(person)
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

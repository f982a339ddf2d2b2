"""`python -m tests.bench.caps`: the places of a million people, three each, on disk.

Says what they take on disk, what a look-up costs among them, warm and cold, and what it costs to
take a place and to forget old ones, in CPU time; that every look-up is exact is asserted.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from gateway.ledger.sent import Place
from gateway.ledger.store import Store
from tests.support.process import short_directory

if TYPE_CHECKING:
    from pathlib import Path

EACH: Final = 3
#: Places of one commit, as a busy gateway makes them.
BATCH: Final = 256
T_MS: Final = 1_795_255_200_000
LOOK_UPS: Final = 20_000


def main() -> int:
    """Fill a ledger file, ask it, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.caps", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    args = parser.parse_args()
    with short_directory() as directory:
        for name, value in measure(directory, args.people).items():
            print(f"{name:<28} {value:,.1f}", flush=True)
    return 0


def measure(directory: Path, people: int) -> dict[str, float]:
    """What it takes with so many people."""
    path = directory / "ledger.db"
    store = Store.open(path, "sms.example.es/1", now_ms=T_MS)
    started = time.process_time()
    _fill(store, people)
    filled_s = time.process_time() - started
    store.close()
    size = path.stat().st_size
    store = Store.open(path, "sms.example.es/1", now_ms=T_MS)
    cold_us = _look_up(store, people, seed=1)
    warm_us = _look_up(store, min(people, 2_000), seed=2)
    started = time.process_time()
    looked_at = 0
    while looked_at < min(people, 100_000):
        store.sent.prune(T_MS, 1024)  # nothing is so old: what it costs to look
        looked_at += 1024
    prune_us = (time.process_time() - started) / looked_at * 1e6
    store.close()
    return {
        "people": people,
        "places": people * EACH,
        "MiB on disk": size / 2**20,
        "bytes a place": size / (people * EACH),
        "us to take a place": filled_s / (people * EACH) * 1e6,
        "us a look-up, all people": cold_us,
        "us a look-up, 2000 people": warm_us,
        "us a row looked at (forget)": prune_us,
    }


def person_of(number: int) -> bytes:
    """A keyed hash as good as any."""
    return sha256(number.to_bytes(8, "big")).digest()[:16]


def _fill(store: Store, people: int) -> None:
    """Every person once, then every person again: as traffic does, at random places of the tree."""
    for turn in range(EACH):
        for first in range(0, people, BATCH):
            for number in range(first, min(first + BATCH, people)):
                at_ms, submission = T_MS + turn * 3_600_000 + number, turn * people + number
                person = person_of(number)
                store.sent.put(Place(person, "acme", at_ms, submission, "promotional", b"12345678"))
            store.flush()
            store.commit()


def _look_up(store: Store, people: int, seed: int) -> float:
    """Microseconds of one look-up; each finds what it should."""
    chance = random.Random(seed)
    numbers = [chance.randrange(people) for _ in range(LOOK_UPS)]
    persons = [person_of(number) for number in numbers]
    started = time.process_time()
    found = [store.sent.of((person, "acme"), T_MS + 3_600_000) for person in persons]
    seconds = time.process_time() - started
    for number, places in zip(numbers, found, strict=True):
        at = [place.at_ms - number for place in places]
        assert at == [T_MS + 3_600_000, T_MS + 7_200_000] or at[0] < T_MS + 3_600_000, at
    return seconds / len(persons) * 1e6


if __name__ == "__main__":
    sys.exit(main())

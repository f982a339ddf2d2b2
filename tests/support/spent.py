"""What the file of a daemon says is spent under a cap, and what an operator saw of it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

from tests.policy.samples import limit, pack, write_packs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.process import Site

MOST = 3
DAY_MS = 86_400_000


def three_a_day(directory: Path) -> Path:
    """Packs whose only rule for Spain is: three promotions in 24 hours."""
    packs = directory / "packs"
    packs.mkdir()
    return write_packs(packs, ES=pack("ES", limit(period='"24h"', most=str(MOST))))


def arrived(site: Site) -> Counter[str]:
    """How many messages the operators took, by recipient."""
    return Counter(
        line["dest"] for each in site.simulators.values() for line in each.journal("accepted")
    )


def taken(site: Site) -> dict[str, list[int]]:
    """`at_ms` of every place, oldest first, by person (hex)."""
    found: dict[str, list[int]] = {}
    uri = f"{(site.data / 'ledger.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as file:
        for person, at_ms in file.execute("SELECT hex(person), at_ms FROM sent ORDER BY at_ms"):
            found.setdefault(person, []).append(at_ms)
    return found


def held(site: Site) -> list[tuple[str, int]]:
    """Person (hex) and `due_ms` of every message a cap holds."""
    uri = f"{(site.data / 'ledger.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as file:
        return file.execute(
            "SELECT hex(person), due_ms FROM submissions WHERE state='held' AND reason='cap'"
        ).fetchall()


def assert_nobody_overspent(site: Site) -> None:
    """No recipient got more than three, and no more than three places are taken for one."""
    assert max(arrived(site).values(), default=0) <= MOST
    assert max(map(len, taken(site).values()), default=0) <= MOST


def assert_the_rest_waits_exactly(site: Site) -> None:
    """Every held message is due at the first whole second at which its person's oldest place no
    longer counts.
    """
    places = taken(site)
    for person, due_ms in held(site):
        assert len(places[person]) == MOST
        assert due_ms == -(-(places[person][0] + DAY_MS) // 1000) * 1000

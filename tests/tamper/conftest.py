"""A data directory with a past to be tampered with, and the chance that decides where."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from gateway.cli.ledgerfile import check_ledger
from gateway.cli.verify import Trust
from gateway.evidence.keyfile import read_key
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE
from gateway.evidence.vault import LOG_KEY
from gateway.ledger import canonical
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.note import Signer, open_note, sign_note
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.reader import Reader
from tests.support.process import short_directory
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.ledger.report import Report

MESSAGES = 6


@dataclass(frozen=True)
class Site:
    """A data directory of a daemon that stopped, and what others keep of its log."""

    data: Path
    #: Checkpoints from early on, and from later; whole bundles under the later one, by id.
    early: str
    late: str
    bundles: dict[str, str]

    @property
    def ledger(self) -> Path:
        return self.data / LEDGER_FILE

    @property
    def origin(self) -> str:
        return self.late.split("\n")[0]

    @property
    def signer(self) -> Signer:
        """The log's own key, in the hands of whoever runs it."""
        seed = read_key(self.data / KEYS_DIRECTORY / LOG_KEY, LOG_KEY)
        return Signer.from_seed(self.origin, seed)

    def copied(self, to: Path) -> Site:
        shutil.copytree(self.data, to)
        return Site(to, self.early, self.late, self.bundles)

    def change(self, sql: str, *values: object) -> int:
        """Run one statement on the ledger file; how many rows it changed."""
        with closing(sqlite3.connect(self.ledger)) as connection, connection:
            return connection.execute(sql, values).rowcount

    def entries(self) -> list[bytes]:
        with closing(Reader(self.ledger)) as reader:
            return list(reader.entries(0, reader.size))

    def rewrite(self, change: Callable[[int, dict[str, Any]], dict[str, Any] | None]) -> bytes:
        """Write history anew: each entry as *change* makes it (None: gone), all of it chained.

        Returns the root of the tree it makes; nothing signs it.
        """
        with closing(sqlite3.connect(self.ledger)) as connection, connection:
            rows = connection.execute("SELECT entry FROM entries ORDER BY seq").fetchall()
            connection.execute("DELETE FROM entries")
            connection.execute("DELETE FROM tiles")
            tree, previous, seq = Frontier(), "0" * 64, 0
            for at, (raw,) in enumerate(rows):
                body = change(at, canonical.decode(raw))
                if body is None:
                    continue
                entry = canonical.encode({**body, "seq": seq, "prev": previous})
                previous = leaf_hash(entry).hex()
                tree.append(bytes.fromhex(previous))
                connection.execute("INSERT INTO entries VALUES (?, ?)", (seq, entry))
                seq += 1
        return tree.root()

    def judge(self, *, pinned: bool = False, since: str | None = None) -> Report:
        policy = None
        if pinned:
            policy = parse_policy(f"log {self.signer.vkey}\nquorum none\n".encode())
        return check_ledger(self.ledger, None, Trust(policy, since, None))


async def _live(world: World) -> tuple[str, str, dict[str, str]]:
    ids = []
    async with world.running() as daemon:
        for number in range(MESSAGES // 2):
            answer = await daemon.submit("+34600111222", ref=f"early-{number}")
            await daemon.final(answer["submission_id"])
            ids.append(answer["submission_id"])
        early = (await daemon.result("ledger.checkpoint"))["note"]
        for number in range(MESSAGES // 2):
            answer = await daemon.submit("+34600111223", ref=f"late-{number}")
            await daemon.final(answer["submission_id"])
            ids.append(answer["submission_id"])
        late = (await daemon.result("ledger.checkpoint"))["note"]
        bundles = {
            each: (await daemon.result("bundle", submission_id=each, since=[early]))["bundle"]
            for each in ids
        }
    return early, late, bundles


@pytest.fixture(scope="session")
def original() -> Iterator[Site]:
    with short_directory() as directory:
        clock = trio.testing.MockClock(autojump_threshold=0)
        early, late, bundles = trio.run(_live, World.make(directory), clock=clock)
        yield Site(directory / "data", early, late, bundles)


@pytest.fixture
def site(original: Site, tmp_path: Path) -> Site:
    return original.copied(tmp_path / "data")


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Where it is tampered: by a seed that is printed, and taken from ACUSE_TAMPER_SEED."""
    seed = os.environ.get("ACUSE_TAMPER_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"ACUSE_TAMPER_SEED={seed}")
    return random.Random(f"{seed} {request.node.name}")


def resigned(site: Site, text: str) -> str:
    """The note text signed with the log's own key."""
    return sign_note(text, site.signer)


def size_of(note: str) -> int:
    return int(open_note(note)[0].split("\n")[1])

"""A long past costs no more than a short one, counted in what SQLite does and not in seconds."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.cli import auditing
from gateway.cli.ledgerfile import LedgerFile
from gateway.clock import SystemClock
from gateway.daemon import matching, ties
from gateway.daemon.gateway import open_gateway
from gateway.daemon.proofs import Proofs
from gateway.evidence.quorum import Quorum
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE, SIGNER_STATE, Records
from gateway.evidence.signer import LogSigner
from gateway.evidence.vault import Vault
from gateway.ledger.audit import verify_ledger
from gateway.ledger.note import Signer
from gateway.ledger.outside import OutsideReader
from gateway.ledger.reader import Reader
from tests.bench.aged import PROMPT, some_ids
from tests.bench.history import History, certify_patterns
from tests.support.logfile import LogFile
from tests.support.process import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHORT = 6_000
LONG = 4 * SHORT
#: SQLite's steps that may come on top: the edge of the tree has up to 255 entries on each level.
#: Looking once through all submissions or receipts of the long past takes twice as many.
MARGIN = 12_000


class Steps:
    """What SQLite did on every connection made meanwhile, in steps of its virtual machine."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        self.count += 10
        return 0


@contextmanager
def counted() -> Iterator[Steps]:
    steps, real = Steps(), sqlite3.connect

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = real(*args, **options)
        connection.set_progress_handler(steps.add, 10)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect)
        yield steps


def steps_of(site: Site) -> dict[str, int]:
    """Steps of a start of the daemon, and of what people ask, on average of some submissions."""
    path, found = site.data / LEDGER_FILE, {}
    with counted() as steps, pytest.MonkeyPatch.context() as patch:
        # A start looks through some thousand of the latest receipts; both pasts have these.
        patch.setattr(matching, "_REMEMBERED", SHORT // 10)
        patch.setattr(ties, "_LOOKED_THROUGH", SHORT // 10)

        async def start() -> None:
            gateway = open_gateway(site.settings, SystemClock(), now_s=trio.current_time())
            gateway.reader.close()
            gateway.store.abandon()

        trio.run(start)
        found["start"] = steps.count
        with closing(Reader(path)) as reader:
            vault = Vault(site.data / KEYS_DIRECTORY)
            state = site.data / SIGNER_STATE
            key = Signer.from_seed(reader.origin, vault.log_seed())
            signer = LogSigner(key, state, ledger_size=reader.size)
            records = Records(reader, vault)
            proofs = Proofs(reader, vault, signer, Quorum.of(site.settings))
            ids = some_ids(reader, 10)
            questions: dict[str, Callable[[str], object]] = {
                "bundle": lambda each: proofs.bundle(each, frozenset()),
                "show": records.receipt,
                "head": lambda _: records.head(),
                "list": lambda _: list(records.receipts({"limit": 20})),
                "orphans": lambda _: list(records.orphans({"limit": 20})),
                "held": lambda _: list(records.messages({"state": "held", "limit": 20})),
                "today": lambda _: list(records.messages({"since": "2100-01-01T00:00:00Z"})),
                "once": lambda _: list(
                    records.messages({"until": "2000-01-01T00:00:00Z", "limit": 20})
                ),
                "open": lambda _: (reader.count_open(), reader.held(), reader.oldest("queued")),
                "counted orphans": lambda _: reader.count_orphans(),
                "checkpoint": lambda _: proofs.checkpoint(),
            }
            for name, ask in questions.items():
                before = steps.count
                for each in ids:
                    ask(each)
                found[name] = (steps.count - before) // len(ids)
    return found


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A gateway that certified some messages, the patterns of every past here."""
    with Site.open({"operator": PROMPT}, journal=False) as made:
        certify_patterns(made)
        yield made


@pytest.fixture(scope="module")
def steps(site: Site) -> tuple[dict[str, int], dict[str, int]]:
    """Of a short and a long past; the long one stays."""
    History(site).write(SHORT)
    short = steps_of(site)
    History(site).write(LONG)
    return short, steps_of(site)


def test_start_and_questions_do_not_grow_with_the_past(
    steps: tuple[dict[str, int], dict[str, int]],
) -> None:
    short, long = steps
    grown = {name: (short[name], count) for name, count in long.items()}
    assert {name: both for name, both in grown.items() if both[1] > both[0] + MARGIN} == {}


@pytest.mark.parametrize("stamped", [True, False])
def test_the_checkpoint_best_vouched_for_is_found_however_many_there_are(
    tmp_path: Path, stamped: bool
) -> None:
    log = LogFile.make(tmp_path)
    log.grow(1)
    found = []
    for count in (500, 8_000):
        with closing(sqlite3.connect(log.path)) as file:
            sizes = [(size, size) for size in range(10, count)]
            table, name = ("tokens", "tsa") if stamped else ("cosignatures", "witness")
            rest = "accuracy_ms, token" if stamped else "line"
            blank = "0, x''" if stamped else "''"
            file.executemany(
                f"INSERT OR IGNORE INTO {table} (size, {name}, at_ms, hash, seq, {rest})"
                f" VALUES (?, 'a', 0, '', ?, {blank})",
                sizes,
            )
            file.commit()
        with counted() as steps, closing(Reader(log.path)) as reader:
            outside, before = OutsideReader(reader), steps.count
            for seq, best in ((5, count - 1), (30, count - 1), (count, None)):
                assert outside.best_over(seq, lambda _: False) == best
            found.append(steps.count - before)
    assert found[1] <= found[0] + 1_000


def test_submissions_of_a_time_are_those_of_that_time(site: Site, steps: object) -> None:
    with closing(Reader(site.data / LEDGER_FILE)) as reader:
        every = list(reader.submissions({}))
        times = sorted({row["submitted_ms"] for row in every})
        for since, until in ((times[3], times[9]), (times[-2], times[-1] + 1), (0, times[0])):
            asked = {"since_ms": since, "until_ms": until}
            wanted = [row for row in every if since <= row["submitted_ms"] < until]
            assert list(reader.submissions(asked)) == wanted
            assert list(reader.submissions({**asked, "limit": 1})) == wanted[:1]
        assert not list(reader.submissions({"since_ms": times[-1] + 1}))


def test_processes_find_what_one_pass_finds(site: Site, steps: object) -> None:
    path = site.data / LEDGER_FILE
    with LedgerFile(path) as source:
        assert source.size >= LONG
        alone = verify_ledger(source, now_ms=0)
        assert {name for name, ok in alone.checks if not ok} == {"policy", "timestamp"}
        told: list[int] = []
        with closing(auditing.examined(path, source.size, step=4096, processes=2)) as parts:
            assert verify_ledger(source, now_ms=0, parts=parts, progress=told.append) == alone
    assert told[:-1] == [*range(4096, source.size, 4096), source.size]


def test_a_process_that_dies_costs_nothing_but_time(site: Site, steps: object) -> None:
    path = site.data / LEDGER_FILE
    with LedgerFile(path) as source:
        alone = verify_ledger(source, now_ms=0)
        with closing(auditing.examined(path, source.size, step=1024, processes=1)) as parts:

            def dying() -> Iterator[Any]:
                yield next(parts)
                for child in children():
                    os.kill(child, signal.SIGKILL)
                yield from parts

            assert verify_ledger(source, now_ms=0, parts=dying()) == alone


def children() -> list[int]:
    """Process ids of the workers: those of ours that were spawned to examine."""
    found = []
    task = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    with open(task, encoding="ascii") as file:
        for child in map(int, file.read().split()):
            with open(f"/proc/{child}/cmdline", "rb") as line:
                if b"spawn_main" in line.read():
                    found.append(child)
    return found


def test_the_command_checks_it_all(site: Site, steps: object) -> None:
    ran = site.acuse("ledger", "verify", "--json")
    assert ran.code == 4
    assert ran.err == ""
    shown = ran.json()
    assert (shown["verdict"], shown["size"] >= LONG) == ("UNANCHORED", True)
    assert json.dumps(shown["checks"]).count("false") == 2

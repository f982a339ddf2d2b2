"""A ledger file that lost its end, changed on disk, or was swapped: noticed, never a traceback."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

import pytest
import trio

from gateway.cli.ledgerfile import check_ledger
from gateway.cli.verify import Trust
from gateway.errors import AcuseError, StorageError
from gateway.evidence.records import LEDGER_FILE
from gateway.ledger.reader import Reader
from gateway.ledger.store import Store
from tests.support.process import short_directory
from tests.support.sealed import entries_of_file
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trio.testing import MockClock

ORIGIN: Final = "sms.example.es/1"
MESSAGES: Final = 12
NOTHING_TRUSTED: Final = Trust(None, None, None)


async def _fill(world: World, name: str) -> None:
    async with world.running(crash=True) as daemon:
        for number in range(MESSAGES):
            answer = await daemon.submit("+34600111222", ref=f"{name}{number}")
            await daemon.final(answer["submission_id"])
        await daemon.result("ledger.checkpoint")
        for number in range(MESSAGES):
            await daemon.submit("+34600111222", ref=f"{name}-open-{number}")


@pytest.fixture(scope="module")
def crashed() -> Iterator[Path]:
    """The data directory of a daemon that died with its last commits in the WAL."""
    with short_directory() as directory:
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(_fill, World.make(directory), "first", clock=clock)
        assert (directory / "data" / f"{LEDGER_FILE}-wal").stat().st_size > 100_000
        yield directory / "data"


def copied(data: Path, to: Path) -> Path:
    """A copy of the data directory to damage; the path of its ledger file."""
    shutil.copytree(data, to)
    return to / LEDGER_FILE


def raw_entries(data: Path) -> list[bytes]:
    """The exact bytes of every entry."""
    with closing(Reader(data / LEDGER_FILE)) as reader:
        return list(reader.entries(0, reader.size))


def opens_as_prefix(path: Path, whole: list[dict[str, object]]) -> bool:
    """Whether the store opens; then what it has must be a beginning of *whole*, checked."""
    try:
        store = Store.open(path, ORIGIN, now_ms=NOON_MS)
    except StorageError:
        return False
    size = store.size
    store.append("x.Boot", store.last_t_ms, {"software": "test"})
    store.flush()
    store.commit()
    store.close()
    entries = entries_of_file(path.parent)
    assert entries[:size] == whole[:size]
    assert entries[size]["ev"] == "x.Boot"
    return True


def test_a_wal_that_was_cut_anywhere_leaves_a_valid_beginning(
    crashed: Path, tmp_path: Path
) -> None:
    """A power cut may take any part of what was not synced: what is left chains."""
    whole = entries_of_file(crashed)
    sizes = set()
    chance = random.Random(1)
    length = (crashed / f"{LEDGER_FILE}-wal").stat().st_size
    for number in range(40):
        path = copied(crashed, tmp_path / str(number))
        with path.with_name(f"{LEDGER_FILE}-wal").open("r+b") as wal:
            wal.truncate(chance.randrange(length))
        assert opens_as_prefix(path, whole)
        sizes.add(len(entries_of_file(path.parent)))
    assert len(sizes) > 5


def test_a_flipped_bit_in_the_wal_cuts_it_there_or_is_refused(
    crashed: Path, tmp_path: Path
) -> None:
    whole = entries_of_file(crashed)
    chance = random.Random(2)
    for number in range(40):
        path = copied(crashed, tmp_path / str(number))
        wal = path.with_name(f"{LEDGER_FILE}-wal")
        octets = bytearray(wal.read_bytes())
        octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
        wal.write_bytes(octets)
        path.with_name(f"{LEDGER_FILE}-shm").unlink(missing_ok=True)
        opens_as_prefix(path, whole)


async def test_a_flipped_bit_in_the_file_is_refused_or_found_by_the_audit(
    crashed: Path, autojump_clock: MockClock
) -> None:
    """Whatever the bit hits, nobody sees a traceback, and a changed entry is never called good."""
    whole = raw_entries(crashed)
    chance = random.Random(3)
    noticed = 0
    with short_directory() as directory:
        world = World.make(directory)
        pristine = copied(crashed, directory / "pristine")
        Store.open(pristine, ORIGIN, now_ms=NOON_MS).close()
        for _ in range(60):
            path = copied(pristine.parent, directory / "data")
            octets = bytearray(path.read_bytes())
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
            path.write_bytes(octets)
            verdict = "refused"
            with suppress(AcuseError):
                verdict = check_ledger(path, None, NOTHING_TRUSTED).verdict
                assert verdict == "INVALID" or raw_entries(path.parent) == whole
            noticed += verdict != "UNANCHORED"
            try:
                async with world.running(crash=True) as daemon:
                    await daemon.submit("+34600111222", ref="afterwards")
                    await daemon.items("receipts.list")
            except* AcuseError:
                pass
            shutil.rmtree(path.parent)
    assert noticed > 10


def test_a_row_that_cannot_be_is_damage_and_no_bug(crashed: Path, tmp_path: Path) -> None:
    path = copied(crashed, tmp_path / "data")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE submissions SET state = 'acceptee' WHERE id = 1")
    store = Store.open(path, ORIGIN, now_ms=NOON_MS)
    with pytest.raises(StorageError, match=r"a row of submissions .* is damaged"):
        store.submission(1)
    store.close()


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused_with_the_way_out(
    crashed: Path, tmp_path: Path, share: float
) -> None:
    path = copied(crashed, tmp_path / "data")
    Store.open(path, ORIGIN, now_ms=NOON_MS).close()
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    with pytest.raises(StorageError, match=r"truncated|not a SQLite file|damaged") as caught:
        Store.open(path, ORIGIN, now_ms=NOON_MS)
    assert "restore" in caught.value.hint or "evidence" in caught.value.hint


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM entries WHERE seq = (SELECT max(seq) - 3 FROM entries)",
        "UPDATE entries SET entry = x'7b7d' WHERE seq = (SELECT max(seq) FROM entries)",
        "UPDATE entries SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM entries)",
        (
            "UPDATE entries SET entry = CAST(replace(entry, 'acme', 'acmf') AS BLOB) WHERE seq ="
            " (SELECT min(seq) FROM entries WHERE instr(CAST(entry AS TEXT), 'acme'))"
        ),
    ],
)
def test_a_changed_end_is_refused_and_an_early_change_is_found(
    crashed: Path, tmp_path: Path, damage: str
) -> None:
    path = copied(crashed, tmp_path / "data")
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(damage).rowcount == 1
    assert check_ledger(path, None, NOTHING_TRUSTED).verdict == "INVALID"
    with pytest.raises(StorageError, match="broken at entry"):
        Store.open(path, ORIGIN, now_ms=NOON_MS)


async def test_a_file_that_was_swapped_for_an_older_copy_is_noticed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It chains, and it verifies: only the signer's own memory knows better."""
    world = World.make(tmp_path)
    await _fill(world, "first")
    older = copied(tmp_path / "data", tmp_path / "older")
    await _fill(world, "second")
    for name in (LEDGER_FILE, f"{LEDGER_FILE}-wal"):
        (tmp_path / "data" / name).write_bytes(older.with_name(name).read_bytes())
    (tmp_path / "data" / f"{LEDGER_FILE}-shm").unlink()
    with pytest.RaisesGroup(StorageError, flatten_subgroups=True) as caught:
        async with world.running():
            pass
    (error,) = caught.value.exceptions
    assert "have been signed" in str(error)
    report = check_ledger(tmp_path / "data" / LEDGER_FILE, None, NOTHING_TRUSTED)
    assert (report.verdict, (report.reason or "").split(":")[0]) == ("STALE", "signer")


async def test_a_ledger_whose_signer_was_forgotten_is_refused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    await _fill(world, "first")
    (tmp_path / "data" / "signer-state").unlink()
    with pytest.RaisesGroup(StorageError, flatten_subgroups=True):
        async with world.running():
            pass

"""What SQLite leaves in unused parts of its pages is overwritten, and nothing else."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gateway.errors import StorageError
from gateway.ledger import sweep as sweeping
from gateway.ledger.sweep import Sweep, unused

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4096


def moved(path: Path) -> tuple[sqlite3.Connection, list[bytes]]:
    """A file whose rows grew, and so moved, before a third of them were emptied; what was in it."""
    chance = random.Random(1)
    connection = sqlite3.connect(path, isolation_level=None)
    run = connection.execute
    run("PRAGMA journal_mode=WAL")
    run("PRAGMA secure_delete=ON")
    run("CREATE TABLE t (id INTEGER PRIMARY KEY, state TEXT, key BLOB, body BLOB, at INTEGER)")
    run("CREATE INDEX t_key ON t (key)")
    keys = [chance.randbytes(60) for _ in range(6000)]
    for start in range(0, len(keys), 50):
        run("BEGIN")
        for number in range(start, start + 50):
            body = chance.randbytes(chance.randint(100, 400))
            run("INSERT INTO t VALUES (?,'queued',?,?,NULL)", (number, keys[number], body))
        run(
            "UPDATE t SET state='delivered_to_operator', at=1795255200000 WHERE id>=? AND id<?",
            (start - 200, start - 150),
        )
        run("COMMIT")
    gone = list(range(0, len(keys), 3))
    run("BEGIN")
    for number in gone:
        run("UPDATE t SET key=NULL, body=NULL WHERE id=?", (number,))
    run("COMMIT")
    return connection, [keys[number] for number in gone]


def left(path: Path, gone: list[bytes]) -> int:
    octets = path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()
    return sum(key in octets for key in gone)


def leave_behind(path: Path, key: bytes) -> None:
    """Put *key* where SQLite now and then leaves a row that moved to another page: between the
    pointers of a leaf and its cells. Which row it hits depends on its version.
    """
    with path.open("r+b") as file:
        octets = file.read()
        for start in range(PAGE, len(octets), PAGE):
            cells = int.from_bytes(octets[start + 3 : start + 5], "big")
            content = int.from_bytes(octets[start + 5 : start + 7], "big")
            if octets[start] == 0x0D and content - (8 + 2 * cells) > len(key):
                file.seek(start + content - len(key))
                file.write(key)
                return


def swept(path: Path, pages: int = 100) -> Sweep:
    sweep = Sweep(path)
    sweep.begin()
    while sweep.go_on(pages):
        pass
    return sweep


def test_copies_of_rows_that_moved_are_overwritten_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    connection, gone = moved(path)
    with closing(connection):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA shrink_memory")
        rows = connection.execute("SELECT * FROM t").fetchall()
        leave_behind(path, gone[0])
        assert left(path, gone) > 0
        sweep = swept(path)
        assert sweep.cleared > 0
        assert left(path, gone) == 0
        # What is written next begins with what the file has now.
        connection.execute("UPDATE t SET at=7 WHERE id % 5 = 0")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert left(path, gone) == 0
        connection.execute("UPDATE t SET at=NULL WHERE id % 5 = 0")
        again = connection.execute("SELECT * FROM t").fetchall()
        assert [row[:4] for row in again] == [row[:4] for row in rows]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    sweep.close()


def test_a_second_pass_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    connection, _ = moved(path)
    connection.close()
    before = swept(path)
    octets = path.read_bytes()
    again = swept(path, pages=7)
    assert (before.cleared > 0, again.cleared) == (True, 0)
    assert path.read_bytes() == octets


def test_only_what_is_surely_a_page_of_a_tree_is_touched() -> None:
    chance = random.Random(2)
    for first in (0x00, 0x01, 0x03, 0x0B, 0x0E, 0x53):
        page = bytes([first]) + chance.randbytes(PAGE - 1)
        assert list(unused(page, first=False)) == []
    no_room = bytes([0x0D, 0, 0, 0xFF, 0xFF, 0x10, 0, 0]) + chance.randbytes(PAGE - 8)
    assert list(unused(no_room, first=False)) == []
    beyond = bytes([0x0D, 0, 0, 0, 1, 0x20, 0, 0]) + chance.randbytes(PAGE - 8)
    assert list(unused(beyond, first=False)) == []


@pytest.mark.parametrize(("kind", "header"), [(0x02, 12), (0x05, 12), (0x0A, 8), (0x0D, 8)])
def test_the_space_between_pointers_and_cells_is_unused(kind: int, header: int) -> None:
    head = bytes([kind, 0, 0, 0, 3, 0x0F, 0x00, 0]).ljust(header, b"\1") + bytes(6)
    page = (head + b"x" * PAGE)[:0x0F00] + b"c" * 0x100
    assert list(unused(page, first=False)) == [(header + 6, 0x0F00)]
    of_file = bytes(100) + page[:-100]
    assert list(unused(of_file, first=True)) == [(100 + header + 6, 0x0F00)]


def test_free_blocks_are_unused_but_for_their_links() -> None:
    page = bytearray(PAGE)
    page[0:8] = bytes([0x0D, 0x0F, 0x10, 0, 1, 0x0F, 0x00, 0])
    page[0x0F10:0x0F14] = bytes([0x0F, 0x80, 0, 0x20])
    page[0x0F80:0x0F84] = bytes([0, 0, 0, 0x10])
    assert list(unused(bytes(page), first=False)) == []
    page[0x0F20] = page[0x0F8F] = 7
    assert list(unused(bytes(page), first=False)) == [(0x0F14, 0x0F30), (0x0F84, 0x0F90)]
    page[0x0F12:0x0F14] = bytes([0x0F, 0xFF])  # longer than the page
    assert list(unused(bytes(page), first=False)) == []
    page[0x0F10:0x0F14] = bytes([0x0F, 0x11, 0, 0x20])  # goes on within itself
    assert list(unused(bytes(page), first=False)) == []


def test_another_kind_of_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="no file that the ledger") as caught:
        swept(path)
    assert caught.value.hint
    path.unlink()
    with pytest.raises(StorageError):
        swept(path)


def test_a_file_too_large_to_be_sure_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.db"
    connection, _ = moved(path)
    connection.close()
    octets = path.read_bytes()
    monkeypatch.setattr(sweeping, "_PAGES_MOST", 3)
    with pytest.raises(StorageError, match="too large") as caught:
        swept(path)
    assert "VACUUM" in caught.value.hint
    assert path.read_bytes() == octets

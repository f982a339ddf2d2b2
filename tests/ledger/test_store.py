"""The one writer: what a batch makes durable, what a rollback undoes, which files are refused."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from gateway.errors import StorageError
from gateway.ledger import canonical, merkle
from gateway.ledger.reader import Reader
from gateway.ledger.rows import OptoutRow
from gateway.ledger.schema import SCHEMA_VERSION
from gateway.ledger.store import Store

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "sms.example.es/1"
T = 1_795_255_200_000


def opened(path: Path) -> Store:
    return Store.open(path / "ledger.db", ORIGIN, now_ms=T)


def fill(store: Store, count: int) -> None:
    for _ in range(count):
        store.append("x.Boot", T, {"software": "acuse test"})
    store.flush()
    store.commit()


def optout(row_id: int, person: bytes = b"p" * 16) -> OptoutRow:
    return OptoutRow(row_id, person, "acme", T, "web", 0, "2026-11", b"k", b"n")


def test_what_was_committed_is_there_after_reopening_and_the_tree_goes_on(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 700)
    root = store.frontier.root()
    store.abandon()  # no orderly end
    again = opened(tmp_path)
    assert again.size == 700
    assert again.frontier.root() == root
    assert again.append("x.Boot", T, {}).seq == 700
    again.flush()
    again.commit()
    reader = Reader(tmp_path / "ledger.db")
    leaves = [merkle.leaf_hash(entry) for entry in reader.entries(0, 701)]
    frontier = merkle.Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    assert again.frontier.root() == frontier.root()
    size = reader.size
    assert merkle.root_at(size, lambda lvl, i: reader.tile(lvl, i, size)) == frontier.root()


def test_a_batch_is_seen_by_readers_only_after_its_commit(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 3)
    reader = Reader(tmp_path / "ledger.db")
    store.append("x.Boot", T, {})
    store.flush()
    assert reader.size == 3
    store.commit()
    assert reader.size == 4


@pytest.mark.parametrize("flushed", [False, True])
def test_a_rollback_leaves_file_tree_and_ids_as_before(tmp_path: Path, flushed: bool) -> None:
    store = opened(tmp_path)
    fill(store, 300)
    root, row_id = store.frontier.root(), store.next_id(OptoutRow)
    store.rollback()
    for _ in range(300):
        store.append("x.Boot", T + 5, {})
    store.put_new(optout(store.next_id(OptoutRow)))
    if flushed:
        store.flush()
    store.rollback()
    assert store.size == 300
    assert store.frontier.root() == root
    assert store.last_t_ms == T
    assert store.next_id(OptoutRow) == row_id
    assert store.people.optouts(b"p" * 16) == []
    fill(store, 1)
    assert store.size == 301


def test_opt_outs_of_the_open_batch_count_and_removed_ones_do_not(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put_new(optout(store.next_id(OptoutRow)))
    assert len(store.people.optouts(b"p" * 16)) == 1
    store.flush()
    store.commit()
    assert len(store.people.optouts(b"p" * 16)) == 1
    store.remove_optout(store.people.optouts(b"p" * 16)[0])
    assert store.people.optouts(b"p" * 16) == []
    store.flush()
    store.commit()
    assert store.people.optouts(b"p" * 16) == []


def test_entries_chain_and_are_canonical(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 5)
    previous = "0" * 64
    for seq, raw in enumerate(Reader(store.path).entries(0, 5)):
        entry = canonical.decode(raw)
        assert (entry["seq"], entry["prev"], entry["log"]) == (seq, previous, ORIGIN)
        previous = merkle.leaf_hash(raw).hex()


def test_a_clock_that_ran_backwards_is_a_defect_of_the_caller(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append("x.Boot", T, {})
    with pytest.raises(AssertionError):
        store.append("x.Boot", T - 1, {})


def edit(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path / "ledger.db")
    connection.execute(sql)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM entries WHERE seq=290", "broken at entry 290"),
        ("DELETE FROM entries WHERE seq=299", None),  # a cut end is the signer's to notice
        ("UPDATE entries SET entry=CAST('{}' AS BLOB) WHERE seq=280", "broken at entry 280"),
        (
            "UPDATE entries SET entry=(SELECT entry FROM entries WHERE seq=10) WHERE seq=270",
            "broken at entry 270",
        ),
        (f"PRAGMA user_version={SCHEMA_VERSION + 1}", "schema version"),
        ("PRAGMA application_id=7", "is not an Acuse ledger"),
        ("UPDATE log SET origin='other.example/1'", "is the log 'other.example/1'"),
        ("DELETE FROM tiles", "tile 1/0 of the ledger's tree is incomplete"),
    ],
)
def test_a_damaged_or_foreign_file_is_not_continued(
    tmp_path: Path, damage: str, words: str | None
) -> None:
    store = opened(tmp_path)
    fill(store, 300)
    store.close()
    edit(tmp_path, damage)
    if words is None:
        assert opened(tmp_path).size == 299
        return
    with pytest.raises(StorageError, match=words) as caught:
        opened(tmp_path)
    assert caught.value.hint
    assert caught.value.exit_code == 74


def test_a_ledger_of_the_first_schema_is_taken_over_with_all_it_holds(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 300)
    root, size = store.frontier.root(), store.size
    store.close()
    for table in ("tokens", "cosignatures", "rotations", "holds", "kept"):
        edit(tmp_path, f"DROP TABLE {table}")
    edit(tmp_path, "ALTER TABLE log DROP COLUMN unswept")
    edit(tmp_path, "DELETE FROM _sqlite_migrations WHERE name='v2_evidence'")
    edit(tmp_path, "PRAGMA user_version=1")
    reader = Reader(tmp_path / "ledger.db")
    assert (reader.schema, reader.size) == (1, size)
    reader.close()
    store = opened(tmp_path)
    assert (store.size, store.frontier.root()) == (size, root)
    store.close()
    reader = Reader(tmp_path / "ledger.db")
    assert reader.schema == SCHEMA_VERSION
    assert list(reader.query("SELECT * FROM tokens")) == []
    reader.close()


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 2000)
    store.close()
    path = tmp_path / "ledger.db"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(StorageError, match=r"truncated|damaged"):
        opened(tmp_path)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"hello" * 1000)
    with pytest.raises(StorageError, match="not a SQLite file"):
        opened(tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be used"):
        opened(tmp_path / "nowhere")
    with pytest.raises(StorageError, match="no ledger file"):
        Reader(tmp_path / "nowhere" / "ledger.db")


def test_one_commit_carries_a_whole_batch_and_its_tiles(tmp_path: Path) -> None:
    store = opened(tmp_path)
    before = store.commits
    fill(store, 1000)
    assert store.commits == before + 1
    rows = sqlite3.connect(store.path).execute("SELECT level, idx FROM tiles").fetchall()
    assert rows == [(0, 0), (0, 1), (0, 2)]


def test_durability_rests_on_these_settings(tmp_path: Path) -> None:
    store = opened(tmp_path)
    connection = store._connection
    values = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "secure_delete")
    }
    assert values == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
    assert store.path.stat().st_mode & 0o077 == 0

"""Tokens and cosignatures as stored: with their anchors, for the nearest ones, at any size."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from gateway.ledger.files import read_tail
from gateway.ledger.outside import CosignatureRow, OutsideReader, TokenRow
from gateway.ledger.reader import Reader
from gateway.ledger.rotations import stored_rotations
from gateway.ledger.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ledger.outside import Voucher

NOW_MS = 1_795_255_200_000


def opened(path: Path) -> Store:
    return Store.open(path, "sms.example.es/1", now_ms=NOW_MS)


def grow(store: Store, *, signed: bool = True) -> int:
    """One more entry, and a checkpoint over all."""
    store.append("x.Admin", NOW_MS, {"by": "uid 0", "cmd": "nothing"})
    commit(store)
    if signed:
        store.put_checkpoint(store.size, NOW_MS, f"note {store.size}\n")
        commit(store)
    return store.size


def commit(store: Store) -> None:
    assert store.flush()
    store.commit()


def anchor(store: Store, *vouchers: Voucher) -> int:
    seq = store.append("x.Anchor", NOW_MS, {"size": vouchers[0].size}).seq
    for voucher in vouchers:
        store.outside.put(seq, voucher)
    commit(store)
    return seq


def token(size: int, tsa: str = "one") -> TokenRow:
    return TokenRow(size, tsa, NOW_MS + size, 1000, f"{tsa} {size}".encode())


def line(size: int, witness: str = "w") -> CosignatureRow:
    return CosignatureRow(size, witness, NOW_MS + size, f"— {witness} {size}")


def any_one(names: list[str]) -> bool:
    """A quorum that any witness meets."""
    return bool(names)


def test_of_checkpoints_with_both_the_one_that_meets_the_quorum_is_best(tmp_path: Path) -> None:
    store = opened(tmp_path / "ledger.db")
    first = grow(store)
    anchor(store, token(first), line(first), line(first, "v"))
    second = grow(store)
    anchor(store, token(second), line(second))
    with closing(Reader(store.path)) as reader:
        outside = OutsideReader(reader)
        assert outside.best_over(0, lambda names: {"v", "w"} <= set(names)) == first
        assert outside.best_over(0, lambda names: "x" in names) == second


def test_what_an_anchor_names_is_found_again_with_it(tmp_path: Path) -> None:
    store = opened(tmp_path / "ledger.db")
    assert store.outside.newest() is None
    first = grow(store)
    anchor(store, token(first), token(first, "two"))
    second = grow(store)
    seq = anchor(store, token(second), line(second))
    third = grow(store)
    anchor(store, line(third))
    assert store.outside.newest() == (third, NOW_MS + third)
    assert store.outside.last_of("tokens", "tsa", "two") == (first, NOW_MS + first)
    assert store.outside.last_of("tokens", "tsa", "three") is None
    with closing(Reader(store.path)) as reader:
        outside = OutsideReader(reader)
        assert outside.tokens(first) == [token(first), token(first, "two")]
        assert outside.cosignatures(second) == [line(second).line]
        assert outside.stamped_size() == second
        assert outside.note(second) == f"note {second}\n— w {second}\n"
        assert outside.note(second + 1) is None
        # With both kinds before the newest; beyond them what there is.
        assert outside.best_over(0, any_one) == second
        assert outside.best_over(second, any_one) == third
        assert outside.best_over(third, any_one) is None
        before = outside.anchored_before(seq + 1)
        assert sorted((at, row.tsa) for at, row in before) == [(first, "two"), (seq, "one")]
        assert outside.anchored_before(first) == []
        assert outside.oldest_over(0, third) == [token(first), token(first, "two")]
        assert outside.oldest_over(first, third) == [token(second)]
        assert outside.oldest_over(first, second - 1) == []
        assert outside.last_rotation() == -1


def test_a_token_alone_is_better_than_a_cosignature_alone(tmp_path: Path) -> None:
    store = opened(tmp_path / "ledger.db")
    first = grow(store)
    anchor(store, token(first))
    second = grow(store)
    anchor(store, line(second))
    with closing(Reader(store.path)) as reader:
        assert OutsideReader(reader).best_over(0, any_one) == first


def test_a_rollback_forgets_them(tmp_path: Path) -> None:
    store = opened(tmp_path / "ledger.db")
    size = grow(store)
    store.outside.put(7, token(size))
    assert store.outside.pending()
    store.rollback()
    assert not store.outside.pending()
    assert not store.flush()


def test_a_file_of_the_first_schema_has_none(tmp_path: Path) -> None:
    store = opened(tmp_path / "ledger.db")
    grow(store)
    store.close()
    with closing(sqlite3.connect(store.path)) as file:
        for table in ("tokens", "cosignatures", "rotations", "holds"):
            file.execute(f"DROP TABLE {table}")
        file.execute("PRAGMA user_version=1")
    with closing(Reader(store.path)) as reader:
        outside = OutsideReader(reader)
        assert not outside.tokens(1)
        assert not outside.cosignatures(1)
        assert not outside.anchored_before(9)
        assert stored_rotations(reader) == []
        assert (outside.stamped_size(), outside.best_over(0, any_one), outside.last_rotation()) == (
            0,
            None,
            -1,
        )


def alone(store: Store) -> bool:
    return store.only_anchors


def test_anchors_alone_are_told_from_growth_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    store = opened(path)
    assert alone(store)
    size = grow(store)
    assert alone(store)
    anchor(store, token(size))
    anchor(store, token(size, "two"))
    assert alone(store)
    store.close()
    store = opened(path)
    assert alone(store)
    grow(store, signed=False)
    assert not alone(store)
    store.close()
    assert not alone(opened(path))


def test_a_damaged_entry_after_the_last_checkpoint_is_growth(tmp_path: Path) -> None:
    store = opened(tmp_path / "ledger.db")
    size = grow(store)
    for n in range(300):  # beyond the end that every start checks
        anchor(store, token(size, f"tsa {n}"))
    store.close()
    with closing(sqlite3.connect(store.path)) as file, file:
        file.execute("UPDATE entries SET entry=x'00' WHERE seq=?", (size,))
    assert not opened(store.path).only_anchors


def test_the_end_of_a_log_without_checkpoint_is_read(tmp_path: Path) -> None:
    store = opened(tmp_path / "ledger.db")
    grow(store, signed=False)
    with closing(sqlite3.connect(store.path)) as file:
        tail = read_tail(file)
    assert (tail.checkpoint_size, tail.only_anchors) == (0, False)

"""What persons allow, in the store: the open batch counts, and long lists stay slim."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.ledger.people import GIVEN, LEFT
from gateway.ledger.rows import ConsentRow, OptoutRow, SnapshotRow, Suppression
from gateway.ledger.schema import WAITING
from gateway.ledger.store import Store

if TYPE_CHECKING:
    from pathlib import Path

T = 1_795_255_200_000
ANNA, BERTA = b"a" * 16, b"b" * 16


def opened(directory: Path) -> Store:
    return Store.open(directory / "ledger.db", "sms.example.es/1", now_ms=T)


def commit(store: Store) -> None:
    assert store.flush()
    store.commit()


def consent(store: Store, person: bytes = ANNA) -> ConsentRow:
    row_id = store.next_id(ConsentRow)
    return ConsentRow(
        row_id, person, "acme", "cart", "double", T, T, "", None, 0, "2026-11", b"k", b"n", b"d"
    )


def snapshot(store: Store, state: str = "loading") -> SnapshotRow:
    return SnapshotRow(store.next_id(SnapshotRow), "rne", T, state, T, "me")


def left(person: bytes, brand: str = "acme", place: int = 0) -> Suppression:
    return Suppression(person, brand, 1, place, 0, T, b"12345678")


def test_an_opt_out_of_a_list_counts_in_the_open_batch_and_after_it(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store.people.opted_out(ANNA) == set()
    before = store.people.changes
    store.people.suppress([left(ANNA), left(ANNA, ""), left(BERTA)])
    assert store.people.changes > before
    assert store.people.opted_out(ANNA) == {"acme", ""}
    commit(store)
    assert store.people.opted_out(ANNA) == {"acme", ""}
    store.people.release(ANNA, "")
    assert store.people.opted_out(ANNA) == {"acme"}
    commit(store)
    assert store.people.opted_out(ANNA) == {"acme"}
    assert store.people.opted_out(BERTA) == {"acme"}


def test_an_opt_out_released_and_given_again_in_one_batch_stays(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.people.suppress([left(ANNA)])
    commit(store)
    store.people.release(ANNA, "acme")
    store.people.suppress([left(ANNA, place=5)])
    assert [row.place for row in store.people.suppressions(ANNA)] == [5]
    commit(store)
    assert [row.place for row in store.people.suppressions(ANNA)] == [5]
    store.people.suppress([left(BERTA)])
    store.people.release(BERTA, "acme")
    assert store.people.opted_out(BERTA) == set()


def test_an_opt_out_given_and_removed_before_it_was_written_leaves_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    row = OptoutRow(store.next_id(OptoutRow), ANNA, "acme", T, "web", 0, "2026-11", b"k", b"n")
    store.put_new(row)
    store.remove_optout(row)
    assert store.people.opted_out(ANNA) == set()
    store.append("x.Admin", T, {"by": "me", "cmd": "x"})
    commit(store)
    assert store.people.opted_out(ANNA) == set()


def test_a_withdrawal_counts_before_it_is_written(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put_new(consent(store))
    assert [row.withdrawn_ms for row in store.people.consents(ANNA)] == [None]
    commit(store)
    (row,) = store.people.consents(ANNA)
    row.withdrawn_ms = T + 1
    store.put(row)
    assert [each.withdrawn_ms for each in store.people.consents(ANNA)] == [T + 1]
    assert store.people.given(ANNA, "acme") == [("cart", "double", T, T + 1)]
    commit(store)
    assert store.people.given(ANNA, "acme") == [("cart", "double", T, T + 1)]
    assert store.people.given(ANNA, "other") == store.people.given(BERTA, "acme") == []
    assert [each.withdrawn_ms for each in store.people.consents(ANNA)] == [T + 1]
    assert store.people.consents(BERTA) == []


def test_a_batch_that_is_undone_leaves_permissions_as_they_were(tmp_path: Path) -> None:
    store = opened(tmp_path)
    row = snapshot(store)
    store.put_new(row)
    store.people.enlist(row.id, [ANNA])
    row.state = "current"
    store.people.make_current(row)
    store.people.suppress([left(ANNA)])
    store.put_new(consent(store))
    store.rollback()
    assert store.people.snapshots() == {}
    assert store.people.opted_out(ANNA) == set()
    assert store.people.consents(ANNA) == []
    assert store.people.listings(ANNA, {"rne"}) == []


def test_dead_members_are_swept_in_pieces_and_the_current_ones_stay(tmp_path: Path) -> None:
    store = opened(tmp_path)
    old, new = snapshot(store, "dead"), snapshot(store, "current")
    members = [sha256(b"%d" % n).digest()[:16] for n in range(250)]
    for row in (old, new):
        store.put_new(row)
        assert store.people.enlist(row.id, members) == 250
        assert store.people.enlist(row.id, members) == 0
    store.people.make_current(new)
    commit(store)
    rounds = 0
    while store.people.sweep(100):
        rounds += 1
        commit(store)
    assert rounds == 3
    count = store._connection.execute("SELECT snapshot, count(*) FROM listed GROUP BY 1").fetchall()
    assert count == [(new.id, 250)]
    assert store.people.listings(members[0], {"rne"}) == [new]
    assert store.people.listings(members[0], {"dnc"}) == []


def test_what_the_writer_asks_of_a_person_is_one_search_in_an_index(tmp_path: Path) -> None:
    store = opened(tmp_path)
    explain = store._connection.execute
    for table, where in (
        ("suppressions", "person=x'00'"),
        ("optouts", "person=x'00' ORDER BY id"),
        ("consents", "person=x'00' ORDER BY id"),
        ("consent_requests", "person=x'00' AND closed_ms IS NULL ORDER BY id"),
        ("listed", "snapshot=1 AND person=x'00'"),
        ("submissions", f"person=x'00' AND {WAITING}"),
    ):
        plan = explain(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {where}").fetchall()
        assert "SEARCH" in plan[0][3], table
        assert "SCAN" not in str(plan), table
    assert "SEARCH" in explain(f"EXPLAIN QUERY PLAN {GIVEN}", (ANNA, "acme")).fetchall()[0][3]
    plan = explain(f"EXPLAIN QUERY PLAN {LEFT}", (ANNA,)).fetchall()
    assert [row[3].split()[0] for row in plan if "UNION" not in row[3]] == [
        *("COMPOUND", "LEFT-MOST", "SEARCH", "SEARCH"),
    ]

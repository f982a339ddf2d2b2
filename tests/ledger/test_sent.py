"""The places caps count: exact look-ups of one range, durable, and small steps of forgetting."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import StorageError
from gateway.ledger import sent
from gateway.ledger.rows import State, SubmissionRow
from gateway.ledger.sent import Place
from gateway.ledger.store import Store

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "sms.example.es/1"
T = 1_795_255_200_000
ANA, BEA = b"a" * 16, b"b" * 16


def opened(path: Path) -> Store:
    return Store.open(path / "ledger.db", ORIGIN, now_ms=T)


def place(submission: int, at_ms: int = T, person: bytes = ANA, brand: str = "acme") -> Place:
    return Place(person, brand, at_ms, submission, "promotional", b"")


def commit(store: Store, *places: Place) -> None:
    for each in places:
        store.sent.put(each)
    assert store.flush()
    store.commit()


def test_a_place_is_of_one_person_and_one_brand_and_outlives_the_process(tmp_path: Path) -> None:
    store = opened(tmp_path)
    whole = Place(ANA, "acme", T, 1, "debt_claim", b"12345678", undelivered=True)
    commit(store, whole, place(2, person=BEA), place(3, brand="beta"), place(4, T + 1))
    store.abandon()
    again = opened(tmp_path)
    assert again.sent.of((ANA, "acme"), T) == [whole, place(4, T + 1)]
    assert again.sent.of((ANA, "acme"), T + 1) == [place(4, T + 1)]
    assert again.sent.of((ANA, "acme"), T + 2) == []
    assert again.sent.of((BEA, "acme"), 0) == [place(2, person=BEA)]
    assert again.sent.of((ANA, "beta"), 0) == [place(3, brand="beta")]


def test_a_look_up_sees_the_open_batch_and_a_rollback_undoes_it(tmp_path: Path) -> None:
    store = opened(tmp_path)
    commit(store, place(1), place(2, T + 1))
    store.sent.put(place(3, T + 2))
    store.sent.put(place(4, T - 1))
    store.sent.put(replace(place(2, T + 1), undelivered=True))
    store.sent.remove(place(1))
    store.sent.remove(place(9))
    expected = [replace(place(2, T + 1), undelivered=True), place(3, T + 2)]
    assert store.sent.of((ANA, "acme"), T) == expected
    store.flush()
    assert store.sent.of((ANA, "acme"), T) == expected
    store.rollback()
    assert store.sent.of((ANA, "acme"), T) == [place(1), place(2, T + 1)]


def test_a_place_that_is_taken_and_given_back_in_one_batch_leaves_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.sent.put(place(1))
    store.sent.remove(place(1))
    store.flush()
    store.commit()
    assert store.sent.of((ANA, "acme"), 0) == []


keys = st.sampled_from([(ANA, "acme"), (ANA, "beta"), (BEA, "acme")])
steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "remove", "commit", "rollback", "look"]),
        keys,
        st.integers(0, 6),
        st.integers(0, 3),
    ),
    max_size=30,
)


@given(steps)
@settings(deadline=None, max_examples=60)
def test_whatever_was_put_taken_back_and_undone_the_look_up_is_exact(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[str, sent.Key, int, int]]
) -> None:
    store = opened(tmp_path_factory.mktemp("sent"))
    stored: set[Place] = set()
    model: set[Place] = set()
    for what, key, at_ms, submission in script:
        each = Place(key[0], key[1], at_ms, submission, "promotional", b"")
        if what == "put":
            store.sent.put(each)
            model.add(each)
        elif what == "remove":
            store.sent.remove(each)
            model.discard(each)
        elif what == "commit":
            if store.flush():
                store.commit()
            stored = set(model)
        elif what == "rollback":
            store.rollback()
            model = set(stored)
        found = store.sent.of(key, at_ms)
        wanted = {each for each in model if (each.person, each.brand) == key}
        assert found == sorted(
            (each for each in wanted if each.at_ms >= at_ms),
            key=lambda each: (each.at_ms, each.submission),
        )
    store.abandon()


def test_a_look_up_among_many_is_one_range_of_the_table(tmp_path: Path) -> None:
    store = opened(tmp_path)
    people = [sha256(str(number).encode()).digest()[:16] for number in range(5_000)]
    commit(
        store,
        *(
            place(number * 3 + each, T + each, person)
            for number, person in enumerate(people)
            for each in range(3)
        ),
    )
    for number, person in list(enumerate(people))[::500]:
        found = store.sent.of((person, "acme"), T + 1)
        assert [each.submission for each in found] == [number * 3 + 1, number * 3 + 2]
    with sqlite3.connect(store.path) as other:
        plans = {
            name: [row[3] for row in other.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            for name, statement, values in (
                ("of", sent._OF, (ANA, "acme", T)),
                ("after", sent._AFTER, (ANA, "acme", T, 1, 10)),
                ("remove", sent._REMOVE, (ANA, "acme", T, 1)),
                ("waiting", sent._WAITING, (ANA, "acme")),
            )
        }
    range_scan = "SEARCH sent USING PRIMARY KEY (person=? AND brand=? AND at_ms>?)"
    assert plans["of"] == [range_scan]
    assert plans["after"] == [
        "SEARCH sent USING PRIMARY KEY ((person,brand,at_ms,submission)>(?,?,?,?))"
    ]
    assert plans["remove"] == [
        "SEARCH sent USING PRIMARY KEY (person=? AND brand=? AND at_ms=? AND submission=?)"
    ]
    assert plans["waiting"] == [
        "SEARCH submissions USING INDEX submissions_capped (person=? AND brand=?)"
    ]


def test_the_old_is_forgotten_in_small_steps_and_the_new_never(tmp_path: Path) -> None:
    store = opened(tmp_path)
    people = [sha256(str(number).encode()).digest()[:16] for number in range(100)]
    old = [place(number, T, person) for number, person in enumerate(people)]
    new = [place(number, T + 1000, person) for number, person in enumerate(people)]
    commit(store, *old, *new)
    forgotten = []
    for _ in range(8):  # 200 rows by 32: a turn and one more
        forgotten.append(store.sent.prune(T + 1000, 32))
        if store.flush():
            store.commit()
    assert sum(forgotten) == 100
    assert max(forgotten) <= 32
    for each in new:
        assert store.sent.of((each.person, "acme"), 0) == [each]
    assert store.sent.prune(T + 1000, 32) == 0
    assert store.sent.prune(T + 1001, 1000) > 0


def test_an_empty_table_has_nothing_to_forget(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store.sent.prune(T, 10) == 0
    assert not store.flush()


def test_those_that_wait_for_a_place_are_found_by_person_and_brand(tmp_path: Path) -> None:
    store = opened(tmp_path)

    def row(row_id: int, state: State, reason: str | None, **more: object) -> SubmissionRow:
        made = SubmissionRow(
            row_id,
            f"s{row_id}",
            state,
            "promotional",
            "acme",
            None,
            ANA,
            "2026-11",
            None,
            None,
            "gsm7",
            1,
            T,
        )
        made.reason = reason
        for name, value in more.items():
            setattr(made, name, value)
        return made

    for each in (
        row(1, State.HELD, "cap"),
        row(2, State.HELD, "quiet_hours"),
        row(3, State.REFUSED, "cap", closed_ms=T),
        row(4, State.HELD, "cap", brand="beta"),
        row(5, State.HELD, "cap", person=BEA),
        row(6, State.HELD, "cap"),
        row(7, State.QUEUED, "cap"),
    ):
        store.put_new(each)
    store.flush()
    store.commit()
    assert store.sent.waiting((ANA, "acme")) == [1, 6]


def test_a_batch_is_not_written_over_what_another_program_wrote(tmp_path: Path) -> None:
    store = opened(tmp_path)
    commit(store, place(1))
    with sqlite3.connect(store.path) as other:
        other.execute("DELETE FROM sent")
    other.close()
    store.sent.put(place(2))
    with pytest.raises(StorageError) as caught:
        store.flush()
    assert "another program wrote" in caught.value.message
    store.rollback()
    assert store.sent.of((ANA, "acme"), 0) == []


def test_a_reader_and_our_own_commits_are_no_other_program(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for number in range(3):
        commit(store, place(number))
        with sqlite3.connect(f"{store.path.as_uri()}?mode=ro", uri=True) as reader:
            assert reader.execute("SELECT count(*) FROM sent").fetchone() == (number + 1,)
        reader.close()

"""A list of many in one entry: each row can be shown alone, and nothing else fits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ledger.entry import commitment
from gateway.ledger.lists import (
    list_path,
    list_root,
    row_commitments,
    row_field,
    row_value,
    verify_row,
)
from gateway.ledger.merkle import ProofError

KEY = bytes(range(32))


def values(count: int) -> list[bytes]:
    return [row_value({"to": f"+346001112{n:05d}"}, 1_795_255_200_000 + n) for n in range(count)]


@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 700), data=st.data())
def test_every_row_of_a_list_leads_to_its_root_and_no_other_does(
    count: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, count - 1))
    leaves = row_commitments(KEY, 7, values(count))
    root, path = list_root(leaves), list_path(place, leaves)
    ours = commitment(KEY, row_field(place), 7, values(count)[place])
    assert leaves[place * 32 : place * 32 + 32] == ours
    verify_row(ours, place, count, path, root)
    with pytest.raises(ProofError):
        verify_row(bytes(32), place, count, path, root)
    if count > 1:
        with pytest.raises(ProofError):
            verify_row(ours, (place + 1) % count, count, path, root)


def test_the_same_row_at_another_place_or_in_another_entry_has_another_commitment() -> None:
    twice = [values(1)[0]] * 2
    leaves = row_commitments(KEY, 7, twice)
    assert leaves[:32] != leaves[32:]
    assert row_commitments(KEY, 8, twice) != leaves


def test_what_a_row_says_is_canonical_and_leaves_out_what_is_not_known() -> None:
    assert row_value({"to": "+34600111222"}, 0) == (
        b'{"at":"1970-01-01T00:00:00.000Z","to":"+34600111222"}'
    )
    full = row_value(
        {"person": "00ff"}, 0, source="web", text="Sí", withdrawn_ms=1, evidence={"locale": "es"}
    )
    assert full.decode() == (
        '{"at":"1970-01-01T00:00:00.000Z","locale":"es","person":"00ff","source":"web",'
        '"text":"Sí","withdrawn":"1970-01-01T00:00:00.001Z"}'
    )

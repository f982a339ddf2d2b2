"""Bundles of somebody who signs whatever he likes: pages, or one clear error, never a traceback."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from tests.support.certificates import Story, said, stories

WORDS = st.sampled_from(
    [
        *(
            "",
            "other",
            "several",
            "A.1",
            "x.",
            "delivered",
            "{0}",
            "{issuer}",
            "\u202e",
            "../x",
            "1",
        ),
        *("2026-11-21T17:00:02.000Z", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z"),
        *("Europe/Madrid", "unknown", "handset", "release", "+01:00"),
    ]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**52), 2**52), WORDS, st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *("operator", "bind", "stat", "err", "rx", "done", "part", "parts", "reason", "fits", "of"),
        *("by", "as", "why", "basis", "deadline", "status", "count", "first", "last", "segment"),
        *("decision", "category", "brand", "segments", "encoding", "untied", "replaces", "state"),
        *("message_id", "replaced_by", "assertedBy"),
    ]
)
CODES = st.sampled_from(
    [
        *("x.Released", "x.Attempt", "x.OutcomeUnknown", "F.1", "F.2", "x.CarrierReport", "E.1"),
        *("E.2", "x.NoConfirmation", "F.3", "x.Duplicate", "x.Cancelled", "x.Expired", "x.Erased"),
        *("x.Resolved", "x.Future", "other", ""),
    ]
)
FIELDS = st.dictionaries(KEYS, VALUES, max_size=4)


def tolerated(bundle: bytes) -> None:
    with suppress(DataError):
        said(bundle)


@settings(deadline=None, max_examples=150)
@given(events=st.lists(st.tuples(CODES, FIELDS), max_size=4), first=FIELDS)
def test_a_log_that_signs_nonsense(
    events: list[tuple[str, dict[str, Any]]], first: dict[str, Any]
) -> None:
    story = Story(extra=first)
    for code, fields in events:
        story.event(code, {"receipt": b"id:1 stat:X", "text": "té".encode()}, **fields)
    tolerated(story.bundle())


@settings(deadline=None, max_examples=150)
@given(data=st.data(), name=st.sampled_from(["anchored", "everything", "erased", "refused"]))
def test_an_envelope_that_was_rewritten(data: st.DataObject, name: str) -> None:
    found = json.loads(stories()[name])
    where: Any = found
    for _ in range(data.draw(st.integers(1, 5))):
        keys = list(where) if isinstance(where, dict) else list(range(len(where)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(where[key], dict | list) or data.draw(st.booleans()):
            where[key] = data.draw(VALUES)
            break
        where = where[key]
    tolerated(json.dumps(found).encode())


@pytest.mark.parametrize("year", ["9999", "1969", "0001"])
def test_a_time_at_an_end_of_all_calendars_is_an_error(year: str) -> None:
    story = Story().event("x.NoConfirmation", deadline=f"{year}-12-31T23:59:59.999Z")
    with pytest.raises(DataError, match="no calendar has"):
        said(story.seal("unconfirmed").bundle())
    story = Story()
    story.ledger.now_ms = 253_402_300_798_000
    with pytest.raises(DataError, match="no calendar has"):
        said(story.event("x.Cancelled", by="x").seal("cancelled").bundle())

"""Times, salts and commitments of entries, against the formulas of LEDGER section 1."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.ledger import entry

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/entry.json").read_text())
LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


@given(st.integers(0, LAST_MS))
@settings(deadline=None, max_examples=150)
def test_a_time_is_written_in_utc_with_milliseconds_and_reads_back(instant_ms: int) -> None:
    text = entry.time_text(instant_ms)
    aware = datetime.fromisoformat(text)
    assert aware.tzinfo == UTC
    assert round(aware.timestamp() * 1000) == instant_ms
    assert entry.is_time(text)
    assert entry.time_ms(text) == instant_ms
    assert len(text) == 24


@given(st.integers(0, LAST_MS), st.integers(0, LAST_MS))
@settings(deadline=None, max_examples=50)
def test_texts_are_ordered_as_their_times(first: int, second: int) -> None:
    assert (entry.time_text(first) < entry.time_text(second)) == (first < second)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T17:00:05Z",
        "2026-11-21T17:00:05.1Z",
        "2026-11-21T17:00:05.1234Z",
        "2026-11-21T17:00:05.123z",
        "2026-11-21T17:00:05.123+00:00",
        "2026-11-21 17:00:05.123Z",
        "2026-02-30T17:00:05.123Z",
        "2026-13-01T17:00:05.123Z",
        "2026-11-21T24:00:00.000Z",
        "2026-11-21T23:60:00.000Z",
        "2026-11-21T23:59:60.000Z",
        "0000-11-21T23:59:00.000Z",
        "٢٠٢٦-11-21T17:00:05.123Z",
        "2026-11-21T17:00:05.123Z\n",
        "",
        None,
        17,
    ],
)
def test_what_is_no_time_is_refused(text: object) -> None:
    assert not entry.is_time(text)
    with pytest.raises(DataError) as caught:
        entry.time_ms(text)
    assert caught.value.fields["reason"] == "time"


def test_commitments_follow_the_formulas() -> None:
    key, field, seq, value = bytes(range(32)), "submit.1", 965, b"\x00\x01whole pdu"
    salt = hmac.new(
        key, b"acuse/salt/v1\x00submit.1\x00" + (965).to_bytes(8, "big"), hashlib.sha256
    ).digest()
    expected = hashlib.sha256(b"acuse/commit/v1\x00submit.1\x00" + salt + value).digest()
    assert entry.salt(key, field, seq) == salt
    assert entry.salted(salt, field, value) == expected
    assert entry.commitment(key, field, seq, value) == expected
    assert entry.commitments(key, seq, {field: value}) == {field: expected.hex()}


@pytest.mark.parametrize("vector", VECTORS["commitments"])
def test_published_commitments_stay_what_they_are(vector: dict[str, str]) -> None:
    key, value = bytes.fromhex(vector["key"]), bytes.fromhex(vector["value_hex"])
    field, seq = vector["field"], int(vector["seq"])
    assert entry.salt(key, field, seq).hex() == vector["salt"]
    assert entry.commitment(key, field, seq, value).hex() == vector["commitment"]


@pytest.mark.parametrize("vector", VECTORS["objects"])
def test_published_object_hashes_stay_what_they_are(vector: dict[str, object]) -> None:
    assert entry.object_hash(vector["object"]) == vector["hash"]


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**53), st.binary(max_size=40))
@settings(deadline=None, max_examples=50)
def test_the_same_value_never_shows_as_the_same_commitment(
    key: bytes, seq: int, value: bytes
) -> None:
    here = entry.commitment(key, "text", seq, value)
    assert here != entry.commitment(key, "text", seq + 1, value)
    assert here != entry.commitment(key, "to", seq, value)
    assert here != entry.commitment(key, "text", seq, value + b"\x00")


@pytest.mark.parametrize("name", ["to", "submit.12", "a_b", "0"])
def test_field_names(name: str) -> None:
    assert entry.is_field(name)


@pytest.mark.parametrize("name", ["", "To", "a b", "ñ", "a\x00", "a\n"])
def test_what_is_no_field_name(name: str) -> None:
    assert not entry.is_field(name)

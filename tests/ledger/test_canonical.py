"""Canonical JSON: what we write reads back, and nothing else is let in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.ledger import canonical

LIMIT = canonical.INTEGER_LIMIT
keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-LIMIT + 1, LIMIT - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(keys, values, max_size=6)


def utf16_sorted(value: Any) -> str:
    """RFC 8785 on the subset, written from the standard and not from the encoder."""
    if isinstance(value, dict):
        rows = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
        return "{" + ",".join(f"{utf16_sorted(k)}:{utf16_sorted(v)}" for k, v in rows) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(utf16_sorted, value)) + "]"
    if isinstance(value, str):
        short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
        return (
            '"'
            + "".join(
                short.get(ord(c)) or (f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in value
            )
            + '"'
        )
    return (
        {None: "null", True: "true", False: "false"}[value] if not _is_number(value) else str(value)
    )


def _is_number(value: Any) -> bool:
    return type(value) is int


@given(objects)
@settings(deadline=None, max_examples=150)
def test_every_permitted_object_is_written_as_rfc_8785_says_and_reads_back(
    value: dict[str, Any],
) -> None:
    data = canonical.encode(value)
    assert data.decode() == utf16_sorted(value)
    assert canonical.decode(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',  # duplicate key
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":01}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\ud800"}',  # lone surrogate
        b'{"\\ud800":1}',
        b'{"a":"\xed\xa0\x80"}',  # the same in what is not UTF-8
        b'{"a":"\\u0041"}',  # another escape of A
        b'{"a":"\\/"}',
        b'{"a":"\x7f\\u007f"}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',
        '{"ñ":1}'.encode(),
        '{"a":[{"b":{"ñ":1}}]}'.encode(),
        b"[]",
        b'"a"',
        b"1",
        b"null",
        b"",
        b"{",
        b'{"a":1}{"a":1}',
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 200_000,
        b'{"a":"' + b"x" * canonical.MAX_ENTRY_BYTES + b'"}',
    ],
)
def test_what_is_not_canonical_is_refused_with_one_clear_error(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        canonical.decode(data)
    assert caught.value.fields["reason"] == "canonical"


#: Floats, large integers and other keys too; and every way to write what is nearly canonical.
_anything = st.recursive(
    scalars | st.floats(allow_nan=False) | st.integers(-(1 << 70), 1 << 70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), _anything, max_size=5), st.booleans())
@settings(deadline=None, max_examples=300)
def test_the_reader_of_plain_entries_takes_what_the_strict_one_takes_and_nothing_else(
    value: dict[str, Any], ascii_only: bool
) -> None:
    data = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only).encode(
        "utf-8", "surrogatepass"
    )
    plain = canonical._decode_plain(data)
    try:
        strict = canonical._decode_any(data)
    except DataError:
        assert plain is None
    else:
        assert plain == strict or not data.isascii()
        assert repr(canonical.decode(data)) == repr(strict), "of the same types too"


@given(objects, st.data())
@settings(deadline=None, max_examples=150)
def test_a_changed_byte_gives_another_object_or_a_refusal(
    value: dict[str, Any], data: st.DataObject
) -> None:
    raw = bytearray(canonical.encode(value))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        found = canonical.decode(bytes(raw))
    except DataError:
        return
    assert found != value
    assert canonical.encode(found) == bytes(raw)


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=150)
def test_no_input_gives_anything_but_an_object_or_a_data_error(data: bytes) -> None:
    try:
        assert isinstance(canonical.decode(data), dict)
    except DataError:
        return


def test_text_beyond_ascii_is_kept_as_it_is() -> None:
    value = {"why": "señal 漢字 😀", "list": [{"x": ["é"]}]}
    assert canonical.decode(canonical.encode(value)) == value
    assert "señal 漢字 😀".encode() in canonical.encode(value)


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {"a": float("nan")}])
def test_what_has_no_form_is_refused_when_written(value: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        canonical.encode(value)


def test_brackets_in_strings_are_no_nesting() -> None:
    value = {"a": "[{" * 100 + '"\\'}
    assert canonical.decode(canonical.encode(value)) == value
    canonical.check_form('"' + "[" * 100)  # unterminated: the JSON reader's business
    canonical.check_form('["\\"' + "{" * 100 + '\\\\"]' + "]" * 5)


def test_the_nesting_limit_is_exact() -> None:
    fits = "[" * canonical.MAX_DEPTH + "]" * canonical.MAX_DEPTH
    canonical.check_form(fits + fits)
    with pytest.raises(DataError, match="nested deeper"):
        canonical.check_form(f"[{fits}]")


def test_integers_up_to_the_limit_are_exact() -> None:
    value = {"a": LIMIT - 1, "b": -LIMIT + 1}
    assert json.loads(canonical.encode(value)) == value == canonical.decode(canonical.encode(value))


@given(objects)
def test_the_fast_encoder_gives_the_same_octets(entry: dict[str, Any]) -> None:
    assert canonical.encode_entry(entry) == canonical.encode(entry)

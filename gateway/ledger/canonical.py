"""The one byte form of every hashed object: RFC 8785 restricted to what needs no floats.

An entry is an object with ASCII keys whose values are strings, integers below 2^53, booleans,
null, arrays or objects. On that subset Python's C encoder with sorted keys and no white space is
exactly RFC 8785 (keys sorted by UTF-16 unit, control characters as the shortest escape).
Bytes are hashed as they were stored and never re-encoded to be hashed; `decode` re-encodes only
to insist that what it read was canonical.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_ENTRY_BYTES = 1 << 20
#: Nesting of objects and arrays; ours reach 4. It bounds the recursion of every JSON reader.
MAX_DEPTH = 32
#: Integers stay exact in every JSON reader, JavaScript's included, below this.
INTEGER_LIMIT = 1 << 53

_INTEGER_DIGITS = len(str(INTEGER_LIMIT))
# Possessive, so that an unterminated string costs one pass and not one for each quote in it.
_STRINGS = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
#: orjson refuses integers from 2^53, and sorts keys.
_STRICTLY = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_MARK = bytes(set(range(256)) - set(b"[]{},"))
#: Some thousand strings and what stands between them.
_PORTION = re.compile(r'(?:[^"]++|"(?:[^"\\]++|\\.)*+"?){1,4096}+', re.DOTALL)


def refusal(message: str, *, reason: str = "canonical") -> DataError:
    """The error of every pure check; `fields["reason"]` is a reason word of LEDGER section 5."""
    return DataError(message, reason=reason)


_encode_text = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    allow_nan=False,
    check_circular=False,
).encode


def encode_entry(entry: dict[str, Any]) -> bytes:
    """The canonical bytes of an entry of our own making: `encode`, seven times faster.

    The caller vouches for the types of section 1, texts without lone surrogates included; property
    tests hold the octets equal to those of `encode`.
    """
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


def encode(value: object) -> bytes:
    """The canonical bytes of *value*, which the caller made of the permitted types.

    Floats and integers from 2^53 are the caller's defect: they are encoded here (checking would
    cost more than encoding) and refused by `decode`.

    Raises:
        DataError: a string holds a lone surrogate, or a float is NaN or infinite.
    """
    try:
        return _encode_text(value).encode()
    except UnicodeEncodeError:
        raise refusal("a string holds a lone surrogate, which has no UTF-8 form") from None
    except ValueError:
        raise refusal("NaN and infinity have no JSON form") from None


def check_form(text: str, *, depth: int = MAX_DEPTH, values: int | None = None) -> None:
    """Refuse JSON that costs more than it has bytes, before any reader sees it.

    *depth* bounds the recursion of readers, *values* (about as many values) their memory: in
    Python an empty list has 30 times the size of its text.

    Raises:
        DataError: deeper or more than that.
    """
    opening = text.count("[") + text.count("{")
    if opening <= depth and (values is None or text.count(",") <= values - opening):
        return
    marks = b"".join(_marks(text))
    opening = marks.count(b"[")
    if values is not None and opening + marks.count(b",") > values:
        raise refusal(f"more than {values} values")
    if opening <= depth:
        return
    # Each round takes away the innermost pairs, at the speed of bytes.replace.
    left = marks.translate(None, b",")
    for _ in range(depth):
        before, left = len(left), left.replace(b"[]", b"")
        if len(left) == before:
            break
    if b"[]" in left or left.count(b"[") > depth:
        raise refusal(f"nested deeper than {depth}")


def _marks(text: str) -> Iterator[bytes]:
    """The brackets and commas outside strings, portion by portion so that memory stays small;
    brackets of one kind, because mixed ones are no JSON anyway."""
    at = 0
    while at < len(text) and (portion := _PORTION.match(text, at)):
        at = portion.end()
        bare = _STRINGS.sub("", portion.group()).encode("ascii", "ignore")
        yield bare.translate(_ONE_KIND, _NO_MARK)


def _integer(text: str) -> int:
    if len(text) > _INTEGER_DIGITS + 1 or abs(value := int(text)) >= INTEGER_LIMIT:
        raise refusal("an integer is 2^53 or beyond")
    return value


def _no_float(text: str) -> float:
    raise refusal(f"{text[:20]} is not an integer")


# Unlike `decode`, takes no white space around the value, and says where the value ended.
_decode_text = json.JSONDecoder(
    parse_int=_integer, parse_float=_no_float, parse_constant=_no_float
).raw_decode


def decode(data: bytes) -> dict[str, Any]:
    """The object whose canonical form *data* is; nothing else is accepted.

    Duplicate keys, white space, other key orders and other escapes need no check of their own:
    re-encoding what was read does not give them back.

    Raises:
        DataError: not canonical; `fields["reason"]` is "canonical".
    """
    found = _decode_plain(data)
    return _decode_any(data) if found is None else found


def _decode_plain(data: bytes) -> dict[str, Any] | None:
    """What `_decode_any` makes of an ordinary entry, twice as fast; None: ask `_decode_any`.

    On ASCII text that is not deeply nested, orjson's octets are those of `encode` for every value
    of the permitted types. So where they give *data* back and no value is of another type, the
    strict reader could say nothing else.
    """
    if not data.isascii() or len(data) > MAX_ENTRY_BYTES:
        return None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        return None
    try:
        value = orjson.loads(data)
        if type(value) is not dict or orjson.dumps(value, option=_STRICTLY) != data:
            return None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    return None if _has_float(value.values()) else value


def _has_float(values: Iterable[Any]) -> bool:
    """Whether there is a float at any depth (which is bounded)."""
    for value in values:
        kind = type(value)
        if kind is str or kind is int:
            continue
        if kind is list:
            if _has_float(value):
                return True
        elif kind is dict:
            if _has_float(value.values()):
                return True
        elif kind is float:
            return True
    return False


def _decode_any(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_ENTRY_BYTES:
        raise refusal(f"{len(data)} bytes; an entry has at most {MAX_ENTRY_BYTES}")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise refusal("not UTF-8") from None
    check_form(text)
    try:
        value, _ = _decode_text(text)
    except json.JSONDecodeError as error:
        raise refusal(f"not JSON: {error.msg} at character {error.pos}") from None
    if type(value) is not dict:
        raise refusal("not an object")
    if encode(value) != data:
        raise refusal("not in canonical form")
    if not text.isascii():
        _check_keys(value)
    return value


def _check_keys(value: object) -> None:
    """Refuse a non-ASCII key at any depth (depth is bounded by `check_form`)."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not key.isascii():
                raise refusal("a key is not ASCII")
            _check_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_keys(inner)

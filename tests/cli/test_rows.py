"""Files of submissions as people make them, broken in the ways they get broken."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import tracemalloc
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli.rows import Broken, Row, read_rows
from gateway.daemon.arguments import KEYS
from gateway.errors import DataError


def read(data: bytes, name: str = "x.csv") -> list[Row | Broken]:
    return list(read_rows(io.BytesIO(data), name))


def test_csv_columns_are_the_options() -> None:
    header = b"to,from,brand,category,text,ref,campaign,not_before,valid_for,location,urgent\n"
    text = b'"Hola, ""t\xc3\xba""\nadi\xc3\xb3s"'
    row = b"+34600111222,ACME,acme,otp," + text + b',r,c,T,24h,"{""a"":1}",yes\n'
    (only,) = read(header + row)
    assert only == Row(
        2,
        {
            "to": "+34600111222",
            "from": "ACME",
            "brand": "acme",
            "category": "otp",
            "text": 'Hola, "tú"\nadiós',
            "ref": "r",
            "campaign": "c",
            "not_before": "T",
            "valid_for": "24h",
            "location": {"a": 1},
            "urgent": True,
        },
    )


def test_empty_cells_are_not_given_and_blank_lines_are_nothing() -> None:
    data = (
        b"\xef\xbb\xbfto, text ,ref,urgent\r\n+34600111222,hola,,no\r\n\r\n,,,\n+34600111223,x,,\n"
    )
    assert read(data) == [
        Row(2, {"to": "+34600111222", "text": "hola", "urgent": False}),
        Row(5, {"to": "+34600111223", "text": "x"}),
    ]


@pytest.mark.parametrize(
    ("header", "says", "hints"),
    [
        (b"", "is empty", "header"),
        (b"\n", "no column 'to'", "to and text"),
        (b"to\n", "no column 'text'", "to and text"),
        (b"text,ref\n", "no column 'to'", "to and text"),
        (b"to,txt\n", "'txt' is not a column", "did you mean text?"),
        (b"To,text\n", "'To' is not a column", "did you mean to?"),
        (b"to,text,not-before\n", "'not-before' is not a column", "did you mean not_before?"),
        (b"to;text\n", "'to;text' is not a column", "commas"),
        (b"to,text,to\n", "twice", "once"),
        (b"to,te\xffxt\n", "header is broken: not UTF-8", "first line"),
        (b'to,"text\n', "header is broken: a quote", "first line"),
        (b"to,text\r+34,x\r", "carriage return", "first line"),
    ],
)
def test_a_header_that_cannot_be_read_stops_everything(
    header: bytes, says: str, hints: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(header)
    assert says in caught.value.message
    assert hints in caught.value.hint
    assert caught.value.exit_code == 65


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        (b"+34600111222", "1 columns where the header has 5", None),
        (b"a,b,c,d,e,f", "6 columns", None),
        (b",hola,,,", "to: is missing", "to"),
        (b"+34600111222,,r,,", "text: is missing", "text"),
        (b"+34600111222,h\xffla,,,", "not UTF-8 (byte 15 of the line)", None),
        (b"+34600111222,x,,maybe,", "urgent: 'maybe' is neither", "urgent"),
        (b"+34600111222,x,,,nope", "location: not JSON", "location"),
        (b"+34600111222,x,,,[1]", "location: not a JSON object", "location"),
        (b'+34600111222,"x"y,,,', "goes on after its closing quote", None),
        (b'+34600111222,"x,,,', "a quote is opened and never closed", None),
        (b"+34600111222,x\ry,,,", "a carriage return stands alone", None),
        (b"+34600111222," + b"x" * 140_000 + b",,,", "field larger than field limit", None),
        (b"+34600111222," + b"x" * 1_100_000 + b",,,", "longer than 1048576 bytes", None),
    ],
)
def test_a_broken_csv_line_breaks_alone(line: bytes, reason: str, field: str | None) -> None:
    before, after = b"+34600111221,uno,,,\n", b"+34600111223,tres,,,\n"
    first, broken, *rest = read(b"to,text,ref,urgent,location\n" + before + line + b"\n" + after)
    assert first == Row(2, {"to": "+34600111221", "text": "uno"})
    assert isinstance(broken, Broken)
    assert broken.line == 3
    assert reason in broken.reason
    assert broken.field == field
    assert rest == [Row(4, {"to": "+34600111223", "text": "tres"})]


def test_an_open_quote_swallows_nothing_even_when_a_later_one_closes_it() -> None:
    good = [b'+34600111223,"uno, dos"\n', b'+34600111224,"tres"\n', b"+34600111225,x\n"] * 150
    rows = read(b'to,text\n+34600111222,"abierto\n' + b"".join(good))
    assert [row.line for row in rows if isinstance(row, Broken)] == [2]
    assert [row.line for row in rows if isinstance(row, Row)] == list(range(3, 453))


def test_a_text_may_have_lines_of_its_own() -> None:
    rows = read(b'to,text\n+34600111222,"a\nb\n\nc"\n+34600111223,d\n')
    assert rows == [
        Row(2, {"to": "+34600111222", "text": "a\nb\n\nc"}),
        Row(6, {"to": "+34600111223", "text": "d"}),
    ]


def test_jsonl_takes_the_same_keys() -> None:
    data = (
        b'{"to":"+34600111222","text":"a","urgent":true,"location":{"country":"ES"},"ref":null}\n'
    )
    expected = Row(
        1, {"to": "+34600111222", "text": "a", "urgent": True, "location": {"country": "ES"}}
    )
    assert read(data, "x.jsonl") == [expected]
    assert read(b"  " + data, "stdin") == [expected]


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        (b"{", "not JSON: Expecting property name", None),
        (b"5", "not a JSON object", None),
        (b'{"to":5,"text":"x"}', "to: must be text", "to"),
        (b'{"to":"+34600111222"}', "text: is missing", "text"),
        (b'{"to":"+34600111222","text":"x","urgent":"yes"}', "urgent: must be true or", "urgent"),
        (b'{"to":"+34600111222","text":"x","location":"ES"}', "location: must be an", "location"),
        (b'{"to":"+34600111222","text":"x","reff":"r"}', "'reff' is not a key; did you", "reff"),
        (b'{"to":"\xff"}', "not UTF-8", None),
        (b"[" * 100_000, "nested too deeply", None),
        (b'{"a":' + b"9" * 10_000 + b"}", "number too long", None),
    ],
)
def test_a_broken_json_line_breaks_alone(line: bytes, reason: str, field: str | None) -> None:
    good = b'{"to":"+34600111222","text":"x"}\n'
    first, broken, last = read(good + line + b"\n\n" + good, "x.jsonl")
    assert isinstance(first, Row)
    assert isinstance(broken, Broken)
    assert (broken.line, broken.field) == (2, field)
    assert reason in broken.reason
    assert isinstance(last, Row)
    assert last.line == 4


def test_progress_tells_the_bytes_read() -> None:
    seen: list[int] = []
    data = b"to,text\n+34600111222,x\n"
    list(read_rows(io.BytesIO(data), "x.csv", progress=seen.append))
    assert seen[-1] == len(data)
    assert seen == sorted(seen)


def test_a_long_file_is_read_in_flat_memory() -> None:
    class Many(io.BytesIO):
        left = 30_000

        def readline(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            if self.left == 29_999:
                return b"to,text\n"
            return b"+34600111222,hola\n" if self.left >= 0 else b""

    file: IO[bytes] = Many()
    tracemalloc.start()
    count = sum(1 for _ in read_rows(file, "x.csv"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 29_999
    assert peak < 1_000_000


_ARGS = st.fixed_dictionaries(
    {"to": st.text(min_size=1), "text": st.text(min_size=1)},
    optional={key: st.text(min_size=1) for key in ("from", "brand", "ref", "campaign")},
)


@settings(deadline=None, max_examples=60)
@given(st.lists(_ARGS, max_size=5))
def test_whatever_python_writes_is_read_back(submissions: list[dict[str, str]]) -> None:
    file = io.StringIO()
    writer = csv.DictWriter(file, [key for key in KEYS if key not in ("location", "urgent")])
    writer.writeheader()
    writer.writerows(submissions)
    rows = read(file.getvalue().encode("utf-8", "replace"))
    expected = [
        {key: text.encode("utf-8", "replace").decode() for key, text in item.items()}
        for item in submissions
    ]
    assert [row.args for row in rows if isinstance(row, Row)] == expected
    lines = "".join(json.dumps(item) + "\n" for item in submissions).encode()
    if lines:
        assert [row.args for row in read(lines, "x.jsonl") if isinstance(row, Row)] == submissions


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200))
def test_no_bytes_at_all_leave_more_than_a_named_error(data: bytes) -> None:
    for name in ("x.csv", "x.jsonl", "stdin"):
        for file in (data, b"to,text\n" + data):
            with contextlib.suppress(DataError):
                assert all(isinstance(row, Row | Broken) for row in read(file, name))

"""What can be said of a submission can be said as an option, in a CSV cell and as a JSONL key."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.cli.rows import Row, read_rows
from gateway.cli.submit import submit
from gateway.daemon import arguments
from gateway.daemon.arguments import ARGUMENTS, KEYS, Argument, Kind, read_arguments
from gateway.errors import DataError, UsageError
from gateway.policy import rules

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Acuse

#: A cell's text of each kind, and the JSON value it stands for.
SAMPLES: dict[Kind, tuple[str, object]] = {
    Kind.TEXT: ("some text", "some text"),
    Kind.FLAG: ("yes", True),
    Kind.WHOLE: ("2", 2),
    Kind.SPAN: ("24h", "24h"),
    Kind.INSTANT: ("2026-11-28T09:00:00Z", "2026-11-28T09:00:00Z"),
    Kind.OBJECT: ('{"country":"US"}', {"country": "US"}),
}
#: Options of the command that say nothing of a submission.
OTHERS = {"batch", "dry_run", "wait", "timeout", "as_json", "config", "socket", "verbose"}


def sample(argument: Argument) -> tuple[str, object]:
    return (
        (argument.choices[-1], argument.choices[-1]) if argument.choices else SAMPLES[argument.kind]
    )


def test_the_options_of_submit_are_the_keys_of_a_batch() -> None:
    assert {option.name for option in submit.params} - OTHERS == set(KEYS)


@pytest.mark.parametrize("argument", ARGUMENTS, ids=KEYS)
def test_an_option_a_cell_and_a_key_say_the_same(
    acuse: Acuse, tmp_path: Path, argument: Argument
) -> None:
    cell, value = sample(argument)
    cells = {"to": "+34600111222", "text": "hola", argument.name: cell}
    values = {"to": "+34600111222", "text": "hola", argument.name: value}
    daemon = acuse.daemon(submit={"submission_id": "x", "state": "queued"})

    options: list[str] = []
    for key, text in cells.items():
        option = f"--{key.replace('_', '-')}"
        flag = key == argument.name and argument.kind is Kind.FLAG
        options += [option] if flag else [option, text]
    assert acuse("submit", *options).code == 0

    table = io.StringIO()
    writer = csv.DictWriter(table, list(cells))
    writer.writeheader()
    writer.writerow(cells)
    (tmp_path / "x.csv").write_text(table.getvalue(), encoding="utf-8")
    (tmp_path / "x.jsonl").write_text(json.dumps(values) + "\n", encoding="utf-8")
    for name in ("x.csv", "x.jsonl"):
        assert acuse("submit", "--batch", str(tmp_path / name)).code == 0
    assert [args for _, args in daemon.asked] == [values] * 3
    assert read_arguments(values)[argument.name] is not None


@pytest.mark.parametrize(
    ("key", "cell", "says"),
    [
        ("priority", "high", "priority: 'high' is not a whole number"),
        ("priority", "1.5", "priority: '1.5' is not a whole number"),
        ("urgent", "si", "urgent: 'si' is neither true nor false"),
        ("location", "ES", "location: not JSON"),
    ],
)
def test_a_cell_that_stands_for_nothing(key: str, cell: str, says: str) -> None:
    data = f"to,text,{key}\n+34600111222,hola,{cell}\n+34600111223,hola,\n".encode()
    broken, good = read_rows(io.BytesIO(data), "x.csv")
    assert says in getattr(broken, "reason", "")
    assert good == Row(3, {"to": "+34600111223", "text": "hola"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("to", ""),
        ("to", None),
        ("text", 5),
        ("category", "spam"),
        ("urgent", "perhaps"),
        ("urgent", 1),
        ("priority", True),
        ("priority", 4),
        ("priority", -1),
        ("priority", "x"),
        ("priority", 1.5),
        ("valid_for", "0s"),
        ("valid_for", 60),
        ("valid_for", "61d"),
        ("valid_for", "٣h"),
        ("not_before", 5),
        ("not_before", "tomorrow"),
        ("not_before", "2026-11-28T09:00:00"),
        ("location", "ES"),
        ("location", []),
    ],
)
def test_a_value_that_cannot_be_names_its_key_and_a_way_out(key: str, value: Any) -> None:
    with pytest.raises(DataError) as caught:
        read_arguments({"to": "+34600111222", "text": "x", key: value})
    assert caught.value.fields["field"] == key
    assert caught.value.hint


def test_the_categories_are_those_of_policy() -> None:
    assert arguments.CATEGORIES == rules.CATEGORIES


def test_an_argument_nobody_knows() -> None:
    with pytest.raises(UsageError, match="unknown argument 'txt'"):
        read_arguments({"txt": "x"})

"""Somebody starts the simulator with options; help, checks and behaviour come from one place."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import UsageError
from gateway.sim.options import ID_FORMS, SimOptions, option_table
from gateway.sim.outcomes import OUTCOMES, outcome_of, outcome_table


def test_every_option_has_its_row_and_the_rows_make_the_options() -> None:
    rows = option_table()
    given: dict[str, Any] = {row.name: row.default for row in rows}
    assert SimOptions(**given) == SimOptions()
    assert all(row.help and row.type in (str, int, float) for row in rows)
    assert all(row.default is None or isinstance(row.default, row.type) for row in rows)
    by_name = {row.name: row for row in rows}
    assert by_name["message_id"].choices == ID_FORMS
    assert by_name["seed"].type is int
    assert by_name["password"].type is str


@pytest.mark.parametrize(
    ("given", "field", "hint"),
    [
        ({"early": 1.5}, "early", "1 or less"),
        ({"duplicate": -0.1}, "duplicate", "0 or more"),
        ({"reorder": float("nan")}, "reorder", "1 or less"),
        ({"receipt_window": 0}, "receipt_window", "1 or more"),
        ({"message_id": "octal"}, "message_id", "decimal, hex, uuid"),
        ({"receipt_delay_min_s": 2.0}, "receipt_delay_min_s", "same value"),
        ({"resend_s": 0.0}, "resend_s", "0.001 or more"),
        ({"utc_offset_s": 60000}, "utc_offset_s", "50400 or less"),
    ],
)
def test_a_value_that_cannot_be_is_refused(given: dict[str, Any], field: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        SimOptions(**given)
    assert caught.value.fields["field"] == field
    assert hint in caught.value.hint


def test_the_table_for_people_has_every_number() -> None:
    rows = dict(outcome_table())
    assert rows["other"] == "delivered"
    assert rows["921-929"].startswith("refused 1 to 9 times with 0x58")
    listed = set(rows) - {"other", "921-929"} | {f"92{times}" for times in range(1, 10)}
    assert listed == set(OUTCOMES)
    assert all(len(digits) + len(doc) < 75 for digits, doc in rows.items())


def test_the_last_three_digits_count_and_nothing_else() -> None:
    assert outcome_of("34600111901") is OUTCOMES["901"]
    assert outcome_of("901") is OUTCOMES["901"]
    assert outcome_of("34600901111").doc == "delivered"
    assert outcome_of("").doc == "delivered"

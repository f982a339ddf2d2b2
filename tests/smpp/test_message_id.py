"""An operator names one message in two numerals, and it is still one message."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.smpp.message_id import (
    FORMS,
    RULES,
    fold_receipt_id,
    look_up_keys,
    matched_by,
    normalise_message_id,
    orphan_keys,
    same_id,
)

PROPERTY = settings(deadline=None, max_examples=100)


@pytest.mark.parametrize(
    ("form", "response", "receipt"),
    [
        ("same", "0e99-ab", "0e99-ab"),
        ("hex_in_response", "3a00ff", "3801343"),
        ("hex_in_response", "3A00FF", "0003801343"),
        ("hex_in_response", "912FC7470000001B", "10461799567161557019"),  # above 63 bits
        ("hex_in_response", "0" * 64, "0"),
        ("decimal_in_response", "3801343", "3A00FF"),
        ("decimal_in_response", "0003801343", "003a00ff"),
        ("decimal_in_response", "171026999222636445993424531920", "2289e37cd8aff240689e231d0"),
        ("decimal_in_response", "abc", "abc"),
        ("hex_in_response", "1101c1-c9d0", "1101c1-c9d0"),
    ],
)
def test_a_response_and_its_receipt_meet(form: str, response: str, receipt: str) -> None:
    assert normalise_message_id(response, form) == fold_receipt_id(receipt, form)


@given(st.integers(0, 16**40), st.booleans(), st.integers(0, 8))
@PROPERTY
def test_any_number_meets_itself(number: int, upper: bool, zeros: int) -> None:
    decimal = "0" * zeros + str(number)
    hexadecimal = "0" * zeros + (f"{number:X}" if upper else f"{number:x}")
    assert normalise_message_id(hexadecimal, "hex_in_response") == fold_receipt_id(
        decimal, "hex_in_response"
    )
    assert normalise_message_id(decimal, "decimal_in_response") == fold_receipt_id(
        hexadecimal, "decimal_in_response"
    )
    assert same_id(decimal, hexadecimal)
    assert same_id(hexadecimal, decimal)


@given(st.text(max_size=80), st.sampled_from(FORMS))
@PROPERTY
def test_no_id_is_too_strange(message_id: str, form: str) -> None:
    normalise_message_id(message_id, form)
    fold_receipt_id(message_id, form)
    assert same_id(message_id, message_id)


@pytest.mark.parametrize("odd", ["1_0", " 10", "+10", "0x10", "१०", "9" * 5000, ""])
def test_only_plain_numerals_are_numbers(odd: str) -> None:
    for form in FORMS[:3]:
        assert normalise_message_id(odd, form) == odd


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0059113999", "386020f"),
        ("00AB12", "ab12"),
        ("1101C1-C9D03D-F000", "1101c1c9d03df000"),
        ("0000", "0"),
    ],
)
def test_one_id_in_two_forms(one: str, other: str) -> None:
    assert same_id(one, other)
    assert same_id(other, one)


@pytest.mark.parametrize(("one", "other"), [("1234", "1235"), ("abc", "xyz"), ("", "1")])
def test_two_ids(one: str, other: str) -> None:
    assert not same_id(one, other)


@pytest.mark.parametrize(
    ("response", "receipt", "rule"),
    [
        ("1101c1-c9d03d", "1101c1-c9d03d", "id"),
        ("1101C1-C9D03D", "1101c1-c9d03d", "case"),
        ("00B8BE19", "b8be19", "padding"),
        ("39a99dd5", "0967417301", "hex"),
        ("3801343", "003A00FF", "decimal"),
        ("812AC7470000001B", "9307470687671156763", "hex"),  # above 63 bits
    ],
)
def test_without_a_form_every_reading_is_looked_up_and_named(
    response: str, receipt: str, rule: str
) -> None:
    assert normalise_message_id(response, "auto") in look_up_keys(receipt, "auto")
    assert fold_receipt_id(receipt, "auto") in orphan_keys(response, "auto")
    assert matched_by(response, receipt) == rule
    assert rule in RULES


def test_ids_of_two_messages_match_by_no_rule() -> None:
    assert matched_by("39a99dd5", "39a99dd6") is None
    assert len(look_up_keys("81234567", "same")) == 1

"""Numbers of long lists in eight bytes, and persons whose number is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.evidence.numbers import SEALED_BYTES, open_number, seal_number
from gateway.evidence.people import person_from, person_text, who_of
from gateway.evidence.vault import PERSON_KEY, Vault

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))
PERSON = b"p" * 16


@settings(deadline=None)
@given(digits=st.text("0123456789", min_size=7, max_size=15))
def test_a_number_comes_back_and_takes_eight_bytes(digits: str) -> None:
    sealed = seal_number(KEY, PERSON, f"+{digits}")
    assert len(sealed) == SEALED_BYTES
    assert open_number(KEY, PERSON, sealed) == f"+{digits}"


def test_two_persons_and_two_keys_have_nothing_in_common() -> None:
    sealed = seal_number(KEY, PERSON, "+34600111222")
    assert seal_number(KEY, b"q" * 16, "+34600111222") != sealed
    assert seal_number(bytes(32), PERSON, "+34600111222") != sealed


def test_another_key_opens_to_no_number_or_to_another_one() -> None:
    sealed = seal_number(KEY, PERSON, "+34600111222")
    with pytest.raises(DataError, match="cannot be decrypted"):
        open_number(bytes(32), PERSON, sealed)


def vault(directory: Path) -> Vault:
    made = Vault(directory)
    made.make(PERSON_KEY)
    return made


def test_a_person_without_number_is_read_back_only_where_the_hash_was_made(tmp_path: Path) -> None:
    ours, theirs = vault(tmp_path / "a"), vault(tmp_path / "b")
    text = person_text(PERSON, ours)
    assert person_from(text, ours) == PERSON
    for wrong, reader in ((text, theirs), ("person:1:2", ours), (text[:-1], ours)):
        with pytest.raises(DataError, match="not made here") as error:
            person_from(wrong, reader)
        assert error.value.fields["field"] == "to"
    assert person_from("+34600111222", ours) is None
    assert who_of(PERSON, None) == {"person": PERSON.hex()}
    assert who_of(PERSON, "+34600111222") == {"to": "+34600111222"}

"""Persons as lists name them when their number is gone: the keyed hash, with the key's mark.

`person:MARK:HASH` stands where a number would. It is read back only by a gateway with the same
person key, which the mark tells: under another key the hash would be of nobody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gateway.errors import DataError

if TYPE_CHECKING:
    from gateway.evidence.vault import Vault

_MARK_BYTES: Final = 4
_REF_BYTES: Final = 16
_FORM: Final = re.compile(r"person:([0-9a-f]{8}):([0-9a-f]{32})")
_PREFIX: Final = "person:"


def person_text(person: bytes, vault: Vault) -> str:
    """The keyed hash of a person as a list shows it."""
    return f"{_PREFIX}{_mark(vault)}:{person.hex()}"


def person_from(text: str, vault: Vault) -> bytes | None:
    """The keyed hash in *text*, or None where it is not of that form, and thus a number.

    Raises:
        DataError: damaged, or made under the key of another gateway.
    """
    if not text.startswith(_PREFIX):
        return None
    match = _FORM.fullmatch(text)
    if match is None or match[1] != _mark(vault):
        raise DataError(
            "to: this keyed hash was not made here",
            hint="hashes are read back only with the person-key they were exported with",
            field="to",
        )
    return bytes.fromhex(match[2])


def erased_ref(brand: str, ref: str, vault: Vault) -> str:
    """What stands for the reference of a submission whose content was erased: nobody can read it,
    and it is known again.
    """
    return f"erased:{vault.code(f'ref {brand}', ref)[:_REF_BYTES].hex()}"


def who_of(person: bytes, number: str | None) -> dict[str, str]:
    """How the row of a list names somebody: by number, or by keyed hash where that is gone."""
    return {"to": number} if number else {"person": person.hex()}


def _mark(vault: Vault) -> str:
    """Tells person keys apart and says nothing of them: the hash of a name no number has."""
    return vault.person("acuse/mark/v1")[:_MARK_BYTES].hex()

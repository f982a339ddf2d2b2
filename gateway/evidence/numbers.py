"""Phone numbers of long lists, encrypted in eight bytes each.

The digits are packed two to a byte and combined with a pad made from the chunk's key and the
person's keyed hash: one pad for each person, whose number is always the same, so that no pad ever
covers two texts. Whether it was opened rightly shows in the keyed hash.
"""

from __future__ import annotations

from hmac import digest
from typing import Final

from gateway.errors import DataError

SEALED_BYTES: Final = 8
_LABEL: Final = b"acuse/number/v1\x00"
_NO_DIGIT: Final = "f"


def seal_number(key: bytes, person: bytes, number: str) -> bytes:
    """*number* (`+` and 7 to 15 digits) of *person*, encrypted under the 32-byte *key*."""
    packed = bytes.fromhex(number[1:].ljust(2 * SEALED_BYTES, _NO_DIGIT))
    return _combined(packed, key, person)


def open_number(key: bytes, person: bytes, sealed: bytes) -> str:
    """What `seal_number` was given; the caller checks that its keyed hash is *person*.

    Raises:
        DataError: it is no number: another key, or damaged.
    """
    digits = _combined(sealed, key, person).hex().rstrip(_NO_DIGIT)
    if not digits.isdecimal():
        raise DataError(
            "a number of an imported list cannot be decrypted",
            hint="the ledger file is damaged there: run `acuse ledger verify`",
        )
    return f"+{digits}"


def _combined(data: bytes, key: bytes, person: bytes) -> bytes:
    pad = digest(key, _LABEL + person, "sha256")[:SEALED_BYTES]
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")
    return mixed.to_bytes(SEALED_BYTES, "big")

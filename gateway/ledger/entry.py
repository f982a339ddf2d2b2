"""What an entry is made of: event codes, times, salts and commitments (LEDGER sections 1 and 2).

No phone number, sender, text or PDU stands in an entry in clear, only commitments: SHA-256 over
the value and a salt that nobody can guess without the submission's key.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING, TypeGuard

from gateway.ledger.canonical import encode, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
#: `prev` of the first entry.
NO_PREVIOUS = "0" * 64
KEY_BYTES = 32
SALT_BYTES = 32

GENESIS = "x.Genesis"
BOOT = "x.Boot"
CLOCK_STEP = "x.ClockStep"
SUBMISSION_ACCEPTANCE = "A.1"
SUBMISSION_REJECTION = "A.2"
RELEASED = "x.Released"
ATTEMPT = "x.Attempt"
OUTCOME_UNKNOWN = "x.OutcomeUnknown"
RELAY = "F.1"
RELAY_FAILURE = "F.2"
CARRIER_REPORT = "x.CarrierReport"
CONTENT_HANDOVER = "E.1"
CONTENT_HANDOVER_FAILURE = "E.2"
NO_CONFIRMATION = "x.NoConfirmation"
RECEIVED = "F.3"
DUPLICATE = "x.Duplicate"
CONSENT = "x.Consent"
OPT_OUT = "x.OptOut"
SEAL = "S.1"
REOPENED = "x.Reopened"
ANCHOR = "x.Anchor"
ORPHAN = "x.Orphan"
CANCELLED = "x.Cancelled"
EXPIRED = "x.Expired"
RESOLVED = "x.Resolved"
ADMIN = "x.Admin"
KEY_ROTATE = "x.KeyRotate"
ERASED = "x.Erased"

#: Fields of a commitment whose value is UTF-8 text; all others are PDUs, raw bytes.
TEXT_FIELDS = frozenset({"to", "from", "text"})

_FIELD = re.compile(r"[a-z0-9._]+")
_SALT_LABEL = b"acuse/salt/v1\x00"
_COMMIT_LABEL = b"acuse/commit/v1\x00"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z", re.ASCII)


def is_field(name: str) -> bool:
    """Whether *name* can be the name of a committed field."""
    return _FIELD.fullmatch(name) is not None


def salt(key: bytes, field: str, seq: int) -> bytes:
    """The salt of *field* in entry *seq*: HMAC-SHA-256 under the submission's 32-byte key K."""
    return digest(key, _SALT_LABEL + field.encode() + b"\x00" + seq.to_bytes(8, "big"), "sha256")


def salted(salt_: bytes, field: str, value: bytes) -> bytes:
    """The commitment to *value* with a salt that is at hand, as a verifier has it."""
    return sha256(_COMMIT_LABEL + field.encode() + b"\x00" + salt_ + value).digest()


def commitment(key: bytes, field: str, seq: int, value: bytes) -> bytes:
    """The commitment to *value* of *field* in entry *seq*."""
    return salted(salt(key, field, seq), field, value)


def commitments(key: bytes, seq: int, values: Mapping[str, bytes]) -> dict[str, str]:
    """The `commit` object of entry *seq*: field name -> commitment in hex."""
    return {field: commitment(key, field, seq, value).hex() for field, value in values.items()}


def object_hash(value: object) -> str:
    """Hex SHA-256 of the canonical JSON of `issuer`, `sender` or one of `operators`.

    Raises:
        DataError: it has no canonical form.
    """
    return sha256(encode(value)).hexdigest()


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


def time_text(instant_ms: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ` of milliseconds since the Unix epoch, years 1970 to 9999."""
    second, milli = divmod(instant_ms, 1000)
    return f"{_second_text(second)}{milli:03d}Z"


@lru_cache(maxsize=64)
def _second(text: str) -> int | None:
    try:
        return int(datetime.fromisoformat(text + "+00:00").timestamp())
    except ValueError:
        return None


def is_time(value: object) -> TypeGuard[str]:
    """Whether *value* is a time as `time_text` writes it, of a day and an hour that exist.

    Two such texts are ordered as their times are.
    """
    return (
        isinstance(value, str)
        and _TIME.fullmatch(value) is not None
        and _second(value[:19]) is not None
    )


def time_ms(value: object) -> int:
    """Milliseconds since the Unix epoch of a time as `time_text` writes it.

    Raises:
        DataError: not of that form, or no such day or hour; reason "time".
    """
    if not is_time(value):
        raise refusal("a time does not read YYYY-MM-DDTHH:MM:SS.mmmZ", reason="time")
    return (_second(value[:19]) or 0) * 1000 + int(value[20:23])

"""What a consent must say to be one, and what its ledger entry commits to."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from gateway.errors import DataError
from gateway.ledger import canonical
from gateway.policy.rules import METHODS, PURPOSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.ledger.rows import ConsentRow

#: 2000-01-01: nobody consented to text messages of a brand before.
EARLIEST_MS: Final = 946_684_800_000
#: What evidence may say, beside text and source.
EVIDENCE: Final = ("locale", "url", "form_id")
#: Letters of a text, a source and any other evidence, at most.
TEXT_MOST: Final = 4000
SOURCE_MOST: Final = 200
EVIDENCE_MOST: Final = 2000


def check_grant(
    purpose: str,
    method: str,
    text: str | None,
    source: str | None,
    at_ms: int | None,
    now_ms: int,
) -> None:
    """Refuse what no consent can be.

    Raises:
        DataError: with `fields["field"]`.
    """
    if purpose not in PURPOSES:
        raise DataError(
            f"purpose: {purpose!r} is none of {', '.join(PURPOSES)}",
            hint="marketing for promotions, cart for reminders of an abandoned cart",
            field="purpose",
        )
    if method not in METHODS:
        raise DataError(
            f"method: {method!r} is none of {', '.join(METHODS)}",
            hint="double only where the person confirmed a request",
            field="method",
        )
    for field, value, most in (("text", text, TEXT_MOST), ("source", source, SOURCE_MOST)):
        if value is not None and len(value) > most:
            raise DataError(
                f"{field} is longer than {most} characters", hint="shorten it", field=field
            )
    if at_ms is not None and at_ms > now_ms:
        raise DataError(
            "at is in the future",
            hint="a consent counts from when it was given; is the clock right?",
            field="at",
        )
    if at_ms is not None and at_ms < EARLIEST_MS:
        raise DataError(
            "at is before 2000", hint="is the year right? Write 2026-11-28T09:00:00Z", field="at"
        )


def text_hash(text: str | None) -> bytes | None:
    """SHA-256 of the exact text somebody consented to."""
    return None if text is None else sha256(text.encode()).digest()


def details_of(
    text: str | None, source: str | None, evidence: Mapping[str, str] | None
) -> dict[str, str]:
    """What is kept as evidence: text, source, and the rest that was given.

    Raises:
        DataError: evidence of no such name, or too long.
    """
    given = {"text": text, "source": source, **(evidence or {})}
    for field, value in (evidence or {}).items():
        if field not in EVIDENCE or len(value) > EVIDENCE_MOST:
            raise DataError(
                f"{field}: no such evidence, or longer than {EVIDENCE_MOST} characters",
                hint=f"evidence is {', '.join(EVIDENCE)}",
                field=field,
            )
    return {field: value for field, value in given.items() if value}


def content_of(number: str, details: dict[str, str]) -> dict[str, bytes]:
    """What an entry commits to: the number, the exact text, and the evidence about it."""
    content = {"to": number.encode()}
    if "text" in details:
        content["text"] = details["text"].encode()
    rest = {field: value for field, value in details.items() if field != "text"}
    if rest:
        content["evidence"] = canonical.encode(rest)
    return content


def is_same(
    row: ConsentRow, brand: str, purpose: str, method: str, granted_ms: int, text: str | None
) -> bool:
    """Whether *row* records that very consent."""
    return (
        (row.brand, row.purpose, row.method) == (brand, purpose, method)
        and row.granted_ms == granted_ms
        and row.text_hash == text_hash(text)
    )


def by(actor: str) -> dict[str, str]:
    """Who asked for it, where somebody did."""
    return {"by": actor} if actor else {}

"""The arguments of `submit`, read strictly: what cannot be is refused before any row is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.daemon.arguments import read_arguments
from gateway.daemon.work import Request
from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.policy.numbering import Numbering
    from gateway.policy.rules import Category
    from gateway.settings import Brand

_ALPHANUMERIC_MOST = 11
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9 ._&+-]{1,11}")


@dataclass(slots=True)
class Candidate:
    """A submission that was read and found possible, not yet decided."""

    request: Request
    brand: str
    category: Category
    ref: str | None


class SubmissionReader:
    """Reads submissions against the configured brands and the numbering plan."""

    def __init__(self, brands: Mapping[str, Brand], numbering: Numbering) -> None:
        self._brands = brands
        self._numbering = numbering

    def read(self, args: Mapping[str, Any], now_ms: int) -> Candidate:
        """The submission the arguments of `submit` describe.

        Raises:
            UsageError: an argument nobody knows.
            DataError: a value that cannot be; `fields["field"]` names it.
        """
        given = read_arguments(args)
        brand = self.brand(given["brand"])
        request = Request(
            to=self.number(given["to"]),
            sender=self._senders_of(brand, self._sender(given["from"], brand)),
            text=given["text"],
            campaign=given["campaign"],
            location=_location(given["location"]),
            urgent=bool(given["urgent"]),
            age_verified=bool(given["age_verified"]),
            third_party_collector=bool(given["third_party_collector"]),
            fix=bool(given["fix"]),
            valid_for_s=given["valid_for"],
            not_before_ms=given["not_before"],
            priority=given["priority"] or 0,
        )
        if (request.not_before_ms or 0) > now_ms + 366 * 86_400_000:
            raise DataError(
                "not_before is more than a year ahead",
                hint="submit it nearer to its time",
                field="not_before",
            )
        ref = given["ref"]
        if ref is not None and len(ref) > 200:
            raise DataError("ref is longer than 200 characters", hint="shorten it", field="ref")
        return Candidate(request, brand, given["category"] or "promotional", ref)

    def number(self, text: str) -> str:
        """The recipient's number in E.164 form."""
        return self._numbering.normalise(text, "to")

    def brand(self, name: str | None) -> str:
        """The configured brand of that name; without a name the only one there is."""
        known = self._brands
        if name is None:
            if len(known) == 1:
                return next(iter(known))
            if known:
                raise DataError(
                    "which brand sends this?",
                    hint=f"name one of {', '.join(known)}",
                    field="brand",
                )
            return ""
        if name not in known:
            raise DataError(
                f"there is no brand {name!r}",
                hint=f"configured are {', '.join(known) or 'none'}: add [brands.{name}]",
                field="brand",
            )
        return name

    def _senders_of(self, brand: str, sender: str) -> str:
        """*sender*, if the brand may use it; one without senders may use any."""
        allowed = self._brands[brand].senders if brand else ()
        if allowed and sender not in allowed:
            raise DataError(
                f"from: brand {brand!r} has no sender {sender!r}",
                hint=f"its senders are {', '.join(allowed)}; add it to senders of [brands.{brand}]",
                field="from",
            )
        return sender

    def _sender(self, sender: str | None, brand: str) -> str:
        if sender is None:
            senders = self._brands[brand].senders if brand else ()
            if not senders:
                raise DataError(
                    "from: no sender given, and the brand has none",
                    hint="give `from`, or set senders of the brand",
                    field="from",
                )
            return senders[0]
        if sender.startswith("+"):
            return self._numbering.normalise(sender, "from")
        if sender.isdecimal() and sender.isascii():
            if 3 <= len(sender) <= 8:
                return sender
            raise DataError(
                f"from: {len(sender)} digits are no short code",
                hint="short codes have 3 to 8 digits; write a number with + and its country code",
                field="from",
            )
        if len(sender) > _ALPHANUMERIC_MOST:
            raise DataError(
                f"from: {sender[:40]!r} has {len(sender)} characters; an alphanumeric sender has"
                f" at most {_ALPHANUMERIC_MOST}",
                hint="shorten it: GSM networks cut longer ones or refuse them (3GPP TS 23.040)",
                field="from",
            )
        if not _ALPHANUMERIC.fullmatch(sender) or not any(c.isalpha() for c in sender):
            raise DataError(
                "from: an alphanumeric sender has letters, digits, spaces or ._&+-, and at least"
                " one letter",
                hint="other characters do not reach every handset: leave them out",
                field="from",
            )
        return sender


def _location(value: dict[str, object] | None) -> dict[str, str] | None:
    if value is None:
        return None
    texts = {key: text for key, text in value.items() if isinstance(text, str)}
    if texts == value:
        return texts
    raise DataError(
        "location must be an object of texts",
        hint='as {"country":"US","region":"CA","evidence":"verified"}',
        field="location",
    )

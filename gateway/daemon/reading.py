"""The arguments of `submit`, read strictly: what cannot be is refused before any row is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.clock import parse_instant
from gateway.daemon.queues import PRIORITIES
from gateway.daemon.work import Request
from gateway.errors import DataError, UsageError
from gateway.policy.rules import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.policy.numbering import Numbering
    from gateway.policy.rules import Category
    from gateway.settings import Brand

_ARGUMENTS = frozenset(
    {
        "to",
        "from",
        "brand",
        "category",
        "text",
        "ref",
        "campaign",
        "not_before",
        "valid_for",
        "location",
        "urgent",
        "age_verified",
        "third_party_collector",
        "priority",
    }
)
_DURATION = re.compile(r"(\d{1,6})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ALPHANUMERIC_MOST = 11
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9 ._&+-]{1,11}")
#: An operator's relative validity period ends before 63 days in practice; ours does too.
_VALID_FOR_MOST_S = 60 * 86400


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
        unknown = set(args) - _ARGUMENTS
        if unknown:
            raise UsageError(
                f"unknown argument {min(unknown)!r}",
                hint=f"known are {', '.join(sorted(_ARGUMENTS))}",
                field=min(unknown),
            )
        brand = self.brand(_text(args, "brand"))
        request = Request(
            to=self.number(_required(args, "to")),
            sender=self._sender(_text(args, "from"), brand),
            text=_required(args, "text"),
            campaign=_text(args, "campaign"),
            location=_location(args.get("location")),
            urgent=_flag(args, "urgent"),
            age_verified=_flag(args, "age_verified"),
            third_party_collector=_flag(args, "third_party_collector"),
            valid_for_s=_duration(args.get("valid_for"), "valid_for"),
            priority=_priority(args.get("priority")),
        )
        not_before = _text(args, "not_before")
        if not_before is not None:
            request.not_before_ms = parse_instant(not_before, field="not_before")
            if request.not_before_ms > now_ms + 366 * 86_400_000:
                raise DataError(
                    "not_before is more than a year ahead",
                    hint="submit it nearer to its time",
                    field="not_before",
                )
        category = _text(args, "category") or "promotional"
        if category not in CATEGORIES:
            raise DataError(
                f"unknown category {category!r}",
                hint=f"one of {', '.join(CATEGORIES)}; none given means promotional",
                field="category",
            )
        ref = _text(args, "ref")
        if ref is not None and len(ref) > 200:
            raise DataError("ref is longer than 200 characters", hint="shorten it", field="ref")
        return Candidate(request, brand, category, ref)

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


def _text(args: Mapping[str, Any], field: str) -> str | None:
    value = args.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise DataError(f"{field} must be text", hint="put it in quotes", field=field)
    return value


def _required(args: Mapping[str, Any], field: str) -> str:
    value = _text(args, field)
    if value is None:
        raise DataError(f"{field} is missing", hint=f"give {field}", field=field)
    return value


def _flag(args: Mapping[str, Any], field: str) -> bool:
    value = args.get(field, False)
    if value in (True, "true", "1", "yes"):
        return True
    if value in (False, None, "", "false", "0", "no"):
        return False
    raise DataError(f"{field} must be true or false", hint="write true or false", field=field)


def _priority(value: object) -> int:
    """priority_flag of SMPP 3.4 section 5.2.14, as a number or its digit."""
    if value is None or value == "":
        return 0
    text = str(value)
    if isinstance(value, bool) or text not in {str(each) for each in range(PRIORITIES)}:
        raise DataError(
            f"priority: {value!r} is not 0, 1, 2 or 3",
            hint="0 is normal, 3 leaves first",
            field="priority",
        )
    return int(text)


def _duration(value: object, field: str) -> int | None:
    """Seconds of `90s`, `15m`, `24h` or `2d`."""
    if value is None or value == "":
        return None
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0
    if not 1 <= seconds <= _VALID_FOR_MOST_S:
        raise DataError(
            f"{field}: {value!r} is not a time span between 1s and 60d",
            hint="write it as 90s, 15m, 24h or 2d",
            field=field,
        )
    return seconds


def _location(value: object) -> dict[str, str] | None:
    if value is None or value == "":
        return None
    if isinstance(value, dict) and all(
        isinstance(k, str) and isinstance(v, str) for k, v in value.items()
    ):
        return dict(value)
    raise DataError(
        "location must be an object of texts",
        hint='as {"country":"US","region":"CA","evidence":"verified"}',
        field="location",
    )

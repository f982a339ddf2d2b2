"""The arguments of `submit`, listed once: options, columns, keys and the admin protocol follow.

To add one, add its line here and read its value in `SubmissionReader.read`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from gateway.clock import parse_instant
from gateway.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: `gateway.policy.rules.CATEGORIES`, which every start of the command line would have to wait for.
CATEGORIES: Final = (
    "promotional",
    "cart_reminder",
    "transactional",
    "otp",
    "legal_notice",
    "debt_claim",
)
_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
_REASON_MOST: Final = 200
_LONG_NUMBER = re.compile(r"(\d[ .-]?){7}")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: An operator's relative validity period ends before 63 days in practice; ours does too.
_SPAN_MOST_S = 60 * 86400
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Kind(Enum):
    """What an argument holds: its JSON type, and that in words."""

    TEXT = (str, "text")
    FLAG = (bool, "true or false")
    WHOLE = (int, "a whole number")
    SPAN = (str, "a span of time such as 90s, 15m, 24h or 2d")
    INSTANT = (str, "a time such as 2026-11-28T20:59:59Z")
    OBJECT = (dict, "an object")

    def __init__(self, json_type: type, words: str) -> None:
        self.json_type = json_type
        self.words = words

    def takes(self, value: object) -> bool:
        """True if *value*, parsed from JSON, is of this kind's type."""
        # To Python true is a whole number.
        return isinstance(value, self.json_type) and (
            self.json_type is bool or not isinstance(value, bool)
        )


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: `name` is its key, with `-` for `_` its option; `help` is for the option."""

    name: str
    kind: Kind
    help: str
    metavar: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    most: int | None = None  # of a whole number that begins at 0

    def from_text(self, text: str) -> object:
        """The JSON value that *text*, a cell of a file or an option's word, stands for.

        Raises:
            DataError: it stands for none; `fields["field"]` is the argument's name.
        """
        if self.kind is Kind.FLAG:
            flag = _FLAGS.get(text.strip().lower())
            if flag is None:
                raise self._wrong(f"{text!r} is neither true nor false", "write true or false")
            return flag
        if self.kind is Kind.WHOLE:
            if not re.fullmatch(r" *[+-]?[0-9]{1,18} *", text):
                raise self._wrong(f"{text!r} is not a whole number", "write it in digits")
            return int(text)
        if self.kind is Kind.OBJECT:
            return self._object(text)
        return text

    def read(self, value: object) -> object:
        """The value as the daemon uses it: seconds of a span, milliseconds of an instant.

        None is one that was not given. Flags and whole numbers may be text, as in a cell.

        Raises:
            DataError: it cannot be; `fields["field"]` is the argument's name.
        """
        if value is None or value == "":
            if self.required:
                what = self.help[:1].lower() + self.help[1:].removesuffix(".")
                raise DataError(f"{self.name} is missing", hint=f"give {what}", field=self.name)
            return None
        if self.kind in (Kind.FLAG, Kind.WHOLE) and isinstance(value, str):
            value = self.from_text(value)
        if self.kind is Kind.SPAN:
            return self._span_s(value)
        if not self.kind.takes(value):
            hint = {Kind.TEXT: "put it in quotes", Kind.FLAG: "write true or false"}
            raise DataError(
                f"{self.name} must be {self.kind.words}",
                hint=hint.get(self.kind) or f"give {self.name} as {self.kind.words}",
                field=self.name,
            )
        if self.kind is Kind.INSTANT:
            return parse_instant(str(value), field=self.name)
        if self.choices and value not in self.choices:
            raise DataError(
                f"unknown {self.name} {value!r}",
                hint=f"one of {', '.join(self.choices)}",
                field=self.name,
            )
        if self.most is not None and isinstance(value, int) and not 0 <= value <= self.most:
            raise self._wrong(f"{value} is not possible", f"a whole number from 0 to {self.most}")
        return value

    def _span_s(self, value: object) -> int:
        match = _SPAN.fullmatch(value) if isinstance(value, str) else None
        seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0
        if not 1 <= seconds <= _SPAN_MOST_S:
            raise self._wrong(
                f"{value!r} is not a time span between 1s and 60d",
                "write it as 90s, 15m, 24h or 2d",
            )
        return seconds

    def _object(self, text: str) -> dict[str, object]:
        hint = 'such as \'{"country":"US","region":"CA","evidence":"declared"}\''
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise self._wrong(f"not JSON: {error.msg} (column {error.colno})", hint) from None
        except (RecursionError, ValueError):
            raise self._wrong("not JSON: nested too deeply, or a number too long", hint) from None
        if not isinstance(value, dict):
            raise self._wrong("not a JSON object", hint)
        return value

    def _wrong(self, why: str, hint: str) -> DataError:
        return DataError(f"{self.name}: {why}", hint=hint, field=self.name)


ARGUMENTS: Final = (
    Argument("to", Kind.TEXT, "The recipient: + and country code.", "NUMBER", required=True),
    Argument("from", Kind.TEXT, "What the recipient sees as the sender.", "SENDER"),
    Argument("brand", Kind.TEXT, "The company it is sent for: [brands.NAME].", "NAME"),
    Argument(
        "category",
        Kind.TEXT,
        f"What it is in law: {', '.join(CATEGORIES)}. Default: promotional.",
        "CATEGORY",
        choices=CATEGORIES,
    ),
    Argument("text", Kind.TEXT, "The message.", "TEXT", required=True),
    Argument(
        "ref",
        Kind.TEXT,
        "Your own reference. The same ref and content gives the same submission, not a second.",
        "REF",
    ),
    Argument("campaign", Kind.TEXT, "The campaign it counts for.", "NAME"),
    Argument("not_before", Kind.INSTANT, "Not before this time, 2026-11-28T09:00:00Z.", "TIME"),
    Argument(
        "cart_abandoned_at",
        Kind.INSTANT,
        "When the cart was left that a cart_reminder is about.",
        "TIME",
    ),
    Argument("valid_for", Kind.SPAN, "Give up after this time: 30m, 24h, 7d.", "SPAN"),
    Argument(
        "priority",
        Kind.WHOLE,
        "3 leaves before the others, and the operator is told so. Default: 0.",
        "0-3",
        most=3,
    ),
    Argument("location", Kind.OBJECT, "Where the recipient is, as far as known.", "JSON"),
    Argument("urgent", Kind.FLAG, "Declare it urgent in law."),
    Argument("age_verified", Kind.FLAG, "The recipient's age was verified."),
    Argument("third_party_collector", Kind.FLAG, "The claim is made for another creditor."),
    Argument(
        "fix",
        Kind.FLAG,
        "Append what the law wants and the text lacks: who writes, how to opt out.",
    ),
)
BY_NAME: Final = {argument.name: argument for argument in ARGUMENTS}
KEYS: Final = tuple(BY_NAME)


def read_arguments(args: Mapping[str, object]) -> dict[str, Any]:
    """A value for each argument, None where it was not given.

    Raises:
        UsageError: an argument nobody knows.
        DataError: a value that cannot be; `fields["field"]` names it.
    """
    if not args.keys() <= BY_NAME.keys():
        unknown = args.keys() - BY_NAME.keys()
        raise UsageError(
            f"unknown argument {min(unknown)!r}",
            hint=f"known are {', '.join(sorted(KEYS))}",
            field=min(unknown),
        )
    found = dict.fromkeys(KEYS)
    for name, argument in BY_NAME.items():
        if argument.required or name in args:
            found[name] = argument.read(args.get(name))
    return found


def free_text(args: Mapping[str, Any], name: str, hint: str) -> str:
    """What a person gives as the reason for something, which the ledger keeps for ever, in clear.

    Raises:
        DataError: it is missing, too long, or holds what looks like a phone number.
    """
    value = args.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > _REASON_MOST:
        raise DataError(
            f"{name} is missing or longer than {_REASON_MOST} characters", hint=hint, field=name
        )
    if _LONG_NUMBER.search(value):
        raise DataError(
            f"{name} holds what looks like a phone number",
            hint="it stands in the ledger for ever, in clear: leave numbers out",
            field=name,
        )
    return value.strip()

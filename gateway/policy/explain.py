"""Answers about decisions: for programs as JSON, for people as a paragraph, and the rules in force.

The decision is the daemon's own function, so what is explained is what would be done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from gateway.errors import AcuseError, DataError
from gateway.policy.decide import Decision, decide, impossible
from gateway.policy.request import parse_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.policy.book import Rulebook
    from gateway.policy.facts import Known

#: Lines longer than this are not read as a request.
_MAX_LINE_CHARS: Final = 1_000_000


def judge(book: Rulebook, request: object, known: Known | None = None) -> Decision:
    """The decision a request asks for (`paragraph` tells it to a person).

    *known* are the brands and senders of the configuration; without them what a brand is called
    and where a sender is registered is not known.

    Raises:
        DataError: `fields["field"]` names the first bad value.
    """
    asked = parse_request(book, request, known)
    if asked.profile is not None:
        book = book.under(asked.profile)
    if asked.impossible:
        return impossible(book, asked.message, asked.now, asked.impossible)
    return decide(book, asked.message, asked.facts, asked.now, asked.checks)


def explain(book: Rulebook, request: object, known: Known | None = None) -> dict[str, object]:
    """The answer of `acuse policy explain --json` (CONTRACT). Raises as `judge`."""
    return judge(book, request, known).as_json()


def explain_lines(
    book: Rulebook, lines: Iterable[str], known: Known | None = None
) -> Iterator[str]:
    """One line of JSON for each line of JSON, in order; blank lines are skipped.

    A line that is wrong gives `{"error":{…}}` with its number in `fields`; the rest goes on.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            answer = explain(book, _parse(line), known)
        except AcuseError as error:
            error.fields["line"] = number
            answer = {"error": error.as_dict()}
        yield orjson.dumps(answer).decode()


def _parse(line: str) -> object:
    if len(line) > _MAX_LINE_CHARS:
        raise DataError(
            "request: the line is longer than 1 MB",
            hint="write one JSON object per line",
            field="request",
        )
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DataError(
            f"request: not JSON: {error.msg}",
            hint="write one JSON object per line",
            field="request",
        ) from None

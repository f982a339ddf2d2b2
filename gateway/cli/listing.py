"""The filters that lists have in common, and how a list is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import click

from gateway.cli.output import Column, print_json, print_table, say
from gateway.cli.words import STATES, instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gateway.cli.command import Run

F = TypeVar("F", bound="Callable[..., int | None]")

_OPTIONS = (
    click.option(
        "--state",
        type=click.Choice(STATES),
        metavar="STATE",
        help=f"In this state: {', '.join(STATES)}.",
    ),
    click.option("--operator", metavar="NAME", help="Sent through this operator."),
    click.option("--to", metavar="NUMBER", help="To this recipient."),
    click.option("--brand", metavar="NAME", help="Of this brand."),
    click.option(
        "--since", type=instant, metavar="TIME", help="Submitted then or later: a time, or 2h."
    ),
    click.option("--until", type=instant, metavar="TIME", help="Submitted before then."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many."),
)


def filters(function: F) -> F:
    """Adds the filters; the function gets the ones that were given, as keyword arguments."""

    def given_only(run: Run, **values: object) -> int | None:
        return function(run, **{key: item for key, item in values.items() if item is not None})

    given_only.__doc__ = function.__doc__
    for option in reversed(_OPTIONS):
        given_only = option(given_only)
    return cast("F", given_only)


def print_list(
    run: Run, columns: Sequence[Column], rows: Iterable[Mapping[str, object]], what: str
) -> int:
    """One JSON object a line, or a table; an empty list is an answer too: exit code 0."""
    if run.as_json:
        for row in rows:
            print_json(row)
        return 0
    if print_table(columns, rows) == 0:
        say(f"no {what}")
    return 0

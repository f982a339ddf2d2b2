"""`acuse optout`: who must not be written to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, group
from gateway.cli.listing import print_list
from gateway.cli.output import Column, field, instant, moment, plain, print_json
from gateway.cli.root import root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.cli.command import Run

_MONTH_DAYS = 30

optout = group(root, "optout", "Keep the list of recipients who must not be written to.")


def _brand(row: Mapping[str, object]) -> str:
    return plain(row.get("brand") or "every brand")


@command(optout, "add", example="acuse optout add --to +34600111222 --brand acme --source phone")
@click.option("--to", required=True, metavar="NUMBER", help="The recipient.")
@click.option("--brand", metavar="NAME", help="Only for this brand (default: for all).")
@click.option("--source", default="cli", show_default=True, help="How we came to know it.")
def add(run: Run, to: str, brand: str | None, source: str) -> None:
    """Refuse every message to a recipient from now on."""
    result = run.call("optout.add", _args(to, brand, source))
    if run.as_json:
        print_json(result)
    else:
        since = moment(result.get("added_at"))
        click.echo(f"{plain(result.get('to'))}  {_brand(result)}  opted out since {since} UTC")


@command(optout, "remove", example="acuse optout remove --to +34600111222 --source 'form 117'")
@click.option("--to", required=True, metavar="NUMBER", help="The recipient.")
@click.option("--brand", metavar="NAME", help="The opt-out of this brand (default: of all).")
@click.option("--source", default="cli", show_default=True, help="How we came to know it.")
def remove(run: Run, to: str, brand: str | None, source: str) -> None:
    """Take a recipient off the list. Exit code 1 if they are not on it."""
    result = run.call("optout.remove", _args(to, brand, source))
    if run.as_json:
        print_json(result)
    else:
        click.echo(f"{plain(result.get('to'))}  {_brand(result)}  no longer opted out")


@command(optout, "list", example="acuse optout list --json")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
def list_(run: Run, limit: int | None) -> int:
    """List the opt-outs; numbers are masked where the list does not know them."""
    columns = (
        Column("to", field("to")),
        Column("brand", _brand),
        Column("since (UTC)", instant("added_at")),
        Column("source", field("source"), may_go=True),
    )
    with run.client() as client:
        items = client.stream("optout.list", {} if limit is None else {"limit": limit})
        return print_list(run, columns, items, "opt-outs")


@command(optout, "due", example="acuse optout due --brand acme --within 5")
@click.option("--brand", metavar="NAME", help="Of this brand (default: of every brand).")
@click.option(
    "--within",
    type=click.IntRange(0, 30),
    default=3,
    show_default=True,
    metavar="DAYS",
    help="Whose 30 days end within so many days, or have ended.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="At most so many, the longest ago first.",
)
def due(run: Run, brand: str | None, within: int, limit: int) -> int:
    """List who is about to go 30 days without being told how to opt out.

    People who got advertising of a brand, and whom none of its texts has told since; those who
    opted out are left out. Nothing is sent: the next text that goes to them should tell them.
    """
    before = datetime.now(UTC) - timedelta(days=_MONTH_DAYS - within) + timedelta(seconds=1)
    args: dict[str, object] = {"before": before.strftime("%Y-%m-%dT%H:%M:%SZ"), "limit": limit}
    if brand is not None:
        args["brand"] = brand
    columns = (
        Column("to", lambda row: plain(row.get("to") or "erased")),
        Column("brand", _brand),
        Column("last told (UTC)", instant("instructed_at")),
        Column("due (UTC)", instant("due_at")),
        Column("submission", field("submission_id"), may_go=True),
    )
    with run.client() as client:
        return print_list(run, columns, client.stream("optout.due", args), "one is due")


def _args(to: str, brand: str | None, source: str) -> dict[str, object]:
    args: dict[str, object] = {"to": to, "source": source}
    if brand is not None:
        args["brand"] = brand
    return args

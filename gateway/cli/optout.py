"""`acuse optout`: who wants no advertising."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, group
from gateway.cli.exporting import export as write_export
from gateway.cli.importing import Kind, conclude, import_file
from gateway.cli.listing import print_list
from gateway.cli.output import Column, field, instant, moment, plain, print_json
from gateway.cli.root import root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.cli.command import Run

COLUMNS = ("to", "brand", "source", "at")
_MONTH_DAYS = 30

optout = group(root, "optout", "Keep the list of people who want no advertising.")


def _brand(row: Mapping[str, object]) -> str:
    return plain(row.get("brand") or "every brand")


@command(optout, "add", example="acuse optout add --to +34600111222 --brand acme --source phone")
@click.option("--to", required=True, metavar="NUMBER", help="The recipient.")
@click.option("--brand", metavar="NAME", help="Only for this brand (default: for all).")
@click.option("--source", default="cli", show_default=True, help="How we came to know it.")
def add(run: Run, to: str, brand: str | None, source: str) -> None:
    """Refuse advertising to a recipient from now on, also what waits.

    Transactional messages are refused too if the opt-out is for all brands, debt claims in the US;
    legal notices and one-time passwords never.
    """
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


@command(optout, "resolve", example="acuse optout resolve --to +34600111222 --as optout")
@click.option("--to", required=True, metavar="NUMBER", help="Who wrote it.")
@click.option(
    "--as",
    "said",
    required=True,
    type=click.Choice(["optout", "dismiss"]),
    help="It is an opt-out, or it is not.",
)
@click.option("--brand", metavar="NAME", help="Only for this brand (default: for all it is about).")
def resolve(run: Run, to: str, said: str, brand: str | None) -> None:
    """Decide what somebody meant who sounded like opting out. Exit code 1 if nothing waits."""
    args: dict[str, object] = {"to": to, "as": said, **({"brand": brand} if brand else {})}
    result = run.call("optout.resolve", args)
    if run.as_json:
        print_json(result)
        return
    for each in result["brands"]:
        means = "opted out" if said == "optout" else "not opted out"
        click.echo(f"{plain(result['to'])}  {plain(each or 'every brand')}  {means}")


@command(optout, "list", example="acuse optout list --json")
@click.option("--brand", metavar="NAME", help="Of this brand only.")
@click.option("--suspected", is_flag=True, help="Only what a person has to read, with the text.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
def list_(run: Run, suspected: bool, **given: object) -> int:
    """List the opt-outs. Those given one by one come first, the newest before the others."""
    source = Column("source", field("source"), may_go=True)
    columns = (
        Column("to", field("to")),
        Column("brand", _brand),
        Column("since (UTC)", instant("added_at")),
        Column("text", field("text")) if suspected else source,
    )
    with run.client() as client:
        args = {key: value for key, value in given.items() if value is not None}
        if suspected:
            args["suspected"] = True
        return print_list(run, columns, client.stream("optout.list", args), "opt-outs")


@command(optout, "show", example="acuse optout show --to +34600111222 --json")
@click.option("--to", required=True, metavar="NUMBER", help="The person.")
def show(run: Run, to: str) -> int:
    """Show a person's opt-outs, and registries that list them. --json adds the proofs. Exit
    code 1 if there are none.
    """
    result = run.call("optout.show", {"to": to})
    found = bool(result["opted_out"] or result["registries"])
    if run.as_json:
        print_json(result)
        return 0 if found else 1
    for row in result["opted_out"]:
        since, source = moment(row["added_at"]), plain(row["source"]) or "-"
        click.echo(f"{plain(row['to'])}  {_brand(row)}  opted out since {since} UTC  ({source})")
        click.echo(f"  ledger entry: {row['proof']['seq']}")
    for row in result["registries"]:
        click.echo(f"{plain(to)}  listed in {row['name']} as of {moment(row['as_of'])} UTC")
    if not found:
        click.echo(f"{plain(to)}  not opted out")
    return 0 if found else 1


@command(optout, "import", example="acuse optout import optouts.csv --rejects broken.csv")
@click.argument("file")
@click.option("--rejects", type=click.Path(path_type=Path), help="Where broken lines go.")
@click.option("--dry-run", is_flag=True, help="Only check the file.")
def import_(run: Run, file: str, rejects: Path | None, dry_run: bool) -> int:
    """Import opt-outs from a CSV. Its columns are to,brand,source,at; only to is needed. Good
    lines are taken; exit code 65 if any was broken.
    """
    kind = Kind("optout.import", COLUMNS, ("to",))
    with run.client() as client:
        result = import_file(client, file, kind, rejects=rejects, dry_run=dry_run)
    return conclude(run.as_json, file, result, {}, dry_run=dry_run)


@command(optout, "export", example="acuse optout export -o optouts.csv")
@click.option("--brand", metavar="NAME", help="Of this brand only.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file (else stdout).")
def export(run: Run, output: Path | None, brand: str | None) -> int:
    """Export the opt-outs as a CSV that `import` reads back."""
    with run.client() as client:
        rows = client.stream("optout.export", {} if brand is None else {"brand": brand})
        return write_export(run, COLUMNS, rows, output, "opt-outs")


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
    """List who is due to be told how to opt out.

    People who got advertising of a brand, and whom none of its texts has told for nearly 30
    days or more; those who opted out are left out. Nothing is sent: the next text that goes to
    them should tell them.
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

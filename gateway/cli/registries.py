"""`acuse registries`: the do-not-contact registries of the countries, as dated snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, group
from gateway.cli.importing import Kind, conclude, import_file
from gateway.cli.listing import print_list
from gateway.cli.output import Column, count, field, instant, moment, plain, print_json
from gateway.cli.root import root
from gateway.cli.words import instant as an_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.cli.client import Client
    from gateway.cli.command import Run

registries = group(root, "registries", "Keep snapshots of do-not-contact registries.")


@command(registries, "import", example="acuse registries import rne rne.csv --as-of 2026-11-20")
@click.argument("name")
@click.argument("file")
@click.option(
    "--as-of", required=True, type=an_instant, metavar="DATE", help="The day the list is of."
)
@click.option("--rejects", type=click.Path(path_type=Path), help="Where broken lines go.")
@click.option("--dry-run", is_flag=True, help="Only check the file.")
def import_(run: Run, name: str, file: str, as_of: str, rejects: Path | None, dry_run: bool) -> int:
    """Import a registry from a CSV with the column to. It takes the place of the older snapshot at
    the end and at once; an import that fails leaves that one. Exit code 65 if a line was broken.
    """
    dry = {"dry_run": True} if dry_run else {}
    with run.client() as client:
        begun = client.call("registry.begin", {"name": name, "as_of": as_of, **dry})
        kind = Kind("registry.add", ("to",), ("to",), {"snapshot": begun["snapshot"]})
        result = import_file(client, file, kind, rejects=rejects, dry_run=dry_run)
        shown: Mapping[str, object] = {}
        if not dry_run:
            args = {"snapshot": begun["snapshot"], "sha256": result.sha256}
            shown = client.call("registry.finish", args)
            _sweep(client)
    return conclude(run.as_json, file, result, shown, dry_run=dry_run)


@command(registries, "list", example="acuse registries list --json")
def list_(run: Run) -> int:
    """List the registries that were imported, with the day each is of."""
    columns = (
        Column("name", field("name")),
        Column("as of (UTC)", instant("as_of")),
        Column("members", lambda row: count(row.get("members"))),
        Column("imported (UTC)", instant("imported_at"), may_go=True),
        Column("by", field("by"), may_go=True),
    )
    with run.client() as client:
        return print_list(run, columns, client.stream("registry.list", {}), "registries")


@command(registries, "drop", example="acuse registries drop rne")
@click.argument("name")
def drop(run: Run, name: str) -> None:
    """Forget a registry. Exit code 1 if it was never imported."""
    with run.client() as client:
        result = client.call("registry.drop", {"name": name})
        _sweep(client)
    if run.as_json:
        print_json(result)
    else:
        members, day = count(result.get("members")), moment(result.get("as_of"))
        click.echo(f"{plain(name)}  dropped: {members} members as of {day} UTC")


def _sweep(client: Client) -> None:
    """Removes what no snapshot needs any more, in small pieces beside the traffic."""
    while client.call("registry.sweep", {}).get("more"):
        pass

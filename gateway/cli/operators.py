"""`acuse operators`: the operators' links, and what their receipts show of their habits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, group
from gateway.cli.listing import print_list
from gateway.cli.output import Column, field, instant, print_json
from gateway.cli.root import root

if TYPE_CHECKING:
    from gateway.cli.command import Run

operators = group(root, "operators", "Look at the operators, and learn their dialects.")

COLUMNS = (
    Column("operator", field("name")),
    Column("state", field("state")),
    Column("bind", field("bind")),
    Column("since (UTC)", instant("since"), may_go=True),
    Column("in flight", field("in_flight"), may_go=True),
    Column("window", field("window"), may_go=True),
    Column("rate", field("rate"), may_go=True),
    Column("sent", field("sent"), may_go=True),
    Column("last error", field("last_error"), may_go=True),
)


@command(operators, "list", example="acuse operators list --json")
def list_(run: Run) -> int:
    """List the operators with their links, windows and rates."""
    result = run.call("status", {})
    rows = result.get("operators")
    return print_list(run, COLUMNS, rows if isinstance(rows, list) else [], "operators")


@command(operators, "learn", example="acuse operators learn movistar > movistar.toml")
@click.argument("name", metavar="NAME")
def learn(run: Run, name: str) -> None:
    """Propose a dialect and settings from what was seen.

    Prints a dialect file for config/operators. What it says in comments is for a person to decide.
    """
    result = run.call("operators.learn", {"operator": name})
    if run.as_json:
        print_json(result)
    else:
        click.echo(str(result.get("toml", "")), nl=False)

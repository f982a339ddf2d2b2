"""`acuse demo` and `acuse simulate`: Acuse without an operator's contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from gateway.cli.command import ExampleCommand, command
from gateway.cli.output import print_json
from gateway.cli.root import root
from gateway.sim.options import option_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.command import Run

F = TypeVar("F", bound="Callable[..., int | None]")


@command(root, "demo", example="acuse demo --dir /tmp/acuse-demo --keep", needs="")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Work there (default: a temporary directory).",
)
@click.option("--keep", is_flag=True, help="Leave the directory, to look around with --config.")
def demo(run: Run, directory: Path | None, keep: bool) -> int:
    """Show it all once: operators, daemon, messages, a checked proof.

    All of it on loopback. Exit code 0 only if every message ended as it should.
    """
    from gateway.cli.demo import run_demo

    return run_demo(directory=directory, keep=keep, as_json=run.as_json)


class SimulateCommand(ExampleCommand):
    """`acuse simulate`, whose help lists what the numbers force."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from gateway.sim.behaviours import behaviour_table
        from gateway.sim.outcomes import outcome_table

        with formatter.section("What --behaviour forces, by name"):
            formatter.write_dl([(name, doc) for name, _, doc, _ in behaviour_table()])
        with formatter.section("What the last digits of the recipient's number force"):
            formatter.write_dl(outcome_table(), col_max=12)
        super().format_epilog(ctx, formatter)


def _options(function: F) -> F:
    """Adds an option for each setting of `SimOptions`, under its name there."""
    for row in reversed(option_table()):
        kind = row.type if row.choices is None else click.Choice(row.choices)
        function = click.option(
            f"--{row.name.replace('_', '-')}",
            row.name,
            type=kind,
            default=row.default,
            show_default=row.default is not None,
            metavar=None if row.choices else "N" if row.type in (int, float) else "TEXT",
            help=f"{row.help[:1].upper()}{row.help[1:]}.",
        )(function)
    return function


@command(
    root,
    "simulate",
    example="acuse simulate --port 2775 --system-id acme01 --password secret --duplicate 0.1",
    needs="",
    cls=SimulateCommand,
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on this address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=2775,
    show_default=True,
    metavar="N",
    help="Listen on this TCP port; 0 takes a free one and says which.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Append what was taken, refused and acknowledged, as JSON lines.",
)
@click.option("--stats", is_flag=True, help="Print the counts at the end.")
@click.option("--list", "list_", is_flag=True, help="Print what --behaviour can force, and end.")
@_options
def simulate(
    run: Run,
    host: str,
    port: int,
    journal: Path | None,
    stats: bool,
    list_: bool,
    **options: object,
) -> None:
    """Simulate an operator's SMSC, with the faults of real ones.

    Runs until SIGINT, SIGTERM or --count. Numbers of recipients force an outcome; everything else
    is delivered. --behaviour forces the habits of docs/operators.md, for every message or, as
    NAME@555, for recipients whose number ends in 555.
    """
    if list_:
        _print_behaviours(as_json=run.as_json)
        return
    from gateway.sim.main import run as run_simulator
    from gateway.sim.options import sim_options

    run_simulator(
        sim_options(options),
        host,
        port,
        journal=journal,
        stats=stats,
        as_json=run.as_json,
    )


def _print_behaviours(*, as_json: bool) -> None:
    from gateway.sim.behaviours import behaviour_table

    rows = behaviour_table()
    if as_json:
        for name, number, doc, applies in rows:
            print_json({"name": name, "number": number, "does": doc, "applies": applies})
        return
    width = max(len(name) for name, *_ in rows)
    for name, number, doc, applies in rows:
        click.echo(f"{name:<{width}}  {number:<3}  {applies:<7}  {doc}")

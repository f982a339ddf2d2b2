"""`acuse ledger`: where the log stands, its signed checkpoint, and the check of all of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, group
from gateway.cli.explaining import language
from gateway.cli.output import count, moment, plain, print_json
from gateway.cli.reading import begins_as_ledger
from gateway.cli.root import root
from gateway.cli.source import records
from gateway.cli.verify import Trust, explain_options, print_report, trust_options
from gateway.errors import DataError

if TYPE_CHECKING:
    from gateway.cli.command import Run

ledger = group(root, "ledger", "Look at the log, sign it, check all of it.")


@command(ledger, "head", example="acuse ledger head --json")
def head(run: Run) -> None:
    """Show the log's size, root and latest signed checkpoint.

    Reads the ledger file when the daemon is down.
    """
    with records(run) as source:
        shown = source.head()
    if run.as_json:
        print_json(shown)
        return
    last = moment(shown.get("last_entry_at"))
    click.echo(f"origin      {plain(shown.get('origin'))}")
    click.echo(f"size        {count(shown.get('size'))} entries, the last of {last} UTC")
    click.echo(f"root        {plain(shown.get('root'))}")
    if shown.get("vkey"):
        click.echo(f"key         {plain(shown['vkey'])}")
    if shown.get("checkpoint"):
        click.echo(f"signed      up to {count(shown.get('checkpoint_size'))} entries:\n")
        print_note(shown["checkpoint"])
    else:
        click.echo("signed      not yet")


@command(ledger, "checkpoint", example="acuse ledger checkpoint > known.checkpoint")
def checkpoint(run: Run) -> None:
    """Sign the log as it is now, and print the checkpoint.

    Keep it: `acuse verify --since FILE` proves later that the log has only grown since.
    """
    shown = run.call("ledger.checkpoint", {})
    if run.as_json:
        print_json(shown)
    else:
        print_note(shown["note"])


@command(ledger, "verify", example="acuse ledger verify --policy trusted.policy", needs="config")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@trust_options
@explain_options
def verify(
    run: Run,
    file: Path | None,
    policy: Path | None,
    since: Path | None,
    max_age: int | None,
    tsa_ca: Path | None,
    in_words: bool,
    lang: str | None,
) -> int:
    """Check every entry of a ledger, daemon running or not.

    FILE is a ledger file (default: the configured one). Verdicts and exit codes are those of
    `acuse verify`.
    """
    from gateway.cli.ledgerfile import check_ledger
    from gateway.evidence.records import LEDGER_FILE
    from gateway.settings import KeySource

    trust = Trust.read(policy, since, max_age, tsa_ca)
    key = None
    if file is None:
        settings = run.settings(secrets=False)
        file = settings.gateway.data_dir / LEDGER_FILE
        from gateway.settings import KeySource

        key = settings.ledger.key if isinstance(settings.ledger.key, KeySource) else None
    elif not begins_as_ledger(file):
        raise DataError(
            f"{file} is not a ledger file", hint="check a proof with: acuse verify", file=str(file)
        )
    report = check_ledger(file, key, trust, quiet=run.as_json)
    print_report(run, report, None, (lang or language()) if in_words else None)
    return report.exit_code


def print_note(note: object) -> None:
    """A signed note, exactly: its lines and line ends are what is signed."""
    sys.stdout.write(str(note))

"""`acuse submit`: one message, or a file of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.command import command
from gateway.cli.output import coloured, print_json
from gateway.cli.plan import print_plan
from gateway.cli.record import print_decision, print_record
from gateway.cli.root import root
from gateway.cli.words import ARRIVED, CATEGORIES
from gateway.errors import DataError, UsageError

if TYPE_CHECKING:
    from gateway.cli.client import Client
    from gateway.cli.command import Run


@command(
    root,
    "submit",
    example="acuse submit --to +34600111222 --from ACME --brand acme \\\n"
    "    --category legal_notice --text 'Su factura vence el 30 de noviembre.' --ref 2026/117",
)
@click.option("--to", metavar="NUMBER", help="The recipient: + and country code.")
@click.option("--from", "sender", metavar="SENDER", help="What the recipient sees as the sender.")
@click.option("--brand", metavar="NAME", help="The company it is sent for: [brands.NAME].")
@click.option(
    "--category",
    type=click.Choice(CATEGORIES),
    metavar="CATEGORY",
    help=f"What it is in law: {', '.join(CATEGORIES)}. Default: promotional.",
)
@click.option("--text", metavar="TEXT", help="The message.")
@click.option(
    "--ref",
    metavar="REF",
    help="Your own reference. The same ref and content gives the same submission, not a second.",
)
@click.option("--campaign", metavar="NAME", help="The campaign it counts for.")
@click.option("--not-before", metavar="TIME", help="Not before this time, 2026-11-28T09:00:00Z.")
@click.option("--valid-for", metavar="SPAN", help="Give up after this time: 30m, 24h, 7d.")
@click.option(
    "--priority",
    type=click.IntRange(0, 3),
    metavar="0-3",
    help="3 leaves before the others, and the operator is told so. Default: 0.",
)
@click.option("--location", metavar="JSON", help="Where the recipient is, as far as known.")
@click.option("--urgent", is_flag=True, default=None, help="Declare it urgent in law.")
@click.option(
    "--age-verified", is_flag=True, default=None, help="The recipient's age was verified."
)
@click.option(
    "--third-party-collector",
    is_flag=True,
    default=None,
    help="The claim is made for another creditor.",
)
@click.option(
    "--batch", metavar="FILE", help="Submit every line of a .csv or .jsonl file; - is stdin."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only say what would happen: decision, route, encoding, segments. Nothing is stored.",
)
@click.option("--wait", is_flag=True, help="Wait for the final state.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long --wait waits.",
)
def submit(
    run: Run,
    batch: str | None,
    dry_run: bool,
    wait: bool,
    timeout: float,
    **given: object,
) -> int:
    """Submit one message, or a file of messages.

    The answer comes once the message is durable in the ledger. Exit code: 0 taken, 1 refused (or,
    with --wait, not delivered), 65 unusable data, 75 not final within --timeout. --dry-run takes
    the same decisions and does nothing.

    \b
    --batch reads CSV (UTF-8, a header line) or JSONL, with the long options'
    names as columns or keys, - written _ : to,from,brand,category,text,ref,…
    Lines that cannot be submitted are listed on stderr with number and
    reason, and the exit code is 65; the others go through. With refs, running
    the same file again submits nothing twice.
    """
    given["from"] = given.pop("sender")
    args = {key: value for key, value in given.items() if value is not None}
    if batch is not None:
        _refuse_together(args, {"--wait": wait, "--dry-run": dry_run})
        from gateway.cli.batch import submit_batch

        return submit_batch(run, batch)
    for key in ("to", "text"):
        if key not in args:
            raise UsageError(f"--{key} is missing", hint="`acuse submit --help` has an example")
    if "location" in args:
        args["location"] = _location(str(args["location"]))
    if dry_run:
        if wait:
            raise UsageError("--wait and --dry-run exclude each other", hint="leave one out")
        return _plan(run, args)
    with run.client() as client:
        result = client.call("submit", args)
        if wait and result.get("state") != "refused":
            return _await(run, client, result, timeout)
    _print_result(run, result)
    return 1 if result.get("state") == "refused" else 0


def _refuse_together(args: dict[str, object], flags: dict[str, bool]) -> None:
    if args:
        option = next(iter(args)).replace("_", "-")
        raise UsageError(
            f"--{option} and --batch exclude each other", hint="the file has it as a column"
        )
    if flags["--wait"]:
        raise UsageError(
            "--wait and --batch exclude each other",
            hint="`acuse receipts list --since 1h` shows how they end",
        )
    if flags["--dry-run"]:
        raise UsageError(
            "--dry-run and --batch exclude each other", hint="try one of its messages by itself"
        )


def _plan(run: Run, args: dict[str, object]) -> int:
    plan = run.call("plan", args)
    if run.as_json:
        print_json(plan)
    else:
        print_plan(plan)
    return 1 if plan.get("state") == "refused" else 0


def _location(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise DataError(
            "location: not JSON",
            hint='such as \'{"country":"US","region":"CA","evidence":"declared"}\'',
            field="location",
        ) from None


def _await(run: Run, client: Client, result: dict[str, Any], timeout_s: float) -> int:
    """Prints the result with the state it ends in, and the record as `record`."""
    record = client.call(
        "messages.wait",
        {"submission_id": result["submission_id"], "timeout_s": timeout_s},
        patience_s=timeout_s + client.patience_s,
    )
    timed_out = record.pop("timed_out", False)
    state = record.get("state")
    if run.as_json:
        print_json({**result, "state": state, "timed_out": bool(timed_out), "record": record})
    else:
        print_record(record)
    if timed_out:
        return 75
    return 0 if state in ARRIVED else 1


def _print_result(run: Run, result: dict[str, Any]) -> None:
    if run.as_json:
        print_json(result)
        return
    click.echo(f"submission  {result.get('submission_id')}")
    click.echo(f"state       {coloured(result.get('state'))}")
    print_decision(result.get("decision"))
    segments = result.get("segments")
    if segments:
        plural = "" if segments == 1 else "s"
        click.echo(f"encoding    {result.get('encoding')}, {segments} segment{plural}")

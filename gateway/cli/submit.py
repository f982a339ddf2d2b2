"""`acuse submit`: one message, or a file of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.command import command
from gateway.cli.output import coloured, moment, note, plain, print_json
from gateway.cli.plan import print_plan
from gateway.cli.record import print_appended, print_decision, print_record
from gateway.cli.root import root
from gateway.cli.rows import REQUIRED
from gateway.cli.words import ARRIVED, FINAL
from gateway.daemon.arguments import ARGUMENTS, BY_NAME, Kind
from gateway.errors import AnswerIsNo, DaemonUnreachable, TryAgain, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.client import Client
    from gateway.cli.command import Run
    from gateway.daemon.arguments import Argument

F = TypeVar("F", bound="Callable[..., Any]")


def _submission_options(function: F) -> F:
    """The options that make a submission, from the one list of them."""
    for argument in reversed(ARGUMENTS):
        names = (f"--{argument.name.replace('_', '-')}", argument.name)
        if argument.kind is Kind.FLAG:
            option = click.option(*names, is_flag=True, default=None, help=argument.help)
        else:
            option = click.option(
                *names, type=_type(argument), metavar=argument.metavar, help=argument.help
            )
        function = option(function)
    return function


def _type(argument: Argument) -> click.ParamType[Any]:
    if argument.choices:
        return click.Choice(argument.choices)
    return click.IntRange(0, argument.most) if argument.kind is Kind.WHOLE else click.STRING


@command(
    root,
    "submit",
    example="acuse submit --to +34600111222 --from ACME --brand acme \\\n"
    "    --category legal_notice --text 'Su factura vence el 30 de noviembre.' --ref 2026/117",
)
@_submission_options
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
    args = {key: value for key, value in given.items() if value is not None}
    if math.isnan(timeout):
        raise UsageError("--timeout is not a number", hint="in seconds, such as 60")
    if batch is not None:
        _refuse_together(args, {"--wait": wait, "--dry-run": dry_run})
        from gateway.cli.batch import submit_batch

        return submit_batch(run, batch)
    for key in REQUIRED:
        if key not in args:
            raise UsageError(f"--{key} is missing", hint="`acuse submit --help` has an example")
    args = {
        key: BY_NAME[key].from_text(value) if isinstance(value, str) else value
        for key, value in args.items()
    }
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


def _await(run: Run, client: Client, result: dict[str, Any], timeout_s: float) -> int:
    """Prints the result with the state it ends in, and the record as `record`.

    What happens meanwhile is said on stderr; whoever stops waiting is left with the id.
    """
    submission_id = plain(result["submission_id"])
    later = f"`acuse receipts show {submission_id}` tells what becomes of it"
    if result.get("state") not in FINAL:
        note(f"submission {submission_id} is {_standing(result)}; waiting up to {timeout_s:g} s")
    try:
        record = client.call(
            "messages.wait",
            {"submission_id": result["submission_id"], "timeout_s": timeout_s},
            patience_s=timeout_s + client.patience_s,
        )
    except KeyboardInterrupt:
        note(f"no longer waiting; the submission goes on: {later}")
        raise
    except DaemonUnreachable as error:
        raise DaemonUnreachable(
            f"{error.message}; submission {submission_id} was taken, and goes on when it is back",
            hint=later,
            submission_id=submission_id,
        ) from None
    timed_out = record.pop("timed_out", False)
    state = record.get("state")
    if run.as_json:
        print_json({**result, "state": state, "timed_out": bool(timed_out), "record": record})
    else:
        print_record(record)
    if timed_out:
        note(f"not final after {timeout_s:g} s; {later}")
        return TryAgain.exit_code
    return 0 if state in ARRIVED else AnswerIsNo.exit_code


def _standing(result: dict[str, Any]) -> str:
    """`held until 2026-11-30 07:00:00 UTC because of quiet_hours`."""
    said = plain(result.get("state"))
    if said != "held":
        return said
    if result.get("due_at"):
        said += f" until {moment(result['due_at'])} UTC"
    decision = result.get("decision")
    reason = decision.get("reason") if isinstance(decision, dict) else None
    return f"{said} because of {plain(reason)}" if reason else f"{said}, as --not-before says"


def _print_result(run: Run, result: dict[str, Any]) -> None:
    if run.as_json:
        print_json(result)
        return
    click.echo(f"submission  {result.get('submission_id')}")
    decision = result.get("decision")
    state = coloured(result.get("state"))
    if result.get("due_at") and isinstance(decision, dict) and not decision.get("until"):
        state += f" until {moment(result['due_at'])} UTC"
    click.echo(f"state       {state}")
    print_decision(decision)
    segments = result.get("segments")
    if segments:
        plural = "" if segments == 1 else "s"
        click.echo(f"encoding    {result.get('encoding')}, {segments} segment{plural}")
    print_appended(result)

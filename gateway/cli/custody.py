"""`acuse ledger erase`, `hold`, `release` and `holds`: content that must go, and content that must
not.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.command import command
from gateway.cli.ledger import ledger
from gateway.cli.listing import print_list
from gateway.cli.output import Column, count, field, instant, plain, print_json, say
from gateway.errors import AnswerIsNo, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.command import Run

F = TypeVar("F", bound="Callable[..., int | None]")

#: A large ledger file takes minutes to be swept.
_PATIENCE_S = 3600.0


def _meant(function: F) -> F:
    ids = click.argument("submission_ids", metavar="[ID]...", nargs=-1)
    to = click.option("--to", metavar="NUMBER", help="Everything submitted to this recipient.")
    return ids(to(function))


@command(
    ledger,
    "erase",
    example="acuse ledger erase --to +34600111222 --basis 'GDPR 17(1)(b), request 117' --yes",
)
@_meant
@click.option("--basis", required=True, metavar="TEXT", help="Why; stands in the ledger, in clear.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(run: Run, submission_ids: tuple[str, ...], to: str | None, basis: str, yes: bool) -> int:
    """Destroy the content of closed messages.

    Numbers, texts and PDUs go, for good. All proofs stay valid: `acuse verify` says
    VALID-ERASED. What is open or under legal hold stays, and so do opt-outs, as keyed hashes, and
    consents. Exit code 1 if a message was not erased. Done again, it does what is left.
    """
    args = {**_args(submission_ids, to), "basis": basis}
    if not yes:
        _ask(run, args)
    with run.client() as client:
        result = client.call("ledger.erase", args, patience_s=_PATIENCE_S)
    if run.as_json:
        print_json(result)
    else:
        _print_erased(result, to)
    return 1 if result["kept"] else 0


def _ask(run: Run, args: dict[str, object]) -> None:
    """What would be erased, and whether it is to be."""
    if not sys.stdin.isatty():
        raise UsageError(
            "nothing was erased: there is nobody to ask", hint="add --yes once you are sure"
        )
    plan = run.call("ledger.erase", {**args, "dry_run": True})
    _print_kept(plan)
    number = len(plan["erased"])
    question = f"Destroy the content of {number} message{'' if number == 1 else 's'} for good?"
    if not click.confirm(question, err=True):
        raise AnswerIsNo("nothing was erased", hint="")


def _print_erased(result: dict[str, Any], to: str | None) -> None:
    for each in result["erased"]:
        click.echo(f"{plain(each['submission_id'])}  erased, entry {plain(each['seq'])}")
    for each in result["already"]:
        click.echo(f"{plain(each)}  was erased before")
    _print_kept(result)
    if to is not None:
        if not result["erased"] and not result["already"] and not result["kept"]:
            click.echo("no message to this recipient has content")
        for name, words in (
            ("receipts", "receipts that matched no message, erased"),
            ("replies", "parts of replies that answered no message, erased"),
            ("optouts", "opt-outs go on counting, as keyed hashes without the number"),
            ("consents", "consents stay: they prove what was allowed (see docs/retention.md)"),
        ):
            if result.get(name):
                click.echo(f"{count(result[name])} {words}")
    if result.get("swept") is False:
        say(
            "a program reads an older state of the ledger file: the daemon overwrites the last old"
            " pages when it is done"
        )


def _print_kept(result: dict[str, Any]) -> None:
    for each in result["kept"]:
        click.echo(f"{plain(each['submission_id'])}  NOT erased: it {plain(each['message'])}")
        say(plain(each["hint"]))


@command(
    ledger,
    "hold",
    example="acuse ledger hold 01990c4e-6a00-7000-8000-1a2b3c4d5e6f \\\n"
    "    --why 'court of Madrid, case 12/2026'",
)
@_meant
@click.option("--why", required=True, metavar="TEXT", help="On whose word; stands in the ledger.")
def hold(run: Run, submission_ids: tuple[str, ...], to: str | None, why: str) -> None:
    """Put messages under legal hold.

    Neither `erase` nor the end of retention touches them then. With --to: all messages to that
    recipient that exist now.
    """
    result = run.call("ledger.hold", {**_args(submission_ids, to), "why": why})
    _print_change(run, result, (("held", "held"), ("known", "was held before")))


@command(
    ledger,
    "release",
    example="acuse ledger release 01990c4e-6a00-7000-8000-1a2b3c4d5e6f --why 'case 12/2026 closed'",
)
@_meant
@click.option("--why", required=True, metavar="TEXT", help="On whose word; stands in the ledger.")
def release(run: Run, submission_ids: tuple[str, ...], to: str | None, why: str) -> None:
    """End the legal hold on messages. Exit code 1 if the one message was not held.

    What should have ended with its retention month meanwhile is erased on the next day.
    """
    result = run.call("ledger.release", {**_args(submission_ids, to), "why": why})
    _print_change(run, result, (("released", "released"), ("not_held", "was not held")))


@command(ledger, "holds", example="acuse ledger holds --json")
def holds(run: Run) -> int:
    """List what is under legal hold, the oldest hold first."""
    columns = (
        Column("submission_id", field("submission_id")),
        Column("state", field("state")),
        Column("since (UTC)", instant("held_since")),
        Column("by", field("by"), may_go=True),
        Column("why", field("why")),
    )
    return print_list(run, columns, run.call("ledger.holds", {})["holds"], "legal holds")


def _print_change(run: Run, result: dict[str, Any], words: tuple[tuple[str, str], ...]) -> None:
    if run.as_json:
        print_json(result)
        return
    for name, word in words:
        for each in result[name]:
            click.echo(f"{plain(each)}  {word}")
    if not any(result[name] for name, _ in words):
        say("there is no message with content to this recipient")


def _args(submission_ids: tuple[str, ...], to: str | None) -> dict[str, object]:
    if bool(submission_ids) == (to is not None):
        raise UsageError("say which messages", hint="give their ids, or --to NUMBER")
    return {"submission_ids": list(submission_ids)} if submission_ids else {"to": to}

"""`acuse messages`: what was submitted, and where each stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, group
from gateway.cli.listing import filters, print_list
from gateway.cli.output import (
    SHORTER_TIMES,
    Column,
    coloured,
    coloured_cell,
    field,
    instant,
    plain,
    print_json,
)
from gateway.cli.record import print_record
from gateway.cli.root import root
from gateway.cli.source import records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.cli.command import Run

messages = group(root, "messages", "List, show, withdraw and resolve messages.")


def _rules(message: Mapping[str, object]) -> str:
    rules = message.get("rules")
    return ", ".join(map(plain, rules)) if isinstance(rules, list) else ""


COLUMNS = (
    Column("submission_id", field("submission_id")),
    Column("state", field("state"), paint=coloured_cell),
    Column("to", field("to")),
    Column(
        "submitted (UTC)", instant("submitted_at"), shorter=SHORTER_TIMES, brief="UTC", may_go=True
    ),
    Column("due (UTC)", instant("due_at"), shorter=SHORTER_TIMES, brief="UTC", may_go=True),
    Column("reason", field("reason"), may_go=True),
    Column("rules", _rules, may_go=True),
    Column("brand", field("brand"), may_go=True),
    Column("ref", field("ref"), may_go=True),
)


@command(messages, "list", example="acuse messages list --state held --since 1d")
@filters
def list_(run: Run, **given: object) -> int:
    """List messages, newest first.

    Reads the ledger file when the daemon is down.
    """
    with records(run) as source:
        return print_list(run, COLUMNS, source.messages(given), "messages")


@command(messages, "show", example="acuse messages show 01990c4e-6a00-7000-8000-1a2b3c4d5e6f")
@click.argument("submission_id", metavar="ID")
def show(run: Run, submission_id: str) -> None:
    """Show one message and everything that happened to it.

    Reads the ledger file when the daemon is down.
    """
    with records(run) as source:
        record = source.message(submission_id)
    if run.as_json:
        print_json(record)
    else:
        print_record(record)


@command(messages, "cancel", example="acuse messages cancel 01990c4e-6a00-7000-8000-1a2b3c4d5e6f")
@click.argument("submission_id", metavar="ID")
def cancel(run: Run, submission_id: str) -> None:
    """Withdraw a message that has not been sent yet.

    One that was accepted the operator is asked to cancel, where it has cancel_sm. Exit code 1 if
    it is too late.
    """
    result = run.call("messages.cancel", {"submission_id": submission_id})
    if run.as_json:
        print_json(result)
    else:
        asked = result.get("asked")
        more = f", the operator is asked to cancel {asked} segment(s)" if asked else ""
        click.echo(f"{result.get('submission_id')}  {coloured(result.get('state'))}{more}")


@command(
    messages,
    "replace",
    example="acuse messages replace 01990c4e-6a00-7000-8000-1a2b3c4d5e6f \\\n"
    "    --text 'Su factura vence el dia 31'",
)
@click.argument("submission_id", metavar="ID")
@click.option("--text", required=True, help="The new text.")
@click.option("--not-before", metavar="TIME", help="When the operator is to deliver it.")
@click.option("--valid-for", metavar="SPAN", help="How long it is worth delivering, as 24h.")
def replace(run: Run, submission_id: str, **given: str | None) -> int:
    """Replace the text of a message not yet reported on.

    Where the operator has replace_sm, and the message is one segment. The new text is a submission
    of its own, with its own proof; the old one is closed as deleted once the operator confirms.
    Exit code 1 if it is too late, or the new text is refused.
    """
    args = {key: value for key, value in given.items() if value is not None}
    result = run.call("messages.replace", {"submission_id": submission_id, **args})
    if run.as_json:
        print_json(result)
    else:
        state = coloured(result.get("state"))
        click.echo(f"{result.get('submission_id')}  {state}, replaces {submission_id}")
    return 1 if result.get("state") == "refused" else 0


@command(
    messages,
    "resolve",
    example="acuse messages resolve 01990c4e-6a00-7000-8000-1a2b3c4d5e6f \\\n"
    "    --as not-sent --why 'operator ticket INC-7: never reached them'",
)
@click.argument("submission_id", metavar="ID")
@click.option(
    "--as",
    "said",
    type=click.Choice(("delivered", "not-sent")),
    required=True,
    help="What became of it. delivered closes as delivered_to_operator, for no handset said so;"
    " not-sent closes as undelivered: to send it, submit it anew.",
)
@click.option("--why", required=True, metavar="TEXT", help="How you know; stands in the ledger.")
def resolve(run: Run, submission_id: str, said: str, why: str) -> None:
    """Decide what became of a message that is unknown or unconfirmed.

    It is sealed with your name and reason. A receipt that comes later reopens it. Exit code 1 if
    its outcome is known.
    """
    args: dict[str, object] = {"submission_id": submission_id, "as": said, "why": why}
    result = run.call("messages.resolve", args)
    if run.as_json:
        print_json(result)
    else:
        click.echo(f"{result.get('submission_id')}  {coloured(result.get('state'))}")

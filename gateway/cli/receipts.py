"""`acuse receipts`: each message with the operator's answers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, group
from gateway.cli.listing import filters, print_list
from gateway.cli.output import SHORTER_TIMES, Column, coloured_cell, field, instant, print_json
from gateway.cli.record import print_record
from gateway.cli.root import root
from gateway.cli.source import records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.cli.command import Run

receipts = group(root, "receipts", "List and show messages with the operators' receipts.")


def _sealed(record: Mapping[str, object]) -> str:
    seal = record.get("seal")
    return str(seal["seq"]) if isinstance(seal, dict) and "seq" in seal else "-"


COLUMNS = (
    Column("submission_id", field("submission_id")),
    Column("state", field("state"), paint=coloured_cell),
    Column("to", field("to")),
    Column("closed (UTC)", instant("closed_at"), shorter=SHORTER_TIMES, brief="UTC", may_go=True),
    Column("operator", field("operator"), may_go=True),
    Column("seal", _sealed, may_go=True),
    Column(
        "submitted (UTC)", instant("submitted_at"), shorter=SHORTER_TIMES, brief="UTC", may_go=True
    ),
    Column("ref", field("ref"), may_go=True),
)


ORPHANS = (
    Column("entry", field("seq")),
    Column("operator", field("operator")),
    Column("message id", field("message_id")),
    Column("says", field("message_state")),
    Column("error", field("error"), may_go=True),
    Column("received (UTC)", instant("received_at"), shorter=SHORTER_TIMES, brief="UTC"),
    Column("again as", field("duplicate_of"), may_go=True),
)


@command(receipts, "list", example="acuse receipts list --state delivered --since 1d --json")
@click.option("--orphans", is_flag=True, default=None, help="Receipts that match no message.")
@filters
def list_(run: Run, **given: object) -> int:
    """List messages with their receipts, newest first.

    Reads the ledger file when the daemon is down.
    """
    orphans = given.pop("orphans", False)
    with records(run) as source:
        if orphans:
            return print_list(run, ORPHANS, source.orphans(given), "receipts without message")
        return print_list(run, COLUMNS, source.receipts(given), "receipts")


@command(receipts, "show", example="acuse receipts show 01990c4e-6a00-7000-8000-1a2b3c4d5e6f")
@click.argument("submission_id", metavar="ID")
def show(run: Run, submission_id: str) -> None:
    """Show one message with its segments, receipts, events and seal.

    Reads the ledger file when the daemon is down.
    """
    with records(run) as source:
        record = source.receipt(submission_id)
    if run.as_json:
        print_json(record)
    else:
        print_record(record)

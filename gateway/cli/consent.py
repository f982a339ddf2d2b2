"""`acuse consent`: who allowed what, with the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, group
from gateway.cli.exporting import export as write_export
from gateway.cli.importing import Kind, conclude, import_file
from gateway.cli.listing import print_list
from gateway.cli.output import Column, field, instant, moment, note, plain, print_json
from gateway.cli.root import root
from gateway.cli.words import instant as an_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.cli.command import Run

COLUMNS = ("to", "brand", "purpose", "method", "text", "source", "at", "withdrawn_at")
EVIDENCE = ("locale", "url", "form_id")
PURPOSES = click.Choice(["marketing", "cart"])

consent = group(root, "consent", "Keep the registry of who allowed what, with the evidence.")


@command(
    consent,
    "grant",
    example="acuse consent grant --to +34600111222 --brand acme --purpose marketing \\\n"
    "    --method single --text 'Quiero recibir ofertas' --source 'form 117'",
)
@click.option("--to", required=True, metavar="NUMBER", help="Who consented.")
@click.option("--brand", metavar="NAME", help="To which brand (default: the only one).")
@click.option("--purpose", required=True, type=PURPOSES, help="For marketing or cart reminders.")
@click.option(
    "--method",
    required=True,
    type=click.Choice(["single", "double"]),
    help="Double: it was confirmed, elsewhere; --source says where.",
)
@click.option("--text", metavar="TEXT", help="The exact words consented to.")
@click.option("--source", metavar="TEXT", help="Where it was given: a form, a call, a contract.")
@click.option("--at", type=an_instant, metavar="TIME", help="When it was given (default: now).")
@click.option("--locale", metavar="TAG", help="The language of the form, as es-ES.")
@click.option("--url", metavar="URL", help="The page it was given on.")
@click.option("--form-id", metavar="ID", help="The form's own mark.")
def grant(run: Run, **given: str | None) -> None:
    """Record a consent. An opt-out of the recipient stays until it is removed."""
    result = run.call("consent.grant", {key: value for key, value in given.items() if value})
    if run.as_json:
        print_json(result)
    else:
        click.echo(_line(result))
    if given.get("method") == "double" and not given.get("source"):
        note("nothing says where it was confirmed: --source would be the evidence")
    left = result.get("opted_out")
    if isinstance(left, dict):
        note(f"the recipient opted out of {left['brand'] or 'every brand'}; {left['hint']}")


@command(consent, "request", example="acuse consent request --to +34600111222 --brand acme")
@click.option("--to", required=True, metavar="NUMBER", help="Who signed up.")
@click.option("--brand", metavar="NAME", help="To which brand (default: the only one).")
@click.option(
    "--purpose", type=PURPOSES, default="marketing", show_default=True, help="What they want."
)
@click.option("--lang", metavar="CODE", help="es, en, pt, fr, de, it or ca (default: by country).")
@click.option("--from", "sender", metavar="SENDER", help="The sender (default: the brand's).")
def request(run: Run, sender: str | None, **given: str | None) -> int:
    """Ask somebody who signed up to confirm it, by one SMS. They answer SI, or give the code in it
    to `acuse consent confirm`. Exit code 1 if it was refused.
    """
    asked_for = {**given, "from": sender}
    args: dict[str, object] = {key: value for key, value in asked_for.items() if value}
    result = run.call("consent.request", args)
    refused = result["state"] == "refused"
    if run.as_json:
        print_json(result)
    elif refused:
        click.echo(f"{plain(result['to'])}  not asked: {plain(result['decision']['reason'])}")
    else:
        until = moment(result["expires_at"])
        how = "by code" if result["by_code"] else "by SMS"
        asked = "asked already" if result.get("known") else "asked"
        click.echo(
            f"{plain(result['to'])}  {asked}, to be confirmed {how} until {until} UTC"
            f"  {result['submission_id']} ({result['state']})"
        )
    return 1 if refused else 0


@command(consent, "confirm", example="acuse consent confirm --to +34600111222 --code 123456")
@click.option("--to", required=True, metavar="NUMBER", help="Who answered.")
@click.option("--code", metavar="DIGITS", help="The code they were sent.")
@click.option("--brand", metavar="NAME", help="Only a request of this brand.")
@click.option("--purpose", type=PURPOSES, help="Only a request for this.")
@click.option("--answer", metavar="TEXT", help="What they answered, where there is no code.")
def confirm(run: Run, **given: str | None) -> None:
    """Confirm a request of the last 24 hours. Exit code 1 if the code is wrong, or was tried five
    times, or nothing was asked.
    """
    result = run.call("consent.confirm", {key: value for key, value in given.items() if value})
    if run.as_json:
        print_json(result)
    else:
        click.echo(_line(result))


@command(consent, "withdraw", example="acuse consent withdraw --to +34600111222 --purpose cart")
@click.option("--to", required=True, metavar="NUMBER", help="Who takes it back.")
@click.option("--brand", metavar="NAME", help="From which brand (default: the only one).")
@click.option(
    "--purpose",
    type=click.Choice(["all", "marketing", "cart"]),
    default="all",
    show_default=True,
    help="What for.",
)
@click.option("--source", default="cli", show_default=True, help="How we came to know it.")
def withdraw(run: Run, **given: str | None) -> None:
    """Take consents back; what waits is refused at once. Exit code 1 if there is none."""
    result = run.call("consent.withdraw", {key: value for key, value in given.items() if value})
    if run.as_json:
        print_json(result)
        return
    for row in result["consents"]:
        click.echo(_line(row))


@command(consent, "show", example="acuse consent show --to +34600111222 --json")
@click.option("--to", required=True, metavar="NUMBER", help="The person.")
@click.option("--brand", metavar="NAME", help="Only consents to this brand.")
def show(run: Run, to: str, brand: str | None) -> int:
    """Show a person's consents with evidence; --json adds the proofs. Exit code 1 if none."""
    result = run.call("consent.show", {"to": to, **({"brand": brand} if brand else {})})
    if run.as_json:
        print_json(result)
        return 0 if result["consents"] else 1
    for row in result["consents"]:
        click.echo(_line(row))
        for name in ("text", "source", "answer", "withdrawal"):
            if row.get(name):
                click.echo(f"  {name}: {plain(row[name])}")
        click.echo(f"  ledger entry: {row['seq']}")
    for row in result["requests"]:
        if row["closed_at"] is None:
            until = moment(row["expires_at"])
            click.echo(f"asked for {row['purpose']}, brand {row['brand']}: waits until {until} UTC")
    if not result["consents"]:
        click.echo(f"{plain(to)}  no consent")
    for brand_left in result["opted_out"]:
        note(f"opted out of {brand_left or 'every brand'}, which outranks any consent")
    return 0 if result["consents"] else 1


@command(consent, "list", example="acuse consent list --brand acme --purpose cart --json")
@click.option("--brand", metavar="NAME", help="To this brand.")
@click.option("--purpose", type=PURPOSES, help="For this purpose.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
def list_(run: Run, **given: object) -> int:
    """List consents, newest first, withdrawn ones too."""
    columns = (
        Column("to", field("to")),
        Column("brand", field("brand")),
        Column("purpose", field("purpose")),
        Column("method", field("method")),
        Column("given (UTC)", instant("granted_at")),
        Column("withdrawn (UTC)", instant("withdrawn_at")),
        Column("source", field("source"), may_go=True),
    )
    with run.client() as client:
        args = {key: value for key, value in given.items() if value is not None}
        return print_list(run, columns, client.stream("consent.list", args), "consents")


@command(consent, "import", example="acuse consent import consents.csv --rejects broken.csv")
@click.argument("file")
@click.option("--rejects", type=click.Path(path_type=Path), help="Where broken lines go.")
@click.option("--dry-run", is_flag=True, help="Only check the file.")
def import_(run: Run, file: str, rejects: Path | None, dry_run: bool) -> int:
    """Import consents from a CSV. Its columns are to,brand,purpose,method,text,source,at and, if
    there are, withdrawn_at,locale,url,form_id. Good lines are taken; exit code 65 if any was
    broken.
    """
    kind = Kind("consent.import", (*COLUMNS, *EVIDENCE), ("to", "purpose", "method"))
    with run.client() as client:
        result = import_file(client, file, kind, rejects=rejects, dry_run=dry_run)
    return conclude(run.as_json, file, result, {}, dry_run=dry_run)


@command(consent, "export", example="acuse consent export --brand acme -o consents.csv")
@click.option("--brand", metavar="NAME", help="To this brand.")
@click.option("--purpose", type=PURPOSES, help="For this purpose.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file (else stdout).")
def export(run: Run, output: Path | None, **given: str | None) -> int:
    """Export consents as a CSV that `import` reads back."""
    with run.client() as client:
        args = {key: value for key, value in given.items() if value is not None}
        rows = client.stream("consent.export", args)
        return write_export(run, (*COLUMNS, *EVIDENCE), rows, output, "consents")


def _line(row: Mapping[str, object]) -> str:
    since = moment(row.get("granted_at"))
    line = f"{plain(row.get('to'))}  {plain(row.get('brand'))}  {plain(row.get('purpose'))}"
    line += f"  {plain(row.get('method'))}  since {since} UTC"
    if row.get("withdrawn_at"):
        line += f", withdrawn {moment(row['withdrawn_at'])} UTC"
    return line

"""`acuse certificate`: the proof as a document to read and to hand in, sealed by the issuer."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, write_file
from gateway.cli.output import note, print_error, print_json, say
from gateway.cli.root import root
from gateway.cli.words import STATES, instant
from gateway.errors import AnswerIsNo, DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.client import Client
    from gateway.cli.command import Run
    from gateway.settings import Settings

#: As `gateway.certificate.page.LANGUAGES`, which would load the typesetter to say so.
LANGUAGES = ("es", "en", "pt", "ca")
REDACTABLE = ("to", "from", "text")
_EXAMPLE = """\
acuse certificate 01990c4e-6a00-7000-8000-1a2b3c4d5e6f -o certificate.pdf --lang en
acuse certificate --since 2026-11-01 --until 2026-12-01 -o november/
acuse certificate --renew november/*.pdf"""


@command(root, "certificate", example=_EXAMPLE)
@click.argument("names", metavar="[ID | FILE...]", nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Write it there (default for one: stdout).",
)
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    help="Its language (default: issuer.language).",
)
@click.option(
    "--redact",
    multiple=True,
    type=click.Choice(REDACTABLE),
    help="Withhold this field, and the PDUs that contain it; the rest still verifies.",
)
@click.option("--since", type=instant, metavar="TIME", help="All submitted then or later: 2h.")
@click.option("--until", type=instant, metavar="TIME", help="All submitted before then.")
@click.option("--state", type=click.Choice(STATES), metavar="STATE", help="All in this state.")
@click.option("--brand", metavar="NAME", help="All of this brand.")
@click.option("--force", is_flag=True, help="Make those again that are in the directory already.")
@click.option("--unsealed", is_flag=True, help="The page and the proof in it, without a signature.")
@click.option(
    "--renew", is_flag=True, help="Add a time stamp to FILEs, so that they stay provable."
)
def certificate(
    run: Run,
    names: tuple[str, ...],
    output: Path | None,
    lang: str | None,
    redact: tuple[str, ...],
    since: str | None,
    until: str | None,
    state: str | None,
    brand: str | None,
    force: bool,
    unsealed: bool,
    renew: bool,
) -> int:
    """Issue the certificate of one message, or of many.

    A PDF for people, with the proof inside it, sealed with the certificate of [seal] and stamped by
    the first [[timestamp]] that answers. `acuse verify FILE` checks it, offline.

    With --since, --until, --state or --brand: every closed message they match, as
    ID.SEQ.LANG.pdf. SEQ grows when something more happens; the earlier file stays true. Run again
    to go on where it stopped.

    The seal's key is read by this command, not by the daemon: run it as a user who may.
    """
    wanted = {"since": since, "until": until, "state": state, "brand": brand}
    filters: dict[str, object] = {key: value for key, value in wanted.items() if value is not None}
    if renew:
        return _renew(run, names, output, bool(filters or lang or redact or unsealed or force))
    if names and filters:
        raise UsageError("an ID and a filter", hint="give one ID, or --since, --until …")
    if filters and output is None:
        raise UsageError("-o is missing", hint="name the directory for the certificates")
    if not filters and len(names) != 1:
        raise UsageError(
            f"{len(names)} IDs" if names else "nothing says which message",
            hint="give one ID, or --since TIME -o DIR for many",
        )
    if output is None and (sys.stdout.isatty() or run.as_json):
        raise UsageError("-o is missing", hint="a PDF is nothing for a terminal: -o FILE")
    from gateway.cli.sealsettings import settings_with_seal

    settings = settings_with_seal(run) if not unsealed else run.settings(secrets=False)
    order = Order(
        run=run,
        settings=settings,
        language=lang or settings.issuer.language,
        redact=tuple(sorted(set(redact))),
        unsealed=unsealed,
    )
    if filters and output is not None:
        from gateway.cli.issuing import issue_all

        return issue_all(order, filters, output, force=force)
    return _issue_one(order, names[0], output)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What every certificate of a run has in common."""

    run: Run
    settings: Settings
    language: str
    redact: tuple[str, ...]
    unsealed: bool

    def bundle(self, client: Client, submission_id: str) -> bytes:
        """The proof; the daemon waits for its time stamp, as long as one may come soon."""
        args = {"submission_id": submission_id, "redact": list(self.redact)}
        return str(client.call("bundle", args)["bundle"]).encode()

    def made(self, submission_id: str, path: Path, size_bytes: int) -> dict[str, object]:
        """What `--json` says of one that was written."""
        return {
            "submission_id": submission_id,
            "file": str(path),
            "bytes": size_bytes,
            "language": self.language,
            "sealed": not self.unsealed,
        }


def is_stamped(bundle: str) -> bool:
    """Whether a time stamp covers the bundle's own checkpoint."""
    value = json.loads(bundle)
    proof: str = value["entries"][0]["proof"]
    return any(f"\n\n{stamp['over']}\n" in proof for stamp in value["timestamps"])


def _issue_one(order: Order, submission_id: str, output: Path | None) -> int:
    from gateway.cli.issuing import Recipe

    with Recipe.of(order).maker() as make, order.run.client() as client:
        bundle = order.bundle(client, submission_id)
        pdf = make(bundle)
    if not is_stamped(bundle.decode()):
        note(
            "the ledger's time stamp is pending, and the certificate says so; issue it again later"
        )
    if output is None:
        sys.stdout.buffer.write(pdf)
        return 0
    write_file(output, pdf)
    if order.run.as_json:
        print_json(order.made(submission_id, output, len(pdf)))
    else:
        say(f"wrote {output}; check it with: acuse verify {output}")
    return 0


def _renew(run: Run, names: tuple[str, ...], output: Path | None, others: bool) -> int:
    if others:
        raise UsageError(
            "--renew with options for a new certificate", hint="--renew FILE… takes only -o DIR"
        )
    if not names:
        raise UsageError("--renew needs certificates", hint="name the files")
    if output is not None and not output.is_dir():
        raise UsageError(f"{output} is not a directory", hint="-o DIR keeps the old files as is")
    from gateway.certificate.seal import Sealer

    settings = run.settings(secrets=False)
    failed = 0
    with Sealer(settings.seal, settings.timestamp, key=False) as sealer:
        for name in names:
            path = Path(name)
            target = path if output is None else output / path.name
            try:
                pdf = _renewed(path, sealer.renew)
            except (DataError, AnswerIsNo) as error:
                failed = max(failed, error.exit_code)
                if run.as_json:
                    print_json({"file": name, "error": error.as_dict()})
                else:
                    print_error(error)
                continue
            write_file(target, pdf)
            if run.as_json:
                print_json({"file": str(target), "bytes": len(pdf)})
            else:
                say(f"renewed {target}")
    return failed


def _renewed(path: Path, renew: Callable[[bytes], bytes]) -> bytes:
    from gateway.certificate.examine import MAX_CERTIFICATE_BYTES, verify_certificate
    from gateway.cli.reading import read_file
    from gateway.ledger.report import FORK, INVALID

    data = read_file(path, MAX_CERTIFICATE_BYTES)
    report = verify_certificate(data, now_ms=time.time_ns() // 1_000_000)
    if report.verdict in (INVALID, FORK):
        raise AnswerIsNo(
            f"{path} is not renewed, it does not hold: {report.reason}",
            hint="a time stamp on it would prove nothing; issue it again",
            file=str(path),
        )
    return renew(data)

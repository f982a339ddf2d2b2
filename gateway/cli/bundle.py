"""`acuse bundle`: the proof of one message, to give away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command, write_file
from gateway.cli.output import print_json, say
from gateway.cli.reading import read_note
from gateway.cli.root import root
from gateway.cli.verifiers import commands_for, verifiers_for
from gateway.errors import UsageError

if TYPE_CHECKING:
    from gateway.cli.command import Run


@command(
    root,
    "bundle",
    example="acuse bundle 01990c4e-6a00-7000-8000-1a2b3c4d5e6f --redact text -o proof.json",
)
@click.argument("submission_id", metavar="ID")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it there (default: stdout).",
)
@click.option(
    "--redact",
    multiple=True,
    type=click.Choice(("to", "from", "text")),
    help="Withhold this field, and the PDUs that contain it; the rest still verifies.",
)
@click.option(
    "--since",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A signed checkpoint the reader keeps: prove that the log only grew since.",
)
@click.option(
    "--asic",
    is_flag=True,
    help="Make an ASiC-E container of it, sealed with the [seal] certificate.",
)
@click.option(
    "--with-verifier",
    is_flag=True,
    help="Put acuse-verify.py and acuse-verify.html beside it, which check it without Acuse.",
)
def bundle(
    run: Run,
    submission_id: str,
    output: Path | None,
    redact: tuple[str, ...],
    since: tuple[Path, ...],
    asic: bool,
    with_verifier: bool,
) -> None:
    """Make the proof of one message, for anybody to check offline.

    `acuse verify FILE` checks it, with no access to this gateway.
    """
    if asic and output is None:
        raise UsageError(
            "--asic makes a ZIP file, which is not for a terminal",
            hint="name it with -o proof.asice",
            field="output",
        )
    if with_verifier and (output is None or (output.exists() and not output.is_file())):
        raise UsageError(
            "--with-verifier needs a file to stand beside",
            hint="name the proof's file with -o",
            field="output",
        )
    # What cannot be written is told before anything is.
    verifiers = verifiers_for(output) if with_verifier and output is not None else {}
    args: dict[str, object] = {"submission_id": submission_id, "redact": list(redact)}
    if since:
        args["since"] = [read_note(file) for file in since]
    result = run.call("bundle", args)
    text = str(result["bundle"])
    if not text.endswith("\n"):
        text += "\n"
    if output is None:
        sys.stdout.write(text)
        return
    data = text.encode()
    if asic:
        from gateway.cli.containing import sealed_container

        # They are for the bundle, and so travel inside with it.
        data = sealed_container(run, data, {path.name: each for path, each in verifiers.items()})
        verifiers = {}
    write_file(output, data)
    for path, content in verifiers.items():
        write_file(path, content)
    if run.as_json:
        told = {"submission_id": submission_id, "file": str(output), "bytes": len(data)}
        beside = {"verifiers": [str(path) for path in verifiers]} if verifiers else {}
        print_json({**told, **beside})
        return
    say(f"wrote {output}; check it with: acuse verify {output}")
    if verifiers:
        say("\n".join(["without Acuse:", *(f"  {line}" for line in commands_for(output))]))

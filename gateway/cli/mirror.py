"""`acuse ledger export` and `consistency`: what others need to follow the log by themselves."""

from __future__ import annotations

import base64
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command
from gateway.cli.ledger import ledger
from gateway.cli.output import count, print_json, say
from gateway.cli.progress import counted_bar
from gateway.cli.reading import begins_as_ledger, read_note
from gateway.errors import AnswerIsNo, DataError

if TYPE_CHECKING:
    from gateway.cli.command import Run
    from gateway.cli.ledgerfile import Snapshot
    from gateway.ledger.checks import OpenNote

_FILE = click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))


@command(ledger, "export", example="acuse ledger export /srv/www/log", needs="config")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@_FILE
@click.option("--hashes-only", is_flag=True, help="The tree without the entries.")
def export(run: Run, directory: Path, file: Path | None, hashes_only: bool) -> None:
    """Write the signed log to DIR as static files.

    They are laid out as c2sp.org/tlog-tiles says: any web server can serve DIR, and tools made for
    transparency logs read it. Entries hold no
    number and no text, only commitments to them. Run it again to add what is new: files that are
    there stay as they are. FILE is a ledger file (default: the configured one); the daemon may run
    or not.
    """
    from gateway.evidence.mirror import Mirror

    with closing(_opened(run, file)) as reader:
        mirror = Mirror(reader, directory)
        with counted_bar("exporting", mirror.size, quiet=run.as_json) as progress:
            done = mirror.write(progress, entries=not hashes_only)
    if run.as_json:
        print_json(done)
    else:
        say(
            f"{count(done['added'])} entries added, {count(done['size'])} now in"
            f" {directory} ({count(done['files'])} files written)"
        )


@command(ledger, "consistency", example="acuse ledger consistency known.checkpoint", needs="config")
@click.argument("known", metavar="CHECKPOINT", type=click.Path(path_type=Path))
@_FILE
def consistency(run: Run, known: Path, file: Path | None) -> None:
    """Prove that the log only grew since a checkpoint.

    Prints the proof (RFC 6962 section 2.1.2) and the latest checkpoint, as a witness takes them
    (c2sp.org/tlog-witness, add-checkpoint): `old SIZE`, one hash a line, an empty line, the signed
    note. It is made of a few tiles, however long the log is; `acuse ledger verify --since` reads
    all of it.
    """
    from gateway.ledger.checks import open_checkpoint

    then = open_checkpoint(read_note(known))
    with closing(_opened(run, file)) as reader, reader.snapshot():
        last = reader.last_checkpoint()
        if last is None:
            raise AnswerIsNo("the log was never signed", hint="`acuse ledger checkpoint` signs it")
        now = open_checkpoint(str(last["note"]))
        hashes = [base64.b64encode(item).decode() for item in _proof(reader, then, now)]
    size = then.checkpoint.size
    if run.as_json:
        shown = {"old": size, "size": now.checkpoint.size, "consistency": hashes}
        print_json({**shown, "checkpoint": now.note})
    else:
        click.echo("\n".join([f"old {size}", *hashes, "", now.note]), nl=False)


def _proof(reader: Snapshot, then: OpenNote, now: OpenNote) -> list[bytes]:
    """The proof that *then* leads to *now*, which was checked before anybody sees it."""
    from gateway.ledger.merkle import consistency_proof, verify_consistency

    old, new = then.checkpoint, now.checkpoint
    if old.origin != new.origin:
        raise DataError(
            f"the checkpoint is of the log {old.origin}, this is {new.origin}",
            hint="name the ledger file of that log",
            field="CHECKPOINT",
        )
    if old.size > new.size:
        raise AnswerIsNo(
            f"the checkpoint covers {old.size} entries, the latest one here {new.size}",
            hint="sign the log (acuse ledger checkpoint); if it is shorter than it was, keep both"
            " files as evidence and run: acuse ledger verify --since",
            size=new.size,
        )
    hashes = consistency_proof(
        old.size, new.size, lambda level, index: reader.tile(level, index, new.size)
    )
    if old.size:
        try:
            verify_consistency(old.size, old.root, new.size, new.root, hashes)
        except DataError as error:
            raise AnswerIsNo(
                f"the log does not contain that checkpoint over {old.size} entries:"
                f" {error.message}",
                hint="keep both files as evidence, and run: acuse ledger verify --since",
                size=new.size,
            ) from None
    return hashes


def _opened(run: Run, file: Path | None) -> Snapshot:
    from gateway.cli.ledgerfile import Snapshot
    from gateway.evidence.records import LEDGER_FILE

    if file is None:
        return Snapshot(run.settings(secrets=False).gateway.data_dir / LEDGER_FILE)
    if not begins_as_ledger(file):
        raise DataError(f"{file} is not a ledger file", hint="name a ledger.db", file=str(file))
    return Snapshot(file)

"""`acuse ledger`, its keys: changed, printed for verifiers, and ended with an epoch."""

from __future__ import annotations

import os
import pwd
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command
from gateway.cli.ledger import ledger, print_note
from gateway.cli.output import count, plain, print_json, say
from gateway.cli.reading import read_note
from gateway.errors import DaemonUnreachable, UsageError

if TYPE_CHECKING:
    from gateway.cli.command import Run
    from gateway.settings import Settings


@command(ledger, "rotate-key", example="acuse ledger rotate-key --json")
def rotate_key(run: Run) -> None:
    """Change the key that signs the log.

    A new key is made; the log says so (x.KeyRotate), the next checkpoint is signed by both keys,
    and then the new one signs alone. Whoever pins the old key can follow. Give the new verifier
    key to the witnesses, put it into the policies you give away (`acuse ledger policy`), back up
    the keys, and destroy the old one.
    """
    shown = run.call("ledger.rotate_key", {})
    if run.as_json:
        print_json(shown)
        return
    click.echo(f"old key     {plain(shown['old'])}")
    click.echo(f"new key     {plain(shown['new'])}")
    click.echo(f"both signed up to {count(shown['size'])} entries:\n")
    print_note(shown["note"])
    if shown.get("retired"):
        say(f"the old key is kept in {shown['retired']}: destroy it when the new one is backed up")


@command(ledger, "policy", example="acuse ledger policy > trusted.policy")
def policy(run: Run) -> None:
    """Print the trust policy for verifiers of this log.

    It is a c2sp.org/tlog-policy: the log's keys, the configured witnesses, and the quorum of
    ledger.policy_file, else any one witness.
    Publish it where people find it without you: `acuse verify --policy FILE` believes nothing else.
    Works while the daemon is down, too.
    """
    from gateway.evidence.quorum import Quorum

    settings = run.settings(secrets=False)
    text = Quorum.of(settings).text(_log_keys(run, settings))
    if run.as_json:
        print_json({"policy": text.decode("utf-8", "replace")})
    else:
        sys.stdout.buffer.write(text)


def _log_keys(run: Run, settings: Settings) -> list[str]:
    """The log's verifier keys, the present one first."""
    try:
        shown = run.call("ledger.head", {})
    except DaemonUnreachable:
        from gateway.cli.ledgerfile import LedgerFile
        from gateway.evidence.records import LEDGER_FILE
        from gateway.ledger.canonical import decode
        from gateway.settings import KeySource

        key = settings.ledger.key if isinstance(settings.ledger.key, KeySource) else None
        with LedgerFile(settings.gateway.data_dir / LEDGER_FILE, key) as file:
            before = [str(decode(raw)["old"]) for raw in file.rotations()]
            if file.vkey is None:
                raise
            shown = {"vkey": file.vkey, "old_vkeys": before}
    before = list(reversed(shown.get("old_vkeys", [])))
    return [shown["vkey"], *(each for each in before if each != shown["vkey"])]


@command(
    ledger,
    "new-epoch",
    example="acuse ledger new-epoch 2026b --dir /var/lib/acuse-2026b",
    needs="config",
)
@click.argument("epoch", metavar="EPOCH")
@click.option(
    "--dir",
    "directory",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The data directory of the new epoch; it is made.",
)
def new_epoch(run: Run, epoch: str, directory: Path) -> None:
    """End this log and begin another.

    For when its key was stolen, or a fork was proven. The daemon must be stopped, and no submission
    open. The old ledger stays as it is: keep it, its proofs hold. The new one has a new origin
    and a new key; its first entry holds the last checkpoint of the old one. Opt-outs, consents,
    registries and what caps count go along; messages, receipts and the refs of --ref do not. To
    change a key that is only old, use `acuse ledger rotate-key`.
    """
    from gateway.daemon.lock import data_directory
    from gateway.evidence.epoch import begin_epoch

    settings = run.settings(secrets=False)
    old, name = settings.gateway.data_dir, settings.gateway.name
    with data_directory(old):
        begun = begin_epoch(old, directory, name, epoch, now_ms=time.time_ns() // 1_000_000)
    if run.as_json:
        print_json({"origin": begun.origin, "dir": str(begun.directory), "follows": begun.note})
        return
    click.echo(f"origin      {plain(begun.origin)}")
    click.echo(f"directory   {begun.directory}")
    click.echo(f"follows     {plain(settings.origin)}, which ended with\n")
    print_note(begun.note)
    say(
        f'now set gateway.data_dir = "{begun.directory}", ledger.epoch = "{epoch}", and a new'
        " ledger.key if one is configured; then start the daemon, and give witnesses and verifiers"
        " the new key: acuse ledger policy"
    )


@command(ledger, "adopt", example="acuse ledger adopt --known customer.checkpoint", needs="config")
@click.option(
    "--known",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A signed checkpoint kept elsewhere: by a witness, a customer, or from a bundle.",
)
@click.option("--unchecked", is_flag=True, help="There is none to compare with.")
def adopt(run: Run, known: Path | None, unchecked: bool) -> None:
    """Let a signer that lost its memory go on.

    Restore signer-state if you can. It is what keeps the log's key from signing two histories.
    Adopting a ledger that was cut or changed makes the fork yours: compare it with a checkpoint
    from outside. The daemon must be stopped; what is done here is written into the ledger.
    """
    if (known is None) != unchecked:
        raise UsageError(
            "give --known FILE, or --unchecked if there is nothing to compare with",
            hint="a witness shows one at /checkpoint/…, and every bundle holds one",
            field="known",
        )
    from gateway.clock import SystemClock
    from gateway.daemon.adopting import adopt as adopt_ledger
    from gateway.daemon.lock import data_directory
    from gateway.daemon.logs import configure

    configure("warning")  # to stderr: stdout is for what is printed below
    note = None if known is None else read_note(known)
    settings = run.settings()
    with data_directory(settings.gateway.data_dir):
        done = adopt_ledger(settings, SystemClock(), note, by=user_name())
    if run.as_json:
        print_json(done)
        return
    say(f"adopted: {count(done['size'])} entries, signed; keep this checkpoint elsewhere")
    print_note(done["note"])


def user_name() -> str:
    """Whose hands these are, as the ledger names them."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"

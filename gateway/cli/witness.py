"""`acuse witness`: cosigns the checkpoints of other people's logs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import command
from gateway.cli.output import print_json, say
from gateway.cli.reading import read_file
from gateway.cli.root import root
from gateway.errors import DataError, UsageError

if TYPE_CHECKING:
    import ssl

    from gateway.cli.command import Run
    from gateway.evidence.witness import Logs
    from gateway.evidence.witnessfile import Witness
    from gateway.ledger.note import Verifier

_FILE = click.Path(path_type=Path)


@command(
    root,
    "witness",
    example=(
        "acuse witness --listen 127.0.0.1:7780 --dir witness --name witness.example.org \\\n"
        "    --log sms.example.es/2026a+1234abcd+AQ…"
    ),
    needs="",
)
@click.option(
    "--listen",
    required=True,
    metavar="HOST:PORT",
    help="Listen there, as 127.0.0.1:7780 or [::1]:7780; port 0 takes a free one and says which.",
)
@click.option(
    "--dir", "directory", required=True, type=_FILE, metavar="DIR", help="Key and memory, 0700."
)
@click.option("--log", "logs", multiple=True, metavar="VKEY", help="Cosign for this log; again.")
@click.option("--policy", type=_FILE, metavar="FILE", help="Cosign for the logs of this policy.")
@click.option("--name", metavar="NAME", help="The witness's name; needed the first time.")
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="Serve HTTPS with this certificate.")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="Its key.")
def witness(
    run: Run,
    listen: str,
    directory: Path,
    logs: tuple[str, ...],
    policy: Path | None,
    name: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Cosign the checkpoints of other people's logs.

    A witness (c2sp.org/tlog-witness) cosigns each one only if it extends the one before. Run it on
    another machine than the log's, best another organisation's. It makes its key on the first start
    and prints its verifier key for the log's [[witness]] and for verifiers' policies. What a log
    signed and cannot have meant is kept as evidence and shown at /forks. While a log changes its
    key, give --log twice: the old key and the new one. SIGTERM ends it.
    """
    if (tls_cert is None) != (tls_key is None):
        raise UsageError(
            "tls-cert and tls-key belong together", hint="give both, or none", field="tls-cert"
        )
    host, port = _address(listen)
    known = _logs(logs, policy)
    import trio

    from gateway.daemon.logs import configure
    from gateway.daemon.witnesshttp import tls_context
    from gateway.evidence.witnessfile import Witness

    tls = None if tls_cert is None or tls_key is None else tls_context(tls_cert, tls_key)
    configure()
    opened = Witness.open(directory, known, name=name)
    try:
        trio.run(_serve, opened, host, port, tls, run.as_json)
    finally:
        opened.close()


async def _serve(
    witness: Witness, host: str, port: int, tls: ssl.SSLContext | None, as_json: bool
) -> None:
    from gateway.daemon.witnesshttp import WitnessServer, listen, serve

    listeners = await listen(host, port)
    bound = int(listeners[0].socket.getsockname()[1])
    shown = f"[{host}]" if ":" in host else host
    url = f"http{'s' if tls else ''}://{shown}:{bound}"

    def ready() -> None:
        if as_json:
            print_json({"url": url, "name": witness.name, "vkey": witness.vkey})
            sys.stdout.flush()  # who started us waits for it
            return
        say(f"witness {witness.name} for {len(witness.logs)} logs on {url}; its verifier key:")
        click.echo(witness.vkey)

    server = WitnessServer(witness, lambda: int(time.time()), tls)
    await serve(server, listeners, ready)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(
            f"listen: {text!r} is not HOST:PORT",
            hint="as 127.0.0.1:7780 or [::1]:7780",
            field="listen",
        )
    return host, int(port)


def _logs(vkeys: tuple[str, ...], policy: Path | None) -> Logs:
    from gateway.evidence.witness import Logs
    from gateway.ledger.note import Verifier
    from gateway.ledger.policyfile import MAX_POLICY_BYTES, parse_policy

    keys: list[Verifier] = []
    for vkey in vkeys:
        try:
            keys.append(Verifier.from_vkey(vkey))
        except DataError as error:
            raise DataError(
                f"log: {error.message}",
                hint="give the verifier key that `acuse ledger head` prints",
                field="log",
            ) from None
    if policy is not None:
        keys += parse_policy(read_file(policy, MAX_POLICY_BYTES)).logs
    if not keys:
        raise UsageError(
            "a witness needs a log to witness",
            hint="--log VKEY, or --policy FILE with log lines; `acuse ledger head` prints a VKEY",
            field="log",
        )
    return Logs(keys)

"""`acuse simulate`: one simulated operator as a process of its own."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import TYPE_CHECKING, TextIO

import trio

from gateway.errors import UsageError
from gateway.sim.operator import Operator
from gateway.sim.server import bound_port, listen, serve_listeners

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.sim.options import SimOptions


def run(
    options: SimOptions,
    host: str = "127.0.0.1",
    port: int = 2775,
    *,
    journal: Path | None = None,
    stats: bool = False,
    as_json: bool = False,
    out: TextIO | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `options.count`; says on *out* where it listens.

    *journal* gets one line of JSON for each message taken or refused and each receipt acknowledged,
    written before the answer leaves. *stats* prints the counts at the end. *as_json* makes both
    what is printed one JSON object a line.

    Raises:
        UsageError: the address or the journal cannot be used; `fields["field"]` says which.
    """
    output = sys.stdout if out is None else out
    if journal is None:
        operator = trio.run(_serve, options, host, port, None, as_json, output)
    else:
        with _open(journal) as file:
            operator = trio.run(_serve, options, host, port, file, as_json, output)
    if stats:
        counts = operator.report()
        if as_json:
            _say(output, json.dumps(counts))
        else:
            _say(output, "\n".join(f"{number:>10,}  {name}" for name, number in counts.items()))


def _open(journal: Path) -> TextIO:
    try:
        # Line-buffered: another process reads it while this one runs, or after it was killed.
        return journal.open("a", encoding="utf-8", buffering=1)
    except OSError as exc:
        raise UsageError(
            f"journal: {journal}: {exc.strerror}",
            hint="name a file in a directory that exists and can be written",
            field="journal",
        ) from None


def _say(output: TextIO, text: str) -> None:
    output.write(text + "\n")
    output.flush()


async def _serve(
    options: SimOptions, host: str, port: int, file: TextIO | None, as_json: bool, output: TextIO
) -> Operator:
    def write(line: dict[str, object]) -> None:
        assert file is not None
        file.write(json.dumps(line, separators=(",", ":")) + "\n")

    operator = Operator(
        options,
        wall_s=time.time() - trio.current_time(),
        journal=None if file is None else write,
    )
    listeners = await listen(host, port)  # outside the nursery, so that its error comes out bare
    bound = bound_port(listeners)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            operator.on_finished = nursery.cancel_scope.cancel
            nursery.start_soon(serve_listeners, listeners, operator)
            if as_json:
                _say(output, json.dumps({"host": host, "port": bound}))
            else:
                _say(output, f"simulated operator on {host} port {bound}")
            async for _ in signals:
                nursery.cancel_scope.cancel()
    return operator

"""`acuse serve` and `acuse stop`: the daemon's life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.command import command
from gateway.cli.output import print_json, say, warn
from gateway.cli.root import root

if TYPE_CHECKING:
    from gateway.cli.command import Run


@command(root, "serve", example="acuse serve --config acuse.toml", needs="config")
def serve(run: Run) -> int:
    """Run the daemon until it is told to stop.

    On an empty data directory it makes the ledger and, where none is configured, its key. SIGTERM
    (or SIGINT) lets what is on the way finish; a second one stops at once.
    """
    settings = run.settings()
    for warning in settings.warnings:
        warn(f"{warning.setting} {warning.message}", warning.hint)
    from gateway.daemon.app import serve as run_daemon

    return run_daemon(settings, run.config_path())


@command(root, "stop", example="acuse stop")
@click.option("--now", is_flag=True, help="Do not wait for answers that are still due.")
def stop(run: Run, now: bool) -> None:
    """Stop the daemon in good order.

    It takes no new messages, waits for answers under way, unbinds and signs the log. With --now
    messages on the way become unknown, as after a crash; they are not sent again by themselves.
    """
    result = run.call("stop", {"now": now})
    if run.as_json:
        print_json(result)
    else:
        say("stopping now" if now else "stopping; what is on the way finishes first")

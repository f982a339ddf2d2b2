"""`python -m tests.bench.profiled CONFIG STATS`: the daemon under cProfile while it serves."""

from __future__ import annotations

import cProfile
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.daemon import app
from gateway.settings import load_settings

if TYPE_CHECKING:
    from socket import socket

    from gateway.daemon.gateway import Gateway
    from gateway.daemon.notify import Notifier


def main() -> int:
    """Serve until told to stop, then write what each function cost."""
    config, stats = map(Path, sys.argv[1:])
    profile = cProfile.Profile()
    serve = app.run

    async def run(gateway: Gateway, listener: socket | None, notifier: Notifier) -> None:
        # Reading the rules at the start would hide what a message costs.
        profile.enable()
        try:
            await serve(gateway, listener, notifier)
        finally:
            profile.disable()

    app.run = run
    code = app.serve(load_settings(config), config)
    profile.dump_stats(stats)
    return code


if __name__ == "__main__":
    sys.exit(main())

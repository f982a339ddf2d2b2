"""The daemon under cProfile: `python -m tests.bench.profiled CONFIG STATS`."""

from __future__ import annotations

import cProfile
import sys
from pathlib import Path

from gateway.daemon.app import serve
from gateway.settings import load_settings


def main() -> int:
    """Serve until told to stop, then write what each function cost."""
    config, stats = map(Path, sys.argv[1:])
    profile = cProfile.Profile()
    code = profile.runcall(serve, load_settings(config), config)
    profile.dump_stats(stats)
    return code


if __name__ == "__main__":
    sys.exit(main())

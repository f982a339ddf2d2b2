"""`python -m tests.support.ruled PACKS CONFIG`: the daemon with the rule packs of a directory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from gateway.daemon import app
from gateway.daemon import gateway as assembly
from gateway.policy.loader import load_rulebook
from gateway.settings import load_settings

if TYPE_CHECKING:
    from tests.support.process import Site


def command(site: Site, packs: Path) -> list[str]:
    """The command of a daemon of *site* under those packs (for `Site.serve`)."""
    return [sys.executable, "-m", "tests.support.ruled", str(packs), str(site.config)]


def main() -> int:
    """Serve until told to stop."""
    packs, config = map(Path, sys.argv[1:])
    with patch.object(assembly, "load_rulebook", lambda *_, **__: load_rulebook([packs])):
        return app.serve(load_settings(config), config)


if __name__ == "__main__":
    sys.exit(main())

"""Where the data files of `config/` are: inside the installed wheel, or beside a source tree."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def config_directory() -> Path:
    """The directory that holds `jurisdictions/`, `operators/`, `prefixes.csv` and `acuse.toml`."""
    installed = _PACKAGE / "_config"
    return installed if installed.is_dir() else _PACKAGE.parent / "config"

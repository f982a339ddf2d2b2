"""Reads a configuration file: everything that is wrong with it at once, or settings that work."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from gateway.errors import ConfigError
from gateway.settings import checks, references
from gateway.settings.kinds import SocketPath
from gateway.settings.lines import locate
from gateway.settings.model import Settings
from gateway.settings.nested import KeySource
from gateway.settings.reading import Reading, Reported, Wrong, read_table, settings_of
from gateway.settings.secret import Secret

MAX_FILE_BYTES = 4 * 1024 * 1024


def load_settings(path: Path, *, secrets: bool = True) -> Settings:
    """The settings in the TOML file *path*, checked as a whole.

    With *secrets* False, passwords and keys stay unread and the files they are in need not be
    there: for commands that read the ledger while the daemon is down.

    Raises:
        ConfigError: with every finding in `problems`, each with `fields["setting"]` and, where it
            can be known, `fields["line"]`.
    """
    text, mode = _read(path)
    raw = _parse(path, text)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    reading = Reading(
        path.absolute().parent,
        found=locate(text),
        others_can_read=bool(mode & 0o077) and secrets,
        secrets=secrets,
        credentials=Path(credentials) if credentials else None,
    )
    references.check(raw, reading)
    settings: Settings | None
    try:
        settings = read_table(Settings, raw, (), reading, path=path)
    except Reported:
        settings = None
    if settings is not None:
        checks.issuer(settings.issuer, ("issuer",), reading)
    if settings is None or reading.problems:
        raise _all_at_once(path, reading.problems)
    return dataclasses.replace(
        settings, warnings=tuple(reading.warnings), digest=settings_digest(settings)
    )


def load_admin_socket(path: Path) -> Path:
    """Only `gateway.admin_socket` of the file *path*: all that most commands need.

    A configuration that has become wrong in another place does not keep anybody from asking the
    running daemon.

    Raises:
        ConfigError: the file, or this setting, cannot be read.
    """
    text, _ = _read(path)
    raw = _parse(path, text)
    reading = Reading(path.absolute().parent, found=locate(text))
    place = ("gateway", "admin_socket")
    table = raw.get("gateway")
    if isinstance(table, dict) and "admin_socket" in table:
        try:
            return SocketPath().read(table["admin_socket"], place, reading)
        except Wrong as wrong:
            reading.problem(place, wrong.message, wrong.hint)
    else:
        reading.problem(place, "is missing", 'for example: admin_socket = "/run/acuse/admin.sock"')
    raise _all_at_once(path, reading.problems)


def settings_digest(settings: Settings) -> str:
    """Hex SHA-256 of the settings' canonical JSON; secrets count by where they come from only."""
    canonical = json.dumps(
        _plain(settings), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Secret):
        return {"secret": value.source}
    if isinstance(value, KeySource):
        return {"key": value.origin}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {
            key: _plain(getattr(value, field.name))
            for key, (field, _) in settings_of(value).items()
        }
    return value


def _read(path: Path) -> tuple[str, int]:
    """The text of the file, and the mode it has."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration {path}",
            hint="name it with --config or ACUSE_CONFIG; `acuse config example` prints one",
            file=str(path),
        ) from None
    except OSError as error:
        raise ConfigError(
            f"the configuration {path} cannot be read: {error.strerror}",
            hint="name a file that you may read, or only the daemon's socket with --socket",
            file=str(path),
        ) from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(
            f"{path} has more than {MAX_FILE_BYTES} bytes: not a configuration",
            hint="name the right file with --config",
            file=str(path),
        )
    try:
        return data.decode("utf-8"), mode
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8",
            hint="save it as UTF-8; only comments and text may have other than ASCII characters",
            file=str(path),
            line=data.count(b"\n", 0, error.start) + 1,
        ) from None


def _parse(path: Path, text: str) -> dict[str, object]:
    try:
        return cast("dict[str, object]", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
    except RecursionError:
        message = "Nested too deeply"
    except ValueError:
        message = "A number has too many digits, or a date does not exist"
    matched = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    message = message.removesuffix(" (at end of document)")
    line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    if matched:
        message = message[: matched.start()]
        line, column = int(matched[1]), int(matched[2])
    raise ConfigError(
        f"{path} is not TOML: line {line}, column {column}: {message}",
        hint="`acuse config example` shows how each setting is written",
        file=str(path),
        line=line,
        column=column,
    )


def _all_at_once(path: Path, problems: list[ConfigError]) -> ConfigError:
    ordered = sorted(problems, key=_line)
    if len(ordered) == 1:
        (only,) = ordered
        message = f"{path}: {only.fields['setting']}: {only.message}"
        return ConfigError(message, hint=only.hint, problems=(only,), file=str(path), **only.fields)
    return ConfigError(
        f"{path} has {len(ordered)} problems",
        hint="`acuse config describe` explains every setting",
        problems=tuple(ordered),
        file=str(path),
    )


def _line(problem: ConfigError) -> tuple[int, str]:
    line = problem.fields.get("line")
    return (line if isinstance(line, int) else 0, str(problem.fields["setting"]))

"""Kinds that hold other settings: tables, lists of tables, named tables, TLS and secrets."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.settings.kinds import Text, require_file
from gateway.settings.lines import Place
from gateway.settings.reading import (
    Kind,
    Reading,
    Reported,
    Wrong,
    nearest_hint,
    read_table,
    settings_of,
    type_words,
)
from gateway.settings.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import DataclassInstance

Check = Callable[[Any, Place, Reading], None]


@dataclass(frozen=True, slots=True)
class Table:
    """One nested table; *check* looks at what only several of its settings together can show."""

    table: type[DataclassInstance]
    check: Check | None = None

    def read(self, value: object, place: Place, reading: Reading) -> object:
        return self.read_with(value, place, reading)

    def read_with(self, value: object, place: Place, reading: Reading, **given: object) -> object:
        made = read_table(self.table, value, place, reading, **given)
        if self.check is not None:
            before = len(reading.problems)
            self.check(made, place, reading)
            if len(reading.problems) > before:
                raise Reported
        return made

    def words(self) -> str:
        return "table"


@dataclass(frozen=True, slots=True)
class Tables:
    """A list of tables: `[[routes]]`. *distinct*: the setting in which no two may be equal."""

    item: Table
    at_least: int = 0
    distinct: str = ""

    def read(self, value: object, place: Place, reading: Reading) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise Wrong(
                f"must be a list of tables, not {type_words(value)}",
                "write its header with double brackets: [[...]]",
            )
        if len(value) < self.at_least:
            raise Wrong("is empty", "at least one is needed")
        good: list[object] = []
        taken: set[object] = set()
        for number, item in enumerate(value):
            try:
                made = self.item.read(item, (*place, number), reading)
                if self.distinct:
                    self._take(getattr(made, self.distinct), taken, (*place, number), reading)
                good.append(made)
            except Wrong as wrong:
                reading.problem((*place, number), wrong.message, wrong.hint)
            except Reported:
                continue
        if len(good) < len(value):
            raise Reported
        return tuple(good)

    def _take(self, name: object, taken: set[object], place: Place, reading: Reading) -> None:
        if name in taken:
            reading.problem(
                (*place, self.distinct), f"{name!r} is taken by an earlier one", "choose another"
            )
            raise Reported
        taken.add(name)

    def words(self) -> str:
        return "list of tables"


@dataclass(frozen=True, slots=True)
class Named:
    """Tables under names the person chose: `[operators.movistar]`.

    Each instance is also given its name as the field `name`.
    """

    item: Table
    names: Kind
    example: str
    at_least: int = 0

    def read(self, value: object, place: Place, reading: Reading) -> dict[str, object]:
        if not isinstance(value, dict):
            raise Wrong(
                f"must be tables with names, not {type_words(value)}", "[operators.movistar]"
            )
        if len(value) < self.at_least:
            raise Wrong("is empty", f"at least one is needed: [{place[-1]}.{self.example}]")
        good: dict[str, object] = {}
        for name, raw in value.items():
            try:
                self.names.read(name, (*place, name), reading)
                good[name] = self.item.read_with(raw, (*place, name), reading, name=name)
            except Wrong as wrong:
                reading.problem((*place, name), wrong.message, wrong.hint)
            except Reported:
                continue
        if len(good) < len(value):
            raise Reported
        return good

    def words(self) -> str:
        return f"tables by name, at least {self.at_least}" if self.at_least else "tables by name"


@dataclass(frozen=True, slots=True)
class SwitchOrTable:
    """`false` or the table: None or an instance. `true` is the table with all its defaults."""

    item: Table

    def read(self, value: object, place: Place, reading: Reading) -> object:
        if isinstance(value, bool):
            return self.item.read({}, place, reading) if value else None
        if not isinstance(value, dict):
            keys = ", ".join(settings_of(self.item.table))
            raise Wrong(f"must be false or a table, not {type_words(value)}", f"a table has {keys}")
        return self.item.read(value, place, reading)

    def words(self) -> str:
        return "false or table"


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a key is: `origin` is `file:PATH` or `credential:NAME`, `path` what to open.

    `path` is None only if the settings were loaded without secrets and the key is a credential.
    """

    origin: str
    path: Path | None


@dataclass(frozen=True, slots=True)
class KeyReference:
    """`{file = "…"}` or `{credential = "…"}`: a `KeySource` to a file only its owner may read."""

    def read(self, value: object, place: Place, reading: Reading) -> KeySource:
        source = _source(value, place, reading)
        if reading.secrets and source.path is not None:
            mode = stat.S_IMODE(source.path.stat().st_mode)
            if mode & 0o007:
                raise Wrong(
                    f"{source.path} can be read by everybody (mode {mode:04o})",
                    f"chmod 600 {source.path}",
                )
        return source

    def words(self) -> str:
        return '{file = "PATH"} or {credential = "NAME"}'


@dataclass(frozen=True, slots=True)
class SecretText:
    """A password in clear, in a file, or among systemd's credentials; at most *max_octets*, which
    is what *limited_by* allows.
    """

    max_octets: int
    noun: str = "password"
    limited_by: str = "SMPP"
    giver: str = "the operator"

    def read(self, value: object, place: Place, reading: Reading) -> Secret:
        if isinstance(value, str):
            if reading.others_can_read:
                raise Wrong(
                    f"a {self.noun} stands in clear in a file that others can read",
                    "chmod 600 the configuration, or use {file = …} or {credential = …}",
                )
            return self._checked(value, "clear")
        if not isinstance(value, dict):
            raise Wrong(f"must be text or a table, not {type_words(value)}", self.words())
        source = _source(value, place, reading)
        if source.path is None or not reading.secrets:
            return Secret("", source=source.origin)
        try:
            text = source.path.read_bytes()[: 4 * self.max_octets + 64].decode("ascii")
        except UnicodeDecodeError:
            raise Wrong(
                f"{source.path} does not hold ASCII text", f"one line, the {self.noun}"
            ) from None
        if source.path.stat().st_mode & 0o007:
            reading.warn(place, f"everybody can read {source.path}", f"chmod 600 {source.path}")
        return self._checked(text.removesuffix("\n").removesuffix("\r"), source.origin)

    def _checked(self, password: str, origin: str) -> Secret:
        if not password.isascii() or not password.isprintable():
            raise Wrong(
                f"the {self.noun} has characters other than printable ASCII",
                f"{self.limited_by} carries it as ASCII octets, on one line",
            )
        if len(password) > self.max_octets:
            raise Wrong(
                f"the {self.noun} has {len(password)} octets; {self.limited_by} allows"
                f" {self.max_octets}",
                f"ask {self.giver} for one that fits",
            )
        return Secret(password, source=origin)

    def words(self) -> str:
        return f"text of at most {self.max_octets} octets, or {KeyReference().words()}"


def _source(value: object, place: Place, reading: Reading) -> KeySource:
    """The file a `{file = …}` or `{credential = …}` names, known to open if secrets are wanted."""
    if not isinstance(value, dict):
        raise Wrong(f"must be a table, not {type_words(value)}", KeyReference().words())
    unknown = [key for key in value if key not in ("file", "credential")]
    if unknown:
        hint = nearest_hint(unknown[0], ("file", "credential"))
        reading.problem((*place, unknown[0]), "is not a setting", hint)
        raise Reported
    if len(value) != 1:
        raise Wrong("names no source, or two", KeyReference().words())
    ((kind, name),) = value.items()
    text = Text().read(name, place, reading)
    if kind == "file":
        path = reading.path(text)
        if reading.secrets:
            require_file(path)
        return KeySource(f"file:{path}", path)
    if "/" in text or text in (".", ".."):
        raise Wrong(f"{text!r} is not the name of a credential", "a name without slashes")
    origin = f"credential:{text}"
    if not reading.secrets:
        return KeySource(origin, None)
    if reading.credentials is None:
        raise Wrong(
            f"the credential {text!r} is not here: CREDENTIALS_DIRECTORY is not set",
            f"systemd sets it; give the unit LoadCredential={text}:PATH",
        )
    path = reading.credentials / text
    if not path.is_file():
        raise Wrong(
            f"there is no credential {text!r} in {reading.credentials}",
            f"give the unit LoadCredential={text}:PATH",
        )
    require_file(path)
    return KeySource(origin, path)

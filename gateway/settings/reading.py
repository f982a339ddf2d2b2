"""Turns a parsed TOML table into a settings dataclass and collects every problem on the way.

What a setting is called, means and may hold stands in the metadata of its dataclass field
(`about`): the loader, the example file and `acuse config describe` all read it there.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from gateway.errors import ConfigError
from gateway.settings.lines import Place, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_METADATA = "about"


class Wrong(Exception):
    """A value its setting cannot have; *message* goes on from "SETTING: "."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Reported(Exception):
    """The value cannot be used, and the reading already has the problems that say why."""


class Warned(NamedTuple):
    """Something that works and is probably not meant: `setting` is its dotted path."""

    setting: str
    message: str
    hint: str


class Kind(Protocol):
    """What values a setting takes: how one is read, and how it is described to people."""

    def read(self, value: object, place: Place, reading: Reading) -> object:
        """The value as the program uses it; raises `Wrong` or `Reported`."""
        ...

    def words(self) -> str:
        """What may stand there, for people: `whole number, 1 to 65535`."""
        ...


@dataclass(frozen=True, slots=True)
class About:
    """One setting's documentation, and the kind that checks it.

    `example` is a TOML literal for an active line of the example file; `sample` one for a line that
    is commented out, where the default itself would not show what to write.
    """

    doc: str
    kind: Kind
    unit: str = ""
    example: str = ""
    sample: str = ""
    key: str = ""


def about(
    doc: str, kind: Kind, *, unit: str = "", example: str = "", sample: str = "", key: str = ""
) -> dict[str, object]:
    """The `metadata` of a settings field; *key* is its TOML name if Python cannot use that."""
    return {_METADATA: About(doc, kind, unit, example, sample, key)}


def settings_of(
    table: DataclassInstance | type[DataclassInstance],
) -> dict[str, tuple[Field[Any], About]]:
    """The settings of a table's dataclass by their TOML names, in order of declaration."""
    return {
        field.metadata[_METADATA].key or field.name: (field, field.metadata[_METADATA])
        for field in fields(table)
        if _METADATA in field.metadata
    }


def is_required(field: Field[Any]) -> bool:
    """True if the setting has no default."""
    return field.default is MISSING and field.default_factory is MISSING


class Reading:
    """One loading of one configuration: what is known about the file, and what was found wrong.

    Args:
        directory: relative paths in the configuration start here.
        found: line numbers from `lines.locate`.
        others_can_read: somebody other than the file's owner may open the configuration.
        secrets: False to leave passwords and keys unread and files unlooked-for, for commands that
            need only the rest.
        credentials: systemd's credentials directory, if there is one.
    """

    def __init__(
        self,
        directory: Path,
        *,
        found: Mapping[Place, int],
        others_can_read: bool = False,
        secrets: bool = True,
        credentials: Path | None = None,
    ) -> None:
        self.directory = directory
        self.others_can_read = others_can_read
        self.secrets = secrets
        self.credentials = credentials
        self.problems: list[ConfigError] = []
        self.warnings: list[Warned] = []
        self._found = dict(found)

    def problem(self, place: Place, message: str, hint: str = "") -> None:
        """Something that must be mended before the configuration can be used."""
        line = line_of(self._found, place)
        error = ConfigError(message, hint=hint, setting=path_text(place))
        if line is not None:
            error.fields["line"] = line
        self.problems.append(error)

    def warn(self, place: Place, message: str, hint: str) -> None:
        """Something that works, but that somebody should know."""
        self.warnings.append(Warned(path_text(place), message, hint))

    def path(self, text: str) -> Path:
        """*text* as an absolute path."""
        return Path(os.path.normpath(self.directory.absolute() / Path(text).expanduser()))


def read_table(table: type[T], raw: object, place: Place, reading: Reading, **given: object) -> T:
    """An instance of the dataclass *table* from the TOML table *raw*; *given* are its other fields.

    Raises:
        Reported: the reading has at least one more problem.
    """
    if not isinstance(raw, dict):
        raise Wrong(f"must be a table, not {type_words(raw)}", f"write it as [{path_text(place)}]")
    known = settings_of(table)
    good = True
    for key in raw:
        if key not in known:
            good = False
            reading.problem((*place, key), "is not a setting", nearest_hint(key, known))
    values: dict[str, object] = dict(given)
    for key, (field, spec) in known.items():
        if key not in raw:
            if is_required(field):
                good = False
                hint = f"for example: {key} = {spec.example}" if spec.example else spec.doc
                reading.problem((*place, key), "is missing", hint)
            continue
        try:
            values[field.name] = spec.kind.read(raw[key], (*place, key), reading)
        except Wrong as wrong:
            good = False
            reading.problem((*place, key), wrong.message, wrong.hint)
        except Reported:
            good = False
    if not good:
        raise Reported
    return table(**values)


def path_text(place: Place) -> str:
    """*place* as people write it: `operators.movistar.window`, `routes[0].to`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE.fullmatch(part) else f'"{part}"'
            text += f".{name}" if text else name
    return text


def type_words(value: object) -> str:
    """The TOML type of *value*, as a person would call it."""
    for kind, words in (
        (bool, "true or false"),
        (str, "text"),
        (int, "a whole number"),
        (float, "a number"),
        (list, "a list"),
        (dict, "a table"),
    ):
        if isinstance(value, kind):
            return words
    return "a date or time"


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """The hint for an unknown *name*: the nearest known one, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not close:
        folded = {known_name.lower(): known_name for known_name in names}
        close = [folded[name.lower()]] if name.lower() in folded else []
    if close:
        return f"did you mean {close[0]}?"
    return "known here: " + ", ".join(names) if names else "nothing is known here"

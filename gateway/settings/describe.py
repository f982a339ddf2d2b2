"""What people read about the settings: the example configuration, and the list of all of them."""

from __future__ import annotations

import json
import textwrap
from dataclasses import MISSING, Field, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.settings.hsm import SigningKey
from gateway.settings.kinds import Text
from gateway.settings.model import Settings
from gateway.settings.nested import KeyReference, Named, SecretText, SwitchOrTable, Table, Tables
from gateway.settings.reading import About, is_required, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import DataclassInstance

_HEAD = """\
# Acuse: the commented configuration, as `acuse config example` prints it.
#
# Lines that begin with "#key =" show what holds without them. Paths that are not absolute start at
# this file's directory. Unknown keys are errors. `acuse config check --config FILE` finds
# everything that is wrong at once; `acuse config describe` explains one setting or all.
"""


@dataclass(frozen=True, slots=True)
class Description:
    """One setting: `setting` is its dotted path with NAME for names people choose.

    `default` is its TOML literal, or None if the setting is required or has none.
    """

    setting: str
    doc: str
    kind: str
    unit: str
    required: bool
    default: str | None
    example: str | None

    def as_dict(self) -> dict[str, object]:
        """The object `acuse config describe --json` prints."""
        return {
            "setting": self.setting,
            "doc": self.doc,
            "type": self.kind,
            "unit": self.unit or None,
            "required": self.required,
            "default": self.default,
            "example": self.example,
        }


def describe() -> list[Description]:
    """Every setting, in the order of the example."""
    return list(_described(Settings, ""))


def example() -> str:
    """The commented example configuration: config/acuse.toml."""
    return _HEAD + "".join(_sections())


def _described(table: type[DataclassInstance], prefix: str) -> Iterator[Description]:
    for key, (field, spec) in settings_of(table).items():
        setting = f"{prefix}{key}"
        kind = spec.kind
        if not isinstance(kind, Table | Tables | Named):
            yield Description(
                setting=setting,
                doc=spec.doc,
                kind=kind.words(),
                unit=spec.unit,
                required=is_required(field),
                default=_default(field),
                example=spec.example or spec.sample or _default(field),
            )
        inner = _inner(kind)
        if inner is not None:
            suffix = {Tables: "[]", Named: ".NAME", SigningKey: ".pkcs11"}.get(type(kind), "")
            yield from _described(inner, f"{setting}{suffix}.")


def _inner(kind: object) -> type[DataclassInstance] | None:
    if isinstance(kind, Table | SigningKey):
        return kind.table
    if isinstance(kind, Tables | Named | SwitchOrTable):
        return kind.item.table
    return None


def _sections() -> Iterator[str]:
    for key, (_, spec) in settings_of(Settings).items():
        kind = spec.kind
        table = _inner(kind)
        assert table is not None, f"{key} is a setting outside a table"
        header = f"[{key}]"
        if isinstance(kind, Named):
            header = f"[{key}.{kind.example}]"
        elif isinstance(kind, Tables):
            header = f"[[{key}]]" if kind.at_least else f"#[[{key}]]"
        rule = "# " + "-" * 77
        yield f"\n{rule}\n{_comment(_purpose(table))}{header}\n"
        path = header.strip("#[]")
        yield from _lines(table, path, "")


def _lines(table: type[DataclassInstance], path: str, prefix: str) -> Iterator[str]:
    for key, (field, spec) in settings_of(table).items():
        kind = spec.kind
        if isinstance(kind, Table):
            yield from _lines(kind.table, path, f"{prefix}{key}.")
        elif isinstance(kind, Tables):
            yield "\n" + _comment(spec.doc) + f"#[[{path}.{key}]]\n"
            yield from _lines(kind.item.table, f"{path}.{key}", "")
        else:
            yield _setting(f"{prefix}{key}", field, spec)


def _setting(name: str, field: Field[Any], spec: About) -> str:
    default = _default(field)
    facts = (
        ""
        if isinstance(spec.kind, Text | SecretText | KeyReference | SigningKey)
        else spec.kind.words()
    )
    said = [f"{facts[:1].upper()}{facts[1:]}"] if facts else []
    if spec.unit:
        said.append(f"Unit: {spec.unit}")
    if is_required(field):
        said.append("Required")
    elif spec.example and default not in (None, '""', "[]"):
        said.append(f"Default: {default}")
    line = f"{name} = {spec.example}" if spec.example else f"#{name} = {spec.sample or default}"
    return f"\n{_comment(' '.join([spec.doc, *(f'{fact}.' for fact in said)]))}{line}\n"


def _default(field: Field[Any]) -> str | None:
    if field.default is MISSING or field.default is None:
        return None
    return literal(field.default)


def literal(value: object) -> str | None:
    """*value* as TOML writes it; None for what has no literal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, int | float):
        return format(value, "g") if isinstance(value, float) else str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(str(literal(item)) for item in value) + "]"
    return None


def _purpose(table: type[DataclassInstance]) -> str:
    return str(table.__doc__).strip().split("\n\n")[0]


def _comment(text: str) -> str:
    joined = " ".join(text.split())
    lines = textwrap.wrap(joined, 96, break_long_words=False, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines)

"""An operator's habits as data: `config/operators/NAME.toml`, read, checked and frozen."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: What a `[stat]` word may mean: the message_state names of SMPP 3.4 section 5.2.28 and of 5.0.
STATES: Final = (
    "delivered",
    "expired",
    "deleted",
    "undelivered",
    "accepted",
    "unknown",
    "rejected",
    "skipped",
    "enroute",
    "scheduled",
)
_KEYS: Final = ("description", "extends", "receipt_with_esm_class_0", "status", "stat")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_STATUS_KEYS: Final = ("temporary", "throttling")
_Table: TypeAlias = dict[str, Any]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Kind(Generic[_T]):
    type: type[_T]
    name: str
    example: str


_IS_TABLE: Final[_Kind[_Table]] = _Kind(dict, "a table", "a [table]")
_IS_LIST: Final[_Kind[list[Any]]] = _Kind(list, "a list", "numbers in brackets: [0x14, 0x58]")
_IS_BOOL: Final = _Kind(bool, "true or false", "true or false, without quotes")
_IS_TEXT: Final = _Kind(str, "a string", "it in quotes")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one operator's SMSC speaks. `stat` is keyed by the word in upper case."""

    name: str
    description: str
    temporary: frozenset[int]
    throttling: frozenset[int]
    stat: Mapping[str, str]
    receipt_with_esm_class_0: bool

    def is_temporary(self, status: int) -> bool:
        """Whether the same message may be sent again after this command_status; else final."""
        return status in self.temporary

    def is_throttling(self, status: int) -> bool:
        """Whether this command_status asks for less traffic from the whole operator."""
        return status in self.throttling

    def state(self, word: str) -> str | None:
        """The state (one of `STATES`) that *word* names, in any case; None if it is not listed."""
        return self.stat.get(word.upper())


_EMPTY: Final = Dialect("", "", frozenset(), frozenset(), MappingProxyType({}), False)


def load_dialect(path: Path) -> Dialect:
    """Read a dialect file; `extends = "NAME"` takes what it does not say from NAME.toml beside it.

    Raises:
        ConfigError: the file is not there, is not TOML, or a key is unknown or has a wrong value.
            `fields` name `file` and `setting`; `problems` holds every finding.
    """
    return _load(path, ())


class _Findings:
    """Every problem of one file, so that a person mends it once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[ConfigError] = []

    def add(self, setting: str, message: str, hint: str) -> None:
        self.problems.append(
            ConfigError(
                f"{self.path}: {setting}: {message}",
                hint=hint,
                file=str(self.path),
                setting=setting,
            )
        )

    def raise_any(self) -> None:
        if self.problems:
            first = self.problems[0]
            raise ConfigError(
                first.message, hint=first.hint, problems=tuple(self.problems), **first.fields
            )


def _load(path: Path, above: tuple[str, ...]) -> Dialect:
    table = _read(path)
    found = _Findings(path)
    _check_keys(table, _KEYS, "", found)
    status = _get(table, "status", _IS_TABLE, "", found)
    _check_keys(status or {}, _STATUS_KEYS, "status.", found)
    temporary = _codes(status or {}, "temporary", found)
    throttling = _codes(status or {}, "throttling", found)
    stat = _words(_get(table, "stat", _IS_TABLE, "", found) or {}, found)
    esm_class_0 = _get(table, "receipt_with_esm_class_0", _IS_BOOL, "", found)
    description = _get(table, "description", _IS_TEXT, "", found)
    extends = _get(table, "extends", _IS_TEXT, "", found)
    if extends is not None and not _NAME.fullmatch(extends):
        found.add("extends", f"{extends!r} is no dialect's name", 'a file\'s name without ".toml"')
    elif extends in (*above, path.stem):
        found.add("extends", f"{extends!r} leads back here", 'name another, usually "generic"')
    found.raise_any()
    base = (
        _EMPTY if extends is None else _load(path.with_name(f"{extends}.toml"), (*above, path.stem))
    )
    dialect = Dialect(
        name=path.stem,
        description=description or "",
        temporary=base.temporary if temporary is None else temporary,
        throttling=base.throttling if throttling is None else throttling,
        stat=MappingProxyType({**base.stat, **stat}),
        receipt_with_esm_class_0=(
            base.receipt_with_esm_class_0 if esm_class_0 is None else esm_class_0
        ),
    )
    stray = sorted(dialect.throttling - dialect.temporary)
    if stray:
        found.add(
            "status.throttling",
            f"{', '.join(f'0x{code:02X}' for code in stray)} not in status.temporary",
            "a throttled message is sent again: list the code in both",
        )
    found.raise_any()
    return dialect


def _read(path: Path) -> _Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        known = sorted(each.stem for each in path.parent.glob("*.toml"))
        raise ConfigError(
            f"dialect {path.stem!r}: {path}: {exc.strerror}",
            hint=_nearest(path.stem, known),
            file=str(path),
            setting="dialect",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"{path}: not TOML: {exc}",
            hint="keys are bare, strings stand in quotes, tables in [brackets]",
            file=str(path),
            setting="dialect",
        ) from None


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"


def _check_keys(table: _Table, known: Sequence[str], prefix: str, found: _Findings) -> None:
    for key in table:
        if key not in known:
            found.add(f"{prefix}{key}", "no such key", _nearest(key, known))


def _get(table: _Table, key: str, kind: _Kind[_T], prefix: str, found: _Findings) -> _T | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, kind.type):
        found.add(f"{prefix}{key}", f"{value!r} is not {kind.name}", f"write {kind.example}")
        return None
    return value


def _codes(status: _Table, key: str, found: _Findings) -> frozenset[int] | None:
    values = _get(status, key, _IS_LIST, "status.", found)
    if values is None:
        return None
    for value in values:
        if not _is_status(value):
            found.add(f"status.{key}", f"{value!r} is no command_status", "write it as 0x58")
    return frozenset(value for value in values if _is_status(value))


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 32


def _words(table: _Table, found: _Findings) -> dict[str, str]:
    words: dict[str, str] = {}
    for word, state in table.items():
        if not isinstance(state, str) or state not in STATES:
            found.add(f"stat.{word}", f"{state!r} is no state", _nearest(str(state), STATES))
        elif words.setdefault(word.upper(), state) != state:
            found.add(f"stat.{word}", "listed twice with different states", "keep one of the two")
    return words

"""Reading a TOML table so that nothing goes unnoticed: unknown keys, missing ones, wrong types."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, TypeVar

from gateway.errors import ConfigError
from gateway.policy.hours import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

_W = TypeVar("_W", bound=str)


class Findings:
    """What is wrong in the packs, and the rule ids met so far."""

    def __init__(self) -> None:
        self.problems: list[ConfigError] = []
        self.unreadable = False
        self.ids: dict[str, str] = {}

    def add(self, file: str, where: str, what: str, *, hint: str, unreadable: bool = False) -> None:
        """Note a problem; *where* is the rule id or the key.

        *unreadable*: nobody could look into the file, so nothing is known of its rules.
        """
        self.unreadable = self.unreadable or unreadable
        place = f"{file}: {where}" if where else file
        self.problems.append(
            ConfigError(
                f"{place}: {what}",
                hint=hint,
                setting=f"{file}:{where}" if where else file,
                file=file,
                rule=where,
            )
        )

    def raise_any(self) -> None:
        """Raise one error with all problems, if there are any."""
        if not self.problems:
            return
        first = self.problems[0]
        count = len(self.problems)
        message = first.message
        if count > 1:
            message = f"{count} problems in the rule packs: " + "; ".join(
                problem.message for problem in self.problems
            )
        raise ConfigError(
            message,
            hint=first.hint,
            problems=tuple(self.problems),
            setting=str(first.fields["setting"]),
        )


class Table:
    """One TOML table being read; what was not asked for at the end is an unknown key."""

    def __init__(self, file: str, where: str, raw: object, findings: Findings) -> None:
        self.file = file
        self.where = where
        self._findings = findings
        self._asked: list[str] = []
        self.raw: dict[str, object] = {}
        if isinstance(raw, dict):
            self.raw = raw
        else:
            self.problem("", "must be a table", hint=f"write [{where}]")

    def problem(self, key: str, what: str, *, hint: str) -> None:
        """Note a problem of this table, or of one of its keys."""
        self._findings.add(self.file, ".".join(filter(None, (self.where, key))), what, hint=hint)

    def part(self, key: str, raw: object) -> Table:
        """A table inside this one."""
        return Table(self.file, f"{self.where}.{key}", raw, self._findings)

    def value(self, key: str, *, required: bool = True) -> object:
        """The raw value; None and a finding when it is required and missing."""
        self._asked.append(key)
        if required and key not in self.raw:
            self.problem(key, "is missing", hint=f"add {key} = …")
        return self.raw.get(key)

    def text(self, key: str, *, default: str | None = None) -> str:
        """A non-empty string; *default* makes the key optional."""
        value = self.value(key, required=default is None)
        if value is None:
            return default or ""
        if not isinstance(value, str) or not value.strip():
            self.problem(key, "must be a text", hint=f'write {key} = "…"')
            return ""
        return value

    def flag(self, key: str) -> bool:
        """An optional true or false."""
        value = self.value(key, required=False)
        if value is not None and not isinstance(value, bool):
            self.problem(key, "must be true or false", hint=f"write {key} = true")
        return value is True

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number, 1 or more; *default* makes the key optional."""
        value = self.value(key, required=default is None)
        if value is None and default is not None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        if value is not None:
            self.problem(key, "must be a whole number from 1 on", hint=f"write {key} = 3")
        return 1

    def texts(self, key: str) -> tuple[str, ...]:
        """An optional list of texts."""
        value = self.value(key, required=False)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.problem(key, "must be a list of texts", hint=f'write {key} = ["…"]')
            return ()
        return tuple(value)

    def word(self, key: str, known: Iterable[_W], default: _W | None = None) -> _W:
        """One of the known words."""
        words = list(known)
        text = self.text(key, default=default)
        if text in words:
            return text
        if text:
            self.problem(key, f"{text!r} is not known", hint=did_you_mean(text, words))
        return words[0]

    def words(self, key: str, known: Iterable[_W]) -> frozenset[_W]:
        """A non-empty list of known words."""
        words = list(known)
        value = self.value(key)
        if value is None:
            return frozenset()
        if not isinstance(value, list) or not value:
            self.problem(key, "must be a list of words", hint=f'write {key} = ["{words[0]}"]')
            return frozenset()
        for word in value:
            if word not in words:
                self.problem(key, f"{word!r} is not known", hint=did_you_mean(str(word), words))
        return frozenset(word for word in words if word in value)

    def day(self, key: str, *, required: bool = True) -> date | None:
        """A date without a time."""
        value = self.value(key, required=required)
        if value is None:
            return None
        if isinstance(value, datetime) or not isinstance(value, date):
            self.problem(key, "must be a date", hint=f"write {key} = 2026-11-21, without quotes")
            return None
        return value

    def end(self) -> None:
        """Report every key nobody asked for."""
        for key in self.raw:
            if key not in self._asked:
                self.problem(key, "is no known key", hint=did_you_mean(key, self._asked))

"""The words of a certificate: one file a language, all with the same keys."""

from __future__ import annotations

import string
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from gateway.certificate.engine import template
from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

LANGUAGES = ("es", "en", "pt", "ca")


class Words:
    """The words of one language, asked for by `table.key`."""

    def __init__(self, language: str, table: dict[str, Any]) -> None:
        self.language = language
        self._table = table

    def has(self, table: str, key: str) -> bool:
        """Whether there is a word for *key*, which comes from a bundle."""
        return key in self._table[table]

    def __call__(self, table: str, key: str, /, **values: str | int) -> str:
        """The word, with *values* put in."""
        return str(self._entry(table, key)).format(**values)

    def month(self, number: int) -> str:
        """As it stands in a date."""
        return str(self._table["date"]["months"][number - 1])

    def pieces(self, table: str, key: str) -> Iterator[tuple[str, str | None]]:
        """(text before, name of the value that follows it) of a sentence, in order."""
        for text, name, _, _ in string.Formatter().parse(self._entry(table, key)):
            yield text, name

    def _entry(self, table: str, key: str) -> str:
        found: Any = self._table
        for name in (*table.split("."), key):
            found = found[name]
        return str(found)


@cache
def words_of(language: str) -> Words:
    """The words of *language* (`LANGUAGES`).

    Raises:
        DataError: there is no such language.
    """
    if language not in LANGUAGES:
        raise DataError(
            f"there are no certificates in {language!r}",
            hint=f"one of {', '.join(LANGUAGES)}",
            field="language",
        )
    return Words(language, tomllib.loads(template().words[language].decode()))

"""Words by which a person says that they want no more messages.

The table is data, `config/keywords.toml`. A strong word counts at the beginning of the message:
"STOP PLEASE" opts out. A weak one is an ordinary word too, so it counts only as the whole message.
"""

from __future__ import annotations

import tomllib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_LISTS: Final = ("strong", "weak")
_HINT: Final = 'a table for each language, as [es] with strong = ["BAJA"] and weak = ["ALTO"]'


@dataclass(frozen=True, slots=True)
class Keywords:
    """The words of every language, as tuples of normalised tokens."""

    strong: frozenset[tuple[str, ...]]
    weak: frozenset[tuple[str, ...]]

    def optout(self, text: str) -> str | None:
        """The word by which *text* opts out, in upper case; None if it does not."""
        tokens = _tokens(text)
        if tokens in self.weak:
            return " ".join(tokens).upper()
        for length in range(1, min(len(tokens), _MOST) + 1):
            if tokens[:length] in self.strong:
                return " ".join(tokens[:length]).upper()
        return None


#: Words of the longest phrase.
_MOST: Final = 6


def load_keywords(path: Path) -> Keywords:
    """Read the table.

    Raises:
        ConfigError: it is not there, is no TOML, or holds anything but lists of words.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(
            f"{path}: cannot be read: {exc}", hint=_HINT, file=str(path), setting="keywords"
        ) from None
    words: dict[str, set[tuple[str, ...]]] = {name: set() for name in _LISTS}
    for language, lists in table.items():
        if not isinstance(lists, dict):
            raise _wrong(path, language)
        for name, listed in lists.items():
            setting = f"{language}.{name}"
            if name not in words or not isinstance(listed, list):
                raise _wrong(path, setting)
            for word in listed:
                tokens = _tokens(word) if isinstance(word, str) else ()
                if not 1 <= len(tokens) <= _MOST:
                    raise _wrong(path, setting)
                words[name].add(tokens)
    return Keywords(frozenset(words["strong"]), frozenset(words["weak"]))


def _wrong(path: Path, setting: str) -> ConfigError:
    return ConfigError(
        f"{path}: {setting}: not a list of words", hint=_HINT, file=str(path), setting=setting
    )


def _tokens(text: str) -> tuple[str, ...]:
    """Words without case, accents and punctuation (compliance.md section 5)."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = (
        char if char.isalnum() else "" if unicodedata.combining(char) else " " for char in plain
    )
    return tuple("".join(kept).split())

"""The texts we write ourselves: confirmations, help, the request to confirm a sign-up.

They are data, `config/replies.toml`, in the language the person is likely to read.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: What people read of whose country nothing is known.
DEFAULT_LANGUAGE: Final = "en"
#: Every text there must be, and the names in braces it must and may have.
_TEXTS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    name: (frozenset(must.split()), frozenset(f"{must} {may}".split()))
    for name, must, may in (
        ("stop", "", ""),
        ("start", "", ""),
        ("marketing", "", ""),
        ("cart", "", ""),
        ("optout_confirmation", "", "word"),
        ("optin_confirmation", "", "stop"),
        ("help_reply", "contact", "stop"),
        ("double_opt_in", "types", "stop"),
        ("double_opt_in_code", "types code", "link"),
    )
}
_COUNTRIES: Final = "countries"
_HINT: Final = "take the file that came with Acuse and change only the words"


@dataclass(frozen=True, slots=True)
class Replies:
    """The texts by language and name, and the languages of countries."""

    texts: Mapping[str, Mapping[str, str]]
    countries: Mapping[str, tuple[str, ...]]

    def language(self, country: str, spoken: Iterable[str] = ()) -> str:
        """The language to answer in: one of *spoken* (those of the word somebody wrote) that is the
        country's, else the only one spoken, else the country's first.
        """
        known = [each for each in spoken if each in self.texts]
        usual = self.countries.get(country, (DEFAULT_LANGUAGE,))
        both = [each for each in usual if each in known]
        if both:
            return both[0]
        return known[0] if len(known) == 1 else usual[0]

    def text(self, language: str, name: str, head: str, **values: str) -> str:
        """The text of that name after *head*, with its words in place.

        `{stop}` is the language's own; `{word}` the one that takes an opt-out back.
        """
        texts = self.texts[language]
        given = {"stop": texts["stop"], "word": texts["start"], **values}
        return f"{head} {fill(texts[name], given)}"


def fill(text: str, values: Mapping[str, str]) -> str:
    """*text* with the value of each `{name}` in place; braces of other names stay."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def load_replies(path: Path) -> Replies:
    """Read the file.

    Raises:
        ConfigError: it is not there, is no TOML, or a text is missing, unknown, or has the wrong
            names in braces; `fields["setting"]` says which.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(
            f"{path}: cannot be read: {exc}", hint=_HINT, file=str(path), setting="replies"
        ) from None
    countries = table.pop(_COUNTRIES, None)
    texts = {language: _language(path, language, given) for language, given in table.items()}
    if DEFAULT_LANGUAGE not in texts:
        raise _wrong(path, DEFAULT_LANGUAGE, "is missing")
    if not isinstance(countries, dict):
        raise _wrong(path, _COUNTRIES, "is no table")
    for country, spoken in countries.items():
        if not (isinstance(spoken, list) and spoken and all(each in texts for each in spoken)):
            raise _wrong(path, f"{_COUNTRIES}.{country}", "is no list of languages that are there")
    return Replies(texts, {country: tuple(spoken) for country, spoken in countries.items()})


def _language(path: Path, language: str, given: object) -> dict[str, str]:
    if not isinstance(given, dict):
        raise _wrong(path, language, "is no table")
    for name in sorted({*given, *_TEXTS}):
        place = f"{language}.{name}"
        if name not in _TEXTS:
            raise _wrong(path, place, "is no text we write")
        text = given.get(name)
        if not isinstance(text, str) or not text:
            raise _wrong(path, place, "is missing, or no text")
        must, may = _TEXTS[name]
        named = names_in(text)
        if not must <= named <= may:
            raise _wrong(path, place, f"takes {', '.join(sorted(may)) or 'nothing'} in braces")
    return dict(given)


def names_in(text: str) -> frozenset[str]:
    """What stands in braces in *text*."""
    return frozenset(piece.partition("}")[0] for piece in text.split("{")[1:])


def _wrong(path: Path, setting: str, what: str) -> ConfigError:
    return ConfigError(f"{path}: {setting}: {what}", hint=_HINT, file=str(path), setting=setting)

"""What a person means who writes back: opt out, opt in, help, confirm, or something a person
should read.

The table is data, `config/keywords.toml`, and says what each kind of word is. What tightens is
taken from a person easily: a strong word at the beginning, politeness around it, a phrase anywhere.
What loosens must be the whole message.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AnswerKind: TypeAlias = Literal["optout", "optin", "help", "confirm", "suspected", "none"]
Strength: TypeAlias = Literal["strong", "weak", "whole", "phrase", ""]
Tokens: TypeAlias = tuple[str, ...]
_Languages: TypeAlias = tuple[str, ...]

_LISTS: Final = ("strong", "weak", "optin", "help", "confirm", "phrases")
#: Lists of which one word may not be in two: it would mean two things.
_EXCLUSIVE: Final = ("strong", "weak", "optin", "help", "confirm")
_ANY: Final = "any"
_OPPOSITE: Final = "opposite"
_HINT: Final = 'a table for each language, as [es] with strong = ["BAJA"] and weak = ["ALTO"]'
#: Words of the longest phrase.
_MOST: Final = 6
#: Words of a message at most that a strong word at its end makes suspect.
_SHORT: Final = 5
#: Words of a message that are looked at; nobody hides an opt-out behind more.
_READ_MOST: Final = 500
_CODE: Final = re.compile(r"\d{4,6}")
_PARTS: Final = re.compile(r"[^\W\d_]+|\d+")
_STRETCHED: Final = re.compile(r"([^\W\d_])\1{2,}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a message says.

    `word` is the word or phrase in upper case, without accents; `languages` are those it is a word
    of. `code` is the number of a confirmation by code, which is no `word` and stands in no log.
    """

    kind: AnswerKind = "none"
    word: str = ""
    languages: _Languages = ()
    strength: Strength = ""
    code: str = ""

    @property
    def language(self) -> str:
        """The language of the word, if there is only one."""
        return self.languages[0] if len(self.languages) == 1 else ""


NO_ANSWER: Final = Answer()


@dataclass(frozen=True, slots=True)
class Opposite:
    """A short code at which words mean something else, as whole messages."""

    country: str
    short_code: str
    optout: frozenset[Tokens]
    ignored: frozenset[Tokens]


@dataclass(frozen=True, slots=True)
class Keywords:
    """The words of every language, as tuples of normalised tokens, and the languages of each."""

    strong: dict[Tokens, _Languages]
    weak: dict[Tokens, _Languages]
    optin: dict[Tokens, _Languages]
    help: dict[Tokens, _Languages]
    confirm: dict[Tokens, _Languages]
    #: By their first word.
    phrases: dict[str, list[tuple[Tokens, _Languages]]]
    courtesy: frozenset[Tokens] = frozenset()
    symbols: tuple[str, ...] = ()
    opposites: tuple[Opposite, ...] = field(default=())

    def classify(
        self,
        text: str,
        *,
        country: str = "",
        short_code: str = "",
        pending_double_opt_in: bool = False,
    ) -> Answer:
        """What *text* says, sent from a number of *country* to *short_code*.

        *pending_double_opt_in*: this person was asked to confirm a sign-up and may still do so.
        """
        said = tokens(text)
        for opposite in self.opposites:
            if (opposite.country, opposite.short_code) == (country, short_code):
                if said in opposite.optout:
                    return Answer("optout", _word(said), (), "whole")
                if said in opposite.ignored:
                    return NO_ANSWER
        bare = self._without_courtesy(said)
        found = self._optout(bare)
        if found is None and pending_double_opt_in:
            found = self._confirmed(said)
        if found is None and said in self.optin:
            found = Answer("optin", _word(said), self.optin[said], "whole")
        if found is None and bare in self.help:
            found = Answer("help", _word(bare), self.help[bare], "whole")
        return found or self._suspected(text, said) or NO_ANSWER

    def _optout(self, said: Tokens) -> Answer | None:
        for start in _beginnings(said):
            if start in self.strong:
                return Answer("optout", _word(start), self.strong[start], "strong")
        if said in self.weak:
            return Answer("optout", _word(said), self.weak[said], "weak")
        return None

    def _confirmed(self, said: Tokens) -> Answer | None:
        if said in self.confirm:
            return Answer("confirm", _word(said), self.confirm[said], "whole")
        if len(said) == 1 and _CODE.fullmatch(said[0]):
            return Answer("confirm", strength="whole", code=said[0])
        return None

    def _suspected(self, text: str, said: Tokens) -> Answer | None:
        for symbol in self.symbols:
            if symbol in text:
                return Answer("suspected", symbol, (), "phrase")
        for at, first in enumerate(said):
            for phrase, languages in self.phrases.get(first, ()):
                if _matches(phrase, said[at : at + len(phrase)]):
                    return Answer("suspected", _word(phrase), languages, "phrase")
        if len(said) <= _SHORT:
            for at in range(len(said)):
                if said[at:] in self.strong:
                    return Answer("suspected", _word(said[at:]), self.strong[said[at:]], "phrase")
        return None

    def _without_courtesy(self, said: Tokens) -> Tokens:
        """*said* without what is only polite, at either end; whole if nothing else is left."""
        kept = said
        while kept:
            start = next((each for each in _beginnings(kept) if each in self.courtesy), ())
            kept = kept[len(start) :]
            ending = next((kept[-n:] for n in _lengths(kept) if kept[-n:] in self.courtesy), ())
            kept = kept[: len(kept) - len(ending)]
            if not start and not ending:
                return kept
        return said


def tokens(text: str) -> Tokens:
    """The words of *text* without case, accents, punctuation and invisible characters.

    Letters and digits are words apart ("STOP36111"), letters spelled one by one are one word
    ("S T O P"), and a letter repeated three times or more counts once ("STOOOP").
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(char for char in plain if unicodedata.category(char) not in ("Mn", "Me", "Cf"))
    parts = _PARTS.findall(_STRETCHED.sub(r"\1", kept))[:_READ_MOST]
    joined: list[str] = []
    single: list[str] = []
    for part in (*parts, ""):
        if len(part) == 1:
            single.append(part)
            continue
        joined += ["".join(single)] if len(single) > 2 else single
        single = []
        joined.append(part)
    return tuple(joined[:-1])


def _lengths(said: Tokens) -> range:
    return range(1, min(len(said), _MOST) + 1)


def _beginnings(said: Tokens) -> Iterator[Tokens]:
    return (said[:length] for length in _lengths(said))


def _word(said: Tokens) -> str:
    return " ".join(said).upper()


def _matches(phrase: Tokens, said: Tokens) -> bool:
    """Whether the words are those of the phrase, where one that ends in * is a beginning."""
    return len(phrase) == len(said) and all(
        word == wanted or (wanted[-1] == "*" and word.startswith(wanted[:-1]))
        for wanted, word in zip(phrase, said, strict=True)
    )


# -- the file ------------------------------------------------------------------------------------


def load_keywords(path: Path) -> Keywords:
    """Read the table.

    Raises:
        ConfigError: it is not there, is no TOML, holds anything but lists of words, or one word
            that means two things.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(
            f"{path}: cannot be read: {exc}", hint=_HINT, file=str(path), setting="keywords"
        ) from None
    lists: dict[str, dict[Tokens, _Languages]] = {name: {} for name in _LISTS}
    opposites = _opposites(path, table.pop(_OPPOSITE, []))
    courtesy, symbols = _of_no_language(path, table.pop(_ANY, {}))
    for language, given in table.items():
        if not isinstance(given, dict):
            raise _wrong(path, language)
        for name, words in given.items():
            setting = f"{language}.{name}"
            if name not in lists:
                raise _wrong(path, setting)
            for said in _words(path, setting, words, stems=name == "phrases"):
                known = lists[name].get(said, ())
                lists[name][said] = (*known, *(() if language in known else (language,)))
    _check_meanings(path, lists)
    phrases: dict[str, list[tuple[Tokens, _Languages]]] = {}
    for said, languages in lists.pop("phrases").items():
        phrases.setdefault(said[0], []).append((said, languages))
    return Keywords(
        **lists, phrases=phrases, courtesy=courtesy, symbols=symbols, opposites=opposites
    )


def _check_meanings(path: Path, lists: dict[str, dict[Tokens, _Languages]]) -> None:
    meant: dict[Tokens, str] = {}
    for name in _EXCLUSIVE:
        for said in lists[name]:
            if said in meant:
                raise ConfigError(
                    f"{path}: {_word(said)} is a word of {meant[said]} and of {name}",
                    hint="leave it in one of them",
                    file=str(path),
                    setting=name,
                )
            meant[said] = name


def _opposites(path: Path, raw: object) -> tuple[Opposite, ...]:
    if not isinstance(raw, list):
        raise _wrong(path, _OPPOSITE)
    found = []
    for number, each in enumerate(raw, start=1):
        place = f"{_OPPOSITE}[{number}]"
        keys = {"country", "short_code", "optout", "ignored"}
        if not isinstance(each, dict) or set(each) - keys:
            raise _wrong(path, place)
        texts = [each.get(key) for key in ("country", "short_code")]
        if not all(isinstance(text, str) and text for text in texts):
            raise _wrong(path, place)
        words = {
            key: frozenset(_words(path, f"{place}.{key}", each.get(key, [])))
            for key in ("optout", "ignored")
        }
        found.append(Opposite(each["country"], each["short_code"], **words))
    return tuple(found)


def _of_no_language(path: Path, raw: object) -> tuple[frozenset[Tokens], tuple[str, ...]]:
    if not isinstance(raw, dict) or set(raw) - {"courtesy", "symbols"}:
        raise _wrong(path, _ANY)
    symbols = raw.get("symbols", [])
    if not isinstance(symbols, list) or not all(isinstance(each, str) and each for each in symbols):
        raise _wrong(path, f"{_ANY}.symbols")
    courtesy = _words(path, f"{_ANY}.courtesy", raw.get("courtesy", []))
    return frozenset(courtesy), tuple(symbols)


def _words(path: Path, setting: str, raw: object, *, stems: bool = False) -> list[Tokens]:
    """The words of a list as tokens; with *stems* a word but the first may end in *."""
    if not isinstance(raw, list):
        raise _wrong(path, setting)
    found = []
    for word in raw:
        if not isinstance(word, str):
            raise _wrong(path, setting)
        said = _with_stems(word) if stems else tokens(word)
        if not 1 <= len(said) <= _MOST or said[0].endswith("*"):
            raise _wrong(path, setting)
        found.append(said)
    return found


def _with_stems(phrase: str) -> Tokens:
    found: list[str] = []
    for piece in phrase.split():
        said = list(tokens(piece))
        if said and piece.endswith("*"):
            said[-1] += "*"
        found += said
    return tuple(found)


def _wrong(path: Path, setting: str) -> ConfigError:
    return ConfigError(
        f"{path}: {setting}: not a list of words", hint=_HINT, file=str(path), setting=setting
    )

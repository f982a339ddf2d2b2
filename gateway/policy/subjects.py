"""What a text is about, by the words of `config/subjects.toml`.

A word alone proves little, so each has a level, and what stands near it lowers that: a kitchen
knife is no weapon. What remains clear is refused where a rule forbids it, the rest warns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from gateway.policy.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.policy.words import Words

Level: TypeAlias = Literal["clear", "doubtful", "harmless"]
LEVELS: Final[tuple[Level, ...]] = ("clear", "doubtful", "harmless")
#: Context counts within so many words of the phrase.
_NEAR: Final = 8
_ANY_NUMBER: Final = "#"
_OPTIONAL: Final = re.compile(r"\((\w+)\)")


class Phrase(NamedTuple):
    """Words in a row that show a subject; `at` is the place of the one they are found by."""

    subject: str
    level: Level
    words: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A subject the text speaks of: surely, or perhaps, and the words that show it."""

    clear: bool
    words: str


class Subjects:
    """The phrases of all subjects in all languages, and the words near which they mean less."""

    def __init__(
        self, phrases: Iterable[Phrase], context: Mapping[str, frozenset[str]], version: str
    ) -> None:
        self.context = dict(context)
        #: SHA-256 (hex) of the file.
        self.version = version
        self._phrases = tuple(phrases)
        self._by_word: dict[str, list[Phrase]] = {}
        for phrase in self._phrases:
            self._by_word.setdefault(phrase.words[phrase.at], []).append(phrase)
        self._triggers = frozenset(self._by_word)

    @property
    def names(self) -> tuple[str, ...]:
        """The subjects there are."""
        return tuple(self.context)

    def among(self, wanted: Iterable[str]) -> Subjects:
        """Only these of them, for texts in which nobody asks for the others."""
        names = {name for name in wanted if name in self.context}
        return Subjects(
            (phrase for phrase in self._phrases if phrase.subject in names),
            {name: self.context[name] for name in names},
            self.version,
        )

    def of(self, words: Words) -> dict[str, Hit]:
        """The subjects of a text."""
        found: dict[str, Hit] = {}
        if not self._triggers.isdisjoint(words.known):
            self._look(words.listed, found)
        unmasked = words.unmasked()
        if unmasked and not self._triggers.isdisjoint(unmasked):
            self._look(unmasked, found)
        return found

    def _look(self, words: list[str], found: dict[str, Hit]) -> None:
        hits: list[tuple[int, Phrase]] = []
        harmless: set[tuple[str, int]] = set()
        for place, word in enumerate(words):
            for phrase in self._by_word.get(word, ()):
                start = place - phrase.at
                if not _stands(phrase.words, words, start):
                    continue
                if phrase.level == "harmless":
                    spanned = range(start, start + len(phrase.words))
                    harmless.update((phrase.subject, each) for each in spanned)
                else:
                    hits.append((start, phrase))
        for start, phrase in hits:
            if (phrase.subject, start + phrase.at) in harmless:
                continue
            end = start + len(phrase.words)
            near = words[max(0, start - _NEAR) : start] + words[end : end + _NEAR]
            lowered = not self.context[phrase.subject].isdisjoint(near)
            if lowered and phrase.level == "doubtful":
                continue
            clear = phrase.level == "clear" and not lowered
            known = found.get(phrase.subject)
            if known is None or (clear and not known.clear):
                found[phrase.subject] = Hit(clear, " ".join(words[start:end]))


def _stands(phrase: tuple[str, ...], words: list[str], start: int) -> bool:
    """Whether the phrase stands at that place."""
    if len(phrase) == 1:
        return True  # it was found by its only word
    there = words[max(0, start) : max(0, start + len(phrase))]
    return len(there) == len(phrase) and all(
        wanted == word or (wanted == _ANY_NUMBER and word.isdecimal())
        for wanted, word in zip(phrase, there, strict=True)
    )


def phrases_of(subject: str, level: Level, written: str) -> list[Phrase]:
    """The phrases one entry of the table stands for: `arma(s) de fuego` is two, nothing is none."""
    made = []
    for text in _spread(written):
        words = tuple(each for part in text.split() for each in (words_of(part) or _number(part)))
        # Long words are rare ones: few texts have them and need a closer look.
        at = max(range(len(words)), key=lambda place: len(words[place]), default=0)
        if words and words[at] != _ANY_NUMBER:
            made.append(Phrase(subject, level, words, at))
    return made


def _number(part: str) -> list[str]:
    return [_ANY_NUMBER] if part == _ANY_NUMBER else []


def _spread(written: str) -> list[str]:
    match = _OPTIONAL.search(written)
    if match is None:
        return [written]
    before, after = written[: match.start()], written[match.end() :]
    return [text for middle in ("", match[1]) for text in _spread(before + middle + after)]

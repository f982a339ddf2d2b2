"""A text as its words: without case, accents, punctuation and the tricks that hide a word.

"C4nnabis", "v-a-p-e" and words with Cyrillic letters among Latin ones are read as what they are
meant to be read as; nothing here knows a language.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
#: Neither ASCII nor an accent.
_NOT_LATIN: Final = re.compile(r"[^\x00-\x7f\u0300-\u036f]")
_WORD: Final = re.compile(r"[^\W_]+")
#: What ASCII has beside letters and digits parts words.
_ASCII_WORDS: Final = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))
#: A digit or sign before a letter, which may stand for one: `c4nnabis`, `p0rn`, `c@nnabis`.
_MIXED: Final = re.compile(r"[0-9@$][a-z]")
_CHUNK: Final = re.compile(r"[^\W_](?:[^\W_]|[@$])+|[@$](?:[^\W_]|[@$])+")
_MEANT: Final = str.maketrans("013457@$", "oieastas")
#: At least so many single letters in a row spell a word: `v-a-p-e`, `c.b.d`.
_SPELLED_LEAST: Final = 3
_SINGLES: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
#: Letters of other scripts that look like Latin ones.
_LOOKALIKES: Final = dict(
    zip(
        "\u0430\u0432\u0435\u0456\u0458\u043a\u043c\u043d\u043e\u0440\u0441\u0455\u0442\u0443\u0445\u0501\u051b\u051d"
        "\u03b1\u03b2\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03b3",
        "abeijkmhopcstyxdqwabeikvoptuxy",
        strict=True,
    )
)
#: Distinct characters that are remembered; a text may hold any.
_MOST_REMEMBERED: Final = 4096


class _Plain(dict[str, str]):
    """What stands for a character outside ASCII, worked out once for each."""

    def __missing__(self, char: str) -> str:
        if unicodedata.combining(char) or unicodedata.category(char) == "Cf":
            plain = ""
        else:
            plain = _LOOKALIKES.get(char, char if char.isalnum() else " ")
        if len(self) < _MOST_REMEMBERED:
            self[char] = plain
        return plain


_plain: Final = _Plain()


def fold(text: str) -> str:
    """The text without case and accents, as one compares it."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text).casefold()
    if _NOT_LATIN.search(plain) is None:
        return plain.encode("ascii", "ignore").decode()
    return _NOT_ASCII.sub(lambda match: _plain[match[0]], plain)


def words_of(text: str) -> list[str]:
    """The words of a text, folded."""
    return _parted(fold(text))


def _parted(folded: str) -> list[str]:
    return folded.translate(_ASCII_WORDS).split() if folded.isascii() else _WORD.findall(folded)


class Words:
    """The words of one text, worked out as far as they are asked for."""

    __slots__ = ("_unmasked", "folded", "known", "listed")

    def __init__(self, text: str) -> None:
        self.folded = fold(text)
        self.listed: list[str] = _parted(self.folded)
        self.known = frozenset(self.listed)
        self._unmasked: list[str] | None = None

    def unmasked(self) -> list[str]:
        """The words that tricks of spelling hide, in their places; empty where there are none."""
        if self._unmasked is None:
            spelled = len(self.known & _SINGLES) >= _SPELLED_LEAST
            mixed = _MIXED.search(self.folded) is not None
            self._unmasked = self._without_tricks() if spelled or mixed else []
        return self._unmasked

    def _without_tricks(self) -> list[str]:
        found: list[str] = []
        letters: list[str] = []
        for word in (*_parted(_CHUNK.sub(_meant, self.folded)), ""):
            if len(word) == 1:
                letters.append(word)
                continue
            if len(letters) >= _SPELLED_LEAST:
                found.append("".join(letters).translate(_MEANT))
            else:
                found += letters
            letters.clear()
            if word:
                found.append(word)
        return [] if found == self.listed else found

    def has(self, phrase: tuple[str, ...]) -> bool:
        """Whether these words follow one another."""
        if phrase[0] not in self.known:
            return False
        length = len(phrase)
        return length == 1 or any(
            tuple(self.listed[at : at + length]) == phrase
            for at, word in enumerate(self.listed)
            if word == phrase[0]
        )


def _meant(match: re.Match[str]) -> str:
    chunk = match[0]
    return chunk if chunk.isdigit() or chunk.isalpha() else chunk.translate(_MEANT)


@lru_cache(maxsize=64)
def read(text: str) -> Words:
    """The words of a text; those who judge it one after the other share them."""
    return Words(text)

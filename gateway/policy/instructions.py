"""How a text tells people to opt out: a keyword to answer, a link, or the French short code.

Which of them counts depends on the sender: nobody can answer letters. The words are data,
`config/instructions.toml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.policy.words import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gateway.policy.words import Words

#: Texts whose findings are remembered.
_TEXTS: Final = 64
#: A verb makes an instruction of a keyword that follows within so many words, or precedes it.
_AFTER_VERB: Final = 4
_BEFORE_VERB: Final = 5
#: "STOP 36111", "STOP au 36111": the code on which French operators take opt-outs.
_FRENCH: Final = re.compile(r"\bstop(?:\s+(?:sms|pub))?(?:\s+(?:au|a))?\s*:?\s*(3[68]\d{3})\b")
#: "BAJA al 21234": a keyword sent to a number needs no verb.
_TO: Final = frozenset({"al", "au", "a", "to", "an", "ao", "para"})
_HOST: Final = re.compile(
    r"(?<![\w@.-])(https?://|www\.){0,2}((?:[a-z0-9][a-z0-9-]*\.)+([a-z]{2,}))(?![\w-])(?!\.\w)"
    r"(?::\d+)?(/[^\s<>\"']*)?"
)
#: Ends of a name that show a link without scheme and path; "fin.de" may be a missing blank.
_SURE_ENDS: Final = frozenset({"com", "net", "org", "info", "app", "link", "shop", "example"})


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language; phrases are folded words in a row."""

    keywords: tuple[tuple[str, ...], ...]
    verbs: frozenset[str]
    leave: tuple[tuple[str, ...], ...]
    common: frozenset[str]
    answer: str
    link: str
    company: str


class Instructions:
    """The words of every language: people write a text in whichever they like."""

    def __init__(self, languages: Mapping[str, Language], version: str) -> None:
        self.languages = dict(languages)
        #: SHA-256 (hex) of the file.
        self.version = version
        every = self.languages.values()
        self._keywords = _by_first({phrase for each in every for phrase in each.keywords})
        self._verbs = frozenset(verb for each in every for verb in each.verbs)
        self._leave = _by_first({phrase for each in every for phrase in each.leave})

        # What was asked of one text is asked again: by other rules, and for its next recipient.
        self.keyword = lru_cache(maxsize=_TEXTS)(self._keyword)
        self.leaves = lru_cache(maxsize=_TEXTS)(self._speaks_of_leaving)

    def language_of(self, text: str, otherwise: str) -> str:
        """The language a text is written in, as far as its common words tell."""
        words = read(text).listed
        counts = {
            name: sum(word in language.common for word in words)
            for name, language in self.languages.items()
        }
        best = max(counts.values(), default=0)
        leading = [name for name, count in counts.items() if count == best]
        return otherwise if otherwise in leading else leading[0]

    def _keyword(self, words: Words) -> str:
        """The keyword the text says to answer; "" if it says nothing of the kind."""
        if self._keywords.keys().isdisjoint(words.known):
            return ""
        listed = words.listed
        for at, word in enumerate(listed):
            for phrase in self._keywords.get(word, ()):
                end = at + len(phrase)
                if (end == at + 1 or tuple(listed[at:end]) == phrase) and self._instructs(
                    listed, at, end
                ):
                    return " ".join(phrase).upper()
        return ""

    def _instructs(self, words: Sequence[str], at: int, end: int) -> bool:
        """Whether something near the keyword makes an instruction of it."""
        near = (*words[max(0, at - _AFTER_VERB) : at], *words[end : end + _BEFORE_VERB])
        if not self._verbs.isdisjoint(near):
            return True
        following = words[end : end + 2]
        return len(following) == 2 and following[0] in _TO and _is_code(following[1])

    def _speaks_of_leaving(self, words: Words) -> bool:
        """Whether it speaks of opting out, a link's own words included."""
        return any(
            words.has(phrase)
            for word in self._leave.keys() & words.known
            for phrase in self._leave[word]
        )


def _by_first(phrases: Iterable[tuple[str, ...]]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Phrases by their first word, the longest first."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(phrases, key=lambda each: (-len(each), each)):
        found.setdefault(phrase[0], []).append(phrase)
    return {word: tuple(each) for word, each in found.items()}


def _is_code(word: str) -> bool:
    return word.isdecimal() and 3 <= len(word) <= 15


def french_code(words: Words) -> str:
    """The code of "STOP 36xxx" or "STOP au 38xxx"; "" where there is none."""
    if "stop" not in words.folded:
        return ""
    match = _FRENCH.search(words.folded)
    return match[1] if match else ""


class Link(NamedTuple):
    """An address in a text: host without `www.`, path, and whether it can be nothing else."""

    host: str
    path: str
    sure: bool


@lru_cache(maxsize=_TEXTS)
def links(words: Words) -> tuple[Link, ...]:
    """Every link in the text, with a scheme or not."""
    return tuple(_links(words))


def _links(words: Words) -> Iterator[Link]:
    if "." not in words.folded:
        return
    for part in words.folded.split():
        if "." not in part:
            continue
        for match in _HOST.finditer(part):
            shown, host, end, path = match.groups()
            sure = bool(shown or path) or end in _SURE_ENDS
            yield Link(host, (path or "").rstrip(".,;:!?)"), sure)


def target_of(url: str) -> Link | None:
    """The link a configured address is; None for none."""
    return next(iter(links(read(url))), None) if url else None

"""Characters a reader cannot judge by eye: invisible, turning the direction, look-alikes, unshown.

They go to the code-point annex (LEDGER section 6). Everything is decided by the Unicode data of
this Python, whose version is part of what names the template.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.certificate.glyphs import cjk_family, family_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROL = "control"
BIDI = "bidi"
INVISIBLE = "invisible"
ALPHABET = "alphabet"
FORM = "form"
UNSHOWN = "unshown"
#: Zero width non-joiner and joiner: scripts and emoji are drawn by them.
JOINERS = "\u200c\u200d"
KINDS = (CONTROL, BIDI, INVISIBLE, ALPHABET, FORM, UNSHOWN)

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Not of category Cf, yet nothing is seen of them: fillers, joiners, selectors, the empty Braille.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
#: Alphabets whose letters pass for one another's.
_ALPHABETS = frozenset(
    {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "CHEROKEE", "COPTIC", "LISU", "DESERET"}
)
#: Look like what stands beside them, and have no decomposition that would say so.
_ALIKE = frozenset(
    "\u0131\u0237\u0251\u0261\u0269\u0196\u01c0\u01c3\u2215\u2044\u2216\u29f5\u2236"
    "\ua789\u2010\u2011\u2012\u2212\u207b\u02bc\u02c8\u055a\u05f3\u201a\u02b9\u2024\u2e31\ua4f8"
)
_LATIN_1_END = "\u00ff"
#: Digits of other scripts: BENGALI DIGIT FOUR looks like 8.
_DIGIT = "Nd"


def is_selector(char: str) -> bool:
    """Whether *char* chooses a form of the character before it."""
    return any(first <= ord(char) <= last for first, last in _SELECTORS)


@lru_cache(maxsize=4096)
def hidden(char: str) -> str | None:
    """CONTROL, BIDI or INVISIBLE where nothing is seen of *char* on the page; else None.

    The space U+0020 and the line feed are what they seem.
    """
    if char in " \n":
        return None
    if char in _BIDI:
        return BIDI
    category = unicodedata.category(char)
    if category == "Cc":
        return CONTROL
    if category in ("Cf", "Zs", "Zl", "Zp") or char in _BLANK or is_selector(char):
        return INVISIBLE
    return None


def name_of(char: str) -> str:
    """The Unicode name; empty for what has none."""
    return unicodedata.name(char, "")


@lru_cache(maxsize=4096)
def _alphabet(char: str) -> str | None:
    """The alphabet of a letter or a foreign digit, None for what belongs to every text."""
    category = unicodedata.category(char)
    if category[0] != "L" and not (category == _DIGIT and char > "9"):
        return None
    first = name_of(char).split(" ")[0].split("-")[0]
    if category == _DIGIT:
        return f"{first} DIGIT"
    return first if first in _ALPHABETS else None


@lru_cache(maxsize=4096)
def _disguised(char: str) -> bool:
    """Whether *char* looks like a character of ASCII and is none."""
    if char <= _LATIN_1_END:
        return False
    if char in _ALIKE:
        return True
    plain = unicodedata.normalize("NFKC", char)
    return plain != char and plain.isascii() and plain.isalnum()


@dataclass(frozen=True, slots=True)
class Oddity:
    """A character of a text with why it is odd, and every place it stands at (0 = the first)."""

    char: str
    kind: str
    places: tuple[int, ...]

    @property
    def code(self) -> str:
        """As `U+202E`."""
        return code_of(self.char)


def code_of(char: str) -> str:
    """`U+` and at least four digits."""
    return f"U+{ord(char):04X}"


def oddities(text: str) -> list[Oddity]:
    """What of *text* the annex must list, in the order of first appearance, each kind once."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return []
    found: dict[tuple[str, str], list[int]] = {}
    for kind, at in _find(text):
        found.setdefault((text[at], kind), []).append(at)
    return [Oddity(char, kind, tuple(places)) for (char, kind), places in found.items()]


def _find(text: str) -> Iterator[tuple[str, int]]:
    counted = Counter(filter(None, map(_alphabet, text)))
    # Of two that are equally frequent the Latin one is taken for the text's own.
    own = max(counted, key=lambda name: (counted[name], name == "LATIN"), default=None)
    unseen = set(unshown(text))
    for at, char in enumerate(text):
        kind = hidden(char)
        alphabet = _alphabet(char)
        if kind:
            yield kind, at
        elif at in unseen:
            yield UNSHOWN, at
        elif _disguised(char) or _uncomposed(text, at):
            yield FORM, at
        elif alphabet and alphabet != own and own in _ALPHABETS:
            yield ALPHABET, at


def _uncomposed(text: str, at: int) -> bool:
    """Whether the mark at *at* stands apart from a letter it could be one character with."""
    return (
        at > 0
        and unicodedata.combining(text[at]) != 0
        and len(unicodedata.normalize("NFC", text[at - 1 : at + 1])) == 1
    )


# --- what the fonts can show --------------------------------------------------------------------


def clusters(text: str) -> Iterator[str]:
    """*text* in pieces that a font must have as a whole: a character with its marks and joiners."""
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not _continues(text, at):
            yield text[start:at]
            start = at


def _continues(text: str, at: int) -> bool:
    char, before = text[at], text[at - 1]
    if char < "\u0300" or before in "\n ":
        return False
    if unicodedata.category(char)[0] == "M" or char in JOINERS or is_selector(char):
        return True
    code = ord(char)
    if 0x1F3FB <= code <= 0x1F3FF or 0xE0020 <= code <= 0xE007F:
        return True  # a colour of skin, a tag of a flag
    if 0x1F1E6 <= code <= 0x1F1FF:  # every second letter of a flag
        run = at
        while run and 0x1F1E6 <= ord(text[run - 1]) <= 0x1F1FF:
            run -= 1
        return (at - run) % 2 == 1
    return before == "\u200d" and unicodedata.category(char) == "So"


def unshown(text: str) -> Iterator[int]:
    """The places of characters that the fonts cannot show where they stand."""
    cjk, at = cjk_family(text), 0
    for cluster in clusters(text):
        stray = unicodedata.category(cluster[0])[0] == "M"
        if stray or (cluster[0] != "\n" and family_of(solid(cluster), cjk) is None):
            # A mark that stands on nothing would be drawn on a circle that is not in the text.
            alone = not (stray or hidden(cluster[0])) and family_of(cluster[0], cjk) is not None
            for place, char in enumerate(cluster):
                if not (hidden(char) or (place == 0 and alone)):
                    yield at + place
        at += len(cluster)


def solid(cluster: str) -> str:
    """The cluster without what no font needs a glyph for."""
    return "".join(char for char in cluster if not hidden(char))

"""Text as the template sets it: runs that the fonts can show, and boxes for what they cannot.

A run is plain text, `{"e": text}` (emoji, in their own font), `{"m": "U+202E"}` (the code of a
character that would be invisible, turn the line or have no glyph), `{"o": runs}` (underlined: it
looks like something else) or `{"b": 1}` (a place where a long word may break). Text of plain runs
alone is a plain string.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, partial
from typing import Any, TypeAlias

from gateway.certificate.glyphs import EMOJI, characters, cjk_family, family_of, simple
from gateway.certificate.oddities import (
    ALPHABET,
    FORM,
    JOINERS,
    clusters,
    code_of,
    hidden,
    is_selector,
    oddities,
    solid,
)

Run: TypeAlias = str | dict[str, Any]
Runs: TypeAlias = str | list[Run]

#: Longer words get places to break at.
_LONG_WORD = 24
_IDEOGRAPHS = "\u2e80"
#: `grain` of prose, and of what is set in the fixed-width font.
FINE = 6
COARSE = 16
_ENDS = re.compile(r"[ -]")
_TOO_LONG = re.compile(rf"([^ -]{{{_LONG_WORD + 1},}})")
#: U+0020 to U+007E always stand as they are.
_PLAIN = frozenset(map(chr, range(0x20, 0x7F)))
#: What makes an emoji of the character before it: selector 16, the keycap.
_EMOJI_MARKS = frozenset("\ufe0f\u20e3")


def runs(text: str, *, hardened: bool = False, grain: int = FINE) -> Runs:
    """One line of text. *hardened*: only what the Latin font has, without any mark, is set.

    *grain*: a long word may break after so many characters (each place to break costs time).
    """
    if _easy().issuperset(text):
        return _breaking(text, grain)
    made: list[Run] = []
    plain, word, cjk = "", 0, cjk_family(text)
    for cluster in clusters(text):
        for piece in _pieces(cluster, cjk, hardened=hardened):
            if isinstance(piece, str):
                plain += piece
                continue
            if plain:
                made.append(plain)
                plain = ""
            made.append(piece)
        # Ideographs break anywhere by themselves.
        word = 0 if cluster[0] in " -" or cluster[0] >= _IDEOGRAPHS else word + 1
        if word > _LONG_WORD:
            made += [plain, {"b": 1}] if plain else [{"b": 1}]
            plain = ""
    if not made:
        return plain
    return [*made, plain] if plain else made


@cache
def _easy() -> frozenset[str]:
    """Characters that need no thought: a font has them, each is seen and stands for itself."""
    return frozenset(
        char for char in simple() if char == " " or unicodedata.category(char)[0] not in "MCZ"
    )


def _breaking(text: str, grain: int) -> Runs:
    """Easy text, with places to break at in its long words."""
    if len(text) <= _LONG_WORD or not _TOO_LONG.search(text):
        return text
    made: list[Run] = []
    for piece in _TOO_LONG.split(text):
        if len(piece) > _LONG_WORD and not _ENDS.search(piece):
            for at in range(0, len(piece), grain):
                made += [piece[at : at + grain], {"b": 1}]
        elif piece:
            made.append(piece)
    return made


def _pieces(cluster: str, cjk: str, *, hardened: bool) -> list[Run]:
    """The runs of one cluster."""
    if cluster in _PLAIN:
        return [cluster]
    seen = solid(cluster)
    stray = unicodedata.category(cluster[0])[0] == "M"
    family = family_of(seen, cjk) if seen and not stray else None
    if _EMOJI_MARKS.intersection(cluster) and characters(EMOJI).issuperset(map(ord, seen)):
        family = EMOJI
    if hardened and not (simple().issuperset(cluster) and _bare(cluster)):
        family = None
    if family is None:
        return [_alone(char, cjk, hardened=hardened) for char in cluster]
    if family == EMOJI:
        return [{"e": cluster}]
    if any(hidden(char) and not _shapes(char, cluster) for char in cluster):
        return [
            {"m": code_of(char)} if hidden(char) and not _shapes(char, cluster) else char
            for char in cluster
        ]
    return [cluster]


def _alone(char: str, cjk: str, *, hardened: bool) -> Run:
    """A character of a cluster that no font has as a whole."""
    if char in _PLAIN:
        return char
    if hardened or hidden(char) or unicodedata.category(char)[0] == "M":
        return {"m": code_of(char)}
    family = family_of(char, cjk)
    if family is None:
        return {"m": code_of(char)}
    return {"e": char} if family == EMOJI else char


def _bare(cluster: str) -> bool:
    return len(cluster) == 1 and not hidden(cluster) and unicodedata.category(cluster)[0] != "M"


def _shapes(char: str, cluster: str) -> bool:
    """Whether the fonts need the invisible *char* to draw its cluster as the handset does."""
    return (is_selector(char) or char in JOINERS) and cluster[0] >= "\u0590"


def lines(text: str, *, hardened: bool = False) -> list[dict[str, object]]:
    """The lines of a message: `{"runs": …, "rtl": true where the line runs from the right}`."""
    doubtful = {
        place
        for odd in oddities(text)
        if odd.kind in (ALPHABET, FORM) and unicodedata.category(odd.char)[0] != "M"
        for place in odd.places
    }
    made: list[dict[str, object]] = []
    start = 0
    for line in text.split("\n"):
        marked = [at - start for at in sorted(doubtful) if start <= at < start + len(line)]
        write = partial(_marked, marked=marked) if marked else runs
        shown = write(line, hardened=hardened)
        made.append({"runs": shown, "rtl": _from_the_right(line)})
        start += len(line) + 1
    return made


def _marked(line: str, *, marked: list[int], hardened: bool) -> Runs:
    """The runs of a line, with look-alikes as `{"o": runs}`."""
    made: list[Any] = []
    start = 0
    for at in marked:
        end = at + len(next(clusters(line[at:])))
        before = runs(line[start:at], hardened=hardened)
        made += before if isinstance(before, list) else [before]
        made.append({"o": runs(line[at:end], hardened=hardened)})
        start = max(start, end)
    rest = runs(line[start:], hardened=hardened)
    return [each for each in [*made, *(rest if isinstance(rest, list) else [rest])] if each]


def _from_the_right(line: str) -> bool:
    """By its first character that has a direction, as handsets do it (UAX 9, rules P2 and P3)."""
    for char in line:
        direction = unicodedata.bidirectional(char)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False

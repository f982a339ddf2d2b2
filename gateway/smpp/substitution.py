"""Typographic characters that a plainer one can stand for, where a brand asks for it.

A word processor's quotes, dashes and spaces make a text UCS-2 and so take up to three times the
parts. What was replaced, by what and where is kept: the original can be read back from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.smpp.text import PLAIN, Coding, encode_text, not_carried

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAINER: Final = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u2035\u2039\u203a\u02bc`\u00b4",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022",
    "...": "\u2026",
    " ": "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f",
    "\n": "\u2028\u2029",
    "/": "\u2044\u2215",
    "": "\u200b\u2060\ufeff\u00ad",
}
#: Character -> what stands for it.
PLAINER: Final = {char: plain for plain, chars in _PLAINER.items() for char in chars}


class Substitution(NamedTuple):
    """*character* was replaced *by* another text; *at* are positions in the text as given."""

    character: str
    by: str
    at: tuple[int, ...]


def substitute(text: str, coding: Coding = PLAIN) -> tuple[str, tuple[Substitution, ...]]:
    """The text to send and what was replaced in it.

    Only characters that the operator's default alphabet lacks are replaced, and only if the text
    then takes that alphabet or fewer parts; else it stays as it is.

    Raises:
        DataError: the text cannot be sent either way; see `encode_text`.
    """
    missing = not_carried(text, coding.default_alphabet)
    replaced = {char: PLAINER[char] for char in missing if char in PLAINER}
    if not replaced:
        return text, ()
    plainer = text.translate({ord(char): plain for char, plain in replaced.items()})
    if not plainer or not _pays(text, plainer, coding):
        return text, ()
    places: dict[str, list[int]] = {char: [] for char in replaced}
    for position, char in enumerate(text):
        if char in replaced:
            places[char].append(position)
    return plainer, tuple(
        Substitution(char, plain, tuple(places[char])) for char, plain in replaced.items()
    )


def original(sent: str, substituted: Iterable[Substitution]) -> str:
    """The text as it was before `substitute`."""
    places = sorted((at, each.character, each.by) for each in substituted for at in each.at)
    pieces: list[str] = []
    length = read = 0
    for at, character, by in places:
        kept = at - length
        pieces += (sent[read : read + kept], character)
        read += kept + len(by)
        length = at + 1
    return "".join(pieces) + sent[read:]


def _pays(text: str, plainer: str, coding: Coding) -> bool:
    if not not_carried(plainer, coding.default_alphabet):
        return True
    return encode_text(plainer, coding).on_air < encode_text(text, coding).on_air

"""Where a text may be cut: runs of code points that a reader sees as one character.

An approximation of Unicode Standard Annex 29 by what the standard library knows: combining marks,
variation selectors, zero-width joiners, skin tones, tag sequences, flags, Hangul letters, CR LF.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_JOINER: Final = "\u200d"
_MARKS: Final = frozenset(("Mn", "Me", "Mc"))


def clusters(text: str) -> Iterator[str]:
    """The pieces of *text*, in order; joined they are *text*. One pass, linear in its length."""
    start = 0
    flag_letters = 0  # regional indicators at the end of the open cluster: two make a flag
    previous = ""
    for index, char in enumerate(text):
        if "\U0001f1e6" <= char <= "\U0001f1ff":
            joined = flag_letters == 1 or previous == _JOINER
            flag_letters = 0 if flag_letters == 1 else 1
        else:
            joined = _extends(char, previous)
            flag_letters = 0
        if index and not joined:
            yield text[start:index]
            start = index
        previous = char
    if text:
        yield text[start:]


def joins(text: str) -> bool:
    """Whether any cluster of *text* can be longer than one code point."""
    return "\r\n" in text or any(
        "\U0001f1e6" <= char <= "\U0001f1ff" or _extends(char, "") for char in set(text)
    )


def _extends(char: str, previous: str) -> bool:
    if char < "\u0300":
        return (char == "\n" and previous == "\r") or previous == _JOINER
    return (
        previous == _JOINER
        or char == _JOINER
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # tags of subdivision flags
        or "\u1160" <= char <= "\u11ff"  # Hangul vowels and finals
        or unicodedata.category(char) in _MARKS
    )

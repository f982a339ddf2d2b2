"""Days and times of day as people write them in packs and requests: `mon-sat`, `08:00`."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from gateway.policy.rules import DAY_NAMES, MINUTES_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")


def parse_days(text: str) -> frozenset[int] | None:
    """Weekdays of `mon-sun`, `sat`, `mon,wed-fri` (`sat-mon` runs over Sunday); None: not days."""
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = (name.strip() for name in part.partition("-"))
        if first not in DAY_NAMES or (dash and last not in DAY_NAMES):
            return None
        begin = DAY_NAMES.index(first)
        length = (DAY_NAMES.index(last) - begin) % 7 if dash else 0
        days.update((begin + step) % 7 for step in range(length + 1))
    return frozenset(days)


def parse_clock(text: str) -> int | None:
    """Minutes after midnight of `HH:MM`, up to `24:00`; None: not a time of day."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    minutes = int(match[1]) * 60 + int(match[2])
    return minutes if minutes <= MINUTES_PER_DAY else None


def hours_problem(opens: int, closes: int) -> str:
    """Why a window cannot be; "" when it can."""
    if opens == closes:
        return "open and close are the same: it would be always open or always shut"
    if opens == MINUTES_PER_DAY:
        return "open is the end of the day"
    if closes == 0:
        return "close is midnight of the day it opens; write 24:00 for the day's end"
    return ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known word, else all of them."""
    words = list(known)
    near = get_close_matches(word, words, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(words)}"

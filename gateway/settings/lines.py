"""Where each key of a TOML text stands, so that an error can name the line.

`tomllib` gives values without positions. The text has already been parsed when it comes here, so
this scan may rely on its being valid and needs to know only strings, brackets and comments.
"""

from __future__ import annotations

import re
from typing import TypeAlias

#: A setting's place: table and key names, and numbers for the items of a list.
Place: TypeAlias = tuple[str | int, ...]

_KEY_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|[#\[\]{}]')
_CLOSES = {'"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""'), "'''": re.compile(r".*?'''")}


def locate(text: str) -> dict[Place, int]:
    """The 1-based line of every table header and every key that begins a line of *text*.

    Keys inside an inline table or a list are not there: ask for the key that holds them.
    """
    found: dict[Place, int] = {}
    items: dict[Place, int] = {}
    table: Place = ()
    inside = _Inside()
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not inside.any() and stripped and not stripped.startswith("#"):
            if stripped.startswith("["):
                table = _header(stripped, items)
                found.setdefault(table, number)
                continue
            names, _ = _dotted(stripped, 0)
            for upto in range(1, len(names) + 1):
                found.setdefault(table + names[:upto], number)
        inside.read(line)
    return found


def line_of(found: dict[Place, int], place: Place) -> int | None:
    """The line of *place*, or of the innermost thing around it that has one."""
    while place:
        if place in found:
            return found[place]
        place = place[:-1]
    return None


class _Inside:
    """Whether the end of the line just read is inside a multi-line string, list or table."""

    def __init__(self) -> None:
        self.depth = 0
        self.quote = ""

    def any(self) -> bool:
        return self.depth > 0 or bool(self.quote)

    def read(self, line: str) -> None:
        at = 0
        while True:
            if self.quote:
                closing = _CLOSES[self.quote].match(line, at)
                if closing is None:
                    return
                at = closing.end()
                self.quote = ""
            token = _TOKEN.search(line, at)
            if token is None or token[0] == "#":
                return
            at = token.end()
            if token[0] in _CLOSES:
                self.quote = token[0]
            elif token[0] in "[{":
                self.depth += 1
            elif token[0] in "]}":
                self.depth -= 1


def _header(line: str, items: dict[Place, int]) -> Place:
    many = line.startswith("[[")
    names, _ = _dotted(line, 2 if many else 1)
    place: Place = ()
    for position, name in enumerate(names):
        place += (name,)
        if many and position == len(names) - 1:
            items[place] = items.get(place, -1) + 1
        if place in items:
            place += (items[place],)
    return place


def _dotted(line: str, at: int) -> tuple[tuple[str, ...], int]:
    names: list[str] = []
    while part := _KEY_PART.match(line, at):
        names.append(next(group for group in part.groups() if group is not None))
        at = part.end()
        if not line.startswith(".", at):
            break
        at += 1
    return tuple(names), at

"""Pieces of a page as the template takes them: sentences, fields, tables, blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from gateway import __version__
from gateway.certificate.facts import SHOWN
from gateway.certificate.moments import Calendar, places
from gateway.certificate.writing import COARSE, Runs, lines, runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.certificate.facts import Content, Event, Facts
    from gateway.certificate.words import Words

#: One block of the technical annex; `kind` names the template's function.
Block: TypeAlias = dict[str, Any]
DASH = "\u2013"
_HEX_PER_LINE = 16
_WHOLE_CHARACTERS = 2000
#: Values of sentences that stand out.
_NAMES = frozenset({"issuer", "sender", "operator"})


class Scribe:
    """Writes one certificate's pieces: facts and words are at hand, fonts are minded."""

    def __init__(
        self, facts: Facts, words: Words, *, hardened: bool, renderer: str = __version__
    ) -> None:
        self.facts = facts
        #: The version of Acuse that the page names as its maker.
        self.renderer = renderer
        self.words = words
        self.zones = places(facts)
        self.calendar = Calendar(words, self.zones)
        self._hardened = hardened
        self.issuer = facts.issuer.get("legal_name") or facts.checkpoint.origin
        self.sender = facts.sender.get("legal_name") or facts.first.text("brand") or "?"

    def runs(self, text: str) -> Runs:
        """One line of any text."""
        return runs(text.replace("\n", " "), hardened=self._hardened)

    def lines(self, text: str) -> list[dict[str, object]]:
        """The lines of a message."""
        return lines(text, hardened=self._hardened)

    def label(self, key: str) -> str:
        """A word of the table `label`."""
        return self.words("label", key)

    def status(self, content: Content) -> str:
        """Why a content is not shown."""
        return self.words("status", content.status)

    def content(self, content: Content) -> Runs | dict[str, Any]:
        """A content on one line, or why it is not shown (as `{"why": …}`)."""
        text = content.text
        return {"why": self.status(content)} if text is None else self.runs(text)

    def sentence(
        self, table: str, key: str, values: Mapping[str, str | Content], *, strong: bool = True
    ) -> list[Any]:
        """A sentence in which names stand out, as `{"s": runs}`; times and the like do not."""
        made: list[Any] = []
        for text, name in self.words.pieces(table, key):
            if text:
                made.append(text)
            if name is None:
                continue
            value = values[name]
            if not isinstance(value, str):
                made.append(self._strong(value))
            elif strong and name in _NAMES:
                made.append({"s": self.runs(value)})
            else:
                made += listed(self.runs(value))
        return merged(made)

    def _strong(self, content: Content) -> dict[str, Any]:
        if content.status == SHOWN:
            return {"s": self.runs(content.value.decode())}
        return {"why": f"[{self.status(content)}]"}

    def moment(self, instant_ms: int) -> str:
        """A date and an hour in words, in the recipient's place."""
        return self.calendar.moment(instant_ms)

    def operator_of(self, one: Event) -> str:
        """The operator an event is about, else the one that was tried last."""
        name = one.text("operator")
        if not name:
            tried = [each.text("operator") for each in self.facts.events]
            name = next((each for each in reversed(tried) if each), "?")
        return name

    # -- blocks ----------------------------------------------------------------------------------

    def fields(self, *rows: tuple[str, object]) -> Block:
        """Labels with values; a value is runs, `{"why"}` or `{"mono"}`; empty ones are left out."""
        kept = [(self.label(key), value) for key, value in rows if value not in ("", [], None)]
        # What is short stays on one page; what is long must be free to go on.
        return {"kind": "fields", "rows": kept, "whole": len(str(kept)) < _WHOLE_CHARACTERS}

    def mono(self, text: str) -> dict[str, Runs]:
        """A value in the fixed-width font."""
        return {"mono": runs(text, hardened=self._hardened, grain=COARSE)}

    def table(self, widths: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Block:
        """A table; *widths* is a word a column: `auto`, `1fr`, … as the template reads them."""
        return {
            "kind": "table",
            "widths": widths.split(),
            "heads": [self.label(head) for head in heads],
            "rows": rows,
        }

    def text(self, table: str, key: str, **values: str | int) -> Block:
        """A paragraph of our own words."""
        return {"kind": "text", "runs": self.runs(self.words(table, key, **values))}

    def code(self, *rows: str) -> Block:
        """Lines in the fixed-width font, exactly as they are."""
        shown = [runs(row, hardened=self._hardened, grain=COARSE) for row in rows]
        return {"kind": "code", "lines": shown}

    def dump(self, data: bytes) -> Block:
        """Octets as offset, hex and ASCII."""
        return {"kind": "code", "lines": dump_lines(data)}


def listed(value: Runs) -> list[Any]:
    """Runs as a list that others can follow."""
    return value if isinstance(value, list) else [value]


def merged(pieces: list[Any]) -> list[Any]:
    """The same runs, with neighbouring texts as one."""
    made: list[Any] = []
    for piece in pieces:
        if isinstance(piece, str) and made and isinstance(made[-1], str):
            made[-1] += piece
        else:
            made.append(piece)
    return made


def dump_lines(data: bytes) -> list[str]:
    """`0010  61 62 …  ab…`, sixteen octets a line."""
    made = []
    for at in range(0, len(data), _HEX_PER_LINE):
        row = data[at : at + _HEX_PER_LINE]
        shown = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)
        made.append(f"{at:04x}  {row.hex(' '):<{3 * _HEX_PER_LINE}} {shown}")
    return made

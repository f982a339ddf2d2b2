"""What single characters of a text cost: why it is UCS-2, or longer than it looks."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from gateway.smpp import national
from gateway.smpp.text import PLAIN, Coding, EncodedText, encode_text, not_carried


@dataclass(frozen=True, slots=True)
class Cost:
    """A character that costs more than the others.

    `units` is what each of its `count` occurrences takes. `why` is one of `forces_ucs2` (the
    default alphabet lacks it), `national_table` (the same, but an allowed table carries it) and
    `extension` (an escape and a septet).
    """

    character: str
    count: int
    units: int
    why: str

    @property
    def code(self) -> str:
        """`U+00ED`."""
        return f"U+{ord(self.character):04X}"

    @property
    def name(self) -> str:
        """The name Unicode gives it, in small letters; "" where it has none."""
        return unicodedata.name(self.character, "").lower()


def character_costs(text: str, encoded: EncodedText, coding: Coding = PLAIN) -> tuple[Cost, ...]:
    """The costly characters of *text*, in order of appearance."""
    missing = frozenset(not_carried(text, coding.default_alphabet))
    known = None if encoded.tables is None else national.alphabet(encoded.tables)
    costs = []
    for character in dict.fromkeys(text):
        count = text.count(character)
        if known is not None:
            units = 2 if character in known.double else 1
            if character in missing:
                costs.append(Cost(character, count, units, "national_table"))
            elif units > 1:
                costs.append(Cost(character, count, units, "extension"))
        elif character in missing:
            units = 2 if character > "\uffff" else 1  # a surrogate pair
            costs.append(Cost(character, count, units, "forces_ucs2"))
    return tuple(costs)


def without(text: str, costs: tuple[Cost, ...], coding: Coding = PLAIN) -> EncodedText | None:
    """How the text would go with "?" for what the default alphabet lacks; None if nothing does."""
    lacking = [cost.character for cost in costs if cost.why in ("forces_ucs2", "national_table")]
    if not lacking:
        return None
    return encode_text(text.translate({ord(char): "?" for char in lacking}), coding)

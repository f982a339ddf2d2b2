"""Which characters the certificate's fonts can show, read from the fonts' own `cmap` tables.

In PDF/A mode typst refuses text without a glyph, and a character that no font of a cluster has may
be dropped without a word; so what can be shown is decided here, before anything is set.
"""

from __future__ import annotations

import struct
import unicodedata
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LATIN = "Noto Sans"
EMOJI = "Noto Emoji"
CHINESE = "Noto Sans CJK SC"
JAPANESE = "Noto Sans CJK JP"
KOREAN = "Noto Sans CJK KR"

_UNKNOWN = frozenset({"Co", "Cn", "Cs"})
_CJK_FILE = "NotoSansCJK-VF.otf.ttc"
_CJK_FACES = {JAPANESE: 0, KOREAN: 1, CHINESE: 2}
#: Family -> file of the package `manimgx_fonts`, in the order they are asked.
_FILES = {
    LATIN: "NotoSans[wght].ttf",
    **{
        f"Noto Sans {name}": f"NotoSans{name}[wght].ttf"
        for name in (
            *("Arabic", "Armenian", "Bengali", "Devanagari", "Ethiopic", "Georgian", "Gujarati"),
            *("Gurmukhi", "Hebrew", "Kannada", "Khmer", "Lao", "Malayalam", "Myanmar", "Oriya"),
            *("Sinhala", "Symbols", "Tamil", "Telugu", "Thai"),
        )
    },
    EMOJI: "NotoEmoji[wght].ttf",
}
#: Every family but the Chinese, Japanese and Korean ones.
FAMILIES = tuple(_FILES)


@cache
def characters(family: str) -> frozenset[int]:
    """The code points *family* has a glyph for and PDF/A lets stand: private ones mean nothing to
    anybody else, and what this Python's Unicode does not know cannot be judged."""
    if family in _CJK_FACES:
        with resources.files("manimgx_fonts_cjk").joinpath(_CJK_FILE).open("rb") as file:
            data = file.read()
        (start,) = struct.unpack_from(">I", data, 12 + 4 * _CJK_FACES[family])
    else:
        data = resources.files("manimgx_fonts").joinpath(_FILES[family]).read_bytes()
        start = 0
    mapped = _mapped(data, _table(data, start, b"cmap"))
    return frozenset(code for code in mapped if unicodedata.category(chr(code)) not in _UNKNOWN)


def _table(data: bytes, start: int, wanted: bytes) -> int:
    (tables,) = struct.unpack_from(">H", data, start + 4)
    listed = struct.iter_unpack(">4sIII", data[start + 12 : start + 12 + 16 * tables])
    return next(int(offset) for tag, _, offset, _ in listed if tag == wanted)


def _mapped(data: bytes, cmap: int) -> Iterator[int]:
    """The code points of every Unicode subtable of the `cmap` (formats 4 and 12)."""
    (count,) = struct.unpack_from(">H", data, cmap + 2)
    for index in range(count):
        _, _, offset = struct.unpack_from(">HHI", data, cmap + 4 + 8 * index)
        (kind,) = struct.unpack_from(">H", data, cmap + offset)
        if kind == 4:
            yield from _segments(data, cmap + offset)
        elif kind == 12:
            yield from _groups(data, cmap + offset)


def _segments(data: bytes, at: int) -> Iterator[int]:
    (doubled,) = struct.unpack_from(">H", data, at + 6)
    count = doubled // 2
    ends = struct.unpack_from(f">{count}H", data, at + 14)
    starts = struct.unpack_from(f">{count}H", data, at + 16 + doubled)
    deltas = struct.unpack_from(f">{count}H", data, at + 16 + 2 * doubled)
    ranges_at = at + 16 + 3 * doubled
    ranges = struct.unpack_from(f">{count}H", data, ranges_at)
    for index, (first, last, delta, away) in enumerate(
        zip(starts, ends, deltas, ranges, strict=True)
    ):
        for code in range(first, min(last, 0xFFFE) + 1):
            glyph = code + delta
            if away:
                place = ranges_at + 2 * index + away + 2 * (code - first)
                (found,) = struct.unpack_from(">H", data, place)
                glyph = found + delta if found else 0
            if glyph & 0xFFFF:
                yield code


def _groups(data: bytes, at: int) -> Iterator[int]:
    (count,) = struct.unpack_from(">I", data, at + 12)
    for first, last, glyph in struct.iter_unpack(">III", data[at + 16 : at + 16 + 12 * count]):
        # Glyph 0 is the box that stands for a character the font lacks.
        yield from range(first if glyph else first + 1, last + 1)


@cache
def simple() -> frozenset[str]:
    """The characters of the Latin family, which most text consists of."""
    return frozenset(map(chr, characters(LATIN)))


def cjk_family(text: str) -> str:
    """The family in whose forms the ideographs of *text* are drawn: by the kana or hangul in it."""
    for char in text:
        code = ord(char)
        if 0x3040 <= code <= 0x30FF or 0x31F0 <= code <= 0x31FF or 0xFF66 <= code <= 0xFF9D:
            return JAPANESE
        if 0x1100 <= code <= 0x11FF or 0x3130 <= code <= 0x318F or 0xAC00 <= code <= 0xD7A3:
            return KOREAN
    return CHINESE


def family_of(cluster: str, cjk: str = CHINESE) -> str | None:
    """The first family that has every character of *cluster*; None if there is none."""
    codes = set(map(ord, cluster))
    for family in (*FAMILIES, cjk):
        if codes <= characters(family):
            return family
    return None

"""Where a long text is cut: never inside a pair, and not inside what a reader sees as one."""

from __future__ import annotations

from typing import Final

from gateway.smpp import graphemes, gsm7

_CR: Final = 0x0D
_LF: Final = 0x0A


def utf16(text: str) -> bytes:
    """The octets of data_coding 8: UCS-2, and UTF-16 where a character needs a pair."""
    return text.encode("utf-16-be")


def utf16_units(text: str) -> int:
    """How many 16-bit units *text* takes."""
    return len(text) + sum(char > "\uffff" for char in text)


def cut_octets(data: bytes, room: int, *, escapes: bool, packed: bool = False) -> list[bytes]:
    """One unit per octet; an escape and what it escapes stay together, and so do CR LF.

    *packed*: a full part does not end in a carriage return, which would read as filling.
    """
    pieces: list[bytes] = []
    start = 0
    while len(data) - start > room:
        end = start + room
        last = data[end - 1]
        if (
            (escapes and last == gsm7.ESCAPE)
            or (packed and last == _CR)
            or (last == _CR and data[end] == _LF)
        ):
            end -= 1
        pieces.append(data[start:end])
        start = end
    pieces.append(data[start:])
    return pieces


def cut_utf16(text: str, data: bytes, room: int) -> list[bytes]:
    """Parts of at most *room* units of *text*, whose octets are *data*."""
    if graphemes.joins(text):
        return _cut_clusters(text, room)
    pieces: list[bytes] = []
    start = 0
    while len(data) - start > 2 * room:
        end = start + 2 * room
        if 0xD8 <= data[end - 2] <= 0xDB:
            end -= 2
        pieces.append(data[start:end])
        start = end
    pieces.append(data[start:])
    return pieces


def _cut_clusters(text: str, room: int) -> list[bytes]:
    """A cluster is cut, between its code points, only if no part can hold it."""
    pieces: list[str] = []
    piece, used = "", 0
    for cluster in graphemes.clusters(text):
        for atom in (cluster,) if utf16_units(cluster) <= room else cluster:
            units = utf16_units(atom)
            if used + units > room:
                pieces.append(piece)
                piece, used = "", 0
            piece += atom
            used += units
    pieces.append(piece)
    return [utf16(piece) for piece in pieces]

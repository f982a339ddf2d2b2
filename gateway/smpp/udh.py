"""The user data header in front of a segment's text (3GPP TS 23.040 section 9.2.3.24)."""

from __future__ import annotations

from typing import Final

CONCATENATED_8: Final = 0x00
CONCATENATED_16: Final = 0x08


def header(elements: bytes) -> bytes:
    """*elements* with their length in front; nothing if there are none."""
    return bytes((len(elements),)) + elements if elements else b""


def concatenated(reference: int, total: int, number: int, *, wide: bool) -> bytes:
    """The element that says: part *number* of *total*; *wide* means a reference of 16 bits."""
    if wide:
        low, high = reference & 0xFF, reference >> 8 & 0xFF
        return bytes((CONCATENATED_16, 4, high, low, total, number))
    return bytes((CONCATENATED_8, 3, reference & 0xFF, total, number))


def split(data: bytes) -> tuple[bytes, bytes]:
    """The header, its length octet included, and what follows it.

    A header longer than the message is no header.
    """
    length = data[0] + 1 if data else 0
    return (data[:length], data[length:]) if 0 < length <= len(data) else (b"", data)


def elements(head: bytes) -> dict[int, bytes]:
    """Identifier -> octets of the elements in a header; the last of its kind counts.

    So section 9.2.3.24 has it of elements that exclude each other. One that overruns the header
    ends the reading.
    """
    found: dict[int, bytes] = {}
    at = 1
    while at + 2 <= len(head):
        length = head[at + 1]
        if at + 2 + length > len(head):
            break
        found[head[at]] = head[at + 2 : at + 2 + length]
        at += 2 + length
    return found

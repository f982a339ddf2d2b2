"""Septets in octets without gaps (3GPP TS 23.038 section 6.1.2), for operators that want it so.

After a header, fill bits bring the first septet to a septet's boundary (3GPP TS 23.040 section
9.2.3.24). SMPP counts octets, so seven spare bits at the end would read as one more "@": a carriage
return fills them, as section 6.1.2.3.1 has it for USSD, and a text that itself ends in one just
there gets a second.
"""

from __future__ import annotations

from typing import Final

_CR: Final = 0x0D


def fill_bits(header_bytes: int) -> int:
    """How many bits lie between a header of that many octets and the first septet."""
    return -8 * header_bytes % 7


def pack(septets: bytes, *, header_bytes: int = 0, most_bytes: int = 140) -> bytes:
    """The octets of *septets*; a second carriage return is left out beyond *most_bytes*."""
    shift = fill_bits(header_bytes)
    bits = 0
    for septet in septets:
        bits |= septet << shift
        shift += 7
    spare = -shift % 8
    doubled = spare == 0 and septets.endswith(b"\r") and shift // 8 < most_bytes
    if spare == 7 or doubled:
        bits |= _CR << shift
        shift += 7
    return bits.to_bytes((shift + 7) // 8, "little")


def unpack(octets: bytes, *, header_bytes: int = 0) -> bytes:
    """One octet per septet, without the carriage return that only fills the last octet."""
    fill = fill_bits(header_bytes)
    bits = int.from_bytes(octets, "little") >> fill
    count, spare = divmod(max(0, len(octets) * 8 - fill), 7)
    septets = bytes(bits >> 7 * number & 0x7F for number in range(count))
    return septets[:-1] if spare == 0 and septets.endswith(b"\r") else septets

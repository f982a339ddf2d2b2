"""Parts of a message, however they are numbered; numbering that cannot be is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.smpp.concat import Part, joined_text, part_of
from gateway.smpp.pdu import DataSm, DeliverSm, Tlv


def numbered(pdu: DeliverSm | DataSm) -> tuple[str, int, int, int, bytes]:
    part = part_of(pdu)
    return part.kind, part.reference, part.total, part.number, part.octets


def udh(header: bytes, text: bytes = b"hola") -> DeliverSm:
    return DeliverSm(short_message=bytes((len(header),)) + header + text, esm_class=0x40)


SAR = (Tlv(0x020C, b"\x01\x02"), Tlv(0x020E, b"\x03"), Tlv(0x020F, b"\x02"))


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        (DeliverSm(short_message=b"hola"), ("", 0, 1, 1, b"hola")),
        (udh(b"\x00\x03\x4d\x03\x02"), ("udh8", 0x4D, 3, 2, b"hola")),
        (udh(b"\x08\x04\x01\x4d\x03\x02"), ("udh16", 0x14D, 3, 2, b"hola")),
        # Ports first, then the numbering.
        (udh(b"\x05\x04\x00\x01\x00\x02\x00\x03\x4d\x03\x02"), ("udh8", 0x4D, 3, 2, b"hola")),
        (DeliverSm(short_message=b"hola", tlvs=SAR), ("sar", 0x102, 3, 2, b"hola")),
        (DataSm(tlvs=(*SAR, Tlv(0x0424, b"hola"))), ("sar", 0x102, 3, 2, b"hola")),
        (DeliverSm(short_message=b"hola", tlvs=SAR[:2]), ("", 0, 1, 1, b"hola")),
        (udh(b"\x00\x03\x4d\x03\x04"), ("", 0, 1, 1, b"hola")),  # part 4 of 3
        (udh(b"\x00\x03\x4d\x00\x00"), ("", 0, 1, 1, b"hola")),
        (udh(b"\x00\x09\x4d\x03\x02"), ("", 0, 1, 1, b"hola")),  # cut short
        (udh(b"\x70"), ("", 0, 1, 1, b"hola")),
    ],
)
def test_a_part_is_known_however_it_is_told(
    pdu: DeliverSm | DataSm, expected: tuple[str, int, int, int, bytes]
) -> None:
    assert numbered(pdu) == expected


def test_a_character_cut_in_two_is_whole_again() -> None:
    octets = "a\U0001f44d".encode("utf-16-be")
    parts = [
        Part("udh8", 1, 2, 1, octets[:4], 8),
        Part("udh8", 1, 2, 2, octets[4:], 8),
    ]
    assert joined_text(parts, "gsm7") == "a\U0001f44d"


def test_parts_of_two_codings_are_read_one_by_one() -> None:
    parts = [Part("udh8", 1, 2, 1, b"a", 3), Part("udh8", 1, 2, 2, "\u00e9".encode("utf-16-be"), 8)]
    assert joined_text(parts, "gsm7") == "a\u00e9"


@given(st.binary(max_size=60), st.integers(0, 255))
@settings(deadline=None, max_examples=150)
def test_no_octets_are_too_strange(data: bytes, esm_class: int) -> None:
    part = part_of(DeliverSm(short_message=data, esm_class=esm_class))
    assert 1 <= part.number <= part.total

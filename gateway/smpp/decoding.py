"""How the octets of a message read: by their data_coding and their user data header."""

from __future__ import annotations

from typing import Final

from gateway.smpp import gsm7, national, septets
from gateway.smpp.national import Tables
from gateway.smpp.udh import elements, split


def decode_text(
    data: bytes,
    data_coding: int,
    *,
    default_alphabet: str = "gsm7",
    udh: bool = False,
    packed: bool = False,
) -> str:
    """The text of one short_message; never raises. What cannot be read becomes U+FFFD.

    *udh* says that the octets begin with a user data header: it is left out, and the national
    language tables it names are used; a header longer than the message is no header. *packed*:
    7-bit text has its septets without gaps. Octets of binary codings (2, 4) are shown as Latin-1,
    which loses nothing. Codings above 0x0F follow 3GPP TS 23.038 section 4.
    """
    head = b""
    if udh:
        head, data = split(data)
    codec = _CODECS.get(data_coding) or _codec_of_group(data_coding)
    if codec == "default":
        codec = {"latin1": "latin-1", "ascii": "ascii"}.get(default_alphabet, "gsm7")
    if codec == "gsm7":
        if packed:
            data = septets.unpack(data, header_bytes=len(head))
        return (national.alphabet(_tables(head)) if head else gsm7.GSM7).decode(data)
    return data.decode(codec, "replace")


def strip_udh(data: bytes) -> bytes:
    """*data* without the user data header that its first octet measures, if it has room for one."""
    return split(data)[1]


def _tables(head: bytes) -> Tables:
    found = elements(head)
    named = (
        int.from_bytes(found.get(element, b""), "big")
        for element in (national.LOCKING_SHIFT_ELEMENT, national.SINGLE_SHIFT_ELEMENT)
    )
    return Tables(*(number if number in national.NAMES else 0 for number in named))


#: data_coding -> Python codec (SMPP 3.4 section 5.2.19).
_CODECS: Final = {
    0: "default",
    1: "ascii",
    2: "latin-1",
    3: "latin-1",
    4: "latin-1",
    5: "shift_jis",
    6: "iso8859_5",
    7: "iso8859_8",
    8: "utf-16-be",
    10: "iso2022_jp",
    13: "euc_jp",
    14: "euc_kr",
}


def _codec_of_group(data_coding: int) -> str:
    group = data_coding & 0xF0
    if group == 0xE0:  # message waiting, UCS-2
        return "utf-16-be"
    if group == 0xF0:  # message class; bit 2 says 8-bit data
        return "latin-1" if data_coding & 0x04 else "gsm7"
    if group < 0x80:  # general group, bits 3 and 2 are the alphabet
        return ("gsm7", "latin-1", "utf-16-be", "latin-1")[data_coding >> 2 & 3]
    return "gsm7"  # message waiting in the default alphabet, and what is reserved

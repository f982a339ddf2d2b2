"""A submit_sm for an SMSC that knows no optional parameters: SMPP 3.3, or none said (5.3.2.25)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.smpp.consts import MAX_SHORT_MESSAGE_BYTES, EsmClass, Tag

if TYPE_CHECKING:
    from gateway.smpp.pdu import SubmitSm

#: A user data header that joins segments (3GPP TS 23.040 section 9.2.3.24.1): length, element 0,
#: its length; reference, total and number follow.
_CONCATENATION: Final = b"\x05\x00\x03"


def as_3_3(pdu: SubmitSm) -> SubmitSm:
    """*pdu* without TLVs, and without loss of text.

    The three SAR parameters become a user data header, a message_payload that fits becomes the
    short_message. One that does not fit stays as it is: a refused message is better than half of
    one.
    """
    text, esm_class = pdu.short_message, pdu.esm_class
    payload = pdu.tlv(Tag.MESSAGE_PAYLOAD)
    if payload is not None:
        text = payload
    sar = [
        pdu.tlv(tag)
        for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
    ]
    if all(sar) and not esm_class & EsmClass.UDHI:
        # One octet of each: the low one of the reference is as good as any.
        text = _CONCATENATION + b"".join(value[-1:] for value in sar if value) + text
        esm_class |= EsmClass.UDHI
    if len(text) > MAX_SHORT_MESSAGE_BYTES:
        return pdu
    return replace(pdu, short_message=text, esm_class=esm_class, tlvs=())

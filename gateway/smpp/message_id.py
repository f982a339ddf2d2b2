"""Message ids: opaque strings (SMPP 3.4 section 5.2.23) that some operators write in two ways.

The id of a submit_sm_resp may come back in the receipt as another numeral of the same number. An
exact match is always tried first; these readings serve only where there is none. Numbers are of any
size: ids above 64 bits are in use.
"""

from __future__ import annotations

import re
from typing import Final

#: What `message_id_form` may say: how ids of responses differ from those of receipts.
FORMS: Final = ("same", "hex_in_response", "decimal_in_response")

# ASCII only and bounded: int() itself takes signs, underscores and digits of other scripts.
_DECIMAL: Final = re.compile(r"[0-9]{1,65}")
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{1,65}")


def normalise_message_id(message_id: str, form: str) -> str:
    """The id of a submit_sm_resp as its receipt is expected to name it, for look-up.

    "hex_in_response": the decimal numeral, without leading zeros. "decimal_in_response": the
    hexadecimal one, in lower case, without leading zeros. "same", and an id that is no such
    numeral: unchanged, character by character. Compare with `fold_receipt_id` of the receipt's.
    """
    if form == "hex_in_response" and _HEXADECIMAL.fullmatch(message_id):
        return str(int(message_id, 16))
    if form == "decimal_in_response" and _DECIMAL.fullmatch(message_id):
        return f"{int(message_id):x}"
    return message_id


def fold_receipt_id(message_id: str, form: str) -> str:
    """The id of a receipt with the padding and case that `normalise_message_id` leaves out."""
    if form == "hex_in_response" and _DECIMAL.fullmatch(message_id):
        return message_id.lstrip("0") or "0"
    if form == "decimal_in_response" and _HEXADECIMAL.fullmatch(message_id):
        return message_id.lower().lstrip("0") or "0"
    return message_id


def same_id(one: str, other: str) -> bool:
    """Whether two ids *of one receipt* (its TLV and its text) can be one id written in two ways.

    Leading zeros, case, hyphens left out, and hexadecimal against decimal in either direction. Too
    generous to look a message up by: "10" and "16" pass.
    """
    if one == other:
        return True
    plain_one, plain_other = _plain(one), _plain(other)
    return (
        plain_one == plain_other
        or _hex_is_decimal(plain_one, plain_other)
        or _hex_is_decimal(plain_other, plain_one)
    )


def _plain(message_id: str) -> str:
    return message_id.replace("-", "").lower().lstrip("0")


def _hex_is_decimal(hexadecimal: str, decimal: str) -> bool:
    return (
        _HEXADECIMAL.fullmatch(hexadecimal) is not None
        and _DECIMAL.fullmatch(decimal) is not None
        and int(hexadecimal, 16) == int(decimal)
    )

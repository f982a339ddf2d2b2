"""Message ids: opaque strings (SMPP 3.4 section 5.2.23) that some operators write in two ways.

The id of a submit_sm_resp may come back in the receipt as another numeral of the same number. An
exact match is always tried first; these readings serve only where there is none. Numbers are of any
size: ids above 64 bits are in use.

A segment is filed under one key, made of the id of its response; a receipt is looked up by one or
more. Where the form is "auto" the key leaves out case and leading zeros, and the look-up reads the
id of the receipt in both bases: what that finds are candidates, and `matched_by` says how each one
fits. Whether a candidate is the one is judged with the recipient's number, never by the id alone:
an id of decimal digits is a hexadecimal numeral too.
"""

from __future__ import annotations

import re
from typing import Final

#: What `message_id_form` may say: how ids of responses differ from those of receipts.
FORMS: Final = ("same", "hex_in_response", "decimal_in_response", "auto")
#: How the id of a receipt was found to be that of a response, the plainest first: letter for
#: letter; but for case; but for leading zeros; hexadecimal in the response and decimal in the
#: receipt; the other way about.
RULES: Final = ("id", "case", "padding", "hex", "decimal")

# ASCII only and bounded: int() itself takes signs, underscores and digits of other scripts.
_DECIMAL: Final = re.compile(r"[0-9]{1,65}")
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{1,65}")


def normalise_message_id(message_id: str, form: str) -> str:
    """The id of a submit_sm_resp as its receipt is expected to name it, for look-up.

    "hex_in_response": the decimal numeral, without leading zeros. "decimal_in_response": the
    hexadecimal one, in lower case, without leading zeros. "auto": without leading zeros and case.
    "same", and an id that is no such numeral: unchanged, character by character. Compare with
    `fold_receipt_id` of the receipt's.
    """
    if form == "auto":
        return _folded(message_id)
    if form == "hex_in_response" and _HEXADECIMAL.fullmatch(message_id):
        return str(int(message_id, 16))
    if form == "decimal_in_response" and _DECIMAL.fullmatch(message_id):
        return f"{int(message_id):x}"
    return message_id


def fold_receipt_id(message_id: str, form: str) -> str:
    """The id of a receipt with the padding and case that `normalise_message_id` leaves out."""
    if form == "auto":
        return _folded(message_id)
    if form == "hex_in_response" and _DECIMAL.fullmatch(message_id):
        return message_id.lstrip("0") or "0"
    if form == "decimal_in_response" and _HEXADECIMAL.fullmatch(message_id):
        return message_id.lower().lstrip("0") or "0"
    return message_id


def look_up_keys(receipt_id: str, form: str) -> tuple[str, ...]:
    """The keys under which the response that *receipt_id* names may be filed, the plainest first.

    One, but where the form is "auto": there also those of the same number in the other base.
    """
    key = fold_receipt_id(receipt_id, form)
    return (key, *_other_bases(receipt_id)) if form == "auto" else (key,)


def orphan_keys(response_id: str, form: str) -> tuple[str, ...]:
    """The keys under which a receipt that came before its response may be filed.

    It was filed under `fold_receipt_id` of the id its TLV names, and its text may name the
    response's id in the other base (smpp.md, Q3); so both bases are looked up whatever the form.
    """
    keys = (normalise_message_id(response_id, form), *_other_bases(response_id))
    return tuple(dict.fromkeys(keys))


def matched_by(response_id: str, receipt_id: str) -> str | None:
    """By which of `RULES` the two are one id; None if by none of them."""
    if response_id == receipt_id:
        return "id"
    if response_id.lower() == receipt_id.lower():
        return "case"
    if _folded(response_id) == _folded(receipt_id):
        return "padding"
    if _hex_is_decimal(response_id, receipt_id):
        return "hex"
    return "decimal" if _hex_is_decimal(receipt_id, response_id) else None


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


def _folded(message_id: str) -> str:
    return message_id.lower().lstrip("0") or "0"


def _other_bases(message_id: str) -> tuple[str, ...]:
    """*message_id* read in each base it is a numeral of, written in the other one."""
    keys = []
    if _DECIMAL.fullmatch(message_id):
        keys.append(f"{int(message_id):x}")
    if _HEXADECIMAL.fullmatch(message_id):
        keys.append(str(int(message_id, 16)))
    return tuple(keys)


def _plain(message_id: str) -> str:
    return message_id.replace("-", "").lower().lstrip("0")


def _hex_is_decimal(hexadecimal: str, decimal: str) -> bool:
    return (
        _HEXADECIMAL.fullmatch(hexadecimal) is not None
        and _DECIMAL.fullmatch(decimal) is not None
        and int(hexadecimal, 16) == int(decimal)
    )

"""What the ledger has seen of an operator, as a proposal: settings and a dialect to be read by a
person. Nothing is changed by it, and what a word means is never guessed.
"""

from __future__ import annotations

import json
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any

from gateway.errors import AnswerIsNo
from gateway.smpp.consts import status_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.daemon.operator import Operator
    from gateway.ledger.reader import Reader

#: How many of the latest receipts and segments (of all operators) are looked at.
_LATEST = 100_000
_QUARTER_MS = 900_000
#: Zones reach that far; what is beyond is no zone but a wrong clock.
_ZONES_MS = (-12 * 3_600_000, 14 * 3_600_000)
_VENDOR = range(0x400, 0x500)
_FORMS = {"hex": "hex_in_response", "decimal": "decimal_in_response"}
_SEEN_AS = {
    "id": "written the same in answer and receipt",
    "case": "that differ in case",
    "padding": "that differ in leading zeros",
    "hex": "hexadecimal in the answer, decimal in the receipt",
    "decimal": "decimal in the answer, hexadecimal in the receipt",
    "recipient": "tied by recipient and time, for want of an id",
}


def learn(reader: Reader, operators: Mapping[str, Operator], name: str) -> dict[str, Any]:
    """The proposal for one operator: its parts, and `toml`, a dialect file with remarks.

    Raises:
        AnswerIsNo: no such operator, or it has sent no receipt yet.
    """
    operator = operators.get(name)
    if operator is None:
        raise AnswerIsNo(
            f"there is no operator {name!r}",
            hint=f"configured are {', '.join(operators)}",
            operator=name,
        )
    rows = reader.habits(name, _LATEST)
    if not rows:
        raise AnswerIsNo(
            f"{name} has sent no receipt yet",
            hint='send a few messages first, with message_id_form = "auto"',
            operator=name,
        )
    rules = Counter(row["matched_by"] for row in rows if row["matched_by"] is not None)
    words = Counter(
        row["message_state"]
        for row in rows
        if row["message_state"] and operator.dialect.state(row["message_state"]) is None
    )
    found: dict[str, Any] = {
        "operator": name,
        "receipts": len(rows),
        "unmatched": sum(row["submission"] is None for row in rows),
        "matched_by": dict(rules.most_common()),
        "message_id_form": _form(rules),
        "receipt_utc_offset": _offset(rows, operator.settings.receipt_utc_offset_s or 0),
        "unlisted": dict(words.most_common()),
        "statuses": {
            f"0x{status:03X}": count
            for status, count in reader.refusals(name, _LATEST).items()
            if status in _VENDOR or status_name(status).startswith("0x")
        },
    }
    return {**found, "toml": _toml(found, operator.dialect.name)}


def _form(rules: Counter[str]) -> str | None:
    """The form that all pairs show which ids tied; None if there are none, or of several kinds."""
    forms = {_FORMS.get(rule, "auto" if rule in ("case", "padding") else "same") for rule in rules}
    forms.discard("same" if rules.keys() == {"recipient"} else "")
    if not forms:
        return None
    return forms.pop() if len(forms) == 1 else "auto"


def _offset(rows: Sequence[Mapping[str, Any]], configured_s: int) -> str | None:
    """The zone in which the dates of the receipts are about when they arrived."""
    ahead = [row["done_ms"] - row["received_ms"] for row in rows if row["done_ms"] is not None]
    if not ahead:
        return None
    zone_ms = round((median(ahead) + configured_s * 1000) / _QUARTER_MS) * _QUARTER_MS
    if not _ZONES_MS[0] <= zone_ms <= _ZONES_MS[1]:
        return None
    minutes = abs(zone_ms) // 60_000
    return f"{'-' if zone_ms < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"


def _toml(found: Mapping[str, Any], dialect: str) -> str:
    name = found["operator"]
    lines = [f"# What {found['receipts']} receipts of {name} show. A proposal: read it first."]
    lines += [f"#   {count} {_SEEN_AS[rule]}" for rule, count in found["matched_by"].items()]
    if found["unmatched"]:
        lines.append(f"#   {found['unmatched']} that match nothing (acuse receipts list --orphans)")
    lines += ["#", f"# For [operators.{name}]:"]
    if found["message_id_form"] is not None:
        lines.append(f'#   message_id_form = "{found["message_id_form"]}"')
    if found["receipt_utc_offset"] is not None:
        lines.append(f'#   receipt_utc_offset = "{found["receipt_utc_offset"]}"')
    lines += ["", f'description = "{name}"', f'extends = "{dialect}"', "", "[status]"]
    for code, count in found["statuses"].items():
        lines.append(f"# {code}: {count} times. Final, unless you list it in temporary.")
    lines += ["", "[stat]"]
    for word, count in found["unlisted"].items():
        lines.append(f'# {json.dumps(word)} = "?"  # {count} times: ask the operator what it means')
    return "\n".join(lines) + "\n"

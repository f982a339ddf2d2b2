"""What of a message can be found in the files of a data directory, octet by octet."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.evidence.records import LEDGER_FILE
from gateway.smpp.text import encode_text

if TYPE_CHECKING:
    from pathlib import Path

#: Tables and columns that hold wrapped keys and ciphertext.
SEALED = {
    "submissions": ("key", "request"),
    "segments": ("submit", "response"),
    "receipts": ("key", "raw"),
    "inbound": ("key", "raw", "text"),
    "optouts": ("key", "number", "text"),
    "suppressions": ("number",),
    "consents": ("key", "number", "details", "withdrawal"),
    "consent_requests": ("key", "number", "details"),
    "chunks": ("key", "details"),
}
#: Octets of a sealed value that are looked for: a part of it may be left on a page.
_PIECE = 16


def packed(text: str) -> bytes:
    """*text* in 7-bit octets, as a message in the GSM alphabet is on the air (3GPP TS 23.038)."""
    bits = 0
    for at, char in enumerate(text.encode("ascii")):
        bits |= (char & 0x7F) << (7 * at)
    return bits.to_bytes((7 * len(text) + 7) // 8, "little")[:-1]


def plain_forms(number: str, text: str) -> dict[str, bytes]:
    """How *number* and *text* could stand in a file without encryption."""
    forms = {"text as segments": encode_text(text).parts[0]}
    for name, word in (("number", number[1:]), ("text", text)):
        forms[f"{name} in utf-8"] = word.encode()
        forms[f"{name} in utf-16-be"] = word.encode("utf-16-be")
        forms[f"{name} in utf-16-le"] = word.encode("utf-16-le")
    forms["text in septets"] = packed(text)
    forms["number in semi-octets"] = bytes.fromhex(number[1:] + "f" * (len(number[1:]) % 2))
    return forms


@dataclass
class Remains:
    """What was looked up before, to be looked for afterwards."""

    data: Path
    forms: dict[str, bytes] = field(default_factory=dict)

    def take(self, table: str, where: str = "1", *values: object) -> None:
        """Look for the sealed values of these rows from now on."""
        columns = SEALED[table]
        query = f"SELECT {', '.join(columns)} FROM {table} WHERE {where}"
        uri = f"{(self.data / LEDGER_FILE).as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            for row in connection.execute(query, values):
                for name, value in zip(columns, row, strict=True):
                    if value is not None:
                        for at in range(0, len(value) - 7, _PIECE):
                            piece = value[at : at + _PIECE]
                            self.forms[f"{table}.{name} {len(self.forms)}"] = piece

    def take_submission(self, submission_id: str) -> None:
        """Look for everything sealed under the key of a submission."""
        of = "(SELECT id FROM submissions WHERE submission_id=?)"
        self.take("submissions", "submission_id=?", submission_id)
        for table in ("segments", "receipts", "inbound"):
            self.take(table, f"submission={of}", submission_id)

    def take_file(self, path: Path) -> None:
        """Look for the secret in a key file."""
        self.forms[path.name] = path.read_bytes().split(b"\n")[1]

    def found(self) -> set[str]:
        """Names of what is in any file of the data directory."""
        files = [path for path in self.data.rglob("*") if path.is_file()]
        assert {path.name for path in files} >= {LEDGER_FILE, "person-key"}
        octets = [path.read_bytes() for path in files]
        return {
            name.rsplit(" ", 1)[0] if name[-1:].isdigit() else name
            for name, form in self.forms.items()
            if any(form in each for each in octets)
        }

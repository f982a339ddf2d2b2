"""What names a person and belongs to no message: receipts and replies that match nothing, and what
the lists of opt-outs and consents say.

Whose receipt or reply it is stands only in its PDU, so each is opened and read; for the rare
request of a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.daemon.matching import same_number
from gateway.errors import RemoteProtocolError, StorageError
from gateway.evidence.records import PERSON_BYTES
from gateway.evidence.vault import ContentCipher
from gateway.ledger.peoplereader import PeopleReader
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.wire import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.evidence.vault import Vault
    from gateway.ledger.due import Due
    from gateway.ledger.reader import Reader


class Found(NamedTuple):
    """Row ids of orphans, inbound PDUs and opt-outs; person and brand of opt-outs in lists; how
    many opt-outs there are, and how many consents.
    """

    orphans: list[int]
    inbound: list[int]
    optouts: list[int]
    suppressed: list[tuple[bytes, str]]
    left: int
    consents: int


class Strays:
    """Finds them by a reader and a vault."""

    def __init__(self, reader: Reader, due: Due, vault: Vault) -> None:
        self._people = PeopleReader(reader)
        self._due = due
        self._vault = vault

    def of(self, number: str) -> Found:
        """What names *number* (E.164)."""
        person = self._vault.person(number)[:PERSON_BYTES]
        alone = self._people.optouts_of(person)
        listed = self._people.suppressions_of(person)
        return Found(
            self._sealed("orphans", "receipt", "receipt", number),
            self._sealed("inbound", "inbound", "deliver", number),
            [row["id"] for row in alone if row["key"] is not None],
            [(row["person"], row["brand"]) for row in listed if row["number"] is not None],
            len(alone) + len(listed),
            len(self._people.consents_of(person, "")),
        )

    def _sealed(self, kind: str, owner: str, name: str, number: str) -> list[int]:
        return [
            row["id"]
            for row in self._due.sealed(kind)
            if self._is_from(row, f"{owner}:{row['id']}", name, number)
        ]

    def _is_from(self, row: Mapping[str, object], owner: str, name: str, number: str) -> bool:
        key, month, raw = row["key"], row["month"], row["raw"]
        assert isinstance(key, bytes)
        assert isinstance(month, str)
        assert isinstance(raw, bytes)
        try:
            cipher = ContentCipher(self._vault.unwrap(key, owner, month))
            pdu = decode(cipher.open_record(owner, name, raw))
        except (StorageError, RemoteProtocolError):
            return False  # nobody can read it, us included
        return isinstance(pdu, DeliverSm | DataSm) and same_number(number, pdu.source)

"""The list of people who want no more messages: every change is an entry and a row.

It counts at once, for what is queued too: policy asks the list again before a message leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.daemon.months import month_of
from gateway.errors import AnswerIsNo
from gateway.evidence.records import PERSON_BYTES
from gateway.evidence.vault import ContentCipher
from gateway.ledger.rows import OptoutRow

if TYPE_CHECKING:
    from gateway.daemon.sealer import Sealer
    from gateway.evidence.vault import Vault
    from gateway.ledger.store import Store

#: Letters of a source that are kept.
_SOURCE_MOST = 200


class Optouts:
    """Takes changes of the list into the open batch. *brand* is "" for all brands."""

    def __init__(self, store: Store, vault: Vault, sealer: Sealer) -> None:
        self._store = store
        self._vault = vault
        self._sealer = sealer

    def add(self, number: str, brand: str, source: str, now_ms: int) -> tuple[int, bool]:
        """Note that *number* wants no more messages; since when, and whether it was known."""
        person = self.person(number)
        known = [row for row in self._store.people.optouts(person) if row.brand == brand]
        if known:
            return known[0].added_ms, True
        source = source[:_SOURCE_MOST]
        key, month = self._vault.new_key(), month_of(now_ms)
        row_id = self._store.next_id(OptoutRow)
        owner = f"optout:{row_id}"
        wrapped = self._vault.wrap(key, owner, month)  # may fail: before anything is written
        seq = self._sealer.log_event(
            "x.OptOut",
            now_ms,
            key=key,
            content={"to": number.encode()},
            brand=brand,
            purpose="all",
            method=source,
        )
        self._store.put_new(
            OptoutRow(
                id=row_id,
                person=person,
                brand=brand,
                added_ms=now_ms,
                source=source,
                seq=seq,
                month=month,
                key=wrapped,
                number=ContentCipher(key).seal(owner, "number", number.encode()),
            )
        )
        return now_ms, False

    def remove(self, number: str, brand: str, source: str, now_ms: int) -> None:
        """*number* wants messages again.

        Raises:
            AnswerIsNo: it is not on the list for that brand.
        """
        known = [
            row for row in self._store.people.optouts(self.person(number)) if row.brand == brand
        ]
        if not known:
            raise AnswerIsNo(
                "there is no such opt-out", hint="`acuse optout list` shows them", brand=brand
            )
        key = self._vault.new_key()
        self._sealer.log_event(
            "x.Consent",
            now_ms,
            key=key,
            content={"to": number.encode()},
            brand=brand,
            purpose="optout_removed",
            method=source[:_SOURCE_MOST],
        )
        self._store.remove_optout(known[0])

    def person(self, number: str) -> bytes:
        """The keyed hash by which *number* (E.164) is known."""
        return self._vault.person(number)[:PERSON_BYTES]

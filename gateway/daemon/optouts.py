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
    from gateway.daemon.consents import Consents
    from gateway.daemon.sealer import Sealer
    from gateway.evidence.vault import Vault
    from gateway.ledger.rows import ConsentRow
    from gateway.ledger.store import Store

#: Letters of a source that are kept.
_SOURCE_MOST = 200


class Optouts:
    """Takes changes of the list into the open batch. *brand* is "" for all brands."""

    def __init__(self, store: Store, vault: Vault, sealer: Sealer, consents: Consents) -> None:
        self._store = store
        self._consents = consents
        self._vault = vault
        self._sealer = sealer

    def add(self, number: str, brand: str, source: str, now_ms: int) -> tuple[int, bool]:
        """Note that *number* wants no more messages; since when, and whether it was known."""
        person = self.person(number)
        people = self._store.people
        since = [row.added_ms for row in people.optouts(person) if row.brand == brand]
        since += [row.added_ms for row in people.suppressions(person) if row.brand == brand]
        if since:
            return min(since), True
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

    def remove(self, number: str, brand: str, source: str, now_ms: int) -> list[ConsentRow]:
        """*number* wants messages again; gives the consents that do not come back with that.

        Consent to reminders of carts is given anew or not at all: what there was is withdrawn.

        Raises:
            AnswerIsNo: it is not on the list for that brand.
        """
        people, person = self._store.people, self.person(number)
        known = [row for row in people.optouts(person) if row.brand == brand]
        listed = any(row.brand == brand for row in people.suppressions(person))
        if not known and not listed:
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
        for row in known:
            self._store.remove_optout(row)
        if listed:
            people.release(person, brand)
        return self._consents.revoke(number, brand, "cart", source="opt-out removed", now_ms=now_ms)

    def blocking(self, number: str, brand: str) -> str | None:
        """The brand of the opt-out that stops messages of *brand* to *number*, "" for all."""
        left = self._store.people.opted_out(self.person(number))
        return "" if "" in left else brand if brand in left else None

    def person(self, number: str) -> bytes:
        """The keyed hash by which *number* (E.164) is known."""
        return self._vault.person(number)[:PERSON_BYTES]

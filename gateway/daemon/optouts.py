"""The list of people who want no more messages: every change is an entry and a row.

It counts at once, for what is queued too: policy asks the list again before a message leaves. What
only sounds like an opt-out is on the list as suspected: it blocks advertising until a person has
read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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

#: How a word that somebody wrote stands in `source`; such an opt-out a word takes back.
BY_REPLY: Final = "reply "
#: `source` of what only sounds like an opt-out.
SUSPECTED: Final = "suspected"
#: What a person may say of one that is suspected.
RESOLUTIONS: Final = ("optout", "dismiss")
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
        """Note that *number* wants no more messages; since when, and whether it was known.

        What was only suspected is an opt-out from now on.
        """
        person = self.person(number)
        known = self._of(number, brand)
        since = [row.added_ms for row in known if not row.suspected]
        listed = self._store.people.suppressions(person)
        since += [row.added_ms for row in listed if row.brand == brand]
        if since:
            return min(since), True
        for row in known:
            self._store.remove_optout(row)
        self._put(number, brand, source, now_ms)
        return now_ms, False

    def suspect(self, number: str, brand: str, text: str, now_ms: int) -> bool:
        """Note that *text* of *number* sounds like an opt-out; False if there is one already."""
        if brand in self._store.people.opted_out(self.person(number)):
            return False
        self._put(number, brand, SUSPECTED, now_ms, text)
        return True

    def suspected(self, number: str) -> list[str]:
        """The brands for which *number* is suspected."""
        rows = self._store.people.optouts(self.person(number))
        return [row.brand for row in rows if row.suspected]

    def resolve(self, number: str, brand: str, said: str, by: str, now_ms: int) -> None:
        """A person read what *number* wrote: it is an opt-out, or it is not ("dismiss").

        Raises:
            AnswerIsNo: nothing of that brand waits to be read.
        """
        known = [row for row in self._of(number, brand) if row.suspected]
        if not known:
            raise AnswerIsNo(
                "nothing this recipient wrote waits to be read",
                hint="`acuse optout list --suspected` shows what does",
                brand=brand,
            )
        if said == "optout":
            self.add(number, brand, f"read by {by}", now_ms)
            return
        self._event("x.OptOut", number, now_ms, brand=brand, purpose="dismissed", method=by)
        self._store.remove_optout(known[0])

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
        method = source[:_SOURCE_MOST]
        self._event(
            "x.Consent", number, now_ms, brand=brand, purpose="optout_removed", method=method
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

    def take_back(self, number: str, brand: str, source: str, now_ms: int) -> bool | None:
        """*number* takes back by a word what they said by words; whether there was anything.

        None: they opted out in another way, and that stays.
        """
        listed = self._store.people.suppressions(self.person(number))
        if any(row.brand == brand for row in listed):
            return None
        known = self._of(number, brand)
        if not known:
            return False
        if not (known[0].suspected or known[0].source.startswith(BY_REPLY)):
            return None
        self.remove(number, brand, source, now_ms)
        return True

    def person(self, number: str) -> bytes:
        """The keyed hash by which *number* (E.164) is known."""
        return self._vault.person(number)[:PERSON_BYTES]

    # -- inside --------------------------------------------------------------------------------

    def _of(self, number: str, brand: str) -> list[OptoutRow]:
        rows = self._store.people.optouts(self.person(number))
        return [row for row in rows if row.brand == brand]

    def _put(
        self, number: str, brand: str, source: str, now_ms: int, suspect: str | None = None
    ) -> None:
        source = source[:_SOURCE_MOST]
        key, month = self._vault.new_key(), month_of(now_ms)
        row_id = self._store.next_id(OptoutRow)
        owner = f"optout:{row_id}"
        wrapped = self._vault.wrap(key, owner, month)  # may fail: before anything is written
        purpose = "all" if suspect is None else "advertising"
        seq = self._event(
            "x.OptOut", number, now_ms, key, brand=brand, purpose=purpose, method=source
        )
        cipher = ContentCipher(key)
        self._store.put_new(
            OptoutRow(
                id=row_id,
                person=self.person(number),
                brand=brand,
                added_ms=now_ms,
                source=source,
                seq=seq,
                month=month,
                key=wrapped,
                number=cipher.seal(owner, "number", number.encode()),
                suspected=int(suspect is not None),
                text=None if suspect is None else cipher.seal(owner, "text", suspect.encode()),
            )
        )

    def _event(
        self, event: str, number: str, now_ms: int, key: bytes | None = None, **body: object
    ) -> int:
        content = {"to": number.encode()}
        return self._sealer.log_event(
            event, now_ms, key=key or self._vault.new_key(), content=content, **body
        )

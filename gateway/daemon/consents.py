"""The registry of consents: who allowed what, in which words, how, when, and since when no more.

Every change is a ledger entry that commits to the number, the exact text and the evidence, and a
row that keeps them encrypted. Nothing is overwritten: a new consent is a new record, a withdrawal
a date on the old one. It counts at once, for what is held and queued too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from gateway.clock import to_datetime
from gateway.daemon.months import month_of
from gateway.daemon.terms import (
    SOURCE_MOST,
    by,
    check_grant,
    content_of,
    details_of,
    is_same,
    text_hash,
)
from gateway.errors import AnswerIsNo
from gateway.evidence.records import PERSON_BYTES
from gateway.evidence.vault import ContentCipher
from gateway.ledger import canonical
from gateway.ledger.entry import time_text
from gateway.ledger.rows import ConsentRequestRow, ConsentRow
from gateway.policy.facts import Consent
from gateway.policy.rules import METHODS, PURPOSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.sealer import Sealer
    from gateway.evidence.vault import Vault
    from gateway.ledger.store import Store
    from gateway.policy.rules import Method, Purpose

_Row = TypeVar("_Row", ConsentRow, ConsentRequestRow)

#: How long an answer to a request confirms it.
REQUEST_MS: Final = 24 * 3_600_000
_PURPOSE: Final[dict[str, Purpose]] = {purpose: purpose for purpose in PURPOSES}
_METHOD: Final[dict[str, Method]] = {method: method for method in METHODS}


class Consents:
    """Takes changes of the registry into the open batch, and answers what stands."""

    def __init__(self, store: Store, vault: Vault, sealer: Sealer) -> None:
        self._store = store
        self._vault = vault
        self._sealer = sealer

    # -- changes -------------------------------------------------------------------------------

    def grant(
        self,
        number: str,
        brand: str,
        purpose: str,
        method: str,
        *,
        text: str | None,
        source: str | None,
        at_ms: int | None,
        now_ms: int,
        actor: str = "",
        evidence: Mapping[str, str] | None = None,
    ) -> tuple[ConsentRow, bool]:
        """Note that *number* consented at *at_ms* (None: now); the record, and if it was known.

        *method* "double" states that somebody else had it confirmed: *source* says where. An
        opt-out of the person stays: whoever left comes back by taking it off the list.

        Raises:
            DataError: a purpose, method or time that cannot be.
        """
        check_grant(purpose, method, text, source, at_ms, now_ms)
        details = details_of(text, source, evidence)
        granted_ms = now_ms if at_ms is None else at_ms
        person = self.person(number)
        for row in self._store.people.consents(person):
            if at_ms is not None and is_same(row, brand, purpose, method, granted_ms, text):
                return row, True
        row = self._record(
            number, brand, purpose, method, granted_ms, now_ms, details, actor, act="grant"
        )
        return row, False

    def request(
        self,
        number: str,
        brand: str,
        purpose: str,
        *,
        text: str | None,
        source: str | None,
        now_ms: int,
        actor: str = "",
        evidence: Mapping[str, str] | None = None,
    ) -> ConsentRequestRow:
        """Note that *number* was asked to confirm (double opt-in): no consent until they do.

        An older request for the same brand and purpose is taken back: the new one counts.

        Raises:
            DataError: a purpose that cannot be, or evidence that is too long.
        """
        check_grant(purpose, "single", text, source, None, now_ms)
        details = details_of(text, source, evidence)
        person = self.person(number)
        for older in self._store.people.requests(person):
            if (older.brand, older.purpose) == (brand, purpose):
                self._close(older, now_ms)
        key, month = self._vault.new_key(), month_of(now_ms)
        row_id = self._store.next_id(ConsentRequestRow)
        owner = f"consent_request:{row_id}"
        wrapped = self._vault.wrap(key, owner, month)  # may fail: before anything is written
        expires_ms = now_ms + REQUEST_MS
        seq = self._sealer.log_event(
            "x.Consent",
            now_ms,
            key=key,
            content=content_of(number, details),
            brand=brand,
            purpose=purpose,
            method="double",
            act="request",
            expires=time_text(expires_ms),
            **by(actor),
        )
        cipher = ContentCipher(key)
        row = ConsentRequestRow(
            id=row_id,
            person=person,
            brand=brand,
            purpose=purpose,
            asked_ms=now_ms,
            expires_ms=expires_ms,
            actor=actor,
            text_hash=text_hash(text),
            seq=seq,
            month=month,
            key=wrapped,
            number=cipher.seal(owner, "number", number.encode()),
            details=cipher.seal(owner, "details", canonical.encode(details)),
        )
        self._store.put_new(row)
        return row

    def confirm(
        self,
        person: bytes,
        brand: str,
        purpose: str,
        *,
        answer: str,
        now_ms: int,
        actor: str = "",
    ) -> ConsentRow:
        """The person answered the request for *brand* and *purpose*: from now on it is a consent.

        Raises:
            AnswerIsNo: nothing was asked in the last 24 hours, or it was answered already.
        """
        asked = [
            row
            for row in self.pending(person, now_ms)
            if (row.brand, row.purpose) == (brand, purpose)
        ]
        if not asked:
            raise AnswerIsNo(
                f"nothing waits for a confirmation for {purpose}",
                hint="a request counts for 24 hours and is answered once: ask again",
                brand=brand,
                purpose=purpose,
            )
        request = asked[-1]
        number, details = self.opened(request)
        details["answer"] = answer[:SOURCE_MOST]
        self._close(request, now_ms)
        return self._record(
            number, brand, purpose, "double", now_ms, now_ms, details, actor, "confirm", request
        )

    def withdraw(
        self,
        number: str,
        brand: str,
        purpose: str = "all",
        *,
        source: str | None,
        now_ms: int,
        actor: str = "",
    ) -> list[ConsentRow]:
        """*number* takes back what it consented to, for *purpose* or for "all"; what stood.

        Requests that wait for an answer are taken back as well. *brand* "" means every brand.

        Raises:
            AnswerIsNo: there is nothing to take back.
        """
        standing, requests = self._open(number, brand, purpose)
        if not standing and not requests:
            raise AnswerIsNo(
                "there is no consent to withdraw",
                hint="`acuse consent show` shows what there is; `acuse optout add` stops messages"
                " that need no consent too",
                brand=brand,
                purpose=purpose,
            )
        return self.revoke(number, brand, purpose, source=source, now_ms=now_ms, actor=actor)

    def revoke(
        self,
        number: str,
        brand: str,
        purpose: str,
        *,
        source: str | None,
        now_ms: int,
        actor: str = "",
    ) -> list[ConsentRow]:
        """`withdraw`, where it is no matter if there is nothing to take back."""
        standing, requests = self._open(number, brand, purpose)
        details = details_of(None, source, None)
        for request in requests:
            self._close(request, now_ms)
        concerned = {(row.brand, row.purpose) for row in standing}
        concerned |= {(row.brand, row.purpose) for row in requests}
        for one_brand, one_purpose in sorted(concerned):
            of = [row for row in standing if (row.brand, row.purpose) == (one_brand, one_purpose)]
            key, owner = self._key_of(of[-1]) if of else (self._vault.new_key(), "")
            seq = self._sealer.log_event(
                "x.Consent",
                now_ms,
                key=key,
                content=content_of(number, details),
                brand=one_brand,
                purpose=one_purpose,
                method="withdrawn",
                act="withdraw",
                of=[row.seq for row in of],
                **by(actor),
            )
            for row in of:
                row.withdrawn_ms, row.withdrawn_seq = now_ms, seq
                self._store.put(row)
            if of and details:
                sealed = ContentCipher(key).seal(owner, "withdrawal", canonical.encode(details))
                of[-1].withdrawal = sealed
        return standing

    # -- what stands ---------------------------------------------------------------------------

    def pending(self, person: bytes, now_ms: int) -> list[ConsentRequestRow]:
        """The requests an answer of the person would confirm now, oldest first."""
        return [row for row in self._store.people.requests(person) if now_ms < row.expires_ms]

    def of(self, person: bytes, brand: str) -> tuple[Consent, ...]:
        """What the person consented to of that brand, withdrawn consents with their date."""
        return tuple(
            Consent(
                _PURPOSE[purpose],
                _METHOD[method],
                to_datetime(granted_ms),
                None if withdrawn_ms is None else to_datetime(withdrawn_ms),
            )
            for purpose, method, granted_ms, withdrawn_ms in self._store.people.given(person, brand)
        )

    def person(self, number: str) -> bytes:
        """The keyed hash by which *number* (E.164) is known."""
        return self._vault.person(number)[:PERSON_BYTES]

    def opened(self, row: ConsentRequestRow) -> tuple[str, dict[str, str]]:
        """The number and the details of a request.

        Raises:
            StorageError: its key is gone, or the row is damaged.
        """
        owner = f"consent_request:{row.id}"
        cipher = ContentCipher(self._vault.unwrap(row.key or b"", owner, row.month))
        number = cipher.open_record(owner, "number", row.number or b"").decode()
        details: dict[str, str] = orjson.loads(
            cipher.open_record(owner, "details", row.details or b"")
        )
        return number, details

    # -- inside --------------------------------------------------------------------------------

    def _record(
        self,
        number: str,
        brand: str,
        purpose: str,
        method: str,
        granted_ms: int,
        now_ms: int,
        details: dict[str, str],
        actor: str,
        act: str,
        request: ConsentRequestRow | None = None,
    ) -> ConsentRow:
        key, month = self._vault.new_key(), month_of(now_ms)
        row_id = self._store.next_id(ConsentRow)
        owner = f"consent:{row_id}"
        wrapped = self._vault.wrap(key, owner, month)  # may fail: before anything is written
        body: dict[str, Any] = {"act": act, "at": time_text(granted_ms), **by(actor)}
        if request is not None:
            body["of"] = [request.seq]
        seq = self._sealer.log_event(
            "x.Consent",
            now_ms,
            key=key,
            content=content_of(number, details),
            brand=brand,
            purpose=purpose,
            method=method,
            **body,
        )
        cipher = ContentCipher(key)
        row = ConsentRow(
            id=row_id,
            person=self.person(number),
            brand=brand,
            purpose=purpose,
            method=method,
            granted_ms=granted_ms,
            added_ms=now_ms,
            actor=actor,
            text_hash=text_hash(details.get("text")),
            seq=seq,
            month=month,
            key=wrapped,
            number=cipher.seal(owner, "number", number.encode()),
            details=cipher.seal(owner, "details", canonical.encode(details)),
            request=None if request is None else request.id,
        )
        self._store.put_new(row)
        return row

    def _key_of(self, row: ConsentRow) -> tuple[bytes, str]:
        """The key of a record and whose it is; a fresh one where its content was erased."""
        owner = f"consent:{row.id}"
        if row.key is not None:
            return self._vault.unwrap(row.key, owner, row.month), owner
        chunk = None if row.chunk is None else self._store.people.chunk(row.chunk)
        if chunk is None or chunk.key is None:
            return self._vault.new_key(), owner
        return self._vault.unwrap(chunk.key, f"chunk:{chunk.id}", chunk.month), owner

    def _close(self, request: ConsentRequestRow, now_ms: int) -> None:
        request.closed_ms = now_ms
        self._store.put(request)

    def _open(
        self, number: str, brand: str, purpose: str
    ) -> tuple[list[ConsentRow], list[ConsentRequestRow]]:
        """What could be taken back: consents that stand, and requests that wait."""
        person = self.person(number)
        standing = self._meant(self._store.people.consents(person), brand, purpose)
        requests = self._meant(self._store.people.requests(person), brand, purpose)
        return [row for row in standing if row.withdrawn_ms is None], requests

    @staticmethod
    def _meant(rows: list[_Row], brand: str, purpose: str) -> list[_Row]:
        return [
            row
            for row in rows
            if brand in ("", row.brand) and (purpose == "all" or purpose == row.purpose)
        ]

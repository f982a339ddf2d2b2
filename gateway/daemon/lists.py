"""Long lists of opt-outs and consents, taken chunk by chunk.

A chunk is one entry that commits to the root over its rows, one key, and slim rows: ten million
opt-outs fit where as many entries would not. Each chunk is durable by itself, and what is known
already is not taken again, so that an import that was cut off is simply run again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from gateway.clock import parse_instant
from gateway.daemon.months import month_of
from gateway.daemon.terms import (
    EARLIEST_MS,
    EVIDENCE,
    EVIDENCE_MOST,
    SOURCE_MOST,
    check_grant,
    is_same,
    text_hash,
)
from gateway.errors import DataError
from gateway.evidence.numbers import seal_number
from gateway.evidence.people import person_from, who_of
from gateway.evidence.records import PERSON_BYTES
from gateway.evidence.vault import ContentCipher
from gateway.ledger import canonical
from gateway.ledger.lists import list_root, row_commitments, row_value
from gateway.ledger.rows import ChunkRow, ConsentRow, Suppression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.daemon.reading import SubmissionReader
    from gateway.daemon.sealer import Sealer
    from gateway.evidence.vault import Vault
    from gateway.ledger.store import Store

#: Rows of one chunk at most: more would hold up the messages that share its batch.
ROWS_MOST: Final = 2000
_OPTOUT_FIELDS: Final = frozenset({"to", "brand", "source", "at"})
_CONSENT_FIELDS: Final = frozenset(
    {"to", "brand", "purpose", "method", "text", "source", "at", "withdrawn_at", *EVIDENCE}
)


@dataclass(slots=True)
class _Item:
    """One row that was read and found possible. `number` None: only the keyed hash is known."""

    person: bytes
    number: str | None
    brand: str
    source: str
    at_ms: int
    purpose: str = ""
    method: str = ""
    text: str | None = None
    withdrawn_ms: int | None = None
    evidence: dict[str, str] = field(default_factory=dict)

    def value(self) -> bytes:
        """What the list commits to for this row."""
        return row_value(
            who_of(self.person, self.number),
            self.at_ms,
            source=self.source,
            text=self.text,
            withdrawn_ms=self.withdrawn_ms,
            evidence=self.evidence,
        )


class Lists:
    """Takes chunks into the open batch; a row that cannot be is reported and the others go in."""

    def __init__(
        self, store: Store, vault: Vault, sealer: Sealer, reader: SubmissionReader
    ) -> None:
        self._store = store
        self._vault = vault
        self._sealer = sealer
        self._reader = reader

    def take_optouts(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """A chunk of opt-outs (`rows`); with `dry_run` it is only checked.

        Raises:
            DataError: the chunk is none, or too long.
        """
        items, rejected = self._read(args, self._optout, now_ms)
        fresh = _first_of_each(items, lambda item: (item.person, item.brand))
        fresh = [item for item in fresh if not self._is_known_optout(item)]
        if not args.get("dry_run"):
            for brand in sorted({item.brand for item in fresh}):
                several = [item for item in fresh if item.brand == brand]
                self._put_optouts(several, brand, actor, now_ms)
        return _outcome(len(fresh), len(items) - len(fresh), rejected)

    def take_consents(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """A chunk of consents, like `take_optouts`."""
        items, rejected = self._read(args, self._consent, now_ms)
        fresh = _first_of_each(items, _consent_key)
        fresh = [item for item in fresh if not self._is_known_consent(item)]
        if not args.get("dry_run"):
            for kind in sorted({(item.brand, item.purpose, item.method) for item in fresh}):
                several = [
                    item for item in fresh if (item.brand, item.purpose, item.method) == kind
                ]
                self._put_consents(several, actor, now_ms)
        return _outcome(len(fresh), len(items) - len(fresh), rejected)

    # -- reading -------------------------------------------------------------------------------

    @staticmethod
    def _read(
        args: Mapping[str, Any], read: Callable[[Mapping[str, Any], int], _Item], now_ms: int
    ) -> tuple[list[_Item], list[dict[str, object]]]:
        rows = args.get("rows")
        if not isinstance(rows, list) or not 1 <= len(rows) <= ROWS_MOST:
            raise DataError(
                f"rows must be a list of 1 to {ROWS_MOST}", hint="send more chunks", field="rows"
            )
        items: list[_Item] = []
        rejected: list[dict[str, object]] = []
        for number, row in enumerate(rows):
            try:
                items.append(read(row if isinstance(row, dict) else {}, now_ms))
            except DataError as error:
                field_ = error.fields.get("field")
                rejected.append({"row": number, "field": field_, "reason": error.message})
        return items, rejected

    def _optout(self, row: Mapping[str, Any], now_ms: int) -> _Item:
        given = _texts(row, _OPTOUT_FIELDS)
        person, number = self._who(given)
        brand = given.get("brand", "")
        if brand:
            self._reader.brand(brand)
        at_ms = _instant(given, "at", now_ms)
        return _Item(person, number, brand, given.get("source", ""), at_ms)

    def _consent(self, row: Mapping[str, Any], now_ms: int) -> _Item:
        given = _texts(row, _CONSENT_FIELDS)
        person, number = self._who(given)
        brand = self._reader.brand(given.get("brand"))
        at_ms = _instant(given, "at", now_ms)
        purpose, method = given.get("purpose", ""), given.get("method", "")
        text, source = given.get("text"), given.get("source", "")
        check_grant(purpose, method, text, source, at_ms, now_ms)
        item = _Item(person, number, brand, source, at_ms, purpose, method, text)
        if "withdrawn_at" in given:
            item.withdrawn_ms = _instant(given, "withdrawn_at", now_ms)
            if item.withdrawn_ms < at_ms:
                raise DataError(
                    "withdrawn_at is before at", hint="mend the line", field="withdrawn_at"
                )
        item.evidence = {name: given[name] for name in EVIDENCE if name in given}
        return item

    def _who(self, given: Mapping[str, str]) -> tuple[bytes, str | None]:
        to = given.get("to")
        if to is None:
            raise DataError("to is missing", hint="give the number as +34…", field="to")
        person = person_from(to, self._vault)
        if person is not None:
            return person, None
        number = self._reader.number(to)
        return self._vault.person(number)[:PERSON_BYTES], number

    def _is_known_optout(self, item: _Item) -> bool:
        return item.brand in self._store.people.opted_out(item.person)

    def _is_known_consent(self, item: _Item) -> bool:
        known = self._store.people.consents(item.person)
        return any(
            is_same(row, item.brand, item.purpose, item.method, item.at_ms, item.text)
            for row in known
        )

    # -- writing -------------------------------------------------------------------------------

    def _put_optouts(self, items: Sequence[_Item], brand: str, actor: str, now_ms: int) -> None:
        sources = list(dict.fromkeys(item.source for item in items))
        places = {source: place for place, source in enumerate(sources)}
        body = {"brand": brand, "purpose": "all", "method": "import"}
        chunk, key = self._chunk("x.OptOut", body, items, {"sources": sources}, actor, now_ms)
        self._store.people.suppress(
            Suppression(
                person=item.person,
                brand=brand,
                chunk=chunk.id,
                place=place,
                source=places[item.source],
                added_ms=item.at_ms,
                number=seal_number(key, item.person, item.number) if item.number else None,
            )
            for place, item in enumerate(items)
        )

    def _put_consents(self, items: Sequence[_Item], actor: str, now_ms: int) -> None:
        first = items[0]
        texts = {
            sha256(text.encode()).hexdigest(): text
            for text in {item.text for item in items}
            if text
        }
        body = {"brand": first.brand, "purpose": first.purpose, "method": first.method}
        body["act"] = "import"
        chunk, key = self._chunk("x.Consent", body, items, {"texts": texts}, actor, now_ms)
        cipher = ContentCipher(key)
        for place, item in enumerate(items):
            row_id = self._store.next_id(ConsentRow)
            owner = f"consent:{row_id}"
            details = {**({"source": item.source} if item.source else {}), **item.evidence}
            row = ConsentRow(
                id=row_id,
                person=item.person,
                brand=item.brand,
                purpose=item.purpose,
                method=item.method,
                granted_ms=item.at_ms,
                added_ms=now_ms,
                actor=actor,
                text_hash=text_hash(item.text),
                seq=chunk.seq,
                month=chunk.month,
                key=None,
                number=seal_number(key, item.person, item.number) if item.number else None,
                details=cipher.seal(owner, "details", canonical.encode(details)),
                chunk=chunk.id,
                place=place,
                withdrawn_ms=item.withdrawn_ms,
            )
            self._store.put_new(row)

    def _chunk(
        self,
        event: str,
        body: dict[str, Any],
        items: Sequence[_Item],
        details: dict[str, Any],
        actor: str,
        now_ms: int,
    ) -> tuple[ChunkRow, bytes]:
        """The entry of a chunk and its row; the key it is sealed under."""
        key, month = self._vault.new_key(), month_of(now_ms)
        row_id = self._store.next_id(ChunkRow)
        owner = f"chunk:{row_id}"
        wrapped = self._vault.wrap(key, owner, month)  # may fail: before anything is written
        leaves = row_commitments(key, self._store.size, [item.value() for item in items])
        body["list"] = {"count": len(items), "root": list_root(leaves).hex()}
        if actor:
            body["by"] = actor
        row = ChunkRow(
            id=row_id,
            kind="optout" if event == "x.OptOut" else "consent",
            brand=body["brand"],
            count=len(items),
            added_ms=now_ms,
            actor=actor,
            seq=self._sealer.log_event(event, now_ms, **body),
            month=month,
            key=wrapped,
            details=ContentCipher(key).seal(owner, "details", canonical.encode(details)),
            leaves=leaves,
        )
        self._store.put_new(row)
        return row, key


def _texts(row: Mapping[str, Any], known: frozenset[str]) -> dict[str, str]:
    for name, value in row.items():
        if name not in known:
            raise DataError(
                f"{str(name)[:40]!r} is not a column",
                hint=f"known are {', '.join(sorted(known))}",
                field=str(name)[:40],
            )
        if not isinstance(value, str | None):
            raise DataError(f"{name} must be text", hint="put it in quotes", field=name)
    given = {name: value.strip() for name, value in row.items() if value and value.strip()}
    if len(given.get("source", "")) > SOURCE_MOST:
        raise DataError(
            f"source is longer than {SOURCE_MOST} characters", hint="shorten it", field="source"
        )
    for name in EVIDENCE:
        if len(given.get(name, "")) > EVIDENCE_MOST:
            raise DataError(f"{name} is too long", hint="shorten it", field=name)
    return given


def _instant(given: Mapping[str, str], name: str, now_ms: int) -> int:
    """The time in that column, now where there is none."""
    if name not in given:
        return now_ms
    at_ms = parse_instant(given[name], field=name)
    if at_ms > now_ms:
        raise DataError(f"{name} is in the future", hint="is the clock right?", field=name)
    if at_ms < EARLIEST_MS:
        raise DataError(f"{name} is before 2000", hint="is the year right?", field=name)
    return at_ms


def _first_of_each(items: Sequence[_Item], key: Callable[[_Item], object]) -> list[_Item]:
    found: dict[object, _Item] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())


def _consent_key(item: _Item) -> object:
    return item.person, item.brand, item.purpose, item.method, item.at_ms, item.text


def _outcome(added: int, known: int, rejected: list[dict[str, object]]) -> dict[str, Any]:
    return {"added": added, "known": known, "rejected": rejected}

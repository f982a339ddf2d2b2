"""What persons allow, as people and programs see it: consents, opt-outs, registries, and the proof
of each.

Read from the ledger file and the vault. Whose number is gone, erased or never kept, is shown as a
keyed hash (`evidence.people`).
"""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.clock import optional_text, to_seconds_text
from gateway.errors import DataError, StorageError
from gateway.evidence.numbers import open_number
from gateway.evidence.people import person_from, person_text, who_of
from gateway.evidence.personproof import PersonProofs
from gateway.evidence.records import PERSON_BYTES
from gateway.evidence.vault import ContentCipher
from gateway.ledger import canonical
from gateway.ledger.lists import row_value
from gateway.ledger.peoplereader import PeopleReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.evidence.vault import Vault
    from gateway.ledger.reader import Reader

#: Chunks of lists that are kept open; one may have a thousand sources of its own.
_CHUNKS_OPEN: Final = 1024
_EVIDENCE: Final[tuple[str, ...]] = ("locale", "url", "form_id")


class _Chunk(NamedTuple):
    """The opened key of a chunk, and what its rows have in common."""

    key: bytes
    cipher: ContentCipher
    sources: list[str]
    texts: dict[str, str]


class PersonRecords:
    """Answers questions about persons from a reader and a vault."""

    def __init__(self, reader: Reader, vault: Vault) -> None:
        self._reader = reader
        self._vault = vault
        self._people = PeopleReader(reader)
        self._proofs = PersonProofs(reader)
        self._chunk = lru_cache(_CHUNKS_OPEN)(self._read_chunk)

    def forget(self) -> None:
        """Keep no key open: some of them are destroyed."""
        self._chunk.cache_clear()

    # -- one person ----------------------------------------------------------------------------

    def optout(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The opt-outs of one person with their proofs, and the registries that list them."""
        person = self._person(args)
        with self._reader.snapshot():
            alone = [
                {**self._optout(row), "proof": self._proofs.single(row["seq"], *self._opened(row))}
                for row in self._people.optouts_of(person)
            ]
            of_lists = [
                {**self._suppression(row), "proof": self._list_proof(row)}
                for row in self._people.suppressions_of(person)
            ]
            rows = alone + of_lists
            return {
                "to": rows[0]["to"] if rows else args["to"],
                "opted_out": rows,
                "registries": [_snapshot(row) for row in self._people.listings_of(person)],
            }

    def consent(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The consents of one person with their proofs, oldest first, and what was asked."""
        person, brand = self._person(args), _text(args, "brand")
        with self._reader.snapshot():
            shown = [
                {**self._consent(row), "proofs": self._consent_proofs(row)}
                for row in self._people.consents_of(person, brand)
            ]
            left = [*self._people.optouts_of(person), *self._people.suppressions_of(person)]
            return {
                "to": shown[0]["to"] if shown else args["to"],
                "consents": shown,
                "requests": [_request(row) for row in self._people.requests_of(person, brand)],
                "opted_out": [row["brand"] or None for row in left],
            }

    # -- lists ---------------------------------------------------------------------------------

    def optouts(self, args: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Opt-outs: those given one by one, newest first, then those that came in lists."""
        return islice(self._optouts(args), _limit(args))

    def export_optouts(self, args: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Every opt-out as a row that an import reads back."""
        for shown in self._optouts(args):
            yield {
                "to": shown["to"],
                "brand": shown["brand"] or "",
                "source": shown["source"] or "",
                "at": shown["added_at"],
            }

    def consents(self, args: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Consents, newest first."""
        return islice(self._consents(args), _limit(args))

    def export_consents(self, args: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Every consent as a row that an import reads back, newest first."""
        for shown in self._consents(args):
            yield {
                "to": shown["to"],
                "brand": shown["brand"],
                "purpose": shown["purpose"],
                "method": shown["method"],
                "text": shown["text"] or "",
                "source": shown["source"] or "",
                "at": shown["granted_at"],
                "withdrawn_at": shown["withdrawn_at"] or "",
                **{name: shown["evidence"].get(name, "") for name in _EVIDENCE},
            }

    def registries(self, args: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The snapshot that counts, of each registry that was imported."""
        return map(_snapshot, self._people.snapshots())

    # -- rows ----------------------------------------------------------------------------------

    def _optouts(self, args: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        brand = _text(args, "brand")
        if args.get("suspected"):
            yield from map(self._optout, self._people.suspected(brand))
            return
        yield from map(self._optout, self._people.optouts(brand))
        yield from map(self._suppression, self._people.suppressions(brand))

    def _consents(self, args: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        rows = self._people.consents(_text(args, "brand"), _text(args, "purpose"))
        return map(self._consent, rows)

    def _optout(self, row: Mapping[str, Any]) -> dict[str, Any]:
        key, content = self._opened(row)
        number = content.get("to", b"").decode()
        shown = self._left(row, number or None, row["source"])
        if not row["suspected"]:
            return shown
        said = None
        if key is not None and row["text"] is not None:
            owner = f"optout:{row['id']}"
            said = ContentCipher(key).open_record(owner, "text", row["text"]).decode()
        return {**shown, "suspected": True, "text": said}

    def _suppression(self, row: Mapping[str, Any]) -> dict[str, Any]:
        chunk = self._chunk(row["chunk"])
        source = None if chunk is None else chunk.sources[row["source"]]
        return self._left(row, self._number(row, chunk), source or None)

    def _left(
        self, row: Mapping[str, Any], number: str | None, source: str | None
    ) -> dict[str, Any]:
        return {
            "to": number or person_text(row["person"], self._vault),
            "brand": row["brand"] or None,
            "added_at": to_seconds_text(row["added_ms"]),
            "source": source,
        }

    def _opened(self, row: Mapping[str, Any]) -> tuple[bytes | None, dict[str, bytes]]:
        """The key of an opt-out that was given alone, and what its entry commits to."""
        if row["key"] is None or row["number"] is None:
            return None, {}
        owner = f"optout:{row['id']}"
        key = self._vault.unwrap(row["key"], owner, row["month"])
        return key, {"to": ContentCipher(key).open_record(owner, "number", row["number"])}

    def _consent(self, row: Mapping[str, Any]) -> dict[str, Any]:
        _, number, details, withdrawal = self._open_consent(row)
        known = row["text_hash"]
        return {
            "to": number or person_text(row["person"], self._vault),
            "brand": row["brand"],
            "purpose": row["purpose"],
            "method": row["method"],
            "granted_at": to_seconds_text(row["granted_ms"]),
            "recorded_at": to_seconds_text(row["added_ms"]),
            "withdrawn_at": optional_text(row["withdrawn_ms"]),
            "text": details.get("text"),
            "text_sha256": None if known is None else known.hex(),
            "source": details.get("source"),
            "answer": details.get("answer"),
            "evidence": {name: details[name] for name in _EVIDENCE if name in details},
            "withdrawal": withdrawal.get("source"),
            "actor": row["actor"] or None,
            "request": row["request"],
            "seq": row["seq"],
        }

    def _open_consent(
        self, row: Mapping[str, Any]
    ) -> tuple[bytes | None, str | None, dict[str, str], dict[str, str]]:
        """Key, number, details and how the withdrawal came; what was erased is None or empty."""
        owner = f"consent:{row['id']}"
        chunk = None if row["chunk"] is None else self._chunk(row["chunk"])
        if row["key"] is not None:
            key = self._vault.unwrap(row["key"], owner, row["month"])
            cipher = ContentCipher(key)
            sealed = row["number"]
            number = None if sealed is None else cipher.open_record(owner, "number", sealed)
            shown = None if number is None else number.decode()
        elif chunk is not None:
            key, cipher, shown = chunk.key, chunk.cipher, self._number(row, chunk)
        else:
            return None, None, {}, {}
        details = _json(cipher, owner, "details", row["details"])
        if chunk is not None and row["text_hash"] is not None:
            details["text"] = chunk.texts[row["text_hash"].hex()]
        return key, shown, details, _json(cipher, owner, "withdrawal", row["withdrawal"])

    # -- proofs --------------------------------------------------------------------------------

    def _list_proof(self, row: Mapping[str, Any]) -> dict[str, Any]:
        chunk = self._chunk(row["chunk"])
        if chunk is None:
            return self._proofs.of_list(row["chunk"], row["place"], None, b"")
        number = self._number(row, chunk)
        value = row_value(
            who_of(row["person"], number),
            row["added_ms"],
            source=chunk.sources[row["source"]],
        )
        partial = number is None
        return self._proofs.of_list(row["chunk"], row["place"], chunk.key, value, partial=partial)

    def _consent_proofs(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        key, number, details, withdrawal = self._open_consent(row)
        evidence = {name: details[name] for name in _EVIDENCE if name in details}
        proofs = []
        if row["chunk"] is not None:
            imported = None if row["withdrawn_seq"] is not None else row["withdrawn_ms"]
            value = row_value(
                who_of(row["person"], number),
                row["granted_ms"],
                source=details.get("source", ""),
                text=details.get("text"),
                withdrawn_ms=imported,
                evidence=evidence,
            )
            partial, place = number is None, row["place"]
            proofs.append(self._proofs.of_list(row["chunk"], place, key, value, partial=partial))
        else:
            proofs.append(self._proofs.single(row["seq"], key, _content(number, details)))
        if row["withdrawn_seq"] is not None:
            content = _content(number, withdrawal)
            proofs.append(self._proofs.single(row["withdrawn_seq"], key, content))
        return proofs

    # -- inside --------------------------------------------------------------------------------

    def _read_chunk(self, row_id: int) -> _Chunk | None:
        row = self._people.chunk(row_id)
        if row is None or row["key"] is None:
            return None
        owner = f"chunk:{row_id}"
        key = self._vault.unwrap(row["key"], owner, row["month"])
        cipher = ContentCipher(key)
        details = _json(cipher, owner, "details", row["details"])
        return _Chunk(key, cipher, details.get("sources", []), details.get("texts", {}))

    def _number(self, row: Mapping[str, Any], chunk: _Chunk | None) -> str | None:
        """The number of a row of a list; None where it was never known, or was erased."""
        if chunk is None or row["number"] is None:
            return None
        number = open_number(chunk.key, row["person"], row["number"])
        if self._vault.person(number)[:PERSON_BYTES] != row["person"]:
            raise StorageError(
                "a number of an imported list does not belong to its row",
                hint="the ledger file is damaged there: run `acuse ledger verify`",
            )
        return number

    def _person(self, args: Mapping[str, Any]) -> bytes:
        to = args.get("to")
        if not isinstance(to, str) or not to:
            raise DataError("to is missing", hint="give the number as +34…", field="to")
        known = person_from(to, self._vault)
        if known is not None:
            return known
        digits = "".join(char for char in to if char.isdecimal())
        return self._vault.person(f"+{digits}")[:PERSON_BYTES]


def _json(cipher: ContentCipher, owner: str, name: str, sealed: bytes | None) -> dict[str, Any]:
    if sealed is None:
        return {}
    opened: dict[str, Any] = json.loads(cipher.open_record(owner, name, sealed))
    return opened


def _content(number: str | None, details: Mapping[str, str]) -> dict[str, bytes]:
    content = {} if number is None else {"to": number.encode()}
    if "text" in details:
        content["text"] = details["text"].encode()
    rest = {name: value for name, value in details.items() if name != "text"}
    if rest:
        content["evidence"] = canonical.encode(rest)
    return content


def _request(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "brand": row["brand"],
        "purpose": row["purpose"],
        "asked_at": to_seconds_text(row["asked_ms"]),
        "expires_at": to_seconds_text(row["expires_ms"]),
        "closed_at": optional_text(row["closed_ms"]),
        "seq": row["seq"],
    }


def _snapshot(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "as_of": to_seconds_text(row["as_of_ms"]),
        "members": row["members"],
        "sha256": None if row["digest"] is None else row["digest"].hex(),
        "imported_at": optional_text(row["imported_ms"]),
        "by": row["actor"],
        "seq": row["seq"],
    }


def _text(args: Mapping[str, Any], name: str) -> str:
    value = args.get(name)
    if value is not None and not isinstance(value, str):
        raise DataError(f"{name} must be text", hint="put it in quotes", field=name)
    return value or ""


def _limit(args: Mapping[str, Any]) -> int | None:
    limit = args.get("limit")
    whole = isinstance(limit, int) and not isinstance(limit, bool)
    if limit is not None and not (whole and 1 <= limit < 1 << 53):
        raise DataError(
            "limit must be a whole number from 1", hint="leave it out for all", field="limit"
        )
    return limit

"""Reading what persons allow, beside a running daemon or without one; nothing here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.ledger.reader import Reader

_PAGE: Final = 1000
_BRAND: Final = "(:brand='' OR brand=:brand)"


class PeopleReader:
    """Rows about persons from a reader, each as a dictionary; *brand* "" means any."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    # -- one person ----------------------------------------------------------------------------

    def optouts_of(self, person: bytes) -> list[dict[str, Any]]:
        """Opt-outs of a person that were given one by one."""
        return list(
            self._reader.query(
                "SELECT * FROM optouts WHERE person=:person ORDER BY id", person=person
            )
        )

    def suppressions_of(self, person: bytes) -> list[dict[str, Any]]:
        """Opt-outs of a person that came in lists."""
        return list(
            self._reader.query(
                "SELECT * FROM suppressions WHERE person=:person ORDER BY brand", person=person
            )
        )

    def consents_of(self, person: bytes, brand: str) -> list[dict[str, Any]]:
        """Consents of a person, oldest first, withdrawn ones too."""
        return list(
            self._reader.query(
                f"SELECT * FROM consents WHERE person=:person AND {_BRAND} ORDER BY id",
                person=person,
                brand=brand,
            )
        )

    def requests_of(self, person: bytes, brand: str) -> list[dict[str, Any]]:
        """What a person was asked to confirm, oldest first, answered or not."""
        return list(
            self._reader.query(
                f"SELECT * FROM consent_requests WHERE person=:person AND {_BRAND} ORDER BY id",
                person=person,
                brand=brand,
            )
        )

    def listings_of(self, person: bytes) -> list[dict[str, Any]]:
        """The current snapshots of registries that list a person."""
        return list(
            self._reader.query(
                "SELECT snapshots.* FROM snapshots JOIN listed"
                " ON listed.snapshot=snapshots.id AND listed.person=:person"
                " WHERE state='current' ORDER BY name",
                person=person,
            )
        )

    # -- lists, page by page so that no reader holds the file for long -------------------------

    def optouts(self, brand: str) -> Iterator[dict[str, Any]]:
        """Opt-outs that were given one by one, newest first."""
        query = (
            f"SELECT * FROM optouts WHERE id<:before AND {_BRAND} ORDER BY id DESC LIMIT {_PAGE}"
        )
        return self._newest_first(query, brand=brand)

    def suppressions(self, brand: str) -> Iterator[dict[str, Any]]:
        """Opt-outs that came in lists, in the order of the keyed hashes."""
        person, after = b"", ""
        while True:
            page = list(
                self._reader.query(
                    "SELECT * FROM suppressions WHERE (person, brand) > (:person, :after)"
                    f" AND {_BRAND} ORDER BY person, brand LIMIT {_PAGE}",
                    person=person,
                    after=after,
                    brand=brand,
                )
            )
            yield from page
            if len(page) < _PAGE:
                return
            person, after = page[-1]["person"], page[-1]["brand"]

    def consents(self, brand: str, purpose: str) -> Iterator[dict[str, Any]]:
        """Consents, newest first; *purpose* "" means any."""
        query = (
            f"SELECT * FROM consents WHERE id<:before AND {_BRAND}"
            f" AND (:purpose='' OR purpose=:purpose) ORDER BY id DESC LIMIT {_PAGE}"
        )
        return self._newest_first(query, brand=brand, purpose=purpose)

    def snapshots(self) -> Iterator[dict[str, Any]]:
        """The snapshot that counts, of each registry that was imported."""
        return self._reader.query("SELECT * FROM snapshots WHERE state='current' ORDER BY name")

    def _newest_first(self, query: str, **given: str) -> Iterator[dict[str, Any]]:
        before = 1 << 62
        while True:
            page = list(self._reader.query(query, before=before, **given))
            yield from page
            if len(page) < _PAGE:
                return
            before = page[-1]["id"]

    # -- chunks of lists -----------------------------------------------------------------------

    def chunk(self, row_id: int) -> dict[str, Any] | None:
        """`month`, `key` and `details` of a chunk."""
        found = self._reader.query("SELECT month, key, details FROM chunks WHERE id=:id", id=row_id)
        return next(found, None)

    def leaves(self, row_id: int) -> tuple[int, bytes]:
        """The `seq` of a chunk's entry, and the commitments of its rows."""
        row = next(self._reader.query("SELECT seq, leaves FROM chunks WHERE id=:id", id=row_id))
        return row["seq"], row["leaves"]

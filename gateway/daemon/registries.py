"""Do-not-contact registries: dated snapshots, of which one counts.

An import begins a snapshot, adds members in chunks and finishes it; only then, and at once, it
takes the place of the older one. One that is cut off changes nothing and is swept away by the next.
Members are keyed hashes: the registry's numbers themselves are not kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from gateway.clock import optional_text, parse_instant, to_seconds_text
from gateway.daemon.lists import ROWS_MOST
from gateway.errors import AnswerIsNo, DataError
from gateway.evidence.records import PERSON_BYTES
from gateway.ledger.entry import time_text
from gateway.ledger.rows import SnapshotRow
from gateway.policy.consent import REGISTRIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.reading import SubmissionReader
    from gateway.daemon.sealer import Sealer
    from gateway.evidence.vault import Vault
    from gateway.ledger.store import Store

#: Members of dead snapshots removed in one batch.
_SWEEP: Final = 5000
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Registries:
    """Takes changes of registries into the open batch."""

    def __init__(
        self, store: Store, vault: Vault, sealer: Sealer, reader: SubmissionReader
    ) -> None:
        self._store = store
        self._vault = vault
        self._sealer = sealer
        self._reader = reader

    def begin(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """Start a snapshot of the registry `name` as it was at `as_of`.

        An import of the same registry that did not end is given up for it. With `dry_run` only
        what was asked is checked.

        Raises:
            DataError: no such registry, or a day that is ahead or before the snapshot that counts.
        """
        name = registry_name(args)
        as_of = args.get("as_of")
        if not isinstance(as_of, str):
            raise DataError(
                "as_of is missing", hint="the day the registry's list is of", field="as_of"
            )
        as_of_ms = parse_instant(as_of, field="as_of")
        current = self._store.people.snapshots().get(name)
        if as_of_ms > now_ms:
            raise DataError("as_of is in the future", hint="is the date right?", field="as_of")
        if current is not None and as_of_ms < current.as_of_ms:
            raise DataError(
                f"as_of is before the snapshot of {name} that counts,"
                f" {to_seconds_text(current.as_of_ms)}",
                hint="import the latest list; `acuse registries drop` removes a wrong one",
                field="as_of",
            )
        if args.get("dry_run"):
            return {"snapshot": None, "name": name}
        for older in self._store.people.unfinished(name):
            older.state = "dead"
            self._store.put(older)
        row = SnapshotRow(
            id=self._store.next_id(SnapshotRow),
            name=name,
            as_of_ms=as_of_ms,
            state="loading",
            begun_ms=now_ms,
            actor=actor,
        )
        self._store.put_new(row)
        return {"snapshot": row.id, "name": name}

    def add(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """Take a chunk of members (`rows`) into `snapshot`; with `dry_run` only check it.

        Raises:
            DataError: the chunk is none, or too long.
            AnswerIsNo: that import was given up for another.
        """
        dry_run = bool(args.get("dry_run"))
        row = None if dry_run else self._loading(args)
        rows = args.get("rows")
        if not isinstance(rows, list) or not 1 <= len(rows) <= ROWS_MOST:
            raise DataError(
                f"rows must be a list of 1 to {ROWS_MOST}", hint="send more chunks", field="rows"
            )
        persons, rejected = [], []
        for place, member in enumerate(rows):
            to = member.get("to") if isinstance(member, dict) else None
            try:
                number = self._reader.number(to if isinstance(to, str) else "")
            except DataError as error:
                rejected.append({"row": place, "field": "to", "reason": error.message})
            else:
                persons.append(self._vault.person(number)[:PERSON_BYTES])
        if row is None:
            added = len(set(persons))
        else:
            added = self._store.people.enlist(row.id, persons)
            row.members += added
            self._store.put(row)
        return {"added": added, "known": len(persons) - added, "rejected": rejected}

    def finish(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """The snapshot is whole: from now on it counts, and the older one does not.

        Raises:
            DataError: it has no members, or the file's hash is none.
            AnswerIsNo: that import was given up for another.
        """
        row = self._loading(args)
        digest = args.get("sha256")
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise DataError(
                "sha256 must be 64 hex digits", hint="of the file's bytes", field="sha256"
            )
        if row.members == 0:
            raise DataError(
                f"the list of {row.name} has no member",
                hint="is it the right file? The older snapshot stays; `acuse registries drop`"
                " would remove it",
                field="rows",
            )
        older = self._store.people.snapshots().get(row.name)
        if older is not None:
            older.state = "dead"
            self._store.put(older)
        row.state, row.digest, row.imported_ms = "current", bytes.fromhex(digest), now_ms
        row.seq = self._sealer.log_event(
            "x.Admin",
            now_ms,
            by=actor,
            cmd=f"registry import {row.name}",
            as_of=time_text(row.as_of_ms),
            count=row.members,
            sha256=digest,
        )
        self._store.put(row)
        self._store.people.make_current(row)
        return shown(row)

    def drop(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """Forget a registry: nobody is listed in it any more.

        Raises:
            AnswerIsNo: it was never imported.
        """
        name = registry_name(args)
        row = self._store.people.forget_registry(name)
        if row is None:
            raise AnswerIsNo(
                f"the registry {name} was never imported",
                hint="`acuse registries list` shows those that were",
                registry=name,
            )
        row.state = "dead"
        self._store.put(row)
        self._sealer.log_event("x.Admin", now_ms, by=actor, cmd=f"registry drop {name}")
        return {**shown(row), "dropped_at": to_seconds_text(now_ms)}

    def sweep(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """Remove some members of snapshots that count no more; whether there may be others."""
        return {"more": self._store.people.sweep(_SWEEP)}

    def _loading(self, args: Mapping[str, Any]) -> SnapshotRow:
        row_id = args.get("snapshot")
        row = self._store.people.snapshot(row_id) if isinstance(row_id, int) else None
        if row is None or row.state != "loading":
            raise AnswerIsNo(
                "that import was given up, or has ended",
                hint="another import of the same registry began: run one at a time",
            )
        return row


def registry_name(args: Mapping[str, Any]) -> str:
    """The registry in `name`.

    Raises:
        DataError: there is no such registry.
    """
    name = args.get("name")
    if not isinstance(name, str) or name not in REGISTRIES:
        raise DataError(
            f"name: {name!r} is no registry that a rule asks",
            hint=f"known are {', '.join(REGISTRIES)}",
            field="name",
        )
    return name


def shown(row: SnapshotRow) -> dict[str, Any]:
    """A snapshot as people and programs see it."""
    return {
        "name": row.name,
        "registry": REGISTRIES[row.name],
        "as_of": to_seconds_text(row.as_of_ms),
        "members": row.members,
        "sha256": None if row.digest is None else row.digest.hex(),
        "imported_at": optional_text(row.imported_ms),
        "by": row.actor,
        "seq": row.seq,
    }

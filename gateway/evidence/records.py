"""The message/receipt pairs as people and programs see them: CONTRACT's `receipts show` object.

Made from the ledger file and the vault, so it works with and without a daemon.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.clock import optional_text, parse_instant, to_seconds_text
from gateway.errors import AnswerIsNo, DataError
from gateway.evidence.arrivals import shown_orphan, shown_replies
from gateway.evidence.vault import ContentCipher, Vault
from gateway.ledger import canonical, merkle
from gateway.ledger.entry import ERASED
from gateway.ledger.outside import OutsideReader
from gateway.ledger.reader import Reader
from gateway.ledger.rows import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.settings import Settings

#: Bytes of the keyed hash of a number that are stored.
PERSON_BYTES = 16
LEDGER_FILE = "ledger.db"
KEYS_DIRECTORY = "keys"
#: The signer's memory, apart from the database.
SIGNER_STATE = "signer-state"
_ORPHAN_FILTERS = frozenset({"operator", "since", "until", "limit"})
#: Who receives advertising is to be told every 30 days how to opt out.
_MONTH_MS = 30 * 86_400_000
_DUE_MOST = 1000
_FILTERS = frozenset({"state", "operator", "to", "brand", "since", "until", "limit"})


class Records:
    """Answers questions about submissions from a reader and a vault."""

    def __init__(self, reader: Reader, vault: Vault) -> None:
        self._reader = reader
        self._outside = OutsideReader(reader)
        self._vault = vault

    def messages(self, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """One line each, newest first (admin protocol, `messages.list`)."""
        for row in self._reader.submissions(self._filters(filters)):
            yield self._line(row)

    def message(self, submission_id: str) -> dict[str, Any]:
        """One submission as in `messages`, with everything `receipt` shows, and its replies."""
        with self._reader.snapshot():
            row = self._row(submission_id)
            replies = list(shown_replies(self._reader.replies(row["id"]), row, self._cipher(row)))
            return {**self._line(row), **self._object(row), "replies": replies}

    def receipts(self, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """`receipt` objects, newest first."""
        for row in self._reader.submissions(self._filters(filters)):
            yield self._object(row)

    def orphans(self, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Receipts that match no message, newest first (`receipts.list` with `orphans`)."""
        given = {name: value for name, value in filters.items() if name in _ORPHAN_FILTERS}
        for name in sorted(set(filters) - _ORPHAN_FILTERS):
            if filters[name] is not None:
                raise DataError(
                    f"{name} says nothing of a receipt without message",
                    hint=f"filters are {', '.join(sorted(_ORPHAN_FILTERS))}",
                    field=name,
                )
        for row in self._reader.orphans(self._filters(given)):
            yield shown_orphan(row, self._vault)

    def receipt(self, submission_id: str) -> dict[str, Any]:
        """The pair of one submission: CONTRACT's `receipts show` object."""
        with self._reader.snapshot():
            return self._object(self._row(submission_id))

    def due(self, args: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """People whom no text has told since `before` how to opt out (`optout.due`), a thousand
        unless `limit` says otherwise. `to` is None where the content of that text was erased.
        """
        given = dict(args)
        before = given.pop("before", None)
        if not isinstance(before, str):
            raise DataError("before is missing", hint="give a time", field="before")
        before_ms, filters = parse_instant(before, field="before"), self._filters(given)
        limit = filters["limit"] or _DUE_MOST
        for row in self._reader.due_instructions(before_ms, filters["brand"], limit):
            yield {
                "to": self._request(row, self._cipher(row)).get("to"),
                "brand": row["brand"],
                "instructed_at": to_seconds_text(row["at_ms"]),
                "due_at": to_seconds_text(row["at_ms"] + _MONTH_MS),
                "submission_id": row["submission_id"],
            }

    def head(self) -> dict[str, Any]:
        """Where the log stands (admin protocol, `ledger.head`, without `vkey`)."""
        with self._reader.snapshot():
            return self._head()

    def _head(self) -> dict[str, Any]:
        reader = self._reader
        size, last = reader.size, reader.last_checkpoint()
        root = merkle.root_at(size, lambda level, index: reader.tile(level, index, size))
        entry = canonical.decode(reader.entry(size - 1)) if size else {}
        return {
            "origin": reader.origin,
            "size": size,
            "root": root.hex(),
            "checkpoint": None if last is None else last["note"],
            "checkpoint_size": 0 if last is None else last["size"],
            "last_entry_at": entry.get("t"),
        }

    # -- inside --------------------------------------------------------------------------------

    def _row(self, submission_id: str) -> dict[str, Any]:
        row = self._reader.submission(submission_id)
        if row is None:
            raise AnswerIsNo(
                f"there is no submission {submission_id!r}",
                hint="`acuse messages list` shows the latest ones",
                submission_id=submission_id,
            )
        return row

    def _filters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(given) - _FILTERS)
        if unknown:
            raise DataError(
                f"unknown filter {unknown[0]!r}",
                hint=f"known are {', '.join(sorted(_FILTERS))}",
                field=unknown[0],
            )
        for name in ("state", "operator", "to", "brand", "since", "until"):
            if not isinstance(given.get(name), str | None):
                raise DataError(f"{name} must be text", hint="put it in quotes", field=name)
        filters: dict[str, Any] = {k: given.get(k) for k in ("operator", "brand")}
        state = given.get("state")
        if state is not None and state not in set(State):
            raise DataError(
                f"unknown state {state!r}", hint=f"one of {', '.join(State)}", field="state"
            )
        filters["state"] = state
        limit = given.get("limit")
        whole = isinstance(limit, int) and not isinstance(limit, bool)
        if limit is not None and not (whole and 1 <= limit < 1 << 53):
            raise DataError(
                "limit must be a whole number from 1", hint="leave it out for all", field="limit"
            )
        filters["limit"] = limit
        for name in ("since", "until"):
            if given.get(name) is not None:
                filters[f"{name}_ms"] = parse_instant(str(given[name]), field=name)
        if given.get("to") is not None:
            number = "+" + "".join(c for c in str(given["to"]) if c.isdecimal())
            filters["person"] = self._vault.person(number)[:PERSON_BYTES]
        return filters

    def _cipher(self, row: Mapping[str, Any]) -> ContentCipher | None:
        if row["key"] is None:
            return None
        return ContentCipher(self._vault.unwrap(row["key"], row["submission_id"], row["month"]))

    def _request(self, row: Mapping[str, Any], cipher: ContentCipher | None) -> dict[str, Any]:
        if cipher is None or row["request"] is None:
            return {}
        opened = cipher.open_record(row["submission_id"], "request", row["request"])
        request: dict[str, Any] = json.loads(opened)
        return request

    def _line(self, row: Mapping[str, Any]) -> dict[str, Any]:
        request = self._request(row, self._cipher(row))
        held = row["state"] == State.HELD
        return {
            "submission_id": row["submission_id"],
            "ref": _ref(row),
            "state": row["state"],
            "category": row["category"],
            "brand": row["brand"],
            "to": request.get("to"),
            "from": request.get("sender"),
            "operator": row["operator"],
            "submitted_at": to_seconds_text(row["submitted_ms"]),
            "closed_at": optional_text(row["closed_ms"]),
            "due_at": to_seconds_text(row["due_ms"]) if held else None,
            "reason": row["reason"],
            "rules": _rules(row),
        }

    def _object(self, row: Mapping[str, Any]) -> dict[str, Any]:
        cipher = self._cipher(row)
        request = self._request(row, cipher)
        entries = [
            (seq, canonical.decode(entry), entry)
            for seq, entry in self._reader.entries_of(row["last_seq"])
        ]
        shown: dict[str, Any] = {
            "submission_id": row["submission_id"],
            "ref": _ref(row),
            "state": row["state"],
            "category": row["category"],
            "brand": row["brand"],
            "to": request.get("to"),
            "from": request.get("sender"),
            "text": request.get("text"),
            "substituted": [
                {"character": character, "code": f"U+{ord(character):04X}", "by": by, "at": at}
                for character, by, at in request.get("substituted") or ()
            ],
            **_appended(request),
            "encoding": row["encoding"],
            "operator": row["operator"],
            "submitted_at": to_seconds_text(row["submitted_ms"]),
            "closed_at": optional_text(row["closed_ms"]),
            "decision": self._decision(row, [entry for _, entry, _ in entries]),
            "segments": [
                {
                    "number": segment["number"],
                    "message_id": segment["message_id"],
                    "outcome": "pending" if segment["outcome"] == "sending" else segment["outcome"],
                    "command_status": segment["command_status"],
                    "sent_at": optional_text(segment["sent_ms"]),
                    "answered_at": optional_text(segment["answered_ms"]),
                }
                for segment in self._reader.segments(row["id"])
            ],
            "receipts": [
                self._receipt(row, cipher, receipt) for receipt in self._reader.receipts(row["id"])
            ],
            "events": [
                {"seq": seq, "event": entry["ev"], "at": entry["t"]} for seq, entry, _ in entries
            ],
            "seal": self._seal(row, entries),
        }
        if request.get("replaces"):
            shown["replaces"] = request["replaces"]["submission_id"]
        if request.get("replaced_by"):
            shown["replaced_by"] = request["replaced_by"]
        if row["contradicted"]:
            shown["contradicted"] = True
        for seq, entry, _ in entries:
            if entry["ev"] == ERASED:
                shown["erased"] = {"seq": seq, "at": entry["t"], "basis": entry["basis"]}
        return shown

    @staticmethod
    def _decision(row: Mapping[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
        decisions = [entry["decision"] for entry in entries if "decision" in entry]
        latest: dict[str, Any] = dict(decisions[-1]) if decisions else {}
        latest.setdefault("until", None)
        latest["reason"] = row["reason"]
        if row["state"] == State.HELD:
            # Decided again while it waited: until when stands in the row, not yet in an entry.
            latest["action"], latest["until"] = "hold", to_seconds_text(row["due_ms"])
            latest["rules"] = _rules(row)
        return latest

    @staticmethod
    def _receipt(
        row: Mapping[str, Any], cipher: ContentCipher | None, receipt: Mapping[str, Any]
    ) -> dict[str, Any]:
        raw = None
        if cipher is not None and receipt["raw"] is not None:
            name = f"receipt.{receipt['id']}"
            raw = cipher.open_record(row["submission_id"], name, receipt["raw"]).hex()
        shown = {
            "segment": receipt["segment"],
            "message_state": receipt["message_state"],
            "final": bool(receipt["final"]),
            "error": receipt["error"],
            "network_error_code": receipt["network_error_code"],
            "received_at": to_seconds_text(receipt["received_ms"]),
            "done_at": optional_text(receipt["done_ms"]),
            "raw": raw,
            "bind": receipt["bind"],
            "duplicate_of": receipt["duplicate_of"],
            "matched_by": receipt["matched_by"],
        }
        if receipt["conflict"]:
            shown["conflict"] = True
        return shown

    def _seal(
        self, row: Mapping[str, Any], entries: list[tuple[int, dict[str, Any], bytes]]
    ) -> dict[str, Any] | None:
        if row["seal_seq"] is None or row["closed_ms"] is None:
            return None
        leaf = next(merkle.leaf_hash(raw) for seq, _, raw in entries if seq == row["seal_seq"])
        last = self._reader.last_checkpoint()
        size = 0 if last is None else int(last["size"])
        covered = size > row["seal_seq"]
        return {
            "seq": row["seal_seq"],
            "leaf": leaf.hex(),
            "checkpoint_size": size if covered else None,
            "anchored": self._outside.stamped_size() > row["seal_seq"],
        }


def _ref(row: Mapping[str, Any]) -> str | None:
    """The submitter's reference; of what was erased only a hash is left, by which it is known."""
    return None if row["state"] == State.ERASED else row["ref"]


def _rules(row: Mapping[str, Any]) -> list[str]:
    """The rules by which a message is held or was refused."""
    return row["rules"].split(",") if row["rules"] else []


def _appended(request: Mapping[str, Any]) -> dict[str, Any]:
    """What was appended to the text as given, where anything was."""
    appended = request.get("appended")
    if not appended:
        return {}
    return {"fixed": [{"what": what, "text": text} for what, text in appended]}


class OfflineReader(Records):
    """The same questions without a daemon, on the ledger file itself."""

    def __init__(self, settings: Settings) -> None:
        self._file = Reader(settings.gateway.data_dir / LEDGER_FILE)
        super().__init__(self._file, Vault(settings.gateway.data_dir / KEYS_DIRECTORY))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def open_offline(settings: Settings) -> OfflineReader:
    """Open the ledger of a configuration for reading."""
    return OfflineReader(settings)

"""A ledger with a long past, made in minutes (`tests.bench.aged` measures what it costs).

A real daemon certifies some messages first; what it wrote about them is the pattern. The past is
then written by the store itself: entries, tiles, checkpoints, rows, keys and content are of the
real forms, with new ids, keys, commitments and links, and receipts come some thousand entries
after their messages.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.daemon.checkpoints import Checkpoints
from gateway.daemon.gateway import LEDGER_FORMAT
from gateway.daemon.ids import submission_id
from gateway.daemon.months import month_of
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE, SIGNER_STATE
from gateway.evidence.signer import LogSigner
from gateway.evidence.vault import ContentCipher, Vault
from gateway.ledger import canonical
from gateway.ledger.entry import commitments, time_text
from gateway.ledger.note import Signer
from gateway.ledger.reader import Reader
from gateway.ledger.rows import (
    Outcome,
    ReceiptRow,
    SegmentRow,
    State,
    SubmissionRow,
    segment_id,
)
from gateway.ledger.store import Store
from tests.support.process import Site, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Messages of the pattern: most are delivered, some are long, some end otherwise.
ENDS: Final = ("222", "223", "224", "225", "226", "227", "901", "902", "228", "910")
PATTERNS: Final = 40
#: Submissions between a message and its receipt: a few seconds at some hundred a second.
RECEIPT_AFTER: Final = 1_000
#: Time from one submission to the next.
STEP_MS: Final = 4
CHECKPOINT_EVERY: Final = 4_096


@dataclass(frozen=True)
class Pattern:
    """What the daemon wrote of one message, decrypted."""

    row: dict[str, Any]
    segments: list[dict[str, Any]]
    receipts: dict[int, dict[str, Any]]
    entries: list[dict[str, Any]]
    #: By name of the record and by committed field.
    records: dict[str, bytes]


class _Past:
    """One submission on its way through the log."""

    def __init__(self, history: History, pattern: Pattern, t_ms: int) -> None:
        self._history = history
        self._pattern = pattern
        store, vault = history.store, history.vault
        self._mid, self._key, month = submission_id(t_ms), os.urandom(32), month_of(t_ms)
        self._cipher = ContentCipher(self._key)
        wrapped = vault.wrap(self._key, self._mid, month)
        old = pattern.row
        names = {"id", "submission_id", "month", "key", "submitted_ms", "request", "state"}
        kept = {name: value for name, value in old.items() if name not in names}
        row_id = store.next_id(SubmissionRow)
        self._row = SubmissionRow(
            id=row_id,
            submission_id=self._mid,
            state=State(old["state"]),
            month=month,
            key=wrapped,
            request=self._seal("request", pattern.records["request"]),
            submitted_ms=t_ms,
            **kept,
        )
        self._row.ref = None
        self._ids = [
            f"{row_id:08x}{n}" if segment["message_id"] else None
            for n, segment in enumerate(pattern.segments)
        ]
        self._events: list[list[Any]] = []
        self._left = deque(pattern.entries)

    def go_on(self, t_ms: int) -> bool:
        """Write what comes at one time: up to the answer, then up to the seal. True: closed."""
        while self._left:
            entry = self._left.popleft()
            self._append(entry, t_ms)
            if entry["ev"] == "F.1":
                return False
        self._row.closed_ms = t_ms
        self._history.store.put_new(self._row)
        for segment, message_id in zip(self._pattern.segments, self._ids, strict=True):
            self._segment(segment, message_id, t_ms)
        return True

    def _append(self, old: dict[str, Any], t_ms: int) -> None:
        store = self._history.store
        dropped = ("prev", "seq", "mprev", "commit", "t", "ev", "log", "v", "mid")
        body = {name: value for name, value in old.items() if name not in dropped}
        body["mid"] = self._mid
        if self._events:
            body["mprev"] = self._events[-1][0]
        if "rx" in body:
            body["rx"] = time_text(t_ms)
        if "parts" in body:
            at = time_text(t_ms)
            body["parts"] = [
                {**part, "message_id": self._ids[part["n"] - 1], "sent": at, "answered": at}
                for part in body["parts"]
            ]
        if old["ev"] == "S.1":
            body["events"] = self._events
        if "commit" in old:
            content = {name: self._content(old["seq"], name) for name in old["commit"]}
            body["commit"] = commitments(self._key, store.size, content)
        seq, leaf = store.append(old["ev"], t_ms, body)
        self._events = [*self._events, [seq, leaf.hex()]]
        self._row.last_seq = seq
        if old["ev"] == "S.1":
            self._row.seal_seq = seq
        if old["seq"] in self._pattern.receipts:
            self._receipt(self._pattern.receipts[old["seq"]], seq, t_ms)

    def _content(self, seq: int, name: str) -> bytes:
        records = self._pattern.records
        return records[f"receipt.{seq}"] if name == "receipt" else records[name]

    def _segment(self, old: dict[str, Any], message_id: str | None, t_ms: int) -> None:
        names = {"id", "submission", "message_id", "match_key", "outcome"}
        row = SegmentRow(
            id=segment_id(self._row.id, old["number"]),
            submission=self._row.id,
            outcome=Outcome(old["outcome"]),
            message_id=message_id,
            match_key=message_id,
            **{name: value for name, value in old.items() if name not in names},
        )
        row.sent_ms = row.answered_ms = t_ms
        for name in ("submit", "response"):
            if old[name] is not None:
                record = f"{name}.{old['number']}"
                setattr(row, name, self._seal(record, self._pattern.records[record]))
        self._history.store.put_new(row)

    def _receipt(self, old: dict[str, Any], seq: int, t_ms: int) -> None:
        store = self._history.store
        row_id = store.next_id(ReceiptRow)
        names = ("id", "submission", "seq", "raw", "mark", "received_ms")
        row = ReceiptRow(
            id=row_id,
            submission=self._row.id,
            seq=seq,
            raw=self._seal(f"receipt.{row_id}", self._pattern.records[f"receipt.{old['seq']}"]),
            mark=os.urandom(len(old["mark"])),
            received_ms=t_ms,
            **{name: value for name, value in old.items() if name not in names},
        )
        store.put_new(row)

    def _seal(self, name: str, content: bytes) -> bytes:
        return self._cipher.seal(self._mid, name, content)


class History:
    """Writes a past of any length into the data directory of a site."""

    def __init__(self, site: Site) -> None:
        with closing(Reader(site.data / LEDGER_FILE)) as reader:
            self._patterns = list(_patterns(reader, Vault(site.data / KEYS_DIRECTORY)))
            parties = [dict(row) for row in reader.query("SELECT hash, body FROM parties")]
            self._boot = canonical.decode(reader.entry(1))
        for name in (LEDGER_FILE, f"{LEDGER_FILE}-wal", f"{LEDGER_FILE}-shm", SIGNER_STATE):
            (site.data / name).unlink(missing_ok=True)
        self.vault = Vault(site.data / KEYS_DIRECTORY)
        origin = site.settings.origin
        self._start_ms = time.time_ns() // 1_000_000
        self.store = Store.open(site.data / LEDGER_FILE, origin, now_ms=self._start_ms)
        state = site.data / SIGNER_STATE
        key = Signer.from_seed(origin, self.vault.log_seed())
        signer = LogSigner(key, state, ledger_size=0)
        self._checkpoints = Checkpoints(self.store, signer, every_s=1e9, every=CHECKPOINT_EVERY)
        for party in parties:
            self.store.put_party(party["hash"], party["body"])

    def write(self, entries: int, told: Callable[[int], object] = lambda _: None) -> None:
        """Write about that many entries, the last of them not long ago, and sign them."""
        store = self.store
        t_ms = self._start_ms - STEP_MS * (entries // 3 + RECEIPT_AFTER) - 3_600_000
        store.append("x.Genesis", t_ms, {"software": "bench", "format": LEDGER_FORMAT})
        about = ("software", "config", "rules", "tzdata")
        store.append("x.Boot", t_ms, {name: self._boot[name] for name in about})
        waiting: deque[_Past] = deque()
        number = written = 0
        while True:
            t_ms += STEP_MS
            room = store.size + 3 * len(waiting) < entries
            if room:
                past = _Past(self, self._patterns[number % len(self._patterns)], t_ms)
                number += 1
                if not past.go_on(t_ms):
                    waiting.append(past)
            elif not waiting:
                break
            if waiting and (len(waiting) > RECEIPT_AFTER or not room):
                waiting.popleft().go_on(t_ms)
            if store.size - written >= CHECKPOINT_EVERY:
                written = store.size
                self._commit(t_ms)
                told(written)
        self._commit(t_ms)
        self._checkpoints.make(t_ms)
        store.flush()
        store.commit()
        store.close()

    def _commit(self, t_ms: int) -> None:
        store = self.store
        store.flush()
        store.commit()
        self._checkpoints.make(t_ms)  # stored with the batch that follows


def _patterns(reader: Reader, vault: Vault) -> Iterator[Pattern]:
    for row in reader.submissions({"limit": PATTERNS}):
        if row["closed_ms"] is None:
            continue
        key = vault.unwrap(row["key"], row["submission_id"], row["month"])
        cipher, mid = ContentCipher(key), row["submission_id"]
        request = cipher.open_record(mid, "request", row["request"])
        asked = json.loads(request)
        records = {
            "request": request,
            "to": asked["to"].encode(),
            "from": asked["sender"].encode(),
            "text": asked["text"].encode(),
        }
        segments = reader.segments(row["id"])
        for segment in segments:
            for name in ("submit", "response"):
                if segment[name] is not None:
                    record = f"{name}.{segment['number']}"
                    records[record] = cipher.open_record(mid, record, segment[name])
        receipts = {receipt["seq"]: receipt for receipt in reader.receipts(row["id"])}
        for seq, receipt in receipts.items():
            raw = cipher.open_record(mid, f"receipt.{receipt['id']}", receipt["raw"])
            records[f"receipt.{seq}"] = raw
        entries = [canonical.decode(raw) for _, raw in reader.entries_of(row["last_seq"])]
        yield Pattern(row, segments, receipts, entries, records)


def certify_patterns(site: Site) -> None:
    """Let a real daemon certify what the past is made of."""
    daemon = site.serve().ready()
    with site.admin() as admin:
        for number in range(PATTERNS):
            long = number % 10 == 9
            admin.call(
                "submit",
                {
                    "to": f"+346001{number % 10}1{ENDS[number % len(ENDS)]}",
                    "from": "ACME",
                    "brand": "acme",
                    "category": "legal_notice",
                    "text": f"Su factura {number} vence el dia 30. " * (6 if long else 1),
                },
            )
        wait_until(
            lambda: admin.call("status", {})["ledger"]["size"] and not _open(admin), "all closed"
        )
    daemon.stop()


def _open(admin: Any) -> int:
    return sum(1 for line in admin.stream("messages.list", {}) if line["closed_at"] is None)

"""Submissions in memory: one `Work` each, the same object for everybody who touches it.

A submission is loaded when something happens to it and stays while it waits in a queue or is in
flight (`pinned`); after that it is kept as long as there is room, because its receipt is likely
to come soon. Memory is bounded by the queue's limit plus `_IDLE_LIMIT`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from gateway.errors import StorageError
from gateway.evidence.vault import ContentCipher
from gateway.ledger import canonical, merkle
from gateway.ledger.rows import Outcome, State
from gateway.policy.appending import Addition, with_additions, without_additions
from gateway.smpp import substitution
from gateway.smpp.substitution import Substitution
from gateway.smpp.text import PLAIN, Coding, EncodedText, encode_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.evidence.vault import Vault
    from gateway.ledger.rows import SegmentRow, SubmissionRow
    from gateway.ledger.sent import Place
    from gateway.ledger.store import Store
    from gateway.policy.caps import CapCount
    from gateway.policy.decide import Decision
    from gateway.policy.facts import Sent
    from gateway.policy.rules import Requirement, Service

log = structlog.get_logger()

#: Submissions kept in memory after they left the queue, waiting for their receipts.
_IDLE_LIMIT = 16_384


@dataclass(slots=True)
class Request:
    """What the submitter gave us; stored encrypted as JSON under the name `request`."""

    to: str
    sender: str
    text: str
    campaign: str | None = None
    location: dict[str, str] | None = None
    urgent: bool = False
    age_verified: bool = False
    third_party_collector: bool = False
    not_before_ms: int | None = None
    cart_abandoned_ms: int | None = None
    valid_for_s: int | None = None
    priority: int = 0
    #: What the person did that this message only answers (`policy.rules.Service`).
    service: Service | None = None
    #: What the law wants and the text lacks may be appended.
    fix: bool = False
    #: What was appended, in the order of appending: `[what, text]` (`policy.appending`).
    appended: list[tuple[Requirement, str]] | None = None
    #: The text as sent says how to opt out.
    instructs: bool = field(default=False, compare=False)
    #: Characters replaced for the brand: `[character, by, [positions in the text as given]]`.
    substituted: list[tuple[str, str, list[int]]] | None = None
    #: What its replace_sm replaces: `submission_id`, `row` and the operator's `message_id`.
    replaces: dict[str, Any] | None = field(default=None, compare=False)
    #: The submission whose replace_sm is, or may be, in its place.
    replaced_by: str | None = field(default=None, compare=False)
    #: What of `Coding` is not the default: the segments stay as accepted, whatever settings become.
    coding: dict[str, Any] | None = field(default=None, compare=False)

    def substitute(self, coding: Coding) -> None:
        """Put plainer characters for those *coding* carries only at a price."""
        self.text, made = substitution.substitute(self.text, coding)
        if made:
            self.substituted = [(each.character, each.by, list(each.at)) for each in made]

    def append(self, added: Sequence[Addition]) -> None:
        """Put words before and after the text; before any substitution."""
        if added:
            self.text = with_additions(self.text, added)
            self.appended = [(each.what, each.text) for each in added]

    def asked(self) -> Request:
        """The request as the submitter made it, before anything was appended or substituted."""
        text = self.text
        if self.substituted is not None:
            made = (Substitution(char, by, tuple(at)) for char, by, at in self.substituted)
            text = substitution.original(text, made)
        if self.appended is not None:
            text = without_additions(text, [Addition(*each) for each in self.appended])
        return replace(self, text=text, appended=None, substituted=None)

    def keep_coding(self, coding: Coding) -> None:
        """Remember how the text is encoded."""
        if coding == PLAIN:
            return
        every = ((each.name, getattr(coding, each.name)) for each in fields(Coding))
        self.coding = {name: value for name, value in every if value != getattr(PLAIN, name)}

    def to_bytes(self) -> bytes:
        """The stored form; values that say nothing are left out."""
        every = zip(_REQUEST_FIELDS, _request_values(self), strict=True)
        said = {name: value for name, value in every if value is not None and value != 0}
        return orjson.dumps(said)

    @classmethod
    def from_bytes(cls, data: bytes) -> Request:
        """The inverse of `to_bytes`."""
        return cls(**orjson.loads(data))


_REQUEST_FIELDS = tuple(each.name for each in fields(Request))
_request_values = attrgetter(*_REQUEST_FIELDS)


@dataclass(slots=True, eq=False)
class Work:
    """A submission with its opened key, its segments and the ledger entries it has so far."""

    row: SubmissionRow
    key: bytes
    cipher: ContentCipher
    request: Request
    segments: list[SegmentRow]
    #: `[seq, leaf hex]` of every entry of this submission, in order: what a seal lists.
    events: list[tuple[int, str]] = field(default_factory=list)
    #: Mark of each receipt → `seq` of its entry, to know a repeated one.
    marks: dict[bytes, int] = field(default_factory=dict)
    pinned: int = 0
    #: The operator was asked what became of it (query_sm) after the deadline.
    queried: bool = False
    #: Until when policy's last decision lets it go, and the count of permissions it was made on.
    released_until_ms: int = -1
    permission_changes: int = -1
    #: Until when what leaves now may arrive (Unix time); infinite where no hours end.
    arrive_until_s: float = math.inf
    #: Segments the text would have taken without what was appended; 0 where nothing was.
    parts_before: int = 0
    #: What that decision had counted against it, as caps see it, and what each cap made of it.
    history: tuple[Sent, ...] = ()
    counts: tuple[CapCount, ...] = ()
    #: Its own place under the caps, once it was looked for.
    place: Place | None = None
    #: PDUs of the attempt under way as they were sealed, to spare opening them for the entry.
    pdus: dict[str, bytes] = field(default_factory=dict)
    _encoded: EncodedText | None = None

    @property
    def id(self) -> str:
        """The public `submission_id`."""
        return self.row.submission_id

    def decided(self, decision: Decision) -> None:
        """Keep why policy does not let it go, and by which rules; nothing of a release."""
        self.row.reason = decision.reason
        self.row.rules = ",".join(decision.rules) if decision.reason else None

    def hold(self, decision: Decision, due_ms: int) -> None:
        """It waits until *due_ms*, for the reason the decision gives."""
        self.decided(decision)
        self.row.state, self.row.due_ms = State.HELD, due_ms

    def begun(self) -> bool:
        """Whether any of it left, or is about to."""
        if len(self.segments) == 1:  # nearly every message: spare it the generator
            return self.segments[0].outcome is not Outcome.PENDING
        return any(segment.outcome is not Outcome.PENDING for segment in self.segments)

    def all_answered(self) -> bool:
        """Whether no segment waits for its turn or for an answer."""
        return all(
            segment.outcome is not Outcome.PENDING and segment.outcome is not Outcome.SENDING
            for segment in self.segments
        )

    def encoded(self) -> EncodedText:
        """The text as segments; the same submission always gives the same octets."""
        if self._encoded is None:
            kept = self.request.coding
            coding = PLAIN
            if kept is not None:
                coding = Coding(
                    **{**kept, "national_tables": tuple(kept.get("national_tables", ()))}
                )
            self._encoded = encode_text(self.request.text, coding, reference=self.row.id)
        return self._encoded

    def number(self, row_id: int) -> None:
        """Take the row's id, which is the reference that ties the parts of this text together."""
        self.row.id = row_id
        if self.row.parts > 1:
            self._encoded = None

    def seal(self, name: str, content: bytes) -> bytes:
        """*content* encrypted under this submission's key, bound to its id and *name*."""
        return self.cipher.seal(self.row.submission_id, name, content)

    def seal_pdu(self, name: str, pdu: bytes) -> bytes:
        """`seal`, remembering the PDU for the entry that will commit to it."""
        self.pdus[name] = pdu
        return self.seal(name, pdu)

    def open(self, name: str, sealed: bytes) -> bytes:
        """The inverse of `seal`."""
        return self.cipher.open_record(self.row.submission_id, name, sealed)

    def mark(self, receipt_body: bytes) -> bytes:
        """A keyed hash by which the same receipt is known again, and nothing else."""
        return sha256(b"acuse/receipt/v1\0" + self.key + receipt_body).digest()[:16]


class WorkSet:
    """Every `Work` in memory, found by row id or by the operator's message id."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._pinned: dict[int, Work] = {}
        self._idle: OrderedDict[int, Work] = OrderedDict()
        self._fresh: list[Work] = []
        #: Submissions that are held or queued; the configured limit is on these.
        self.waiting = 0
        self._by_key: dict[tuple[str, str], list[tuple[Work, SegmentRow]]] = {}

    def add(self, work: Work) -> None:
        """Take in a submission that was just made; it stays for this batch at least."""
        self._idle[work.row.id] = work
        self._fresh.append(work)

    def get(self, row_id: int) -> Work:
        """The submission with that row id, from memory or from the file."""
        work = self._pinned.get(row_id) or self._idle.get(row_id)
        if work is not None:
            return work
        row = self._store.submission(row_id)
        if row is None:
            raise StorageError(
                f"submission row {row_id} is missing",
                hint="stop the daemon and run `acuse ledger verify`",
                row=row_id,
            )
        work = self._load(row)
        self._idle[row_id] = work
        return work

    def by_submission_id(self, submission_id: str) -> Work | None:
        """The submission with that public id; None also where its content was erased."""
        row = self._store.submission_by_id(submission_id)
        return None if row is None else self.get_or_none(row.id)

    def exists(self, submission_id: str) -> bool:
        """Whether there is, or was, such a submission."""
        return self._store.submission_by_id(submission_id) is not None

    def pin(self, work: Work) -> None:
        """Keep *work* in memory until as many `unpin`s."""
        work.pinned += 1
        if work.pinned == 1:
            self._idle.pop(work.row.id, None)
            self._pinned[work.row.id] = work

    def unpin(self, work: Work) -> None:
        """Give back one `pin`."""
        work.pinned -= 1
        if work.pinned == 0:
            del self._pinned[work.row.id]
            self._idle[work.row.id] = work

    def peek(self, row_id: int) -> Work | None:
        """The submission with that row id, if it is in memory."""
        return self._pinned.get(row_id) or self._idle.get(row_id)

    def drop(self, work: Work) -> None:
        """Forget *work*, which nothing is under way for, with its key and its content."""
        assert work.pinned == 0
        for segment in work.segments:
            self.forget_key(segment)
        self._idle.pop(work.row.id, None)

    def remember_key(self, work: Work, segment: SegmentRow) -> None:
        """Know *segment* by the message id the operator gave it."""
        if segment.operator is not None and segment.match_key is not None:
            known = self._by_key.setdefault((segment.operator, segment.match_key), [])
            known.append((work, segment))

    def forget_key(self, segment: SegmentRow) -> None:
        """*segment* is not known by its message id any more."""
        if segment.operator is not None and segment.match_key is not None:
            key = (segment.operator, segment.match_key)
            left = [each for each in self._by_key.pop(key, ()) if each[1].id != segment.id]
            if left:
                self._by_key[key] = left

    def by_match_key(
        self, operator: str, match_key: str, *, everywhere: bool = False
    ) -> list[tuple[Work, SegmentRow]]:
        """Segments an operator answered with that message id, latest first.

        Those in memory if there are any; *everywhere*: the file is asked as well, for an id that
        was given more than once.
        """
        known = self._by_key.get((operator, match_key), [])
        if known and not everywhere:
            return known[::-1]
        found = known[::-1]
        ids = {segment.id for _, segment in found}
        for row in self._store.segments_by_key(operator, match_key):
            if row.id not in ids:
                work = self.get_or_none(row.submission)
                segment = None if work is None else work.segments[row.number - 1]
                # The open batch may have taken the key away, and the file not know it yet.
                if work is not None and segment is not None and segment.match_key == match_key:
                    found.append((work, segment))
        return found

    def get_or_none(self, row_id: int) -> Work | None:
        """`get`, or None where the content was erased: nothing can be tied to it any more."""
        if row_id not in self._pinned and row_id not in self._idle:
            row = self._store.submission(row_id)
            if row is None or row.key is None or row.request is None:
                return None
        return self.get(row_id)

    def usable(self, row_id: int) -> Work | None:
        """`get`, or None where the content was erased or its row is damaged.

        One such message must not keep the others back: it stays where it is, and a person is told.
        """
        try:
            return self.get_or_none(row_id)
        except StorageError as error:
            log.warning("message.stuck", row=row_id, reason=error.message, hint=error.hint)
            return None

    def sending_to(self, operator: str, number: str) -> bool:
        """Whether a message to *number* waits for the operator's answer; goes through them all."""
        return any(
            work.request.to == number
            and any(
                each.outcome is Outcome.SENDING and each.operator == operator
                for each in work.segments
            )
            for work in self._pinned.values()
        )

    def trim(self) -> None:
        """Forget the submissions idle for longest; only between batches."""
        for work in self._fresh:
            # Held, or behind a long queue: it comes back from the file when its turn comes, and
            # must not push out those whose receipts are due.
            if work.pinned == 0:
                self._idle.pop(work.row.id, None)
        self._fresh.clear()
        while len(self._idle) > _IDLE_LIMIT:
            _, work = self._idle.popitem(last=False)
            for segment in work.segments:
                if segment.operator is not None and segment.match_key is not None:
                    self._by_key.pop((segment.operator, segment.match_key), None)

    def _load(self, row: SubmissionRow) -> Work:
        if row.key is None or row.request is None:
            raise StorageError(
                f"the content of submission {row.submission_id} was erased",
                hint="its proof still verifies: `acuse bundle`",
                submission_id=row.submission_id,
            )
        key = self._vault.unwrap(row.key, row.submission_id, row.month)
        cipher = ContentCipher(key)
        request = cipher.open_record(row.submission_id, "request", row.request)
        return Work(
            row,
            key,
            cipher,
            Request.from_bytes(request),
            self._store.segments(row.id),
            events=self._events(row.last_seq),
            marks={r.mark: r.seq for r in self._store.receipts(row.id) if r.duplicate_of is None},
        )

    def _events(self, last_seq: int) -> list[tuple[int, str]]:
        """Walk `mprev` back from the last entry of a submission."""
        events = []
        seq: int | None = last_seq
        while seq is not None:
            entry = self._store.entry(seq)
            events.append((seq, merkle.leaf_hash(entry).hex()))
            seq = canonical.decode(entry).get("mprev")
        return events[::-1]

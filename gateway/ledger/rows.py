"""The mutable rows the daemon works on; the store writes each changed one once per batch.

All text that could identify somebody is ciphertext here (`request`, `submit`, `response`, `raw`)
or a keyed hash (`person`, `mark`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a submission stands (CONTRACT, `state`)."""

    HELD = "held"
    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    DELIVERED_TO_OPERATOR = "delivered_to_operator"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    DELETED = "deleted"
    REJECTED = "rejected"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    UNCONFIRMED = "unconfirmed"
    ERASED = "erased"


class Outcome(StrEnum):
    """What an attempt at a segment came to (CONTRACT, `outcome`); `sending` is stored only."""

    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(slots=True, eq=False)
class SubmissionRow:
    """One row of `submissions`. `key` is wrapped; `month` names the key it is wrapped with."""

    id: int
    submission_id: str
    state: State
    category: str
    brand: str
    ref: str | None
    person: bytes
    month: str
    key: bytes | None
    request: bytes | None
    encoding: str
    parts: int
    submitted_ms: int
    expires_ms: int | None = None
    operator: str | None = None
    due_ms: int = 0
    closed_ms: int | None = None
    last_seq: int = -1
    seal_seq: int | None = None
    reason: str | None = None
    #: Ids of the rules that stand behind `reason`, with commas between.
    rules: str | None = None
    attempts: str | None = None
    contradicted: int = 0

    def __post_init__(self) -> None:
        # The file gives text; states are compared by identity everywhere.
        self.state = State(self.state)


@dataclass(slots=True, eq=False)
class SegmentRow:
    """One row of `segments`: one `submit_sm`'s worth of a submission, counted from 1."""

    id: int
    submission: int
    number: int
    outcome: Outcome = Outcome.PENDING
    operator: str | None = None
    bind: str | None = None
    message_id: str | None = None
    match_key: str | None = None
    command_status: int | None = None
    sent_ms: int | None = None
    answered_ms: int | None = None
    final: str | None = None
    submit: bytes | None = None
    response: bytes | None = None

    def __post_init__(self) -> None:
        self.outcome = Outcome(self.outcome)


def segment_id(submission: int, number: int) -> int:
    """The row id of a segment; a message has at most 255."""
    return submission << 8 | number


@dataclass(slots=True, eq=False)
class ReceiptRow:
    """One row of `receipts`. Without `submission` it is an orphan, with a `key` of its own."""

    id: int
    submission: int | None
    segment: int | None
    operator: str
    bind: str
    match_key: str | None
    message_state: str
    final: int
    error: str | None
    network_error_code: str | None
    received_ms: int
    done_ms: int | None
    conflict: int
    duplicate_of: int | None
    seq: int
    mark: bytes
    month: str
    key: bytes | None
    raw: bytes | None
    #: How it was tied to its submission: one of `smpp.message_id.RULES`, or "recipient".
    matched_by: str | None = None


@dataclass(slots=True, eq=False)
class InboundRow:
    """One row of `inbound`: a message from a handset, or a part of one, kept as it came.

    It has a `key` of its own until it is found to answer a `submission`, whose key it shares then.
    """

    id: int
    operator: str
    bind: str
    received_ms: int
    month: str
    key: bytes | None
    raw: bytes | None
    number: int = 1
    total: int = 1
    whole: int | None = None
    submission: int | None = None
    seq: int | None = None
    #: What it says, sealed like `raw`; with the row that completed it, where it answers something.
    text: bytes | None = None
    #: The word by which the person opted out, if that is what the message says.
    optout: str | None = None


@dataclass(slots=True, eq=False)
class OptoutRow:
    """One row of `optouts`; `brand` is empty for all brands, `key` and `number` once erased."""

    id: int
    person: bytes
    brand: str
    added_ms: int
    source: str
    seq: int
    month: str
    key: bytes | None
    number: bytes | None
    #: It only sounds like an opt-out, and a person has yet to read it: `text`, sealed.
    suspected: int = 0
    text: bytes | None = None


@dataclass(slots=True, eq=False)
class ServiceRow:
    """One row of `services`: a message of ours that answers what a person did.

    A request to confirm a sign-up (`request`, in `consent_requests`) has the keyed hash of its
    `code`, if it has one, and how often one was tried.
    """

    id: int
    person: bytes
    brand: str
    service: str
    made_ms: int
    submission: int
    request: int | None = None
    code: bytes | None = None
    tries: int = 0


@dataclass(slots=True, eq=False)
class ConsentRow:
    """One row of `consents`: one consent and its evidence.

    `details` is sealed JSON: `text`, `source`, `answer` and what else was given as evidence. Of a
    list that was imported, `chunk` has the key and the texts, and `place` is the row's place in
    it; `key` is null then.
    """

    id: int
    person: bytes
    brand: str
    purpose: str
    method: str
    granted_ms: int
    added_ms: int
    actor: str
    text_hash: bytes | None
    seq: int
    month: str
    key: bytes | None
    number: bytes | None
    details: bytes | None
    #: The request it answers (double opt-in run by us).
    request: int | None = None
    chunk: int | None = None
    place: int = 0
    withdrawn_ms: int | None = None
    withdrawn_seq: int | None = None
    #: Sealed JSON: how the withdrawal came. With the latest record it concerns.
    withdrawal: bytes | None = None


@dataclass(slots=True, eq=False)
class ConsentRequestRow:
    """One row of `consent_requests`: somebody was asked to confirm, which is no consent yet.

    `closed_ms`: answered, or taken back; `expires_ms`: from then on an answer confirms nothing.
    """

    id: int
    person: bytes
    brand: str
    purpose: str
    asked_ms: int
    expires_ms: int
    actor: str
    text_hash: bytes | None
    seq: int
    month: str
    key: bytes | None
    number: bytes | None
    details: bytes | None
    closed_ms: int | None = None


@dataclass(slots=True, eq=False)
class ChunkRow:
    """One row of `chunks`: what the persons of one chunk of an imported list have in common.

    `leaves` are their commitments side by side, 32 bytes each, in the order of `place`: the entry
    `seq` has the root of the tree over them. `details` is sealed JSON: the list of `sources`, and
    `texts`, hex SHA-256 of each → the text.
    """

    id: int
    kind: str
    brand: str
    count: int
    added_ms: int
    actor: str
    seq: int
    month: str
    key: bytes | None
    details: bytes | None
    leaves: bytes


@dataclass(slots=True, eq=False)
class SnapshotRow:
    """One row of `snapshots`: a do-not-contact registry as it was on a day.

    `state`: "loading" until its last member is in, then "current", then "dead" until its members
    are removed.
    """

    id: int
    name: str
    as_of_ms: int
    state: str
    begun_ms: int
    actor: str
    members: int = 0
    digest: bytes | None = None
    imported_ms: int | None = None
    seq: int | None = None


class Suppression(NamedTuple):
    """One row of `suppressions`: an opt-out that came in a list of many; its chunk has the rest.

    `source` is the place in the chunk's `sources`; `number` is encrypted for this person under the
    chunk's key, None once it was erased.
    """

    person: bytes
    brand: str
    chunk: int
    place: int
    source: int
    added_ms: int
    number: bytes | None


Row = (
    SubmissionRow
    | SegmentRow
    | ReceiptRow
    | InboundRow
    | OptoutRow
    | ServiceRow
    | ConsentRow
    | ConsentRequestRow
    | ChunkRow
    | SnapshotRow
)

TABLES: dict[type[Row], str] = {
    SubmissionRow: "submissions",
    SegmentRow: "segments",
    ReceiptRow: "receipts",
    InboundRow: "inbound",
    OptoutRow: "optouts",
    ServiceRow: "services",
    ConsentRow: "consents",
    ConsentRequestRow: "consent_requests",
    ChunkRow: "chunks",
    SnapshotRow: "snapshots",
}


def columns(kind: type[Row]) -> tuple[str, ...]:
    """The columns of a kind of row, in the order of its fields."""
    return tuple(field.name for field in fields(kind))

"""What a bundle says of one submission, read strictly: the facts a certificate may print.

Only a bundle that holds together is read (`gateway.ledger.verify`), and of its entries only the
keys LEDGER section 2 names, each of its own type. Nothing here knows a language or a layout.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.certificate.tokens import TokenFacts, read_timestamp, stated
from gateway.errors import DataError
from gateway.ledger import entry as event
from gateway.ledger.canonical import decode
from gateway.ledger.course import DECIDING, Course
from gateway.ledger.entry import is_time, time_ms
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import Checkpoint, Verifier, cosigned_at_s, open_note
from gateway.ledger.proof import Bundle, ProvenEntry, parse_bundle, parse_proof
from gateway.ledger.report import FORK, INVALID
from gateway.ledger.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = "shown"
#: The issuer of this copy keeps it back; the proof holds all the same.
WITHHELD = "withheld"
#: Destroyed, lawfully: nobody can show it any more.
ERASED = "erased"
#: Pages show every event, character and octet of a receipt, or there are none: beyond this they
#: would be a book, and cost a verifier who makes them again more than 256 MiB.
MAX_BUNDLE_BYTES = 1 << 20
MAX_EVENTS = 200
MAX_CHARACTERS = 8_000
MAX_RECEIPT_BYTES = 48 << 10

#: What tells how far an open submission has come.
_MOVING = frozenset(
    {event.SUBMISSION_ACCEPTANCE, event.RELEASED, event.RELAY, event.OUTCOME_UNKNOWN, event.ERASED}
)
_CODE_CHARACTERS = 25
_GROUP = 5


@dataclass(frozen=True, slots=True)
class Content:
    """What a commitment is over, or why it is not here (`WITHHELD`, `ERASED`)."""

    status: str
    value: bytes = b""

    @property
    def text(self) -> str | None:
        """The value as text, if it is shown."""
        return self.value.decode() if self.status == SHOWN else None


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the submission."""

    seq: int
    at_ms: int
    code: str
    leaf: str
    #: Hashes on its way to the checkpoint's root.
    path: int
    body: Mapping[str, Any]
    contents: Mapping[str, Content]

    def text(self, key: str) -> str:
        """A text of the entry; empty where it is absent or null.

        Raises:
            DataError: it is something else.
        """
        value = self.body.get(key)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        raise self._refuse(key, "text")

    def number(self, key: str) -> int | None:
        """A whole number of the entry, None where it is absent or null.

        Raises:
            DataError: it is something else.
        """
        value = self.body.get(key)
        if value is None or type(value) is int:
            return value
        raise self._refuse(key, "a whole number")

    def time(self, key: str) -> int | None:
        """A time of the entry in milliseconds since the epoch, None where absent or null.

        Raises:
            DataError: it is something else.
        """
        value = self.body.get(key)
        if value is None:
            return None
        if isinstance(value, str) and not is_time(value):
            value = f"{value[:-1]}.000Z"  # whole seconds
        if is_time(value):
            return time_ms(value)
        raise self._refuse(key, "a time")

    def objects(self, key: str) -> list[Mapping[str, Any]]:
        """A list of objects of the entry; empty where it is absent.

        Raises:
            DataError: it is something else.
        """
        value = self.body.get(key, [])
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
        raise self._refuse(key, "a list of objects")

    def part(self, key: str, value: Mapping[str, Any]) -> Event:
        """The object *value* of this entry, to be read like an entry; its name is *key*."""
        return Event(self.seq, self.at_ms, key, self.leaf, self.path, value, {})

    def mapping(self, key: str) -> Event:
        """An object of the entry, to be read like an entry; empty where it is absent.

        Raises:
            DataError: it is something else.
        """
        value = self.body.get(key, {})
        if isinstance(value, dict):
            return self.part(key, value)
        raise self._refuse(key, "an object")

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts of the entry; empty where it is absent.

        Raises:
            DataError: it is something else.
        """
        value = self.body.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise self._refuse(key, "a list of texts")

    def _refuse(self, key: str, wanted: str) -> DataError:
        return DataError(
            f"{key} of entry {self.seq} is not {wanted}",
            hint="no certificate is made of an entry that Acuse does not write like this",
            field=key,
            seq=self.seq,
        )


@dataclass(frozen=True, slots=True)
class Witness:
    """A cosignature of the checkpoint that holds under the key the bundle names."""

    name: str
    at_s: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one submission."""

    submission_id: str
    events: tuple[Event, ...]
    #: The state the last seal names, or as far as it has come.
    state: str
    #: The last seal stands; else the submission is open.
    sealed: bool
    #: The event that decided `state`.
    decisive: Event
    recipient: Content
    shown_sender: Content
    text: Content
    #: As the envelope has them; all texts, some may be empty.
    issuer: Mapping[str, str]
    sender: Mapping[str, str]
    operators: Mapping[str, Mapping[str, str]]
    note: str
    checkpoint: Checkpoint
    log_key: str
    witnesses: tuple[Witness, ...]
    tokens: tuple[TokenFacts, ...]
    #: What the tokens state, in ms since the epoch: all of it happened between.
    not_before_ms: int | None
    not_after_ms: int | None
    anchors: tuple[int, ...]
    rotations: int
    #: The log has signed that nothing else is known of the submission.
    complete: bool
    #: Hex SHA-256 of the bundle.
    digest: str
    #: The newest time in the bundle: what the certificate is dated.
    evidence_ms: int

    @property
    def first(self) -> Event:
        """A.1, or the A.2 of what was refused at once."""
        return self.events[0]

    @property
    def code(self) -> str:
        """The verification code: 125 bits of the bundle's SHA-256 in base32, in groups."""
        text = base64.b32encode(bytes.fromhex(self.digest)).decode()[:_CODE_CHARACTERS]
        return "-".join(text[at : at + _GROUP] for at in range(0, _CODE_CHARACTERS, _GROUP))

    @property
    def erased(self) -> Event | None:
        """The event that destroyed the content."""
        return next((one for one in self.events if one.code == event.ERASED), None)

    def of(self, *codes: str) -> list[Event]:
        """The events of these kinds, in order."""
        return [one for one in self.events if one.code in codes]


def read_facts(data: bytes) -> Facts:
    """The facts of the bundle in *data*.

    Raises:
        NotABundle: it is none.
        DataError: it contradicts itself, is larger than a page can show, or an entry has a key of
            another type than Acuse writes.
    """
    bundle = parse_bundle(data)
    _check_size("bytes", len(data), MAX_BUNDLE_BYTES)
    _check_size("events", len(bundle.entries), MAX_EVENTS)
    report = verify_bundle(data, now_ms=0, stamp_check=stated)
    if report.verdict in (INVALID, FORK):
        raise DataError(
            f"the bundle contradicts itself: {report.reason}",
            hint="`acuse verify` says more; no certificate is made of it",
            field="bundle",
        )
    facts = _facts(bundle, data, report.not_before_ms, report.not_after_ms)
    contents = [item for one in facts.events for item in one.contents.items()]
    texts = [content.text or "" for name, content in contents if name == "text"]
    receipts = [content.value for name, content in contents if name in ("receipt", "deliver")]
    _check_size("characters", sum(map(len, texts)), MAX_CHARACTERS)
    _check_size("octets of receipts", sum(map(len, receipts)), MAX_RECEIPT_BYTES)
    return facts


def _check_size(what: str, count: int, most: int) -> None:
    if count > most:
        raise DataError(
            f"the bundle has {count} {what}, too many to print",
            hint=f"pages take {most}; the bundle itself is proof enough",
            field="bundle",
        )


def _facts(bundle: Bundle, data: bytes, low_ms: int | None, high_ms: int | None) -> Facts:
    course, bodies = Course(), [decode(item.entry.encode()) for item in bundle.entries]
    for item, body in zip(bundle.entries, bodies, strict=True):
        list(course.take(body["seq"], leaf_hash(item.entry.encode()).hex(), body))
    pairs = zip(bundle.entries, bodies, strict=True)
    events = tuple(_event(item, body, bundle, course) for item, body in pairs)
    note = parse_proof(bundle.entries[0].proof).note
    tokens = tuple(map(read_timestamp, bundle.timestamps))
    subject = events[0].contents
    nothing = Content(ERASED if course.erased else WITHHELD)
    stamped = [token.stamp.at_ms for token in tokens if token.stamp]
    return Facts(
        submission_id=bundle.submission_id,
        events=events,
        state=course.final or course.state,
        sealed=course.final is not None,
        decisive=_decisive(
            events, course.final or "", course.seal if course.final is not None else None
        ),
        recipient=subject.get("to", nothing),
        shown_sender=subject.get("from", nothing),
        text=subject.get("text", nothing),
        issuer=_texts(bundle.issuer, "issuer"),
        sender=_texts(bundle.sender, "sender"),
        operators={
            name: _texts(value, f"operator {name}") for name, value in bundle.operators.items()
        },
        note=note,
        checkpoint=Checkpoint.parse(open_note(note)[0]),
        log_key=bundle.log,
        witnesses=_witnesses(note, bundle),
        tokens=tokens,
        not_before_ms=low_ms,
        not_after_ms=high_ms,
        anchors=tuple(decode(item.entry.encode())["seq"] for item in bundle.anchors),
        rotations=len(bundle.rotations),
        complete=bundle.complete is not None,
        digest=sha256(data).hexdigest(),
        evidence_ms=max([*stamped, *(one.at_ms for one in events)]),
    )


def _event(item: ProvenEntry, body: dict[str, Any], bundle: Bundle, course: Course) -> Event:
    disclosed = bundle.disclose.get(str(body["seq"]), {})
    contents = {}
    for name in body.get("commit", {}):
        shown = disclosed.get(name)
        if shown is None:
            contents[name] = Content(ERASED if course.erased else WITHHELD)
        elif "value" in shown:
            contents[name] = Content(SHOWN, shown["value"].encode())
        else:
            contents[name] = Content(SHOWN, bytes.fromhex(shown["value_hex"]))
    return Event(
        seq=body["seq"],
        at_ms=time_ms(body["t"]),
        code=body["ev"],
        leaf=leaf_hash(item.entry.encode()).hex(),
        path=len(parse_proof(item.proof).hashes),
        body=body,
        contents=contents,
    )


def _decisive(events: tuple[Event, ...], state: str, seal: int | None) -> Event:
    """The event that made the state what it is: before the seal, or the last that moved it."""
    moving = _MOVING
    if seal is not None:
        moving = DECIDING
        if state == "delivered_to_operator":
            moving = frozenset({event.CARRIER_REPORT, event.RESOLVED})
    found = [one for one in events if one.code in moving and (seal is None or one.seq < seal)]
    return found[-1] if found else events[0]


def _texts(value: object, what: str) -> dict[str, str]:
    found = value if isinstance(value, dict) else {}
    for key, text in found.items():
        if not isinstance(text, str):
            raise DataError(
                f"{key} of {what} is not text",
                hint="no certificate is made of what Acuse does not write like this",
                field=key,
            )
    return found


def _witnesses(note: str, bundle: Bundle) -> tuple[Witness, ...]:
    _, lines = open_note(note)
    found = []
    for vkey in bundle.witnesses:
        key = Verifier.from_vkey(vkey)
        found += [
            Witness(key.name, cosigned_at_s(line))
            for line in lines
            if key.made(line)  # and it holds, or the bundle would contradict itself
        ]
    return tuple(found)

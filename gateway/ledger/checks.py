"""What a bundle's entries prove by themselves: steps "canonical" to "commitments" of LEDGER
section 5. Whether anybody vouches for the checkpoint they lead to is `trust`'s business.

Every function writes what it finds into the case's `Findings` and goes on: a later step may show
something graver.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import DataError
from gateway.ledger import entry as event
from gateway.ledger.canonical import decode
from gateway.ledger.course import Course
from gateway.ledger.merkle import leaf_hash, verify_inclusion
from gateway.ledger.note import Checkpoint, SignatureLine, open_note
from gateway.ledger.proof import Bundle, ProvenEntry, complete_text, parse_proof

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.ledger.report import Findings

_HASH = re.compile(r"[0-9a-f]{64}")
_SEQ = re.compile(r"0|[1-9][0-9]{0,15}")
#: Different signed notes that one bundle may lead to; each costs a signature check or more.
_MAX_NOTES = 128
#: Events that say what an operator did, and so carry what its words mean.
_BY_OPERATOR = frozenset(
    {
        event.RELAY,
        event.RELAY_FAILURE,
        event.CARRIER_REPORT,
        event.CONTENT_HANDOVER,
        event.CONTENT_HANDOVER_FAILURE,
    }
)


@dataclass(frozen=True, slots=True)
class OpenNote:
    """A checkpoint note, taken apart; its signatures are not checked yet."""

    note: str
    text: str
    lines: tuple[SignatureLine, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry that is canonical and says where it stands."""

    seq: int
    leaf: bytes
    body: dict[str, Any]
    opened: OpenNote
    #: It is in the tree of the checkpoint. If not there is a fault, and nothing may rest on it.
    included: bool


def open_checkpoint(note: str) -> OpenNote:
    """Take a checkpoint note apart.

    Raises:
        DataError: it is none; reason "checkpoint".
    """
    text, lines = open_note(note)
    return OpenNote(note, text, tuple(lines), Checkpoint.parse(text))


class Case:
    """One bundle under examination."""

    def __init__(self, bundle: Bundle, found: Findings) -> None:
        self.bundle = bundle
        self.found = found
        self._notes: dict[str, OpenNote | None] = {}
        found.took("parse", "canonical", "inclusion", "place")
        self.entries = self._show(bundle.entries)
        self.anchors = self._show(bundle.anchors, code=event.ANCHOR)
        self.rotations = self._show(bundle.rotations, code=event.KEY_ROTATE)
        #: The checkpoint of the bundle; None only where there is a fault already.
        self.opened = self.entries[0].opened if self.entries else None
        #: Every entry could be read. If not, gaps are a consequence and no faults of their own.
        self.whole = len(self.entries) == len(bundle.entries)

    def open(self, note: str) -> OpenNote | None:
        """The checkpoint note, each one taken apart once; None (and a fault) if it is none."""
        if note not in self._notes:
            self._notes[note] = None
            if len(self._notes) > _MAX_NOTES:
                self.found.fault("checkpoint", f"more than {_MAX_NOTES} different checkpoints")
                return None
            try:
                self._notes[note] = open_checkpoint(note)
            except DataError as error:
                self.found.refused(error)
        return self._notes[note]

    def _show(self, items: Iterable[ProvenEntry], *, code: str = "") -> list[Shown]:
        shown = [self._prove(item) for item in items]
        for one in shown:
            if one and code and one.body["ev"] != code:
                self.found.fault("place", f"entry {one.seq} is no {code}", one.seq)
        return [one for one in shown if one]

    def _prove(self, item: ProvenEntry) -> Shown | None:
        found = self.found
        try:
            proof = parse_proof(item.proof)
        except DataError as error:
            found.refused(error)
            return None
        seq, opened, raw = proof.index, self.open(proof.note), item.entry.encode()
        leaf = leaf_hash(raw)
        if opened is None:
            return None
        included = False
        try:
            checkpoint = opened.checkpoint
            verify_inclusion(leaf, seq, checkpoint.size, proof.hashes, checkpoint.root)
            included = True
        except DataError as error:
            found.refused(error, seq)
        try:
            body = decode(raw)
        except DataError as error:
            found.refused(error, seq)
            return None
        faults = list(place_faults(body, seq, opened.checkpoint.origin))
        for step, message in faults:
            found.fault(step, message, seq)
        return None if faults else Shown(seq, leaf, body, opened, included)


def place_faults(body: dict[str, Any], seq: int, origin: str) -> Iterator[tuple[str, str]]:
    """(step, message) of what is wrong with the keys every entry has (LEDGER section 1)."""
    if type(body.get("v")) is not int or body["v"] != event.VERSION:
        yield "place", f"entry {seq} is not of version {event.VERSION}"
    if body.get("log") != origin:
        yield "place", f"entry {seq} is not of the log {origin}"
    if type(body.get("seq")) is not int or body["seq"] != seq:
        yield "place", f"the entry at {seq} says it is elsewhere"
    if not is_hash(body.get("prev")) or (seq == 0) != (body["prev"] == event.NO_PREVIOUS):
        yield "chain", f"entry {seq} names no hash of an entry before it"
    if not isinstance(body.get("ev"), str):
        yield "place", f"entry {seq} has no event code"
    if not event.is_time(body.get("t")):
        yield "time", f"t of entry {seq} is no time"


def is_hash(value: object) -> bool:
    """Whether *value* is a SHA-256 in lower-case hex."""
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def check_chain(case: Case) -> None:
    """`prev`, where both neighbours are at hand; seq order of what is shown."""
    case.found.took("chain")
    leaves = {one.seq: one.leaf for one in (*case.entries, *case.anchors, *case.rotations)}
    for one in (*case.entries, *case.anchors, *case.rotations):
        before = leaves.get(one.seq - 1)
        if before is not None and one.body["prev"] != before.hex():
            case.found.fault(
                "chain", f"entry {one.seq} does not follow entry {one.seq - 1}", one.seq
            )


def check_course(case: Case) -> Course:
    """Links, seals and the order of events: the course of the submission as shown."""
    found, course = case.found, Course()
    found.took("links", "complete", "time")
    last = -1
    for one in case.entries:
        if one.seq <= last:
            found.fault("links", f"entry {one.seq} is not shown in order, or twice", one.seq)
        last = one.seq
        if one.body.get("mid") != case.bundle.submission_id:
            found.fault("links", f"entry {one.seq} is of another submission", one.seq)
        for step, message in course.take(one.seq, one.leaf.hex(), one.body):
            found.fault(step, message, one.seq)
    found.erased = course.erased
    if course.final is None:
        found.not_final = "complete: the submission is still open"
    if course.ambiguous:
        found.ambiguous = "complete: the receipt fits more than one submission"
    return course


def check_times(case: Case) -> None:
    """`t` never runs backwards along the log; the other times have the form of times."""
    case.found.took("time")
    last = ""
    for one in sorted((*case.entries, *case.anchors), key=lambda one: one.seq):
        if one.body["t"] < last:
            case.found.fault("time", f"entry {one.seq} is earlier than one before it", one.seq)
        last = one.body["t"]
        parts = one.body.get("parts")
        for part in parts if isinstance(parts, list) else ():
            times = (
                [part[key] for key in ("sent", "answered") if part.get(key) is not None]
                if isinstance(part, dict)
                else [None]
            )
            if not all(event.is_time(value) for value in times):
                case.found.fault("time", f"a part of entry {one.seq} has no proper time", one.seq)


def check_complete(case: Case, opened: OpenNote) -> tuple[str, list[SignatureLine]] | None:
    """The text and signatures of the `complete` note when it states what the bundle shows."""
    found, bundle = case.found, case.bundle
    if bundle.complete is None:
        found.not_final = found.not_final or (
            "complete: the log does not state that nothing else is known of the submission"
        )
        return None
    try:
        text, lines = open_note(bundle.complete)
    except DataError as error:
        found.fault("complete", error.message)
        return None
    checkpoint = opened.checkpoint
    leaves = [one.leaf for one in case.entries]
    if text != complete_text(checkpoint.origin, bundle.submission_id, checkpoint.size, leaves):
        found.fault("complete", "the log states other entries of this submission than are shown")
        return None
    return text, lines


def check_envelope(case: Case) -> None:
    """Issuer, sender and operators are those whose hashes the entries carry."""
    found, bundle = case.found, case.bundle
    found.took("envelope")
    for one in case.entries:
        body, code = one.body, one.body["ev"]
        if code in (event.SUBMISSION_ACCEPTANCE, event.SUBMISSION_REJECTION):
            for key, value in (("issuer", bundle.issuer), ("sender", bundle.sender)):
                if not _matches(value, body.get(key)):
                    found.fault("envelope", f"{key} is not the one entry {one.seq} names", one.seq)
        if code in _BY_OPERATOR:
            name = body.get("operator")
            operator = bundle.operators.get(name) if isinstance(name, str) else None
            if not _matches(operator, body.get("profile")):
                found.fault(
                    "envelope", f"the operator of entry {one.seq} is not as sealed", one.seq
                )
            elif code == event.CONTENT_HANDOVER and not _means_handset(operator):
                found.fault(
                    "envelope",
                    f"entry {one.seq} claims more than its operator's receipt means",
                    one.seq,
                )


def _means_handset(operator: object) -> bool:
    return isinstance(operator, dict) and operator.get("receipt_means") == "handset"


def _matches(value: object, digest: object) -> bool:
    try:
        return value is not None and event.object_hash(value) == digest
    except DataError:
        return False


def check_commitments(case: Case) -> None:
    """Every disclosed field gives the commitment its entry carries."""
    found = case.found
    found.took("commitments")
    shown = {str(one.seq): one for one in case.entries}
    for seq, fields in case.bundle.disclose.items():
        one = shown.get(seq)
        if one is None:
            at = int(seq) if _SEQ.fullmatch(seq) else None
            found.fault("commitments", "something is disclosed of an entry not shown", at)
            continue
        commits = one.body.get("commit")
        for name, item in fields.items():
            committed = commits.get(name) if isinstance(commits, dict) else None
            if not _opens(committed, name, item):
                found.fault("commitments", f"{name} of entry {seq} is not what was sealed", one.seq)


def _opens(committed: object, name: str, item: object) -> bool:
    """Whether {"salt", "value" or "value_hex"} opens the commitment of field *name*."""
    if not isinstance(item, dict) or not event.is_field(name) or not is_hash(item.get("salt")):
        return False
    if ("value" in item) == ("value_hex" in item):
        return False
    text = item.get("value", item.get("value_hex"))
    if not isinstance(text, str):
        return False
    try:
        value = text.encode() if "value" in item else bytes.fromhex(text)
    except ValueError:  # a lone surrogate, or not hex
        return False
    if "value_hex" in item and value.hex() != text:
        return False
    return event.salted(bytes.fromhex(item["salt"]), name, value).hex() == committed

"""A witness: it cosigns a log's checkpoints, each only if it extends the one before.

This is the pure half of c2sp.org/tlog-witness (`add-checkpoint`) and c2sp.org/tlog-cosignature
(signature type 0x04): what a request says, what is to be answered, and what is evidence.
`witnessfile` keeps the state between requests, `gateway.daemon.witnesshttp` speaks HTTP.

A witness vouches for one thing: of every log it knows, the checkpoints it cosigned are all in the
past of the largest of them. Whoever wants to show two people two versions of a log needs it to lie.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import DataError
from gateway.ledger.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from gateway.ledger.note import (
    COSIGNATURE,
    ED25519,
    MAX_NOTE_BYTES,
    Checkpoint,
    SignatureLine,
    check_name,
    cosigned_message,
    decode_base64,
    decode_size,
    format_vkey,
    join_note,
    key_id,
    open_note,
    verified_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.ledger.note import Verifier

#: More hashes no consistency proof of a tree below 2^63 leaves has.
MAX_PROOF_LINES = 63
_PROOF_LINE_BYTES = 45
#: The longest request that can be well-formed.
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + (MAX_PROOF_LINES + 1) * _PROOF_LINE_BYTES
#: Of the body of a 409, which is the size of the latest cosigned checkpoint.
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"

OK = 200
BAD_REQUEST = 400
FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
UNPROCESSABLE = 422


class Cosigner:
    """The key of a witness: Ed25519, signatures of type 0x04 (c2sp.org/tlog-cosignature)."""

    __slots__ = ("_key", "key_id", "name", "public")

    def __init__(self, name: str, seed: bytes) -> None:
        """The witness *name* with the 32-byte RFC 8032 seed *seed*.

        Raises:
            DataError: *name* is no key name.
        """
        check_name(name)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.name = name
        self.public = self._key.public_key().public_bytes_raw()
        self.key_id = key_id(name, COSIGNATURE, self.public)

    def __repr__(self) -> str:
        return f"Cosigner({self.vkey!r})"

    @property
    def vkey(self) -> str:
        """The verifier key, for policies and for `[[witness]]`."""
        return format_vkey(self.name, COSIGNATURE, self.public)

    def cosign(self, text: str, time_s: int) -> SignatureLine:
        """The cosignature of the note text *text*: consistent with all before, at *time_s*."""
        signature = self._key.sign(cosigned_message(text, time_s))
        return SignatureLine(self.name, self.key_id, time_s.to_bytes(8, "big") + signature)


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """An `add-checkpoint` request, taken apart; nothing of it is believed yet."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str
    text: str
    lines: tuple[SignatureLine, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint this witness cosigned, with the log's signed note."""

    checkpoint: Checkpoint
    note: str
    at_s: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two notes a log signed that do not go together.

    `proven`: two roots of one size, which needs no further proof. Otherwise a signed checkpoint
    came with a consistency proof that does not hold: the log, or whoever sent it, has to explain.
    """

    ours: str
    theirs: str
    proven: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer with; a 200 has no body until the state is written and it is signed."""

    status: int
    body: str = ""
    content_type: str = TEXT_TYPE
    evidence: Evidence | None = None


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """The request a body is.

    Raises:
        DataError: it is none (400); the message says what is wrong.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise DataError(f"a request is at most {MAX_REQUEST_BYTES} bytes long")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise DataError("a request is UTF-8") from None
    head, blank, note = text.partition("\n\n")
    if not blank:
        raise DataError("a request is `old SIZE`, proof lines, a blank line and a checkpoint")
    first, *rows = head.split("\n")
    if not first.startswith("old "):
        raise DataError("the first line of a request reads `old SIZE`")
    old_size = decode_size(first.removeprefix("old "), what="the old size", reason="parse")
    if len(rows) > MAX_PROOF_LINES:
        raise DataError(f"a consistency proof has at most {MAX_PROOF_LINES} lines")
    proof = tuple(decode_base64(row, what="a line of the proof", reason="parse") for row in rows)
    if any(len(each) != HASH_BYTES for each in proof):
        raise DataError(f"a line of the proof is not {HASH_BYTES} bytes long")
    signed, lines = open_note(note)
    return AddCheckpoint(old_size, proof, note, signed, tuple(lines), _checkpoint(signed))


def _checkpoint(text: str) -> Checkpoint:
    """The checkpoint of any log: lines beyond the third are extensions, never empty ones."""
    rows = text.removesuffix("\n").split("\n")
    if not all(rows):
        raise DataError("a checkpoint has no empty lines")
    return Checkpoint.parse("\n".join(rows[:3]) + "\n")


def format_add_checkpoint(old_size: int, proof: Sequence[bytes], note: str) -> bytes:
    """The request that asks for a cosignature of *note*; the other end of the parser."""
    rows = [f"old {old_size}", *(base64.b64encode(each).decode() for each in proof), "", note]
    return "\n".join(rows).encode()


class Logs:
    """The logs a witness knows: by origin, the keys it believes for it."""

    def __init__(self, keys: Iterable[Verifier]) -> None:
        """*keys* may hold several of one log: while its key changes, both are needed.

        Raises:
            DataError: one of them is no key of a log (signature type 0x01).
        """
        self._keys: dict[str, list[Verifier]] = {}
        for key in keys:
            if key.kind != ED25519:
                raise DataError(
                    f"{key.name} is a witness, not a log",
                    hint="give the log's verifier key, as `acuse ledger head` prints it",
                    field="log",
                )
            self._keys.setdefault(key.name, []).append(key)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def keys(self) -> Mapping[str, Sequence[Verifier]]:
        """The keys by origin."""
        return self._keys

    def admit(self, request: AddCheckpoint) -> AddCheckpoint | Answer:
        """The request with only the signatures of known keys left in its note.

        An unknown log is answered with 404, one that did not sign the checkpoint with 403.
        """
        origin = request.checkpoint.origin
        keys = self._keys.get(origin)
        if keys is None:
            return Answer(NOT_FOUND, f"the log {origin} is not known here\n")
        try:
            signed = verified_by(request.text, request.lines, keys)
        except DataError as error:
            return Answer(FORBIDDEN, f"{error.message}\n")
        if not signed:
            return Answer(FORBIDDEN, f"no key known for {origin} signed the checkpoint\n")
        lines = tuple(line for line in request.lines if any(key.made(line) for key in signed))
        return replace(request, note=join_note(request.text, lines), lines=lines)


def judge(request: AddCheckpoint, latest: Cosigned | None, same_size: Cosigned | None) -> Answer:
    """What to answer to a request whose signature holds; 200: it may be cosigned.

    *latest* is what was cosigned last of this log, *same_size* what was cosigned of it at the
    request's own size, if anything.
    """
    new = request.checkpoint
    known_size = latest.checkpoint.size if latest else 0
    known_root = latest.checkpoint.root if latest else EMPTY_ROOT
    if request.old_size > new.size:
        return Answer(BAD_REQUEST, "the old size is larger than the checkpoint's\n")
    evidence = None
    if same_size is not None and same_size.checkpoint.root != new.root:
        evidence = Evidence(same_size.note, request.note, proven=True)
    other_root = known_size == new.size and known_root != new.root
    if evidence is not None or other_root or request.old_size != known_size:
        return Answer(CONFLICT, f"{known_size}\n", SIZE_TYPE, evidence)
    try:
        _require_extension(request, known_size, known_root)
    except DataError as error:
        if latest is not None:
            evidence = Evidence(latest.note, request.note, proven=False)
        return Answer(UNPROCESSABLE, f"{error.message}\n", evidence=evidence)
    return Answer(OK)


def _require_extension(request: AddCheckpoint, known_size: int, known_root: bytes) -> None:
    new = request.checkpoint
    if known_size:
        verify_consistency(known_size, known_root, new.size, new.root, request.proof)
    elif request.proof:
        raise DataError("nothing leads from the empty log: the proof must be empty")

"""Proofs as text: c2sp.org/tlog-proof@v1, and the `acuse-proof/v1` bundle that carries them.

Parsing only says what is there and bounds it; whether it holds is `verify`'s business.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.errors import DataError
from gateway.ledger.canonical import check_form, refusal
from gateway.ledger.merkle import HASH_BYTES
from gateway.ledger.note import decode_base64, decode_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
BUNDLE_FORMAT = "acuse-proof/v1"
COMPLETE_HEADER = "acuse-complete/v1"
#: A bundle of 200 events with all their PDUs has some 600 kB.
MAX_BUNDLE_BYTES = 16 << 20
MAX_ENTRIES = 10_000
#: Of JSON, in the whole bundle; one of 10,000 entries with all they disclose has some 200,000.
MAX_VALUES = 250_000
#: An inclusion proof has at most 63 hashes, its note is bounded, and nobody needs more of `extra`.
MAX_PROOF_CHARS = 1 << 19
#: Of anchors, rotations, timestamps, earlier notes and witnesses each.
MAX_EXTRAS = 64
_MAX_INTEGER_DIGITS = 20
#: Ours have 36 (an id) and some 60 (an authority).
_MAX_NAME_CHARS = 500


class NotABundle(DataError):
    """The data is no acuse-proof/v1 bundle at all, so nothing can be said about its truth."""


@dataclass(frozen=True, slots=True)
class LogProof:
    """An inclusion proof with the checkpoint it leads to. `extra` is opaque and proves nothing."""

    index: int
    hashes: tuple[bytes, ...]
    note: str
    extra: bytes = b""


def format_proof(proof: LogProof) -> str:
    """The c2sp.org/tlog-proof@v1 text."""
    rows = [PROOF_HEADER]
    if proof.extra:
        rows.append(f"extra {base64.b64encode(proof.extra).decode()}")
    rows.append(f"index {proof.index}")
    rows += format_hashes(proof.hashes)
    return "\n".join(rows) + "\n\n" + proof.note


def format_hashes(hashes: Iterable[bytes]) -> list[str]:
    """Each hash in base64, as proofs and `consistency` lists have them."""
    return [base64.b64encode(item).decode() for item in hashes]


def parse_hashes(rows: Sequence[str], *, reason: str) -> list[bytes]:
    """The hashes of base64 rows.

    Raises:
        DataError: a row is not the base64 of 32 bytes; `fields["reason"]` is *reason*.
    """
    hashes = [decode_base64(row, what="a hash in the proof", reason=reason) for row in rows]
    if any(len(item) != HASH_BYTES for item in hashes):
        raise refusal("a hash in the proof is not 32 bytes long", reason=reason)
    return hashes


def parse_proof(text: str) -> LogProof:
    """The proof a c2sp.org/tlog-proof@v1 text is; its note is not taken apart.

    Raises:
        DataError: not such a text; reason "inclusion".
    """
    if len(text) > MAX_PROOF_CHARS:
        raise refusal(f"a proof is longer than {MAX_PROOF_CHARS}", reason="inclusion")
    head, blank, note = text.partition("\n\n")
    first, *rows = head.split("\n")
    if first != PROOF_HEADER or not blank:
        raise refusal(f"a proof begins with {PROOF_HEADER}", reason="inclusion")
    extra = b""
    if rows and rows[0].startswith("extra "):
        extra = decode_base64(rows.pop(0)[6:], what="the extra data", reason="inclusion")
    if not rows or not rows[0].startswith("index "):
        raise refusal("a proof names the index of its entry", reason="inclusion")
    index = decode_size(rows.pop(0)[6:], what="the index of a proof", reason="inclusion")
    return LogProof(index, tuple(parse_hashes(rows, reason="inclusion")), note, extra)


def complete_text(origin: str, submission_id: str, size: int, leaves: Sequence[bytes]) -> str:
    """The text of a `complete` note (LEDGER section 4): *leaves* are the hashes of all entries of
    the submission below *size*, in order."""
    digest = base64.b64encode(sha256(b"".join(leaves)).digest()).decode()
    return f"{COMPLETE_HEADER}\n{origin}\n{submission_id}\n{size}\n{digest}\n"


# --- the bundle ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry's exact text and its tlog-proof text."""

    entry: str
    proof: str


@dataclass(frozen=True, slots=True)
class EarlierNote:
    """An earlier signed note, with a consistency proof from it to the bundle's checkpoint."""

    note: str
    consistency: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An RFC 3161 token over the note text `over`, with a proof from there to the checkpoint."""

    tsa: str
    over: str
    token: str
    consistency: tuple[str, ...]
    #: What the issuer says of the authority; nothing in the log binds it.
    qualified: bool = False


@dataclass(frozen=True, slots=True)
class Bundle:
    """An `acuse-proof/v1` file, taken apart; every text in it has a UTF-8 form.

    `disclose` is left as JSON gave it below (seq, field): what is in it is judged with the
    commitments.
    """

    submission_id: str
    entries: tuple[ProvenEntry, ...]
    disclose: Mapping[str, Mapping[str, Any]]
    timestamps: tuple[Timestamp, ...]
    since: tuple[EarlierNote, ...]
    complete: str | None
    rotations: tuple[ProvenEntry, ...]
    anchors: tuple[ProvenEntry, ...]
    log: str
    witnesses: tuple[str, ...]
    operators: Mapping[str, Any]
    sender: object
    issuer: object


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise refusal("an object has the same key twice", reason="parse")
    return found


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_DIGITS:
        raise refusal("an integer is too large", reason="parse")
    return int(text)


def _no_constant(text: str) -> float:
    raise NotABundle(f"not JSON: {text}", hint="a bundle is one JSON object")


_decode_json = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_constant=_no_constant
).decode


def parse_bundle(data: bytes) -> Bundle:
    """The bundle in *data*.

    Raises:
        NotABundle: not JSON, or of another format.
        DataError: it says that it is a bundle, but breaks its form or its limits; reason "parse".
    """
    if len(data) > MAX_BUNDLE_BYTES:
        if data[:1] != b"{":
            raise NotABundle(
                "neither a bundle nor a certificate",
                hint="give a file `acuse bundle` or `acuse certificate` wrote",
            )
        raise refusal(f"larger than {MAX_BUNDLE_BYTES} bytes", reason="parse")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise NotABundle("not JSON: it is not UTF-8", hint="a bundle is one JSON object") from None
    try:
        check_form(text, values=MAX_VALUES)
    except DataError as error:
        raise refusal(error.message, reason="parse") from None
    try:
        value = _decode_json(text)
    except json.JSONDecodeError as error:
        raise NotABundle(
            f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            hint="a bundle is one JSON object; was the file cut?",
        ) from None
    if not isinstance(value, dict) or value.get("format") != BUNDLE_FORMAT:
        raise NotABundle(
            f"not of the format {BUNDLE_FORMAT}",
            hint="another version of Acuse wrote it, or another program",
        )
    return _bundle(_Fields(value, "the bundle"))


def _bundle(fields: _Fields) -> Bundle:
    entries = fields.items("entries", limit=MAX_ENTRIES)
    if not entries:
        raise refusal("the bundle has no entries", reason="parse")
    disclose = fields.mapping("disclose")
    if not all(isinstance(shown, dict) for shown in disclose.values()):
        raise refusal("disclose is not {seq: {field: …}}", reason="parse")
    return Bundle(
        submission_id=fields.name("submission_id"),
        entries=tuple(_proven(item) for item in entries),
        disclose=disclose,
        timestamps=tuple(
            Timestamp(
                item.name("tsa"),
                item.text("over"),
                item.text("token"),
                item.texts("consistency"),
                item.flag("qualified"),
            )
            for item in fields.items("timestamps")
        ),
        since=tuple(
            EarlierNote(item.text("note"), item.texts("consistency"))
            for item in fields.items("since")
        ),
        complete=fields.text("complete") if fields.has("complete") else None,
        rotations=tuple(_proven(item) for item in fields.items("rotations")),
        anchors=tuple(_proven(item) for item in fields.items("anchors")),
        log=fields.text("log"),
        witnesses=fields.texts("witnesses"),
        operators=fields.mapping("operators"),
        sender=fields.mapping("sender") if fields.has("sender") else None,
        issuer=fields.mapping("issuer") if fields.has("issuer") else None,
    )


def _proven(item: _Fields) -> ProvenEntry:
    return ProvenEntry(item.text("entry"), item.text("proof"))


class _Fields:
    """One JSON object of the envelope, read key by key; wrong types are refused by name."""

    def __init__(self, value: dict[str, Any], where: str) -> None:
        self._value = value
        self._where = where

    def has(self, key: str) -> bool:
        return self._value.get(key) is not None

    def flag(self, key: str) -> bool:
        """An addition of ours: whatever is not true says nothing."""
        return self._value.get(key) is True

    def text(self, key: str) -> str:
        return self._checked(key, self._value.get(key))

    def name(self, key: str) -> str:
        text = self.text(key)
        if len(text) > _MAX_NAME_CHARS:
            raise self._refuse(key, f"a name of at most {_MAX_NAME_CHARS} characters")
        return text

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(self._checked(key, item) for item in self._list(key, MAX_EXTRAS))

    def mapping(self, key: str) -> dict[str, Any]:
        value = self._value.get(key, {})
        if not isinstance(value, dict):
            raise self._refuse(key, "an object")
        return value

    def items(self, key: str, *, limit: int = MAX_EXTRAS) -> list[_Fields]:
        items = self._list(key, limit)
        if not all(isinstance(item, dict) for item in items):
            raise self._refuse(key, "a list of objects")
        return [_Fields(item, f"an item of {key}") for item in items]

    def _list(self, key: str, limit: int) -> list[Any]:
        value = self._value.get(key, [])
        if not isinstance(value, list):
            raise self._refuse(key, "a list")
        if len(value) > limit:
            raise self._refuse(key, f"a list of at most {limit}")
        return value

    def _checked(self, key: str, value: object) -> str:
        if not isinstance(value, str):
            raise self._refuse(key, "text")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self._refuse(key, "text that has a UTF-8 form") from None
        return value

    def _refuse(self, key: str, wanted: str) -> DataError:
        return refusal(f"{key} of {self._where} is not {wanted}", reason="parse")

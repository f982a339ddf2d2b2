"""The `acuse-proof/v1` bundle: everything that proves one submission, in one JSON file.

Pure: the daemon fetches, this assembles. `gateway.ledger.verify` is the other end.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import DataError
from gateway.ledger.entry import TEXT_FIELDS, salt
from gateway.ledger.merkle import Tiles, consistency_proof, inclusion_proof
from gateway.ledger.note import Checkpoint, open_note
from gateway.ledger.proof import (
    BUNDLE_FORMAT,
    LogProof,
    complete_text,
    format_hashes,
    format_proof,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gateway.ledger.merkle import TileRead

__all__ = ["REDACTABLE", "Token", "assemble", "complete_text"]

#: What `--redact` takes.
REDACTABLE = frozenset({"to", "from", "text"})
#: Committed PDUs that contain number, sender or text (LEDGER section 4); `submit.N` likewise.
_PDUS_WITH_CONTENT = frozenset({"submit", "receipt", "deliver"})


@dataclass(frozen=True, slots=True)
class Token:
    """An RFC 3161 token (DER) by *tsa* over the text of the log's checkpoint note *over*.

    *qualified*: the issuer's configuration says so of the authority.
    """

    tsa: str
    over: str
    der: bytes
    qualified: bool = False


def assemble(
    *,
    submission_id: str,
    entries: Sequence[tuple[int, bytes]],
    key: bytes | None,
    contents: Mapping[int, Mapping[str, bytes]],
    size: int,
    read_tile: TileRead,
    note: str,
    complete: str | None,
    vkey: str,
    issuer: object,
    sender: object,
    operators: Mapping[str, object],
    redact: Collection[str] = (),
    witnesses: Sequence[str] = (),
    since: Sequence[str] = (),
    tokens: Sequence[Token] = (),
    anchors: Sequence[tuple[int, bytes]] = (),
    rotations: Sequence[tuple[int, bytes, str]] = (),
) -> bytes:
    """The bundle of one submission as JSON text in UTF-8, ending in a newline.

    Args:
        entries: (seq, exact bytes) of every entry of the submission below *size*, by seq.
        key: the submission's K; None when erased, then nothing is disclosed.
        contents: seq -> field -> what that entry's commitment is over: UTF-8 for `to`, `from`
            and `text`, whole PDUs else. A field may be missing; the rest still verifies.
        size: entries under the checkpoint *note*, to which every proof leads.
        read_tile: the log's tiles, of that size or a larger one.
        complete: the signed note over `complete_text` for that size, if there is one.
        issuer, sender, operators: the very objects whose hashes the entries carry.
        redact: fields (of `REDACTABLE`) to withhold, with every PDU that contains them.
        witnesses: verifier keys of those asked for cosignatures.
        since: earlier signed notes of the log, to prove that it only grew since.
        tokens: time stamps over this checkpoint or earlier ones.
        anchors: (seq, exact bytes) of `x.Anchor` entries that commit to such tokens.
        rotations: (seq, exact bytes, checkpoint signed by both keys) of `x.KeyRotate` entries.

    Raises:
        DataError: *redact* names something else, an entry lies beyond its checkpoint, an earlier
            note is not an earlier one of this log, or a tile is too short.
    """
    _check_redact(redact)
    log = _Log(Checkpoint.parse(open_note(note)[0]).origin, size, note, Tiles(read_tile))
    bundle: dict[str, Any] = {
        "format": BUNDLE_FORMAT,
        "submission_id": submission_id,
        "entries": [log.proven(seq, raw) for seq, raw in entries],
        "disclose": {} if key is None else _disclose(key, contents, redact),
        "timestamps": [log.stamped(token) for token in tokens],
        "since": [
            {"note": earlier, "consistency": log.consistency(open_note(earlier)[0])}
            for earlier in since
        ],
        "complete": complete,
        "rotations": [
            log.under(Checkpoint.parse(open_note(both)[0]).size, both).proven(seq, raw)
            for seq, raw, both in rotations
        ],
        "anchors": [log.proven(seq, raw) for seq, raw in anchors],
        "log": vkey,
        "witnesses": list(witnesses),
        "operators": dict(operators),
        "sender": sender,
        "issuer": issuer,
    }
    if complete is None:
        del bundle["complete"]
    return json.dumps(bundle, ensure_ascii=False, indent=1).encode() + b"\n"


def _check_redact(redact: Collection[str]) -> None:
    unknown = sorted(set(redact) - REDACTABLE)
    if unknown:
        raise DataError(
            f"redact: {unknown[0]!r} cannot be withheld by itself",
            hint=f"it is one of {', '.join(sorted(REDACTABLE))}",
            field="redact",
        )


@dataclass(frozen=True, slots=True)
class _Log:
    """The log as one of its checkpoints sees it."""

    origin: str
    size: int
    note: str
    read: Tiles

    def under(self, size: int, note: str) -> _Log:
        return _Log(self.origin, size, note, self.read)

    def proven(self, seq: int, raw: bytes) -> dict[str, str]:
        """An entry with its proof, as `entries`, `rotations` and `anchors` hold them."""
        if seq >= self.size:
            raise DataError(
                f"entry {seq} is not covered by the checkpoint over {self.size} entries",
                hint="make a newer one: `acuse ledger checkpoint`",
                seq=seq,
                size=self.size,
            )
        hashes = tuple(inclusion_proof(seq, self.size, self.read))
        return {"entry": raw.decode(), "proof": format_proof(LogProof(seq, hashes, self.note))}

    def consistency(self, text: str) -> list[str]:
        """The proof that leads from the checkpoint with the note text *text* to this one."""
        then = Checkpoint.parse(text)
        if then.origin != self.origin or not 0 < then.size <= self.size:
            raise DataError(
                f"the checkpoint of {then.origin} over {then.size} entries is not an earlier one"
                f" of {self.origin} over {self.size}",
                hint="give a checkpoint of this log that is not newer than the bundle's",
                field="since",
            )
        return format_hashes(consistency_proof(then.size, self.size, self.read))

    def stamped(self, token: Token) -> dict[str, Any]:
        """A token, as `timestamps` holds it."""
        return {
            "tsa": token.tsa,
            "over": token.over,
            "token": base64.b64encode(token.der).decode(),
            "consistency": self.consistency(token.over),
            **({"qualified": True} if token.qualified else {}),
        }


def _withheld(name: str, redact: Collection[str]) -> bool:
    return name in redact or (
        bool(redact) and (name in _PDUS_WITH_CONTENT or name.startswith("submit."))
    )


def _disclose(
    key: bytes, contents: Mapping[int, Mapping[str, bytes]], redact: Collection[str]
) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for seq in sorted(contents):
        shown = {
            name: {
                "salt": salt(key, name, seq).hex(),
                **(
                    {"value": value.decode()} if name in TEXT_FIELDS else {"value_hex": value.hex()}
                ),
            }
            for name, value in sorted(contents[seq].items())
            if not _withheld(name, redact)
        }
        if shown:
            found[str(seq)] = shown
    return found

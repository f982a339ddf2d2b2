"""A small ledger in memory: entries, tiles, checkpoints and bundles as the daemon makes them.

Deterministic: the same calls give the same bytes. It is also a `LedgerSource`, so an audit can
be run on it; tests damage it by changing its lists.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from gateway.evidence.bundle import assemble
from gateway.ledger import canonical, merkle
from gateway.ledger.entry import commitments, object_hash, time_text
from gateway.ledger.note import (
    COSIGNATURE,
    Checkpoint,
    SignatureLine,
    Signer,
    Verifier,
    cosigned_message,
    join_note,
    key_id,
    open_note,
    sign_note,
)
from gateway.ledger.proof import complete_text

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "sms.example.es/2026a"
#: 2026-11-21T17:00:00Z
START_MS = 1_795_280_400_000
ISSUER = {"legal_name": "Ejemplo Mensajes SL", "tax_id": "B00000000", "address": "Calle Mayor 1"}
SENDER = {"legal_name": "ACME Ibérica SA", "tax_id": "A00000000", "sender_id": "ACME"}
OPERATORS = {
    "movistar": {"receipt_means": "handset", "receipt_utc_offset": "+01:00"},
    "relay": {"receipt_means": "smsc", "receipt_utc_offset": "+00:00"},
}


def seed(name: str) -> bytes:
    """A fixed 32-byte secret."""
    return hashlib.sha256(f"seed of {name}".encode()).digest()


class Witness:
    """A witness of type 0x04."""

    def __init__(self, name: str) -> None:
        self._signer = Signer.from_seed(name, seed(name))
        self.name = name
        self.verifier = Verifier(name, COSIGNATURE, self._signer.public)

    @property
    def vkey(self) -> str:
        return self.verifier.vkey

    def cosign(self, note: str, time_s: int) -> str:
        """The note with one more line."""
        text, lines = open_note(note)
        signature = self._signer.sign(cosigned_message(text, time_s).decode()).body
        line = SignatureLine(
            self.name,
            key_id(self.name, COSIGNATURE, self._signer.public),
            time_s.to_bytes(8, "big") + signature,
        )
        return join_note(text, [*lines, line])


class MemoryLedger:
    """An append-only log of submissions."""

    def __init__(self, origin: str = ORIGIN, *, key: str = "log", genesis: bool = True) -> None:
        self.origin = origin
        self.signer = Signer.from_seed(origin, seed(key))
        self.raw: list[bytes] = []
        self.notes: list[str] = []
        self.signer_state: str | None = None
        self.tree = merkle.Frontier()
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.contents: dict[int, dict[str, bytes]] = {}
        self.chains: dict[str, list[tuple[int, str]]] = {}
        self.keyless: set[str] = set()
        #: Tokens and cosignature lines, by the size of the checkpoint they are over.
        self.stamps: dict[int, list[bytes]] = {}
        self.cosigned: dict[int, list[str]] = {}
        self.now_ms = START_MS
        self.previous = "0" * 64
        if genesis:
            self.append("x.Genesis", software="acuse test", format="acuse-proof/v1")

    # -- LedgerSource ----------------------------------------------------------------------------

    @property
    def size(self) -> int:
        return len(self.raw)

    @property
    def vkey(self) -> str | None:
        return self.signer.vkey

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        return iter(self.raw[start:stop])

    def entry(self, seq: int) -> bytes:
        return self.raw[seq]

    def checkpoints(self) -> Iterator[str]:
        return iter(self.notes)

    def tile(self, level: int, index: int) -> bytes | None:
        return self.tiles.get((level, index)) or self.tree.tile(level, index)

    def tokens(self, size: int) -> list[bytes]:
        return self.stamps.get(size, [])

    def cosignatures(self, size: int) -> list[str]:
        return self.cosigned.get(size, [])

    def rotations(self) -> list[bytes]:
        return [raw for raw in self.raw if b'"ev":"x.KeyRotate"' in raw]

    def has_key(self, submission_id: str) -> bool | None:
        return submission_id not in self.keyless

    def last_seq(self, submission_id: str) -> int | None:
        chain = self.chains.get(submission_id)
        return chain[-1][0] if chain else None

    # -- writing ---------------------------------------------------------------------------------

    def read(self, level: int, index: int) -> bytes:
        """The tiles, as proofs want them."""
        return self.tile(level, index) or b""

    def append(
        self,
        code: str,
        *,
        mid: str | None = None,
        content: dict[str, bytes] | None = None,
        **fields: Any,
    ) -> int:
        """One entry, 250 ms after the one before it; returns its seq."""
        seq = len(self.raw)
        self.now_ms += 250
        body: dict[str, Any] = {
            "v": 1,
            "log": self.origin,
            "seq": seq,
            "prev": self.previous,
            "t": time_text(self.now_ms),
            "ev": code,
        }
        if mid is not None:
            chain = self.chains.setdefault(mid, [])
            body["mid"] = mid
            if chain:
                body["mprev"] = chain[-1][0]
        if content:
            assert mid is not None
            body["commit"] = commitments(seed(mid), seq, content)
            self.contents[seq] = content
        body.update(fields)
        raw = canonical.encode(body)
        leaf = merkle.leaf_hash(raw)
        self.raw.append(raw)
        self.previous = leaf.hex()
        for level, index, hashes in self.tree.append(leaf):
            self.tiles[level, index] = hashes
        if mid is not None:
            self.chains[mid].append((seq, leaf.hex()))
        return seq

    def accept(
        self, mid: str, *, text: str = "Su pedido está listo", code: str = "A.1", **fields: Any
    ) -> int:
        """A.1 (or A.2)."""
        return self.append(
            code,
            mid=mid,
            content={"to": b"+34600111222", "from": b"ACME", "text": text.encode()},
            **{
                "category": "legal_notice",
                "brand": "acme",
                "segments": 1,
                "encoding": "gsm7",
                "decision": {"action": "release", "rules": ["ES-QH"], "versions": {}, "local": []},
                "issuer": object_hash(ISSUER),
                "sender": object_hash(SENDER),
                **fields,
            },
        )

    def relay(self, mid: str, *, operator: str = "movistar", parts: int = 1) -> int:
        """F.1."""
        sent, answered = time_text(self.now_ms), time_text(self.now_ms + 40)
        return self.append(
            "F.1",
            mid=mid,
            content={
                f"{name}.{n}": f"{name} {n}".encode() * 8
                for n in range(1, parts + 1)
                for name in ("submit", "response")
            },
            operator=operator,
            bind=f"{operator}/1",
            profile=object_hash(OPERATORS[operator]),
            parts=[
                {"n": n, "message_id": f"4A{n:02d}", "sent": sent, "answered": answered}
                for n in range(1, parts + 1)
            ],
        )

    def report(
        self, mid: str, code: str, *, stat: str, operator: str = "movistar", **fields: Any
    ) -> int:
        """E.1, E.2 or x.CarrierReport."""
        return self.append(
            code,
            mid=mid,
            content={"receipt": b"a whole deliver_sm " + stat.encode()},
            **{
                "operator": operator,
                "bind": f"{operator}/1",
                "profile": object_hash(OPERATORS[operator]),
                "part": 1,
                "stat": stat,
                "err": "000",
                "rx": time_text(self.now_ms),
                "done": "2026-11-21T17:00:00Z",
                **({"assertedBy": "carrier"} if code.startswith("E.") else {}),
                **fields,
            },
        )

    def seal(self, mid: str, state: str, **fields: Any) -> int:
        """S.1."""
        events = [list(item) for item in self.chains[mid]]
        return self.append("S.1", mid=mid, **{"state": state, "events": events, **fields})

    def submission(self, mid: str, outcome: str = "delivered", *, parts: int = 1) -> str:
        """A whole submission that ends so; "open" stops before the receipt."""
        if outcome == "refused":
            self.accept(mid, code="A.2")
            self.seal(mid, "refused")
            return mid
        self.accept(mid, segments=parts)
        if outcome == "cancelled":
            self.append("x.Cancelled", mid=mid, by="uid 1000")
            self.seal(mid, "cancelled")
            return mid
        operator = "relay" if outcome == "delivered_to_operator" else "movistar"
        self.relay(mid, operator=operator, parts=parts)
        for _ in range(parts - 1):
            self.report(mid, "x.CarrierReport", stat="DELIVRD", operator=operator)
        if outcome == "delivered":
            self.report(mid, "E.1", stat="DELIVRD")
        elif outcome == "undelivered":
            self.report(mid, "E.2", stat="UNDELIV", reason="undelivered")
        elif outcome == "delivered_to_operator":
            self.report(mid, "x.CarrierReport", stat="DELIVRD", operator=operator)
        elif outcome == "unconfirmed":
            self.append("x.NoConfirmation", mid=mid, deadline=time_text(self.now_ms))
        if outcome != "open":
            self.seal(mid, outcome)
        return mid

    def checkpoint(self, *signers: Signer) -> str:
        """Sign the log as it is; the note is stored, and the signer remembers it."""
        text = Checkpoint(self.origin, self.size, self.tree.root()).text()
        note = sign_note(text, *(signers or (self.signer,)))
        self.notes.append(note)
        self.signer_state = note
        return note

    def bundle(self, mid: str, *, note: str | None = None, **given: Any) -> bytes:
        """The bundle of a submission under the latest checkpoint, made if there is none."""
        note = note or (self.notes[-1] if self.notes else self.checkpoint())
        size = Checkpoint.parse(open_note(note)[0]).size
        chain = [(seq, leaf) for seq, leaf in self.chains[mid] if seq < size]
        complete = complete_text(self.origin, mid, size, [bytes.fromhex(leaf) for _, leaf in chain])
        return assemble(
            **{
                "submission_id": mid,
                "entries": [(seq, self.raw[seq]) for seq, _ in chain],
                "key": seed(mid),
                "contents": {seq: self.contents[seq] for seq, _ in chain if seq in self.contents},
                "size": size,
                "read_tile": self.read,
                "note": note,
                "complete": sign_note(complete, self.signer),
                "vkey": self.signer.vkey,
                "issuer": ISSUER,
                "sender": SENDER,
                "operators": OPERATORS,
                **given,
            }
        )

"""Signed notes: checkpoints, their signatures and witness cosignatures, as text.

c2sp.org/signed-note (text, blank line, signature lines), c2sp.org/tlog-checkpoint (the text) and
c2sp.org/tlog-cosignature (what a witness signs). Two signature types exist here: Ed25519 by the
log (0x01) and timestamped Ed25519 by a witness (0x04); all others belong to unknown keys and are
passed over, as the standard demands.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.ledger.canonical import refusal
from gateway.ledger.merkle import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ED25519 = 0x01
COSIGNATURE = 0x04
KEY_BYTES = 32
SIGNATURE_BYTES = 64
#: A note of 16 post-quantum signatures, which every reader must take, has some 80 kB.
MAX_NOTE_BYTES = 1 << 18
MAX_SIGNATURES = 64

_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}")
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


def decode_base64(text: str, *, what: str, reason: str = "checkpoint") -> bytes:
    """Standard base64 in its one padded form.

    Raises:
        DataError: anything else; the message names *what*.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise refusal(f"{what} is not base64", reason=reason) from None
    if base64.b64encode(data).decode() != text:
        raise refusal(f"{what} is not base64 in its one form", reason=reason)
    return data


def decode_size(text: str, *, what: str, reason: str = "checkpoint") -> int:
    """A non-negative decimal without leading zeros, below 10^16.

    Raises:
        DataError: anything else; the message names *what*.
    """
    if not _DECIMAL.fullmatch(text):
        raise refusal(f"{what} is not a decimal number", reason=reason)
    return int(text)


def check_name(name: str) -> None:
    """A key name: not empty, no space of any kind, no plus, no control character.

    Raises:
        DataError: it is not one.
    """
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise refusal(
            "a key name is not empty and has neither spaces nor plus signs", reason="checkpoint"
        )


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """SHA-256(name || 0x0A || kind || public)[:4]."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:_KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature line, taken apart but not checked. `body` is what follows the key id."""

    name: str
    key_id: bytes
    body: bytes

    def __str__(self) -> str:
        return f"\u2014 {self.name} {base64.b64encode(self.key_id + self.body).decode()}"


class NoteSigner(Protocol):
    """A key that signs note texts (signature type 0x01), wherever it is kept."""

    @property
    def name(self) -> str:
        """The key's name; of a log, its origin."""
        ...

    @property
    def vkey(self) -> str:
        """The verifier key."""
        ...

    def sign(self, text: str) -> SignatureLine:
        """The signature line for *text*."""
        ...


class Signer:
    """An Ed25519 key in memory that signs note texts (signature type 0x01)."""

    __slots__ = ("_key", "key_id", "name", "public")

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        check_name(name)
        self._key = key
        self.name = name
        self.public = key.public_key().public_bytes_raw()
        self.key_id = key_id(name, ED25519, self.public)

    def __repr__(self) -> str:
        return f"Signer({self.vkey!r})"

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Signer:
        """The key of a 32-byte RFC 8032 seed.

        Raises:
            DataError: *name* is no key name.
        """
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def vkey(self) -> str:
        """The verifier key, c2sp.org/signed-note."""
        return format_vkey(self.name, ED25519, self.public)

    def sign(self, text: str) -> SignatureLine:
        """The signature line for *text*."""
        return SignatureLine(self.name, self.key_id, self._key.sign(text.encode()))


def format_vkey(name: str, kind: int, public: bytes) -> str:
    """`name+hex key id+base64(kind || public)`."""
    material = base64.b64encode(bytes([kind]) + public).decode()
    return f"{name}+{key_id(name, kind, public).hex()}+{material}"


class Verifier:
    """A public key that notes are checked with; `kind` is ED25519 or COSIGNATURE."""

    __slots__ = ("_key", "key_id", "kind", "name", "public")

    def __init__(self, name: str, kind: int, public: bytes) -> None:
        self.name = name
        self.kind = kind
        self.public = public
        self.key_id = key_id(name, kind, public)
        self._key = Ed25519PublicKey.from_public_bytes(public)

    def __repr__(self) -> str:
        return f"Verifier({self.vkey!r})"

    @property
    def vkey(self) -> str:
        """The verifier key, c2sp.org/signed-note."""
        return format_vkey(self.name, self.kind, self.public)

    @classmethod
    def from_vkey(cls, vkey: str) -> Verifier:
        """The key a vkey text stands for.

        Raises:
            DataError: not a vkey, a type other than 0x01 and 0x04, or a key id that is not its own.
        """
        parts = _VKEY.fullmatch(vkey)
        if not parts:
            raise refusal("a verifier key reads NAME+HEX+BASE64", reason="checkpoint")
        name, hex_id, material = parts.groups()
        check_name(name)
        data = decode_base64(material, what="the key of a verifier key")
        kind = data[0]
        if kind not in (ED25519, COSIGNATURE):
            raise refusal(
                f"signature type 0x{kind:02x} of key {name} is not supported; "
                "0x01 (Ed25519) and 0x04 (cosignature) are",
                reason="checkpoint",
            )
        if len(data) != 1 + KEY_BYTES:
            raise refusal(f"the Ed25519 key of {name} is not 32 bytes long", reason="checkpoint")
        if key_id(name, kind, data[1:]).hex() != hex_id:
            raise refusal(f"the key id {hex_id} is not that of {name}'s key", reason="checkpoint")
        return cls(name, kind, data[1:])

    def made(self, line: SignatureLine) -> bool:
        """Whether *line* claims to be by this key (name and key id)."""
        return line.name == self.name and line.key_id == self.key_id

    def holds(self, text: str, line: SignatureLine) -> bool:
        """Whether *line* is this key's signature (or cosignature) of *text*."""
        message, signature = text.encode(), line.body
        if self.kind == COSIGNATURE:
            if len(signature) != _TIME_BYTES + SIGNATURE_BYTES:
                return False
            message = cosigned_message(text, cosigned_at_s(line))
            signature = signature[_TIME_BYTES:]
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def cosigned_at_s(line: SignatureLine) -> int:
    """When a witness says it signed: seconds since the Unix epoch."""
    return int.from_bytes(line.body[:_TIME_BYTES], "big")


def cosigned_message(text: str, time_s: int) -> bytes:
    """What a witness of type 0x04 signs for the note text *text* at *time_s*."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def sign_note(text: str, *signers: NoteSigner) -> str:
    """The signed note: *text* (which ends in a newline), a blank line, a line for each signer."""
    return join_note(text, [signer.sign(text) for signer in signers])


def join_note(text: str, lines: Iterable[SignatureLine]) -> str:
    """A note of a text and signature lines that exist already."""
    return text + "\n" + "".join(f"{line}\n" for line in lines)


def open_note(note: str) -> tuple[str, list[SignatureLine]]:
    """Split a note into its text and its signature lines; no signature is checked here.

    Raises:
        DataError: not a signed note, or beyond the limits of size and number.
    """
    if len(note) > MAX_NOTE_BYTES:
        raise refusal(f"a note is larger than {MAX_NOTE_BYTES} bytes", reason="checkpoint")
    if _CONTROL.search(note) or not _is_text(note):
        raise refusal("a note holds characters that no note may hold", reason="checkpoint")
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise refusal("a note is a text, a blank line and signature lines", reason="checkpoint")
    rows = tail[:-1].split("\n")
    if len(rows) > MAX_SIGNATURES:
        raise refusal(f"a note has more than {MAX_SIGNATURES} signatures", reason="checkpoint")
    return head + "\n", [_signature_line(row) for row in rows]


def _is_text(note: str) -> bool:
    try:
        note.encode()
    except UnicodeEncodeError:
        return False
    return True


def _signature_line(row: str) -> SignatureLine:
    words = row.split(" ")
    if len(words) != 3 or words[0] != "\u2014":
        raise refusal(
            "a signature line reads: em dash, key name, base64, one space between",
            reason="checkpoint",
        )
    _, name, signature = words
    check_name(name)
    data = decode_base64(signature, what=f"the signature of {name}")
    if len(data) <= _KEY_ID_BYTES:
        raise refusal(f"the signature of {name} is too short", reason="checkpoint")
    return SignatureLine(name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])


def verified_by(
    text: str, lines: Sequence[SignatureLine], keys: Iterable[Verifier]
) -> list[Verifier]:
    """Those of *keys* that signed the note; lines of unknown keys are passed over.

    Raises:
        DataError: a line that claims to be by one of *keys* does not verify.
    """
    found: list[Verifier] = []
    made: dict[tuple[str, bytes], list[SignatureLine]] = {}
    for line in lines:
        made.setdefault((line.name, line.key_id), []).append(line)
    for key in keys:
        claimed = made.get((key.name, key.key_id), [])
        if not all(key.holds(text, line) for line in claimed):
            raise refusal(
                f"the signature by {key.name} does not verify",
                reason="witnesses" if key.kind == COSIGNATURE else "checkpoint",
            )
        if claimed:
            found.append(key)
    return found


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log signs about itself: c2sp.org/tlog-checkpoint with exactly three lines."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note text, which ends in a newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint a note text is.

        Raises:
            DataError: not exactly origin, size and base64 root.
        """
        rows = text.split("\n")
        if len(rows) != 4 or rows[3] or not rows[0]:
            raise refusal("a checkpoint is origin, size and root, one a line", reason="checkpoint")
        size = decode_size(rows[1], what="the size in a checkpoint")
        root = decode_base64(rows[2], what="the root in a checkpoint")
        if len(root) != HASH_BYTES:
            raise refusal("the root in a checkpoint is not 32 bytes long", reason="checkpoint")
        return cls(rows[0], size, root)

#!/usr/bin/env python3
"""acuse-verify: checks the proof of a certified SMS without the gateway that made it.

    python3 acuse-verify.py proof.json --policy trusted.policy --tsa-ca tsa.pem
    python3 acuse-verify.py certificate.pdf --policy … --tsa-ca … --signer-ca seal.pem

It needs Python 3.8 or newer and the program `openssl` (3.0 or newer), and no network. Python
reads and compares; every signature is checked by openssl, so this file holds no cryptography of
its own beyond SHA-256. It is meant to be read: sections 1 to 9 follow the order of the checks.

A proof shows that certain events of one message stand in an append-only log. The log is a hash
tree (RFC 6962); its owner signs the root now and then ("checkpoint"), a time-stamping authority
(RFC 3161) states when it saw that root, and witnesses may sign it too. Who changes, drops or adds
one entry afterwards gets another root, and those signatures no longer fit.

Verdict and exit code: VALID 0, INVALID 1, FORK 2, STALE 3, UNANCHORED 4, NOT-FINAL 5,
VALID-ERASED 6, AMBIGUOUS 7; 65 when the file is no proof at all, 64 for a wrong command line.
Never VALID for what was not checked.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
import zlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator, NamedTuple, NoReturn, Protocol, Sequence

# === 1. The steps, and how findings become a verdict ==============================================

STEPS = {
    "parse": "the file has the form of a proof",
    "canonical": "every entry is in the one canonical form",
    "inclusion": "every entry is in the tree of the checkpoint",
    "place": "every entry says the log and the place it has",
    "chain": "neighbouring entries name each other's hash",
    "links": "the entries of the submission follow each other without a gap",
    "complete": "seals list exactly what happened, and nothing is kept back",
    "envelope": "issuer, sender and operators are those that were sealed",
    "commitments": "what is disclosed is what was sealed",
    "policy": "the keys are pinned by the policy you gave",
    "checkpoint": "the checkpoint is signed by the log's key",
    "witnesses": "as many witnesses signed as your policy asks for",
    "timestamp": "a trusted time stamp covers the checkpoint",
    "time": "the times run forward, and fit the time stamps",
    "since": "the log has only grown since the checkpoint known before",
    "document": "the certificate's pages are those that were made from the proof",
    "signer": "the certificate is signed by the issuer's seal",
}
WHOSE_WORD = {
    "complete": "the log's own key",
    "checkpoint": "the log's own key",
    "witnesses": "independent witnesses",
    "timestamp": "the time-stamping authority",
    "signer": "the authority that issued the seal certificate",
    "document": "the seal certificate",
    "policy": "you, who chose the policy",
    "since": "you, who kept the earlier checkpoint",
}
EXIT = {"VALID": 0, "INVALID": 1, "FORK": 2, "STALE": 3, "UNANCHORED": 4, "NOT-FINAL": 5,
        "VALID-ERASED": 6, "AMBIGUOUS": 7}  # fmt: skip
MEANING = {
    "VALID": "all steps hold, your policy pins the keys, and a trusted time stamp covers it",
    "INVALID": "this does not prove what it claims",
    "FORK": "the log has signed two statements that exclude each other; keep both",
    "STALE": "this is older than what is known already, or than you allow",
    "UNANCHORED": "consistent in itself, but not all of it is vouched for from outside",
    "NOT-FINAL": "consistent and anchored, but the submission is still open",
    "VALID-ERASED": "all steps hold; the content was lawfully destroyed and cannot be shown again",
    "AMBIGUOUS": "consistent, but the operator's receipt fits more than one submission",
}


class Fault(Exception):
    """Something does not hold: the step, and why."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(why)
        self.step, self.why = step, why


class NotAProof(Exception):
    """The input is nothing that could be judged."""


class Findings:
    """What the steps found. Each step goes on after a fault; the gravest finding decides."""

    def __init__(self) -> None:
        self.steps: dict[str, bool] = {}
        self.faults: dict[str, tuple[str, int | None]] = {}
        self.fork: tuple[str, ...] = ()
        self.stale: str | None = None
        self.ambiguous: str | None = None
        self.unanchored: list[str] = []
        self.not_final: str | None = None
        self.erased = False
        self.witnesses = 0  # of the policy, that signed

    def took(self, *steps: str) -> None:
        for step in steps:
            self.steps.setdefault(step, True)

    def fault(self, step: str, why: str, seq: int | None = None) -> None:
        self.steps[step] = False
        self.faults.setdefault(step, (f"{step}: {why}", seq))

    def lacks(self, step: str, reason: str) -> None:
        self.steps[step] = False
        self.unanchored.append(reason)

    def verdict(self) -> tuple[str, str | None, int | None]:
        if self.fork:
            return "FORK", "since: two signed notes exclude each other", None
        if self.faults:
            reason, seq = next(self.faults[step] for step in STEPS if step in self.faults)
            return "INVALID", reason, seq
        if self.stale:
            return "STALE", self.stale, None
        if self.ambiguous:
            return "AMBIGUOUS", self.ambiguous, None
        if self.unanchored:
            return "UNANCHORED", min(self.unanchored, key=lambda why: why[:5] != "since"), None
        if self.not_final:
            return "NOT-FINAL", self.not_final, None
        return ("VALID-ERASED" if self.erased else "VALID"), None, None


# === 2. Strict JSON ===============================================================================
# Two readers of one file must read the same: no key twice, no number that rounds. And no file may
# cost much more than its size: depth and number of values are bounded before it is read.

MAX_BUNDLE_BYTES, MAX_ENTRY_BYTES, MAX_DEPTH, MAX_VALUES = 16 << 20, 1 << 20, 32, 250_000
encode_text = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def check_form(text: str, step: str, values: int) -> None:
    """Bounds the nesting, and the number of values, by the brackets and commas outside strings."""
    if text.count("[") + text.count("{") <= MAX_DEPTH and text.count(",") <= values - MAX_DEPTH:
        return
    marks, one_kind = bytearray(), bytes.maketrans(b"{}", b"[]")
    others = bytes(set(range(256)) - set(b"[]{},"))
    bare = text.replace("\\\\", "").replace('\\"', "")  # no escapes: every quote ends a string
    for piece in re.finditer(r'([^"]+)|"[^"]*"?', bare):
        if piece[1]:
            marks += piece[1].encode("ascii", "ignore").translate(one_kind, others)
    if marks.count(b"[") + marks.count(b",") > values:
        raise Fault(step, f"more than {values} values")
    left = marks.translate(None, b",")
    for _ in range(MAX_DEPTH):  # each round takes away the innermost pairs
        left = left.replace(b"[]", b"")
    if b"[]" in left or left.count(b"[") > MAX_DEPTH:
        raise Fault(step, f"nested deeper than {MAX_DEPTH}")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise Fault("parse", "an object has the same key twice")
    return dict(pairs)


def _bounded_integer(text: str) -> int:
    if len(text) > 20:
        raise Fault("parse", "an integer is too large")
    return int(text)


def _exact_integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) >= 1 << 53:
        raise Fault("canonical", "an integer is 2^53 or beyond")
    return int(text)


def _no_constant(text: str) -> float:
    raise NotAProof(f"not JSON: {text}")


def _no_float(text: str) -> float:
    raise Fault("canonical", f"{text[:20]} is not an integer")


read_bundle = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_int=_bounded_integer, parse_constant=_no_constant
).decode
read_entry = json.JSONDecoder(
    parse_int=_exact_integer, parse_float=_no_float, parse_constant=_no_float
).raw_decode


def canonical_entry(raw: bytes) -> dict[str, Any]:
    """The entry, if its bytes are exactly what writing it again gives (RFC 8785)."""
    if len(raw) > MAX_ENTRY_BYTES:
        raise Fault("canonical", f"{len(raw)} bytes; an entry has at most {MAX_ENTRY_BYTES}")
    text = raw.decode()
    check_form(text, "canonical", MAX_ENTRY_BYTES)
    try:
        value, _ = read_entry(text)
    except json.JSONDecodeError as error:
        raise Fault("canonical", f"not JSON: {error.msg} at character {error.pos}") from None
    if type(value) is not dict:
        raise Fault("canonical", "not an object")
    try:
        again = encode_text(value).encode()
    except UnicodeEncodeError:
        raise Fault(
            "canonical", "a string holds a lone surrogate, which has no UTF-8 form"
        ) from None
    if again != raw:
        raise Fault("canonical", "not in canonical form")
    if not all(key.isascii() for key in _keys(value)):
        raise Fault("canonical", "a key is not ASCII")
    return value


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _keys(inner)


# === 3. The hash tree (RFC 6962 section 2.1, RFC 9162 section 2.1.3 and 2.1.4) ====================


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    if index >= size:
        raise Fault("inclusion", f"there is no leaf {index} in a tree of {size}")
    fn, sn, found = index, size - 1, leaf
    for sibling in path:
        if not sn:
            raise Fault("inclusion", "the inclusion proof is too long")
        if fn & 1 or fn == sn:
            found = node(sibling, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Fault("inclusion", "the inclusion proof is too short")
    if found != root:
        raise Fault("inclusion", "the inclusion proof does not lead to the root")


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes], step: str
) -> None:
    """That the first *old* leaves are the same in both trees: the log only grew."""
    if not 0 < old <= new:
        raise Fault(step, f"no consistency proof leads from {old} to {new}")
    if old == new:
        if proof or old_root != new_root:
            raise Fault(step, "two trees of one size differ")
        return
    path = [old_root, *proof] if not old & (old - 1) else list(proof)
    if not path:
        raise Fault(step, "the consistency proof is empty")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if not sn:
            raise Fault(step, "the consistency proof is too long")
        if fn & 1 or fn == sn:
            first, second = node(sibling, first), node(sibling, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Fault(step, "the consistency proof is too short")
    if first != old_root or second != new_root:
        raise Fault(step, "the consistency proof does not lead to both roots")


# === 4. Signed notes: checkpoints and cosignatures (c2sp.org/signed-note, tlog-cosignature) =======

LOG_KEY, WITNESS_KEY = 1, 4


def unbase64(text: str, what: str, step: str) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Fault(step, f"{what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Fault(step, f"{what} is not base64 in its one form")
    return data


def decimal(text: str, what: str, step: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,15}", text):
        raise Fault(step, f"{what} is not a decimal number")
    return int(text)


def check_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        why = "a key name is not empty and has neither spaces nor plus signs"
        raise Fault("checkpoint", why)


class Key(NamedTuple):
    """A public Ed25519 key by name; a log's (kind 1) or a witness's (kind 4)."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public)[:4]

    @property
    def vkey(self) -> str:
        material = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{material}"

    @classmethod
    def parse(cls, vkey: str) -> Key:
        parts = re.fullmatch(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", vkey)
        if not parts:
            raise Fault("checkpoint", "a verifier key reads NAME+HEX+BASE64")
        name, hex_id, material = parts.groups()
        check_name(name)
        data = unbase64(material, "the key of a verifier key", "checkpoint")
        if data[0] not in (LOG_KEY, WITNESS_KEY):
            why = "is not supported; 0x01 (Ed25519) and 0x04 (cosignature) are"
            raise Fault("checkpoint", f"signature type 0x{data[0]:02x} of key {name} {why}")
        if len(data) != 33:
            raise Fault("checkpoint", f"the Ed25519 key of {name} is not 32 bytes long")
        key = cls(name, data[0], data[1:])
        if key.id.hex() != hex_id:
            raise Fault("checkpoint", f"the key id {hex_id} is not that of {name}'s key")
        return key


class Line(NamedTuple):
    """One signature line of a note."""

    name: str
    key_id: bytes
    body: bytes


class Note(NamedTuple):
    """A checkpoint: the log's name, its number of entries, its root; and who says so."""

    whole: str
    text: str
    lines: tuple[Line, ...]
    origin: str
    size: int
    root: bytes


def split_note(note: str) -> tuple[str, tuple[Line, ...]]:
    if len(note) > 1 << 18:
        raise Fault("checkpoint", f"a note is larger than {1 << 18} bytes")
    if re.search(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]", note):
        raise Fault("checkpoint", "a note holds characters that no note may hold")
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise Fault("checkpoint", "a note is a text, a blank line and signature lines")
    rows = tail[:-1].split("\n")
    if len(rows) > 64:
        raise Fault("checkpoint", "a note has more than 64 signatures")
    return head + "\n", tuple(_line(row) for row in rows)


def _line(row: str) -> Line:
    words = row.split(" ")
    if len(words) != 3 or words[0] != "\u2014":
        why = "a signature line reads: em dash, key name, base64, one space between"
        raise Fault("checkpoint", why)
    check_name(words[1])
    data = unbase64(words[2], f"the signature of {words[1]}", "checkpoint")
    if len(data) <= 4:
        raise Fault("checkpoint", f"the signature of {words[1]} is too short")
    return Line(words[1], data[:4], data[4:])


def parse_checkpoint(text: str, step: str) -> tuple[str, int, bytes]:
    rows = text.split("\n")
    if len(rows) != 4 or rows[3] or not rows[0]:
        raise Fault(step, "a checkpoint is origin, size and root, one a line")
    size = decimal(rows[1], "the size in a checkpoint", step)
    root = unbase64(rows[2], "the root in a checkpoint", step)
    if len(root) != 32:
        raise Fault(step, "the root in a checkpoint is not 32 bytes long")
    return rows[0], size, root


def open_note(note: str) -> Note:
    text, lines = split_note(note)
    return Note(note, text, lines, *parse_checkpoint(text, "checkpoint"))


def signed_by(text: str, lines: Sequence[Line], keys: Sequence[Key], tools: Tools) -> list[Key]:
    """Those of *keys* that signed. A line that claims a key's name and id must be that key's."""
    found = []
    for key in keys:
        claimed = [line for line in lines if (line.name, line.key_id) == (key.name, key.id)]
        for line in claimed:
            message, signature = text.encode(), line.body
            if key.kind == WITNESS_KEY:  # signs the time and the text
                message = f"cosignature/v1\ntime {cosigned_at_s(line)}\n{text}".encode()
                signature = signature[8:]
            if len(signature) != 64 or not tools.ed25519(key.public, message, signature):
                step = "witnesses" if key.kind == WITNESS_KEY else "checkpoint"
                raise Fault(step, f"the signature by {key.name} does not verify")
        if claimed:
            found.append(key)
    return found


def cosigned_at_s(line: Line) -> int:
    return int.from_bytes(line.body[:8], "big")


# === 5. The trust policy (c2sp.org/tlog-policy): which logs and witnesses you believe =============


class Policy:
    """Keys by name, groups of witnesses, and the group that must have signed."""

    def __init__(self, data: bytes) -> None:
        self.logs: list[Key] = []
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum = ""
        self._members: set[str] = set()
        number = 0
        if len(data) > 1 << 20:
            raise NotAProof(f"policy, line 1: the file is larger than {1 << 20} bytes")
        for number, row in enumerate(data.decode("latin-1").split("\n"), 1):
            words = re.split(r"[ \t]+", row.strip(" \t"))
            try:
                if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", row):
                    raise Fault("policy", "a control character")
                if words[0] and not words[0].startswith("#"):
                    self._take(words)
            except Fault as error:
                raise NotAProof(f"policy, line {number}: {error.why}") from None
        if not self.quorum:
            raise NotAProof(f"policy, line {number}: no quorum line")

    def satisfied(self, cosigned: Sequence[str]) -> bool:
        met = {"none", *cosigned}
        for name, (needed, members) in self.groups.items():  # name only what stands before them
            if sum(member in met for member in members) >= needed:
                met.add(name)
        return self.quorum in met

    def _take(self, words: list[str]) -> None:
        kind, count = words[0], len(words)
        if kind == "log" and count in (2, 3):
            self.logs.append(self._key(words[1], LOG_KEY, "a log", self.logs))
        elif kind == "witness" and count in (3, 4):
            others = list(self.witnesses.values())
            key = self._key(words[2], WITNESS_KEY, "a witness", others)
            self._new(words[1])
            self.witnesses[words[1]] = key
        elif kind == "group" and count > 3:
            self.groups_add(words[1], words[2], words[3:])
        elif kind == "quorum" and count == 2:
            if self.quorum:
                raise Fault("policy", "a second quorum line")
            if words[1] != "none":
                self._must_know(words[1])
            self.quorum = words[1]
        else:
            raise Fault("policy", f"not a line of a policy: {' '.join(words)[:60]!r}")

    def groups_add(self, name: str, needed: str, members: list[str]) -> None:
        for member in members:
            self._must_know(member)
            if member in self._members:
                raise Fault("policy", f"{member!r} is a member of a group already")
            self._members.add(member)
        words = {"any": "1", "all": str(len(members))}
        if not re.fullmatch(r"[1-9][0-9]{0,5}", words.get(needed, needed)):
            raise Fault("policy", f"{needed!r} is not any, all or a number")
        count = int(words.get(needed, needed))
        if count > len(members):
            raise Fault("policy", f"{count} of {len(members)} members can never be met")
        self._new(name)
        self.groups[name] = (count, members)

    def _must_know(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise Fault("policy", f"{name!r} is no witness or group of an earlier line")

    def _new(self, name: str) -> None:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise Fault("policy", f"the name {name!r} is taken")

    def _key(self, vkey: str, kind: int, whose: str, others: Sequence[Key]) -> Key:
        try:
            key = Key.parse(vkey.encode("latin-1").decode())
        except UnicodeDecodeError:
            raise Fault("policy", "the key name is not UTF-8") from None
        if key.kind != kind:
            raise Fault("policy", f"the key of {whose} has signature type 0x{key.kind:02x}")
        if any(other.public == key.public for other in others):
            raise Fault("policy", f"the key of {whose[2:]} stands in an earlier line")
        return key


# === 6. The form of a bundle (acuse-proof/v1) =====================================================


class Fields:
    """One object of the file, read key by key; a wrong type is a fault that names the key."""

    def __init__(self, value: dict[str, Any], where: str) -> None:
        self.value, self.where = value, where

    def text(self, key: str) -> str:
        return self._text(key, self.value.get(key))

    def name(self, key: str) -> str:
        text = self.text(key)
        if len(text) > 500:
            raise self._refuse(key, "a name of at most 500 characters")
        return text

    def texts(self, key: str) -> list[str]:
        return [self._text(key, item) for item in self._list(key, 64)]

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.value.get(key, {})
        if not isinstance(value, dict):
            raise self._refuse(key, "an object")
        return value

    def items(self, key: str, limit: int = 64) -> list[Fields]:
        items = self._list(key, limit)
        if not all(isinstance(item, dict) for item in items):
            raise self._refuse(key, "a list of objects")
        return [Fields(item, f"an item of {key}") for item in items]

    def _list(self, key: str, limit: int) -> list[Any]:
        value = self.value.get(key, [])
        if not isinstance(value, list):
            raise self._refuse(key, "a list")
        if len(value) > limit:
            raise self._refuse(key, f"a list of at most {limit}")
        return value

    def _text(self, key: str, value: object) -> str:
        if not isinstance(value, str):
            raise self._refuse(key, "text")
        if re.search("[\ud800-\udfff]", value):
            raise self._refuse(key, "text that has a UTF-8 form")
        return value

    def _refuse(self, key: str, wanted: str) -> Fault:
        return Fault("parse", f"{key} of {self.where} is not {wanted}")


class Bundle:
    """The parts of the file; unknown keys are passed over. What is in them is judged later."""

    def __init__(self, data: bytes) -> None:
        file = Fields(_read_json(data), "the bundle")
        entries = file.items("entries", 10_000)
        if not entries:
            raise Fault("parse", "the bundle has no entries")
        self.disclose = file.mapping("disclose")
        if not all(isinstance(shown, dict) for shown in self.disclose.values()):
            raise Fault("parse", "disclose is not {seq: {field: …}}")
        self.submission_id = file.name("submission_id")
        self.entries = [(item.text("entry"), item.text("proof")) for item in entries]
        self.timestamps = [
            (item.name("tsa"), item.text("over"), item.text("token"), item.texts("consistency"))
            for item in file.items("timestamps")
        ]
        since = file.items("since")
        self.since = [(item.text("note"), item.texts("consistency")) for item in since]
        self.complete = file.text("complete") if file.value.get("complete") is not None else None
        self.rotations, self.anchors = [
            [(item.text("entry"), item.text("proof")) for item in file.items(key)]
            for key in ("rotations", "anchors")
        ]
        self.log = file.text("log")
        self.witnesses = file.texts("witnesses")
        self.operators = file.mapping("operators")
        given = {key: file.value.get(key) is not None for key in ("sender", "issuer")}
        self.sender = file.mapping("sender") if given["sender"] else None
        self.issuer = file.mapping("issuer") if given["issuer"] else None


def _read_json(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BUNDLE_BYTES:
        if data[:1] != b"{":
            raise NotAProof("neither a bundle nor a certificate")
        raise Fault("parse", f"larger than {MAX_BUNDLE_BYTES} bytes")
    try:
        text = data.decode()
        check_form(text, "parse", MAX_VALUES)
        value = read_bundle(text)
    except UnicodeDecodeError:
        raise NotAProof("not JSON: it is not UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotAProof(f"not JSON: {error.msg} at {where}") from None
    if not isinstance(value, dict) or value.get("format") != "acuse-proof/v1":
        raise NotAProof("not of the format acuse-proof/v1")
    return value


# === 7. Each entry: canonical, in the tree, in its place ==========================================


class Shown(NamedTuple):
    """An entry that is canonical and says where it stands."""

    seq: int
    leaf: bytes
    body: dict[str, Any]
    note: Note
    included: bool


class Case:
    """One bundle under examination."""

    def __init__(self, bundle: Bundle, found: Findings) -> None:
        self.bundle, self.found = bundle, found
        self._notes: dict[str, Note | None] = {}
        found.took("parse", "canonical", "inclusion", "place")
        self.entries = self._show(bundle.entries, "")
        self.anchors = self._show(bundle.anchors, "x.Anchor")
        self.rotations = self._show(bundle.rotations, "x.KeyRotate")

    def open(self, note: str) -> Note | None:
        if note not in self._notes:
            self._notes[note] = None
            if len(self._notes) > 128:
                self.found.fault("checkpoint", "more than 128 different checkpoints")
                return None
            try:
                self._notes[note] = open_note(note)
            except Fault as error:
                self.found.fault(error.step, error.why)
        return self._notes[note]

    def _show(self, items: Sequence[tuple[str, str]], code: str) -> list[Shown]:
        shown = [one for one in [self._prove(*item) for item in items] if one]
        for one in shown:
            if code and one.body["ev"] != code:
                self.found.fault("place", f"entry {one.seq} is no {code}", one.seq)
        return shown

    def _prove(self, entry: str, proof: str) -> Shown | None:
        raw = entry.encode()
        try:
            seq, path, whole = parse_proof(proof)
        except Fault as error:
            self.found.fault(error.step, error.why)
            return None
        leaf, note = sha256(b"\x00" + raw), self.open(whole)
        if note is None:
            return None
        included = False
        try:
            check_inclusion(leaf, seq, note.size, path, note.root)
            included = True
        except Fault as error:
            self.found.fault(error.step, error.why, seq)
        try:
            body = canonical_entry(raw)
        except Fault as error:
            self.found.fault(error.step, error.why, seq)
            return None
        faults = list(place_faults(body, seq, note.origin))
        for step, why in faults:
            self.found.fault(step, why, seq)
        return None if faults else Shown(seq, leaf, body, note, included)


def parse_hashes(rows: Sequence[str], step: str) -> list[bytes]:
    hashes = [unbase64(row, "a hash in the proof", step) for row in rows]
    if any(len(item) != 32 for item in hashes):
        raise Fault(step, "a hash in the proof is not 32 bytes long")
    return hashes


def parse_proof(text: str) -> tuple[int, list[bytes], str]:
    """(index, sibling hashes, checkpoint note) of a c2sp.org/tlog-proof@v1 text."""
    if len(text) > 1 << 19:
        raise Fault("inclusion", f"a proof is longer than {1 << 19}")
    head, blank, note = text.partition("\n\n")
    first, *rows = head.split("\n")
    if first != "c2sp.org/tlog-proof@v1" or not blank:
        raise Fault("inclusion", "a proof begins with c2sp.org/tlog-proof@v1")
    if rows and rows[0].startswith("extra "):
        unbase64(rows.pop(0)[6:], "the extra data", "inclusion")
    if not rows or not rows[0].startswith("index "):
        raise Fault("inclusion", "a proof names the index of its entry")
    index = decimal(rows.pop(0)[6:], "the index of a proof", "inclusion")
    return index, parse_hashes(rows, "inclusion"), note


def place_faults(body: dict[str, Any], seq: int, origin: str) -> Iterator[tuple[str, str]]:
    if type(body.get("v")) is not int or body["v"] != 1:
        yield "place", f"entry {seq} is not of version 1"
    if body.get("log") != origin:
        yield "place", f"entry {seq} is not of the log {origin}"
    if type(body.get("seq")) is not int or body["seq"] != seq:
        yield "place", f"the entry at {seq} says it is elsewhere"
    if not is_hash(body.get("prev")) or (seq == 0) != (body["prev"] == "0" * 64):
        yield "chain", f"entry {seq} names no hash of an entry before it"
    if not isinstance(body.get("ev"), str):
        yield "place", f"entry {seq} has no event code"
    if not is_time(body.get("t")):
        yield "time", f"t of entry {seq} is no time"


def is_hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}\.[0-9]{3}Z")


def is_time(value: object) -> bool:
    """Two such texts are ordered as their times are."""
    if not isinstance(value, str) or not TIME.fullmatch(value):
        return False
    try:
        time_ms(value)
    except ValueError:
        return False
    return True


def time_ms(text: str) -> int:
    moment = datetime.strptime(text[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z")
    return int(moment.timestamp()) * 1000 + int(text[20:23])


def time_text(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    moment = datetime.fromtimestamp(at_ms // 1000, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


# === 8. The course of the submission: chain, links, seals, times, envelope, commitments ===========

DECIDING = {
    "A.2",
    "F.2",
    "E.1",
    "E.2",
    "x.NoConfirmation",
    "x.Cancelled",
    "x.Expired",
    "x.Resolved",
}
AFTER_SEAL = {"x.Duplicate", "x.CarrierReport", "F.3", "x.Erased", "x.Reopened"}
BY_OPERATOR = {"F.1", "F.2", "x.CarrierReport", "E.1", "E.2"}
#: State that a seal names -> the deciding event it needs. "delivered" needs the carrier's word.
SEALED_BY = {
    "delivered": {"E.1"},
    "refused": {"A.2"},
    "undelivered": {"E.2", "x.Resolved"},
    "deleted": {"E.2", "x.Resolved"},
    "expired": {"E.2", "x.Expired", "x.Resolved"},
    "rejected": {"E.2", "F.2", "x.Resolved"},
    "unconfirmed": {"x.NoConfirmation", "x.Resolved"},
    "cancelled": {"x.Cancelled", "x.Resolved"},
    "delivered_to_operator": {"x.CarrierReport", "x.Resolved"},
    "unknown": {"x.NoConfirmation", "x.Resolved"},
}


class Course:
    """What happened to one submission, entry by entry."""

    def __init__(self) -> None:
        self.events: list[list[Any]] = []  # what the next seal must list
        self.opened, self.state = "", "queued"
        self.final: str | None = None  # the state last sealed; None while open or reopened
        self.seal: int | None = None
        self.erased = self.ambiguous = self.reported = False
        self.deciding = ""

    def take(self, seq: int, leaf: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
        code = body["ev"]
        if self.events:
            if body.get("mprev") != self.events[-1][0]:
                yield "links", f"entry {seq} does not link to entry {self.events[-1][0]}"
            if code == "A.1":
                yield "links", "a submission is accepted once, first of all"
        else:
            self.opened = body["t"]
            if "mprev" in body:
                yield "links", f"entry {seq} links to an entry before the first one shown"
            if code not in ("A.1", "A.2"):
                yield "links", f"a submission begins with A.1 or A.2, not with {code}"
        if "rx" in body:
            if not is_time(body["rx"]):
                yield "time", f"rx of entry {seq} is no time"
            elif not self.opened <= body["rx"] <= body["t"]:
                yield "time", f"entry {seq} was received before the submission or after its own t"
        if self.final is not None and code not in AFTER_SEAL:
            yield "complete", f"{code} follows the seal without x.Reopened"
        if code == "S.1":
            yield from self._sealed(seq, body)
        elif code == "x.Reopened":
            if self.final is None or body.get("of") != self.seal:
                yield "complete", f"entry {seq} reopens no seal"
            self.final = None
        else:
            self._note(code, body)
        self.events.append([seq, leaf])

    def _sealed(self, seq: int, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if body.get("events") != self.events:
            yield "complete", f"the seal {seq} does not list exactly the entries before it"
        state = body.get("state")
        needed = SEALED_BY.get(state) if isinstance(state, str) else None
        if needed is None:
            yield "complete", f"the seal {seq} names no final state"
            state = "unknown"
        elif self.deciding not in needed and not (self.reported and "x.CarrierReport" in needed):
            what = self.deciding or "nothing"
            yield "complete", f"the seal {seq} says {state}, but what decided is {what}"
        self.final = self.state = str(state)
        self.seal = seq

    def _note(self, code: str, body: dict[str, Any]) -> None:
        fits = body.get("fits")  # open submissions this receipt matched
        several = (type(fits) is int and fits > 1) or (isinstance(fits, list) and len(fits) > 1)
        if code in DECIDING:
            self.deciding, self.reported, self.ambiguous = code, False, several
        elif code == "x.CarrierReport":
            self.reported, self.ambiguous = True, self.ambiguous or several
        elif code == "x.Erased":
            self.erased, self.state = True, "erased"
        if self.final is None:
            decision = body.get("decision")
            held = isinstance(decision, dict) and decision.get("action") == "hold"
            became = {"F.1": "accepted", "x.OutcomeUnknown": "unknown", "x.Released": "queued"}
            became["A.1"] = "held" if held else "queued"
            self.state = became.get(code, self.state)


def check_course(case: Case) -> Course:
    found, course, last = case.found, Course(), -1
    found.took("links", "complete", "time")
    for one in case.entries:
        if one.seq <= last:
            found.fault("links", f"entry {one.seq} is not shown in order, or twice", one.seq)
        last = one.seq
        if one.body.get("mid") != case.bundle.submission_id:
            found.fault("links", f"entry {one.seq} is of another submission", one.seq)
        for step, why in course.take(one.seq, one.leaf.hex(), one.body):
            found.fault(step, why, one.seq)
    found.erased = course.erased
    if course.final is None:
        found.not_final = "complete: the submission is still open"
    if course.ambiguous:
        found.ambiguous = "complete: the receipt fits more than one submission"
    return course


def check_chain_and_times(case: Case) -> None:
    found, everything = case.found, (*case.entries, *case.anchors, *case.rotations)
    found.took("chain")
    leaves = {one.seq: one.leaf for one in everything}
    for one in everything:
        before = leaves.get(one.seq - 1)
        if before is not None and one.body["prev"] != before.hex():
            found.fault("chain", f"entry {one.seq} does not follow entry {one.seq - 1}", one.seq)
    last = ""
    for one in sorted((*case.entries, *case.anchors), key=lambda one: one.seq):
        if one.body["t"] < last:
            found.fault("time", f"entry {one.seq} is earlier than one before it", one.seq)
        last = one.body["t"]
        parts = one.body.get("parts")
        for part in parts if isinstance(parts, list) else ():
            times: list[object] = [0]
            if isinstance(part, dict):
                times = [part.get(key) for key in ("sent", "answered")]
            if not all(value is None or is_time(value) for value in times):
                found.fault("time", f"a part of entry {one.seq} has no proper time", one.seq)


def check_envelope(case: Case) -> None:
    """Issuer, sender and operators cannot be edited: the entries carry their hashes."""
    found, bundle = case.found, case.bundle
    found.took("envelope")
    for one in case.entries:
        body, seq = one.body, one.seq
        if body["ev"] in ("A.1", "A.2"):
            for key, party in (("issuer", bundle.issuer), ("sender", bundle.sender)):
                if not matches(party, body.get(key)):
                    found.fault("envelope", f"{key} is not the one entry {seq} names", seq)
        if body["ev"] in BY_OPERATOR:
            name = body.get("operator")
            operator = bundle.operators.get(name) if isinstance(name, str) else None
            means = operator.get("receipt_means") if isinstance(operator, dict) else None
            if not matches(operator, body.get("profile")):
                found.fault("envelope", f"the operator of entry {seq} is not as sealed", seq)
            elif body["ev"] == "E.1" and means != "handset":
                why = f"entry {seq} claims more than its operator's receipt means"
                found.fault("envelope", why, seq)


def matches(value: object, digest: object) -> bool:
    try:
        return value is not None and sha256(encode_text(value).encode()).hex() == digest
    except ValueError:  # a number or text that has no canonical form
        return False


def check_commitments(case: Case) -> None:
    """What is disclosed gives, with its salt, the hash that the entry carries."""
    found = case.found
    found.took("commitments")
    shown = {str(one.seq): one for one in case.entries}
    for seq, fields in case.bundle.disclose.items():
        one = shown.get(seq)
        if one is None:
            at = int(seq) if re.fullmatch(r"0|[1-9][0-9]{0,15}", seq) else None
            found.fault("commitments", "something is disclosed of an entry not shown", at)
            continue
        commits = one.body.get("commit")
        for name, item in fields.items():
            committed = commits.get(name) if isinstance(commits, dict) else None
            value = disclosed(name, item)
            salted = b"" if value is None else bytes.fromhex(item["salt"]) + value
            label = b"acuse/commit/v1\0" + name.encode("utf-8", "replace") + b"\0"
            if value is None or sha256(label + salted).hex() != committed:
                found.fault("commitments", f"{name} of entry {seq} is not what was sealed", one.seq)


def disclosed(name: str, item: object) -> bytes | None:
    """The octets of {"salt", "value" or "value_hex"}; None if it has not exactly this form."""
    if not re.fullmatch("[a-z0-9._]+", name) or not isinstance(item, dict):
        return None
    keys = {"value", "value_hex"} & set(item)
    text = item[min(keys)] if len(keys) == 1 else None
    if not is_hash(item.get("salt")) or not isinstance(text, str):
        return None
    if keys == {"value"}:
        return None if re.search("[\ud800-\udfff]", text) else text.encode()
    return bytes.fromhex(text) if re.fullmatch("([0-9a-f]{2})*", text) else None


# === 9. Who vouches for the checkpoint: the log's key, witnesses, time stamps, what you knew ======


class Stamp(NamedTuple):
    """The time a trusted token proves, the checkpoint it is over, and the token's hash."""

    at_ms: int
    accuracy_ms: int
    over: tuple[str, int, bytes]
    token_hash: str


class Trust:
    """The checks that need keys; `tools` is whoever checks signatures (section 10)."""

    def __init__(self, case: Case, note: Note, policy: Policy | None, tools: Tools) -> None:
        self.case, self.note, self.policy, self.tools = case, note, policy, tools
        self.found, self.bundle = case.found, case.bundle
        self.roots = {0: sha256(b""), note.size: note.root}  # what the tree is proven to have been
        self.signed: list[Note] = []
        self.pinned = bool(policy and policy.logs)
        self.keys: list[Key] = []
        if policy and policy.logs:
            self.found.took("policy")
            self.keys = [key for key in policy.logs if key.name == note.origin]
            return
        why = "the policy names no log" if policy else "no policy pins the log's key"
        self.found.lacks("policy", f"checkpoint: {why}")
        try:
            key = Key.parse(self.bundle.log)
            self.keys = [key] if (key.kind, key.name) == (LOG_KEY, note.origin) else []
        except Fault as error:
            self.found.fault(error.step, error.why)

    def check(self, note: Note, step: str) -> bool:
        """Whether a believed key signed; a signature in its name that does not hold is a fault."""
        try:
            return bool(signed_by(note.text, note.lines, self.keys, self.tools))
        except Fault as error:
            self.found.fault(step, error.why)
            return False

    def check_signatures(self) -> None:
        self.found.took("checkpoint")
        for one in self.case.rotations:  # each may bring the key that signed what follows
            if self.check(one.note, "checkpoint"):
                if one.included and one.body["ev"] == "x.KeyRotate":  # else nobody signed it
                    self._rotate(one.body)
                self.signed.append(one.note)
        notes = {one.note.whole: one.note for one in (*self.case.entries, *self.case.anchors)}
        if len({note.text for note in notes.values()}) > 1:
            self.found.fault("checkpoint", "the proofs of the bundle lead to different checkpoints")
        for note in notes.values():
            if self.check(note, "checkpoint"):
                self.signed.append(note)
            elif self.found.steps["checkpoint"]:
                whose = "a key of the policy" if self.pinned else "the key the file names"
                self.found.fault("checkpoint", f"the checkpoint is not signed by {whose}")

    def _rotate(self, body: dict[str, Any]) -> None:
        if any(key.vkey == body.get("old") for key in self.keys):
            try:
                key = Key.parse(str(body.get("new")))
            except Fault:
                return
            if (key.kind, key.name) == (LOG_KEY, self.keys[0].name):
                self.keys.append(key)

    def check_complete(self) -> None:
        """The log states, signed, that these are all its entries of this submission."""
        found, bundle, note = self.found, self.bundle, self.note
        if bundle.complete is None:
            why = "complete: the log does not state that nothing else is known of the submission"
            found.not_final = found.not_final or why
            return
        try:
            text, lines = split_note(bundle.complete)
            digest = sha256(b"".join(one.leaf for one in self.case.entries))
            rows = ("acuse-complete/v1", note.origin, bundle.submission_id, str(note.size))
            if text != "\n".join((*rows, base64.b64encode(digest).decode(), "")):
                why = "the log states other entries of this submission than are shown"
                raise Fault("complete", why)
            # Where the checkpoint is not signed either, that is the fault to tell.
            if not signed_by(text, lines, self.keys, self.tools) and note in self.signed:
                raise Fault("complete", "that nothing is kept back is not signed by the log's key")
        except Fault as error:
            found.fault("complete", error.why)

    def check_witnesses(self) -> int:
        """The policy's quorum; when the last known witness signed (ms), 0 if none did."""
        text, lines, policy = self.note.text, self.note.lines, self.policy
        try:
            for vkey in self.bundle.witnesses:
                key = Key.parse(vkey)
                if key.kind != WITNESS_KEY:
                    raise Fault("witnesses", f"{key.name} is no witness")
                signed_by(text, lines, [key], self.tools)
            if policy is None:
                return 0
            cosigned = {
                name: key
                for name, key in policy.witnesses.items()
                if signed_by(text, lines, [key], self.tools)
            }
        except Fault as error:
            self.found.fault("witnesses", error.why)
            return 0
        self.found.witnesses = len(cosigned)
        if policy.satisfied(list(cosigned)):
            self.found.took("witnesses")
        else:
            why = f"{len(cosigned)} of the policy's witnesses signed, its quorum is not met"
            self.found.lacks("witnesses", f"witnesses: {why}")
        ids = {(key.name, key.id) for key in cosigned.values()}
        times_s = [cosigned_at_s(line) for line in lines if (line.name, line.key_id) in ids]
        return max(times_s, default=0) * 1000

    def prove_past(self, then: tuple[str, int, bytes], rows: Sequence[str], step: str) -> None:
        """Take an earlier checkpoint (origin, size, root) as part of the history, by its proof."""
        origin, size, root = then
        if origin != self.note.origin:
            raise Fault(step, "an earlier checkpoint is of another log")
        path = parse_hashes(rows, step)
        check_consistency(size, root, self.note.size, self.note.root, path, step)
        self.roots[size] = root

    def check_stamps(self) -> list[Stamp]:
        proven = []
        for tsa, over, encoded, consistency in self.bundle.timestamps:
            try:
                token = unbase64(encoded, f"the token of {tsa}", "timestamp")
                if len(token) > 1 << 16:
                    raise Fault("timestamp", f"a token is larger than {1 << 16} bytes")
                then = parse_checkpoint(over, "timestamp")
                self.prove_past(then, consistency, "timestamp")
                time_and_accuracy = self.tools.stamp(token, over.encode())
            except Fault as error:
                self.found.fault(error.step, error.why)
                continue
            if time_and_accuracy:
                proven.append(Stamp(*time_and_accuracy, then, hashlib.sha256(token).hexdigest()))
        here = (self.note.origin, self.note.size, self.note.root)
        if any(one.over == here for one in proven):
            self.found.took("timestamp")
        else:
            why = "timestamp: no trusted time stamp covers the checkpoint"
            self.found.lacks("timestamp", why)
        return proven

    def check_bounds(self, proven: Sequence[Stamp]) -> tuple[int | None, int | None]:
        """(not before, not after): newest token anchored before, oldest token over the last."""
        shown = self.case.entries
        anchored = {
            token
            for one in self.case.anchors
            if one.seq < shown[0].seq and isinstance(one.body.get("tokens"), list)
            for token in one.body["tokens"]
            if isinstance(token, str)
        }
        earlier = [one for one in proven if one.token_hash in anchored]
        later = [one for one in proven if one.over[1] > shown[-1].seq]
        low = max(earlier, key=lambda one: one.at_ms, default=None)
        high = min(later, key=lambda one: one.at_ms, default=None)
        for one in shown:
            at_ms, seq = time_ms(one.body["t"]), one.seq
            if low and at_ms < low.at_ms - low.accuracy_ms - 5000:
                self.found.fault("time", f"entry {seq} is older than a time stamp before it", seq)
            if high and at_ms > high.at_ms + high.accuracy_ms + 5000:
                self.found.fault("time", f"entry {seq} is newer than a time stamp over it", seq)
        return (low.at_ms if low else None), (high.at_ms if high else None)

    def check_since(self, known: Note | None) -> None:
        """The file's earlier notes, and the one you kept: the log only grew since."""
        found, now = self.found, self.note
        for whole, consistency in self.bundle.since:
            found.took("since")
            earlier = self.case.open(whole)
            if earlier is None:
                continue
            if self.check(earlier, "since"):
                self.signed.append(earlier)
            try:
                then = (earlier.origin, earlier.size, earlier.root)
                self.prove_past(then, consistency, "since")
            except Fault as error:
                found.fault(error.step, error.why)
        if known is None:
            return
        found.took("since")
        if known.origin != now.origin:
            why = f"the checkpoint known before is of the log {known.origin}"
            found.fault("since", why)
            return
        if self.check(known, "since"):
            self.signed.append(known)
        if known.size > now.size:
            found.stale = f"since: {now.size} entries, {known.size} were known before"
        elif known.size not in self.roots:
            found.lacks("since", "since_unproven")
        elif self.roots[known.size] != known.root:
            found.fault("since", "the log does not have the checkpoint known before in its past")

    def check_forks(self) -> None:
        """Two notes of the log that exclude each other: it has told two histories."""
        sizes: dict[tuple[str, int], Note] = {}
        for note in self.signed:
            first = sizes.setdefault((note.origin, note.size), note)
            known = self.roots.get(note.size) if note.origin == self.note.origin else None
            if first.root != note.root:
                self.found.fork = self.found.fork or (first.whole, note.whole)
            elif self.note in self.signed and known is not None and known != note.root:
                self.found.fork = self.found.fork or (self.note.whole, note.whole)


class Report(NamedTuple):
    """The answer, and the material for an explanation."""

    verdict: str
    reason: str | None
    seq: int | None
    found: Findings
    case: Case | None = None
    state: str | None = None
    bounds: tuple[int | None, int | None] = (None, None)

    def as_json(self) -> dict[str, Any]:
        case, notes = self.case, list(self.found.fork)
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "seq": self.seq,
            "submission_id": case.bundle.submission_id if case else None,
            "state": self.state,
            "size": case.entries[0].note.size if case and case.entries else None,
            "time": dict(zip(("not_before", "not_after"), map(time_text, self.bounds))),
            "checks": [
                {"name": step, "ok": self.found.steps[step]}
                for step in STEPS
                if step in self.found.steps
            ],
            **({"notes": notes} if notes else {}),
        }


def verify(
    data: bytes,
    tools: Tools,
    policy: Policy | None = None,
    since: str | None = None,
    max_age_s: int | None = None,
    now_ms: int = 0,
    found: Findings | None = None,
) -> Report:
    """All steps on one bundle. Raises NotAProof where there is nothing to judge."""
    try:
        known = open_note(since) if since is not None else None
    except Fault as error:
        raise NotAProof(f"since: {error.why}") from None
    found = found or Findings()
    try:
        bundle = Bundle(data)
    except Fault as error:
        found.fault(error.step, error.why)
        return Report(*found.verdict(), found)
    case, state = Case(bundle, found), None
    # If an entry could not even be read, gaps are a consequence and no faults of their own.
    whole = len(case.entries) == len(bundle.entries)
    if whole:
        state = check_course(case).state
        check_chain_and_times(case)
        check_envelope(case)
        check_commitments(case)
    bounds: tuple[int | None, int | None] = (None, None)
    if case.entries:
        trust = Trust(case, case.entries[0].note, policy, tools)
        trust.check_signatures()
        if whole:
            trust.check_complete()
        witnessed_ms = trust.check_witnesses()
        proven = trust.check_stamps()
        bounds = trust.check_bounds(proven)
        trust.check_since(known)
        trust.check_forks()
        shown = (*case.entries, *case.anchors)
        outside_ms = max([witnessed_ms, *(one.at_ms for one in proven)])
        newest_ms = outside_ms or max(time_ms(one.body["t"]) for one in shown)
        if max_age_s is not None and now_ms - newest_ms > max_age_s * 1000:
            found.stale = f"time: nothing here is newer than {time_text(newest_ms)}"
    return Report(*found.verdict(), found, case, state, bounds)


# === 10. openssl, which checks every signature ====================================================


class Tools(Protocol):
    """What needs cryptography; every other check in this file is plain comparison."""

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether *signature* is the Ed25519 signature of *message*."""
        ...

    def stamp(self, token: bytes, data: bytes) -> tuple[int, int] | None:
        """(time, accuracy) in ms that a token proves for *data*; None if its maker is unknown.

        Raises Fault("timestamp") for a token that is not what it says.
        """
        ...


#: Codes of `openssl verify` that say: no way leads from this certificate to one you trust.
STRANGER = {"2", "18", "19", "20", "21", "27"}
#: Only what you gave is trusted, never what the machine trusts.
ONLY = ["-partial_chain", "-no-CApath", "-no-CAstore"]


#: RFC 8032 section 7.1, TEST 2: public key, message (one octet), signature.
RFC_8032 = bytes.fromhex(
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c72"
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


class OpenSSL:
    """`Tools` by the program openssl. Files go to a directory that is removed at once."""

    _CMS = ("cms", "-verify", "-inform", "DER", "-in", "signature", "-binary", "-content", "data")

    def __init__(self, tsa_ca: bytes | None, signer_ca: bytes | None) -> None:
        self.tsa_ca, self.signer_ca = tsa_ca, signer_ca
        self._able = False
        self._known: dict[tuple[bytes, bytes, bytes], bool] = {}

    def run(self, arguments: Sequence[str], **files: bytes) -> tuple[bool, str, dict[str, bytes]]:
        """(whether it succeeded, what it said, the files it wrote); *files* are put beside it."""
        with tempfile.TemporaryDirectory(prefix="acuse-verify-") as home:
            for name, data in files.items():
                Path(home, name).write_bytes(data)
            try:
                done = subprocess.run(
                    ["openssl", *arguments], cwd=home, capture_output=True, check=False
                )
            except OSError as error:
                why = f"the program openssl cannot be run: {error.strerror}"
                raise NoOpenSSL(why) from None
            written = {path.name: path.read_bytes() for path in Path(home).iterdir()}
        return done.returncode == 0, (done.stdout + done.stderr).decode("latin-1"), written

    def require(self) -> None:
        """That this openssl knows what is asked of it, by a signature that is known to be right.

        One that is too old would say of every signature that it does not hold.
        """
        self._able = True
        if not self.ed25519(RFC_8032[:32], RFC_8032[32:33], RFC_8032[33:]):
            raise NoOpenSSL(
                "this openssl cannot check Ed25519 signatures; OpenSSL 3.0 or newer can"
            )

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        if not self._able:
            self.require()
        asked = (public, message, signature)
        if asked not in self._known:
            if len(self._known) >= 1000:
                raise Fault("checkpoint", "more than 1000 signatures")
            spki = bytes.fromhex("302a300506032b6570032100") + public
            options = "-verify -pubin -keyform DER -inkey key -rawin -in text -sigfile signature"
            holds, _, _ = self.run(
                ["pkeyutl", *options.split()], key=spki, text=message, signature=signature
            )
            self._known[asked] = holds
        return self._known[asked]

    def stamp(self, token: bytes, data: bytes) -> tuple[int, int] | None:
        if self.tsa_ca is None:
            return None
        if not self._able:
            self.require()
        # What it states, and its certificates; whether they may be believed comes afterwards.
        options = "-verify -noverify -no_attr_verify -inform DER -in token -binary -out info"
        holds, _, files = self.run(
            ["cms", *options.split(), "-signer", "signer", "-certsout", "others"], token=token
        )
        if not holds:
            raise Fault("timestamp", "the time stamp is not an RFC 3161 token")
        digest, at_ms, accuracy_ms = tst_info(files["info"])
        if digest != sha256(data):
            raise Fault("timestamp", "the time stamp is over something else")
        at = ["-attime", str(at_ms // 1000)]  # what counts is that the certificate was valid then
        options = "-CAfile ca -untrusted others -purpose timestampsign signer"
        others = files.get("others") or files["signer"]
        given = {"ca": self.tsa_ca, "others": others, "signer": files["signer"]}
        _, said, _ = self.run(["verify", *ONLY, *at, *options.split()], **given)
        code = re.search(r"error ([0-9]+) at", said)
        if code and code[1] in STRANGER:
            return None
        options = "-verify -data data -in token -token_in -partial_chain -CAfile ca"
        holds, said, _ = self.run(
            ["ts", *options.split(), *at], token=token, data=data, ca=self.tsa_ca
        )
        if not holds:
            why = "its certificate was not valid then, is not for time stamps, or did not sign it"
            raise Fault("timestamp", f"the time stamp does not verify: {why}")
        return at_ms, accuracy_ms

    def sealed(self, signature: bytes, data: bytes) -> bool:
        """Whether *signature* (CMS) is one of *data*, by whomever."""
        options = [*self._CMS, "-out", "out", "-noverify"]
        return self.run(options, signature=signature, data=data)[0]

    def vouched(self, signature: bytes, data: bytes, at_s: int) -> bool:
        """Whether *signature* is by a signer whom --signer-ca vouched for at that time."""
        if self.signer_ca is None:
            return False
        chain = ["-CAfile", "ca", "-purpose", "any", "-attime", str(at_s), *ONLY]
        files = {"signature": signature, "data": data, "ca": self.signer_ca}
        return self.run([*self._CMS, "-out", "out", *chain], **files)[0]


class NoOpenSSL(Exception):
    """The program is not there, or too old."""


def tst_info(der: bytes) -> tuple[bytes, int, int]:
    """(SHA-256 imprint, genTime in ms, accuracy in ms) of a TSTInfo, RFC 3161 section 2.4.2."""
    try:
        (_, body), *rest = der_items(der)
        _, _, (_, imprint), _, (kind, gen_time), *optional = der_items(body)
        (_, algorithm), (_, digest) = der_items(imprint)
        sha = bytes.fromhex("0609608648016503040201")
        text = re.fullmatch(rb"([0-9]{14})(?:\.([0-9]{1,9}))?Z", gen_time)
        if rest or kind != 0x18 or not text or not algorithm.startswith(sha):
            raise Fault("timestamp", "the time stamp is not an RFC 3161 token over SHA-256")
        moment = datetime.strptime(text[1].decode() + "+0000", "%Y%m%d%H%M%S%z")
        at_ms = int(moment.timestamp()) * 1000 + int((text[2] or b"0").ljust(3, b"0")[:3])
        accuracy = der_items(optional[0][1]) if optional and optional[0][0] == 0x30 else []
        parts = {tag: int.from_bytes(value, "big") for tag, value in accuracy}
        seconds, millis, micros = (parts.get(tag, 0) for tag in (0x02, 0x80, 0x81))
        if max(millis, micros) > 999 or seconds >= 3600:
            raise Fault("timestamp", "the accuracy of the time stamp is none")
        return digest, at_ms, seconds * 1000 + millis + (micros > 0)
    except (ValueError, IndexError):
        raise Fault("timestamp", "the time stamp is not an RFC 3161 token") from None


def der_items(data: bytes) -> list[tuple[int, bytes]]:
    """The (tag, content) pairs that stand one after another in *data*."""
    items = []
    while data:
        size, start = data[1], 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            raise ValueError("cut")
        items.append((data[0], data[start : start + size]))
        data = data[start + size :]
    return items


# === 11. A certificate (PDF): the proof inside it, and the seal over its bytes ====================
# Deliberately narrow: it reads the form Acuse writes and refuses any other. It cannot see what the
# pages look like; `acuse verify` renders them again from the proof and compares every byte.

PAGES = "document: the pages are not compared with the proof here; `acuse verify` does it"
MAX_PDF_BYTES = 64 << 20


def attached_bundle(pdf: bytes) -> bytes:
    """The one attachment acuse-proof.json."""
    listed = re.findall(
        rb"/Type\s*/Filespec\s*/F\s*\(acuse-proof\.json\)[^>]*/EF\s*<<\s*/F ([0-9]+) 0 R", pdf
    )
    if len(listed) != 1:
        raise NotAProof("a PDF with no (or more than one) attachment acuse-proof.json")
    objects = list(re.finditer(rb"(?<![0-9])" + listed[0] + rb" [0-9]+ obj\b", pdf))
    form = re.compile(rb"\s*<<((?:(?!endobj|stream).)*)>>\s*stream\r?\n", re.DOTALL)
    opened = form.match(pdf, objects[0].end()) if len(objects) == 1 else None
    if opened is None:
        raise Fault("document", "the attachment stands there twice, or not as Acuse writes it")
    described, start = opened[1], opened.end()
    length = re.search(rb"/Length ([0-9]{1,9})(?![0-9]| [0-9]+ R)", described)
    if b"/EmbeddedFile" not in described or not length:
        raise Fault("document", "the attachment does not have the form Acuse writes")
    stored = pdf[start : start + int(length[1])]
    if not re.match(rb"\s*endstream", pdf[start + len(stored) :][:32]):
        raise Fault("document", "the attachment does not end where it says")
    if b"/FlateDecode" not in described:
        return stored
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(stored, MAX_BUNDLE_BYTES + 1)
    except zlib.error:
        raise Fault("document", "the attachment cannot be unpacked") from None
    if not inflate.eof or inflate.unused_data:
        raise Fault("document", "the attachment is cut, or larger than a bundle can be")
    return data


def signatures(pdf: bytes) -> Iterator[tuple[bytes, bytes, bytes, int]]:
    """(kind, CMS signature, the bytes it covers, where they end) of every signature field."""
    number = rb"\s+([0-9]{1,10})"
    for one in re.finditer(rb"/ByteRange\s*\[\s*0" + number * 3 + rb"\s*\]", pdf):
        first, second, length = (int(value) for value in one.groups())
        gap = pdf[first:second]
        kind = re.search(
            rb"/SubFilter\s*/([A-Za-z0-9.]+)",
            pdf[pdf.rfind(b" obj", 0, one.start()) : pdf.find(b"endobj", one.end())],
        )
        if not kind or not re.fullmatch(rb"<([0-9a-fA-F]{2})+>", gap) or second + length > len(pdf):
            raise Fault("document", "a signature does not say properly what it covers")
        blob = bytes.fromhex(gap[1:-1].decode())
        head = 2 + (blob[1] & 0x7F if blob[1] & 0x80 else 0)
        size = int.from_bytes(blob[2:head], "big") if head > 2 else blob[1]
        if any(blob[head + size :]):
            raise Fault("document", "a signature holds more than the signature")
        end = second + length
        yield kind[1], blob[: head + size], pdf[:first] + pdf[second:end], end


def check_seal(pdf: bytes, found: Findings, tools: OpenSSL) -> None:
    """The signed bytes are unchanged, and by whom they are signed. The pages are not looked at."""
    found.took("document")
    try:
        every = sorted(signatures(pdf), key=lambda one: one[3])
        if not every and pdf.count(b"%%EOF") > 1:
            raise Fault("document", "it was changed, and bears no seal")
        stamps = [one for one in every if one[0] == b"ETSI.RFC3161"]
        seals = [one for one in every if one[0] == b"ETSI.CAdES.detached"]
        if every[:1] != seals or len(stamps) + len(seals) != len(every):
            raise Fault("document", "it is signed in a way Acuse never does")
        if not all(tools.sealed(signature, data) for _, signature, data, _ in seals):
            raise Fault("document", "the bytes of the certificate are not those that were sealed")
        times = [tools.stamp(token, data) for _, token, data, _ in stamps]
        if every and every[-1][3] < len(pdf.rstrip(b"\r\n")):
            raise Fault("document", "something stands after all that was signed")
        at_s = min([one[0] // 1000 for one in times if one] or [int(time.time())])
        known = [tools.vouched(signature, data, at_s) for _, signature, data, _ in seals]
    except Fault as error:
        found.fault("document", error.why)
        return
    found.took("signer")
    if not all(known) or not known:
        who = "no authority you trust vouches for the seal" if known else "it is not sealed"
        found.lacks("signer", f"signer: {who}")
    found.lacks("document", PAGES)


# === 12. The command line =========================================================================

WORDS = {
    "A.1": "accepted from the sender", "A.2": "refused by the gateway", "x.Released": "released",
    "x.Attempt": "attempts failed for now", "x.OutcomeUnknown": "the operator did not answer",
    "F.1": "accepted by the operator", "F.2": "refused by the operator",
    "x.CarrierReport": "the operator reports", "E.1": "delivered to the handset",
    "E.2": "not delivered", "x.NoConfirmation": "no final report by the deadline",
    "F.3": "an answer was received", "x.Duplicate": "the same report again",
    "S.1": "closed and sealed", "x.Reopened": "reopened: a later report contradicts",
    "x.Cancelled": "withdrawn before sending", "x.Expired": "expired before sending",
    "x.Resolved": "decided by a person", "x.Erased": "content destroyed",
}  # fmt: skip


def printable(text: object) -> str:
    """As it stands, but that nothing in it can move the cursor or turn the writing round."""
    kept = (c if c.isprintable() or c == " " else f"\\u{ord(c):04x}" for c in str(text))
    return "".join(kept)


def explain(report: Report, whole: bool) -> Iterator[str]:
    yield f"{report.verdict}: {MEANING[report.verdict]}."
    if report.reason:
        at = "" if report.seq is None else f" (entry {report.seq})"
        yield f"Reason{at}: {report.reason}."
    case = report.case
    if case is not None:
        yield f"Submission {case.bundle.submission_id}, state {report.state or 'not known'}."
    if case is not None and whole and report.verdict not in ("INVALID", "FORK"):
        yield from ("", "The message")
        for party, value in (("issuer", case.bundle.issuer), ("sender", case.bundle.sender)):
            named = (value or {}).get("legal_name"), (value or {}).get("tax_id")
            yield f"  {party}: " + ", ".join(str(part) for part in named if part)
        for name in ("from", "to", "text"):
            shown = case.bundle.disclose.get(str(case.entries[0].seq), {}).get(name, {})
            yield f"  {name}: " + str(shown.get("value", "(not disclosed here)"))
        yield from ("", "What happened, by the gateway's clock (UTC)")
        for one in case.entries:
            says = [WORDS.get(one.body["ev"], one.body["ev"])]
            says += [
                str(one.body[key])
                for key in ("operator", "stat", "err", "state")
                if key in one.body
            ]
            yield f"  {one.body['t']}  " + " · ".join(says)
    bounds = zip(("after", "before"), map(time_text, report.bounds))
    proven = " and ".join(f"{which} {bound}" for which, bound in bounds if bound)
    if proven:
        yield f"It happened {proven}, by the time stamps."
    yield from ["", "What was checked, and by whose word"] if whole else []
    for step in STEPS:
        if step in report.found.steps:
            holds = "holds  " if report.found.steps[step] else "LACKING"
            if step in report.found.faults:
                holds = "FAILS  "
            word = WHOSE_WORD.get(step, "arithmetic, nobody's word")
            told = STEPS[step] + (f" ({report.found.witnesses})" if step == "witnesses" else "")
            yield f"  {holds}  {step}: {told}" + (f" [{word}]" if whole else "")
    for note in report.found.fork:
        yield from ("Signed note:", *note.split("\n"))


def span_s(text: str) -> int:
    parts = re.fullmatch(r"([0-9]{1,4})([smhdw])", text)
    if not parts:
        raise argparse.ArgumentTypeError("write 90m, 24h or 7d")
    return int(parts[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[parts[2]]


class Parser(argparse.ArgumentParser):
    """Wrong usage ends with 64; argparse's own 2 would say FORK."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(64, f"acuse-verify: error: {message}\n")


def read(path: str | None, limit: int = 1 << 20) -> bytes | None:
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise NotAProof(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise NotAProof(f"{path} is larger than {limit} bytes")
    return data


def judge(options: argparse.Namespace) -> Report:
    data = read(options.file, MAX_PDF_BYTES) or b""
    policy, since = read(options.policy), read(options.since)
    tools, found = OpenSSL(read(options.tsa_ca), read(options.signer_ca)), Findings()
    trust = Policy(policy) if policy is not None else None
    pdf = data if data.startswith(b"%PDF-") else None
    try:
        data = attached_bundle(data) if pdf else data
    except Fault as error:
        found.fault(error.step, error.why)
        return Report(*found.verdict(), found)
    known = since.decode("utf-8", "replace") if since is not None else None
    now_ms = int(time.time() * 1000)
    report = verify(data, tools, trust, known, options.max_age, now_ms, found)
    if pdf:
        check_seal(pdf, found, tools)
    verdict, reason, seq = found.verdict()
    return report._replace(verdict=verdict, reason=reason, seq=seq)


def main() -> int:
    parser = Parser(description="Checks the proof of a certified SMS, offline.")
    parser.add_argument("file", metavar="FILE", help="the proof (JSON), or a certificate (PDF)")
    parser.add_argument("--policy", metavar="FILE", help="the keys to trust (c2sp.org/tlog-policy)")
    parser.add_argument(
        "--tsa-ca", metavar="FILE", help="authorities of time stamps to trust (PEM)"
    )
    parser.add_argument("--signer-ca", metavar="FILE", help="authorities of seals to trust (PEM)")
    parser.add_argument("--since", metavar="FILE", help="a signed checkpoint known before")
    parser.add_argument("--max-age", metavar="SPAN", type=span_s, help="no older than this: 90d")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--explain", action="store_true", help="tell what was checked, in full")
    options = parser.parse_args()
    try:
        report = judge(options)
    except NotAProof as error:
        return complain(options, 65, "data", str(error))
    except NoOpenSSL as error:
        return complain(options, 69, "openssl", str(error))
    if options.json:
        print(json.dumps(report.as_json()))
    else:
        for line in explain(report, options.explain):
            print(printable(line))
    return EXIT[report.verdict]


def complain(options: argparse.Namespace, exit_code: int, code: str, message: str) -> int:
    if options.json:
        print(json.dumps({"error": {"code": code, "message": message, "hint": "", "fields": {}}}))
    print(f"acuse-verify: error: {printable(message)}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())

"""A second opinion on a bundle, with the standard library and openssl and nothing of the gateway.

Usage: python second_verifier.py BUNDLE VKEY. Prints one line; ends with 4 when everything holds
(witnesses and time stamps are not looked at, so nothing outside vouches for it), else with 1."""

import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

AFTER_SEAL = {"x.Duplicate", "x.CarrierReport", "F.3", "x.Erased", "x.Reopened"}
SPKI = bytes.fromhex("302a300506032b6570032100")
PKEYUTL = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile sig"


def need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def sha(*parts: bytes | str) -> bytes:
    return hashlib.sha256(
        b"".join(p if isinstance(p, bytes) else p.encode() for p in parts)
    ).digest()


def unbase64(text: str) -> bytes:
    need(base64.b64encode(base64.b64decode(text)).decode() == text, "base64")
    return base64.b64decode(text)


def root_of(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:  # RFC 6962 2.1.1
    if size == 1:
        need(not path, "inclusion: proof too long")
        return leaf
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return sha(b"\x01", root_of(leaf, index, half, path[:-1]), path[-1])
    return sha(b"\x01", path[-1], root_of(leaf, index - half, size - half, path[:-1]))


def signed_text(note: str, vkey: str) -> str:
    name, key_id, material = vkey.split("+", 2)
    key, (text, _, lines) = unbase64(material), note.rpartition("\n\n")
    need(key[0] == 1 and sha(name, "\n", key).hex()[:8] == key_id, "checkpoint: key")
    blobs = [unbase64(row.split(" ")[2]) for row in lines.split("\n") if f"\u2014 {name} " in row]
    mine = [blob[4:] for blob in blobs if blob[:4].hex() == key_id]
    with tempfile.TemporaryDirectory() as home:
        files = {"key": SPKI + key[1:], "text": text.encode() + b"\n", "sig": mine[0]}
        for file, data in files.items():
            pathlib.Path(home, file).write_bytes(data)
        run = subprocess.run(PKEYUTL.split(), cwd=home, capture_output=True, check=False)
    need(run.returncode == 0, "checkpoint: signature")
    return text + "\n"


def proven(item: dict[str, str]) -> tuple[int, dict[str, Any], bytes, str]:
    raw, (head, _, note) = item["entry"].encode(), item["proof"].partition("\n\n")
    entry = json.loads(raw)
    need(canonical(entry).encode() == raw, "canonical")
    (header, index, *path), (origin, size, root) = head.split("\n"), note.split("\n")[:3]
    seq, leaf = int(index[6:]), sha(b"\x00", raw)
    need(header == "c2sp.org/tlog-proof@v1" and f"index {seq}" == index, "inclusion: form")
    need(root_of(leaf, seq, int(size), list(map(unbase64, path))) == unbase64(root), "inclusion")
    need([entry["v"], entry["seq"], entry["log"]] == [1, seq, origin] and seq < int(size), "place")
    return seq, entry, leaf, note


def verify(bundle: dict[str, Any], vkey: str) -> str:
    need(bundle["format"] == "acuse-proof/v1" and bundle["log"] == vkey, "parse: format, log")
    rows, mid = list(map(proven, bundle["entries"])), bundle["submission_id"]
    need(len({note for _, _, _, note in rows}) == 1, "checkpoint: not one")
    origin, size, _, end = signed_text(rows[0][3], vkey).split("\n")
    need(end == "" and origin == vkey.split("+")[0], "checkpoint: form")
    shown, commits, seal = list[list[Any]](), {}, None
    for seq, entry, leaf, _ in rows:
        code, last = entry["ev"], shown[-1][0] if shown else None
        need(entry["mid"] == mid and entry.get("mprev") == last != seq, "links")
        need(last != seq - 1 or entry["prev"] == shown[-1][1], "chain")
        need(code != "S.1" or entry["events"] == shown, "complete: seal")
        need(seal is None or code in AFTER_SEAL, "complete: after the seal")
        seal = {"S.1": entry.get("state"), "x.Reopened": None}.get(code, seal)
        named = {**bundle, "profile": bundle["operators"].get(entry.get("operator"))}
        for party in {"profile", "issuer", "sender"} & set(entry):
            need(entry[party] == sha(canonical(named[party])).hex(), "envelope: " + party)
        shown.append([seq, leaf.hex()])
        commits[str(seq)] = entry.get("commit", {})
    for seq, fields in bundle["disclose"].items():
        for name, item in fields.items():
            need(len({"value", "value_hex"} & set(item)) == 1, "commitments: form")
            salt, code = bytes.fromhex(item["salt"]), item.get("value_hex", "")
            lower = salt.hex() + code.lower() == item["salt"] + code
            value = item["value"] if "value" in item else bytes.fromhex(code)
            found = sha("acuse/commit/v1\0", name, "\0", salt, value).hex() == commits[seq][name]
            need(len(salt) == 32 and lower and found, "commitments: " + name)
    if "complete" in bundle:
        digest = base64.b64encode(sha(*(row[2] for row in rows))).decode()
        stated = f"acuse-complete/v1\n{origin}\n{mid}\n{size}\n{digest}\n"
        need(signed_text(bundle["complete"], vkey) == stated, "complete: note")
    return f"UNANCHORED: consistent, {seal or 'still open'}, {len(rows)} entries of {size}"


def judge(text: str, vkey: str) -> tuple[int, str]:
    try:
        return 4, verify(json.loads(text), vkey)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return 1, f"INVALID: {type(error).__name__}: {error}"


if __name__ == "__main__":
    exit_code, line = judge(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2])
    print(line)
    sys.exit(exit_code)

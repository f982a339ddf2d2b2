"""What others published about the standards we build on, held against what we do.

Each file of tests/vectors/published names where its facts are from. The reference tree of
Certificate Transparency and the example of c2sp.org/signed-note are in tests/vectors.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import DataError
from gateway.ledger import canonical
from gateway.ledger.merkle import verify_consistency, verify_inclusion
from gateway.ledger.note import Signer

VECTORS = Path(__file__).parent.parent / "vectors" / "published"


def facts(name: str, part: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text())[part]
    assert found
    return found


def hashes(rows: list[str] | None) -> list[bytes]:
    return [base64.b64decode(row) for row in rows or []]


def test_inclusion_proofs_of_transparency_dev() -> None:
    for case in facts("merkle", "inclusion"):
        leaf, root = hashes([case["leafHash"], case["root"]])
        given = (leaf, case["leafIdx"], case["treeSize"], hashes(case["proof"]), root)
        if case["wantErr"]:
            with pytest.raises(DataError):
                verify_inclusion(*given)
        else:
            verify_inclusion(*given)


def test_consistency_proofs_of_transparency_dev() -> None:
    for case in facts("merkle", "consistency"):
        old, new = hashes([case["root1"], case["root2"]])
        given = (case["size1"], old, case["size2"], new, hashes(case["proof"]))
        # Two things are refused here that others let pass: growth from nothing, which proves
        # nothing, and roots that are not 32 bytes (placeholders of equal sizes).
        if case["wantErr"] or not case["size1"] or len(old) != 32:
            with pytest.raises(DataError):
                verify_consistency(*given)
        else:
            verify_consistency(*given)


@pytest.mark.parametrize("case", facts("ed25519", "rfc8032"), ids=lambda case: case["pk"][:8])
def test_signatures_of_rfc_8032(case: dict[str, str]) -> None:
    seed, public = bytes.fromhex(case["seed"]), bytes.fromhex(case["pk"])
    assert Signer.from_seed("example", seed).public == public
    signed = Ed25519PrivateKey.from_private_bytes(seed).sign(bytes.fromhex(case["msg"]))
    assert signed.hex() == case["sig"]


def test_signatures_of_wycheproof() -> None:
    for case in facts("ed25519", "wycheproof"):
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(case["pk"]))
        given = (bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
        if case["result"] == "valid":
            key.verify(*given)
        else:
            with pytest.raises((InvalidSignature, ValueError)):
                key.verify(*given)


@pytest.mark.parametrize("part", ["nist", "wycheproof"])
def test_aes_256_gcm(part: str) -> None:
    for case in facts("aes-gcm", part):
        octets = {name: bytes.fromhex(value) for name, value in case.items() if name != "result"}
        cipher, sealed = AESGCM(octets["key"]), octets["ct"] + octets["tag"]
        if case["result"] == "valid":
            assert cipher.encrypt(octets["iv"], octets["msg"], octets["aad"]) == sealed
            assert cipher.decrypt(octets["iv"], sealed, octets["aad"]) == octets["msg"]
        else:
            with pytest.raises(InvalidTag):
                cipher.decrypt(octets["iv"], sealed, octets["aad"])


def test_hkdf_of_rfc_5869() -> None:
    for case in facts("hkdf", "rfc5869"):
        salt, info, ikm = (bytes.fromhex(case[name]) for name in ("salt", "info", "ikm"))
        derived = HKDF(SHA256(), case["size"], salt or None, info).derive(ikm)
        assert derived.hex() == case["okm"]


@pytest.mark.parametrize("case", facts("jcs", "pairs"), ids=lambda case: case["name"])
def test_canonical_json_of_rfc_8785(case: dict[str, str]) -> None:
    """Our subset has no floats and ASCII keys; a float that is a whole number is an integer in the
    canonical form."""
    if case["name"] in ("values", "weird"):
        with pytest.raises(DataError, match=r"is not an integer|not in canonical form"):
            canonical.decode(case["output"].encode())
        return
    value = json.loads(case["input"], parse_float=lambda text: int(float(text)))
    assert canonical.encode(value).decode() == case["output"]
    if case["name"] == "structures":
        assert canonical.decode(case["output"].encode()) == value

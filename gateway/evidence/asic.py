"""A bundle as an ASiC-E container with a CAdES signature (ETSI EN 319 162-1, EN 319 122-1).

Lawyers' and registries' software knows this form: a ZIP file of the proof, a manifest with the
digest of every file, and a detached signature over the manifest by the issuer's seal.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256, sha384, sha512
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from gateway.errors import DataError
from gateway.evidence.container import pack, unpack
from gateway.ledger.proof import NotABundle, parse_bundle, parse_proof

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MIMETYPE = b"application/vnd.etsi.asic-e+zip"
MANIFEST = "META-INF/ASiCManifest001.xml"
SIGNATURE = "META-INF/signature001.p7s"
#: The bundle's name, in a container as in a certificate.
BUNDLE = "acuse-proof.json"
CHECKPOINT = "checkpoint.txt"
MAX_MANIFEST_BYTES = 1 << 16
MAX_SIGNATURE_BYTES = 1 << 18

_ASIC = "http://uri.etsi.org/02918/v1.2.1#"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_DIGESTS = {
    _SHA256: sha256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": sha512,
}
_KINDS = {
    ".json": "application/json",
    ".txt": "text/plain",
    ".tst": "application/vnd.etsi.timestamp-token",
    ".py": "text/x-python",
    ".html": "text/html",
    ".pdf": "application/pdf",
}
#: How every such file begins: the first file is `mimetype`, stored, without extra fields.
_MAGIC = b"mimetype" + MIMETYPE


def is_container(data: bytes) -> bool:
    """Whether *data* says that it is an ASiC-E container."""
    return data[:4] == b"PK\3\4" and data[30 : 30 + len(_MAGIC)] == _MAGIC


def loose_parts(bundle: bytes) -> dict[str, bytes]:
    """What a reader may want of *bundle* as files of their own: its checkpoint and tokens."""
    found = parse_bundle(bundle)
    parts = {CHECKPOINT: parse_proof(found.entries[0].proof).note.encode()}
    for number, stamp in enumerate(found.timestamps, 1):
        parts[f"timestamp{number:03d}.txt"] = stamp.over.encode()
        parts[f"timestamp{number:03d}.tst"] = base64.b64decode(stamp.token)
    return parts


def pack_proof(
    bundle: bytes, sign: Callable[[bytes], bytes], others: Mapping[str, bytes] | None = None
) -> bytes:
    """The container of *bundle*, its loose parts and *others* (verifiers, by file name).

    *sign* gives the detached CMS signature (DER) of the manifest it is given.
    """
    files = {BUNDLE: bundle, **loose_parts(bundle), **(others or {})}
    manifest = _manifest(files)
    signed = {MANIFEST: manifest, SIGNATURE: sign(manifest)}
    return pack({"mimetype": MIMETYPE, **files, **signed}, stored=frozenset({"mimetype"}))


def _manifest(files: Mapping[str, bytes]) -> bytes:
    rows = [
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>',
        f'<asic:ASiCManifest xmlns:asic="{_ASIC}" xmlns:ds="{_DSIG}">',
        f'  <asic:SigReference URI="{SIGNATURE}" MimeType="application/pkcs7-signature"/>',
    ]
    for name, data in files.items():
        kind = _KINDS.get(name[name.rfind(".") :], "application/octet-stream")
        rows += [
            f'  <asic:DataObjectReference URI="{name}" MimeType="{kind}">',
            f'    <ds:DigestMethod Algorithm="{_SHA256}"/>',
            f"    <ds:DigestValue>{_digest(data)}</ds:DigestValue>",
            "  </asic:DataObjectReference>",
        ]
    return "\n".join([*rows, "</asic:ASiCManifest>", ""]).encode()


def _digest(data: bytes) -> str:
    return base64.b64encode(sha256(data).digest()).decode()


class Opened:
    """A container taken apart, every digest of its manifest checked; the signature is not.

    Raises:
        NotABundle: no ASiC-E container at all.
        DataError: one that is damaged, ambiguous, or holds what its manifest does not cover;
            reason "document".
    """

    def __init__(self, data: bytes) -> None:
        if not is_container(data):
            raise NotABundle(
                "a ZIP file that is no ASiC-E container",
                hint="give the .asice file `acuse bundle --asic` wrote, whole",
            )
        files = unpack(data)
        if files.get("mimetype") != MIMETYPE:
            raise _refuse("its mimetype is not that of an ASiC-E container")
        missing = [name for name in (BUNDLE, MANIFEST, SIGNATURE) if name not in files]
        if missing:
            raise _refuse(f"it has no {missing[0]}")
        #: What is signed, and the signature (CMS, DER).
        self.manifest = files[MANIFEST]
        self.signature = files[SIGNATURE]
        self.bundle = files[BUNDLE]
        if len(self.signature) > MAX_SIGNATURE_BYTES:
            raise _refuse(f"its signature is larger than {MAX_SIGNATURE_BYTES} bytes")
        _check_digests(files, _references(self.manifest))
        _check_parts(files)


def _refuse(why: str) -> DataError:
    return DataError(f"the container is not as it was sealed: {why}", reason="document")


def _references(manifest: bytes) -> dict[str, tuple[str, str]]:
    """File name -> (digest algorithm, base64 digest) of the manifest."""
    # No entities, no other encoding, no comments: what `<!` begins has no use in a manifest.
    head = manifest[:100].split(b"?>")[0].lower()
    if (
        len(manifest) > MAX_MANIFEST_BYTES
        or b"<!" in manifest
        or b"\0" in manifest
        or (b"encoding" in head and b'encoding="utf-8"' not in head)
    ):
        raise _refuse("its manifest is no plain XML of a sensible size")
    try:
        root = ElementTree.fromstring(manifest)  # noqa: S314 (no `<!`, so no entities)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise _refuse("its manifest is not XML") from None
    if root.tag != f"{{{_ASIC}}}ASiCManifest":
        raise _refuse("its manifest is not one of ETSI EN 319 162-1")
    signatures = [item.get("URI") for item in root.findall(f"{{{_ASIC}}}SigReference")]
    if signatures != [SIGNATURE]:
        raise _refuse(f"its manifest is not that of {SIGNATURE}")
    found: dict[str, tuple[str, str]] = {}
    for item in root.findall(f"{{{_ASIC}}}DataObjectReference"):
        methods = item.findall(f"{{{_DSIG}}}DigestMethod")
        values = item.findall(f"{{{_DSIG}}}DigestValue")
        name = item.get("URI") or ""
        if len(methods) != 1 or len(values) != 1 or name in found:
            raise _refuse("its manifest names a file twice, or with no single digest")
        found[name] = (methods[0].get("Algorithm") or "", values[0].text or "")
    return found


def _check_digests(files: Mapping[str, bytes], told: Mapping[str, tuple[str, str]]) -> None:
    for name, data in files.items():
        if name in ("mimetype", MANIFEST, SIGNATURE):
            continue
        if name not in told:
            raise _refuse(f"{name} is not covered by its manifest")
        algorithm, value = told[name]
        if algorithm not in _DIGESTS:
            raise _refuse(f"the digest of {name} is of no algorithm that is believed")
        try:
            digest = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise _refuse(f"the digest of {name} is not base64") from None
        if digest != _DIGESTS[algorithm](data).digest():
            raise _refuse(f"{name} is not what its manifest says")
    gone = sorted(set(told) - set(files))
    if gone:
        raise _refuse(f"{gone[0][:60]!r} of its manifest is missing")


def _check_parts(files: Mapping[str, bytes]) -> None:
    """The loose parts are copies: whoever reads one of them reads what the bundle proves."""
    try:
        parts = loose_parts(files[BUNDLE])
    except (DataError, ValueError):
        return  # the bundle's own verification tells what is wrong with it
    named = {name for name in files if name == CHECKPOINT or name.startswith("timestamp")}
    for name in sorted(named):
        if files[name] != parts.get(name):
            raise _refuse(f"{name} is not what the bundle holds")


def token_of(data: bytes) -> bytes:
    """The token (DER) in *data*, which is one already or a TSA's whole answer (RFC 3161).

    What is neither is given back as it is: the check of the token says what is wrong with it.
    """
    from asn1crypto import tsp

    try:
        answer = tsp.TimeStampResp.load(data, strict=True)
        return bytes(answer["time_stamp_token"].dump())
    except (ValueError, TypeError, KeyError):
        return data

"""What a time stamp says of itself, read without trusting it (RFC 3161, RFC 5652).

A page is made where no authority is pinned, so it may say what a token states and that it is over
this log, and no more; `acuse verify --tsa-ca` is who checks the signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from asn1crypto import cms, tsp

from gateway.ledger.stamps import Stamp

if TYPE_CHECKING:
    from gateway.ledger.proof import Timestamp

_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """One RFC 3161 token of a bundle."""

    #: The authority's name as the issuer's configuration has it.
    tsa: str
    #: Hex SHA-256 of the DER, by which an `x.Anchor` names it.
    sha256: str
    #: None: it cannot be read, or is over something else.
    stamp: Stamp | None
    serial: str
    policy: str
    #: The subject of the certificate that signed, where the token carries it.
    subject: str


def read_token(der: bytes, note_text: str) -> TokenFacts:
    """What *der* states, if it is a token over *note_text*; never raises."""
    digest = hashlib.sha256(der).hexdigest()
    nothing = TokenFacts("", digest, None, "", "", "")
    try:
        signed = cms.ContentInfo.load(der, strict=True)["content"]
        info = signed["encap_content_info"]["content"].parsed
        if not isinstance(info, tsp.TSTInfo):
            return nothing
        imprint = info["message_imprint"]
        hashed = _HASHES.get(imprint["hash_algorithm"]["algorithm"].native)
        if hashed is None:
            return nothing
        if imprint["hashed_message"].native != hashed(note_text.encode()).digest():
            return nothing
        made = info["gen_time"].native
        assert isinstance(made, datetime)
        stamp = Stamp(round(made.timestamp() * 1000), _accuracy_ms(info["accuracy"].native))
        return TokenFacts(
            "",
            digest,
            stamp,
            f"{info['serial_number'].native:x}",
            str(info["policy"].dotted),
            _subject(signed),
        )
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError, OverflowError):
        return nothing  # what asn1crypto and hostile DER come to


def _accuracy_ms(accuracy: object) -> int:
    given = accuracy if isinstance(accuracy, dict) else {}
    units = {"seconds": 1000.0, "millis": 1.0, "micros": 0.001}
    parts = [(given.get(name), unit) for name, unit in units.items()]
    return round(sum(value * unit for value, unit in parts if isinstance(value, int)))


def _subject(signed: cms.SignedData) -> str:
    certificates = signed["certificates"].native
    if not certificates:
        return ""
    wanted = signed["signer_infos"][0]["sid"].chosen
    for choice in signed["certificates"]:
        certificate = choice.chosen
        serial = getattr(wanted, "native", {})
        if isinstance(serial, dict) and certificate.serial_number == serial.get("serial_number"):
            return str(certificate.subject.human_friendly)
    return ""


def read_timestamp(item: Timestamp) -> TokenFacts:
    """What a bundle's `timestamps` item states."""
    try:
        der = base64.b64decode(item.token.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        der = b""
    found = read_token(der, item.over)
    return TokenFacts(
        item.tsa, found.sha256, found.stamp, found.serial, found.policy, found.subject
    )

"""An RFC 3161 time stamp token, taken apart: what it says, and who signed it (RFC 5652, RFC 5816).

Pure. Whether its signer is to be believed is the business of `issuers`; `rfc3161` puts both
together. Bytes come from anywhere: what is not a token raises `DataError` with reason "timestamp".
"""

from __future__ import annotations

import hashlib
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from asn1crypto import cms, parser, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.ledger.canonical import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.errors import DataError

#: What asn1crypto gives; it has no types.
Parsed: TypeAlias = Any

#: A token with four certificates and a long-term signature has some 12 kB.
MAX_TOKEN_BYTES: Final = 64 * 1024
_MAX_CERTIFICATES: Final = 16
#: A maker that says less of its clock than this says nothing.
_MAX_ACCURACY_MS: Final = 3_600_000
_UNIVERSAL: Final = 0
_CONSTRUCTED: Final = 1
_SET: Final = 17
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: What asn1crypto and cryptography raise for bytes that are not what they say, some of it only
#: when a value is looked at.
MALFORMED: Final = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    x509.InvalidVersion,
    UnsupportedAlgorithm,
)
#: Digests that count. SHA-1 names the signer's certificate in old tokens (RFC 3161, ESSCertID),
#: where a forger would need a second preimage; it signs nothing here.
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def wrong(message: str) -> DataError:
    """The error of a token that is not what it must be."""
    return refusal(message, reason="timestamp")


@dataclass(frozen=True, slots=True)
class _Signature:
    """What the one signer signed, and how."""

    algorithm: str
    digest: str
    salt_bytes: int
    value: bytes
    signed: bytes


@dataclass(frozen=True, slots=True)
class Token:
    """What a token states (TSTInfo), with its certificates and its signature, unchecked."""

    digest: bytes
    policy: str
    at_ms: int
    accuracy_ms: int
    nonce: int | None
    #: The signer's certificate; the token names it by a hash that its signature covers.
    signer: x509.Certificate
    others: tuple[x509.Certificate, ...]
    _signature: _Signature

    @property
    def at(self) -> datetime:
        """genTime."""
        return _EPOCH + timedelta(milliseconds=self.at_ms)

    @classmethod
    def parse(cls, der: bytes) -> Token:
        """Take the DER TimeStampToken apart.

        Raises:
            DataError: not a token, over another digest than SHA-256, or its parts do not fit
                each other; `fields["reason"]` is "timestamp".
        """
        if len(der) > MAX_TOKEN_BYTES:
            raise wrong(f"the time stamp is larger than {MAX_TOKEN_BYTES} bytes")
        try:
            return cls._parse(der)
        except MALFORMED:
            raise wrong("the time stamp is not an RFC 3161 token") from None

    @classmethod
    def _parse(cls, der: bytes) -> Token:
        info = cms.ContentInfo.load(der, strict=True)
        if info["content_type"].native != "signed_data":
            raise wrong("the time stamp is not signed data")
        signed = info["content"]
        inner = signed["encap_content_info"]
        if inner["content_type"].native != "tst_info" or len(signed["signer_infos"]) != 1:
            raise wrong("the time stamp is not an RFC 3161 token with one signature")
        content = bytes(inner["content"])
        signer = signed["signer_infos"][0]
        named = {each["algorithm"].native for each in signed["digest_algorithms"]}
        if named and signer["digest_algorithm"]["algorithm"].native not in named:
            raise wrong("the time stamp names another digest than it is signed over")
        certificates = _certificates(signed)
        own = _own(signer, certificates)
        stated = tsp.TSTInfo.load(content, strict=True)
        nonce = stated["nonce"].native
        return cls(
            digest=_imprint(stated),
            policy=stated["policy"].dotted,
            at_ms=_instant_ms(stated["gen_time"]),
            accuracy_ms=_accuracy_ms(stated["accuracy"]),
            nonce=nonce,
            signer=own,
            others=tuple(each for _, each in certificates if each is not own),
            _signature=_signature(signer, content, own),
        )

    def check_signature(self) -> None:
        """That the signer's certificate holds the key that signed.

        Raises:
            DataError: it does not, or the algorithm is unknown here.
        """
        made, key = self._signature, self.signer.public_key()
        digest = _HASHES[made.digest]
        try:
            if isinstance(key, rsa.RSAPublicKey) and made.algorithm == "rsassa_pkcs1v15":
                key.verify(made.value, made.signed, padding.PKCS1v15(), digest)
            elif isinstance(key, rsa.RSAPublicKey) and made.algorithm == "rsassa_pss":
                pss = padding.PSS(padding.MGF1(digest), made.salt_bytes)
                key.verify(made.value, made.signed, pss, digest)
            elif isinstance(key, ec.EllipticCurvePublicKey) and made.algorithm == "ecdsa":
                key.verify(made.value, made.signed, ec.ECDSA(digest))
            elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
                key.verify(made.value, made.signed)
            else:
                raise wrong("the time stamp is signed in a way that is not known here")
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            raise wrong("the signature of the time stamp does not verify") from None


def _certificates(signed: Parsed) -> list[tuple[Parsed, x509.Certificate]]:
    """Each certificate of the token, as asn1crypto and as cryptography read it."""
    found: list[tuple[Parsed, x509.Certificate]] = []
    for choice in signed["certificates"]:
        if choice.name == "certificate":
            raw = choice.chosen
            if len(found) == _MAX_CERTIFICATES:
                raise wrong(f"the time stamp holds more than {_MAX_CERTIFICATES} certificates")
            found.append((raw, _certificate(raw.dump())))
    return found


def _certificate(der: bytes) -> x509.Certificate:
    with unwarned():
        return x509.load_der_x509_certificate(der)


@contextmanager
def unwarned() -> Iterator[None]:
    """What cryptography will not read one day is for its makers to hear, not for a verifier."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _own(signer: Parsed, certificates: list[tuple[Parsed, x509.Certificate]]) -> x509.Certificate:
    """The certificate the signature names, by issuer and number or by key."""
    sid = signer["sid"]
    for raw, certificate in certificates:
        if sid.name == "issuer_and_serial_number":
            same = (
                raw.serial_number == sid.chosen["serial_number"].native
                and raw.issuer.dump() == sid.chosen["issuer"].dump()
            )
        else:
            same = raw.key_identifier == sid.native
        if same:
            return certificate
    raise wrong("the time stamp does not hold the certificate of its signer")


def _imprint(stated: Parsed) -> bytes:
    imprint = stated["message_imprint"]
    if imprint["hash_algorithm"]["algorithm"].native != "sha256":
        raise wrong("the time stamp is not over a SHA-256 digest")
    return bytes(imprint["hashed_message"])


def _instant_ms(value: Parsed) -> int:
    at = value.native
    if not isinstance(at, datetime) or bytes(value.contents)[-1:] != b"Z":
        raise wrong("the time of the time stamp is no time")
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _accuracy_ms(value: Parsed) -> int:
    """The accuracy in milliseconds, rounded up; 0 where the token states none."""
    if not value:
        return 0
    seconds, millis, micros = (value[name].native or 0 for name in ("seconds", "millis", "micros"))
    if min(seconds, millis, micros) < 0 or max(millis, micros) > 999:
        raise wrong("the accuracy of the time stamp is none")
    accuracy_ms: int = seconds * 1000 + millis + (micros > 0)
    if accuracy_ms > _MAX_ACCURACY_MS:
        raise wrong("the time stamp is not accurate to the hour")
    return accuracy_ms


def _signature(signer: Parsed, content: bytes, own: x509.Certificate) -> _Signature:
    """What was signed: attributes that name the content, its digest and the certificate."""
    attributes: dict[str, Parsed] = {}
    for attribute in signer["signed_attrs"]:
        name, values = attribute["type"].native, attribute["values"]
        if name in attributes or len(values) != 1:
            raise wrong("the time stamp has a signed attribute twice")
        attributes[name] = values[0]
    digest = signer["digest_algorithm"]["algorithm"].native
    if digest not in _HASHES:
        raise wrong("the time stamp is signed over a digest that is not known here")
    if attributes["content_type"].native != "tst_info":
        raise wrong("the signature of the time stamp is over something else")
    if attributes["message_digest"].native != hashlib.new(digest, content).digest():
        raise wrong("the signature of the time stamp is over something else")
    _check_named(attributes, own)
    algorithm = signer["signature_algorithm"]
    name, salt_bytes = algorithm.signature_algo, 0
    if name == "rsassa_pss":
        parameters = algorithm["parameters"]
        digest = parameters["hash_algorithm"]["algorithm"].native
        salt_bytes = parameters["salt_length"].native
    elif algorithm["algorithm"].native not in (name, "ed25519", "ed448"):
        digest = algorithm.hash_algo
    if digest not in _HASHES or not 0 <= salt_bytes <= 512:
        raise wrong("the time stamp is signed over a digest that is not known here")
    # RFC 5652 section 5.4: signed is the SET OF itself, not the field's implicit tag.
    raw = parser.emit(_UNIVERSAL, _CONSTRUCTED, _SET, signer["signed_attrs"].contents)
    return _Signature(name, digest, salt_bytes, bytes(signer["signature"]), raw)


def _check_named(attributes: dict[str, Parsed], own: x509.Certificate) -> None:
    """That the signed attributes name this very certificate (RFC 5816: either form will do)."""
    der, named = own.public_bytes(Encoding.DER), False
    for name, default in (("signing_certificate_v2", "sha256"), ("signing_certificate", "sha1")):
        if name in attributes:
            first = attributes[name]["certs"][0]
            digest = default if name == "signing_certificate" else _digest_of(first)
            named = True
            if first["cert_hash"].native != hashlib.new(digest, der).digest():
                raise wrong("the time stamp names another certificate than it holds")
    if not named:
        raise wrong("the time stamp does not name the certificate of its signer")


def _digest_of(named: Parsed) -> str:
    digest: str = named["hash_algorithm"]["algorithm"].native
    if digest not in _HASHES:
        raise wrong("the time stamp names its certificate by a digest that is not known here")
    return digest

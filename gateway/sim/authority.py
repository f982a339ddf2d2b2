"""A time-stamping authority of our own, for the demo and for tests: worthless in law, and it says
so in its names. On demand it lies, in the ways a real one may be wrong (RFC 3161).

Pure but for its keys and serial numbers, which are new each time one is made.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from asn1crypto import algos, cms, core, parser, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.errors import DataError

#: Under the arc of examples: no authority on earth follows it.
POLICY: Final = "2.999.3161.1"
_WORTHLESS: Final = "worthless in law"
_KEY_BITS: Final = 2048
_ACCURACY_S: Final = 1
_CONTEXT: Final = 2
_CONSTRUCTED: Final = 1


class Behaviour(StrEnum):
    """What the authority does with a request."""

    RIGHT = "right"
    #: Tokens that are wrong although somebody signed them.
    OTHER_IMPRINT = "other-imprint"
    WRONG_NONCE = "wrong-nonce"
    OTHER_POLICY = "other-policy"
    WRONG_TIME = "wrong-time"
    BAD_SIGNATURE = "bad-signature"
    #: By a certificate that expired, that is not for time stamps, or of somebody else.
    EXPIRED = "expired"
    NO_EKU = "no-eku"
    UNKNOWN_ISSUER = "unknown-issuer"
    #: Genuine, its certificates in an order that DER does not allow, as some servers send them.
    UNSORTED = "unsorted"
    REJECTED = "rejected"
    GARBAGE = "garbage"
    #: Faults of the server around it (`gateway.sim.tsa`).
    HTTP_500 = "http-500"
    HUGE = "huge"
    SLOW = "slow"


class _Unit(NamedTuple):
    """A certificate that signs, its key, and the certificates sent along."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    chain: tuple[x509.Certificate, ...]

    #: How a signature names the certificate (SignerIdentifier).
    sid: bytes


class StampingAuthority:
    """Answers time stamp requests."""

    def __init__(self, now: datetime) -> None:
        """A new authority, valid for ten years around *now*."""
        self._now = now
        self._root = _root(now, "Acuse demo authority")
        self._unit = self._issue(self._root, "Acuse demo time stamps")
        self._others: dict[Behaviour, _Unit] = {}
        self._serial = secrets.randbits(48)

    @property
    def ca_pem(self) -> bytes:
        """The certificate to pin, in PEM form."""
        return self._root.certificate.public_bytes(Encoding.PEM)

    def answer(self, request: bytes, at: datetime, behaviour: Behaviour = Behaviour.RIGHT) -> bytes:
        """The TimeStampResp (DER) to a TimeStampReq, stamped with *at*.

        Raises:
            DataError: *request* is none over a SHA-256 digest.
        """
        try:
            asked = tsp.TimeStampReq.load(request, strict=True)
            imprint = asked["message_imprint"]
            algorithm = imprint["hash_algorithm"]["algorithm"].native
            digest, nonce = bytes(imprint["hashed_message"]), asked["nonce"].native
            policy = asked["req_policy"].native
        except (ValueError, TypeError) as error:
            raise DataError(f"not a time stamp request: {error}", field="request") from None
        if algorithm != "sha256" or len(digest) != 32:
            return _rejection("only SHA-256 is stamped here", "bad_alg")
        if behaviour is Behaviour.REJECTED:
            return _rejection("the subscription is over", "add_info_not_available")
        if behaviour is Behaviour.GARBAGE:
            return secrets.token_bytes(900)
        return _granted(self.token(digest, nonce, at, behaviour, policy or POLICY))

    def token(
        self,
        digest: bytes,
        nonce: int | None,
        at: datetime,
        behaviour: Behaviour = Behaviour.RIGHT,
        policy: str = POLICY,
    ) -> bytes:
        """A TimeStampToken (DER) over a SHA-256 digest."""
        if behaviour is Behaviour.OTHER_IMPRINT:
            digest = hashlib.sha256(digest).digest()
        if behaviour is Behaviour.WRONG_NONCE and nonce is not None:
            nonce += 1
        if behaviour is Behaviour.OTHER_POLICY:
            policy += ".2"
        if behaviour is Behaviour.WRONG_TIME:
            at -= timedelta(minutes=10)
        self._serial += 1
        stated: dict[str, Any] = {
            "version": "v1",
            "policy": policy,
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": digest,
            },
            "serial_number": self._serial,
            "gen_time": at.replace(microsecond=0),
            "accuracy": {"seconds": _ACCURACY_S},
        }
        if nonce is not None:
            stated["nonce"] = nonce
        return _signed(tsp.TSTInfo(stated).dump(), self._unit_for(behaviour), behaviour)

    def _unit_for(self, behaviour: Behaviour) -> _Unit:
        """Who signs then; made when first asked for, keys cost time."""
        kinds = (Behaviour.EXPIRED, Behaviour.NO_EKU, Behaviour.UNKNOWN_ISSUER)
        if behaviour not in kinds:
            return self._unit
        if behaviour not in self._others:
            root, name = self._root, f"Acuse demo {behaviour}"
            if behaviour is Behaviour.UNKNOWN_ISSUER:
                root = _root(self._now, "Acuse demo other authority")
            self._others[behaviour] = self._issue(root, name, behaviour)
        return self._others[behaviour]

    def _issue(self, root: _Unit, name: str, behaviour: Behaviour = Behaviour.RIGHT) -> _Unit:
        key = rsa.generate_private_key(65537, _KEY_BITS)
        ends = self._now + timedelta(days=-1 if behaviour is Behaviour.EXPIRED else 1825)
        usage = ExtendedKeyUsageOID.TIME_STAMPING
        if behaviour is Behaviour.NO_EKU:
            usage = ExtendedKeyUsageOID.CODE_SIGNING
        builder = _builder(name, root.certificate.subject, key, self._now, ends)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(_authority_key(root), critical=False)
            .sign(root.key, hashes.SHA256())
        )
        return _Unit(certificate, key, (root.certificate,), _sid(certificate))


def _root(now: datetime, name: str) -> _Unit:
    key = rsa.generate_private_key(65537, _KEY_BITS)
    builder = _builder(name, _name(name), key, now, now + timedelta(days=3650))
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _Unit(certificate, key, (), _sid(certificate))


def _sid(certificate: x509.Certificate) -> bytes:
    parsed = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
    return _sequence(parsed.issuer.dump(), core.Integer(parsed.serial_number).dump())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ES"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Acuse demo, {_WORTHLESS}"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{common}, {_WORTHLESS}"),
        ]
    )


def _builder(
    common: str, issuer: x509.Name, key: rsa.RSAPrivateKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=365))
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _authority_key(root: _Unit) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(content: bytes, unit: _Unit, behaviour: Behaviour) -> bytes:
    """The ContentInfo around TSTInfo *content* (RFC 5652, RFC 5816)."""
    own = unit.certificate.public_bytes(Encoding.DER)
    named = {"certs": [{"cert_hash": hashlib.sha256(own).digest()}]}
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
            cms.CMSAttribute(
                {"type": "message_digest", "values": [hashlib.sha256(content).digest()]}
            ),
            cms.CMSAttribute(
                {
                    "type": "signing_certificate_v2",
                    "values": [tsp.SigningCertificateV2(named)],
                }
            ),
        ]
    )
    signature = unit.key.sign(attributes.dump(), padding.PKCS1v15(), hashes.SHA256())
    if behaviour is Behaviour.BAD_SIGNATURE:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    digest = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
    signer = _sequence(
        core.Integer(1).dump(),
        unit.sid,
        digest,
        parser.emit(_CONTEXT, _CONSTRUCTED, 0, attributes.contents),
        algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"}).dump(),
        core.OctetString(signature).dump(),
    )
    # A SET is in the order of its encodings (X.690 section 11.6).
    chain = sorted([own, *(each.public_bytes(Encoding.DER) for each in unit.chain)])
    if behaviour is Behaviour.UNSORTED:
        chain.reverse()
    octets = core.OctetString(content).dump()
    inner = _sequence(
        cms.ContentType("tst_info").dump(), parser.emit(_CONTEXT, _CONSTRUCTED, 0, octets)
    )
    signed = _sequence(
        core.Integer(3).dump(),
        _set(digest),
        inner,
        parser.emit(_CONTEXT, _CONSTRUCTED, 0, b"".join(chain)),
        _set(signer),
    )
    outer = parser.emit(_CONTEXT, _CONSTRUCTED, 0, signed)
    return _sequence(cms.ContentType("signed_data").dump(), outer)


def _sequence(*parts: bytes) -> bytes:
    encoded: bytes = core.Sequence(contents=b"".join(parts)).dump()
    return encoded


def _set(only: bytes) -> bytes:
    encoded: bytes = core.Set(contents=only).dump()
    return encoded


def _granted(token: bytes) -> bytes:
    return _sequence(tsp.PKIStatusInfo({"status": "granted"}).dump(), token)


def _rejection(words: str, failure: str) -> bytes:
    status = {"status": "rejection", "status_string": [words], "fail_info": {failure}}
    return _sequence(tsp.PKIStatusInfo(status).dump())

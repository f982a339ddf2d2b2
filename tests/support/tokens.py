"""Time stamp tokens of every make: any key, any certificate, any attribute, right or wrong."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from asn1crypto import algos, cms, core, parser, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

AT = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
STAMPING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
NOTE = "sms.example.es/2026a\n7\nAAAA\n"


@dataclass(frozen=True)
class Party:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def ski(key: Key) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def certify(
    common: str,
    issuer: Party | None = None,
    *,
    key: Key | None = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] | None = None,
    ca: bool = False,
    path_length: int | None = None,
    began: datetime = AT - timedelta(days=30),
    ends: datetime = AT + timedelta(days=30),
    signed_by: Key | None = None,
    identified: bool = False,
) -> Party:
    """A certificate by *issuer* (itself: None), by default one that stamps time."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    above = name(common) if issuer is None else issuer.certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(above)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(ends)
    )
    if ca:
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=path_length), critical=True
        )
    if identified:
        builder = builder.add_extension(ski(key), critical=False)
        above_key = (key if issuer is None else issuer.key).public_key()
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(above_key), critical=False
        )
    for extension, critical in ((STAMPING, True),) if extensions is None else extensions:
        builder = builder.add_extension(extension, critical=critical)
    signer = signed_by or (key if issuer is None else issuer.key)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Party(builder.sign(signer, digest), key)


def authority(common: str = "Root", issuer: Party | None = None, **given: Any) -> Party:
    """A certificate that signs others."""
    return certify(common, issuer, **{"ca": True, "extensions": (), **given})


@dataclass
class Make:
    """How a token is made; every field can be set wrong."""

    party: Party
    chain: tuple[Party, ...] = ()
    digest: bytes = hashlib.sha256(NOTE.encode()).digest()
    stated: dict[str, Any] = field(default_factory=dict)
    #: Signed attributes by name; None leaves one out.
    attributes: dict[str, Any] = field(default_factory=dict)
    algorithm: dict[str, Any] | None = None
    content_type: str = "tst_info"
    digest_name: str = "sha256"
    digests: list[str] = field(default_factory=lambda: ["sha256"])
    by_key: bool = False
    twice: str = ""
    signers: int = 1
    hold_own: bool = True

    def der(self) -> bytes:
        """The token."""
        content = self._content()
        attributes = self._attributes(content)
        signer = cms.SignerInfo(
            {
                "version": "v3" if self.by_key else "v1",
                "sid": self._sid(),
                "digest_algorithm": {"algorithm": self.digest_name},
                "signed_attrs": attributes,
                "signature_algorithm": self.algorithm or self._usual(),
                "signature": self._sign(attributes.dump()),
            }
        )
        held = [each.der for each in ((self.party,) if self.hold_own else ()) + self.chain]
        signed = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": each} for each in self.digests],
                "encap_content_info": {
                    "content_type": self.content_type,
                    "content": core.ParsableOctetString(content),
                },
                "certificates": [asn1_x509.Certificate.load(each) for each in sorted(held)],
                "signer_infos": [signer] * self.signers,
            }
        )
        token: bytes = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
        return token

    def _content(self) -> bytes:
        stated: dict[str, Any] = {
            "version": "v1",
            "policy": "1.2.3",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": self.digest,
            },
            "serial_number": 5,
            "gen_time": AT,
            **self.stated,
        }
        content: bytes = tsp.TSTInfo(stated).dump()
        return content

    def _attributes(self, content: bytes) -> Any:
        named = {"certs": [{"cert_hash": hashlib.sha256(self.party.der).digest()}]}
        values: dict[str, Any] = {
            "content_type": "tst_info",
            "message_digest": hashlib.new(self.digest_name, content).digest(),
            "signing_certificate_v2": tsp.SigningCertificateV2(named),
            **self.attributes,
        }
        found = [
            cms.CMSAttribute({"type": kind, "values": [value]})
            for kind, value in values.items()
            if value is not None
        ]
        found += [each for each in found if each["type"].native == self.twice]
        return cms.CMSAttributes(found)

    def _sid(self) -> Any:
        parsed = asn1_x509.Certificate.load(self.party.der)
        if self.by_key:
            return cms.SignerIdentifier("subject_key_identifier", parsed.key_identifier)
        named = {"issuer": parsed.issuer, "serial_number": parsed.serial_number}
        return cms.SignerIdentifier("issuer_and_serial_number", cms.IssuerAndSerialNumber(named))

    def _usual(self) -> dict[str, Any]:
        key = self.party.key
        if isinstance(key, rsa.RSAPrivateKey):
            return {"algorithm": "sha256_rsa"}
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return {"algorithm": "sha256_ecdsa"}
        return {"algorithm": "ed25519"}

    def _sign(self, data: bytes) -> bytes:
        key = self.party.key
        if isinstance(key, rsa.RSAPrivateKey):
            if self.algorithm is not None and self.algorithm["algorithm"] == "rsassa_pss":
                pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
                return key.sign(data, pss, hashes.SHA256())
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(hashes.SHA256()))
        return key.sign(data)


PSS = {
    "algorithm": "rsassa_pss",
    "parameters": {
        "hash_algorithm": {"algorithm": "sha256"},
        "mask_gen_algorithm": {
            "algorithm": "mgf1",
            "parameters": algos.DigestAlgorithm({"algorithm": "sha256"}),
        },
        "salt_length": 32,
    },
}


def answer(status: str, token: bytes = b"", **info: Any) -> bytes:
    """A TimeStampResp."""
    head: bytes = tsp.PKIStatusInfo({"status": status, **info}).dump()
    encoded: bytes = parser.emit(0, 1, 16, head + token)
    return encoded

"""The seal of an issuer, as containers are signed with: an authority, a certificate, its key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pyhanko.sign.signers import SimpleSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore

#: 2026-11-21T17:05:00Z, minutes after what the test ledgers hold.
SEALED_AT = datetime(2026, 11, 21, 17, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TestSeal:
    """What signs, and the certificate of the authority that vouches for it."""

    __test__ = False

    signer: SimpleSigner
    root_pem: bytes
    certificate_pem: bytes
    key_pem: bytes


def make_seal(name: str = "Sello de prueba", *, days: int = 30) -> TestSeal:
    """A seal certificate valid from 30 days before `SEALED_AT` to *days* after."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority of {name}")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    began, ends = SEALED_AT - timedelta(days=30), SEALED_AT + timedelta(days=days)

    def builder(of: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(of)
            .issuer_name(root_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(began)
            .not_valid_after(ends)
        )

    usage = dict.fromkeys(
        (
            *("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign"),
            *("crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    root = (
        builder(root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    certificate = (
        builder(subject, key.public_key())
        .add_extension(
            x509.KeyUsage(digital_signature=True, content_commitment=True, **usage), critical=True
        )
        .sign(root_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    der = serialization.Encoding.DER
    make_store: Any = SimpleCertificateStore  # pyHanko gives it no types
    store = make_store()
    store.register(asn1_x509.Certificate.load(root.public_bytes(der)))
    signer = SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate.public_bytes(der)),
        signing_key=keys.PrivateKeyInfo.load(private),
        cert_registry=store,
    )
    pem = serialization.Encoding.PEM
    return TestSeal(
        signer,
        root.public_bytes(pem),
        certificate.public_bytes(pem),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )

"""A private authority and one server certificate of it, as files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Paths of the authority's certificate, the server's, and the server's key."""

    root: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, directory: Path, host: str, expires_at: datetime) -> Authority:
        """An authority that vouches for *host* until *expires_at*."""
        directory.mkdir(exist_ok=True)
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Authority")])
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        began = expires_at - timedelta(days=60)

        def builder(
            subject: x509.Name, public: ec.EllipticCurvePublicKey
        ) -> x509.CertificateBuilder:
            return (
                x509.CertificateBuilder()
                .subject_name(subject)
                .issuer_name(root_name)
                .public_key(public)
                .serial_number(x509.random_serial_number())
                .not_valid_before(began)
                .not_valid_after(expires_at)
            )

        root = (
            builder(root_name, root_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        alternative = x509.SubjectAlternativeName([x509.DNSName(host)])
        server = (
            builder(name, key.public_key())
            .add_extension(alternative, critical=False)
            .sign(root_key, hashes.SHA256())
        )
        paths = cls(directory / "root.pem", directory / "server.pem", directory / "server.key")
        paths.root.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        paths.certificate.write_bytes(server.public_bytes(serialization.Encoding.PEM))
        paths.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return paths

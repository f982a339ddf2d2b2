"""An authority for seals, for the demo and for tests: worthless in law, and its names say so.

It issues seal certificates, revokes them, and keeps a revocation list, as one on a trusted list
does. Keys are new each time one is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.errors import StorageError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_WORTHLESS = "worthless in law"
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class SealFiles:
    """Where a seal was written: what `[seal]` names, and the authority to pin."""

    certificate: Path
    key: Path
    chain: Path
    crls: Path
    ca: Path


@dataclass(frozen=True, slots=True)
class IssuedSeal:
    """A seal certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def key_pem(self) -> bytes:
        """The key, unencrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(slots=True)
class SealAuthority:
    """Issues seal certificates as of *now*."""

    now: datetime
    name: str = "Acuse demo seal authority"
    _key: ec.EllipticCurvePrivateKey = field(init=False)
    _root: x509.Certificate = field(init=False)
    _revoked: list[x509.RevokedCertificate] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Makes the root."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._root = (
            self._builder(_name(self.name), self._key.public_key(), 10 * _YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def ca_pem(self) -> bytes:
        """The certificate to pin (`--signer-ca`)."""
        return self._root.public_bytes(Encoding.PEM)

    def issue(
        self,
        holder: str,
        *,
        lasts: timedelta = 3 * _YEAR,
        public: ec.EllipticCurvePublicKey | None = None,
    ) -> IssuedSeal:
        """A seal certificate for *holder*; with *public* for a key that is elsewhere."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(_name(holder), public or key.public_key(), lasts)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return IssuedSeal(certificate, key)

    def revoke(self, seal: IssuedSeal, at: datetime) -> None:
        """The seal is on every later list as revoked *at* that time."""
        self._revoked.append(
            x509.RevokedCertificateBuilder()
            .serial_number(seal.certificate.serial_number)
            .revocation_date(at)
            .build()
        )

    def crl_pem(self) -> bytes:
        """The revocation list, good for a month."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._root.subject)
            .last_update(self.now - timedelta(minutes=1))
            .next_update(self.now + timedelta(days=31))
            .add_extension(x509.CRLNumber(len(self._revoked) + 1), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        for each in self._revoked:
            builder = builder.add_revoked_certificate(each)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def write(self, directory: Path, seal: IssuedSeal) -> SealFiles:
        """The seal as files of *directory*, its key for the owner alone.

        Raises:
            StorageError: they cannot be written.
        """
        files = SealFiles(
            *(
                directory / name
                for name in (
                    "seal.pem",
                    "seal.key",
                    "seal-chain.pem",
                    "seal-crls.pem",
                    "seal-ca.pem",
                )
            )
        )
        try:
            files.key.touch(mode=0o600)
            files.key.write_bytes(seal.key_pem)
            files.certificate.write_bytes(seal.certificate.public_bytes(Encoding.PEM))
            files.chain.write_bytes(self.ca_pem)
            files.crls.write_bytes(self.crl_pem())
            files.ca.write_bytes(self.ca_pem)
        except OSError as error:
            raise StorageError(
                f"the seal cannot be written to {directory}: {error.strerror}",
                hint="name a directory that can be written",
                dir=str(directory),
            ) from None
        return files

    def _builder(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, lasts: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name(self.name))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - _YEAR)
            .not_valid_after(self.now + lasts)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ES"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Acuse demo, {_WORTHLESS}"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{common}, {_WORTHLESS}"),
        ]
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )

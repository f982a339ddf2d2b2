"""The issuer's seal: its certificate, what stands above it, and the key that signs."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from asn1crypto import keys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import SimpleSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.certificate.pemfiles import read_certificates, read_crls
from gateway.certificate.revocation import revoked
from gateway.errors import ConfigError, NotPermitted
from gateway.evidence.keyfile import read_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asn1crypto import crl, x509
    from pyhanko.sign.signers import Signer

    from gateway.settings import KeySource, Pkcs11, Seal

_MAX_KEY_BYTES = 64 * 1024
#: What the seal's certificate must allow at least one of, if it limits its use at all.
_USES = ("non_repudiation", "digital_signature")


@dataclass(frozen=True)
class SealKey:
    """What signs, and what a verifier needs to follow it up to its root."""

    signer: Signer
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    crls: tuple[crl.CertificateList, ...]

    @property
    def anchors(self) -> list[x509.Certificate]:
        """The roots in the chain; without one its last certificate, else the seal's own."""
        roots = [each for each in self.chain if each.self_signed in ("yes", "maybe")]
        return roots or list(self.chain[-1:]) or [self.certificate]


@contextmanager
def open_seal(seal: Seal) -> Iterator[SealKey]:
    """The configured seal, its key ready to sign.

    Raises:
        ConfigError: there is none, it has expired, or certificate and key do not fit.
        NotPermitted: this user may not read the key.
        StorageError: a file cannot be read, or the key can be read by others.
    """
    if seal.certificate is None:
        raise ConfigError(
            "no seal is configured, so certificates cannot be sealed",
            hint="set [seal] certificate and key; --unsealed makes the page without a signature",
            setting="seal.certificate",
        )
    certificate, *more = read_certificates(seal.certificate, "seal.certificate")
    _check_certificate(certificate)
    chain = (*more, *(read_certificates(seal.chain, "seal.chain") if seal.chain else ()))
    crls = read_crls(seal.crls) if seal.crls else ()
    if revoked((certificate, *chain), (certificate, *chain), crls, datetime.now(UTC)) is not None:
        raise ConfigError(
            "the seal certificate, or one above it, is revoked",
            hint="get a new one; what it sealed before stays valid",
            setting="seal.certificate",
        )
    store = SimpleCertificateStore()
    store.register_multiple(chain)
    with ExitStack() as stack:
        if seal.pkcs11 is not None:
            signer = stack.enter_context(_hardware_signer(seal.pkcs11, certificate, chain))
        else:
            signer = SimpleSigner(
                signing_cert=certificate,
                signing_key=_private_key(seal.key, certificate),
                cert_registry=store,
            )
        yield SealKey(signer, certificate, chain, crls)


def _check_certificate(certificate: x509.Certificate) -> None:
    now, until = datetime.now(UTC), certificate.not_valid_after
    if not certificate.not_valid_before <= now <= until:
        raise ConfigError(
            f"the seal certificate is valid from {certificate.not_valid_before:%Y-%m-%d} to"
            f" {until:%Y-%m-%d}, not now",
            hint="get a new one from whoever issued it",
            setting="seal.certificate",
        )
    usage = certificate.key_usage_value
    if usage is not None and not usage.native & set(_USES):
        raise ConfigError(
            "the seal certificate may not sign documents: its key usage says otherwise",
            hint="it needs digitalSignature or nonRepudiation",
            setting="seal.certificate",
        )


def _private_key(source: KeySource | None, certificate: x509.Certificate) -> keys.PrivateKeyInfo:
    if source is None or source.path is None:
        raise ConfigError(
            "the seal's key is not configured", hint="set [seal] key, or pkcs11", setting="seal.key"
        )
    path = source.path
    if not os.access(path, os.R_OK) and path.exists():
        raise NotPermitted(
            f"you may not read the seal's key {path}",
            hint="issue certificates as the daemon's user, or as root",
            file=str(path),
        )
    data = read_private(path, _MAX_KEY_BYTES, credential=source.origin.startswith("credential:"))
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        locked = isinstance(error, TypeError)
        raise ConfigError(
            f"{path} {'is encrypted' if locked else 'is no private key in PEM'}",
            hint="openssl pkcs12 -in seal.p12 -nocerts -noenc -out seal.key; chmod 600 seal.key",
            setting="seal.key",
        ) from None
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if public != certificate.public_key.dump():
        raise ConfigError(
            f"{path} is not the key of the seal certificate",
            hint="certificate and key are made together: take both from the same place",
            setting="seal.key",
        )
    return keys.PrivateKeyInfo.load(
        key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@contextmanager
def _hardware_signer(
    pkcs11: Pkcs11, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
) -> Iterator[Signer]:
    """The key in the module; the hash is made here, so that modules that only sign suffice."""
    from pkcs11.exceptions import PKCS11Error
    from pyhanko.config.pkcs11 import TokenCriteria
    from pyhanko.sign.pkcs11 import PKCS11Signer, open_pkcs11_session

    try:
        session = open_pkcs11_session(
            str(pkcs11.module),
            token_criteria=TokenCriteria(label=pkcs11.token),
            user_pin=pkcs11.pin.reveal(),
        )
    except (PKCS11Error, RuntimeError) as error:
        raise ConfigError(
            f"the hardware module gives no access to {pkcs11.token!r}: {told(error)}",
            hint="check module, token and pin; `pkcs11-tool --list-slots` shows what there is",
            setting="seal.pkcs11",
        ) from None
    try:
        signer = PKCS11Signer(
            session,
            signing_cert=certificate,
            ca_chain=chain,
            key_label=pkcs11.label,
            use_raw_mechanism=certificate.public_key.algorithm == "ec",
        )
        _check_fits(signer, certificate, pkcs11)
        yield signer
    finally:
        session.close()


def _check_fits(signer: Signer, certificate: x509.Certificate, pkcs11: Pkcs11) -> None:
    """The module's key makes a signature that the certificate's key verifies."""
    from pkcs11.exceptions import PKCS11Error

    probe, public = b"acuse", load_der_public_key(certificate.public_key.dump())
    try:
        made = asyncio.run(signer.async_sign_raw(probe, "sha256"))
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(made, probe, ec.ECDSA(hashes.SHA256()))
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(made, probe, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, PKCS11Error, SigningError) as error:
        raise ConfigError(
            f"the key {pkcs11.label!r} of the module is not that of the seal certificate, or does"
            f" not sign: {told(error)}",
            hint="seal.pkcs11.label names the private key that belongs to seal.certificate",
            setting="seal.pkcs11",
        ) from None


def told(error: BaseException) -> str:
    """What an error says, else its name."""
    return str(error) or type(error).__name__

"""Certificates and revocation lists in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asn1crypto import crl, pem, x509

from gateway.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

_MAX_FILE_BYTES = 16 << 20


def read_certificates(path: Path, setting: str) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file, in its order.

    Raises:
        StorageError: it cannot be read.
        ConfigError: there is none in it; `fields["setting"]` is *setting*.
    """
    try:
        return parse_certificates(_read(path))
    except ValueError as error:
        raise ConfigError(
            f"{path}: {error}", hint="PEM, with -----BEGIN CERTIFICATE-----", setting=setting
        ) from None


def parse_certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates in PEM text; a private key or CRL between them is passed over.

    Raises:
        ValueError: there is none, or one that cannot be read.
    """
    found = [
        x509.Certificate.load(der, strict=True)
        for name, der in _blocks(data)
        if name in ("CERTIFICATE", "TRUSTED CERTIFICATE")
    ]
    if not found:
        raise ValueError("there is no certificate in it")
    for each in found:
        _ = each.native  # parses all of it now, where the file is known
    return tuple(found)


def read_crls(path: Path) -> tuple[crl.CertificateList, ...]:
    """The revocation lists of a file, PEM or one in DER; raises as `read_certificates` does."""
    data = _read(path)
    try:
        ders = [data]
        if pem.detect(data):
            ders = [der for name, der in _blocks(data) if name == "X509 CRL"]
        found = tuple(crl.CertificateList.load(der, strict=True) for der in ders)
        for each in found:
            _ = each["tbs_cert_list"]["this_update"].native
    except ValueError as error:
        raise _no_crl(path, str(error)) from None
    if not found:
        raise _no_crl(path, "there is none in it")
    return found


def _no_crl(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path} holds no revocation list that can be read: {why}",
        hint="PEM, with -----BEGIN X509 CRL-----, or one list in DER",
        setting="seal.crls",
    )


def _blocks(data: bytes) -> list[tuple[str, bytes]]:
    if not pem.detect(data):
        raise ValueError("it is not PEM")
    return [(name, der) for name, _, der in pem.unarmor(data, multiple=True)]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror}", hint="check the path", file=str(path)
        ) from None

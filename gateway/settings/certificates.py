"""TLS towards an operator: whom we trust there, and what we show of ourselves.

Whose certificates are believed is never left to a default: without a choice of its own an operator
would be believed to be whoever any of the system's hundred authorities says.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.settings.kinds import FilePath
from gateway.settings.reading import Wrong

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings.lines import Place
    from gateway.settings.reading import Reading
    from gateway.settings.traffic import Tls

#: What `tls.ca_file` says for the authorities that the system trusts.
SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True)
class Authorities:
    """A PEM file of certificates that may vouch for the operator, or the word `system`."""

    def read(self, value: object, place: Place, reading: Reading) -> Path | str:
        if value == SYSTEM:
            return SYSTEM
        return Certificates().read(value, place, reading)

    def words(self) -> str:
        return 'path of a file, or "system"'


@dataclass(frozen=True, slots=True)
class Certificates:
    """A PEM file of certificates."""

    def read(self, value: object, place: Place, reading: Reading) -> Path:
        path = FilePath(exists=True).read(value, place, reading)
        if reading.secrets:
            _load(path)
        return path

    def words(self) -> str:
        return "path of a file of certificates (PEM)"


def _load(path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, ValueError):
        raise Wrong(
            f"{path} has no certificate that can be read",
            "PEM, with -----BEGIN CERTIFICATE-----; ask whoever issued it",
        ) from None


class _Protected(Exception):
    """The key wants a passphrase."""


def tls(table: Tls, place: Place, reading: Reading) -> None:
    """A client certificate and its key belong together, and the daemon can open both."""
    if table.cert_file is None or table.key_file is None:
        if table.cert_file is not table.key_file:
            there, missing = (
                ("cert_file", "key_file") if table.cert_file else ("key_file", "cert_file")
            )
            reading.problem(
                (*place, missing), f"is missing, though {there} is set", "the two belong together"
            )
        return
    if not reading.secrets:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(table.cert_file, table.key_file, _no_passphrase)
    except _Protected:
        reading.problem(
            (*place, "key_file"),
            f"{table.key_file} wants a passphrase, which a daemon cannot be asked for",
            "take the passphrase off (openssl pkey -in KEY -out NEW) and chmod 600 it",
        )
    except ssl.SSLError as error:
        reading.problem(*_unfit(table, place, error.reason))


def _no_passphrase() -> str:
    raise _Protected


def _unfit(table: Tls, place: Place, reason: str | None) -> tuple[Place, str, str]:
    """Which of the two files is to blame; OpenSSL says it only in its own words."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert table.cert_file is not None
    try:
        context.load_verify_locations(table.cert_file)
    except ssl.SSLError:
        return (
            (*place, "cert_file"),
            f"{table.cert_file} has no certificate that can be read",
            "PEM, with -----BEGIN CERTIFICATE-----",
        )
    if reason is None:
        return (
            (*place, "key_file"),
            f"{table.key_file} has no key that can be read",
            "PEM, with -----BEGIN PRIVATE KEY-----",
        )
    return (
        (*place, "key_file"),
        f"{table.key_file} is not the key of {table.cert_file}",
        "the key that the certificate was asked with; the certificate stands first in its file",
    )

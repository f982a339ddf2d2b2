"""Keys in a hardware module, through PKCS#11."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.settings.kinds import FilePath, Text
from gateway.settings.nested import KeyReference, KeySource, SecretText, Table
from gateway.settings.reading import about

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings.lines import Place
    from gateway.settings.reading import Reading
    from gateway.settings.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkcs11:
    """A key that never leaves its module."""

    module: Path = field(
        metadata=about(
            "The module's library.",
            FilePath(exists=True),
            sample='"/usr/lib/softhsm/libsofthsm2.so"',
        )
    )
    token: str = field(metadata=about("The label of the token.", Text(), sample='"acuse"'))
    label: str = field(metadata=about("The label of the key.", Text(), sample='"ledger-key"'))
    pin: Secret = field(
        metadata=about(
            "The user's PIN.",
            SecretText(255, noun="PIN", limited_by="PKCS#11", giver="whoever keeps the module"),
            sample='{credential = "hsm-pin"}',
        )
    )


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of a file, of systemd's credentials, or of a hardware module."""

    table = Pkcs11

    def read(self, value: object, place: Place, reading: Reading) -> KeySource | Pkcs11:
        if isinstance(value, dict) and "pkcs11" in value and len(value) == 1:
            found = Table(Pkcs11).read(value["pkcs11"], (*place, "pkcs11"), reading)
            assert isinstance(found, Pkcs11)
            return found
        return KeyReference().read(value, place, reading)

    def words(self) -> str:
        return '{file = "PATH"}, {credential = "NAME"} or {pkcs11 = {…}}'

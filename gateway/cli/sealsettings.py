"""The seal's own secrets, apart from all others, which who issues certificates need not see."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import ConfigError
from gateway.evidence.keyfile import read_private
from gateway.settings import KeySource, Secret

if TYPE_CHECKING:
    from gateway.cli.command import Run
    from gateway.settings import Seal, Settings

_MAX_PIN_BYTES = 1024
_CREDENTIAL = "credential:"


def settings_with_seal(run: Run) -> Settings:
    """The configuration, its secrets unread but those of `[seal]`.

    Raises:
        ConfigError: it cannot work, or names a credential that is not here.
        StorageError: the PIN cannot be read, or others can read it.
    """
    settings = run.settings(secrets=False)
    return replace(settings, seal=_opened(settings.seal))


def _opened(seal: Seal) -> Seal:
    if seal.key is not None and seal.key.path is None:
        origin = seal.key.origin
        seal = replace(seal, key=KeySource(origin, _place(origin, "seal.key")))
    if seal.pkcs11 is not None and seal.pkcs11.pin.source != "clear":
        origin = seal.pkcs11.pin.source
        path = _place(origin, "seal.pkcs11.pin")
        data = read_private(path, _MAX_PIN_BYTES, credential=origin.startswith(_CREDENTIAL))
        pin = Secret(data.decode("ascii", "replace").rstrip("\r\n"), source=origin)
        seal = replace(seal, pkcs11=replace(seal.pkcs11, pin=pin))
    return seal


def _place(origin: str, setting: str) -> Path:
    kind, _, name = origin.partition(":")
    if kind == "file":
        return Path(name)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise ConfigError(
            f"the credential {name!r} is not here: CREDENTIALS_DIRECTORY is not set",
            hint=f"run it in a unit: systemd-run --pipe -p LoadCredential={name}:PATH acuse …",
            setting=setting,
        )
    return Path(directory) / name

"""The keys that may sign the log, and which of them does: the configured one or the vault's own,
and the one that follows or precedes it while the key changes (`x.KeyRotate`, LEDGER section 3).

What the ledger says decides, not the name of a file: a change begins with its entry, and ends with
the checkpoint that both keys signed. So every step may be the last one before a crash.

Files of the vault, where no key is configured: `log-key`, and during a change `log-key.next`; what
was `log-key` before is kept as `log-key.retired-KEYID` for a person to destroy.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import DataError, StorageError
from gateway.evidence.hsm import Pkcs11Signer
from gateway.evidence.keyfile import storage_errors, sync_directory
from gateway.evidence.vault import LOG_KEY, load_seed
from gateway.ledger.note import Signer, Verifier, open_note, verified_by
from gateway.settings import Pkcs11

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.evidence.vault import Vault
    from gateway.ledger.note import NoteSigner
    from gateway.ledger.rotations import Rotation
    from gateway.settings import KeySource, Ledger

NEXT_LOG_KEY = "log-key.next"


@dataclass(frozen=True, slots=True)
class Arranged:
    """Who signs now; who signs along with it while the key changes; who is configured to follow,
    where the ledger does not know yet.
    """

    current: NoteSigner
    incoming: NoteSigner | None = None
    wanted: NoteSigner | None = None


class LogKeys:
    """The keys at hand for one log."""

    def __init__(self, keys: Sequence[NoteSigner], *, configured: bool) -> None:
        """*keys*: first the one to sign with; the configured one, or the vault's `log-key`."""
        self._keys = list(keys)
        self.configured = configured

    def arrange(self, last: Rotation | None, state: str | None) -> Arranged:
        """Who signs, after the *last* change the ledger knows of, and by the signer's *state*.

        Raises:
            StorageError: a key that is needed is not at hand.
        """
        if last is not None and last.note is None:
            return Arranged(self._need(last.old, last), self._need(last.new, last))
        current = self._signed(state) if last is None else self._need(last.new, last)
        wanted = self._keys[0]
        if not self.configured or wanted.vkey == current.vkey:
            return Arranged(current)
        return Arranged(current, wanted=wanted)

    def _need(self, vkey: str, last: Rotation) -> NoteSigner:
        for key in self._keys:
            if key.vkey == vkey:
                return key
        while_changing = "" if last.note else "; while the key changes, old and new are needed"
        raise StorageError(
            f"the log is signed by {vkey}, and that key is not at hand",
            hint="ledger.key must be that key, or the one to follow it with that one as"
            f" ledger.old_key{while_changing}; the vault's own keys are log-key and {NEXT_LOG_KEY}",
            vkey=vkey,
            setting="ledger.key",
        )

    def _signed(self, state: str | None) -> NoteSigner:
        """Of a log whose key never changed: the key that signed the state, else the first one."""
        if state is None:
            return self._keys[0]
        for key in self._keys:
            try:
                text, lines = open_note(state)
                if verified_by(text, lines, [Verifier.from_vkey(key.vkey)]):
                    return key
            except DataError:
                continue  # the signer says what is wrong with its state
        return self._keys[0]


def open_log_keys(ledger: Ledger, vault: Vault, origin: str, *, fresh: bool) -> LogKeys:
    """The keys the configuration or the vault has; a *fresh* ledger's own key is made.

    Raises:
        StorageError: a key is missing, unusable, or readable by others.
    """
    if ledger.key is not None:
        given = [ledger.key] if ledger.old_key is None else [ledger.key, ledger.old_key]
        return LogKeys([open_key(each, origin) for each in given], configured=True)
    if fresh and not vault.has(LOG_KEY):
        vault.make(LOG_KEY)
    there = [name for name in (LOG_KEY, NEXT_LOG_KEY) if vault.has(name)]
    seeds = [load_seed(vault.directory / name) for name in there or [LOG_KEY]]
    return LogKeys([Signer.from_seed(origin, seed) for seed in seeds], configured=False)


def open_key(source: KeySource | Pkcs11, origin: str) -> NoteSigner:
    """The key a configuration names.

    Raises:
        StorageError: it cannot be used.
    """
    if isinstance(source, Pkcs11):
        return Pkcs11Signer.open(source, origin)
    assert source.path is not None, "settings were loaded without secrets"
    credential = source.origin.startswith("credential:")
    return Signer.from_seed(origin, load_seed(source.path, credential=credential))


def make_next(vault: Vault, origin: str) -> Signer:
    """The vault's key to follow; one that a change left unused is taken again.

    Raises:
        StorageError: it cannot be made.
    """
    if not vault.has(NEXT_LOG_KEY):
        vault.make(NEXT_LOG_KEY, LOG_KEY)
    return Signer.from_seed(origin, load_seed(vault.directory / NEXT_LOG_KEY))


def retire(vault: Vault, current: str) -> Path | None:
    """Give the vault's files the names they have between changes; *current* is the key that signs.

    Returns where the key before it is kept now; None: there was nothing to do.

    Raises:
        StorageError: a file cannot be renamed.
    """
    following, present = vault.directory / NEXT_LOG_KEY, vault.directory / LOG_KEY
    if not vault.has(NEXT_LOG_KEY):
        return None
    key = Verifier.from_vkey(current)
    if Signer.from_seed(key.name, load_seed(following)).vkey != current:
        return None  # made for a change that never began
    retired = None
    with storage_errors(present, "rename the key file"):
        if vault.has(LOG_KEY):
            before = Signer.from_seed(key.name, load_seed(present))
            retired = present.with_name(f"{LOG_KEY}.retired-{before.key_id.hex()}")
            os.rename(present, retired)
            sync_directory(vault.directory)
        os.rename(following, present)
        sync_directory(vault.directory)
    return retired

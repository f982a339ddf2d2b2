"""Changing the log's key: `acuse ledger rotate-key`, and a configuration that names another key.

    new key made → x.KeyRotate durable → checkpoint by both keys durable → the new key alone →
    the files of the vault renamed

Each arrow may be the last one before a crash: who signs is what the ledger says (see `logkeys`), so
the next start goes on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from gateway.errors import AnswerIsNo
from gateway.evidence.logkeys import make_next, retire
from gateway.ledger.entry import ADMIN, KEY_ROTATE

if TYPE_CHECKING:
    from gateway.daemon.sealer import Sealer
    from gateway.evidence.signer import LogSigner
    from gateway.evidence.vault import Vault
    from gateway.ledger.note import NoteSigner
    from gateway.ledger.store import Store

log = structlog.get_logger()


class KeyRotation:
    """Begins and ends changes of the key."""

    def __init__(
        self, store: Store, sealer: Sealer, signer: LogSigner, vault: Vault, *, configured: bool
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._signer = signer
        self._vault = vault
        self._configured = configured

    def begin(self, by: str, now_ms: int) -> dict[str, Any]:
        """Make the key that follows and say so in the ledger, inside the open batch.

        Raises:
            AnswerIsNo: the configuration names the key, or a change is under way.
            StorageError: the key cannot be made.
        """
        if self._configured:
            raise AnswerIsNo(
                "the configuration names the log's key",
                hint="make a new key, name it as ledger.key and the present one as ledger.old_key,"
                " and restart: the change is made then",
                setting="ledger.key",
            )
        if self._signer.incoming is not None:
            raise AnswerIsNo(
                "the log's key is being changed already",
                hint="it ends with the next checkpoint: acuse ledger checkpoint",
            )
        old = self._signer.vkey
        key = make_next(self._vault, self._signer.origin)
        self.announce(key, now_ms)
        self._sealer.log_event(ADMIN, now_ms, by=by, cmd="ledger rotate-key")
        return {"old": old, "new": key.vkey}

    def announce(self, key: NoteSigner, now_ms: int) -> None:
        """*key* follows the present one: the entry, and from its checkpoint on both signatures."""
        old = self._signer.vkey
        seq = self._sealer.log_event(KEY_ROTATE, now_ms, old=old, new=key.vkey)
        self._store.rotations.begin(seq, old, key.vkey)
        self._signer.announce(key)
        log.warning("ledger.key_changed", old=old, new=key.vkey, seq=seq)

    def finish(self) -> str | None:
        """Give the vault's files their lasting names, once the ledger has ended the change.

        Returns where the old key is kept, for a person to destroy.

        Raises:
            StorageError: a file cannot be renamed.
        """
        last = self._store.rotations.last()
        if self._configured or last is None or last.note is None:
            return None
        retired = retire(self._vault, last.new)
        return None if retired is None else str(retired)

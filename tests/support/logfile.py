"""A ledger file of any length without a daemon: the store, the signer, and a configuration."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.daemon.checkpoints import Checkpoints
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE, SIGNER_STATE
from gateway.evidence.signer import LogSigner
from gateway.evidence.vault import LOG_KEY, PERSON_KEY, Vault
from gateway.ledger.note import Signer
from gateway.ledger.store import Store
from tests.support.world import NOON_MS, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGIN = "sms.example.es/1"


@dataclass
class LogFile:
    """The ledger of a gateway, to be written by turns."""

    directory: Path
    config: Path

    @classmethod
    def make(cls, directory: Path) -> LogFile:
        """A configuration and keys; no ledger yet."""
        data = directory / "data"
        data.mkdir()
        vault = Vault(data / KEYS_DIRECTORY)
        for name in (LOG_KEY, PERSON_KEY):
            vault.make(name)
        return cls(directory, write_config(directory, {"operator": ""}))

    @property
    def path(self) -> Path:
        """The ledger file."""
        return self.directory / "data" / LEDGER_FILE

    @contextmanager
    def open(self) -> Iterator[Store]:
        """The store, for writing."""
        store = Store.open(self.path, ORIGIN, now_ms=NOON_MS)
        try:
            yield store
        finally:
            store.close()

    def grow(self, count: int, *, long: int = 0, sign: bool = True) -> str:
        """*count* entries more, the last one *long* bytes longer; the latest checkpoint."""
        with self.open() as store:
            for number in range(count):
                code = "x.Admin" if store.size else "x.Genesis"
                why = "x" * long if number == count - 1 else ""
                store.append(code, NOON_MS + store.size, {"by": "root", "cmd": f"test {why}"})
            store.flush()
            store.commit()
            if not sign:
                return ""
            seed = Vault(self.path.parent / KEYS_DIRECTORY).log_seed()
            key = Signer.from_seed(ORIGIN, seed)
            state = self.path.with_name(SIGNER_STATE)
            size = 0 if not state.exists() else store.size
            signer = LogSigner(key, state, ledger_size=size)
            note = Checkpoints(store, signer, every_s=60, every=4096).make(NOON_MS + store.size)
            store.flush()
            store.commit()
            return note

"""When the log is signed: at most every `checkpoint_every_s` if it grew by anything but `x.Anchor`,
every so many entries, on request, and at a clean stop (LEDGER section 3).

Only what is already committed is signed. The signer writes its own state before the note exists,
so a crash in between can never lead to a second, different checkpoint of the same size.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog

from gateway.ledger import merkle

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.evidence.signer import LogSigner
    from gateway.ledger.store import Store

log = structlog.get_logger()


def _nobody(_size: int, _note: str) -> None:
    """Nobody wants to hear of checkpoints."""


class Checkpoints:
    """Signs the log for the writer, between batches."""

    def __init__(self, store: Store, signer: LogSigner, *, every_s: float, every: int) -> None:
        self._store = store
        self._signer = signer
        self._every_s = every_s
        self._every = every
        self._grown_since_s = math.inf
        self.note: str | None = store.last_note()
        #: Signed in the open batch.
        self._made: tuple[int, str] | None = None
        #: Hears the size and the note of each new checkpoint that is durable.
        self.on_durable: Callable[[int, str], None] = _nobody

    def due(self, now_s: float) -> bool:
        """Whether the committed log is to be signed now."""
        grown = self._store.size - self._store.checkpoint_size
        # An x.Anchor tells of a checkpoint. Asking for one itself it would have no end.
        if grown == 0 or self._store.only_anchors:
            self._grown_since_s = math.inf
            return False
        self._grown_since_s = min(self._grown_since_s, now_s)
        return grown >= self._every or now_s >= self._grown_since_s + self._every_s

    def grew(self, now_s: float) -> None:
        """A commit is done: the log is to be signed `every_s` from now, even if it is the last."""
        if self._store.size > self._store.checkpoint_size and not self._store.only_anchors:
            self._grown_since_s = min(self._grown_since_s, now_s)
        if self._made is not None:
            made, self._made = self._made, None
            self.on_durable(*made)

    def wake_s(self) -> float:
        """When the next checkpoint is due if nothing else happens."""
        return self._grown_since_s + self._every_s

    def make(self, now_ms: int) -> str:
        """Sign the log as committed; the note is stored with the batch that follows.

        A log that did not grow keeps the note it has.
        """
        store, signer = self._store, self._signer
        size, root = store.size, store.frontier.root()
        if self.note is not None and size == store.checkpoint_size:
            return self.note
        last = signer.last
        proof = (
            merkle.consistency_proof(last.size, size, store.read_tile)
            if last is not None and 0 < last.size < size
            else []
        )
        note = signer.sign(size, root, proof)
        store.put_checkpoint(size, now_ms, note)
        if signer.incoming is not None:
            store.rotations.settle(note)
            signer.succeed()
        self.note, self._made = note, (size, note)
        self._grown_since_s = math.inf
        log.info("ledger.checkpointed", size=size, root=root.hex())
        return note

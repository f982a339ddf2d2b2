"""The log's own signature, and the memory that keeps it from contradicting itself.

The signer remembers, in a file apart from the database, the last checkpoint it signed, and signs
another only with a consistency proof from that one: a database that was cut back, restored from
a backup or rewritten gets no second, contradicting signature (c2sp.org/tlog-checkpoint forbids
it, and an outsider who holds both notes could show it).

The file *is* the last signed note: readable by people, checked by its own signature when it is
read, and one half of the proof of a fork when the ledger turns out to differ.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gateway.errors import DataError, StorageError
from gateway.evidence.keyfile import storage_errors, sync_directory, write_draft
from gateway.ledger.merkle import EMPTY_ROOT, verify_consistency
from gateway.ledger.note import (
    MAX_NOTE_BYTES,
    Checkpoint,
    Verifier,
    open_note,
    sign_note,
    verified_by,
)
from gateway.ledger.proof import complete_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gateway.ledger.note import NoteSigner

_STATE_MODE = 0o640


def read_state(path: Path) -> str | None:
    """What a signer remembers, not checked; None: nothing.

    Raises:
        StorageError: it cannot be read.
    """
    with storage_errors(path, "read the signer's state"):
        try:
            with open(path, "rb") as file:
                return file.read(MAX_NOTE_BYTES + 1).decode("utf-8", "replace")
        except FileNotFoundError:
            return None


class LogSigner:
    """Signs checkpoints of one log, each consistent with the last one.

    Open it before the first entry of a new ledger is committed: it writes its state (a checkpoint
    of the empty log) then, and a missing state later means that somebody took it away.
    """

    def __init__(
        self,
        key: NoteSigner,
        state_path: Path,
        *,
        ledger_size: int,
        adopt: bool = False,
        incoming: NoteSigner | None = None,
    ) -> None:
        """*ledger_size* is how many entries the ledger holds now; *incoming* is the key that
        follows *key*, if the ledger says so already and no checkpoint both signed is stored.

        *adopt* lets a signer without memory sign for a ledger that is not empty. It is a decision
        of a person, who has compared the ledger with a checkpoint kept elsewhere (a bundle, a
        witness, a customer's copy): whoever removes the state and gets this for free can have
        any history signed.

        Raises:
            StorageError: the state is missing beside a ledger that is not empty, unreadable,
                damaged, of another log, or ahead of the ledger.
        """
        self._signer = key
        self._incoming = incoming
        self._path = state_path
        self._fork = state_path.with_name(f"{state_path.name}.fork")
        self._frozen: StorageError | None = None
        self.last: Checkpoint | None = self._load()
        if self.last is None:
            self._begin(ledger_size, adopt=adopt)
        elif self.last.size > ledger_size:
            raise StorageError(
                f"the ledger holds {ledger_size} entries, but {self.last.size} have been signed",
                hint="the ledger file was cut or restored from an old backup: bring back the newer"
                " one; `acuse ledger verify` shows what it holds",
                ledger_size=ledger_size,
                signed_size=self.last.size,
                signed_root=self.last.root.hex(),
            )

    def __repr__(self) -> str:
        return f"LogSigner({self.vkey!r}, {str(self._path)!r})"

    @property
    def vkey(self) -> str:
        """The verifier key of the log."""
        return self._signer.vkey

    @property
    def origin(self) -> str:
        """The log's origin, which is also the name of its key."""
        return self._signer.name

    @property
    def incoming(self) -> NoteSigner | None:
        """The key that signs along until `succeed`."""
        return self._incoming

    def announce(self, incoming: NoteSigner) -> None:
        """*incoming* follows: from here on both keys sign, until `succeed`."""
        self._incoming = incoming

    def succeed(self) -> None:
        """A checkpoint that both keys signed is on its way: the new key signs alone."""
        if self._incoming is not None:
            self._signer, self._incoming = self._incoming, None

    def sign(self, size: int, root: bytes, proof: Sequence[bytes]) -> str:
        """The signed checkpoint of (size, root); *proof* leads there from `last` (RFC 6962
        section 2.1.2; empty when the size is the same or `last` is the empty log).

        Order of durability: the state is on disk before the signature leaves.

        Raises:
            StorageError: smaller than the last one, not consistent with it, or the state cannot
                be written.
        """
        if self._frozen is not None:
            raise self._frozen
        checkpoint = Checkpoint(self.origin, size, root)
        if self.last is not None:
            self._check(self.last, checkpoint, proof)
        note = sign_note(checkpoint.text(), *self._signers())
        if checkpoint != self.last or self._incoming is not None:
            self._save(note)
            self.last = checkpoint
        return note

    def sign_complete(self, submission_id: str, size: int, leaves: Sequence[bytes]) -> str:
        """The signed statement that *leaves* are all of a submission below *size* (LEDGER
        section 4, `complete`).

        Raises:
            StorageError: no checkpoint of that size or beyond was signed.
        """
        if self.last is None or size > self.last.size:
            raise StorageError(
                f"no checkpoint over {size} entries has been signed",
                hint="make one first: `acuse ledger checkpoint`",
                size=size,
            )
        return sign_note(complete_text(self.origin, submission_id, size, leaves), self._signer)

    def _signers(self) -> list[NoteSigner]:
        return [self._signer, *([self._incoming] if self._incoming else [])]

    def _check(self, last: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
        if not last.size:
            return  # every log extends the empty one
        try:
            verify_consistency(last.size, last.root, new.size, new.root, proof)
        except DataError as error:
            raise StorageError(
                f"the ledger contradicts what was signed before: {error.message}",
                hint="nothing is signed any more; compare the ledger with a checkpoint kept"
                " elsewhere and run `acuse ledger verify`",
                signed_size=last.size,
                signed_root=last.root.hex(),
                size=new.size,
                root=new.root.hex(),
            ) from None

    # -- another history -----------------------------------------------------------------------

    def contradicted_by(self, note: str, root_at: Callable[[int], bytes]) -> bool:
        """Whether *note* is a checkpoint that this log's key signed and this ledger, whose root at
        a size *root_at* tells, does not bear out: it was rolled back, or there are two of it.
        """
        try:
            text, lines = open_note(note)
            keys = [Verifier.from_vkey(each.vkey) for each in self._signers()]
            if not verified_by(text, lines, keys):
                return False
            other = Checkpoint.parse(text)
        except DataError:
            return False
        if other.origin != self.origin:
            return False
        known_size = 0 if self.last is None else self.last.size
        return other.size > known_size or root_at(other.size) != other.root

    def freeze(self, note: str) -> None:
        """Sign nothing any more: *note* is of another history of this log, and is kept beside the
        state, which is ours.

        Raises:
            StorageError: it cannot be kept.
        """
        with storage_errors(self._fork, "keep the proof of another history in"):
            os.replace(write_draft(self._fork, note.encode(), _STATE_MODE), self._fork)
            sync_directory(self._fork.parent)
        self._frozen = self._split(note)

    def require_one_history(self, root_at: Callable[[int], bytes]) -> None:
        """Look again at what `freeze` kept: when the newer ledger is back, it is forgotten.

        Raises:
            StorageError: the ledger still does not bear it out.
        """
        note = read_state(self._fork)
        if note is None:
            return
        if self.contradicted_by(note, root_at):
            raise self._split(note)
        with storage_errors(self._fork, "remove"):
            self._fork.unlink()
            sync_directory(self._fork.parent)

    def _split(self, note: str) -> StorageError:
        return StorageError(
            "another history of this log has been signed by its key: nothing more is signed",
            hint=f"the two notes are in {self._path} and {self._fork}: keep both; if the ledger was"
            " restored from a backup, bring back the newer one with its signer state, else begin"
            " a new epoch (docs/witnesses.md)",
            ours=read_state(self._path) or "",
            theirs=note,
        )

    # -- the state -----------------------------------------------------------------------------

    def _begin(self, ledger_size: int, *, adopt: bool) -> None:
        if ledger_size == 0:
            self.last = Checkpoint(self.origin, 0, EMPTY_ROOT)
            self._save(sign_note(self.last.text(), self._signer))
        elif not adopt:
            raise StorageError(
                f"the ledger holds {ledger_size} entries, but the signer remembers none of them",
                hint=f"restore {self._path}; if it is lost, compare the ledger with a checkpoint"
                " kept elsewhere and then adopt the ledger as it is",
                path=str(self._path),
                ledger_size=ledger_size,
            )

    def _load(self) -> Checkpoint | None:
        state = read_state(self._path)
        if state is None:
            return None
        try:
            text, lines = open_note(state)
            keys = [Verifier.from_vkey(each.vkey) for each in self._signers()]
            ours = verified_by(text, lines, keys)
            checkpoint = Checkpoint.parse(text)
        except DataError as error:
            raise self._unusable(error.message) from None
        if not ours:
            raise self._unusable("it is not signed by this log's key")
        return checkpoint

    def _unusable(self, why: str) -> StorageError:
        return StorageError(
            f"the signer's state {self._path} is not usable: {why}",
            hint="restore it from a backup; it holds the last checkpoint this log's key signed",
            path=str(self._path),
        )

    def _save(self, note: str) -> None:
        with storage_errors(self._path, "write the signer's state"):
            os.replace(write_draft(self._path, note.encode(), _STATE_MODE), self._path)
            sync_directory(self._path.parent)

"""The configured witnesses, as `Anchoring` asks them; and what to do when one knows better.

A witness may say that it has seen more of this log than there is, or another one. If it shows a
note that this log's own key signed and that is not in the ledger's past, the ledger was rolled back
or forked: both notes are kept and nothing more is signed (`LogSigner.freeze`). A bare claim changes
nothing but what status shows: nobody outside may stop the log by a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from gateway.daemon.witnessing import WitnessConflict, cosign_from, cosigned_ms
from gateway.ledger import merkle
from gateway.ledger.outside import CosignatureRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from gateway.daemon.anchoring import Signed
    from gateway.daemon.questions import Read
    from gateway.evidence.signer import LogSigner
    from gateway.ledger.reader import Reader
    from gateway.ledger.store import Store
    from gateway.settings import Witness

log = structlog.get_logger()


class WitnessSource:
    """One configured witness."""

    kind = "witness"
    table = ("cosignatures", "witness")

    def __init__(
        self, settings: Witness, known_size: int, reader: Reader, signer: LogSigner, read: Read
    ) -> None:
        """*known_size*: the last checkpoint it cosigned, as far as is known here; 0: none."""
        self.name = settings.name
        self._settings = settings
        self._known_size = known_size
        self._reader = reader
        self._signer = signer
        self._read = read

    async def vouch(self, client: httpx.AsyncClient, signed: Signed) -> CosignatureRow:
        """Its cosignature of the checkpoint, checked by its configured key.

        Raises:
            WitnessConflict: it knows a tree that this checkpoint does not extend.
            WitnessError: it gave none.
        """

        async def prove(size: int) -> list[bytes]:
            return await self._read(lambda: self._proof(size, signed.size))

        known = min(self._known_size, signed.size)
        try:
            line = await cosign_from(client, self._settings, known, prove, signed.note)
        except WitnessConflict as conflict:
            await self._contradicted(conflict)
            raise
        self._known_size = signed.size
        return CosignatureRow(signed.size, self.name, cosigned_ms(line), line)

    def tell(self, size: int, reason: str, hint: str, wait_s: float) -> None:
        """Log that it gave nothing of use."""
        log.warning(
            "witness.failed",
            witness=self.name,
            size=size,
            reason=reason,
            hint=hint,
            retry_in_s=round(wait_s),
        )

    def _proof(self, old: int, new: int) -> list[bytes]:
        return merkle.consistency_proof(old, new, lambda lvl, i: self._reader.tile(lvl, i, new))

    async def _contradicted(self, conflict: WitnessConflict) -> None:
        """Find out whether the ledger is wrong or the witness, and tell loudly."""
        size = (self._signer.last.size if self._signer.last else 0) or 1

        def root_at(at: int) -> bytes:
            return merkle.root_at(at, lambda lvl, i: self._reader.tile(lvl, i, size))

        conflict.proven = bool(conflict.theirs) and await self._read(
            lambda: self._signer.contradicted_by(conflict.theirs, root_at)
        )
        log.error(
            "ledger.contradicted",
            witness=self.name,
            reason=conflict.message,
            proven=conflict.proven,
            ours=conflict.ours,
            theirs=conflict.theirs,
        )
        if conflict.proven:
            self._signer.freeze(conflict.theirs)


def witness_sources(
    configured: Sequence[Witness], store: Store, reader: Reader, signer: LogSigner, read: Read
) -> list[WitnessSource]:
    """A source for each `[[witness]]`."""
    return [
        WitnessSource(
            each,
            (store.outside.last_of(*WitnessSource.table, each.name) or (0, 0))[0],
            reader,
            signer,
            read,
        )
        for each in configured
    ]

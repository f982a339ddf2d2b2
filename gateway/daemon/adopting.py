"""Adopting a ledger whose signer lost its memory: what a person decides, with the daemon down.

The memory is what keeps the log's key from signing two histories. Whoever removes it and has the
ledger signed all the same can have any history signed, so the ledger is first compared with what
was signed before: the checkpoint stored in it, and one kept elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.daemon.opening import open_ledger, signing
from gateway.errors import AnswerIsNo, DataError
from gateway.evidence.records import LEDGER_FILE, SIGNER_STATE
from gateway.evidence.signer import read_state
from gateway.ledger import merkle
from gateway.ledger.entry import ADMIN
from gateway.ledger.note import Checkpoint, Verifier, open_note, verified_by

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.daemon.opening import OpenLedger
    from gateway.settings import Settings


def adopt(settings: Settings, clock: Clock, known: str | None, *, by: str) -> dict[str, Any]:
    """Have the signer go on from the ledger as it is; *known* is a checkpoint kept elsewhere.

    The lock of the data directory is held by the caller. What was done is in the ledger
    (`x.Admin`), under the checkpoint that is returned.

    Raises:
        AnswerIsNo: the signer remembers, the ledger is empty, or it is not what was signed before.
        DataError: *known* is no checkpoint that this log signed.
        AcuseError: the ledger cannot be opened.
    """
    state = settings.gateway.data_dir / SIGNER_STATE
    if read_state(state) is not None:
        raise AnswerIsNo(
            "the signer remembers what it signed: there is nothing to adopt",
            hint="if the daemon does not start, `acuse serve` says why",
            path=str(state),
        )
    if not (settings.gateway.data_dir / LEDGER_FILE).exists():
        raise AnswerIsNo("there is no ledger to adopt", hint="just start the daemon: acuse serve")
    ledger = open_ledger(settings, clock, adopt=True)
    store = ledger.store
    try:
        stored = store.last_note()
        for note, whose in ((stored, "in the ledger"), (known, "kept elsewhere")):
            if note is not None:
                _compare(ledger, note, whose)
        store.append(
            ADMIN,
            ledger.clock.now_ms(),
            {"by": by, "cmd": "ledger adopt", "compared": known is not None},
        )
        store.flush()
        store.commit()
        note = signing(settings, ledger).make(ledger.clock.now_ms())
        store.flush()
        store.commit()
        size = store.size
    finally:
        store.close()
    return {"size": size, "note": note, "compared": known is not None}


def _compare(ledger: OpenLedger, note: str, whose: str) -> None:
    """The ledger must have the checkpoint *note* in its past."""
    store, signer = ledger.store, ledger.signer
    try:
        text, lines = open_note(note)
        checkpoint = Checkpoint.parse(text)
        vkeys = {signer.vkey, *(each.old for each in store.rotations.all())}
        signed = verified_by(text, lines, [Verifier.from_vkey(each) for each in sorted(vkeys)])
    except DataError as error:
        raise DataError(
            f"known: the checkpoint {whose}: {error.message}",
            hint="give a signed checkpoint of this log, as `acuse ledger head` prints it",
            field="known",
        ) from None
    if not signed or checkpoint.origin != signer.origin:
        raise DataError(
            f"known: the checkpoint {whose} is not signed by this log's key",
            hint="give a signed checkpoint of this log; a bundle and a witness have one",
            field="known",
        )
    if checkpoint.size > store.size:
        raise AnswerIsNo(
            f"the ledger holds {store.size} entries, the checkpoint {whose} {checkpoint.size}",
            hint="the ledger was cut or restored from an old backup: bring back the newer one",
        )
    if merkle.root_at(checkpoint.size, store.read_tile) != checkpoint.root:
        raise AnswerIsNo(
            f"the ledger is not what was signed: the checkpoint {whose} has another root",
            hint="keep both as evidence; this ledger must not be signed (acuse ledger new-epoch)",
        )

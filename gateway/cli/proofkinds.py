"""What a file given to `acuse verify` is, by how it begins, and who examines it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.reading import begins_as_ledger, read_file
from gateway.errors import DataError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.verify import Trust
    from gateway.ledger.report import Report

#: More than any proof has. A damaged or hostile file costs no more than this to read.
MAX_PROOF_BYTES = 64 << 20
#: A token with its certificates has some 10 kB.
_MAX_TOKEN_BYTES = 1 << 18
_ZIP = b"PK\3\4"
#: A certificate damaged at one end is still one, and INVALID.
_PDF, _PDF_END = b"%PDF-", b"%%EOF"
_TAIL_BYTES = 64


def examine(file: Path, trust: Trust, *, quiet: bool = False) -> Report:
    """The report on *file*, whatever kind of proof it is; a long ledger shows a bar unless *quiet*.

    Raises:
        DataError: no kind of proof at all, or it cannot be read.
    """
    if begins_as_ledger(file):
        return _ledger(file, trust, quiet=quiet)
    data = read_file(file, MAX_PROOF_BYTES)
    if data.startswith(_ZIP):
        from gateway.evidence.examine import verify_container

        return verify_container(
            data, signer_ca=trust.signer_ca, tsa_ca=trust.tsa_ca, **trust.given()
        )
    if data.startswith(_PDF) or _PDF_END in data[-_TAIL_BYTES:]:
        from gateway.certificate.examine import verify_certificate

        return verify_certificate(
            data, signer_ca=trust.signer_ca, tsa_ca=trust.tsa_ca, **trust.given()
        )
    from gateway.ledger.notecheck import is_note, verify_checkpoint

    if is_note(data):
        return verify_checkpoint(data, tokens=_tokens(file), **trust.given())
    from gateway.ledger.verify import verify_bundle

    return verify_bundle(data, **trust.given())


def _ledger(file: Path, trust: Trust, *, quiet: bool) -> Report:
    """Here a ledger file is evidence that somebody handed in, not this machine's storage."""
    from gateway.cli.ledgerfile import check_ledger

    try:
        return check_ledger(file, None, trust, quiet=quiet)
    except StorageError as error:
        raise DataError(error.message, hint=error.hint, file=str(file)) from None


def _tokens(file: Path) -> list[bytes]:
    """The time stamp beside a checkpoint, `FILE.tsr`, where somebody put one."""
    beside = file.with_name(f"{file.name}.tsr")
    if not beside.is_file():
        return []
    from gateway.evidence.asic import token_of

    return [token_of(read_file(beside, _MAX_TOKEN_BYTES))]

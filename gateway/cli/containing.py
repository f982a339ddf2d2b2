"""`acuse bundle --asic`: a bundle sealed as an ASiC-E container, with the issuer's seal."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyhanko.sign.signers import Signer

    from gateway.cli.command import Run
    from gateway.settings import Timestamp


def sealed_container(run: Run, bundle: bytes, others: Mapping[str, bytes]) -> bytes:
    """The container of *bundle* and *others* (file name -> content), sealed by `[seal]`.

    Where time-stamping authorities are configured the seal carries a time stamp of the first one
    that answers.

    Raises:
        ConfigError, NotPermitted, StorageError: the seal is not as it must be.
        StampRefused: no authority gave a time stamp.
    """
    from gateway.certificate.sealkey import open_seal
    from gateway.evidence.asic import pack_proof

    settings = run.settings()
    with open_seal(settings.seal) as key:
        return pack_proof(bundle, _signing(key.signer, settings.timestamp), others)


def _signing(signer: Signer, tsas: tuple[Timestamp, ...]) -> Callable[[bytes], bytes]:
    from gateway.certificate.stamping import Stamper, StampRefused
    from gateway.evidence import cades

    def sign(data: bytes) -> bytes:
        refused: StampRefused | None = None
        for tsa in tsas:
            with closing(Stamper(tsa)) as stamper:
                try:
                    return cades.sign(data, signer, at=datetime.now(UTC), timestamper=stamper)
                except StampRefused as error:
                    refused = error
        if refused is not None:
            raise refused
        return cades.sign(data, signer, at=datetime.now(UTC))

    return sign

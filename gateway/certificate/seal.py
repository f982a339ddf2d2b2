"""The issuer's seal on a rendered certificate: PAdES-B-LTA, appended to the page as it is.

The sealed file begins with the exact bytes that were rendered, so that a verifier can render again
and compare. The signature certifies the document (nothing but time stamps and what is needed to
check them may follow), carries a time stamp, and a second one over everything ends the file.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Self

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers.pdf_signer import (
    DSSContentSettings,
    PdfSignatureMetadata,
    PdfSigner,
    PdfTimeStamper,
    SigDSSPlacementPreference,
    TimestampDSSContentSettings,
)
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import PathError, ValidationError

from gateway.certificate.pemfiles import read_crls
from gateway.certificate.sealkey import SealKey, open_seal, told
from gateway.certificate.stamping import Stamper, StampRefused
from gateway.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from gateway.settings import Seal, Timestamp

FIELD_NAME = "AcuseSeal"
_DIGEST = "sha256"
#: What is needed to check the last time stamp goes in before it, so that it covers all of the file.
_BEFORE = TimestampDSSContentSettings(include_vri=False, update_before_ts=True)


class Sealer:
    """Seals and renews certificates, one at a time; use it in a `with` statement.

    The TSAs are asked in their order until one gives a time stamp; one that failed is asked last
    from then on. Without *key* (`renew` needs none) nothing can be sealed.
    """

    def __init__(self, seal: Seal, tsas: Sequence[Timestamp], *, key: bool = True) -> None:
        """Opens the key.

        Raises:
            ConfigError, NotPermitted, StorageError: see `open_seal`; or there is no TSA.
        """
        if not tsas:
            raise ConfigError(
                "no time-stamping authority is configured, so nothing can be sealed for long",
                hint="add a [[timestamp]]; --unsealed makes the page without a signature",
                setting="timestamp",
            )
        # pyHanko warns on every signature that revocation lists come from files here.
        logging.getLogger("pyhanko").addHandler(logging.NullHandler())
        logging.getLogger("pyhanko_certvalidator").addHandler(logging.NullHandler())
        with ExitStack() as stack:
            self._key: SealKey | None = stack.enter_context(open_seal(seal)) if key else None
            self._crls = self._key.crls if self._key else read_crls(seal.crls) if seal.crls else ()
            self._stampers = [Stamper(tsa, self._crls) for tsa in tsas]
            for stamper in self._stampers:
                stack.callback(stamper.close)
            self._runner = stack.enter_context(asyncio.Runner())
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def seal(self, pdf: bytes) -> bytes:
        """The sealed certificate; it begins with *pdf*.

        Raises:
            StampRefused: no TSA gave a time stamp.
            ConfigError: the seal's certificate does not lead to the end of its chain.
        """
        key = self._key
        assert key is not None, "opened without a key"
        try:
            return self._stamped(lambda stamper: self._sign(pdf, key, stamper))
        except (SigningError, PathError, ValidationError) as error:
            raise ConfigError(
                f"the seal certificate does not hold: {told(error.__cause__ or error)}",
                hint="seal.chain must lead from it to its root, and seal.crls not revoke it",
                setting="seal.chain",
            ) from None

    def renew(self, pdf: bytes) -> bytes:
        """The certificate with one more time stamp over all of it.

        Raises:
            StampRefused: no TSA gave a time stamp.
            DataError: *pdf* is no PDF that could be extended.
        """
        try:
            return self._stamped(lambda stamper: self._stamp(pdf, stamper))
        except (PdfError, PathError, ValidationError, ValueError) as error:
            raise DataError(
                f"not a certificate that can be renewed: {told(error)}",
                hint="`acuse verify` tells what is wrong with it",
            ) from None

    def _stamped(self, ask: Callable[[Stamper], Awaitable[bytes]]) -> bytes:
        refusals: dict[Stamper, StampRefused] = {}
        try:
            for stamper in self._stampers:
                try:
                    return self._runner.run(_of(ask(stamper)))
                except StampRefused as error:
                    refusals[stamper] = error
        finally:
            self._stampers.sort(key=lambda stamper: stamper in refusals)
        raise list(refusals.values())[-1]

    async def _sign(self, pdf: bytes, key: SealKey, stamper: Stamper) -> bytes:
        meta = PdfSignatureMetadata(
            field_name=FIELD_NAME,
            md_algorithm=_DIGEST,
            certify=True,
            docmdp_permissions=MDPPerm.NO_CHANGES,
            subfilter=SigSeedSubFilter.PADES,
            embed_validation_info=True,
            use_pades_lta=True,
            validation_context=self._context(key, stamper),
            signer_key_usage=set(),
            dss_settings=DSSContentSettings(
                include_vri=False,
                placement=SigDSSPlacementPreference.TOGETHER_WITH_NEXT_TS,
                next_ts_settings=_BEFORE,
            ),
        )
        output = BytesIO()
        await PdfSigner(meta, signer=key.signer, timestamper=stamper).async_sign_pdf(
            IncrementalPdfFileWriter(BytesIO(pdf)), output=output
        )
        return output.getvalue()

    async def _stamp(self, pdf: bytes, stamper: Stamper) -> bytes:
        output = BytesIO()
        await PdfTimeStamper(stamper).async_timestamp_pdf(
            IncrementalPdfFileWriter(BytesIO(pdf)),
            _DIGEST,
            self._context(self._key, stamper),
            output=output,
            dss_settings=_BEFORE,
        )
        return output.getvalue()

    def _context(self, key: SealKey | None, stamper: Stamper) -> ValidationContext:
        return ValidationContext(
            trust_roots=[*(key.anchors if key else ()), *stamper.roots],
            other_certs=key.chain if key else (),
            crls=self._crls,
            allow_fetching=False,
            moment=datetime.now(UTC),
        )


async def _of(work: Awaitable[bytes]) -> bytes:
    return await work

"""CAdES signatures (ETSI EN 319 122-1): made with the seal key, checked against pinned issuers.

pyHanko does the cryptography and the chain; no network, ever.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asn1crypto import cms, pem
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign.general import CMSExtractionError, SigningError
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import PathError

from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pyhanko.sign.signers.pdf_cms import Signer
    from pyhanko.sign.validation.status import StandardCMSSignatureStatus

# It logs with a traceback what it also says in its answer, and the answer is told.
logging.getLogger("pyhanko").setLevel(logging.CRITICAL)

#: What the parsers of ASN.1, CMS and X.509 raise for octets that are none.
MALFORMED = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    NotImplementedError,
    RecursionError,
    CMSExtractionError,
    SignatureValidationError,
    SigningError,
    PathError,
    PdfError,
)


def sign(data: bytes, signer: Signer, *, at: datetime) -> bytes:
    """The detached CAdES-B signature (DER) of *data*; *at* is the signing time it claims."""
    made = asyncio.run(
        signer.async_sign_general_data(
            data,
            "sha256",
            detached=True,
            use_cades=True,
            signed_attr_settings=PdfCMSSignedAttributes(signing_time=at),
        )
    )
    der: bytes = made.dump()
    return der


def certificates(pem_data: bytes) -> list[asn1_x509.Certificate]:
    """The certificates of a PEM file.

    Raises:
        DataError: there is none, or one is damaged.
    """
    try:
        found = [
            asn1_x509.Certificate.load(der, strict=True)
            for kind, _, der in pem.unarmor(pem_data, multiple=True)
            if kind == "CERTIFICATE"
        ]
    except (ValueError, TypeError):
        found = []
    if not found:
        raise DataError(
            "the issuers are not certificates in PEM",
            hint="a file with -----BEGIN CERTIFICATE-----",
            field="signer_ca",
        )
    return found


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature that holds: by whom, and by whose word."""

    name: str
    #: A trusted issuer vouches for the certificate now, and did at the time it says it signed.
    trusted: bool
    trusted_then: bool


def check(
    data: bytes, signature: bytes, issuers: Sequence[asn1_x509.Certificate], *, now: datetime
) -> Seal:
    """Check the detached *signature* (CMS, DER) of *data* by the certificate in it.

    Raises:
        DataError: not a signature of *data*; reason "signer".
    """
    try:
        status = _status(data, signature, issuers, now)
        told = status.signer_reported_dt
        trusted_then = False
        if told is not None and told <= now and status.intact and not status.trusted:
            trusted_then = _status(data, signature, issuers, told).trusted
    except MALFORMED:
        raise _refuse("it cannot be read") from None
    if not status.intact:
        raise _refuse("it is over something else")
    if not status.valid:
        raise _refuse("it does not verify")
    name = str(status.signing_cert.subject.human_friendly)
    return Seal(name, status.trusted, trusted_then)


def _refuse(why: str) -> DataError:
    return DataError(f"the seal of the container: {why}", reason="signer")


def _status(
    data: bytes, signature: bytes, issuers: Sequence[asn1_x509.Certificate], at: datetime
) -> StandardCMSSignatureStatus:
    content = cms.ContentInfo.load(signature, strict=True)
    if content["content_type"].native != "signed_data":
        raise ValueError("no signed data")
    signed = content["content"]
    if signed["encap_content_info"]["content"].native is not None:
        raise ValueError("the content is inside")
    names = {item["type"].native for item in signed["signer_infos"][0]["signed_attrs"]}
    if "signing_certificate_v2" not in names:
        raise ValueError("no CAdES signature: the certificate is not among what is signed")
    context = ValidationContext(
        trust_roots=list(issuers), allow_fetching=False, moment=at, revocation_mode="soft-fail"
    )
    usage = KeyUsageConstraints(
        key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False
    )
    return asyncio.run(async_validate_detached_cms(data, signed, context, key_usage_settings=usage))

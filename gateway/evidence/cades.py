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
    from pyhanko.sign.timestamps import TimeStamper
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


def sign(
    data: bytes, signer: Signer, *, at: datetime, timestamper: TimeStamper | None = None
) -> bytes:
    """The detached CAdES signature (DER) of *data*; *at* is the signing time it claims.

    With *timestamper* it carries a time stamp of its own (level T), and outlives its certificate.
    """
    made = asyncio.run(
        signer.async_sign_general_data(
            data,
            "sha256",
            detached=True,
            use_cades=True,
            timestamper=timestamper,
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
    #: A trusted issuer vouches for the certificate: at the time of the signature's time stamp, if
    #: that is trusted, else now.
    trusted: bool
    #: It did at the time the signature claims, which nothing proves.
    trusted_then: bool
    #: When it was made at the latest, by a trusted time stamp.
    stamped_at: datetime | None


def check(
    data: bytes,
    signature: bytes,
    issuers: Sequence[asn1_x509.Certificate],
    tsas: Sequence[asn1_x509.Certificate] = (),
    *,
    now: datetime,
) -> Seal:
    """Check the detached *signature* (CMS, DER) of *data* by the certificate in it; *tsas* are
    the authorities whose time stamps count.

    Raises:
        DataError: not a signature of *data*, or a time stamp that is not one of it; reason
            "signer".
    """
    try:
        signed = _signed_data(signature)
        stamped_at = _stated(signed)

        def status(at: datetime) -> StandardCMSSignatureStatus:
            return _status(data, signed, _at(issuers, at), _at(tsas, stamped_at or now))

        found = status(now)
        told, stamp = found.signer_reported_dt, found.timestamp_validity
        sound = bool(found.intact and found.valid)
        proven: datetime | None = stamp.timestamp if stamp and stamp.trusted else None
        trusted = sound and bool(status(proven or now).trusted)
        trusted_then = False
        if sound and not trusted and told is not None and told <= now:
            trusted_then = bool(status(told).trusted)
    except MALFORMED:
        raise _refuse("it cannot be read") from None
    if not found.intact:
        raise _refuse("it is over something else")
    if not found.valid:
        raise _refuse("it does not verify")
    if stamp is not None and not (stamp.intact and stamp.valid):
        raise _refuse("its time stamp does not hold")
    name = str(found.signing_cert.subject.human_friendly)
    return Seal(name, trusted, trusted_then, proven)


def _refuse(why: str) -> DataError:
    return DataError(f"the seal of the container: {why}", reason="signer")


def _signed_data(signature: bytes) -> cms.SignedData:
    content = cms.ContentInfo.load(signature, strict=True)
    if content["content_type"].native != "signed_data":
        raise ValueError("no signed data")
    signed = content["content"]
    if signed["encap_content_info"]["content"].native is not None:
        raise ValueError("the content is inside")
    if len(signed["signer_infos"]) != 1:
        raise ValueError("not one signature")
    names = {item["type"].native for item in signed["signer_infos"][0]["signed_attrs"]}
    if "signing_certificate_v2" not in names:
        raise ValueError("no CAdES signature: the certificate is not among what is signed")
    return signed


def _stated(signed: cms.SignedData) -> datetime | None:
    """The time in the signature's own time stamp; None if it has none."""
    for attribute in signed["signer_infos"][0]["unsigned_attrs"] or ():
        if attribute["type"].native == "signature_time_stamp_token":
            token = attribute["values"][0]["content"]
            stated: datetime = token["encap_content_info"]["content"].parsed["gen_time"].native
            return stated
    return None


def _at(roots: Sequence[asn1_x509.Certificate], at: datetime) -> ValidationContext:
    return ValidationContext(
        trust_roots=list(roots), allow_fetching=False, moment=at, revocation_mode="soft-fail"
    )


def _status(
    data: bytes, signed: cms.SignedData, signer: ValidationContext, stamps: ValidationContext
) -> StandardCMSSignatureStatus:
    usage = KeyUsageConstraints(
        key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False
    )
    return asyncio.run(
        async_validate_detached_cms(
            data,
            signed,
            signer_validation_context=signer,
            ts_validation_context=stamps,
            key_usage_settings=usage,
        )
    )

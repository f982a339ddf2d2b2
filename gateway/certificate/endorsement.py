"""Who vouches for a certificate's file: the seal's signature and the time stamps, by their CMS.

Each certificate is judged at the time that is proven for it, not now: the seal's at its time
stamp, a time stamp's at its own time. That is what makes a proof outlive the certificates.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from asn1crypto.crl import CertificateList
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import (
    AuthorityKeyIdentifier,
    Certificate,
    ExtensionNotFound,
    SubjectKeyIdentifier,
    load_der_x509_certificate,
)
from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.pdf_embedded import (
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from gateway.certificate.revocation import revoked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asn1crypto import cms, x509
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
    from pyhanko.sign.validation.status import SignatureStatus

    from gateway.certificate.document import Document, Found

#: The issuer is none of those trusted: not wrong, it only counts as absent.
_UNKNOWN_ISSUER = frozenset(
    {AdESIndeterminate.NO_CERTIFICATE_CHAIN_FOUND, AdESIndeterminate.NO_SIGNING_CERTIFICATE_FOUND}
)
#: Of time stamps also: an issuer of a trusted name, and another key.
_STRANGER = _UNKNOWN_ISSUER | {AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE}
_REVOKED = frozenset(
    {AdESFailure.REVOKED, AdESIndeterminate.REVOKED_NO_POE, AdESIndeterminate.REVOKED_CA_NO_POE}
)


@dataclass(frozen=True, slots=True)
class Anchors:
    """The authorities a verifier trusts; None: none were given."""

    signer: Sequence[x509.Certificate] | None
    tsa: Sequence[x509.Certificate] | None


def check_endorsement(document: Document, anchors: Anchors, found: Found) -> None:
    """The seal and every time stamp: that they fit the bytes, and who made them when."""
    if document.seal is None:
        found.lack("signer", "it is not sealed")
        return
    asyncio.run(_check(document, document.seal, anchors, found))


async def _check(
    document: Document, seal: EmbeddedPdfSignature, anchors: Anchors, found: Found
) -> None:
    certs, crls = _validation_data(document)
    for number, stamp in enumerate(document.stamps, 1):
        at = _time_of(stamp.signed_data)
        context = _context(anchors.tsa, certs, crls, at)
        judged = await async_validate_pdf_timestamp(stamp, context, skip_diff=True)
        _judge_stamp(judged, f"time stamp {number}", anchors, found, needed=False)
        _check_envelope(stamp.signed_data, f"time stamp {number}", anchors, found)
    found.time_stamps = len(document.stamps)
    token = _own_stamp(seal)
    if token is None:
        found.fault("document", "the seal carries no time stamp")
        return
    at = _time_of(token)
    status = await async_validate_pdf_signature(
        seal,
        _context(anchors.signer, certs, crls, at),
        _context(anchors.tsa, certs, crls, at),
        skip_diff=True,
        key_usage_settings=_uses(seal.signer_cert),
    )
    found.sealed_by = _name(seal.signer_cert)
    found.sealed_at_ms = round(at.timestamp() * 1000)
    stamped = status.timestamp_validity
    if stamped is None:
        found.fault("document", "the seal carries no time stamp")
    else:
        _judge_stamp(stamped, "the time stamp of the seal", anchors, found, needed=True)
    path = [] if status.validation_path is None else list(status.validation_path.iter_certs(True))
    if revoked((seal.signer_cert, *path), path, crls, at) is not None:
        found.fault("signer", f"the certificate of {found.sealed_by} was revoked when it sealed")
    _judge_seal(status, anchors, found)
    if document.stamps and _time_of(document.stamps[0].signed_data) < at:
        found.fault("document", "its time stamps are older than its seal")


def _judge_seal(status: SignatureStatus, anchors: Anchors, found: Found) -> None:
    problem = status.trust_problem_indic
    if not (status.intact and status.valid):
        found.fault("document", "the seal does not fit the document")
    elif anchors.signer is None:
        found.lack("signer", "no authority was given to check the seal against")
    elif problem in _REVOKED:
        found.fault("signer", f"the certificate of {found.sealed_by} was revoked when it sealed")
    elif problem in _UNKNOWN_ISSUER:
        found.fault("signer", f"sealed by {found.sealed_by}, whom no given authority vouches for")
    elif not status.trusted:
        found.fault(
            "signer", f"the certificate of {found.sealed_by} could not seal then: {_word(problem)}"
        )


def _judge_stamp(
    status: SignatureStatus, what: str, anchors: Anchors, found: Found, *, needed: bool
) -> None:
    """One whose issuer is not trusted counts as absent; only the seal's own is needed."""
    problem = status.trust_problem_indic
    if not (status.intact and status.valid):
        found.fault("document", f"{what} does not fit the document")
    elif anchors.tsa is None or problem in _STRANGER:
        if needed:
            found.lack("signer", f"no trusted authority vouches for {what}")
    elif not status.trusted:
        found.fault("signer", f"{what} was made by a certificate that could not: {_word(problem)}")


def _word(problem: object) -> str:
    name = getattr(problem, "name", None)
    return str(name or "not valid").lower().replace("_", " ")


def _check_envelope(signed: cms.SignedData, what: str, anchors: Anchors, found: Found) -> None:
    """What of a token no signature covers says nothing: it is as short as it can be."""
    if not _certificates_hold(signed, anchors):
        found.fault("document", f"{what} carries a certificate that was changed")
    info = signed["signer_infos"][0]
    digest = info["digest_algorithm"]["algorithm"].native
    named = [each["algorithm"].native for each in signed["digest_algorithms"]]
    if named != [digest] or len(signed["signer_infos"]) != 1:
        found.fault("document", f"{what} names digests it does not use")
    if len(info["unsigned_attrs"]) > 0 or len(signed["crls"]) > 0:
        found.fault("document", f"{what} carries what nobody signed")


def _certificates_hold(signed: cms.SignedData, anchors: Anchors) -> bool:
    """Whether each certificate sent along is what its issuer signed, where that one is at hand.

    Path validation looks at those it needs only; an unneeded one could be changed unnoticed.
    """
    carried = [load_der_x509_certificate(each.chosen.dump()) for each in signed["certificates"]]
    known = [load_der_x509_certificate(each.dump()) for each in anchors.tsa or ()]
    for certificate in carried:
        if certificate in known:
            continue
        if any(certificate.public_key() == each.public_key() for each in known):
            return False
        issuers = [each for each in (*carried, *known) if _names(certificate, each)]
        if issuers and not any(_issued(certificate, each) for each in issuers):
            return False
    return True


def _names(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the certificate says that it is by this issuer: by name and, if it has one, key."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        named = certificate.extensions.get_extension_for_class(AuthorityKeyIdentifier).value
        own = issuer.extensions.get_extension_for_class(SubjectKeyIdentifier).value
    except ExtensionNotFound:
        return True
    return named.key_identifier in (None, own.digest)


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _uses(certificate: x509.Certificate) -> KeyUsageConstraints:
    """What the seal's certificate must allow, if it limits its use at all."""
    limited = certificate.key_usage_value is not None
    return KeyUsageConstraints(
        key_usage={"non_repudiation", "digital_signature"} if limited else set()
    )


def _validation_data(
    document: Document,
) -> tuple[list[x509.Certificate], list[CertificateList]]:
    """Certificates and revocation lists the document brings along; they are data, not trust."""
    try:
        store = DocumentSecurityStore.read_dss(document.reader)
    except NoDSSFoundError:
        return [], []
    lists = [CertificateList.load(each.get_object().data, strict=True) for each in store.crls]
    return list(store.load_certs()), lists


def _context(
    anchors: Sequence[x509.Certificate] | None,
    certs: Sequence[x509.Certificate],
    crls: Sequence[CertificateList],
    at: datetime,
) -> ValidationContext:
    return ValidationContext(
        trust_roots=list(anchors or ()),
        other_certs=certs,
        crls=crls,
        moment=at,
        allow_fetching=False,
        # A list issued later tells of revocations before: that is what it is kept for.
        retroactive_revinfo=True,
    )


def _own_stamp(seal: EmbeddedPdfSignature) -> cms.SignedData | None:
    for attribute in seal.signer_info["unsigned_attrs"]:
        if attribute["type"].native == "signature_time_stamp_token":
            (token,) = attribute["values"]
            return token["content"]
    return None


def _time_of(signed: cms.SignedData) -> datetime:
    at: datetime = signed["encap_content_info"]["content"].parsed["gen_time"].native
    return at.astimezone(UTC)


def _name(certificate: x509.Certificate) -> str:
    shown = certificate.subject.native
    return str(shown.get("common_name") or certificate.subject.human_friendly)[:200]

"""Whether the signer of a time stamp leads to a pinned authority, at the time it states.

Pure. Every certificate of the PEM file is a trust anchor of its own, root or not, so that an
intermediate authority or the time-stamping unit itself can be pinned. Revocation is not asked:
a verification has no network (a unit's key that was stolen makes its authority say so in public).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.errors import DataError
from gateway.evidence.tokens import unwarned, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.evidence.tokens import Token

#: What a whole system's store of authorities has, several times.
MAX_PEM_BYTES: Final = 4 * 1024 * 1024
_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,100000}-----END CERTIFICATE-----"
)
#: What cryptography raises for extensions that are not what they say.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
    UnsupportedAlgorithm,
)


class Issuers:
    """Pinned authorities."""

    def __init__(self, pem: bytes) -> None:
        """Read the certificates of a PEM file.

        Raises:
            DataError: no certificate in it, or one that cannot be read; `fields["field"]` is
                "tsa_ca".
        """
        self.certificates = _read(pem)
        self._pinned = frozenset(self.certificates)
        self._by_name: dict[x509.Name, list[x509.Certificate]] = {}
        for each in self.certificates:
            self._by_name.setdefault(each.subject, []).append(each)

    def vouch(self, token: Token) -> bool:
        """Whether the token's signer leads to a pinned authority; False: none is known.

        Raises:
            DataError: it names one, but may not: a signature on the way does not verify, a
                certificate was not valid then, or is not one for this.
        """
        try:
            reached = self._reaches(token)
            if reached:
                _check_unit(token.signer, token.at)
                self._check_others(token)
        except _UNREADABLE:
            raise wrong("a certificate of the time stamp cannot be read") from None
        return reached

    def _reaches(self, token: Token) -> bool:
        """Look for an anchor, from the signer upwards, each certificate once."""
        if token.signer in self._pinned:
            return True
        problem = ""
        left = list(token.others)
        way: list[tuple[x509.Certificate, int, str]] = [(token.signer, 0, "")]
        for certificate, below, fault in way:  # grows while it is walked
            for issuer in self._named(certificate):
                found = fault or _fault(certificate, issuer, below, token.at)
                if not found:
                    return True
                problem = problem or found
            for issuer in [each for each in left if _names(certificate, each)]:
                if _signed_by(certificate, issuer):
                    left.remove(issuer)
                    if _signed_by(issuer, issuer):
                        continue  # a root: nobody above it, whoever has the same name
                    found = fault or _fault(certificate, issuer, below, token.at)
                    way.append((issuer, below + 1, found))
        if problem:
            raise wrong(problem)
        return False

    def _check_others(self, token: Token) -> None:
        """No signature covers what else a token holds. Where it names an issuer that is at hand,
        that one must have signed it: what was altered on the way is seen here.
        """
        at_hand = (token.signer, *token.others)
        for each in token.others:
            issuers = [*self._named(each), *(one for one in at_hand if _names(each, one))]
            if issuers and not any(_signed_by(each, issuer) for issuer in issuers):
                raise wrong("a certificate of the time stamp is not signed by the one it names")

    def _named(self, certificate: x509.Certificate) -> Iterator[x509.Certificate]:
        """The anchors a certificate names as its issuer."""
        return (
            each for each in self._by_name.get(certificate.issuer, ()) if _names(certificate, each)
        )


def _read(pem: bytes) -> tuple[x509.Certificate, ...]:
    if len(pem) > MAX_PEM_BYTES:
        raise _no_pem("is too large to be a file of authorities")
    try:
        with unwarned():
            found = [x509.load_pem_x509_certificate(one) for one in _CERTIFICATE.findall(pem)]
        for each in found:  # names and keys are compared later: what is not readable is told now
            _ = hash(each.subject), _subject_key(each)
    except _UNREADABLE as error:
        raise _no_pem(f"holds a certificate that cannot be read ({error})") from None
    if not found:
        raise _no_pem("holds no certificate")
    return tuple(dict.fromkeys(found))


def _no_pem(why: str) -> DataError:
    return DataError(
        f"tsa_ca: the file of pinned authorities {why}",
        hint="give the authority's certificates in PEM form (-----BEGIN CERTIFICATE-----)",
        field="tsa_ca",
    )


def _subject_key(certificate: x509.Certificate) -> bytes | None:
    try:
        stated = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    return stated.value.digest


def _authority_key(certificate: x509.Certificate) -> bytes | None:
    try:
        stated = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    return stated.value.key_identifier


def _names(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate says it is by that issuer: by name, and by key where both say it."""
    wanted, key = _authority_key(certificate), _subject_key(issuer)
    return certificate.issuer == issuer.subject and (wanted is None or key in (None, wanted))


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _fault(
    certificate: x509.Certificate, issuer: x509.Certificate, below: int, at: datetime
) -> str:
    """Why *issuer*, with *below* authorities under it, cannot vouch for *certificate*; "": it can.

    RFC 5280 section 6.1, as far as it concerns time stamps.
    """
    if not _signed_by(certificate, issuer):
        return "the certificate of the time stamp is not signed by the authority it names"
    extensions = issuer.extensions
    try:
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "the certificate of the time stamp is signed by one that is no authority"
    if not basic.ca or (basic.path_length is not None and basic.path_length < below):
        return "the certificate of the time stamp is signed by one that is no authority for it"
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.KeyUsage) and not value.key_cert_sign:
            return "the certificate of the time stamp is signed by one that is no authority for it"
        if isinstance(value, x509.ExtendedKeyUsage) and not _stamps(value):
            return "the authority of the time stamp is none for time stamps"
        if extension.critical and isinstance(value, x509.UnrecognizedExtension):
            return "the authority of the time stamp is bound to conditions that are not known here"
    if not issuer.not_valid_before_utc <= at <= issuer.not_valid_after_utc:
        return "the authority of the time stamp was not valid at the time it states"
    return ""


def _stamps(usage: x509.ExtendedKeyUsage) -> bool:
    return (
        ExtendedKeyUsageOID.TIME_STAMPING in usage
        or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage
    )


def _check_unit(certificate: x509.Certificate, at: datetime) -> None:
    """RFC 3161 section 2.3: the key stamps time and does nothing else; and it was valid then."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        raise wrong("the certificate of the time stamp is none for time stamps") from None
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise wrong("the certificate of the time stamp is not for time stamps alone")
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise wrong("the certificate of the time stamp was not valid at the time it states")

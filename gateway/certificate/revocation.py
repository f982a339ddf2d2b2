"""Whether a certificate was revoked, by the revocation lists at hand.

pyHanko asks a list only about certificates that name where to fetch one. A list that somebody
configured, or that stands in the document, is asked here about every certificate of its issuer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509 import load_der_x509_certificate, load_der_x509_crl

_SIGNS = (
    rsa.RSAPublicKey,
    ec.EllipticCurvePublicKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from asn1crypto import crl, x509


def revoked(
    certificates: Iterable[x509.Certificate],
    issuers: Iterable[x509.Certificate],
    lists: Sequence[crl.CertificateList],
    at: datetime,
) -> x509.Certificate | None:
    """The first of *certificates* that a list, signed by one of *issuers*, says was revoked *at*.

    A list counts however old or new it is: a revocation is not taken back.

    Raises:
        ValueError: a certificate or a list cannot be read.
    """
    known = [load_der_x509_certificate(each.dump()) for each in issuers]
    signed = []
    for der in lists:
        one = load_der_x509_crl(der.dump())
        for issuer in known:
            if issuer.subject != one.issuer:
                continue
            key = issuer.public_key()
            # Only what signs certificates; a list by another key is nobody's.
            if isinstance(key, _SIGNS) and one.is_signature_valid(key):
                signed.append(one)
    for certificate in certificates:
        own = load_der_x509_certificate(certificate.dump())
        for one in signed:
            entry = one.get_revoked_certificate_by_serial_number(own.serial_number)
            if one.issuer == own.issuer and entry is not None and entry.revocation_date_utc <= at:
                return certificate
    return None

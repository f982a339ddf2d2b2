"""Verification of an ASiC-E container: the bundle in it, and the seal around it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.clock import to_datetime
from gateway.errors import DataError
from gateway.evidence.asic import Opened
from gateway.ledger.proof import NotABundle
from gateway.ledger.report import Findings, Report, around
from gateway.ledger.verify import verify_bundle

if TYPE_CHECKING:
    from gateway.ledger.policyfile import Policy
    from gateway.ledger.stamps import StampCheck


def verify_container(
    data: bytes,
    *,
    now_ms: int,
    policy: Policy | None = None,
    since: str | None = None,
    max_age_s: int | None = None,
    stamp_check: StampCheck | None = None,
    signer_ca: bytes | None = None,
    tsa_ca: bytes | None = None,
) -> Report:
    """Check an ASiC-E container that `acuse bundle --asic` wrote; arguments as of `verify_bundle`.

    *signer_ca* are the issuers (PEM) whose word on the seal's certificate counts. Without them the
    seal is checked, but nobody vouches for who it is. *tsa_ca* (PEM) are the authorities whose
    time stamp on the seal counts; with one a seal holds after its certificate has expired.

    Raises:
        NotABundle: no such container (exit 65).
        DataError: *since* is no checkpoint, or *signer_ca* holds no certificates.
    """
    found = Findings()
    try:
        opened = Opened(data)
    except NotABundle:
        raise
    except DataError as error:
        found.refused(error, step="document")
        verdict, reason, seq = found.verdict()
        return Report(verdict, reason, seq, found.checks())
    found.took("document")
    sealed_by = _check_seal(opened, found, now_ms, signer_ca, tsa_ca)
    try:
        report = verify_bundle(
            opened.bundle,
            now_ms=now_ms,
            policy=policy,
            since=since,
            max_age_s=max_age_s,
            stamp_check=stamp_check,
        )
    except NotABundle as error:
        found.fault("parse", error.message)
        verdict, reason, seq = found.verdict()
        return Report(verdict, reason, seq, found.checks())
    if report.facts is not None:
        report = replace(report, facts=replace(report.facts, sealed_by=sealed_by))
    return around(report, found)


def _check_seal(
    opened: Opened, found: Findings, now_ms: int, signer_ca: bytes | None, tsa_ca: bytes | None
) -> str:
    """Who sealed it; "" where the seal does not hold."""
    from gateway.evidence import cades

    issuers, tsas = ([] if pem is None else cades.certificates(pem) for pem in (signer_ca, tsa_ca))
    now = to_datetime(now_ms)
    try:
        seal = cades.check(opened.manifest, opened.signature, issuers, tsas, now=now)
    except DataError as error:
        found.refused(error, step="signer")
        return ""
    if seal.trusted:
        found.took("signer")
    elif signer_ca is None:
        found.lacks("signer", "signer: no issuer given that vouches for the seal")
    elif seal.trusted_then:
        found.lacks("signer", "signer: the seal's certificate is not valid any more")
    else:
        found.fault("signer", "no issuer you trust vouches for the seal's certificate")
    return seal.name

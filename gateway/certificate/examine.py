"""Verification of a certificate: the bundle inside it, and the file around the bundle.

The verdict is the gravest of both. The file is read by a process of its own (`examiner`); if that
process ends without an answer the file is not one Acuse wrote, and the verdict is INVALID.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gateway
from gateway.certificate.pemfiles import parse_certificates
from gateway.errors import DataError, InternalError
from gateway.ledger.entry import time_text
from gateway.ledger.proof import NotABundle
from gateway.ledger.report import GRAVITY, INVALID, UNANCHORED, Report
from gateway.ledger.verify import verify_bundle

if TYPE_CHECKING:
    from gateway.ledger.policyfile import Policy
    from gateway.ledger.stamps import StampCheck

#: The largest file that is looked into; a certificate with a bundle of 16 MiB stays below.
MAX_CERTIFICATE_BYTES = 48 << 20
#: Backstop for a machine that does nothing else; the examiner's own bound is its CPU time.
_PATIENCE_S = 60.0
_STEPS = ("document", "signer")


@dataclass(frozen=True, slots=True)
class CertificateReport(Report):
    """A report with what the file itself shows."""

    sealed_by: str | None = None
    sealed_at_ms: int | None = None
    #: Document time stamps; the last one is the youngest renewal.
    time_stamps: int = 0
    made_by: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, object]:
        """The object of `--json`, with `certificate`."""
        at_ms = self.sealed_at_ms
        return {
            **Report.as_json(self),
            "certificate": {
                "sealed_by": self.sealed_by,
                "sealed_at": None if at_ms is None else time_text(at_ms),
                "time_stamps": self.time_stamps,
                **dict(self.made_by),
            },
        }

    def explain(self) -> list[str]:
        """The same for people, a sentence a line."""
        verdict, *lines = Report.explain(self)
        if self.sealed_by is not None and self.sealed_at_ms is not None:
            lines.insert(0, f"Sealed by {self.sealed_by} at {time_text(self.sealed_at_ms)}.")
        return [verdict, *lines]


def verify_certificate(
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
    """Check the certificate (PDF) in *data*; *signer_ca* and *tsa_ca* are PEM.

    The other arguments are those of `verify_bundle`.

    Raises:
        NotABundle: an intact certificate around a bundle of another format (exit 65).
        DataError: an argument cannot be read, or the file is too large to be looked into.
    """
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise DataError(
            f"larger than {MAX_CERTIFICATE_BYTES} bytes",
            hint="no certificate is; is it the right file?",
        )
    found = _examine(data, signer_ca, tsa_ca)
    faults, lacks = [[tuple(each) for each in found[name]] for name in ("faults", "lacks")]
    report = None
    if found["bundle"] is not None:
        try:
            report = verify_bundle(
                base64.b64decode(found["bundle"]),
                now_ms=now_ms,
                policy=policy,
                since=since,
                max_age_s=max_age_s,
                stamp_check=stamp_check,
            )
        except NotABundle as error:
            if not faults:
                raise
            faults.append(("document", f"document: its attachment is no bundle: {error.message}"))
    return _together(report, faults, lacks, found)


def _together(
    report: Report | None, faults: list[Any], lacks: list[Any], found: dict[str, Any]
) -> CertificateReport:
    """The gravest of what the bundle and what the file gave; of equals the bundle's."""
    given: dict[str, Any] = {}
    if report is not None:
        given = {each.name: getattr(report, each.name) for each in fields(Report)}
    verdict, reason, seq = given.get("verdict"), given.get("reason"), given.get("seq")
    for own, reasons in ((INVALID, faults), (UNANCHORED, lacks)):
        if reasons and (verdict is None or GRAVITY.index(own) < GRAVITY.index(verdict)):
            verdict, reason, seq = own, reasons[0][1], None
    broken = {step for step, _ in (*faults, *lacks)}
    taken = _STEPS if report is not None else tuple(step for step in _STEPS if step in broken)
    given |= {
        "verdict": verdict,
        "reason": reason,
        "seq": seq,
        "checks": (*given.get("checks", ()), *((step, step not in broken) for step in taken)),
    }
    return CertificateReport(
        **given,
        sealed_by=found["sealed_by"],
        sealed_at_ms=found["sealed_at_ms"],
        time_stamps=found["time_stamps"],
        made_by=tuple(sorted(found["made_by"].items())),
    )


_NOTHING: dict[str, Any] = {
    "faults": [],
    "lacks": [],
    "bundle": None,
    "made_by": {},
    "sealed_by": None,
    "sealed_at_ms": None,
    "time_stamps": 0,
}


def _examine(data: bytes, signer_ca: bytes | None, tsa_ca: bytes | None) -> dict[str, Any]:
    """What the examiner found (`Found` as JSON); a fault if it did not come to an end."""
    for name, pem in (("signer_ca", signer_ca), ("tsa_ca", tsa_ca)):
        _check_pem(name, pem)
    question = {
        name: None if pem is None else pem.decode("ascii", "replace")
        for name, pem in (("signer_ca", signer_ca), ("tsa_ca", tsa_ca))
    }
    # Isolated from the directory somebody's file lies in: nothing is imported from there.
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(gateway.__file__).resolve().parent.parent),
        "PYTHONSAFEPATH": "1",
        "RAYON_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
    }
    loud = bool(os.environ.get("ACUSE_DEBUG"))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gateway.certificate.examiner"],
            input=json.dumps(question).encode() + b"\n" + data,
            stdout=subprocess.PIPE,
            stderr=None if loud else subprocess.DEVNULL,
            env=environment,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {**_NOTHING, "faults": [_unreadable("reading it takes too long")]}
    except OSError as error:
        raise InternalError(
            f"the process that reads certificates cannot be started: {error.strerror}",
            hint="check the limits of this user",
        ) from None
    ready, *answer = done.stdout.splitlines() or [b""]
    if not ready.startswith(b"{"):
        raise InternalError(
            "the process that reads certificates does not start",
            hint="ACUSE_DEBUG=1 shows why; is the installation complete?",
        )
    if done.returncode == 0 and len(answer) == 1:
        found: dict[str, Any] = json.loads(answer[0])
        return found
    why = "reading it costs more than any certificate" if done.returncode < 0 else "it is damaged"
    return {**_NOTHING, "faults": [_unreadable(why)]}


def _check_pem(name: str, pem: bytes | None) -> None:
    """What cannot be read of it is the verifier's mistake, not the file's."""
    try:
        if pem is not None:
            parse_certificates(pem)
    except ValueError as error:
        raise DataError(
            f"{name}: {error}", hint="PEM, with -----BEGIN CERTIFICATE-----", field=name
        ) from None


def _unreadable(why: str) -> tuple[str, str]:
    return "document", f"document: {why}"

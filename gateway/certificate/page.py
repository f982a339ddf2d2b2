"""The certificate's page: a PDF/A-3 made from a bundle alone, the same bytes every time."""

from __future__ import annotations

import json
from hashlib import sha256

from gateway.certificate import engine
from gateway.errors import DataError
from gateway.ledger.canonical import decode
from gateway.ledger.entry import time_ms
from gateway.ledger.proof import parse_bundle
from gateway.ledger.report import FORK, INVALID
from gateway.ledger.verify import verify_bundle

LANGUAGES = ("es", "en", "pt", "ca")


def render(bundle: bytes, language: str) -> bytes:
    """The certificate of the `acuse-proof/v1` *bundle* in *language* (`LANGUAGES`), unsigned.

    A pure function: no clock, no network, no system fonts. The bundle is attached unchanged as
    `acuse-proof.json`. Threads may call it; they are served one after the other.

    Raises:
        NotABundle: *bundle* is none.
        DataError: it does not hold together, so nothing may be certified from it; or there is no
            such language.
    """
    if language not in LANGUAGES:
        raise DataError(
            f"there are no certificates in {language!r}",
            hint=f"one of {', '.join(LANGUAGES)}",
            field="language",
        )
    report = verify_bundle(bundle, now_ms=0)
    if report.verdict in (INVALID, FORK):
        raise DataError(
            f"the bundle proves nothing: {report.reason}",
            hint="`acuse verify` says more; no certificate is made of it",
            field="bundle",
        )
    parsed = parse_bundle(bundle)
    last = decode(parsed.entries[-1].entry.encode())
    issuer = parsed.issuer if isinstance(parsed.issuer, dict) else {}
    data = {
        "language": language,
        "title": f"SMS {parsed.submission_id}",
        "author": str(issuer.get("legal_name") or "?"),
        "keywords": engine.marks(language),
        "lines": [json.dumps(report.as_json()), sha256(bundle).hexdigest()],
    }
    return engine.typeset(data, bundle, time_ms(last["t"]) // 1000)

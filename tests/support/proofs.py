"""Both verifiers' opinion of a submission's bundle, as it comes from a running daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.ledger.verify import verify_bundle
from tests.support.standalone import agree
from tests.support.world import NOON_MS

if TYPE_CHECKING:
    from tests.support.world import Daemon


async def proven(
    daemon: Daemon, submission_id: str, verdict: str = "UNANCHORED"
) -> list[dict[str, Any]]:
    """The entries of a submission, after both verifiers found nothing wrong with its bundle.

    UNANCHORED: nothing outside vouches for it. AMBIGUOUS: a receipt fits other messages too.
    """
    answer = await daemon.result("bundle", submission_id=submission_id)
    text = answer["bundle"]
    report = verify_bundle(text.encode(), now_ms=2 * NOON_MS)
    assert str(report.verdict) == verdict, report.reason
    bundle = json.loads(text)
    agree(report, text.encode(), now_ms=2 * NOON_MS)
    return [json.loads(each["entry"]) for each in bundle["entries"]]

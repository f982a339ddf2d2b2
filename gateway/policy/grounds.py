"""What a decision found beside its rules, as people read it: how long hours last, what counted."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.policy.caps import CapCount
    from gateway.policy.decide import Decision


def findings(decision: Decision) -> Iterator[str]:
    """Sentences about the instant and the history it was judged by."""
    if decision.action == "release" and decision.arrive_until_s < math.inf:
        end = datetime.fromtimestamp(decision.arrive_until_s, UTC)
        yield f"The hours in which it may arrive end at {end:%Y-%m-%dT%H:%M:%SZ}."
    if decision.caps:
        yield f"Counted so far: {', '.join(map(_count, decision.caps))}."


def _count(cap: CapCount) -> str:
    full = ", so this would be one too many" if cap.counted >= cap.rule.most else ""
    return f"{cap.counted} of {cap.rule.most} by {cap.rule.id}{full}"

"""Time: the RFC 3161 tokens a bundle carries, the bounds they prove, and the age of the newest.

Whether a token is genuine is somebody else's check (`StampCheck`); here is what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from gateway.errors import DataError
from gateway.ledger.canonical import refusal
from gateway.ledger.entry import time_ms, time_text
from gateway.ledger.note import Checkpoint, decode_base64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.ledger.checks import Case
    from gateway.ledger.proof import Timestamp
    from gateway.ledger.report import Findings
    from gateway.ledger.trust import History

#: What an entry's time may exceed a token's bound by, besides the token's own accuracy.
TIME_SLACK_MS = 5_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """The time a trusted RFC 3161 token proves, and how exact its maker says it is."""

    at_ms: int
    accuracy_ms: int


#: A token with its certificates has some 10 kB.
MAX_TOKEN_BYTES = 1 << 16

#: Checks one token (DER) over a note text. None: its issuer is not trusted, it counts as absent.
#: Raises DataError (reason "timestamp"): wrong imprint, signature, key usage or validity.
StampCheck: TypeAlias = Callable[[bytes, str], Stamp | None]


@dataclass(frozen=True, slots=True)
class ProvenStamp:
    """A trusted token over a checkpoint of this log's history."""

    stamp: Stamp
    over: Checkpoint
    token_hash: str


def check_stamps(case: Case, history: History, check: StampCheck | None) -> list[ProvenStamp]:
    """The tokens that are trusted; one must cover the bundle's own checkpoint."""
    found, proven = case.found, []
    for item in case.bundle.timestamps:
        try:
            stamp = _stamp(item, history, check)
        except DataError as error:
            found.refused(error, step="timestamp")
            continue
        if stamp:
            proven.append(stamp)
            found.tsas.append(item.tsa)
    if any(one.over == history.checkpoint for one in proven):
        found.took("timestamp")
    else:
        found.lacks("timestamp", "timestamp: no trusted time stamp covers the checkpoint")
    return proven


def _stamp(item: Timestamp, history: History, check: StampCheck | None) -> ProvenStamp | None:
    token = decode_base64(item.token, what=f"the token of {item.tsa}", reason="timestamp")
    if len(token) > MAX_TOKEN_BYTES:
        raise refusal(f"a token is larger than {MAX_TOKEN_BYTES} bytes", reason="timestamp")
    try:
        over = Checkpoint.parse(item.over)
    except DataError as error:
        raise DataError(error.message, reason="timestamp") from None
    history.prove(over, item.consistency, step="timestamp")
    stamp = check(token, item.over) if check else None
    return ProvenStamp(stamp, over, sha256(token).hexdigest()) if stamp else None


def check_bounds(case: Case, proven: Sequence[ProvenStamp]) -> tuple[int | None, int | None]:
    """(not_before_ms, not_after_ms) the tokens prove, and that the entries' times lie between.

    The newest token an entry before the first one commits to is the lower bound, the oldest token
    over the last entry the upper one.
    """
    found, shown = case.found, case.entries
    first, last = shown[0].seq, shown[-1].seq
    anchored = {
        token
        for one in case.anchors
        if one.seq < first and isinstance(one.body.get("tokens"), list)
        for token in one.body["tokens"]
        if isinstance(token, str)
    }
    earlier = [one.stamp for one in proven if one.token_hash in anchored]
    later = [one.stamp for one in proven if one.over.size > last]
    low = max(earlier, key=lambda stamp: stamp.at_ms, default=None)
    high = min(later, key=lambda stamp: stamp.at_ms, default=None)
    for one in shown:
        at_ms = time_ms(one.body["t"])
        if low and at_ms < low.at_ms - low.accuracy_ms - TIME_SLACK_MS:
            found.fault("time", f"entry {one.seq} is older than a time stamp before it", one.seq)
        if high and at_ms > high.at_ms + high.accuracy_ms + TIME_SLACK_MS:
            found.fault("time", f"entry {one.seq} is newer than a time stamp over it", one.seq)
    return (low.at_ms if low else None), (high.at_ms if high else None)


def check_age(newest_ms: int, now_ms: int, max_age_s: int | None, found: Findings) -> None:
    """Whether the newest time that is shown is young enough for the verifier."""
    if max_age_s is not None and now_ms - newest_ms > max_age_s * 1000:
        found.stale = f"time: nothing here is newer than {time_text(newest_ms)}"

"""Verification of a checkpoint by itself: who signed it, who saw it, and what it says beside one
known before. It proves nothing of any entry; a bundle does that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import DataError
from gateway.ledger import stamps, trust
from gateway.ledger.checks import OpenNote, open_checkpoint
from gateway.ledger.facts import CHECKPOINT, facts_of_log
from gateway.ledger.proof import NotABundle
from gateway.ledger.report import Findings, Report
from gateway.ledger.verify import open_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.ledger.policyfile import Policy

#: What a signed note has and nothing else a verifier is given: the em dash that begins a signature.
_SIGNATURE = "\n\n\u2014 "


def is_note(data: bytes) -> bool:
    """Whether *data* looks like a signed note, whatever its worth."""
    return data[:1] not in (b"{", b"") and _SIGNATURE.encode() in data


def verify_checkpoint(
    data: bytes,
    *,
    now_ms: int,
    policy: Policy | None = None,
    since: str | None = None,
    max_age_s: int | None = None,
    stamp_check: stamps.StampCheck | None = None,
    tokens: Sequence[bytes] = (),
) -> Report:
    """Check the signed checkpoint in *data*; the arguments are those of `verify_bundle`.

    *tokens* are RFC 3161 tokens (DER) over its text. A checkpoint holds no key, so without a policy
    nobody can say who signed it. Beside one known before (*since*): another root of the same size
    is a fork if a key of the policy signed both; a smaller one is stale; of a larger one a
    checkpoint alone cannot show that the log only grew.

    Raises:
        NotABundle: *data* is no signed checkpoint, so there is nothing to judge (exit 65).
        DataError: *since* is none.
    """
    known = open_known(since) if since is not None else None
    try:
        opened = open_checkpoint(data.decode())
    except UnicodeDecodeError:
        raise NotABundle("not a signed note: it is not UTF-8") from None
    except DataError as error:
        raise NotABundle(
            f"not a checkpoint: {error.message}",
            hint="give a signed checkpoint as `acuse ledger checkpoint` prints it",
        ) from None
    found = Findings()
    found.took("parse")
    newest_ms, not_after_ms = _check(opened, found, policy, known, stamp_check, tokens)
    if newest_ms is not None:
        stamps.check_age(newest_ms, now_ms, max_age_s, found)
    elif max_age_s is not None:
        found.lacks("time", "time: nothing shows when this was signed")
    verdict, reason, seq = found.verdict()
    return Report(
        verdict,
        reason,
        seq,
        found.checks(),
        size=opened.checkpoint.size,
        not_after_ms=not_after_ms,
        notes=found.notes,
        facts=facts_of_log(CHECKPOINT, opened.checkpoint.origin, found),
    )


def _check(
    opened: OpenNote,
    found: Findings,
    policy: Policy | None,
    known: OpenNote | None,
    stamp_check: stamps.StampCheck | None,
    tokens: Sequence[bytes],
) -> tuple[int | None, int | None]:
    """Every step; the newest time somebody outside vouches for, and the oldest time stamp's."""
    history = trust.History(opened)
    keys = trust.Keys.of(policy, None, opened.checkpoint.origin, found)
    signed: list[OpenNote] = []
    if keys.known:
        found.took("checkpoint")
    if keys.check(opened, found, step="checkpoint"):
        signed.append(opened)
    elif found.steps.get("checkpoint"):
        found.fault("checkpoint", "it is not signed by a key of the policy")
    witnessed_ms = trust.check_witnesses(opened, policy, (), found)
    stamped = [stamp for token in tokens if (stamp := _stamp(token, opened, stamp_check, found))]
    if stamped:
        found.took("timestamp")
    else:
        found.lacks("timestamp", "timestamp: no trusted time stamp covers the checkpoint")
    if known is not None:
        trust.check_known(known, history, keys, signed, found)
    trust.check_forks(history, signed, found)
    stamps_ms = [stamp.at_ms for stamp in stamped]
    outside_ms = stamps_ms if witnessed_ms is None else [*stamps_ms, witnessed_ms]
    return max(outside_ms, default=None), min(stamps_ms, default=None)


def _stamp(
    token: bytes, opened: OpenNote, check: stamps.StampCheck | None, found: Findings
) -> stamps.Stamp | None:
    try:
        return check(token, opened.text) if check else None
    except DataError as error:
        found.refused(error, step="timestamp")
        return None

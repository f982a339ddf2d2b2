"""Verification of a bundle, offline and by anybody: LEDGER section 5, all steps, one verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import DataError
from gateway.ledger import checks, stamps, trust
from gateway.ledger.entry import time_ms
from gateway.ledger.facts import facts_of
from gateway.ledger.proof import NotABundle, parse_bundle
from gateway.ledger.report import Findings, Report

if TYPE_CHECKING:
    from gateway.ledger.policyfile import Policy


def open_known(note: str) -> checks.OpenNote:
    """The checkpoint a verifier kept (`--since`).

    Raises:
        DataError: it is no signed checkpoint; `fields["field"]` is "since".
    """
    try:
        return checks.open_checkpoint(note)
    except DataError as error:
        raise DataError(
            f"since: {error.message}",
            hint="give a signed checkpoint, as `acuse ledger head` prints it",
            field="since",
        ) from None


def verify_bundle(
    data: bytes,
    *,
    now_ms: int,
    policy: Policy | None = None,
    since: str | None = None,
    max_age_s: int | None = None,
    stamp_check: stamps.StampCheck | None = None,
) -> Report:
    """Check the `acuse-proof/v1` bundle in *data*.

    *policy* pins log keys and witnesses; *since* is a signed checkpoint known before; *max_age_s*
    bounds the age at *now_ms* of the newest time shown (a trusted token's, a known witness's,
    else the log's own); *stamp_check* says which tokens are trusted, without it none is.

    Raises:
        NotABundle: *data* is no bundle, so there is nothing to judge (exit 65).
        DataError: *since* is no signed checkpoint.
    """
    known = open_known(since) if since is not None else None
    found = Findings()
    try:
        bundle = parse_bundle(data)
    except NotABundle:
        raise
    except DataError as error:
        found.refused(error)
        verdict, reason, seq = found.verdict()
        return Report(verdict, reason, seq, found.checks())
    case = checks.Case(bundle, found)
    state = None
    if case.whole:
        state = checks.check_course(case).state
        checks.check_chain(case)
        checks.check_times(case)
        checks.check_envelope(case)
        checks.check_commitments(case)
    bounds: tuple[int | None, int | None] = (None, None)
    if case.opened is not None:
        bounds = _check_trust(case, case.opened, policy, known, max_age_s, now_ms, stamp_check)
    verdict, reason, seq = found.verdict()
    return Report(
        verdict,
        reason,
        seq,
        found.checks(),
        submission_id=bundle.submission_id,
        state=state,
        size=case.opened.checkpoint.size if case.opened else None,
        not_before_ms=bounds[0],
        not_after_ms=bounds[1],
        notes=found.notes,
        facts=facts_of(case),
    )


def _check_trust(
    case: checks.Case,
    opened: checks.OpenNote,
    policy: Policy | None,
    known: checks.OpenNote | None,
    max_age_s: int | None,
    now_ms: int,
    stamp_check: stamps.StampCheck | None,
) -> tuple[int | None, int | None]:
    """Who vouches for the checkpoint; the time bounds that are proven."""
    found, bundle = case.found, case.bundle
    history = trust.History(opened)
    keys = trust.Keys.of(policy, bundle.log, opened.checkpoint.origin, found)
    signed = trust.check_signatures(case, keys)
    complete = checks.check_complete(case, opened) if case.whole else None
    if complete is not None:
        try:
            # Where the checkpoint is not signed either, that is the fault to tell.
            if not keys.signed(*complete) and opened in signed:
                found.fault("complete", "that nothing is kept back is not signed by the log's key")
        except DataError as error:
            found.fault("complete", error.message)
    witnessed_ms = trust.check_witnesses(opened, policy, bundle.witnesses, found)
    proven = stamps.check_stamps(case, history, stamp_check)
    bounds = stamps.check_bounds(case, proven)
    trust.check_since(case, history, keys, signed)
    if known is not None:
        trust.check_known(known, history, keys, signed, found)
    trust.check_forks(history, signed, found)
    outside_ms = [one.stamp.at_ms for one in proven] + [witnessed_ms or 0]
    newest_ms = max(outside_ms) or max(
        time_ms(one.body["t"]) for one in (*case.entries, *case.anchors)
    )
    stamps.check_age(newest_ms, now_ms, max_age_s, found)
    return bounds

"""The annex's section about the log: where the entries stand, and who vouches for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.certificate.moments import exact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.certificate.scribe import Block, Scribe
    from gateway.certificate.tokens import TokenFacts


def ledger(scribe: Scribe, numbers: dict[str, str]) -> Iterator[Block]:
    """Position, checkpoint, witnesses and time stamps."""
    facts, words = scribe.facts, scribe.words
    positions = ", ".join(str(one.seq) for one in facts.events)
    yield scribe.text("ledger", "explained", positions=positions)
    size = facts.checkpoint.size
    witnesses = [
        words("ledger", "witness", name=one.name, date=date, time=time)
        for one in facts.witnesses
        for date, time in [exact(one.at_s * 1000)[:19].split(" ")]
    ]
    anchors = ", ".join(map(str, facts.anchors))
    yield scribe.fields(
        ("origin", scribe.mono(facts.checkpoint.origin)),
        ("size", str(size)),
        ("positions", positions),
        ("root", scribe.mono(facts.checkpoint.root.hex())),
        ("key", scribe.mono(facts.log_key)),
        (
            "complete",
            words("ledger", "complete", size=size)
            if facts.complete
            else words("ledger", "incomplete"),
        ),
        ("witnesses", scribe.runs("; ".join(witnesses) or words("ledger", "no_witness"))),
        ("anchors", words("ledger", "anchors", positions=anchors) if anchors else ""),
        ("rotations", str(facts.rotations) if facts.rotations else ""),
    )
    yield {"kind": "sub", "text": scribe.label("note")}
    yield scribe.code(*facts.note.rstrip("\n").split("\n"))
    yield {"kind": "sub", "text": scribe.label("stamps")}
    if not facts.tokens:
        yield scribe.text("ledger", "no_token")
    for token in facts.tokens:
        yield _token(scribe, token)


def _token(scribe: Scribe, token: TokenFacts) -> Block:
    words, stamp = scribe.words, token.stamp
    if stamp is None:
        stamped = words("ledger", "unreadable")
    else:
        date, time = exact(stamp.at_ms).split(" ")
        seconds = f"{max(stamp.accuracy_ms, 0) / 1000:g}"
        stamped = words("ledger", "accuracy", date=date, time=time, seconds=seconds)
    return scribe.fields(
        ("tsa", scribe.runs(token.tsa)),
        ("stamped", stamped),
        ("signer", scribe.runs(token.subject)),
        ("policy_uri", scribe.mono(token.policy) if token.policy else ""),
        ("token", scribe.mono(token.sha256)),
    )

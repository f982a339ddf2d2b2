"""Verdicts on a checkpoint by itself, and beside one known before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import DataError
from gateway.ledger.note import sign_note
from gateway.ledger.notecheck import is_note, verify_checkpoint
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.proof import NotABundle
from gateway.ledger.stamps import Stamp
from tests.support.ledgers import MemoryLedger, Witness

if TYPE_CHECKING:
    from gateway.ledger.report import Report

AT_MS = 1_795_280_410_000


def ledger_of(*outcomes: str, **given: Any) -> MemoryLedger:
    ledger = MemoryLedger(**given)
    for n, outcome in enumerate(outcomes):
        ledger.submission(f"m{n}", outcome)
    ledger.checkpoint()
    return ledger


def trusted(token: bytes, over: str) -> Stamp | None:
    if token == b"wrong":
        raise DataError("the imprint is of something else", reason="timestamp")
    return Stamp(AT_MS + len(token), 0) if token.startswith(b"t") else None


LEDGER = ledger_of("delivered")
NOTE = LEDGER.notes[0]


def judge(note: str = NOTE, ledger: MemoryLedger = LEDGER, **given: Any) -> Report:
    policy = parse_policy(f"log {ledger.vkey}\nquorum none\n".encode())
    known = {"now_ms": AT_MS, "policy": policy, "stamp_check": trusted, "tokens": [b"t"]}
    return verify_checkpoint(note.encode(), **{**known, **given})


def test_signed_by_a_pinned_key_and_stamped_is_valid() -> None:
    report = judge(tokens=[b"ttt", b"t", b"unknown"])
    assert (report.verdict, report.reason, report.size) == ("VALID", None, 5)
    assert (report.not_before_ms, report.not_after_ms) == (None, AT_MS + 1)
    assert [name for name, _ in report.checks] == [
        *("parse", "policy", "checkpoint", "witnesses", "timestamp"),
    ]


@pytest.mark.parametrize(
    ("given", "verdict", "reason"),
    [
        ({"policy": None}, "UNANCHORED", "checkpoint: no policy pins the log's key"),
        ({"tokens": []}, "UNANCHORED", "timestamp: no trusted time stamp"),
        ({"tokens": [b"unknown"]}, "UNANCHORED", "timestamp: no trusted time stamp"),
        ({"stamp_check": None}, "UNANCHORED", "timestamp: no trusted time stamp"),
        ({"tokens": [b"wrong"]}, "INVALID", "timestamp: the imprint"),
        ({"tokens": [b"wrong", b"t"]}, "INVALID", "timestamp: the imprint"),
        ({"max_age_s": 10, "now_ms": AT_MS + 11_001}, "STALE", "time: nothing here is newer"),
        ({"max_age_s": 10, "now_ms": AT_MS + 9_000}, "VALID", ""),
    ],
)
def test_what_keeps_a_checkpoint_from_being_valid(
    given: dict[str, Any], verdict: str, reason: str
) -> None:
    report = judge(**given)
    assert report.verdict == verdict
    assert (report.reason or "").startswith(reason)


def test_without_any_time_its_age_is_not_known() -> None:
    report = judge(tokens=[], max_age_s=10)
    assert report.verdict == "UNANCHORED"
    assert not dict(report.checks)["time"]


def test_who_signed_it_decides() -> None:
    forged = sign_note(NOTE.partition("\n\n")[0] + "\n", MemoryLedger(key="x").signer)
    report = judge(forged)
    assert (report.verdict, report.reason) == (
        "INVALID",
        "checkpoint: it is not signed by a key of the policy",
    )
    changed = judge(NOTE.replace("\n5\n", "\n6\n"))
    assert (changed.reason or "").startswith("checkpoint: the signature by")
    foreign = ledger_of("delivered", origin="other.example/1")
    assert judge(foreign.notes[0]).verdict == "INVALID"


def test_witnesses_count_by_the_policys_quorum() -> None:
    witness = Witness("w.example")
    policy = parse_policy(f"log {LEDGER.vkey}\nwitness w {witness.vkey}\nquorum w\n".encode())
    assert judge(policy=policy).verdict == "UNANCHORED"
    cosigned = witness.cosign(NOTE, AT_MS // 1000)
    assert judge(cosigned, policy=policy).verdict == "VALID"
    fresh = judge(cosigned, policy=policy, tokens=[], max_age_s=10)
    assert (fresh.verdict, fresh.not_after_ms) == ("UNANCHORED", None)
    other = witness.cosign(ledger_of("open").notes[0], 1).splitlines()[-1]
    assert judge(f"{NOTE}{other}\n", policy=policy).verdict == "INVALID"


def test_beside_one_known_before() -> None:
    longer = ledger_of("delivered", "delivered")
    other = ledger_of("undelivered")
    assert judge(since=NOTE).verdict == "VALID"
    unproven = judge(longer.notes[0], longer, since=NOTE)
    assert (unproven.verdict, unproven.reason) == ("UNANCHORED", "since_unproven")
    stale = judge(since=longer.notes[0])
    assert (stale.verdict, stale.reason) == ("STALE", "since: 5 entries, 9 were known before")
    fork = judge(since=other.notes[0])
    assert (fork.verdict, fork.notes) == ("FORK", (NOTE, other.notes[0]))
    alone = judge(since=other.notes[0], policy=None)
    assert (alone.verdict, (alone.reason or "")[:6]) == ("INVALID", "since:")
    forged = ledger_of("undelivered", key="forger")
    assert judge(since=forged.notes[0]).verdict == "INVALID"


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"nonsense", NOTE.encode()[:-5], b"a\n\n\xe2\x80\x94 x AAAAAAAA\n"],
)
def test_what_is_no_checkpoint_is_not_judged(data: bytes) -> None:
    with pytest.raises(NotABundle):
        verify_checkpoint(data, now_ms=0)


def test_the_one_known_before_must_be_a_checkpoint() -> None:
    with pytest.raises(DataError, match="since"):
        judge(since="nonsense")


def test_a_note_is_told_from_other_files() -> None:
    assert is_note(NOTE.encode())
    for other in (b"", b"{}", b"%PDF", LEDGER.bundle("m0")):
        assert not is_note(other)

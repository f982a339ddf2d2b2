"""Anchors of a whole ledger: what is stored beside the checkpoints, and times between tokens."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import DataError, StorageError
from gateway.ledger.audit import verify_ledger
from gateway.ledger.note import Checkpoint, open_note
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.stamps import Stamp
from tests.support.ledgers import MemoryLedger, Witness

if TYPE_CHECKING:
    from gateway.ledger.report import Report

WITNESS = Witness("witness.example")


def made(*, tokens: int = 1, witnesses: int = 0) -> MemoryLedger:
    """Two stretches of submissions, each signed and anchored."""
    ledger = MemoryLedger()
    for n in range(2):
        ledger.submission(f"m{n}")
        note = ledger.checkpoint()
        anchor(
            ledger,
            note,
            [f"token {n}.{k}".encode() for k in range(tokens)],
            [WITNESS.cosign(note, 1).splitlines()[-1]] * witnesses,
        )
    return ledger


def anchor(
    ledger: MemoryLedger, note: str, stamps: list[bytes], lines: list[str], **given: Any
) -> int:
    checkpoint = Checkpoint.parse(open_note(note)[0])
    ledger.stamps[checkpoint.size] = stamps
    ledger.cosigned[checkpoint.size] = lines
    return ledger.append(
        "x.Anchor",
        **{
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "tokens": [sha256(each).hexdigest() for each in stamps],
            "witnesses": [sha256(each.encode()).hexdigest() for each in lines],
            **given,
        },
    )


def judge(ledger: MemoryLedger, rows: str = "quorum none", **given: Any) -> Report:
    policy = parse_policy(f"log {ledger.vkey}\n{rows}\n".encode())
    return verify_ledger(ledger, **{"now_ms": ledger.now_ms, "policy": policy, **given})


class Stamps:
    """A check that trusts every token, of the time of the checkpoint it is over."""

    def __init__(self, ledger: MemoryLedger, *, off_ms: int = 0, accuracy_ms: int = 0) -> None:
        self._ledger = ledger
        self._off_ms = off_ms
        self._accuracy_ms = accuracy_ms

    def __call__(self, _token: bytes, text: str) -> Stamp:
        size = Checkpoint.parse(text).size
        return Stamp(START + 250 * size + self._off_ms, self._accuracy_ms)


#: `t` of entry n is this plus 250 ms for each entry up to n.
START = MemoryLedger(genesis=False).now_ms


def test_a_ledger_with_a_trusted_token_is_valid_and_tells_its_tail() -> None:
    ledger = made()
    report = judge(ledger, stamp_check=Stamps(ledger))
    assert (report.verdict, report.exit_code, report.tail) == ("VALID", 0, 0)
    assert dict(report.checks)["timestamp"] is True
    ledger.submission("later", "refused")
    assert judge(ledger, stamp_check=Stamps(ledger)).tail == 2


def test_tokens_nobody_trusts_count_as_absent() -> None:
    ledger = made()
    assert judge(ledger).verdict == "UNANCHORED"
    report = judge(ledger, stamp_check=lambda *_: None)
    assert (report.verdict, report.reason) == (
        "UNANCHORED",
        "timestamp: no trusted time stamp covers the ledger",
    )


def test_a_token_that_is_wrong_makes_the_ledger_invalid() -> None:
    def check(_token: bytes, _text: str) -> Stamp:
        raise DataError("over something else", reason="timestamp")

    report = judge(made(), stamp_check=check)
    assert (report.verdict, report.reason) == ("INVALID", "timestamp: over something else")


@pytest.mark.parametrize("stored", [[], [b"token 0.1"], [b"token 0.0 "]])
def test_a_stored_token_that_is_missing_or_altered_is_noticed_by_whoever_trusts_it_or_not(
    stored: list[bytes],
) -> None:
    ledger = made()
    first = min(ledger.stamps)
    ledger.stamps[first] = stored
    for check in (None, Stamps(ledger)):
        report = judge(ledger, stamp_check=check)
        assert (report.verdict, report.reason) == (
            "INVALID",
            f"timestamp: a token that the anchor {first} names is missing or altered",
        )


def test_a_token_more_than_the_anchors_name_proves_nothing_and_harms_nothing() -> None:
    ledger = made()
    ledger.stamps[min(ledger.stamps)].append(b"stray")
    assert judge(ledger, stamp_check=Stamps(ledger)).verdict == "VALID"


def test_entries_must_lie_between_the_tokens_around_them() -> None:
    ledger = made()
    # A token is as old as the last entry under it, and 250 ms older than its anchor.
    for off_ms, good in ((-5000, True), (-5001, False), (5250, True), (5251, False)):
        report = judge(ledger, stamp_check=Stamps(ledger, off_ms=off_ms))
        assert report.verdict == ("VALID" if good else "INVALID"), off_ms
        assert (report.reason or "time:").startswith("time:")
    exact = judge(ledger, stamp_check=Stamps(ledger, off_ms=-6000, accuracy_ms=1000))
    assert exact.verdict == "VALID"


def test_of_two_tokens_over_one_checkpoint_either_will_do() -> None:
    ledger = made(tokens=2)
    both = Stamps(ledger)
    assert judge(ledger, stamp_check=both).verdict == "VALID"

    def second(token: bytes, text: str) -> Stamp | None:
        return both(token, text) if token.endswith(b".1") else None

    assert judge(ledger, stamp_check=second).verdict == "VALID"


def test_the_age_is_that_of_the_newest_token() -> None:
    ledger = made()
    late = ledger.now_ms + 90_000
    check = Stamps(ledger)
    assert judge(ledger, stamp_check=check, now_ms=late, max_age_s=60).verdict == "STALE"
    assert judge(ledger, stamp_check=check, now_ms=late, max_age_s=120).verdict == "VALID"


def test_the_last_entry_under_a_token_may_be_damaged_which_its_own_step_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = made()

    def gone(_ledger: MemoryLedger, seq: int) -> bytes:
        raise StorageError(f"entry {seq} is missing")

    monkeypatch.setattr(MemoryLedger, "entry", gone)
    assert judge(ledger, stamp_check=Stamps(ledger)).verdict == "VALID"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"root": "00" * 32}, "names another root than was signed"),
        ({"root": None}, "names another root than was signed"),
        ({"size": 3}, "covers no checkpoint before it"),
        ({"size": "5"}, "covers no checkpoint before it"),
        ({"tokens": "none"}, "is not of the form of one"),
        ({"tokens": ["AB"]}, "is not of the form of one"),
        ({"witnesses": [7]}, "is not of the form of one"),
    ],
)
def test_an_anchor_that_is_none_is_out_of_place(given: dict[str, Any], why: str) -> None:
    ledger = made()
    seq = anchor(ledger, ledger.notes[-1], [], [], **given)
    ledger.stamps[Checkpoint.parse(open_note(ledger.notes[-1])[0]).size] = [b"token 1.0"]
    report = judge(ledger, stamp_check=Stamps(ledger))
    assert (report.verdict, report.reason) == ("INVALID", f"place: the anchor {seq} {why}")


def test_an_anchor_may_tell_late_of_a_checkpoint_but_not_of_any_age() -> None:
    ledger = made()
    first = ledger.notes[0]
    late = anchor(ledger, first, [b"token 0.0", b"late"], [])
    assert late
    report = judge(ledger, stamp_check=lambda *_: None)
    assert (report.verdict, report.tail) == ("UNANCHORED", 0)
    for n in range(70):
        ledger.append("x.Admin", by="uid 0", cmd=f"nothing {n}")
        ledger.checkpoint()
    anchor(ledger, first, [b"token 0.0", b"late"], [])
    assert "covers no checkpoint" in (judge(ledger).reason or "")


def test_witnesses_are_counted_where_they_cosigned() -> None:
    quorum = f"witness w {WITNESS.vkey}\nquorum w"
    ledger = made(witnesses=1)
    ledger.submission("later")
    ledger.checkpoint()
    report = judge(ledger, quorum, stamp_check=Stamps(ledger))
    assert report.verdict == "VALID", report.reason
    assert judge(made(), quorum).reason == (
        "witnesses: 0 of the policy's witnesses signed, its quorum is not met"
    )


@pytest.mark.parametrize("stored", [[], ["— witness.example AAAA"]])
def test_a_stored_cosignature_that_is_missing_or_altered_is_noticed(stored: list[str]) -> None:
    ledger = made(witnesses=1)
    ledger.cosigned[min(ledger.cosigned)] = stored
    report = judge(ledger, stamp_check=Stamps(ledger))
    assert report.verdict == "INVALID"
    assert (report.reason or "").startswith("witnesses: a cosignature that the anchor ")


def test_a_line_that_is_no_cosignature_is_a_fault_though_an_anchor_names_it() -> None:
    ledger = made()
    note = ledger.checkpoint()
    anchor(ledger, note, [], ["not a signature line"])
    report = judge(ledger, stamp_check=Stamps(ledger))
    assert report.verdict == "INVALID"
    assert (report.reason or "").startswith("witnesses: ")

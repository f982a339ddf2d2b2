"""Verdicts on bundles: each of LEDGER section 5, with what a user gave and what must come out."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import DataError
from gateway.evidence.bundle import Token
from gateway.ledger.note import Checkpoint, Signer, open_note, sign_note
from gateway.ledger.policyfile import Policy, parse_policy
from gateway.ledger.proof import NotABundle
from gateway.ledger.stamps import Stamp
from gateway.ledger.verify import verify_bundle
from tests.support.ledgers import MemoryLedger, Witness, seed
from tests.support.standalone import agree

if TYPE_CHECKING:
    from gateway.ledger.report import Report

SENT_S = 1_795_280_410


def ledger_of(*outcomes: str, **given: Any) -> MemoryLedger:
    ledger = MemoryLedger(**given)
    for n, outcome in enumerate(outcomes):
        ledger.submission(f"m{n}", outcome)
    ledger.checkpoint()
    return ledger


def policy_of(ledger: MemoryLedger, *rows: str) -> Policy:
    return parse_policy("\n".join([f"log {ledger.vkey}", *(rows or ("quorum none",))]).encode())


def trusted(_token: bytes, _over: str) -> Stamp:
    return Stamp(at_ms=SENT_S * 1000, accuracy_ms=1000)


def judge(ledger: MemoryLedger, data: bytes, **given: Any) -> Report:
    """Our report; the standalone verifier must say the same to the letter."""
    given = {"now_ms": ledger.now_ms, "policy": policy_of(ledger), **given}
    report = verify_bundle(data, **given)
    agree(report, data, **given)
    return report


def stamped(ledger: MemoryLedger, mid: str = "m0", **given: Any) -> bytes:
    note = given.get("note") or ledger.notes[-1]
    return ledger.bundle(mid, tokens=[Token("tsa", open_note(note)[0], b"token")], **given)


def steps(report: Report) -> dict[str, bool]:
    return dict(report.checks)


# -- VALID and what keeps a bundle from it -------------------------------------------------------


def test_pinned_stamped_and_final_is_valid() -> None:
    ledger = ledger_of("delivered")
    report = judge(ledger, stamped(ledger), stamp_check=trusted)
    assert (report.verdict, report.exit_code, report.reason, report.seq) == ("VALID", 0, None, None)
    assert (report.submission_id, report.state, report.size) == ("m0", "delivered", 5)
    assert report.not_after_ms == SENT_S * 1000
    assert report.not_before_ms is None
    assert all(ok for _, ok in report.checks)
    assert [name for name, _ in report.checks] == [
        *("parse", "canonical", "inclusion", "place", "chain", "links", "complete", "envelope"),
        *("commitments", "policy", "checkpoint", "witnesses", "timestamp", "time"),
    ]


def test_without_a_policy_nothing_vouches_for_it() -> None:
    ledger = ledger_of("delivered")
    report = judge(ledger, stamped(ledger), policy=None, stamp_check=trusted)
    assert (report.verdict, report.exit_code) == ("UNANCHORED", 4)
    assert report.reason == "checkpoint: no policy pins the log's key"
    assert not steps(report)["policy"]
    assert "witnesses" not in steps(report)


def test_a_policy_that_names_no_log_pins_nothing() -> None:
    ledger = ledger_of("delivered")
    report = judge(
        ledger, stamped(ledger), policy=parse_policy(b"quorum none"), stamp_check=trusted
    )
    assert report.reason == "checkpoint: the policy names no log"


@pytest.mark.parametrize("check", [None, lambda _token, _over: None])
def test_a_token_nobody_trusts_counts_as_absent(check: Any) -> None:
    ledger = ledger_of("delivered")
    report = judge(ledger, stamped(ledger), stamp_check=check)
    assert report.verdict == "UNANCHORED"
    assert report.reason == "timestamp: no trusted time stamp covers the checkpoint"
    assert judge(ledger, ledger.bundle("m0"), stamp_check=trusted).reason == report.reason


def test_a_token_over_an_earlier_checkpoint_does_not_cover_the_bundles() -> None:
    ledger = ledger_of("delivered")
    early = open_note(ledger.notes[0])[0]
    ledger.accept("later")
    ledger.checkpoint()
    data = ledger.bundle("m0", tokens=[Token("tsa", early, b"token")])
    report = judge(ledger, data, stamp_check=trusted)
    assert (report.verdict, report.not_after_ms) == ("UNANCHORED", SENT_S * 1000)


@pytest.mark.parametrize("case", ["issuer", "base64", "over", "history", "foreign"])
def test_a_bad_token_is_invalid(case: str) -> None:
    ledger = ledger_of("delivered")
    found = json.loads(stamped(ledger))
    item = found["timestamps"][0]

    def refuse(_token: bytes, _over: str) -> Stamp:
        raise DataError("the imprint is of something else", reason="timestamp")

    if case == "base64":
        item["token"] = "!"
    elif case == "over":
        item["over"] += "x"
    elif case == "history":
        item["over"] = Checkpoint(ledger.origin, 3, bytes(32)).text()
    elif case == "foreign":
        item["over"] = item["over"].replace("2026a", "2026b")
    check = refuse if case == "issuer" else trusted
    report = judge(ledger, json.dumps(found).encode(), stamp_check=check)
    assert report.verdict == "INVALID"
    assert (report.reason or "").startswith("timestamp: ")


def test_an_open_submission_is_not_final() -> None:
    ledger = ledger_of("open")
    report = judge(ledger, stamped(ledger), stamp_check=trusted)
    assert (report.verdict, report.exit_code, report.state) == ("NOT-FINAL", 5, "accepted")
    assert report.reason == "complete: the submission is still open"


def test_without_a_statement_of_completeness_it_is_not_final() -> None:
    ledger = ledger_of("delivered")
    report = judge(ledger, stamped(ledger, complete=None), stamp_check=trusted)
    assert (report.verdict, report.state) == ("NOT-FINAL", "delivered")
    assert "does not state" in (report.reason or "")


def test_an_erased_submission_is_valid_erased() -> None:
    ledger = MemoryLedger()
    ledger.submission("m0")
    ledger.append("x.Erased", mid="m0", basis="art. 17")
    ledger.checkpoint()
    report = judge(ledger, stamped(ledger, key=None), stamp_check=trusted)
    assert (report.verdict, report.exit_code, report.state) == ("VALID-ERASED", 6, "erased")


def test_a_receipt_that_fits_several_submissions_is_ambiguous() -> None:
    ledger = MemoryLedger()
    ledger.accept("m0")
    ledger.relay("m0")
    ledger.report("m0", "E.1", stat="DELIVRD", fits=2)
    ledger.seal("m0", "delivered")
    ledger.checkpoint()
    report = judge(ledger, stamped(ledger), stamp_check=trusted)
    assert (report.verdict, report.exit_code) == ("AMBIGUOUS", 7)


# -- keys and witnesses --------------------------------------------------------------------------


def test_a_log_the_policy_does_not_know_is_refused() -> None:
    ledger, other = ledger_of("delivered"), ledger_of("delivered", key="other")
    stranger = MemoryLedger("other.example/1")
    for policy in (policy_of(other), policy_of(stranger)):
        report = judge(ledger, stamped(ledger), policy=policy, stamp_check=trusted)
        assert report.verdict == "INVALID"
        assert report.reason == "checkpoint: the checkpoint is not signed by a key of the policy"


@pytest.mark.parametrize("own", ["other", "witness", "foreign", "nonsense"])
def test_without_a_policy_the_files_own_key_must_still_hold(own: str) -> None:
    ledger = ledger_of("delivered")
    keys = {
        "other": MemoryLedger(key="other").vkey,
        "witness": Witness(ledger.origin).vkey,
        "foreign": MemoryLedger("other.example/1").vkey,
        "nonsense": "nonsense",
    }
    report = judge(ledger, ledger.bundle("m0", vkey=keys[own]), policy=None)
    assert report.verdict == "INVALID"
    assert (report.reason or "").startswith("checkpoint: ")


def quorum(ledger: MemoryLedger, *witnesses: Witness) -> Policy:
    rows = [f"witness {n} {witness.vkey}" for n, witness in enumerate(witnesses)]
    return policy_of(ledger, *rows, f"group g 2 {' '.join('012'[: len(rows)])}", "quorum g")


def test_enough_witnesses_make_the_quorum() -> None:
    ledger = ledger_of("delivered")
    three = [Witness(f"w{n}.example") for n in range(3)]
    note = ledger.notes[0]
    for signed, witness in enumerate([*three, None]):
        data = stamped(ledger, note=note, witnesses=[one.vkey for one in three])
        report = judge(ledger, data, policy=quorum(ledger, *three), stamp_check=trusted)
        assert report.verdict == ("VALID" if signed >= 2 else "UNANCHORED")
        assert steps(report)["witnesses"] is (signed >= 2)
        if witness:
            note = witness.cosign(note, SENT_S)


def test_a_false_cosignature_of_a_known_witness_is_invalid() -> None:
    ledger = ledger_of("delivered")
    witness = Witness("w.example")
    other = ledger_of("undelivered")
    _, (_, line) = open_note(witness.cosign(other.notes[0], SENT_S))
    note = ledger.notes[0] + f"{line}\n"
    policy = policy_of(ledger, f"witness a {witness.vkey}", "quorum none")
    report = judge(ledger, stamped(ledger, note=note), policy=policy, stamp_check=trusted)
    assert report.verdict == "INVALID"
    assert (report.reason or "").startswith("witnesses: ")
    unknown = judge(ledger, stamped(ledger, note=note), stamp_check=trusted)
    assert unknown.verdict == "VALID"
    listed = stamped(ledger, note=note, witnesses=[witness.vkey])
    assert judge(ledger, listed, stamp_check=trusted).verdict == "INVALID"


def test_a_listed_witness_must_be_one() -> None:
    ledger = ledger_of("delivered")
    for vkey in ("nonsense", str(ledger.vkey)):
        report = judge(ledger, stamped(ledger, witnesses=[vkey]), stamp_check=trusted)
        assert (report.reason or "").startswith("witnesses: ")


# -- key rotation --------------------------------------------------------------------------------


def rotated(new_vkey: str | None = None, **changed: Any) -> tuple[MemoryLedger, bytes, Signer]:
    """A log whose key changed between the submission and the bundle's checkpoint."""
    ledger = ledger_of("delivered")
    new = Signer.from_seed(ledger.origin, seed("new"))
    old = str(ledger.vkey)
    fields: dict[str, Any] = {"old": old, "new": new_vkey or new.vkey, **changed}
    at = ledger.append("x.KeyRotate", **fields)
    both = ledger.checkpoint(ledger.signer, new)
    ledger.accept("later")
    note = ledger.checkpoint(new)
    old_signer, ledger.signer = ledger.signer, new
    data = stamped(ledger, note=note, rotations=[(at, ledger.raw[at], both)])
    ledger.signer = old_signer
    return ledger, data, new


def test_a_rotation_leads_from_the_key_that_is_pinned_to_the_one_that_signs() -> None:
    ledger, data, new = rotated()
    assert judge(ledger, data, stamp_check=trusted).verdict == "VALID"
    pinned_new = parse_policy(f"log {new.vkey}\nquorum none".encode())
    assert judge(ledger, data, policy=pinned_new, stamp_check=trusted).verdict == "VALID"
    found = json.loads(data)
    found["rotations"] = []
    report = judge(ledger, json.dumps(found).encode(), stamp_check=trusted)
    assert report.reason == "checkpoint: the checkpoint is not signed by a key of the policy"


@pytest.mark.parametrize(
    ("new", "changed"),
    [
        ("nonsense", {}),
        (Witness("w.example").vkey, {}),
        (MemoryLedger("other.example/1").vkey, {}),
        (None, {"old": "somebody else"}),
    ],
)
def test_a_rotation_that_leads_nowhere_is_no_help(new: str | None, changed: dict[str, str]) -> None:
    ledger, data, _ = rotated(new, **changed)
    report = judge(ledger, data, stamp_check=trusted)
    assert (report.verdict, (report.reason or "")[:10]) == ("INVALID", "checkpoint")


def test_a_rotation_must_be_one_and_in_the_log() -> None:
    ledger, data, _ = rotated()
    found = json.loads(data)
    found["rotations"][0] = found["entries"][0]
    report = judge(ledger, json.dumps(found).encode(), stamp_check=trusted)
    assert (report.verdict, report.reason, report.seq) == (
        "INVALID",
        "place: entry 1 is no x.KeyRotate",
        1,
    )
    found = json.loads(data)
    found["rotations"][0]["entry"] = found["rotations"][0]["entry"].replace("x.Key", "x.Kei")
    assert judge(ledger, json.dumps(found).encode()).reason == (
        "inclusion: the inclusion proof does not lead to the root"
    )


# -- what was known before -----------------------------------------------------------------------


def long_ledger() -> MemoryLedger:
    ledger = ledger_of("delivered")
    for n in range(9):
        ledger.accept(f"n{n}")
    ledger.checkpoint()
    return ledger


def test_a_log_that_only_grew_since_is_valid() -> None:
    ledger = long_ledger()
    early, late = ledger.notes
    data = stamped(ledger, since=[early])
    for known in (early, late):
        report = judge(ledger, data, since=known, stamp_check=trusted)
        assert (report.verdict, steps(report)["since"]) == ("VALID", True)


def test_growth_that_is_not_proven_is_told_first() -> None:
    ledger = long_ledger()
    report = judge(ledger, stamped(ledger), since=ledger.notes[0], policy=None)
    assert (report.verdict, report.reason) == ("UNANCHORED", "since_unproven")
    assert not steps(report)["since"]


def test_a_bundle_shorter_than_what_is_known_is_stale() -> None:
    ledger = long_ledger()
    early, late = ledger.notes
    report = judge(ledger, stamped(ledger, note=early), since=late, stamp_check=trusted)
    assert (report.verdict, report.exit_code) == ("STALE", 3)
    assert report.reason == "since: 5 entries, 14 were known before"


def test_two_signed_histories_are_a_fork_and_both_are_shown() -> None:
    ledger = ledger_of("delivered")
    other = ledger_of("undelivered")
    ours, theirs = ledger.notes[0], other.notes[0]
    report = judge(ledger, stamped(ledger), since=theirs, stamp_check=trusted)
    assert (report.verdict, report.exit_code, report.notes) == ("FORK", 2, (ours, theirs))
    assert report.as_json()["notes"] == [ours, theirs]
    unpinned = judge(ledger, stamped(ledger), since=theirs, policy=None)
    assert unpinned.verdict == "FORK"


def test_a_fork_is_graver_than_anything_else_wrong_with_the_bundle() -> None:
    ledger, other = ledger_of("delivered"), ledger_of("undelivered")
    data = stamped(ledger).replace(b"pedido", b"pedida")
    assert judge(ledger, data).verdict == "INVALID"
    assert judge(ledger, data, since=other.notes[0]).verdict == "FORK"


def test_a_contradiction_that_only_the_other_side_signed_is_invalid_not_a_fork() -> None:
    ledger, forger = ledger_of("delivered"), ledger_of("undelivered", key="forger")
    report = judge(ledger, stamped(ledger), since=forger.notes[0], stamp_check=trusted)
    assert report.verdict == "INVALID"
    assert (report.reason or "").startswith("since: ")
    report = judge(forger, stamped(forger), since=ledger.notes[0], policy=policy_of(ledger))
    assert report.verdict == "INVALID"


def test_a_proven_past_that_a_signed_note_contradicts_is_a_fork() -> None:
    ledger, other = long_ledger(), ledger_of("undelivered")
    early, known = ledger.notes[0], other.notes[0]
    data = stamped(ledger, since=[early])
    report = judge(ledger, data, since=known, stamp_check=trusted)
    assert (report.verdict, set(report.notes)) == ("FORK", {early, known})
    found = json.loads(data)
    text = open_note(early)[0]
    found["since"][0]["note"] = sign_note(text, MemoryLedger(key="x").signer)
    report = judge(ledger, json.dumps(found).encode(), since=known, stamp_check=trusted)
    assert (report.verdict, report.notes) == ("FORK", (ledger.notes[1], known))


def test_two_proofs_to_contradicting_checkpoints_are_a_fork() -> None:
    ledger, other = ledger_of("delivered"), ledger_of("undelivered")
    found, wrong = (json.loads(one.bundle("m0")) for one in (ledger, other))
    found["entries"][1] = wrong["entries"][1]
    assert judge(ledger, json.dumps(found).encode()).verdict == "FORK"


def test_the_past_a_bundle_brings_must_be_proven() -> None:
    ledger, other = long_ledger(), long_ledger()
    good = json.loads(stamped(ledger, since=[ledger.notes[0]]))
    changes: list[dict[str, Any]] = [
        {"consistency": []},
        {"consistency": ["!"]},
        {"consistency": good["since"][0]["consistency"][:-1]},
        {"note": "nonsense"},
        {"note": MemoryLedger("other.example/1").checkpoint()},
        {"note": ledger.notes[0].replace("\n5\n", "\n4\n")},
        {"note": other.notes[0].replace("\n5\n", "\n99\n")},
    ]
    for change in changes:
        found = {**good, "since": [{**good["since"][0], **change}]}
        report = judge(ledger, json.dumps(found).encode(), stamp_check=trusted)
        assert report.verdict == "INVALID"
        assert (report.reason or "").split(":")[0] in {"since", "checkpoint"}


def test_the_known_checkpoint_must_be_one_of_this_log() -> None:
    ledger = ledger_of("delivered")
    with pytest.raises(DataError, match="since") as caught:
        judge(ledger, stamped(ledger), since="nonsense")
    assert (caught.value.fields["field"], bool(caught.value.hint)) == ("since", True)
    foreign = MemoryLedger("other.example/1").checkpoint()
    report = judge(ledger, stamped(ledger), since=foreign, stamp_check=trusted)
    assert report.reason == "since: the checkpoint known before is of the log other.example/1"
    forged = ledger.notes[0].replace("\n5\n", "\n4\n")
    report = judge(ledger, stamped(ledger), since=forged, stamp_check=trusted)
    assert (report.reason or "").startswith("since: the signature by")


# -- age and time --------------------------------------------------------------------------------


def test_the_newest_proven_time_decides_the_age() -> None:
    ledger = ledger_of("delivered")
    now_ms = (SENT_S + 100) * 1000
    data = stamped(ledger)
    fresh = judge(ledger, data, stamp_check=trusted, now_ms=now_ms, max_age_s=100)
    assert fresh.verdict == "VALID"
    old = judge(ledger, data, stamp_check=trusted, now_ms=now_ms, max_age_s=99)
    assert (old.verdict, old.reason) == (
        "STALE",
        "time: nothing here is newer than 2026-11-21T17:00:10.000Z",
    )
    witness = Witness("w.example")
    cosigned = stamped(ledger, note=witness.cosign(ledger.notes[0], SENT_S + 50))
    policy = policy_of(ledger, f"witness a {witness.vkey}", "quorum none")
    given: dict[str, Any] = {"policy": policy, "now_ms": now_ms, "stamp_check": trusted}
    assert judge(ledger, cosigned, max_age_s=50, **given).verdict == "VALID"
    assert judge(ledger, cosigned, max_age_s=49, **given).verdict == "STALE"


def test_without_a_proven_time_the_logs_own_decides_the_age() -> None:
    ledger = ledger_of("delivered")
    data = ledger.bundle("m0")
    assert judge(ledger, data, max_age_s=0).verdict == "UNANCHORED"
    later = judge(ledger, data, max_age_s=1, now_ms=ledger.now_ms + 1001)
    assert later.verdict == "STALE"


def anchored(*, low_ms: int, high_ms: int) -> Report:
    """A submission between two tokens, one anchored before it, one over its checkpoint."""
    ledger = MemoryLedger()
    early = ledger.checkpoint()
    tokens = [sha256(b"early").hexdigest(), 7]
    at = ledger.append("x.Anchor", size=1, root="", tokens=tokens, witnesses=[])
    odd = ledger.append("x.Anchor", size=1, root="", tokens="none", witnesses=[])
    ledger.submission("m0")
    ledger.checkpoint()
    data = ledger.bundle(
        "m0",
        tokens=[
            Token("tsa", open_note(early)[0], b"early"),
            Token("tsa", open_note(ledger.notes[-1])[0], b"late"),
        ],
        anchors=[(seq, ledger.raw[seq]) for seq in (at, odd)],
    )
    times = {b"early": low_ms, b"late": high_ms}
    return judge(
        ledger, data, stamp_check=lambda token, _over: Stamp(times[token], accuracy_ms=1000)
    )


def test_tokens_bound_the_times_on_both_sides() -> None:
    start_ms, end_ms = 1_795_280_401_000, 1_795_280_401_750  # of the first and the last entry
    report = anchored(low_ms=start_ms, high_ms=end_ms)
    assert report.verdict == "VALID"
    assert (report.not_before_ms, report.not_after_ms) == (start_ms, end_ms)
    assert anchored(low_ms=start_ms + 6000, high_ms=end_ms - 6000).verdict == "VALID"
    for report in (
        anchored(low_ms=start_ms + 6001, high_ms=end_ms),
        anchored(low_ms=start_ms, high_ms=end_ms - 6001),
    ):
        assert (report.verdict, (report.reason or "")[:5]) == ("INVALID", "time:")


@pytest.mark.parametrize("part", [{"sent": "now"}, {"answered": 7}, "part"])
def test_the_times_of_parts_are_times(part: Any) -> None:
    ledger = MemoryLedger()
    ledger.accept("m0")
    ledger.relay("m0")
    ledger.chains["m0"].pop()
    ledger.raw.pop()
    ledger = MemoryLedger()
    ledger.accept("m0")
    ledger.append("F.1", mid="m0", parts=[part, {"sent": None}], operator="x", profile="y")
    report = judge(ledger, ledger.bundle("m0"))
    assert (report.verdict, dict(report.checks)["time"]) == ("INVALID", False)


# -- form ----------------------------------------------------------------------------------------


def test_what_is_no_bundle_is_not_judged() -> None:
    with pytest.raises(NotABundle):
        verify_bundle(b"%PDF-1.7", now_ms=0)


def test_a_bundle_of_bad_form_is_invalid_with_reason_parse() -> None:
    ledger = ledger_of("delivered")
    found = {**json.loads(ledger.bundle("m0")), "entries": []}
    report = judge(ledger, json.dumps(found).encode())
    assert report.as_json() == {
        "verdict": "INVALID",
        "reason": "parse: the bundle has no entries",
        "seq": None,
        "submission_id": None,
        "state": None,
        "size": None,
        "time": {"not_before": None, "not_after": None},
        "checks": [{"name": "parse", "ok": False}],
    }


def test_a_bundle_of_nothing_but_nonsense_is_invalid_all_through() -> None:
    ledger = ledger_of("delivered")
    found = json.loads(ledger.bundle("m0"))
    found["entries"] = [{"entry": "x", "proof": "y"}]
    report = judge(ledger, json.dumps(found).encode())
    assert (report.verdict, report.size) == ("INVALID", None)
    assert "checkpoint" not in dict(report.checks)


def test_a_bundle_leads_to_a_bounded_number_of_notes() -> None:
    ledger = ledger_of("delivered")
    found = json.loads(ledger.bundle("m0"))
    one = found["entries"][0]
    head, note = one["proof"].split("\n\n", 1)
    found["entries"] += [
        {**one, "proof": f"{head}\n\n{note}\u2014 w{n} AAAAAAAA\n"} for n in range(300)
    ]
    found["complete"] = None
    report = judge(ledger, json.dumps(found).encode())
    assert (report.verdict, steps(report)["checkpoint"]) == ("INVALID", False)

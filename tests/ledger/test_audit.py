"""A whole ledger under audit: honest ones hold, every kind of damage is seen and placed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError, StorageError
from gateway.ledger import canonical, links
from gateway.ledger.audit import verify_ledger
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import Checkpoint, Signer, open_note, sign_note
from gateway.ledger.policyfile import Policy, parse_policy
from tests.support.ledgers import MemoryLedger, Witness, seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.ledger.report import Report

OUTCOMES = ["delivered", "undelivered", "refused", "delivered_to_operator", "open", "unconfirmed"]


def make(count: int = 30, *, every: int = 40) -> MemoryLedger:
    """A log of interleaved submissions with a checkpoint now and then."""
    ledger = MemoryLedger()
    for n in range(count):
        outcome = OUTCOMES[n % len(OUTCOMES)]
        ledger.submission(f"m{n}", outcome, parts=1 + n % 3)
        if outcome == "open" and n > 12:
            earlier = f"m{n - 12}"
            ledger.report(earlier, "E.1", stat="DELIVRD")
            ledger.seal(earlier, "delivered")
        if ledger.size // every > len(ledger.notes):
            ledger.checkpoint()
    ledger.checkpoint()
    return ledger


def policy_of(ledger: MemoryLedger, *rows: str) -> Policy:
    return parse_policy("\n".join([f"log {ledger.vkey}", *(rows or ("quorum none",))]).encode())


def judge(ledger: MemoryLedger, **given: Any) -> Report:
    return verify_ledger(ledger, **{"now_ms": ledger.now_ms, "policy": policy_of(ledger), **given})


def step(report: Report) -> str:
    return (report.reason or "").split(":")[0]


def reseal(ledger: MemoryLedger, start: int) -> None:
    """Make everything from *start* on follow again, as an operator with the log key could:
    links, seals, tiles, and one new checkpoint instead of those that do not hold any more."""
    kept = [note for note in ledger.notes if Checkpoint.parse(open_note(note)[0]).size <= start]
    bodies = [canonical.decode(raw) for raw in ledger.raw]
    fresh = MemoryLedger(genesis=False)
    leaves: dict[int, str] = {}
    for seq, body in enumerate(bodies):
        if seq:
            body["prev"] = fresh.previous
        if body["ev"] == "S.1":
            body["events"] = [[at, leaves[at]] for at, _ in body["events"]]
        fresh.raw.append(canonical.encode(body))
        leaf = leaf_hash(fresh.raw[-1])
        fresh.previous = leaves[seq] = leaf.hex()
        for level, index, hashes in fresh.tree.append(leaf):
            fresh.tiles[level, index] = hashes
    ledger.raw, ledger.tree, ledger.tiles = fresh.raw, fresh.tree, fresh.tiles
    ledger.notes = kept
    ledger.checkpoint()


# -- honest ledgers ------------------------------------------------------------------------------


def test_an_honest_ledger_lacks_only_a_time_stamp() -> None:
    ledger = make()
    report = judge(ledger)
    assert (report.verdict, report.exit_code) == ("UNANCHORED", 4)
    assert report.reason == "timestamp: no trusted time stamp covers the ledger"
    assert (report.size, report.tail, report.seq) == (ledger.size, ledger.size, None)
    assert report.submission_id is None
    assert {name for name, ok in report.checks if not ok} == {"timestamp"}
    assert [name for name, _ in report.checks] == [
        *("canonical", "inclusion", "place", "chain", "links", "complete", "policy"),
        *("checkpoint", "witnesses", "timestamp", "time", "signer"),
    ]


def test_without_a_policy_the_ledgers_own_key_is_used_and_nothing_is_pinned() -> None:
    report = judge(make(), policy=None)
    assert (report.verdict, report.reason) == (
        "UNANCHORED",
        "checkpoint: no policy pins the log's key",
    )


def test_an_empty_ledger_holds_and_proves_nothing() -> None:
    report = judge(MemoryLedger(genesis=False))
    assert (report.verdict, report.size, report.tail) == ("UNANCHORED", 0, 0)
    assert report.reason == "checkpoint: no signature over this ledger could be checked"


def test_a_ledger_whose_key_is_not_at_hand_is_checked_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = make()
    monkeypatch.setattr(MemoryLedger, "vkey", None)
    report = verify_ledger(ledger, now_ms=ledger.now_ms)
    assert (report.verdict, report.reason) == (
        "UNANCHORED",
        "checkpoint: no policy pins the log's key",
    )


def test_the_tail_is_what_the_last_anchor_does_not_cover() -> None:
    ledger = make(6)
    size, first = ledger.size, ledger.tree.root().hex()
    ledger.append("x.Anchor", size=size, root=first, tokens=[], witnesses=[])
    assert judge(ledger).tail == 0
    ledger.submission("later", "refused")
    assert judge(ledger).tail == 2
    ledger.checkpoint()
    root = ledger.tree.root().hex()
    ledger.append("x.Anchor", size=ledger.size, root=root, tokens=[], witnesses=[])
    assert judge(ledger).tail == 0
    ledger.append("x.Anchor", size=size, root=first, tokens=[], witnesses=[])
    assert judge(ledger).tail == 0  # it says something of an earlier checkpoint, late
    assert judge(ledger).verdict == "UNANCHORED"


@pytest.mark.parametrize("size", [None, -1, 10_000, "7", True])
def test_an_anchor_covers_a_checkpoint_before_it(size: Any) -> None:
    ledger = make(6)
    ledger.append("x.Anchor", size=size, root="", tokens=[], witnesses=[])
    assert step(judge(ledger)) == "place"


def test_a_forgotten_course_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "COURSES", 2)
    ledger = MemoryLedger()
    for n in range(20):
        ledger.accept(f"m{n}")
    for n in range(20):
        ledger.relay(f"m{n}")
    for n in reversed(range(20)):
        ledger.report(f"m{n}", "E.1", stat="DELIVRD")
        ledger.seal(f"m{n}", "delivered")
    for n in range(20):
        ledger.append("x.Duplicate", mid=f"m{n}", of=1)
    ledger.checkpoint()
    report = judge(ledger)
    assert {name for name, ok in report.checks if not ok} == {"timestamp"}


def test_a_rotated_key_signs_what_follows() -> None:
    ledger = make(6)
    new = Signer.from_seed(ledger.origin, seed("new"))
    ledger.append("x.KeyRotate", old=ledger.vkey, new=new.vkey)
    ledger.checkpoint(ledger.signer, new)
    ledger.submission("later")
    ledger.checkpoint(new)
    assert judge(ledger).verdict == "UNANCHORED"
    stranger = Signer.from_seed(ledger.origin, seed("stranger"))
    ledger.submission("last")
    ledger.checkpoint(stranger)
    report = judge(ledger)
    assert (report.verdict, step(report)) == ("INVALID", "checkpoint")


def test_whoever_pins_only_the_new_key_believes_what_came_before_it() -> None:
    ledger, keys = make(6), [Signer.from_seed(MemoryLedger().origin, seed("log"))]
    for name in ("second", "third"):
        keys.append(Signer.from_seed(ledger.origin, seed(name)))
        ledger.append("x.KeyRotate", old=keys[-2].vkey, new=keys[-1].vkey)
        ledger.checkpoint(*keys[-2:])
        ledger.submission(name)
        ledger.checkpoint(keys[-1])
    for key in keys:
        report = judge(ledger, policy=parse_policy(f"log {key.vkey}\nquorum none".encode()))
        assert {name for name, ok in report.checks if not ok} == {"timestamp"}, key
    # A key that went is not the log's any more.
    ledger.submission("last")
    ledger.checkpoint(keys[1])
    pinned = parse_policy(f"log {keys[2].vkey}\nquorum none".encode())
    assert judge(ledger, policy=pinned).verdict == "INVALID"


def test_a_change_of_the_key_that_the_old_one_never_signed_is_none() -> None:
    """Whoever can write the file, but has no key, cannot bring a key of their own in."""
    ledger = make(6)
    thief = Signer.from_seed(ledger.origin, seed("thief"))
    ledger.append("x.KeyRotate", old=ledger.vkey, new=thief.vkey)
    ledger.checkpoint(thief)
    report = judge(ledger)
    assert (report.verdict, step(report)) == ("INVALID", "checkpoint")
    # Nor can they make an old key of theirs vouch for what the log signed.
    other = make(6)
    other.append("x.KeyRotate", old=thief.vkey, new="nonsense")
    other.append("x.KeyRotate", old="nonsense", new=other.vkey)
    other.append("x.Admin", cmd="look", by='"ev":"x.KeyRotate"')
    other.checkpoint()
    assert judge(other).verdict == "UNANCHORED"
    other.submission("later")
    other.checkpoint(thief)
    assert judge(other).verdict == "INVALID"


def test_a_damaged_entry_about_a_key_is_no_way_round_the_pinned_one() -> None:
    ledger = make(6)
    old = Signer.from_seed(ledger.origin, seed("before"))
    at = ledger.append("x.KeyRotate", old=old.vkey, new=ledger.vkey)
    ledger.checkpoint(old, ledger.signer)
    ledger.raw[at] = ledger.raw[at].replace(b'{"ev"', b'{ "ev"')
    assert judge(ledger).verdict == "INVALID"
    # A signature that only looks like one of the key before is none.
    other = make(6)
    other.append("x.KeyRotate", old=old.vkey, new=other.vkey)
    note = other.checkpoint(old)
    text, lines = open_note(note)
    forged = sign_note(text.replace(str(other.size), str(other.size)), old)
    other.notes[-1] = forged.replace(str(lines[0])[-12:-4], "AAAAAAAA")
    assert judge(other).verdict == "INVALID"


def test_witnesses_of_the_last_checkpoint_count() -> None:
    ledger, witness = make(6), Witness("w.example")
    policy = policy_of(ledger, f"witness a {witness.vkey}", "quorum a")
    report = judge(ledger, policy=policy)
    assert report.reason is not None
    assert report.reason.startswith("witnesses: 0")
    ledger.notes[-1] = witness.cosign(ledger.notes[-1], 1_795_280_400)
    assert dict(judge(ledger, policy=policy).checks)["witnesses"]


def test_a_ledger_that_stopped_growing_is_stale_in_time() -> None:
    ledger = make(6)
    assert judge(ledger, max_age_s=1).verdict == "UNANCHORED"
    assert judge(ledger, max_age_s=1, now_ms=ledger.now_ms + 1001).verdict == "STALE"


# -- damage --------------------------------------------------------------------------------------


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_a_changed_byte_anywhere_is_placed_at_its_entry(data: st.DataObject) -> None:
    ledger = make(12)
    seq = data.draw(st.integers(0, ledger.size - 1))
    raw = bytearray(ledger.raw[seq])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    ledger.raw[seq] = bytes(raw)
    report = judge(ledger)
    assert report.verdict == "INVALID"
    last = seq == ledger.size - 1
    assert report.seq in ({None} if last else {seq, None if seq == 0 else seq - 1})
    if not last:
        assert report.seq is not None


@pytest.mark.parametrize("seq", [1, 7, 20])
def test_a_changed_value_is_a_broken_chain_at_that_entry(seq: int) -> None:
    ledger = make()
    body = canonical.decode(ledger.raw[seq])
    ledger.raw[seq] = canonical.encode({**body, "brand": "other"})
    report = judge(ledger)
    assert (report.verdict, step(report), report.seq) == ("INVALID", "chain", seq)
    assert dict(report.checks)["inclusion"] is (seq > 255)


def test_of_several_damaged_entries_the_lowest_is_told() -> None:
    ledger = make()
    for seq in (0, 9, 20):
        body = canonical.decode(ledger.raw[seq])
        ledger.raw[seq] = canonical.encode({**body, "extra": 1})
    assert judge(ledger).seq == 0
    body = canonical.decode(ledger.raw[0])
    ledger.raw[0] = canonical.encode({**body, "prev": "11" * 32})
    report = judge(ledger)
    assert (report.verdict, report.seq) == ("INVALID", 0)


def test_a_missing_entry_breaks_the_chain_before_it() -> None:
    ledger = make()
    del ledger.raw[7]
    report = judge(ledger)
    assert (report.verdict, report.seq) == ("INVALID", 6)


def test_a_changed_last_entry_contradicts_the_checkpoint() -> None:
    ledger = make()
    body = canonical.decode(ledger.raw[-1])
    ledger.raw[-1] = canonical.encode({**body, "extra": 1})
    report = judge(ledger)
    assert (report.verdict, report.seq) == ("INVALID", None)
    assert dict(report.checks)["checkpoint"] is False


def test_a_cut_ledger_contradicts_its_own_checkpoints() -> None:
    ledger = make()
    size = ledger.size
    del ledger.raw[-3:]
    ledger.tree = rebuilt_tree(ledger)
    report = judge(ledger)
    assert (report.verdict, step(report)) == ("INVALID", "checkpoint")
    assert f"one covers {size} entries, there are {size - 3}" in (report.reason or "")


def test_a_ledger_cut_with_its_checkpoints_is_shorter_than_its_signer_remembers() -> None:
    ledger = make()
    first = Checkpoint.parse(open_note(ledger.notes[0])[0]).size
    del ledger.raw[first:], ledger.notes[1:]
    ledger.tree = rebuilt_tree(ledger)
    report = judge(ledger)
    assert (report.verdict, step(report), report.exit_code) == ("STALE", "signer", 3)
    ledger.signer_state = None
    report = judge(ledger)
    assert report.verdict == "UNANCHORED"
    assert "signer" not in dict(report.checks)


def rebuilt_tree(ledger: MemoryLedger) -> Any:
    fresh = MemoryLedger(genesis=False)
    for raw in ledger.raw:
        fresh.tree.append(leaf_hash(raw))
    return fresh.tree


def test_stored_tiles_are_compared() -> None:
    ledger = make(120, every=300)
    assert (0, 0) in ledger.tiles
    ledger.tiles[0, 0] = ledger.tiles[0, 0][:-1] + b"\0"
    report = judge(ledger)
    assert (report.verdict, report.reason) == (
        "INVALID",
        "inclusion: the stored tile 0/0 is not what the entries give",
    )


def test_a_tile_that_cannot_be_read_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_self: MemoryLedger, level: int, index: int) -> bytes | None:
        if (level, index) == (0, 0):
            raise StorageError("tile 0/0 of the ledger's tree is incomplete")
        return None

    monkeypatch.setattr(MemoryLedger, "tile", missing)
    assert judge(make(6)).reason == "inclusion: tile 0/0 of the ledger's tree is incomplete"


def test_the_edge_of_the_tree_is_compared_on_every_level(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = make(120, every=300)
    real = MemoryLedger.tile

    def wrong(self: MemoryLedger, level: int, index: int) -> bytes | None:
        found = real(self, level, index)
        return bytes(32) if level == 1 else found

    monkeypatch.setattr(MemoryLedger, "tile", wrong)
    assert step(judge(ledger)) == "inclusion"


def change(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.update(fields)


@pytest.mark.parametrize(
    ("ev", "alter", "expected"),
    [
        ("F.1", change(v=2), "place"),
        ("F.1", change(log="other.example/1"), "place"),
        ("F.1", change(seq=1), "place"),
        ("F.1", change(ev="x.Genesis"), "place"),
        ("x.Genesis", change(ev="x.Boot"), "place"),
        ("F.1", change(t="soon"), "time"),
        ("F.1", change(t="2020-01-01T00:00:00.000Z"), "time"),
        ("E.1", change(rx="2020-01-01T00:00:00.000Z"), "time"),
        ("F.1", change(mid="somebody"), "links"),
        ("F.1", change(mid=7), "links"),
        ("F.1", change(mprev=0), "links"),
        ("F.1", change(mprev=999_999), "links"),
        ("F.1", change(mprev=-1), "links"),
        ("F.1", change(mprev="1"), "links"),
        ("S.1", change(state="refused"), "complete"),
        ("S.1", change(state="happy"), "complete"),
    ],
)
def test_a_log_that_signs_nonsense_is_not_believed(
    ev: str, alter: Callable[[dict[str, Any]], None], expected: str
) -> None:
    ledger = make()
    seq = next(n for n, raw in enumerate(ledger.raw) if f'"ev":"{ev}"'.encode() in raw)
    body = canonical.decode(ledger.raw[seq])
    alter(body)
    ledger.raw[seq] = canonical.encode(body)
    reseal(ledger, seq)
    report = judge(ledger)
    assert report.verdict == "INVALID"
    assert dict(report.checks)[expected] is False
    assert dict(report.checks)["chain"]


def test_a_seal_that_leaves_something_out_is_seen() -> None:
    ledger = MemoryLedger()
    ledger.accept("m1")
    ledger.relay("m1")
    ledger.report("m1", "E.1", stat="DELIVRD")
    ledger.seal("m1", "delivered", events=[list(item) for item in ledger.chains["m1"][:2]])
    ledger.checkpoint()
    assert step(judge(ledger)) == "complete"


@pytest.mark.parametrize("courses", [0, 1000])
def test_two_entries_after_one_are_seen_however_far_apart(
    courses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "COURSES", courses)
    ledger = MemoryLedger()
    first = ledger.accept("m1")
    ledger.relay("m1")
    ledger.submission("m2")
    ledger.append("F.3", mid="m1", mprev=first)
    ledger.checkpoint()
    report = judge(ledger)
    assert (report.verdict, step(report)) == ("INVALID", "links")


def test_a_submission_that_begins_twice_is_seen() -> None:
    ledger = MemoryLedger()
    ledger.submission("m1", "refused")
    ledger.submission("m2", "refused")
    ledger.chains["m1"].clear()
    ledger.submission("m1", "refused")
    ledger.raw.append(b"not an entry")
    report = judge(ledger)
    assert report.verdict == "INVALID"
    assert dict(report.checks)["links"] is False
    del ledger.raw[-1]
    ledger.checkpoint()
    assert judge(ledger).reason == "links: submission m1 begins twice"


def test_equal_hashes_of_different_submissions_are_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "_HASH_MASK", 1)
    ledger = make()
    assert judge(ledger).verdict == "UNANCHORED"


@pytest.mark.parametrize("harm", ["gone", "nonsense", "foreign"])
def test_a_course_that_cannot_be_read_again_is_a_fault(
    harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "COURSES", 0)
    ledger = MemoryLedger()
    at = ledger.accept("m1")
    ledger.accept("m2")
    ledger.accept("m3")
    ledger.relay("m1")
    ledger.checkpoint()

    def entry(_self: MemoryLedger, seq: int) -> bytes:
        if harm == "gone":
            raise StorageError(f"entry {seq} is missing")
        if harm == "nonsense":
            return b"{"
        return canonical.encode({**canonical.decode(ledger.raw[at]), "log": "x"})

    monkeypatch.setattr(MemoryLedger, "entry", entry)
    assert step(judge(ledger)) == "links"


def test_a_key_that_is_gone_must_have_been_erased() -> None:
    ledger = make(6)
    ledger.keyless = {"m0", "m2"}
    report = judge(ledger)
    assert (report.verdict, step(report)) == ("INVALID", "commitments")
    assert "m0 one" in (report.reason or "")
    for mid in ("m0", "m2"):
        ledger.append("x.Erased", mid=mid, basis="art. 17")
    assert judge(ledger).verdict == "UNANCHORED"


# -- checkpoints, forks, the signer --------------------------------------------------------------


def test_a_rewritten_ledger_with_a_checkpoint_left_over_is_a_fork() -> None:
    ledger = make()
    old = ledger.notes[1]
    body = canonical.decode(ledger.raw[5])
    ledger.raw[5] = canonical.encode({**body, "brand": "other"})
    reseal(ledger, 5)
    new = ledger.notes[-1]
    assert judge(ledger).verdict == "UNANCHORED"
    ledger.notes = [old, new]
    report = judge(ledger)
    assert (report.verdict, report.notes) == ("FORK", (old, new))


def test_a_rewritten_ledger_contradicts_the_checkpoint_somebody_kept() -> None:
    ledger = make()
    old = ledger.notes[1]
    assert judge(ledger, since=old).verdict == "UNANCHORED"
    body = canonical.decode(ledger.raw[5])
    ledger.raw[5] = canonical.encode({**body, "brand": "other"})
    reseal(ledger, 5)
    report = judge(ledger, since=old)
    assert (report.verdict, report.notes) == ("FORK", (ledger.notes[-1], old))
    ledger.notes.clear()
    ledger.signer_state = None
    report = judge(ledger, since=old)
    assert (report.verdict, step(report)) == ("INVALID", "since")


def test_a_rewritten_ledger_contradicts_its_signer() -> None:
    ledger = make()
    state = ledger.notes[1]
    body = canonical.decode(ledger.raw[5])
    ledger.raw[5] = canonical.encode({**body, "brand": "other"})
    reseal(ledger, 5)
    ledger.signer_state = state
    assert judge(ledger).verdict == "FORK"
    forged = sign_note(open_note(state)[0], MemoryLedger(key="x").signer)
    ledger.signer_state = forged
    report = judge(ledger)
    assert (report.verdict, step(report)) == ("INVALID", "signer")


@pytest.mark.parametrize(
    "state",
    [
        "nonsense",
        MemoryLedger("other.example/1").checkpoint(),
        MemoryLedger().checkpoint().replace("\n1\n", "\n0\n"),
    ],
)
def test_a_damaged_signers_memory_is_a_fault(state: str) -> None:
    ledger = make(6)
    ledger.signer_state = state
    report = judge(ledger)
    assert (report.verdict, step(report)) == ("INVALID", "signer")


def test_a_checkpoint_longer_than_the_ledger_makes_it_stale() -> None:
    ledger, longer = make(6), make(12)
    report = judge(ledger, since=longer.notes[-1])
    assert (report.verdict, step(report)) == ("STALE", "since")


def test_the_checkpoint_known_must_be_one() -> None:
    with pytest.raises(DataError, match="since"):
        judge(make(6), since="nonsense")


@pytest.mark.parametrize("harm", ["nonsense", "order", "foreign", "unsigned", "damaged"])
def test_a_stored_checkpoint_that_is_none_is_a_fault(harm: str) -> None:
    ledger = make()
    text = open_note(ledger.notes[0])[0]
    bad = {
        "nonsense": "nonsense",
        "order": ledger.notes[1],
        "foreign": MemoryLedger("other.example/1").checkpoint(),
        "unsigned": sign_note(text, MemoryLedger(key="x").signer),
        "damaged": ledger.notes[0].replace("\n4", "\n3", 1),
    }
    ledger.notes.insert(0, bad[harm])
    report = judge(ledger)
    assert (report.verdict, step(report)) == ("INVALID", "checkpoint")


def test_memory_does_not_grow_with_what_was_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    real = links.Links.take

    def take(self: links.Links, seq: int, leaf_hex: str, body: dict[str, Any]) -> None:
        real(self, seq, leaf_hex, body)
        held.append(len(self._young) + len(self._old))

    monkeypatch.setattr(links.Links, "take", take)
    ledger = MemoryLedger()
    for n in range(300):
        ledger.submission(f"m{n}")
    judge(ledger)
    assert max(held) <= 1


def test_entries_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def entries(self: MemoryLedger, start: int, stop: int) -> Iterator[bytes]:
        asked.append((start, stop))
        return iter(self.raw[start:stop])

    monkeypatch.setattr(MemoryLedger, "entries", entries)
    ledger = make(6)
    judge(ledger)
    assert asked == [(0, ledger.size)]


def test_the_report_of_a_ledger_as_json_and_for_people() -> None:
    ledger = make(6)
    report = judge(ledger)
    found = report.as_json()
    assert json.loads(json.dumps(found)) == found
    assert (found["tail"], found["submission_id"], found["state"]) == (ledger.size, None, None)
    lines = report.explain()
    assert lines[0].startswith("UNANCHORED: ")
    assert f"{ledger.size} entries are newer than the last anchor." in lines

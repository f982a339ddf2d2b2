"""A ledger examined stretch by stretch: the same verdict, in every word, as in one pass."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import StorageError
from gateway.ledger import audit, canonical, links
from gateway.ledger.audit import verify_ledger
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.note import Signer
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.stretch import Part, examine
from tests.support.ledgers import MemoryLedger, seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.ledger.report import Report

OUTCOMES = ["delivered", "undelivered", "refused", "delivered_to_operator", "open", "unconfirmed"]


def mid(n: int, *, per_time: int = 3) -> str:
    """Ids as the daemon gives them: by time, several of the same millisecond in any order."""
    time = f"{0x0199_0000_0000 + n // per_time:012x}"
    return f"{time[:8]}-{time[8:]}-7{n * 7919 % 4096:03x}-8000-{n:012x}"


def make(count: int = 40, *, every: int = 40, late: int = 12) -> MemoryLedger:
    """Interleaved submissions, late receipts, duplicates, anchors, and a rotated key."""
    ledger = MemoryLedger()
    signers = [ledger.signer]
    for n in range(count):
        outcome = OUTCOMES[n % len(OUTCOMES)]
        ledger.submission(mid(n), outcome, parts=1 + n % 3)
        if outcome == "open" and n >= late:
            ledger.report(mid(n - late), "E.1", stat="DELIVRD")
            ledger.seal(mid(n - late), "delivered")
        if outcome == "refused" and n > late:
            ledger.append("x.Duplicate", mid=mid(n - late - 2), of=1)
        if ledger.size // every > len(ledger.notes):
            ledger.checkpoint(*signers)
            signers = signers[-1:]
            size, root = ledger.size, ledger.tree.root().hex()
            ledger.append("x.Anchor", size=size, root=root, tokens=[], witnesses=[])
        if n == count // 2:
            # The first checkpoint after the change is signed by both keys.
            signers.append(Signer.from_seed(ledger.origin, seed("new")))
            ledger.append("x.KeyRotate", old=ledger.vkey, new=signers[-1].vkey)
    ledger.checkpoint(*signers)
    return ledger


def parts_of(ledger: MemoryLedger, step: int, size: int | None = None) -> Iterator[Part | None]:
    """What worker processes send: each part pickled and unpickled."""
    size = ledger.size if size is None else size
    for start in range(0, size, step):
        part = examine(ledger, start, min(start + step, size))
        found: Part | None = pickle.loads(pickle.dumps(part))
        yield found


def both(ledger: MemoryLedger, step: int, **given: Any) -> Report:
    """The report of one pass, which must be that of the parts too."""
    policy = parse_policy(f"log {ledger.vkey}\nquorum none\n".encode())
    options = {"now_ms": ledger.now_ms, "policy": policy, **given}
    whole = verify_ledger(ledger, **options)
    assert verify_ledger(ledger, **options, parts=parts_of(ledger, step)) == whole
    return whole


@pytest.mark.parametrize("step", [8, 24, 256, 512, 4096])
def test_an_honest_ledger_is_the_same_in_parts(step: int) -> None:
    ledger = make(260, every=100)
    assert ledger.size > 900
    report = both(ledger, step, since=ledger.notes[2])
    assert {name for name, ok in report.checks if not ok} == {"timestamp"}
    assert None not in list(parts_of(ledger, step))


def test_an_honest_ledger_in_parts_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = make(200)
    parts = list(parts_of(ledger, 64))
    asked: list[tuple[int, int]] = []
    real = MemoryLedger.entries

    def entries(self: MemoryLedger, start: int, stop: int) -> Iterator[bytes]:
        asked.append((start, stop))
        return real(self, start, stop)

    monkeypatch.setattr(MemoryLedger, "entries", entries)
    told: list[int] = []
    verify_ledger(ledger, now_ms=0, parts=parts, progress=told.append)
    assert asked == [(ledger.size, ledger.size)]
    assert told == [*range(64, ledger.size, 64), ledger.size, ledger.size]


def test_parts_may_be_of_the_beginning_only() -> None:
    ledger = make(100)
    report = verify_ledger(ledger, now_ms=ledger.now_ms)
    parts = list(parts_of(ledger, 64, 256))
    assert verify_ledger(ledger, now_ms=ledger.now_ms, parts=parts) == report


def test_parts_of_another_place_do_not_count() -> None:
    ledger = make(100)
    report = verify_ledger(ledger, now_ms=ledger.now_ms)
    parts = list(parts_of(ledger, 64))
    for wrong in (parts[1:], [parts[0], parts[0]], [parts[0], parts[2]]):
        assert verify_ledger(ledger, now_ms=ledger.now_ms, parts=wrong) == report


LEDGER = make(60)


def harmed(harm: str, at: int, other: int) -> MemoryLedger:
    """The ledger with one thing changed at random places."""
    ledger = make(60)
    body = canonical.decode(ledger.raw[at])
    if harm == "byte":
        raw = bytearray(ledger.raw[at])
        raw[other % len(raw)] ^= 1 + other % 255
        ledger.raw[at] = bytes(raw)
    elif harm == "missing":
        del ledger.raw[at]
    elif harm == "twice":
        ledger.raw.insert(at, ledger.raw[at])
    elif harm == "swapped":
        ledger.raw[at], ledger.raw[other] = ledger.raw[other], ledger.raw[at]
    elif harm == "cut":
        del ledger.raw[at:]
    elif harm == "keyless":
        ledger.keyless = {str(body.get("mid"))}
    elif harm == "note":
        ledger.notes[at % len(ledger.notes)] = ledger.notes[other % len(ledger.notes)]
    elif harm == "tile":
        ledger.tiles[0, 0] = bytes(32)
    else:
        ledger.raw[at] = canonical.encode({**body, **CHANGES[harm](other)})
        if harm.startswith("re"):
            reseal(ledger, at)
    return ledger


CHANGES: dict[str, Any] = {
    "value": lambda _: {"brand": "other"},
    "re mprev": lambda other: {"mprev": other},
    "re mid": lambda other: {"mid": mid(other % 60)},
    "re ev": lambda other: {"ev": ["A.1", "S.1", "F.1", "x.Erased", "x.Genesis"][other % 5]},
    "re t": lambda _: {"t": "2026-11-21T17:00:00.000Z"},
    "re no t": lambda _: {"t": "soon"},
    "re seq": lambda other: {"seq": other},
    "re anchor": lambda other: {"size": other},
    "re state": lambda _: {"state": "refused"},
}
HARMS = ["byte", "missing", "twice", "swapped", "cut", "keyless", "note", "tile", *CHANGES]


def reseal(ledger: MemoryLedger, start: int) -> None:
    """Let every `prev` and seal from *start* on be right again, as who owns the log could."""
    leaves: list[str] = []
    for seq, raw in enumerate(ledger.raw):
        body = canonical.decode(raw)
        if seq >= max(start, 1):
            body["prev"] = leaves[-1]
            if body["ev"] == "S.1" and "events" in body:
                body["events"] = [[at, leaves[at]] for at, _ in body["events"]]
            ledger.raw[seq] = canonical.encode(body)
        leaves.append(leaf_hash(ledger.raw[seq]).hex())


@given(
    st.sampled_from(HARMS),
    st.integers(0, LEDGER.size - 1),
    st.integers(0, LEDGER.size - 1),
    st.sampled_from([8, 16, 40, 128]),
)
@settings(deadline=None, max_examples=150)
def test_whatever_is_wrong_is_told_in_the_same_words(
    harm: str, at: int, other: int, step: int
) -> None:
    both(harmed(harm, at, other), step)


def test_a_chain_that_forks_across_parts_is_seen() -> None:
    ledger = MemoryLedger()
    first = ledger.accept(mid(0))
    ledger.relay(mid(0))
    for n in range(1, 20):
        ledger.submission(mid(n))
    ledger.append("F.3", mid=mid(0), mprev=first)
    ledger.checkpoint()
    report = both(ledger, 16)
    assert (report.reason or "").startswith("links")


@pytest.mark.parametrize("gap", [1, 2, 3, 40])
def test_a_submission_that_begins_in_two_parts_is_seen(gap: int) -> None:
    ledger = MemoryLedger()
    for n in range(40):
        ledger.submission(mid(n), "refused")
    ledger.chains[mid(40 - gap)].clear()
    ledger.submission(mid(40 - gap), "refused")
    ledger.checkpoint()
    for step in (8, 80, 88):
        report = both(ledger, step)
        assert report.reason == f"links: submission {mid(40 - gap)} begins twice"


def test_ids_that_come_out_of_order_are_no_fault() -> None:
    ledger = MemoryLedger()
    for n in (5, 9, 1, 30, 7, 31, 2):
        ledger.submission(mid(n))
    ledger.checkpoint()
    report = both(ledger, 8)
    assert {name for name, ok in report.checks if not ok} == {"timestamp"}


def test_ids_in_order_are_not_remembered() -> None:
    origins = links.Origins()
    for n in range(3000):
        origins.add(mid(n))
    assert len(origins.of_latest) <= 3
    assert not origins.late


def test_an_erased_submission_is_not_remembered_until_its_entry_says_so() -> None:
    ledger = make(20)
    gone = [mid(n) for n in range(0, 20, 4)]
    ledger.keyless.update(gone)
    for each in gone:
        ledger.append("x.Erased", mid=each, basis="art. 17")
    ledger.append("x.Duplicate", mid=gone[0], of=1)
    assert None not in list(parts_of(ledger, 16))
    report = both(ledger, 16)
    assert "commitments" not in dict(report.checks)


@pytest.mark.parametrize("harm", ["nowhere", "missing", "nonsense", "other", "none"])
def test_a_row_that_lies_about_the_last_entry_changes_nothing(
    harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = make(20)
    ledger.keyless = {mid(0)}
    ledger.append("x.Erased", mid=mid(0), basis="art. 17")
    if harm == "none":
        del ledger.raw[-1]
    where = {"nowhere": 10_000, "other": 1}.get(harm, ledger.size - 1)
    monkeypatch.setattr(MemoryLedger, "last_seq", lambda *_: where)
    real = MemoryLedger.entry

    def entry(self: MemoryLedger, seq: int) -> bytes:
        if harm == "missing":
            raise StorageError(f"entry {seq} is missing")
        return b"{" if harm == "nonsense" and seq == where else real(self, seq)

    monkeypatch.setattr(MemoryLedger, "entry", entry)
    if harm in ("missing", "nonsense"):  # a late event would have to be read back through it
        monkeypatch.setattr(links, "COURSES", 1 << 20)
    report = verify_ledger(ledger, now_ms=ledger.now_ms)
    assert (dict(report.checks).get("commitments") is False) == (harm == "none")


def test_a_part_that_cannot_be_read_is_left_to_the_whole_pass() -> None:
    ledger = make(20)

    def missing(seq: int) -> bytes:
        raise StorageError(f"entry {seq} is missing")

    setattr(ledger, "entry", missing)  # noqa: B010 - the class's method is hidden on purpose
    assert examine(ledger, 16, 24) is None


def test_parts_of_another_ledger_do_not_count() -> None:
    ledger, other = make(60), make(60)
    body = canonical.decode(other.raw[0])
    other.raw[0] = canonical.encode({**body, "software": "other"})
    reseal(other, 1)
    other.notes.clear()
    other.signer_state = None
    mine, theirs = list(parts_of(ledger, 64)), list(parts_of(other, 64))
    other.checkpoint()
    assert None not in theirs
    report = verify_ledger(other, now_ms=0)
    parts = iter([theirs[0], *mine[1:]])
    told: list[int] = []
    assert verify_ledger(other, now_ms=0, parts=parts, progress=told.append) == report
    assert told[0] == 64
    assert len(list(parts)) == len(mine) - 2, "the second part ended it"


def test_a_clock_that_runs_backwards_between_parts_is_seen() -> None:
    ledger = make(60)
    bodies = [canonical.decode(raw) for raw in ledger.raw]
    stop = next(n for n in range(64, ledger.size, 8) if "mprev" in bodies[n - 1])
    ledger.raw[stop - 1] = canonical.encode({**bodies[stop - 1], "t": bodies[stop + 1]["t"]})
    reseal(ledger, stop)
    ledger.notes.clear()
    assert None not in list(parts_of(ledger, stop))
    report = both(ledger, stop)
    assert dict(report.checks)["time"] is False


def test_entries_missing_at_the_end_of_a_part_are_seen() -> None:
    ledger = make(60)
    stop = 64
    assert examine(ledger, stop - 8, stop) is not None
    del ledger.raw[stop - 1 :]
    assert examine(ledger, stop - 8, stop) is None


@pytest.mark.parametrize("step", [256, 1024])
def test_tiles_without_a_checkpoint_in_them_are_taken_whole(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = make(500, every=700)
    whole: list[int] = []
    real = Frontier.append_tile

    def append_tile(self: Frontier, hashes: bytes) -> list[tuple[int, int, bytes]]:
        whole.append(self.size)
        return real(self, hashes)

    monkeypatch.setattr(Frontier, "append_tile", append_tile)
    report = both(ledger, step)
    assert {name for name, ok in report.checks if not ok} == {"timestamp"}
    assert len(whole) >= 3


def test_one_pass_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_TOLD_EVERY", 64)
    ledger, told = make(60), list[int]()
    verify_ledger(ledger, now_ms=0, progress=told.append)
    assert told == [*range(64, ledger.size, 64), ledger.size]


def test_a_submission_erased_long_before_its_last_entry_is_found_too() -> None:
    ledger = make(20)
    ledger.keyless = {mid(0)}
    ledger.append("x.Erased", mid=mid(0), basis="art. 17")
    for _ in range(20):
        ledger.append("x.Duplicate", mid=mid(0), of=1)
    assert "commitments" not in dict(both(ledger, 16).checks)

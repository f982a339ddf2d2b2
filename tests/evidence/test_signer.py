"""The log's signer: it remembers what it signed and never contradicts it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gateway.errors import StorageError
from gateway.evidence.signer import LogSigner
from gateway.ledger import merkle
from gateway.ledger.note import Checkpoint, Signer, Verifier, open_note, sign_note, verified_by
from gateway.ledger.proof import complete_text
from tests.support.ledgers import ORIGIN, MemoryLedger, seed

if TYPE_CHECKING:
    from pathlib import Path

SEED = seed("log")
KEY = Signer.from_seed(ORIGIN, SEED)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "signed.note"


@pytest.fixture
def signer(state: Path) -> LogSigner:
    return LogSigner(KEY, state, ledger_size=0)


def grown(count: int, *, text: str = "uno") -> MemoryLedger:
    ledger = MemoryLedger()
    for n in range(count - 1):
        ledger.accept(f"m{n}", text=text)
    return ledger


def sign(signer: LogSigner, ledger: MemoryLedger) -> str:
    last = signer.last
    proof = merkle.consistency_proof(last.size, ledger.size, ledger.read) if last else []
    return signer.sign(ledger.size, ledger.tree.root(), proof)


def holds(signer: LogSigner, note: str) -> bool:
    text, lines = open_note(note)
    return bool(verified_by(text, lines, [Verifier.from_vkey(signer.vkey)]))


def test_a_log_is_signed_as_it_grows(signer: LogSigner, state: Path) -> None:
    ledger = grown(3)
    for _ in range(5):
        note = sign(signer, ledger)
        assert holds(signer, note)
        assert Checkpoint.parse(open_note(note)[0]) == Checkpoint(
            ORIGIN, ledger.size, ledger.tree.root()
        )
        assert state.read_text() == note
        ledger.accept(f"n{ledger.size}")


def test_the_same_checkpoint_can_be_signed_again(signer: LogSigner) -> None:
    ledger = grown(3)
    assert sign(signer, ledger) == sign(signer, ledger)


def test_a_restart_goes_on_from_what_was_signed(signer: LogSigner, state: Path) -> None:
    ledger = grown(3)
    sign(signer, ledger)
    again = LogSigner(KEY, state, ledger_size=ledger.size)
    assert again.last == signer.last
    ledger.accept("later")
    assert holds(again, sign(again, ledger))


def test_a_rewritten_log_gets_no_signature(signer: LogSigner, state: Path) -> None:
    sign(signer, grown(5))
    kept, remembered = state.read_bytes(), signer.last
    for other in (grown(5, text="dos"), grown(9, text="dos")):
        with pytest.raises(StorageError, match="contradicts") as caught:
            sign(signer, other)
        assert remembered is not None
        assert caught.value.fields["signed_root"] == remembered.root.hex()
        assert caught.value.fields["root"] == other.tree.root().hex()
    assert state.read_bytes() == kept
    assert signer.last == remembered


def test_a_shorter_log_gets_no_signature(signer: LogSigner, state: Path) -> None:
    ledger = grown(5)
    sign(signer, ledger)
    shorter = grown(4)
    with pytest.raises(StorageError, match="contradicts"):
        signer.sign(4, shorter.tree.root(), [])
    with pytest.raises(StorageError, match="holds 4 entries, but 5") as caught:
        LogSigner(KEY, state, ledger_size=4)
    assert caught.value.fields["signed_root"] == ledger.tree.root().hex()


def test_a_proof_is_needed(signer: LogSigner) -> None:
    ledger = grown(5)
    sign(signer, ledger)
    ledger.accept("more")
    with pytest.raises(StorageError, match="contradicts"):
        signer.sign(ledger.size, ledger.tree.root(), [])


def test_a_lost_memory_is_not_replaced_in_passing(signer: LogSigner, state: Path) -> None:
    ledger = grown(5)
    sign(signer, ledger)
    state.unlink()
    with pytest.raises(StorageError, match="remembers none") as caught:
        LogSigner(KEY, state, ledger_size=5)
    assert str(state) in caught.value.hint
    adopted = LogSigner(KEY, state, ledger_size=5, adopt=True)
    assert adopted.last is None
    assert holds(adopted, sign(adopted, ledger))
    assert adopted.last == signer.last


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        Checkpoint(ORIGIN, 3, bytes(32)).text(),
        sign_note("something\nelse\n", MemoryLedger().signer),
        sign_note(Checkpoint(ORIGIN, 3, bytes(32)).text(), MemoryLedger(key="other").signer),
        sign_note(Checkpoint(ORIGIN, 3, bytes(32)).text(), MemoryLedger().signer).replace(
            "\n3\n", "\n2\n"
        ),
    ],
)
def test_a_damaged_memory_is_refused(state: Path, text: str) -> None:
    state.write_text(text)
    with pytest.raises(StorageError, match="not usable"):
        LogSigner(KEY, state, ledger_size=3, adopt=True)


def test_a_memory_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        LogSigner(KEY, tmp_path, ledger_size=0)
    with pytest.raises(StorageError, match="cannot write"):
        LogSigner(KEY, tmp_path / "no" / "state", ledger_size=0)


def test_no_signature_leaves_before_it_is_remembered(
    signer: LogSigner, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        sign(signer, grown(3))
    assert state.read_bytes() == before
    assert signer.last == Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT)
    monkeypatch.undo()
    assert holds(signer, sign(signer, grown(3)))


def test_completeness_is_stated_for_what_was_signed_only(signer: LogSigner) -> None:
    ledger = grown(5)
    sign(signer, ledger)
    leaves = [bytes.fromhex(leaf) for _, leaf in ledger.chains["m1"]]
    note = signer.sign_complete("m1", 5, leaves)
    assert holds(signer, note)
    assert open_note(note)[0] == complete_text(ORIGIN, "m1", 5, leaves)
    with pytest.raises(StorageError, match="no checkpoint over 6"):
        signer.sign_complete("m1", 6, leaves)


def test_nothing_is_stated_before_the_first_checkpoint(state: Path) -> None:
    adopted = LogSigner(KEY, state, ledger_size=5, adopt=True)
    with pytest.raises(StorageError, match="has been signed"):
        adopted.sign_complete("m1", 3, [])


def test_the_signer_shows_its_public_key_only(signer: LogSigner) -> None:
    assert signer.vkey in repr(signer)
    assert SEED.hex() not in repr(signer)
    assert signer.origin == ORIGIN


def test_a_note_of_another_history_is_told_from_one_of_this_one(signer: LogSigner) -> None:
    ledger, other = grown(9), grown(9, text="dos")
    sign(signer, ledger)

    def says(note: str) -> bool:
        return signer.contradicted_by(note, lambda size: merkle.root_at(size, ledger.read))

    assert not says(note_of(ledger, 5))
    assert not says(note_of(ledger, 9))
    assert says(note_of(other, 5))
    assert says(note_of(other, 9))
    assert says(note_of(grown(12), 12))
    # What this log's key did not sign proves nothing, and neither does what is no checkpoint.
    stranger = Signer.from_seed(ORIGIN, seed("stranger"))
    assert not says(sign_note(Checkpoint(ORIGIN, 5, bytes(32)).text(), stranger))
    assert not says(note_of(other, 5).replace("\n5\n", "\n6\n"))
    assert not says(sign_note("something\nelse\n", KEY))
    assert not says(sign_note(Checkpoint("other.example/1", 5, bytes(32)).text(), KEY))
    assert not says("")


def test_after_a_fork_is_proven_nothing_is_signed_until_it_is_none(
    signer: LogSigner, state: Path
) -> None:
    ledger, other = grown(9), grown(12, text="dos")
    sign(signer, ledger)
    signer.freeze(note_of(other, 12))
    ledger.accept("later")
    with pytest.raises(StorageError, match="nothing more is signed") as caught:
        sign(signer, ledger)
    assert caught.value.fields["theirs"] == note_of(other, 12)
    assert caught.value.fields["ours"] == state.read_text()
    again = LogSigner(KEY, state, ledger_size=ledger.size)
    with pytest.raises(StorageError, match="another history"):
        again.require_one_history(lambda size: merkle.root_at(size, ledger.read))
    # The newer ledger comes back, with its signer's memory.
    state.write_text(note_of(other, 12))
    back = LogSigner(KEY, state, ledger_size=other.size)
    back.require_one_history(lambda size: merkle.root_at(size, other.read))
    back.require_one_history(lambda size: bytes(32))
    assert sorted(path.name for path in state.parent.iterdir()) == [state.name]


def note_of(ledger: MemoryLedger, size: int) -> str:
    return sign_note(Checkpoint(ORIGIN, size, merkle.root_at(size, ledger.read)).text(), KEY)

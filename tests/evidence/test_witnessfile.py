"""The witness's memory: written before the cosignature exists, and never in two hands."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from gateway.errors import ConfigError, DataError, StorageError, TryAgain
from gateway.evidence import witness as core
from gateway.evidence import witnessfile
from gateway.evidence.witness import Cosigner, Logs, format_add_checkpoint
from gateway.evidence.witnessfile import DATABASE, WITNESS_KEY, Witness
from gateway.ledger.merkle import consistency_proof, root_at
from gateway.ledger.note import Checkpoint, Signer, Verifier, open_note, sign_note, verified_by
from tests.support.ledgers import ORIGIN, MemoryLedger, seed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = Signer.from_seed(ORIGIN, seed("log"))
LOGS = Logs([Verifier.from_vkey(LOG.vkey)])
NAME = "witness.example/w1"
NOW_S = 1_795_280_400


def history(text: str) -> MemoryLedger:
    ledger = MemoryLedger()
    while ledger.size < 30:
        ledger.accept(f"m{ledger.size}", text=text)
    return ledger


ONE, OTHER = history("uno"), history("dos")


def asks(ledger: MemoryLedger, old: int, size: int) -> bytes:
    note = sign_note(Checkpoint(ORIGIN, size, root_at(size, ledger.read)).text(), LOG)
    return format_add_checkpoint(old, consistency_proof(min(old, size), size, ledger.read), note)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "witness"


@pytest.fixture
def witness(place: Path) -> Iterator[Witness]:
    opened = Witness.open(place, LOGS, name=NAME)
    yield opened
    opened.close()


def status(witness: Witness, body: bytes, now_s: int = NOW_S) -> int:
    return witness.add_checkpoint(body, now_s)[1].status


def test_a_new_witness_makes_its_key_where_nobody_else_can_read_it(
    witness: Witness, place: Path
) -> None:
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    for name in (DATABASE, WITNESS_KEY):
        assert stat.S_IMODE((place / name).stat().st_mode) == 0o600
    assert Verifier.from_vkey(witness.vkey).kind == 0x04
    assert witness.name == NAME


def test_a_cosignature_is_over_the_log_s_own_text_and_holds(witness: Witness) -> None:
    _, answer = witness.add_checkpoint(asks(ONE, 0, 5), NOW_S)
    assert answer.status == core.OK
    request = core.parse_add_checkpoint(asks(ONE, 0, 5))
    text, lines = open_note(request.note + answer.body)
    key = Verifier.from_vkey(witness.vkey)
    assert verified_by(text, lines, [key]) == [key]
    assert witness.checkpoint(ORIGIN) == request.note + answer.body
    assert witness.checkpoint("other.example/1") is None


def test_a_restart_goes_on_from_what_was_cosigned(witness: Witness, place: Path) -> None:
    assert status(witness, asks(ONE, 0, 5)) == 200
    assert status(witness, asks(ONE, 5, 9)) == 200
    vkey = witness.vkey
    witness.close()
    again = Witness.open(place, LOGS, name=None)
    assert again.vkey == vkey
    assert again.add_checkpoint(asks(ONE, 5, 12), NOW_S)[1].body == "9\n"
    assert status(again, asks(OTHER, 9, 12)) == core.UNPROCESSABLE
    assert status(again, asks(ONE, 9, 12)) == 200
    assert status(again, asks(ONE, 12, 12)) == 200
    again.close()


def test_evidence_of_a_fork_is_kept_once_and_shown(witness: Witness) -> None:
    for old, size in ((0, 5), (5, 9), (9, 12)):
        assert status(witness, asks(ONE, old, size)) == 200
    fork = asks(OTHER, 5, 9)
    first, second = witness.add_checkpoint(fork, NOW_S)[1], witness.add_checkpoint(fork, NOW_S)[1]
    assert (first.status, second.status) == (409, 409)
    assert first.evidence is not None
    assert second.evidence is None
    assert status(witness, asks(OTHER, 12, 20)) == core.UNPROCESSABLE
    kept = witness.forks()
    assert [each["proven"] for each in kept] == [True, False]
    for each in kept:
        for side in ("ours", "theirs"):
            text, lines = open_note(str(each[side]))
            assert verified_by(text, lines, [Verifier.from_vkey(LOG.vkey)])
    assert Checkpoint.parse(open_note(str(kept[0]["ours"]))[0]).size == 9
    # Nothing of the other history was cosigned, nor does it stand in the way.
    assert status(witness, asks(ONE, 12, 20)) == 200


def test_what_is_kept_does_not_grow_without_end(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnessfile, "HISTORY_MOST", 3)
    monkeypatch.setattr(witnessfile, "FORKS_MOST", 2)
    for size in range(1, 12):
        assert status(witness, asks(ONE, size - 1, size)) == 200
    for size in range(2, 12):
        assert status(witness, asks(OTHER, 11, size)) in (400, 409, 422)
        assert status(witness, asks(OTHER, 0, size)) == 409
    assert len(witness.forks()) == 2
    witness.add_checkpoint(asks(ONE, 11, 12), NOW_S)
    assert witness.add_checkpoint(asks(ONE, 11, 13), NOW_S)[1].body == "12\n"


def test_no_cosignature_exists_before_the_memory_has_it(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(witness, asks(ONE, 0, 5)) == 200
    signed = []
    monkeypatch.setattr(Cosigner, "cosign", lambda *_: signed.append(1))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(witnessfile.WitnessFile, "put", full)
    with pytest.raises(StorageError, match="disk is full"):
        witness.add_checkpoint(asks(ONE, 5, 9), NOW_S)
    assert not signed
    monkeypatch.undo()
    # The state is as before: the other history is refused, this one goes on.
    assert status(witness, asks(OTHER, 5, 9)) == core.UNPROCESSABLE
    assert status(witness, asks(ONE, 5, 9)) == 200


def test_a_clock_that_was_set_back_signs_nothing(witness: Witness) -> None:
    assert status(witness, asks(ONE, 0, 5)) == 200
    assert status(witness, asks(ONE, 5, 9), NOW_S - 1) == 503
    assert status(witness, asks(ONE, 5, 9)) == 200


def test_a_request_that_is_none_leaves_no_trace(witness: Witness) -> None:
    request, answer = witness.add_checkpoint(b"nonsense", NOW_S)
    assert (request, answer.status) == (None, core.BAD_REQUEST)
    stranger = Signer.from_seed(ORIGIN, seed("stranger"))
    note = sign_note(Checkpoint(ORIGIN, 5, bytes(32)).text(), stranger)
    assert status(witness, format_add_checkpoint(0, [], note)) == core.FORBIDDEN
    assert witness.checkpoint(ORIGIN) is None
    assert witness.forks() == []


def test_two_processes_cannot_be_one_witness(witness: Witness, place: Path) -> None:
    with pytest.raises(TryAgain, match="another acuse witness"):
        Witness.open(place, LOGS, name=None)


def test_a_name_is_given_once_and_stays(witness: Witness, place: Path, tmp_path: Path) -> None:
    witness.close()
    with pytest.raises(ConfigError, match="not 'other'"):
        Witness.open(place, LOGS, name="other")
    Witness.open(place, LOGS, name=NAME).close()
    with pytest.raises(ConfigError, match="needs a name"):
        Witness.open(tmp_path / "new", LOGS, name=None)
    with pytest.raises(DataError, match="key name"):
        Witness.open(tmp_path / "newer", LOGS, name="with space")


def test_key_and_memory_stay_together(witness: Witness, place: Path) -> None:
    assert status(witness, asks(ONE, 0, 5)) == 200
    witness.close()
    key = place / WITNESS_KEY
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(StorageError, match=r"key of the witness .* is gone"):
        Witness.open(place, LOGS, name=None)
    key.write_bytes(kept)
    key.chmod(0o600)
    for path in place.glob(f"{DATABASE}*"):
        path.unlink()
    with pytest.raises(StorageError, match="without its memory"):
        Witness.open(place, LOGS, name=NAME)


def test_a_start_that_was_cut_off_is_taken_up(place: Path) -> None:
    place.mkdir(mode=0o700)
    (place / DATABASE).touch()
    opened = Witness.open(place, LOGS, name=NAME)
    opened.close()
    (place / WITNESS_KEY).unlink()  # died after the memory was made, before the key was
    Witness.open(place, LOGS, name=None).close()


def test_a_foreign_or_damaged_memory_is_refused(place: Path) -> None:
    place.mkdir(mode=0o700)
    path = place / DATABASE
    path.write_bytes(b"not a database, and long enough to be looked at " * 40)
    with pytest.raises(StorageError, match="cannot be used"):
        Witness.open(place, LOGS, name=NAME)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE x (y)")
    connection.close()
    with pytest.raises(StorageError, match="not a witness's memory"):
        Witness.open(place, LOGS, name=NAME)

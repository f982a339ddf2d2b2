"""The witness: a cosignature for what extends what was cosigned, and for nothing else."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.evidence import witness as core
from gateway.evidence.witness import Answer, Cosigned, Cosigner, Logs
from gateway.ledger.merkle import EMPTY_ROOT, consistency_proof, root_at
from gateway.ledger.note import Checkpoint, Signer, Verifier, cosigned_at_s, open_note, sign_note
from tests.support.ledgers import ORIGIN, MemoryLedger, seed
from tests.support.ledgers import Witness as Vouching

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLISHED = json.loads((Path(__file__).parent.parent / "vectors/witness.json").read_text())
LOG = Signer.from_seed(ORIGIN, seed("log"))
LOGS = Logs([Verifier.from_vkey(LOG.vkey)])
NOW_S = 1_795_280_400


def grown(size: int, *, text: str = "uno") -> MemoryLedger:
    ledger = MemoryLedger()
    while ledger.size < size:
        ledger.accept(f"m{ledger.size}", text=text)
    return ledger


def request(
    ledger: MemoryLedger, old: int, *, proof: Sequence[bytes] | None = None
) -> core.AddCheckpoint:
    if proof is None:
        proof = consistency_proof(min(old, ledger.size), ledger.size, ledger.read)
    body = core.format_add_checkpoint(old, proof, ledger.checkpoint())
    admitted = LOGS.admit(core.parse_add_checkpoint(body))
    assert not isinstance(admitted, Answer)
    return admitted


def known(ledger: MemoryLedger) -> Cosigned:
    note = ledger.checkpoint()
    return Cosigned(Checkpoint.parse(open_note(note)[0]), note, NOW_S)


def judged(
    ledger: MemoryLedger, old: int, latest: MemoryLedger | None, **given: Sequence[bytes]
) -> Answer:
    """The answer of a witness that cosigned *latest* and nothing before."""
    cosigned = known(latest) if latest else None
    same = cosigned if cosigned and cosigned.checkpoint.size == ledger.size else None
    return core.judge(request(ledger, old, **given), cosigned, same)


def test_the_published_request_is_read() -> None:
    read = core.parse_add_checkpoint(PUBLISHED["request"].encode())
    assert read.old_size == PUBLISHED["old_size"]
    assert [base64.b64encode(each).decode() for each in read.proof] == PUBLISHED["proof"]
    assert read.checkpoint.origin == "example.com/behind-the-sofa"
    assert read.checkpoint.size == PUBLISHED["size"]
    assert len(read.lines) == 2
    again = core.format_add_checkpoint(read.old_size, read.proof, read.note)
    assert again.decode() == PUBLISHED["request"]


def test_the_published_cosignature_says_its_time() -> None:
    _, lines = open_note(PUBLISHED["cosigned"])
    assert lines[1].name == "witness.example.com/w1"
    assert cosigned_at_s(lines[1]) == PUBLISHED["time_s"]
    _, answer = open_note("-\n\n" + PUBLISHED["response"])
    assert [each.name for each in answer] == PUBLISHED["response_names"]


def test_a_cosignature_is_what_verifiers_of_policies_take() -> None:
    cosigner = Cosigner("witness.example/w1", seed("witness.example/w1"))
    note = sign_note(Checkpoint(ORIGIN, 3, EMPTY_ROOT).text(), LOG)
    line = cosigner.cosign(open_note(note)[0], NOW_S)
    other_way = Vouching("witness.example/w1")
    assert f"{note}{line}\n" == other_way.cosign(note, NOW_S)
    assert cosigner.vkey == other_way.vkey
    assert cosigner.vkey in repr(cosigner)
    with pytest.raises(DataError, match="key name"):
        Cosigner("no spaces", seed("x"))


@pytest.mark.parametrize("old", [0, 1, 2, 3, 7, 8, 9, 255, 256, 257])
def test_what_extends_the_last_checkpoint_is_cosigned(old: int) -> None:
    for size in {old, old + 1, old + 5, 300} - {0}:
        latest = grown(old) if old else None
        assert judged(grown(size), old, latest) == Answer(core.OK)


def test_an_empty_log_can_be_cosigned_and_then_grow() -> None:
    empty = MemoryLedger(genesis=False)
    assert judged(empty, 0, None) == Answer(core.OK)
    assert judged(grown(3), 0, empty) == Answer(core.OK)
    odd = core.format_add_checkpoint(0, [], sign_note(Checkpoint(ORIGIN, 0, bytes(32)).text(), LOG))
    assert core.judge(core.parse_add_checkpoint(odd), None, None).status == core.CONFLICT


def test_another_old_size_is_told_the_last_one() -> None:
    for old in (0, 4, 6):
        answer = judged(grown(9), old, grown(5))
        assert answer == Answer(core.CONFLICT, "5\n", core.SIZE_TYPE)
    assert judged(grown(9), 3, None) == Answer(core.CONFLICT, "0\n", core.SIZE_TYPE)


def test_a_rolled_back_log_is_told_how_much_was_cosigned() -> None:
    answer = judged(grown(7), 5, grown(9))
    assert (answer.status, answer.body, answer.evidence) == (core.CONFLICT, "9\n", None)
    assert judged(grown(7), 9, grown(9)).status == core.BAD_REQUEST


def test_two_roots_of_one_size_are_a_fork_with_both_notes() -> None:
    ours, theirs = grown(5), grown(5, text="dos")
    answer = judged(theirs, 5, ours)
    assert (answer.status, answer.body, answer.content_type) == (409, "5\n", core.SIZE_TYPE)
    assert answer.evidence == core.Evidence(ours.notes[-1], theirs.notes[-1], proven=True)


def test_a_fork_from_an_earlier_checkpoint_is_found_whatever_the_old_size() -> None:
    earlier, later, other = grown(5), grown(9), grown(5, text="dos")
    for old in (0, 4, 5):
        answer = core.judge(request(other, old), known(later), known(earlier))
        assert answer.status == core.CONFLICT
        assert answer.body == "9\n"
        assert answer.evidence == core.Evidence(earlier.notes[-1], other.notes[-1], proven=True)


def test_a_signed_checkpoint_that_extends_nothing_is_refused_with_both_notes() -> None:
    ours, other = grown(5), grown(9, text="dos")
    right = consistency_proof(5, 9, grown(9).read)
    for proof in ([], right, right[:-1], [bytes(32)] * 63):
        answer = judged(other, 5, ours, proof=proof)
        assert answer.status == core.UNPROCESSABLE
        assert answer.evidence == core.Evidence(ours.notes[-1], other.notes[-1], proven=False)
    answer = judged(grown(5), 5, ours, proof=[bytes(32)])
    assert answer.status == core.UNPROCESSABLE
    first = judged(grown(5), 0, None, proof=[bytes(32)])
    assert (first.status, first.evidence) == (core.UNPROCESSABLE, None)


def test_only_the_keys_of_known_logs_count() -> None:
    text = Checkpoint(ORIGIN, 3, bytes(32)).text()
    stranger = Signer.from_seed(ORIGIN, seed("stranger"))
    other = Signer.from_seed("other.example/1", seed("other"))

    def status(note: str, logs: Logs = LOGS) -> int:
        answer = logs.admit(core.parse_add_checkpoint(core.format_add_checkpoint(0, [], note)))
        return core.OK if not isinstance(answer, Answer) else answer.status

    assert status(sign_note(text, LOG)) == core.OK
    assert status(sign_note(text, stranger)) == core.FORBIDDEN
    assert status(sign_note(Checkpoint(ORIGIN, 4, bytes(32)).text(), LOG)) == core.OK
    forged = sign_note(text, LOG).replace("\n3\n", "\n4\n")
    assert status(forged) == core.FORBIDDEN
    assert status(sign_note(Checkpoint("other.example/1", 3, bytes(32)).text(), other)) == 404
    assert status(sign_note(text, LOG, stranger, other)) == core.OK
    both = Logs([Verifier.from_vkey(LOG.vkey), Verifier.from_vkey(stranger.vkey)])
    assert status(sign_note(text, stranger), both) == core.OK
    assert len(both) == 1
    assert list(both.keys) == [ORIGIN]
    with pytest.raises(DataError, match="is a witness"):
        Logs([Verifier.from_vkey(Cosigner("w", seed("w")).vkey)])


def test_what_is_kept_of_a_note_is_what_known_keys_signed() -> None:
    text = Checkpoint(ORIGIN, 3, bytes(32)).text()
    noisy = sign_note(text, Signer.from_seed("noise", seed("noise")), LOG)
    admitted = LOGS.admit(core.parse_add_checkpoint(core.format_add_checkpoint(0, [], noisy)))
    assert not isinstance(admitted, Answer)
    assert admitted.note == sign_note(text, LOG)


def test_extension_lines_of_other_logs_are_cosigned_with_the_rest() -> None:
    text = Checkpoint(ORIGIN, 3, bytes(32)).text() + "timestamp 1\n"
    read = core.parse_add_checkpoint(core.format_add_checkpoint(0, [], sign_note(text, LOG)))
    assert read.text == text
    assert read.checkpoint == Checkpoint(ORIGIN, 3, bytes(32))
    with pytest.raises(DataError, match="no empty lines"):
        core.parse_add_checkpoint(core.format_add_checkpoint(0, [], sign_note(text + "\nx\n", LOG)))


GOOD = core.format_add_checkpoint(0, [], sign_note(Checkpoint(ORIGIN, 3, bytes(32)).text(), LOG))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "blank line"),
        (b"\xff", "UTF-8"),
        (b"old 0\n\n", "a note is"),
        (GOOD.replace(b"old 0", b"old 00"), "decimal"),
        (GOOD.replace(b"old 0", b"old  0"), "decimal"),
        (GOOD.replace(b"old 0", b"old -1"), "decimal"),
        (GOOD.replace(b"old 0", b"new 0"), "old SIZE"),
        (GOOD.replace(b"old 0\n", b"old 0\nAAAA\n"), "32 bytes"),
        (GOOD.replace(b"old 0\n", b"old 0\n!\n"), "base64"),
        (GOOD.replace(b"old 0\n", b"old 0\r\n"), "decimal"),
        (GOOD.replace(b"old 0\n", b"old 0\n" + (b"A" * 43 + b"=\n") * 64), "at most 63"),
        (GOOD.replace(b"\n3\n", b"\n03\n"), "size"),
        (GOOD + b"x" * core.MAX_REQUEST_BYTES, "at most"),
    ],
)
def test_a_request_that_is_none_is_refused_by_name(body: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        core.parse_add_checkpoint(body)


@given(st.binary(max_size=400) | st.binary(max_size=40).map(lambda noise: GOOD[:60] + noise))
def test_noise_is_refused_and_nothing_else_happens(body: bytes) -> None:
    try:
        core.parse_add_checkpoint(body)
    except DataError:
        return


HISTORIES = {text: grown(40, text=text) for text in ("uno", "dos")}


@given(st.data())
def test_no_order_of_requests_gets_two_cosignatures_that_do_not_go_together(
    data: st.DataObject,
) -> None:
    """Whatever a log asks, of two histories and with any proof, the cosigned ones are one line."""
    histories = HISTORIES
    latest: Cosigned | None = None
    cosigned: dict[int, Cosigned] = {}
    chosen: set[str] = set()
    for _ in range(data.draw(st.integers(1, 12))):
        text = data.draw(st.sampled_from(sorted(histories)))
        size = data.draw(st.integers(1, 40))
        old = data.draw(st.integers(0, size) | st.just(latest.checkpoint.size if latest else 0))
        ledger = histories[text]
        root = _root(ledger, size)
        note = sign_note(Checkpoint(ORIGIN, size, root).text(), LOG)
        proof = consistency_proof(min(old, size), size, ledger.read)
        asked = core.parse_add_checkpoint(core.format_add_checkpoint(old, proof, note))
        answer = core.judge(asked, latest, cosigned.get(size))
        if answer.status == core.OK:
            latest = cosigned[size] = Cosigned(asked.checkpoint, asked.note, NOW_S)
            if size > 1:  # all histories begin with the same entry
                chosen.add(text)
    assert len(chosen) <= 1


def _root(ledger: MemoryLedger, size: int) -> bytes:
    return root_at(size, ledger.read)

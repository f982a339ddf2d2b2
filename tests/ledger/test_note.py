"""Signed notes, checkpoints and cosignatures, against the examples the C2SP standards publish."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.ledger import note as notes
from gateway.ledger.merkle import EMPTY_ROOT
from gateway.ledger.note import Checkpoint, Signer, Verifier
from tests.support.ledgers import ORIGIN, Witness, seed

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/note.json").read_text())
SIGNER = Signer.from_seed(ORIGIN, seed("log"))
VERIFIER = Verifier.from_vkey(SIGNER.vkey)
TEXT = Checkpoint(ORIGIN, 3, EMPTY_ROOT).text()
NOTE = notes.sign_note(TEXT, SIGNER)


@pytest.mark.parametrize("vector", VECTORS["notes"])
def test_published_notes_verify_and_nothing_else_does(vector: dict[str, str]) -> None:
    key = Verifier.from_vkey(vector["vkey"])
    text, lines = notes.open_note(vector["note"])
    assert notes.verified_by(text, lines, [key]) == [key]
    assert key.vkey == vector["vkey"]
    assert notes.join_note(text, lines) == vector["note"]
    with pytest.raises(DataError, match="does not verify"):
        notes.verified_by(text + "x\n", lines, [key])


def test_our_own_published_notes_stay_what_they_are() -> None:
    own = VECTORS["own"]
    signer = Signer.from_seed(own["name"], bytes.fromhex(own["seed"]))
    assert signer.vkey == own["vkey"]
    assert notes.sign_note(own["text"], signer) == own["note"]


def test_a_note_by_several_keys_is_verified_by_those_that_are_known() -> None:
    other = Signer.from_seed("other.example/log", seed("other"))
    text, lines = notes.open_note(notes.sign_note(TEXT, SIGNER, other))
    assert text == TEXT
    assert notes.verified_by(text, lines, [VERIFIER]) == [VERIFIER]
    assert notes.verified_by(text, lines, []) == []
    same_name = Signer.from_seed(ORIGIN, seed("stranger"))
    _, lines = notes.open_note(notes.sign_note(TEXT, same_name))
    assert notes.verified_by(text, lines, [VERIFIER]) == []


def test_a_cosignature_holds_for_its_time_and_its_text_only() -> None:
    witness = Witness("witness.example/w1")
    text, lines = notes.open_note(witness.cosign(NOTE, 1_795_280_400))
    key = Verifier.from_vkey(witness.vkey)
    assert key.kind == notes.COSIGNATURE
    assert notes.verified_by(text, lines, [VERIFIER, key]) == [VERIFIER, key]
    (line,) = [line for line in lines if key.made(line)]
    assert notes.cosigned_at_s(line) == 1_795_280_400
    earlier = (1_795_280_399).to_bytes(8, "big") + line.body[8:]
    for body in (earlier, line.body[:-1], line.body + b"\0", b"short"):
        wrong = notes.SignatureLine(line.name, line.key_id, body)
        assert not key.holds(text, wrong)
        with pytest.raises(DataError) as caught:
            notes.verified_by(text, [wrong], [key])
        assert caught.value.fields["reason"] == "witnesses"


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_a_changed_character_never_leaves_a_signed_note(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(NOTE) - 1))
    new = data.draw(st.characters(exclude_characters=NOTE[at]))
    try:
        text, lines = notes.open_note(NOTE[:at] + new + NOTE[at + 1 :])
        verified = notes.verified_by(text, lines, [VERIFIER])
    except DataError:
        return
    assert verified == []


LINE = NOTE.splitlines()[-1]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        TEXT + "\n",
        TEXT + "\n" + LINE,  # no newline at the end
        TEXT + "\n" + LINE + "\n\n",
        TEXT + "\n" + LINE + " \n",
        TEXT + "\n" + LINE.replace(" ", "  ") + "\n",
        TEXT + "\n" + LINE.replace("\u2014", "-") + "\n",
        TEXT + "\n" + LINE.replace("=", "") + "\n",
        TEXT + "\n" + LINE.replace("sms", "s+s") + "\n",
        TEXT + "\n" + LINE.replace("sms", "s\u00a0s") + "\n",
        TEXT + "\n\u2014 name AAAAAA==\n",  # a key id and nothing else
        TEXT + "\n\u2014 name !AAAA\n",
        TEXT + "\n\u2014 name ÀAAA\n",
        TEXT + "\n\u2014  AAAAAAAA\n",
        NOTE.replace(ORIGIN, ORIGIN + "\t", 1),
        NOTE.replace(ORIGIN, ORIGIN + "\r", 1),
        NOTE.replace(ORIGIN, ORIGIN + "\0", 1),
        NOTE.replace(ORIGIN, ORIGIN + "\ud800", 1),
        TEXT + "\n" + (LINE + "\n") * 65,
        "x" * notes.MAX_NOTE_BYTES + NOTE,
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(DataError) as caught:
        notes.open_note(note)
    assert caught.value.fields["reason"] == "checkpoint"


def test_a_note_may_have_empty_lines_and_sixteen_signatures() -> None:
    text = "first\n\nlast\n"
    signers = [Signer.from_seed(f"s{n}.example", seed(str(n))) for n in range(16)]
    found, lines = notes.open_note(notes.sign_note(text, *signers))
    assert found == text
    keys = [Verifier.from_vkey(signer.vkey) for signer in signers]
    assert notes.verified_by(found, lines, keys) == keys


@given(st.integers(0, 10**15), st.binary(min_size=32, max_size=32))
@settings(deadline=None, max_examples=50)
def test_a_checkpoint_reads_back(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(ORIGIN, size, root)
    assert Checkpoint.parse(checkpoint.text()) == checkpoint


ROOT = base64.b64encode(EMPTY_ROOT).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{ORIGIN}\n3\n",
        f"{ORIGIN}\n3\n{ROOT}",
        f"{ORIGIN}\n3\n{ROOT}\nextension\n",
        f"\n3\n{ROOT}\n",
        f"{ORIGIN}\n03\n{ROOT}\n",
        f"{ORIGIN}\n-3\n{ROOT}\n",
        f"{ORIGIN}\n+3\n{ROOT}\n",
        f"{ORIGIN}\n٣\n{ROOT}\n",
        f"{ORIGIN}\n{10**16}\n{ROOT}\n",
        f"{ORIGIN}\n3\n{ROOT[:-1]}\n",
        f"{ORIGIN}\n3\n{ROOT} \n",
        f"{ORIGIN}\n3\n{ROOT[:-2]}V=\n",  # bits that no padding may have
        f"{ORIGIN}\n3\nAAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(DataError) as caught:
        Checkpoint.parse(text)
    assert caught.value.fields["reason"] == "checkpoint"


def vkey(kind: int, material: bytes, name: str = "k.example") -> str:
    return notes.format_vkey(name, kind, material)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "reads NAME"),
        ("a+b", "reads NAME"),
        (SIGNER.vkey + "+", "not base64"),
        (SIGNER.vkey.replace("+", " ", 1), "reads NAME"),
        (SIGNER.vkey.replace("sms", "s ms"), "spaces"),
        (vkey(0x06, bytes(1312)), "0x06 of key k.example is not supported"),
        (vkey(0x01, bytes(31)), "not 32 bytes"),
        (vkey(0x01, bytes(32)).replace("k.example", "l.example"), "key id"),
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        Verifier.from_vkey(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb"])
def test_a_key_needs_a_proper_name(name: str) -> None:
    with pytest.raises(DataError):
        Signer.from_seed(name, seed("log"))


def test_a_signer_shows_its_public_key_only() -> None:
    assert repr(SIGNER) == f"Signer({SIGNER.vkey!r})"
    assert repr(VERIFIER) == f"Verifier({SIGNER.vkey!r})"
    assert seed("log").hex() not in repr(SIGNER)

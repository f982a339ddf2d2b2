"""Bundles as the daemon hands them out: everything proven, nothing redacted shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import DataError
from gateway.evidence.bundle import Token, assemble, complete_text
from gateway.ledger.note import Checkpoint, open_note, sign_note
from gateway.ledger.verify import verify_bundle
from tests.support.ledgers import ISSUER, OPERATORS, ORIGIN, SENDER, MemoryLedger, seed
from tests.support.standalone import agree

OUTCOMES = [
    "delivered",
    "undelivered",
    "delivered_to_operator",
    "refused",
    "cancelled",
    "unconfirmed",
]


def ledger_of(*outcomes: str, parts: int = 1) -> MemoryLedger:
    ledger = MemoryLedger()
    for outcome in outcomes:
        ledger.submission(f"m-{outcome}", outcome, parts=parts)
    ledger.checkpoint()
    return ledger


def both(ledger: MemoryLedger, data: bytes) -> tuple[str, str | None, str | None]:
    """Our verdict, after the standalone verifier was seen to say the same."""
    report = verify_bundle(data, now_ms=ledger.now_ms)
    agree(report, data, now_ms=ledger.now_ms)
    return report.verdict, report.reason, report.state


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("parts", [1, 3])
def test_every_way_a_submission_ends_is_proven(outcome: str, parts: int) -> None:
    ledger = ledger_of("open", outcome, parts=parts)
    data = ledger.bundle(f"m-{outcome}")
    verdict, reason, state = both(ledger, data)
    assert (verdict, state) == ("UNANCHORED", outcome)
    assert reason is not None
    assert reason.startswith("checkpoint: no policy")


def test_a_bundle_has_the_keys_ledger_names_and_reads_as_text() -> None:
    ledger = ledger_of("delivered")
    data = ledger.bundle("m-delivered")
    found = json.loads(data)
    assert set(found) == {
        *("format", "submission_id", "entries", "disclose", "timestamps", "since", "complete"),
        *("rotations", "anchors", "log", "witnesses", "operators", "sender", "issuer"),
    }
    assert (found["issuer"], found["sender"], found["operators"]) == (ISSUER, SENDER, OPERATORS)
    assert data.endswith(b"}\n")
    assert "ACME Ibérica SA".encode() in data
    shown = found["disclose"]
    assert shown["1"]["text"]["value"] == "Su pedido está listo"
    assert set(shown["2"]) == {"submit.1", "response.1"}
    assert bytes.fromhex(shown["3"]["receipt"]["value_hex"]).startswith(b"a whole deliver_sm")


@pytest.mark.parametrize("redact", [{"to"}, {"from"}, {"text"}, {"to", "from", "text"}])
def test_redaction_withholds_the_field_and_every_pdu_with_it(redact: set[str]) -> None:
    ledger = ledger_of("delivered", parts=2)
    data = ledger.bundle("m-delivered", redact=redact)
    found = json.loads(data)["disclose"]
    names = {name for fields in found.values() for name in fields}
    assert names == {"to", "from", "text", "response.1", "response.2"} - redact
    values = {"to": b"+34600111222", "text": b"pedido", "from": b'"value": "ACME"'}
    for name in redact:
        assert values[name] not in data
    assert both(ledger, data)[0] == "UNANCHORED"


def test_an_unknown_redaction_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(DataError, match="'raw'") as caught:
        ledger_of("delivered").bundle("m-delivered", redact={"raw", "to"})
    assert caught.value.hint == "it is one of from, text, to"


def test_an_erased_submission_still_proves_its_course() -> None:
    ledger = MemoryLedger()
    ledger.submission("m1")
    ledger.append("x.Erased", mid="m1", basis="art. 17")
    ledger.checkpoint()
    data = ledger.bundle("m1", key=None)
    assert json.loads(data)["disclose"] == {}
    assert both(ledger, data)[2] == "erased"


def test_a_bundle_proves_what_its_checkpoint_covers_and_no_more() -> None:
    ledger = ledger_of("open")
    early = ledger.notes[0]
    ledger.report("m-open", "E.1", stat="DELIVRD")
    ledger.seal("m-open", "delivered")
    ledger.checkpoint()
    assert both(ledger, ledger.bundle("m-open", note=early))[2] == "accepted"
    assert both(ledger, ledger.bundle("m-open"))[2] == "delivered"
    with pytest.raises(DataError, match="not covered") as caught:
        ledger.bundle("m-open", note=early, entries=[(seq, ledger.raw[seq]) for seq in (1, 2, 3)])
    assert caught.value.hint


def test_a_bundle_carries_proofs_from_earlier_notes_and_tokens() -> None:
    ledger = ledger_of("delivered")
    early = ledger.notes[0]
    anchor = ledger.append(
        "x.Anchor", size=5, root=ledger.tree.root().hex(), tokens=[], witnesses=[]
    )
    rotate = ledger.append("x.KeyRotate", old=ledger.vkey, new=MemoryLedger(key="new").vkey)
    for _ in range(300):
        ledger.accept(f"n{ledger.size}")
    late = ledger.checkpoint()
    data = ledger.bundle(
        "m-delivered",
        since=[early, late],
        tokens=[Token("tsa", open_note(early)[0], b"der")],
        anchors=[(anchor, ledger.raw[anchor])],
        rotations=[(rotate, ledger.raw[rotate], late)],
    )
    found = json.loads(data)
    assert found["since"][0]["note"] == early
    assert found["since"][0]["consistency"]
    assert found["since"][1]["consistency"] == []
    assert found["timestamps"][0]["token"] == "ZGVy"
    assert both(ledger, data)[0] == "UNANCHORED"


@pytest.mark.parametrize("kind", ["later", "empty", "other"])
def test_an_earlier_note_must_be_one(kind: str) -> None:
    ledger = ledger_of("delivered")
    early = ledger.notes[0]
    ledger.accept("more")
    other = MemoryLedger("other.example/1")
    wrong = {
        "later": ledger.checkpoint(),
        "empty": sign_note(Checkpoint(ORIGIN, 0, bytes(32)).text(), ledger.signer),
        "other": other.checkpoint(),
    }
    with pytest.raises(DataError, match="not an earlier one"):
        ledger.bundle("m-delivered", note=early, since=[wrong[kind]])


def test_a_bundle_without_a_complete_note_says_nothing_of_it() -> None:
    ledger = ledger_of("delivered")
    found = json.loads(ledger.bundle("m-delivered", complete=None))
    assert "complete" not in found


def test_fields_without_content_are_left_out() -> None:
    ledger = ledger_of("delivered")
    data = ledger.bundle("m-delivered", contents={1: {"to": b"+34600111222"}, 2: {}})
    assert list(json.loads(data)["disclose"]) == ["1"]
    assert both(ledger, data)[0] == "UNANCHORED"


def test_the_text_of_a_complete_note() -> None:
    assert complete_text(ORIGIN, "m1", 7, [bytes(32), bytes(32)]) == (
        f"acuse-complete/v1\n{ORIGIN}\nm1\n7\n9aX9QtFqIDAnmO9u0wmXm0MAPSMg2fDo6pgxqSdZ+0s=\n"
    )


def test_assemble_needs_no_ledger_of_its_own() -> None:
    ledger = ledger_of("refused")
    given: dict[str, Any] = {
        "submission_id": "m-refused",
        "entries": [(seq, ledger.raw[seq]) for seq, _ in ledger.chains["m-refused"]],
        "key": seed("m-refused"),
        "contents": {},
        "size": ledger.size,
        "read_tile": ledger.read,
        "note": ledger.notes[0],
        "complete": None,
        "vkey": ledger.vkey,
        "issuer": ISSUER,
        "sender": SENDER,
        "operators": {},
    }
    assert both(ledger, assemble(**given))[2] == "refused"

"""tlog-proof texts and the envelope of bundles."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.ledger import proof as proofs
from tests.support.ledgers import MemoryLedger

hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=5).map(tuple)
NOTE = "origin\n3\nroot\n\n\u2014 a AAAAAAAA\n"


@given(st.integers(0, 10**15), hashes, st.binary(max_size=9))
@settings(deadline=None, max_examples=80)
def test_a_proof_reads_back(index: int, path: tuple[bytes, ...], extra: bytes) -> None:
    proof = proofs.LogProof(index, path, NOTE, extra)
    text = proofs.format_proof(proof)
    assert text.startswith("c2sp.org/tlog-proof@v1\n")
    assert proofs.parse_proof(text) == proof


ROW = "A" * 43 + "="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{ROW}\n",
        f"c2sp.org/tlog-proof@v2\nindex 0\n{ROW}\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nextra AA==\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nextra A\nindex 0\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nindex 00\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nindex -1\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nindex\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{ROW} \n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\r\nindex 0\n\n{NOTE}",
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(DataError) as caught:
        proofs.parse_proof(text)
    assert caught.value.fields["reason"] == "inclusion"


def bundle() -> dict[str, Any]:
    ledger = MemoryLedger()
    ledger.submission("m1")
    found: dict[str, Any] = json.loads(ledger.bundle("m1"))
    return found


BUNDLE = bundle()


def test_a_bundle_is_taken_apart() -> None:
    found = proofs.parse_bundle(json.dumps({**BUNDLE, "unknown": [1.5, None]}).encode())
    assert found.submission_id == "m1"
    assert [one.entry for one in found.entries] == [one["entry"] for one in BUNDLE["entries"]]
    assert found.complete == BUNDLE["complete"]
    assert found.sender == BUNDLE["sender"]


def test_only_what_proves_something_is_required() -> None:
    small = {key: BUNDLE[key] for key in ("format", "submission_id", "entries", "log")}
    found = proofs.parse_bundle(json.dumps({**small, "issuer": None}).encode())
    assert (found.complete, found.sender, found.issuer, found.since) == (None, None, None, ())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"{}",
        b'{"format": "acuse-proof/v2"}',
        b'{"format": NaN}',
        json.dumps(BUNDLE).encode()[:-1],
        b"%" * (proofs.MAX_BUNDLE_BYTES + 1),
    ],
)
def test_what_is_no_bundle_is_told_from_a_bad_one(data: bytes) -> None:
    with pytest.raises(proofs.NotABundle) as caught:
        proofs.parse_bundle(data)
    assert caught.value.exit_code == 65
    assert caught.value.hint


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"submission_id": None}, "submission_id"),
        ({"submission_id": "\ud800"}, "UTF-8"),
        ({"entries": []}, "no entries"),
        ({"entries": {}}, "entries of the bundle is not a list"),
        ({"entries": ["x"]}, "list of objects"),
        ({"entries": [{"entry": "{}"}]}, "proof of an item of entries"),
        ({"entries": [{"entry": 1, "proof": ""}]}, "entry of an item of entries"),
        ({"entries": [{}] * (proofs.MAX_ENTRIES + 1)}, "at most"),
        ({"log": 7}, "log"),
        ({"witnesses": "w"}, "witnesses"),
        ({"witnesses": [7]}, "witnesses"),
        ({"witnesses": [""] * (proofs.MAX_EXTRAS + 1)}, "at most"),
        ({"since": [{"note": "", "consistency": [1]}]}, "consistency"),
        ({"timestamps": [{"tsa": "t", "over": "", "token": 1}]}, "token"),
        ({"operators": []}, "operators"),
        ({"sender": "ACME"}, "sender"),
        ({"issuer": 1}, "issuer"),
        ({"complete": 1}, "complete"),
        ({"disclose": []}, "disclose"),
        ({"disclose": {"1": []}}, "disclose"),
        ({"huge": 10**30}, "too large"),
        ({"deep": json.loads("[" * 40 + "]" * 40)}, "nested"),
    ],
)
def test_a_bundle_that_breaks_its_form_says_where(change: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        proofs.parse_bundle(json.dumps({**BUNDLE, **change}).encode())
    assert caught.value.fields["reason"] == "parse"
    assert not isinstance(caught.value, proofs.NotABundle)


def test_the_same_key_twice_is_refused() -> None:
    data = json.dumps(BUNDLE).replace('"log":', '"log": "x", "log":').encode()
    with pytest.raises(DataError, match="same key twice"):
        proofs.parse_bundle(data)


def test_a_bundle_beyond_the_size_limit_is_refused_unread() -> None:
    with pytest.raises(DataError, match="larger than") as caught:
        proofs.parse_bundle(b'{"format":' + b" " * proofs.MAX_BUNDLE_BYTES)
    assert caught.value.fields["reason"] == "parse"

"""Anything at all under the eyes of each verifier: a report or one clear error, nothing else.

Hypothesis prints the example a test fails with; `--hypothesis-seed` repeats a run.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli.proofkinds import examine
from gateway.cli.verify import Trust
from gateway.errors import DataError
from gateway.evidence.examine import verify_container
from gateway.evidence.rfc3161 import trusting
from gateway.ledger.note import Verifier, open_note
from gateway.ledger.notecheck import verify_checkpoint
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.report import EXIT_CODES, Report
from gateway.ledger.verify import verify_bundle
from tests.hostile import corpus
from tests.support.ledgers import Witness
from tests.support.seals import make_seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POLICY = parse_policy(f"log {corpus.LEDGER.vkey}\nquorum none\n".encode())
BUNDLE = corpus.bundle(
    since=[{"note": corpus.NOTE, "consistency": []}],
    timestamps=[
        {"tsa": "t", "over": open_note(corpus.NOTE)[0], "token": "MAA=", "consistency": []}
    ],
    rotations=[corpus.BUNDLE["entries"][0]],
    anchors=[corpus.BUNDLE["entries"][0]],
    witnesses=[Witness("w").vkey],
)
CONTAINER = corpus.container()
SEAL = make_seal()
STAMPS = trusting(SEAL.root_pem)
few = settings(deadline=None, max_examples=60)


def judged(work: Callable[[], Report]) -> Report | None:
    """The report; None for an error that says what to do about it."""
    try:
        report = work()
    except DataError:
        return None
    assert report.verdict in EXIT_CODES
    json.dumps(report.as_json(), ensure_ascii=False).encode()
    assert all(len(line) < 2000 or "\n" in line for line in report.explain())
    return report


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """*whole* with some pieces replaced, doubled, taken out, or put elsewhere."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 40)))
        how = draw(st.integers(0, 3))
        piece = bytes(data[start:stop])
        if how == 0:
            data[start:stop] = draw(st.binary(max_size=12))
        elif how == 1:
            data[start:start] = piece * draw(st.integers(1, 3))
        elif how == 2:
            del data[start:stop]
        else:
            del data[start:stop]
            to = draw(st.integers(0, len(data)))
            data[to:to] = piece
    return bytes(data)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
@few
def test_any_bytes(data: bytes) -> None:
    judged(lambda: verify_bundle(data, now_ms=0, policy=POLICY))
    judged(lambda: verify_checkpoint(data, now_ms=0, policy=POLICY))
    judged(lambda: verify_container(data, now_ms=0, policy=POLICY))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(corpus.BUNDLE)), JSON, max_size=6))
@few
def test_a_bundle_of_any_values(values: dict[str, Any]) -> None:
    data = json.dumps({**corpus.BUNDLE, **values, "format": "acuse-proof/v1"}).encode()
    report = judged(lambda: verify_bundle(data, now_ms=0, policy=POLICY, stamp_check=STAMPS))
    assert report is None or report.verdict != "VALID"


@given(mutated(BUNDLE))
@few
def test_a_bundle_with_pieces_moved(data: bytes) -> None:
    report = judged(lambda: verify_bundle(data, now_ms=0, policy=POLICY, stamp_check=STAMPS))
    assert report is None or report.verdict != "VALID"


@given(mutated(corpus.NOTE.encode()))
@few
def test_a_checkpoint_with_pieces_moved(data: bytes) -> None:
    report = judged(lambda: verify_checkpoint(data, now_ms=0, policy=POLICY, since=corpus.NOTE))
    if report is not None and dict(report.checks)["checkpoint"] and report.verdict != "FORK":
        assert open_note(data.decode())[0] == open_note(corpus.NOTE)[0]


@given(mutated(CONTAINER))
@few
def test_a_container_with_pieces_moved(data: bytes) -> None:
    report = judged(
        lambda: verify_container(data, now_ms=0, policy=POLICY, signer_ca=SEAL.root_pem)
    )
    assert report is None or report.verdict in ("INVALID", "UNANCHORED")


@given(mutated(corpus.NOTE.encode()) | st.text(max_size=100).map(str.encode))
@few
def test_any_checkpoint_known_before(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    judged(lambda: verify_bundle(corpus.bundle(), now_ms=0, policy=POLICY, since=text))


@given(
    mutated(f"log {corpus.LEDGER.vkey}\nwitness w {Witness('w').vkey}\nquorum w\n".encode())
    | st.binary(max_size=100)
)
@few
def test_any_policy(data: bytes) -> None:
    def judge() -> Report:
        return verify_bundle(corpus.bundle(), now_ms=0, policy=parse_policy(data))

    judged(judge)


@given(st.text(max_size=60).map(str.encode) | mutated(str(corpus.LEDGER.vkey).encode()))
@few
def test_any_verifier_key(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        key = Verifier.from_vkey(text)
    except DataError:
        return
    assert key.vkey == text


@given(st.binary(max_size=200) | mutated(SEAL.root_pem))
@few
def test_any_issuers_of_time_stamps_and_seals(pem: bytes) -> None:
    def stamps() -> Report:
        return verify_bundle(BUNDLE, now_ms=0, policy=POLICY, stamp_check=trusting(pem))

    judged(stamps)
    judged(lambda: verify_container(CONTAINER, now_ms=0, signer_ca=pem))


@given(st.binary(max_size=100))
@few
def test_any_token_beside_a_checkpoint(token: bytes) -> None:
    judged(
        lambda: verify_checkpoint(
            corpus.NOTE.encode(), now_ms=0, policy=POLICY, stamp_check=STAMPS, tokens=[token]
        )
    )


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_a_ledger_file_with_pieces_moved(tmp_path_factory: Any, data: st.DataObject) -> None:
    path: Path = tmp_path_factory.mktemp("fuzz") / "ledger.db"
    path.write_bytes(data.draw(mutated(LEDGER_FILE)))
    judged(lambda: examine(path, Trust(POLICY, None, None)))


LEDGER_FILE = corpus.ledger_file()


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_a_ledger_file_with_any_values_in_its_rows(
    tmp_path_factory: Any, data: st.DataObject
) -> None:
    path: Path = tmp_path_factory.mktemp("fuzz") / "ledger.db"
    path.write_bytes(LEDGER_FILE)
    value = data.draw(st.binary(max_size=20) | st.text(max_size=20) | st.integers(-9, 1 << 62))
    statement = data.draw(
        st.sampled_from(
            [
                "UPDATE entries SET entry=? WHERE seq=5",
                "UPDATE entries SET seq=? WHERE seq=299",
                "INSERT INTO checkpoints VALUES (7, 0, ?)",
                "INSERT INTO checkpoints VALUES (?, 0, 'x')",
                "UPDATE tiles SET hashes=?",
                "UPDATE tiles SET idx=?",
                "UPDATE log SET origin=?",
            ]
        )
    )
    with closing(sqlite3.connect(path)) as connection:
        try:
            with connection:
                connection.execute(statement, (value,))
        except sqlite3.Error:
            return
    report = judged(lambda: examine(path, Trust(POLICY, None, None)))
    assert report is None or report.verdict != "VALID"

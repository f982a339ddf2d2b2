"""The standalone verifier says what `acuse verify` says, and runs where there is nothing else."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.stamps import Stamp
from gateway.ledger.verify import verify_bundle
from gateway.sim.authority import StampingAuthority
from tests.hostile import corpus
from tests.support.ledgers import MemoryLedger, Witness
from tests.support.mutants import Case, cases, mutants
from tests.support.standalone import VERIFIER, Tools, agree, second_opinion, verifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]

#: An hour after the ledgers of tests begin.
NOW_MS = 1_795_284_000_000
STAMPED_MS = 1_795_280_410_000


def fake_token(_text: str) -> bytes:
    return b"token"


def trusted(_token: bytes, _over: str) -> Stamp:
    return Stamp(STAMPED_MS, accuracy_ms=1000)


GIVEN = cases(fake_token)


def refusal(attempt: Callable[[], Any]) -> tuple[Any, str]:
    """What came of it, and the one error that says why nothing did."""
    try:
        return attempt(), ""
    except DataError as error:
        return None, error.message
    except verifier.NotAProof as error:
        return None, str(error)


def compare(case: Case) -> str:
    """The verdict, which both give with the same words; "none" where both judge nothing."""
    given: dict[str, Any] = {"since": case.since, "max_age_s": case.max_age_s, "now_ms": NOW_MS}
    policy = None if case.policy is None else parse_policy(case.policy)
    report, why = refusal(
        lambda: verify_bundle(case.proof, policy=policy, stamp_check=trusted, **given)
    )
    if report is None:
        given |= {"policy": case.policy, "stamp_check": trusted}
        assert refusal(lambda: second_opinion(case.proof, **given)) == (None, why)
        return "none"
    agree(report, case.proof, policy=case.policy, stamp_check=trusted, **given)
    return str(report.verdict)


# -- the same answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("case", GIVEN, ids=lambda case: case.name)
def test_both_give_every_verdict_alike(case: Case) -> None:
    assert compare(case) == case.name.split()[0]


def test_both_say_the_same_of_whatever_becomes_of_a_proof() -> None:
    chosen = random.randrange(1 << 32)
    print(f"seed {chosen}")
    found = Counter(compare(case) for case in mutants(random.Random(chosen), GIVEN, 300))
    assert found["INVALID"] > 75, found
    assert len(found) > 5, found


W = [Witness(f"w{n}.example").vkey for n in range(2)]
LOG = str(MemoryLedger().vkey)
WORDS = [
    "log",
    "witness",
    "group",
    "quorum",
    "none",
    "a",
    "b",
    "any",
    "all",
    "1",
    "2",
    "0",
    "#",
    "",
]
rows = st.lists(
    st.sampled_from([*WORDS, *W, LOG, "x+12345678+AA==", "ñ", "\r", "\x7f"]), max_size=5
)


@given(st.lists(rows.map(" ".join), max_size=5))
@settings(deadline=None, max_examples=300)
def test_both_take_the_same_policies(given_rows: list[str]) -> None:
    data = "\n".join(given_rows).encode()
    ours, why = refusal(lambda: parse_policy(data))
    theirs, their_why = refusal(lambda: verifier.Policy(data))
    assert why.split(":")[0] == their_why.split(":")[0]
    if ours is not None:
        assert [key.vkey for key in theirs.logs] == [key.vkey for key in ours.logs]
        for cosigned in ([], ["a"], ["a", "b"]):
            assert theirs.satisfied(cosigned) == ours.satisfied(cosigned)


def test_a_policy_of_every_kind_of_line_is_taken() -> None:
    text = f"# ours\n\nlog {LOG} https://log.example\nwitness a {W[0]}\nwitness b {W[1]}\n"
    text += "group g any a b\ngroup h 1 g\nquorum h"
    policy = verifier.Policy(text.encode())
    assert policy.satisfied(["b"])
    assert not policy.satisfied([])
    with pytest.raises(verifier.NotAProof, match="policy, line 1: the file is larger"):
        verifier.Policy(b"\n" * ((1 << 20) + 1))


@pytest.mark.parametrize("name", ["deep-mixed", "wide", "strings", "entries-many", "quotes"])
def test_ten_hostile_megabytes_are_answered_alike_and_in_seconds(name: str) -> None:
    data = corpus.JSONS[name]()
    started = time.process_time()
    found = refusal(lambda: second_opinion(data))
    assert time.process_time() - started < 10
    report, why = refusal(lambda: verify_bundle(data, now_ms=0))
    assert why == found[1]
    if report is not None:
        assert found[0].as_json() == report.as_json()


def test_a_file_beyond_the_limit_is_not_read_as_a_proof() -> None:
    with pytest.raises(verifier.NotAProof):
        second_opinion(b"x" * (16 << 20) + b"x")
    assert second_opinion(b"{" + b" " * (16 << 20)).reason == "parse: larger than 16777216 bytes"


# -- tokens and certificates ---------------------------------------------------------------------


def test_what_a_token_states_is_read_as_its_maker_meant_it() -> None:
    at = datetime(2026, 11, 21, 17, 0, 10, tzinfo=UTC)
    digest = hashlib.sha256(b"note").digest()
    token = StampingAuthority(at).token(digest, 7, at)
    start = token.index(bytes.fromhex("060b2a864886f70d0109100104")) + 13
    ((_, octets),) = verifier.der_items(verifier.der_items(token[start:])[0][1])
    assert verifier.tst_info(octets) == (digest, STAMPED_MS, 1000)
    for cut in range(len(octets)):
        with pytest.raises(verifier.Fault):
            verifier.tst_info(octets[:cut])


PAGE = """
#set document(title: "x", date: datetime(year: 2026, month: 11, day: 21))
#pdf.attach("acuse-proof.json", bytes(sys.inputs.proof.split(",").map(int)),
  relationship: "data", mime-type: "application/json", description: "proof")
Text
"""


@pytest.fixture(scope="module")
def pdf() -> bytes:
    """A page as certificates are made, with a proof attached, not sealed."""
    octets = ",".join(map(str, GIVEN[0].proof))
    made = typst.compile(
        PAGE.encode(), format="pdf", pdf_standards=["a-3b"], sys_inputs={"proof": octets}
    )
    assert isinstance(made, bytes)
    return made


def test_the_proof_in_a_certificate_is_found(pdf: bytes) -> None:
    assert verifier.attached_bundle(pdf) == GIVEN[0].proof
    assert list(verifier.signatures(pdf)) == []


def test_an_attachment_of_another_form_is_refused(pdf: bytes) -> None:
    described = re.search(rb"([0-9]+) 0 obj\n<</Length ([0-9]+)/Type/EmbeddedFile", pdf)
    assert described
    number, length = described[1], described[2]
    start, stop = described.span(2)
    changes = [
        pdf.replace(b"/F(acuse-proof.json)", b"/F(other-proof.json)"),
        pdf.replace(b"/Type/EmbeddedFile", b"/Type/EmbeddedFilm"),
        pdf[:start] + b"1" + pdf[start:],
        pdf[:start] + str(int(length) - 1).encode() + pdf[stop:],
        pdf[:start] + b"5 0 R" + pdf[stop:],
        pdf + number + b" 0 obj\n<<>>\nstream\nendobj\n",
    ]
    for changed in changes:
        with pytest.raises((verifier.Fault, verifier.NotAProof)):
            verifier.attached_bundle(changed)


def test_no_page_is_ever_called_valid(pdf: bytes, run: Run) -> None:
    code, out, _ = run(pdf, "--json", policy=GIVEN[0].policy)
    report = json.loads(out)
    assert (code, report["verdict"]) == (4, "UNANCHORED")
    assert report["reason"] == "signer: it is not sealed"
    assert {"name": "document", "ok": False} in report["checks"]
    code, out, _ = run(pdf + b"%%EOF", "--json", policy=GIVEN[0].policy)
    assert json.loads(out)["reason"] == "document: it was changed, and bears no seal"


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process; every token is trusted."""

    def made(_tsa: bytes | None, _signer: bytes | None) -> Tools:
        return Tools(trusted)

    monkeypatch.setattr(verifier, "OpenSSL", made)

    def start(proof: bytes, *options: str, policy: bytes | None = None) -> tuple[int, str, str]:
        (tmp_path / "proof").write_bytes(proof)
        arguments = [str(tmp_path / "proof"), *options]
        if policy is not None:
            (tmp_path / "policy").write_bytes(policy)
            arguments += ["--policy", str(tmp_path / "policy")]
        monkeypatch.setattr(sys, "argv", ["acuse-verify.py", *arguments])
        code = verifier.main()
        told = capsys.readouterr()
        return code, told.out, told.err

    return start


def test_it_explains_what_was_checked_and_by_whose_word(run: Run) -> None:
    case = GIVEN[0]
    code, out, err = run(case.proof, "--explain", policy=case.policy)
    assert (code, err) == (0, "")
    assert out.startswith("VALID: ")
    assert "text: Su pedido está listo 😀" in out
    assert "delivered to the handset" in out
    assert "[the time-stamping authority]" in out
    assert "before 2026-11-21T17:00:10.000Z" in out
    _, brief, _ = run(case.proof, policy=case.policy)
    assert "pedido" not in brief


def test_what_is_not_proven_is_not_told(run: Run) -> None:
    changed = GIVEN[0].proof.replace("está".encode(), b"esta ")
    code, out, _ = run(changed, "--explain", policy=GIVEN[0].policy)
    assert code == 1
    assert "FAILS    commitments" in out
    assert "pedido" not in out


def test_no_text_can_play_with_the_terminal(run: Run) -> None:
    ledger = MemoryLedger()
    ledger.accept("m0", text="a\x1b[2J\u202eb\r")
    _, out, _ = run(ledger.bundle("m0"), "--explain")
    assert "text: a\\u001b[2J\\u202eb\\u000d" in out


def test_a_fork_shows_both_notes(run: Run, tmp_path: Path) -> None:
    case = next(case for case in GIVEN if case.name == "FORK")
    (tmp_path / "known").write_text(str(case.since))
    code, out, _ = run(case.proof, "--since", str(tmp_path / "known"), policy=case.policy)
    assert (code, out.count("Signed note:")) == (2, 2)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 65, "not JSON"),
        (("--json",), 65, "not JSON"),
        (("--policy", "no-such-file"), 65, "cannot be read"),
        (("--since", __file__), 65, "since: "),
    ],
)
def test_what_is_no_proof_is_told_in_one_line(
    run: Run, options: tuple[str, ...], code: int, words: str
) -> None:
    ended, out, err = run(b"hello", *options)
    assert (ended, words in err, err.count("\n")) == (code, True, 1)
    if options == ("--json",):
        assert json.loads(out)["error"]["code"] == "data"


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_wrong_command_line_is_not_a_verdict() -> None:
    for arguments in ((), ("a", "b"), ("a", "--max-age", "soon"), ("a", "--no-such")):
        done = started(*arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (64, False)


def test_without_openssl_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_bytes(GIVEN[0].proof)
    done = started(str(tmp_path / "proof.json"), PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (69, "")
    assert "openssl cannot be run" in done.stderr


def test_an_openssl_that_is_too_old_is_not_taken_for_a_forgery(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_bytes(GIVEN[0].proof)
    (tmp_path / "openssl").write_text("#!/bin/sh\necho 'unknown option -rawin' >&2\nexit 1\n")
    (tmp_path / "openssl").chmod(0o755)
    done = started(str(tmp_path / "proof.json"), PATH=f"{tmp_path}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (69, "")
    assert "OpenSSL 3.0 or newer" in done.stderr


def test_it_needs_nothing_but_python_3_8() -> None:
    tree = ast.parse(VERIFIER.read_text(), feature_version=(3, 8))
    names = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert names <= sys.stdlib_module_names | {"__future__"}


# -- the page ------------------------------------------------------------------------------------


def test_the_page_can_load_run_and_ask_for_nothing_else() -> None:
    text = VERIFIER.with_suffix(".html").read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    (script,) = re.findall(r"<script>(.*)</script>", text, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"https?:|//[a-z]+\.|url\(|@import|innerHTML|fetch\(|import\(", text)

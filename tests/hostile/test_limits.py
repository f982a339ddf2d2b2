"""Whatever 10 MiB somebody hands to `acuse verify`: a verdict or exit 65, within 256 MiB and 10 s
of processor, and nothing asked of the network."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile import corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERDICTS = set(range(8))
DATA = 65


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[..., dict[str, Any]]]:
    """`acuse` with these arguments, in bounds."""
    command = [sys.executable, "-m", "tests.hostile.runner"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(*arguments: str) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps(arguments), file=process.stdin, flush=True)
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            return answer

        yield ask
        process.stdin.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A policy, a checkpoint and a good bundle, to be named beside the hostile file."""
    (tmp_path / "policy").write_text(f"log {corpus.LEDGER.vkey}\nquorum none\n")
    (tmp_path / "note").write_text(corpus.NOTE)
    (tmp_path / "good.json").write_bytes(corpus.bundle())
    return tmp_path


def judged(answer: dict[str, Any]) -> int:
    code: int = answer["code"]
    assert code in VERDICTS | {DATA}, answer
    assert "Traceback" not in answer["err"]
    assert answer["out_bytes"] < 64_000
    assert answer["err"] == "" or answer["err"].startswith("acuse: error: ")
    return code


@pytest.mark.parametrize("name", [*corpus.FILES, *corpus.DATABASES])
def test_a_hostile_file_is_judged_within_bounds(
    run: Callable[..., dict[str, Any]], files: Path, name: str
) -> None:
    hostile = files / "hostile"
    corpus.write(name, hostile)
    known = [] if name in corpus.DATABASES else ["--since", str(files / "note")]
    answer = run("verify", str(hostile), "--policy", str(files / "policy"), *known, "--explain")
    assert judged(answer) != 0


@pytest.mark.parametrize("name", corpus.POLICIES)
def test_a_hostile_policy_is_judged_within_bounds(
    run: Callable[..., dict[str, Any]], files: Path, name: str
) -> None:
    hostile = files / "hostile"
    corpus.write(name, hostile)
    assert judged(run("verify", str(files / "good.json"), "--policy", str(hostile))) != 0


@pytest.mark.parametrize("option", ["--since", "--policy", "--signer-ca", "--tsa-ca"])
@pytest.mark.parametrize("name", ["deep", "note-lines", "zip-of-nulls", "not-utf8"])
def test_a_hostile_file_under_any_option_is_an_error(
    run: Callable[..., dict[str, Any]], files: Path, option: str, name: str
) -> None:
    hostile = files / "hostile"
    corpus.write(name, hostile)
    assert judged(run("verify", str(files / "good.json"), option, str(hostile))) == DATA


def test_json_is_json_whatever_the_names_in_the_file(
    run: Callable[..., dict[str, Any]], files: Path
) -> None:
    hostile = files / "hostile"
    corpus.write("disclose-surrogate", hostile)
    answer = run("verify", str(hostile), "--json")
    assert judged(answer) == 1
    assert json.loads(answer["out"])["verdict"] == "INVALID"


@pytest.mark.parametrize("cut", [0.01, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("kind", ["bundle", "container", "ledger", "note"])
def test_a_file_that_is_cut_anywhere_is_judged(
    run: Callable[..., dict[str, Any]], files: Path, kind: str, cut: float
) -> None:
    whole = {
        "bundle": corpus.bundle,
        "container": corpus.container,
        "ledger": corpus.ledger_file,
        "note": corpus.NOTE.encode,
    }[kind]()
    hostile = files / "hostile"
    hostile.write_bytes(whole[: int(len(whole) * cut)])
    assert judged(run("verify", str(hostile), "--policy", str(files / "policy"))) != 0

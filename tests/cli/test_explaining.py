"""`acuse verify --explain`: the same in every language, and never more than was checked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from gateway.cli.explaining import LANGUAGES, explain, language, words
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.report import EXIT_CODES, INVALID, STEPS, Report
from gateway.ledger.verify import verify_bundle
from tests.support.ledgers import MemoryLedger

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Acuse


def leaves(table: dict[str, Any], path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        where = f"{path}.{key}"
        found |= leaves(value, where) if isinstance(value, dict) else {where: value}
    return found


def braces(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_says_the_same_things(lang: str) -> None:
    english, said = leaves(words("en")), leaves(words(lang))
    assert list(said) == list(english)
    for key, text in english.items():
        assert braces(said[key]) == braces(text), key
        assert said[key].strip() == said[key]
        assert lang == "en" or said[key] != text or len(text) < 6, key


def test_every_verdict_and_every_step_has_its_words() -> None:
    said = words("en")
    assert set(said["verdict"]) == set(EXIT_CODES)
    assert set(said["step"]) == {*STEPS, "memory"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, "en"),
        ({"LANG": "es_ES.UTF-8"}, "es"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "es", "LC_ALL": "ca_ES"}, "ca"),
        ({"LANG": "pt_BR", "LC_ALL": ""}, "pt"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_language_is_the_environments(environment: dict[str, str], wanted: str) -> None:
    assert language(environment) == wanted


def explained(ledger: MemoryLedger, mid: str = "m1", lang: str = "en", **given: Any) -> str:
    report = verify_bundle(ledger.bundle(mid, **given), now_ms=ledger.now_ms)
    return " ".join(" ".join(explain(report, lang)).split())


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ("delivered", "the operator movistar states that the message reached the telephone"),
        ("undelivered", "the operator movistar states that it could not deliver"),
        ("delivered_to_operator", "Nobody states that it reached the telephone"),
        ("unconfirmed", "no final receipt came"),
        ("refused", "this service did not send the message"),
        ("cancelled", "the sender withdrew the message"),
        ("open", "Not over yet"),
    ],
)
def test_what_became_of_it_is_said_by_whose_word(outcome: str, says: str) -> None:
    ledger = MemoryLedger()
    ledger.submission("m1", outcome)
    text = explained(ledger)
    assert says in text
    by_operator = outcome in ("delivered", "undelivered", "delivered_to_operator")
    assert ("What became of it: the operator" in text) is by_operator
    assert ("What became of it: this service itself" in text) is (
        not by_operator and outcome != "open"
    )


def test_what_a_person_decided_is_no_operators_word() -> None:
    ledger = MemoryLedger()
    ledger.accept("m1")
    ledger.append("x.Resolved", mid="m1", by="uid 1000", why="ticket")
    ledger.seal("m1", "undelivered")
    text = explained(ledger)
    assert 'Recorded as "undelivered": a person who runs this service decided so' in text
    assert "operator movistar states" not in text


def test_what_is_withheld_is_said() -> None:
    ledger = MemoryLedger()
    ledger.submission("m1")
    text = explained(ledger, redact=["text"])
    assert "Shown and checked: from, response.1, to. Withheld: receipt, submit.1, text." in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_refuted_proof_tells_nothing_of_what_it_claims(lang: str) -> None:
    ledger = MemoryLedger()
    ledger.submission("m1")
    report = verify_bundle(ledger.bundle("m1").replace(b"DELIVRD", b"DELIVRE", 1), now_ms=0)
    lines = explain(report, lang)
    assert lines[0] == INVALID
    text = " ".join(lines)
    assert "movistar" not in text
    assert words(lang)["headings"]["word"] not in text
    assert words(lang)["headings"]["unchecked"] in text


def test_names_out_of_a_hostile_file_cannot_fill_the_page_or_steer_the_terminal() -> None:
    ledger = MemoryLedger("x" * 5000)
    ledger.accept("m\x1b[2J")
    ledger.checkpoint()
    text = "\n".join(explain(verify_bundle(ledger.bundle("m\x1b[2J"), now_ms=0), "en"))
    assert "\x1b" not in text
    assert "x" * 81 not in text


def test_without_facts_only_the_verdict_and_its_steps_are_told() -> None:
    lines = explain(Report(INVALID, "parse: x", None, (("parse", False),)), "ca")
    assert "[FALLA] El fitxer té la forma d'una prova." in "\n".join(lines)


def test_the_command_explains_bundles_and_checkpoints(acuse: Acuse, tmp_path: Path) -> None:
    ledger = MemoryLedger()
    ledger.submission("m1")
    (tmp_path / "note").write_text(ledger.checkpoint())
    (tmp_path / "proof.json").write_bytes(ledger.bundle("m1"))
    ran = acuse("verify", str(tmp_path / "proof.json"), "--explain", "--lang", "es")
    assert ran.code == 4
    assert "Qué significa el veredicto" in ran.out
    ran = acuse("verify", str(tmp_path / "note"), "--explain", "--lang", "pt", "--json")
    shown = json.loads(ran.out)
    assert "Um ponto de controlo não prova nada" in " ".join(shown["explanation"].split())


def test_a_fork_by_a_key_only_the_file_names_accuses_nobody_of_it() -> None:
    ledger, other = MemoryLedger(), MemoryLedger()
    ledger.submission("m1")
    other.submission("m1", "undelivered")
    known, data = other.checkpoint(), ledger.bundle("m1")
    text = " ".join(explain(verify_bundle(data, now_ms=0, since=known), "en"))
    assert "FORK" in text
    assert "only the file itself says so" in " ".join(text.split())
    policy = parse_policy(f"log {ledger.vkey}\nquorum none\n".encode())
    pinned = explain(verify_bundle(data, now_ms=0, since=known, policy=policy), "en")
    assert "only the file itself says so" not in " ".join(" ".join(pinned).split())

"""Verdicts: the gravest one wins, and every one is said in words."""

from __future__ import annotations

import itertools

import pytest

from gateway.errors import DataError
from gateway.ledger import report as reports
from gateway.ledger.report import EXIT_CODES, GRAVITY, STEPS, Findings, Report


def test_exit_codes_and_gravity_are_those_of_the_standard() -> None:
    order = [
        "VALID",
        "INVALID",
        "FORK",
        "STALE",
        "UNANCHORED",
        "NOT-FINAL",
        "VALID-ERASED",
        "AMBIGUOUS",
    ]
    assert [EXIT_CODES[verdict] for verdict in order] == list(range(8))
    assert " ".join(GRAVITY) == (
        "FORK INVALID STALE AMBIGUOUS UNANCHORED NOT-FINAL VALID-ERASED VALID"
    )


def found(verdicts: tuple[str, ...]) -> Findings:
    findings = Findings()
    for verdict in verdicts:
        if verdict == "FORK":
            findings.fork("a", "b")
        elif verdict == "INVALID":
            findings.fault("links", "x", 3)
        elif verdict == "UNANCHORED":
            findings.lacks("policy", "checkpoint: x")
        elif verdict == "VALID-ERASED":
            findings.erased = True
        else:
            setattr(findings, verdict.lower().replace("-", "_"), f"{verdict}: x")
    return findings


def test_where_several_fit_the_gravest_wins() -> None:
    for size in range(1, len(GRAVITY)):
        for verdicts in itertools.combinations(GRAVITY[:-1], size):
            assert found(verdicts).verdict()[0] == verdicts[0]
    assert Findings().verdict() == ("VALID", None, None)


def test_of_several_faults_the_earliest_step_is_told() -> None:
    findings = Findings()
    findings.took("time", "links")
    findings.fault("time", "late", 9)
    findings.fault("links", "first", 5)
    findings.fault("links", "second", 4)
    assert findings.verdict() == ("INVALID", "links: first", 5)
    findings.took("links")
    assert findings.checks() == (("links", False), ("time", False))


def test_the_first_fork_is_kept_and_the_users_own_question_is_answered_first() -> None:
    findings = Findings()
    findings.lacks("policy", "checkpoint: x")
    findings.lacks("since", "since_unproven")
    assert findings.verdict() == ("UNANCHORED", "since_unproven", None)
    findings.fork("a", "b")
    findings.fork("c", "d")
    assert findings.notes == ("a", "b")


def test_an_error_names_its_own_step() -> None:
    findings = Findings()
    findings.refused(DataError("a", reason="canonical"), 1)
    findings.refused(DataError("b", reason="something else"), 2, step="time")
    findings.refused(DataError("c"))
    assert set(findings.faults) == {"canonical", "time", "parse"}


@pytest.mark.parametrize("verdict", GRAVITY)
def test_every_verdict_is_explained_and_never_a_bare_ok(verdict: str) -> None:
    checks = tuple((step, number % 2 == 0) for number, step in enumerate(STEPS))
    report = Report(
        verdict, "links: x", 7, checks, "m1", "delivered", 9, 0, 1000, ("note a\n", "note b\n")
    )
    text = "\n".join(report.explain())
    assert text.startswith(f"{verdict}: ")
    assert len(report.explain()[0]) > len(verdict) + 20
    assert "(entry 7): links: x" in text
    assert "Submission m1, state delivered." in text
    assert "note b" in text
    assert "after 1970-01-01T00:00:00.000Z, before 1970-01-01T00:00:01.000Z" in text
    assert report.exit_code == EXIT_CODES[verdict]


def test_what_is_not_known_is_not_made_up() -> None:
    lines = Report("VALID", None, None, (), submission_id="m1", not_after_ms=0).explain()
    assert "Submission m1, state not known." in lines
    assert "It happened after (not proven), before 1970-01-01T00:00:00.000Z." in lines
    assert len(Report("INVALID", "parse: x", None, ()).explain()) == 2
    assert set(reports._MEANING) == set(GRAVITY)

"""What may happen to a submission, in which order, and what a seal may say of it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ledger.course import Course
from gateway.ledger.entry import time_text
from tests.support.ledgers import START_MS

T = [time_text(START_MS + 250 * n) for n in range(20)]


def follow(*bodies: dict[str, Any]) -> tuple[Course, list[tuple[str, str]]]:
    """The course of these entries at seqs 10, 20, …, linked as they must be unless they say."""
    course = Course()
    faults: list[tuple[str, str]] = []
    for n, body in enumerate(bodies):
        seq = 10 * (n + 1)
        full = {"t": T[n], **({"mprev": seq - 10} if n else {}), **body}
        if full["ev"] == "S.1" and "events" not in full:
            full["events"] = [list(item) for item in course.events]
        faults += course.take(seq, f"leaf{seq}", full)
    return course, faults


ACCEPTED = {"ev": "A.1", "decision": {"action": "release"}}
REFUSED = {"ev": "A.2"}
RELAYED = {"ev": "F.1"}
DELIVERED = {"ev": "E.1", "rx": T[2]}
FAILED = {"ev": "E.2"}
UNKNOWN = {"ev": "x.OutcomeUnknown"}
REPORT = {"ev": "x.CarrierReport"}


def seal(state: Any) -> dict[str, Any]:
    return {"ev": "S.1", "state": state}


@pytest.mark.parametrize(
    ("bodies", "state"),
    [
        ([ACCEPTED, RELAYED, DELIVERED, seal("delivered")], "delivered"),
        ([ACCEPTED, RELAYED, REPORT, DELIVERED, seal("delivered")], "delivered"),
        (
            [ACCEPTED, {"ev": "x.OutcomeUnknown"}, RELAYED, DELIVERED, seal("delivered")],
            "delivered",
        ),
        ([ACCEPTED, RELAYED, REPORT, seal("delivered_to_operator")], "delivered_to_operator"),
        ([ACCEPTED, RELAYED, FAILED, seal("undelivered")], "undelivered"),
        ([ACCEPTED, RELAYED, FAILED, seal("expired")], "expired"),
        ([ACCEPTED, RELAYED, FAILED, seal("deleted")], "deleted"),
        ([ACCEPTED, RELAYED, FAILED, seal("rejected")], "rejected"),
        ([ACCEPTED, {"ev": "F.2"}, seal("rejected")], "rejected"),
        ([ACCEPTED, {"ev": "x.Expired"}, seal("expired")], "expired"),
        ([ACCEPTED, {"ev": "x.Cancelled"}, seal("cancelled")], "cancelled"),
        ([ACCEPTED, RELAYED, {"ev": "x.NoConfirmation"}, seal("unconfirmed")], "unconfirmed"),
        ([ACCEPTED, {"ev": "x.Resolved"}, seal("rejected")], "rejected"),
        ([REFUSED, seal("refused")], "refused"),
        ([ACCEPTED, REFUSED, seal("refused")], "refused"),
        ([ACCEPTED, {"ev": "x.Released"}, RELAYED, DELIVERED, seal("delivered")], "delivered"),
        (
            [
                *[ACCEPTED, RELAYED, {"ev": "x.NoConfirmation"}, seal("unconfirmed")],
                *[{"ev": "x.Reopened", "of": 40}, DELIVERED, seal("delivered")],
            ],
            "delivered",
        ),
        (
            [
                *[ACCEPTED, RELAYED, FAILED, seal("undelivered")],
                *[{"ev": "x.Reopened", "of": 40}, REPORT, seal("delivered_to_operator")],
                *[{"ev": "x.Duplicate", "of": 60}, REPORT, {"ev": "F.3"}],
            ],
            "delivered_to_operator",
        ),
    ],
)
def test_what_may_happen_is_taken(bodies: list[dict[str, Any]], state: str) -> None:
    course, faults = follow(*bodies)
    assert faults == []
    assert (course.final, course.state) == (state, state)
    assert course.events == [[10 * (n + 1), f"leaf{10 * (n + 1)}"] for n in range(len(bodies))]


@pytest.mark.parametrize(
    ("bodies", "step"),
    [
        ([RELAYED], "links"),
        ([{**ACCEPTED, "mprev": 3}], "links"),
        ([ACCEPTED, {**RELAYED, "mprev": 9}], "links"),
        ([ACCEPTED, {**RELAYED, "mprev": None}], "links"),
        ([ACCEPTED, ACCEPTED], "links"),
        ([ACCEPTED, RELAYED, seal("delivered")], "complete"),
        ([ACCEPTED, RELAYED, REPORT, seal("delivered")], "complete"),
        ([ACCEPTED, RELAYED, DELIVERED, FAILED, seal("delivered")], "complete"),
        ([ACCEPTED, {"ev": "x.Resolved"}, seal("delivered")], "complete"),
        ([ACCEPTED, {"ev": "x.Resolved"}, seal("refused")], "complete"),
        ([ACCEPTED, {"ev": "x.Cancelled"}, seal("refused")], "complete"),
        ([ACCEPTED, RELAYED, FAILED, seal("delivered_to_operator")], "complete"),
        ([ACCEPTED, RELAYED, REPORT, FAILED, seal("delivered_to_operator")], "complete"),
        ([ACCEPTED, seal("accepted")], "complete"),
        ([ACCEPTED, seal(None)], "complete"),
        ([ACCEPTED, seal(["delivered"])], "complete"),
        ([REFUSED, {**seal("refused"), "events": []}], "complete"),
        ([REFUSED, {**seal("refused"), "events": [[10, "leaf11"]]}], "complete"),
        ([REFUSED, {**seal("refused"), "events": "all"}], "complete"),
        ([REFUSED, seal("refused"), seal("refused")], "complete"),
        ([REFUSED, seal("refused"), DELIVERED], "complete"),
        ([REFUSED, seal("refused"), {"ev": "x.Reopened", "of": 10}], "complete"),
        ([ACCEPTED, {"ev": "x.Reopened", "of": 10}], "complete"),
        ([ACCEPTED, {**DELIVERED, "rx": T[2]}], "time"),
        ([ACCEPTED, RELAYED, {**DELIVERED, "rx": time_text(START_MS - 1)}], "time"),
        ([ACCEPTED, RELAYED, {**DELIVERED, "rx": "yesterday"}], "time"),
        ([ACCEPTED, RELAYED, {**DELIVERED, "rx": 7}], "time"),
    ],
)
def test_what_may_not_happen_is_named(bodies: list[dict[str, Any]], step: str) -> None:
    _, faults = follow(*bodies)
    assert {found for found, _ in faults} == {step}


@pytest.mark.parametrize(
    ("bodies", "state"),
    [
        ([ACCEPTED], "queued"),
        ([{"ev": "A.1"}], "queued"),
        ([{"ev": "A.1", "decision": {"action": "hold"}}], "held"),
        ([{"ev": "A.1", "decision": {"action": "hold"}}, {"ev": "x.Released"}], "queued"),
        ([ACCEPTED, {"ev": "x.Attempt"}, RELAYED], "accepted"),
        ([ACCEPTED, {"ev": "x.OutcomeUnknown"}], "unknown"),
    ],
)
def test_an_open_submission_has_the_state_its_entries_tell(
    bodies: list[dict[str, Any]], state: str
) -> None:
    course, faults = follow(*bodies)
    assert (faults, course.final, course.state) == ([], None, state)


def test_erasure_shows() -> None:
    course, faults = follow(REFUSED, seal("refused"), {"ev": "x.Erased"})
    assert faults == []
    assert course.erased


@pytest.mark.parametrize(
    ("events", "ambiguous"),
    [
        ([{**REPORT, "fits": 2}], True),
        ([{**REPORT, "fits": ["m1", "m2"]}], True),
        ([{**DELIVERED, "fits": 3}], True),
        ([{**REPORT, "fits": 1}], False),
        ([{**REPORT, "fits": ["m1"]}], False),
        ([{**REPORT, "fits": True}], False),
        ([{**REPORT, "fits": 2}, REPORT], True),
        ([{**REPORT, "fits": 2}, DELIVERED], False),
        ([{**REPORT, "fits": 2}, {"ev": "x.Resolved"}], False),
    ],
)
def test_a_receipt_that_fits_several_is_ambiguous_until_something_clear_comes(
    events: list[dict[str, Any]], ambiguous: bool
) -> None:
    course, _ = follow(ACCEPTED, RELAYED, *events)
    assert course.ambiguous is ambiguous

"""`acuse submit --dry-run`: what would happen, as a page and as JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Acuse

ONE = ("submit", "--to", "+34600111222", "--text", "día", "--dry-run")
PLAN: dict[str, Any] = {
    "state": "held",
    "due_at": "2026-11-29T09:00:00Z",
    "to": "+34600111222",
    "from": "ACME",
    "brand": "acme",
    "category": "promotional",
    "ref": "2026/117",
    "known_as": "0199e0c4-6a00-7000-8000-1a2b3c4d5e6f",
    "text": "L'oferta del día " + "x" * 70,
    "substituted": [{"character": "\u2019", "code": "U+2019", "by": "'", "at": [1, 9]}],
    "decision": {
        "action": "hold",
        "until": "2026-11-29T09:00:00Z",
        "reason": "quiet_hours",
        "rules": ["ES-QH"],
        "warnings": [],
    },
    "route": {
        "number": 2,
        "of": 3,
        "setting": "routes[1]",
        "to": ["+34"],
        "from": [],
        "brand": ["acme"],
        "category": [],
        "strategy": "failover",
        "because": ["the recipient begins with +34", "the brand is acme"],
    },
    "passed_over": [{"number": 1, "to": ["+33"], "why": "the recipient does not begin with +33"}],
    "operator": "vodafone",
    "why": "the first of the route that is bound",
    "operators": [
        {"name": "movistar", "bound": False, "paused_s": 0.0},
        {"name": "vodafone", "bound": True, "paused_s": 2.5},
        {"name": "orange", "bound": True, "paused_s": 0.0},
    ],
    "encoding": "ucs2",
    "data_coding": 8,
    "default_alphabet": "gsm7",
    "long_message": "udh",
    "unit": "16-bit unit",
    "units": 87,
    "unit_limit": 67,
    "segments": 2,
    "on_air": 2,
    "parts": [
        {"number": 1, "units": 67, "octets": 140},
        {"number": 2, "units": 20, "octets": 46},
    ],
    "characters": [
        {
            "character": "í",
            "code": "U+00ED",
            "name": "latin small letter i with acute",
            "count": 1,
            "units": 1,
            "why": "forces_ucs2",
        }
    ],
    "without_them": {"encoding": "gsm7", "units": 87, "segments": 1, "on_air": 1},
}


def test_a_dry_run_asks_for_a_plan_and_submits_nothing(acuse: Acuse) -> None:
    daemon = acuse.daemon(plan=PLAN)
    ran = acuse(*ONE, "--json")
    assert ran == (0, json.dumps(PLAN, ensure_ascii=False, separators=(",", ":")) + "\n", "")
    assert daemon.asked == [("plan", {"to": "+34600111222", "text": "día"})]


def test_the_page_says_it_all_in_80_columns(acuse: Acuse, monkeypatch: pytest.MonkeyPatch) -> None:
    acuse.daemon(plan=PLAN)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    code, styled, err = acuse(*ONE)
    out = click.unstyle(styled)
    assert code == 0
    assert "dry run" in err
    assert max(map(len, out.splitlines())) <= 80
    for said in (
        "would be    held until 2026-11-29 09:00:00 UTC",
        "is submission 0199e0c4",
        "decision    hold until 2026-11-29 09:00:00 UTC because of quiet_hours",
        "route       2 of 3: to +34, failover",
        "because     the recipient begins with +34, the brand is acme",
        "passed over route 1: the recipient does not begin with +33",
        "passed over movistar: not bound",
        "operator    vodafone: the first of the route that is bound, paused for 2.5 s",
        "stands by   orange: bound",
        "substituted U+2019 by ' (2 times)",
        "encoding    ucs2, 87 16-bit units, 2 segments, by udh",
        "67 of 67    140",
        "forces UCS-2",
        "without     gsm7, 87 units, 1 segment",
    ):
        assert said in out, said


def test_a_balance_shows_shares_and_who_is_down(acuse: Acuse) -> None:
    operators = [
        {"name": "movistar", "bound": True, "paused_s": 2.5, "weight": 3, "share": 0.75},
        {"name": "vodafone", "bound": True, "paused_s": 0.0, "weight": 1, "share": 0.25},
        {"name": "orange", "bound": False, "paused_s": 0.0, "weight": 2, "share": 0.0},
    ]
    turn = {"operator": None, "why": "whose turn it is, by weight among those that are bound"}
    acuse.daemon(plan={**PLAN, **turn, "operators": operators})
    out = acuse(*ONE).out
    for said in (
        "operator    whose turn it is, by weight among those that are bound",
        "takes part  movistar: bound, weight 3, 75% of the messages now, paused for 2.5 s",
        "takes part  vodafone: bound, weight 1, 25% of the messages now",
        "passed over orange: not bound, weight 2",
    ):
        assert said in out, said


def test_a_refusal_is_the_answer_no(acuse: Acuse) -> None:
    decision = {**PLAN["decision"], "action": "refuse", "until": None, "reason": "opted_out"}
    acuse.daemon(plan={**PLAN, "state": "refused", "due_at": None, "decision": decision})
    code, out, _ = acuse(*ONE)
    assert code == 1
    assert "would be    refused" in out


def test_a_payload_says_how_many_short_messages_it_becomes(acuse: Acuse) -> None:
    payload = {
        "encoding": "gsm7",
        "long_message": "payload",
        "unit": "septet",
        "units": 400,
        "unit_limit": 153,
        "segments": 1,
        "on_air": 3,
        "parts": [{"number": 1, "units": 400, "octets": 400}],
        "characters": [
            {
                "character": "€",
                "code": "U+20AC",
                "name": "",
                "count": 2,
                "units": 2,
                "why": "extension",
            },
        ],
        "without_them": None,
        "operator": None,
        "why": "none of the route is bound: the message waits until one is",
        "substituted": [],
        "known_as": None,
    }
    acuse.daemon(plan={**PLAN, **payload})
    out = acuse(*ONE).out
    assert "gsm7, 400 septets, 1 segment, by payload" in out
    assert "the operator makes 3 short messages of it" in out
    assert "none of the route is bound: the message waits" in out
    assert "is in the extension table, costs 2" in out
    assert "without" not in out


def test_a_daemon_that_says_little_is_shown_as_far_as_it_goes(acuse: Acuse) -> None:
    acuse.daemon(plan={"state": "queued", "segments": 1, "encoding": "gsm7"})
    assert "would be    queued" in acuse(*ONE).out


@pytest.mark.parametrize(
    ("options", "named"),
    [(("--wait",), "--wait"), (("--batch", "x.csv"), "--to and --batch")],
)
def test_what_a_dry_run_cannot_be_combined_with(
    acuse: Acuse, options: tuple[str, ...], named: str
) -> None:
    ran = acuse(*ONE, *options)
    assert ran.code == 64
    assert named in ran.err


def test_a_file_has_no_dry_run(acuse: Acuse) -> None:
    ran = acuse("submit", "--batch", "x.csv", "--dry-run")
    assert ran.code == 64
    assert "--dry-run and --batch" in ran.err

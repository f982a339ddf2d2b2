"""What texts must say, on the command line: told, appended, explained with the configuration."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_dry_run import PLAN
from tests.support.content_rules import content_book

if TYPE_CHECKING:
    from tests.cli.conftest import Acuse

WHY = "the text does not say how to opt out: add a link, such as “Opt out: https://acme.example/b”"
ANSWER: dict[str, Any] = {
    "submission_id": "0199e0c4-6a00-7000-8000-1a2b3c4d5e6f",
    "state": "queued",
    "decision": {"action": "release", "until": None, "reason": None, "rules": [], "warnings": []},
    "encoding": "gsm7",
    "segments": 2,
}
FIXED = {
    "fixed": [
        {"what": "brand", "text": "acme: "},
        {"what": "optout", "text": ". Baja: acme.example/b"},
    ],
    "segments_before": 1,
}
PROMO = ("submit", "--to", "+34600111222", "--text", "Hoy 20%")
CONFIG = """
[gateway]
name = "a"
data_dir = "d"
admin_socket = "s"
[brands.acme]
legal_name = "Acme SA"
opt_out_url = "https://acme.example/b"
[senders.ACME]
registered_in = ["ES"]
[operators.o]
host = "h"
system_id = "i"
password = ""
[[routes]]
operators = "o"
"""


def test_a_waiver_that_let_the_message_go_is_named_beside_the_decision(acuse: Acuse) -> None:
    waived = {**ANSWER, "decision": {**ANSWER["decision"], "waivers": ["OUR-W", "OUR-V"]}}
    acuse.daemon(submit=waived)
    assert "waived by   OUR-W, OUR-V\n" in acuse(*PROMO).out


def test_fix_is_asked_for_and_shown_with_its_cost(acuse: Acuse) -> None:
    daemon = acuse.daemon(submit={**ANSWER, **FIXED}, plan={**PLAN, **FIXED})
    out = acuse(*PROMO, "--fix").out
    assert daemon.asked[-1][1]["fix"] is True
    dry = acuse(*PROMO, "--fix", "--dry-run").out
    for page in (out, dry):
        assert "appended    acme: (who writes)" in page
        assert "appended    . Baja: acme.example/b (how to opt out)" in page
        assert "without     1 segment\n" in page


def test_a_refusal_says_what_is_missing_and_the_way_out(acuse: Acuse) -> None:
    decision = {**ANSWER["decision"], "action": "refuse", "reason": "optout_missing", "why": [WHY]}
    refused = {**ANSWER, "state": "refused", "decision": decision}
    acuse.daemon(submit=refused, plan={**PLAN, "state": "refused", "decision": decision})
    for more in ((), ("--dry-run",)):
        ran = acuse(*PROMO, *more)
        assert ran.code == 1
        assert "because     the text does not say how to opt out" in ran.out


@pytest.mark.parametrize("key", ["age_verified", "third_party_collector", "fix"])
def test_what_is_known_of_a_message_is_an_option_a_column_and_a_key(acuse: Acuse, key: str) -> None:
    daemon = acuse.daemon(submit=ANSWER)
    assert acuse(*PROMO, f"--{key.replace('_', '-')}").code == 0
    batch = acuse.directory / "batch.csv"
    batch.write_text(f"to,text,{key}\n+34600111222,hola,yes\n+34600111222,hola,no\n")
    assert acuse("submit", "--batch", str(batch)).code == 0
    lines = acuse.directory / "batch.jsonl"
    lines.write_text(json.dumps({"to": "+34600111222", "text": "hola", key: True}) + "\n")
    assert acuse("submit", "--batch", str(lines)).code == 0
    assert [asked[1][key] for asked in daemon.asked] == [True, True, False, True]
    batch.write_text(f"to,text,{key}\n+34600111222,hola,perhaps\n")
    ran = acuse("submit", "--batch", str(batch))
    assert ran.code == 65
    assert key in ran.err


def test_whose_month_is_about_to_end_is_listed(acuse: Acuse) -> None:
    row = {
        "to": "+34600111222",
        "brand": "acme",
        "instructed_at": "2026-10-25T10:00:00Z",
        "due_at": "2026-11-24T10:00:00Z",
        "submission_id": "0199e0c4-6a00-7000-8000-1a2b3c4d5e6f",
    }
    daemon = acuse.daemon(optout_due=[row, {**row, "to": None}])
    listed = acuse("optout", "due", "--brand", "acme", "--within", "5")
    asked = daemon.asked[-1][1]
    assert (asked["brand"], asked["limit"]) == ("acme", 1000)
    before = datetime.fromisoformat(asked["before"])
    assert abs(datetime.now(UTC) - timedelta(days=25) - before) < timedelta(minutes=5)
    assert "2026-11-24" in listed.out
    assert "erased" in listed.out
    assert acuse("optout", "due", "--json").lines()[0] == row


def test_nobody_is_due(acuse: Acuse) -> None:
    acuse.daemon(optout_due=[])
    assert "no one is due" in acuse("optout", "due").err


def explained(acuse: Acuse, *more: str, **request: object) -> Any:
    asked = {"now": "2026-11-25T11:00:00Z", "category": "promotional", **request}
    stdin = json.dumps(asked).encode()
    return acuse("policy", "explain", "--json", *more, stdin=stdin, point=False).json()


def test_explain_knows_the_brands_and_senders_of_the_configuration(
    acuse: Acuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = content_book(acuse.directory / "packs")
    monkeypatch.setattr("gateway.policy.loader.load_rulebook", lambda *_, **__: book)
    config = acuse.directory / "acuse.toml"
    config.write_text(CONFIG)
    known = ("--config", str(config))
    ask: dict[str, object] = {"to": "+34600111222", "brand": "acme", "from": "ACME"}
    text = "Hoy 20%. Baja: acme.example/b/x"
    assert explained(acuse, *known, **ask, text=text)["action"] == "release"
    assert explained(acuse, *known, **{**ask, "brand": ""}, text=text)["action"] == "release"
    unknown = explained(acuse, **ask, text=text)
    assert (unknown["reason"], unknown["rules"]) == ("sender_unregistered", ["ES-ALIAS"])
    elsewhere = explained(acuse, *known, **ask, text="Hoy 20%. Baja: other.example/b/x")
    assert elsewhere["reason"] == "optout_missing"
    assert "https://acme.example/b" in elsewhere["why"][0]
    silent = explained(acuse, *known, to="+34600111222")
    assert silent["action"] == "release"
    kinds = {warning.split(":")[0] for warning in silent["warnings"]}
    assert kinds >= {"content_not_judged", "sender_not_judged"}


def test_explain_tells_people_what_is_missing(
    acuse: Acuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = content_book(acuse.directory / "packs")
    monkeypatch.setattr("gateway.policy.loader.load_rulebook", lambda *_, **__: book)
    asked = {"to": "+14165550123", "now": "2026-11-25T16:00:00Z", "text": "Hi", "from": "21234"}
    ran = acuse("policy", "explain", stdin=json.dumps(asked).encode(), point=False)
    said = " ".join(ran.out.split())
    assert said.startswith("Refuse a promotional message: the text does not give the company's")
    assert "The text has neither the company's address" in said

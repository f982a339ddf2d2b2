"""What each command asks the daemon, and what it makes of the answer."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.cli import output, record
from gateway.errors import AnswerIsNo
from tests.cli.samples import ID, MESSAGE, RECORD, STATUS, operator

if TYPE_CHECKING:
    from tests.cli.conftest import Acuse


@pytest.fixture
def terminal_80(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prints as on a terminal of 80 columns (colours stay off: nothing here is a terminal)."""
    monkeypatch.setattr(output, "width_of_terminal", lambda: 80)
    monkeypatch.setattr("gateway.cli.record.width_of_terminal", lambda: 80)


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["messages", "receipts"])
def test_a_list_is_one_object_a_line(acuse: Acuse, noun: str) -> None:
    items = [{**MESSAGE, "ref": f"ñ{number}"} for number in range(500)]
    daemon = acuse.daemon(**{f"{noun}_list": items})
    ran = acuse(noun, "list", "--json")
    assert ran.code == 0
    assert ran.lines() == items
    assert "ñ0" in ran.out
    assert daemon.asked == [(f"{noun}.list", {})]


def test_filters_are_passed_on(acuse: Acuse) -> None:
    daemon = acuse.daemon(receipts_list=[])
    acuse(
        *("receipts", "list", "--state", "delivered", "--operator", "movistar"),
        *("--to", "+34600111222", "--brand", "acme", "--limit", "7"),
        *("--since", "2026-11-28", "--until", "2026-11-28T10:00:00+01:00"),
    )
    ((_, args),) = daemon.asked
    assert args == {
        "state": "delivered",
        "operator": "movistar",
        "to": "+34600111222",
        "brand": "acme",
        "limit": 7,
        "since": "2026-11-28T00:00:00Z",
        "until": "2026-11-28T09:00:00Z",
    }


def test_since_takes_how_long_ago(acuse: Acuse) -> None:
    daemon = acuse.daemon(messages_list=[])
    acuse("messages", "list", "--since", "2h")
    ((_, args),) = daemon.asked
    ago = datetime.now(UTC) - datetime.fromisoformat(args["since"])
    assert timedelta(hours=2) <= ago < timedelta(hours=2, minutes=1)


@pytest.mark.parametrize(
    "args",
    [
        ("--since", "yesterday"),
        ("--since", "2026-11-28T10:00:00"),
        ("--until", "0001-01-01"),
        ("--state", "sent"),
        ("--limit", "0"),
    ],
)
def test_a_filter_that_cannot_be_is_64(acuse: Acuse, args: tuple[str, ...]) -> None:
    ran = acuse("messages", "list", *args)
    assert ran.code == 64
    assert args[1] in ran.err or args[1] == "0"


def test_nothing_found_is_said_and_is_no_failure(acuse: Acuse) -> None:
    acuse.daemon(receipts_list=[])
    assert acuse("receipts", "list") == (0, "", "no receipts\n")
    assert acuse("receipts", "list", "--json") == (0, "", "")


@pytest.mark.usefixtures("terminal_80")
def test_a_list_fits_80_columns_with_whole_ids(acuse: Acuse) -> None:
    acuse.daemon(messages_list=[MESSAGE, {**MESSAGE, "to": None, "state": "held"}])
    lines = acuse("messages", "list").out.splitlines()
    assert len(lines) == 3
    assert all(len(line) <= 80 for line in lines)
    assert all(ID in line for line in lines[1:])
    assert lines[1].split() == [ID, "delivered_to_operator", "+34600111222", "20:59"] or (
        lines[1].split() == [ID, "delivered_to_operator", "+34600111222"]
    )


@pytest.mark.usefixtures("terminal_80")
def test_receipts_show_when_they_closed(acuse: Acuse) -> None:
    acuse.daemon(receipts_list=[RECORD, {**RECORD, "seal": None, "to": "+346001112223"}])
    heading, *lines = acuse("receipts", "list").out.splitlines()
    assert heading.split() == ["submission_id", "state", "to", "closed", "(UTC)"]
    assert lines[0].split() == [ID, "delivered", "+34600111222", "11-28", "21:00:03"]
    assert max(map(len, lines)) <= 80


def test_wide_terminals_show_more(acuse: Acuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "width_of_terminal", lambda: 120)
    acuse.daemon(receipts_list=[RECORD] * 120 + [{**RECORD, "operator": "日本語" * 9}] * 60)
    heading, *lines = acuse("receipts", "list").out.splitlines()
    assert heading.split()[-6:] == ["closed", "(UTC)", "operator", "seal", "submitted", "(UTC)"]
    assert lines[0].split()[-3:] == ["17", "2026-11-28", "20:59:59"]
    assert "  日本語…   17 " in lines[-1]
    assert len(lines) == 180
    assert max(map(output.width_of, lines)) <= 120


def test_in_a_pipe_nothing_is_cut_or_coloured(acuse: Acuse) -> None:
    acuse.daemon(messages_list=[{**MESSAGE, "ref": "r" * 300}] * 150)
    out = acuse("messages", "list").out
    assert out.count("r" * 300) == 150
    assert "2026-11-28 20:59:59" in out
    assert "\x1b" not in out


# -- one record ------------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["messages", "receipts"])
def test_show_prints_the_object_as_it_is(acuse: Acuse, noun: str) -> None:
    daemon = acuse.daemon(**{f"{noun}_show": RECORD})
    assert acuse(noun, "show", ID, "--json").json() == RECORD
    assert daemon.asked == [(f"{noun}.show", {"submission_id": ID})]


@pytest.mark.usefixtures("terminal_80")
def test_a_record_is_a_calm_page(acuse: Acuse) -> None:
    acuse.daemon(receipts_show=RECORD)
    out = acuse("receipts", "show", ID).out
    for part in (
        ID,
        "+34600111222",
        "ACME",
        "legal_notice",
        "2026-11-28 20:59:59 UTC",
        "4f3a11c7",
        "DELIVRD",
        "000",
        "accepted by the operator",
        "sealed",
        "ab" * 32,
        "in the checkpoint of size 32, not anchored",
    ):
        assert part in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out, "what a text holds is shown, not obeyed"


def test_an_open_record_says_what_is_still_to_come(acuse: Acuse) -> None:
    receipt = {
        **RECORD["receipts"][0],
        "final": False,
        "duplicate_of": 1,
        "conflict": True,
        "matched_by": "recipient",
    }
    record = {
        **RECORD,
        "state": "unknown",
        "closed_at": None,
        "seal": None,
        "contradicted": True,
        "receipts": [receipt],
    }
    acuse.daemon(receipts_show=record)
    out = acuse("receipts", "show", ID).out
    assert "not yet: the message is not closed" in out
    assert "not final, again, conflict, matched by recipient" in out
    assert "contradicted" in out
    minimal = {"submission_id": ID, "state": "queued"}
    acuse.running.__exit__(None, None, None) if acuse.running else None
    acuse.daemon(receipts_show=minimal)
    assert acuse("receipts", "show", ID).code == 0


def test_no_such_submission_is_1(acuse: Acuse) -> None:
    acuse.daemon(receipts_show=AnswerIsNo('no submission "nope"', hint="`acuse receipts list`"))
    ran = acuse("receipts", "show", "nope")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == 'acuse: error: no submission "nope"\nacuse: hint: `acuse receipts list`\n'


# -- changes ---------------------------------------------------------------------------------------


def test_cancel(acuse: Acuse) -> None:
    daemon = acuse.daemon(messages_cancel={"submission_id": ID, "state": "cancelled"})
    assert acuse("messages", "cancel", ID).out == f"{ID}  cancelled\n"
    assert acuse("messages", "cancel", ID, "--json").json()["state"] == "cancelled"
    assert daemon.asked[0] == ("messages.cancel", {"submission_id": ID})


def test_replace(acuse: Acuse) -> None:
    new = {"submission_id": "new", "state": "queued", "replaces": ID}
    daemon = acuse.daemon(messages_replace=new)
    ran = acuse("messages", "replace", ID, "--text", "otra", "--valid-for", "2h")
    assert (ran.code, ran.out) == (0, f"new  queued, replaces {ID}\n")
    args = {"submission_id": ID, "text": "otra", "valid_for": "2h"}
    assert daemon.asked[0] == ("messages.replace", args)
    assert acuse("messages", "replace", ID, "--text", "otra", "--json").json() == new


def test_a_replacement_the_law_refuses_is_1(acuse: Acuse) -> None:
    acuse.daemon(messages_replace={"submission_id": "new", "state": "refused", "replaces": ID})
    assert acuse("messages", "replace", ID, "--text", "otra").code == 1


def test_optouts(acuse: Acuse) -> None:
    row = {"to": "+34600111222", "brand": None, "added_at": "2026-11-28T20:59:59Z", "source": "s"}
    daemon = acuse.daemon(
        optout_add=row,
        optout_remove={"to": "+34600111222", "brand": "acme", "removed_at": "…"},
        optout_list=[row],
    )
    added = acuse("optout", "add", "--to", "+34600111222")
    assert added.out == "+34600111222  every brand  opted out since 2026-11-28 20:59:59 UTC\n"
    assert acuse("optout", "add", "--to", "+34600111222", "--json").json() == row
    removed = acuse("optout", "remove", "--to", "+34600111222", "--brand", "acme")
    assert removed.out == "+34600111222  acme  no longer opted out\n"
    assert acuse("optout", "remove", "--to", "+1", "--json").code == 0
    assert acuse("optout", "list", "--json").lines() == [row]
    assert "every brand" in acuse("optout", "list", "--limit", "3").out
    assert daemon.asked[0] == ("optout.add", {"to": "+34600111222", "source": "cli"})
    assert daemon.asked[2][1]["brand"] == "acme"
    assert daemon.asked[-1] == ("optout.list", {"limit": 3})
    assert acuse("optout", "add").code == 64


def test_stop(acuse: Acuse) -> None:
    daemon = acuse.daemon(stop={"stopping": True})
    assert acuse("stop", "--json").json() == {"stopping": True}
    assert "finishes first" in acuse("stop").err
    assert acuse("stop", "--now") == (0, "", "stopping now\n")
    assert [args["now"] for _, args in daemon.asked] == [False, False, True]


def test_bundle(acuse: Acuse) -> None:
    text = '{"format":"acuse-proof/v1","submission_id":"ñ"}'
    daemon = acuse.daemon(bundle={"submission_id": ID, "bundle": text})
    assert acuse("bundle", ID, "--redact", "text", "--redact", "to").out == f"{text}\n"
    assert daemon.asked[0][1] == {"submission_id": ID, "redact": ["text", "to"]}
    file = acuse.directory / "proof.json"
    ran = acuse("bundle", ID, "-o", str(file))
    assert (ran.code, ran.out) == (0, "")
    assert f"acuse verify {file}" in ran.err
    assert file.read_text() == f"{text}\n"
    ran = acuse("bundle", ID, "-o", str(file), "--json")
    assert ran.json() == {
        "submission_id": ID,
        "file": str(file),
        "bytes": file.stat().st_size,
    }
    assert acuse("bundle", ID, "-o", "/dev/null").code == 0
    assert acuse("bundle", ID, "--redact", "operator").code == 64
    missing = acuse("bundle", ID, "-o", str(acuse.directory / "no" / "x"))
    assert missing.code == 74
    assert list(acuse.directory.glob(".proof*")) == []


def test_ledger_head_and_checkpoint(acuse: Acuse) -> None:
    note = "sms.example.es/2026a\n3\nq83v\n\n— sms.example.es/2026a AAAA\n"
    head = {
        "origin": "sms.example.es/2026a",
        "size": 1234,
        "root": "ab" * 32,
        "vkey": "sms.example.es/2026a+1234abcd+AAAA",
        "checkpoint": note,
        "checkpoint_size": 1200,
        "last_entry_at": "2026-11-28T20:59:59.001Z",
    }
    acuse.daemon(ledger_head=head, ledger_checkpoint={"size": 3, "root": "ab", "note": note})
    assert acuse("ledger", "head", "--json").json() == head
    out = acuse("ledger", "head").out
    assert out.endswith(note)
    assert "1,234 entries" in out
    assert acuse("ledger", "checkpoint").out == note
    assert acuse("ledger", "checkpoint", "--json").json()["note"] == note


# -- status ----------------------------------------------------------------------------------------


def test_status_is_one_screen_of_80_by_24(acuse: Acuse, monkeypatch: pytest.MonkeyPatch) -> None:
    crowded = {**STATUS, "operators": [operator(f"operator-{n}", "waiting") for n in range(40)]}
    for shown, more in ((STATUS, False), (crowded, True)):
        lines = _status_on_terminal(acuse, shown, monkeypatch)
        assert len(lines) <= 23
        assert [line for line in lines if len(line) > 80] == []
        assert any("more: acuse status --json" in line for line in lines) is more
        assert any("connection refused" in line for line in lines)


def _status_on_terminal(
    acuse: Acuse, shown: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    with monkeypatch.context() as patch:
        patch.setattr(output, "width_of_terminal", lambda: 80)
        patch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        acuse.daemon(status=shown)
        out = acuse("status").out
    assert acuse.running is not None
    acuse.running.__exit__(None, None, None)
    acuse.running = None
    return re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()


def test_status_shows_what_matters(acuse: Acuse) -> None:
    acuse.daemon(status=STATUS)
    out = acuse("status").out
    for part in (
        "sms.example.es  ready  acuse 0.1.0, pid 4242",
        "movistar",
        "100/100",
        "1000/s",
        "held 1,234,567",
        "orphans 1,234",
        "next held 2026-11-29 07:00:00, oldest queued 2026-11-28 20:59:59",
        "sealed 123,456,789",
        "987,654,321 entries",
        "ab" * 32,
        "signed up to 987,654,000 at 2026-11-28 21:00:00 UTC",
        "0.712 ms",
        "connection refused by the operator",
    ):
        assert part in out
    assert acuse("status", "--json").json() == json.loads(json.dumps(STATUS))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"draining": True}, "draining"),
        ({"ready": False}, "starting"),
        ({"started_at": "x"}, "up -"),
        ({"started_at": "2020-01-01T00:00:00Z"}, " d "),
        ({"ledger": {"origin": "o/1", "size": 0}}, "not signed yet"),
        ({"operators": [{**operator("x"), "throttled_until": "2026-11-29T07:00:00Z"}]}, "throttl"),
    ],
)
def test_status_in_other_states(acuse: Acuse, change: dict[str, object], says: str) -> None:
    acuse.daemon(status={**STATUS, **change})
    assert says in acuse("status").out


def test_status_tells_to_the_end_what_is_wrong_with_an_operator(
    acuse: Acuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        **operator("movistar", "waiting"),
        "throttled_until": "2026-11-29T07:00:00Z",
        "alarm": {
            "kind": "certificate",
            "message": "the certificate of smpp.example.net port 2775 is not to be trusted:"
            " Hostname mismatch, certificate is not valid for 'smpp.example.org'.",
        },
    }
    lines = _status_on_terminal(acuse, {**STATUS, "operators": [wrong]}, monkeypatch)
    assert "smpp.example.org'." in "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("movistar") and "waiting" in line for line in lines)


def test_no_daemon_is_69(acuse: Acuse) -> None:
    ran = acuse("status", "--json")
    assert ran.code == 69
    assert ran.json()["error"]["code"] == "unreachable"
    assert acuse("submit", "--to", "+34600111222", "--text", "x").code == 69


def test_every_event_of_a_message_has_words_for_people() -> None:
    daemon = Path(record.__file__).parent.parent / "daemon"
    written = {
        code
        for source in daemon.glob("*.py")
        for code in re.findall(r'\bevent\(\s*work,\s*"([^"]+)"', source.read_text())
    }
    assert {"A.1", "x.Resolved", "x.Released"} <= written
    assert written <= set(record.EVENTS)

"""Submitting one message, and files of them."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import (
    AcuseError,
    AnswerIsNo,
    ConfigError,
    DataError,
    NotPermitted,
    StorageError,
    TryAgain,
)
from tests.cli.samples import ID, RECORD, SUBMITTED
from tests.support.fake_daemon import FakeDaemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Acuse

ONE = ("submit", "--to", "+34600111222", "--text", "hola")
REFUSED = {
    **SUBMITTED,
    "state": "refused",
    "decision": {
        "action": "refuse",
        "until": None,
        "reason": "opted_out",
        "rules": ["FR-OPTOUT"],
        "warnings": ["no location"],
    },
}


def test_one_message_is_submitted(acuse: Acuse) -> None:
    daemon = acuse.daemon(submit=SUBMITTED)
    ran = acuse(*ONE, "--from", "ACME", "--brand", "acme", "--not-before", "T", "--json")
    assert ran == (0, json.dumps(SUBMITTED, separators=(",", ":")) + "\n", "")
    assert daemon.asked == [
        (
            "submit",
            {
                "to": "+34600111222",
                "text": "hola",
                "from": "ACME",
                "brand": "acme",
                "not_before": "T",
            },
        )
    ]


def test_every_option_reaches_the_daemon_under_its_name(acuse: Acuse) -> None:
    daemon = acuse.daemon(submit=SUBMITTED)
    acuse(
        *ONE,
        *("--category", "otp", "--ref", "r", "--campaign", "c", "--valid-for", "24h"),
        *("--location", '{"country":"US"}', "--urgent"),
    )
    ((_, args),) = daemon.asked
    assert args == {
        "to": "+34600111222",
        "text": "hola",
        "category": "otp",
        "ref": "r",
        "campaign": "c",
        "valid_for": "24h",
        "location": {"country": "US"},
        "urgent": True,
    }


def test_people_read_what_became_of_it(acuse: Acuse) -> None:
    held = {
        **SUBMITTED,
        "state": "held",
        "segments": 2,
        "decision": {
            "action": "hold",
            "until": "2026-11-30T07:00:00Z",
            "reason": "quiet_hours",
            "rules": ["FR-QH", "FR-SUN"],
            "warnings": [],
        },
    }
    acuse.daemon(submit=held)
    ran = acuse(*ONE)
    assert ran.out == (
        f"submission  {ID}\n"
        "state       held\n"
        "decision    hold until 2026-11-30 07:00:00 UTC because of quiet_hours\n"
        "rules       FR-QH, FR-SUN\n"
        "encoding    gsm7, 2 segments\n"
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_a_refusal_is_an_answer_and_exit_code_1(acuse: Acuse, as_json: bool) -> None:
    acuse.daemon(submit=REFUSED)
    ran = acuse(*ONE, *(["--json"] if as_json else []))
    assert ran.code == 1
    assert ran.err == ""
    if as_json:
        assert ran.json() == REFUSED
    else:
        assert "refuse because of opted_out" in ran.out
        assert "warning     no location" in ran.out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("to: not a number", hint="write +34…", field="to"), 65),
        (TryAgain("draining"), 75),
        (NotPermitted("role read may not submit"), 77),
        (StorageError("disk full"), 74),
        (AnswerIsNo("the ref is taken by other content"), 1),
    ],
)
def test_the_daemons_errors_keep_their_exit_code(
    acuse: Acuse, error: AcuseError, code: int
) -> None:
    acuse.daemon(submit=error)
    ran = acuse(*ONE, "--json")
    assert ran.code == code
    assert ran.json() == {"error": error.as_dict()}
    assert ran.err == ""
    ran = acuse(*ONE)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith(f"acuse: error: {error.message}\n")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("submit", "--to", "+34600111222"), "--text is missing"),
        (("submit", "--text", "x"), "--to is missing"),
        ((*ONE, "--category", "spam"), "spam"),
        ((*ONE, "--batch", "x.csv"), "--to and --batch exclude each other"),
        (("submit", "--batch", "x.csv", "--wait"), "--wait and --batch exclude each other"),
        ((*ONE, "--wait", "--timeout", "0"), "0"),
    ],
)
def test_a_wrong_command_line_is_64_before_any_daemon(
    acuse: Acuse, args: tuple[str, ...], says: str
) -> None:
    ran = acuse(*args)
    assert ran.code == 64
    assert says in ran.err
    assert "acuse: hint: " in ran.err


def test_a_location_that_is_no_json(acuse: Acuse) -> None:
    assert acuse(*ONE, "--location", "ES").code == 65


@pytest.mark.parametrize(
    ("state", "timed_out", "code"),
    [
        ("delivered", False, 0),
        ("delivered_to_operator", False, 0),
        ("undelivered", False, 1),
        ("unconfirmed", False, 1),
        ("accepted", True, 75),
    ],
)
def test_wait_ends_with_the_final_state(
    acuse: Acuse, state: str, timed_out: bool, code: int
) -> None:
    record = {**RECORD, "state": state}
    late = {"timed_out": True} if timed_out else {}
    daemon = acuse.daemon(submit=SUBMITTED, messages_wait={**record, **late})
    ran = acuse(*ONE, "--wait", "--timeout", "5", "--json")
    assert ran.code == code
    assert ran.json() == {**SUBMITTED, "state": state, "timed_out": timed_out, "record": record}
    assert daemon.asked[1] == ("messages.wait", {"submission_id": ID, "timeout_s": 5.0})
    assert state in acuse(*ONE, "--wait").out


HELD = {
    **SUBMITTED,
    "state": "held",
    "due_at": "2026-11-30T07:00:00Z",
    "decision": {
        **SUBMITTED["decision"],
        "action": "hold",
        "until": "2026-11-30T07:00:00Z",
        "reason": "quiet_hours",
    },
}
SCHEDULED = {**SUBMITTED, "state": "held", "due_at": "2026-11-30T07:00:00Z"}


@pytest.mark.parametrize(
    ("taken", "says"),
    [
        (HELD, "is held until 2026-11-30 07:00:00 UTC because of quiet_hours; waiting up to 5 s"),
        (SCHEDULED, "is held until 2026-11-30 07:00:00 UTC, as --not-before says; waiting"),
        (SUBMITTED, "is queued; waiting up to 5 s"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_wait_says_on_stderr_what_it_waits_for_and_that_it_was_in_vain(
    acuse: Acuse, taken: dict[str, Any], says: str, as_json: bool
) -> None:
    record = {**RECORD, "state": taken["state"]}
    acuse.daemon(submit=taken, messages_wait={**record, "timed_out": True})
    ran = acuse(*ONE, "--wait", "--timeout", "5", *(["--json"] if as_json else []))
    assert ran.code == 75
    first, last = ran.err.splitlines()
    assert first.startswith(f"acuse: note: submission {ID} {says}")
    assert last == (
        f"acuse: note: not final after 5 s; `acuse receipts show {ID}` tells what becomes of it"
    )
    if as_json:
        assert ran.json()["timed_out"] is True


def test_waiting_for_what_is_final_already_says_nothing_more(acuse: Acuse) -> None:
    known = {**SUBMITTED, "state": "delivered", "repeated": True}
    acuse.daemon(submit=known, messages_wait={**RECORD, "state": "delivered"})
    ran = acuse(*ONE, "--ref", "r", "--wait", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json()["state"] == "delivered"


def test_a_daemon_that_goes_away_during_a_wait_leaves_the_id(acuse: Acuse) -> None:
    acuse.daemon(submit=SUBMITTED, messages_wait=None)
    ran = acuse(*ONE, "--wait")
    assert ran.code == 69
    assert f"submission {ID} was taken" in ran.err
    assert f"acuse: hint: `acuse receipts show {ID}`" in ran.err
    error = acuse(*ONE, "--wait", "--json").json()["error"]
    assert error["fields"]["submission_id"] == ID


@pytest.mark.parametrize("as_json", [True, False])
def test_whoever_stops_waiting_is_left_with_the_id(acuse: Acuse, as_json: bool) -> None:
    def interrupted(_: dict[str, Any]) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGINT)
        return {**RECORD, "timed_out": True}

    acuse.daemon(submit=SUBMITTED, messages_wait=interrupted)
    ran = acuse(*ONE, "--wait", *(["--json"] if as_json else []))
    assert (ran.code, ran.out) == (130, "")
    assert f"no longer waiting; the submission goes on: `acuse receipts show {ID}`" in ran.err


@pytest.mark.parametrize("timeout", ["nan", "inf", "-1", "0", "86401", "soon"])
def test_a_timeout_that_cannot_be(acuse: Acuse, timeout: str) -> None:
    ran = acuse(*ONE, "--wait", "--timeout", timeout)
    assert ran.code == 64
    assert "--timeout" in ran.err


def test_wait_does_not_wait_for_what_was_refused(acuse: Acuse) -> None:
    acuse.daemon(submit=REFUSED)
    assert acuse(*ONE, "--wait", "--json").json() == REFUSED


def test_a_recipient_without_a_route_breaks_its_line_alone(acuse: Acuse, tmp_path: Path) -> None:
    def routed(args: dict[str, Any]) -> dict[str, Any] | AcuseError:
        if args["to"].startswith("+34"):
            return SUBMITTED
        return ConfigError("routes: none leads to this recipient", hint="add", setting="routes")

    acuse.daemon(submit=routed)
    file = tmp_path / "x.csv"
    file.write_text("to,text\n+34600111222,a\n+4915112345678,b\n+34600111223,c\n")
    ran = acuse("submit", "--batch", str(file), "--json")
    assert ran.code == 65
    first, broken, last = ran.lines()
    assert first == last == SUBMITTED
    assert (broken["line"], broken["error"]["fields"]["setting"]) == (3, "routes")


# -- batches ---------------------------------------------------------------------------------------


def by_number(args: dict[str, Any]) -> dict[str, Any] | AcuseError:
    """Numbers ending in 13 are no numbers, in 14 opted out, in 15 too many."""
    if args["to"].endswith("13"):
        return DataError("to: not a number", field="to")
    if args["to"].endswith("15"):
        return TryAgain("the queue is full")
    answer = REFUSED if args["to"].endswith("14") else SUBMITTED
    return {**answer, "submission_id": args["to"]}


def csv_of(count: int, broken: dict[int, str]) -> bytes:
    """A file whose line numbers are those of its rows; *broken* are lines to put in."""
    lines = ["to,text", *(f"+3460011{number:05}00,hola" for number in range(2, count + 1))]
    for number, line in broken.items():
        lines[number - 1] = line
    return "\n".join(lines).encode() + b"\n"


def test_a_broken_line_4711_breaks_alone(acuse: Acuse) -> None:
    file = acuse.directory / "many.csv"
    file.write_bytes(csv_of(10_000, {4711: '+34600111222,"roto'}))
    acuse.daemon(submit=by_number)
    ran = acuse("submit", "--batch", str(file), "--json")
    assert ran.code == 65
    lines = ran.lines()
    assert len(lines) == 9_999
    assert [number for number, line in enumerate(lines, 2) if "error" in line] == [4711]
    assert lines[4709] == {
        "line": 4711,
        "error": {
            "code": "data",
            "message": "a quote is opened and never closed",
            "hint": "",
            "fields": {},
        },
    }
    good = [line["submission_id"] for line in lines if "error" not in line]
    assert good == [f"+3460011{number:05}00" for number in range(2, 10_001) if number != 4711]
    assert ran.err == (
        f"acuse: error: {file} line 4711: a quote is opened and never closed\n"
        "9,999 lines: 9,998 answered, 1 failed\n"
    )


def test_people_get_the_sum(acuse: Acuse) -> None:
    file = acuse.directory / "few.csv"
    file.write_bytes(csv_of(5, {3: "+34600111214,x", 5: "+34600111213,x"}))
    acuse.daemon(submit=by_number)
    ran = acuse("submit", "--batch", str(file))
    assert ran.code == 65
    assert ran.out == (
        "state    messages  because of\nqueued   2         -\nrefused  1         opted_out\n"
    )
    assert ran.err.splitlines() == [
        f"acuse: error: {file} line 5: to: not a number",
        "4 lines: 3 answered, 1 failed",
    ]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({}, 0),
        ({2: "+34600111214,refused"}, 1),
        ({2: "+34600111214,refused", 3: "+34600111215,full"}, 75),
        ({2: "+34600111213,bad", 3: "+34600111215,full"}, 65),
    ],
)
def test_a_batch_ends_with_the_gravest_of_its_lines(
    acuse: Acuse, broken: dict[int, str], code: int
) -> None:
    acuse.daemon(submit=by_number)
    assert acuse("submit", "--batch", "-", stdin=csv_of(4, broken)).code == code


def test_jsonl_from_stdin(acuse: Acuse) -> None:
    daemon = acuse.daemon(submit=by_number)
    lines = b'{"to":"+34600111222","text":"a"}\nnope\n'
    ran = acuse("submit", "--batch", "-", "--json", stdin=lines)
    assert ran.code == 65
    assert [line.get("line") for line in ran.lines()] == [None, 2]
    assert ran.err.startswith("acuse: error: stdin line 2: not JSON: Expecting value (column 1)\n")
    assert len(daemon.asked) == 1


def test_what_holds_for_every_line_ends_the_batch(acuse: Acuse) -> None:
    acuse.daemon(submit=NotPermitted("role read may not submit"))
    ran = acuse("submit", "--batch", "-", "--json", stdin=csv_of(100, {}))
    assert ran.code == 77
    assert ran.json()["error"]["code"] == "not_permitted"


def test_a_daemon_that_dies_leaves_word_of_where(acuse: Acuse) -> None:
    def until_line_50(args: dict[str, Any]) -> dict[str, Any] | None:
        return None if args["to"] == "+346001100051" + "00" else {**SUBMITTED}

    acuse.daemon(submit=until_line_50)
    ran = acuse("submit", "--batch", "-", stdin=csv_of(100, {}))
    assert ran.code == 69
    assert "up to line 50 every line is answered" in ran.err
    assert "lines with a ref can safely be submitted again" in ran.err


@pytest.mark.parametrize(("name", "says"), [("nope.csv", "No such file"), (".", "Is a directory")])
def test_a_file_that_is_not_there(acuse: Acuse, name: str, says: str) -> None:
    acuse.daemon(submit=SUBMITTED)
    ran = acuse("submit", "--batch", str(acuse.directory / name))
    assert ran.code == 65
    assert says in ran.err


def test_an_unknown_column_names_the_nearest(acuse: Acuse) -> None:
    daemon = acuse.daemon(submit=SUBMITTED)
    ran = acuse("submit", "--batch", "-", stdin=b"to,text,categry\n+34600111222,x,otp\n")
    assert ran.code == 65
    assert "'categry' is not a column" in ran.err
    assert "did you mean category?" in ran.err
    assert daemon.asked == []


def test_a_progress_bar_only_where_somebody_watches(tmp_path: Path) -> None:
    def slowly(_: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.002)
        return {**SUBMITTED}

    file = tmp_path / "many.csv"
    file.write_bytes(csv_of(300, {7: "broken"}))
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "gateway.cli.main", "submit", "--batch", str(file)]
    with FakeDaemon(tmp_path / "s", {"submit": slowly}):
        ran = subprocess.Popen(
            [*command, "--socket", str(tmp_path / "s")],
            stdout=subprocess.PIPE,
            stderr=slave,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )
        os.close(slave)
        seen = b""
        while select.select([master], [], [], 10)[0]:
            try:
                seen += os.read(master, 65_536)
            except OSError:
                break
        out, _ = ran.communicate(timeout=10)
    os.close(master)
    assert ran.returncode == 65
    assert b"submitting" in seen
    assert b"line 7: 1 columns where the header has 2" in seen.replace(b"\r\n", b"")
    assert b"299 lines: 298 answered, 1 failed" in seen
    assert out == b"state   messages\nqueued  298\n"

"""`acuse operators`, orphans and replies on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import AnswerIsNo
from tests.cli.samples import ID, RECORD, STATUS

if TYPE_CHECKING:
    from tests.cli.conftest import Acuse

ORPHAN = {
    "seq": 17,
    "operator": "movistar",
    "bind": "trx1",
    "message_id": "4711",
    "message_state": "DELIVRD",
    "final": True,
    "error": "000",
    "network_error_code": None,
    "received_at": "2026-11-28T10:00:00Z",
    "done_at": None,
    "duplicate_of": None,
    "raw": "00",
}


def test_operators_are_listed_one_a_line(acuse: Acuse) -> None:
    acuse.daemon(status=STATUS)
    heading, *lines = acuse("operators", "list").out.splitlines()
    assert heading.split()[:3] == ["operator", "state", "bind"]
    assert [line.split()[0] for line in lines] == [each["name"] for each in STATUS["operators"]]
    assert acuse("operators", "list", "--json").lines() == STATUS["operators"]


def test_what_was_learned_is_a_file_on_stdout(acuse: Acuse) -> None:
    daemon = acuse.daemon(operators_learn={"operator": "movistar", "toml": "[stat]\n"})
    assert acuse("operators", "learn", "movistar") == (0, "[stat]\n", "")
    assert acuse("operators", "learn", "movistar", "--json").json()["operator"] == "movistar"
    assert daemon.asked[0] == ("operators.learn", {"operator": "movistar"})


def test_an_operator_that_taught_nothing_is_an_answer_of_no(acuse: Acuse) -> None:
    acuse.daemon(operators_learn=AnswerIsNo("no receipt yet", hint="send some"))
    assert acuse("operators", "learn", "movistar").code == 1


def test_receipts_without_a_message_are_a_list_of_their_own(acuse: Acuse) -> None:
    daemon = acuse.daemon(receipts_list=[ORPHAN])
    ran = acuse("receipts", "list", "--orphans", "--operator", "movistar")
    assert ran.out.splitlines()[1].split()[:4] == ["17", "movistar", "4711", "DELIVRD"]
    assert acuse("receipts", "list", "--orphans", "--json").lines() == [ORPHAN]
    assert daemon.asked[0] == ("receipts.list", {"operator": "movistar", "orphans": True})


def test_a_message_shows_what_its_recipient_wrote_back(acuse: Acuse) -> None:
    reply = {"received_at": "2026-11-28T10:00:00Z", "text": "Baja \x1b[2J", "optout": "BAJA"}
    acuse.daemon(messages_show={**RECORD, "replies": [reply]})
    out = acuse("messages", "show", ID).out
    assert "replies" in out
    assert "Baja \\x1b[2J" in out

"""The commands as a user types them, against a daemon that runs: their JSON and their exit codes.

One daemon serves the module; each test makes what it asks about.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.process import Daemon, Site
from tests.support.sealed import broken_checks
from tests.support.standalone import judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.process import Ran

NUMBER: Final = "+34600111222"
#: CONTRACT, "JSON": the keys of the two objects programs read most.
SUBMIT_KEYS: Final = {"submission_id", "state", "decision", "encoding", "segments"}
DECISION_KEYS: Final = {"action", "until", "reason", "rules", "warnings"}
RECORD_KEYS: Final = {
    *("submission_id", "ref", "state", "category", "brand", "to", "from", "text", "encoding"),
    *("operator", "submitted_at", "closed_at", "decision", "segments", "receipts", "events"),
    "seal",
}
SEGMENT_KEYS: Final = {
    *("number", "message_id", "outcome", "command_status", "sent_at", "answered_at"),
}
RECEIPT_KEYS: Final = {
    *("segment", "message_state", "final", "error", "network_error_code", "received_at"),
    *("done_at", "raw", "bind", "duplicate_of"),
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.open(
        {"movistar": {"seed": 1, "receipt_delay_min_s": 0.01, "receipt_delay_max_s": 0.05}},
        settings="window = 500",
    ) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def daemon(site: Site) -> Daemon:
    return site.serve().ready()


def submit(site: Site, *options: str, to: str = NUMBER, text: str = "Su factura vence") -> Ran:
    given = ("--to", to, "--text", text, "--category", "legal_notice", "--json")
    return site.acuse("submit", *given, *options)


def delivered(site: Site) -> dict[str, Any]:
    """A message that has arrived: what `submit --wait` printed."""
    ran = submit(site, "--wait")
    assert ran.code == 0, ran.err
    return dict(ran.json())


def error_of(ran: Ran, code: int) -> dict[str, Any]:
    """The error a command printed as JSON; it must have ended with *code*."""
    assert ran.code == code, ran
    error = ran.json()["error"]
    assert set(error) == {"code", "message", "hint", "fields"}
    assert error["message"]
    return dict(error)


def test_submit_answers_with_the_documented_object(site: Site) -> None:
    ran = submit(site, "--from", "ACME", "--brand", "acme", "--valid-for", "24h")
    assert ran.code == 0
    answer = ran.json()
    assert set(answer) >= SUBMIT_KEYS
    assert set(answer["decision"]) >= DECISION_KEYS
    assert (answer["state"], answer["decision"]["action"]) == ("queued", "release")
    assert (answer["encoding"], answer["segments"]) == ("gsm7", 1)


def test_a_dry_run_tells_the_same_and_leaves_no_trace(site: Site) -> None:
    before = site.acuse("ledger", "head", "--json").json()["size"]
    ran = submit(site, "--dry-run", text="Su factura del día 5 vence el lunes: 20 €. " * 3)
    assert ran.code == 0, ran.err
    plan = ran.json()
    assert set(plan) >= (SUBMIT_KEYS - {"submission_id"})
    assert (plan["operator"], plan["encoding"], plan["segments"]) == ("movistar", "ucs2", 2)
    assert [character["code"] for character in plan["characters"]] == ["U+00ED"]
    assert plan["without_them"]["segments"] == 1
    page = site.acuse(
        *("submit", "--to", NUMBER, "--text", "Son 20 €", "--category", "legal_notice", "--dry-run")
    )
    assert page.code == 0
    assert "would be" in page.out
    assert "costs 2" in page.out
    assert site.acuse("ledger", "head", "--json").json()["size"] == before


def test_submit_and_wait_gives_the_record_of_a_delivered_message(site: Site) -> None:
    answer = delivered(site)
    assert answer["state"] == "delivered"
    assert answer["timed_out"] is False
    assert set(answer["record"]) >= RECORD_KEYS
    (segment,) = answer["record"]["segments"]
    assert set(segment) >= SEGMENT_KEYS
    assert (segment["number"], segment["outcome"], segment["command_status"]) == (1, "accepted", 0)
    (receipt,) = answer["record"]["receipts"]
    assert set(receipt) >= RECEIPT_KEYS
    assert bytes.fromhex(receipt["raw"])[4:8] == b"\0\0\0\x05"
    assert segment["message_id"].encode() in bytes.fromhex(receipt["raw"])


def test_submit_and_wait_exits_with_1_when_it_did_not_arrive(site: Site) -> None:
    ran = submit(site, "--wait", to="+34600111901")
    assert (ran.code, ran.json()["state"]) == (1, "undelivered")


def test_submit_and_wait_gives_up_after_the_timeout_with_75(site: Site) -> None:
    ran = submit(site, "--wait", "--timeout", "0.2", to="+34600111942")
    assert (ran.code, ran.json()["timed_out"]) == (75, True)
    assert ran.json()["state"] in ("queued", "sending", "accepted")


def test_the_same_ref_is_taken_once_and_other_content_is_refused(site: Site) -> None:
    first, again = submit(site, "--ref", "2026/117"), submit(site, "--ref", "2026/117")
    assert (first.code, again.code) == (0, 0)
    assert first.json()["submission_id"] == again.json()["submission_id"]
    error = error_of(submit(site, "--ref", "2026/117", text="Otra cosa"), 65)
    assert error["fields"]["field"] == "ref"


def test_for_people_submit_prints_lines_they_can_read(site: Site) -> None:
    ran = site.acuse("submit", "--to", NUMBER, "--text", "hola", "--category", "otp")
    assert ran.code == 0
    assert ran.err == ""
    words = dict(line.split(None, 1) for line in ran.out.splitlines())
    assert words["state"] == "queued"
    assert len(words["submission"]) == 36


@pytest.mark.parametrize(
    ("options", "code", "field"),
    [
        (["--to", "600111222", "--text", "x"], 65, "to"),
        (["--to", "+34600", "--text", "x"], 65, "to"),
        (["--to", NUMBER, "--text", "x", "--brand", "nobody"], 65, "brand"),
        (["--to", NUMBER, "--text", "x" * 50_000], 65, "text"),
        (["--to", NUMBER, "--text", "x", "--from", "much too long"], 65, "from"),
        (["--to", NUMBER, "--text", "x", "--not-before", "tomorrow"], 65, "not_before"),
        (["--to", NUMBER, "--text", "x", "--location", "{"], 65, "location"),
        (["--to", NUMBER], 64, None),
        (["--to", NUMBER, "--text", "x", "--category", "spam"], 64, None),
        (["--no-such-option"], 64, None),
    ],
)
def test_what_cannot_be_submitted_gets_one_error_that_names_it(
    site: Site, options: list[str], code: int, field: str | None
) -> None:
    error = error_of(site.acuse("submit", *options, "--json"), code)
    assert error["hint"]
    if field is not None:
        assert error["fields"]["field"] == field


def test_a_text_that_cannot_be_encoded_is_refused(site: Site) -> None:
    texts = ["\ud800", "good"]
    lines = [json.dumps({"to": NUMBER, "text": text, "category": "otp"}) for text in texts]
    ran = site.acuse("submit", "--batch", "-", "--json", stdin="\n".join(lines))
    assert ran.code == 65
    broken, good = ran.lines()
    assert (broken["line"], broken["error"]["fields"]["field"]) == (1, "text")
    assert good["state"] == "queued"


def test_a_batch_with_broken_lines_lists_them_and_sends_the_others(site: Site) -> None:
    """5,000 lines; lines 12 and 4,711 cannot be submitted."""
    lines = ["to,text,category,ref"]
    lines += [f"{NUMBER},Aviso {n},legal_notice,batch-{n}" for n in range(2, 5_001)]
    lines[11] = "600-nobody,Aviso 12,legal_notice,batch-12"
    lines[4_710] = f'{NUMBER},"Aviso 4711,legal_notice,batch-4711'
    path = site.directory / "batch.csv"
    path.write_text("\n".join(lines) + "\n")
    ran = site.acuse("submit", "--batch", str(path), "--json")
    assert ran.code == 65
    results = ran.lines()
    assert len(results) == 4_999
    failed = {result["line"]: result["error"] for result in results if "error" in result}
    assert set(failed) == {12, 4_711}
    assert failed[12]["fields"]["field"] == "to"
    assert "quote" in failed[4_711]["message"]
    taken = [result for result in results if "error" not in result]
    assert {result["state"] for result in taken} == {"queued"}
    assert len({result["submission_id"] for result in taken}) == 4_997
    assert "line 12" in ran.err
    assert "line 4711" in ran.err
    assert "Traceback" not in ran.err

    # With refs, the same file again submits nothing twice and mended lines go through.
    lines[11] = f"{NUMBER},Aviso 12,legal_notice,batch-12"
    lines[4_710] = f"{NUMBER},Aviso 4711,legal_notice,batch-4711"
    path.write_text("\n".join(lines) + "\n")
    again = site.acuse("submit", "--batch", str(path), "--json")
    assert again.code == 0
    before = {result["submission_id"] for result in taken}
    assert len({line["submission_id"] for line in again.lines()} - before) == 2


def test_a_batch_of_json_lines_answers_in_the_order_of_the_input(site: Site) -> None:
    rows = [
        {"to": NUMBER, "text": f"Aviso {n}", "category": "otp", "ref": f"jsonl-{n}"}
        for n in range(30)
    ]
    stdin = "\n".join(json.dumps(row) for row in rows)
    ran = site.acuse("submit", "--batch", "-", "--json", stdin=stdin)
    assert ran.code == 0
    ids = [line["submission_id"] for line in ran.lines()]
    one_by_one = [
        site.acuse("messages", "show", each, "--json").json()["ref"] for each in (ids[0], ids[-1])
    ]
    assert one_by_one == ["jsonl-0", "jsonl-29"]


def test_a_file_that_is_no_batch_is_one_error(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "batch.csv"
    path.write_text("number,message\n1,2\n")
    assert error_of(site.acuse("submit", "--batch", str(path), "--json"), 65)["hint"]
    missing = str(tmp_path / "none.csv")
    assert error_of(site.acuse("submit", "--batch", missing, "--json"), 65)["hint"]


def test_status_tells_what_the_daemon_does(site: Site, daemon: Daemon) -> None:
    ran = site.acuse("status", "--json")
    assert ran.code == 0
    status = ran.json()
    assert (status["pid"], status["ready"], status["draining"]) == (daemon.pid, True, False)
    (operator,) = status["operators"]
    assert (operator["name"], operator["state"], operator["window"]) == ("movistar", "bound", 500)
    assert set(status["queues"]) == {
        *("held", "queued", "sending", "accepted", "unknown", "orphans"),
    }
    assert status["ledger"]["origin"] == "sms.example.es/1"
    for_people = site.acuse("status")
    assert for_people.code == 0
    assert "movistar" in for_people.out
    assert max(map(len, for_people.out.splitlines())) <= 80


def test_messages_are_listed_newest_first_and_filtered(site: Site) -> None:
    refs = [submit(site, "--ref", f"list-{n}", to="+34600111233") for n in range(3)]
    assert [ran.code for ran in refs] == [0, 0, 0]
    ran = site.acuse("messages", "list", "--to", "+34600111233", "--json")
    assert [line["ref"] for line in ran.lines()] == ["list-2", "list-1", "list-0"]
    assert set(ran.lines()[0]) >= {"submission_id", "state", "to", "submitted_at", "reason"}
    cut = site.acuse("messages", "list", "--limit", "2", "--json")
    assert len(cut.lines()) == 2
    none = site.acuse("messages", "list", "--state", "erased", "--json")
    assert (none.code, none.out) == (0, "")
    table = site.acuse("messages", "list", "--limit", "3")
    assert (table.code, len(table.out.splitlines())) == (0, 4)
    error_of(site.acuse("messages", "list", "--state", "lost", "--json"), 64)


def test_a_held_message_is_cancelled_once(site: Site) -> None:
    held = submit(site, "--not-before", "2999-01-01T00:00:00Z")
    assert error_of(held, 65)["fields"]["field"] == "not_before"
    ahead = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    held = submit(site, "--not-before", f"{ahead}T12:00:00Z")
    answer = held.json()
    assert (held.code, answer["state"]) == (0, "held")
    shown = site.acuse("messages", "show", answer["submission_id"], "--json").json()
    assert (shown["state"], shown["due_at"][:10]) == ("held", ahead)
    cancelled = site.acuse("messages", "cancel", answer["submission_id"], "--json")
    assert (cancelled.code, cancelled.json()["state"]) == (0, "cancelled")
    error_of(site.acuse("messages", "cancel", answer["submission_id"], "--json"), 1)
    record = site.acuse("receipts", "show", answer["submission_id"], "--json").json()
    assert [event["event"] for event in record["events"]] == ["A.1", "x.Cancelled", "S.1"]


@pytest.mark.parametrize(
    "command",
    [("messages", "show"), ("messages", "cancel"), ("receipts", "show"), ("bundle",)],
)
def test_a_message_nobody_knows_is_answered_with_1(site: Site, command: tuple[str, ...]) -> None:
    error_of(site.acuse(*command, "01990c4e-6a00-7000-8000-1a2b3c4d5e6f", "--json"), 1)


def test_a_bundle_convinces_both_verifiers_until_a_byte_changes(site: Site, tmp_path: Path) -> None:
    submission_id = delivered(site)["submission_id"]
    proof, trusted = tmp_path / "proof.json", tmp_path / "trusted.policy"
    assert site.acuse("bundle", submission_id, "-o", str(proof)).code == 0
    on_stdout = site.acuse("bundle", submission_id)
    assert json.loads(on_stdout.out)["submission_id"] == submission_id
    vkey = site.acuse("ledger", "head", "--json").json()["vkey"]
    trusted.write_text(f"log {vkey}\nquorum none\n")
    ran = site.acuse("verify", str(proof), "--policy", str(trusted), "--json")
    report = ran.json()
    assert (ran.code, report["verdict"], report["state"]) == (4, "UNANCHORED", "delivered")
    assert broken_checks(report) == {"timestamp"}
    assert judge(proof.read_text(), vkey)[0] == 4
    proof.write_text(proof.read_text().replace("DELIVRD", "DELIVRE", 1))
    broken = site.acuse("verify", str(proof), "--json")
    assert (broken.code, broken.json()["verdict"]) == (1, "INVALID")
    assert broken.json()["reason"]
    proof.write_text("not a proof")
    error_of(site.acuse("verify", str(proof), "--json"), 65)


def test_a_redacted_bundle_shows_no_number_and_still_verifies(site: Site, tmp_path: Path) -> None:
    submission_id = delivered(site)["submission_id"]
    ran = site.acuse("bundle", submission_id, "--redact", "to", "--redact", "text")
    assert "34600111222" not in ran.out
    assert b"34600111222".hex() not in ran.out
    assert "factura" not in ran.out
    proof = tmp_path / "redacted.json"
    proof.write_text(ran.out)
    assert site.acuse("verify", str(proof), "--json").code == 4


def test_the_ledger_is_shown_signed_and_checked_beside_the_daemon(site: Site) -> None:
    delivered(site)
    signed = site.acuse("ledger", "checkpoint", "--json")
    assert signed.code == 0
    note = signed.json()["note"]
    assert note.split("\n")[:2] == ["sms.example.es/1", str(signed.json()["size"])]
    head = site.acuse("ledger", "head", "--json").json()
    assert head["checkpoint_size"] >= signed.json()["size"]
    assert head["size"] >= head["checkpoint_size"]
    known = site.directory / "known.checkpoint"
    known.write_text(note)
    delivered(site)
    site.acuse("ledger", "checkpoint")
    ran = site.acuse("ledger", "verify", "--since", str(known), "--json")
    assert (ran.code, ran.json()["verdict"]) == (4, "UNANCHORED")
    assert broken_checks(ran.json()) == {"policy", "timestamp"}


def test_an_opt_out_refuses_the_next_message_until_it_is_removed(site: Site) -> None:
    them = "+34600111244"
    added = site.acuse("optout", "add", "--to", them, "--brand", "acme", "--json")
    assert added.code == 0
    assert set(added.json()) >= {"to", "brand", "added_at"}
    listed = site.acuse("optout", "list", "--json")
    assert (them, "acme") in {(row["to"], row["brand"]) for row in listed.lines()}
    refused = site.acuse("submit", "--to", them, "--text", "Oferta", "--json")
    answer = refused.json()
    assert (refused.code, answer["state"]) == (1, "refused")
    assert (answer["decision"]["action"], answer["decision"]["reason"]) == ("refuse", "opted_out")
    assert set(answer) >= SUBMIT_KEYS
    record = site.acuse("receipts", "show", answer["submission_id"], "--json").json()
    assert [event["event"] for event in record["events"]] == ["A.2", "S.1"]
    removed = site.acuse("optout", "remove", "--to", them, "--brand", "acme", "--json")
    assert (removed.code, set(removed.json()) >= {"to", "brand", "removed_at"}) == (0, True)
    error_of(site.acuse("optout", "remove", "--to", them, "--brand", "acme", "--json"), 1)
    again = site.acuse("submit", "--to", them, "--text", "Oferta", "--json")
    assert again.json()["decision"]["reason"] == "consent_missing"  # what the law asks for next


def test_policy_explains_and_lists_without_the_daemon(site: Site) -> None:
    sunday = {
        "to": "+33639980012",
        "now": "2026-11-22T12:00:00Z",
        "profile": "law",
        "consent": [{"purpose": "marketing", "method": "double"}],
    }
    ran = site.acuse("policy", "explain", "--json", stdin=json.dumps(sunday))
    answer = ran.json()
    assert ran.code == 0
    assert (answer["action"], answer["reason"]) == ("hold", "quiet_hours")
    assert answer["until"] == "2026-11-23T07:00:00Z"  # Monday, eight in Paris
    assert answer["rules"]
    assert set(answer) >= {"action", "until", "reason", "rules", "warnings", "candidates"}
    rules = site.acuse("policy", "list", "FR", "--json").lines()
    assert all(rule["cite"] for rule in rules)
    assert set(answer["rules"]) <= {rule["id"] for rule in rules}
    error_of(site.acuse("policy", "explain", "--json", stdin="{"), 65)


def test_receipts_are_read_from_the_file_when_the_daemon_is_down(
    site: Site, daemon: Daemon
) -> None:
    """The last test of this module: it stops the daemon, as a user does."""
    submission_id = delivered(site)["submission_id"]
    with_daemon = site.acuse("receipts", "show", submission_id, "--json").json()
    stopped = site.acuse("stop", "--json")
    assert (stopped.code, stopped.json()) == (0, {"stopping": True})
    assert daemon.wait() == 0
    without = site.acuse("receipts", "show", submission_id, "--json")
    assert without.code == 0
    assert "ledger file" in without.err
    seal = {"checkpoint_size": without.json()["seal"]["checkpoint_size"]}
    assert without.json() == {**with_daemon, "seal": {**with_daemon["seal"], **seal}}
    assert seal["checkpoint_size"] > without.json()["seal"]["seq"]
    listed = site.acuse("receipts", "list", "--limit", "1", "--json").lines()
    assert [record["submission_id"] for record in listed] == [submission_id]
    assert site.acuse("messages", "show", submission_id, "--json").json()["state"] == "delivered"
    assert site.acuse("ledger", "head", "--json").code == 0
    assert site.acuse("ledger", "verify", "--json").code == 4
    error = error_of(site.acuse("submit", "--to", NUMBER, "--text", "x", "--json"), 69)
    assert "serve" in error["hint"]
    error_of(site.acuse("status", "--json"), 69)
    error_of(site.acuse("bundle", submission_id, "--json"), 69)

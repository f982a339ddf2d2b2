"""Content destroyed by request: what goes, what stays, and what happens to what comes later."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.cli.ledgerfile import check_ledger
from gateway.cli.verify import Trust
from gateway.evidence.records import LEDGER_FILE
from gateway.evidence.vault import ContentCipher
from gateway.ledger.reader import Reader
from gateway.ledger.verify import verify_bundle
from gateway.smpp.pdu import SubmitSm, SubmitSmResp
from tests.support.deliveries import deliver, from_handset, receipt
from tests.support.proofs import proven
from tests.support.remains import Remains, plain_forms
from tests.support.scripted import Script
from tests.support.sealed import broken_checks, entries_of_file
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu
    from tests.support.world import Daemon

ANNA, BERTA, CARLA = "+34600111201", "+34600111202", "+34600111203"
SECRET = "Zanahoria 7391 en el Registro de Toledo"
WHY = "GDPR 17(1)(b), request 117"


async def closed(daemon: Daemon, to: str = ANNA, **args: object) -> str:
    answer = await daemon.submit(to, **{"text": SECRET, **args})
    assert (await daemon.final(answer["submission_id"]))["seal"] is not None
    submission_id: str = answer["submission_id"]
    return submission_id


async def erase(daemon: Daemon, *ids: str, **args: object) -> dict[str, Any]:
    given = {"submission_ids": list(ids)} if ids else {}
    return await daemon.result("ledger.erase", **given, **{"basis": WHY, **args})


async def error_of(daemon: Daemon, cmd: str, **args: object) -> dict[str, Any]:
    answer = await daemon.ask(cmd, **args)
    error: dict[str, Any] = answer["error"]
    return error


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


def assert_whole(data: Path) -> None:
    """The ledger file is as `acuse ledger verify` wants it; only nobody outside vouches for it."""
    report = check_ledger(data / LEDGER_FILE, None, Trust(None, None, None))
    assert report.verdict == "UNANCHORED", report.reason
    assert broken_checks(report.as_json()) == {"policy", "timestamp"}
    with closing(sqlite3.connect(data / LEDGER_FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# -- what goes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SECRET, "Añicos 7391 en Ávila"])
async def test_nothing_of_an_erased_message_is_left_in_any_file(
    tmp_path: Path, autojump_clock: MockClock, text: str
) -> None:
    world = World.make(tmp_path)
    remains = Remains(
        tmp_path / "data", plain_forms("+34600111987", text) if text is SECRET else {}
    )
    async with world.running() as daemon:
        others = [await closed(daemon, f"+346001112{n:02}") for n in range(40)]
        gone = await closed(daemon, "+34600111987", text=text * 4, ref="caso 7391")
        await deliver(daemon, from_handset("34600111987", f"No. {text}"))
        others += [await closed(daemon, f"+346001113{n:02}") for n in range(40)]
        assert remains.found() == set()
        remains.take_submission(gone)
        remains.forms["ref"] = b"caso 7391"
        before = {name.partition(" ")[0] for name in remains.forms}
        assert before >= {"submissions.key", "segments.submit", "receipts.raw", "inbound.text"}
        assert len(remains.found()) >= 8
        assert (await erase(daemon, gone))["swept"] is True
        assert remains.found() == set()
        for each in others:
            assert (await daemon.show(each))["text"] == SECRET
    assert remains.found() == set()
    assert_whole(tmp_path / "data")


async def test_the_record_shows_what_may_still_be_shown(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        gone = await closed(daemon, ref="R-1")
        await deliver(daemon, from_handset(ANNA[1:], "Vale"))
        before = await daemon.result("messages.show", submission_id=gone)
        told = await erase(daemon, gone)
        shown = await daemon.result("messages.show", submission_id=gone)
        listed = await daemon.items("receipts.list", state="erased")
        lines = await daemon.items("messages.list")
        found = await daemon.items("receipts.list", to=ANNA)
    assert shown["state"] == "erased"
    assert shown["erased"] == {
        "seq": told["erased"][0]["seq"],
        "at": shown["events"][-1]["at"],
        "basis": WHY,
    }
    assert codes(shown) == [*codes(before), "x.Erased"]
    hidden = {"to", "from", "text", "ref"}
    assert {name for name in hidden if shown[name] is None} == hidden
    for name in ("operator", "submitted_at", "closed_at", "segments", "seal", "brand", "encoding"):
        assert shown[name] == before[name]
    assert shown["receipts"] == [{**each, "raw": None} for each in before["receipts"]]
    assert shown["replies"] == [
        {**each, "raw": [], "text": None, "optout": None} for each in before["replies"]
    ]
    assert [each["submission_id"] for each in listed] == [gone]
    assert [(each["state"], each["to"], each["ref"]) for each in lines] == [("erased", None, None)]
    assert found == []  # nobody can tell any more whose it was
    with closing(sqlite3.connect(tmp_path / "data" / LEDGER_FILE)) as connection:
        assert connection.execute("SELECT person FROM submissions").fetchall() == [(b"",)]


async def test_proofs_from_before_and_after_hold(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        gone, stays = await closed(daemon), await closed(daemon, BERTA)
        early = (await daemon.result("bundle", submission_id=gone))["bundle"].encode()
        await erase(daemon, gone)
        entries = await proven(daemon, gone)
        late = json.loads((await daemon.result("bundle", submission_id=gone))["bundle"])
        await proven(daemon, stays)
        redacted = await daemon.result("bundle", submission_id=gone, redact=["text"])
    assert [entry["ev"] for entry in entries][-2:] == ["S.1", "x.Erased"]
    assert entries[-1]["basis"] == WHY
    assert set(entries[-1]) == {"v", "log", "seq", "prev", "t", "ev", "mid", "mprev", "basis"}
    assert late["disclose"] == {}
    assert json.loads(redacted["bundle"])["disclose"] == {}
    report = verify_bundle(early, now_ms=2 * NOON_MS)
    assert (report.verdict, report.state) == ("UNANCHORED", "delivered")
    assert SECRET in early.decode()
    assert_whole(tmp_path / "data")


async def test_it_is_written_down_who_erased_what_and_why(
    tmp_path: Path, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        gone = await closed(daemon)
        await erase(daemon, gone)
        await erase(daemon, to=ANNA)
    admin, erased = [
        entry
        for entry in entries_of_file(tmp_path / "data")
        if entry["ev"] in ("x.Admin", "x.Erased")
    ]
    assert (admin["by"], admin["cmd"]) == ("root", f"ledger.erase {gone}")
    assert (erased["mid"], erased["basis"], erased["seq"]) == (gone, WHY, admin["seq"] + 1)
    log = "".join(capsys.readouterr())
    assert "content.erased" in log
    assert SECRET not in log
    assert ANNA[1:] not in log


# -- what is not erased ----------------------------------------------------------------------------


async def test_what_is_open_is_refused_with_the_way_out(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        world.reachable = False
        later = "2026-12-01T10:00:00Z"
        held = (await daemon.submit(ANNA, not_before=later))["submission_id"]
        error = await error_of(daemon, "ledger.erase", submission_ids=[held], basis=WHY)
        assert error["code"] == "no"
        assert "is held" in error["message"]
        assert "messages cancel" in error["hint"]
        assert error["fields"]["reason"] == "open"
        await daemon.result("messages.cancel", submission_id=held)
        assert [each["submission_id"] for each in (await erase(daemon, held))["erased"]] == [held]


async def test_what_an_answer_is_awaited_for_is_not_erased_yet(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The receipt is here, the response is not: it will be an entry under the same key."""

    def answer(pdu: Pdu) -> list[Pdu | bytes] | None:
        return [] if isinstance(pdu, SubmitSm) else None

    world = World.make(tmp_path, {"movistar": "response_timeout_s = 30"})
    script = world.scripts["movistar"] = Script(answer)
    async with world.running() as daemon:
        sent = (await daemon.submit(ANNA))["submission_id"]
        await trio.sleep(1)
        work = daemon.gateway.store.submission_by_id(sent)
        assert work is not None
        await script.send(SubmitSmResp("77", sequence=script.submits()[0].sequence))
        await deliver(daemon, receipt("77", ANNA[1:]))
        loaded = daemon.gateway.pipeline._works.peek(work.id)
        assert loaded is not None
        daemon.gateway.pipeline._works.pin(loaded)
        error = await error_of(daemon, "ledger.erase", submission_ids=[sent], basis=WHY)
        daemon.gateway.pipeline._works.unpin(loaded)
        assert (error["code"], error["fields"]["reason"]) == ("no", "busy")
        assert len((await erase(daemon, sent))["erased"]) == 1


@pytest.mark.parametrize(
    ("args", "field", "words"),
    [
        ({"submission_ids": ["none"], "basis": WHY}, None, "no submission 'none'"),
        ({"submission_ids": [], "basis": WHY}, "submission_ids", "a list of 1"),
        ({"submission_ids": "x", "basis": WHY}, "submission_ids", "a list of 1"),
        ({"submission_ids": ["none"]}, "basis", "basis is missing"),
        ({"submission_ids": ["none"], "basis": "   "}, "basis", "basis is missing"),
        ({"submission_ids": ["none"], "basis": "x" * 201}, "basis", "longer than 200"),
        ({"submission_ids": ["none"], "basis": "asked by 600111201"}, "basis", "phone number"),
        ({"basis": WHY}, "to", "say which"),
        ({"basis": WHY, "to": ANNA, "submission_ids": ["x"]}, "to", "say which"),
        ({"basis": WHY, "to": 7}, "to", "no number"),
        ({"basis": WHY, "to": "12"}, "to", ""),
    ],
)
async def test_a_request_that_cannot_be_is_one_clear_error(
    tmp_path: Path, autojump_clock: MockClock, args: dict[str, Any], field: str | None, words: str
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        size = daemon.gateway.store.size
        error = await error_of(daemon, "ledger.erase", **args)
        assert words in error["message"]
        assert error["hint"]
        assert error["fields"].get("field") == field
        assert daemon.gateway.store.size == size


async def test_one_id_that_is_wrong_leaves_all_the_others_alone(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        sent = await closed(daemon)
        error = await error_of(daemon, "ledger.erase", submission_ids=[sent, "none"], basis=WHY)
        assert error["code"] == "no"
        assert (await daemon.show(sent))["state"] == "delivered"
        plan = await erase(daemon, sent, dry_run=True)
        assert ([each["submission_id"] for each in plan["erased"]], plan["dry_run"]) == (
            [sent],
            True,
        )
        assert (await daemon.show(sent))["state"] == "delivered"


async def test_erasing_again_changes_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        gone = await closed(daemon)
        await erase(daemon, gone)
        size = daemon.gateway.store.size
        again = await erase(daemon, gone)
        assert (again["erased"], again["already"], again["kept"]) == ([], [gone], [])
        assert daemon.gateway.store.size == size


async def test_only_an_operator_may_erase_or_hold(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    from gateway.daemon.roles import Role

    world = World.make(tmp_path)
    async with world.running() as daemon:
        gone = await closed(daemon)
        daemon.role = Role.SUBMIT
        for cmd in ("ledger.erase", "ledger.hold", "ledger.release"):
            error = await error_of(daemon, cmd, submission_ids=[gone], basis=WHY, why=WHY)
            assert error["code"] == "not_permitted"
        assert (await daemon.result("ledger.holds"))["holds"] == []


# -- a person --------------------------------------------------------------------------------------


async def test_a_person_is_forgotten_everywhere_but_where_the_law_remembers(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    remains = Remains(tmp_path / "data", plain_forms(ANNA, SECRET))
    async with world.running() as daemon:
        first, second = (
            await closed(daemon),
            await closed(
                daemon, category="promotional", text="ACME: -20 %. Baja: https://acme.example/b"
            ),
        )
        other = await closed(daemon, BERTA)
        await daemon.result("ledger.hold", submission_ids=[second], why="case 12 of 2026")
        await daemon.result("optout.add", to=ANNA)
        await daemon.result("optout.import", rows=[{"to": ANNA, "brand": "acme"}, {"to": BERTA}])
        await deliver(daemon, receipt("nobody-knows", ANNA[1:]), receipt("9999", BERTA[1:]))
        # She wrote long after the last message to her: it answers none of ours.
        await deliver(daemon, from_handset(CARLA[1:], "Hola"))
        waiting = (await daemon.submit(ANNA, not_before="2026-12-01T10:00:00Z"))["submission_id"]
        remains.take_submission(first)
        remains.take(
            "receipts",
            "submission IS NULL AND id=(SELECT min(id) FROM receipts WHERE submission IS NULL)",
        )
        remains.take("optouts")
        told = await erase(daemon, to=ANNA)
        assert [each["submission_id"] for each in told["erased"]] == [first]
        assert {(each["submission_id"], each["reason"]) for each in told["kept"]} == {
            (second, "held"),
            (waiting, "open"),
        }
        assert {name: told[name] for name in ("receipts", "replies", "optouts", "consents")} == {
            "receipts": 1,
            "replies": 0,
            "optouts": 2,
            "consents": 1,
        }
        assert remains.found() == set()
        assert (await daemon.show(other))["to"] == BERTA
        assert (
            len([each for each in await daemon.items("receipts.list", orphans=True) if each["raw"]])
            == 1
        )
        # What she refused stays refused, and nobody can read whom that is about.
        refused = await daemon.submit(ANNA, category="promotional")
        assert (refused["state"], refused["decision"]["reason"]) == ("refused", "opted_out")
        listed = await daemon.items("optout.list")
        assert {each["to"][:7] for each in listed} == {"person:", BERTA[:7]}
        assert len((await daemon.result("optout.show", to=ANNA))["opted_out"]) == 2
        carla = await erase(daemon, to=CARLA)
        assert (carla["replies"], carla["erased"]) == (1, [])
        again = await erase(daemon, to=ANNA)
        assert [each["submission_id"] for each in again["erased"]] == [refused["submission_id"]]
        assert {each["submission_id"] for each in again["kept"]} == {second, waiting}
    assert_whole(tmp_path / "data")


async def test_the_end_of_an_erased_opt_out_is_as_of_any_other(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await daemon.result("optout.add", to=ANNA)
        await erase(daemon, to=ANNA)
        await daemon.result("optout.remove", to=ANNA)
        assert (await daemon.submit(ANNA, category="promotional"))["state"] != "refused"


async def test_a_cap_goes_on_counting_what_was_erased(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, gateway="[policy]")
    async with world.running() as daemon:
        gone = await closed(
            daemon, category="promotional", text="ACME: -20 %. Baja: https://acme.example/b"
        )
        row = daemon.gateway.store.submission_by_id(gone)
        assert row is not None
        before = daemon.gateway.store.sent.of((row.person, "acme"), 0)
        assert [place.submission for place in before] == [row.id]
        await erase(daemon, gone)
        (after,) = daemon.gateway.store.sent.of((row.person, "acme"), 0)
        assert after.submission < 0
        assert after.at_ms // 1000 == before[0].at_ms // 1000
        assert (after.category, after.undelivered) == ("promotional", False)


# -- what comes later ------------------------------------------------------------------------------


async def test_its_reference_is_known_again_and_never_used_for_another(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        gone = await closed(daemon, ref="R-1")
        await erase(daemon, gone)
        for cmd in ("submit", "plan"):
            error = await error_of(
                daemon, cmd, to=ANNA, text=SECRET, category="legal_notice", ref="R-1"
            )
            assert (error["code"], error["fields"]["field"]) == ("data", "ref")
            assert error["fields"]["submission_id"] == gone
        other = await daemon.submit(ANNA, text=SECRET, ref="R-2")
        assert other["submission_id"] != gone


async def test_a_receipt_that_comes_after_the_erasure_is_kept_under_a_key_of_its_own(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.scripts["movistar"] = Script()
    async with world.running() as daemon:
        sent = (await daemon.submit(ANNA, text=SECRET))["submission_id"]
        await trio.sleep(1)
        await deliver(daemon, receipt("1", ANNA[1:], "UNDELIV"))
        await erase(daemon, sent)
        await deliver(daemon, receipt("1", ANNA[1:]), receipt("1", ANNA[1:], "UNDELIV"))
        await deliver(daemon, receipt("1", ANNA[1:]))  # sent again
        shown = await daemon.show(sent)
        orphans = await daemon.items("receipts.list", orphans=True)
        next_one = (await daemon.submit(ANNA, text=SECRET))["submission_id"]
        await trio.sleep(1)
        await deliver(daemon, receipt("2", ANNA[1:]))
        assert (await daemon.show(next_one))["state"] == "delivered"
    assert codes(shown)[-1] == "x.Erased"
    assert shown["state"] == "erased"
    assert [(each["message_state"], each["duplicate_of"] is None) for each in orphans] == [
        ("DELIVRD", False),
        ("UNDELIV", True),
        ("DELIVRD", True),
    ]
    assert all(each["raw"] for each in orphans)
    assert_whole(tmp_path / "data")


async def test_a_response_that_comes_after_the_erasure_changes_nothing(
    tmp_path: Path, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody answered in time, a person decided, the content was destroyed; then the answer."""

    def answer(pdu: Pdu) -> list[Pdu | bytes] | None:
        return [] if isinstance(pdu, SubmitSm) else None

    world = World.make(tmp_path, {"movistar": "response_timeout_s = 2"})
    script = world.scripts["movistar"] = Script(answer)
    async with world.running() as daemon:
        sent = (await daemon.submit(ANNA, text=SECRET))["submission_id"]
        await trio.sleep(5)
        resolved = {"submission_id": sent, "as": "not-sent", "why": "ticket 7"}
        await daemon.result("messages.resolve", **resolved)
        await erase(daemon, sent)
        shown = await daemon.show(sent)
        await script.send(SubmitSmResp("77", sequence=script.submits()[0].sequence))
        await trio.sleep(1)
        assert await daemon.show(sent) == shown
        status = await daemon.result("status")
        assert status["operators"][0]["in_flight"] == 0
    assert "submit.answer_dropped" in "".join(capsys.readouterr())
    assert_whole(tmp_path / "data")


async def test_what_a_person_may_do_with_a_message_they_may_not_do_with_an_erased_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        gone = await closed(daemon)
        await erase(daemon, gone)
        for cmd, args in (
            ("messages.cancel", {}),
            ("messages.resolve", {"as": "delivered", "why": "I say so"}),
            ("messages.replace", {"text": "otro"}),
            ("ledger.hold", {"why": "too late", "submission_ids": [gone]}),
        ):
            given = args if "submission_ids" in args else {**args, "submission_id": gone}
            error = await error_of(daemon, cmd, **given)
            assert error["code"] == "no"
            assert "was erased" in error["message"]
        assert (await daemon.final(gone))["state"] == "erased"  # `messages wait` answers at once


async def test_a_reply_to_an_erased_message_answers_nothing_and_is_obeyed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        gone = await closed(daemon)
        await erase(daemon, gone)
        await deliver(daemon, from_handset(ANNA[1:], "BAJA"))
        assert codes(await daemon.show(gone))[-1] == "x.Erased"
        assert [each["to"] for each in await daemon.items("optout.list")] == [ANNA]


# -- the file --------------------------------------------------------------------------------------


async def test_a_program_that_reads_an_older_state_delays_the_sweep_and_no_more(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    remains = Remains(tmp_path / "data")
    async with world.running() as daemon:
        gone, other = await closed(daemon), await closed(daemon, BERTA)
        remains.take_submission(gone)
        reader = Reader(tmp_path / "data" / LEDGER_FILE)
        with reader.snapshot():
            assert reader.size > 0
            told = await erase(daemon, gone)
            assert (len(told["erased"]), told["swept"]) == (1, False)
            assert remains.found() != set()
            assert await closed(daemon, CARLA)  # messages go on meanwhile
        reader.close()
        await trio.sleep(120)
        assert remains.found() == set()
        assert not daemon.gateway.store.erasures.unswept()
        assert (await daemon.show(other))["to"] == BERTA


async def test_a_sweep_that_a_crash_cut_off_is_done_by_the_next_daemon(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running(crash=True) as daemon:
        gone = await closed(daemon)
        reader = Reader(tmp_path / "data" / LEDGER_FILE)
        with reader.snapshot():
            assert reader.size > 0
            assert (await erase(daemon, gone))["swept"] is False
        reader.close()
    async with world.running() as daemon:
        assert daemon.gateway.store.erasures.unswept()
        await trio.sleep(120)
        assert not daemon.gateway.store.erasures.unswept()


async def test_a_message_costs_no_query_more_than_before_there_were_erasures(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await closed(daemon)
        statements: list[str] = []
        daemon.gateway.store._connection.set_trace_callback(statements.append)
        await closed(daemon, BERTA, ref="R-2")
        daemon.gateway.store._connection.set_trace_callback(None)
        touched = [each for each in statements if "holds" in each or "kept" in each]
        assert touched == []
        (asked,) = [each for each in statements if "ref IN" in each]
        plan = daemon.gateway.store._connection.execute(f"EXPLAIN QUERY PLAN {asked}").fetchall()
        assert "submissions_by_ref (brand=? AND ref=?)" in str(plan)


async def test_keys_and_content_leave_memory(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        gone = await closed(daemon)
        row = daemon.gateway.store.submission_by_id(gone)
        assert row is not None
        works = daemon.gateway.pipeline._works
        assert works.peek(row.id) is not None
        await erase(daemon, gone)
        assert works.peek(row.id) is None
        assert works.get_or_none(row.id) is None
        assert not works._by_key


def test_a_wrapped_key_is_needed_to_read_anything() -> None:
    """What makes destroying it enough, should a copy of the ciphertext survive somewhere."""
    sealed = ContentCipher(bytes(32)).seal("m1", "request", b"secret")
    assert b"secret" not in sealed

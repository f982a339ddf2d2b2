"""The end of a retention month, and legal holds: what goes by itself, and what must not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.cli.ledgerfile import check_ledger
from gateway.cli.verify import Trust
from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE
from gateway.evidence.vault import months_in
from tests.daemon.test_erasing import (
    ANNA,
    BERTA,
    CARLA,
    SECRET,
    assert_whole,
    closed,
    codes,
    error_of,
)
from tests.support.deliveries import deliver, from_handset, receipt
from tests.support.proofs import proven
from tests.support.remains import Remains, plain_forms
from tests.support.sealed import entries_of_file
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.support.world import Daemon

DAY_S = 86_400
#: From the worlds' noon, 21 November, to the first round after November is over for a day.
TO_THE_END = 12
SHORT = "[retention]\ncontent_days = 1"
CASE = "court of Madrid, case 12 of 2026"


def made(directory: Path) -> World:
    return World.make(directory, gateway=SHORT)


async def pass_by(clock: MockClock, days: int) -> None:
    """Days go by at once: what is due on several of them is done on the last."""
    await trio.sleep(60)  # what is under way ends
    clock.jump(days * DAY_S)
    await trio.sleep(1000)


def months(directory: Path) -> list[str]:
    return months_in(directory / "data" / KEYS_DIRECTORY)


def rows(directory: Path, query: str) -> list[Any]:
    path = directory / "data" / LEDGER_FILE
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def erased(directory: Path) -> list[dict[str, Any]]:
    return [each for each in entries_of_file(directory / "data") if each["ev"] == "x.Erased"]


async def hold(daemon: Daemon, *ids: str) -> dict[str, Any]:
    return await daemon.result("ledger.hold", submission_ids=list(ids), why=CASE)


# -- the end of a month ----------------------------------------------------------------------------


async def test_a_month_ends_when_all_of_it_is_old_enough_and_not_before(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = made(tmp_path)
    remains = Remains(tmp_path / "data", plain_forms(ANNA, SECRET))
    async with world.running() as daemon:
        ids = [await closed(daemon, f"+346001112{number:02}") for number in range(70)]
        for each in ids[::9]:
            remains.take_submission(each)
        remains.take_file(tmp_path / "data" / KEYS_DIRECTORY / "kek-2026-11")
        await pass_by(autojump_clock, 10)  # 1 December, 10:00
        assert (await daemon.show(ids[0]))["text"] == SECRET
        late = await closed(daemon, BERTA)
        assert months(tmp_path) == ["2026-11", "2026-12"]
        assert remains.found() != set()
        await pass_by(autojump_clock, 2)
        assert months(tmp_path) == ["2026-12"]
        assert remains.found() == set()
        shown = [await daemon.show(each) for each in ids]
        assert {each["state"] for each in shown} == {"erased"}
        assert {codes(each)[-1] for each in shown} == {"x.Erased"}
        assert (await daemon.show(late))["text"] == SECRET
        assert {entry["basis"] for entry in erased(tmp_path)} == {"end of retention"}
        for each in (ids[0], late):
            await proven(daemon, each)
        before = daemon.gateway.store.size
        await pass_by(autojump_clock, 10)
        assert daemon.gateway.store.size == before  # it is done once
        assert not daemon.gateway.store.erasures.unswept()
    assert_whole(tmp_path / "data")


async def test_what_has_no_message_goes_with_its_month_too(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = made(tmp_path)
    remains = Remains(tmp_path / "data")
    async with world.running() as daemon:
        await daemon.result("optout.add", to=ANNA)
        imported = [{"to": f"+346001113{number:02}"} for number in range(70)]
        await daemon.result("optout.import", rows=imported)
        await deliver(daemon, receipt("x1", ANNA[1:]), receipt("x1", ANNA[1:]))
        await deliver(daemon, from_handset(CARLA[1:], "Hola"))
        for table in ("receipts", "inbound", "optouts", "suppressions", "chunks"):
            remains.take(table)
        assert len(remains.found()) >= 8
        await pass_by(autojump_clock, TO_THE_END)
        assert remains.found() == set()
        assert months(tmp_path) == []
        assert (await daemon.result("status"))["queues"]["orphans"] == 0
        assert [each["raw"] for each in await daemon.items("receipts.list", orphans=True)] == [
            None,
            None,
        ]
        for number in (ANNA, "+34600111369"):
            refused = await daemon.submit(number, category="promotional")
            assert refused["decision"]["reason"] == "opted_out"
            (left,) = (await daemon.result("optout.show", to=number))["opted_out"]
            assert left["to"].startswith("person:")
            assert left["proof"]["disclose"] == {}
        assert len(await daemon.items("optout.list")) == 71
        assert all(each["to"].startswith("person:") for each in await daemon.items("optout.export"))
        # The same message id, used again: the receipt is another one.
        await deliver(daemon, receipt("x1", ANNA[1:]))
        assert (await daemon.result("status"))["queues"]["orphans"] == 1
    told = [entry["of"] for entry in erased(tmp_path) if "of" in entry]
    kinds = {entry["seq"]: entry["ev"] for entry in entries_of_file(tmp_path / "data")}
    assert sorted(kinds[seq] for seqs in told for seq in seqs) == [
        *("x.Duplicate", "x.OptOut", "x.OptOut", "x.Orphan")
    ]
    async with world.running() as daemon:
        assert len(await daemon.items("optout.list")) == 71
    assert_whole(tmp_path / "data")


async def test_the_evidence_of_a_consent_stays_as_long_as_it_stands_and_then_its_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = made(tmp_path)
    evidence = {"purpose": "marketing", "method": "double", "brand": "acme", "source": "form 117"}
    async with world.running() as daemon:
        for each in (ANNA, BERTA):
            await daemon.result("consent.grant", to=each, text="Quiero ofertas", **evidence)
        listed = [{**evidence, "to": each, "text": "Si"} for each in (CARLA, "+34600111204")]
        await daemon.result("consent.import", rows=listed)
        gone = [{**evidence, "to": "+34600111205", "text": "No", "at": "2026-11-01T10:00:00Z",
                 "withdrawn_at": "2026-11-02T10:00:00Z", "purpose": "cart"}]  # fmt: skip
        await daemon.result("consent.import", rows=gone)
        await daemon.result("consent.withdraw", to=BERTA, brand="acme", source="phone")
        await daemon.result("consent.withdraw", to=CARLA, brand="acme", source="phone")
        await pass_by(autojump_clock, TO_THE_END)
        assert months(tmp_path) == ["2026-12"]  # under which what stands is kept
        shown = {to: (await daemon.result("consent.show", to=to))["consents"][0]
                 for to in (ANNA, BERTA, CARLA, "+34600111204", "+34600111205")}  # fmt: skip
        assert {
            to: (each["text"], each["source"], each["to"] == to) for to, each in shown.items()
        } == {
            ANNA: ("Quiero ofertas", "form 117", True),
            BERTA: (None, None, False),
            CARLA: ("Si", None, False),
            "+34600111204": ("Si", "form 117", True),
            "+34600111205": (None, None, False),
        }
        assert shown[ANNA]["proofs"][0]["disclose"] != {}
        assert shown["+34600111204"]["proofs"][0]["disclose"] != {}
        assert [shown[each]["proofs"][0]["disclose"] for each in (BERTA, CARLA)] == [{}, {}]
        assert (await daemon.submit(ANNA, category="promotional"))["state"] != "refused"
        await daemon.result("consent.withdraw", to=ANNA, brand="acme", source="phone")
        await daemon.result("consent.withdraw", to="+34600111204", brand="acme", source="phone")
        await pass_by(autojump_clock, 40)
        assert months(tmp_path) == []
        assert rows(tmp_path, "SELECT count(*) FROM consents WHERE key IS NOT NULL"
                    " OR details IS NOT NULL OR number IS NOT NULL") == [(0,)]  # fmt: skip
        assert rows(tmp_path, "SELECT count(*) FROM chunks WHERE key IS NOT NULL") == [(0,)]
    assert_whole(tmp_path / "data")


async def test_what_is_open_outlives_its_month_and_ends_when_it_is_closed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = made(tmp_path)
    async with world.running() as daemon:
        sent = await daemon.submit(ANNA, text=SECRET, not_before="2026-12-20T10:00:00Z")
        waiting = sent["submission_id"]
        done = await closed(daemon, BERTA)
        await pass_by(autojump_clock, TO_THE_END)
        assert months(tmp_path) == ["2026-12"]
        assert (await daemon.show(done))["state"] == "erased"
        assert (await daemon.show(waiting))["text"] == SECRET
    async with world.running() as daemon:  # read from the file, under the other key
        await pass_by(autojump_clock, 18)
        while (shown := await daemon.show(waiting))["state"] != "delivered":
            await trio.sleep(60)
        assert shown["text"] == SECRET
        await pass_by(autojump_clock, 2)
        assert (await daemon.show(waiting))["state"] == "erased"
        await pass_by(autojump_clock, 30)
        assert months(tmp_path) == []
    assert_whole(tmp_path / "data")


async def test_a_part_of_a_reply_that_waits_for_the_others_waits_no_more(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    from tests.daemon.test_inbound import ME, part

    world = made(tmp_path)
    async with world.running() as daemon:
        await deliver(daemon, part(1, b"Pago "))
        await pass_by(autojump_clock, TO_THE_END)
        assert months(tmp_path) == []
        await closed(daemon, ME)
        await deliver(daemon, part(2, b"el lunes"), from_handset(BERTA[1:], "otra"))
        await pass_by(autojump_clock, 2)
        await deliver(daemon, from_handset(BERTA[1:], "y otra"))
    assert rows(tmp_path, "SELECT number, key IS NULL, raw IS NULL, whole FROM inbound"
                " ORDER BY id")[0] == (1, 1, 1, 1)  # fmt: skip
    assert_whole(tmp_path / "data")


async def test_a_clock_that_was_set_forward_destroys_nothing_on_that_day(
    tmp_path: Path, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    world = made(tmp_path)
    async with world.running() as daemon:
        sent = await closed(daemon)
        await pass_by(autojump_clock, 2)
        world.clock.offset_ms += 40 * DAY_S * 1000
        await pass_by(autojump_clock, 1)
        assert (await daemon.show(sent))["text"] == SECRET
        assert "retention.postponed" in "".join(capsys.readouterr())
        await pass_by(autojump_clock, 1)
        assert (await daemon.show(sent))["state"] == "erased"


async def test_messages_go_on_while_a_month_ends(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No batch of erasures is larger than a batch of messages."""
    world = made(tmp_path)
    async with world.running() as daemon:
        for number in range(200):
            await daemon.submit(f"+34600111{200 + number}")
        await trio.sleep(60)
        sizes: list[int] = []
        store = daemon.gateway.store
        commit, before = store.commit, store.size

        def counted() -> None:
            nonlocal before
            sizes.append(store.size - before)
            before = store.size
            commit()

        monkeypatch.setattr(store, "commit", counted)
        await pass_by(autojump_clock, TO_THE_END)
        assert months(tmp_path) == []
    assert sum(sizes) >= 200
    assert max(sizes) <= 65


# -- a key that is gone ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["the key of the month", "the wrapped key"])
async def test_content_that_vanished_without_a_word_is_no_erasure(
    tmp_path: Path, autojump_clock: MockClock, how: str
) -> None:
    world = made(tmp_path)
    async with world.running() as daemon:
        await closed(daemon)
    data = tmp_path / "data"
    assert_whole(data)
    if how == "the wrapped key":
        with closing(sqlite3.connect(data / LEDGER_FILE)) as connection, connection:
            connection.execute("UPDATE submissions SET key=NULL, request=NULL")
    else:
        (data / KEYS_DIRECTORY / "kek-2026-11").unlink()
    report = check_ledger(data / LEDGER_FILE, None, Trust(None, None, None))
    assert report.verdict == "INVALID"
    assert report.reason is not None
    assert report.reason.startswith("commitments: the key of 1 submissions is gone")


async def test_a_copy_of_the_file_without_its_keys_can_be_checked(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = made(tmp_path)
    async with world.running() as daemon:
        await closed(daemon)
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / LEDGER_FILE
    copy.write_bytes((tmp_path / "data" / LEDGER_FILE).read_bytes())
    assert check_ledger(copy, None, Trust(None, None, None)).verdict == "UNANCHORED"


# -- legal holds -----------------------------------------------------------------------------------


async def test_a_hold_blocks_erasure_and_the_end_of_retention(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = made(tmp_path)
    remains = Remains(tmp_path / "data")
    async with world.running() as daemon:
        kept, gone = await closed(daemon), await closed(daemon, BERTA)
        remains.take("submissions", "submission_id=?", kept)
        remains.forms = {name: form for name, form in remains.forms.items() if ".key" in name}
        told = await hold(daemon, kept)
        assert (told["held"], told["known"]) == ([kept], [])
        error = await error_of(daemon, "ledger.erase", submission_ids=[kept], basis="GDPR 17")
        assert (error["code"], error["fields"]["reason"]) == ("no", "held")
        assert CASE in error["message"]
        assert "release" in error["hint"]
        await pass_by(autojump_clock, TO_THE_END)
        assert (await daemon.show(gone))["state"] == "erased"
        assert (await daemon.show(kept))["text"] == SECRET
        assert months(tmp_path) == ["2026-12"]
        assert remains.found() == set()  # its old wrapping is gone as well
        (listed,) = (await daemon.result("ledger.holds"))["holds"]
        assert (listed["submission_id"], listed["why"], listed["by"]) == (kept, CASE, "root")
        await proven(daemon, kept)
    async with world.running() as daemon:  # of its hold the file tells
        await pass_by(autojump_clock, 40)
        assert (await daemon.show(kept))["text"] == SECRET
        assert months(tmp_path) == ["2027-01"]
        args = {"submission_ids": [kept], "why": "case closed"}
        assert (await daemon.result("ledger.release", **args))["released"] == [kept]
        assert (await daemon.result("ledger.holds"))["holds"] == []
        await pass_by(autojump_clock, 1)
        shown = await daemon.show(kept)
        assert (shown["state"], shown["erased"]["basis"]) == ("erased", "end of retention")
        await pass_by(autojump_clock, 30)
        assert months(tmp_path) == []
    told_of = [
        (entry["cmd"], entry["why"], entry["by"])
        for entry in entries_of_file(tmp_path / "data")
        if entry["ev"] == "x.Admin"
    ]
    assert told_of == [
        (f"ledger.hold {kept}", CASE, "root"),
        (f"ledger.release {kept}", "case closed", "root"),
    ]
    assert_whole(tmp_path / "data")


async def test_a_hold_on_a_person_is_on_every_message_there_is(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        ids = [await closed(daemon), await closed(daemon)]
        waiting = (await daemon.submit(ANNA, not_before="2026-12-01T10:00:00Z"))["submission_id"]
        other = await closed(daemon, BERTA)
        assert (await daemon.result("ledger.hold", to=ANNA, why=CASE))["held"] == [*ids, waiting]
        again = await daemon.result("ledger.hold", to=ANNA, why="another case")
        assert (again["held"], again["known"]) == ([], [*ids, waiting])
        assert {each["why"] for each in (await daemon.result("ledger.holds"))["holds"]} == {CASE}
        told = await daemon.result("ledger.erase", to=ANNA, basis="GDPR 17")
        assert {(each["submission_id"], each["reason"]) for each in told["kept"]} == {
            *((each, "held") for each in ids),
            (waiting, "open"),
        }
        assert (await daemon.result("ledger.hold", to=CARLA, why=CASE))["held"] == []
        over = await daemon.result("ledger.release", to=ANNA, why="over")
        assert over["released"] == [*ids, waiting]
        none = await daemon.result("ledger.release", to=ANNA, why="over")
        assert (none["released"], none["not_held"]) == ([], [*ids, waiting])
        error = await error_of(daemon, "ledger.release", submission_ids=[other], why="over")
        assert "is not under legal hold" in error["message"]
        for args in ({"why": ""}, {"why": "he said 600111201"}, {}):
            error = await error_of(daemon, "ledger.hold", submission_ids=[other], **args)
            assert (error["code"], error["fields"]["field"]) == ("data", "why")

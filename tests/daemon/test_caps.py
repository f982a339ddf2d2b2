"""How often one may write to one person: a place is taken as a message leaves, and never twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import trio

from gateway.daemon import gateway as assembly
from gateway.ledger import canonical
from gateway.policy.loader import load_rulebook
from gateway.sim.options import SimOptions
from gateway.smpp.consts import Status
from gateway.smpp.pdu import ReplaceSm, ReplaceSmResp, SubmitSm, SubmitSmResp
from tests.policy.samples import limit, pack, rule, write_packs
from tests.support.doctored import doctor
from tests.support.scripted import Script
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu
    from tests.support.world import Daemon

ANA, BEA = "+34600444001", "+34600444002"
HOURLY = limit(period='"1h"', most="3")
ONE = limit(period='"1h"', most="1")
CONTACTS = limit(period='"1h"', most="1", count_on='"delivered_or_unknown"')


@pytest.fixture
def law(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """The daemon's rulebook is a pack for Spain with these rules."""

    def lay_down(*rules: str) -> None:
        directory = tmp_path / "packs"
        directory.mkdir(exist_ok=True)
        write_packs(directory, ES=pack("ES", *rules))
        monkeypatch.setattr(assembly, "load_rulebook", lambda *_, **__: load_rulebook([directory]))

    return lay_down


def at_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def text_of(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def codes(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


async def promote(daemon: Daemon, to: str = ANA, **args: object) -> str:
    """Submit a promotion; its id."""
    answer = await daemon.submit(to, category="promotional", **args)
    submission_id: str = answer["submission_id"]
    return submission_id


async def states(daemon: Daemon, *ids: str) -> list[str]:
    return [(await daemon.show(each))["state"] for each in ids]


async def until(holds: Callable[[], object], *, patience_s: float = 600) -> None:
    with trio.fail_after(patience_s):
        while not holds():
            await trio.sleep(0.05)


async def due(daemon: Daemon) -> dict[str, str]:
    """The held messages and their instants."""
    held = await daemon.items("messages.list", state="held")
    return {each["submission_id"]: each["due_at"] for each in held}


def places(world: World) -> list[tuple[str, int, int, str, int]]:
    """(brand, submission, at_ms, category, undelivered) of every row, as the file has it."""
    with closing(sqlite3.connect(world.directory / "data" / "ledger.db")) as file:
        return file.execute(
            "SELECT brand, submission, at_ms, category, undelivered FROM sent ORDER BY submission"
        ).fetchall()


def body_of(world: World, record: dict[str, Any], event: str) -> dict[str, Any]:
    """The ledger entry of that event of a message."""
    (seq,) = [each["seq"] for each in record["events"] if each["event"] == event]
    with closing(sqlite3.connect(world.directory / "data" / "ledger.db")) as file:
        (raw,) = file.execute("SELECT entry FROM entries WHERE seq=?", (seq,)).fetchone()
    assert canonical.decode(raw) == orjson.loads(raw)
    entry: dict[str, Any] = orjson.loads(raw)
    return entry


def submits(world: World) -> int:
    return world.operators["movistar"].stats.submits


async def test_of_four_queued_together_the_fourth_waits_until_the_first_is_an_hour_old(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(HOURLY)
    world = World.make(tmp_path)
    world.clock.offset_ms += 250
    world.reachable = False
    async with world.running() as daemon:
        ids = [await promote(daemon, text=f"Oferta {number}") for number in range(5)]
        assert await states(daemon, *ids) == ["queued"] * 5
        world.reachable = True
        await until(lambda: submits(world) == 3)
        await trio.sleep(60)
        assert (await states(daemon, *ids))[3:] == ["held", "held"]
        records = [await daemon.show(each) for each in ids]
        first_ms = places(world)[0][2]
        free = text_of(-(-(first_ms + 3_600_000) // 1000) * 1000)
        assert await due(daemon) == {ids[3]: free, ids[4]: free}
        await trio.sleep(7200)
        records = [await daemon.show(each) for each in ids]
    assert [record["state"] for record in records] == ["delivered"] * 5
    assert submits(world) == 5
    assert records[3]["segments"][0]["sent_at"] == free
    # Each was released once, when it could go, and what the cap had counted by then is on record.
    assert codes(records[2]) == ["A.1", "F.1", "E.1", "S.1"]
    assert codes(records[3]) == codes(records[4]) == ["A.1", "x.Released", "F.1", "E.1", "S.1"]
    counted = [body_of(world, record, "F.1")["caps"][0]["counted"] for record in records]
    assert counted[:3] == [0, 1, 2]
    # The three left within a second, so all of them are an hour old; the fifth counts the fourth.
    since = text_of(at_ms(free) - 3_600_000)
    for record, count in ((records[3], 0), (records[4], 1)):
        released = body_of(world, record, "x.Released")["decision"]
        assert released["caps"] == [{"rule": "ES-CAP", "counted": count, "most": 3, "since": since}]
    taken = [row[2] for row in places(world)]
    assert all(later - first >= 3_600_000 for first, later in zip(taken, taken[3:], strict=False))


async def test_what_was_sent_is_seen_at_admission_and_by_a_dry_run(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path)
    async with world.running() as daemon:
        first = await promote(daemon)
        record = await daemon.final(first)
        free = text_of(-(-(places(world)[0][2] + 3_600_000) // 1000) * 1000)
        answer = await daemon.submit(ANA, category="promotional")
        assert answer["state"] == "held"
        assert answer["decision"]["reason"] == "cap"
        assert answer["decision"]["until"] == free
        assert answer["decision"]["rules"] == ["ES-CAP"]
        plan = await daemon.result("plan", to=ANA, category="promotional", text="Oferta")
        assert (plan["state"], plan["due_at"]) == ("held", free)
        # Planned for when the place is free, it is not held by the cap.
        later = text_of(at_ms(free) + 1000)
        planned = await daemon.submit(ANA, category="promotional", not_before=later)
        assert (planned["decision"]["action"], planned["state"]) == ("release", "held")
        other = await daemon.submit(BEA, category="promotional")
        assert other["state"] == "queued"
    assert record["state"] == "delivered"


async def test_what_no_cap_is_about_leaves_no_place(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path)
    async with world.running() as daemon:
        notice = await daemon.final((await daemon.submit(ANA))["submission_id"])
        code = await daemon.final((await daemon.submit(ANA, category="otp"))["submission_id"])
        assert (notice["state"], code["state"]) == ("delivered", "delivered")
        assert (await daemon.final(await promote(daemon)))["state"] == "delivered"
    assert [(brand, number) for brand, number, *_ in places(world)] == [("acme", 3)]
    assert "caps" not in body_of(world, notice, "F.1")


async def test_a_message_of_many_segments_takes_one_place(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(limit(period='"1h"', most="2"))
    world = World.make(tmp_path)
    async with world.running() as daemon:
        long = await daemon.final(await promote(daemon, text="Oferta de hoy " * 40))
        assert len(long["segments"]) == 4
        assert (await daemon.final(await promote(daemon)))["state"] == "delivered"
        assert await states(daemon, await promote(daemon)) == ["held"]
    assert len(places(world)) == 2


async def test_a_throttled_message_counts_once_and_from_when_it_went(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path)
    async with world.running() as daemon:
        first = await promote(daemon, "+34600444925")  # throttled five times
        second = await promote(daemon, "+34600444925")
        await until(lambda: submits(world) == 6)
        await trio.sleep(30)
        record = await daemon.show(first)
        assert await states(daemon, first, second) == ["delivered", "held"]
        ((_, number, taken_ms, _, _),) = places(world)
        assert number == 1
        assert text_of(taken_ms) == record["segments"][0]["sent_at"]
        assert text_of(taken_ms) > text_of(NOON_MS + 10_000)
        free = text_of(-(-(taken_ms + 3_600_000) // 1000) * 1000)
        assert await due(daemon) == {second: free}


async def test_a_refusal_by_the_operator_gives_the_place_to_those_who_wait(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    script = Script()
    script.delay_s = 5.0
    refused: list[SubmitSm] = []

    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, SubmitSm) and not refused:
            refused.append(pdu)
            return [SubmitSmResp(sequence=pdu.sequence, status=Status.ESME_RINVDSTADR)]
        return None

    script.answer = answer
    world = World.make(tmp_path)
    world.scripts["movistar"] = script
    async with world.running() as daemon:
        first = await promote(daemon, text="uno")
        await until(lambda: len(script.submits()) == 1)
        # Its place is taken while nobody knows: the second is held for an hour, at admission.
        second = await promote(daemon, text="dos")
        third = await promote(daemon, text="tres")
        assert await states(daemon, second, third) == ["held", "held"]
        await until(lambda: len(script.submits()) == 2, patience_s=60)
        await trio.sleep(20)
        assert await states(daemon, first, second, third) == ["rejected", "accepted", "held"]
    assert [pdu.short_message for pdu in script.submits()] == [b"uno", b"dos"]
    assert [number for _, number, *_ in places(world)] == [2]


@pytest.mark.parametrize("ending", ["930", "945"])
async def test_what_may_have_arrived_counts_as_used(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None], ending: str
) -> None:
    law(CONTACTS)
    world = World.make(tmp_path, {"movistar": "response_timeout_s = 5"})
    async with world.running() as daemon:
        first = await promote(daemon, f"+34600444{ending}")
        await until(lambda: submits(world) == 1)
        await trio.sleep(60)
        second = await promote(daemon, f"+34600444{ending}")
        assert await states(daemon, first, second) == ["unknown", "held"]


async def test_what_a_crash_cut_off_counts_as_used(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path, options=SimOptions(response_delay_s=5.0))
    async with world.running(crash=True) as daemon:
        first = await promote(daemon, "+34600444942")
        second = await promote(daemon, "+34600444942")
        await until(lambda: submits(world) == 1)
    async with world.running() as daemon:
        await trio.sleep(120)
        assert await states(daemon, first, second) == ["unknown", "held"]
        await trio.sleep(3600)
        assert await states(daemon, second) == ["accepted"]
    assert submits(world) == 2
    (one, other) = (row[2] for row in places(world))
    assert other - one >= 3_600_000


async def test_a_failed_delivery_frees_nothing_where_sending_counts(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path)
    async with world.running() as daemon:
        first = await promote(daemon, "+34600444901")
        second = await promote(daemon, "+34600444901")
        await trio.sleep(60)
        assert await states(daemon, first, second) == ["undelivered", "held"]


@pytest.mark.parametrize("ending", ["901", "902", "903", "904"])
async def test_a_contact_that_was_none_is_made_good_the_moment_that_is_known(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None], ending: str
) -> None:
    law(CONTACTS)
    world = World.make(
        tmp_path, options=SimOptions(receipt_delay_min_s=60.0, receipt_delay_max_s=60.0)
    )
    async with world.running() as daemon:
        first = await promote(daemon, f"+34600444{ending}")
        second = await promote(daemon, f"+34600444{ending}")
        third = await promote(daemon, f"+34600444{ending}")
        await trio.sleep(30)
        assert await states(daemon, first, second, third) == ["accepted", "held", "held"]
        await trio.sleep(60)
        assert (await states(daemon, second, third)) == ["accepted", "held"]
        await trio.sleep(60)
        assert (await states(daemon, third)) == ["accepted"]
    assert submits(world) == 3
    assert [row[4] for row in places(world)] == [1, 1, 0]  # nobody knows of the third yet


async def test_a_receipt_that_contradicts_a_failure_takes_the_place_again(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(CONTACTS)
    world = World.make(tmp_path)
    async with world.running() as daemon:
        first = await daemon.final(await promote(daemon, "+34600444944"))
        await trio.sleep(60)
        first = await daemon.show(first["submission_id"])
        assert (first["state"], first["contradicted"]) == ("delivered", True)
        assert [row[4] for row in places(world)] == [0]
        assert await states(daemon, await promote(daemon, "+34600444944")) == ["held"]


async def test_a_person_s_word_on_an_unknown_counts_for_contacts(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(CONTACTS)
    world = World.make(tmp_path, {"movistar": "response_timeout_s = 5"})
    async with world.running() as daemon:
        first = await promote(daemon, "+34600444930")
        await trio.sleep(60)
        second = await promote(daemon, "+34600444930")
        assert await states(daemon, first, second) == ["unknown", "held"]
        await daemon.result("messages.resolve", submission_id=first, **{"as": "not-sent"}, why="t")
        await trio.sleep(60)
        assert await states(daemon, second) == ["unknown"]  # it went


async def test_campaigns_and_brands_have_places_of_their_own(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(limit(period='"1h"', most="1", by_campaign="true"))
    world = World.make(tmp_path)
    config = world.config.read_text()
    world.config.write_text(config + '[brands.beta]\nlegal_name = "Beta SA"\nsenders = ["ACME"]\n')
    async with world.running() as daemon:
        for more, state in (
            ({"brand": "acme", "campaign": "verano"}, "delivered"),
            ({"brand": "acme", "campaign": "otono"}, "delivered"),
            ({"brand": "beta", "campaign": "verano"}, "delivered"),
            ({"brand": "acme", "campaign": "verano"}, "held"),
            ({"brand": "acme"}, "held"),  # of no campaign anybody knows: it counts for each
            ({"brand": "beta"}, "held"),
        ):
            submission_id = await promote(daemon, **more)
            await trio.sleep(10)
            assert await states(daemon, submission_id) == [state], more
    with closing(sqlite3.connect(world.directory / "data" / "ledger.db")) as file:
        assert b"verano" not in b"".join(
            row[0] for row in file.execute("SELECT campaign FROM sent")
        )


async def test_what_is_withdrawn_or_expires_before_it_left_takes_nothing(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path)
    world.reachable = False
    async with world.running() as daemon:
        withdrawn = await promote(daemon)
        expired = await promote(daemon, valid_for="1m")
        third = await promote(daemon)
        await daemon.result("messages.cancel", submission_id=withdrawn)
        await trio.sleep(120)
        world.reachable = True
        await trio.sleep(120)
        assert await states(daemon, withdrawn, expired, third) == [
            *("cancelled", "expired", "delivered")
        ]
    assert [number for _, number, *_ in places(world)] == [3]


async def test_a_throttled_one_that_is_withdrawn_or_expires_gives_its_place_to_the_next(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(limit(period='"10m"', most="1"))
    script = Script()

    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, SubmitSm) and pdu.short_message in (b"uno", b"dos"):
            return [SubmitSmResp(sequence=pdu.sequence, status=Status.ESME_RSYSERR)]
        return None

    script.answer = answer
    world = World.make(tmp_path)
    world.scripts["movistar"] = script
    async with world.running() as daemon:
        first = await promote(daemon, text="uno")
        await until(lambda: len(script.submits()) >= 4)
        second = await promote(daemon, text="dos", valid_for="15m")
        third = await promote(daemon, text="tres")
        assert await states(daemon, first, second, third) == ["queued", "held", "held"]
        await daemon.result("messages.cancel", submission_id=first)
        await until(lambda: script.submits()[-1].short_message == b"dos", patience_s=120)
        assert await states(daemon, third) == ["held"]
        await until(lambda: script.submits()[-1].short_message == b"tres", patience_s=1200)
        await trio.sleep(1)
        assert await states(daemon, first, second, third) == ["cancelled", "expired", "accepted"]
    assert [number for _, number, *_ in places(world)] == [3]


async def test_a_throttled_one_found_after_a_crash_still_has_one_place(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(limit(period='"1h"', most="2"))
    world = World.make(tmp_path)
    async with world.running(crash=True) as daemon:
        first = await promote(daemon, "+34600444929")  # throttled nine times
        await until(lambda: submits(world) == 3)
        with trio.fail_after(60):
            while await states(daemon, first) != ["queued"]:
                await trio.sleep(0.001)
    async with world.running() as daemon:
        second = await promote(daemon, "+34600444929")
        third = await promote(daemon, "+34600444929")
        await trio.sleep(900)
        assert await states(daemon, first, second, third) == ["delivered", "delivered", "held"]
    assert [number for _, number, *_ in places(world)] == [1, 2]


async def test_the_rest_of_a_begun_message_is_not_stopped_by_its_own_place(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(
        tmp_path, {"movistar": "window = 1"}, options=SimOptions(response_delay_s=5.0)
    )
    async with world.running(crash=True) as daemon:
        long = await promote(daemon, text="Oferta de hoy " * 40)
        await until(lambda: submits(world) == 2)
    await trio.sleep(600)  # so long that the rest is judged anew
    async with world.running() as daemon:
        await trio.sleep(120)
        record = await daemon.show(long)
        outcomes = [segment["outcome"] for segment in record["segments"]]
        assert outcomes.count("unknown") == 1
        assert outcomes.count("accepted") == 3
        assert await states(daemon, await promote(daemon)) == ["held"]
    assert submits(world) == 4
    assert len(places(world)) == 1


async def test_the_rest_of_a_begun_message_that_must_wait_for_the_morning_keeps_its_place(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(rule("ES-QH"), limit(period='"12h"'))
    world = World.make(
        tmp_path, {"movistar": "window = 1"}, options=SimOptions(response_delay_s=5.0)
    )
    async with world.running(crash=True) as daemon:
        long = await promote(daemon, text="Oferta de hoy " * 40)
        await until(lambda: submits(world) == 2)
    world.clock.offset_ms += 10 * 3_600_000  # 21:00 in Madrid
    async with world.running() as daemon:
        await trio.sleep(120)
        assert submits(world) == 2
        assert len(places(world)) == 1
        answer = await daemon.submit(ANA, category="promotional")
        assert answer["decision"]["rules"] == ["ES-QH"]
        assert await states(daemon, long) == ["sending"]


async def test_a_message_of_which_a_part_was_taken_keeps_its_place_when_another_is_refused(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(CONTACTS)
    script = Script()

    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, SubmitSm) and len(script.submits()) == 2:
            return [SubmitSmResp(sequence=pdu.sequence, status=Status.ESME_RINVDSTADR)]
        return None

    script.answer = answer
    world = World.make(tmp_path, {"movistar": "window = 1"})
    world.scripts["movistar"] = script
    async with world.running() as daemon:
        long = await promote(daemon, text="Oferta de hoy " * 20)
        await until(lambda: len(script.submits()) == 2)
        await trio.sleep(10)
        assert await states(daemon, long, await promote(daemon)) == ["rejected", "held"]
    assert [row[4] for row in places(world)] == [0]


async def test_one_whose_time_has_not_come_does_not_go_because_a_place_was_given_back(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(CONTACTS)
    world = World.make(
        tmp_path, options=SimOptions(receipt_delay_min_s=60.0, receipt_delay_max_s=60.0)
    )
    async with world.running() as daemon:
        await promote(daemon, "+34600444901")
        await until(lambda: submits(world) == 1)
        start = text_of(NOON_MS + 1_800_000)
        planned = await daemon.submit("+34600444901", category="promotional", not_before=start)
        assert planned["decision"]["reason"] == "cap"
        await trio.sleep(120)
        assert await due(daemon) == {planned["submission_id"]: start}
        await trio.sleep(1800)
        record = await daemon.show(planned["submission_id"])
    assert record["segments"][0]["sent_at"] == start


async def test_several_that_wait_for_one_place_go_one_by_one_in_their_order(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path)
    async with world.running() as daemon:
        ids = [await promote(daemon, text=f"Oferta {number}") for number in range(4)]
        await trio.sleep(3 * 3600 + 60)
        records = [await daemon.show(each) for each in ids]
    assert [record["state"] for record in records] == ["delivered"] * 4
    assert [codes(record).count("x.Released") for record in records] == [0, 1, 1, 1]
    taken = [row[2] for row in places(world)]
    assert taken == sorted(taken)
    for earlier, later in pairwise(taken):
        assert 3_600_000 <= later - earlier < 3_602_000


async def test_one_released_that_cannot_go_lets_the_one_behind_it_go(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path)
    async with world.running() as daemon:
        ids = [await promote(daemon, text=f"Oferta {number}") for number in range(3)]
        await trio.sleep(1800)
        world.reachable = False
        link = daemon.gateway.operators["movistar"].links[0]
        assert link.session is not None
        link.session.close()
        await trio.sleep(3600)
        assert await states(daemon, *ids) == ["delivered", "queued", "held"]
        await daemon.result("messages.cancel", submission_id=ids[1])
        await trio.sleep(1)
        assert await states(daemon, *ids) == ["delivered", "cancelled", "queued"]


async def test_a_commit_that_took_its_time_counts_from_when_the_message_left(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await trio.sleep(5)
        pipeline = daemon.gateway.pipeline
        quick = pipeline._offload

        async def slow(work: Callable[[], None]) -> None:
            await trio.sleep(3)
            await quick(work)

        pipeline._offload = slow
        record = await daemon.final(await promote(daemon))
        pipeline._offload = quick
    ((_, _, taken_ms, _, _),) = places(world)
    assert text_of(taken_ms) == record["segments"][0]["sent_at"]
    assert text_of(taken_ms) > record["submitted_at"]


async def test_windows_and_caps_hold_together(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(rule("ES-QH", applies='["promotional"]'), limit(period='"12h"'))
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await daemon.final(await promote(daemon))
        answer = await daemon.submit(ANA, category="promotional")
        # Twelve hours after 11:00 it is night in Madrid, and still in the Canaries at 08:00.
        assert answer["decision"]["until"] == "2026-11-22T08:00:00Z"
        assert answer["decision"]["rules"] == ["ES-CAP", "ES-QH"]
        short = await daemon.submit(ANA, category="promotional", valid_for="6h")
        assert short["state"] == "refused"
        assert short["decision"]["reason"] == "expired_before_window"


async def test_a_cart_is_reminded_of_once_and_the_next_cart_again(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(
        limit(
            applies='["cart_reminder"]', kind='"cart"', period="", most="1", on_violation='"refuse"'
        )
    )
    world = World.make(tmp_path)
    async with world.running() as daemon:

        async def remind(abandoned: str) -> dict[str, Any]:
            answer = await daemon.submit(ANA, category="cart_reminder", cart_abandoned_at=abandoned)
            await trio.sleep(60)
            return answer

        assert (await remind("2026-11-21T09:00:00Z"))["state"] == "queued"
        again = await remind("2026-11-21T09:00:00Z")
        assert (again["state"], again["decision"]["reason"]) == ("refused", "cap")
        assert (await remind("2026-11-21T10:01:00+00:00"))["state"] == "queued"
        wrong = await daemon.ask(
            "submit",
            to=ANA,
            text="Su cesta",
            category="cart_reminder",
            cart_abandoned_at="2026-11-21T12:00:00Z",
        )
        assert wrong["error"]["fields"]["field"] == "cart_abandoned_at"
    assert submits(world) == 2


async def test_places_that_no_cap_reaches_back_to_are_forgotten(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(limit(period='"1h"', most="9"))
    world = World.make(tmp_path)
    async with world.running() as daemon:
        for number in range(10):
            await promote(daemon, f"+346004440{number:02d}")
        await trio.sleep(60)
        assert len(places(world)) == 10
    world.clock.offset_ms += 2 * 86_400_000
    async with world.running() as daemon:
        await daemon.final(await promote(daemon, BEA))
        await trio.sleep(120)
        await daemon.final((await daemon.submit(BEA))["submission_id"])
    assert [number for _, number, *_ in places(world)] == [11]


async def test_another_text_for_a_message_is_not_one_too_many_but_the_next_message_is(
    tmp_path: Path, autojump_clock: MockClock, law: Callable[..., None]
) -> None:
    law(ONE)
    world = World.make(tmp_path, {"movistar": "replace_sm = true"})
    world.scripts["movistar"] = script = Script()
    script.answer = lambda pdu: (
        [ReplaceSmResp(pdu.sequence, 0)] if isinstance(pdu, ReplaceSm) else None
    )
    async with world.running() as daemon:
        first = await promote(daemon, text="Oferta del 30")
        await until(lambda: len(script.submits()) == 1)
        await trio.sleep(5)
        answer = await daemon.result("messages.replace", submission_id=first, text="Oferta del 31")
        assert answer["state"] == "queued", answer
        await trio.sleep(5)
        second = answer["submission_id"]
        assert await states(daemon, first, second) == ["deleted", "accepted"]
        assert await states(daemon, await promote(daemon)) == ["held"]


async def test_what_is_planned_for_later_takes_no_place_when_it_is_only_looked_at(
    law: Callable[..., None], tmp_path: Path, autojump_clock: MockClock
) -> None:
    """One is planned for tomorrow, one for in an hour. The person withdraws consent to something
    else, so both are judged again at once, and both may go: but only the one that leaves counts.
    """
    law(ONE)
    world = World.make(tmp_path)
    soon, tomorrow = text_of(NOON_MS + 3_600_000), text_of(NOON_MS + 86_400_000)
    async with world.running() as daemon:
        late = await promote(daemon, not_before=tomorrow)
        early = await promote(daemon, not_before=soon)
        await daemon.willing(ANA, purpose="cart")
        await daemon.result("consent.withdraw", to=ANA, brand="acme", purpose="cart")
        await trio.sleep(3700)
        assert await states(daemon, late, early) == ["held", "delivered"]
        assert (await daemon.show(early))["decision"]["reason"] is None


async def test_two_that_are_due_as_a_place_is_given_back_both_get_their_turn(
    law: Callable[..., None], tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The operator refuses the first; while that is written to the disk the other two fall due."""
    law(limit(period='"1m"', most="1"))
    world = World.make(tmp_path, {"movistar": "response_timeout_s = 90"})

    def silent_once(pdu: Pdu) -> list[Pdu] | None:
        return [] if isinstance(pdu, SubmitSm) and len(script.submits()) == 1 else None

    world.scripts["movistar"] = script = Script(silent_once)
    async with world.running() as daemon:
        await trio.sleep(1.5)
        await promote(daemon)
        await trio.sleep(0.1)
        others = [await promote(daemon) for _ in range(2)]
        soon = at_ms(next(iter((await due(daemon)).values())))
        store = daemon.gateway.store
        commit = store.commit

        def slow() -> None:
            commit()
            world.clock.offset_ms = NOON_MS + 900

        await trio.sleep((soon - 500 - world.clock.wall_ms()) / 1000)
        doctor(store, "commit", slow)  # a disk that takes its time
        sequence = script.submits()[0].sequence
        await script.send(SubmitSmResp("", Status.ESME_RINVDSTADR, sequence=sequence))
        await trio.sleep(1)
        assert sorted(await states(daemon, *others)) == ["accepted", "held"]
        await trio.sleep(70)
        assert await states(daemon, *others) == ["accepted", "accepted"]

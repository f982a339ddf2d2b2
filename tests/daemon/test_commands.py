"""The admin protocol: what a peer may ask, and what it is told when it asks wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from gateway.daemon.admin import Connection
from gateway.daemon.roles import Peer, Role
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


async def test_the_same_ref_and_content_is_the_same_submission(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        one = {"to": "+34600555001", "text": "hola", "category": "otp", "ref": "INV-1"}
        answers = await daemon.ask_all([("submit", one), ("submit", one)])
        first, second = (answer["result"] for answer in answers)
        assert first["submission_id"] == second["submission_id"]
        later = await daemon.result("submit", **one)
        other = await daemon.ask("submit", **{**one, "text": "adios"})
        await daemon.final(first["submission_id"])
    assert later["submission_id"] == first["submission_id"]
    assert other["error"]["code"] == "data"
    assert other["error"]["fields"]["field"] == "ref"
    assert len(world.operators["movistar"].accepted) == 1


async def test_a_ref_is_known_after_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    request = {"to": "+34600555001", "text": "hola", "category": "otp", "ref": "INV-1"}
    async with world.running(crash=True) as daemon:
        first = await daemon.result("submit", **request)
    async with world.running() as daemon:
        again = await daemon.result("submit", **request)
    assert again["submission_id"] == first["submission_id"]


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"text": "x"}, "to"),
        ({"to": "+34600555001"}, "text"),
        ({"to": "600555001", "text": "x"}, "to"),
        ({"to": "+34600", "text": "x"}, "to"),
        ({"to": "+999600555001", "text": "x"}, "to"),
        ({"to": "+34600555001", "text": "x", "from": "ACMEACMEACME"}, "from"),
        ({"to": "+34600555001", "text": "x", "from": "12"}, "from"),
        ({"to": "+34600555001", "text": "x", "category": "spam"}, "category"),
        ({"to": "+34600555001", "text": "x", "brand": "nobody"}, "brand"),
        ({"to": "+34600555001", "text": "x", "valid_for": "soon"}, "valid_for"),
        ({"to": "+34600555001", "text": "x", "not_before": "2026-12-01T10:00:00"}, "not_before"),
        ({"to": "+34600555001", "text": "x", "not_before": "2030-12-01T10:00:00Z"}, "not_before"),
        ({"to": "+34600555001", "text": "x", "location": "Madrid"}, "location"),
        ({"to": "+34600555001", "text": "x", "urgent": "perhaps"}, "urgent"),
        ({"to": "+34600555001", "text": 7}, "text"),
        ({"to": "+34600555001", "text": "x" * 40_000}, "text"),
        ({"to": "+34600555001", "text": "\ud83d"}, "text"),
        ({"to": "+34600555001", "text": "x", "ref": "r" * 201}, "ref"),
    ],
)
async def test_bad_input_names_the_field_and_leaves_no_trace(
    tmp_path: Path, autojump_clock: MockClock, args: dict[str, Any], field: str
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        before = (await daemon.result("status"))["ledger"]["size"]
        answer = await daemon.ask("submit", **args)
        after = (await daemon.result("status"))["ledger"]["size"]
    assert answer["error"]["code"] == "data"
    assert answer["error"]["fields"]["field"] == field
    assert answer["error"]["hint"]
    assert after == before


async def test_what_is_held_or_queued_can_be_cancelled_and_what_left_cannot(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.reachable = False
    async with world.running() as daemon:
        answer = await daemon.submit("+34600555001")
        done = await daemon.result("messages.cancel", submission_id=answer["submission_id"])
        world.reachable = True
        other = await daemon.submit("+34600555002")
        await daemon.final(other["submission_id"])
        late = await daemon.ask("messages.cancel", submission_id=other["submission_id"])
        nobody = await daemon.ask("messages.cancel", submission_id="nope")
        record = await daemon.show(answer["submission_id"])
    assert done == {"submission_id": answer["submission_id"], "state": "cancelled"}
    assert [event["event"] for event in record["events"]] == ["A.1", "x.Cancelled", "S.1"]
    assert late["error"]["code"] == "no"
    assert nobody["error"]["code"] == "no"
    assert [each.dest for each in world.operators["movistar"].accepted] == ["34600555002"]


async def test_a_full_queue_says_try_again_and_takes_more_when_there_is_room(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, gateway="max_queued = 3")
    world.reachable = False
    async with world.running() as daemon:
        request = {"text": "x", "category": "otp"}
        answers = await daemon.ask_all(
            [("submit", {"to": f"+34600555{n:03d}", **request}) for n in range(5)]
        )
        codes = [answer.get("error", {}).get("code") for answer in answers]
        assert codes == [None, None, None, "try_again", "try_again"]
        first = answers[0]["result"]["submission_id"]
        await daemon.result("messages.cancel", submission_id=first)
        again = await daemon.ask("submit", to="+34600555009", **request)
    assert "result" in again


@pytest.mark.parametrize(
    ("role", "command", "allowed"),
    [
        (Role.NOBODY, "status", False),
        (Role.READ, "status", True),
        (Role.READ, "submit", False),
        (Role.SUBMIT, "messages.list", True),
        (Role.SUBMIT, "stop", False),
        (Role.SUBMIT, "ledger.checkpoint", False),
    ],
)
async def test_roles(
    tmp_path: Path, autojump_clock: MockClock, role: Role, command: str, allowed: bool
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        daemon.role = role
        answer = await daemon.ask(command)
        daemon.role = Role.OPERATOR
    code = answer.get("error", {}).get("code")
    assert (code != "not_permitted") is allowed


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1,2]",
        b'{"v":1,"id":1}',
        b'{"v":2,"id":1,"cmd":"status","args":{}}',
        b'{"v":1,"id":1,"cmd":"status","args":[]}',
        b'{"v":1,"id":1,"cmd":"nonsense","args":{}}',
        b'{"v":1,"id":1,"cmd":"submit","args":{"nonsense":1}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
async def test_a_line_that_is_no_request_gets_an_error_and_the_next_one_is_served(
    tmp_path: Path, autojump_clock: MockClock, line: bytes
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        ours, theirs = trio.testing.memory_stream_pair()
        questions = daemon.gateway.questions
        connection = Connection(theirs, Peer(1, 0, 0), Role.OPERATOR, questions)
        daemon.nursery.start_soon(connection.run)
        await ours.send_all(line + b'\n{"v":1,"id":9,"cmd":"ledger.head","args":{}}\n')
        received = b""
        with trio.fail_after(5):
            while received.count(b"\n") < 2:
                received += await ours.receive_some()
        await ours.aclose()
    # Answers come as they become true, in whatever order that is.
    served, refused = sorted(received.splitlines(), key=lambda answer: b'"error"' in answer)
    assert b'"code":"usage"' in refused
    assert b'"id":9,"ok":true' in served


async def test_a_line_without_end_is_cut_off(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        ours, theirs = trio.testing.memory_stream_pair()
        questions = daemon.gateway.questions
        connection = Connection(theirs, Peer(1, 0, 0), Role.OPERATOR, questions)
        ended = trio.Event()

        async def serve() -> None:
            await connection.run()
            await theirs.aclose()
            ended.set()

        daemon.nursery.start_soon(serve)
        await ours.send_all(b"x" * (2 << 20))
        with trio.fail_after(5):
            received = await ours.receive_some()
            await ended.wait()
    assert b"longer than" in received


async def test_lists_are_filtered_newest_first_and_cut(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        ids = []
        for number in range(130):
            answer = await daemon.submit(f"+34600556{number:03d}")
            ids.append(answer["submission_id"])
        await daemon.final(ids[-1])
        await trio.sleep(10)
        everything = await daemon.items("receipts.list")
        cut = await daemon.items("messages.list", limit=3)
        one = await daemon.items("messages.list", to="+34600556007")
        none = await daemon.items("messages.list", state="held")
        wrong = await daemon.ask("messages.list", state="lost")
        unknown = await daemon.ask("messages.list", colour="red")
    assert [item["submission_id"] for item in everything] == ids[::-1]
    assert [item["submission_id"] for item in cut] == ids[:-4:-1]
    assert [item["to"] for item in one] == ["+34600556007"]
    assert none == []
    assert wrong["error"]["fields"]["field"] == "state"
    assert unknown["error"]["fields"]["field"] == "colour"


async def test_a_brand_sends_only_by_its_own_senders(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    world.config.write_text(f'{world.config.read_text()}[brands.any]\nlegal_name = "Any SL"\n')
    message = {"to": "+34600444001", "text": "x", "category": "otp"}
    async with world.running() as daemon:
        foreign = await daemon.ask("submit", **message, brand="acme", **{"from": "OTHER"})
        own = await daemon.ask("submit", **message, brand="acme", **{"from": "ACME"})
        free = await daemon.ask("submit", **message, brand="any", **{"from": "OTHER"})
    error = foreign["error"]
    assert (error["code"], error["fields"]["field"]) == ("data", "from")
    assert "its senders are ACME, " in error["hint"]
    assert "result" in own
    assert "result" in free

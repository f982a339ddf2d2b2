"""The witness's HTTP door, and the client that knocks at it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
import trio.testing

from gateway.daemon import witnesshttp
from gateway.daemon.witnesshttp import WitnessServer
from gateway.daemon.witnessing import (
    WitnessConflict,
    WitnessElsewhere,
    WitnessError,
    cosign,
    cosign_from,
    cosigned_ms,
)
from gateway.evidence.witness import MAX_REQUEST_BYTES, Logs
from gateway.evidence.witnessfile import Witness
from gateway.ledger.merkle import consistency_proof, root_at
from gateway.ledger.note import Checkpoint, Signer, Verifier, join_note, open_note, sign_note
from tests.support.ledgers import ORIGIN, MemoryLedger, seed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

LOG = Signer.from_seed(ORIGIN, seed("log"))
NOW_S = 1_795_280_400


def history(text: str) -> MemoryLedger:
    ledger = MemoryLedger()
    while ledger.size < 30:
        ledger.accept(f"m{ledger.size}", text=text)
    return ledger


ONE, OTHER = history("uno"), history("dos")


def note_of(ledger: MemoryLedger, size: int) -> str:
    return sign_note(Checkpoint(ORIGIN, size, root_at(size, ledger.read)).text(), LOG)


def prover(ledger: MemoryLedger, size: int) -> Callable[[int], list[bytes]]:
    return lambda old: consistency_proof(old, size, ledger.read)


def asked(ledger: MemoryLedger, size: int) -> Callable[[int], Awaitable[list[bytes]]]:
    async def prove(old: int) -> list[bytes]:
        await trio.lowlevel.checkpoint()
        return consistency_proof(old, size, ledger.read)

    return prove


@dataclass
class Door:
    """A witness behind memory streams, and how a configuration names it."""

    server: WitnessServer
    nursery: trio.Nursery
    vkey: str
    name: str = "notary"
    url: str = "http://witness.example"
    timeout_s: float = 5.0

    async def say(self, *requests: bytes) -> bytes:
        """Everything that comes back on one connection."""
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.server.serve_one, theirs)
        for each in requests:
            await ours.send_all(each)
        await ours.send_eof()
        return b"".join([data async for data in ours])

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """What a real transport would do."""
        head = f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\nHost: w\r\n"
        head += f"Content-Length: {len(request.content)}\r\nConnection: close\r\n\r\n"
        whole = await self.say(head.encode() + request.content)
        top, _, body = whole.partition(b"\r\n\r\n")
        return httpx.Response(int(top.split()[1]), content=body)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    opened = Witness.open(
        tmp_path / "witness", Logs([Verifier.from_vkey(LOG.vkey)]), name="witness.example/w1"
    )
    yield opened
    opened.close()


@pytest.fixture
def door(witness: Witness, nursery: trio.Nursery) -> Door:
    return Door(WitnessServer(witness, lambda: NOW_S), nursery, witness.vkey)


@pytest.fixture
def client(door: Door) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(door.handle))


def answering(status: int, body: str = "") -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body.encode()))
    )


async def test_a_log_gets_cosignatures_as_it_grows(client: httpx.AsyncClient, door: Door) -> None:
    known = 0
    for size in (1, 5, 5, 8, 29):
        line = await cosign(client, door, known, prover(ONE, size)(known), note_of(ONE, size))
        text, lines = open_note(f"{note_of(ONE, size)}{line}\n")
        assert Verifier.from_vkey(door.vkey).holds(text, lines[1])
        assert cosigned_ms(line) == NOW_S * 1000
        known = size


async def test_a_daemon_that_forgot_is_told_where_to_begin(
    client: httpx.AsyncClient, door: Door
) -> None:
    await cosign(client, door, 0, [], note_of(ONE, 5))
    with pytest.raises(WitnessElsewhere) as caught:
        await cosign(client, door, 0, [], note_of(ONE, 9))
    assert caught.value.size == 5
    assert await cosign_from(client, door, 0, asked(ONE, 9), note_of(ONE, 9))
    assert await cosign_from(client, door, 3, asked(ONE, 12), note_of(ONE, 12))


async def test_a_rolled_back_ledger_is_shown_the_note_it_signed(
    client: httpx.AsyncClient, door: Door
) -> None:
    await cosign(client, door, 0, [], note_of(ONE, 20))
    with pytest.raises(WitnessConflict, match="20 entries, there are 9") as caught:
        await cosign_from(client, door, 5, asked(ONE, 9), note_of(ONE, 9))
    assert caught.value.ours == note_of(ONE, 9)
    assert caught.value.theirs.startswith(note_of(ONE, 20))
    assert caught.value.fields["theirs"] == caught.value.theirs


async def test_a_forked_ledger_is_refused_with_both_notes(
    client: httpx.AsyncClient, door: Door
) -> None:
    await cosign(client, door, 0, [], note_of(ONE, 9))
    for size, says in ((9, "another root"), (12, "not in the past")):
        with pytest.raises(WitnessConflict, match=says) as caught:
            await cosign(client, door, 9, prover(OTHER, size)(9), note_of(OTHER, size))
        assert caught.value.ours == note_of(OTHER, size)
        assert caught.value.theirs.startswith(note_of(ONE, 9))
    got = await client.get(f"{door.url}/forks")
    kept = got.json()["forks"]
    assert [each["proven"] for each in kept] == [True, False]
    assert kept[0]["theirs"] == note_of(OTHER, 9)
    assert kept[0]["ours"] == note_of(ONE, 9)


async def test_an_unknown_log_or_key_gets_a_hint(client: httpx.AsyncClient, door: Door) -> None:
    stranger = Signer.from_seed("other.example/1", seed("other"))
    foreign = sign_note(Checkpoint("other.example/1", 3, bytes(32)).text(), stranger)
    with pytest.raises(WitnessError, match="answers 404") as caught:
        await cosign(client, door, 0, [], foreign)
    assert "acuse ledger head" in caught.value.hint
    renewed = Signer.from_seed(ORIGIN, seed("new"))
    with pytest.raises(WitnessError, match="answers 403") as caught:
        await cosign(client, door, 0, [], sign_note(open_note(note_of(ONE, 3))[0], renewed))
    assert "rotate-key" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, "", "a note is"),
        (200, "nonsense\n", "signature line"),
        (200, "\u2014 other AAAAAAAA\n", "another key"),
        (200, "x" * (1 << 19), "too long"),
        (409, "many\n", "decimal"),
        (409, "09\n", "decimal"),
        (500, "oh\nno", "answers 500: oh no"),
        (302, "", "answers 302"),
    ],
)
async def test_a_witness_that_answers_nonsense_is_told_of_and_nothing_is_believed(
    door: Door, status: int, body: str, says: str
) -> None:
    with pytest.raises(WitnessError, match=says):
        await cosign(answering(status, body), door, 0, [], note_of(ONE, 5))


async def test_a_cosignature_of_something_else_is_not_believed(
    witness: Witness, door: Door
) -> None:
    from gateway.evidence.witness import format_add_checkpoint

    _, answer = witness.add_checkpoint(format_add_checkpoint(0, [], note_of(ONE, 5)), NOW_S)
    with pytest.raises(WitnessError, match="does not verify"):
        await cosign(answering(200, answer.body), door, 0, [], note_of(ONE, 6))
    assert await cosign(answering(200, answer.body), door, 0, [], note_of(ONE, 5))
    door.vkey = LOG.vkey
    with pytest.raises(WitnessError, match="not a witness's"):
        await cosign(answering(200, answer.body), door, 0, [], note_of(ONE, 5))
    door.vkey = "no key"
    with pytest.raises(WitnessError, match="NAME"):
        await cosign(answering(200, answer.body), door, 0, [], note_of(ONE, 5))


async def test_a_conflict_without_a_note_of_theirs_is_one_all_the_same(door: Door) -> None:
    with pytest.raises(WitnessConflict) as caught:
        await cosign(answering(409, "99\n"), door, 0, [], note_of(ONE, 5))
    assert caught.value.theirs == ""
    other = join_note(Checkpoint("other.example/1", 99, bytes(32)).text(), [LOG.sign("x\n")])

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(409, text="99\n")
        return httpx.Response(200, text=other)

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    with pytest.raises(WitnessConflict) as caught:
        await cosign(client, door, 0, [], note_of(ONE, 5))
    assert caught.value.theirs == ""


async def test_a_size_that_always_moves_ends_the_questions(door: Door) -> None:
    sizes = iter((1, 2, 3, 4, 5))
    client = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(409, text=f"{next(sizes)}\n"))
    )
    with pytest.raises(WitnessError, match="every question"):
        await cosign_from(client, door, 0, asked(ONE, 9), note_of(ONE, 9))


async def test_a_witness_that_is_away_or_silent_is_tried_later(
    door: Door, autojump_clock: trio.testing.MockClock
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("All connection attempts failed", request=request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(refuse))
    with pytest.raises(WitnessError, match="cannot be reached"):
        await cosign(client, door, 0, [], note_of(ONE, 5))

    async def sleep(_: httpx.Request) -> httpx.Response:
        await trio.sleep_forever()
        raise AssertionError

    client = httpx.AsyncClient(transport=httpx.MockTransport(sleep))
    with pytest.raises(WitnessError, match="within 5 s"):
        await cosign(client, door, 0, [], note_of(ONE, 5))


# --- the door -------------------------------------------------------------------------------------


def post(body: bytes, path: bytes = b"/add-checkpoint", length: int | None = None) -> bytes:
    size = str(len(body) if length is None else length).encode()
    return b"POST " + path + b" HTTP/1.1\r\nHost: w\r\nContent-Length: " + size + b"\r\n\r\n" + body


async def test_the_door_says_who_stands_behind_it(door: Door) -> None:
    said = await door.say(b"GET / HTTP/1.1\r\nHost: w\r\n\r\n")
    assert door.vkey.encode() in said
    assert f"log {ORIGIN}".encode() in said
    place = sha256(ORIGIN.encode()).hexdigest().encode()
    for path in (b"/checkpoint/" + place, b"/checkpoint/00", b"/favicon.ico"):
        assert b"HTTP/1.1 404" in await door.say(b"GET " + path + b" HTTP/1.1\r\nHost: w\r\n\r\n")
    assert b"HTTP/1.1 405" in await door.say(b"DELETE / HTTP/1.1\r\nHost: w\r\n\r\n")
    assert b"HTTP/1.1 405" in await door.say(b"GET /add-checkpoint HTTP/1.1\r\nHost: w\r\n\r\n")


async def test_a_connection_serves_many_requests(door: Door) -> None:
    said = await door.say(post(b"one"), post(b"two"), post(b"three"))
    assert said.count(b"HTTP/1.1 400") == 3


async def test_what_is_not_http_is_refused(door: Door) -> None:
    assert b"HTTP/1.1 400" in await door.say(b"\x16\x03\x01 hello\r\n\r\n")
    assert b"HTTP/1.1 4" in await door.say(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 9000)


async def test_a_request_beyond_every_limit_is_cut_off(door: Door) -> None:
    said = await door.say(post(b"x" * (MAX_REQUEST_BYTES + 1)))
    assert b"HTTP/1.1 413" in said
    go_on = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\n"
    ours, theirs = trio.testing.memory_stream_pair()
    door.nursery.start_soon(door.server.serve_one, theirs)
    await ours.send_all(go_on + b"Content-Length: 3\r\n\r\n")
    assert b"HTTP/1.1 100" in await ours.receive_some()
    await ours.send_all(b"abc")
    assert b"HTTP/1.1 400" in await ours.receive_some()
    await ours.aclose()


async def test_slow_and_silent_peers_are_dropped(
    door: Door, autojump_clock: trio.testing.MockClock
) -> None:
    for first, patience_s in ((b"", witnesshttp.IDLE_S), (b"GET", witnesshttp.REQUEST_S)):
        ours, theirs = trio.testing.memory_stream_pair()
        door.nursery.start_soon(door.server.serve_one, theirs)
        began = trio.current_time()
        if first:
            await ours.send_all(first)
        assert await ours.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(patience_s)


async def test_too_many_connections_are_turned_away(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnesshttp, "CONNECTIONS_MOST", 1)
    ours, theirs = trio.testing.memory_stream_pair()
    door.nursery.start_soon(door.server.serve_one, theirs)
    await trio.testing.wait_all_tasks_blocked()
    third, fourth = trio.testing.memory_stream_pair()
    await door.server.serve_one(fourth)
    assert await third.receive_some() == b""
    await ours.aclose()


async def test_a_witness_whose_memory_fails_stops(
    door: Door, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.errors import StorageError

    def fail(*_: object) -> None:
        raise StorageError("the disk is gone")

    monkeypatch.setattr(witness, "add_checkpoint", fail)
    assert b"HTTP/1.1 500" in await door.say(post(b"x"))
    assert door.server.stop.is_set()
    assert isinstance(door.server.failed, StorageError)


async def test_forks_are_json(door: Door) -> None:
    said = await door.say(b"GET /forks HTTP/1.1\r\nHost: w\r\n\r\n")
    assert json.loads(said.partition(b"\r\n\r\n")[2]) == {"forks": []}

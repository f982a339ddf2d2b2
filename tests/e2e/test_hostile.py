"""What is not an operator, or is one gone wrong, on the operator's port.

The daemon says why it hangs up, comes back with its usual back-off, and keeps nothing on the
peer's word. The second connection reaches an honest operator.
"""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import structlog
import structlog.testing
import trio
import trio.testing

from gateway.daemon import link as daemon_link
from gateway.smpp.codec import HEADER
from gateway.smpp.consts import CommandId
from gateway.smpp.pdu import Bind, BindResp, DeliverSmResp, EnquireLinkResp, SubmitSmResp
from gateway.smpp.wire import Splitter, decode, encode
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.settings import OperatorSettings
    from tests.support.world import Daemon

    Logs: TypeAlias = list[MutableMapping[str, Any]]
    Peer: TypeAlias = Callable[[trio.abc.Stream], Awaitable[None]]

NACK = bytes.fromhex("00000010 80000000 00000002 00000000")
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(190))
TLS_ALERT = bytes.fromhex("15030100020246")


@dataclass
class HostileWorld(World):
    """A world whose first connection reaches `peer`; what came of it is in `heard`."""

    peer: Peer | None = None
    streams: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]] = trio.testing.memory_stream_pair
    heard: bytearray = field(default_factory=bytearray)
    hung_up: trio.Event = field(default_factory=trio.Event)

    async def _connect(self, nursery: trio.Nursery, settings: OperatorSettings) -> trio.abc.Stream:
        if self.connections or self.peer is None:
            return await super()._connect(nursery, settings)
        self.connections += 1
        ours, theirs = self.streams()
        nursery.start_soon(self._play, theirs)
        return ours

    async def _play(self, stream: trio.abc.Stream) -> None:
        assert self.peer is not None
        async with stream:
            try:
                await self.peer(stream)
                async for data in stream:
                    self.heard += data
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        self.hung_up.set()


def hostile(directory: Path, peer: Peer, settings: str = "") -> HostileWorld:
    world = HostileWorld.make(directory, {"movistar": settings})
    world.peer = peer
    return world


async def bind(stream: trio.abc.Stream) -> None:
    """Let the daemon in, as an operator does."""
    splitter = Splitter()
    while True:
        for raw in splitter.feed(await stream.receive_some()):
            pdu = decode(raw)
            assert isinstance(pdu, Bind)
            await stream.send_all(encode(BindResp("SMSC", pdu.mode), pdu.sequence))
            return


def reasons(logs: Logs) -> list[str]:
    """Why links were given up, as the daemon's log says it."""
    return [str(line["reason"]) for line in logs if line["event"] == "bind.lost"]


async def delivers(daemon: Daemon) -> bool:
    """Whether the daemon is of use all the same."""
    answer = await daemon.submit("+34600111201")
    record = await daemon.final(answer["submission_id"], timeout_s=600)
    return bool(record["state"] == "delivered")


@pytest.fixture
def logs() -> Iterator[Logs]:
    """What the daemon logs."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def quiet() -> Iterator[None]:
    """Debug events are not rendered, as in a daemon without --verbose."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("octets", "announced"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", 0x48545450),
        (b"AMQP\x00\x00\x09\x01", 0x414D5150),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", 0x5353482D),
        (b"220 mail.example.net ESMTP\r\n", 0x32323020),
        (TLS_HELLO, 0x16030100),
        (TLS_ALERT, 0x15030100),
        (bytes(4), 0),
        (b"\x00\x00\x00\x0f", 15),
        (b"\x7f\xff\xff\xff", 0x7FFFFFFF),
        (b"\x80\x00\x00\x00", 0x80000000),
        (b"\xff\xff\xff\xff", 0xFFFFFFFF),
        (b"\x00\x01\x11\x71", 70_001),
    ],
)
@pytest.mark.parametrize("bound", [False, True])
async def test_another_protocol_or_an_impossible_length_ends_the_link_and_it_comes_back(
    tmp_path: Path,
    autojump_clock: MockClock,
    logs: Logs,
    octets: bytes,
    announced: int,
    bound: bool,
) -> None:
    async def peer(stream: trio.abc.Stream) -> None:
        if bound:
            await bind(stream)
        await stream.send_all(octets)

    world = hostile(tmp_path, peer)
    async with world.running() as daemon:
        with trio.fail_after(60):
            await world.hung_up.wait()
        assert bytes(world.heard).endswith(NACK)
        assert await delivers(daemon)
    (reason,) = reasons(logs)
    assert f"announced a PDU of {announced} octets" in reason
    assert world.connections == 2


async def test_octets_that_never_become_a_pdu_do_not_keep_a_link_alive(
    tmp_path: Path, autojump_clock: MockClock, logs: Logs
) -> None:
    """One octet a second of a PDU of 70,000: the daemon asks whether anybody is there."""

    async def peer(stream: trio.abc.Stream) -> None:
        await bind(stream)
        await stream.send_all((70_000).to_bytes(4, "big"))
        while True:
            await stream.send_all(b"\0")
            await trio.sleep(1)

    world = hostile(tmp_path, peer)
    async with world.running() as daemon:
        with trio.fail_after(60):
            await world.hung_up.wait()
        assert await delivers(daemon)
    assert reasons(logs) == ["enquire_link was not answered"]


async def test_a_bind_answered_octet_by_octet_for_ever_is_given_up(
    tmp_path: Path, autojump_clock: MockClock, logs: Logs
) -> None:
    async def peer(stream: trio.abc.Stream) -> None:
        for octet in encode(BindResp("SMSC"), 1)[:-1]:
            await stream.send_all(bytes((octet,)))
            await trio.sleep(1)

    world = hostile(tmp_path, peer)
    async with world.running() as daemon:
        with trio.fail_after(60):
            await world.hung_up.wait()
        assert await delivers(daemon)
    assert reasons(logs) == ["the bind was not answered"]


async def test_a_hundred_thousand_answers_to_nothing_leave_nothing_behind(
    tmp_path: Path, autojump_clock: MockClock, quiet: None
) -> None:
    many = b"".join(
        encode(answer, number)
        for number in range(0x10000, 0x10000 + 25_000)
        for answer in (
            SubmitSmResp("never-sent"),
            DeliverSmResp(),
            EnquireLinkResp(),
            BindResp("SMSC"),
        )
    )
    done = trio.Event()

    async def peer(stream: trio.abc.Stream) -> None:
        await bind(stream)
        await trio.sleep(1)
        await stream.send_all(many)
        done.set()
        await trio.sleep(5)

    world = hostile(tmp_path, peer)
    world.streams = trio.testing.lockstep_stream_pair
    async with world.running() as daemon:
        with trio.fail_after(60):
            while not daemon.gateway.operators["movistar"].bound():
                await trio.sleep(0.01)
        gc.collect()
        before = len(gc.get_objects())
        with trio.fail_after(60):
            await done.wait()
        gc.collect()
        grown = len(gc.get_objects()) - before
        status = await daemon.result("status")
        assert status["operators"][0]["state"] == "bound"
        assert world.connections == 1
        assert grown < 10_000  # objects of any kind, for a hundred thousand PDUs


async def test_one_that_asks_and_never_reads_does_not_fill_the_memory(
    tmp_path: Path, autojump_clock: MockClock, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_link, "_UNSENT_MOST", 5_000)
    question = HEADER.pack(16, CommandId.ENQUIRE_LINK, 0, 7)
    sent = []

    async def peer(stream: trio.abc.Stream) -> None:
        await bind(stream)
        while True:
            await stream.send_all(question * 1_000)
            sent.append(1_000)

    world = hostile(tmp_path, peer)
    world.streams = trio.testing.lockstep_stream_pair
    async with world.running() as daemon:
        with trio.fail_after(60):
            await world.hung_up.wait()
        assert await delivers(daemon)
    (reason,) = reasons(logs)
    assert "the operator reads none" in reason
    assert sum(sent) < 20_000


async def test_nobody_there_is_no_reason_to_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def peer(stream: trio.abc.Stream) -> None:
        await stream.aclose()

    world = hostile(tmp_path, peer)
    async with world.running() as daemon:
        assert await delivers(daemon)

"""What an operator still hears from a link that ends, told octet by octet from its side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio
import trio.testing

from gateway.smpp.consts import Status
from gateway.smpp.pdu import Bind, BindResp, GenericNack, Pdu, Unbind, UnbindResp
from gateway.smpp.wire import Splitter, decode, encode
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings import OperatorSettings


@dataclass
class Spoken(World):
    """A world whose operators are played by the test: `links` are their ends of the connections."""

    links: list[trio.abc.Stream] = field(default_factory=list)

    async def _connect(self, nursery: trio.Nursery, settings: OperatorSettings) -> trio.abc.Stream:
        del nursery, settings
        ours, theirs = trio.testing.memory_stream_pair()
        self.links.append(theirs)
        return ours


async def heard(link: trio.abc.Stream, *, until_closed: bool = False) -> list[Pdu]:
    """The PDUs that come next, or all there are until the daemon hangs up."""
    splitter, pdus = Splitter(), []
    with trio.fail_after(30):
        async for data in link:
            pdus += [decode(raw) for raw in splitter.feed(bytes(data))]
            if pdus and not until_closed:
                break
    return pdus


async def bound(world: Spoken) -> trio.abc.Stream:
    """The newest link, once its bind is answered."""
    while not world.links:
        await trio.sleep(0.1)
    link = world.links.pop()
    (bind,) = await heard(link)
    assert isinstance(bind, Bind)
    await link.send_all(encode(BindResp("SMSC", mode=bind.mode, sequence=bind.sequence)))
    return link


async def test_an_operator_that_unbinds_is_answered_before_the_link_ends(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = Spoken.make(tmp_path)
    async with world.running(crash=True):
        link = await bound(world)
        await link.send_all(encode(Unbind(77)))
        assert await heard(link, until_closed=True) == [UnbindResp(77)]
        await bound(world)  # and it comes back


async def test_an_operator_out_of_step_hears_why_the_link_ends(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = Spoken.make(tmp_path)
    async with world.running(crash=True):
        link = await bound(world)
        await link.send_all(b"HTTP/1.1 400 Bad Request\r\n")
        assert await heard(link, until_closed=True) == [GenericNack(0, Status.ESME_RINVCMDLEN)]


async def test_an_operator_that_hangs_up_without_listening_is_only_missed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = Spoken.make(tmp_path)
    async with world.running(crash=True):
        link = await bound(world)
        await link.send_all(encode(Unbind(78)))
        await link.aclose()
        await bound(world)

"""The simulated operator on streams, in virtual time; and once on TCP, in real time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from gateway.errors import UsageError
from gateway.sim import server
from gateway.sim.operator import Operator
from gateway.sim.options import SimOptions
from gateway.sim.server import bound_port, listen, serve_stream, serve_tcp
from gateway.smpp.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Mode,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.wire import Splitter, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SUBMIT = SubmitSm(source="ACME", dest="34600111900", short_message=b"hello", registered_delivery=1)


class Client:
    """The customer's end of a stream."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._splitter = Splitter()
        self._pdus: list[Pdu] = []

    async def say(self, pdu: Pdu, sequence: int = 1) -> None:
        await self.stream.send_all(encode(pdu, sequence))

    async def hear(self) -> Pdu:
        """The next PDU; EndOfChannel when the other side has closed."""
        while not self._pdus:
            data = await self.stream.receive_some()
            if not data:
                raise trio.EndOfChannel
            self._pdus = [decode(raw) for raw in self._splitter.feed(bytes(data))]
        return self._pdus.pop(0)

    async def bind(self, mode: Mode = "transceiver") -> None:
        await self.say(Bind("acme", mode=mode))
        assert isinstance(await self.hear(), BindResp)


async def connect(nursery: trio.Nursery, operator: Operator) -> Client:
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(serve_stream, theirs, operator)
    return Client(ours)


@pytest.fixture
async def nursery() -> AsyncIterator[trio.Nursery]:
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()


async def test_a_receipt_comes_when_it_is_due(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    operator = Operator(SimOptions(receipt_delay_min_s=3, receipt_delay_max_s=3))
    client = await connect(nursery, operator)
    await client.bind()
    await client.say(SUBMIT, 2)
    assert isinstance(await client.hear(), SubmitSmResp)
    assert trio.current_time() == 0
    receipt = await client.hear()
    assert isinstance(receipt, DeliverSm)
    assert trio.current_time() == 3
    again = await client.hear()
    assert trio.current_time() == 8
    await client.say(DeliverSmResp(), again.sequence)
    probe = await client.hear()
    assert isinstance(probe, EnquireLink)
    assert trio.current_time() == 38
    await client.say(EnquireLinkResp(), probe.sequence)
    await client.say(Unbind(), 9)
    assert isinstance(await client.hear(), UnbindResp)
    with pytest.raises(trio.EndOfChannel):
        await client.hear()
    assert operator.stats.links_lost == 1


async def test_a_receiver_is_woken_for_what_a_transmitter_submits(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    operator = Operator(SimOptions(receipt_delay_min_s=3, receipt_delay_max_s=3))
    receiver = await connect(nursery, operator)
    await receiver.bind("receiver")
    sender = await connect(nursery, operator)
    await sender.bind("transmitter")
    await sender.say(SUBMIT, 2)
    assert isinstance(await receiver.hear(), DeliverSm)
    assert trio.current_time() == 3


async def test_a_peer_that_closes_leaves_its_receipts_for_its_next_bind(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    operator = Operator(SimOptions(receipt_delay_min_s=1, receipt_delay_max_s=1))
    client = await connect(nursery, operator)
    await client.bind()
    await client.say(SUBMIT, 2)
    await client.hear()
    await client.stream.aclose()
    await trio.sleep(60)
    again = await connect(nursery, operator)
    await again.bind()
    assert isinstance(await again.hear(), DeliverSm)
    assert trio.current_time() == 60


async def test_a_mute_peer_is_closed(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    operator = Operator(SimOptions(enquire_link_s=30, response_timeout_s=10))
    client = await connect(nursery, operator)
    await client.bind()
    assert isinstance(await client.hear(), EnquireLink)
    with pytest.raises(trio.EndOfChannel):
        await client.hear()
    assert trio.current_time() == 40


async def test_a_link_that_drops_answers_what_came_before(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    client = await connect(nursery, Operator(SimOptions()))
    await client.bind()
    dropped = encode(SubmitSm(source="ACME", dest="34600111945", short_message=b"x"), 3)
    await client.stream.send_all(encode(SUBMIT, 2) + dropped)
    answer = await client.hear()
    assert answer.sequence == 2
    with pytest.raises(trio.EndOfChannel):
        await client.hear()


async def test_a_peer_that_never_reads_is_not_read_without_end(
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = 1 << 14
    monkeypatch.setattr(server, "MAX_UNSENT_BYTES", limit)
    ours, theirs = trio.testing.lockstep_stream_pair()
    operator = Operator(SimOptions())
    nursery.start_soon(serve_stream, theirs, operator)
    client = Client(ours)
    await client.bind()
    probes = b"".join(encode(EnquireLink(), number) for number in range(1, 257))
    sent = 0
    with trio.move_on_after(1):
        for _ in range(100):
            await ours.send_all(probes)
            sent += len(probes)
    # What it wrote at once, what waits, and the read that filled it.
    assert limit < sent < 3 * limit
    for _ in range(sent // 16):
        await client.hear()  # and it goes on when the peer reads


async def test_a_stream_that_breaks_while_writing_ends_only_itself(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()

    async def broken() -> None:
        raise trio.BrokenResourceError

    operator = Operator(SimOptions())
    theirs.send_stream.send_all_hook = broken
    nursery.start_soon(serve_stream, theirs, operator)
    await Client(ours).say(Bind("acme"))
    await trio.sleep(1)
    assert operator.stats.links_lost == 1
    other = await connect(nursery, operator)
    await other.bind()


async def test_a_stream_that_breaks_while_reading_ends_only_itself(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    _, theirs = trio.testing.memory_stream_pair()

    async def broken() -> None:
        raise trio.BrokenResourceError

    theirs.receive_stream.receive_some_hook = broken
    await serve_stream(theirs, Operator(SimOptions()))


async def test_over_tcp(nursery: trio.Nursery) -> None:
    options = SimOptions(receipt_delay_min_s=0, receipt_delay_max_s=0, count=1)
    operator = Operator(options)
    finished = trio.Event()
    operator.on_finished = finished.set
    port = await nursery.start(partial(serve_tcp, operator))
    with trio.fail_after(5):
        client = Client(await trio.open_tcp_stream("127.0.0.1", port))
        await client.bind()
        await client.say(SUBMIT, 2)
        assert isinstance(await client.hear(), SubmitSmResp)
        receipt = await client.hear()
        await client.say(DeliverSmResp(), receipt.sequence)
        await finished.wait()
        await client.stream.aclose()


async def test_an_address_in_use_or_not_ours_is_named() -> None:
    listeners = await listen("127.0.0.1", 0)
    port = bound_port(listeners)
    with pytest.raises(UsageError, match=f"port {port}") as caught:
        await listen("127.0.0.1", port)
    assert caught.value.fields["field"] == "port"
    with pytest.raises(UsageError) as caught:
        await listen("192.0.2.1", 0)
    assert caught.value.fields["field"] == "host"
    for each in listeners:
        await each.aclose()

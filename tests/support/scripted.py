"""An operator whose every answer a test decides; for what a simulated one never does."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import trio

from gateway.smpp.pdu import (
    Bind,
    BindResp,
    EnquireLink,
    EnquireLinkResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.wire import Splitter, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.smpp.pdu import Pdu

    Answers = Iterable[Pdu | bytes]


class Script:
    """Answers each PDU with what *answer* gives; None: as a polite operator would.

    `seen` is every PDU received with its time, `links` the streams that are open.
    """

    def __init__(
        self,
        answer: Callable[[Pdu], Answers | None] = lambda _: None,
        *,
        delay_s: float = 0.0,
        version: int | None = 0x34,
    ) -> None:
        self.answer = answer
        self.delay_s = delay_s
        self.version = version
        self.seen: list[tuple[float, Pdu]] = []
        self.links: list[trio.abc.Stream] = []
        self._ids = count(1)

    def submits(self) -> list[SubmitSm]:
        """Every submit_sm, in the order they came."""
        return [pdu for _, pdu in self.seen if isinstance(pdu, SubmitSm)]

    def binds(self) -> list[float]:
        """When each bind came."""
        return [at for at, pdu in self.seen if isinstance(pdu, Bind)]

    def polite(self, pdu: Pdu) -> Answers:
        """What an operator without trouble answers."""
        match pdu:
            case Bind(sequence=sequence, mode=mode):
                version = self.version
                return [BindResp("SCRIPT", mode, sequence=sequence, sc_interface_version=version)]
            case SubmitSm(sequence=sequence):
                return [SubmitSmResp(str(next(self._ids)), sequence=sequence)]
            case EnquireLink(sequence=sequence):
                return [EnquireLinkResp(sequence)]
            case Unbind(sequence=sequence):
                return [UnbindResp(sequence)]
            case _:
                return []

    async def send(self, *pdus: Pdu | bytes) -> None:
        """Send over the latest link, without being asked."""
        await self.links[-1].send_all(_octets(pdus))

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One connection, until either side ends it."""
        self.links.append(stream)
        splitter = Splitter()
        try:
            async with stream, trio.open_nursery() as nursery:
                async for data in stream:
                    for raw in splitter.feed(data):
                        pdu = decode(raw)
                        self.seen.append((trio.current_time(), pdu))
                        answers = self.answer(pdu)
                        octets = _octets(self.polite(pdu) if answers is None else answers)
                        if octets and self.delay_s and isinstance(pdu, SubmitSm):
                            nursery.start_soon(self._later, stream, octets)
                        elif octets:
                            await stream.send_all(octets)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.links.remove(stream)

    async def _later(self, stream: trio.abc.Stream, octets: bytes) -> None:
        await trio.sleep(self.delay_s)
        await stream.send_all(octets)


def _octets(pdus: Iterable[Pdu | bytes]) -> bytes:
    return b"".join(pdu if isinstance(pdu, bytes) else encode(pdu) for pdu in pdus)

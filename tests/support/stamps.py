"""Time-stamping authorities for tests, without a socket: the daemon is given a transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import httpx
import trio

from gateway.sim.authority import Behaviour, StampingAuthority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.world import VirtualClock

#: 2026-11-21T10:00:00Z, when the worlds of tests begin.
BEGAN = datetime(2026, 11, 21, 10, tzinfo=UTC)
TIMESTAMP = """
[[timestamp]]
name = "{name}"
url = "http://{name}.example/tsr"
ca_file = "{ca}"
timeout_s = 10
{settings}
"""


@cache
def authority(name: str = "tsa") -> StampingAuthority:
    """One authority for each name: keys cost time."""
    assert name
    return StampingAuthority(BEGAN)


@dataclass
class Makers:
    """Authorities by name, how each behaves now, and what each was asked."""

    clock: VirtualClock
    behaviour: dict[str, Behaviour] = field(default_factory=dict)
    #: Those that cannot be reached.
    down: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def web(self) -> httpx.AsyncClient:
        """The client the daemon asks by."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """What a real transport would do."""
        name = request.url.host.partition(".")[0]
        self.asked.append(name)
        await trio.lowlevel.checkpoint()
        if name in self.down:
            raise httpx.ConnectError("connection refused")
        behaviour = self.behaviour.get(name, Behaviour.RIGHT)
        if behaviour is Behaviour.SLOW:
            await trio.sleep_forever()
        if behaviour is Behaviour.HTTP_500:
            return httpx.Response(500)
        kind = {"content-type": "application/timestamp-reply"}
        if behaviour is Behaviour.HUGE:
            body = bytes(1 << 20)
            kind["content-length"] = str(len(body))
            return httpx.Response(200, headers=kind, content=_pieces(body))
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self.clock.wall_ms())
        answer = authority(name).answer(request.content, at, behaviour)
        return httpx.Response(200, headers=kind, content=_pieces(answer))


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """As from a socket."""
    for start in range(0, len(body), 1000):
        await trio.lowlevel.checkpoint()
        yield body[start : start + 1000]


def configured(directory: Path, *names: str, settings: str = "") -> str:
    """The `[[timestamp]]` tables of those authorities; their certificates are written."""
    tables = []
    for name in names:
        ca = directory / f"{name}.pem"
        ca.write_bytes(authority(name).ca_pem)
        tables.append(TIMESTAMP.format(name=name, ca=ca, settings=settings))
    return "".join(tables)

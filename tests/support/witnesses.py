"""Witnesses for tests, without a socket: the real thing behind the daemon's client."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import trio

from gateway.evidence.keyfile import write_key
from gateway.evidence.vault import LOG_KEY
from gateway.evidence.witness import Logs
from gateway.evidence.witnessfile import Witness
from gateway.ledger.note import Signer, Verifier
from tests.support.ledgers import seed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import VirtualClock

ORIGIN = "sms.example.es/1"
#: The log's key in these worlds, known beforehand so that witnesses can be told.
LOG = Signer.from_seed(ORIGIN, seed("world"))
TABLE = """
[[witness]]
name = "{name}"
url = "http://{name}.example/"
vkey = "{vkey}"
timeout_s = 5
"""


def log_key(directory: Path) -> str:
    """Settings for the log's known key, whose file is made."""
    write_key(directory / "log-key", LOG_KEY, seed("world"))
    return f'[ledger]\nkey = {{file = "{directory}/log-key"}}\n'


@dataclass
class Witnesses:
    """Witnesses by name, and who of them is down or lies."""

    directory: Path
    clock: VirtualClock
    down: set[str] = field(default_factory=set)
    #: What these say instead of the truth.
    lies: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: Those that answer add-checkpoint but show nothing.
    shy: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    _open: dict[str, Witness] = field(default_factory=dict)

    def start(self, name: str, *vkeys: str) -> Witness:
        """The witness of that name, for the log of these keys; again, with other keys."""
        if name in self._open:
            self._open.pop(name).close()
        logs = Logs([Verifier.from_vkey(vkey) for vkey in vkeys or (LOG.vkey,)])
        place = self.directory / f"witness-{name}"
        self._open[name] = Witness.open(place, logs, name=f"{name}.example/1")
        return self._open[name]

    def configured(self, *names: str) -> str:
        """The `[[witness]]` tables."""
        return "".join(TABLE.format(name=n, vkey=self._open[n].vkey) for n in names)

    def web(self) -> httpx.AsyncClient:
        """The client the daemon asks by."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    def close(self) -> None:
        """Let go of every memory."""
        for witness in self._open.values():
            witness.close()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """What a real transport would do."""
        name = request.url.host.partition(".")[0]
        self.asked.append(name)
        await trio.lowlevel.checkpoint()
        if name in self.down:
            raise httpx.ConnectError("connection refused")
        witness = self._open[name]
        if request.method == "GET":
            assert request.url.path == f"/checkpoint/{sha256(ORIGIN.encode()).hexdigest()}"
            note = None if name in self.shy else witness.checkpoint(ORIGIN)
            return httpx.Response(404) if note is None else httpx.Response(200, text=note)
        if name in self.lies:
            status, body = self.lies[name]
            return httpx.Response(status, text=body)
        _, answer = witness.add_checkpoint(request.content, self.clock.wall_ms() // 1000)
        return httpx.Response(answer.status, text=answer.body)

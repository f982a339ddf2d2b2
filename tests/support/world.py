"""The whole daemon in virtual time: real store on disk, simulated operators on memory streams.

A `World` is a data directory, its operators and a clock; `running()` is one life of the daemon in
it. What a test does is what a submitter does: the admin protocol's commands.
"""

from __future__ import annotations

import json
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import trio
import trio.testing

from gateway.daemon.admin import Connection
from gateway.daemon.app import run
from gateway.daemon.gateway import Gateway, open_gateway
from gateway.daemon.notify import Notifier
from gateway.daemon.roles import Peer, Role
from gateway.daemon.web import open_web
from gateway.errors import LinkLost
from gateway.settings import load_settings
from gateway.sim.operator import Operator
from gateway.sim.options import SimOptions
from gateway.sim.server import serve_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from gateway.daemon.web import Web
    from gateway.settings import OperatorSettings
    from tests.support.scripted import Script

T = TypeVar("T")

#: Saturday 2026-11-21, 11:00 in Madrid: nothing is quiet.
NOON_MS = 1_795_255_200_000

NOTICE = "Su factura vence el dia 30"
#: With all that the law wants of it: who writes, and how to stop it.
PROMOTION = "ACME: -20 % este fin de semana. Baja: https://acme.example/b"
#: What a person must have agreed to for messages of these categories.
PURPOSES = {"promotional": "marketing", "cart_reminder": "cart"}

CONFIG = """
[gateway]
name = "sms.example.es"
data_dir = "{directory}/data"
admin_socket = "{directory}/admin.sock"
profile = "law"
{gateway}
[issuer]
legal_name = "Acuse Ejemplo SL"
tax_id = "B00000000"
[brands.acme]
legal_name = "ACME Ejemplo SA"
tax_id = "A00000000"
senders = ["ACME", "+34600555000", "+34600111942"]
opt_out_url = "https://acme.example/b"
[senders.ACME]
registered_in = ["ES"]
[senders."+34600555000"]
[senders."+34600111942"]
{operators}
{routes}
"""
ROUTE = """
[[routes]]
to = ["{prefix}"]
operators = [{names}]
"""
OPERATOR = """
[operators.{name}]
host = "127.0.0.1"
port = {port}
system_id = "acuse"
password = "secret"
receipt_means = "handset"
rate = 100000.0
{settings}
"""


def write_config(
    directory: Path,
    operators: dict[str, str],
    *,
    ports: dict[str, int] | None = None,
    routes: dict[str, list[str]] | None = None,
    gateway: str = "",
) -> Path:
    """A configuration for *operators* (name → extra settings); its path.

    *routes* gives the operators of each prefix, preferred first; by default all carry everything.
    """
    path = directory / "acuse.toml"
    text = CONFIG.format(
        directory=directory,
        gateway=gateway,
        operators="".join(
            OPERATOR.format(name=name, settings=extra, port=(ports or {}).get(name, 2775))
            for name, extra in operators.items()
        ),
        routes="".join(
            ROUTE.format(prefix=prefix, names=", ".join(f'"{name}"' for name in names))
            for prefix, names in (routes or {"+": list(operators)}).items()
        ),
    )
    path.write_text(text)
    path.chmod(0o600)
    return path


class VirtualClock:
    """Wall time that follows trio's virtual time, and can be set wrong."""

    def __init__(self, wall_ms: int = NOON_MS) -> None:
        self.offset_ms = wall_ms

    def wall_ms(self) -> int:
        return self.offset_ms + round(trio.current_time() * 1000)

    def monotonic_s(self) -> float:
        # As on a real machine the system's monotonic clock and trio's begin somewhere else.
        return trio.current_time() + 86_400


async def inline(work: Callable[[], None]) -> None:
    """Commit on this thread: a virtual clock would jump while a worker thread runs.

    Before and after it, everybody else gets a turn, as they do while a real disk works.
    """
    with trio.CancelScope(shield=True):
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        work()
        await trio.lowlevel.checkpoint()


async def read_inline(question: Callable[[], T]) -> T:
    """Read on the spot, for the same reason."""
    return question()


@dataclass
class Daemon:
    """A running daemon as its admin socket shows it."""

    gateway: Gateway
    nursery: trio.Nursery
    role: Role = Role.OPERATOR
    agreed: set[tuple[str, str]] = field(default_factory=set)

    async def ask_all(self, requests: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Send requests over one connection; every line that came back."""
        ours, theirs = trio.testing.memory_stream_pair()
        connection = Connection(theirs, Peer(1, 0, 0), self.role, self.gateway.questions)
        lines = [
            json.dumps({"v": 1, "id": number, "cmd": cmd, "args": args})
            for number, (cmd, args) in enumerate(requests)
        ]

        async def serve() -> None:
            async with theirs:
                await connection.run()

        self.nursery.start_soon(serve)
        await ours.send_all(("\n".join(lines) + "\n").encode())
        await ours.send_eof()
        received = bytearray()
        async for data in ours:
            received += data
        return [json.loads(line) for line in received.splitlines()]

    async def ask(self, cmd: str, **args: object) -> dict[str, Any]:
        """The whole answer to one request."""
        answers = await self.ask_all([(cmd, args)])
        return answers[-1]

    async def result(self, cmd: str, **args: object) -> dict[str, Any]:
        """The result of one request that must succeed."""
        answer = await self.ask(cmd, **args)
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def items(self, cmd: str, **args: object) -> list[dict[str, Any]]:
        """The items of a list."""
        return [a["item"] for a in await self.ask_all([(cmd, args)]) if "item" in a]

    async def submit(self, to: str, **args: object) -> dict[str, Any]:
        """Submit a legal notice (which no quiet hours hold under the law of Spain).

        Who is sent a promotion or a reminder agreed to it before, and its text is as it must be.
        """
        category = str(args.get("category", "legal_notice"))
        text = NOTICE
        if category in PURPOSES:
            text = PROMOTION
            await self.willing(to, purpose=PURPOSES[category])
        return await self.result("submit", to=to, **{"text": text, "category": category, **args})

    async def willing(self, *people: str, purpose: str = "marketing") -> None:
        """These people agree to messages of the brand, if they did not before."""
        fresh = [each for each in people if (each, purpose) not in self.agreed]
        self.agreed.update((each, purpose) for each in fresh)
        grant = {"brand": "acme", "purpose": purpose, "method": "double", "source": "web form"}
        answers = await self.ask_all([("consent.grant", {"to": each, **grant}) for each in fresh])
        assert all("result" in answer for answer in answers), answers

    async def final(self, submission_id: str, timeout_s: float = 3600) -> dict[str, Any]:
        """The record once it is sealed."""
        return await self.result("messages.wait", submission_id=submission_id, timeout_s=timeout_s)

    async def show(self, submission_id: str) -> dict[str, Any]:
        """The record as it is now."""
        return await self.result("receipts.show", submission_id=submission_id)


@dataclass
class World:
    """A data directory, its operators, and whether they can be reached."""

    directory: Path
    operators: dict[str, Operator]
    config: Path
    clock: VirtualClock = field(default_factory=VirtualClock)
    reachable: bool = True
    connections: int = 0
    #: Who answers in place of a simulated operator, by its name.
    scripts: dict[str, Script] = field(default_factory=dict)
    #: How the daemon asks time-stamping authorities and witnesses.
    web: Web = open_web

    @classmethod
    def make(
        cls,
        directory: Path,
        operators: dict[str, str] | None = None,
        *,
        routes: dict[str, list[str]] | None = None,
        gateway: str = "",
        options: SimOptions | None = None,
    ) -> Self:
        """A world with the given operators (name → extra settings); default one, `movistar`."""
        known = operators or {"movistar": ""}
        sims = {
            name: Operator(replace(options or SimOptions(), seed=number), wall_s=NOON_MS / 1000)
            for number, name in enumerate(known, start=7)
        }
        return cls(directory, sims, write_config(directory, known, gateway=gateway, routes=routes))

    @asynccontextmanager
    async def running(self, *, crash: bool = False) -> AsyncIterator[Daemon]:
        """One life of the daemon. *crash*: it ends without a word, as by SIGKILL."""
        settings = load_settings(self.config)
        async with trio.open_nursery() as nursery:
            connect = partial(self._connect, nursery)
            settings.gateway.data_dir.mkdir(exist_ok=True)
            gateway = open_gateway(
                settings,
                self.clock,
                now_s=trio.current_time(),
                connect=connect,
                offload=inline,
                read=read_inline,
                random=random.Random(1),
                web=self.web,
            )
            nursery.start_soon(run, gateway, None, Notifier({}))
            daemon = Daemon(gateway, nursery)
            yield daemon
            if not crash:
                if not gateway.state.draining:  # asked twice, it would not wait
                    gateway.state.stop()
                with trio.fail_after(120):
                    await gateway.state.ended.wait()
            nursery.cancel_scope.cancel()
        if crash:
            # In this order SQLite leaves the WAL as it is: a reader folds nothing when it closes.
            gateway.store.abandon()
            gateway.reader.close()

    async def _connect(self, nursery: trio.Nursery, settings: OperatorSettings) -> trio.abc.Stream:
        if not self.reachable:
            raise LinkLost("unreachable", hint="it is switched off in this test")
        self.connections += 1
        ours, theirs = trio.testing.memory_stream_pair()
        script = self.scripts.get(settings.name)
        if script is not None:
            nursery.start_soon(script.serve, theirs)
        else:
            nursery.start_soon(serve_stream, theirs, self.operators[settings.name])
        return ours

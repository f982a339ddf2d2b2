"""A simulated operator with a habit, the daemon before it, and what became of some messages."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

from gateway.sim.options import SimOptions
from gateway.sim.server import serve_stream
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.settings import OperatorSettings
    from gateway.sim.operator import Operator, Reply
    from tests.support.world import Daemon

NAME = "movistar"


def codes(record: dict[str, Any]) -> list[str]:
    """The events of a record, in order."""
    return [event["event"] for event in record["events"]]


class LockstepWorld(World):
    """A world whose connections hold nothing: who writes waits until the other side has read."""

    async def _connect(self, nursery: trio.Nursery, settings: OperatorSettings) -> trio.abc.Stream:
        self.connections += 1
        ours, theirs = trio.testing.lockstep_stream_pair()
        nursery.start_soon(serve_stream, theirs, self.operators[settings.name])
        return ours


@dataclass
class Stage:
    """A running daemon and the operator it is bound to."""

    world: World
    daemon: Daemon

    @property
    def operator(self) -> Operator:
        """The simulated operator."""
        return self.world.operators[NAME]

    async def send(self, count: int, *, after_s: float = 60.0, **args: object) -> list[str]:
        """Submit *count* messages to different people, let time pass; their ids."""
        ids = []
        for number in range(count):
            # A little apart, so that the habit's forms go by the order of submission.
            answer = await self.daemon.submit(f"+34600111{201 + number}", **args)
            ids.append(answer["submission_id"])
            await trio.sleep(0.01)
        await trio.sleep(after_s)
        return ids

    async def records(self, ids: list[str]) -> list[dict[str, Any]]:
        """The records as they are now."""
        return [await self.daemon.show(each) for each in ids]

    async def outcome(
        self, count: int, *, after_s: float = 60.0, **args: object
    ) -> list[dict[str, Any]]:
        """`send`, and the records it led to."""
        return await self.records(await self.send(count, after_s=after_s, **args))

    async def status(self) -> dict[str, Any]:
        """What `acuse status` says."""
        return await self.daemon.result("status")

    def replies(self, label: str) -> list[Reply]:
        """What the daemon answered to requests of that label."""
        return [reply for reply in self.operator.replies if reply.label == label]

    def all_acknowledged(self) -> bool:
        """Whether every receipt was sent once and answered with 0."""
        stats = self.operator.stats
        return (
            stats.receipts_sent == stats.receipts_acknowledged
            and not stats.receipts_resent
            and not stats.receipts_refused
        )


@asynccontextmanager
async def stage(
    directory: Path,
    behaviour: str,
    settings: str = "",
    *,
    gateway: str = "",
    operators: dict[str, str] | None = None,
    routes: dict[str, list[str]] | None = None,
    connections: int = 1,
    lockstep: bool = False,
    **options: Any,
) -> AsyncIterator[Stage]:
    """The daemon before an operator with that *behaviour* and those *options*.

    At the end: still bound, after no more than *connections*, nothing was sent twice.
    """
    kind = LockstepWorld if lockstep else World
    world = kind.make(
        directory,
        operators or {NAME: settings},
        gateway=gateway,
        routes=routes,
        options=SimOptions(behaviour=behaviour, **options),
    )
    async with world.running() as daemon:
        link = daemon.gateway.operators[NAME].links[0]
        with trio.fail_after(600):
            while not (link.can_submit() or link.state == "bound"):
                await trio.sleep(0.01)
        shown = Stage(world, daemon)
        yield shown
        status = await shown.status()
        assert {each["state"] for each in status["operators"]} == {"bound"}
        assert world.connections == connections
        assert not any(each.duplicates() for each in world.operators.values())

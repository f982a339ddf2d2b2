"""Anchors: what stands outside vouches for each checkpoint, and the log commits to it.

Each source (a time-stamping authority, a witness) has a task of its own that asks for the latest
durable checkpoint, never for an earlier one, so that being behind costs one question and no more.
What sources give within a moment goes into one `x.Anchor` entry, in one transaction with the tokens
and cosignatures themselves. A source that fails is asked again, later and later; the log goes on.

Signing → durable → asked → checked → `x.Anchor` and voucher durable, together. A crash in between
loses a token that nobody was told of, and it is asked for again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import structlog
import trio

from gateway.clock import optional_text
from gateway.daemon.backoff import Backoff, Trouble
from gateway.daemon.commands import Command
from gateway.errors import AcuseError, DataError
from gateway.ledger.entry import ANCHOR
from gateway.ledger.note import Checkpoint, open_note
from gateway.ledger.outside import TokenRow

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    import httpx

    from gateway.daemon.guard import GuardedClock
    from gateway.daemon.pipeline import Pipeline
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.web import Web
    from gateway.evidence.quorum import Quorum
    from gateway.ledger.outside import Voucher
    from gateway.ledger.store import Store

log = structlog.get_logger()

#: The first and the longest wait before a source that failed is asked again.
RETRY_S: Final = (5.0, 300.0)
#: How long the first voucher waits for others, so that one entry names them all.
_GATHER_S: Final = 2.0
#: How long a bundle waits for the checkpoint just signed to be vouched for.
_SETTLE_S: Final = 5.0


class Signed(NamedTuple):
    """A durable checkpoint."""

    size: int
    note: str


class Source(Protocol):
    """Somebody outside who vouches for checkpoints."""

    @property
    def name(self) -> str:
        """What status calls it."""
        ...

    @property
    def kind(self) -> str:
        """`timestamp` or `witness`."""
        ...

    @property
    def table(self) -> tuple[str, str]:
        """Where what it gave is stored: the table, and the column with its name."""
        ...

    async def vouch(self, client: httpx.AsyncClient, signed: Signed) -> Voucher:
        """What it gives for a checkpoint, checked; raises `AcuseError`."""
        ...

    def tell(self, size: int, reason: str, hint: str, wait_s: float) -> None:
        """Log that it gave nothing of use."""
        ...


class _Desk:
    """A source, and how it goes with it."""

    def __init__(self, source: Source, backoff: Backoff, last: tuple[int, int] | None) -> None:
        self.source = source
        self.backoff = backoff
        self.size = 0 if last is None else last[0]
        self.at_ms = None if last is None else last[1]
        self.busy = False
        self.error: AcuseError | None = None
        self.next_ms: int | None = None

    def shown(self, now_size: int) -> dict[str, Any]:
        """Its line of `status`."""
        state = "done" if self.size >= now_size else "pending"
        fields = {} if self.error is None else self.error.fields
        notes = {name: fields[name] for name in ("ours", "theirs") if fields.get(name)}
        return {
            "name": self.source.name,
            "kind": self.source.kind,
            "state": "failing" if self.error is not None else state,
            "size": self.size or None,
            "at": optional_text(self.at_ms),
            "last_error": None if self.error is None else self.error.message,
            "hint": None if self.error is None else self.error.hint or None,
            "next_try_at": optional_text(self.next_ms),
            **({"conflict": notes} if notes else {}),
        }


class Anchoring:
    """Collects vouchers for checkpoints and has the writer commit to them."""

    def __init__(
        self,
        sources: Sequence[Source],
        quorum: Quorum,
        store: Store,
        sealer: Sealer,
        pipeline: Pipeline,
        web: Web,
        random: random.Random,
    ) -> None:
        self._quorum = quorum
        self._store = store
        self._sealer = sealer
        self._pipeline = pipeline
        self._web = web
        self._clock: GuardedClock = pipeline.clock
        self._desks = [
            _Desk(each, Backoff(RETRY_S, random), store.outside.last_of(*each.table, each.name))
            for each in sources
        ]
        note = store.last_note()
        self._latest = None if note is None else Signed(store.checkpoint_size, note)
        self._collected: list[tuple[Signed, Voucher]] = []
        self._changed = trio.Event()
        self._scope = trio.CancelScope()
        newest = store.outside.newest()
        #: The largest checkpoint that is anchored, and when it was vouched for.
        self.size = 0 if newest is None else newest[0]
        self.at_ms = None if newest is None else newest[1]

    # -- what others tell and ask --------------------------------------------------------------

    def checkpointed(self, size: int, note: str) -> None:
        """A new checkpoint is durable."""
        self._latest = Signed(size, note)
        self._notify()

    def stop(self) -> None:
        """Ask nobody any more."""
        self._scope.cancel()

    async def settled(self) -> None:
        """Wait until the latest checkpoint is anchored, or nobody is left who might do it soon."""
        with trio.move_on_after(_SETTLE_S):
            while self._latest is not None and not self._enough(self._latest.size):
                if all(desk.error is not None for desk in self._desks):
                    return
                await self._changed.wait()

    def status(self) -> dict[str, Any]:
        """The object `anchors` of `status`."""
        now_size = 0 if self._latest is None else self._latest.size
        at_ms = self.at_ms
        return {
            "size": self.size or None,
            "at": optional_text(at_ms),
            "age_s": None if at_ms is None else max(0, self._clock.now_ms() - at_ms) // 1000,
            "pending": bool(self._desks) and not self._enough(now_size),
            **({"quorum": self._witnessed(now_size)} if self._witnesses() else {}),
            "sources": [desk.shown(now_size) for desk in self._desks],
        }

    def _enough(self, size: int) -> bool:
        """Whether the checkpoint is anchored, stamped by one authority at least where there are
        any, and witnessed by the quorum. The others are asked on all the same.
        """
        stamps = [desk.size >= size for desk in self._desks if desk.source.kind == "timestamp"]
        return self.size >= size and (any(stamps) or not stamps) and self._witnessed(size)

    def _witnessed(self, size: int) -> bool:
        """Whether the quorum of witnesses has cosigned that checkpoint or a later one."""
        return self._quorum.met([d.source.name for d in self._witnesses() if d.size >= size])

    def _witnesses(self) -> list[_Desk]:
        return [desk for desk in self._desks if desk.source.kind == "witness"]

    # -- the task ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until stopped; returns at once where nobody is configured."""
        if not self._desks:
            return
        with self._scope:
            async with self._web() as client, trio.open_nursery() as nursery:
                for desk in self._desks:
                    nursery.start_soon(self._serve, desk, client)
                await self._anchor()

    async def _serve(self, desk: _Desk, client: httpx.AsyncClient) -> None:
        """Ask one source, checkpoint after checkpoint."""
        while True:
            signed = self._latest
            if signed is None or desk.size >= signed.size:
                await self._changed.wait()
                continue
            desk.busy = True
            try:
                voucher = await desk.source.vouch(client, signed)
            except AcuseError as error:
                await self._failed(desk, signed, error)
                continue
            finally:
                desk.busy = False
            desk.size, desk.at_ms = signed.size, voucher.at_ms
            desk.error, desk.next_ms = None, None
            desk.backoff.reset()
            self._collected.append((signed, voucher))
            self._notify()

    async def _failed(self, desk: _Desk, signed: Signed, error: AcuseError) -> None:
        """Wait before the next try. Who answers wrongly mends slowly: that wait grows fast."""
        desk.busy = False
        wrong = isinstance(error, DataError)
        wait_s = desk.backoff.wait_s(Trouble.CREDENTIALS if wrong else Trouble.LINK)
        desk.error, desk.next_ms = error, self._clock.now_ms() + round(wait_s * 1000)
        desk.source.tell(signed.size, error.message, error.hint, wait_s)
        self._notify()
        await trio.sleep(wait_s)

    async def _anchor(self) -> None:
        """Commit to what was collected: what comes within a moment goes into one entry."""
        while True:
            if not self._collected:
                await self._changed.wait()
                continue
            with trio.move_on_after(_GATHER_S):
                while any(desk.busy for desk in self._desks):
                    await self._changed.wait()
            vouchers, self._collected = self._collected, []
            await self._durable(partial(self._write, vouchers))
            for signed, voucher in vouchers:
                if signed.size > self.size:
                    self.size, self.at_ms = signed.size, voucher.at_ms
            self._notify()

    async def _durable(self, do: Callable[[int], dict[str, Any]]) -> None:
        """Have something done in a batch, and wait until it is durable."""
        done = trio.Event()
        self._pipeline.command(Command(do, lambda _: done.set()))
        await done.wait()

    def _write(self, vouchers: list[tuple[Signed, Voucher]], now_ms: int) -> dict[str, Any]:
        """Inside a batch: one `x.Anchor` for each checkpoint, and the vouchers themselves."""
        for signed in sorted({each for each, _ in vouchers}):
            given = [voucher for each, voucher in vouchers if each == signed]
            tokens = [each.hash for each in given if isinstance(each, TokenRow)]
            witnesses = [each.hash for each in given if not isinstance(each, TokenRow)]
            checkpoint = Checkpoint.parse(open_note(signed.note)[0])
            seq = self._sealer.log_event(
                ANCHOR,
                now_ms,
                size=signed.size,
                root=checkpoint.root.hex(),
                tokens=tokens,
                witnesses=witnesses,
            )
            for voucher in given:
                self._store.outside.put(seq, voucher)
            log.info(
                "ledger.anchored",
                size=signed.size,
                seq=seq,
                tokens=len(tokens),
                witnesses=len(witnesses),
            )
        return {}

    def _notify(self) -> None:
        """Wake everybody who waits for a change."""
        self._changed.set()
        self._changed = trio.Event()

"""The end of a retention month: once a day, content that is older than `content_days` goes.

A month is over when its last instant is. Everything wrapped with its KEK is erased in small batches
(`erasing`), each with the entries that say so; then the KEK itself is destroyed, which kills every
copy of the database too, and the file is swept. What a legal hold is on, or is still open, and
consents that stand are wrapped with the KEK of the present month before that, and looked at again
when it is over, or on the day after the hold is released.

After a crash the next round goes on: the KEK is there until nothing needs it, so its file is what
says that a month is not done.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
import trio

from gateway.daemon.erasing import ROWS
from gateway.daemon.months import month_of
from gateway.errors import AcuseError
from gateway.ledger.due import KINDS, month_span

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from gateway.daemon.erasing import Erasing
    from gateway.daemon.guard import GuardedClock
    from gateway.daemon.pipeline import Pipeline
    from gateway.daemon.questions import Read
    from gateway.daemon.sweeping import Sweeping
    from gateway.evidence.vault import Vault
    from gateway.ledger.due import Due
    from gateway.settings import Retention as Settings

log = structlog.get_logger()

E = TypeVar("E")
T = TypeVar("T")

DAY_MS: Final = 86_400_000
#: The first round is some time after the start, when a clock that was wrong has been set right.
FIRST_S: Final = 900.0
ROUND_S: Final = 86_400.0
#: Between two batches of erasures, for the traffic.
_PAUSE_S: Final = 0.02


class Retention:
    """Ends retention months."""

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        due: Due,
        erasing: Erasing,
        sweeping: Sweeping,
        pipeline: Pipeline,
        read: Read,
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._due = due
        self._erasing = erasing
        self._sweeping = sweeping
        self._pipeline = pipeline
        self._clock: GuardedClock = pipeline.clock
        self._read = read

    async def run(self) -> None:
        """A round some minutes after the start, and then every day."""
        before_ms, before_s = self._clock.now_ms(), trio.current_time()
        await self._wait(FIRST_S)
        while True:
            now_ms, now_s = self._clock.now_ms(), trio.current_time()
            ahead_ms = now_ms - before_ms - (now_s - before_s) * 1000
            if ahead_ms > DAY_MS:
                # Nothing brings back what a wrong clock destroys.
                log.warning("retention.postponed", reason="the clock was set forward", days=1)
            else:
                await self._round(now_ms)
            before_ms, before_s = now_ms, now_s
            await self._wait(ROUND_S)

    async def _wait(self, time_s: float) -> None:
        """Until the next round; a sweep that was put off is done meanwhile."""
        with trio.move_on_after(time_s):
            await self._told(self._sweeping.again)
            await trio.sleep_forever()  # it failed: a person has to look

    async def _round(self, now_ms: int) -> None:
        await self._told(partial(self.end_months, now_ms))

    @staticmethod
    async def _told(work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except AcuseError as error:
            log.warning("retention.failed", reason=error.message, hint=error.hint)

    async def end_months(self, now_ms: int) -> None:
        """End every month that is over at *now_ms*, and erase what was held when its month ended.

        Raises:
            AcuseError: a key or the file could not be read or written; the next round goes on.
        """
        limit_ms = now_ms - self._settings.content_days * DAY_MS
        for month in self._vault.months():
            if month_span(month)[1] <= limit_ms:
                await self._end(month, limit_ms)
        released = await self._read(self._due.released)
        ids = [row_id for row_id, at_ms in released if month_span(month_of(at_ms))[1] <= limit_ms]
        for some in _batches(ids):
            await self._alone(partial(self._erasing.submissions, some, self._settings.basis))

    # -- one month -----------------------------------------------------------------------------

    async def _end(self, month: str, limit_ms: int) -> None:
        counts = Counter[str]()
        counts["optouts"] += await self._suppressed(month)
        for kind in KINDS:
            after: int | None = None
            while True:
                page = await self._read(partial(self._due.page, kind, month, after))
                for some in _batches(page.ids):
                    counts[kind] += await self._erase(kind, month, some, limit_ms)
                after = page.after
                if after is None:
                    break
        # Before the KEK goes: nothing may be lost by it that was to be kept, or was not told of.
        left = await self._pipeline.aside(partial(self._erasing.is_left, month))
        if not left:
            # It is the last thing: until then a crash finds the month still there to be ended.
            await self._pipeline.aside(partial(self._vault.destroy, month))
            await self._sweeping.run()
        log.info(
            "retention.ended",
            month=month,
            submissions=counts["submissions"],
            others=counts.total() - counts["submissions"],
            key="kept" if left else "destroyed",
        )

    async def _erase(self, kind: str, month: str, ids: Sequence[int], limit_ms: int) -> int:
        erasing, basis = self._erasing, self._settings.basis
        if kind == "services":
            return await self._alone(lambda _: erasing.services(ids))
        if kind == "submissions":
            return await self._alone(
                lambda now_ms: erasing.end(month, ids, basis, now_ms, month_of(now_ms))
            )
        if kind == "consents":
            return await self._alone(
                lambda now_ms: erasing.consents(
                    ids, basis, now_ms, ended_ms=limit_ms, to=month_of(now_ms)
                )
            )
        if kind == "lists":
            return await self._alone(
                lambda now_ms: erasing.lists(
                    ids, basis, now_ms, ended_ms=limit_ms, to=month_of(now_ms)
                )
            )
        erase: Callable[[Sequence[int], str, int], int] = getattr(erasing, kind)
        return await self._alone(partial(erase, ids, basis))

    async def _suppressed(self, month: str) -> int:
        """Forget the numbers of imported opt-outs of *month*."""
        count = 0
        after: tuple[bytes, str] | None = (b"", "")
        while after is not None:
            rows, after = await self._read(partial(self._due.suppressed, month, after))
            for some in _batches(rows):
                count += await self._alone(partial(self._forget, some))
        return count

    def _forget(self, rows: Sequence[tuple[bytes, str]], _: int) -> int:
        return self._erasing.suppressed(rows)

    async def _alone(self, change: Callable[[int], T]) -> T:
        answer = await self._pipeline.alone(change)
        await trio.sleep(_PAUSE_S)
        return answer


def _batches(rows: Sequence[E]) -> Iterator[Sequence[E]]:
    for start in range(0, len(rows), ROWS):
        yield rows[start : start + ROWS]

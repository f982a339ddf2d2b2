"""Cleaning up after an erasure: the old pages leave the WAL and the file, and nothing of what was
erased stays in unused parts of pages.

It goes on in portions between batches. A program that reads an older state of the file (a check of
the whole ledger, a backup) keeps its pages; then it is tried again until that one is done. The file
remembers that it is to be swept, so that a crash only puts it off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from gateway.daemon.erasing import Erasing
    from gateway.daemon.pipeline import Pipeline
    from gateway.ledger.store import Store

#: How often the WAL is tried that somebody reads, and for how long before giving up for now.
_TRY_S: Final = 0.05
_TRY_MOST_S: Final = 20.0
#: How long after that it is tried again.
_AGAIN_S: Final = 60.0


class Sweeping:
    """Sweeps the ledger file, one pass at a time."""

    def __init__(self, store: Store, pipeline: Pipeline, erasing: Erasing) -> None:
        self._store = store
        self._pipeline = pipeline
        self._erasing = erasing
        self._lock = trio.Lock()
        #: Something was erased that may be left in unused parts of the file.
        self.due = store.erasures.unswept()
        self._put_off = trio.Event()
        if self.due:
            self._put_off.set()

    async def run(self) -> bool:
        """Sweep the whole file; False if a reader kept the old state for too long.

        Raises:
            StorageError: the file cannot be swept.
        """
        async with self._lock:
            before = self._erasing.count
            self.due = True
            self._store.sweep.begin()
            more: bool | None = True
            patience_s = _TRY_MOST_S
            while more:
                more = await self._pipeline.aside(self._portion)
                if more is None:
                    patience_s -= _TRY_S
                    if patience_s <= 0:
                        self._put_off.set()
                        return False
                    more = True
                    await trio.sleep(_TRY_S)
            await self._pipeline.alone(lambda _: self._swept(before))
            return not self.due

    async def again(self) -> None:
        """Sweep, a while later, whenever a pass was put off; for ever.

        Raises:
            StorageError: the file cannot be swept.
        """
        while True:
            await self._put_off.wait()
            await trio.sleep(_AGAIN_S)
            self._put_off = trio.Event()
            if self.due:
                await self.run()

    def _portion(self) -> bool | None:
        """The next portion: whether there are others; None: somebody reads an older state.

        Folding back each time: what was written meanwhile must not bring old bytes back later.
        """
        if not self._store.erasures.fold():
            return None
        return self._store.sweep.go_on()

    def _swept(self, before: int) -> None:
        if self._erasing.count == before:  # else the next pass is for what was erased meanwhile
            self._store.erasures.mark_unswept(unswept=False)
            self.due = False

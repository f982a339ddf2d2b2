"""Ending the daemon's life at a chosen write, before it happened or right after.

Write points are the commits of the ledger file and the calls that make key files and the signer's
state durable. Each is passed in order; at the n-th the power goes.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from gateway.ledger.reader import Reader
from gateway.ledger.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

T = TypeVar("T")
Mode = Literal["lost", "persisted"]

SYSTEM_CALLS = ("fsync", "link", "replace")


class PowerCutError(Exception):
    """The power went at this write point."""


@dataclass
class Cut:
    """The *at*-th write point is the last: what it writes is *mode*. 0: the power stays."""

    at: int = 0
    mode: Mode = "lost"
    passed: list[str] = field(default_factory=list)
    #: System calls that are write points.
    calls: tuple[str, ...] = SYSTEM_CALLS
    #: While it is not, writes pass and do not count.
    armed: bool = True
    _left_open: list[Callable[[], None]] = field(default_factory=list)

    def point(self, name: str, write: Callable[[], T]) -> T:
        """Pass a write point."""
        if not self.armed:
            return write()
        if 0 < self.at == len(self.passed):
            raise PowerCutError(name)  # it is gone
        self.passed.append(name)
        last = len(self.passed) == self.at
        if last and self.mode == "lost":
            raise PowerCutError(name)
        result = write()
        if last:
            raise PowerCutError(name)
        return result

    @contextmanager
    def wired(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """While this runs, the daemon's writes pass here; whatever it left open is dropped."""
        cut = self

        class CutStore(Store):
            """Stores what it is given until the power goes."""

            def __init__(self, *args: Any) -> None:
                super().__init__(*args)
                cut._left_open.insert(0, self.abandon)

            def commit(self) -> None:
                cut.point("commit", super().commit)

        class CutReader(Reader):
            """A reader that is closed when the daemon could not."""

            def __init__(self, path: Path) -> None:
                super().__init__(path)
                cut._left_open.append(self.close)

        with monkeypatch.context() as patch:
            patch.setattr("gateway.daemon.opening.Store", CutStore)
            patch.setattr("gateway.daemon.gateway.Reader", CutReader)
            for name in self.calls:
                patch.setattr(os, name, self._passing(name, getattr(os, name)))
            try:
                yield
            finally:
                # Writers first: the WAL stays as it is when a reader is the last to go.
                for close in self._left_open:
                    close()

    def _passing(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        return lambda *args, **kwargs: self.point(name, lambda: call(*args, **kwargs))

"""A submitter that is not put off: pipelined, and what was not acknowledged is submitted again.

It runs in a thread of its own and outlives the daemon. Every message has a ref, so that a second
try is no second message.
"""

from __future__ import annotations

import json
import selectors
import socket
import threading
from typing import TYPE_CHECKING, Any

from tests.support.process import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_READ_BYTES = 65_536
_RETRY_S = 0.01


class Submitter:
    """Submits `make(0)`, `make(1)`, … as far as `allow` lets it; use it in a `with` statement.

    `acknowledged` maps each ref to the submission_id it was answered with, `tries` counts all
    requests, and `wrong` holds answers that should not have been.
    """

    def __init__(
        self, path: Path, make: Callable[[int], dict[str, Any]], *, outstanding: int = 64
    ) -> None:
        self.acknowledged: dict[str, str] = {}
        self.wrong: list[Any] = []
        self.tries = 0
        self._path = path
        self._make = make
        self._outstanding = outstanding
        self._allowed = 0
        self._made = 0
        #: Requests by number that no answer came to yet, in order.
        self._open: dict[int, dict[str, Any]] = {}
        self._stopping = threading.Event()
        self._all_answered = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Submitter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(PATIENCE_S)

    def allow(self, more: int) -> None:
        """Let it submit so many messages more."""
        self._allowed += more

    def finish(self) -> None:
        """Wait until everything that was allowed is acknowledged."""
        with self._all_answered:
            done = self._all_answered.wait_for(self._idle, PATIENCE_S)
        assert done, f"{len(self._open)} submissions were never answered"

    def _idle(self) -> bool:
        return not self._open and self._made == self._allowed

    def _run(self) -> None:
        while not self._stopping.is_set():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                try:
                    connection.connect(str(self._path))
                    connection.setblocking(False)
                    self._talk(connection)
                except OSError:
                    pass  # no daemon, or it died: another one comes
            self._stopping.wait(_RETRY_S)

    def _talk(self, connection: socket.socket) -> None:
        """One connection: the unanswered requests again, then new ones, until it breaks."""
        outbound = bytearray()
        inbound = bytearray()
        for number, request in self._open.items():
            outbound += self._line(number, request)
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            while not self._stopping.is_set():
                while len(self._open) < self._outstanding and self._made < self._allowed:
                    number, self._made = self._made, self._made + 1
                    self._open[number] = self._make(number)
                    outbound += self._line(number, self._open[number])
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if outbound else 0)
                selector.modify(connection, wanted)
                for _, events in selector.select(_RETRY_S):
                    if events & selectors.EVENT_WRITE:
                        del outbound[: connection.send(outbound)]
                    if events & selectors.EVENT_READ:
                        data = connection.recv(_READ_BYTES)
                        if not data:
                            return
                        inbound += data
                        *lines, rest = inbound.split(b"\n")
                        inbound = bytearray(rest)
                        for line in lines:
                            self._take(json.loads(line))

    def _line(self, number: int, request: dict[str, Any]) -> bytes:
        self.tries += 1
        line = {"v": 1, "id": number, "cmd": "submit", "args": request}
        return json.dumps(line).encode() + b"\n"

    def _take(self, answer: dict[str, Any]) -> None:
        number = answer.get("id")
        if "result" not in answer or number not in self._open:
            self.wrong.append(answer)
            return
        request = self._open[number]
        ref, submission_id = request["ref"], answer["result"]["submission_id"]
        if self.acknowledged.setdefault(ref, submission_id) != submission_id:
            self.wrong.append(answer)
        with self._all_answered:
            del self._open[number]
            self._all_answered.notify_all()

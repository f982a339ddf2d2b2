"""An admin server that answers what a test tells it to, on a real unix socket, in a thread.

It knows nothing of messages: it stands for the daemon where only the command line is tested.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

from gateway.errors import AcuseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

Args: TypeAlias = dict[str, Any]
#: A result, a list of items, an error, bytes to send as they are, or None to hang up.
Answer: TypeAlias = "dict[str, Any] | list[dict[str, Any]] | AcuseError | bytes | None"


class FakeDaemon:
    """Serves the socket *path* while its `with` block runs; `asked` is what it was asked.

    Args:
        answers: an answer for each command, or a function from the arguments to one.
        shuffle: puts the answers that are ready into another order before they leave.
    """

    def __init__(
        self,
        path: Path,
        answers: dict[str, Answer | Callable[[Args], Answer]],
        *,
        shuffle: Callable[[list[bytes]], Iterable[bytes]] = iter,
    ) -> None:
        self.path = path
        self.asked: list[tuple[str, Args]] = []
        self._answers = answers
        self._shuffle = shuffle
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> FakeDaemon:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()
        self.path.unlink()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        buffer = b""
        while True:
            try:
                data = connection.recv(65_536)
            except ConnectionError:
                return
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            ready: list[bytes] = []
            for line in lines:
                answer = self._answer(line)
                if answer is None:
                    connection.sendall(b"".join(ready))
                    return
                ready.append(answer)
            try:
                connection.sendall(b"".join(self._shuffle(ready)))
            except ConnectionError:
                return

    def _answer(self, line: bytes) -> bytes | None:
        request = json.loads(line)
        assert request["v"] == 1
        self.asked.append((request["cmd"], request["args"]))
        prepared = self._answers[request["cmd"]]
        answer = prepared(request["args"]) if callable(prepared) else prepared
        number = request["id"]
        if answer is None or isinstance(answer, bytes):
            return answer
        if isinstance(answer, AcuseError):
            return _line({"id": number, "error": answer.as_dict()})
        if isinstance(answer, list):
            items = [_line({"id": number, "item": item}) for item in answer]
            return b"".join([*items, _line({"id": number, "ok": True, "count": len(answer)})])
        return _line({"id": number, "ok": True, "result": answer})


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"

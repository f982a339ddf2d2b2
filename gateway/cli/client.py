"""The admin socket from the outside: a synchronous client, one JSON object a line.

One request or many at once: `pipeline` keeps a bounded number on the way and gives the answers in
the order of the requests, whatever order the daemon finishes them in.
"""

from __future__ import annotations

import json
import selectors
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from gateway.cli.connect import connect
from gateway.errors import AcuseError, DaemonUnreachable, DataError, from_dict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

Object: TypeAlias = dict[str, Any]
Request: TypeAlias = "tuple[str, Mapping[str, object]]"

VERSION = 1
#: The daemon drops a connection that sends a longer line (CONTRACT, "Admin socket").
MAX_REQUEST_BYTES = 1024 * 1024
#: An answer may hold a whole bundle; a longer line is not an answer of ours.
MAX_ANSWER_BYTES = 256 * 1024 * 1024
#: Requests on the way at once in a pipeline, and the bytes of them that wait to be written.
OUTSTANDING = 500
_WAITING_BYTES = 256 * 1024
_READ_BYTES = 256 * 1024
PATIENCE_S = 30.0


class Client:
    """One connection to the daemon at the unix socket *path*; use it in a `with` statement.

    *patience_s* is how long the daemon may stay silent while an answer is due.

    Raises, from every method:
        DaemonUnreachable: nobody answers there, or no longer.
        NotPermitted: the socket may not be opened by this user.
        AcuseError: what the daemon answered, as the class it raised.
    """

    def __init__(self, path: Path, *, patience_s: float = PATIENCE_S) -> None:
        self.path = path
        self.patience_s = patience_s
        self._next_id = 0
        self._inbound = bytearray()
        self._scanned = 0
        self._socket = connect(path)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def call(
        self, command: str, args: Mapping[str, object], *, patience_s: float | None = None
    ) -> Object:
        """The single result of *command*."""
        number, line = self._request(command, args)
        self._send(line)
        answer = self._answer_to(number, patience_s or self.patience_s)
        result = answer.get("result")
        if not isinstance(result, dict):
            raise self._not_ours()
        return result

    def stream(self, command: str, args: Mapping[str, object]) -> Iterator[Object]:
        """The items of *command*, as they come."""
        number, line = self._request(command, args)
        self._send(line)
        while "item" in (answer := self._answer_to(number, self.patience_s)):
            item = answer["item"]
            if not isinstance(item, dict):
                raise self._not_ours()
            yield item

    def pipeline(
        self, requests: Iterable[Request | AcuseError], *, outstanding: int = OUTSTANDING
    ) -> Iterator[Object | AcuseError]:
        """The result or the error of each request, in order; requests are drawn as there is room.

        Errors of single requests are values here, so that one does not stop the others. An error
        among the requests is not sent and comes back in its turn.
        """
        source = iter(requests)
        order: deque[int] = deque()
        answers: dict[int, Object | AcuseError] = {}
        outbound = bytearray()
        drawing = True
        self._socket.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while True:
                while drawing and len(order) < outstanding and len(outbound) < _WAITING_BYTES:
                    request = next(source, None)
                    if request is None:
                        drawing = False
                        break
                    number = self._enqueue(request, outbound, answers)
                    order.append(number)
                if not order:
                    return
                if order[0] not in answers:
                    self._exchange(selector, outbound, answers)
                while order and order[0] in answers:
                    yield answers.pop(order.popleft())

    def _enqueue(
        self,
        request: Request | AcuseError,
        outbound: bytearray,
        answers: dict[int, Object | AcuseError],
    ) -> int:
        if isinstance(request, AcuseError):
            self._next_id += 1
            answers[self._next_id] = request
            return self._next_id
        try:
            number, line = self._request(*request)
        except DataError as error:
            answers[self._next_id] = error
            return self._next_id
        outbound += line
        return number

    def _exchange(
        self,
        selector: selectors.BaseSelector,
        outbound: bytearray,
        answers: dict[int, Object | AcuseError],
    ) -> None:
        """Writes what the socket takes and reads what it has; at least one of the two happens.

        Both directions take turns: writing all requests first would stop for good once the daemon
        waits for us to read.
        """
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if outbound else 0)
        selector.modify(self._socket, wanted)
        ready = selector.select(self.patience_s)
        if not ready:
            raise self._silent(self.patience_s)
        ((_, events),) = ready
        if events & selectors.EVENT_WRITE:
            try:
                del outbound[: self._socket.send(outbound)]
            except (BrokenPipeError, ConnectionResetError):
                # The daemon may have said why before it hung up: read that first.
                outbound.clear()
        if events & selectors.EVENT_READ:
            self._read()
            for answer in self._lines():
                number, value = self._value(answer)
                answers[number] = value

    def _request(self, command: str, args: Mapping[str, object]) -> tuple[int, bytes]:
        self._next_id += 1
        request = {"v": VERSION, "id": self._next_id, "cmd": command, "args": args}
        try:
            line = json.dumps(
                request, separators=(",", ":"), ensure_ascii=False, allow_nan=False
            ).encode()
        except (ValueError, RecursionError):  # of which UnicodeEncodeError is one
            raise _no_json(args) from None
        line += b"\n"
        if len(line) > MAX_REQUEST_BYTES:
            raise DataError(
                f"the request has {len(line)} bytes; the daemon takes {MAX_REQUEST_BYTES}",
                hint="shorten the text",
                field="text",
            )
        return self._next_id, line

    def _send(self, line: bytes) -> None:
        self._socket.settimeout(self.patience_s)
        try:
            self._socket.sendall(line)
        except TimeoutError:
            raise self._silent(self.patience_s) from None
        except (BrokenPipeError, ConnectionResetError):
            # The daemon may have said why before it hung up: the next read tells.
            return

    def _answer_to(self, number: int, patience_s: float) -> Object:
        end_s = time.monotonic() + patience_s
        while True:
            for answer in self._lines():
                if answer.get("id") not in (number, None):
                    continue
                if "error" in answer:
                    raise self._error(answer)
                return answer
            self._socket.settimeout(max(0.001, end_s - time.monotonic()))
            try:
                self._read()
            except TimeoutError:
                raise self._silent(patience_s) from None

    def _value(self, answer: Object) -> tuple[int, Object | AcuseError]:
        number = answer.get("id")
        if "error" in answer:
            error = self._error(answer)
            if not isinstance(number, int):
                raise error
            return number, error
        result = answer.get("result")
        if not isinstance(number, int) or not isinstance(result, dict):
            raise self._not_ours()
        return number, result

    def _error(self, answer: Object) -> AcuseError:
        error = answer["error"]
        if not isinstance(error, dict):
            raise self._not_ours()
        return from_dict(error)

    def _read(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        if not data:
            raise DaemonUnreachable(
                "the daemon closed the connection before it had answered",
                hint="`acuse status` shows whether it runs; its log says why it hung up",
                socket=str(self.path),
            )
        self._inbound += data
        if len(self._inbound) > MAX_ANSWER_BYTES:
            raise self._not_ours()

    def _lines(self) -> Iterator[Object]:
        """The whole lines read so far, each removed as it is given."""
        while (end := self._inbound.find(b"\n", self._scanned)) >= 0:
            line = bytes(self._inbound[:end])
            del self._inbound[: end + 1]
            self._scanned = 0
            try:
                answer = json.loads(line)
            except ValueError:
                raise self._not_ours() from None
            if not isinstance(answer, dict):
                raise self._not_ours()
            yield answer
        self._scanned = len(self._inbound)

    def _silent(self, patience_s: float) -> DaemonUnreachable:
        return DaemonUnreachable(
            f"the daemon has not answered for {patience_s:g} s",
            hint="is it stopped in a debugger, or its disk stuck? Its log tells",
            socket=str(self.path),
        )

    def _not_ours(self) -> DaemonUnreachable:
        return DaemonUnreachable(
            f"what answers at {self.path} does not speak Acuse's admin protocol",
            hint="is it the socket of another program, or of another version?",
            socket=str(self.path),
        )


def _no_json(args: Mapping[str, object]) -> DataError:
    """Python takes more for text and numbers than JSON can say: which argument holds it."""
    field = next(filter(None, map(_unsayable, args.items())), "args")
    return DataError(
        f"{field} holds half of a surrogate pair, octets that are not UTF-8, or no number",
        hint="send whole characters, in UTF-8 or as two \\u escapes, and finite numbers",
        field=field,
    )


def _unsayable(item: tuple[str, object]) -> str | None:
    try:
        json.dumps(item, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return item[0]
    return None

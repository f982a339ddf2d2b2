"""The admin client against a server that answers out of turn, late, wrongly or not at all."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gateway.cli.client import Client
from gateway.errors import (
    AnswerIsNo,
    DaemonUnreachable,
    DataError,
    NotPermitted,
    TryAgain,
    UsageError,
)
from tests.support.fake_daemon import FakeDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def echo(args: dict[str, Any]) -> dict[str, Any]:
    return args


def test_a_call_gives_the_result(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", {"echo": echo}), Client(tmp_path / "s") as client:
        assert client.call("echo", {"a": "ñ"}) == {"a": "ñ"}
        assert client.call("echo", {"a": 2}) == {"a": 2}


def test_an_error_is_raised_as_what_the_daemon_raised(tmp_path: Path) -> None:
    no = AnswerIsNo("no submission", hint="look again", submission_id="x")
    with FakeDaemon(tmp_path / "s", {"show": no}), Client(tmp_path / "s") as client:
        with pytest.raises(AnswerIsNo, match="no submission") as caught:
            client.call("show", {})
        assert caught.value.hint == "look again"
        assert caught.value.fields == {"submission_id": "x"}


def test_items_stream_one_by_one(tmp_path: Path) -> None:
    items = [{"n": number, "pad": "x" * 1000} for number in range(1000)]
    with FakeDaemon(tmp_path / "s", {"list": items}), Client(tmp_path / "s") as client:
        stream = client.stream("list", {})
        assert next(stream) == items[0]
        assert list(stream) == items[1:]
        assert list(client.stream("list", {})) == items


def test_an_error_in_the_middle_of_a_list_is_raised(tmp_path: Path) -> None:
    broken = b'{"id":1,"item":{"n":1}}\n{"id":1,"error":{"code":"storage","message":"disk"}}\n'
    with FakeDaemon(tmp_path / "s", {"list": broken}), Client(tmp_path / "s") as client:
        stream = client.stream("list", {})
        assert next(stream) == {"n": 1}
        with pytest.raises(Exception, match="disk"):
            next(stream)


def test_a_pipeline_keeps_the_order_whatever_the_daemon_does(tmp_path: Path) -> None:
    def answer(args: dict[str, Any]) -> dict[str, Any] | TryAgain:
        return TryAgain("queue full") if args["n"] % 100 == 7 else args

    daemon = FakeDaemon(tmp_path / "s", {"submit": answer}, shuffle=reversed)
    with daemon, Client(tmp_path / "s") as client:
        requests = (("submit", {"n": number, "pad": "x" * 500}) for number in range(5000))
        results = list(client.pipeline(requests, outstanding=64))
    assert len(results) == 5000
    for number, result in enumerate(results):
        if number % 100 == 7:
            assert isinstance(result, TryAgain)
        else:
            assert isinstance(result, dict)
            assert result["n"] == number


def test_a_pipeline_draws_no_more_than_may_be_outstanding(tmp_path: Path) -> None:
    drawn = 0

    def requests() -> Iterator[tuple[str, dict[str, Any]]]:
        nonlocal drawn
        for number in range(200):
            drawn += 1
            yield "echo", {"n": number}

    with FakeDaemon(tmp_path / "s", {"echo": echo}), Client(tmp_path / "s") as client:
        for done, _ in enumerate(client.pipeline(requests(), outstanding=10)):
            assert drawn <= done + 10
    assert drawn == 200


def test_what_is_too_long_to_send_fails_in_its_place(tmp_path: Path) -> None:
    requests: list[tuple[str, dict[str, object]]] = [
        ("echo", {"n": 1}),
        ("echo", {"n": "x" * 2_000_000}),
        ("echo", {"n": 3}),
    ]
    with FakeDaemon(tmp_path / "s", {"echo": echo}) as daemon, Client(tmp_path / "s") as client:
        first, second, third = client.pipeline(requests)
        with pytest.raises(DataError, match="the daemon takes 1048576"):
            client.call("echo", {"n": "x" * 2_000_000})
    assert (first, third) == ({"n": 1}, {"n": 3})
    assert isinstance(second, DataError)
    assert len(daemon.asked) == 2


def test_an_error_among_the_requests_comes_back_in_its_turn(tmp_path: Path) -> None:
    broken = DataError("line 2 is broken")
    with FakeDaemon(tmp_path / "s", {"echo": echo}), Client(tmp_path / "s") as client:
        assert list(client.pipeline([("echo", {}), broken, ("echo", {})])) == [{}, broken, {}]
        assert list(client.pipeline([])) == []
        assert list(client.pipeline([broken])) == [broken]


def test_a_daemon_that_dies_in_a_pipeline_is_unreachable_after_its_last_answer(
    tmp_path: Path,
) -> None:
    def answer(args: dict[str, Any]) -> dict[str, Any] | None:
        return args if args["n"] < 30 else None

    got: list[object] = []
    with FakeDaemon(tmp_path / "s", {"submit": answer}), Client(tmp_path / "s") as client:
        results = client.pipeline(("submit", {"n": n}) for n in range(100_000))
        with pytest.raises(DaemonUnreachable, match="closed the connection"):
            got.extend(results)
    assert got == [{"n": number} for number in range(30)]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\n",
        b"[1]\n",
        b'{"id":1,"ok":true}\n',
        b'{"id":1,"ok":true,"result":[1]}\n',
        b'{"id":1,"error":5}\n',
    ],
)
def test_another_protocol_is_not_taken_for_ours(tmp_path: Path, answer: bytes) -> None:
    with FakeDaemon(tmp_path / "s", {"status": answer}):
        with Client(tmp_path / "s") as client, pytest.raises(DaemonUnreachable, match="speak"):
            client.call("status", {})
        with Client(tmp_path / "s") as client, pytest.raises(DaemonUnreachable, match="speak"):
            list(client.pipeline([("status", {})]))


def test_an_error_without_a_number_is_for_the_whole_connection(tmp_path: Path) -> None:
    full = b'{"id":null,"error":{"code":"try_again","message":"too many connections"}}\n'
    with FakeDaemon(tmp_path / "s", {"status": full}):
        with Client(tmp_path / "s") as client, pytest.raises(TryAgain, match="too many"):
            client.call("status", {})
        with Client(tmp_path / "s") as client, pytest.raises(TryAgain, match="too many"):
            list(client.pipeline([("status", {})]))


def test_a_daemon_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        for _ in range(2):
            with (
                Client(tmp_path / "s", patience_s=0.05) as client,
                pytest.raises(DaemonUnreachable, match=r"for 0\.05 s"),
            ):
                client.call("status", {})
        with (
            Client(tmp_path / "s", patience_s=0.05) as client,
            pytest.raises(DaemonUnreachable, match=r"for 0\.05 s"),
        ):
            list(client.pipeline([("status", {})]))
        with Client(tmp_path / "s", patience_s=0.05) as client:
            endless = (("status", {"pad": "x" * 100_000}) for _ in range(1000))
            with pytest.raises(DaemonUnreachable, match=r"for 0\.05 s"):
                list(client.pipeline(endless))


def test_a_daemon_that_hangs_up_is_said(tmp_path: Path) -> None:
    def hang_up(listener: socket.socket) -> None:
        listener.accept()[0].close()

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        thread = threading.Thread(target=hang_up, args=[listener])
        thread.start()
        with Client(tmp_path / "s") as client:
            thread.join()
            with pytest.raises(DaemonUnreachable, match="closed the connection"):
                client.call("status", {})


def test_no_socket_there(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnreachable, match="there is no socket") as caught:
        Client(tmp_path / "s")
    assert "acuse serve" in caught.value.hint
    (tmp_path / "file").write_text("")
    with pytest.raises(DaemonUnreachable, match="is not a socket"):
        Client(tmp_path / "file")
    with pytest.raises(DaemonUnreachable, match="there is no socket"):
        Client(tmp_path / "file" / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(str(tmp_path / "s"))
    with pytest.raises(DaemonUnreachable, match="left its socket behind") as caught:
        Client(tmp_path / "s")
    assert caught.value.fields == {"socket": str(tmp_path / "s")}
    with pytest.raises(UsageError, match="too long"):
        Client(tmp_path / ("x" * 200))


def test_a_socket_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: socket.socket, __: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse, raising=False)
    with pytest.raises(NotPermitted, match="may not open"):
        Client(tmp_path / "s")


@pytest.mark.parametrize("value", ["\ud800", {"a": ["\udc80"]}, float("nan"), {"a": float("inf")}])
def test_what_json_cannot_say_breaks_one_request_of_many_and_names_its_argument(
    tmp_path: Path, value: object
) -> None:
    with FakeDaemon(tmp_path / "s", {"echo": echo}), Client(tmp_path / "s") as client:
        good: tuple[str, dict[str, object]] = ("echo", {"a": 1})
        first, broken, last = client.pipeline([good, ("echo", {"b": 1, "text": value}), good])
    assert first == last == {"a": 1}
    assert isinstance(broken, DataError)
    assert broken.fields["field"] == "text"
    assert "text holds half of a surrogate pair" in broken.message
    assert broken.hint

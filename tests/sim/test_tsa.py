"""The demo's time stamp server: HTTP on streams, right and wrong on demand."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import h11
import httpx
import pytest
import trio
import trio.testing

from gateway.daemon.web import open_web, post
from gateway.errors import ConfigError, TryAgain
from gateway.evidence.rfc3161 import ask, read_answer, trusting
from gateway.sim.authority import Behaviour, StampingAuthority
from gateway.sim.tsa import StampServer, main

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
NOTE = "sms.example.es/2026a\n7\nAAAA\n"
QUERY = {"content-type": "application/timestamp-query", "host": "tsa.example"}


@cache
def authority() -> StampingAuthority:
    return StampingAuthority(NOW)


def server(behaviour: Behaviour = Behaviour.RIGHT) -> StampServer:
    return StampServer(authority(), behaviour, now=lambda: NOW)


async def exchange(
    stream: trio.abc.Stream,
    client: h11.Connection,
    body: bytes,
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """Status and body of one request."""
    wanted = {**QUERY, **(headers or {}), "content-length": str(len(body))}
    head = h11.Request(method=method, target="/tsr", headers=list(wanted.items()))
    for part in (head, h11.Data(data=body), h11.EndOfMessage()):
        data = client.send(part)
        if data:
            await stream.send_all(data)
    status, received = 0, bytearray()
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(bytes(await stream.receive_some(65536)))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            received += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(received)


async def test_one_connection_serves_request_after_request(nursery: trio.Nursery) -> None:
    served = server()
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(served.serve_stream, theirs)
    client = h11.Connection(h11.CLIENT)
    for nonce in (1, 2):
        query = ask(NOTE, nonce)
        status, body = await exchange(ours, client, query.der)
        client.start_next_cycle()
        assert status == 200
        assert trusting(authority().ca_pem)(read_answer(query, body), NOTE) is not None
    await ours.aclose()
    assert served.answered == 2


@pytest.mark.parametrize(
    ("behaviour", "body", "given", "status"),
    [
        (Behaviour.HTTP_500, b"x", {}, 500),
        (Behaviour.RIGHT, b"x", {}, 400),
        (Behaviour.RIGHT, b"x", {"headers": {"content-type": "text/plain"}}, 415),
        (Behaviour.RIGHT, b"", {"method": "PUT"}, 415),
        (Behaviour.RIGHT, bytes(200_000), {}, 413),
        (Behaviour.GARBAGE, ask(NOTE, 1).der, {}, 200),
    ],
)
async def test_what_is_no_request_gets_a_status(
    nursery: trio.Nursery,
    behaviour: Behaviour,
    body: bytes,
    given: dict[str, Any],
    status: int,
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(server(behaviour).serve_stream, theirs)
    found, _ = await exchange(ours, h11.Connection(h11.CLIENT), body, **given)
    assert found == status
    await ours.aclose()


async def test_a_slow_server_answers_when_nobody_waits_any_more(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(server(Behaviour.SLOW).serve_stream, theirs)
    await exchange(ours, h11.Connection(h11.CLIENT), ask(NOTE, 1).der)
    assert trio.current_time() >= 300
    await ours.aclose()


@pytest.mark.parametrize("said", [b"", b"GET", b"\x00\x01 not HTTP\r\n\r\n"])
async def test_a_peer_that_speaks_no_http_or_nothing_is_let_go(
    autojump_clock: trio.testing.MockClock, said: bytes
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await ours.send_all(said)
    if not said:
        await ours.send_eof()
    await server().serve_stream(theirs)


def test_the_command_says_where_it_listens_and_asks_no_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")  # nobody is there
    monkeypatch.delenv("NO_PROXY", raising=False)
    ca = tmp_path / "ca.pem"
    command = [sys.executable, "-m", "gateway.sim.tsa", "--port", "0", "--ca", str(ca)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            query = ask(NOTE, 3)

            async def asked() -> bytes:
                async with open_web() as client:
                    return await post(
                        client,
                        f"http://127.0.0.1:{said['port']}/",
                        query.der,
                        QUERY,
                        expect="application/timestamp-reply",
                        limit_bytes=100_000,
                        timeout_s=60,
                    )

            token = read_answer(query, trio.run(asked))
            assert trusting(ca.read_bytes())(token, NOTE) is not None
        finally:
            process.terminate()


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:70", "socks5://127.0.0.1:1080"])
def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigError, match="the proxy of the environment"):
        open_web()


def test_an_address_that_cannot_be_used_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--host", "192.0.2.1", "--port", "0", "--ca", str(tmp_path / "ca.pem")]) == 64
    assert "cannot listen on 192.0.2.1" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the answer is given up half-way
async def test_an_answer_without_end_and_without_length_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            await trio.lowlevel.checkpoint()
            yield bytes(1000)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "a/b"}, content=endless())

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(TryAgain, match="larger than 5000 bytes"):
            await post(client, "http://x/", b"", {}, expect="a/b", limit_bytes=5000, timeout_s=60)

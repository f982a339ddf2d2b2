"""Binding: refused in every way, half a session, unbound in mid-window, several side by side."""

from __future__ import annotations

import random
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import structlog
import trio
import trio.testing

from gateway.daemon.backoff import Backoff, Trouble, hint_of, trouble_of
from gateway.daemon.connect import connect_tcp, tls_state
from gateway.errors import LinkLost
from gateway.settings import load_settings
from gateway.sim.options import SimOptions
from gateway.smpp.consts import Status, Tag
from gateway.smpp.pdu import Bind, BindResp, EnquireLink, SubmitSm, SubmitSmResp, Tlv, Unbind
from tests.support.authority import Authority
from tests.support.scripted import Script
from tests.support.world import World, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import Pdu


def refusing_binds(status: int, times: int = 10**6) -> Script:
    left = [times]

    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, Bind) and left[0]:
            left[0] -= 1
            return [BindResp("SMSC", pdu.mode, status=status, sequence=pdu.sequence)]
        return None

    return Script(answer)


def scripted(tmp_path: Path, script: Script, settings: str = "") -> World:
    world = World.make(tmp_path, {"movistar": settings})
    world.scripts["movistar"] = script
    return world


@pytest.mark.parametrize(
    "status", [Status.ESME_RINVPASWD, Status.ESME_RINVSYSID, Status.ESME_RBINDFAIL]
)
async def test_refused_credentials_are_an_alarm_tried_slowly_and_never_given_up(
    tmp_path: Path, autojump_clock: MockClock, status: int
) -> None:
    script = refusing_binds(status, 12)
    world = scripted(tmp_path, script, "reconnect_s = [1, 60]")
    with structlog.testing.capture_logs() as logs:
        async with world.running() as daemon:
            await trio.sleep(300)
            shown = (await daemon.result("status"))["operators"][0]
            await trio.sleep(900)
            mended = (await daemon.result("status"))["operators"][0]
    waits = [after - before for before, after in pairwise(script.binds())]
    assert 0.5 <= waits[0] <= 1.1  # the first wait is the configured one, whatever failed
    assert all(8 <= wait <= 16 for wait in waits[1:2])
    assert all(30 <= wait <= 60.1 for wait in waits[2:])
    assert shown["alarm"]["kind"] == "credentials"
    assert "password" in shown["alarm"]["hint"]
    assert shown["state"] == "waiting"
    assert mended["alarm"] is None
    assert mended["state"] == "bound"
    events = [entry["event"] for entry in logs if entry["event"].startswith("alarm.")]
    assert events == ["alarm.raised", "alarm.cleared"]


async def test_already_bound_is_not_bound_and_is_waited_out(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = refusing_binds(Status.ESME_RALYBND, 5)
    world = scripted(tmp_path, script, "reconnect_s = [1, 60]")
    async with world.running() as daemon:
        answer = await daemon.submit("+34600444001")
        await trio.sleep(0.3)
        shown = (await daemon.result("status"))["operators"][0]
        assert not script.submits()
        with trio.fail_after(120):
            while not script.submits():
                await trio.sleep(0.1)
    assert shown["state"] == "waiting"
    assert shown["alarm"] is None
    assert "ESME_RALYBND" in shown["last_error"]
    assert answer["state"] == "queued"
    waits = [after - before for before, after in pairwise(script.binds())]
    assert waits == sorted(waits)
    assert len(script.binds()) == 6


def test_every_refusal_has_a_class_and_a_hint() -> None:
    assert trouble_of(Status.ESME_RINVSYSTYP) is Trouble.CREDENTIALS
    assert trouble_of(Status.ESME_RMSGQFUL) is Trouble.BUSY
    assert trouble_of(Status.ESME_RINVCMDID) is Trouble.REFUSED
    assert trouble_of(0x4FF) is Trouble.REFUSED
    assert all(hint_of(trouble) for trouble in Trouble if trouble is not Trouble.LINK)


def test_a_steady_link_earns_a_quick_return() -> None:
    backoff = Backoff((1.0, 8.0), random.Random(1))
    waits = [backoff.wait_s(Trouble.LINK) for _ in range(6)]
    assert all(at * 0.5 <= wait <= at for at, wait in zip([1, 2, 4, 8, 8, 8], waits, strict=True))
    backoff.reset()
    assert backoff.wait_s(Trouble.CREDENTIALS) <= 1.0
    assert backoff.wait_s(Trouble.CREDENTIALS) >= 4.0


async def test_an_operator_that_never_answers_the_bind_is_left_after_session_init_s(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script(lambda pdu: [] if isinstance(pdu, Bind) else None)
    world = scripted(tmp_path, script, "session_init_s = 3\nreconnect_s = [1, 1]")
    async with world.running() as daemon:
        await trio.sleep(10)
        shown = (await daemon.result("status"))["operators"][0]
    first, second = script.binds()[:2]
    assert 3.4 <= second - first <= 4.1
    assert shown["last_error"] == "the bind was not answered" or shown["state"] == "binding"


async def test_a_half_open_link_is_noticed_by_enquire_link(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = Script(lambda pdu: [] if isinstance(pdu, EnquireLink) else None)
    world = scripted(tmp_path, script, "enquire_link_s = 20\nresponse_timeout_s = 5")
    async with world.running():
        await trio.sleep(40)
    assert len(script.binds()) == 2
    assert 25 <= script.binds()[1] - script.binds()[0] <= 27


async def test_an_unbind_in_mid_window_is_answered_and_leaves_unknown_what_was_under_way(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    unbound: list[bool] = []

    def answer(pdu: Pdu) -> list[Pdu] | None:
        if isinstance(pdu, SubmitSm) and not unbound:
            if len(script.submits()) < 3:
                return []
            unbound.append(True)
            first = script.submits()[0]
            return [SubmitSmResp("one", sequence=first.sequence), Unbind(77)]
        return None

    script = Script(answer)
    world = scripted(tmp_path, script, "window = 10")
    async with world.running() as daemon:
        numbers = [f"+34600444{n:03d}" for n in range(3)]
        submitted = [await daemon.submit(number) for number in numbers]
        await trio.sleep(10)
        states = [(await daemon.show(each["submission_id"]))["state"] for each in submitted]
        later = await daemon.submit("+34600444009")
        await trio.sleep(1)
        assert (await daemon.show(later["submission_id"]))["state"] == "accepted"
    assert states == ["accepted", "unknown", "unknown"]
    assert any(getattr(pdu, "sequence", 0) == 77 for _, pdu in script.seen)  # unbind_resp
    assert len(script.submits()) == 4
    assert len(script.binds()) == 2


async def test_several_sessions_share_the_messages_and_one_window(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    options = SimOptions(response_delay_s=1.0)
    world = World.make(tmp_path, {"movistar": "sessions = 3\nwindow = 6"}, options=options)
    async with world.running() as daemon:
        submitted = [await daemon.submit(f"+34600444{n:03d}") for n in range(30)]
        records = [await daemon.final(each["submission_id"]) for each in submitted]
        shown = (await daemon.result("status"))["operators"][0]
    binds: dict[str, int] = {}
    for record in records:
        entry = record["receipts"][0]["bind"]
        binds[entry] = binds.get(entry, 0) + 1
    assert len(shown["links"]) == 3
    assert {link["version"] for link in shown["links"]} == {"3.4"}
    assert {record["state"] for record in records} == {"delivered"}
    assert world.operators["movistar"].stats.binds == 3


@pytest.mark.parametrize("interface", ["3.3", "3.4", "5.0"])
async def test_the_configured_version_is_spoken(
    tmp_path: Path, autojump_clock: MockClock, interface: str
) -> None:
    script = Script(version=None if interface == "3.3" else 0x50)
    world = scripted(tmp_path, script, f'interface_version = "{interface}"\nbind = "split"')
    async with world.running() as daemon:
        await trio.sleep(1)
        shown = (await daemon.result("status"))["operators"][0]
    binds = [pdu for _, pdu in script.seen if isinstance(pdu, Bind)]
    assert {bind.interface_version for bind in binds} == {int(interface.replace(".", ""), 16)}
    assert {link["version"] for link in shown["links"]} == {interface}


async def test_congestion_state_steers_the_window_of_smpp_5_0_only(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    for interface, expected in (("5.0", 1), ("3.4", 10)):
        directory = tmp_path / interface
        directory.mkdir()

        def answer(pdu: Pdu) -> list[Pdu] | None:
            if not isinstance(pdu, SubmitSm):
                return None
            full = Tlv(Tag.CONGESTION_STATE, b"\x64")
            return [SubmitSmResp("1", sequence=pdu.sequence, tlvs=(full,))]

        world = scripted(directory, Script(answer), f'interface_version = "{interface}"')
        async with world.running() as daemon:
            await daemon.submit("+34600444001")
            await trio.sleep(1)
            shown = (await daemon.result("status"))["operators"][0]
        assert shown["links"][0]["window"] == expected


# -- TLS over real sockets ----------------------------------------------------------------------


async def tls_server(authority: Authority, listener: trio.SocketListener) -> None:
    """Accepts, shakes hands, and waits for the end."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate, authority.key)

    async def serve(stream: trio.SocketStream) -> None:
        secured = trio.SSLStream(stream, context, server_side=True)
        async with stream:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await secured.receive_some(1)

    await trio.serve_listeners(serve, [listener])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_tls_is_verified_and_shown(tmp_path: Path, host: str) -> None:
    try:
        listeners = await trio.open_tcp_listeners(0, host=host)
    except OSError:
        pytest.skip("this machine has no IPv6")
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    authority = Authority.make(tmp_path, "smpp.example.net", expires)
    other = Authority.make(tmp_path / "other", "smpp.example.net", expires)
    port = listeners[0].socket.getsockname()[1]

    def operator(ca: Path, name: str) -> str:
        return f'tls = {{ca_file = "{ca}", server_name = "{name}"}}'

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tls_server, authority, listeners[0])
        seen = []
        for ca, name in (
            (authority.root, "smpp.example.net"),
            (authority.root, "smpp.example.org"),
            (other.root, "smpp.example.net"),
        ):
            config = write_config(tmp_path, {"movistar": operator(ca, name)})
            config.write_text(
                config.read_text()
                .replace('host = "127.0.0.1"', f'host = "{host}"')
                .replace("port = 2775", f"port = {port}")
            )
            try:
                stream = await connect_tcp(load_settings(config).operators["movistar"])
            except LinkLost as error:
                seen.append(str(error.fields["alarm"]))
            else:
                async with stream:
                    state = tls_state(stream)
                assert state is not None
                assert state.version in ("TLSv1.2", "TLSv1.3")
                assert state.cipher
                assert state.peer == "CN=smpp.example.net"
                assert state.expires_at == expires.strftime("%Y-%m-%dT%H:%M:%SZ")
                assert state.verified
                seen.append("bound")
        nursery.cancel_scope.cancel()
    assert seen == ["bound", "certificate", "certificate"]


def test_a_connection_without_tls_has_no_tls_state() -> None:
    ours, _ = trio.testing.memory_stream_pair()
    assert tls_state(ours) is None


async def reason_of(directory: Path, host: str, port: int, settings: str = "") -> str:
    config = write_config(directory, {"movistar": settings}, ports={"movistar": port})
    config.write_text(config.read_text().replace('host = "127.0.0.1"', f'host = "{host}"'))
    with pytest.raises(LinkLost) as lost:
        await connect_tcp(load_settings(config).operators["movistar"])
    assert lost.value.hint
    return lost.value.message


async def test_why_there_is_no_connection_is_said_in_plain_words(tmp_path: Path) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]

    async def greet(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, greet, [listener])
        tls = 'tls = {ca_file = "system"}'
        spoke = await reason_of(tmp_path, "127.0.0.1", port, tls)
        nursery.cancel_scope.cancel()
    refused = await reason_of(tmp_path, "127.0.0.1", port)
    assert spoke.startswith(f"cannot connect to 127.0.0.1 port {port}: the TLS handshake failed: ")
    assert refused == f"cannot connect to 127.0.0.1 port {port}: Connection refused"


async def test_a_name_that_dns_does_not_know_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: object, **__: object) -> trio.SocketStream:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("trio.open_tcp_stream", unknown)
    reason = await reason_of(tmp_path, "smpp.example.net", 2775)
    assert reason == "cannot connect to smpp.example.net port 2775: Name or service not known"

"""Systemd makes the admin socket and passes it on: who asks early waits, and it outlives us."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.process import ACUSE, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.process import Daemon

#: What a service manager does between fork and exec.
PASS = """
import os, socket, sys
path, kind, *command = sys.argv[1:]
of = socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM
made = socket.socket(socket.AF_UNIX, of)
made.bind(path)
if kind == "listening":
    made.listen()
os.dup2(made.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="admin")
os.execv(command[0], command)
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site.open({"movistar": {"seed": 1}}) as made:
        yield made


def activated(site: Site, path: str, kind: str = "listening") -> Daemon:
    serve = [*ACUSE, "serve", "--config", str(site.config)]
    return site.serve([sys.executable, "-c", PASS, path, kind, *serve])


def test_the_socket_systemd_made_is_served_and_left_in_place(site: Site) -> None:
    path = site.directory / "admin.sock"
    daemon = activated(site, str(path)).ready()
    with site.admin() as admin:
        assert admin.call("status", {})["ready"] is True
    daemon.stop()
    assert path.is_socket()
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(str(path))


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("listening", "other.sock", "the socket passed is"),
        ("idle", "admin.sock", "not a listening unix stream socket"),
        ("datagram", "admin.sock", "not a listening unix stream socket"),
    ],
)
def test_another_socket_is_refused_with_the_unit_s_line(
    site: Site, kind: str, name: str, says: str
) -> None:
    daemon = activated(site, str(site.directory / name), kind)
    assert daemon.wait() == 78
    assert says in daemon.log()
    assert "ListenStream=" in daemon.log()

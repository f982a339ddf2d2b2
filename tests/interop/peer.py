"""Programs nobody here wrote, as processes on loopback, and a daemon that is bound to one."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from tests.interop.install import HERE, NODE_MODULES, SMPP34_PYTHON
from tests.support.process import Child, Site, environment
from tests.support.world import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEERS: Final = HERE / "peers"
#: How each SMSC is started; its arguments are a journal and, for those that cannot choose, a port.
SMSCS: Final = {
    "node-smpp": ("node", str(PEERS / "smsc.js")),
    "Net::SMPP": ("perl", str(PEERS / "smsc.pl")),
    "smpp34": (str(SMPP34_PYTHON), str(PEERS / "smsc34.py")),
}


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def node_environment() -> dict[str, str]:
    """An environment in which node finds what was installed for it."""
    return environment(NODE_PATH=str(NODE_MODULES))


class Smsc(Child):
    """One of `SMSCS`, listening on `port`; `journal` is what it read, in the peer's own words.

    node-smpp's takes two *options* more: the files of a key and of its certificate, for TLS.
    """

    def __init__(self, name: str, directory: Path, *options: Path) -> None:
        self._journal = directory / "peer.journal"
        self._journal.touch()
        command = [*SMSCS[name], str(self._journal), str(free_port()), *map(str, options)]
        super().__init__(command, directory / "peer.log", env=node_environment())
        with ExitStack() as failed:
            failed.callback(self.end)
            self.port: int = self.line()["port"]
            failed.pop_all()

    def journal(self, event: str) -> list[dict[str, Any]]:
        """The whole lines about *event*."""
        text = self._journal.read_text(encoding="utf-8")
        lines = map(json.loads, text[: text.rfind("\n") + 1].splitlines())
        return [line for line in lines if line["event"] == event]


@contextmanager
def bound_site(peer: Smsc, directory: Path, settings: str = "") -> Iterator[Site]:
    """A daemon's site whose one operator, "peer", is *peer*."""
    config = write_config(directory, {"peer": settings}, ports={"peer": peer.port})
    site = Site(directory, {}, config)
    try:
        yield site
    finally:
        for daemon in site.daemons:
            daemon.end()

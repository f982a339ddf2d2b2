"""Telling systemd: READY, STOPPING, WATCHDOG (sd_notify(3)), when it asks for it."""

from __future__ import annotations

import math
import os
import socket
from typing import TYPE_CHECKING

import structlog
import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = structlog.get_logger()


class Notifier:
    """A datagram socket to the service manager; silent where there is none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        wanted = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.watchdog_s = int(wanted) / 2e6 if wanted.isdecimal() and ours else math.inf

    def send(self, message: str) -> None:
        """Send one line such as `READY=1`; a manager that is gone is no reason to stop."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.connect(address)
                channel.sendall(message.encode())
        except OSError as error:
            log.warning("notify.failed", reason=str(error))

    async def feed_watchdog(self, healthy: Callable[[], bool]) -> None:
        """Send WATCHDOG=1 twice per period, as long as the daemon does its work."""
        if self.watchdog_s == math.inf or not self._address:
            return
        while True:
            await trio.sleep(self.watchdog_s)
            if healthy():
                self.send("WATCHDOG=1")

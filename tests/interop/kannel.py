"""Kannel as it is run in earnest, but on loopback: bearerbox, smsbox, and where they report to."""

from __future__ import annotations

import http.server
import threading
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from tests.interop.install import KANNEL
from tests.interop.peer import free_port
from tests.support.process import Child, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Every port of Kannel's listens on loopback; only `bearerbox` and `smsbox` talk to each other, the
#: test submits by `sendsms`, and receipts come back to a server of the test's own.
CONFIG: Final = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = "interop"
smsbox-port = {smsbox}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
box-deny-ip = "*.*.*.*"
dlr-storage = internal
access-log = "{directory}/access.log"

group = smsc
smsc = smpp
smsc-id = sim
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = "guest"
smsc-password = "open"
system-type = ""
interface-version = 34
enquire-link-interval = 1
reconnect-delay = 1
source-addr-ton = 5
source-addr-npi = 0
dest-addr-ton = 1
dest-addr-npi = 1

group = smsbox
smsbox-id = interop
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
global-sender = ACME
mo-recode = false

group = sendsms-user
username = interop
password = interop
max-messages = 10
concatenation = true
"""
#: The bits of Kannel's dlr-mask and the words of its %d: delivered, not delivered, buffered,
#: accepted by the SMSC, refused by the SMSC.
DELIVERED, FAILED, BUFFERED, SMSC_ACCEPTED, SMSC_REFUSED = 1, 2, 4, 8, 16


class _Callbacks(http.server.BaseHTTPRequestHandler):
    server: Reports

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self.server.seen.append({name: values[0] for name, values in query.items()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object, **__: object) -> None:
        """Calls are counted, not told."""


class Reports(http.server.ThreadingHTTPServer):
    """Where Kannel says what became of its messages; `seen` are the parameters of each call."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Callbacks)
        self.seen: list[dict[str, str]] = []

    def of(self, to: str) -> list[int]:
        """The kinds of report about a number, in order of arrival."""
        return [int(call["type"]) for call in self.seen if call["to"] == to]


class Kannel:
    """A bearerbox and an smsbox that run."""

    def __init__(self, directory: Path, sendsms: int, reports: Reports) -> None:
        self.reports = reports
        self._sendsms = f"http://127.0.0.1:{sendsms}/cgi-bin/sendsms"
        self._callback = f"http://127.0.0.1:{reports.server_port}/"
        self._directory = directory

    def send(self, to: str, text: str, *, coding: int = 0) -> int:
        """Submit by HTTP; the status of the answer. *coding* 2 is UCS-2."""
        callback = f"{self._callback}?type=%d&to={to}&from=%P&foreign=%F"
        query = urllib.parse.urlencode(
            {
                "username": "interop",
                "password": "interop",
                "from": "ACME",
                "to": to,
                "text": text,
                "charset": "UTF-8",
                "coding": coding,
                "dlr-mask": 31,
                "dlr-url": callback,
            }
        )
        with urllib.request.urlopen(f"{self._sendsms}?{query}", timeout=20) as answer:
            status: int = answer.status
            return status

    def log(self) -> str:
        """What bearerbox said."""
        return (self._directory / "bearerbox.log").read_text(errors="replace")


@contextmanager
def running(directory: Path, port: int) -> Iterator[Kannel]:
    """Kannel, bound to the SMSC on *port* of loopback."""
    sendsms = free_port()
    config = directory / "kannel.conf"
    config.write_text(
        CONFIG.format(
            directory=directory,
            admin=free_port(),
            smsbox=free_port(),
            sendsms=sendsms,
            port=port,
        )
    )
    with ExitStack() as stack:
        reports = Reports()
        thread = threading.Thread(target=reports.serve_forever)
        thread.start()
        stack.callback(thread.join, 10)
        stack.callback(reports.server_close)
        stack.callback(reports.shutdown)
        bearerbox = stack.enter_context(
            Child([str(KANNEL / "bearerbox"), "-v", "0", str(config)], directory / "bearerbox.log")
        )
        smsbox_log = directory / "smsbox.log"
        kannel = Kannel(directory, sendsms, reports)
        wait_until(
            lambda: bearerbox.running() and "bind_transceiver_resp" in kannel.log(), "it is bound"
        )
        stack.enter_context(Child([str(KANNEL / "smsbox"), "-v", "0", str(config)], smsbox_log))
        wait_until(lambda: _answers(sendsms), "smsbox listens")
        yield kannel


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
    return True

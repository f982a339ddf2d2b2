"""The real thing as processes on loopback: simulated operators, the daemon, the command line.

Whatever is started here is ended by its process id, also when a test fails, and nothing waits
without an end.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from gateway.cli.client import Client
from gateway.errors import DaemonUnreachable
from gateway.settings import load_settings
from tests.support.world import write_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gateway.settings import Settings

ACUSE = (sys.executable, "-m", "gateway.cli.main")
#: How long anything may take before the test is given up. Machines that test are often busy.
PATIENCE_S = 60.0
_POLL_S = 0.02
#: PYTHONUNBUFFERED would hide that a program keeps its words to itself.
_OURS = (
    *("ACUSE_CONFIG", "ACUSE_DEBUG", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),
    "PYTHONUNBUFFERED",
)


@contextmanager
def short_directory() -> Iterator[Path]:
    """A temporary directory with a path so short that a unix socket fits into it."""
    path = Path(tempfile.mkdtemp(prefix="acuse-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would point `acuse` elsewhere, and with *extra*."""
    return {k: v for k, v in os.environ.items() if k not in _OURS} | extra


def wait_until(holds: Callable[[], object], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Ask until *holds* is true; fail with *what* was expected when patience is over."""
    end_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end_s, f"not within {patience_s:g} s: {what}"
        time.sleep(_POLL_S)


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Stdout as the one JSON object it must be."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    def lines(self) -> list[Any]:
        """Stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Child:
    """A process of ours; what it says on stderr is kept in the file *log*."""

    def __init__(
        self, command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                env=dict(env or environment()),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def log(self) -> str:
        """What it said on stderr so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The daemon's log events of that name."""
        lines = (json.loads(line) for line in self.log().splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == name]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, *, patience_s: float = PATIENCE_S) -> int:
        """Wait for its end; its exit code."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it runs on:\n{self.log()[-4000:]}") from None

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.send(signal.SIGKILL)
        self.wait()

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.running():
            self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def line(self, *, patience_s: float = PATIENCE_S) -> Any:
        """The next line of stdout, which is JSON."""
        stdout = self.process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            assert selector.select(patience_s), f"it says nothing:\n{self.log()[-4000:]}"
        line = stdout.readline()
        assert line, f"it ended:\n{self.log()[-4000:]}"
        return json.loads(line)


class Simulator(Child):
    """`acuse simulate` on a free port, with *options*, and a journal unless *journal* is False."""

    def __init__(
        self, directory: Path, name: str, options: Mapping[str, object], *, journal: bool = True
    ) -> None:
        self._journal = directory / f"{name}.journal"
        command = [*ACUSE, "simulate", "--port", "0", "--json", "--stats"]
        if journal:
            command += ["--journal", str(self._journal)]
        for option, value in options.items():
            command += [f"--{option.replace('_', '-')}", str(value)]
        super().__init__(command, directory / f"{name}.log")
        with ExitStack() as failed:
            failed.callback(self.end)
            self.port: int = self.line()["port"]
            failed.pop_all()

    def journal(self, event: str) -> list[dict[str, Any]]:
        """The whole lines of its journal about "accepted", "refused" or "acknowledged"."""
        text = self._journal.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        return [each for each in map(json.loads, whole.splitlines()) if each["event"] == event]

    def stop(self) -> dict[str, int]:
        """End it in good order; its counts."""
        self.send(signal.SIGTERM)
        counts: dict[str, int] = self.line()
        assert self.wait() == 0
        return counts


class Daemon(Child):
    """`acuse serve` with the configuration of a site, or a *command* that stands in for it."""

    def __init__(
        self, site: Site, command: Sequence[str] = (), *, env: Mapping[str, str] | None = None
    ) -> None:
        self.site = site
        serve = [*ACUSE, "serve", "--config", str(site.config)]
        super().__init__(command or serve, site.directory / "daemon.log", env=env)

    def status(self) -> dict[str, Any]:
        """What `status` answers on the admin socket."""
        with self.site.admin() as admin:
            return admin.call("status", {})

    def ready(self, *, bound: bool = True) -> Daemon:
        """Wait until it serves and, unless *bound* is False, every operator is bound."""

        def is_ready() -> bool:
            assert self.running(), f"it ended with {self.wait()}:\n{self.log()[-4000:]}"
            try:
                status = self.status()
            except DaemonUnreachable:
                return False
            states = {operator["state"] for operator in status["operators"]}
            return status["ready"] and (not bound or states == {"bound"})

        wait_until(is_ready, "the daemon is ready")
        return self

    def wait_for(self, holds: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """The status once *holds* is true of it."""
        seen: dict[str, Any] = {}

        def asked() -> object:
            seen.update(self.status())
            return holds(seen)

        wait_until(asked, what)
        return seen

    def stop(self) -> None:
        """Drain and end, in good order."""
        self.send(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"exit code {code}:\n{self.log()[-4000:]}"


@dataclass
class Site:
    """A directory with a configuration, its simulated operators, and the daemon's data."""

    directory: Path
    simulators: dict[str, Simulator]
    config: Path
    daemons: list[Daemon] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(
        cls,
        operators: Mapping[str, Mapping[str, object]],
        *,
        settings: str = "",
        routes: dict[str, list[str]] | None = None,
        gateway: str = "",
        journal: bool = True,
    ) -> Iterator[Site]:
        """Simulators for *operators* (name → options of `acuse simulate`), and a configuration.

        *settings* go into each operator's table, *gateway* after the one of that name. Without
        *journal* the simulators write nothing. Every process of the site has ended when the block
        has.
        """
        with short_directory() as directory, ExitStack() as stack:
            simulators = {
                name: stack.enter_context(Simulator(directory, name, options, journal=journal))
                for name, options in operators.items()
            }
            config = write_config(
                directory,
                dict.fromkeys(operators, settings),
                ports={name: simulator.port for name, simulator in simulators.items()},
                routes=routes,
                gateway=gateway,
            )
            site = cls(directory, simulators, config)
            try:
                yield site
            finally:
                for daemon in site.daemons:
                    daemon.end()

    @property
    def data(self) -> Path:
        """The daemon's data directory."""
        return self.directory / "data"

    @cached_property
    def settings(self) -> Settings:
        """The configuration as the daemon reads it."""
        return load_settings(self.config)

    def serve(self, command: Sequence[str] = (), *, env: Mapping[str, str] | None = None) -> Daemon:
        """Start the daemon; it need not be ready."""
        daemon = Daemon(self, command, env=env)
        self.daemons.append(daemon)
        return daemon

    def admin(self) -> Client:
        """A connection to the daemon."""
        return Client(self.directory / "admin.sock", patience_s=PATIENCE_S)

    def acuse(self, *args: str, stdin: str = "", patience_s: float = PATIENCE_S) -> Ran:
        """Run a command as a user types it, with the site's configuration."""
        done = subprocess.run(
            [*ACUSE, *args],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=patience_s,
            env=environment(ACUSE_CONFIG=str(self.config)),
        )
        return Ran(done.returncode, done.stdout, done.stderr)


class NotifySocket:
    """What a service manager hears of a daemon (sd_notify)."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))

    def __enter__(self) -> NotifySocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hear(self, *, patience_s: float = PATIENCE_S) -> str:
        """The next datagram."""
        self._socket.settimeout(patience_s)
        return self._socket.recv(4096).decode()

"""The processes of `acuse demo`: two simulated operators, a time stamp server, a daemon, and
commands that look on.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli import democertificate
from gateway.errors import DaemonUnreachable, TryAgain

if TYPE_CHECKING:
    from types import TracebackType

    from gateway.cli.client import Client

_START_S = 20.0
_STOP_S = 20.0
_OPERATORS = {"movistar": 1, "orange": 2}
#: Whose number ends so answers every message with STOP (`gateway.sim.outcomes`).
REPLIES_STOP = "0960"
_CONFIG = """\
[gateway]
name = "sms.demo.example"
data_dir = "data"
admin_socket = "admin.sock"
profile = "law"

[issuer]
legal_name = "Acuse Demo SL"
tax_id = "B00000000"

[brands.acme]
legal_name = "ACME Demo SA"
tax_id = "A00000000"
address = "Calle Ficticia 1, 28000 Madrid"
opt_out_url = "https://acme.example/b"
senders = ["ACME"]

[senders.ACME]
registered_in = ["ES"]

[[timestamp]]
name = "demo-tsa"
url = "http://127.0.0.1:{tsa_port}/"
ca_file = "{tsa_ca}"
{operators}
[[routes]]
to = ["+33"]
operators = ["orange", "movistar"]

[[routes]]
to = ["+"]
operators = ["movistar", "orange"]
"""
_OPERATOR = """
[operators.{name}]
host = "127.0.0.1"
port = {port}
system_id = "acuse"
password = "demo"
response_timeout_s = 3
receipt_means = "handset"
"""
_MEANINGS = {
    "VALID": "every step holds, keys pinned, time-stamped",
    "UNANCHORED": "it holds; no outside time stamp yet",
    "INVALID": "do not believe it",
}


def acuse_command() -> str:
    """How this very `acuse` is called from a shell."""
    script = Path(sys.argv[0])
    if script.name == "acuse" and script.exists():
        found = shutil.which("acuse")
        same = found is not None and Path(found).resolve() == script.resolve()
        return "acuse" if same else os.path.relpath(script)
    return f"{sys.executable} -m gateway.cli.main"


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ran to its end, and the JSON it printed."""

    exit_code: int
    said: dict[str, Any]

    def meaning(self) -> str:
        """The verdict in plain words."""
        return _MEANINGS.get(str(self.said.get("verdict")), str(self.said.get("reason")))


class Stage:
    """A directory with a configuration, and the processes that live in it while it is open."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.config = place / "acuse.toml"
        self.socket = place / "admin.sock"
        self.bundle = place / "bundle.json"
        self.policy = place / "trusted.policy"
        self.tsa_ca = place / "tsa-ca.pem"
        self.certificate = place / "certificate.pdf"
        self.signer_ca = place / "seal-ca.pem"
        self._processes: list[subprocess.Popen[str]] = []
        self._ports: dict[str, int] = {}
        self.tsa_port = 0

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def start(self) -> None:
        """Start the operators and the time stamps, write the configuration, start the daemon."""
        for name, seed in _OPERATORS.items():
            self._ports[name] = self._listening(
                "gateway.cli.main", "simulate", "--port", "0", "--json", "--seed", str(seed)
            )
        self.tsa_port = self._listening("gateway.sim.tsa", "--port", "0", "--ca", str(self.tsa_ca))
        operators = "".join(
            _OPERATOR.format(name=name, port=port) for name, port in self._ports.items()
        )
        self.config.touch(mode=0o600)
        democertificate.make_seal(self.place)
        self.config.write_text(
            _CONFIG.format(operators=operators, tsa_port=self.tsa_port, tsa_ca=self.tsa_ca.name)
            + democertificate.CONFIG
        )
        serve = ("gateway.cli.main", "serve", "--config", str(self.config))
        self._spawn(*serve, log=self.place / "daemon.log")
        deadline = time.monotonic() + _START_S
        while not self.socket.exists():
            if self._processes[-1].poll() is not None or time.monotonic() > deadline:
                raise DaemonUnreachable(
                    "the demo's daemon did not start",
                    hint=f"its log says why: {self.place / 'daemon.log'}",
                )
            time.sleep(0.05)

    def trust(self) -> tuple[str, ...]:
        """What a verifier brings along: the log's key and the issuer of the time stamps."""
        return ("--policy", str(self.policy), "--tsa-ca", str(self.tsa_ca))

    def seal_trust(self) -> tuple[str, ...]:
        """The same for a document, and the issuer of seals."""
        return (*self.trust(), "--signer-ca", str(self.signer_ca))

    def ports_text(self) -> str:
        """The operators' ports, for people."""
        return ", ".join(f"{name} {port}" for name, port in self._ports.items())

    def wait_until_bound(self, client: Client) -> dict[str, Any]:
        """The daemon's status once every operator is bound."""
        deadline = time.monotonic() + _START_S
        while True:
            status = client.call("status", {})
            if all(operator["state"] == "bound" for operator in status["operators"]):
                return status
            if time.monotonic() > deadline:
                raise TryAgain(
                    "the demo's operators were not bound in time",
                    hint=f"the log says why: {self.place / 'daemon.log'}",
                )
            time.sleep(0.05)

    def run(self, *args: str) -> Ran:
        """Run an `acuse` command to its end, as a user would, with --json."""
        command = [sys.executable, "-m", "gateway.cli.main", *args, "--json"]
        command += ["--config", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        lines = done.stdout.splitlines()
        said = json.loads(lines[0]) if lines else {"reason": done.stderr.strip()}
        return Ran(done.returncode, said)

    def stop(self) -> None:
        """Drain the daemon, then end the operators."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()

    def leave_only_the_proof(self) -> None:
        """Remove everything but bundle and certificate, and the keys to check them with."""
        kept = (self.bundle, self.certificate, self.policy, self.tsa_ca, self.signer_ca)
        for path in self.place.iterdir():
            if path in kept:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _listening(self, module: str, *args: str) -> int:
        """Start a server that tells its port in one line of JSON."""
        server = self._spawn(module, *args)
        assert server.stdout is not None
        return int(json.loads(server.stdout.readline())["port"])

    def _spawn(self, module: str, *args: str, log: Path | None = None) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", module, *args]
        if log is None:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        else:
            with log.open("w") as file:
                process = subprocess.Popen(command, stderr=file, text=True)
        self._processes.append(process)
        return process

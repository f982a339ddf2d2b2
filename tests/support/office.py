"""Certificates as users get them: a seal of our own, a TSA on loopback, real bundles."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import trio

from gateway.certificate import page
from gateway.certificate.endorsement import Anchors
from gateway.certificate.examine import verify_certificate
from gateway.certificate.examiner import answer
from gateway.certificate.pemfiles import parse_certificates
from gateway.certificate.seal import Sealer
from gateway.evidence.rfc3161 import trusting
from gateway.ledger.note import open_note
from gateway.ledger.policyfile import Policy, parse_policy
from gateway.settings import KeySource, Seal, Timestamp
from gateway.sim.authority import Behaviour, StampingAuthority
from gateway.sim.sealauthority import IssuedSeal, SealAuthority, SealFiles
from gateway.sim.server import bound_port, listen
from gateway.sim.tsa import StampServer
from tests.support.ledgers import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.ledger.report import Report


MID = "01990c4e-6a00-7000-8000-1a2b3c4d5e6f"


class Tsa:
    """A TSA on loopback, in a thread of its own."""

    def __init__(self, directory: Path, name: str = "demo") -> None:
        self.name = name
        self.authority = StampingAuthority(datetime.now(UTC))
        self.server = StampServer(self.authority)
        self.ca_file = directory / f"tsa-{name}.pem"
        self.ca_file.write_bytes(self.authority.ca_pem)
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[Tsa]:
        """Serves while the block lasts."""
        ready = threading.Event()
        stop: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

        async def serve() -> None:
            listeners = await listen("127.0.0.1", 0)
            self.port = bound_port(listeners)
            with trio.CancelScope() as scope:
                stop.append((trio.lowlevel.current_trio_token(), scope))
                ready.set()
                await trio.serve_listeners(self.server.serve_stream, listeners)

        thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
        thread.start()
        assert ready.wait(20)
        try:
            yield self
        finally:
            token, scope = stop[0]
            trio.from_thread.run_sync(scope.cancel, trio_token=token)
            thread.join(20)

    @property
    def settings(self) -> Timestamp:
        """As `[[timestamp]]`."""
        url = f"http://127.0.0.1:{self.port}/"
        return Timestamp(name=self.name, url=url, ca_file=self.ca_file, timeout_s=20)

    def stamp(self, note: str) -> dict[str, object]:
        """A token over a checkpoint, as a bundle's `timestamps` holds it."""
        from base64 import b64encode
        from hashlib import sha256

        text = open_note(note)[0]
        digest = sha256(text.encode()).digest()
        token = self.authority.token(digest, None, datetime.now(UTC), Behaviour.RIGHT)
        return {
            "tsa": self.name,
            "over": text,
            "token": b64encode(token).decode(),
            "consistency": [],
        }


@dataclass(frozen=True, slots=True)
class Office:
    """Everything that makes and checks certificates."""

    directory: Path
    authority: SealAuthority
    seal: IssuedSeal
    files: SealFiles
    tsa: Tsa

    @classmethod
    @contextmanager
    def open(cls, directory: Path) -> Iterator[Office]:
        """An issuer with its seal and its TSA."""
        authority = SealAuthority(datetime.now(UTC))
        seal = authority.issue("Ejemplo Mensajes SL")
        files = authority.write(directory, seal)
        with Tsa(directory).running() as tsa:
            yield cls(directory, authority, seal, files, tsa)

    @property
    def settings(self) -> Seal:
        """As `[seal]`."""
        return Seal(
            certificate=self.files.certificate,
            key=KeySource(f"file:{self.files.key}", self.files.key),
            chain=self.files.chain,
            crls=self.files.crls,
        )

    def toml(self) -> str:
        """The seal and the TSA, as they stand in a configuration."""
        return f"""
[seal]
certificate = "{self.files.certificate}"
key = {{file = "{self.files.key}"}}
chain = "{self.files.chain}"
crls = "{self.files.crls}"

[[timestamp]]
name = "{self.tsa.name}"
url = "{self.tsa.settings.url}"
ca_file = "{self.tsa.ca_file}"
"""

    def sealer(self, *more: Tsa) -> Sealer:
        """A sealer with the TSA, and others after it."""
        return Sealer(self.settings, [each.settings for each in (self.tsa, *more)])

    def policy(self, bundle: bytes) -> Policy:
        """The log key of *bundle*, pinned."""
        return parse_policy(f"log {json.loads(bundle)['log']}\nquorum none\n".encode())

    def verify(self, pdf: bytes, bundle: bytes) -> Report:
        """The verdict of somebody who trusts the authority, the TSA and the log of *bundle*."""
        return verify_certificate(
            pdf,
            now_ms=time.time_ns() // 1_000_000,
            policy=self.policy(bundle),
            stamp_check=trusting(self.tsa.authority.ca_pem),
            signer_ca=self.authority.ca_pem,
            tsa_ca=self.tsa.authority.ca_pem,
        )

    def fault(self, pdf: bytes) -> str | None:
        """What is wrong with the file, without a process of its own; None if nothing is.

        What ends the examiner is told by its name, as `examine` tells it as damage.
        """
        anchors = Anchors(
            parse_certificates(self.authority.ca_pem),
            parse_certificates(self.tsa.authority.ca_pem),
        )
        try:
            found = answer(pdf, anchors)
        except Exception as error:
            return f"ends with {type(error).__name__}"
        assert isinstance(found["faults"], list)
        assert isinstance(found["lacks"], list)
        reasons = [*found["faults"], *found["lacks"]]
        return str(reasons[0][1]) if reasons else None

    def certificate(self, bundle: bytes, language: str = "es") -> bytes:
        """The sealed certificate of *bundle*."""
        with self.sealer() as sealer:
            return sealer.seal(page.render(bundle, language))


def stamped_bundle(
    tsa: Tsa, outcome: str = "delivered", *, mid: str = MID, ledger: MemoryLedger | None = None
) -> bytes:
    """A bundle whose checkpoint has a time stamp."""
    ledger = ledger or MemoryLedger()
    ledger.now_ms = round(datetime.now(UTC).timestamp() * 1000) - 60_000
    ledger.submission(mid, outcome)
    note = ledger.checkpoint()
    bundle = json.loads(ledger.bundle(mid, note=note))
    bundle["timestamps"] = [tsa.stamp(note)]
    return json.dumps(bundle, ensure_ascii=False, indent=1).encode() + b"\n"

"""OpenSSL's own time-stamping authority (`openssl ts`) behind HTTP on loopback."""

from __future__ import annotations

import subprocess
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.tokens import Party, answer, authority, certify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("right", "with-chain", "expired", "no-eku", "other-imprint")
_CONFIG = """
[tsa]
default_tsa = ts
[ts]
dir = {directory}
serial = $dir/serial
crypto_device = builtin
signer_cert = $dir/unit.pem
signer_key = $dir/unit.key
{certs}
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl(*arguments: str) -> bytes:
    """Run it; its stdout."""
    done = subprocess.run(("openssl", *arguments), capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


class OpensslTsa:
    """The authority, as one of `KINDS`."""

    def __init__(self, directory: Path, kind: str) -> None:
        self._directory = directory
        self._kind = kind
        self._lock = threading.Lock()
        now = datetime.now(UTC)
        span: dict[str, Any] = {"began": now - timedelta(days=60), "ends": now + timedelta(days=60)}
        root = authority("Example Authority", key=_key(), identified=True, **span)
        middle = authority("Example Middle", root, key=_key(), identified=True, **span)
        self.unit = self._make_unit(middle, now)
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(root.pem + (b"" if kind == "with-chain" else middle.pem))
        (directory / "chain.pem").write_bytes(middle.pem + root.pem)
        (directory / "unit.pem").write_bytes(self.unit.pem)
        (directory / "unit.key").write_bytes(
            self.unit.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        (directory / "serial").write_text("01\n")
        certs = "certs = $dir/chain.pem" if kind == "with-chain" else ""
        (directory / "ts.cnf").write_text(_CONFIG.format(directory=directory, certs=certs))

    def _make_unit(self, middle: Party, now: datetime) -> Party:
        ends = now + timedelta(days=-1 if self._kind == "expired" else 30)
        usage = ExtendedKeyUsageOID.TIME_STAMPING
        if self._kind == "no-eku":
            usage = ExtendedKeyUsageOID.CODE_SIGNING
        return certify(
            "Example Unit",
            middle,
            key=_key(),
            identified=True,
            began=now - timedelta(days=30),
            ends=ends,
            extensions=((x509.ExtendedKeyUsage([usage]), True),),
        )

    def reply(self, request: bytes) -> bytes:
        """The answer to a TimeStampReq."""
        with self._lock:
            query, reply = self._directory / "query.tsq", self._directory / "reply.tsr"
            query.write_bytes(request)
            if self._kind == "other-imprint":
                digest = ("-digest", "11" * 32, "-sha256", "-cert", "-out", str(query))
                openssl("ts", "-query", *digest)
            config = ("-config", str(self._directory / "ts.cnf"))
            if self._kind == "no-eku":
                return self._without_usage(query)
            openssl("ts", "-reply", *config, "-queryfile", str(query), "-out", str(reply))
            return reply.read_bytes()

    def _without_usage(self, query: Path) -> bytes:
        """`openssl ts` refuses such a certificate, so the token is signed by `openssl cms`."""
        stated = self._directory / "stated.der"
        stated.write_bytes(_stated(query.read_bytes()))
        signer = ("-signer", str(self._directory / "unit.pem"))
        key = ("-inkey", str(self._directory / "unit.key"))
        content = ("-econtent_type", "1.2.840.113549.1.9.16.1.4", "-in", str(stated), "-binary")
        form = ("-nodetach", "-cades", "-md", "sha256", "-outform", "DER")
        return answer("granted", openssl("cms", "-sign", *signer, *key, *content, *form))


def _stated(query: bytes) -> bytes:
    from asn1crypto import tsp

    asked = tsp.TimeStampReq.load(query)
    stated: bytes = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3.4.1",
            "message_imprint": asked["message_imprint"],
            "serial_number": 9,
            "gen_time": datetime.now(UTC).replace(microsecond=0),
            "nonce": asked["nonce"],
        }
    ).dump()
    return stated


@contextmanager
def serving(directory: Path, kind: str) -> Iterator[tuple[OpensslTsa, str]]:
    """The authority and where it answers."""
    tsa = OpensslTsa(directory, kind)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = tsa.reply(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield tsa, f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def in_set_order(token: bytes) -> bool:
    """Whether the certificates of a token are in the order DER wants."""
    held = [each.chosen.dump() for each in cms.ContentInfo.load(token)["content"]["certificates"]]
    return held == sorted(held)

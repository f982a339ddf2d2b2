"""The daemon's links to SMSCs that others wrote: unbound by the peer, split in two, over TLS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.interop.peer import SMSCS, Smsc, bound_site
from tests.support.process import short_directory, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.process import Site


def send(site: Site, to: str) -> dict[str, Any]:
    """Send a message, and wait for what becomes of it."""
    with site.admin() as admin:
        asked = {"to": to, "text": "hola", "category": "legal_notice"}
        waiting = {"submission_id": admin.call("submit", asked)["submission_id"], "timeout_s": 20}
        return admin.call("messages.wait", waiting)


@pytest.mark.parametrize("name", SMSCS)
def test_a_peer_that_unbinds_is_answered_and_bound_again(name: str) -> None:
    with (
        short_directory() as directory,
        Smsc(name, directory) as peer,
        bound_site(peer, directory, "reconnect_s = [0.05, 0.1]") as site,
    ):
        daemon = site.serve().ready()
        for number in ("+34600111970", "+34600111222"):
            assert send(site, number)["state"] == "delivered"
            wait_until(lambda: len(peer.journal("bind")) == 2, "bound again")
            daemon.ready()
        daemon.stop()
        assert peer.journal("unexpected") == peer.journal("error") == []
        (answered,) = peer.journal("unbind_answered")
        assert answered["status"] == 0


def test_receipts_come_on_the_receiver_of_a_split_bind() -> None:
    with (
        short_directory() as directory,
        Smsc("node-smpp", directory) as peer,
        bound_site(peer, directory, 'bind = "split"') as site,
    ):
        daemon = site.serve().ready()
        wait_until(lambda: len(peer.journal("bind")) == 2, "both halves are bound")
        record = send(site, "+34600111222")
        daemon.stop()
        binds = {bind["command"] for bind in peer.journal("bind")}
        assert binds == {"bind_transmitter", "bind_receiver"}
        assert record["state"] == "delivered"
        (answered,) = peer.journal("receipt_answered")
        assert (answered["status"], answered["elsewhere"]) == (0, True)
        assert len(peer.journal("unbind")) == 2


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A key and a certificate that signs itself, for the host *name*, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / f"{name}.key", directory / f"{name}.crt"
    paths[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    paths[1].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return paths


def test_over_tls_with_a_private_authority() -> None:
    with short_directory() as directory:
        key, cert = certificate(directory, "smsc.example")
        tls = f'tls = {{ ca_file = "{cert}", server_name = "smsc.example" }}'
        with (
            Smsc("node-smpp", directory, key, cert) as peer,
            bound_site(peer, directory, tls) as site,
        ):
            daemon = site.serve().ready()
            assert send(site, "+34600111222")["state"] == "delivered"
            daemon.stop()
            assert len(peer.journal("unbind")) == 1


@pytest.mark.parametrize(("trusted", "name"), [("other", "smsc"), ("smsc", "elsewhere")])
def test_no_bind_leaves_for_a_certificate_that_is_not_the_operator_s(
    trusted: str, name: str
) -> None:
    with short_directory() as directory:
        key, cert = certificate(directory, "smsc.example")
        certificate(directory, "other.example")
        ca = directory / f"{trusted}.example.crt"
        tls = f'tls = {{ ca_file = "{ca}", server_name = "{name}.example" }}'
        with (
            Smsc("node-smpp", directory, key, cert) as peer,
            bound_site(peer, directory, tls) as site,
        ):
            daemon = site.serve().ready(bound=False)
            status = daemon.wait_for(lambda status: status["operators"][0]["last_error"], "why")
            assert "certificate" in status["operators"][0]["last_error"]
            daemon.stop()
            assert peer.journal("bind") == []

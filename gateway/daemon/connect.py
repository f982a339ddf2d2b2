"""A connection to an operator: TCP over IPv4 or IPv6, TLS where configured, and what TLS agreed."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

from gateway.errors import LinkLost
from gateway.settings.certificates import SYSTEM

if TYPE_CHECKING:
    from gateway.settings import OperatorSettings


class TlsState(NamedTuple):
    """What both sides agreed on, and whom the operator's certificate names."""

    version: str
    cipher: str
    peer: str
    expires_at: str | None
    verified: bool


async def connect_tcp(settings: OperatorSettings) -> trio.abc.Stream:
    """A connection to the operator, by TLS where configured, with the host name verified.

    Raises:
        LinkLost: refused, unreachable, too slow, or the TLS handshake failed.
    """
    host, port = settings.host, settings.port
    try:
        with trio.fail_after(settings.connect_timeout_s):
            stream: trio.abc.Stream = await trio.open_tcp_stream(host, port)
            if settings.tls is not None:
                # Whatever ends the handshake, a cancellation too, ends the connection with it.
                async with AsyncExitStack() as failed:
                    failed.push_async_callback(trio.aclose_forcefully, stream)
                    stream = await _secure(stream, settings)
                    failed.pop_all()
    except trio.TooSlowError:
        raise LinkLost(
            f"no connection within {settings.connect_timeout_s:g} s",
            hint="is the operator reachable from here, and is our address on its list?",
            host=host,
            port=port,
        ) from None
    except (OSError, UnicodeError, trio.BrokenResourceError, ssl.SSLError) as error:
        cause = _root(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise LinkLost(
                f"the certificate of {host} port {port} is not to be trusted:"
                f" {cause.verify_message}",
                hint="set tls.ca_file to the operator's authority, tls.server_name to the name in"
                " its certificate; never switch the check off",
                host=host,
                port=port,
                alarm="certificate",
            ) from error
        raise LinkLost(
            f"cannot connect to {host} port {port}: {_words(cause)}",
            hint="check host, port and tls of the operator",
            host=host,
            port=port,
        ) from error
    return stream


def _root(error: BaseException) -> BaseException:
    """What was first: trio wraps it in its own, and tries several addresses in a group."""
    cause = error.__cause__ or error
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return cause


def _words(error: BaseException) -> str:
    """`Connection refused`, without number and address, which the sentence around it names."""
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error.args[-1]) if isinstance(error, socket.gaierror) else str(error)


async def _secure(stream: trio.abc.Stream, settings: OperatorSettings) -> trio.abc.Stream:
    tls = settings.tls
    assert tls is not None
    context = ssl.create_default_context(cafile=None if tls.ca_file == SYSTEM else tls.ca_file)
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    # A certificate never has the dot of the root that a configured name may end with.
    name = (tls.server_name or settings.host).removesuffix(".")
    secured = trio.SSLStream(stream, context, server_hostname=name)
    await secured.do_handshake()
    return secured


def tls_state(stream: trio.abc.Stream) -> TlsState | None:
    """What `status` shows of a connection's TLS; None for one without."""
    if not isinstance(stream, trio.SSLStream):
        return None
    certificate: dict[str, Any] = stream.getpeercert() or {}
    cipher: tuple[str, str, int] | None = stream.cipher()
    expires = certificate.get("notAfter")
    return TlsState(
        version=str(stream.version()),
        cipher=cipher[0] if cipher else "",
        peer=_subject(certificate),
        expires_at=None
        if expires is None
        else datetime.fromtimestamp(ssl.cert_time_to_seconds(expires), UTC).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        ),
        verified=bool(certificate),  # an unverified certificate is not given to us at all
    )


def _subject(certificate: dict[str, Any]) -> str:
    """`CN=smpp.example.net, O=…`; the alternative names where it has no subject."""
    short = {"commonName": "CN", "organizationName": "O", "countryName": "C"}
    parts = [part for group in certificate.get("subject", ()) for part in group]
    if not parts:
        parts = list(certificate.get("subjectAltName", ()))
    return ", ".join(f"{short.get(name, name)}={value}" for name, value in parts)

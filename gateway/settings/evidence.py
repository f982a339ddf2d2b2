"""The tables about proof: who tells the time, who witnesses, what seals, how long content stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.settings.certificates import Certificates
from gateway.settings.hsm import Pkcs11
from gateway.settings.kinds import Choice, FilePath, Number, Switch, Text, Whole
from gateway.settings.names import LINE, NAME
from gateway.settings.nested import KeyReference, KeySource, Table
from gateway.settings.reading import about

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings.lines import Place
    from gateway.settings.model import Ledger
    from gateway.settings.reading import Reading

_WEB = Text("web address", r"https?://[^\s/]+\S*", "it begins with https:// or http://")
_OID = Text("object identifier", r"[0-2](\.[0-9]+)+", "numbers and dots, as in 0.4.0.2023.1.1")
_VKEY = Text(
    "verifier key", r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*", "`acuse witness` prints its own"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamp:
    """A time-stamping authority (RFC 3161); with several, each stamps every checkpoint."""

    name: str = field(
        metadata=about("What status and proofs call it.", NAME, sample='"tsa-example"')
    )
    url: str = field(metadata=about("Where requests go.", _WEB, sample='"https://tsa.example/tsr"'))
    ca_file: Path = field(
        metadata=about(
            "The authorities that issue its certificate (PEM); no other's tokens are kept.",
            Certificates(),
            sample='"/etc/acuse/tsa-ca.pem"',
        )
    )
    qualified: bool = field(
        default=False,
        metadata=about(
            "Whether it is a qualified one of a trusted list; certificates then say so of the "
            "time stamp, never of the service.",
            Switch(),
        ),
    )
    policy_oid: str | None = field(
        default=None,
        metadata=about(
            "The time-stamp policy to ask for; a token under another one is refused.",
            _OID,
            sample='"0.4.0.2023.1.1"',
        ),
    )
    timeout_s: float = field(
        default=10.0,
        metadata=about("How long to wait for an answer.", Number(0.1, 300), unit="s"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A witness (c2sp.org/tlog-witness) that cosigns checkpoints, on another host than this one."""

    name: str = field(metadata=about("What status calls it.", NAME, sample='"notary"'))
    url: str = field(
        metadata=about(
            "Where it answers; add-checkpoint is appended.",
            _WEB,
            sample='"https://witness.example"',
        )
    )
    vkey: str = field(
        metadata=about(
            "Its verifier key; no other cosignature is taken.",
            _VKEY,
            sample='"witness.example+c3ee90b5+BExampleKeyExampleKeyExampleKeyExampleKeyEx"',
        )
    )
    timeout_s: float = field(
        default=10.0,
        metadata=about("How long to wait for an answer.", Number(0.1, 300), unit="s"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The issuer's seal certificate (X.509), with which certificates are signed."""

    certificate: Path | None = field(
        default=None,
        metadata=about(
            "The seal certificate (PEM); none: certificates cannot be issued.",
            Certificates(),
            sample='"/etc/acuse/seal.pem"',
        ),
    )
    key: KeySource | None = field(
        default=None,
        metadata=about(
            'Its key (PEM): {file = "PATH"} or {credential = "NAME"}.',
            KeyReference(),
            sample='{credential = "seal-key"}',
        ),
    )
    chain: Path | None = field(
        default=None,
        metadata=about(
            "The certificates between it and its root (PEM).",
            Certificates(),
            sample='"/etc/acuse/seal-chain.pem"',
        ),
    )
    crls: Path | None = field(
        default=None,
        metadata=about(
            "Revocation lists of those that issued it (PEM or DER), where they cannot be fetched.",
            FilePath(exists=True),
            sample='"/etc/acuse/seal-crls.pem"',
        ),
    )
    pkcs11: Pkcs11 | None = field(
        default=None,
        metadata=about("The key in a hardware module, in place of key.", Table(Pkcs11)),
    )


def ledger(table: Ledger, place: Place, reading: Reading) -> None:
    """A key that is to be followed needs one that follows."""
    if table.old_key is not None and table.key is None:
        reading.problem(
            (*place, "old_key"), "has no key to follow it", "set key as well, or leave it out"
        )


def seal(table: Seal, place: Place, reading: Reading) -> None:
    """A certificate and one key belong together."""
    keys = [name for name in ("key", "pkcs11") if getattr(table, name) is not None]
    if len(keys) > 1:
        reading.problem((*place, "pkcs11"), "is set, and key too", "leave one of them out")
    if table.certificate is not None and not keys:
        reading.problem((*place, "key"), "is missing", "set key or pkcs11: the certificate's key")
    for name in (*keys[:1], "chain", "crls"):
        if table.certificate is None and getattr(table, name) is not None:
            reading.problem(
                (*place, name), "has no certificate to belong to", "set certificate as well"
            )
            break


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long numbers, texts and PDUs can be read; the ledger itself stays."""

    content_days: int = field(
        default=1825,
        metadata=about(
            "Content is destroyed when all of its month is older, unless a legal hold stops it.",
            Whole(1, 36_500),
            unit="days",
        ),
    )
    kek: str = field(
        default="monthly",
        metadata=about(
            "How long one key-encryption key is used for new messages.", Choice(("monthly",))
        ),
    )
    basis: str = field(
        default="end of retention",
        metadata=about("What the ledger says as the reason.", LINE),
    )

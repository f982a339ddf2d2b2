"""The whole configuration, and the tables about the gateway itself.

The metadata of each field is the one source of its name, meaning, kind, unit, default and example.
Companies are in `parties`, operators and routes in `traffic`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.settings import checks, evidence
from gateway.settings.evidence import Retention, Seal, Timestamp, Witness, seal
from gateway.settings.hsm import SigningKey
from gateway.settings.kinds import Choice, FilePath, Many, Number, SocketPath, Text, Whole
from gateway.settings.names import GROUP, NAME, SENDER
from gateway.settings.nested import KeySource, Named, Table, Tables
from gateway.settings.parties import Brand, Issuer, Sender
from gateway.settings.policy import Policy
from gateway.settings.reading import Warned, about
from gateway.settings.traffic import OperatorSettings, RouteSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.settings.hsm import Pkcs11


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Who this gateway is, and where it keeps its state."""

    name: str = field(
        metadata=about(
            "The gateway's public name. With ledger.epoch it is the ledger's origin, which stands "
            "in every proof: choose a domain name you own, and never change it.",
            Text(
                "name of a log",
                r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}",
                "letters, digits and . - _ : / only, no spaces and no plus, as in sms.example.es",
            ),
            example='"sms.example.es"',
        )
    )
    data_dir: Path = field(
        metadata=about(
            "The directory of the ledger and, where no key is configured, of its keys.",
            FilePath(),
            example='"/var/lib/acuse"',
        )
    )
    admin_socket: Path = field(
        metadata=about(
            "The unix socket through which the command line speaks with the daemon.",
            SocketPath(),
            example='"/run/acuse/admin.sock"',
        )
    )
    profile: str = field(
        default="seed",
        metadata=about(
            "Which rules hold messages back: the law, or seed = the law and stricter house rules.",
            Choice(("seed", "law")),
        ),
    )
    confirm_within_s: int = field(
        default=259_200,
        metadata=about(
            "An accepted message without a final receipt becomes unconfirmed after this time.",
            Whole(60, 31_536_000),
            unit="s",
        ),
    )
    max_queued: int = field(
        default=1_000_000,
        metadata=about(
            "Messages that may wait, held or queued, before new ones are turned away.",
            Whole(1, 1_000_000_000),
            unit="messages",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The tamper-evident log."""

    epoch: str = field(
        default="1",
        metadata=about(
            "Which of this gateway's logs this is; a new log, with new keys, needs a new one.",
            Text("epoch", r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", 'such as "2026a"'),
            example='"2026a"',
        ),
    )
    checkpoint_every_s: float = field(
        default=60.0,
        metadata=about(
            "The log's head is signed at most this often, if it grew.", Number(0, 86_400), unit="s"
        ),
    )
    checkpoint_every_entries: int = field(
        default=4096,
        metadata=about(
            "It is also signed after so many entries.", Whole(1, 1_000_000), unit="entries"
        ),
    )
    key: KeySource | Pkcs11 | None = field(
        default=None,
        metadata=about(
            'The key that signs: {file = "PATH"}, {credential = "NAME"}, or {pkcs11 = {…}} with '
            "module, token, label and pin; by default one that acuse serve makes in data_dir.",
            SigningKey(),
            sample='{credential = "ledger-key"}',
        ),
    )
    old_key: KeySource | Pkcs11 | None = field(
        default=None,
        metadata=about(
            "The key that signed before, while key names the one to follow: acuse serve then "
            "changes the log's key. It can go when the log has been signed by both.",
            SigningKey(),
            sample='{credential = "ledger-key-before"}',
        ),
    )
    policy_file: Path | None = field(
        default=None,
        metadata=about(
            "The trust policy (c2sp.org/tlog-policy) whose quorum of witnesses a checkpoint is to "
            "reach; by default any one of those configured.",
            FilePath(exists=True),
            sample='"/etc/acuse/trusted.policy"',
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Groups of the system whose members may use the admin socket; read < submit < operator."""

    operator: tuple[str, ...] = field(
        default=(), metadata=about("May do everything.", Many(GROUP), sample='["wheel"]')
    )
    submit: tuple[str, ...] = field(
        default=(), metadata=about("May submit, and read.", Many(GROUP), sample='["senders"]')
    )
    read: tuple[str, ...] = field(
        default=(), metadata=about("May read.", Many(GROUP), sample='["auditors"]')
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """Who may use the admin socket; nobody named: root and the daemon's own user only."""

    group: str | None = field(
        default=None,
        metadata=about(
            "The group that owns the socket; its members can connect.", GROUP, sample='"acuse"'
        ),
    )
    roles: Roles = field(
        default=Roles(),
        metadata=about("What members of which groups may do.", Table(Roles, checks.roles)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A configuration that was checked as a whole.

    `path` is its file, `warnings` what works and is probably not meant, `digest` the hex SHA-256 of
    its canonical form without secrets (the ledger's `x.Boot` commits to it).
    """

    path: Path
    gateway: Gateway = field(metadata=about("", Table(Gateway, checks.gateway)))
    issuer: Issuer = field(default=Issuer(), metadata=about("", Table(Issuer)))
    brands: Mapping[str, Brand] = field(
        default_factory=dict, metadata=about("", Named(Table(Brand, checks.brand), NAME, "acme"))
    )
    senders: Mapping[str, Sender] = field(
        default_factory=dict,
        metadata=about("", Named(Table(Sender, checks.sender), SENDER, "ACME")),
    )
    operators: Mapping[str, OperatorSettings] = field(
        metadata=about(
            "", Named(Table(OperatorSettings, checks.operator), NAME, "movistar", at_least=1)
        )
    )
    routes: tuple[RouteSettings, ...] = field(
        metadata=about("", Tables(Table(RouteSettings, checks.route), at_least=1))
    )
    policy: Policy = field(default=Policy(), metadata=about("", Table(Policy)))
    ledger: Ledger = field(default=Ledger(), metadata=about("", Table(Ledger, evidence.ledger)))
    timestamp: tuple[Timestamp, ...] = field(
        default=(), metadata=about("", Tables(Table(Timestamp), distinct="name"))
    )
    witness: tuple[Witness, ...] = field(
        default=(), metadata=about("", Tables(Table(Witness), distinct="name"))
    )
    seal: Seal = field(default=Seal(), metadata=about("", Table(Seal, seal)))
    retention: Retention = field(default=Retention(), metadata=about("", Table(Retention)))
    admin: Admin = field(default=Admin(), metadata=about("", Table(Admin, checks.admin)))
    warnings: tuple[Warned, ...] = ()
    digest: str = ""

    @property
    def origin(self) -> str:
        """The ledger's origin, `NAME/EPOCH`: the first line of its checkpoints."""
        return f"{self.gateway.name}/{self.ledger.epoch}"

    @property
    def qualified(self) -> frozenset[str]:
        """The names of the time-stamping authorities that are qualified."""
        return frozenset(each.name for each in self.timestamp if each.qualified)

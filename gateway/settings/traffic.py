"""The tables about the way a message takes: operators and routes.

A route has `senders`, `brands` and `categories` for the TOML keys `from`, `brand` and `category`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.settings import certificates
from gateway.settings.certificates import Authorities
from gateway.settings.hosts import Host
from gateway.settings.kinds import (
    Choice,
    Each,
    FilePath,
    Flag,
    Many,
    Number,
    Span,
    Text,
    UtcOffset,
    Whole,
)
from gateway.settings.names import CATEGORIES, NAME, PREFIX, SENDER, DialectName
from gateway.settings.nested import SecretText, SwitchOrTable, Table
from gateway.settings.reading import about
from gateway.settings.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

NO_PASSWORD = Secret("", source="nowhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS towards an operator; whose certificates are believed is always said."""

    ca_file: Path | str = field(
        metadata=about(
            "The authorities that may vouch for the operator: a file of certificates (PEM), or "
            '"system" for all those that this machine trusts.',
            Authorities(),
            sample='"/etc/acuse/operator-ca.pem"',
        ),
    )
    cert_file: Path | None = field(
        default=None,
        metadata=about(
            "Our certificate and its chain (PEM), if the operator asks for one.",
            FilePath(exists=True),
            sample='"/etc/acuse/client.pem"',
        ),
    )
    key_file: Path | None = field(
        default=None,
        metadata=about(
            "The key of cert_file (PEM).", FilePath(exists=True), sample='"/etc/acuse/client.key"'
        ),
    )
    server_name: str | None = field(
        default=None,
        metadata=about(
            "The name the operator's certificate must have; by default host.",
            Host(),
            sample='"smpp.example.net"',
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """A bind: one account at one operator's SMSC. Take the values from the operator's letter."""

    name: str
    host: str = field(
        metadata=about("The SMSC's name or address.", Host(), example='"smpp.movistar.example"')
    )
    port: int = field(default=2775, metadata=about("The SMSC's TCP port.", Whole(1, 65_535)))
    tls: Tls | None = field(
        default=None,
        metadata=about(
            "Encrypt the connection: a table of ca_file (required), cert_file, key_file, "
            "server_name.",
            SwitchOrTable(Table(Tls, certificates.tls)),
            sample="false",
        ),
    )
    system_id: str = field(
        metadata=about("The account's name.", Text("account", max_octets=15), example='"acme01"')
    )
    password: Secret = field(
        default=NO_PASSWORD,
        metadata=about(
            'Its password: "text", {file = "PATH"}, or {credential = "NAME"} from systemd.',
            SecretText(8),
            example='{credential = "movistar"}',
        ),
    )
    system_type: str = field(
        default="",
        metadata=about(
            "What kind of system we are, if the operator wants to hear it.",
            Text(max_octets=12, empty=True),
            sample='"SMPP"',
        ),
    )
    interface_version: str = field(
        default="3.4",
        metadata=about(
            "The version of SMPP spoken. 3.3 sends no optional parameters; 5.0 lets the operator's "
            "congestion_state steer the window.",
            Choice(("3.3", "3.4", "5.0")),
        ),
    )
    addr_ton: int = field(
        default=0, metadata=about("Type of number in the bind request.", Whole(0, 6))
    )
    addr_npi: int = field(
        default=0, metadata=about("Numbering plan in the bind request.", Whole(0, 18))
    )
    bind: str = field(
        default="transceiver",
        metadata=about(
            "Directions of a session; split is a transmitter and a receiver side by side.",
            Choice(("transceiver", "transmitter", "receiver", "split")),
        ),
    )
    sessions: int = field(
        default=1,
        metadata=about("Connections side by side; the operator says how many.", Whole(1, 64)),
    )
    window: int = field(
        default=10,
        metadata=about(
            "Messages on the way at once, over all sessions of this bind, without an answer yet.",
            Whole(1, 10_000),
            unit="submit_sm",
        ),
    )
    rate: float = field(
        default=50.0,
        metadata=about(
            "The contract's speed, over all sessions of this bind.",
            Number(0, 100_000),
            unit="submit_sm/s",
        ),
    )
    enquire_link_s: float = field(
        default=30.0,
        metadata=about("Silence after which the link is probed.", Number(0, 3_600), unit="s"),
    )
    response_timeout_s: float = field(
        default=10.0,
        metadata=about(
            "Patience for an answer; a message without one becomes unknown.",
            Number(0, 3_600),
            unit="s",
        ),
    )
    connect_timeout_s: float = field(
        default=10.0,
        metadata=about("Patience for the TCP and TLS handshakes.", Number(0, 600), unit="s"),
    )
    session_init_s: float = field(
        default=10.0,
        metadata=about(
            "Patience for the answer to the bind, from the moment it is sent.",
            Number(0, 600),
            unit="s",
        ),
    )
    inactivity_s: float = field(
        default=120.0,
        metadata=about(
            "Silence after which the link is given up and made anew.",
            Number(0, 86_400),
            unit="s",
        ),
    )
    reconnect_s: tuple[float, float] = field(
        default=(1.0, 60.0),
        metadata=about(
            "The first and the longest wait before another try, whatever failed.",
            Span(3_600),
            unit="s",
        ),
    )
    query_sm: bool = field(
        default=False,
        metadata=about(
            "The operator answers query_sm: it is asked about a message whose receipt has not come "
            "after query_after_s, and by its deadline, before that is closed as unconfirmed.",
            Flag(),
        ),
    )
    query_after_s: tuple[int, ...] = field(
        default=(3_600, 21_600),
        metadata=about(
            "With query_sm: when after it took a message the operator is asked, each time once.",
            Many(Whole(60, 2_592_000)),
            unit="s",
        ),
    )
    replace_sm: bool = field(
        default=False,
        metadata=about(
            "The operator has replace_sm: the text of a message it accepted can still be replaced.",
            Flag(),
        ),
    )
    cancel_sm: bool = field(
        default=False,
        metadata=about(
            "The operator has cancel_sm: a message it accepted can still be cancelled.", Flag()
        ),
    )
    receipt_means: str | None = field(
        default=None,
        metadata=about(
            "What DELIVRD says at this operator: the handset has it, or only its SMSC. Unset "
            "counts as smsc.",
            Choice(("handset", "smsc")),
            example='"handset"',
        ),
    )
    receipt_utc_offset: str | None = field(
        default=None,
        metadata=about(
            "Distance from UTC of the times in its receipts, where they do not say.",
            UtcOffset(),
            example='"+01:00"',
        ),
    )
    message_id_form: str = field(
        default="same",
        metadata=about(
            "How the ids of its answers are to be read to find them again in its receipts; auto "
            "finds out, and asks that the recipient's number agrees.",
            Choice(("same", "hex_in_response", "decimal_in_response", "auto")),
        ),
    )
    default_alphabet: str = field(
        default="gsm7",
        metadata=about("What data_coding 0 means there.", Choice(("gsm7", "latin1", "ascii"))),
    )
    national_tables: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Languages whose GSM 7-bit tables it carries, preferred first; used where they save "
            "segments against UCS-2.",
            Many(Choice(("spanish", "portuguese", "turkish"))),
            sample='["spanish"]',
        ),
    )
    gsm7_packing: str = field(
        default="unpacked",
        metadata=about(
            "Whether a septet of GSM 7-bit text takes an octet, or eight take seven.",
            Choice(("unpacked", "packed")),
        ),
    )
    long_message: str = field(
        default="udh",
        metadata=about(
            "How a text of several segments travels: udh and udh16 with a header of ours (8 or 16 "
            "bits of reference), sar with TLVs, payload whole in message_payload.",
            Choice(("udh", "udh16", "sar", "payload")),
        ),
    )
    dialect: str = field(
        default="generic",
        metadata=about("Its status codes and the words of its receipts.", DialectName()),
    )

    @property
    def smpp_version(self) -> int:
        """`interface_version` as its octet: 0x34 for 3.4."""
        return int(self.interface_version.replace(".", ""), 16)

    @property
    def receipt_utc_offset_s(self) -> int | None:
        """`receipt_utc_offset` in seconds east of Greenwich."""
        if self.receipt_utc_offset is None:
            return None
        hours, minutes = self.receipt_utc_offset[1:].split(":")
        seconds = int(hours) * 3600 + int(minutes) * 60
        return -seconds if self.receipt_utc_offset.startswith("-") else seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """Which operators take which messages: the first route that fits, in this order."""

    to: tuple[str, ...] = field(
        default=("+",),
        metadata=about(
            "Beginnings of recipients' numbers.", Many(PREFIX, empty=False), example='["+34"]'
        ),
    )
    operators: tuple[str, ...] = field(
        metadata=about(
            "The operators, in order of preference.",
            Many(NAME, empty=False),
            example='["movistar"]',
        )
    )
    strategy: str = field(
        default="failover",
        metadata=about(
            "failover: the first of the operators that is bound. balance: all that are bound, by "
            "weight; those without room at the moment are passed over.",
            Choice(("failover", "balance")),
        ),
    )
    weights: tuple[int, ...] = field(
        default=(),
        metadata=about(
            "For balance: how many messages each of the operators gets in turn; equal if not set.",
            Each(Whole(1, 1000)),
            sample="[1]",
        ),
    )
    senders: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Only messages with one of these senders.", Many(SENDER), sample='["ACME"]', key="from"
        ),
    )
    brands: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Only messages of these brands.", Many(NAME), sample='["acme"]', key="brand"
        ),
    )
    categories: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Only messages of these categories.",
            Many(Choice(CATEGORIES)),
            sample='["otp"]',
            key="category",
        ),
    )

    @property
    def shares(self) -> tuple[int, ...]:
        """`weights`, or equal ones."""
        return self.weights or (1,) * len(self.operators)

    def fits(self, *, to: str, sender: str, brand: str, category: str) -> bool:
        """True if every condition of this route holds for the message."""
        return (
            to.startswith(self.to)
            and (not self.senders or sender in self.senders)
            and (not self.brands or brand in self.brands)
            and (not self.categories or category in self.categories)
        )

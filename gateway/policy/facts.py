"""What a decision is about: the message, and what is known of brand, sender and recipient.

Everything here is a value. The daemon fills it from the ledger file and the configuration,
`acuse policy explain` from its request; the judges do not know which. Nobody changes them, but they
are not frozen: that would make every decision a tenth dearer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.policy.location import Location
    from gateway.policy.rules import Category, Method, Purpose, SenderKind, Service, WindowRule

OptedOut: TypeAlias = Literal["", "suspected", "brand", "all"]
SentOutcome: TypeAlias = Literal["accepted", "delivered", "unknown", "undelivered"]
Reason: TypeAlias = Literal[
    "quiet_hours",
    "cap",
    "opted_out",
    "consent_missing",
    "double_opt_in_required",
    "optout_missing",
    "company_info_missing",
    "brand_missing",
    "prohibited_content",
    "age_gate",
    "sender_unregistered",
    "carrier_policy",
    "court_lookalike",
    "location_ambiguous",
    "expired_before_window",
    "registry",
    "invalid_number",
]


@dataclass(frozen=True, slots=True)
class Identity:
    """How a brand shows who it is and how one leaves it; "" = not configured."""

    name: str = ""
    prefix: str = ""  # what its texts begin with, as "ACME:"
    legal_name: str = ""
    address: str = ""
    contact: str = ""
    info_url: str = ""
    opt_out_url: str = ""


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """What is known of the sender: its kind, and the countries where it is registered."""

    kind: SenderKind
    registered_in: frozenset[str] = frozenset()
    receives: bool = True  # whether an answer reaches us; never so for an alphanumeric one


@dataclass(slots=True)
class Sent:
    """A message of this brand to this person that caps count. Seconds since the Unix epoch, UTC."""

    at_s: float
    category: Category
    campaign: str = ""
    outcome: SentOutcome = "accepted"


@dataclass(slots=True)
class Consent:
    """Consent of this person to this brand."""

    purpose: Purpose
    method: Method
    granted_at: datetime | None = None  # aware; None: at some time before now
    withdrawn_at: datetime | None = None


@dataclass(slots=True)
class Listing:
    """A do-not-contact registry and the day its snapshot shows."""

    registry: str
    as_of: datetime | None = None


@dataclass(slots=True)
class Message:
    """What is to be sent. `to` as `Numbering.normalise` gives it; instants are aware.

    `text` and `sender` None: not known, so nothing about them can be judged (a warning says so).
    """

    to: str
    category: Category = "promotional"
    brand: str = ""
    campaign: str = ""
    sender: str | None = None
    text: str | None = None
    urgent: bool = False
    third_party_collector: bool = False
    age_verified: bool = False
    valid_until: datetime | None = None
    cart_abandoned_at: datetime | None = None
    windows: tuple[WindowRule, ...] = ()  # the brand's own (`request.brand_windows`)
    identity: Identity | None = None  # None: only the brand's name is known
    sender_facts: SenderFacts | None = None  # None: what the sender looks like, registered nowhere
    service: Service | None = None  # what the person did that it only answers


@dataclass(slots=True)
class Facts:
    """What is known of the recipient.

    `opted_out`: "brand" = of this brand, "all" = of all; "suspected" = what they wrote is yet to be
    read by a person, and until then only advertising is blocked.
    """

    opted_out: OptedOut = ""
    location: Location | None = None
    consents: tuple[Consent, ...] = ()
    history: tuple[Sent, ...] = ()  # of this brand to this person, in any order
    registries: tuple[Listing, ...] = ()
    #: The snapshots of registries there are, whether they list the person or not; None: not known.
    snapshots: tuple[Listing, ...] | None = None
    #: When this brand last told the person how to opt out; None: never, or it is not known.
    instructed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Brands and senders of a configuration, by name."""

    brands: Mapping[str, Identity] = field(default_factory=dict)
    senders: Mapping[str, SenderFacts] = field(default_factory=dict)

    def brand(self, name: str) -> str:
        """The brand a message is of: the only one there is, where none is named."""
        return next(iter(self.brands)) if not name and len(self.brands) == 1 else name


NO_FACTS: Final = Facts()

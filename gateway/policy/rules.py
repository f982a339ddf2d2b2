"""What a rule is: frozen values that the loader makes from a pack and every decision cites.

A pack is one TOML file: the law, the operators' practice and the house rules of one jurisdiction.
Windows of all layers intersect, caps and requirements of all layers count together, so a layer can
only tighten what the one before it allows. What loosens is a `Waiver`, with a name to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

Category: TypeAlias = Literal[
    "promotional", "cart_reminder", "transactional", "otp", "legal_notice", "debt_claim"
]
Layer: TypeAlias = Literal["law", "operator", "house", "brand"]
Profile: TypeAlias = Literal["law", "seed"]
OnViolation: TypeAlias = Literal["hold", "refuse", "warn"]
Confidence: TypeAlias = Literal["high", "medium", "low"]
Purpose: TypeAlias = Literal["marketing", "cart"]
Method: TypeAlias = Literal["single", "double"]
SenderKind: TypeAlias = Literal["alphanumeric", "short_code", "long_code", "toll_free"]
CapKind: TypeAlias = Literal["rolling", "calendar_day", "calendar_week", "cart"]
CountOn: TypeAlias = Literal["submit", "delivered_or_unknown"]
Requirement: TypeAlias = Literal["brand", "optout", "company_info"]
Service: TypeAlias = Literal[
    "optout_confirmation", "optin_confirmation", "help_reply", "double_opt_in"
]
Passed: TypeAlias = Literal["optout", "consent", "windows", "caps"]

CATEGORIES: Final[tuple[Category, ...]] = (
    "promotional",
    "cart_reminder",
    "transactional",
    "otp",
    "legal_notice",
    "debt_claim",
)
LAYERS: Final[tuple[Layer, ...]] = ("law", "operator", "house", "brand")
PROFILES: Final[tuple[Profile, ...]] = ("law", "seed")
PURPOSES: Final[tuple[Purpose, ...]] = ("marketing", "cart")
METHODS: Final[tuple[Method, ...]] = ("single", "double")
SENDER_KINDS: Final[tuple[SenderKind, ...]] = (
    "alphanumeric",
    "short_code",
    "long_code",
    "toll_free",
)
REQUIREMENTS: Final[tuple[Requirement, ...]] = ("brand", "optout", "company_info")
#: Do-not-contact registries: ES, CO, MX (two), AR, UY, PY, US.
REGISTRIES: Final = (
    *("robinson", "rne", "repep", "reus", "nollame_ar", "nollame_uy", "nollame_py", "dnc"),
)
#: What a text may be about, as `forbids` names it.
SUBJECTS: Final = (
    *("illegal_drugs", "mlm", "gambling", "debt_collection", "sex", "hate", "alcohol", "firearms"),
    *("tobacco", "fireworks", "vape", "cbd", "weapon_gear", "energy_renovation", "cpf"),
    *("elections", "court_lookalike"),
)
SERVICES: Final[tuple[Service, ...]] = (
    "optout_confirmation",
    "optin_confirmation",
    "help_reply",
    "double_opt_in",
)
PASSED: Final[tuple[Passed, ...]] = ("optout", "consent", "windows", "caps")
DAY_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: The pack for every country that has none of its own.
DEFAULT: Final = "default"
#: What a pack is called that rules no place and is there to be inherited, as `house`.
SHARED: Final = re.compile(r"[a-z]+(-[a-z]+)*")
MINUTES_PER_DAY: Final = 1440


@dataclass(frozen=True, slots=True)
class Hours:
    """One daily opening in local wall time, half-open: at `close` it is shut.

    `close` ≤ `open` means that it runs over midnight and belongs to the day it starts.
    """

    days: frozenset[int]  # 0 = Monday, as date.weekday()
    open: int  # minutes after local midnight, 0 … 1439
    close: int  # minutes after local midnight, 1 … 1440, never equal to `open`


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What every kind of rule says of itself.

    There is one object for each id, so rules are compared by identity, which is fast to hash.
    `effective` is the first local day in force, `expires` the first one no longer in force.
    """

    id: str
    jurisdiction: str
    layer: Layer
    profile: Profile  # "seed": counts only in the seed profile
    applies: frozenset[Category]
    effective: date
    expires: date | None
    cite: str
    url: str
    confidence: Confidence
    reviewed: date

    def in_force(self, day: date) -> bool:
        """Whether the rule counts for something that starts on that local day."""
        return self.effective <= day and (self.expires is None or day < self.expires)


@dataclass(frozen=True, slots=True, eq=False)
class ActingRule(Rule):
    """A rule that holds, refuses or warns."""

    on_violation: OnViolation

    @property
    def acts(self) -> bool:
        """Whether it holds or refuses; a rule nobody has confirmed only warns."""
        return self.on_violation != "warn" and self.confidence != "low"


@dataclass(frozen=True, slots=True, eq=False)
class WindowRule(ActingRule):
    """Messages of these categories leave only within these hours of the recipient's local time."""

    hours: tuple[Hours, ...]
    holidays: str = ""  # country code of the `holidays` package whose days are closed; "" = none
    by_subdivision: bool = False  # the recipient's subdivision adds its own holidays
    every_location: bool = False  # even a verified location does not displace the number's own
    urgent_bypass: bool = False  # a message marked urgent is not bound
    zone: str = ""  # the hours are those of this zone ("" = of the recipient's)


@dataclass(frozen=True, slots=True, eq=False)
class CapRule(ActingRule):
    """At most `most` messages of these categories from one brand to one person.

    `rolling`: in any `period_s` (an instant exactly `period_s` old no longer counts).
    `calendar_day`, `calendar_week` (Monday to Sunday): by the wall clock of `zone`.
    `cart`: since the cart was abandoned; without that instant, in the last two days.
    """

    kind: CapKind
    most: int
    period_s: int = 0  # of "rolling"
    zone: str = ""  # of the calendar kinds
    min_gap_s: int = 0  # the least time between two of them; 0 = none
    by_campaign: bool = False  # counted for each campaign by itself
    count_on: CountOn = "submit"  # "delivered_or_unknown": a final failure gives the place back

    @property
    def reach_s(self) -> int:
        """A message older than this can no longer count."""
        spans = {"calendar_day": 2 * 86_400, "calendar_week": 8 * 86_400, "cart": 30 * 86_400}
        return max(self.period_s, self.min_gap_s, spans.get(self.kind, 0))


@dataclass(frozen=True, slots=True, eq=False)
class DeadlineRule(ActingRule):
    """Messages of these categories leave at most `within_s` after the cart was abandoned."""

    within_s: int


@dataclass(frozen=True, slots=True, eq=False)
class ConsentRule(ActingRule):
    """Messages of these categories need consent for `purpose`, given in this way."""

    purpose: Purpose
    method: Method = "single"  # "double": only a confirmed request counts


@dataclass(frozen=True, slots=True, eq=False)
class RegistryRule(ActingRule):
    """Who is listed in a do-not-contact registry gets no messages of these categories."""

    registry: str  # its name, as `acuse registries import` knows it
    unless_consent: bool = False  # express consent of the brand's own goes before it
    max_age_days: int = 30  # a snapshot older than this is warned about


@dataclass(frozen=True, slots=True, eq=False)
class SenderRule(ActingRule):
    """Which senders messages of these categories may have.

    It is about senders of `kinds`, and of those, where `beginnings` is not empty, only about the
    ones that begin so. `registered` "" forbids them; a country code demands registration there.
    `advice` says what to do with such a sender instead, where it is not forbidden.
    """

    kinds: frozenset[SenderKind]
    beginnings: tuple[str, ...] = ()  # of the sender as `from` says it: "+336", "38"
    registered: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CarrierRule(ActingRule):
    """Operators there carry no claims of third-party collectors."""


@dataclass(frozen=True, slots=True, eq=False)
class ContentRule(ActingRule):
    """What the text must say (`requires`) or may not be about (`forbids`); exactly one is set."""

    requires: Requirement | None = None
    every: Literal["message", "month"] = "message"  # how often it must say it
    short_codes: tuple[str, ...] = ()  # "STOP 36xxx" in the text counts for codes that begin so
    forbids: str = ""  # a subject of config/subjects.toml
    unless_age_verified: bool = False  # permitted to people whose age was verified


@dataclass(frozen=True, slots=True, eq=False)
class OptOutRule(Rule):
    """An opt-out blocks messages of these categories.

    `scope` "brand": one given to the brand or to all brands; "all": only one given to all brands.
    """

    scope: Literal["brand", "all"]


@dataclass(frozen=True, slots=True)
class ServiceRule(Rule):
    """What does not bind a message of ours that only answers what the person did.

    The confirmation of an opt-out leaves at night and despite the opt-out; the request to confirm a
    sign-up needs no consent yet. Everything not in `passes` is judged as for any other message. A
    jurisdiction without such a rule has the default's.
    """

    service: Service
    passes: frozenset[Passed]


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule that does not bind a brand, because somebody answers for it, and until when.

    `effective` is the first UTC day it counts, `expires` the first one it no longer does.
    """

    id: str
    rule: str  # id of the rule that is set aside
    brand: str  # "" = every brand
    applies: frozenset[Category]
    reason: str
    author: str
    effective: date
    expires: date

    def in_force(self, day: date) -> bool:
        """Whether it counts on that UTC day."""
        return self.effective <= day < self.expires


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules by kind."""

    windows: tuple[WindowRule, ...] = ()
    caps: tuple[CapRule, ...] = ()
    deadlines: tuple[DeadlineRule, ...] = ()
    consents: tuple[ConsentRule, ...] = ()
    registries: tuple[RegistryRule, ...] = ()
    senders: tuple[SenderRule, ...] = ()
    carriers: tuple[CarrierRule, ...] = ()
    contents: tuple[ContentRule, ...] = ()
    optouts: tuple[OptOutRule, ...] = ()
    services: tuple[ServiceRule, ...] = ()

    def every(self) -> tuple[Rule, ...]:
        """All of them, in the order of the kinds."""
        return tuple(rule for kind in fields(self) for rule in getattr(self, kind.name))

    def where(self, wanted: Callable[[Rule], bool]) -> Rules:
        """Only the rules that are wanted."""
        return Rules(
            **{kind.name: tuple(filter(wanted, getattr(self, kind.name))) for kind in fields(self)}
        )

    @staticmethod
    def union(several: Iterable[Rules]) -> Rules:
        """The rules of all, each once, in order."""
        found = list(several)
        return Rules(
            **{
                kind.name: tuple(
                    dict.fromkeys(rule for each in found for rule in getattr(each, kind.name))
                )
                for kind in fields(Rules)
            }
        )


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one jurisdiction and what it inherits.

    A pack whose `jurisdiction` is a word (`house`) rules where a pack names it as its parent.
    """

    jurisdiction: str
    name: str
    version: str
    parents: tuple[str, ...]
    rules: Rules = field(default_factory=Rules)
    waivers: tuple[Waiver, ...] = ()
    #: Parts of the jurisdiction with holidays of their own → subdivision of the `holidays` package.
    areas: dict[str, str] = field(default_factory=dict)
    #: Of a pack that is a word: the countries where it rules while they have no pack of their own.
    countries: tuple[str, ...] = ()


def days_text(days: frozenset[int]) -> str:
    """The days as a pack writes them: `mon-sat`, `mon-sun`, `sat`, `mon,wed`."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(
        DAY_NAMES[run[0]] if len(run) == 1 else f"{DAY_NAMES[run[0]]}-{DAY_NAMES[run[-1]]}"
        for run in runs
    )


def clock_text(minutes: int) -> str:
    """Minutes after midnight as `HH:MM`; the day's end is `24:00`."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def hours_text(rule: WindowRule) -> str:
    """`mon-fri 07:00-19:00, sat 08:00-15:00`, with what closes it added."""
    text = ", ".join(
        f"{days_text(hours.days)} {clock_text(hours.open)}-{clock_text(hours.close)}"
        for hours in rule.hours
    )
    if rule.holidays:
        text += ", closed on public holidays"
    if rule.zone:
        text += f" ({rule.zone} time)"
    return text

"""What a rule is: frozen values that the loader makes from a pack and every decision cites.

A pack is one TOML file: the law, the operators' practice and the house rules of one jurisdiction.
Windows of all layers intersect, so a layer can only tighten what the one before it allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import date

Category: TypeAlias = Literal[
    "promotional", "cart_reminder", "transactional", "otp", "legal_notice", "debt_claim"
]
Layer: TypeAlias = Literal["law", "operator", "house", "brand"]
Profile: TypeAlias = Literal["law", "seed"]
OnViolation: TypeAlias = Literal["hold", "refuse", "warn"]
Confidence: TypeAlias = Literal["high", "medium", "low"]

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
DAY_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: The pack for every country that has none of its own.
DEFAULT: Final = "default"
MINUTES_PER_DAY: Final = 1440


@dataclass(frozen=True, slots=True)
class Hours:
    """One daily opening in local wall time, half-open: at `close` it is shut.

    `close` ≤ `open` means that it runs over midnight and belongs to the day it starts.
    """

    days: frozenset[int]  # 0 = Monday, as date.weekday()
    open: int  # minutes after local midnight, 0 … 1439
    close: int  # minutes after local midnight, 1 … 1440, never equal to `open`


@dataclass(frozen=True, slots=True)
class Rule:
    """What every kind of rule says of itself.

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


@dataclass(frozen=True, slots=True)
class WindowRule(Rule):
    """Messages of these categories leave only within these hours of the recipient's local time."""

    hours: tuple[Hours, ...]
    on_violation: OnViolation
    holidays: str = ""  # country code of the `holidays` package whose days are closed; "" = none
    by_subdivision: bool = False  # the recipient's subdivision adds its own holidays
    every_location: bool = False  # even a verified location does not displace the number's own
    urgent_bypass: bool = False  # a message marked urgent is not bound
    zone: str = ""  # the hours are those of this zone ("" = of the recipient's)

    @property
    def acts(self) -> bool:
        """Whether it holds or refuses; a rule nobody has confirmed only warns."""
        return self.on_violation != "warn" and self.confidence != "low"


@dataclass(frozen=True, slots=True)
class OptOutRule(Rule):
    """An opt-out blocks messages of these categories.

    `scope` "brand": one given to the brand or to all brands; "all": only one given to all brands.
    """

    scope: Literal["brand", "all"]


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one jurisdiction and what it inherits."""

    jurisdiction: str
    name: str
    version: str
    parents: tuple[str, ...]
    windows: tuple[WindowRule, ...] = ()
    optouts: tuple[OptOutRule, ...] = ()
    #: Parts of the jurisdiction with holidays of their own → subdivision of the `holidays` package.
    areas: dict[str, str] = field(default_factory=dict)


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

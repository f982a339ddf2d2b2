"""The decision: may this message go to this person now, and if not, when or why not.

A pure function of the rulebook, the message, the facts and the instant. The daemon asks it at
admission and again at the moment of sending; `acuse policy explain` asks the same function.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from gateway.errors import DataError
from gateway.policy.calendar import block_of, local_text
from gateway.policy.rules import CATEGORIES, Category, Rule, WindowRule

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook
    from gateway.policy.location import Location
    from gateway.policy.schedule import Schedule

Action: TypeAlias = Literal["release", "hold", "refuse"]
Reason: TypeAlias = Literal[
    "quiet_hours", "opted_out", "location_ambiguous", "expired_before_window"
]
OptedOut: TypeAlias = Literal["", "brand", "all"]
CHECKS: Final = frozenset({"location", "consent", "content", "sender", "windows", "caps"})
#: Categories that need a local time; the others go to a number of no country with a warning.
_NEED_LOCATION: Final = frozenset({"promotional", "cart_reminder", "debt_claim"})
_KNOWN: Final = frozenset(CATEGORIES)
#: Instants the calendars are good for: 2000-01-01 to 2099-11-01.
_FIRST_S: Final = 946_684_800
_LAST_S: Final = 4_097_174_400


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent. `to` as `Numbering.normalise` gives it; `valid_until` aware."""

    to: str
    category: Category = "promotional"
    brand: str = ""
    campaign: str = ""
    sender: str = ""
    text: str = ""
    urgent: bool = False
    third_party_collector: bool = False
    valid_until: datetime | None = None
    windows: tuple[WindowRule, ...] = ()  # the brand's own (`request.brand_windows`)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the recipient. `opted_out`: "brand" = of this brand, "all" = of all."""

    opted_out: OptedOut = ""
    location: Location | None = None


NO_FACTS: Final = Facts()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place the recipient may be in, at the instant of the decision."""

    jurisdiction: str
    zone: str  # "" = no local time is known
    local_time: str
    open: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer with its grounds.

    `grounds`: of a release the windows that were open, of a hold or a refusal the rules that
    forbid. `until` is the exact second from which the same question is answered "release".
    """

    action: Action
    until: datetime | None
    reason: Reason | None
    grounds: tuple[Rule, ...]
    warnings: tuple[str, ...]
    versions: dict[str, str]
    message: Message
    at_s: float
    schedule: Schedule

    @property
    def released_until_s(self) -> float:
        """Until when the same facts give the same release: the end of the open hours. A hold or a
        refusal holds for its own instant only.
        """
        return self.schedule.open.until(self.at_s) if self.action == "release" else self.at_s

    @property
    def rules(self) -> list[str]:
        """Ids of the grounds."""
        return [rule.id for rule in self.grounds]

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every place considered, with its wall time and whether it alone is open."""
        at_s = self.at_s
        return tuple(
            Candidate(
                place.jurisdiction,
                place.zone,
                local_text(at_s, place.zone) if place.zone else "",
                bool(openings.until(at_s)),
            )
            for place, openings in zip(self.schedule.places, self.schedule.by_place, strict=True)
        )

    def until_text(self) -> str | None:
        """`until` as `2026-11-30T07:00:00Z`."""
        return None if self.until is None else self.until.strftime("%Y-%m-%dT%H:%M:%SZ")

    def as_json(self) -> dict[str, object]:
        """The answer of `acuse policy explain`."""
        return {
            "action": self.action,
            "until": self.until_text(),
            "reason": self.reason,
            "rules": self.rules,
            "warnings": list(self.warnings),
            "candidates": [
                {
                    "jurisdiction": candidate.jurisdiction,
                    "zone": candidate.zone or None,
                    "local_time": candidate.local_time or None,
                    "open": candidate.open,
                }
                for candidate in self.candidates
            ],
            "versions": self.versions,
        }

    def as_entry(self) -> dict[str, object]:
        """The `decision` of a ledger entry (LEDGER section 2)."""
        entry: dict[str, object] = {
            "action": self.action,
            "rules": self.rules,
            "versions": self.versions,
            "local": [
                {
                    "jurisdiction": place.jurisdiction,
                    "zone": place.zone,
                    "time": local_text(self.at_s, place.zone),
                }
                for place in self.schedule.places
                if place.zone
            ],
        }
        if self.until is not None:
            entry["until"] = self.until_text()
        return entry


def decide(
    book: Rulebook,
    message: Message,
    facts: Facts,
    now: datetime,
    checks: frozenset[str] = CHECKS,
) -> Decision:
    """Judge the message at the instant *now* (aware).

    Order: location, opt-out, windows; a refusal ends it. *checks* limits what is judged.

    Raises:
        DataError: unknown category, no such country code, a location that is unknown or
            contradicts itself, an instant without zone or outside 2000 … 2099.
    """
    category = message.category
    if category not in _KNOWN:
        raise DataError(
            f"category: {category!r} is none of {', '.join(CATEGORIES)}",
            hint="leave it out for promotional",
            field="category",
        )
    at_s = _instant(now)
    located = book.located(message.to, facts.location, category)
    schedule = book.schedule(
        located, category, message.windows, message.urgent, block_of(int(at_s))
    )
    action, until_s, reason, grounds = _judge(schedule, message, facts, now, checks)
    return Decision(
        action,
        None if until_s is None else datetime.fromtimestamp(until_s, UTC),
        reason,
        grounds,
        _warnings(schedule, at_s) if "windows" in checks else schedule.warnings,
        book.versions,
        message,
        at_s,
        schedule,
    )


_Verdict: TypeAlias = tuple[Action, int | None, Reason | None, tuple[Rule, ...]]


def _judge(
    schedule: Schedule, message: Message, facts: Facts, now: datetime, checks: frozenset[str]
) -> _Verdict:
    if schedule.unlocated and "location" in checks and message.category in _NEED_LOCATION:
        return "refuse", None, "location_ambiguous", ()
    if facts.opted_out and "consent" in checks:
        blocking = tuple(
            rule
            for rule in schedule.optouts
            if rule.in_force(now.date()) and (rule.scope == "brand" or facts.opted_out == "all")
        )
        if blocking:
            return "refuse", None, "opted_out", blocking
    if "windows" in checks:
        return _judge_windows(schedule, message, now)
    return "release", None, None, ()


def _judge_windows(schedule: Schedule, message: Message, now: datetime) -> _Verdict:
    at_s = now.timestamp()
    valid_until = message.valid_until
    if valid_until is not None and valid_until <= now:
        return "refuse", None, "expired_before_window", ()
    in_force = schedule.acting_on(now.date())
    if schedule.open.until(at_s):
        return "release", None, None, in_force
    closed = schedule.closed_between(at_s, at_s)
    if any(rule.on_violation == "refuse" for rule in closed):
        return "refuse", None, "quiet_hours", closed
    if schedule.is_ambiguous(at_s):
        return "refuse", None, "location_ambiguous", in_force
    until_s = schedule.open.next(at_s)
    if until_s is None:
        return "refuse", None, "quiet_hours", in_force
    closed = schedule.closed_between(at_s, until_s)
    if valid_until is not None and valid_until.timestamp() <= until_s:
        return "refuse", None, "expired_before_window", closed
    return "hold", until_s, "quiet_hours", closed


def _warnings(schedule: Schedule, at_s: float) -> tuple[str, ...]:
    if not schedule.warning:
        return schedule.warnings
    return schedule.warnings + tuple(
        f"{rule.id}: outside its hours ({rule.cite})"
        for rule, openings in schedule.warning
        if not openings.until(at_s)
    )


def _instant(now: datetime) -> float:
    if now.tzinfo is None:
        raise DataError(
            "now: the time has no zone",
            hint="end it with Z for UTC, or with an offset such as +01:00",
            field="now",
        )
    at_s = now.timestamp()
    if not _FIRST_S <= at_s < _LAST_S:
        raise DataError(
            f"now: {now.isoformat()} is outside the years the calendars cover",
            hint="set the machine's clock; calendars cover 2000 to 2099",
            field="now",
        )
    return at_s

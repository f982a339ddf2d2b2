"""The decision: may this message go to this person now, and if not, when or why not.

A pure function of the rulebook, the message, the facts and the instant. The daemon asks it at
admission and again at the moment of sending; `acuse policy explain` asks the same function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from gateway.errors import DataError
from gateway.policy.calendar import block_of, utc_text
from gateway.policy.facts import NO_FACTS, Facts, Message, Reason
from gateway.policy.judges import Judge
from gateway.policy.rules import CATEGORIES, Rule
from gateway.policy.schedule import make_schedule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.policy.book import Rulebook
    from gateway.policy.caps import CapCount
    from gateway.policy.numbering import Place
    from gateway.policy.rules import ContentRule, Waiver
    from gateway.policy.schedule import Schedule

__all__ = ("CHECKS", "NO_FACTS", "Decision", "Facts", "Message", "decide", "impossible")

Action: TypeAlias = Literal["release", "hold", "refuse"]
CHECKS: Final = frozenset({"location", "consent", "content", "sender", "windows", "caps"})
_KNOWN: Final = frozenset(CATEGORIES)
_NONE: Final = frozenset[str]()
#: Instants the calendars are good for: 2000-01-01 to 2099-11-01.
_FIRST_S: Final = 946_684_800
_LAST_S: Final = 4_097_174_400


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place the recipient may be in, at the instant of the decision."""

    jurisdiction: str
    zone: str  # "" = no local time is known
    local_time: str
    open: bool


@dataclass(slots=True)
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
    #: Until when the same facts give the same release: the end of the open hours, a deadline, a
    #: waiver's end. A hold or a refusal holds for its own instant only.
    released_until_s: float
    caps: tuple[CapCount, ...] = ()
    waivers: tuple[str, ...] = ()  # ids of those that set a rule aside
    told: tuple[str, ...] = ()  # of a refusal: what is missing or wrong, and the way out
    #: Until when a message that leaves now may arrive: the end of the hours that are about arrival.
    arrive_until_s: float = math.inf

    @property
    def rules(self) -> list[str]:
        """Ids of the grounds."""
        return [rule.id for rule in self.grounds]

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every place considered, with its wall time and whether it alone is open."""
        return tuple(
            Candidate(place.jurisdiction, place.zone, local_time, is_open)
            for place, (local_time, is_open) in self._standing()
        )

    def until_text(self) -> str | None:
        """`until` as `2026-11-30T07:00:00Z`."""
        return None if self.until is None else utc_text(self.until.timestamp())

    def as_json(self) -> dict[str, object]:
        """The answer of `acuse policy explain`; `why`, `caps`, `waivers` where there are any."""
        answer: dict[str, object] = {
            "action": self.action,
            "until": self.until_text(),
            "reason": self.reason,
            "rules": self.rules,
            "warnings": list(self.warnings),
            "candidates": self._candidates(),
            "versions": self.versions,
        }
        if self.told:
            answer["why"] = list(self.told)
        if self.caps:
            answer["caps"] = [cap.as_dict() for cap in self.caps]
        if self.waivers:
            answer["waivers"] = list(self.waivers)
        return answer

    def _candidates(self) -> list[dict[str, object]]:
        return [
            {
                "jurisdiction": place.jurisdiction,
                "zone": place.zone or None,
                "local_time": local_time or None,
                "open": is_open,
            }
            for place, (local_time, is_open) in self._standing()
        ]

    def _standing(self) -> Iterable[tuple[Place, tuple[str, bool]]]:
        return zip(self.schedule.places, self.schedule.standing(self.at_s), strict=True)

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
                    "time": local_time,
                }
                for place, (local_time, _) in self._standing()
                if local_time
            ],
        }
        if self.until is not None:
            entry["until"] = self.until_text()
        if self.reason is not None:
            entry["reason"] = self.reason
        if self.caps:
            entry["caps"] = [cap.as_dict() for cap in self.caps]
        if self.waivers:
            entry["waivers"] = list(self.waivers)
        return entry


def decide(
    book: Rulebook,
    message: Message,
    facts: Facts,
    now: datetime,
    checks: frozenset[str] = CHECKS,
    close_guard_s: int = 0,
) -> Decision:
    """Judge the message at the instant *now* (aware).

    Order: location, sender, opt-out, consent, registries, content, deadline, then windows and caps
    together. A refusal ends it; a rule that only warns never does. *checks* limits what is judged.
    What must arrive within hours is held already *close_guard_s* before they end.

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
    schedule, stated = _scheduled(book, message, facts, at_s, now)
    waivers = tuple(waiver for waiver in stated if waiver.in_force(now.date())) if stated else ()

    def schedule_at(instant_s: float) -> Schedule:
        return _scheduled(book, message, facts, instant_s, now)[0]

    judge = Judge(
        schedule, book.vocabulary, message, facts, now, checks, schedule_at, close_guard_s
    )
    if stated:
        judge.note_waivers(stated)
    action, until_s, reason, grounds = judge.verdict()
    released_s, arrive_s = judge.ends_s() if action == "release" else (at_s, at_s)
    return Decision(
        action,
        None if until_s is None else datetime.fromtimestamp(until_s, UTC),
        reason,
        grounds,
        tuple(judge.warnings),
        book.versions,
        message,
        at_s,
        schedule,
        released_s,
        judge.counts,
        tuple(waiver.id for waiver in waivers) if waivers else (),
        tuple(judge.told),
        arrive_s,
    )


def impossible(book: Rulebook, message: Message, now: datetime, why: str) -> Decision:
    """The refusal of a message to a number that nobody can have. Raises as `decide`."""
    at_s = _instant(now)
    schedule = make_schedule((), (f"invalid_number: {why}",), block_of(int(at_s)))
    return Decision(
        "refuse",
        None,
        "invalid_number",
        (),
        schedule.warnings,
        book.versions,
        message,
        at_s,
        schedule,
        at_s,
    )


def content_rules(
    book: Rulebook, message: Message, facts: Facts, now: datetime
) -> tuple[ContentRule, ...]:
    """The rules about the text of a message to that person. Raises as `decide`."""
    schedule, _ = _scheduled(book, message, facts, _instant(now), now)
    return schedule.rules.contents


def _scheduled(
    book: Rulebook, message: Message, facts: Facts, at_s: float, now: datetime
) -> tuple[Schedule, tuple[Waiver, ...]]:
    """The rules of the recipient's places, less what is waived, and the waivers that speak."""
    category = message.category
    located = book.located(message.to, facts.location, category)
    stated = book.waivers(located, message.brand, category)
    schedule = book.schedule(
        located,
        category,
        message.windows,
        message.urgent,
        block_of(int(at_s)),
        frozenset(each.rule for each in stated if each.in_force(now.date())) if stated else _NONE,
    )
    return schedule, stated


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

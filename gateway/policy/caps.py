"""How often one brand may write to one person: exact counts over a sliding log of instants.

Nothing is put into buckets: the log holds every counted message, so the instant at which a place
becomes free is exact. Rolling periods are elapsed UTC time; only calendar days and weeks look at a
wall clock.

A cap that has become free stays free while nothing else is sent, so that windows and caps together
agree after each was asked once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gateway.policy.calendar import DAY_S, utc_text, zone_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.policy.facts import Message, Sent
    from gateway.policy.rules import CapRule

#: A reminder of a cart must follow within two days (carriers' rule), so an older one was about
#: another cart.
_CART_S: Final = 2 * DAY_S


@dataclass(frozen=True, slots=True)
class CapCount:
    """A cap, how many messages it counted at the instant of the decision, and since when."""

    rule: CapRule
    counted: int
    since_s: float

    def as_dict(self) -> dict[str, object]:
        """`{"rule","counted","most","since"}`: the snapshot a decision keeps."""
        return {
            "rule": self.rule.id,
            "counted": self.counted,
            "most": self.rule.most,
            "since": utc_text(self.since_s),
        }


def stamps(rule: CapRule, message: Message, history: Sequence[Sent]) -> list[float]:
    """The instants the rule counts against *message*, oldest first.

    A message whose campaign is not known counts for every campaign: the strictest reading.
    """
    if not history:
        return []
    campaign = message.campaign if rule.by_campaign else ""
    return sorted(
        sent.at_s
        for sent in history
        if sent.category in rule.applies
        and not (campaign and sent.campaign and sent.campaign != campaign)
        and not (rule.count_on == "delivered_or_unknown" and sent.outcome == "undelivered")
    )


def count(rule: CapRule, message: Message, found: Sequence[float], at_s: float) -> CapCount:
    """How many of the stamps count at that instant."""
    since_s = _since(rule, message, at_s)
    if not found:
        return CapCount(rule, 0, since_s)
    if rule.kind == "rolling":  # one exactly a period old no longer counts
        counted = sum(1 for stamp in found if stamp + rule.period_s > at_s)
    else:
        counted = sum(1 for stamp in found if stamp >= since_s)
    return CapCount(rule, counted, since_s)


def free_at(rule: CapRule, message: Message, found: Sequence[float], at_s: float) -> float | None:
    """The first instant from *at_s* on at which the rule lets the message go; None: never.

    *found* as `stamps` gives them; nothing else is assumed to be sent meanwhile. Once free, the
    rule stays so, but for a cart: what was one too many for it remains so.
    """
    if found and rule.min_gap_s:
        at_s = max(at_s, found[-1] + rule.min_gap_s)
    if rule.kind == "cart":
        since_s = _since(rule, message, at_s)
        full = sum(1 for stamp in found if stamp >= since_s) >= rule.most
        # Longer ago than the log is kept nobody can tell, so it is taken for one too many.
        return None if full or since_s < at_s - rule.reach_s else at_s
    if len(found) < rule.most:
        return at_s
    # The place to wait for is that of the latest but so many: those after it fill the others.
    oldest = found[-rule.most]
    if rule.kind == "rolling":
        return max(at_s, oldest + rule.period_s)
    return max(at_s, _next_period(rule, oldest))


def _since(rule: CapRule, message: Message, at_s: float) -> float:
    """From when on messages count, seen from *at_s*."""
    if rule.kind == "rolling":
        return at_s - rule.period_s
    if rule.kind == "cart":
        abandoned_at = message.cart_abandoned_at
        return at_s - _CART_S if abandoned_at is None else abandoned_at.timestamp()
    return _period_start(rule.zone, rule.kind == "calendar_week", int(at_s) // 60).timestamp()


@lru_cache(maxsize=256)
def _period_start(zone_name: str, weekly: bool, minute: int) -> datetime:
    """The first instant of the local day or week: also where the clock skips midnight (it is the
    first instant after the gap) or shows it twice (the first time).

    *minute* since the epoch, UTC: no clock of our times begins a day within one.
    """
    zone = zone_named(zone_name)
    day = datetime.fromtimestamp(minute * 60, zone).date()
    if weekly:
        day -= timedelta(days=day.weekday())
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _next_period(rule: CapRule, at_s: float) -> float:
    """The first instant of the local day or week that follows."""
    weekly = rule.kind == "calendar_week"
    start = _period_start(rule.zone, weekly, int(at_s) // 60)
    day = start.date() + timedelta(days=7 if weekly else 1)
    return datetime(day.year, day.month, day.day, tzinfo=start.tzinfo).timestamp()

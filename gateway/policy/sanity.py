"""What a rule can say, key by key, and yet cannot mean: such a rule would never do its work."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from gateway.policy.rules import (
    ActingRule,
    CapRule,
    CarrierRule,
    ContentRule,
    DeadlineRule,
    WindowRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.policy.rules import Category, Rule

#: The key that is wrong, what is wrong with it, and the way out.
Fault: TypeAlias = tuple[str, str, str]

_CART: Final[frozenset[Category]] = frozenset({"cart_reminder"})
_CLAIM: Final[frozenset[Category]] = frozenset({"debt_claim"})
#: A cart is forgotten after this time, so a later deadline is a mistake.
_MAX_DEADLINE_S: Final = 30 * 86_400


def impossible(rule: Rule) -> Iterator[Fault]:
    """The faults of a rule whose keys are all well by themselves."""
    waits = isinstance(rule, WindowRule | CapRule)
    if isinstance(rule, ActingRule) and rule.on_violation == "hold" and not waits:
        yield "on_violation", "waiting does not mend it", 'write "refuse" or "warn"'
    if isinstance(rule, WindowRule):
        yield from _window(rule)
    elif isinstance(rule, CapRule):
        yield from _cap(rule)
    elif isinstance(rule, DeadlineRule):
        yield from _only(rule, _CART, "only cart reminders have a cart that was abandoned")
        if rule.within_s > _MAX_DEADLINE_S:
            yield "within", "is longer than 30 days", "write the hours, as 24h"
    elif isinstance(rule, CarrierRule):
        yield from _only(rule, _CLAIM, "only claims have a collector")
    elif isinstance(rule, ContentRule):
        yield from _content(rule)


def _only(rule: Rule, category: frozenset[Category], why: str) -> Iterator[Fault]:
    if rule.applies != category:
        yield "applies", why, f'write applies = ["{next(iter(category))}"]'


def _window(rule: WindowRule) -> Iterator[Fault]:
    """It must open on some day on which it is in force."""
    if rule.expires is None or (rule.expires - rule.effective).days >= 7:
        return
    span = (rule.expires - rule.effective).days
    in_force = {(rule.effective + timedelta(days=number)).weekday() for number in range(span)}
    if not any(hours.days & in_force for hours in rule.hours):
        yield "expires", "it is never open between effective and expires", "mend days or the dates"


def _cap(rule: CapRule) -> Iterator[Fault]:
    if rule.kind == "cart":
        yield from _only(rule, _CART, "only cart reminders have a cart that was abandoned")
        if rule.by_campaign:
            yield "by_campaign", "a cart is counted by itself already", "leave it out"
    if rule.kind == "rolling" and rule.min_gap_s >= rule.period_s:
        yield "min_gap", "is as long as the period, so it alone decides", "mend one of the two"


def _content(rule: ContentRule) -> Iterator[Fault]:
    if rule.requires != "optout":
        for key, said in (("every", rule.every == "month"), ("short_codes", rule.short_codes)):
            if said:
                yield key, "is about how to opt out", 'it goes with requires = "optout"'
    if rule.unless_age_verified and not rule.forbids:
        yield "unless_age_verified", "is about a subject", 'it goes with forbids = "alcohol"'

"""Rules that can never bind, because another one forbids all that they forbid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.policy.rules import LAYERS, MINUTES_PER_DAY, CapRule, WindowRule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.policy.rules import ActingRule, Hours, Pack, Rule

_WEEK: Final = 7 * MINUTES_PER_DAY


def idle_rules(packs: Mapping[str, Pack]) -> Iterator[tuple[Rule, str]]:
    """Each rule that is no stricter anywhere than one of an earlier layer, and why."""
    told: set[str] = set()
    for pack in packs.values():
        rules = [rule for each in _chain(packs, pack) for rule in each.rules.every()]
        for rule in rules:
            for other in rules:
                if rule.id in told or not _could_cover(other, rule):
                    continue
                why = _why_idle(rule, other)
                if why:
                    told.add(rule.id)
                    yield rule, f"it never binds: {other.id} {why}"


def _why_idle(rule: Rule, other: Rule) -> str:
    if isinstance(rule, WindowRule) and isinstance(other, WindowRule):
        return "is open at no other hour" if _is_wider(rule, other) else ""
    if isinstance(rule, CapRule) and isinstance(other, CapRule):
        return "counts the same and allows no more" if _is_larger(rule, other) else ""
    return ""


def _chain(packs: Mapping[str, Pack], pack: Pack) -> list[Pack]:
    """The pack and what it inherits."""
    found: list[Pack] = []
    waiting = [pack.jurisdiction]
    while waiting:
        each = packs[waiting.pop(0)]
        if each not in found:
            found.append(each)
            waiting.extend(each.parents)
    return found


def _could_cover(other: Rule, rule: Rule) -> bool:
    """Whether *other* counts wherever and whenever *rule* does, and comes from an earlier layer."""
    return (
        LAYERS.index(other.layer) < LAYERS.index(rule.layer)
        and (other.profile == "law" or rule.profile == "seed")
        and rule.applies <= other.applies
        and other.effective <= rule.effective
        and (other.expires is None or (rule.expires is not None and rule.expires <= other.expires))
    )


def _acts_as_much(other: ActingRule, rule: ActingRule) -> bool:
    return other.acts and not (rule.on_violation == "refuse" and other.on_violation == "hold")


def _is_wider(rule: WindowRule, other: WindowRule) -> bool:
    """Whether *rule* is open at every instant at which *other* is."""
    return (
        _acts_as_much(other, rule)
        and rule.zone == other.zone
        and (not rule.holidays or rule.holidays == other.holidays)
        and (not rule.by_subdivision or other.by_subdivision)
        and (rule.every_location <= other.every_location)
        and (other.urgent_bypass <= rule.urgent_bypass)
        and _minutes(other.hours) <= _minutes(rule.hours)
    )


def _minutes(several: tuple[Hours, ...]) -> frozenset[int]:
    """The open minutes of a week that begins on Monday."""
    return frozenset(
        (day * MINUTES_PER_DAY + minute) % _WEEK
        for hours in several
        for day in hours.days
        for minute in range(
            hours.open, hours.close + (MINUTES_PER_DAY if hours.close <= hours.open else 0)
        )
    )


def _is_larger(rule: CapRule, other: CapRule) -> bool:
    """Whether *rule* allows whatever *other* allows."""
    return (
        _acts_as_much(other, rule)
        and (rule.kind, rule.period_s, rule.zone, rule.count_on)
        == (other.kind, other.period_s, other.zone, other.count_on)
        and rule.min_gap_s <= other.min_gap_s
        and rule.most >= other.most
        and other.by_campaign <= rule.by_campaign
    )

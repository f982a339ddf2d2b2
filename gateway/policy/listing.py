"""The rules in force somewhere on a day, with what they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import DataError
from gateway.policy.hours import did_you_mean
from gateway.policy.rules import LAYERS, SHARED
from gateway.policy.summary import kind, summary, waiver_summary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from gateway.policy.book import Rulebook
    from gateway.policy.rules import Category, Pack, Rule, Waiver


def rules_in_force(
    book: Rulebook,
    number_or_jurisdiction: str,
    day: date,
    category: Category | None = None,
) -> list[dict[str, object]]:
    """The rules that count for a number (`+…`) or a jurisdiction (`FR`, `US-FL`) on that day.

    The law first, then the operators' practice, then the house's; then the waivers of these rules
    that are in force. *category* leaves only what is about such messages.

    Raises:
        DataError: neither a number nor a jurisdiction.
    """
    chains = _chains(book, number_or_jurisdiction)
    every = [rule for chain in chains for pack in chain for rule in pack.rules.every()]
    every += [rule for chain in chains for rule in _usual(book, chain)]
    rules = {rule.id: rule for rule in _counting(book, every, day, category)}
    ordered = sorted(rules.values(), key=lambda rule: LAYERS.index(rule.layer))
    waivers = {
        waiver.id: waiver
        for pack in book.packs.values()
        for waiver in pack.waivers
        if waiver.rule in rules and waiver.in_force(day)
        if category is None or category in waiver.applies
    }
    return [*map(_rule, ordered), *map(_waiver, waivers.values())]


def _counting(
    book: Rulebook, rules: list[Rule], day: date, category: Category | None
) -> Iterator[Rule]:
    for rule in rules:
        in_profile = rule.profile == "law" or book.profile == "seed"
        about = category is None or category in rule.applies
        if in_profile and about and rule.in_force(day):
            yield rule


def _usual(book: Rulebook, chain: tuple[Pack, ...]) -> tuple[Rule, ...]:
    """The default's rules that count there too; of a pack others inherit, none."""
    inherited_only = SHARED.fullmatch(chain[0].jurisdiction) and not chain[0].countries
    return () if inherited_only else book.usual_services(chain)


def _chains(book: Rulebook, text: str) -> list[tuple[Pack, ...]]:
    """The packs that rule at each place; of a pack that is only inherited, that one."""
    if text.startswith("+"):
        number = book.numbering.normalise(text)
        located = book.located(number, None, "promotional")
        return [book.chain(place.jurisdiction) for place in located.places]
    name = text if text in book.packs else text.upper()
    if name not in {*book.packs, *book.areas, *book.numbering.jurisdictions()}:
        raise DataError(
            f"{text!r} is neither a number nor a jurisdiction",
            hint=f"write +34600111222, ES or US-FL; {did_you_mean(name, sorted(book.packs))}",
            field="jurisdiction",
        )
    return [book.chain(name)]


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "jurisdiction": rule.jurisdiction,
        "layer": rule.layer,
        "profile": rule.profile,
        "kind": kind(rule),
        "applies": sorted(rule.applies),
        "summary": summary(rule),
        "effective": rule.effective.isoformat(),
        "expires": None if rule.expires is None else rule.expires.isoformat(),
        "cite": rule.cite,
        "url": rule.url,
        "confidence": rule.confidence,
        "reviewed": rule.reviewed.isoformat(),
    }


def _waiver(waiver: Waiver) -> dict[str, object]:
    return {
        "id": waiver.id,
        "kind": "waiver",
        "rule": waiver.rule,
        "brand": waiver.brand or None,
        "applies": sorted(waiver.applies),
        "summary": waiver_summary(waiver),
        "reason": waiver.reason,
        "author": waiver.author,
        "effective": waiver.effective.isoformat(),
        "expires": waiver.expires.isoformat(),
    }

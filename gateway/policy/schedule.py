"""When one kind of message may leave for one set of places, ready to be asked.

Windows of all rules of all candidate places intersect, which unites their closures. The result is
computed once for a block of time and then answers by bisection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Final

from gateway.policy.calendar import (
    DAY_S,
    Intervals,
    Openings,
    horizon,
    intersect,
    local_text,
    open_intervals,
)
from gateway.policy.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from gateway.policy.numbering import Place
    from gateway.policy.rules import WindowRule

#: A recipient whose possible places share no opening for so long must be located by a person.
AMBIGUOUS_S: Final = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class Binding:
    """One candidate place with the rules that bind a message there."""

    place: Place
    subdivision: str  # of the `holidays` package; "" = the country's own list
    rules: Rules
    added: frozenset[date] = frozenset()  # holidays there that the package does not have


class Day:
    """What counts on one day: its rules in force, and which of them a release cites."""

    __slots__ = ("open_rules", "rules")

    def __init__(self, rules: Rules, acting: tuple[WindowRule, ...], day: date) -> None:
        self.rules = rules.where(lambda rule: rule.in_force(day))
        #: The acting windows: a release stands on them.
        self.open_rules = tuple(rule for rule in acting if rule.in_force(day))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Answers for one set of places, category and brand windows within one block of time."""

    places: tuple[Place, ...]
    unlocated: bool  # some candidate has no known local time
    rules: Rules  # of every place together
    warnings: tuple[str, ...]
    acting: tuple[WindowRule, ...]
    open: Openings  # every acting rule at every place
    by_rule: tuple[tuple[WindowRule, Openings], ...]  # acting
    by_place: tuple[Openings, ...]  # acting, parallel to `places`
    warning: tuple[tuple[WindowRule, Openings], ...]
    computed_until_s: int  # what is open until then may be open longer
    _days: dict[date, Day] = field(default_factory=dict, compare=False)
    _standings: dict[int, tuple[tuple[str, bool], ...]] = field(default_factory=dict, compare=False)

    def on(self, day: date) -> Day:
        """What counts on that day; every decision asks, and a block has few days."""
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = Day(self.rules, self.acting, day)
        return found

    def standing(self, at_s: float) -> tuple[tuple[str, bool], ...]:
        """The wall time at each place ("" = not known) and whether it alone is open.

        Decisions come many in a second, so the last second is remembered; hours begin and end with
        whole ones.
        """
        second = int(at_s)
        found = self._standings.get(second)
        if found is None:
            times = {"": ""}
            each: list[tuple[str, bool]] = []
            asked, is_open = None, False
            for place, openings in zip(self.places, self.by_place, strict=True):
                local = times.get(place.zone)
                if local is None:
                    local = times[place.zone] = local_text(second, place.zone)
                if openings is not asked:
                    asked, is_open = openings, openings.until(second) > 0
                each.append((local, is_open))
            found = tuple(each)
            self._standings.clear()
            self._standings[second] = found
        return found

    def closed_between(self, start_s: float, end_s: float) -> tuple[WindowRule, ...]:
        """The acting rules that are shut at some instant of `[start, end)`."""
        return tuple(rule for rule, openings in self.by_rule if openings.until(start_s) < end_s)

    def is_ambiguous(self, at_s: float) -> bool:
        """Each place alone opens within seven days, but never all of them together."""
        return not self.open.opens_within(at_s, AMBIGUOUS_S) and all(
            openings.opens_within(at_s, AMBIGUOUS_S) for openings in self.by_place
        )


def make_schedule(bindings: Sequence[Binding], warnings: tuple[str, ...], block: int) -> Schedule:
    """Compute the schedule of a block (see `calendar.horizon`)."""
    everything: Intervals = (horizon(block),)
    by_rule: dict[str, tuple[WindowRule, Intervals]] = {}
    by_place: list[Openings] = []
    same: dict[Intervals, Openings] = {}  # many places are open alike
    computed: dict[tuple[str, str, str, frozenset[date]], Intervals] = {}
    for binding in bindings:
        place = everything
        for rule in binding.rules.windows:
            if not (binding.place.zone or rule.zone):
                continue
            where = (rule.zone or binding.place.zone, binding.subdivision)
            key = (rule.id, *where, binding.added)
            if key not in computed:
                computed[key] = open_intervals(rule, *where, block, binding.added)
                _, before = by_rule.get(rule.id, (rule, everything))
                by_rule[rule.id] = (rule, intersect(before, computed[key]))
            if rule.acts:
                place = intersect(place, computed[key])
        by_place.append(same.setdefault(place, Openings(place)))
    acting = [(rule, found) for rule, found in by_rule.values() if rule.acts]
    return Schedule(
        places=tuple(binding.place for binding in bindings),
        unlocated=any(not binding.place.zone for binding in bindings),
        rules=Rules.union(binding.rules for binding in bindings),
        warnings=warnings,
        acting=tuple(rule for rule, _ in acting),
        open=Openings(reduce(intersect, (found for _, found in acting), everything)),
        by_rule=tuple((rule, Openings(found)) for rule, found in acting),
        by_place=tuple(by_place),
        warning=tuple((rule, Openings(found)) for rule, found in by_rule.values() if not rule.acts),
        computed_until_s=horizon(block)[1],
    )

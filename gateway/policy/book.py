"""The rulebook: every pack and the prefix table, frozen, with one version for all of it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gateway.policy.calendar import data_versions
from gateway.policy.location import Location, locate
from gateway.policy.numbering import NOWHERE, Numbering, Place
from gateway.policy.rules import (
    DEFAULT,
    SHARED,
    Category,
    Pack,
    Profile,
    Rule,
    Rules,
    Waiver,
    WindowRule,
)
from gateway.policy.schedule import Binding, Schedule, make_schedule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from gateway.policy.rules import ServiceRule
    from gateway.policy.vocabulary import Vocabulary

#: Bounds of the caches. A schedule takes 5 to 30 kB; a busy gateway uses a few dozen.
_MAX_SCHEDULES: Final = 1024
_MAX_LOCATED: Final = 8192


class Located:
    """A set of candidate places; one object per set, so that identity can key a cache."""

    __slots__ = ("places",)

    def __init__(self, places: tuple[Place, ...]) -> None:
        self.places = places


class Rulebook:
    """What `decide` judges by. Immutable but for its caches, which are bounded."""

    def __init__(
        self,
        packs: Mapping[str, Pack],
        numbering: Numbering,
        vocabulary: Vocabulary,
        profile: Profile,
        content: str,
        added: Mapping[str, frozenset[date]] | None = None,
    ) -> None:
        self.packs = dict(packs)
        self.numbering = numbering
        self.vocabulary = vocabulary
        self.profile: Profile = profile
        #: Holidays by jurisdiction that the calendars do not have.
        self.added = dict(added or {})
        #: SHA-256 (hex) over every file loaded and the added days, and over the profile and that.
        self.content = content
        self.version = hashlib.sha256(f"{profile}\n{content}\n".encode()).hexdigest()
        self.areas = {
            area: pack.jurisdiction for pack in self.packs.values() for area in pack.areas
        }
        #: Countries without a pack of their own → the pack that stands in; DEFAULT for all others.
        self._stand_ins = {
            country: pack.jurisdiction for pack in self.packs.values() for country in pack.countries
        }
        self.versions: dict[str, str] = {
            "rules": self.version,
            **data_versions(),
            "prefixes": numbering.version,
        }
        self._waivers = tuple(waiver for pack in self.packs.values() for waiver in pack.waivers)
        self._siblings: dict[Profile, Rulebook] = {profile: self}
        self._by_row: dict[int, Located] = {}
        self._intern = lru_cache(maxsize=_MAX_LOCATED)(Located)
        self._facts = lru_cache(maxsize=_MAX_LOCATED)(self._combine)
        self._waived = lru_cache(maxsize=_MAX_SCHEDULES)(self._speaking)
        self._schedules = lru_cache(maxsize=_MAX_SCHEDULES)(self._schedule)

    def under(self, profile: Profile) -> Rulebook:
        """The same packs judged under another profile; one object per profile."""
        found = self._siblings.get(profile)
        if found is None:
            given = (self.packs, self.numbering, self.vocabulary)
            found = Rulebook(*given, profile, self.content, self.added)
            found._siblings = self._siblings
            self._siblings[profile] = found
        return found

    def chain(self, jurisdiction: str) -> tuple[Pack, ...]:
        """The packs that rule there, nearest first.

        Of a country that has none, the one that stands in for it.
        """
        found: list[Pack] = []
        waiting = [jurisdiction]
        while waiting:
            name = waiting.pop(0)
            pack = self.packs.get(name)
            if pack is not None:
                if pack not in found:
                    found.append(pack)
                    waiting.extend(pack.parents)
            elif name in self.areas:
                waiting.append(self.areas[name])
            elif "-" in name:
                waiting.append(name.partition("-")[0])
        if found:
            return tuple(found)
        return self.chain(self._stand_ins.get(jurisdiction.partition("-")[0], DEFAULT))

    def usual_services(self, chain: tuple[Pack, ...]) -> tuple[ServiceRule, ...]:
        """The default's rules on our own answers that count where these packs have none."""
        own = {rule.service for pack in chain for rule in pack.rules.services}
        usual = self.packs[DEFAULT].rules.services
        return tuple(rule for rule in usual if rule.service not in own)

    def subdivision(self, jurisdiction: str) -> str:
        """The jurisdiction's own list of holidays in the `holidays` package; "" = none."""
        parent = self.areas.get(jurisdiction)
        return self.packs[parent].areas[jurisdiction] if parent else ""

    def added_days(self, jurisdiction: str) -> frozenset[date]:
        """The added holidays that count there: its own and its country's."""
        if not self.added:
            return frozenset()
        country = self.areas.get(jurisdiction) or jurisdiction.partition("-")[0]
        none: frozenset[date] = frozenset()
        return self.added.get(jurisdiction, none) | self.added.get(country, none)

    def counts(self, rule: Rule, category: Category) -> bool:
        """Whether the rule is about the category in this book's profile."""
        return category in rule.applies and (rule.profile == "law" or self.profile == "seed")

    def located(self, number: str, location: Location | None, category: Category) -> Located:
        """The candidate places of a recipient.

        Raises:
            DataError: the location is unknown or contradicts itself.
        """
        numbered = self.numbering.places(number)
        if location is None:
            # One tuple per row lives as long as the table, so its identity names the row.
            found = self._by_row.get(id(numbered))
            if found is None:
                found = self._by_row[id(numbered)] = self._intern(self._expanded(numbered))
            return found
        return self._facts(numbered, location, category)

    def schedule(
        self,
        located: Located,
        category: Category,
        windows: tuple[WindowRule, ...],
        urgent: bool,
        block: int,
        waived: frozenset[str] = frozenset(),
    ) -> Schedule:
        """The schedule of a kind of message for these places; cached.

        *waived* are ids of rules that are set aside (`waivers`).
        """
        return self._schedules(located, category, windows, urgent, block, waived)

    def waivers(self, located: Located, brand: str, category: Category) -> tuple[Waiver, ...]:
        """The waivers, in force or not, of rules that bind such messages of the brand there."""
        return self._waived(located, brand, category) if self._waivers else ()

    def _speaking(self, located: Located, brand: str, category: Category) -> tuple[Waiver, ...]:
        binding = {
            rule.id
            for place in located.places
            for rules in self._rules(place)
            for rule in rules.every()
            if self.counts(rule, category)
        }
        return tuple(
            waiver
            for waiver in self._waivers
            if category in waiver.applies and waiver.brand in ("", brand) and waiver.rule in binding
        )

    def _rules(self, place: Place) -> tuple[Rules, ...]:
        """Every rule on file for a place, by pack."""
        chain = self.chain(place.jurisdiction)
        return (*(pack.rules for pack in chain), Rules(services=self.usual_services(chain)))

    def _combine(
        self, numbered: tuple[Place, ...], location: Location, category: Category
    ) -> Located:
        stated = locate(location, numbered, self.numbering, self.areas)
        both = self._expanded(tuple(dict.fromkeys((*numbered, *stated))))
        if location.evidence == "declared" or self._binds_everywhere(both, category):
            return self._intern(both)
        return self._intern(self._expanded(stated))

    def _binds_everywhere(self, places: tuple[Place, ...], category: Category) -> bool:
        return any(
            rule.every_location and self.counts(rule, category)
            for place in places
            for pack in self.chain(place.jurisdiction)
            for rule in pack.rules.windows
        )

    def _expanded(self, places: tuple[Place, ...]) -> tuple[Place, ...]:
        """`US-*` becomes the country and each of its parts that has rules of its own."""
        found: dict[Place, None] = {}
        for place in places:
            country, star, _ = place.jurisdiction.partition("-*")
            found[Place(country, place.zone)] = None
            if star:
                for name in self.packs:
                    if name.startswith(country + "-") and place.zone in self.numbering.zones(name):
                        found[Place(name, place.zone)] = None
        return tuple(found)

    def _schedule(
        self,
        located: Located,
        category: Category,
        windows: tuple[WindowRule, ...],
        urgent: bool,
        block: int,
        waived: frozenset[str],
    ) -> Schedule:
        bindings = [
            self._binding(place, category, windows, urgent, waived) for place in located.places
        ]
        return make_schedule(bindings, self._warnings(located.places), block)

    def _binding(
        self,
        place: Place,
        category: Category,
        windows: tuple[WindowRule, ...],
        urgent: bool,
        waived: frozenset[str],
    ) -> Binding:
        def wanted(rule: Rule) -> bool:
            if rule.id in waived or not self.counts(rule, category):
                return False
            return not (urgent and isinstance(rule, WindowRule) and rule.urgent_bypass)

        rules = (*self._rules(place), Rules(windows=windows))
        return Binding(
            place=place,
            subdivision=self.subdivision(place.jurisdiction),
            rules=Rules.union(rules).where(wanted),
            added=self.added_days(place.jurisdiction),
        )

    def _warnings(self, places: tuple[Place, ...]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for place in places:
            if place.jurisdiction == NOWHERE:
                found["location_unknown: the number belongs to no country"] = None
            elif SHARED.fullmatch(self.chain(place.jurisdiction)[0].jurisdiction):
                country = place.jurisdiction.partition("-")[0]
                found[f"no_rule_pack: no rules on file for {country}, the default's apply"] = None
        return tuple(found)

"""The judges of one message, in the order in which they are asked.

A rule that acts refuses or holds; one that only warns, or that nobody has confirmed, leaves a
warning with its source and lets the message go.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from gateway.policy import caps, consent, content, senders, services
from gateway.policy.calendar import DAY_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gateway.policy.facts import Facts, Message, Reason
    from gateway.policy.rules import ActingRule, CapRule, RegistryRule, Rule, Waiver
    from gateway.policy.schedule import Schedule
    from gateway.policy.vocabulary import Vocabulary

#: What `Judge.verdict` gives: the action, until when, why, and the grounds.
Verdict: TypeAlias = tuple[
    Literal["release", "hold", "refuse"], float | None, "Reason | None", "tuple[Rule, ...]"
]
_Broken: TypeAlias = "Iterable[tuple[ActingRule, Reason, str]]"
_Counted: TypeAlias = "Sequence[tuple[CapRule, Sequence[float]]]"

#: Categories that need a local time; the others go to a number of no country with a warning.
_NEED_LOCATION: Final = frozenset({"promotional", "cart_reminder", "debt_claim"})
#: Categories that what somebody wrote blocks until a person has read it.
_ADVERTISING: Final = frozenset({"promotional", "cart_reminder"})
_NOTHING: Final = frozenset[str]()
#: Checks a service rule may set aside as a whole.
_PASSABLE_CHECKS: Final = frozenset({"windows", "caps"})
#: Categories whose hours are those of arrival: what leaves a moment before closing, or waits at the
#: operator for a handset, must not arrive after it.
_ARRIVE_IN_HOURS: Final = frozenset({"promotional", "cart_reminder", "debt_claim"})


class Judge:
    """One message before the rules of its places. `warnings` and `counts` fill up on the way."""

    __slots__ = (
        *("_at_s", "_checks", "_day", "_ends_s", "_facts", "_guard_s", "_message", "_now"),
        *("_passed", "_schedule", "_schedule_at", "_services", "_vocabulary"),
        *("counts", "told", "warnings"),
    )

    def __init__(
        self,
        schedule: Schedule,
        vocabulary: Vocabulary,
        message: Message,
        facts: Facts,
        now: datetime,
        checks: frozenset[str],
        schedule_at: Callable[[float], Schedule],
        close_guard_s: int = 0,
    ) -> None:
        self._guard_s = close_guard_s if message.category in _ARRIVE_IN_HOURS else 0
        self._schedule = schedule
        self._vocabulary = vocabulary
        self._schedule_at = schedule_at  # the same rules, computed for another instant
        self._message = message
        self._facts = facts
        self._now = now
        self._at_s = now.timestamp()
        self._day = schedule.on(now.date())  # only what is in force
        self._services: tuple[Rule, ...] = ()
        self._passed: frozenset[str] = _NOTHING
        self._checks = checks
        if message.service is not None:
            self._services, self._passed = services.passed(self._day.rules.services, message, now)
            self._checks = checks - (self._passed & _PASSABLE_CHECKS)
        self.warnings = list(schedule.warnings)
        #: Why it is refused, where a rule's name does not say it: what is missing, and the way out.
        self.told: list[str] = []
        self.counts: tuple[caps.CapCount, ...] = ()
        self._ends_s = math.inf  # of what lets the message go, beside the open hours

    def note_waivers(self, waivers: Iterable[Waiver]) -> None:
        """Say which rules are set aside, and which no longer."""
        for waiver in waivers:
            if waiver.in_force(self._now.date()):
                told = f"{waiver.rule} is set aside by {waiver.author} until {waiver.expires}"
                self.warnings.append(f"{waiver.id}: {told}: {waiver.reason}")
                end = datetime.combine(waiver.expires, datetime.min.time(), UTC)
                self._ends_s = min(self._ends_s, end.timestamp())
            elif waiver.expires <= self._now.date():
                self.warnings.append(
                    f"{waiver.id}: expired on {waiver.expires}, {waiver.rule} binds"
                )

    def ends_s(self) -> tuple[float, float]:
        """Until when a release holds, and until when a message that leaves now may arrive.

        Rules come into force and lapse with the UTC day. Infinite where no hours end.
        """
        closes_s = self._schedule.open.until(self._at_s)
        day_ends_s = (self._at_s // DAY_S + 1) * DAY_S
        released_s = min(self._ends_s, day_ends_s, closes_s - self._guard_s)
        if self._message.category not in _ARRIVE_IN_HOURS or "windows" not in self._checks:
            return released_s, math.inf
        if closes_s >= self._schedule.computed_until_s:
            return released_s, math.inf
        return released_s, closes_s

    def verdict(self) -> Verdict:
        """The first refusal, or what windows and caps say."""
        rules, checks = self._day.rules, self._checks
        if (
            self._schedule.unlocated
            and "location" in checks
            and self._message.category in _NEED_LOCATION
        ):
            return "refuse", None, "location_ambiguous", ()
        if (rules.senders or rules.carriers) and "sender" in checks:
            refused = self._unsendable()
            if refused:
                return refused
        if "consent" in checks:
            refused = self._unpermitted()
            if rules.registries:
                self.warnings += consent.outdated(rules.registries, self._facts, self._now)
            if refused:
                return refused
        if "content" in checks:
            refused = self._unspeakable()
            if refused:
                return refused
        return self._when()

    def _unsendable(self) -> Verdict | None:
        """What the sender, or who it sends for, does not permit."""
        rules, message = self._day.rules, self._message
        self.warnings += senders.doubts(rules.senders, message)
        refused = self._refused(senders.unfit(rules.senders, message))
        return refused or self._refused(senders.uncarried(rules.carriers, message))

    def _unspeakable(self) -> Verdict | None:
        """What the text lacks, or may not be about."""
        rules, message, words = self._day.rules.contents, self._message, self._vocabulary
        refused = None
        if rules:
            facts, now = self._facts, self._now
            refused = self._refused(content.broken(words, rules, message, facts, now))
            self._ends_s = min(self._ends_s, content.instruction_ends_s(rules, facts, now))
        self.warnings += content.doubts(words, rules, message)
        return refused

    def _unpermitted(self) -> Verdict | None:
        """What the person, or a registry they are in, does not permit."""
        rules, facts, now, passed = self._day.rules, self._facts, self._now, self._passed
        refused = None
        if facts.opted_out and "optout" not in passed:
            refused = self._opted_out()
        registries: Sequence[RegistryRule] = rules.registries
        if "consent" in passed:  # nor does a registry count that consent goes before
            registries = [rule for rule in registries if not rule.unless_consent]
        elif rules.consents and not refused:
            refused = self._refused(consent.missing(rules.consents, facts, now))
        if refused or not registries or not facts.registries:
            return refused
        return self._refused(consent.listed(registries, facts, now))

    def _opted_out(self) -> Verdict | None:
        facts = self._facts
        if facts.opted_out == "suspected" and self._message.category not in _ADVERTISING:
            return None
        blocking = consent.opted_out(self._day.rules.optouts, facts, self._now)
        if blocking:
            return "refuse", None, "opted_out", blocking
        self.warnings.append("opted_out: the recipient opted out; this category may go")
        return None

    def _refused(self, broken: _Broken) -> Verdict | None:
        """The refusal for which the first acting rule stands, with all that stand for it too.

        A rule that only warns of what is refused anyway is not heard.
        """
        reason: Reason | None = None
        grounds: list[Rule] = []
        doubts: list[tuple[Reason, str]] = []
        for rule, why, told in broken:
            if not rule.acts:
                doubts.append((why, f"{rule.id}: {told} ({rule.cite})"))
            elif reason in (None, why):
                reason = why
                grounds.append(rule)
                if told not in self.told:
                    self.told.append(told)
        self.warnings += [told for why, told in doubts if why != reason]
        return ("refuse", None, reason, tuple(grounds)) if grounds else None

    # -- when ----------------------------------------------------------------------------------

    def _when(self) -> Verdict:
        """Windows and caps together: the first instant at which both let the message go."""
        limit_s, limiting = self._limit()
        self._ends_s = min(self._ends_s, limit_s)
        if self._at_s >= limit_s:
            return "refuse", None, "expired_before_window", limiting
        self._warn_of_hours()
        acting = self._acting_caps()
        blocked: dict[Rule, None] = {}
        opens_s, refused = self._opening(self._at_s, blocked)
        if refused:
            return refused
        at_s = opens_s
        if acting:
            free_s, refused = self._free(acting, opens_s, blocked)
            if not refused and free_s != opens_s:
                at_s, refused = self._opening(free_s, blocked)
            # What is free stays free, so windows and caps agree on this instant. Only now: a cap
            # that refuses is about the instant at which everything else lets the message go.
            refused = refused or self._overspent(acting, at_s)
            if refused:
                return refused
        if at_s == self._at_s:
            return "release", None, None, self._open_rules()
        if at_s >= limit_s:
            return "refuse", None, "expired_before_window", (*blocked, *limiting)
        reason: Reason = "quiet_hours" if opens_s > self._at_s else "cap"
        return "hold", at_s, reason, tuple(blocked)

    def _free(
        self, acting: _Counted, at_s: float, blocked: dict[Rule, None]
    ) -> tuple[float, Verdict | None]:
        """When the caps that hold are free from *at_s* on, in whole seconds, or the refusal by one
        that never will be.
        """
        last_s = at_s
        for rule, found in acting:
            if rule.on_violation == "refuse":
                continue
            free_s = caps.free_at(rule, self._message, found, at_s)
            if free_s is None:
                return at_s, ("refuse", None, "cap", (rule,))
            if free_s > at_s:
                blocked[rule] = None
                last_s = max(last_s, math.ceil(free_s))
        return last_s, None

    def _overspent(self, acting: _Counted, at_s: float) -> Verdict | None:
        """The refusal by caps that do not wait for a free place."""
        broken = tuple(
            rule
            for rule, found in acting
            if rule.on_violation == "refuse"
            and caps.free_at(rule, self._message, found, at_s) != at_s
        )
        return ("refuse", None, "cap", broken) if broken else None

    def _open_rules(self) -> tuple[Rule, ...]:
        if "windows" not in self._checks:
            return self._services
        return (*self._day.open_rules, *self._services)

    def _opening(self, at_s: float, blocked: dict[Rule, None]) -> tuple[float, Verdict | None]:
        """When the windows are open from *at_s* on, or the refusal if they never are."""
        if "windows" not in self._checks:
            return at_s, None
        # A cap may be free only later than the windows are computed for.
        schedule = self._schedule if at_s == self._at_s else self._schedule_at(at_s)
        around = schedule.open.around(at_s)
        if around and not self._about_to_close(around, at_s):
            return at_s, None
        closed = schedule.closed_between(at_s, at_s)
        if any(rule.on_violation == "refuse" for rule in closed):
            return at_s, ("refuse", None, "quiet_hours", closed)
        if schedule.is_ambiguous(at_s):
            return at_s, ("refuse", None, "location_ambiguous", self._open_rules())
        opens_s = schedule.open.next(at_s)
        if opens_s is None and around:
            return at_s, None
        if opens_s is None:
            return at_s, ("refuse", None, "quiet_hours", self._open_rules())
        blocked.update(dict.fromkeys(schedule.closed_between(at_s, opens_s)))
        return opens_s, None

    def _about_to_close(self, around: tuple[int, int], at_s: float) -> bool:
        """Whether the opening ends too soon; one hardly longer than the guard is used whole."""
        opens_s, closes_s = around
        guard_s = self._guard_s
        return closes_s - at_s <= guard_s and closes_s - opens_s >= 2 * guard_s > 0

    def _limit(self) -> tuple[float, tuple[Rule, ...]]:
        """The instant from which it is too late, and the rules that say so."""
        limit_s = math.inf
        if self._message.valid_until is not None:
            limit_s = self._message.valid_until.timestamp()
        found: tuple[Rule, ...] = ()
        deadlines = self._day.rules.deadlines
        if not deadlines or "windows" not in self._checks:
            return limit_s, found
        abandoned_at = self._message.cart_abandoned_at
        for rule in deadlines:
            if abandoned_at is None:
                self.warnings.append(f"{rule.id}: nobody said when the cart was abandoned")
                continue
            end_s = abandoned_at.timestamp() + rule.within_s
            if not rule.acts and self._at_s >= end_s:
                self.warnings.append(f"{rule.id}: past its deadline ({rule.cite})")
            elif rule.acts and end_s <= limit_s:
                found = (*found, rule) if end_s == limit_s else (rule,)
                limit_s = end_s
        return limit_s, found

    def _acting_caps(self) -> _Counted:
        """The caps that act, with the instants they count; notes what all of them counted."""
        rules, message = self._day.rules.caps, self._message
        if not rules or "caps" not in self._checks:
            return ()
        acting: list[tuple[CapRule, Sequence[float]]] = []
        counts = []
        for rule in rules:
            found = caps.stamps(rule, message, self._facts.history)
            counts.append(caps.count(rule, message, found, self._at_s))
            if rule.acts:
                acting.append((rule, found))
            elif caps.free_at(rule, message, found, self._at_s) != self._at_s:
                self.warnings.append(f"{rule.id}: it would be one too many ({rule.cite})")
        self.counts = tuple(counts)
        return acting

    def _warn_of_hours(self) -> None:
        if self._schedule.warning and "windows" in self._checks:
            self.warnings += [
                f"{rule.id}: outside its hours ({rule.cite})"
                for rule, openings in self._schedule.warning
                if not openings.until(self._at_s)
            ]

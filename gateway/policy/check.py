"""What is wrong or worth knowing about a set of packs: `acuse policy check`.

Errors are what the loader refuses. Warnings are what makes a decision doubtful: reviews too long
ago, data out of date, waivers run out. Notes are facts that somebody should have meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from gateway.policy.binding import idle_rules
from gateway.policy.calendar import holidays_of
from gateway.policy.loader import read_packs, shipped_packs
from gateway.policy.location import COMPLETE
from gateway.policy.rules import DEFAULT, SHARED, ActingRule, Rule, WindowRule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from gateway.errors import ConfigError
    from gateway.policy.loader import Loaded

Level: TypeAlias = Literal["error", "warning", "note"]
#: A rule must have been looked at within this time.
_REVIEW_DAYS: Final = 180
#: Zone rules change several times a year.
_ZONES_DAYS: Final = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one rule; `rule` is "" where it is about a file or about no file."""

    level: Level
    file: str
    rule: str
    message: str
    hint: str

    def as_dict(self) -> dict[str, str]:
        """The object `acuse policy check --json` prints."""
        return {
            "level": self.level,
            "file": self.file,
            "rule": self.rule,
            "message": self.message,
            "hint": self.hint,
        }


def check_packs(
    directories: Sequence[Path], overlays: Sequence[str], today: date, zones_of: date
) -> tuple[list[Finding], bool]:
    """Everything to say about the packs of these directories, worst first, all overlays included.

    *overlays* are those that somebody wants, and that must exist. The shipped packs belong to them
    unless one directory has a `default` pack of its own. *zones_of*: a day on which the zone rules
    were certainly there already. The second value is whether some file could not be read at all.

    Raises:
        ConfigError: the prefix table is damaged.
    """
    loaded = read_packs(_complete(directories), overlays, every_overlay=True)
    found = [_refusal(problem) for problem in loaded.findings.problems]
    found += _of_data(today, zones_of)
    if not loaded.findings.problems:
        found += _lint(loaded, today)
    order: tuple[Level, ...] = ("error", "warning", "note")
    return sorted(found, key=lambda finding: order.index(finding.level)), loaded.findings.unreadable


def _complete(directories: Sequence[Path]) -> list[Path]:
    found = list({path.resolve(): path for path in directories}.values())
    shipped = shipped_packs()
    if any((path / f"{DEFAULT}.toml").is_file() for path in found):
        return found
    return [shipped, *found]


def _refusal(problem: ConfigError) -> Finding:
    file, where = str(problem.fields["file"]), str(problem.fields["rule"])
    rule, _, key = where.partition(".")
    place = f"{file}: {where}: " if where else f"{file}: "
    what = problem.message.removeprefix(place)
    return Finding("error", file, rule, f"{key}: {what}" if key else what, problem.hint)


def _of_data(today: date, zones_of: date) -> Iterator[Finding]:
    age = (today - zones_of).days
    if age > _ZONES_DAYS:
        yield Finding(
            "warning",
            "tzdata",
            "",
            f"the zone rules are at least {age} days old",
            "pip install --upgrade tzdata, then restart the daemon",
        )


def _lint(loaded: Loaded, today: date) -> Iterator[Finding]:
    """What shows only in packs that can be loaded."""
    findings, packs = loaded.findings, loaded.packs

    def told(level: Level, name: str, message: str, hint: str) -> Finding:
        return Finding(level, findings.ids[name], name, message, hint)

    for pack in packs.values():
        for rule in pack.rules.every():
            for level, message, hint in _of_rule(rule, today):
                yield told(level, rule.id, message, hint)
        for waiver in pack.waivers:
            if waiver.expires <= today:
                message = f"expired on {waiver.expires}, so {waiver.rule} binds again"
                yield told("warning", waiver.id, message, "renew it with a reason, or delete it")
        yield from _of_place(loaded, pack.jurisdiction)
    used = {parent for pack in packs.values() for parent in pack.parents} | {DEFAULT}
    used |= {name for name, pack in packs.items() if pack.countries}
    for name in packs:
        if SHARED.fullmatch(name) and name not in used:
            message = "no pack inherits it, so its rules never bind"
            yield Finding("warning", loaded.files[name], "", message, f'parents = ["{name}"]')
    for rule, why in idle_rules(packs):
        hint = "packs only tighten: to loosen a rule write a waiver"
        yield told("note", rule.id, why, hint)


def _of_rule(rule: Rule, today: date) -> Iterator[tuple[Level, str, str]]:
    age = (today - rule.reviewed).days
    if age > _REVIEW_DAYS:
        hint = "read the source again and set reviewed"
        yield "warning", f"last reviewed {age} days ago, on {rule.reviewed}", hint
    if rule.reviewed > today:
        yield "warning", f"reviewed on {rule.reviewed}, which is still to come", "mend the date"
    if rule.effective > today:
        yield "note", f"in force only from {rule.effective}", "nothing to do"
    if rule.expires is not None and rule.expires <= today:
        yield "warning", f"expired on {rule.expires}", "renew it or delete it"
    if rule.layer != "house" and not rule.url.startswith(("https://", "http://")):
        yield "warning", "its address is no link", "give the https:// address of the source"
    if rule.confidence == "low":
        if isinstance(rule, ActingRule):
            hint = "when a person has confirmed it, set confidence"
            yield "note", "confidence low: it warns only", hint
        else:
            yield "note", "confidence low, and it acts all the same", "opt-outs are never doubted"
    if isinstance(rule, WindowRule) and rule.holidays:
        for year in sorted({today.year, (today + timedelta(days=60)).year}):
            if not holidays_of(rule.holidays, "", year):
                message = f"the holidays package knows none of {rule.holidays} in {year}"
                yield "warning", message, "pip install --upgrade holidays"


def _of_place(loaded: Loaded, jurisdiction: str) -> Iterator[Finding]:
    """Places of which the prefix table knows no clock, so that no recipient is ever there."""
    for name in (jurisdiction, *loaded.packs[jurisdiction].areas):
        country, dash, _ = name.partition("-")
        by_country = dash and country not in COMPLETE and loaded.numbering.zones(country)
        if not (loaded.numbering.zones(name) or by_country or SHARED.fullmatch(name)):
            message = f"the prefix table has no zone for {name}"
            hint = "no number is placed there; use the code of ISO 3166"
            yield Finding("warning", loaded.files[jurisdiction], "", message, hint)

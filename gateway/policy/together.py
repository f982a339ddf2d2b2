"""What only shows when all packs are there: parents, countries, holidays, waivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.policy.calendar import holiday_problem
from gateway.policy.hours import did_you_mean
from gateway.policy.rules import DEFAULT, SHARED, Pack, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.policy.numbering import Numbering
    from gateway.policy.table import Findings


def check_together(
    packs: Mapping[str, Pack], files: Mapping[str, str], numbering: Numbering, findings: Findings
) -> None:
    """Note what is wrong between packs; *files* names the file of each."""
    if DEFAULT not in packs:
        findings.add(
            f"{DEFAULT}.toml",
            "",
            "there is no pack for the countries that have none of their own",
            hint=f'add a file with jurisdiction = "{DEFAULT}"',
        )
    countries = {name for name in numbering.jurisdictions() if "-" not in name}
    rules = {rule.id: rule for pack in packs.values() for rule in pack.rules.every()}
    stand_ins: dict[str, str] = {}
    for pack in packs.values():
        file = files[pack.jurisdiction]
        for name in pack.countries:
            other = stand_ins.setdefault(name, file)
            if other != file:
                findings.add(
                    file,
                    "ruleset.countries",
                    f"{other} stands in for {name} already",
                    hint="name a country once",
                )
        _check_countries(pack, file, countries, findings)
        _check_parents(pack, file, packs, findings)
        _check_holidays(pack, file, findings)
        _check_waivers(pack, rules, findings)


def _check_countries(pack: Pack, file: str, countries: set[str], findings: Findings) -> None:
    country = pack.jurisdiction.partition("-")[0]
    if country not in countries and not SHARED.fullmatch(pack.jurisdiction):
        findings.add(
            file,
            "ruleset.jurisdiction",
            f"{country!r} is no country code",
            hint="use ISO 3166, as ES or US-FL",
        )
    for name in pack.countries:
        if name not in countries:
            findings.add(
                file,
                "ruleset.countries",
                f"{name!r} is no country code",
                hint="use the two letters of ISO 3166, as IE",
            )
    for rule in pack.rules.senders:
        if rule.registered and rule.registered not in countries:
            findings.add(
                findings.ids.get(rule.id, file),
                f"{rule.id}.registered",
                f"{rule.registered!r} is no country code",
                hint="use ISO 3166, as ES",
            )


def _check_parents(pack: Pack, file: str, packs: Mapping[str, Pack], findings: Findings) -> None:
    for parent in pack.parents:
        if parent not in packs:
            findings.add(
                file,
                "ruleset.parents",
                f"there is no pack {parent!r}",
                hint=did_you_mean(parent, packs),
            )
        elif pack.jurisdiction in _ancestors(packs, parent):
            findings.add(
                file,
                "ruleset.parents",
                f"it inherits from itself through {parent}",
                hint="a country never inherits from its parts",
            )


def _ancestors(packs: Mapping[str, Pack], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found and name in packs:
            found.add(name)
            waiting.extend(packs[name].parents)
    return found


def _check_waivers(pack: Pack, rules: Mapping[str, Rule], findings: Findings) -> None:
    """A waiver sets aside a rule that exists, for categories it is about."""
    for waiver in pack.waivers:
        rule = rules.get(waiver.rule)
        file = findings.ids.get(waiver.id, "")
        if not waiver.rule or not waiver.applies:
            continue  # a finding says so already
        if rule is None:
            findings.add(
                file,
                f"{waiver.id}.rule",
                f"there is no rule {waiver.rule!r}",
                hint=did_you_mean(waiver.rule, rules),
            )
        elif not waiver.applies & rule.applies:
            findings.add(
                file,
                f"{waiver.id}.applies",
                f"{waiver.rule} is not about {', '.join(sorted(waiver.applies))}",
                hint=f"it is about {', '.join(sorted(rule.applies))}",
            )


def _check_holidays(pack: Pack, file: str, findings: Findings) -> None:
    """Every list of holidays that a rule or an area names exists in the `holidays` package."""
    needed = {(rule.holidays, ""): rule.id for rule in pack.rules.windows if rule.holidays}
    for area, subdivision in pack.areas.items():
        country = next(
            (rule.holidays for rule in pack.rules.windows if rule.holidays), pack.jurisdiction
        )
        needed[country, subdivision] = f"areas.{area}"
    for (country, subdivision), where in needed.items():
        problem = holiday_problem(country, subdivision)
        if problem:
            findings.add(file, where, problem, hint="use a code of the holidays package")

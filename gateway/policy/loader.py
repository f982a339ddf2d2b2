"""Rule packs from TOML: read, validate everything, freeze, hash.

A set of packs that is wrong anywhere is not loaded at all: half a law is worse than none. Every
finding is reported at once, with file and rule id.
"""

from __future__ import annotations

import hashlib
import tomllib
from datetime import date
from typing import TYPE_CHECKING, Final

from gateway.errors import ConfigError
from gateway.policy.book import Rulebook
from gateway.policy.calendar import holiday_problem, use_pinned_zones
from gateway.policy.hours import did_you_mean
from gateway.policy.numbering import Numbering, load_numbering
from gateway.policy.pack import read_pack
from gateway.policy.rules import DEFAULT, PROFILES, Layer, Pack, Profile, Rules
from gateway.policy.table import Findings
from gateway.resources import config_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

#: A file of rules larger than this is a mistake.
_MAX_FILE_BYTES: Final = 1_000_000


def load_rulebook(
    directories: Sequence[Path] = (),
    profile: Profile = "seed",
    *,
    prefixes: Path | None = None,
    added_holidays: Mapping[str, Sequence[str]] | None = None,
) -> Rulebook:
    """Load every `*.toml` of the directories and the prefix table.

    Without *directories* and *prefixes* those that came with Acuse. A jurisdiction may have several
    files, one per layer. *added_holidays*: ISO 8601 dates by jurisdiction, on which every rule
    that closes on public holidays closes too. From here on the zones of the pinned `tzdata`
    decide in this process (`calendar.use_pinned_zones`): the book's versions say so.

    Raises:
        ConfigError: `problems` holds every finding; its `fields["setting"]` names file and rule.
    """
    if profile not in PROFILES:
        raise ConfigError(
            f"profile: {profile!r} is none of {', '.join(PROFILES)}",
            hint=did_you_mean(profile, PROFILES),
            setting="gateway.profile",
        )
    use_pinned_zones()
    findings = Findings()
    numbering = load_numbering(prefixes or config_directory() / "prefixes.csv")
    packs: dict[str, Pack] = {}
    layers: dict[tuple[str, Layer], str] = {}
    files: dict[str, str] = {}
    digest = hashlib.sha256(numbering.version.encode())
    for path in _files(directories or (config_directory() / "jurisdictions",), findings):
        content = _content(path, findings)
        digest.update(f"{path.name}\n{len(content)}\n".encode() + content)
        read = read_pack(path.name, _table(path, content, findings), findings)
        if read is None:
            continue
        pack, layer = read
        other = layers.setdefault((pack.jurisdiction, layer), path.name)
        if other != path.name:
            findings.add(
                path.name,
                "ruleset",
                f"{other} already has the layer {layer} of {pack.jurisdiction}",
                hint="put the rules in one file",
            )
        packs[pack.jurisdiction] = _joined(packs.get(pack.jurisdiction), pack)
        files.setdefault(pack.jurisdiction, path.name)
    _check_together(packs, files, numbering, findings)
    findings.raise_any()
    added = _added(added_holidays or {}, numbering)
    for name, days in sorted(added.items()):
        digest.update(f"+{name} {' '.join(map(str, sorted(days)))}\n".encode())
    return Rulebook(packs, numbering, profile, digest.hexdigest(), added)


def _added(given: Mapping[str, Sequence[str]], numbering: Numbering) -> dict[str, frozenset[date]]:
    """The added holidays, their jurisdictions checked."""
    known = numbering.jurisdictions()
    for name in given:
        if name not in known and name.partition("-")[0] not in known:
            raise ConfigError(
                f"policy.added_holidays: there is no jurisdiction {name!r}",
                hint="use ISO 3166, as ES or ES-MD",
                setting=f"policy.added_holidays.{name}",
            )
    return {name: frozenset(map(date.fromisoformat, days)) for name, days in given.items()}


def _files(directories: Iterable[Path], findings: Findings) -> list[Path]:
    files: list[Path] = []
    for directory in directories:
        if not directory.is_dir():
            findings.add(
                directory.name,
                "",
                "there is no such directory of rule packs",
                hint="name the directory that holds ES.toml, FR.toml and the others",
            )
        files.extend(sorted(directory.glob("*.toml")))
    return files


def _content(path: Path, findings: Findings) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        findings.add(path.name, "", f"cannot be read: {error.strerror}", hint="check permissions")
        return b""
    if len(content) > _MAX_FILE_BYTES:
        findings.add(path.name, "", "larger than 1 MB", hint="is it a rule pack?")
        return b""
    return content


def _table(path: Path, content: bytes, findings: Findings) -> dict[str, object]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        findings.add(path.name, "", f"not TOML: {error}", hint="mend the line it names")
        return {}


def _joined(one: Pack | None, other: Pack) -> Pack:
    if one is None:
        return other
    return Pack(
        jurisdiction=one.jurisdiction,
        name=one.name,
        version=f"{one.version}+{other.version}",
        parents=tuple(dict.fromkeys(one.parents + other.parents)),
        rules=Rules.union((one.rules, other.rules)),
        waivers=one.waivers + other.waivers,
        areas={**one.areas, **other.areas},
    )


def _check_together(
    packs: dict[str, Pack], files: dict[str, str], numbering: Numbering, findings: Findings
) -> None:
    """What only shows when all packs are there."""
    if DEFAULT not in packs:
        findings.add(
            f"{DEFAULT}.toml",
            "",
            "there is no pack for the countries that have none of their own",
            hint=f'add a file with jurisdiction = "{DEFAULT}"',
        )
    countries = [name for name in numbering.jurisdictions() if "-" not in name]
    for pack in packs.values():
        file = files[pack.jurisdiction]
        country = pack.jurisdiction.partition("-")[0]
        if pack.jurisdiction != DEFAULT and country not in countries:
            findings.add(
                file,
                "ruleset.jurisdiction",
                f"{country!r} is no country code",
                hint="use ISO 3166, as ES or US-FL",
            )
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
        _check_holidays(pack, file, findings)


def _ancestors(packs: dict[str, Pack], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found and name in packs:
            found.add(name)
            waiting.extend(packs[name].parents)
    return found


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

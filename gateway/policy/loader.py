"""Rule packs from TOML: read, validate everything, freeze, hash.

A set of packs that is wrong anywhere is not loaded at all: half a law is worse than none. Every
finding is reported at once, with file and rule id.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Final

from gateway.errors import ConfigError
from gateway.policy.book import Rulebook
from gateway.policy.calendar import use_pinned_zones
from gateway.policy.hours import did_you_mean
from gateway.policy.numbering import Numbering, load_numbering
from gateway.policy.pack import read_pack
from gateway.policy.rules import DEFAULT, PROFILES, SHARED, SUBJECTS, Layer, Pack, Profile, Rules
from gateway.policy.table import Findings
from gateway.policy.together import check_together
from gateway.policy.vocabulary import Vocabulary, load_vocabulary
from gateway.resources import config_directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gateway.policy.pack import FileOfRules

#: A file of rules larger than this is a mistake.
_MAX_FILE_BYTES: Final = 1_000_000
_PERMISSIONS: Final = "check its permissions"


def shipped_packs() -> Path:
    """The directory of the packs that came with Acuse."""
    return config_directory() / "jurisdictions"


@dataclass(slots=True)
class Loaded:
    """Packs as read, with where each came from. Complete only if `findings` has no problem."""

    numbering: Numbering
    vocabulary: Vocabulary
    findings: Findings
    packs: dict[str, Pack] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)  # jurisdiction → its first file
    overlays: dict[str, str] = field(default_factory=dict)  # every overlay met → its first file
    digest: str = ""  # SHA-256 (hex) over the prefix table, the words and every file that counts


def load_rulebook(
    directories: Sequence[Path] = (),
    profile: Profile = "seed",
    *,
    overlays: Sequence[str] = (),
    prefixes: Path | None = None,
    added_holidays: Mapping[str, Sequence[str]] | None = None,
) -> Rulebook:
    """Load every `*.toml` of the directories and the prefix table.

    Without *directories* and *prefixes* those that came with Acuse. A jurisdiction may have several
    files, in one directory one per layer. Files of an overlay count only if *overlays* names it.
    *added_holidays*: ISO 8601 dates by jurisdiction, on which every rule that closes on public
    holidays closes too. From here on the zones of the pinned `tzdata` decide in this process
    (`calendar.use_pinned_zones`): the book's versions say so.

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
    loaded = read_packs(directories, overlays, prefixes=prefixes)
    loaded.findings.raise_any()
    added = _added(added_holidays or {}, loaded.numbering)
    content = loaded.digest
    if added:
        days = (f"{name} {' '.join(map(str, sorted(added[name])))}\n" for name in sorted(added))
        content = hashlib.sha256(f"{content}\n{''.join(days)}".encode()).hexdigest()
    given = (loaded.packs, loaded.numbering, loaded.vocabulary)
    return Rulebook(*given, profile, content, added)


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


def read_packs(
    directories: Sequence[Path],
    overlays: Sequence[str],
    *,
    every_overlay: bool = False,
    prefixes: Path | None = None,
) -> Loaded:
    """Read and check the packs; *every_overlay* takes the files of the other overlays too.

    What is wrong stands in `findings`. Also a file that does not count is checked.

    Raises:
        ConfigError: the prefix table is damaged.
    """
    numbering = load_numbering(prefixes or config_directory() / "prefixes.csv")
    findings = Findings()
    vocabulary = load_vocabulary(findings)
    loaded = Loaded(numbering, vocabulary, findings)
    words = (vocabulary.subjects.version, vocabulary.instructions.version)
    digest = hashlib.sha256("\n".join((numbering.version, *words)).encode())
    orphans: set[str] = set()  # no file of theirs says what they inherit
    for directory in directories or (shipped_packs(),):
        layers: dict[tuple[str, Layer, str], str] = {}
        for path in _files(directory, loaded.findings):
            content = _content(path, loaded.findings)
            raw = _table(path, content, loaded.findings)
            read = None if raw is None else read_pack(path.name, raw, loaded.findings)
            if content is None or read is None:
                continue
            _check_one_file_a_layer(read, path.name, layers, loaded.findings)
            if read.overlay:
                loaded.overlays.setdefault(read.overlay, path.name)
                if not every_overlay and read.overlay not in overlays:
                    continue
            digest.update(f"{path.name}\n{len(content)}\n".encode() + content)
            place = read.pack.jurisdiction
            loaded.packs[place] = _joined(loaded.packs.get(place), read.pack)
            if read.says_parents:
                orphans.discard(place)
            elif place not in loaded.files:
                orphans.add(place)
            loaded.files.setdefault(place, path.name)
    for name in overlays:
        if name not in loaded.overlays:
            hint = did_you_mean(name, loaded.overlays)
            loaded.findings.add("policy.overlays", "", f"there is no overlay {name!r}", hint=hint)
    for subject in SUBJECTS:
        if subject not in vocabulary.subjects.names:
            hint = f"add [{subject}.en] with clear = [...]"
            findings.add("subjects.toml", subject, "has no words to know it by", hint=hint)
    _adopt(loaded.packs, orphans)
    check_together(loaded.packs, loaded.files, numbering, loaded.findings)
    loaded.digest = digest.hexdigest()
    return loaded


def _adopt(packs: dict[str, Pack], orphans: set[str]) -> None:
    """Let packs that do not say `parents` inherit what would rule in their place without them.

    Whoever adds a rule or a waiver to a place adds to its law, and does not displace it.
    """
    stand_ins = {name: pack.jurisdiction for pack in packs.values() for name in pack.countries}
    areas = {area: pack.jurisdiction for pack in packs.values() for area in pack.areas}
    for name in sorted(orphans):
        country = areas.get(name) or name.partition("-")[0]
        above = country if country in packs else stand_ins.get(country, DEFAULT)
        if above == name:
            above = stand_ins.get(name, DEFAULT)
        if above in packs and not SHARED.fullmatch(name):
            packs[name] = replace(packs[name], parents=(above,))


def _check_one_file_a_layer(
    read: FileOfRules, file: str, layers: dict[tuple[str, Layer, str], str], findings: Findings
) -> None:
    place = read.pack.jurisdiction
    other = layers.setdefault((place, read.layer, read.overlay), file)
    if other != file:
        findings.add(
            file,
            "ruleset",
            f"{other} already has the layer {read.layer} of {place}",
            hint="put the rules in one file",
        )


def _files(directory: Path, findings: Findings) -> list[Path]:
    if not directory.is_dir():
        findings.add(
            directory.name,
            "",
            "there is no such directory of rule packs",
            hint="name the directory that holds ES.toml, FR.toml and the others",
            unreadable=True,
        )
    return sorted(directory.glob("*.toml"))


def _content(path: Path, findings: Findings) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        findings.add(
            path.name, "", f"cannot be read: {error.strerror}", hint=_PERMISSIONS, unreadable=True
        )
        return None
    if len(content) > _MAX_FILE_BYTES:
        findings.add(path.name, "", "larger than 1 MB", hint="is it a rule pack?", unreadable=True)
        return None
    return content


def _table(path: Path, content: bytes | None, findings: Findings) -> dict[str, object] | None:
    if content is None:
        return None
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        findings.add(path.name, "", f"not TOML: {error}", hint="mend the line it names")
        return None


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
        countries=tuple(dict.fromkeys(one.countries + other.countries)),
    )

"""One file of rules: every key is known, every value is what it says, or a finding says why not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from gateway.policy.rulereader import FILE_LAYERS, Common, RuleReader
from gateway.policy.rules import PROFILES, SHARED, Layer, Pack, Profile, Rule, Rules, Waiver
from gateway.policy.sanity import impossible
from gateway.policy.table import Findings, Table

if TYPE_CHECKING:
    from collections.abc import Callable

_R = TypeVar("_R", bound=Rule | Waiver)
_PLACE: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class FileOfRules:
    """One file: its pack, its layer, and the overlay it belongs to ("" = always loaded)."""

    pack: Pack
    layer: Layer
    overlay: str
    says_parents: bool


def read_pack(file: str, raw: dict[str, object], findings: Findings) -> FileOfRules | None:
    """What one file says; None when it has no usable `[ruleset]`."""
    if not raw:
        findings.add(file, "ruleset", "is missing", hint="begin the file with [ruleset]")
        return None
    top = Table(file, "", raw, findings)
    head = Table(file, "ruleset", top.value("ruleset"), findings)
    jurisdiction = head.text("jurisdiction")
    if jurisdiction and not (_PLACE.fullmatch(jurisdiction) or SHARED.fullmatch(jurisdiction)):
        head.problem(
            "jurisdiction",
            f"{jurisdiction!r} is none",
            hint="use ISO 3166, as ES or US-FL, or a word as house for a pack others inherit",
        )
    layer = head.word("layer", FILE_LAYERS)
    profile: Profile = head.word("profile", PROFILES, "law")
    name = head.text("name")
    version = head.text("version")
    parents = _texts(head, "parents", 'write parents = ["US"]')
    countries = _texts(head, "countries", 'write countries = ["IE", "PT"]')
    if countries and not SHARED.fullmatch(jurisdiction):
        hint = "only a pack whose jurisdiction is a word stands in for countries"
        head.problem("countries", f"{jurisdiction} is a place itself", hint=hint)
    overlay = head.text("overlay", default="")
    if overlay and not SHARED.fullmatch(overlay):
        head.problem("overlay", f"{overlay!r} is no name", hint="small letters, as us-conservative")
    reviewed = head.day("reviewed", required=False)
    head.end()
    reader = RuleReader(Common(jurisdiction, layer, profile, reviewed), findings)

    def read(key: str, one: Callable[[Table], _R]) -> tuple[_R, ...]:
        return tuple(_sensible(table, one, findings) for table in _tables(top, key, findings))

    rules = Rules(
        windows=read("window", reader.window),
        caps=read("cap", reader.cap),
        deadlines=read("deadline", reader.deadline),
        consents=read("consent", reader.consent),
        registries=read("registry", reader.registry),
        senders=read("sender", reader.sender),
        carriers=read("carrier", reader.carrier),
        contents=read("content", reader.content),
        optouts=read("optout", reader.optout),
        services=read("service", reader.service),
    )
    waivers = read("waiver", reader.waiver)
    areas = _areas(top)
    top.end()
    pack = Pack(
        jurisdiction=jurisdiction,
        name=name,
        version=version,
        parents=parents,
        rules=rules,
        waivers=waivers,
        areas=areas,
        countries=countries,
    )
    return FileOfRules(pack, layer, overlay, "parents" in head.raw)


def _sensible(table: Table, read: Callable[[Table], _R], findings: Findings) -> _R:
    """The rule, with what cannot be meant noted if every key of it is well."""
    before = len(findings.problems)
    rule = read(table)
    if isinstance(rule, Rule) and len(findings.problems) == before:
        for key, what, hint in impossible(rule):
            table.problem(key, what, hint=hint)
    return rule


def _texts(head: Table, key: str, hint: str) -> tuple[str, ...]:
    value = head.value(key, required=False)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        head.problem(key, "must be a list of jurisdictions", hint=hint)
        return ()
    return tuple(value)


def _tables(top: Table, key: str, findings: Findings) -> list[Table]:
    """The `[[key]]` tables, each named by its id."""
    value = top.value(key, required=False)
    if value is None:
        return []
    if not isinstance(value, list):
        top.problem(key, "must be a list of tables", hint=f"write [[{key}]]")
        return []
    tables = []
    for number, raw in enumerate(value, start=1):
        where = f"{key}[{number}]"
        if isinstance(raw, dict) and isinstance(raw.get("id"), str) and raw["id"]:
            where = raw["id"]
        tables.append(Table(top.file, where, raw, findings))
    return tables


def _areas(top: Table) -> dict[str, str]:
    value = top.value("areas", required=False)
    if value is None:
        return {}
    areas: dict[str, str] = {}
    for area, subdivision in Table(top.file, "areas", value, Findings()).raw.items():
        if _PLACE.fullmatch(area) and isinstance(subdivision, str) and subdivision:
            areas[area] = subdivision
        else:
            top.problem(
                f"areas.{area}",
                "must be a jurisdiction and its code in the holidays package",
                hint='write "FR-57" = "57"',
            )
    if not isinstance(value, dict):
        top.problem("areas", "must be a table", hint="write [areas]")
    return areas

"""One file of rules: every key is known, every value is what it says, or a finding says why not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar, cast

from gateway.policy.rulereader import FILE_LAYERS, RuleReader
from gateway.policy.rules import PROFILES, Layer, Pack, Profile, Rules
from gateway.policy.table import Findings, Table

if TYPE_CHECKING:
    from collections.abc import Callable

_R = TypeVar("_R")
_JURISDICTION: Final = re.compile(r"default|[A-Z]{2}(-[A-Z0-9]{1,3})?")


def read_pack(file: str, raw: dict[str, object], findings: Findings) -> tuple[Pack, Layer] | None:
    """The pack of one file and its layer; None when it has no usable `[ruleset]`."""
    if not raw:
        findings.add(file, "ruleset", "is missing", hint="begin the file with [ruleset]")
        return None
    top = Table(file, "", raw, findings)
    head = Table(file, "ruleset", top.value("ruleset"), findings)
    jurisdiction = head.text("jurisdiction")
    if jurisdiction and not _JURISDICTION.fullmatch(jurisdiction):
        head.problem(
            "jurisdiction", f"{jurisdiction!r} is none", hint="use ISO 3166, as ES or US-FL"
        )
    layer = head.word("layer", FILE_LAYERS)
    profile: Profile = head.word("profile", PROFILES, "law")
    name = head.text("name")
    version = head.text("version")
    parents = head.value("parents", required=False)
    if parents is not None and not _is_texts(parents):
        head.problem("parents", "must be a list of jurisdictions", hint='write parents = ["US"]')
        parents = None
    head.end()
    reader = RuleReader(jurisdiction, layer, profile, findings)

    def read(key: str, one: Callable[[Table], _R]) -> tuple[_R, ...]:
        return tuple(map(one, _tables(top, key, findings)))

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
    )
    waivers = read("waiver", reader.waiver)
    areas = _areas(top)
    top.end()
    pack = Pack(
        jurisdiction=jurisdiction,
        name=name,
        version=version,
        parents=tuple(cast("list[str]", parents or [])),
        rules=rules,
        waivers=waivers,
        areas=areas,
    )
    return pack, layer


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


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
        if _JURISDICTION.fullmatch(area) and isinstance(subdivision, str) and subdivision:
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

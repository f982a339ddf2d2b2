"""One file of rules: every key is known, every value is what it says, or a finding says why not."""

from __future__ import annotations

import re
from datetime import date
from typing import Final, TypedDict, cast, get_args

from gateway.policy.calendar import known_zones
from gateway.policy.hours import hours_problem, parse_clock, parse_days
from gateway.policy.rules import (
    CATEGORIES,
    PROFILES,
    Category,
    Confidence,
    Hours,
    Layer,
    OnViolation,
    OptOutRule,
    Pack,
    Profile,
    WindowRule,
)
from gateway.policy.table import Findings, Table

_ID: Final = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")
_JURISDICTION: Final = re.compile(r"default|[A-Z]{2}(-[A-Z0-9]{1,3})?")
_HOLIDAYS: Final = re.compile(r"closed:([A-Z]{2})(\+subdivision)?")
#: Layers a file may have; a brand's own windows come with the message.
_FILE_LAYERS: Final[tuple[Layer, ...]] = ("law", "operator", "house")
#: Stands in for a date that is missing; a finding was noted, so the rule is never used.
_NO_DAY: Final = date(2000, 1, 1)


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
    layer = head.word("layer", _FILE_LAYERS)
    profile: Profile = head.word("profile", PROFILES, "law")
    name = head.text("name")
    version = head.text("version")
    parents = head.value("parents", required=False)
    if parents is not None and not _is_texts(parents):
        head.problem("parents", "must be a list of jurisdictions", hint='write parents = ["US"]')
        parents = None
    head.end()
    reader = _RuleReader(jurisdiction, layer, profile, findings)
    windows = tuple(map(reader.window, _tables(top, "window", findings)))
    optouts = tuple(map(reader.optout, _tables(top, "optout", findings)))
    areas = _areas(top)
    top.end()
    pack = Pack(
        jurisdiction=jurisdiction,
        name=name,
        version=version,
        parents=tuple(cast("list[str]", parents or [])),
        windows=windows,
        optouts=optouts,
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


class _Common(TypedDict):
    """The fields every kind of rule has."""

    id: str
    jurisdiction: str
    layer: Layer
    profile: Profile
    applies: frozenset[Category]
    effective: date
    expires: date | None
    cite: str
    url: str
    confidence: Confidence
    reviewed: date


class _RuleReader:
    """Reads the rules of one file, which share its jurisdiction, layer and profile."""

    def __init__(
        self, jurisdiction: str, layer: Layer, profile: Profile, findings: Findings
    ) -> None:
        self._jurisdiction = jurisdiction
        self._layer: Layer = layer
        self._profile: Profile = profile
        self._findings = findings

    def window(self, table: Table) -> WindowRule:
        """A `[[window]]`."""
        closed = table.text("holidays", default="none")
        holidays = _HOLIDAYS.fullmatch(closed)
        if holidays is None and closed not in ("none", ""):
            table.problem(
                "holidays",
                f"{closed!r} is not known",
                hint='write "none", "closed:FR" or "closed:FR+subdivision"',
            )
        zone = table.text("zone", default="")
        if zone and zone not in known_zones():
            table.problem(
                "zone", f"{zone!r} is no time zone", hint="use an IANA name, as Europe/Madrid"
            )
        rule = WindowRule(
            hours=_hours(table),
            on_violation=table.word("on_violation", get_args(OnViolation), "hold"),
            holidays=holidays[1] if holidays else "",
            by_subdivision=bool(holidays and holidays[2]),
            every_location=table.flag("every_location"),
            urgent_bypass=table.flag("urgent_bypass"),
            zone=zone,
            **self._common(table),
        )
        table.end()
        return rule

    def optout(self, table: Table) -> OptOutRule:
        """An `[[optout]]`."""
        rule = OptOutRule(scope=table.word("scope", ("brand", "all")), **self._common(table))
        table.end()
        return rule

    def _common(self, table: Table) -> _Common:
        layer: Layer = table.word("layer", _FILE_LAYERS, self._layer)
        effective = table.day("effective")
        expires = table.day("expires", required=False)
        if effective and expires and expires <= effective:
            table.problem(
                "expires", "is not after effective", hint="it is the first day without the rule"
            )
        return {
            "id": self._id(table),
            "jurisdiction": self._jurisdiction,
            "layer": layer,
            "profile": table.word("profile", PROFILES, self._profile),
            "applies": table.words("applies", CATEGORIES),
            "effective": effective or _NO_DAY,
            "expires": expires,
            "cite": table.text("cite"),
            # A house rule is our own; law and practice must be found by whoever doubts them.
            "url": table.text("url", default="" if layer == "house" else None),
            "confidence": table.word("confidence", get_args(Confidence)),
            "reviewed": table.day("reviewed") or _NO_DAY,
        }

    def _id(self, table: Table) -> str:
        name = table.text("id")
        if name and (not _ID.fullmatch(name) or name.startswith("BRAND-")):
            table.problem(
                "id",
                f"{name!r} is no rule id",
                hint="capitals and dashes, as FR-QH; BRAND- is for a brand's own hours",
            )
        elif name in self._findings.ids:
            table.problem(
                "id",
                f"{self._findings.ids[name]} already has a rule of this id",
                hint="ids are unique over all packs",
            )
        elif name:
            self._findings.ids[name] = table.file
        return name


def _hours(table: Table) -> tuple[Hours, ...]:
    """`days`, `open`, `close`, or several of them in `hours`."""
    several = table.value("hours", required=False)
    if several is None:
        return (_opening(table),)
    if not isinstance(several, list) or not several:
        table.problem(
            "hours",
            "must be a list of windows",
            hint='write hours = [{ days = "sat", open = "08:00", close = "15:00" }]',
        )
        return ()
    found = []
    for number, raw in enumerate(several, start=1):
        part = table.part(f"hours[{number}]", raw)
        found.append(_opening(part))
        part.end()
    return tuple(found)


def _opening(table: Table) -> Hours:
    text = table.text("days")
    days = parse_days(text) if text else frozenset[int]()
    if days is None:
        table.problem("days", f"{text!r} is no list of days", hint="write mon-sat, or mon,wed")
    times = []
    for key in ("open", "close"):
        text = table.text(key)
        minutes = parse_clock(text) if text else None
        if text and minutes is None:
            table.problem(key, f"{text!r} is no time of day", hint="write 08:00, up to 24:00")
        times.append(minutes)
    opens, closes = times
    if opens is not None and closes is not None:
        problem = hours_problem(opens, closes)
        if problem:
            table.problem("close", problem, hint="the window is [open, close), as 08:00 to 21:00")
    return Hours(days or frozenset(), opens or 0, closes or 0)

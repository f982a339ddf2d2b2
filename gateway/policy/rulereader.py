"""The tables of a pack, one method for each kind of rule (`[[window]]`, `[[cap]]`, …)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, TypedDict, get_args

from gateway.policy.calendar import known_zones
from gateway.policy.hours import hours_problem, parse_clock, parse_days
from gateway.policy.rules import (
    CATEGORIES,
    METHODS,
    PROFILES,
    PURPOSES,
    REGISTRIES,
    REQUIREMENTS,
    SENDER_KINDS,
    SUBJECTS,
    CapKind,
    CapRule,
    CarrierRule,
    Category,
    Confidence,
    ConsentRule,
    ContentRule,
    CountOn,
    DeadlineRule,
    Hours,
    Layer,
    OnViolation,
    OptOutRule,
    Profile,
    RegistryRule,
    SenderRule,
    Waiver,
    WindowRule,
)

if TYPE_CHECKING:
    from gateway.policy.table import Findings, Table

_ID: Final = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")
_HOLIDAYS: Final = re.compile(r"closed:([A-Z]{2})(\+subdivision)?")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_SPAN: Final = re.compile(r"([1-9]\d{0,4})(m|h|d)")
_SPAN_S: Final = {"m": 60, "h": 3600, "d": 86_400}
#: A snapshot of a registry is old after so many days unless its rule says otherwise.
_REGISTRY_DAYS: Final = 30
#: Layers a file may have; a brand's own windows come with the message.
FILE_LAYERS: Final[tuple[Layer, ...]] = ("law", "operator", "house")
#: Stands in for a date that is missing; a finding was noted, so the rule is never used.
_NO_DAY: Final = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Common:
    """What the rules of a file share unless one says otherwise."""

    jurisdiction: str
    layer: Layer
    profile: Profile
    reviewed: date | None


class _Fields(TypedDict):
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


class _Acting(_Fields):
    """And those of the rules that hold, refuse or warn."""

    on_violation: OnViolation


class RuleReader:
    """Reads the rules of one file."""

    def __init__(self, common: Common, findings: Findings) -> None:
        self._file = common
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
            holidays=holidays[1] if holidays else "",
            by_subdivision=bool(holidays and holidays[2]),
            every_location=table.flag("every_location"),
            urgent_bypass=table.flag("urgent_bypass"),
            zone=zone,
            **self._acting(table, "hold"),
        )
        table.end()
        return rule

    def cap(self, table: Table) -> CapRule:
        """A `[[cap]]`."""
        kind = table.word("kind", get_args(CapKind))
        zone = table.text("zone") if kind.startswith("calendar") else ""
        if zone and zone not in known_zones():
            table.problem(
                "zone", f"{zone!r} is no time zone", hint="use an IANA name, as America/Bogota"
            )
        rule = CapRule(
            kind=kind,
            most=table.count("most"),
            period_s=_span(table, "period") if kind == "rolling" else 0,
            zone=zone,
            min_gap_s=_span(table, "min_gap", required=False),
            by_campaign=table.flag("by_campaign"),
            count_on=table.word("count_on", get_args(CountOn), "submit"),
            **self._acting(table, "hold"),
        )
        table.end()
        return rule

    def deadline(self, table: Table) -> DeadlineRule:
        """A `[[deadline]]`."""
        rule = DeadlineRule(within_s=_span(table, "within"), **self._acting(table))
        table.end()
        return rule

    def consent(self, table: Table) -> ConsentRule:
        """A `[[consent]]`."""
        rule = ConsentRule(
            purpose=table.word("purpose", PURPOSES),
            method=table.word("method", METHODS, "single"),
            **self._acting(table),
        )
        table.end()
        return rule

    def registry(self, table: Table) -> RegistryRule:
        """A `[[registry]]`."""
        rule = RegistryRule(
            registry=table.word("registry", REGISTRIES),
            unless_consent=table.flag("unless_consent"),
            max_age_days=table.count("max_age_days", default=_REGISTRY_DAYS),
            **self._acting(table),
        )
        table.end()
        return rule

    def sender(self, table: Table) -> SenderRule:
        """A `[[sender]]`: `registered = "ES"`, `forbidden = true`, or `advice` of what to do."""
        registered, advice = table.text("registered", default=""), table.text("advice", default="")
        if registered and not _COUNTRY.fullmatch(registered):
            table.problem("registered", f"{registered!r} is no country", hint="as ES")
        if [table.flag("forbidden"), bool(registered), bool(advice)].count(True) != 1:
            table.problem(
                "registered", "give it, forbidden = true, or advice", hint="one of the three"
            )
        rule = SenderRule(
            kinds=table.words("kinds", SENDER_KINDS),
            beginnings=table.texts("beginnings"),
            registered=registered,
            advice=advice,
            **self._acting(table),
        )
        table.end()
        return rule

    def carrier(self, table: Table) -> CarrierRule:
        """A `[[carrier]]`."""
        rule = CarrierRule(**self._acting(table))
        table.end()
        return rule

    def content(self, table: Table) -> ContentRule:
        """A `[[content]]`."""
        requires = None
        if "requires" in table.raw:
            requires = table.word("requires", REQUIREMENTS)
        forbids = ""
        if "forbids" in table.raw:
            forbids = table.word("forbids", SUBJECTS)
        if (requires is None) is not bool(forbids):
            table.problem("requires", "give requires or forbids", hint="one of the two")
        rule = ContentRule(
            requires=requires,
            every=table.word("every", ("message", "month"), "message"),
            short_codes=table.texts("short_codes"),
            forbids=forbids,
            unless_age_verified=table.flag("unless_age_verified"),
            **self._acting(table),
        )
        table.end()
        return rule

    def waiver(self, table: Table) -> Waiver:
        """A `[[waiver]]`."""
        effective, expires = table.day("effective"), table.day("expires")
        if effective and expires and expires <= effective:
            table.problem("expires", "is not after effective", hint="it is the first day without")
        waiver = Waiver(
            id=self._id(table),
            rule=table.text("rule"),
            brand=table.text("brand", default=""),
            applies=table.words("applies", CATEGORIES),
            reason=table.text("reason"),
            author=table.text("author"),
            effective=effective or _NO_DAY,
            expires=expires or _NO_DAY,
        )
        table.end()
        return waiver

    def optout(self, table: Table) -> OptOutRule:
        """An `[[optout]]`."""
        rule = OptOutRule(scope=table.word("scope", ("brand", "all")), **self._common(table))
        table.end()
        return rule

    def _acting(self, table: Table, usual: OnViolation = "refuse") -> _Acting:
        violated = table.word("on_violation", get_args(OnViolation), usual)
        return {**self._common(table), "on_violation": violated}

    def _common(self, table: Table) -> _Fields:
        layer: Layer = table.word("layer", FILE_LAYERS, self._file.layer)
        effective = table.day("effective")
        expires = table.day("expires", required=False)
        if effective and expires and expires <= effective:
            table.problem(
                "expires", "is not after effective", hint="it is the first day without the rule"
            )
        return {
            "id": self._id(table),
            "jurisdiction": self._file.jurisdiction,
            "layer": layer,
            "profile": table.word("profile", PROFILES, self._file.profile),
            "applies": table.words("applies", CATEGORIES),
            "effective": effective or _NO_DAY,
            "expires": expires,
            "cite": table.text("cite"),
            # A house rule is our own; law and practice must be found by whoever doubts them.
            "url": table.text("url", default="" if layer == "house" else None),
            "confidence": table.word("confidence", get_args(Confidence)),
            "reviewed": self._reviewed(table),
        }

    def _reviewed(self, table: Table) -> date:
        usual = self._file.reviewed
        return table.day("reviewed", required=usual is None) or usual or _NO_DAY

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


def _span(table: Table, key: str, *, required: bool = True) -> int:
    """Seconds of `30m`, `24h` or `2d`; 0 where it is not given."""
    text = table.text(key, default=None if required else "")
    match = _SPAN.fullmatch(text)
    if match is None:
        if text:
            table.problem(key, f"{text!r} is no time span", hint="write 30m, 24h or 2d")
        return 0
    return int(match[1]) * _SPAN_S[match[2]]

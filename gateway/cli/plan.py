"""`acuse submit --dry-run` for people: what would become of a message, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.output import Column, coloured, field, moment, note, plain, print_table
from gateway.cli.record import (
    labelled,
    objects,
    print_appended,
    print_decision,
    section,
    substitution,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHY = {
    "forces_ucs2": "forces UCS-2",
    "national_table": "needs the national table",
    "extension": "is in the extension table",
}


def print_plan(plan: Mapping[str, object]) -> None:
    """The object of the admin command `plan` as a page of 80 columns where its values allow."""
    note("a dry run: nothing was stored or sent")
    state = coloured(plan.get("state"))
    if plan.get("due_at"):
        state += f" until {moment(plan['due_at'])} UTC"
    labelled("would be", state)
    if plan.get("known_as"):
        wrapped("ref", f"{plain(plan.get('ref'))} is submission {plain(plan['known_as'])} already")
    print_decision(plan.get("decision"))
    _way(plan)
    if plan.get("text") is not None:
        wrapped("text", plain(plan["text"]))
    print_appended(plan)
    substituted = objects(plan.get("substituted"))
    if substituted:
        wrapped("substituted", ", ".join(map(substitution, substituted)))
    _encoding(plan)
    section("segments")
    print_table(_SEGMENTS, [{**plan, **part} for part in objects(plan.get("parts"))])
    characters = objects(plan.get("characters"))
    if characters:
        section("characters that cost more")
        print_table(_CHARACTERS, characters)
        other = plan.get("without_them")
        if isinstance(other, dict):
            labelled("without", f"{plain(other.get('encoding'))}, {_counted(other)}")


def _way(plan: Mapping[str, object]) -> None:
    route = plan.get("route")
    if isinstance(route, dict):
        to = " ".join(map(plain, route.get("to") or ()))
        number = f"{plain(route.get('number'))} of {plain(route.get('of'))}"
        wrapped("route", f"{number}: to {to}, {plain(route.get('strategy'))}")
        because = route.get("because")
        if isinstance(because, list) and because:
            wrapped("because", ", ".join(map(plain, because)))
    for passed in objects(plan.get("passed_over")):
        wrapped("passed over", f"route {plain(passed.get('number'))}: {plain(passed.get('why'))}")
    operators = objects(plan.get("operators"))
    chosen = plan.get("operator")
    why = plain(plan.get("why"))
    if chosen is None:
        wrapped("operator", why)
    # The one that takes it first; the others in the order of the route.
    for operator in sorted(operators, key=lambda each: each.get("name") != chosen):
        name, standing = plain(operator.get("name")), _standing(operator)
        if operator.get("name") == chosen:
            wrapped("operator", f"{name}: {why}{standing}")
        elif not operator.get("bound"):
            wrapped("passed over", f"{name}: not bound{standing}")
        elif "share" in operator:
            wrapped("takes part", f"{name}: bound{standing}")
        else:
            wrapped("stands by", f"{name}: bound{standing}")


def _standing(operator: Mapping[str, object]) -> str:
    """What else there is to say of an operator: its share of a balance, its pause."""
    said = ""
    if operator.get("weight") is not None:
        said += f", weight {plain(operator['weight'])}"
        share = operator.get("share")
        if isinstance(share, float) and share:
            said += f", {share:.0%} of the messages now"
    if operator.get("paused_s"):
        said += f", paused for {plain(operator['paused_s'])} s"
    return said


def _encoding(plan: Mapping[str, object]) -> None:
    way = f", by {plain(plan['long_message'])}" if plan.get("long_message") else ""
    wrapped("encoding", f"{plain(plan.get('encoding'))}, {_counted(plan)}{way}")
    if plan.get("on_air") != plan.get("segments"):
        wrapped("", f"the operator makes {plain(plan.get('on_air'))} short messages of it")


def _counted(plan: Mapping[str, object]) -> str:
    """`81 septets, 1 segment`."""
    unit = f" {plain(plan['unit'])}s" if plan.get("unit") else " units"
    segments = plan.get("segments")
    return f"{plain(plan.get('units'))}{unit}, {plain(segments)} segment" + "s" * (segments != 1)


def _used(part: Mapping[str, object]) -> str:
    if part.get("on_air") != part.get("segments"):
        return plain(part.get("units"))
    return f"{plain(part.get('units'))} of {plain(part.get('unit_limit'))}"


def _cost(character: Mapping[str, object]) -> str:
    why = plain(character.get("why"))
    units = character.get("units")
    return f"{_WHY.get(why, why)}" + (f", costs {plain(units)}" if units != 1 else "")


_SEGMENTS = (
    Column("#", field("number")),
    Column("units used", _used),
    Column("octets", field("octets")),
)
_CHARACTERS = (
    Column("", field("character")),
    Column("code", field("code")),
    Column("times", field("count")),
    Column("why", _cost),
    Column("name", field("name"), may_go=True),
)

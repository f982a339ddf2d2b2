"""What settings say of each other: routes of operators and brands, brands of senders, a version or
a bind of what it is asked to do.

Looks at the parsed TOML, so that it finds its own problems however many others there are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.settings.names import SENDER
from gateway.settings.reading import nearest_hint

if TYPE_CHECKING:
    from gateway.settings.lines import Place
    from gateway.settings.reading import Reading


def check(raw: dict[str, object], reading: Reading) -> None:
    """Everything that is named is there, can do what it is named for, and is named to some end."""
    operators, brands, senders = (
        _tables(raw.get(key)) for key in ("operators", "brands", "senders")
    )
    given = raw.get("routes")
    routes = [
        (number, route)
        for number, route in enumerate(given if isinstance(given, list) else [])
        if isinstance(route, dict)
    ]
    for number, route in routes:
        _route(number, route, operators, brands, reading)
        _segmentation(number, route, operators, reading)
    for name, table in operators.items():
        _abilities(name, table, reading)
    _order(routes, reading)
    _senders(brands, senders, reading)
    _accounts(operators, reading)
    used = {name for _, route in routes for name, _ in _names(route, "operators", ())}
    for name, table in operators.items():
        if name not in used and table.get("bind") != "receiver":
            reading.warn(
                ("operators", name),
                "no route leads to it: it will be bound, and nothing will be sent through it",
                f'name it in a route: operators = ["{name}"]',
            )


def _route(
    number: int,
    route: dict[str, object],
    operators: dict[str, dict[str, object]],
    brands: dict[str, dict[str, object]],
    reading: Reading,
) -> None:
    """A route names operators that can send, and brands, that are there."""
    for key, known in (("operators", operators), ("brand", brands)):
        for name, place in _names(route, key, ("routes", number, key)):
            if name not in known and re.fullmatch(r"[A-Za-z0-9._-]+", name):
                noun = key.removesuffix("s")
                reading.problem(place, f"there is no {noun} {name!r}", nearest_hint(name, known))
    for name, place in _names(route, "operators", ("routes", number, "operators")):
        if operators.get(name, {}).get("bind") == "receiver":
            reading.problem(
                place,
                f"the operator {name!r} is bound as receiver and cannot send",
                'bind it as "transceiver" or "split", or route elsewhere',
            )


def _abilities(name: str, table: dict[str, object], reading: Reading) -> None:
    """What the version or the bind cannot do.

    SMPP 3.3 has no bind_transceiver and no optional parameters (SMPP 3.4, section 2.9); it has
    query_sm, cancel_sm and replace_sm.
    """
    bind, long_message = table.get("bind", "transceiver"), table.get("long_message")
    if table.get("interface_version") == "3.3":
        if bind == "transceiver":
            reading.problem(
                ("operators", name, "interface_version"),
                "SMPP 3.3 has no transceiver",
                'bind = "split", or interface_version = "3.4"',
            )
        if long_message in ("sar", "payload"):
            reading.problem(
                ("operators", name, "long_message"),
                f"{long_message} needs optional parameters, and SMPP 3.3 has none",
                'long_message = "udh" or "udh16", or interface_version = "3.4"',
            )
    for setting in ("query_sm", "cancel_sm") if bind == "receiver" else ():
        if table.get(setting) is True:
            reading.problem(
                ("operators", name, setting),
                "needs a bind that sends, and this is a receiver",
                "set it at the operator table that transmits",
            )


#: The conditions of a route, and what stands for "any" (`to` has a default of its own).
_CONDITIONS = ("to", "from", "brand", "category")


def _order(routes: list[tuple[int, dict[str, object]]], reading: Reading) -> None:
    """The first route that fits is taken, so a later one must fit something it does not."""
    earlier: list[tuple[int, dict[str, frozenset[str]]]] = []
    for number, route in routes:
        fits = {key: frozenset(name for name, _ in _names(route, key, ())) for key in _CONDITIONS}
        fits["to"] = fits["to"] or frozenset({"+"})
        for other, wider in earlier:
            if fits == wider:
                reading.problem(
                    ("routes", number),
                    f"has the conditions of routes[{other}], which is always taken before it",
                    "leave one out, or name the operators of both in one route",
                )
                break
            if _covers(wider, fits):
                reading.warn(
                    ("routes", number),
                    f"is never taken: routes[{other}] fits whatever it fits, and stands before it",
                    "put the narrower route first",
                )
                break
        earlier.append((number, fits))


def _covers(wider: dict[str, frozenset[str]], narrower: dict[str, frozenset[str]]) -> bool:
    """True if whatever fits *narrower* fits *wider*."""
    prefixes = tuple(wider["to"])
    return all(to.startswith(prefixes) for to in narrower["to"]) and all(
        not wider[key] or (narrower[key] and narrower[key] <= wider[key])
        for key in ("from", "brand", "category")
    )


def _senders(
    brands: dict[str, dict[str, object]], senders: dict[str, dict[str, object]], reading: Reading
) -> None:
    """Where senders have tables, those of a brand are among them; without any, none is unknown."""
    for brand, table in brands.items() if senders else ():
        for name, place in _names(table, "senders", ("brands", brand, "senders")):
            if name not in senders and SENDER.fits(name):
                near = nearest_hint(name, senders)
                header = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'
                add = f"add [senders.{header}]"
                reading.problem(
                    place,
                    f"there is no sender {name!r}",
                    f"{near} Else {add}" if near.endswith("?") else f"{add}, or correct the name",
                )


def _accounts(operators: dict[str, dict[str, object]], reading: Reading) -> None:
    """One account under two names: the operator sends the receipts of both to either."""
    seen: dict[tuple[object, ...], str] = {}
    for name, table in operators.items():
        keys = (table.get("host"), table.get("port", 2775), table.get("system_id"))
        if None in keys or table.get("bind") == "receiver" or not _plain(keys):
            continue
        if keys in seen:
            reading.warn(
                ("operators", name),
                f"is the account of operators.{seen[keys]}: receipts of one may come to the other,"
                " and find no message there",
                "one table with sessions = 2 shares its receipts",
            )
        seen.setdefault(keys, name)


def _plain(values: tuple[object, ...]) -> bool:
    return all(isinstance(value, str | int) for value in values)


#: Settings that decide the segments of a text, and their defaults.
SEGMENTATION: dict[str, object] = {
    "default_alphabet": "gsm7",
    "national_tables": [],
    "gsm7_packing": "unpacked",
    "long_message": "udh",
}


def _segmentation(
    number: int,
    route: dict[str, object],
    operators: dict[str, dict[str, object]],
    reading: Reading,
) -> None:
    """Segments are sealed when a message is accepted, so fail-over may not change them."""
    place = ("routes", number, "operators")
    named = [operators[name] for name, _ in _names(route, "operators", place) if name in operators]
    for setting, default in SEGMENTATION.items():
        values = [table.get(setting, default) for table in named]
        lists = [value if isinstance(value, list) else [value] for value in values]
        if any(value != lists[0] for value in lists):
            reading.problem(
                place,
                f"operators of one route must have the same {setting}",
                "give those with another one a route of their own",
            )


def _tables(raw: object) -> dict[str, dict[str, object]]:
    if not isinstance(raw, dict):
        return {}
    return {name: table if isinstance(table, dict) else {} for name, table in raw.items()}


def _names(route: dict[str, object], key: str, place: Place) -> list[tuple[str, Place]]:
    value = route.get(key)
    if isinstance(value, str):
        return [(value, place)]
    items = value if isinstance(value, list) else []
    return [(item, (*place, at)) for at, item in enumerate(items) if isinstance(item, str)]

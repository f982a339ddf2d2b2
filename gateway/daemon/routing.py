"""Which operators may carry a message: the first route that fits, in the order configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.daemon.queues import Way
from gateway.errors import ConfigError
from gateway.smpp.text import Coding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.daemon.work import Work
    from gateway.settings import OperatorSettings, RouteSettings

#: Routes that say why they do not fit, in an error.
_REASONS_MOST = 5


class Routing:
    """The configured routes."""

    def __init__(
        self, routes: Sequence[RouteSettings], operators: Mapping[str, OperatorSettings]
    ) -> None:
        self.routes = routes
        self._codings = {name: coding_of(settings) for name, settings in operators.items()}
        self._ways = [
            Way(route.operators, route.shares if route.strategy == "balance" else ())
            for route in routes
        ]

    def operators(self, work: Work) -> tuple[str, ...]:
        """The names of the operators that may carry *work*, preferred first.

        Raises:
            ConfigError: no route fits.
        """
        return self.routes[self._route(work)].operators

    def way(self, work: Work) -> Way:
        """Which operators may carry *work*, and how they share the messages of its route.

        Raises:
            ConfigError: no route fits.
        """
        return self._ways[self._route(work)]

    def _route(self, work: Work) -> int:
        request, row = work.request, work.row
        for number, route in enumerate(self.routes):
            if route.fits(
                to=request.to, sender=request.sender, brand=row.brand, category=row.category
            ):
                return number
        reasons = [
            f"[{number}] {why_not(route, work)}"
            for number, route in enumerate(self.routes[:_REASONS_MOST])
        ]
        more = len(self.routes) - len(reasons)
        raise ConfigError(
            f"routes: none leads to this recipient: {'; '.join(reasons)}"
            + (f"; and {more} more" if more else ""),
            hint="add [[routes]] with its country code in `to` and the operators that take it, or"
            ' with to = ["+"] for everything else',
            setting="routes",
        )

    def coding(self, operators: tuple[str, ...]) -> Coding:
        """How the operators of a route want text: all alike, the configuration is checked for it.

        The segments of a message are sealed when it is accepted, so fail-over may not change them.
        """
        return self._codings[operators[0]]


def why_not(route: RouteSettings, work: Work) -> str | None:
    """Why a route does not take a message; None if it does."""
    request, row = work.request, work.row
    if not request.to.startswith(route.to):
        return f"the recipient does not begin with {' or '.join(route.to)}"
    for word, value, wanted in (
        ("sender", request.sender, route.senders),
        ("brand", row.brand, route.brands),
        ("category", row.category, route.categories),
    ):
        if wanted and value not in wanted:
            return f"the {word} is not {' or '.join(wanted)}"
    return None


def coding_of(settings: OperatorSettings) -> Coding:
    """Everything in an operator's settings that decides how a text becomes segments."""
    return Coding(
        default_alphabet=settings.default_alphabet,
        national_tables=settings.national_tables,
        packed=settings.gsm7_packing == "packed",
        long_message=settings.long_message,
    )

"""Which operators may carry a message: the first route that fits, in the order configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.daemon.queues import Way
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.daemon.work import Work
    from gateway.settings import OperatorSettings, RouteSettings


class Routing:
    """The configured routes."""

    def __init__(
        self, routes: Sequence[RouteSettings], operators: Mapping[str, OperatorSettings]
    ) -> None:
        """Check the routes against the operators.

        Raises:
            ConfigError: operators of one route read data_coding 0 differently. The segments of a
                message are sealed when it is accepted, so fail-over may not change them.
        """
        self._routes = routes
        self._alphabets: dict[tuple[str, ...], str] = {}
        for number, route in enumerate(routes):
            alphabets = {operators[name].default_alphabet for name in route.operators}
            if len(alphabets) > 1:
                raise ConfigError(
                    "operators of one route must have the same default_alphabet",
                    hint="give those with another one a route of their own",
                    setting=f"routes[{number}].operators",
                )
            self._alphabets[route.operators] = alphabets.pop()
        self._ways = [
            Way(route.operators, route.shares if route.strategy == "balance" else ())
            for route in routes
        ]

    def operators(self, work: Work) -> tuple[str, ...]:
        """The names of the operators that may carry *work*, preferred first.

        Raises:
            ConfigError: no route fits.
        """
        return self._routes[self._route(work)].operators

    def way(self, work: Work) -> Way:
        """Which operators may carry *work*, and how they share the messages of its route.

        Raises:
            ConfigError: no route fits.
        """
        return self._ways[self._route(work)]

    def alphabet(self, operators: tuple[str, ...]) -> str:
        """What data_coding 0 means at the operators of a route."""
        return self._alphabets[operators]

    def _route(self, work: Work) -> int:
        request, row = work.request, work.row
        for number, route in enumerate(self._routes):
            if route.fits(
                to=request.to, sender=request.sender, brand=row.brand, category=row.category
            ):
                return number
        raise ConfigError(
            "no route leads to this recipient",
            hint='add [[routes]] with to = ["+"] for everything else',
            setting="routes",
        )

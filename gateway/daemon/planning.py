"""What would become of a submission, without making it: policy, route, operator, segments, costs.

It asks what admission asks and writes nothing; only the moment differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.clock import optional_text
from gateway.daemon.appending import shown_appended
from gateway.daemon.routing import why_not
from gateway.ledger.rows import State
from gateway.smpp.costs import character_costs, without

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.daemon.admission import Admission
    from gateway.daemon.operator import Operator
    from gateway.daemon.queues import Way
    from gateway.daemon.reading import SubmissionReader
    from gateway.daemon.routing import Routing
    from gateway.daemon.work import Work
    from gateway.policy.decide import Decision
    from gateway.settings import RouteSettings
    from gateway.smpp.text import Coding, EncodedText

_UNITS = {"ucs2": "16-bit unit", "ascii": "octet", "latin1": "octet"}


class Planner:
    """Answers `plan`, the question behind `acuse submit --dry-run`."""

    def __init__(
        self,
        admission: Admission,
        reader: SubmissionReader,
        routing: Routing,
        operators: Mapping[str, Operator],
    ) -> None:
        self._admission = admission
        self._reader = reader
        self._routing = routing
        self._operators = operators

    def plan(self, args: Mapping[str, Any], now_ms: int, now_s: float) -> dict[str, Any]:
        """What `submit` with the same arguments would do now.

        Raises:
            AcuseError: what `submit` would raise.
        """
        candidate = self._reader.read(args, now_ms)
        work = self._admission.draft(candidate, now_ms)
        planned_ms = max(now_ms, work.request.not_before_ms or 0)
        encoded = self._admission.encode(work, planned_ms)
        decision = self._admission.decide(work, now_ms, planned_ms=planned_ms)
        state, due_ms = _state(decision, planned_ms, now_ms)
        known = None
        if candidate.ref is not None:
            known = self._admission.known(candidate.brand, candidate.ref)
        request = work.request
        coding = self._routing.coding(self._routing.operators(work))
        return {
            "state": state.value,
            "due_at": optional_text(due_ms),
            "to": request.to,
            "from": request.sender,
            "brand": candidate.brand,
            "category": candidate.category,
            "ref": candidate.ref,
            "known_as": None if known is None else known.submission_id,
            "text": request.text,
            "substituted": [
                {"character": char, "code": f"U+{ord(char):04X}", "by": by, "at": at}
                for char, by, at in request.substituted or ()
            ],
            "decision": {
                "action": decision.action,
                "until": decision.until_text(),
                "reason": decision.reason,
                "rules": decision.rules,
                "warnings": list(decision.warnings),
                **({"why": list(decision.told)} if decision.told else {}),
            },
            **shown_appended(work),
            **self._way(work, now_s),
            **_segments(request.text, encoded, coding),
        }

    def _way(self, work: Work, now_s: float) -> dict[str, Any]:
        """The routes in order, the one that fits, and which of its operators takes the message."""
        passed_over: list[dict[str, Any]] = []
        routes: Sequence[RouteSettings] = self._routing.routes
        for number, route in enumerate(routes, 1):
            why = why_not(route, work)
            if why is None:
                return {
                    "route": {
                        "number": number,
                        "of": len(routes),
                        "setting": f"routes[{number - 1}]",
                        "to": list(route.to),
                        "from": list(route.senders),
                        "brand": list(route.brands),
                        "category": list(route.categories),
                        "strategy": route.strategy,
                        "because": _because(route, work),
                    },
                    "passed_over": passed_over,
                    **self._operators_of(self._routing.way(work), now_s),
                }
            passed_over.append({"number": number, "to": list(route.to), "why": why})
        raise AssertionError("encoding found a route")

    def _operators_of(self, way: Way, now_s: float) -> dict[str, Any]:
        """Which of a route's operators takes the message as things stand, and why that one."""
        operators = [self._standing(name, now_s) for name in way.names]
        bound = [each for each in operators if each["bound"]]
        chosen = bound[0] if bound else None
        for each, weight in zip(operators, way.weights, strict=False):
            total = sum(way.weights[operators.index(other)] for other in bound)
            each["weight"] = weight
            each["share"] = round(weight / total, 4) if each["bound"] else 0.0
        if chosen is None:
            why = "none of the route is bound: the message waits until one is"
        elif not way.weights:
            first = operators[0] is chosen
            why = "the first of the route" if first else "the first of the route that is bound"
            if chosen["paused_s"]:
                why += ", and what it puts off waits for it"
        elif len(bound) > 1:
            chosen, why = None, "whose turn it is, by weight among those that are bound"
        else:
            why = "the only one of the route that is bound"
        return {
            "operator": None if chosen is None else chosen["name"],
            "why": why,
            "operators": operators,
        }

    def _standing(self, name: str, now_s: float) -> dict[str, Any]:
        operator = self._operators[name]
        return {
            "name": name,
            "bound": operator.bound(),
            "paused_s": round(operator.pace.left_s(now_s), 1),
        }


def _state(decision: Decision, planned_ms: int, now_ms: int) -> tuple[State, int | None]:
    """The state it would have at first, and when it would be looked at again."""
    if decision.action == "refuse":
        return State.REFUSED, None
    if decision.action == "hold" and decision.until is not None:
        return State.HELD, round(decision.until.timestamp() * 1000)
    if planned_ms > now_ms:
        return State.HELD, planned_ms
    return State.QUEUED, None


def _because(route: RouteSettings, work: Work) -> list[str]:
    """Every condition of the route, as it holds for the message; `+` fits everybody."""
    request, row = work.request, work.row
    prefix = max((each for each in route.to if request.to.startswith(each)), key=len, default="+")
    reasons = ["any recipient fits" if prefix == "+" else f"the recipient begins with {prefix}"]
    for word, value, wanted in (
        ("sender", request.sender, route.senders),
        ("brand", row.brand, route.brands),
        ("category", row.category, route.categories),
    ):
        if wanted:
            reasons.append(f"the {word} is {value}")
    return reasons


def _segments(text: str, encoded: EncodedText, coding: Coding) -> dict[str, Any]:
    costs = character_costs(text, encoded, coding)
    plainer = without(text, costs, coding)
    return {
        "encoding": encoded.encoding,
        "data_coding": encoded.data_coding,
        "default_alphabet": coding.default_alphabet,
        "long_message": encoded.long_message or None,
        "unit": _UNITS.get(encoded.encoding, "septet"),
        "units": encoded.units,
        "unit_limit": encoded.unit_limit,
        "segments": len(encoded.parts),
        "on_air": encoded.on_air,
        "parts": [
            {"number": number, "units": units, "octets": len(part)}
            for number, (units, part) in enumerate(
                zip(encoded.part_units, encoded.parts, strict=True), 1
            )
        ],
        "characters": [
            {
                "character": cost.character,
                "code": cost.code,
                "name": cost.name,
                "count": cost.count,
                "units": cost.units,
                "why": cost.why,
            }
            for cost in costs
        ],
        "without_them": None
        if plainer is None
        else {
            "encoding": plainer.encoding,
            "units": plainer.units,
            "segments": len(plainer.parts),
            "on_air": plainer.on_air,
        },
    }

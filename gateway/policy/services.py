"""Messages of ours that only answer what the person did: which checks do not bind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.policy.facts import Message
    from gateway.policy.rules import ServiceRule

_NOTHING: Final = frozenset[str]()


def passed(
    rules: Sequence[ServiceRule], message: Message, now: datetime
) -> tuple[tuple[ServiceRule, ...], frozenset[str]]:
    """The rules by which checks do not bind *message*, and those checks: what all of them pass.

    A rule nobody has confirmed loosens nothing.
    """
    if message.service is None:
        return (), _NOTHING
    found = tuple(
        rule for rule in rules if rule.service == message.service and rule.in_force(now.date())
    )
    if not found or any(rule.confidence == "low" for rule in found):
        return (), _NOTHING
    return found, frozenset[str].intersection(*(rule.passes for rule in found))

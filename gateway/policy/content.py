"""What the text of a message must say and may not be about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from gateway.policy.facts import Facts, Message, Reason
    from gateway.policy.rules import ActingRule, ContentRule


def broken(
    rules: Sequence[ContentRule], message: Message, facts: Facts, now: datetime
) -> Iterator[tuple[ActingRule, Reason, str]]:
    """The rules the text breaks; none when it is not known."""
    yield from ()


def doubts(message: Message) -> Iterator[str]:
    """Warnings about the text that no rule speaks of."""
    yield from ()

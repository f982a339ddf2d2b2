"""Whether a message may carry this sender there: kinds, beginnings, registration, collectors."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gateway.policy.facts import SenderFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.policy.facts import Message, Reason
    from gateway.policy.rules import ActingRule, CarrierRule, SenderKind, SenderRule

#: Digits of a short code at most.
_SHORT_CODE_MOST: Final = 8
#: Area codes of toll-free numbers in country code 1.
_TOLL_FREE: Final = ("+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888")

_NOT_CARRIED: Final = "operators there carry no third party's claims: the creditor itself must send"


def kind_of(sender: str) -> SenderKind:
    """What a sender looks like."""
    if sender.startswith("+") and sender[1:].isdigit():
        return "toll_free" if sender.startswith(_TOLL_FREE) else "long_code"
    if sender.isdigit():
        return "short_code" if len(sender) <= _SHORT_CODE_MOST else "long_code"
    return "alphanumeric"


def seen(message: Message) -> SenderFacts:
    """What is known of the message's sender, at least what it looks like."""
    if message.sender_facts is not None:
        return message.sender_facts
    return _guessed(message.sender or "")


@lru_cache(maxsize=1024)
def _guessed(sender: str) -> SenderFacts:
    kind = kind_of(sender)
    return SenderFacts(kind, receives=kind != "alphanumeric")


def unfit(
    rules: Sequence[SenderRule], message: Message
) -> Iterator[tuple[ActingRule, Reason, str]]:
    """The rules that do not let the message carry its sender; none when it is not known."""
    sender = message.sender
    if sender is None or not rules:
        return
    facts = seen(message)
    for rule in rules:
        if facts.kind not in rule.kinds:
            continue
        if rule.beginnings and not sender.startswith(rule.beginnings):
            continue
        if rule.advice:
            yield rule, "sender_unregistered", f"the sender {sender}: {rule.advice}"
        elif not rule.registered:
            yield rule, "sender_unregistered", f"the sender {sender} is not permitted there"
        elif rule.registered not in facts.registered_in:
            told = (
                f"the sender {sender} is not registered in {rule.registered}: register it there, "
                f'then set registered_in = ["{rule.registered}"] of [senders.{sender}]'
            )
            yield rule, "sender_unregistered", told


def doubts(rules: Sequence[SenderRule], message: Message) -> Iterator[str]:
    """A warning that nothing could be judged."""
    if message.sender is None and rules:
        yield "sender_not_judged: the sender is not given, and rules there ask for it"


def uncarried(
    rules: Sequence[CarrierRule], message: Message
) -> Iterator[tuple[ActingRule, Reason, str]]:
    """The rules by which operators there do not carry the message."""
    if message.third_party_collector:
        for rule in rules:
            yield rule, "carrier_policy", _NOT_CARRIED

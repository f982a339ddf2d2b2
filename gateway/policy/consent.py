"""Whether this person allowed what is to be sent: consent, double opt-in, opt-out, registries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from gateway.policy.facts import Consent, Facts, Reason
    from gateway.policy.rules import ActingRule, ConsentRule, OptOutRule, RegistryRule


def opted_out(rules: Sequence[OptOutRule], facts: Facts, now: datetime) -> tuple[OptOutRule, ...]:
    """The rules by which the person's opt-out blocks the message."""
    if not facts.opted_out:
        return ()
    return tuple(
        rule
        for rule in rules
        if rule.in_force(now.date()) and (rule.scope == "brand" or facts.opted_out == "all")
    )


def missing(
    rules: Sequence[ConsentRule], facts: Facts, now: datetime
) -> Iterator[tuple[ActingRule, Reason, str]]:
    """The rules that ask for consent the person has not given, or not in that way."""
    for rule in rules:
        given = [
            consent
            for consent in facts.consents
            if consent.purpose == rule.purpose and stands(consent, now)
        ]
        if not given:
            yield rule, "consent_missing", f"there is no consent for {rule.purpose}"
        elif rule.method == "double" and all(consent.method != "double" for consent in given):
            yield rule, "double_opt_in_required", "the consent was not confirmed (double opt-in)"


def stands(consent: Consent, now: datetime) -> bool:
    """Whether the consent was given and not withdrawn, at that instant."""
    if consent.granted_at is not None and consent.granted_at > now:
        return False
    return consent.withdrawn_at is None or consent.withdrawn_at > now


def listed(
    rules: Sequence[RegistryRule], facts: Facts, now: datetime
) -> Iterator[tuple[ActingRule, Reason, str]]:
    """The rules whose registry lists the person."""
    if not facts.registries:
        return
    agreed = any(each.purpose == "marketing" and stands(each, now) for each in facts.consents)
    names = {listing.registry for listing in facts.registries}
    for rule in rules:
        if rule.registry in names and not (rule.unless_consent and agreed):
            yield rule, "registry", f"the recipient is listed in the registry {rule.registry}"


def outdated(rules: Sequence[RegistryRule], facts: Facts, now: datetime) -> Iterator[str]:
    """Warnings about registries whose snapshot is older than the rule wants."""
    for rule in rules:
        for listing in facts.registries:
            if listing.registry != rule.registry or listing.as_of is None:
                continue
            if now - listing.as_of > timedelta(days=rule.max_age_days):
                yield f"{rule.id}: the snapshot of {rule.registry} is out of date"

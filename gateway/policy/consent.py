"""Whether this person allowed what is to be sent: consent, double opt-in, opt-out, registries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from gateway.policy.facts import Consent, Facts, Listing, Reason
    from gateway.policy.rules import ActingRule, ConsentRule, OptOutRule, RegistryRule

#: The do-not-contact registries rules name, and whose they are.
REGISTRIES: Final = {
    "robinson": "Lista Robinson (ES)",
    "rne": "Registro de Números Excluidos, CRC (CO)",
    "repep": "Registro Público para Evitar Publicidad, Profeco (MX)",
    "reus": "Registro Público de Usuarios, Condusef (MX)",
    "nollame_ar": "Registro Nacional No Llame (AR)",
    "nollame_uy": "Registro No Llame, URSEC (UY)",
    "nollame_py": "Registro Nacional, Ley 5830 (PY)",
    "dnc": "National Do Not Call Registry, FTC (US)",
}


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
    given = [consent for consent in facts.consents if stands(consent, now)]
    agreed = {consent.purpose for consent in given}
    confirmed = {consent.purpose for consent in given if consent.method == "double"}
    for rule in rules:
        if rule.purpose not in agreed:
            yield rule, "consent_missing", f"there is no consent for {rule.purpose}"
        elif rule.method == "double" and rule.purpose not in confirmed:
            yield rule, "double_opt_in_required", "the consent was not confirmed (double opt-in)"


def stands(consent: Consent, now: datetime) -> bool:
    """Whether the consent was given and not withdrawn, at that instant.

    It stands from the instant it was given to the one it was withdrawn at, which is out.
    """
    if consent.granted_at is not None and consent.granted_at > now:
        return False
    return consent.withdrawn_at is None or consent.withdrawn_at > now


def listed(
    rules: Sequence[RegistryRule], facts: Facts, now: datetime
) -> Iterator[tuple[ActingRule, Reason, str]]:
    """The rules whose registry lists the person."""
    if not facts.registries:
        return
    agreed = _agreed(facts, now)
    names = {listing.registry for listing in facts.registries}
    for rule in rules:
        if rule.registry in names and not (rule.unless_consent and agreed):
            yield rule, "registry", f"the recipient is listed in the {REGISTRIES[rule.registry]}"


def outdated(rules: Sequence[RegistryRule], facts: Facts, now: datetime) -> Iterator[str]:
    """Warnings about registries that were never imported, or too long ago, whoever they list.

    What a person is not listed in says nothing unless the list is there and fresh. Nothing is said
    of a registry that their consent overrides, nor where it is not known what there is.
    """
    newest = _newest((*facts.registries, *(facts.snapshots or ())))
    agreed = _agreed(facts, now)
    for rule in rules:
        if not rule.in_force(now.date()) or (rule.unless_consent and agreed):
            continue
        if rule.registry not in newest:
            if facts.snapshots is not None:
                yield f"registry_missing: {rule.id}: {rule.registry} was never imported"
            continue
        as_of = newest[rule.registry]
        if as_of is not None and now - as_of > timedelta(days=rule.max_age_days):
            age = f"its snapshot is {(now - as_of).days} days old, of at most {rule.max_age_days}"
            yield f"registry_outdated: {rule.id}: {rule.registry}: {age}"


def _newest(listings: Sequence[Listing]) -> dict[str, datetime | None]:
    found: dict[str, datetime | None] = {}
    for listing in listings:
        known = found.get(listing.registry)
        if known is None or (listing.as_of is not None and listing.as_of > known):
            found[listing.registry] = listing.as_of
    return found


def _agreed(facts: Facts, now: datetime) -> bool:
    return any(each.purpose == "marketing" and stands(each, now) for each in facts.consents)

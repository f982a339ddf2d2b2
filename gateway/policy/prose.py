"""Decisions told to a person, with their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.policy.calendar import zone_named
from gateway.policy.grounds import findings
from gateway.policy.rules import DAY_NAMES
from gateway.policy.summary import sentence

if TYPE_CHECKING:
    from gateway.policy.decide import Decision
    from gateway.policy.rules import Rule

_CATEGORY: Final = {
    "promotional": "a promotional message",
    "cart_reminder": "a cart reminder",
    "transactional": "a transactional message",
    "otp": "a one-time password",
    "legal_notice": "a legal notice",
    "debt_claim": "a debt claim",
}
_REASON: Final = {
    "quiet_hours": "it may not be sent at this hour, and waiting does not help",
    "cap": "it would be one too many, and waiting does not help",
    "opted_out": "the recipient has opted out",
    "consent_missing": "the recipient has not consented to it",
    "double_opt_in_required": "the recipient's consent was not confirmed by a double opt-in",
    "optout_missing": "the text does not say how to opt out",
    "company_info_missing": "the text does not give the company's address and contact",
    "brand_missing": "the text does not say from whom it is",
    "prohibited_content": "its subject is prohibited",
    "age_gate": "its subject is for adults, and the recipient's age was not verified",
    "sender_unregistered": "it may not carry this sender there",
    "carrier_policy": "the operators there do not carry it",
    "court_lookalike": "it looks like a document of a court",
    "location_ambiguous": (
        "the recipient's place is not known well enough; state a location, best a verified one"
    ),
    "expired_before_window": "its deadline or validity ends before it may be sent",
    "registry": "the recipient is listed in a do-not-contact registry",
    "invalid_number": "there can be no such number",
}
#: More candidate places than this are counted, not listed.
_MAX_LISTED: Final = 4


def paragraph(decision: Decision) -> str:
    """The decision as a few sentences: what, when, where, by which rules and what they rest on."""
    what = _CATEGORY[decision.message.category]
    sentences = [_verdict(decision, what), *_told(decision)]
    if decision.reason != "invalid_number":
        sentences.append(_where(decision))
    sentences += [
        f"{rule.id} ({rule.layer}, confidence {rule.confidence}): {sentence(rule)}. {_source(rule)}"
        for rule in decision.grounds
    ]
    if not decision.grounds and decision.action == "release":
        sentences.append("Nothing that was judged stands in its way.")
    sentences += findings(decision)
    sentences += [f"Note: {warning}." for warning in decision.warnings]
    versions = decision.versions
    sentences.append(
        f"Judged by rules {versions['rules'][:12]}, tzdata {versions['tzdata']}, "
        f"holidays {versions['holidays']}, prefixes {versions['prefixes']}."
    )
    return " ".join(sentences)


def _verdict(decision: Decision, what: str) -> str:
    if decision.action == "release":
        return f"Release: {what} may go to this number now."
    if decision.action == "hold":
        return f"Hold until {decision.until_text()}{_until_local(decision)}: {what} must wait."
    return f"Refuse {what}: {_REASON[decision.reason or 'quiet_hours']}."


def _told(decision: Decision) -> list[str]:
    """What is missing or wrong, and the way out."""
    return [f"{told[:1].upper()}{told[1:]}." for told in decision.told]


def _until_local(decision: Decision) -> str:
    """The release in local time, where there is only one."""
    zones = {place.zone for place in decision.schedule.places}
    if decision.until is None or len(zones) != 1:
        return ""
    zone = zones.pop()
    local = decision.until.astimezone(zone_named(zone))
    return f" ({DAY_NAMES[local.weekday()].capitalize()} {local:%Y-%m-%d, %H:%M} in {zone})"


def _where(decision: Decision) -> str:
    candidates = decision.candidates
    known = [candidate for candidate in candidates if candidate.zone]
    if not known:
        return "The number belongs to no country."
    told = [
        f"{candidate.jurisdiction}, where it is {candidate.local_time[11:16]} on "
        f"{candidate.local_time[:10]} ({candidate.zone}, {'open' if candidate.open else 'shut'})"
        for candidate in known[:_MAX_LISTED]
    ]
    text = "The recipient may be in " if len(known) > 1 else "The recipient is taken to be in "
    text += "; or in ".join(told)
    if len(known) > _MAX_LISTED:
        text += f"; or in one of {len(known) - _MAX_LISTED} more places"
    return text + "."


def _source(rule: Rule) -> str:
    return f"[{rule.cite}{'; ' + rule.url if rule.url else ''}]"

"""What a rule says, in one line for lists and as the sentence of a paragraph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.policy.consent import REGISTRIES
from gateway.policy.rules import (
    PASSED,
    ActingRule,
    CapRule,
    CarrierRule,
    ConsentRule,
    ContentRule,
    DeadlineRule,
    OptOutRule,
    RegistryRule,
    SenderRule,
    ServiceRule,
    WindowRule,
    hours_text,
)
from gateway.policy.vocabulary import COURT

if TYPE_CHECKING:
    from gateway.policy.rules import Rule, Waiver

#: The kinds as a pack's tables name them.
_KINDS: Final[dict[type[Rule], str]] = {
    WindowRule: "window",
    CapRule: "cap",
    DeadlineRule: "deadline",
    ConsentRule: "consent",
    RegistryRule: "registry",
    SenderRule: "sender",
    CarrierRule: "carrier",
    ContentRule: "content",
    OptOutRule: "optout",
    ServiceRule: "service",
}
_REQUIRED: Final = {
    "brand": "says from whom it is",
    "optout": "says how to opt out",
    "company_info": "gives the company's address and contact, or links to them",
}
#: Subjects whose name is not what one would say of a text.
_SUBJECTS: Final = {
    COURT: "must not look like a document of a court",
    "cpf": "must not be about the personal training account (CPF)",
    "cbd": "must not be about CBD",
    "mlm": "must not be about multi-level marketing",
    "vape": "must not be about vaping",
}
_PURPOSES: Final = {
    "marketing": "consent for marketing",
    "cart": "consent that names cart reminders",
}
_PASSED: Final = {"consent": "consent", "optout": "opt-outs", "windows": "hours", "caps": "caps"}
_SERVICES: Final = {
    "optout_confirmation": "Acuse's confirmation of an opt-out",
    "optin_confirmation": "Acuse's confirmation of who takes an opt-out back",
    "help_reply": "Acuse's answer to who asks for help",
    "double_opt_in": "Acuse's request to confirm a sign-up",
}
_SENDERS: Final = {
    "alphanumeric": "alphanumeric senders",
    "short_code": "short codes",
    "long_code": "long numbers",
    "toll_free": "toll-free numbers",
}


def kind(rule: Rule) -> str:
    """`window`, `cap`, `deadline`, `consent`, … as the tables of a pack are called."""
    return _KINDS[type(rule)]


def summary(rule: Rule) -> str:
    """What the rule says, in one line."""
    text = _gist(rule)
    if isinstance(rule, ActingRule) and not rule.acts:
        text += " (warns only)"
    return text


def sentence(rule: Rule) -> str:
    """What the rule says, as a sentence without its full stop."""
    text = _gist(rule)
    if isinstance(rule, WindowRule):
        text = f"it may leave {text}"
    elif isinstance(rule, CapRule | DeadlineRule):
        text = f"it may be sent {text}"
    elif isinstance(rule, ConsentRule):
        text = f"it may go {text}"
    elif isinstance(rule, RegistryRule | OptOutRule):
        text = f"it may {text.replace('not ', 'not go ', 1)}"
    elif isinstance(rule, SenderRule):
        text = f"it may carry {text}"
    elif isinstance(rule, CarrierRule):
        text = f"operators there carry {text}"
    return text


def waiver_summary(waiver: Waiver) -> str:
    """What is set aside, by whom and why."""
    brand = f"for the brand {waiver.brand}" if waiver.brand else "for every brand"
    return f"sets aside {waiver.rule} {brand}: {waiver.reason} ({waiver.author})"


def _gist(rule: Rule) -> str:
    if isinstance(rule, ServiceRule):
        free = ", ".join(_PASSED[each] for each in PASSED if each in rule.passes)
        return f"{_SERVICES[rule.service]}: not bound by rules on {free}"
    if isinstance(rule, WindowRule):
        text = hours_text(rule) + (", urgent ones at any hour" if rule.urgent_bypass else "")
        return text + (", in every place the recipient may be in" if rule.every_location else "")
    if isinstance(rule, CapRule):
        return _cap(rule)
    if isinstance(rule, DeadlineRule):
        return f"within {_span(rule.within_s)} after the cart was abandoned"
    if isinstance(rule, ConsentRule):
        confirmed = ", confirmed by a double opt-in" if rule.method == "double" else ""
        return f"only with {_PURPOSES[rule.purpose]}{confirmed}"
    if isinstance(rule, RegistryRule):
        unless = ", unless they consented" if rule.unless_consent else ""
        listed = REGISTRIES.get(rule.registry, rule.registry)
        return f"not to people listed in the {listed}{unless}"
    if isinstance(rule, SenderRule):
        return _sender(rule)
    if isinstance(rule, CarrierRule):
        return "no claims of third-party collectors"
    if isinstance(rule, ContentRule):
        return _content(rule)
    assert isinstance(rule, OptOutRule)
    given = "to the brand or to all brands" if rule.scope == "brand" else "to all brands"
    return f"not after an opt-out given {given}"


def _cap(rule: CapRule) -> str:
    if rule.kind == "cart":
        return _times(rule.most) + " for each abandoned cart"
    period = {
        "rolling": f"in any {_span(rule.period_s)}",
        "calendar_day": f"a calendar day ({rule.zone})",
        "calendar_week": f"a calendar week ({rule.zone})",
    }[rule.kind]
    text = f"{_times(rule.most)} {period} to a person"
    if rule.by_campaign:
        text += ", each campaign by itself"
    if rule.min_gap_s:
        text += f", {_span(rule.min_gap_s, most_hours=24)} apart at least"
    if rule.count_on == "delivered_or_unknown":
        text += ", contacts made only"
    return text


def _times(most: int) -> str:
    return "once" if most == 1 else f"at most {most} times"


def _sender(rule: SenderRule) -> str:
    senders = " and ".join(_SENDERS[name] for name in sorted(rule.kinds))
    if rule.beginnings:
        senders += f" that begin with {', '.join(rule.beginnings)}"
    if rule.advice:
        return f"{senders}: {rule.advice}"
    if rule.registered:
        return f"{senders} only if registered in {rule.registered}"
    return f"no {senders}"


def _content(rule: ContentRule) -> str:
    if rule.requires is None:
        unless = ", unless the recipient's age was verified" if rule.unless_age_verified else ""
        plain = f"must not be about {rule.forbids.replace('_', ' ')}"
        return f"the text {_SUBJECTS.get(rule.forbids, plain)}{unless}"
    text = f"the text {_REQUIRED[rule.requires]}"
    if rule.short_codes:
        text += f", also by a short code that begins with {', '.join(rule.short_codes)}"
    return text + (", once a month at least" if rule.every == "month" else "")


def _span(seconds: int, *, most_hours: int = 72) -> str:
    """`24 hours`, `4 days`, `30 minutes`: days only beyond *most_hours*."""
    if seconds % 86_400 == 0 and seconds > most_hours * 3600:
        return f"{seconds // 86_400} days"
    if seconds % 3600 == 0:
        return "hour" if seconds == 3600 else f"{seconds // 3600} hours"
    return "minute" if seconds == 60 else f"{seconds // 60} minutes"

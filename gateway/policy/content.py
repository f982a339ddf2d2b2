"""What the text of a message must say and may not be about.

A rule with `requires` asks for the brand, a way to opt out or the company's details; one with
`forbids` for a text that is not about a subject. Every finding says what is missing and the way
out, for it is told to whoever wrote the text.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gateway.policy import senders
from gateway.policy.facts import Identity
from gateway.policy.instructions import Link, french_code, links, target_of
from gateway.policy.vocabulary import COURT, PROMOTION
from gateway.policy.words import fold, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from gateway.policy.facts import Facts, Message, Reason
    from gateway.policy.rules import ActingRule, ContentRule
    from gateway.policy.subjects import Hit, Subjects
    from gateway.policy.vocabulary import Vocabulary
    from gateway.policy.words import Words

#: An instruction counts for `every = "month"` so long.
MONTH: Final = timedelta(days=30)
#: Categories that inform: advertising in them is a mistake.
_INFORM: Final = frozenset({"transactional", "otp", "legal_notice"})
#: Categories that are tempted to look as if a court had sent them.
_FROM_NO_COURT: Final = frozenset({"legal_notice", "debt_claim"})
_NOBODY: Final = Identity()
#: Who writes, where no brand is named: a few words and a colon or dash.
_SOMEBODY: Final = re.compile(r"\W{0,2}\w[^:\n]{1,29}(:| -)")

_Broken = tuple["ActingRule", "Reason", str]


def broken(
    vocabulary: Vocabulary,
    rules: Sequence[ContentRule],
    message: Message,
    facts: Facts,
    now: datetime,
) -> Iterator[_Broken]:
    """The rules the text breaks; none when it is not known."""
    if message.text is None or not rules:
        return
    words = read(message.text)
    about = None
    # Whoever was told in the way of one rule there has been told this month.
    short_codes = tuple(code for rule in rules for code in rule.short_codes)
    unsaid: dict[tuple[str, ...], str] = {}  # why no way to opt out, by the short codes that count
    for rule in rules:
        if rule.forbids:
            if about is None:
                about = _about(_sought(vocabulary, rules, message), message.text)
            hit = about.get(rule.forbids)
            if hit is None or not hit.clear or (rule.unless_age_verified and message.age_verified):
                continue
            yield rule, _reason(rule), f"“{hit.words}” {_way_out(rule, rule.forbids)}"
        elif rule.requires == "brand":
            if not shows_brand(words, message):
                yield rule, "brand_missing", _no_brand(message)
        elif rule.requires == "company_info":
            if not shows_company(words, message):
                yield rule, "company_info_missing", _no_company(message)
        else:
            codes = rule.short_codes or (short_codes if rule.every == "month" else ())
            if codes not in unsaid:
                unsaid[codes] = _no_optout(vocabulary, words, codes, message)
            told = unsaid[codes]
            if told and not (rule.every == "month" and instructed(facts, now)):
                yield rule, "optout_missing", told


def doubts(vocabulary: Vocabulary, rules: Sequence[ContentRule], message: Message) -> Iterator[str]:
    """Warnings about the text: what is not sure enough to refuse, and what no rule speaks of."""
    if message.text is None:
        if rules:
            yield "content_not_judged: the text is not given, so nothing it says is judged"
        return
    if message.sender is None and any(rule.requires in ("brand", "optout") for rule in rules):
        yield "sender_not_judged: the sender is not given, and what the text must say hangs on it"
    informs = message.category in _INFORM
    if not rules and not informs and message.category not in _FROM_NO_COURT:
        return
    about = _about(_sought(vocabulary, rules, message), message.text)
    if not about:
        return
    forbidden = any(rule.forbids == COURT for rule in rules)
    for rule in rules:
        hit = about.get(rule.forbids) if rule.forbids else None
        if hit is not None and not hit.clear and not _verified(rule, message):
            yield f"{rule.id}: “{hit.words}” may be about {rule.forbids} ({rule.cite})"
    if informs:
        hit = about.get(PROMOTION)
        if hit is not None:
            yield f"looks_promotional: “{hit.words}”; what advertises is promotional"
    hit = about.get(COURT)
    if hit is not None and hit.clear and message.category in _FROM_NO_COURT and not forbidden:
        yield f"court_lookalike: “{hit.words}” looks as if a court had sent it"


def _sought(vocabulary: Vocabulary, rules: Sequence[ContentRule], message: Message) -> Subjects:
    """The subjects anybody asks for in such a text: few in most, and found the faster."""
    if message.category not in _INFORM:
        return vocabulary.advertised
    return vocabulary.subjects if any(rule.forbids for rule in rules) else vocabulary.informing


@lru_cache(maxsize=64)
def _about(subjects: Subjects, text: str) -> dict[str, Hit]:
    """The subjects of a text; both judges of it share them."""
    return subjects.of(read(text))


def instructed(facts: Facts, now: datetime) -> bool:
    """Whether the person was told within the last 30 days how to opt out."""
    return facts.instructed_at is not None and timedelta(0) <= now - facts.instructed_at <= MONTH


def instruction_ends_s(rules: Sequence[ContentRule], facts: Facts, now: datetime) -> float:
    """When the last instruction gets too old for a monthly rule; seconds since the epoch."""
    if facts.instructed_at is None or not any(rule.every == "month" for rule in rules):
        return math.inf
    return (facts.instructed_at + MONTH).timestamp() if instructed(facts, now) else math.inf


# -- what a text shows -------------------------------------------------------------------------


def shows_brand(words: Words, message: Message) -> bool:
    """Whether readers see who writes: by the sender's letters, the beginning, or a link."""
    sender = message.sender
    if sender and senders.seen(message).kind == "alphanumeric":
        return True
    identity = message.identity or Identity(name=message.brand)
    beginnings = _beginnings(identity)
    if not beginnings:
        return _SOMEBODY.match(words.folded) is not None
    if words.folded.lstrip(" [(*¡!\n\t").startswith(beginnings):
        return True
    target = _target(identity.info_url)
    return target is not None and any(link.host == target.host for link in links(words))


def shows_company(words: Words, message: Message) -> bool:
    """Whether the text links to the company's page, or has its address and a contact."""
    identity = message.identity or _NOBODY
    target = _target(identity.info_url)
    for link in links(words):
        if link.host == target.host if target else link.sure:
            return True
    address, contact = fold(identity.address), fold(identity.contact)
    return bool(address and contact) and address in words.folded and contact in words.folded


def shows_optout(
    vocabulary: Vocabulary, words: Words, message: Message, short_codes: tuple[str, ...] = ()
) -> bool:
    """Whether the text says how to opt out in a way that this sender's recipients can follow."""
    if _french(words, short_codes):
        return True
    facts = senders.seen(message)
    receives = facts.receives or message.sender is None
    if receives and vocabulary.instructions.keyword(words):
        return True
    return _leads_out(vocabulary, words, message)


def _french(words: Words, short_codes: tuple[str, ...]) -> bool:
    return bool(short_codes) and french_code(words).startswith(short_codes)


def _leads_out(vocabulary: Vocabulary, words: Words, message: Message) -> bool:
    """Whether a link leads to where one opts out: to the brand's page for it.

    Where nothing is known of the brand, any link beside words of opting out.
    """
    target = _target(message.identity.opt_out_url) if message.identity else None
    if target is None and message.identity is not None:
        return False
    for link in links(words):
        if target is None:
            if link.sure and vocabulary.instructions.leaves(words):
                return True
        elif link.host == target.host and (
            (len(target.path) > 1 and link.path.startswith(target.path.rstrip("/")))
            or vocabulary.instructions.leaves(words)
        ):
            return True
    return False


@lru_cache(maxsize=1024)
def _beginnings(identity: Identity) -> tuple[str, ...]:
    """What a text of the brand begins with, folded; none where nothing is known of it."""
    if identity.prefix:
        return (fold(identity.prefix),)
    names = [fold(name) for name in (identity.name, identity.legal_name) if name]
    return tuple(name + end for name in names for end in (":", " :", " -", "-", "] ", "]:"))


@lru_cache(maxsize=1024)
def _target(url: str) -> Link | None:
    return target_of(url)


# -- what is said of it ------------------------------------------------------------------------

_FORBIDS: Final = {
    "debt_collection": "claims a debt: send it as debt_claim, which is what it is",
    COURT: "looks as if a court had sent it: say who writes and what is owed",
}
_FIX: Final = ", or let it be appended (submit --fix, or append_opt_out of the brand)"
_OTHER: Final = "is about what may not be advertised there: leave it out"


def _reason(rule: ContentRule) -> Reason:
    if rule.forbids == COURT:
        return "court_lookalike"
    return "age_gate" if rule.unless_age_verified else "prohibited_content"


def _way_out(rule: ContentRule, subject: str) -> str:
    if rule.unless_age_verified:
        return f"is about {subject}: verify the recipient's age and say so (age_verified)"
    return _FORBIDS.get(subject, _OTHER)


def _verified(rule: ContentRule, message: Message) -> bool:
    return rule.unless_age_verified and message.age_verified


def _no_brand(message: Message) -> str:
    identity = message.identity or Identity(name=message.brand)
    example = identity.prefix or f"{identity.name or 'NAME'}:"
    return f"the text does not show who writes: begin it with “{example}”{_FIX}"


def _no_company(message: Message) -> str:
    url = message.identity.info_url if message.identity else ""
    if url:
        return f"the text does not lead to the company's details: add {url}{_FIX}"
    return "the text has neither the company's address and contact nor a link to them"


def _no_optout(
    vocabulary: Vocabulary, words: Words, codes: tuple[str, ...], message: Message
) -> str:
    """Why the text does not say how to opt out; "" if it does."""
    if shows_optout(vocabulary, words, message, codes):
        return ""
    if codes and french_code(words):
        begins = " or ".join(f"{code}xxx" for code in codes)
        return f"the short code after STOP is not for advertising: one for this begins as {begins}"
    keyword = vocabulary.instructions.keyword(words)
    if keyword:
        return (
            f"the text says to answer {keyword}, but {message.sender} cannot receive: "
            "give a link to opt out"
        )
    told = "the text does not say how to opt out: "
    if senders.seen(message).receives:
        return f"{told}add words such as “Reply STOP to opt out”{_FIX}"
    url = message.identity.opt_out_url if message.identity else ""
    if url or message.identity is None:
        return f"{told}add a link, such as “Opt out: {url or 'https://…'}”{_FIX}"
    return f"{told}set opt_out_url of the brand and add that link"

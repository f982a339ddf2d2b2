"""What a text lacks by the rules of its recipient's place, and the words that supply it.

Only what then fulfils the rule is appended: a brand without a page to opt out on, whose sender
nobody can answer, is refused instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gateway.policy import content, senders
from gateway.policy.facts import Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from gateway.policy.facts import Facts, Message
    from gateway.policy.rules import ContentRule, Requirement
    from gateway.policy.vocabulary import Vocabulary

#: The brand stands first, how to opt out last.
_ORDER: Final[tuple[Requirement, ...]] = ("brand", "company_info", "optout")
_CLOSED: Final = frozenset((*".!?:;)…", ""))


@dataclass(frozen=True, slots=True)
class Addition:
    """Words put before or after a text, with what parts them from it."""

    what: Requirement
    text: str

    def added_to(self, text: str) -> str:
        """The text with them."""
        return self.text + text if self.what == "brand" else text + self.text


@dataclass(frozen=True, slots=True)
class Wording:
    """How a brand wants it said: its own words, and the language where a text's is not clear."""

    opt_out: str = ""
    language: str = "es"


def additions(
    vocabulary: Vocabulary,
    rules: Sequence[ContentRule],
    message: Message,
    facts: Facts,
    now: datetime,
    wording: Wording,
) -> tuple[Addition, ...]:
    """What makes the text fulfil the rules that ask for something, as far as words can."""
    asking = [rule for rule in rules if rule.requires and rule.in_force(now.date())]
    made: list[Addition] = []
    for what in _ORDER:
        wanted = [rule for rule in asking if rule.requires == what]
        if message.text is None or not any(content.broken(vocabulary, wanted, message, facts, now)):
            continue
        text = _words_for(what, vocabulary, message, wording)
        if not text:
            continue
        parted = f"{text} " if what == "brand" else _parting(message.text) + text
        addition = Addition(what, parted)
        better = replace(message, text=addition.added_to(message.text))
        if not any(content.broken(vocabulary, wanted, better, facts, now)):
            made.append(addition)
            message = better
    return tuple(made)


def _parting(text: str) -> str:
    """What stands between the text and what follows it."""
    if text[-1:].isspace():
        return ""
    return " " if text[-1:] in _CLOSED else ". "


def with_additions(text: str, added: Iterable[Addition]) -> str:
    """The text with all of them."""
    for addition in added:
        text = addition.added_to(text)
    return text


def without_additions(text: str, added: Sequence[Addition]) -> str:
    """The text as it was before."""
    for addition in reversed(added):
        length = len(addition.text)
        text = text[length:] if addition.what == "brand" else text[: len(text) - length]
    return text


def _words_for(
    what: Requirement, vocabulary: Vocabulary, message: Message, wording: Wording
) -> str:
    identity = message.identity or Identity(name=message.brand)
    if what == "brand":
        return identity.prefix or (f"{identity.name}:" if identity.name else "")
    languages = vocabulary.instructions.languages
    language = languages[vocabulary.instructions.language_of(message.text or "", wording.language)]
    if what == "company_info":
        if identity.info_url:
            return language.company.format(url=identity.info_url)
        known = identity.address and identity.contact
        return f"{identity.address}, {identity.contact}" if known else ""
    if wording.opt_out:
        return wording.opt_out
    if senders.seen(message).receives:
        return language.answer
    return language.link.format(url=identity.opt_out_url) if identity.opt_out_url else ""

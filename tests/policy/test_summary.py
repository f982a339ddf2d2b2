"""Rules told in one line, and as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.policy.loader import load_rulebook
from gateway.policy.summary import kind, sentence, summary, waiver_summary
from tests.policy.samples import pack, rule, table, waiver, write_packs

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook
    from gateway.policy.rules import Pack, Rule


def shipped(book: Rulebook, name: str) -> Rule:
    return next(
        rule for pack in book.packs.values() for rule in pack.rules.every() if rule.id == name
    )


@pytest.mark.parametrize(
    ("name", "is_a", "short", "long"),
    [
        ("FR-QH", "window", "mon-sat 08:00-22:00, closed on public holidays",
         "it may leave mon-sat 08:00-22:00, closed on public holidays"),
        ("HOUSE-LEGAL", "window", "mon-sun 08:00-22:00, urgent ones at any hour",
         "it may leave mon-sun 08:00-22:00, urgent ones at any hour"),
        ("MX-OPERATOR-QH", "window", "mon-sun 08:00-20:00 (warns only)",
         "it may leave mon-sun 08:00-20:00"),
        ("US-FL-CAP", "cap",
         "at most 3 times in any 24 hours to a person, each campaign by itself",
         "it may be sent at most 3 times in any 24 hours to a person, each campaign by itself"),
        ("CO-DAY", "cap", "once a calendar day (America/Bogota) to a person, contacts made only",
         "it may be sent once a calendar day (America/Bogota) to a person, contacts made only"),
        ("CL-GAP", "cap", ("at most 2 times a calendar week (America/Santiago) to a person, "
         "2 days apart at least"),
         ("it may be sent at most 2 times a calendar week (America/Santiago) to a person, "
         "2 days apart at least")),
        ("US-CART-CAP", "cap", "once for each abandoned cart",
         "it may be sent once for each abandoned cart"),
        ("US-CART-DEADLINE", "deadline", "within 48 hours after the cart was abandoned",
         "it may be sent within 48 hours after the cart was abandoned"),
        ("ES-CONSENT", "consent", "only with consent for marketing",
         "it may go only with consent for marketing"),
        ("US-CART-DOI", "consent",
         "only with consent that names cart reminders, confirmed by a double opt-in",
         "it may go only with consent that names cart reminders, confirmed by a double opt-in"),
        ("ES-ROBINSON", "registry",
         "not to people listed in the Lista Robinson (ES), unless they consented",
         "it may not go to people listed in the Lista Robinson (ES), unless they consented"),
        ("CO-RNE", "registry",
         "not to people listed in the Registro de Números Excluidos, CRC (CO)",
         "it may not go to people listed in the Registro de Números Excluidos, CRC (CO)"),
        ("ES-ALIAS", "sender", "alphanumeric senders only if registered in ES",
         "it may carry alphanumeric senders only if registered in ES"),
        ("FR-SENDER-38", "sender", "no short codes that begin with 38",
         "it may carry no short codes that begin with 38"),
        ("US-DEBT-CARRIER", "carrier", "no claims of third-party collectors",
         "operators there carry no claims of third-party collectors"),
        ("HOUSE-BRAND", "content", "the text says from whom it is",
         "the text says from whom it is"),
        ("FR-STOP", "content",
         "the text says how to opt out, also by a short code that begins with 36",
         "the text says how to opt out, also by a short code that begins with 36"),
        ("HOUSE-OPTOUT-TEXT", "content",
         "the text says how to opt out, once a month at least (warns only)",
         "the text says how to opt out, once a month at least"),
        ("US-DEBT", "window", "mon-sun 08:00-21:00, in every place the recipient may be in",
         "it may leave mon-sun 08:00-21:00, in every place the recipient may be in"),
        ("HOUSE-NO-DRUGS", "content", "the text must not be about illegal drugs",
         "the text must not be about illegal drugs"),
        ("FR-NO-CPF", "content",
         "the text must not be about the personal training account (CPF)",
         "the text must not be about the personal training account (CPF)"),
        ("CL-COURT", "content", "the text must not look like a document of a court",
         "the text must not look like a document of a court"),
        ("HOUSE-AGE-GATE", "content",
         "the text must not be about alcohol, unless the recipient's age was verified",
         "the text must not be about alcohol, unless the recipient's age was verified"),
        ("ES-OPTOUT", "optout", "not after an opt-out given to the brand or to all brands",
         "it may not go after an opt-out given to the brand or to all brands"),
        ("HOUSE-OPTOUT-ALL", "optout", "not after an opt-out given to all brands",
         "it may not go after an opt-out given to all brands"),
    ],
)  # fmt: skip
def test_every_kind_of_rule_has_a_line_and_a_sentence(
    book: Rulebook, name: str, is_a: str, short: str, long: str
) -> None:
    found = shipped(book, name)
    assert (kind(found), summary(found), sentence(found)) == (is_a, short, long)


@pytest.mark.parametrize(
    ("span", "says"),
    [
        ("1h", "hour"),
        ("1m", "minute"),
        ("90m", "90 minutes"),
        ("72h", "72 hours"),
        ("4d", "4 days"),
    ],
)
def test_spans_are_told_in_the_unit_people_use(tmp_path: Path, span: str, says: str) -> None:
    text = table("cap", "ES-CAP", kind='"rolling"', most="2", period=f'"{span}"')
    (found,) = one_pack(tmp_path, text).rules.caps
    assert summary(found) == f"at most 2 times in any {says} to a person"


def test_a_waiver_is_told_with_its_reason_and_author(tmp_path: Path) -> None:
    (every,) = one_pack(tmp_path, rule(), waiver()).waivers
    assert waiver_summary(every) == (
        "sets aside ES-QH for every brand: agreed with the authority (M. Ruiz)"
    )
    (one,) = one_pack(tmp_path, rule(), waiver(brand='"acme"')).waivers
    assert "for the brand acme" in waiver_summary(one)


def one_pack(directory: Path, *rules: str) -> Pack:
    return load_rulebook([write_packs(directory, ES=pack("ES", *rules))]).packs["ES"]

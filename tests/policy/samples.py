"""Short ways to say rules, instants and packs in tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from gateway.policy.decide import NO_FACTS, Decision, Facts, Message, decide
from gateway.policy.facts import Consent
from gateway.policy.hours import parse_clock, parse_days
from gateway.policy.rules import Hours, WindowRule

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook


def at(text: str) -> datetime:
    """`2026-11-28T21:00:00Z` or with an offset."""
    return datetime.fromisoformat(text).astimezone(UTC)


def seconds(text: str) -> int:
    """The instant as UTC seconds."""
    return int(at(text).timestamp())


def hours(text: str) -> Hours:
    """`mon-sat 08:00-22:00`."""
    days, _, clock = text.partition(" ")
    opens, _, closes = clock.partition("-")
    found = parse_days(days), parse_clock(opens), parse_clock(closes)
    assert found[0] is not None
    assert found[1] is not None
    assert found[2] is not None
    return Hours(found[0], found[1], found[2])


def window(*texts: str, **changes: Any) -> WindowRule:
    """A rule that is open at these hours."""
    values: dict[str, Any] = {
        "id": "TEST-QH",
        "jurisdiction": "ES",
        "layer": "law",
        "profile": "law",
        "applies": frozenset({"promotional"}),
        "effective": date(2000, 1, 1),
        "expires": None,
        "cite": "a law",
        "url": "https://example.org/law",
        "confidence": "high",
        "reviewed": date(2026, 11, 21),
        "hours": tuple(map(hours, texts)),
        "on_violation": "hold",
    }
    return WindowRule(**(values | changes))


#: A person who agreed to everything, so that hours, places and caps can be asked about.
AGREED = (Consent("marketing", "double"), Consent("cart", "double"))


def ask(book: Rulebook, to: str, now: str, category: Any = "promotional", **more: Any) -> Decision:
    """Decide about a message; *more* are fields of the message, and `facts`, `checks`, `agreed`.

    The person agreed to everything unless *agreed* is False or the facts hold consents.
    """
    facts: Facts = more.pop("facts", NO_FACTS)
    checks = more.pop("checks", None)
    if more.pop("agreed", True) and not facts.consents:
        facts = replace(facts, consents=AGREED)
    message = Message(to, category, **more)
    if checks is None:
        return decide(book, message, facts, at(now))
    return decide(book, message, facts, at(now), frozenset(checks))


HEAD = """
[ruleset]
jurisdiction = "{jurisdiction}"
name = "a place"
layer = "law"
version = "1"
{head}
"""

RULE = """
[[window]]
id = "{id}"
applies = ["promotional"]
days = "mon-sun"
open = "08:00"
close = "20:00"
effective = 2020-01-01
cite = "a law"
url = "https://example.org/law"
confidence = "high"
reviewed = 2026-11-21
"""

CAP = """
[[cap]]
id = "ES-CAP"
applies = ["promotional"]
kind = "rolling"
period = "24h"
most = 1
effective = 2020-01-01
cite = "a law"
url = "https://example.org/law"
confidence = "high"
reviewed = 2026-11-21
"""


def pack(jurisdiction: str = "ES", *rules: str, head: str = "") -> str:
    """The text of a pack with these rules, which inherits nothing unless *head* says so."""
    if "parents" not in head:
        head = f"parents = []\n{head}"
    return HEAD.format(jurisdiction=jurisdiction, head=head) + "".join(rules)


def rule(name: str = "ES-QH", **changes: str) -> str:
    """A `[[window]]`; changes replace a key's line, "" drops it, new keys are added."""
    lines = RULE.format(id=name).strip().splitlines()
    for key, value in changes.items():
        kept = [line for line in lines if not line.startswith(f"{key} =")]
        lines = [*kept, f"{key} = {value}"] if value else kept
    return "\n" + "\n".join(lines) + "\n"


def limit(name: str = "ES-CAP", **changes: str) -> str:
    """A `[[cap]]`; changes replace a key's line, "" drops it, new keys are added."""
    lines = CAP.replace("ES-CAP", name).strip().splitlines()
    for key, value in changes.items():
        kept = [line for line in lines if not line.startswith(f"{key} =")]
        lines = [*kept, f"{key} = {value}"] if value else kept
    return "\n" + "\n".join(lines) + "\n"


def write_packs(directory: Path, **packs: str) -> Path:
    """Write `NAME.toml` files, with a `default` pack unless one is given."""
    packs.setdefault("default", pack("default", rule("DEFAULT-QH")))
    for name, text in packs.items():
        (directory / f"{name}.toml").write_text(text, "utf-8")
    return directory


def table(of: str, name: str, applies: str = '["promotional"]', /, **changes: str) -> str:
    """A table of any kind; changes add or replace keys."""
    return rule(name, days="", open="", close="", applies=applies, **changes).replace(
        "[[window]]", f"[[{of}]]"
    )


def waiver(name: str = "ES-W", **changes: str) -> str:
    """A `[[waiver]]` of ES-QH; changes replace keys, "" drops them."""
    keys = {
        "id": f'"{name}"',
        "rule": '"ES-QH"',
        "applies": '["promotional"]',
        "reason": '"agreed with the authority"',
        "author": '"M. Ruiz"',
        "effective": "2026-01-01",
        "expires": "2027-01-01",
    }
    lines = [f"{key} = {value}" for key, value in (keys | changes).items() if value]
    return "\n[[waiver]]\n" + "\n".join(lines) + "\n"

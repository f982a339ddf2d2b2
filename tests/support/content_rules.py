"""Packs that hold rules about texts and senders only, so that nothing else decides in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.policy.loader import load_rulebook

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from gateway.policy.book import Rulebook

_HEAD = """
[ruleset]
jurisdiction = "{jurisdiction}"
name = "{jurisdiction}"
layer = "law"
version = "2026.11.1"
{parents}
"""
_RULE = """
[[{kind}]]
id = "{jurisdiction}-{name}"
effective = 2020-01-01
cite = "the law of {jurisdiction}"
url = "https://law.example/{name}"
confidence = "high"
reviewed = 2026-11-21
"""
_MARKETING = 'applies = ["promotional", "cart_reminder"]\n'
_EVERYTHING = (
    'applies = ["promotional", "cart_reminder", "transactional", "otp", "legal_notice",'
    ' "debt_claim"]\n'
)
_CLAIM = 'applies = ["debt_claim"]\n'
_NOTICES = 'applies = ["debt_claim", "legal_notice"]\n'

#: Jurisdiction → (kind, name, the rest of the rule).
RULES: dict[str, list[tuple[str, str, str]]] = {
    "default": [
        (
            "content",
            "MONTHLY",
            _MARKETING + 'requires = "optout"\nevery = "month"\non_violation = "warn"\n',
        )
    ],
    "ES": [
        ("content", "STOP", _MARKETING + 'requires = "optout"\n'),
        ("sender", "ALIAS", _EVERYTHING + 'kinds = ["alphanumeric"]\nregistered = "ES"\n'),
        ("content", "ALCOHOL", _MARKETING + 'forbids = "alcohol"\nunless_age_verified = true\n'),
        ("content", "WEAPONS", _MARKETING + 'forbids = "weapon_gear"\n'),
    ],
    "FR": [
        ("content", "STOP", _MARKETING + 'requires = "optout"\nshort_codes = ["36"]\n'),
        (
            "sender",
            "MOBILE",
            _EVERYTHING
            + 'kinds = ["long_code"]\nbeginnings = ["+336", "+337"]\nforbidden = true\n',
        ),
    ],
    "CA": [
        ("content", "INFO", _MARKETING + 'requires = "company_info"\n'),
        ("content", "BRAND", _MARKETING + 'requires = "brand"\n'),
        ("content", "STOP", _MARKETING + 'requires = "optout"\n'),
    ],
    "US": [
        ("carrier", "COLLECTORS", _CLAIM),
        (
            "sender",
            "TOLL-FREE",
            _MARKETING
            + 'kinds = ["toll_free"]\nadvice = "consider call forwarding"\non_violation = "warn"\n',
        ),
    ],
    "PE": [("content", "COURT", _NOTICES + 'forbids = "court_lookalike"\n')],
}


def content_book(directory: Path) -> Rulebook:
    """The packs, written to *directory* and loaded."""
    directory.mkdir(exist_ok=True)
    for jurisdiction, rules in RULES.items():
        text = _HEAD.format(jurisdiction=jurisdiction, parents="")
        for kind, name, rest in rules:
            given = _RULE.format(kind=kind, jurisdiction=jurisdiction.upper(), name=name)
            text += given + rest
        (directory / f"{jurisdiction}.toml").write_text(text)
    return load_rulebook((directory,), "law")


def judge_by_content(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon judges by these packs and no others."""
    book = content_book(directory / "packs")

    def load(*given: Any, **named: Any) -> Rulebook:
        return book

    monkeypatch.setattr("gateway.daemon.gateway.load_rulebook", load)

"""Texts and senders as a user meets them: refused with the way out, appended, sent, listed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.process import Daemon, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

SPAIN: Final = "+34600111222"
#: What these tests are not about: consent is set aside, by somebody who answers for it.
WAIVER: Final = """
[ruleset]
jurisdiction = "house"
name = "ours"
layer = "house"
version = "1"
"""
ONE: Final = """
[[waiver]]
id = "OWN-{rule}"
rule = "{rule}"
applies = ["promotional"]
reason = "asked of nobody but ourselves"
author = "the tests"
effective = 2020-01-01
expires = 2090-01-01
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.open(
        {"movistar": {"seed": 1, "receipt_delay_min_s": 0.01, "receipt_delay_max_s": 0.05}},
        gateway="[policy]\npacks = ['packs']\n",
    ) as made:
        packs = made.directory / "packs"
        packs.mkdir()
        rules = ("ES-CONSENT", "HOUSE-CONSENT", "ES-ROBINSON")
        waivers = "".join(ONE.format(rule=rule) for rule in rules)
        (packs / "own.toml").write_text(WAIVER + waivers)
        text = made.config.read_text()
        made.config.write_text(
            re.sub(
                r"senders = \[.*\]\n(opt_out_url = .*\n)?",
                'opt_out_url = "https://acme.example/b"\n',
                text,
                count=1,
            )
        )
        yield made


@pytest.fixture(scope="module", autouse=True)
def daemon(site: Site) -> Daemon:
    return site.serve().ready()


def submit(site: Site, *options: str, to: str = SPAIN, sender: str = "ACME") -> Any:
    given = ("--to", to, "--from", sender, "--text", "Hoy 20% en toda la tienda")
    return site.acuse("submit", *given, *options)


def test_a_text_without_a_way_out_is_refused_and_told_how_to_mend_it(site: Site) -> None:
    ran = submit(site, "--json")
    assert ran.code == 1
    decision = ran.json()["decision"]
    assert (decision["reason"], decision["rules"]) == ("optout_missing", ["ES-STOP"])
    assert "https://acme.example/b" in decision["why"][0]
    page = " ".join(submit(site).out.split())
    assert "does not say how to opt out" in page
    assert "--fix" in page


def test_fix_appends_it_sends_it_and_the_record_shows_what_was_added(site: Site) -> None:
    text = "Hoy 20% en toda la tienda. Baja: https://acme.example/b"
    plan = submit(site, "--fix", "--dry-run", "--json").json()
    assert (plan["text"], plan["segments_before"]) == (text, 1)
    ran = submit(site, "--fix", "--json", "--wait")
    assert ran.code == 0, ran
    answer = ran.json()
    assert answer["fixed"] == [{"what": "optout", "text": ". Baja: https://acme.example/b"}]
    assert answer["record"]["text"] == text
    shown = site.acuse("receipts", "show", answer["submission_id"])
    assert "appended" in shown.out
    due = site.acuse("optout", "due", "--within", "30", "--json")
    assert [row["to"] for row in due.lines()] == [SPAIN]


def test_an_alias_nobody_registered_sends_not_even_a_legal_notice(site: Site) -> None:
    ran = submit(site, "--category", "legal_notice", "--json", sender="OTRA")
    assert ran.code == 1
    assert ran.json()["decision"]["reason"] == "sender_unregistered"


def test_a_third_partys_claim_is_not_carried_in_the_united_states(site: Site) -> None:
    given = ("--category", "debt_claim", "--third-party-collector", "--json")
    ran = submit(site, *given, to="+13105550123", sender="21234")
    assert ran.code == 1
    assert ran.json()["decision"]["reason"] == "carrier_policy"


def test_explain_judges_by_the_same_configuration(site: Site) -> None:
    asked = (
        '{"to":"+34600111222","now":"2026-11-25T11:00:00Z","brand":"acme","from":"ACME",'
        '"text":"Hoy 20%. Baja: https://acme.example/b/x"}'
    )
    answer = site.acuse("policy", "explain", "--json", stdin=asked).json()
    assert (answer["action"], answer["reason"]) == ("release", None)
    other = asked.replace("acme.example", "other.example")
    answer = site.acuse("policy", "explain", "--json", stdin=other).json()
    assert answer["reason"] == "optout_missing"

"""The table of habits: complete, documented, tried, and chosen by name or by number."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.errors import UsageError
from gateway.settings.model import Gateway
from gateway.settings.traffic import OperatorSettings
from gateway.sim.behaviours import BEHAVIOURS, behaviour_table, parse_behaviours
from gateway.sim.operator import Operator
from gateway.sim.options import SimOptions
from gateway.sim.smsc import SmscSession
from gateway.smpp import dialect
from gateway.smpp.pdu import DeliverSm, SubmitSmResp
from tests.sim.esme import Esme, only

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "operators.md").read_text()
TRIED = (ROOT / "tests" / "e2e" / "test_quirks.py").read_text()
NUMBERS = [f"Q{number}" for number in range(1, 33)]


def sections() -> dict[str, str]:
    """The guide's text by number."""
    parts = re.split(r"^## (Q\d+) .*$", GUIDE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def customer(behaviour: str) -> Esme:
    options = SimOptions(
        behaviour=behaviour, seed=1, receipt_delay_min_s=0.1, receipt_delay_max_s=0.1
    )
    esme = Esme(SmscSession(Operator(options), 0.0))
    esme.bind()
    return esme


def test_every_one_of_the_thirty_two_has_a_name_and_no_name_is_used_twice() -> None:
    assert sorted({each.number for each in BEHAVIOURS}, key=NUMBERS.index) == NUMBERS
    names = [each.name for each in BEHAVIOURS]
    assert len(set(names)) == len(names)
    assert all(len(doc) < 100 for _, _, doc, _ in behaviour_table())


def test_the_guide_has_a_section_for_each_with_the_name_to_try() -> None:
    found = sections()
    assert list(found) == NUMBERS
    for each in BEHAVIOURS:
        assert f"--behaviour {each.name}" in found[each.number], each.name
    for number, text in found.items():
        assert "**Operators**" in text, number
        assert "**Acuse**" in text, number


def test_every_setting_the_guide_names_exists() -> None:
    operator = {each.name for each in fields(OperatorSettings)}
    gateway = {each.name for each in fields(Gateway)}
    keys = {*dialect._KEYS, *(f"status.{key}" for key in dialect._STATUS_KEYS)}
    for line in re.findall(r"^\*\*Settings:\*\* (.*)$", GUIDE, flags=re.MULTILINE):
        for part in line.split(";"):
            known = operator
            if "dialect key" in part:
                known = keys
            for name in re.findall(r"`([^`]+)`", part):
                if name == "[gateway]":
                    known = gateway
                else:
                    assert name in known, line


def test_every_behaviour_is_tried_against_the_daemon() -> None:
    for each in BEHAVIOURS:
        assert re.search(rf'"[^"]*\b{each.name}\b', TRIED), each.name
    assert set(re.findall(r"def test_(q\d+)_", TRIED)) == {each.lower() for each in NUMBERS}


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("tlv-onl", "did you mean 'tlv-only'?"),
        ("nonsense", "--list"),
        ("tlv-only@", "write tlv-only@555"),
        ("tlv-only@5x", "write tlv-only@555"),
        ("drip-feed@555", "without digits"),
    ],
)
def test_a_behaviour_that_cannot_be_is_refused(given: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        SimOptions(behaviour=given)
    assert caught.value.fields["field"] == "behaviour"
    assert hint in caught.value.hint


def test_names_are_separated_by_commas_and_may_name_numbers() -> None:
    chosen = parse_behaviours("tlv-only@555, odd-stat,")
    assert [(each.behaviour.name, each.digits) for each in chosen] == [
        ("tlv-only", "555"),
        ("odd-stat", ""),
    ]
    assert parse_behaviours("") == ()


def test_digits_choose_the_recipients_and_leave_the_others_alone() -> None:
    esme = customer("odd-stat@555")
    esme.submit("34600111555")
    esme.submit("34600111201")
    esme.wait(1)
    texts = {pdu.source: pdu.short_message for pdu in only(esme.got, DeliverSm)}
    assert b"stat:FAILED" in texts["34600111555"]
    assert b"stat:DELIVRD" in texts["34600111201"]


def test_a_receipt_sent_again_is_the_same_receipt() -> None:
    esme = customer("missing-fields")
    esme.submit("34600111201")
    esme.submit("34600111202")
    esme.wait(7)
    told: dict[str, set[bytes]] = {}
    for pdu in only(esme.got, DeliverSm):
        told.setdefault(pdu.source, set()).add(pdu.short_message)
    assert [len(texts) for texts in told.values()] == [1, 1]
    assert len(only(esme.got, DeliverSm)) == 4


def test_habits_about_ids_go_together() -> None:
    esme = customer("id-above-64-bit,hex-in-response")
    esme.submit("34600111201")
    esme.wait(1)
    given = only(esme.got, SubmitSmResp)[0].message_id
    (receipt,) = only(esme.got, DeliverSm)
    assert int(given, 16) > 1 << 64
    assert receipt.short_message.startswith(f"id:{int(given, 16)} ".encode())

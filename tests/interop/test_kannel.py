"""Kannel as a customer of our simulated operator: it submits, and believes our receipts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.smpp.consts import EsmClass
from gateway.smpp.text import decode_text
from tests.interop import kannel
from tests.interop.kannel import BUFFERED, DELIVERED, FAILED, SMSC_ACCEPTED, SMSC_REFUSED
from tests.support.process import Simulator, short_directory, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

GSM7: Final = "¡Niño! Son 12,50 € [IVA ~21%] {Ñ}"
UCS2: Final = "Счёт 117 следует оплатить 😀"
LONG: Final = "Le recordamos que la factura 2026/117 vence el dia 30. " * 6
#: Number → the kinds of report that Kannel must give about it, each once.
REPORTS: Final = {
    "34600111222": {SMSC_ACCEPTED, DELIVERED},
    "34600111901": {SMSC_ACCEPTED, FAILED},
    "34600111910": {SMSC_REFUSED},
    "34600111943": {SMSC_ACCEPTED, BUFFERED, DELIVERED},
    "34600111947": {SMSC_ACCEPTED, DELIVERED},  # a receipt of TLVs alone
    "34600111948": {SMSC_ACCEPTED, DELIVERED},  # of text alone
    "34600111950": {SMSC_ACCEPTED, DELIVERED},  # by data_sm
}
TEXTS: Final = {"34600111223": (GSM7, 0), "34600111224": (UCS2, 2), "34600111225": (LONG, 0)}


@dataclass
class Traffic:
    """What Kannel and the simulator say when every report is in."""

    reports: dict[str, list[int]]
    accepted: list[dict[str, Any]]
    counts: dict[str, int]
    log: str


@pytest.fixture(scope="module")
def traffic() -> Iterator[Traffic]:
    options = {"system_id": "guest", "password": "open", "seed": 3}
    with short_directory() as directory, Simulator(directory, "operator", options) as simulator:
        with kannel.running(directory, simulator.port) as gateway:
            for number in REPORTS:
                assert gateway.send(number, "hola") == 202
            for number, (text, coding) in TEXTS.items():
                assert gateway.send(number, text, coding=coding) == 202
            wanted = [*REPORTS.items(), *((number, {DELIVERED}) for number in TEXTS)]
            wait_until(
                lambda: all(kinds <= set(gateway.reports.of(number)) for number, kinds in wanted),
                "a report of each kind",
            )
            wait_until(lambda: "enquire_link_resp" in gateway.log(), "a probe is answered")
            reports = {number: gateway.reports.of(number) for number, _ in wanted}
            log = gateway.log()
        yield Traffic(reports, simulator.journal("accepted"), simulator.stop(), log)


def test_kannel_reports_what_the_simulator_did(traffic: Traffic) -> None:
    seen = {number: sorted(traffic.reports[number]) for number in REPORTS}
    assert seen == {number: sorted(kinds) for number, kinds in REPORTS.items()}


@pytest.mark.parametrize("number", TEXTS)
def test_texts_are_read_as_kannel_meant_them(traffic: Traffic, number: str) -> None:
    parts = sorted(
        (line for line in traffic.accepted if line["dest"] == number),
        key=lambda line: int(line["segment"][2]),
    )
    text = "".join(
        decode_text(
            bytes.fromhex(line["octets"]),
            line["data_coding"],
            udh=bool(line["esm_class"] & EsmClass.UDHI),
        )
        for line in parts
    )
    assert text == TEXTS[number][0]
    assert [line["segment"][1:] for line in parts] == [
        [len(parts), n + 1] for n in range(len(parts))
    ]
    assert len(parts) == (3 if number == "34600111225" else 1)
    assert {(line["source"], line["system_id"]) for line in parts} == {("ACME", "guest")}


def test_nothing_was_refused_that_is_not_forced(traffic: Traffic) -> None:
    counts = traffic.counts
    assert (counts["binds"], counts["binds_refused"], counts["refused"]) == (1, 0, 1)
    assert (counts["nacks"], counts["receipts_refused"], counts["receipts_waiting"]) == (0, 0, 0)


def test_kannel_finds_nothing_wrong_with_our_pdus(traffic: Traffic) -> None:
    lines = [line for line in traffic.log.splitlines() if "SMPP" in line]
    assert lines
    complaints = [line for line in lines if " WARNING: " in line or " ERROR: " in line]
    # A refusal: SMPP 3.4 section 4.4.2 wants it without a body, Kannel would like a message_id.
    expected = [line for line in complaints if "(message_id) has no NULL" in line]
    refused = [line for line in complaints if "0x0000000b" in line.lower()]
    assert len(expected) == len(refused) == 1
    assert set(complaints) == {*expected, *refused}

"""Certificates of what a running daemon did, not of what a test wrote down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from gateway.certificate.facts import read_facts
from gateway.certificate.outcome import outcome_of, stamped_by
from gateway.certificate.page import render
from tests.support.certificates import said
from tests.support.stamps import Makers, configured
from tests.support.world import NOTICE, World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


async def test_what_the_daemon_proves_can_be_certified(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(
        tmp_path,
        {"movistar": 'receipt_utc_offset = "+00:00"'},
        gateway=configured(tmp_path, "sello"),
    )
    world.web = Makers(world.clock).web
    promotion = {"text": "Rebajas", "category": "promotional", "brand": "acme"}
    async with world.running() as daemon:
        asked = {
            "delivered": await daemon.submit("+34600333001"),
            "unknown": await daemon.submit("+34600333930"),
            "refused": await daemon.result("submit", to="+34600111233", **promotion),
            "long": await daemon.submit("+34600333010", text="Texto largo de prueba. " * 60),
        }
        await trio.sleep(4 * 86_400)
        bundles = {
            name: (await daemon.result("bundle", submission_id=answer["submission_id"]))["bundle"]
            for name, answer in asked.items()
        }
    for name, text in bundles.items():
        facts = read_facts(text.encode())
        assert outcome_of(facts).key == ("delivered" if name == "long" else name)
        assert stamped_by(facts) == ["sello"]
        assert render(text.encode(), "es").startswith(b"%PDF")
    assert NOTICE in said(bundles["delivered"].encode())
    whole = said(bundles["long"].encode())
    assert "10 segmentos" in whole
    assert "Texto largo de prueba. " * 60 in whole
    assert "falta el consentimiento" in said(bundles["refused"].encode())

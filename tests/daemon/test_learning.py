"""What an operator's receipts show of its habits, as a file a person can read and use."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import trio

from gateway.daemon.roles import Role
from gateway.resources import config_directory
from gateway.sim.options import SimOptions
from gateway.smpp.dialect import load_dialect
from tests.support.deliveries import bound
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


async def test_learning_proposes_settings_and_a_dialect_that_loads(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    options = SimOptions(message_id="hex_in_response", utc_offset_s=7200)
    world = World.make(tmp_path, {"movistar": 'message_id_form = "auto"'}, options=options)
    async with world.running() as daemon:
        daemon.role = Role.READ
        daemon.role = Role.OPERATOR
        for number in ("+34600222001", "+34600222002", "+34600222907", "+34600222911"):
            await daemon.submit(number)
        await trio.sleep(60)
        daemon.role = Role.READ
        found = await daemon.result("operators.learn", operator="movistar")
    assert found["message_id_form"] == "hex_in_response"
    assert found["receipt_utc_offset"] == "+02:00"
    assert found["matched_by"] == {"hex": 3}
    assert found["unlisted"] == {"FAILED": 1}
    assert found["statuses"] == {"0x411": 1}
    assert 'message_id_form = "hex_in_response"' in found["toml"]
    shutil.copytree(config_directory() / "operators", tmp_path / "dialects")
    path = tmp_path / "dialects" / "movistar.toml"
    path.write_text(found["toml"])
    learned = load_dialect(path)
    assert learned.state("FAILED") is None  # a person decides
    assert learned.state("DELIVRD") == "delivered"


async def test_receipts_that_match_nothing_are_told(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, options=SimOptions(message_id="hex_in_response"))
    async with world.running() as daemon:
        await daemon.submit("+34600222001")
        await trio.sleep(60)
        found = await daemon.result("operators.learn", operator="movistar")
    assert found["unmatched"] == 1
    assert found["message_id_form"] is None
    assert "match nothing" in found["toml"]


@pytest.mark.parametrize("name", ["movistar", "nobody"])
async def test_an_operator_without_receipts_teaches_nothing(
    tmp_path: Path, autojump_clock: MockClock, name: str
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await bound(daemon)
        answer = await daemon.ask("operators.learn", operator=name)
    assert answer["error"]["code"] == "no"

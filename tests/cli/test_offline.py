"""The daemon is down, or was: what the command line still tells, from the ledger file alone."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from gateway.cli.ledgerfile import LedgerFile
from gateway.ledger.audit import verify_ledger
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.cli.conftest import Acuse

NOTE = "acuse: note: the daemon does not answer; this comes from the ledger file\n"


async def lived(directory: Path) -> tuple[World, list[dict[str, Any]], str]:
    """A world whose daemon has stopped; its records, newest first, and one of its bundles."""
    world = World.make(directory)
    async with world.running() as daemon:
        for number in ("+34600111222", "+34600111901"):
            await daemon.final((await daemon.submit(number))["submission_id"])
        records = await daemon.items("receipts.list")
        bundle = await daemon.result("bundle", submission_id=records[0]["submission_id"])
    return world, records, bundle["bundle"]


async def test_records_are_read_from_the_file(
    acuse: Acuse, tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, records, _ = await lived(tmp_path)
    where = ("--config", str(world.config))
    ran = acuse("receipts", "list", "--json", *where, point=False)
    assert (ran.code, ran.err) == (0, NOTE)
    assert [line["submission_id"] for line in ran.lines()] == [
        record["submission_id"] for record in records
    ]
    assert [line["receipts"] for line in ran.lines()] == [record["receipts"] for record in records]
    some = acuse("receipts", "list", "--state", "undelivered", "--json", *where, point=False)
    assert [line["to"] for line in some.lines()] == ["+34600111901"]
    to = acuse("messages", "list", "--to", "+34600111222", "--json", *where, point=False)
    assert [line["state"] for line in to.lines()] == ["delivered"]
    identity = str(records[0]["submission_id"])
    shown = acuse("receipts", "show", identity, "--json", *where, point=False).json()
    assert shown["events"] == records[0]["events"]
    assert identity in acuse("messages", "show", identity, *where, point=False).out
    missing = acuse("receipts", "show", "nope", *where, point=False)
    assert missing.code == 1
    head = acuse("ledger", "head", "--json", *where, point=False).json()
    assert head["origin"] == "sms.example.es/1"
    assert head["checkpoint_size"] == head["size"]
    assert acuse("ledger", "head", *where, point=False).out.endswith(head["checkpoint"])


async def test_the_whole_ledger_is_checked(
    acuse: Acuse, tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, _, bundle = await lived(tmp_path)
    where = ("--config", str(world.config))
    ran = acuse("ledger", "verify", "--json", *where, point=False)
    assert ran.code == 4, ran.out
    assert all(
        check["ok"]
        for check in ran.json()["checks"]
        if check["name"] not in ("policy", "timestamp")
    )
    policy = tmp_path / "policy"
    policy.write_text(f"log {json.loads(bundle)['log']}\nquorum none\n")
    ran = acuse("ledger", "verify", "--policy", str(policy), "--json", *where, point=False)
    assert {"name": "policy", "ok": True} in ran.json()["checks"]
    proof = tmp_path / "proof.json"
    proof.write_text(bundle)
    assert acuse("verify", str(proof), "--policy", str(policy), point=False).code == 4

    copy = tmp_path / "copy"
    shutil.copytree(world.config.parent / "data", copy)
    file = str(copy / "ledger.db")
    assert acuse("ledger", "verify", file, point=False).code == 4
    assert acuse("verify", file, point=False).code == 4
    key = tmp_path / "elsewhere"
    shutil.move(copy / "keys" / "log-key", key)
    config = world.config.read_text().replace(f'"{tmp_path}/data"', f'"{copy}"')
    world.config.write_text(f'{config}\n[ledger]\nkey = {{file = "{key}"}}\n')
    assert acuse("ledger", "verify", "--json", *where, point=False).json()["verdict"] != "INVALID"
    (copy / "signer-state").write_bytes(b"\xff")
    assert acuse("ledger", "verify", file, point=False).code == 74
    (copy / "signer-state").unlink()
    shutil.rmtree(copy / "keys")
    unsigned = acuse("ledger", "verify", file, "--policy", str(policy), "--json", point=False)
    assert {"name": "checkpoint", "ok": True} in unsigned.json()["checks"]


async def test_a_ledger_is_checked_while_the_daemon_goes_on_writing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await daemon.final((await daemon.submit("+34600111222"))["submission_id"])
        await daemon.result("ledger.checkpoint")
        with LedgerFile(tmp_path / "data" / "ledger.db") as source:
            size, notes = source.size, list(source.checkpoints())
            await daemon.final((await daemon.submit("+34600111223"))["submission_id"])
            await daemon.result("ledger.checkpoint")
            assert (await daemon.result("ledger.head"))["size"] > size
            assert len(list(source.entries(0, 1 << 40))) == size
            assert list(source.checkpoints()) == notes
            report = verify_ledger(source, now_ms=NOON_MS)
            assert report.verdict == "UNANCHORED", report


async def test_a_damaged_entry_is_found(
    acuse: Acuse, tmp_path: Path, autojump_clock: MockClock
) -> None:
    world, _, _ = await lived(tmp_path)
    file = world.config.parent / "data" / "ledger.db"
    data = file.read_bytes()
    assert b"legal_notice" in data
    file.write_bytes(data.replace(b'"category":"legal_notice"', b'"category":"legal_notise"'))
    ran = acuse("ledger", "verify", "--config", str(world.config), "--json", point=False)
    assert ran.code == 1
    assert ran.json()["verdict"] == "INVALID"


async def test_files_that_are_no_ledger(
    acuse: Acuse, tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    where = ("--config", str(world.config))
    ran = acuse("receipts", "list", *where, point=False)
    assert ran.code == 74
    assert "there is no ledger file" in ran.err
    assert acuse("ledger", "verify", *where, point=False).code == 74
    text = tmp_path / "text"
    text.write_text("hello")
    assert acuse("ledger", "verify", str(text), point=False).code == 65
    assert acuse("ledger", "verify", str(tmp_path / "none"), point=False).code == 65
    text.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert acuse("ledger", "verify", str(text), point=False).code == 74


def test_without_daemon_and_without_configuration_the_daemon_is_missed(acuse: Acuse) -> None:
    ran = acuse("receipts", "list")
    assert ran.code == 69
    assert "there is no socket" in ran.err
    broken = acuse.directory / "broken.toml"
    broken.write_text("x = 1\n")
    assert acuse("receipts", "list", "--config", str(broken)).code == 78

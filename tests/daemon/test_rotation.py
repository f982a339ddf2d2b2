"""Changing the log's key while the daemon works, and dying at every step of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.cli.ledgerfile import check_ledger
from gateway.cli.verify import Trust
from gateway.evidence.records import LEDGER_FILE
from gateway.evidence.vault import LOG_KEY, Vault
from gateway.ledger.note import Verifier, open_note, verified_by
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.verify import verify_bundle
from tests.support.sealed import entries_of_file
from tests.support.standalone import agree
from tests.support.world import NOON_MS, World, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ledger.report import Report
    from tests.support.world import Daemon


def rests_on(*vkeys: str) -> Any:
    rows = [*(f"log {vkey}" for vkey in vkeys), "quorum none", ""]
    return parse_policy("\n".join(rows).encode())


async def bundle_of(daemon: Daemon, submission_id: str) -> bytes:
    text: str = (await daemon.result("bundle", submission_id=submission_id))["bundle"]
    return text.encode()


def judged(bundle: bytes, *vkeys: str) -> Report:
    """Our report; the standalone verifier must say the same to the letter."""
    given: dict[str, Any] = {"now_ms": 2 * NOON_MS, "policy": rests_on(*vkeys)}
    report = verify_bundle(bundle, **given)
    agree(report, bundle, **given)
    return report


def ledger_of(world: World, *vkeys: str) -> Report:
    trust = Trust(rests_on(*vkeys) if vkeys else None, None, None)
    return check_ledger(world.directory / "data" / LEDGER_FILE, None, trust)


def sound(report: Report) -> bool:
    """Nothing wrong, but for what only a time stamp could give."""
    broken = {name for name, ok in report.checks if not ok} - {"timestamp"}
    return report.verdict == "UNANCHORED" and not broken


def signed_by(note: str, *vkeys: str) -> list[bool]:
    text, lines = open_note(note)
    return [bool(verified_by(text, lines, [Verifier.from_vkey(vkey)])) for vkey in vkeys]


async def test_a_key_is_changed_and_whoever_pins_either_can_follow(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        before = (await daemon.submit("+34600111222"))["submission_id"]
        await daemon.final(before)
        old = (await daemon.result("ledger.head"))["vkey"]
        early = await bundle_of(daemon, before)
        said = await daemon.result("ledger.rotate_key")
        new = said["new"]
        assert (said["old"], old != new) == (old, True)
        assert signed_by(said["note"], old, new) == [True, True]
        assert said["retired"].endswith(said["old"].split("+")[1])
        assert (await daemon.result("ledger.head"))["vkey"] == new
        after = (await daemon.submit("+34600111223"))["submission_id"]
        await daemon.final(after)
        for submission_id in (before, after):
            bundle = await bundle_of(daemon, submission_id)
            assert sound(judged(bundle, old))
            assert sound(judged(bundle, new))
            assert sound(judged(bundle, old, new))
        head = (await daemon.result("ledger.checkpoint"))["note"]
        assert signed_by(head, old, new) == [False, True]
    assert sound(judged(early, old))
    for keys in ((old,), (new,), (old, new)):
        assert sound(ledger_of(world, *keys))
    entries = entries_of_file(tmp_path / "data")
    (change,) = [entry for entry in entries if entry["ev"] == "x.KeyRotate"]
    assert (change["old"], change["new"]) == (old, new)
    assert [e["cmd"] for e in entries if e["ev"] == "x.Admin"] == ["ledger rotate-key"]


async def test_keys_change_again_and_again_over_restarts(tmp_path: Path) -> None:
    world, keys = World.make(tmp_path), []
    for number in range(3):
        async with world.running() as daemon:
            keys.append((await daemon.result("ledger.head"))["vkey"])
            await daemon.final((await daemon.submit(f"+3460011122{number}"))["submission_id"])
            said = await daemon.result("ledger.rotate_key")
            assert said["old"] == keys[-1]
    async with world.running() as daemon:
        keys.append((await daemon.result("ledger.head"))["vkey"])
        last = (await daemon.submit("+34600111229"))["submission_id"]
        await daemon.final(last)
        bundle = await bundle_of(daemon, last)
        assert len(json.loads(bundle)["rotations"]) == 3
        for key in keys:
            assert sound(judged(bundle, key)), key
    assert len(set(keys)) == 4
    for key in keys:
        assert sound(ledger_of(world, key)), key
    names = sorted(path.name for path in (tmp_path / "data/keys").glob("log-key*"))
    assert names[0] == LOG_KEY
    assert len(names) == 4


@pytest.mark.parametrize("step", ["announced", "remembered", "settled"])
async def test_a_crash_at_any_step_of_a_change_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        old = (await daemon.result("ledger.head"))["vkey"]
        first = (await daemon.submit("+34600111222"))["submission_id"]
        await daemon.final(first)
    async with world.running(crash=True) as daemon:
        gateway = daemon.gateway
        rotation, store = gateway.questions._changes.rotation, gateway.store
        new = rotation.begin("root", gateway.clock.now_ms())["new"]
        store.flush()
        store.commit()
        if step == "remembered":  # the state is written, the checkpoint is not stored
            gateway.pipeline._checkpoints.make(gateway.clock.now_ms())
            store.rollback()
        elif step == "settled":  # stored, but the files have their old names
            gateway.pipeline._checkpoints.make(gateway.clock.now_ms())
            store.flush()
            store.commit()
    names = {path.name for path in (tmp_path / "data/keys").glob("log-key*")}
    assert names == {"log-key", "log-key.next"}
    async with world.running() as daemon:
        expected = new if step == "settled" else old
        assert (await daemon.result("ledger.head"))["vkey"] == expected
        note = (await daemon.result("ledger.checkpoint"))["note"]
        assert signed_by(note, old, new) == [step != "settled", True]
        assert (await daemon.result("ledger.head"))["vkey"] == new
        second = (await daemon.submit("+34600111223"))["submission_id"]
        await daemon.final(second)
        for submission_id in (first, second):
            bundle = await bundle_of(daemon, submission_id)
            assert sound(judged(bundle, old))
            assert sound(judged(bundle, new))
    async with world.running() as daemon:
        assert (await daemon.result("ledger.head"))["vkey"] == new
    for key in (old, new):
        assert sound(ledger_of(world, key))
    assert (tmp_path / "data/keys/log-key").exists()
    assert not (tmp_path / "data/keys/log-key.next").exists()


async def test_a_second_change_waits_for_the_first(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    async with world.running(crash=True) as daemon:
        rotation = daemon.gateway.questions._changes.rotation
        rotation.begin("root", daemon.gateway.clock.now_ms())
        answer = await daemon.ask("ledger.rotate_key")
        assert answer["error"]["code"] == "no"
        assert "being changed already" in answer["error"]["message"]


async def test_the_configuration_changes_the_key(tmp_path: Path) -> None:
    """The new key as ledger.key, the present one as ledger.old_key; later the old one may go."""
    keys = Vault(tmp_path / "mine")
    for name in ("one", "two"):
        keys.make(name, LOG_KEY)
    world = World.make(tmp_path)

    def configure(ledger: str) -> None:
        write_config(tmp_path, {"movistar": ""}, gateway=f"[ledger]\n{ledger}")

    one, two = (f'{{file = "{tmp_path}/mine/{name}"}}' for name in ("one", "two"))
    configure(f"key = {one}")
    async with world.running() as daemon:
        old = (await daemon.result("ledger.head"))["vkey"]
        first = (await daemon.submit("+34600111222"))["submission_id"]
        await daemon.final(first)
        answer = await daemon.ask("ledger.rotate_key")
        assert "ledger.old_key" in answer["error"]["hint"]
    configure(f"key = {two}\nold_key = {one}")
    async with world.running(crash=True) as daemon:
        pass
    async with world.running() as daemon:
        note = (await daemon.result("ledger.checkpoint"))["note"]
        new = (await daemon.result("ledger.head"))["vkey"]
        assert new != old
        assert signed_by(note, old, new) == [True, True]
    configure(f"key = {two}")
    async with world.running() as daemon:
        bundle = await bundle_of(daemon, first)
        assert sound(judged(bundle, old))
        assert sound(judged(bundle, new))
    for key in (old, new):
        assert sound(ledger_of(world, key))
    entries = entries_of_file(tmp_path / "data")
    assert len([entry for entry in entries if entry["ev"] == "x.KeyRotate"]) == 1


async def test_another_key_without_the_one_before_is_refused(tmp_path: Path) -> None:
    from gateway.errors import StorageError

    keys = Vault(tmp_path / "mine")
    for name in ("one", "two"):
        keys.make(name, LOG_KEY)
    world = World.make(tmp_path)
    for name in ("one", "two"):
        key = f'{{file = "{tmp_path}/mine/{name}"}}'
        write_config(tmp_path, {"movistar": ""}, gateway=f"[ledger]\nkey = {key}")
        if name == "one":
            async with world.running():
                pass
    with pytest.raises(BaseExceptionGroup) as caught:
        async with world.running():
            pass
    assert caught.group_contains(StorageError, match="not signed by this log's key")

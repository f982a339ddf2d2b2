"""What may lawfully happen to a ledger and its proofs: nothing of it makes them less."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

from gateway.ledger.policyfile import parse_policy
from gateway.ledger.verify import verify_bundle
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ledger.report import Report
    from tests.tamper.conftest import Site


def judged(text: str, site: Site, since: str | None = None) -> Report:
    policy = parse_policy(f"log {site.signer.vkey}\nquorum none\n".encode())
    return verify_bundle(text.encode(), now_ms=2 * NOON_MS, policy=policy, since=since)


def only_unstamped(report: Report) -> bool:
    """Nothing is wrong but that no authority stamped it."""
    failing = [name for name, ok in report.checks if not ok]
    return (report.verdict, failing) == ("UNANCHORED", ["timestamp"])


def _moved(site: Site, directory: Path) -> World:
    """The site an hour later, in another directory."""
    world = World.make(shutil.copytree(site.data, directory / "data").parent)
    world.clock.offset_ms += 3_600_000
    return world


def test_the_bundles_and_the_ledger_hold_to_begin_with(site: Site) -> None:
    assert only_unstamped(site.judge(pinned=True, since=site.early))
    for text in site.bundles.values():
        assert only_unstamped(judged(text, site))
        assert only_unstamped(judged(text, site, since=site.early))


def test_a_vacuum_changes_nothing(site: Site) -> None:
    before = site.entries()
    with closing(sqlite3.connect(site.ledger)) as connection:
        connection.execute("VACUUM")
    assert site.entries() == before
    assert only_unstamped(site.judge(pinned=True, since=site.late))


def test_a_backup_restored_elsewhere_holds_and_goes_on(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    world = _moved(site, elsewhere)
    with (
        closing(sqlite3.connect(site.ledger)) as source,
        closing(sqlite3.connect(elsewhere / "data" / site.ledger.name)) as copy,
    ):
        source.backup(copy)

    async def go_on() -> tuple[str, str]:
        async with world.running() as daemon:
            answer = await daemon.submit("+34600111222", ref="after the restore")
            await daemon.final(answer["submission_id"])
            shown = await daemon.result(
                "bundle", submission_id=answer["submission_id"], since=[site.late]
            )
            old = await daemon.result(
                "bundle", submission_id=next(iter(site.bundles)), since=[site.late]
            )
        return shown["bundle"], old["bundle"]

    clock = trio.testing.MockClock(autojump_threshold=0)
    for text in trio.run(go_on, clock=clock):
        assert only_unstamped(judged(text, site, since=site.late))


def test_what_is_redacted_takes_nothing_from_the_rest(site: Site, tmp_path: Path) -> None:
    world = _moved(site, tmp_path / "moved")

    async def ask() -> list[str]:
        async with world.running() as daemon:
            return [
                (await daemon.result("bundle", submission_id=each, redact=fields))["bundle"]
                for each in site.bundles
                for fields in (["to"], ["from"], ["text"], ["to", "from", "text"])
            ]

    for text in trio.run(ask, clock=trio.testing.MockClock(autojump_threshold=0)):
        assert only_unstamped(judged(text, site))
        disclosed = json.loads(text)["disclose"]
        assert "submit.1" not in json.dumps(disclosed)


def test_a_bundle_of_before_a_late_receipt_stays_true_and_a_new_one_says_more(
    tmp_path: Path,
) -> None:
    """Both hold; the old one shows to be old when it is held against the newer checkpoint."""
    world = World.make(tmp_path)

    async def live() -> tuple[str, str, str, str]:
        async with world.running() as daemon:
            # The operator says UNDELIV first, and DELIVRD a while later.
            answer = await daemon.submit("+34600222944")
            await daemon.final(answer["submission_id"])
            first = await daemon.result("bundle", submission_id=answer["submission_id"])
            await trio.sleep(60)
            note = (await daemon.result("ledger.checkpoint"))["note"]
            second = await daemon.result("bundle", submission_id=answer["submission_id"])
            vkey = (await daemon.result("ledger.head"))["vkey"]
        return first["bundle"], second["bundle"], note, vkey

    first, second, note, vkey = trio.run(live, clock=trio.testing.MockClock(autojump_threshold=0))
    policy = parse_policy(f"log {vkey}\nquorum none\n".encode())

    def judge(text: str, **given: Any) -> Report:
        return verify_bundle(text.encode(), now_ms=2 * NOON_MS, policy=policy, **given)

    assert (judge(first).state, judge(second).state) == ("expired", "delivered")
    assert only_unstamped(judge(first))
    assert only_unstamped(judge(second))
    assert judge(first, since=note).verdict == "STALE"
    assert only_unstamped(judge(second, since=note))

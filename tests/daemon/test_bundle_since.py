"""`bundle` with checkpoints that its reader keeps: growth is proven, or it is told why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.ledger.note import Checkpoint, Signer, open_note, sign_note
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.verify import verify_bundle
from tests.support.ledgers import seed
from tests.support.world import NOON_MS, World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.support.world import Daemon


async def sent(daemon: Daemon, ref: str) -> str:
    answer = await daemon.submit("+34600111222", ref=ref)
    await daemon.final(answer["submission_id"])
    found: str = answer["submission_id"]
    return found


async def refused(daemon: Daemon, submission_id: str, since: Any) -> dict[str, Any]:
    answer = await daemon.ask("bundle", submission_id=submission_id, since=since)
    error: dict[str, Any] = answer["error"]
    return error


async def test_growth_since_any_kept_checkpoint_is_proven(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Also since one that is newer than the message itself."""
    world = World.make(tmp_path)
    async with world.running() as daemon:
        first = await sent(daemon, "first")
        early = (await daemon.result("ledger.checkpoint"))["note"]
        await sent(daemon, "second")
        late = (await daemon.result("ledger.checkpoint"))["note"]
        shown = await daemon.result("bundle", submission_id=first, since=[early, late])
        vkey = (await daemon.result("ledger.head"))["vkey"]
    policy = parse_policy(f"log {vkey}\nquorum none\n".encode())
    for known in (early, late):
        report = verify_bundle(
            shown["bundle"].encode(), now_ms=2 * NOON_MS, policy=policy, since=known
        )
        assert (report.verdict, dict(report.checks)["since"]) == ("UNANCHORED", True)
        assert (report.reason or "").startswith("timestamp: ")


@pytest.mark.parametrize(
    ("since", "says"),
    [
        ("nonsense", "must be a list"),
        ([7], "must be a list"),
        (["x"] * 65, "must be a list"),
        (["nonsense"], "since: a note is"),
        (
            [
                sign_note(
                    "other.example/1\n1\n" + "A" * 43 + "=\n", Signer.from_seed("o", seed("x"))
                )
            ],
            "is not an earlier one",
        ),
    ],
)
async def test_what_is_no_checkpoint_of_this_log_is_refused(
    tmp_path: Path, autojump_clock: MockClock, since: Any, says: str
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        submission_id = await sent(daemon, "first")
        error: Any = await refused(daemon, submission_id, since)
    assert error["code"] == "data"
    assert says in error["message"]
    assert error["fields"]["field"] == "since"
    assert error["hint"]


async def test_a_checkpoint_that_contradicts_the_log_is_told_to_be_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        submission_id = await sent(daemon, "first")
        note = (await daemon.result("ledger.checkpoint"))["note"]
        then = Checkpoint.parse(open_note(note)[0])
        text = Checkpoint(then.origin, then.size, bytes(32)).text()
        forged = sign_note(text, Signer.from_seed(then.origin, seed("x")))
        error: Any = await refused(daemon, submission_id, [forged])
        longer = Checkpoint(then.origin, then.size + 99, bytes(32)).text()
        ahead: Any = await refused(
            daemon, submission_id, [sign_note(longer, Signer.from_seed(then.origin, seed("x")))]
        )
    assert "do not have the root" in error["message"]
    assert "keep that checkpoint" in error["hint"]
    assert "is not an earlier one" in ahead["message"]

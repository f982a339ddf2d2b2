"""What somebody with the disk may do to a ledger file, where they do it, and what is said.

`HANDS` have the disk; `KEYS` have the log's key too, which only a copy kept elsewhere shows up.
"""

from __future__ import annotations

import base64
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.evidence.records import KEYS_DIRECTORY, LEDGER_FILE
from gateway.evidence.vault import LOG_KEY
from gateway.ledger.note import Checkpoint, Signer, sign_note
from gateway.ledger.store import Store
from tests.support.ledgers import seed
from tests.tamper.conftest import Site, resigned, size_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


class Case(NamedTuple):
    """An alteration at entry *at*: what it does, and (verdict, step of the reason, seq)."""

    name: str
    alter: Callable[[Site, int], None]
    verdict: str
    step: str
    #: The `seq` reported, less the position; None: none is reported.
    offset: int | None = None
    known: str = ""


def flip(site: Site, at: int) -> None:
    raw = bytearray(site.entries()[at])
    raw[len(raw) // 2] ^= 1
    site.change("UPDATE entries SET entry=? WHERE seq=?", bytes(raw), at)


def say_otherwise(site: Site, at: int) -> None:
    raw = site.entries()[at].replace(b'"t":"2026', b'"t":"2025')
    site.change("UPDATE entries SET entry=? WHERE seq=?", raw, at)


def empty(site: Site, at: int) -> None:
    site.change("UPDATE entries SET entry=x'' WHERE seq=?", at)


def reformat(site: Site, at: int) -> None:
    raw = site.entries()[at].replace(b",", b", ")
    site.change("UPDATE entries SET entry=? WHERE seq=?", raw, at)


def take_out(site: Site, at: int) -> None:
    site.change("DELETE FROM entries WHERE seq=?", at)
    site.change("UPDATE entries SET seq=-seq WHERE seq>?", at)
    site.change("UPDATE entries SET seq=-seq-1 WHERE seq<0")


def leave_a_gap(site: Site, at: int) -> None:
    site.change("DELETE FROM entries WHERE seq=?", at)


def put_in(site: Site, at: int) -> None:
    raw = site.entries()[at]
    site.change("UPDATE entries SET seq=-seq WHERE seq>=?", at)
    site.change("UPDATE entries SET seq=-seq+1 WHERE seq<0")
    site.change("INSERT INTO entries VALUES (?, ?)", at, raw)


def exchange(site: Site, at: int) -> None:
    first, second = site.entries()[at : at + 2]
    site.change("UPDATE entries SET entry=? WHERE seq=?", second, at)
    site.change("UPDATE entries SET entry=? WHERE seq=?", first, at + 1)


def rewrite_from(site: Site, at: int) -> None:
    site.rewrite(lambda seq, body: {**body, "extra": 1} if seq == at else body)


def rewrite_without(site: Site, at: int) -> None:
    site.rewrite(lambda seq, body: None if seq == at else body)


def other_checkpoint_text(site: Site, at: int) -> None:
    site.change("UPDATE checkpoints SET note=replace(note, ?, ?)", site.origin, f"{site.origin}x")


def other_root(site: Site, at: int) -> None:
    text = Checkpoint(site.origin, size_of(site.late), bytes(32)).text()
    forged = sign_note(text, Signer.from_seed(site.origin, seed("forger")))
    site.change("UPDATE checkpoints SET note=? WHERE size=?", forged, size_of(site.late))


def other_signature(site: Site, at: int) -> None:
    note = site.late[:-20] + ("A" if site.late[-20] != "A" else "B") + site.late[-19:]
    site.change("UPDATE checkpoints SET note=? WHERE note=?", note, site.late)


def no_checkpoint(site: Site, at: int) -> None:
    site.change("DELETE FROM checkpoints")


def other_origin(site: Site, at: int) -> None:
    site.change("UPDATE log SET origin='sms.example.es/2'")


def key_gone(site: Site, at: int) -> None:
    site.change("UPDATE submissions SET key=NULL WHERE id=1")


def submission_gone(site: Site, at: int) -> None:
    site.change("DELETE FROM submissions WHERE id=1")


def other_log_key(site: Site, at: int) -> None:
    path = site.data / KEYS_DIRECTORY / LOG_KEY
    head, _ = path.read_text().splitlines()
    path.write_text(f"{head}\n{base64.b64encode(seed('forger')).decode()}\n")


def signer_says_other(site: Site, at: int) -> None:
    text = Checkpoint(site.origin, size_of(site.late), bytes(32)).text()
    (site.data / "signer-state").write_text(resigned(site, text))


def signer_of_another(site: Site, at: int) -> None:
    text = Checkpoint("other.example/1", 3, bytes(32)).text()
    (site.data / "signer-state").write_text(
        sign_note(text, Signer.from_seed("other.example/1", seed("x")))
    )


def signer_nonsense(site: Site, at: int) -> None:
    (site.data / "signer-state").write_text("nothing was ever signed\n")


HANDS = [
    Case("a bit of an entry", flip, "INVALID", "", 0),
    Case("an entry says another time", say_otherwise, "INVALID", "chain", 0),
    Case("an entry emptied", empty, "INVALID", "canonical", 0),
    Case("an entry in another form", reformat, "INVALID", "canonical", 0),
    Case("an entry taken out, the rest moved up", take_out, "INVALID", "", -1),
    Case("an entry deleted", leave_a_gap, "INVALID", "", -1),
    Case("an entry put in twice", put_in, "INVALID", "", 0),
    Case("two entries exchanged", exchange, "INVALID", "", -1),
    Case("history written anew, chained and well formed", rewrite_from, "INVALID", "", None),
    Case("an entry left out, the rest chained anew", rewrite_without, "INVALID", "", None),
    Case("the log of a checkpoint", other_checkpoint_text, "INVALID", "checkpoint", None),
    Case("a checkpoint signed by somebody else", other_root, "INVALID", "checkpoint", None),
    Case("the signature of a checkpoint", other_signature, "INVALID", "checkpoint", None),
    Case("the log's name", other_origin, "INVALID", "", None),
    Case("the key of a submission destroyed", key_gone, "INVALID", "commitments", None),
    Case("the row of a submission deleted", submission_gone, "INVALID", "commitments", None),
    Case("the log's key exchanged", other_log_key, "INVALID", "checkpoint", None),
    Case("what the signer remembers", signer_says_other, "FORK", "since", None),
    Case("the memory of another log's signer", signer_of_another, "INVALID", "signer", None),
    Case("the signer's memory overwritten", signer_nonsense, "INVALID", "signer", None),
]


@pytest.mark.parametrize("case", HANDS, ids=[case.name for case in HANDS])
def test_with_the_disk_alone(site: Site, case: Case, chance: random.Random) -> None:
    """Every alteration is told, with its place where one entry is at fault."""
    assert site.judge().verdict == "UNANCHORED"
    at = chance.randrange(2, len(site.entries()) - 3)
    case.alter(site, at)
    report = site.judge()
    reason = report.reason or ""
    assert report.verdict == case.verdict, (at, reason)
    assert reason.startswith(case.step), (at, reason)
    if case.offset is not None:
        assert report.seq == at + case.offset, (at, reason)
    else:
        assert report.seq is None


def test_a_bundle_of_before_proves_what_was_there(site: Site, chance: random.Random) -> None:
    """Rewriting the ledger and signing it again (the key is theirs) forks from every copy."""
    at = chance.randrange(2, size_of(site.early) - 1)
    root = site.rewrite(lambda seq, body: {**body, "extra": 1} if seq == at else body)
    size = len(site.entries())
    site.change("DELETE FROM checkpoints")
    note = resigned(site, Checkpoint(site.origin, size, root).text())
    site.change("INSERT INTO checkpoints VALUES (?, 0, ?)", size, note)
    (site.data / "signer-state").write_text(note)
    alone = site.judge(pinned=True)
    assert (alone.verdict, (alone.reason or "")[:9]) == ("INVALID", "complete:")
    for known in (site.early, site.late):
        report = site.judge(pinned=True, since=known)
        assert report.verdict == "FORK"
        assert set(report.notes) == {note, known}


def cut(site: Site, size: int) -> None:
    site.change("DELETE FROM entries WHERE seq>=?", size)
    site.change("DELETE FROM checkpoints WHERE size>?", size)


def test_what_was_cut_off_is_missed_by_the_signer_and_by_every_copy(
    site: Site, chance: random.Random
) -> None:
    size = chance.randrange(size_of(site.early), size_of(site.late))
    cut(site, size)
    report = site.judge()
    assert report.verdict in ("STALE", "INVALID")
    assert (report.reason or "").split(":")[0] in ("signer", "commitments")
    (site.data / "signer-state").unlink()
    known = site.judge(since=site.late)
    assert known.verdict in ("STALE", "INVALID")
    assert (known.reason or "").split(":")[0] in ("since", "commitments")


def test_a_cut_at_a_seal_with_all_memory_of_it_gone_is_seen_only_from_outside(site: Site) -> None:
    """The limit of a chain without anchors, and why a checkpoint is worth keeping."""
    cut(site, size_of(site.early))
    site.change("DELETE FROM submissions WHERE last_seq>=?", size_of(site.early))
    (site.data / "signer-state").write_text(site.early)
    assert site.judge(pinned=True).verdict == "UNANCHORED"
    report = site.judge(pinned=True, since=site.late)
    assert (report.verdict, (report.reason or "")[:6]) == ("STALE", "since:")


def test_two_checkpoints_of_one_size_are_a_fork(site: Site) -> None:
    text = Checkpoint(site.origin, size_of(site.early), bytes(32)).text()
    twice = resigned(site, text)
    site.change("UPDATE checkpoints SET note=? WHERE size=?", twice, size_of(site.early))
    report = site.judge(pinned=True)
    assert (report.verdict, report.notes[0]) == ("FORK", twice)


@pytest.mark.parametrize("part", ["file", "wal"])
def test_an_old_copy_beside_a_new_memory_is_stale(
    original: Site, site: Site, part: str, chance: random.Random
) -> None:
    """The file of yesterday, or the file of today without its last commits."""
    size = size_of(site.early) - chance.randrange(3)
    if part == "file":
        cut(site, size)
    else:
        with closing(sqlite3.connect(site.ledger)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            with connection:
                connection.execute("DELETE FROM entries WHERE seq>=?", (size,))
                connection.execute("DELETE FROM checkpoints WHERE size>?", (size,))
            shutil.copytree(site.data, site.data.with_name("spliced"))
        site = Site(site.data.with_name("spliced"), site.early, site.late, {})
        wal = site.data / f"{LEDGER_FILE}-wal"
        assert wal.stat().st_size
    report = site.judge()
    assert (report.verdict, (report.reason or "").split(":")[0]) in (
        ("STALE", "signer"),
        ("INVALID", "commitments"),
    )


def test_a_wal_of_another_life_is_not_taken_for_this_ones(
    site: Site, original: Site, chance: random.Random
) -> None:
    """Frames of a WAL whose salt is another's do nothing; whole ones are entries or nothing."""
    wal = site.data / f"{LEDGER_FILE}-wal"
    wal.write_bytes(chance.randbytes(32 + 4120 * 3))
    (site.data / f"{LEDGER_FILE}-shm").unlink(missing_ok=True)
    assert site.entries() == original.entries()
    assert site.judge().verdict == "UNANCHORED"


def test_an_insider_with_key_and_clock_cannot_make_time_run_backwards(
    site: Site, chance: random.Random
) -> None:
    at = chance.randrange(2, len(site.entries()) - 1)

    def earlier(seq: int, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "t": "2020-01-01T00:00:00.000Z"} if seq == at else body

    root = site.rewrite(earlier)
    size = len(site.entries())
    site.change("DELETE FROM checkpoints")
    note = resigned(site, Checkpoint(site.origin, size, root).text())
    site.change("INSERT INTO checkpoints VALUES (?, 0, ?)", size, note)
    (site.data / "signer-state").write_text(note)
    report = site.judge(pinned=True)
    assert report.verdict == "INVALID"
    assert not dict(report.checks)["time"]


def test_entries_added_by_hand_are_a_tail_that_nothing_vouches_for(site: Site) -> None:
    """Well made ones cannot be told from the daemon's until a checkpoint comes or fails to."""
    before = site.judge().tail or 0
    store = Store.open(site.ledger, site.origin, now_ms=0)
    store.append("x.Admin", store.last_t_ms, {"by": "nobody", "cmd": "nothing"})
    store.flush()
    store.commit()
    store.close()
    report = site.judge()
    assert (report.verdict, report.tail) == ("UNANCHORED", before + 1)

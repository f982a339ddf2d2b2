"""`ledger export` and `ledger consistency`: what others follow the log with."""

from __future__ import annotations

import base64
import io
import sqlite3
import sys
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from gateway.ledger.merkle import leaf_hash
from gateway.ledger.tilenames import bundle_name, new_tiles, tile_name
from tests.support.logfile import LogFile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Acuse, Ran


@pytest.fixture
def log(tmp_path: Path) -> LogFile:
    return LogFile.make(tmp_path)


def run(acuse: Acuse, log: LogFile, *args: str) -> Ran:
    return acuse("ledger", *args, "--config", str(log.config))


def files(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with the instant of its last change and its content."""
    return {
        str(path.relative_to(directory)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


# -- an independent reader, written from the C2SP and RFC texts alone ------------------------------


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, from its recursive definition."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + mth(leaves[:half]) + mth(leaves[half:])).digest()


def resource(directory: Path, kind: str, number: int, width: int) -> bytes:
    digits = f"{number:03d}" if number < 1000 else f"x{number // 1000:03d}/{number % 1000:03d}"
    return (directory / f"tile/{kind}/{digits}{f'.p/{width}' if width < 256 else ''}").read_bytes()


def read_log(directory: Path) -> tuple[int, bytes, list[bytes]]:
    """Size, root and entries of an exported log; every tile it must have is compared."""
    _, size_line, root_line, *_ = (directory / "checkpoint").read_text().split("\n")
    size, root = int(size_line), base64.b64decode(root_line)
    entries: list[bytes] = []
    for start in range(0, size, 256):
        data = resource(directory, "entries", start // 256, min(256, size - start))
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
    row = leaves = [sha256(b"\0" + entry).digest() for entry in entries]
    level = 0
    while row:
        for start in range(0, len(row), 256):
            hashes = row[start : start + 256]
            stored = resource(directory, str(level), start // 256, len(hashes))
            assert stored == b"".join(hashes)
        row = [mth(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
        level += 1
    assert (len(entries), mth(leaves)) == (size, root)
    return size, root, entries


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
def test_an_independent_reader_finds_the_log_in_the_files(
    acuse: Acuse, log: LogFile, size: int, tmp_path: Path
) -> None:
    log.grow(size)
    ran = run(acuse, log, "export", str(tmp_path / "out"))
    assert (ran.code, ran.out) == (0, "")
    found, _, entries = read_log(tmp_path / "out")
    assert found == size
    with closing(sqlite3.connect(log.path)) as ledger:
        assert entries == [row[0] for row in ledger.execute("SELECT entry FROM entries")]


def test_a_later_export_only_adds(acuse: Acuse, log: LogFile, tmp_path: Path) -> None:
    out = tmp_path / "out"
    log.grow(300)
    first = run(acuse, log, "export", str(out), "--json").json()
    assert first == {
        "directory": str(out),
        "origin": "sms.example.es/1",
        "size": 300,
        "added": 300,
        "files": 6,
    }
    before = files(out)
    again = run(acuse, log, "export", str(out), "--json").json()
    assert (again["added"], again["files"]) == (0, 0)
    assert files(out) == before
    log.grow(300)
    log.grow(10, sign=False)  # not signed yet: not exported yet
    later = run(acuse, log, "export", str(out), "--json").json()
    assert (later["size"], later["added"], later["files"]) == (600, 300, 6)
    after = files(out)
    assert {name: after[name] for name in before if name != "checkpoint"} == {
        name: kept for name, kept in before.items() if name != "checkpoint"
    }
    read_log(out)


def test_an_export_that_was_cut_off_is_taken_up_again(
    acuse: Acuse, log: LogFile, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    log.grow(700)
    run(acuse, log, "export", str(out))
    whole = files(out)
    for name in ("checkpoint", "tile/0/001", "tile/1/000.p/2"):
        (out / name).unlink()
    (out / "tile/entries/001").write_bytes(b"")  # as a power cut leaves it
    assert run(acuse, log, "export", str(out), "--json").json()["files"] == 4
    assert {name: kept[1] for name, kept in files(out).items()} == {
        name: kept[1] for name, kept in whole.items()
    }
    assert files(out)["tile/0/000"] == whole["tile/0/000"], "not written again"


def test_another_log_is_not_mixed_in(acuse: Acuse, log: LogFile, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    log.grow(300)
    run(acuse, log, "export", str(out))
    fork = LogFile.make(other)
    with fork.open() as store:
        store.append("x.Genesis", 0, {"other": 1})
        store.flush()
        store.commit()
    fork.grow(400)
    before = files(out)
    ran = run(acuse, fork, "export", str(out), "--json")
    assert ran.code == 65
    assert "does not contain the checkpoint over 300" in ran.json()["error"]["message"]
    assert files(out) == before
    (out / "checkpoint").unlink()
    assert "is not what this log has there" in run(acuse, fork, "export", str(out)).err
    (out / "checkpoint").write_text("nonsense")
    assert run(acuse, fork, "export", str(out)).code == 65
    assert {n: f for n, f in files(out).items() if n != "checkpoint"} == {
        n: f for n, f in before.items() if n != "checkpoint"
    }


def test_a_restored_older_ledger_does_not_shorten_the_export(
    acuse: Acuse, log: LogFile, tmp_path: Path
) -> None:
    log.grow(20)
    old = log.path.read_bytes()
    log.grow(20)
    run(acuse, log, "export", str(tmp_path / "out"))
    log.path.write_bytes(old)
    ran = run(acuse, log, "export", str(tmp_path / "out"))
    assert ran.code == 65
    assert "over 40 entries; this is sms.example.es/1 over 20" in ran.err


def test_an_entry_too_long_for_a_bundle_is_told_and_the_tree_can_be_had(
    acuse: Acuse, log: LogFile, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    log.grow(3, long=65_600)
    log.grow(2)
    ran = run(acuse, log, "export", str(out), "--json")
    assert ran.code == 65
    assert "entry 2 has" in ran.json()["error"]["message"]
    assert "--hashes-only" in ran.json()["error"]["hint"]
    assert not (out / "checkpoint").exists()
    assert run(acuse, log, "export", str(out), "--hashes-only").code == 0
    assert {name for name in files(out) if "entries" in name} == set()
    assert len((out / "tile/0/000.p/5").read_bytes()) == 5 * 32


def test_entries_left_out_before_are_added_later(
    acuse: Acuse, log: LogFile, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    log.grow(300)
    run(acuse, log, "export", str(out), "--hashes-only")
    log.grow(300)
    run(acuse, log, "export", str(out))
    read_log(out)


def test_damaged_entries_are_not_published(acuse: Acuse, log: LogFile, tmp_path: Path) -> None:
    log.grow(300)
    with closing(sqlite3.connect(log.path)) as ledger:
        ledger.execute("UPDATE entries SET entry=x'7b7d' WHERE seq=7")
        ledger.commit()
    ran = run(acuse, log, "export", str(tmp_path / "out"), "--json")
    assert ran.code == 74
    assert not (tmp_path / "out" / "checkpoint").exists()


def test_what_cannot_be_exported(acuse: Acuse, log: LogFile, tmp_path: Path) -> None:
    assert run(acuse, log, "export", str(tmp_path / "out")).code == 74  # no ledger yet
    log.grow(3, sign=False)
    ran = run(acuse, log, "export", str(tmp_path / "out"), "--json")
    assert (ran.code, ran.json()["error"]["message"]) == (1, "the log was never signed")
    log.grow(1)
    assert run(acuse, log, "export", str(log.config / "out")).code == 74
    assert run(acuse, log, "export", str(tmp_path / "out"), str(log.config)).code == 65
    assert run(acuse, log, "export", str(tmp_path / "out"), str(log.path)).code == 0


def test_names_are_those_of_the_standard() -> None:
    assert tile_name(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_name(2, 0, 1) == "tile/2/000.p/1"
    assert bundle_name(999, 255) == "tile/entries/999.p/255"
    # c2sp.org/tlog-tiles: "a tree of size 70,000 will be represented by 273 full level 0 tiles,
    # one partial of width 112, one full level 1 tile, one of width 17, one level 2 of width 1".
    counts = [list(new_tiles(0, 70_000, level)) for level in range(4)]
    assert [len(each) for each in counts] == [274, 2, 1, 0]
    assert [each[-1][1] for each in counts[:3]] == [112, 17, 1]
    assert list(new_tiles(256, 256, 0)) == list(new_tiles(300, 300, 0)) == []
    assert list(new_tiles(255, 257, 0)) == [(0, 256), (1, 1)]


# -- consistency ---------------------------------------------------------------------------------


def extends(old: tuple[int, bytes], new: tuple[int, bytes], proof: list[bytes]) -> bool:
    """RFC 6962 section 2.1.4.2, from its text."""
    (first, first_root), (second, second_root) = old, new
    if first == second:
        return not proof and first_root == second_root
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path.pop(0)
    for each in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = sha256(b"\1" + each + fr).digest(), sha256(b"\1" + each + sr).digest()
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha256(b"\1" + sr + each).digest()
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and (fr, sr) == (first_root, second_root)


def tree_of(note: str) -> tuple[int, bytes]:
    lines = note.split("\n")
    return int(lines[1]), base64.b64decode(lines[2])


@pytest.mark.parametrize("sizes", [(1, 300), (256, 257), (300, 300), (77, 1000)])
def test_the_proof_leads_from_a_checkpoint_known_before_to_now(
    acuse: Acuse, log: LogFile, sizes: tuple[int, int], tmp_path: Path
) -> None:
    old = log.grow(sizes[0])
    new = log.grow(sizes[1] - sizes[0]) if sizes[1] > sizes[0] else old
    known = tmp_path / "known"
    known.write_text(old)
    ran = run(acuse, log, "consistency", str(known))
    assert ran.code == 0
    head, note = ran.out.split("\n\n", 1)
    first, *hashes = head.split("\n")
    assert first == f"old {sizes[0]}"
    assert note == new
    proof = [base64.b64decode(each) for each in hashes]
    assert extends(tree_of(old), tree_of(new), proof)
    shown: dict[str, Any] = run(acuse, log, "consistency", str(known), "--json").json()
    assert shown == {
        "old": sizes[0],
        "size": sizes[1],
        "consistency": hashes,
        "checkpoint": new,
    }


def test_a_checkpoint_the_log_does_not_contain_is_not_proven(
    acuse: Acuse, log: LogFile, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    known.write_text(log.grow(5))
    longer = log.path.read_bytes()
    log.path.unlink()
    log.path.with_name("signer-state").unlink()
    with log.open() as store:
        store.append("x.Genesis", 0, {"other": 1})
        store.flush()
        store.commit()
    log.grow(2)
    assert (
        "covers 5 entries, the latest one here 3" in run(acuse, log, "consistency", str(known)).err
    )
    log.grow(9)
    ran = run(acuse, log, "consistency", str(known), "--json")
    assert ran.code == 1
    assert "does not contain that checkpoint" in ran.json()["error"]["message"]
    log.path.write_bytes(longer)
    known.write_text(known.read_text().replace("sms.example.es/1", "sms.example.es/2"))
    assert run(acuse, log, "consistency", str(known)).code == 65
    known.write_text("nonsense")
    assert run(acuse, log, "consistency", str(known)).code == 65


def test_leaves_are_the_standards() -> None:
    assert leaf_hash(b"x") == sha256(b"\0x").digest()


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", ["export", "verify"])
def test_a_bar_is_for_people_at_a_terminal(
    acuse: Acuse, log: LogFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    log.grow(300)
    args = [command, str(tmp_path / "out")] if command == "export" else [command]
    for json, shown in ((["--json"], False), ([], True)):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        run(acuse, log, *args, *json)
        assert ("300" in terminal.getvalue() and "━" in terminal.getvalue()) == shown

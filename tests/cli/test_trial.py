"""`acuse simulate` as a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from gateway.sim.behaviours import behaviour_table
from gateway.sim.options import option_table
from gateway.sim.outcomes import outcome_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Acuse

SIMULATE = [sys.executable, "-m", "gateway.cli.main", "simulate", "--port", "0"]


def test_it_says_where_it_listens_and_ends_when_told(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with subprocess.Popen(
        [*SIMULATE, "--json", "--stats", "--journal", str(journal)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        said = json.loads(running.stdout.readline())
        assert said["host"] == "127.0.0.1"
        with socket.create_connection((said["host"], said["port"]), timeout=10):
            pass
        running.send_signal(signal.SIGTERM)
        stats = json.loads(running.stdout.read())
        assert (running.wait(20), running.stderr.read()) == (0, "")
    assert stats["submits"] == 0
    assert journal.exists()


def test_its_help_documents_every_option_and_every_forced_outcome(acuse: Acuse) -> None:
    out = acuse("simulate", "--help", point=False).out
    for row in option_table():
        assert f"--{row.name.replace('_', '-')} " in out
    for digits, meaning in outcome_table():
        assert f"\n  {digits}" in out
        assert meaning.split(",")[0] in out


def test_it_lists_what_it_can_force(acuse: Acuse) -> None:
    lines = acuse("simulate", "--list", point=False).out.splitlines()
    rows = acuse("simulate", "--list", "--json", point=False).out.splitlines()
    for line, row, known in zip(lines, map(json.loads, rows), behaviour_table(), strict=True):
        assert tuple(row.values()) == (known[0], known[1], known[2], known[3])
        assert line.split()[:3] == [known[0], known[1], known[3]]


def test_options_that_cannot_be_are_64(acuse: Acuse) -> None:
    for args in (
        ("--receipt-delay-min-s", "5"),
        ("--early", "1.5"),
        ("--behaviour", "politeness"),
        ("--message-id", "roman"),
        ("--port", "70000"),
        ("--host", "192.0.2.1"),
        ("--journal", "/nowhere/at/all"),
    ):
        ran = acuse("simulate", "--port", "0", *args, point=False)
        assert (ran.code, ran.out) == (64, ""), args

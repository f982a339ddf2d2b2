"""Exit codes, errors, pipes and start-up of the console script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click
import pytest

from gateway import __version__
from gateway.cli.root import EXIT_CODES, SECTIONS, root
from tests.cli.samples import MESSAGE
from tests.support.fake_daemon import FakeDaemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Acuse

ACUSE = [sys.executable, "-m", "gateway.cli.main"]


def every_command() -> list[tuple[str, click.Command]]:
    """All commands that do something, by their names."""
    found: list[tuple[str, click.Command]] = []
    for name, made in root.commands.items():
        if isinstance(made, click.Group):
            found += [(f"{name} {inner}", made.commands[inner]) for inner in made.commands]
        else:
            found.append((name, made))
    return found


def test_exactly_the_commands_of_this_release_are_there() -> None:
    assert sorted(name for name, _ in every_command()) == [
        "bundle",
        "certificate",
        "config check",
        "config describe",
        "config example",
        "consent confirm",
        "consent export",
        "consent grant",
        "consent import",
        "consent list",
        "consent request",
        "consent show",
        "consent withdraw",
        "demo",
        "ledger adopt",
        "ledger checkpoint",
        "ledger consistency",
        "ledger erase",
        "ledger export",
        "ledger head",
        "ledger hold",
        "ledger holds",
        "ledger new-epoch",
        "ledger policy",
        "ledger release",
        "ledger rotate-key",
        "ledger verify",
        "manual",
        "messages cancel",
        "messages list",
        "messages replace",
        "messages resolve",
        "messages show",
        "operators learn",
        "operators list",
        "optout add",
        "optout due",
        "optout export",
        "optout import",
        "optout list",
        "optout remove",
        "optout resolve",
        "optout show",
        "policy check",
        "policy explain",
        "policy list",
        "receipts list",
        "receipts show",
        "registries drop",
        "registries import",
        "registries list",
        "serve",
        "simulate",
        "status",
        "stop",
        "submit",
        "verify",
        "witness",
    ]


def test_every_command_stands_in_a_section_of_the_help(acuse: Acuse) -> None:
    listed = [name for _, names in SECTIONS for name in names]
    assert sorted(listed) == sorted(root.commands)
    out = acuse("--help", point=False).out
    for name in listed:
        assert f"\n  {name} " in out
    for code, meaning in EXIT_CODES:
        assert f"\n  {code}".ljust(8) + meaning in out
    assert out.count("...") == 1, "no summary is cut short"
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", [name for name, _ in every_command()])
def test_every_help_ends_with_an_example_of_its_command(acuse: Acuse, name: str) -> None:
    ran = acuse(*name.split(), "--help", point=False)
    assert ran.code == 0
    assert "--json" in ran.out
    _, _, example = ran.out.rpartition("\nExample:\n")
    assert f"acuse {name}" in example
    assert max(map(len, example.splitlines())) <= 90


@pytest.mark.parametrize(
    "name", [name for name, made in root.commands.items() if hasattr(made, "commands")]
)
def test_no_summary_in_the_help_of_a_noun_is_cut_short(
    acuse: Acuse, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, _, listed = acuse(name, "--help", point=False).out.partition("\nCommands:\n")
    assert listed
    assert "..." not in listed


def _options(made: click.Command) -> set[str]:
    return {option for param in made.params for option in param.opts}


def test_every_command_takes_the_common_options() -> None:
    for name, made in every_command():
        assert {"--json", "--config", "--socket", "--verbose"} <= _options(made), name


def test_every_option_is_explained() -> None:
    for name, made in every_command():
        for param in made.params:
            if isinstance(param, click.Option):
                assert param.help, (name, param.name)
                assert param.help.endswith("."), (name, param.name)


def test_the_version(acuse: Acuse) -> None:
    assert acuse("--version", point=False).out == f"acuse {__version__}\n"


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("messages",),
        ("nope",),
        ("messages", "nope"),
        ("status", "--nope"),
        ("status", "extra"),
        ("receipts", "show"),
        ("bundle",),
        ("verify",),
        ("optout", "add"),
        ("simulate", "--port", "x"),
        ("simulate", "--early", "2", "--port", "0"),
        ("config", "describe", "gateway.nme"),
        ("--config", "x", "status"),
    ],
)
def test_a_wrong_command_line_is_64(acuse: Acuse, args: tuple[str, ...]) -> None:
    ran = acuse(*args, point=False)
    assert (ran.code, ran.out) == (64, "")
    assert ran.err
    ran = acuse(*args, "--json", point=False)
    assert ran.code == 64


def test_usage_errors_are_json_too(acuse: Acuse) -> None:
    ran = acuse("status", "--json", "--nope", point=False)
    assert ran.json()["error"]["code"] == "usage"
    assert ran.json()["error"]["hint"] == "`acuse status --help` shows how"
    assert ran.err == ""


def test_a_bug_is_one_line_and_70(acuse: Acuse, monkeypatch: pytest.MonkeyPatch) -> None:
    acuse.daemon(status={"operators": 5})
    ran = acuse("status")
    assert ran.code == 70
    assert ran.err.splitlines() == [
        "acuse: error: a defect in Acuse: TypeError: 'int' object is not iterable",
        "acuse: hint: please report it with the traceback, which -v or ACUSE_DEBUG=1 prints",
    ]
    assert "Traceback (most recent call last)" in acuse("status", "-v").err
    monkeypatch.setenv("ACUSE_DEBUG", "1")
    assert "Traceback (most recent call last)" in acuse("status").err


def test_without_a_configuration_it_says_how_to_name_one(acuse: Acuse) -> None:
    ran = acuse("status", "--config", str(acuse.directory / "x.toml"), point=False)
    assert ran.code == 78
    assert "--config" in ran.err


def test_the_socket_is_found_through_the_configuration(
    acuse: Acuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = acuse.directory / "acuse.toml"
    config.write_text('[gateway]\nadmin_socket = "admin.sock"\nbroken = 1\n')
    acuse.daemon(stop={"stopping": True})
    assert acuse("stop", "--config", str(config), point=False).code == 0
    monkeypatch.setenv("ACUSE_CONFIG", str(config))
    assert acuse("stop", point=False).code == 0


# -- as a process ----------------------------------------------------------------------------------


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ACUSE, *args], capture_output=True, text=True, env={**os.environ, **env}, timeout=60
    )


def test_help_imports_nothing_heavy() -> None:
    heavy = ["trio", "sqlite_utils", "structlog", "cryptography", "holidays", "rich", "smpplib"]
    code = (
        "import sys\n"
        "from gateway.cli.main import main\n"
        "code = main(['--help'])\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "[]\n")


def test_start_up_loads_only_the_nouns() -> None:
    """What a start costs is what it imports; `make bench` measures the time."""
    code = (
        "import sys\n"
        "from gateway.cli.main import main\n"
        "code = main(['--version'])\n"
        "print(sum(name.startswith('gateway.') for name in sys.modules), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0
    assert int(ran.stderr) < 60


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", {"messages.list": [MESSAGE] * 20_000}):
        lister = subprocess.Popen(
            [*ACUSE, "messages", "list", "--json", "--socket", str(tmp_path / "s")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert lister.stdout is not None
        assert lister.stderr is not None
        assert json.loads(lister.stdout.readline()) == MESSAGE
        lister.stdout.close()
        assert lister.stderr.read() == b""
        lister.stderr.close()
        assert lister.wait(20) == 141


def test_a_reader_that_is_gone_already_is_no_news_either() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run([*ACUSE, "--version"], stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_no_room_for_the_output_is_said() -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [*ACUSE, "config", "example", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert ran.returncode == 74
    assert ran.stderr.startswith("acuse: error: the output cannot be written: No space left")


def test_interrupting_ends_with_130(tmp_path: Path) -> None:
    def never(_: dict[str, object]) -> dict[str, object]:
        asked.append(time.monotonic())
        time.sleep(0.5)
        return {}

    asked: list[float] = []
    with FakeDaemon(tmp_path / "s", {"status": never}):
        asking = subprocess.Popen(
            [*ACUSE, "status", "--socket", str(tmp_path / "s")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while not asked:
            time.sleep(0.01)
        asking.send_signal(signal.SIGINT)
        out, err = asking.communicate(timeout=20)
    assert (asking.returncode, out) == (130, b"")
    assert b"Traceback" not in err


def test_output_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", {"messages.list": [{"ref": "señal \ud800"}]}):
        ran = subprocess.run(
            [*ACUSE, "messages", "list", "--json", "--socket", str(tmp_path / "s")],
            capture_output=True,
            env={**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
            timeout=60,
        )
    assert json.loads(ran.stdout) == {"ref": "señal \ud800"}


def test_completion_comes_from_the_same_source() -> None:
    ran = run(_ACUSE_COMPLETE="bash_source")
    assert ran.returncode == 0
    assert "_acuse_completion" in ran.stdout

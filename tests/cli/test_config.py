"""`acuse config` for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.settings import describe, example

if TYPE_CHECKING:
    import pytest

    from gateway.settings import Settings
    from tests.cli.conftest import Acuse

GOOD = """\
[gateway]
name = "sms.example.es"
data_dir = "data"
admin_socket = "admin.sock"
[issuer]
legal_name = "Ejemplo"
[operators.movistar]
host = "127.0.0.1"
system_id = "acme01"
password = "secret"
[[routes]]
operators = ["movistar"]
"""


def config(acuse: Acuse, text: str, mode: int = 0o600) -> str:
    path = acuse.directory / "acuse.toml"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_good_configuration_is_called_good_with_its_warnings(acuse: Acuse) -> None:
    path = config(acuse, GOOD)
    ran = acuse("config", "check", "--config", path)
    assert ran.code == 0
    assert ran.out == f"{path}: good (1 operator, 1 route, ledger sms.example.es/1)\n"
    assert ran.err.startswith("acuse: warning: operators.movistar.receipt_means is not set")
    assert "acuse: hint: ask the operator" in ran.err
    shown = acuse("config", "check", "--config", path, "--json").json()
    assert (shown["ok"], shown["file"], len(shown["digest"])) == (True, path, 64)
    assert [item["setting"] for item in shown["warnings"]] == ["operators.movistar.receipt_means"]


def test_everything_wrong_is_listed_with_lines_and_hints(acuse: Acuse) -> None:
    path = config(acuse, GOOD.replace('host = "127.0.0.1"', "window = 0\nwindwo = 1"), 0o644)
    clear = "a password stands in clear in a file that others can read"
    ran = acuse("config", "check", "--config", path)
    assert (ran.code, ran.out) == (78, "")
    assert ran.err.splitlines() == [
        f"acuse: error: {path} has 4 problems",
        "  line 7: operators.movistar.host: is missing",
        '    hint: for example: host = "smpp.movistar.example"',
        "  line 8: operators.movistar.window: 0 is out of range",
        "    hint: from 1 to 10000",
        "  line 9: operators.movistar.windwo: is not a setting",
        "    hint: did you mean window?",
        f"  line 11: operators.movistar.password: {clear}",
        "    hint: chmod 600 the configuration, or use {file = …} or {credential = …}",
        "acuse: hint: `acuse config describe` explains every setting",
    ]
    error = acuse("config", "check", "--config", path, "--json").json()["error"]
    assert error["code"] == "config"
    assert error["fields"]["file"] == path
    assert [(problem["setting"], problem["line"]) for problem in error["fields"]["problems"]] == [
        ("operators.movistar.host", 7),
        ("operators.movistar.window", 8),
        ("operators.movistar.windwo", 9),
        ("operators.movistar.password", 11),
    ]


def test_a_single_problem_is_one_error(acuse: Acuse) -> None:
    path = config(acuse, GOOD.replace('"movistar"]', '"movstar"]'))
    ran = acuse("config", "check", "--config", path)
    assert ran.err.splitlines() == [
        f"acuse: error: {path}: routes[0].operators[0]: there is no operator 'movstar'",
        "  at line 12",
        "acuse: hint: did you mean movistar?",
    ]


def test_malformed_toml(acuse: Acuse) -> None:
    path = config(acuse, "[gateway\n")
    ran = acuse("config", "check", "--config", path)
    assert ran.code == 78
    assert "line 1, column 9" in ran.err


def test_the_example(acuse: Acuse) -> None:
    assert acuse("config", "example").out == example()
    assert acuse("config", "example", "--json").json() == {"example": example()}


def test_describe_explains_every_setting(acuse: Acuse) -> None:
    out = acuse("config", "describe").out
    for item in describe():
        assert f"\n{item.setting}\n" in f"\n{out}"
    assert max(map(len, out.splitlines())) <= 80
    shown = acuse("config", "describe", "--json").lines()
    assert [item["setting"] for item in shown] == [item.setting for item in describe()]
    assert set(shown[0]) == {"setting", "doc", "type", "unit", "required", "default", "example"}


def test_describe_one(acuse: Acuse) -> None:
    ran = acuse("config", "describe", "operators.NAME.window")
    assert ran.out.splitlines()[0] == "operators.NAME.window"
    assert "default 10" in ran.out
    assert "unit submit_sm" in ran.out
    assert "routes[].to" in acuse("config", "describe", "routes").out
    ran = acuse("config", "describe", "operators.NAME.windw")
    assert ran.code == 64
    assert "did you mean operators.NAME.window?" in ran.err


def test_serve_hands_over_to_the_daemon(acuse: Acuse, monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(settings: Settings, path: Path) -> int:
        served.append((settings.origin, path))
        return 74

    served: list[tuple[str, Path]] = []
    monkeypatch.setattr("gateway.daemon.app.serve", serve)
    path = config(acuse, GOOD)
    ran = acuse("serve", "--config", path)
    assert (ran.code, ran.out) == (74, "")
    assert ran.err.startswith("acuse: warning: operators.movistar.receipt_means is not set")
    assert served == [("sms.example.es/1", Path(path))]


def test_serve_refuses_a_configuration_that_cannot_work(acuse: Acuse) -> None:
    assert acuse("serve", "--config", config(acuse, "x = 1\n")).code == 78

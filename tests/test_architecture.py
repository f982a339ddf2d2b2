"""The walls of the code: who may import whom, how long things may get, what may stand where."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "gateway").rglob("*.py"))

#: What each part may import of `gateway`, by prefix of the module's name. The pure parts know
#: nothing of files, clocks and sockets; `store`, `reader` and `files` are the ledger's own doors.
FOUNDATION = ("gateway.errors", "gateway.clock", "gateway.resources")
LEDGER_DOORS = tuple(
    f"gateway.ledger.{name}"
    for name in (
        "store",
        "lookups",
        "outside",
        "rotations",
        "sent",
        "due",
        "erasures",
        "sweep",
        "reader",
        "files",
        "schema",
        "tiles",
        "rows",
        "people",
        "peoplereader",
    )
)
ALLOWED: dict[str, tuple[str, ...]] = {
    "gateway.errors": (),
    "gateway.clock": ("gateway.errors",),
    "gateway.resources": (),
    "gateway.settings": (*FOUNDATION, "gateway.settings"),
    "gateway.smpp": (*FOUNDATION, "gateway.smpp"),
    "gateway.policy": (*FOUNDATION, "gateway.policy"),
    "gateway.ledger": (*FOUNDATION, "gateway.ledger"),
    "gateway.evidence": (*FOUNDATION, "gateway.settings", "gateway.evidence", "gateway.ledger"),
    "gateway.certificate": (
        *FOUNDATION,
        "gateway.settings",
        "gateway.certificate",
        "gateway.ledger",
        "gateway.evidence",
    ),
    "gateway.sim": (*FOUNDATION, "gateway.smpp", "gateway.sim"),
    "gateway.daemon": (
        *FOUNDATION,
        "gateway.settings",
        "gateway.smpp",
        "gateway.policy",
        "gateway.ledger",
        "gateway.evidence",
        "gateway.certificate",
        "gateway.daemon",
    ),
    "gateway.cli": ("gateway",),
}
#: Modules of the pure packages may not even import these from the standard library.
IMPURE = {"socket", "threading", "subprocess", "logging", "random", "time", "asyncio", "select"}
PURE = ("gateway.smpp", "gateway.policy", "gateway.ledger")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Every module imported anywhere in the file, those for the type checker included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_go_one_way(path: Path) -> None:
    name = module_name(path)
    rules = [prefix for prefix in ALLOWED if within(name, (prefix,))]
    if not rules:
        assert name == "gateway"
        return
    allowed = ALLOWED[max(rules, key=len)]
    ours = {each for each in imports(path) if within(each, ("gateway",))}
    forbidden = {each for each in ours if each != "gateway" and not within(each, allowed)}
    forbidden -= {"gateway.__version__"}
    assert not forbidden


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_pure_parts_touch_nothing(path: Path) -> None:
    name = module_name(path)
    if not within(name, PURE) or name in LEDGER_DOORS:
        return
    assert not imports(path) & (IMPURE | {"trio", "structlog", "sqlite3", "sqlite_utils"})


def test_only_one_module_knows_smpplib() -> None:
    users = {module_name(path) for path in SOURCES if within_any(imports(path), "smpplib")}
    assert users == {"gateway.smpp.wire"}


def within_any(names: set[str], prefix: str) -> bool:
    return any(within(name, (prefix,)) for name in names)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_functions_fit_a_screen_and_modules_a_sitting(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400, "split it by nouns"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno
            assert length <= 70, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_every_module_and_public_thing_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if path.read_text().strip() and path.name != "__init__.py":
        assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(
            node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def tracked() -> list[Path]:
    """The files of the project: by git where there is a checkout, else by the tree."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0 and done.stdout:
        return [ROOT / name for name in done.stdout.split("\0") if name]
    return [
        path for folder in ("gateway", "tests", "config") for path in (ROOT / folder).rglob("*")
    ]


def test_nothing_names_an_index_or_a_machine() -> None:
    hosts = re.compile(r"p[y]pi\.o|pythonh[o]sted|n[p]mjs\.o|deb\.d[e]bian")
    homes = re.compile(r"/[w]ork/|/[r]oot/|/[h]ome/")
    for path in tracked():
        if path.is_file() and path.stat().st_size < 2_000_000:
            text = path.read_text(errors="replace")
            assert not hosts.search(text), path
            assert not homes.search(text), path


def test_pins_are_hashed_and_without_addresses() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        pinned = re.findall(r"^[a-z0-9-]+==", text, re.MULTILINE)
        hashed = re.findall(r"^[a-z0-9-]+==[^\n]*\\\n +--hash=sha256:", text, re.MULTILINE)
        assert len(pinned) == len(hashed) > 20


def test_every_log_event_is_documented() -> None:
    documented = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)`", README, re.MULTILINE))
    used = set()
    for path in SOURCES:
        used.update(re.findall(r'"([a-z]+\.[a-z_]+)"', _log_calls(path)))
    assert used == documented


README = (ROOT / "README.md").read_text()


def _log_calls(path: Path) -> str:
    """The source of every call `log.LEVEL(…)`'s first argument."""
    return "\n".join(
        ast.unparse(node.args[0]).replace("'", '"')
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
    )

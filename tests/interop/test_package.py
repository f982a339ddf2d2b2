"""The Debian package on a machine of its own: installed, used, sandboxed by its units, purged.

The machine is this one, seen through an overlay in a mount namespace: what the package changes is
gone with the test.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
UNITS: Final = ("acuse.service", "acuse.socket", "acuse-verify.service", "acuse-verify.timer")
#: The most that systemd may find to say about a unit's exposure, of ten.
MOST_EXPOSED: Final = 1.5

_MACHINE = """
set -e
mount -t tmpfs machine "$1"
mkdir "$1/upper" "$1/work" "$1/seen"
mount -t overlay machine -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/seen"
mount --rbind /proc "$1/seen/proc"
mount --rbind /dev "$1/seen/dev"
mount -t tmpfs tmp "$1/seen/tmp"
cp "$2" "$1/seen/tmp/acuse.deb"
exec /usr/sbin/chroot "$1/seen" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp sh -ec "$3"
"""


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def package() -> Path:
    run("make", "deb", "INTERPRETER=/usr/bin/python3")
    (made,) = (ROOT / "build").glob("acuse_*.deb")
    return made


def test_installed_it_works_and_purged_it_leaves_only_what_is_proof(
    package: Path, tmp_path: Path
) -> None:
    said = run(
        "unshare",
        "--mount",
        "sh",
        "-c",
        _MACHINE,
        "sh",
        str(tmp_path),
        str(package),
        """
        dpkg -i /tmp/acuse.deb >&2
        acuse --version
        stat -c '%n %U %a' /var/lib/acuse /etc/acuse
        cd /tmp
        acuse demo --json
        systemd-analyze --man=no verify /usr/lib/systemd/system/acuse.service >&2
        echo kept > /etc/acuse/acuse.toml
        dpkg --purge acuse >&2
        find /usr/bin/acuse /usr/lib/acuse /usr/lib/systemd/system/acuse* 2>/dev/null || true
        cat /etc/acuse/acuse.toml
        """,
    )
    version, data, config, demo, *left = said.splitlines()
    assert re.fullmatch(r"acuse [0-9.]+", version)
    assert (data, config) == ("/var/lib/acuse acuse 700", "/etc/acuse root 750")
    assert json.loads(demo)["ok"] is True
    assert left == ["kept"]


def test_the_package_names_no_place_it_was_built_at(package: Path, tmp_path: Path) -> None:
    run("dpkg-deb", "-x", str(package), str(tmp_path))
    named = subprocess.run(
        ["grep", "-rlIF", str(ROOT), str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert named.stdout == ""


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.endswith(".service")])
def test_the_sandbox_of_a_unit_leaves_little_exposed(unit: str) -> None:
    said = run("systemd-analyze", "security", "--offline=true", f"systemd/{unit}")
    found = re.search(r"exposure level for \S+: ([0-9.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= MOST_EXPOSED


def test_units_start_what_the_package_installs() -> None:
    for unit in UNITS:
        text = (ROOT / "systemd" / unit).read_text()
        for line in re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE):
            program, *args = line.split()
            assert program == "/usr/bin/acuse"
            shown = run(sys.executable, "-m", "gateway.cli.main", *args[:-2], "--help")
            assert "--config" in shown

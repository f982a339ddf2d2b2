"""Gets the programs that `make interop` tests against: `python -m tests.interop.install`.

Debian's tools are installed with apt where they are missing. What a package would also start as a
service, and what comes from other indexes, is only unpacked into `.interop/`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
#: Everything that is not Debian's; git does not see it, and removing it is safe.
PREFIX: Final = HERE.parent.parent / ".interop"
NODE_MODULES: Final = PREFIX / "node" / "node_modules"
SMPP34_PYTHON: Final = PREFIX / "smpp34" / "bin" / "python"
#: A reader of transparency logs, for `PYTHONPATH`; it asks for a newer Python than it needs.
TLOG: Final = PREFIX / "tlog"
#: Kannel's Debian package starts a gateway with its default password, so it is not installed.
KANNEL: Final = PREFIX / "kannel" / "usr" / "sbin"

#: Debian package → a command that succeeds when what we use of it is there.
_DEBIAN: Final = {
    "nodejs": ("node", "--version"),
    "npm": ("npm", "--version"),
    "libnet-smpp-perl": ("perl", "-MNet::SMPP", "-MJSON::PP", "-e", "1"),
    "libnss3-tools": ("which", "certutil"),
    "poppler-utils": ("pdfsig", "-v"),
    "softhsm2": ("softhsm2-util", "--version"),
    "tshark": ("tshark", "--version"),
    "openssl": ("openssl", "version"),
    "unzip": ("unzip", "-v"),
    "chromium": ("chromium", "--version"),
    "zbar-tools": ("zbarimg", "--version"),
}
_APT: Final = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120")
_TRUST: Final = ("--yes", "--no-install-recommends")


class CannotInstall(Exception):
    """A part is missing and cannot be had here; the message says which and what to do."""


def _works(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except OSError:
        return False
    return done.returncode == 0


def _run(what: str, *command: str, cwd: Path | None = None) -> str:
    """Run *command* to its end; its stdout."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=600, env=env, cwd=cwd
        )
    except OSError as exc:
        raise CannotInstall(f"{what}: {command[0]}: {exc.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"{what}: {' '.join(command)} took more than 600 s") from None
    if done.returncode:
        raise CannotInstall(f"{what}: {' '.join(command)} failed:\n{done.stderr.strip()[-1500:]}")
    return done.stdout


def _apt(packages: list[str]) -> None:
    """Install *packages*, which only root can."""
    if shutil.which("apt-get") is None:
        raise CannotInstall(f"install these Debian packages, or their like: {' '.join(packages)}")
    if os.geteuid() != 0:
        raise CannotInstall(
            f"these Debian packages are missing: {' '.join(packages)}\n"
            f"run as root: apt-get install --no-install-recommends {' '.join(packages)}"
        )
    _run("Debian", *_APT, "update")
    _run("Debian", *_APT, "install", *_TRUST, *packages)


def _kannel() -> None:
    """Unpack Kannel, and install the libraries it needs."""
    bearerbox = str(KANNEL / "bearerbox")
    if _works("ldd", bearerbox) and "not found" not in _run("kannel", "ldd", bearerbox):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotInstall("kannel: its libraries are installed with apt-get; run this as root")
    target = PREFIX / "kannel"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    _run("kannel", *_APT, "update")
    # As root, apt says on stderr that it downloads without its sandbox; that is no failure.
    _run("kannel", *_APT, "download", "kannel", cwd=target)
    (package,) = target.glob("kannel_*.deb")
    depends = _run("kannel", "dpkg-deb", "--field", str(package), "Depends").strip()
    _run("kannel", *_APT, "satisfy", *_TRUST, depends)
    _run("kannel", "dpkg-deb", "--extract", str(package), str(target))


def _unchanged(made: Path, source: Path) -> bool:
    return made.is_file() and made.read_bytes() == source.read_bytes()


def _node() -> None:
    """Install what package-lock.json pins."""
    target, lock = NODE_MODULES.parent, HERE / "package-lock.json"
    stamp = target / "installed.json"
    if _unchanged(stamp, lock):
        return
    target.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, target / name)
    options = ("--ignore-scripts", "--no-audit", "--no-fund")
    _run("npm", "npm", "ci", *options, "--prefix", str(target))
    shutil.copy(lock, stamp)


def _smpp34() -> None:
    """Make an environment with what requirements.txt pins."""
    target, pins = SMPP34_PYTHON.parent.parent, HERE / "requirements.txt"
    stamp = target / "installed.txt"
    if _unchanged(stamp, pins):
        return
    _run("smpp34", sys.executable, "-m", "venv", "--clear", str(target))
    pip = (str(SMPP34_PYTHON), "-m", "pip", "install", "--disable-pip-version-check")
    _run("smpp34", *pip, "--quiet", "--require-hashes", "-r", str(pins))
    shutil.copy(pins, stamp)


def _tlog() -> None:
    """Unpack what requirements-tlog.txt pins; what it needs is what Acuse needs."""
    pins, stamp = HERE / "requirements-tlog.txt", TLOG / "installed.txt"
    if _unchanged(stamp, pins):
        return
    shutil.rmtree(TLOG, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet")
    options = ("--require-hashes", "--no-deps", "--ignore-requires-python", "--target", str(TLOG))
    _run("aics-tlog", *pip, *options, "-r", str(pins))
    shutil.copy(pins, stamp)


def install() -> None:
    """Get what is missing.

    Raises:
        CannotInstall: something cannot be had.
    """
    missing = [package for package, command in _DEBIAN.items() if not _works(*command)]
    if missing:
        print(f"installing {' '.join(missing)} ...", flush=True)
        _apt(missing)
    print(f"peers in {PREFIX.name}/ ...", flush=True)
    _kannel()
    _node()
    _smpp34()
    _tlog()


if __name__ == "__main__":
    try:
        install()
    except CannotInstall as error:
        sys.exit(f"make interop: {error}")

"""The admin socket: systemd's where it made one (sd_listen_fds(3)), else one made here."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from typing import TYPE_CHECKING, NamedTuple

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

#: The first descriptor a service manager passes.
_FIRST = 3
#: Connections that wait to be accepted.
BACKLOG = 128


class Listening(NamedTuple):
    """A listening socket; `ours` if its file is to go when we end."""

    socket: socket.socket
    ours: bool


def listen(
    path: Path, group: str | None, environment: MutableMapping[str, str] = os.environ
) -> Listening:
    """Systemd's socket, or one made at *path* for *group*.

    Raises:
        ConfigError: the path is taken by something else or cannot be made, or the socket passed is
            another one.
    """
    count = _passed(environment)
    if not count:
        return Listening(open_socket(path, group), ours=True)
    if count > 1:
        raise _not_this(f"{count} sockets were passed, one is used", path)
    try:
        given = socket.socket(fileno=_FIRST)
        listening = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        name = given.getsockname()
    except OSError as error:
        raise _not_this(f"descriptor {_FIRST} is no socket ({error.strerror})", path) from None
    os.set_inheritable(_FIRST, False)
    if given.family != socket.AF_UNIX or given.type != socket.SOCK_STREAM or not listening:
        raise _not_this("the socket passed is not a listening unix stream socket", path)
    if name != str(path):
        raise _not_this(f"the socket passed is {name}", path)
    given.setblocking(False)
    return Listening(given, ours=False)


def _passed(environment: MutableMapping[str, str]) -> int:
    """How many sockets were passed to this very process; children are told nothing of them."""
    pid, count = environment.get("LISTEN_PID", ""), environment.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environment.pop(name, None)
    return int(count) if pid == str(os.getpid()) and count.isdecimal() else 0


def _not_this(why: str, path: Path) -> ConfigError:
    return ConfigError(
        f"socket activation: {why}",
        hint=f"acuse.socket must say ListenStream={path}, and nothing else",
        setting="gateway.admin_socket",
    )


def open_socket(path: Path, group: str | None) -> socket.socket:
    """Listen on *path* with mode 0660; a socket left behind by a dead daemon is replaced.

    Raises:
        ConfigError: the path is taken by something else or cannot be made.
    """
    try:
        if path.exists() or path.is_symlink():
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise ConfigError(
                    f"{path} exists and is not a socket",
                    hint="remove it, or give gateway.admin_socket another path",
                    setting="gateway.admin_socket",
                )
            _refuse_if_alive(path)
            path.unlink()
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Nobody may connect before the mode is right.
        before = os.umask(0o117)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        if group is not None:
            shutil.chown(path, group=group)
        listener.listen(BACKLOG)
    except (OSError, LookupError) as error:
        raise ConfigError(
            f"the admin socket {path} cannot be made: {error}",
            hint="its directory must exist and belong to the user of the daemon",
            setting="gateway.admin_socket",
        ) from None
    return listener


def _refuse_if_alive(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise ConfigError(
        f"another daemon answers on {path}",
        hint="stop it, or give this one another gateway.admin_socket",
        setting="gateway.admin_socket",
    )

"""Opening the daemon's unix socket, and saying why it does not open."""

from __future__ import annotations

import errno
import socket
import stat
from typing import TYPE_CHECKING

from gateway.errors import AcuseError, DaemonUnreachable, NotPermitted, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE_S = 5.0


def connect(path: Path) -> socket.socket:
    """A connected socket.

    Raises:
        DaemonUnreachable: nobody answers there.
        NotPermitted: this user may not open it.
        UsageError: no socket can have that path.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_PATIENCE_S)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise _cannot_connect(path, error) from None
    return connection


def _cannot_connect(path: Path, error: OSError) -> AcuseError:
    if "too long" in str(error):
        return UsageError(
            f"the socket's path is too long: {path}", hint="the kernel allows 107 octets"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotPermitted(
            f"you may not open the daemon's socket {path}",
            hint="ask for membership in the group of [admin], or use the daemon's own user",
            socket=str(path),
        )
    start = "start it with `acuse serve`, or name its socket with --socket"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        message, hint = f"no daemon: there is no socket {path}", start
    elif not _is_socket(path):
        message, hint = f"{path} is not a socket", "name the daemon's socket with --socket"
    elif error.errno == errno.ECONNREFUSED:
        message, hint = f"no daemon answers at {path}; it left its socket behind", start
    else:
        message, hint = f"no daemon answers at {path}: {error}", start
    return DaemonUnreachable(message, hint=hint, socket=str(path))


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return True

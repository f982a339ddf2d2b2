"""One daemon per data directory: an advisory lock that dies with the process.

The directory itself is locked, whatever path leads to it, and the file in it that names the holder:
somebody may tidy the file away.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.errors import StorageError, TryAgain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_FILE = "lock"


@contextmanager
def data_directory(path: Path) -> Iterator[None]:
    """Make *path* if it is missing (mode 0700) and hold it.

    Raises:
        TryAgain: another daemon holds it.
        StorageError: it cannot be made or written.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(
            path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
    except OSError as error:
        raise StorageError(
            f"the data directory {path} cannot be used: {error.strerror}",
            hint="it must belong to the user of the daemon (gateway.data_dir)",
            setting="gateway.data_dir",
        ) from None
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _locked(descriptor) or not _locked(directory):
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            raise TryAgain(
                f"another acuse serve (process {holder or 'unknown'}) uses {path}",
                hint="one data directory has one daemon: stop that one, or give this one another"
                " gateway.data_dir",
                setting="gateway.data_dir",
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
        os.close(directory)


def _locked(descriptor: int) -> bool:
    """Whether this process has the lock now; a file system without locks of directories has that of
    the file at least.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno in (errno.ENOTSUP, errno.EBADF, errno.EISDIR, errno.EINVAL)
    return True

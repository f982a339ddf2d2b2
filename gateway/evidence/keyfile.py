"""Key files: how a secret lies on disk, is made once, and is refused when others can read it.

A key file is two lines of ASCII: `acuse-key/v1 NAME` and the base64 of 32 bytes. The name inside
must be the one asked for, so that a file put in another's place is noticed. It has mode 0600 and
appears under its name whole or not at all, also when the machine stops in between.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY_BYTES = 32
HEADER = "acuse-key/v1"
_MAX_FILE_BYTES = 512
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def storage_errors(path: Path, doing: str) -> Iterator[None]:
    """Give an OSError of the block the form people can act on."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot {doing} {path}: {error.strerror}",
            hint="check the path, its owner, its permissions and the free space",
            path=str(path),
        ) from None


def sync_directory(directory: Path) -> None:
    """Make names created, renamed or removed in *directory* durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_draft(path: Path, data: bytes, mode: int) -> Path:
    """Write *data*, durable and with *mode*, beside *path*; the caller gives it its name.

    Raises:
        OSError: what the system says.
    """
    draft = _draft_of(path)
    draft.unlink(missing_ok=True)  # of a start that was cut off; nothing ever reads a draft
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    return draft


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def make_directory(directory: Path) -> None:
    """Create *directory* with mode 0700, or check that the existing one is private.

    Raises:
        StorageError: it cannot be made, is a link, is no directory, or others can enter it.
    """
    with storage_errors(directory, "create the key directory"):
        try:
            directory.mkdir(mode=0o700)
            sync_directory(directory.parent)
        except FileExistsError:
            status = os.lstat(directory)
            if not stat.S_ISDIR(status.st_mode):
                raise StorageError(
                    f"{directory} is not a directory",
                    hint="keys are kept in a directory of their own, not behind a link",
                    path=str(directory),
                ) from None
            _check_private(directory, status, hint=f"chmod 700 {directory}")


def _check_private(path: Path, status: os.stat_result, *, hint: str) -> None:
    if status.st_mode & _OTHERS:
        raise StorageError(
            f"{path} can be reached by group or others (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=hint,
            path=str(path),
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise StorageError(
            f"{path} belongs to user {status.st_uid}, not to the one this runs as",
            hint=f"chown it to user {os.geteuid()}",
            path=str(path),
        )


def write_key(path: Path, name: str, key: bytes) -> None:
    """Make a key file.

    Raises:
        StorageError: there is one already, or it cannot be written.
    """
    text = f"{HEADER} {name}\n{base64.b64encode(key).decode()}\n"
    with storage_errors(path, "create the key file"):
        draft = write_draft(path, text.encode(), 0o600)
        try:
            os.link(draft, path)  # unlike a rename, never replaces what is there
        finally:
            draft.unlink()
        sync_directory(path.parent)


def read_private(path: Path, most_bytes: int, *, credential: bool = False) -> bytes:
    """The first *most_bytes* of a file only its owner can read; *credential* as for `read_key`.

    Raises:
        StorageError: missing, a link, no regular file, or readable by others.
    """
    with storage_errors(path, "read the key file"):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise StorageError(f"{path} is not a regular file", path=str(path))
            root_only = status.st_uid == 0 and status.st_gid == 0
            if not (credential and root_only and not status.st_mode & stat.S_IRWXO):
                _check_private(path, status, hint=f"chmod 600 {path}")
            return file.read(most_bytes)


def read_key(path: Path, name: str, *, credential: bool = False) -> bytes:
    """The 32 bytes of the key file *path*, which must say that it is the key *name*.

    *credential* is for a file systemd put into `$CREDENTIALS_DIRECTORY`: the access list it
    sets for the service's user shows as a group permission of a file that belongs to root.

    Raises:
        StorageError: missing, a link, readable by others, of another name, or damaged.
    """
    data = read_private(path, _MAX_FILE_BYTES + 1, credential=credential)
    lines = data.decode("ascii", "replace").split("\n")
    try:
        key = base64.b64decode(lines[1], validate=True) if len(lines) == 3 else b""
    except (ValueError, binascii.Error):
        key = b""
    if lines[0] != f"{HEADER} {name}" or len(key) != KEY_BYTES or lines[2]:
        raise StorageError(
            f"{path} is not the key {name!r}",
            hint=f"its first line must read '{HEADER} {name}', its second hold 32 bytes in base64;"
            " restore it from the backup of the keys",
            path=str(path),
        )
    return key


def destroy_key(path: Path) -> None:
    """Overwrite and remove a key file, durably; it may be gone already, or half gone.

    So is a draft of it that a crash left behind. What the file system keeps of overwritten blocks
    (snapshots, journals of data, a worn flash cell) is out of reach from here.

    Raises:
        StorageError: it is a link or no file, or it cannot be written or removed.
    """
    with storage_errors(path, "destroy the key file"):
        _shred(_draft_of(path))
        _shred(path)
        sync_directory(path.parent)


def _shred(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with open(descriptor, "wb", buffering=0) as file:
        size = os.fstat(descriptor).st_size
        for junk in (os.urandom(size), bytes(size)):
            file.seek(0)
            file.write(junk)
            os.fsync(descriptor)
    os.unlink(path)

"""Who is on the other end of the admin socket, and what it may do (`SO_PEERCRED`)."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gateway.errors import NotPermitted

if TYPE_CHECKING:
    from gateway.settings import Admin

_CREDENTIALS = struct.Struct("3i")


class PeerSocket(Protocol):
    """A connected Unix socket, the standard library's or trio's."""

    def getsockopt(self, level: int, optname: int, buflen: int) -> bytes:
        """See socket(7)."""
        ...


class Role(IntEnum):
    """Each includes those below it."""

    NOBODY = 0
    READ = 1
    SUBMIT = 2
    OPERATOR = 3


class Peer(NamedTuple):
    """The process at the other end, as the kernel says."""

    pid: int
    uid: int
    gid: int

    @property
    def name(self) -> str:
        """Its user's name, for records of who did what."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"


def peer_of(connection: PeerSocket) -> Peer:
    """The credentials the kernel took when the peer connected."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Peer(*_CREDENTIALS.unpack(data))


def role_of(peer: Peer, admin: Admin) -> Role:
    """The highest role the peer's user has. Root and the daemon's own user are operators."""
    if peer.uid in (0, os.getuid()):
        return Role.OPERATOR
    groups = _groups(peer)
    for role, names in (
        (Role.OPERATOR, admin.roles.operator),
        (Role.SUBMIT, admin.roles.submit),
        (Role.READ, admin.roles.read),
    ):
        if groups & set(names):
            return role
    return Role.NOBODY


def require(have: Role, need: Role, command: str) -> None:
    """Raise NotPermitted unless *have* includes *need*."""
    if have < need:
        raise NotPermitted(
            f"{command} needs the role {need.name.lower()}",
            hint=f"ask for a group of admin.roles.{need.name.lower()}",
            command=command,
            role=have.name.lower(),
        )


def _groups(peer: Peer) -> set[str]:
    ids = {peer.gid}
    try:
        user = pwd.getpwuid(peer.uid)
        ids.update(os.getgrouplist(user.pw_name, user.pw_gid))
    except KeyError:
        pass
    names = set()
    for gid in ids:
        try:
            names.add(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue
    return names

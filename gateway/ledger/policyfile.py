"""Trust policies: which logs and witnesses a verifier believes (c2sp.org/tlog-policy).

Names are opaque octets there; here they are the same octets read as Latin-1, so that two names
are equal exactly when their octets are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import DataError
from gateway.ledger.note import COSIGNATURE, ED25519, Verifier

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_POLICY_BYTES = 1 << 20
#: The quorum that is met without any witness.
NO_QUORUM = "none"

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_COUNT = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses a checkpoint when at least `needed` of `members` (witnesses, groups) do."""

    needed: int
    members: tuple[str, ...]


@dataclass(slots=True)
class Policy:
    """The logs to accept, the witnesses by name, and how many of them it takes."""

    logs: list[Verifier] = field(default_factory=list)
    witnesses: dict[str, Verifier] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = NO_QUORUM

    def satisfied(self, cosigned: Collection[str]) -> bool:
        """Whether the quorum is met when the witnesses named in *cosigned* have signed."""
        met = {NO_QUORUM, *cosigned}
        for name, group in self.groups.items():  # a group names only what stands before it
            if sum(member in met for member in group.members) >= group.needed:
                met.add(name)
        return self.quorum in met


def _refuse(line: int, why: str, hint: str = "") -> DataError:
    return DataError(f"policy, line {line}: {why}", hint=hint, field="policy", line=line)


def parse_policy(data: bytes) -> Policy:
    """The policy a file holds.

    Raises:
        DataError: not a policy; `fields["line"]` says where.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise _refuse(1, f"the file is larger than {MAX_POLICY_BYTES} bytes")
    reader = _Reader()
    number = 0
    for number, row in enumerate(data.decode("latin-1").split("\n"), 1):
        if _FORBIDDEN.search(row):
            raise _refuse(
                number, "a control character", "lines end with a plain newline, not with CR LF"
            )
        words = re.split(r"[ \t]+", row.strip(" \t"))
        if words[0] and not words[0].startswith("#"):
            reader.take(number, words)
    if not reader.has_quorum:
        raise _refuse(number, "no quorum line", "write `quorum none` to ask for no witness")
    return reader.policy


class _Reader:
    """The state of reading a policy line by line."""

    def __init__(self) -> None:
        self.policy = Policy()
        self.has_quorum = False
        self._taken: set[str] = set()
        #: Public keys so far, of logs and of witnesses.
        self._logs: set[bytes] = set()
        self._witnesses: set[bytes] = set()

    def take(self, line: int, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                key = self._key(line, vkey, ED25519, "a log")
                if key.public in self._logs:
                    raise _refuse(line, "the key of this log stands in an earlier line")
                self._logs.add(key.public)
                self.policy.logs.append(key)
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                key = self._key(line, vkey, COSIGNATURE, "a witness")
                if key.public in self._witnesses:
                    raise _refuse(line, "the key of this witness stands in an earlier line")
                self._witnesses.add(key.public)
                self._name(line, name)
                self.policy.witnesses[name] = key
            case ["group", name, needed, *members] if members:
                group = self._group(line, needed, members)
                self._name(line, name)
                self.policy.groups[name] = group
            case ["quorum", name]:
                if self.has_quorum:
                    raise _refuse(line, "a second quorum line")
                if name != NO_QUORUM and not self._known(name):
                    raise _refuse(line, f"{name!r} is no witness or group of an earlier line")
                self.policy.quorum = name
                self.has_quorum = True
            case _:
                raise _refuse(
                    line,
                    f"not a line of a policy: {' '.join(words)[:60]!r}",
                    "log VKEY [URL], witness NAME VKEY [URL], group NAME any|all|K NAME…"
                    " or quorum NAME",
                )

    def _known(self, name: str) -> bool:
        return name in self.policy.witnesses or name in self.policy.groups

    def _name(self, line: int, name: str) -> None:
        if name == NO_QUORUM or self._known(name):
            raise _refuse(line, f"the name {name!r} is taken")

    def _key(self, line: int, vkey: str, kind: int, whose: str) -> Verifier:
        try:
            key = Verifier.from_vkey(vkey.encode("latin-1").decode())
        except UnicodeDecodeError:
            raise _refuse(line, "the key name is not UTF-8") from None
        except DataError as error:
            raise _refuse(line, error.message) from None
        if key.kind != kind:
            raise _refuse(line, f"the key of {whose} has signature type 0x{key.kind:02x}")
        return key

    def _group(self, line: int, needed: str, members: list[str]) -> Group:
        for member in members:
            if not self._known(member):
                raise _refuse(line, f"{member!r} is no witness or group of an earlier line")
            if member in self._taken:
                raise _refuse(line, f"{member!r} is a member of a group already")
            self._taken.add(member)
        words = {"any": 1, "all": len(members)}
        if needed not in words and not _COUNT.fullmatch(needed):
            raise _refuse(line, f"{needed!r} is not any, all or a number")
        count = words.get(needed) or int(needed)
        if count > len(members):
            raise _refuse(line, f"{count} of {len(members)} members can never be met")
        return Group(count, tuple(members))


def format_policy(policy: Policy) -> bytes:
    """What `parse_policy` reads as *policy*: one line for each key and group, and the quorum."""
    rows = [f"log {_octets(key)}" for key in policy.logs]
    rows += [f"witness {name} {_octets(key)}" for name, key in policy.witnesses.items()]
    for name, group in policy.groups.items():
        words = {1: "any", len(group.members): "all"}
        needed = words.get(group.needed, str(group.needed))
        rows.append(f"group {name} {needed} {' '.join(group.members)}")
    return "\n".join([*rows, f"quorum {policy.quorum}", ""]).encode("latin-1")


def _octets(key: Verifier) -> str:
    """The octets of a vkey, as the names of a policy are held."""
    return key.vkey.encode().decode("latin-1")

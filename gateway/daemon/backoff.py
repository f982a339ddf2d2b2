"""How long a link waits before its next try, by what went wrong.

Every kind of failure waits `reconnect_s[0]` first and `reconnect_s[1]` at most; what differs is how
fast it gets there. Wrong credentials mend themselves only when a person mends them, and operators
lock accounts that try often: they get there at once. Nothing is ever given up.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from gateway.smpp.consts import Status

if TYPE_CHECKING:
    import random


class Trouble(StrEnum):
    """Why there is no bound session."""

    #: Connection refused, lost, silent, or a protocol error.
    LINK = "link"
    #: system_id, password, system_type: a person must look.
    CREDENTIALS = "credentials"
    #: 0x05: the SMSC holds our last session for bound. That is not a bind of ours.
    ALREADY_BOUND = "already_bound"
    #: The SMSC is full or busy.
    BUSY = "busy"
    #: Any other refusal.
    REFUSED = "refused"


_KINDS: Final = {
    Status.ESME_RBINDFAIL: Trouble.CREDENTIALS,
    Status.ESME_RINVPASWD: Trouble.CREDENTIALS,
    Status.ESME_RINVSYSID: Trouble.CREDENTIALS,
    Status.ESME_RINVSYSTYP: Trouble.CREDENTIALS,
    Status.ESME_RALYBND: Trouble.ALREADY_BOUND,
    Status.ESME_RMSGQFUL: Trouble.BUSY,
    Status.ESME_RSYSERR: Trouble.BUSY,
    Status.ESME_RTHROTTLED: Trouble.BUSY,
    Status.ESME_RX_T_APPN: Trouble.BUSY,
}
_HINTS: Final = {
    Trouble.CREDENTIALS: "check system_id, password, system_type and bind of the operator",
    Trouble.ALREADY_BOUND: "the operator frees the last session in a minute or two; if not, another"
    " system uses the account, or sessions is above the contract",
    Trouble.BUSY: "the operator is busy; it is tried again",
    Trouble.REFUSED: "ask the operator what this status means at its SMSC",
}
_GROWTH: Final = {Trouble.CREDENTIALS: 16.0}
#: The share of the wait that chance decides, so that many links do not come back at once.
_LEAST: Final = 0.5


def trouble_of(status: int) -> Trouble:
    """The class of a bind refused with this command_status."""
    return _KINDS.get(Status(status), Trouble.REFUSED) if status in _KNOWN else Trouble.REFUSED


_KNOWN: Final = frozenset(int(status) for status in Status)


def hint_of(trouble: Trouble) -> str:
    """What a person can do about a refused bind."""
    return _HINTS[trouble]


class Backoff:
    """The waits of one link; *reconnect_s* are the first and the longest."""

    def __init__(self, reconnect_s: tuple[float, float], random: random.Random) -> None:
        self._first_s, self._longest_s = reconnect_s
        self._random = random
        self._next_s = self._first_s

    def reset(self) -> None:
        """The link was steady: the next try comes quickly again."""
        self._next_s = self._first_s

    def wait_s(self, trouble: Trouble) -> float:
        """How long to wait now."""
        wait_s = self._next_s * self._random.uniform(_LEAST, 1.0)
        self._next_s = min(self._longest_s, self._next_s * _GROWTH.get(trouble, 2.0))
        return wait_s

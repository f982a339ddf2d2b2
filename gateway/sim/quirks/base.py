"""What a habit of an operator may change: one method for each place where it can act.

A `Quirk` belongs to one simulated operator and lives as long. Habits with several forms show them
in turn, one message after the other: a message's turn is given when it is taken and stays, so a
receipt that is sent again is sent in the same form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.sim.message import Accepted, Pending
    from gateway.sim.outcomes import Outcome
    from gateway.smpp.pdu import Bind, DataSm, DeliverSm, SubmitSm


class Wire(Protocol):
    """The link a habit acts on, as far as it may."""

    def send(self, octets: bytes) -> None:
        """Queue octets that nobody answers."""
        ...

    def ask(self, label: str, octets: bytes) -> None:
        """Queue a request whose answer `Operator.replies` keeps; its sequence is filled in."""
        ...

    def fall_silent(self) -> None:
        """Say nothing more and hear nothing more, with the connection open."""
        ...

    def stop_reading(self, until: float) -> None:
        """Leave everything in the socket until then."""
        ...

    def unbind(self) -> None:
        """Ask to end the session, and close it when that is answered."""
        ...

    def repeat(self, pending: Pending, times: int, now: float) -> None:
        """Send a receipt that many times at once, whatever the window."""
        ...


class Quirk:
    """A habit that changes nothing; each does its own part of it."""

    def __init__(self) -> None:
        self._turns = 0

    def turn(self, pdu: SubmitSm) -> int:
        """Which message this is to the habit, from 0."""
        self._turns += 1
        return self._turns - 1

    # -- a bind ---------------------------------------------------------------------------------

    def bind_answer(self, pdu: Bind) -> bytes | None:
        """The bind_resp that refuses it, if it is refused."""
        return None

    def bound(self, link: Wire, answer: bytes) -> bytes:
        """What is sent at last of an accepted bind; more may be sent before."""
        return answer

    # -- a message ------------------------------------------------------------------------------

    def refusal(self, pdu: SubmitSm) -> bytes | None:
        """The answer instead of taking it."""
        return None

    def number(self, number: int) -> int:
        """The number its id is made of."""
        return number

    def ids(self, number: int, turn: int) -> tuple[str, str] | None:
        """The id as its response names it, and as its receipts do."""
        return None

    def outcome(self, outcome: Outcome, message: Accepted, turn: int) -> Outcome:
        """What becomes of it."""
        return outcome

    def delay_s(self, message: Accepted) -> float:
        """How much later its response comes."""
        return 0.0

    def response(self, octets: bytes, turn: int) -> bytes:
        """Its submit_sm_resp."""
        return octets

    def taken(self, link: Wire, message: Accepted, turn: int, now: float) -> None:
        """It was taken; its response is queued."""

    # -- a receipt ------------------------------------------------------------------------------

    def receipt(self, pdu: DeliverSm | DataSm, pending: Pending, turn: int) -> DeliverSm | DataSm:
        """The receipt as PDU."""
        return pdu

    def receipt_octets(self, octets: bytes, turn: int) -> bytes:
        """The receipt as octets, sequence included."""
        return octets

    def by_another_link(self) -> bool:
        """Whether receipts avoid the link their message came on, where there is another."""
        return False

    def accepts(self, response: bytes) -> bool:
        """Whether a deliver_sm_resp is to this operator's liking."""
        return True

    # -- the link -------------------------------------------------------------------------------

    def sequence(self, given: int) -> int:
        """The number of a request."""
        return given

    def pieces(self, octets: bytes) -> Iterable[tuple[bytes, float]] | None:
        """What is written at once, and the pause in seconds after each; None: as it comes."""
        return None

"""A customer of the simulated operator, for tests: says what it is told to and answers receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gateway.smpp.pdu import (
    Bind,
    BindResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    Mode,
    Pdu,
    SubmitSm,
    SubmitSmResp,
)
from gateway.smpp.wire import Splitter, decode, encode

if TYPE_CHECKING:
    from gateway.sim.smsc import SmscSession

P = TypeVar("P")


class Esme:
    """Drives one `SmscSession` by octets; `now` is turned by hand."""

    def __init__(self, session: SmscSession) -> None:
        self.session = session
        self.now = 0.0
        self.got: list[Pdu] = []
        self._splitter = Splitter()
        self._sequence = 0

    def say(self, pdu: Pdu) -> int:
        """Send *pdu* under the next sequence number, and read what comes back at once."""
        self._sequence += 1
        self.session.receive_data(encode(pdu, self._sequence), self.now)
        self.listen()
        return self._sequence

    def listen(self) -> list[Pdu]:
        """Read what there is."""
        new = [decode(raw) for raw in self._splitter.feed(self.session.data_to_send())]
        self.got += new
        return new

    def wait(self, seconds: float) -> list[Pdu]:
        """Let time pass, deadline by deadline, and read what comes meanwhile."""
        until = self.now + seconds
        new: list[Pdu] = []
        while not self.session.closing and self.session.next_deadline() <= until:
            self.now = max(self.now, self.session.next_deadline())
            self.session.handle_timeout(self.now)
            new += self.listen()
        self.now = until
        return new

    def bind(self, mode: Mode = "transceiver", system_id: str = "acme") -> BindResp:
        """Bind and return the answer."""
        self.say(Bind(system_id, mode=mode))
        return only(self.got, BindResp)[-1]

    def submit(self, dest: str, text: bytes = b"hello", registered_delivery: int = 1) -> None:
        """Send one message."""
        self.say(
            SubmitSm(
                source="ACME",
                dest=dest,
                short_message=text,
                registered_delivery=registered_delivery,
                source_ton=5,
                dest_ton=1,
                dest_npi=1,
            )
        )

    def acknowledge(self, receipt: DeliverSm | DataSm, status: int = 0) -> None:
        """Answer a receipt."""
        answer = DeliverSmResp if isinstance(receipt, DeliverSm) else DataSmResp
        self.session.receive_data(
            encode(answer(status=status), receipt.sequence),
            self.now,
        )
        self.listen()

    def responses(self) -> list[SubmitSmResp]:
        """Every submit_sm_resp so far."""
        return only(self.got, SubmitSmResp)

    def receipts(self) -> list[DeliverSm]:
        """Every deliver_sm so far."""
        return only(self.got, DeliverSm)


def only(pdus: list[Pdu], kind: type[P]) -> list[P]:
    """Those of one kind."""
    return [pdu for pdu in pdus if isinstance(pdu, kind)]

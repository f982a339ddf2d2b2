"""What the people behind the numbers do: they have habits too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.sim.quirks.base import Quirk
from gateway.smpp.pdu import DeliverSm
from gateway.smpp.wire import encode

if TYPE_CHECKING:
    from gateway.sim.message import Accepted
    from gateway.sim.quirks.base import Wire


class RepliesStop(Quirk):
    """The recipient answers every message with STOP, to the sender it came from."""

    def taken(self, link: Wire, message: Accepted, turn: int, now: float) -> None:
        ton, npi, dest_ton, dest_npi = message.numbering
        reply = DeliverSm(
            source=message.dest,
            dest=message.source,
            source_ton=dest_ton,
            source_npi=dest_npi,
            dest_ton=ton,
            dest_npi=npi,
            short_message=b"STOP",
        )
        link.ask("mo", encode(reply, 1))

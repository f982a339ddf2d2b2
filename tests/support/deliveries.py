"""What an operator delivers, byte by byte as a test wants it, past the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from gateway.daemon.link import Link
from gateway.smpp.events import Delivered
from gateway.smpp.pdu import DataSm, DeliverSm, Tlv
from gateway.smpp.wire import decode, encode

if TYPE_CHECKING:
    from tests.support.world import Daemon

#: The date a receipt quotes when its message was submitted at `world.NOON_MS`.
SUBMITTED = "2611211000"


async def bound(daemon: Daemon, operator: str = "movistar") -> Link:
    """The operator's first link, when it can be sent to."""
    link = daemon.gateway.operators[operator].links[0]
    assert isinstance(link, Link)
    with trio.fail_after(60):
        while not link.can_submit():
            await trio.sleep(0.01)
    return link


async def deliver(daemon: Daemon, *pdus: DeliverSm | DataSm, operator: str = "movistar") -> None:
    """The operator sends *pdus* in one read; returns when they are answered."""
    link = await bound(daemon, operator)
    events = []
    for number, pdu in enumerate(pdus, start=1):
        raw = encode(pdu, number)
        again = decode(raw)
        assert isinstance(again, DeliverSm | DataSm)
        events.append(Delivered(again, raw))
    daemon.gateway.pipeline.post(link, events)
    await trio.sleep(0.5)


def receipt(
    message_id: str,
    source: str,
    stat: str = "DELIVRD",
    *,
    submitted: str = SUBMITTED,
    tlv_id: str | None = None,
    esm_class: int = 0x04,
    dest: str = "ACME",
) -> DeliverSm:
    """A receipt as Appendix B has it, from the operator about the message to *source*."""
    text = (
        f"id:{message_id} sub:001 dlvrd:001 submit date:{submitted} done date:{submitted}"
        f" stat:{stat} err:000 text:"
    )
    tlvs = () if tlv_id is None else (Tlv(0x001E, tlv_id.encode() + b"\0"),)
    return DeliverSm(
        source=source, dest=dest, short_message=text.encode(), esm_class=esm_class, tlvs=tlvs
    )


def from_handset(source: str, text: str, dest: str = "ACME") -> DeliverSm:
    """What a person wrote."""
    return DeliverSm(source=source, dest=dest, short_message=text.encode("latin-1"), data_coding=3)

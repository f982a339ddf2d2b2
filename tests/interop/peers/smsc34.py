"""smpp34 as an operator's SMSC: answers, sends receipts, and writes to JOURNAL what it read.

`python smsc34.py JOURNAL PORT`, in the environment smpp34 is installed in.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime

import smpp34

JOURNAL, PORT = sys.argv[1], int(sys.argv[2])


def note(event: str, **fields: object) -> None:
    """One line of the journal."""
    with open(JOURNAL, "a", encoding="utf-8") as file:
        file.write(json.dumps({"event": event, **fields}) + "\n")


def submitted(event: smpp34.SubmitSmEvent, message_id: str) -> None:
    """Write down a submit_sm as smpp34 read it."""
    octets = event.short_message
    header = octets[: 1 + octets[0]] if event.esm_class & 0x40 else b""
    note(
        "submit",
        id=message_id,
        source=event.source_addr,
        source_ton=event.source_addr_ton,
        source_npi=event.source_addr_npi,
        dest=event.destination_addr,
        dest_ton=event.dest_addr_ton,
        dest_npi=event.dest_addr_npi,
        data_coding=event.data_coding,
        esm_class=event.esm_class,
        registered_delivery=event.registered_delivery,
        udh=header[1:].hex(),
        octets=octets[len(header) :].hex(),
    )


async def report(link: smpp34.Esme, event: smpp34.SubmitSmEvent, message_id: str) -> None:
    """Send the receipt, and write down how it was answered."""
    await asyncio.sleep(0.02)
    stat, state = ("UNDELIV", 5) if event.destination_addr.endswith("901") else ("DELIVRD", 2)
    date = datetime.now(UTC).strftime("%y%m%d%H%M")
    text = (
        f"id:{message_id} sub:001 dlvrd:001 submit date:{date} done date:{date}"
        f" stat:{stat} err:000 text:"
    )
    answer = await link.deliver_sm(
        event.source_addr,
        text.encode(),
        source_addr=event.destination_addr,
        source_addr_ton=1,
        source_addr_npi=1,
        esm_class=4,
        tlvs=[
            smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, message_id.encode() + b"\0"),
            smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, bytes((state,))),
        ],
    )
    note("receipt_answered", id=message_id, status=answer.command_status)
    if event.destination_addr.endswith("970"):
        await link.unbind()  # raises unless it was answered
        note("unbind_answered", status=0)


async def main() -> None:
    """Serve until killed."""
    server = smpp34.Server("127.0.0.1", PORT, system_id="SMPP34")
    await server.start()
    print(json.dumps({"port": PORT}), flush=True)
    links: dict[str, smpp34.Esme] = {}
    throttled: set[str] = set()
    reports: set[asyncio.Task[None]] = set()
    number = 0
    while True:
        event = await server.next()
        if isinstance(event, smpp34.Esme):
            links[event.session_id] = event
            note("bind", system_id=event.system_id, can_receive=event.can_receive)
        elif isinstance(event, smpp34.Unbound):
            note("unbind")
        elif event.destination_addr.endswith("910"):
            event.reject(smpp34.ESME_RINVDSTADR)
        elif event.destination_addr.endswith("921") and event.destination_addr not in throttled:
            throttled.add(event.destination_addr)
            event.reject(smpp34.ESME_RTHROTTLED)
        else:
            number += 1
            message_id = f"00{number:08d}-34"
            submitted(event, message_id)
            event.accept(message_id)
            task = asyncio.create_task(report(links[event.session_id], event, message_id))
            reports.add(task)
            task.add_done_callback(reports.discard)


asyncio.run(main())

"""smpp34 as a customer: binds to PORT on loopback, sends messages, prints what it hears.

`python esme34.py PORT SYSTEM_ID PASSWORD MESSAGES RECEIPTS`: MESSAGES are JSON objects of "to" and
"text"; every answer and receipt is a line of JSON on stdout. It unbinds after so many RECEIPTS.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import smpp34


def say(event: str, **fields: object) -> None:
    """One line."""
    print(json.dumps({"event": event, **fields}), flush=True)


async def main(port: str, system_id: str, password: str, messages: str, receipts: str) -> None:
    """Bind, submit, hear the receipts, unbind."""
    client = smpp34.Client("127.0.0.1", int(port), system_id, password)
    link = await client.connect()
    say("bound", system_id=link.system_id)

    async def submit(message: dict[str, str]) -> None:
        answer = await link.submit_sm(
            message["to"],
            message["text"].encode("ascii"),
            source_addr="ACME",
            source_addr_ton=5,
            dest_addr_ton=1,
            dest_addr_npi=1,
            registered_delivery=1,
        )
        say("answer", to=message["to"], id=answer.message_id, status=answer.command_status)

    async with asyncio.timeout(20):
        await asyncio.gather(*(submit(message) for message in json.loads(messages)))
        for _ in range(int(receipts)):
            event = await link.next()
            if isinstance(event, smpp34.Disconnected):
                say("disconnected")
                return
            say(
                "receipt",
                source=event.source_addr,
                dest=event.destination_addr,
                esm_class=event.esm_class,
                text=event.short_message.decode("ascii"),
                tlvs={tlv.tag: tlv.value.hex() for tlv in event.tlvs},
            )
    await link.unbind()  # raises unless it is answered
    say("unbound")


asyncio.run(main(*sys.argv[1:]))
# smpp34 1.5.0 now and then crashes while the interpreter takes its threads down; all is said.
sys.stdout.flush()
os._exit(0)

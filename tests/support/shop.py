"""A world with brands that people can answer, and what they get back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.smpp.text import decode_text
from tests.support.deliveries import bound, deliver, from_handset
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import Daemon

ME = "+34600222001"
CODE = "5757"
#: `tienda` writes from a short code and shares one with `otra`; `muda` cannot be answered.
BRANDS = """
[brands.tienda]
legal_name = "Tienda Ejemplo SL"
prefix = "TIENDA:"
contact = "ayuda@tienda.example"
opt_out_url = "https://tienda.example/baja"
senders = ["5757", "9090"]
[brands.otra]
legal_name = "Otra Ejemplo SL"
contact = "hola@otra.example"
senders = ["9090"]
[brands.muda]
legal_name = "Muda SL"
contact = "hola@muda.example"
opt_out_url = "https://muda.example/baja"
senders = ["MUDA"]
[senders.5757]
kind = "short_code"
[senders.9090]
kind = "short_code"
[senders.MUDA]
registered_in = ["ES"]
"""


def shop(directory: Path, brands: str = BRANDS) -> World:
    """A world where `tienda` and `otra` can be answered."""
    return World.make(directory, gateway=brands)


async def sent(
    daemon: Daemon, to: str = ME, sender: str = CODE, brand: str = "tienda", **args: Any
) -> str:
    """A delivered message of a brand; its id."""
    answer = await daemon.submit(to, brand=brand, **{"from": sender}, **args)
    await daemon.final(answer["submission_id"])
    return str(answer["submission_id"])


async def writes(
    daemon: Daemon, text: str, *, to: str = CODE, number: str = ME, times: int = 1
) -> None:
    """Somebody writes to a sender; the operator may deliver it several times."""
    await deliver(daemon, *[from_handset(number[1:], text, to)] * times)


def received(world: World, number: str = ME) -> list[tuple[str, str]]:
    """(sender, text) of everything the operator took for a number."""
    taken = world.operators["movistar"].accepted
    return [
        (each.source, decode_text(each.octets, each.data_coding))
        for each in taken
        if each.dest == number[1:]
    ]


async def ready(daemon: Daemon) -> None:
    """The operator is bound."""
    await bound(daemon)

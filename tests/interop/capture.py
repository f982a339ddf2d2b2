"""Traffic of ours as tshark sees it: captured on loopback, or made into a capture from octets."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.process import Child, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: The port under which `capture_of` files what was never on a wire.
PORT: Final = 2775
_DEADLINE_S: Final = 60
_NO_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True)
class Seen:
    """One SMPP PDU in tshark's reading: the values of its fields by name, without "smpp."."""

    frame: int
    fields: dict[str, list[str]]
    complaints: list[str]

    def text(self, name: str) -> str | None:
        """A field that occurs once at most."""
        values = self.fields.get(name, [])
        assert len(values) < 2, (name, values)
        return values[0] if values else None

    def number(self, name: str) -> int | None:
        """The same, as a number."""
        text = self.text(name)
        return None if text is None else int(text, 0)


@contextmanager
def captured(port: int, file: Path) -> Iterator[None]:
    """While this runs, what goes over *port* of loopback is written to *file*."""
    command = ["tshark", "-i", "lo", "-f", f"tcp port {port}", "-w", str(file)]
    with Child(command, file.with_suffix(".log")) as tshark:

        def begun() -> bool:
            assert tshark.running(), f"capturing on lo needs root:\n{tshark.log()}"
            return "Capture started" in tshark.log()

        wait_until(begun, "tshark captures")
        try:
            yield
            # The kernel hands packets over in blocks: the end of the connection comes last.
            wait_until(lambda: _both_ended(file), "the capture holds the end of the connection")
        finally:
            tshark.process.terminate()
            tshark.wait()


def _both_ended(file: Path) -> bool:
    """Whether both sides' FIN is in the capture; what is being written may end in mid-packet."""
    done = subprocess.run(
        ["tshark", "-r", str(file), "-Y", "tcp.flags.fin==1", "-T", "fields", "-e", "tcp.srcport"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_DEADLINE_S,
    )
    return len(set(done.stdout.split())) > 1


def capture_of(octets: Iterable[bytes], file: Path) -> None:
    """Make a capture with one packet to `PORT` for each of *octets*."""
    dump = "".join(f"000000 {each.hex(' ')}\n" for each in octets)
    subprocess.run(
        ["text2pcap", "-q", "-T", f"40000,{PORT}", "-", str(file)],
        input=dump,
        text=True,
        capture_output=True,
        check=True,
        timeout=_DEADLINE_S,
    )


def read(file: Path, port: int) -> list[Seen]:
    """Every SMPP PDU of a capture, in order.

    Frames that tshark calls malformed, or that hold what is no SMPP, are a PDU with complaints.
    """
    done = subprocess.run(
        ["tshark", "-r", str(file), "-d", f"tcp.port=={port},smpp", "-T", "pdml"],
        capture_output=True,
        check=True,
        timeout=_DEADLINE_S,
    )
    seen: list[Seen] = []
    # Texts stand in it as tshark reads them: control characters, halves of surrogate pairs.
    pdml = ET.fromstring(_NO_XML.sub("?", done.stdout.decode("utf-8", "replace")).encode())
    for number, packet in enumerate(pdml.iter("packet"), start=1):
        for proto in packet.iter("proto"):
            if proto.get("name") == "smpp":
                seen.append(_seen(number, proto))
            elif proto.get("name") in ("_ws.malformed", "data"):
                name = str(proto.get("showname") or proto.get("name"))
                seen.append(Seen(number, {}, [name]))
    return seen


def _seen(number: int, proto: ET.Element) -> Seen:
    fields: dict[str, list[str]] = {}
    complaints = []
    for field in proto.iter("field"):
        name = str(field.get("name"))
        if name.startswith("_ws."):
            complaints.append(str(field.get("showname") or name))
        fields.setdefault(name.removeprefix("smpp."), []).append(str(field.get("show")))
    return Seen(number, fields, complaints)

"""`acuse simulate` as the process it is: says where it listens, keeps a journal, ends cleanly."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from gateway.errors import UsageError
from gateway.sim.main import run
from gateway.sim.options import SimOptions
from gateway.smpp.pdu import Bind, DeliverSm, DeliverSmResp, SubmitSm
from gateway.smpp.wire import Splitter, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROMPT = SimOptions(receipt_delay_min_s=0, receipt_delay_max_s=0, count=1, seed=1)


class Output(io.StringIO):
    """Where the simulator prints; says when it has."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed = threading.Event()

    def flush(self) -> None:
        self.flushed.set()


def deliver_one(port: int, before: Callable[[], object] = lambda: None) -> None:
    """Bind, have one message refused and one delivered, do *before*, acknowledge the receipt."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
        link.sendall(encode(Bind("acme"), 1))
        for sequence, dest in ((2, "34600111910"), (3, "34600111900")):
            message = SubmitSm(source="ACME", dest=dest, short_message=b"hi", registered_delivery=1)
            link.sendall(encode(message, sequence))
        splitter = Splitter()
        while True:
            for raw in splitter.feed(link.recv(4096)):
                pdu = decode(raw)
                if isinstance(pdu, DeliverSm):
                    before()
                    link.sendall(encode(DeliverSmResp(), pdu.sequence))
                    return


def test_it_ends_after_the_receipts_it_was_told_to_count(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    output = Output()
    seen: list[str] = []

    def drive() -> None:
        assert output.flushed.wait(5)
        port = json.loads(output.getvalue().splitlines()[0])["port"]
        deliver_one(port, lambda: seen.extend(journal.read_text().splitlines()))

    thread = threading.Thread(target=drive)
    thread.start()
    run(PROMPT, port=0, journal=journal, stats=True, as_json=True, out=output)
    thread.join()
    where, counts = map(json.loads, output.getvalue().splitlines())
    assert where["host"] == "127.0.0.1"
    assert counts["receipts_acknowledged"] == 1
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["refused", "accepted", "acknowledged"]
    assert len(seen) == 2  # written before the answer left
    assert lines[0]["status"] == 0x0B
    assert lines[1]["octets"] == b"hi".hex()
    assert lines[1]["dest"] == "34600111900"
    assert lines[2]["message_id"] == lines[1]["message_id"]
    assert lines[1]["at_ms"] > 1_600_000_000_000


def test_people_read_a_sentence_and_a_table() -> None:
    output = Output()

    def drive() -> None:
        assert output.flushed.wait(5)
        deliver_one(int(output.getvalue().split()[-1]))

    thread = threading.Thread(target=drive)
    thread.start()
    run(PROMPT, port=0, stats=True, out=output)
    thread.join()
    first, *table = output.getvalue().splitlines()
    assert first.startswith("simulated operator on 127.0.0.1 port ")
    assert "         1  receipts_acknowledged" in table


def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="journal") as caught:
        run(PROMPT, port=0, journal=tmp_path / "nowhere" / "journal.jsonl")
    assert caught.value.fields["field"] == "journal"


def test_an_address_that_cannot_be_used_is_one_error() -> None:
    with pytest.raises(UsageError):
        run(PROMPT, "192.0.2.1", 0, out=Output())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    code = (
        "from gateway.sim.main import run\n"
        "from gateway.sim.options import SimOptions\n"
        "run(SimOptions(), port=0, as_json=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["port"]
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert errors == ""

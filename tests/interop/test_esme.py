"""Our simulated operator, bound to by customers that others wrote."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.smpp.consts import EsmClass, Status, Tag
from gateway.smpp.text import decode_text
from tests.interop.install import SMPP34_PYTHON
from tests.interop.peer import PEERS, node_environment
from tests.support.process import Simulator, short_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NODE: Final = ("node", str(PEERS / "esme.js"))
SMPP34: Final = (str(SMPP34_PYTHON), str(PEERS / "esme34.py"))
OPTIONS: Final = {
    "system_id": "guest",
    "password": "open",
    "seed": 7,
    "receipt_delay_min_s": 0.01,
    "receipt_delay_max_s": 0.05,
    "message_id": "hex",
}
GSM7: Final = "¡Niño! Son 12,50 € [IVA ~21%] {Ñ}"
UCS2: Final = "Счёт 117 следует оплатить 😀"
#: Number → the word of its receipt, and its state by TLV; None where there is no such thing.
REPORTS: Final = {
    "34600111222": ("DELIVRD", 2),
    "34600111223": ("DELIVRD", 2),
    "34600111901": ("UNDELIV", 5),
    "34600111902": ("EXPIRED", 3),
    "34600111940": ("DELIVRD", 2),  # before its response
    "34600111947": (None, 2),
    "34600111948": ("DELIVRD", None),
    "34600111950": ("DELIVRD", 2),  # by data_sm
}
REFUSED: Final = {
    "34600111910": Status.ESME_RINVDSTADR,
    "34600111911": 0x411,
    "34600111921": Status.ESME_RTHROTTLED,
}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with short_directory() as directory, Simulator(directory, "operator", OPTIONS) as made:
        yield made


def run(
    command: Sequence[str],
    simulator: Simulator,
    messages: list[dict[str, Any]],
    receipts: int,
    *,
    password: str = "open",
) -> list[dict[str, Any]]:
    """What the customer says from its start to its end."""
    asked = [str(simulator.port), "guest", password, json.dumps(messages), str(receipts)]
    done = subprocess.run(
        [*command, *asked],
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
        env=node_environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(said: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [line for line in said if line["event"] == event]


def submit(number: str, text: str, **fields: object) -> dict[str, object]:
    """The parameters of a submit_sm, as node-smpp names them."""
    return {
        "source_addr": "ACME",
        "source_addr_ton": 5,
        "destination_addr": number,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "registered_delivery": 1,
        "text": text,
        **fields,
    }


def text_of(line: dict[str, Any]) -> str:
    """What the gateway's own decoding makes of a message in the simulator's journal."""
    headed = bool(line["esm_class"] & EsmClass.UDHI)
    return decode_text(bytes.fromhex(line["octets"]), line["data_coding"], udh=headed)


def test_node_smpp_gets_an_id_and_a_receipt_for_each_message(simulator: Simulator) -> None:
    messages = [submit(number, f"aviso {number}") for number in (*REPORTS, *REFUSED)]
    said = run(NODE, simulator, messages, len(REPORTS))
    assert of(said, "error") == []
    (bound,) = of(said, "bind_transceiver_resp")
    assert (bound["command_status"], bound["sc_interface_version"]) == (0, 0x34)
    assert [each["command_status"] for each in of(said, "enquire_link_resp")] == [0]
    assert [each["command_status"] for each in of(said, "unbind_resp")] == [0]
    answers = Counter(each["command_status"] for each in of(said, "submit_sm_resp"))
    assert answers == Counter([0] * len(REPORTS) + [int(status) for status in REFUSED.values()])
    given = {r["message_id"] for r in of(said, "submit_sm_resp") if not r["command_status"]}
    reported = {}
    for receipt in of(said, "deliver_sm") + of(said, "data_sm"):
        assert receipt["esm_class"] == 4
        assert receipt["destination_addr"] == "ACME"
        text = receipt.get("message_payload") or receipt["short_message"] or ""
        words = dict(word.split(":", 1) for word in text.split() if ":" in word)
        message_id = receipt.get("receipted_message_id") or words["id"]
        assert words.get("id", message_id) == message_id
        assert message_id in given
        reported[receipt["source_addr"]] = (words.get("stat"), receipt.get("message_state"))
    assert reported == REPORTS
    counts = simulator.stop()
    assert (counts["accepted"], counts["refused"]) == (len(REPORTS), len(REFUSED))
    assert (counts["nacks"], counts["receipts_refused"], counts["receipts_waiting"]) == (0, 0, 0)


def test_node_smpp_s_texts_are_read_as_they_were_meant(simulator: Simulator) -> None:
    messages = [
        # Left to itself it calls its GSM 7-bit octets ASCII, data_coding 1.
        submit("34600111222", GSM7, data_coding=0),
        submit("34600111223", UCS2),
        submit("34600111224", "primera, ", udh="050003210201", esm_class=0x40),
        submit("34600111224", "segunda", udh="050003210202", esm_class=0x40),
    ]
    said = run(NODE, simulator, messages, len(messages))
    assert [each["command_status"] for each in of(said, "submit_sm_resp")] == [0] * 4
    texts = Counter((line["dest"], text_of(line)) for line in simulator.journal("accepted"))
    assert texts == {
        ("34600111222", GSM7): 1,
        ("34600111223", UCS2): 1,
        ("34600111224", "primera, "): 1,
        ("34600111224", "segunda"): 1,
    }


def test_node_smpp_with_a_wrong_password_is_refused(simulator: Simulator) -> None:
    (bound,) = run(NODE, simulator, [], 1, password="wrong")
    assert bound["command_status"] == Status.ESME_RINVPASWD


def test_smpp34_gets_an_id_and_a_receipt_for_each_message(simulator: Simulator) -> None:
    by_deliver_sm = [n for n in REPORTS if n != "34600111950"]  # it refuses every data_sm
    messages = [{"to": n, "text": f"aviso {n}"} for n in (*by_deliver_sm, *REFUSED)]
    said = run(SMPP34, simulator, messages, len(by_deliver_sm))
    answers = {line["to"]: line for line in of(said, "answer")}
    refusals = {to: line["status"] for to, line in answers.items() if line["status"]}
    assert refusals == {to: int(status) for to, status in REFUSED.items()}
    for receipt in of(said, "receipt"):
        word, state = REPORTS[receipt["source"]]
        message_id = answers[receipt["source"]]["id"]
        assert (receipt["dest"], receipt["esm_class"]) == ("ACME", 4)
        assert f"stat:{word}" in receipt["text"] or word is None
        assert f"id:{message_id} " in receipt["text"] or word is None
        tlvs = {int(tag): bytes.fromhex(value) for tag, value in receipt["tlvs"].items()}
        if state is not None:
            assert tlvs[Tag.MESSAGE_STATE] == bytes((state,))
            assert tlvs[Tag.RECEIPTED_MESSAGE_ID] == message_id.encode() + b"\0"
        else:
            assert tlvs == {}
    assert Counter(line["source"] for line in of(said, "receipt")) == Counter(by_deliver_sm)
    assert of(said, "unbound")
    assert simulator.stop()["receipts_waiting"] == 0

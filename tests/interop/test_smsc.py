"""Our daemon on operators that others wrote: what they read of us, and what becomes of it.

Each peer is an SMSC made of one public library. It answers, sends receipts, and keeps a journal of
what it read, in its own decoding; the texts of node-smpp and Net::SMPP are read by those libraries.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from smpplib import gsm

from gateway.smpp.consts import Status
from tests.interop.peer import SMSCS, Smsc, bound_site
from tests.support.process import short_directory, wait_until
from tests.support.sealed import broken_checks, entries_of_file
from tests.support.standalone import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.process import Site

GSM7: Final = "¡Niño! Son 12,50 € [IVA ~21%] {Ñ} @ $1_0 ¿Ça va? \\^|"
UCS2: Final = "Счёт 117 следует оплатить до 30 ноября 😀"
LONG: Final = "Le recordamos que la factura 2026/117 vence el dia 30, importe 1.250 €. " * 5
LONG_UCS2: Final = "Счёт 117 следует оплатить до конца месяца 😀👍. " * 4


@dataclass(frozen=True)
class Wanted:
    """A message, and what must become of it."""

    to: str
    text: str
    encoding: str
    segments: int
    state: str = "delivered"


WANTED: Final = {
    "gsm7": Wanted("+34600111222", GSM7, "gsm7", 1),
    "ucs2": Wanted("+34600111223", UCS2, "ucs2", 1),
    "long": Wanted("+34600111224", LONG, "gsm7", 3),
    "long-ucs2": Wanted("+34600111225", LONG_UCS2, "ucs2", 3),
    "undelivered": Wanted("+34600111901", "hola", "gsm7", 1, "undelivered"),
    "rejected": Wanted("+34600111910", "hola", "gsm7", 1, "rejected"),
    "throttled": Wanted("+34600111921", "hola", "gsm7", 1),
}


@dataclass
class Traffic:
    """What the peer and the daemon say once every message has ended and the daemon has stopped."""

    name: str
    peer: Smsc
    site: Site
    answers: dict[str, dict[str, Any]]
    records: dict[str, dict[str, Any]]
    status: dict[str, Any]
    bundles: dict[str, str]
    vkey: str
    daemon_log: str

    def segments(self, case: str) -> list[dict[str, Any]]:
        """What the peer read of a message, in the order of its segments."""
        dest = WANTED[case].to.removeprefix("+")
        read = [line for line in self.peer.journal("submit") if line["dest"] == dest]
        return sorted(read, key=lambda line: str(line["udh"]))


@pytest.fixture(scope="module", params=SMSCS)
def traffic(request: pytest.FixtureRequest) -> Iterator[Traffic]:
    """Send everything, wait for every end, stop the daemon in good order."""
    settings = "enquire_link_s = 0.5\nwindow = 4"
    with (
        short_directory() as directory,
        Smsc(request.param, directory) as peer,
        bound_site(peer, directory, settings) as site,
    ):
        daemon = site.serve().ready()
        answers, records, bundles = {}, {}, {}
        with site.admin() as admin:
            for case, wanted in WANTED.items():
                asked = {"to": wanted.to, "text": wanted.text, "from": "ACME", "brand": "acme"}
                answers[case] = admin.call("submit", {**asked, "category": "legal_notice"})
            for case, answer in answers.items():
                waiting = {"submission_id": answer["submission_id"], "timeout_s": 20}
                records[case] = admin.call("messages.wait", waiting)
            for case, record in records.items():
                wish = {"submission_id": record["submission_id"], "redact": []}
                bundles[case] = admin.call("bundle", wish)["bundle"]
            vkey = admin.call("ledger.head", {})["vkey"]
        wait_until(lambda: peer.journal("enquire_link") or request.param == "smpp34", "a probe")
        status = daemon.status()
        daemon.stop()
        wait_until(lambda: peer.journal("unbind"), "the peer sees us leave")
        log = daemon.log()
        yield Traffic(request.param, peer, site, answers, records, status, bundles, vkey, log)


def test_every_message_ends_as_the_peer_said(traffic: Traffic) -> None:
    ends = {case: record["state"] for case, record in traffic.records.items()}
    assert ends == {case: wanted.state for case, wanted in WANTED.items()}
    assert traffic.status["queues"]["orphans"] == 0
    assert traffic.peer.journal("unexpected") == traffic.peer.journal("error") == []
    assert "pdu.ignored" not in traffic.daemon_log


def test_the_bind_is_read_as_it_was_configured(traffic: Traffic) -> None:
    (bind,) = traffic.peer.journal("bind")
    assert bind["system_id"] == "acuse"
    assert bind.get("password", "secret") == "secret"
    assert bind.get("interface_version", 0x34) == 0x34
    assert bind.get("command", "bind_transceiver") == "bind_transceiver"


@pytest.mark.parametrize("case", ["gsm7", "ucs2", "long", "long-ucs2"])
def test_the_peer_reads_the_very_text(traffic: Traffic, case: str) -> None:
    wanted, read = WANTED[case], traffic.segments(case)
    answer = traffic.answers[case]
    assert (answer["encoding"], answer["segments"]) == (wanted.encoding, wanted.segments)
    assert len(read) == wanted.segments
    assert {line["data_coding"] for line in read} == {8 if wanted.encoding == "ucs2" else 0}
    if traffic.name != "smpp34":
        assert "".join(line["text"] for line in read) == wanted.text
        return
    octets = b"".join(bytes.fromhex(line["octets"]) for line in read)
    if wanted.encoding == "ucs2":
        assert octets.decode("utf-16-be") == wanted.text
    else:
        assert octets == gsm.gsm_encode(wanted.text)


@pytest.mark.parametrize("case", ["long", "long-ucs2"])
def test_the_parts_of_a_long_message_are_numbered_under_one_reference(
    traffic: Traffic, case: str
) -> None:
    read = traffic.segments(case)
    assert {line["esm_class"] for line in read} == {0x40}
    headers = [bytes.fromhex(line["udh"]) for line in read]
    reference = headers[0][2]  # the peers leave out the octet that tells the header's length
    assert headers == [bytes((0, 3, reference, 3, number)) for number in (1, 2, 3)]


def test_addresses_and_the_wish_for_a_receipt_are_read_alike(traffic: Traffic) -> None:
    for line in traffic.peer.journal("submit"):
        assert (line["source"], line["source_ton"], line["source_npi"]) == ("ACME", 5, 0)
        assert (line["dest_ton"], line["dest_npi"]) == (1, 1)
        assert "+" + line["dest"] in {wanted.to for wanted in WANTED.values()}
        assert line["registered_delivery"] == 1


def test_the_record_holds_the_ids_and_the_receipts_of_the_peer(traffic: Traffic) -> None:
    for case, record in traffic.records.items():
        given = [line["id"] for line in traffic.segments(case)]
        if WANTED[case].state == "rejected":
            (segment,) = record["segments"]
            assert segment["command_status"] == Status.ESME_RINVDSTADR
            assert given == record["receipts"] == []
            continue
        assert [segment["message_id"] for segment in record["segments"]] == given
        word = "UNDELIV" if case == "undelivered" else "DELIVRD"
        assert [r["message_state"] for r in record["receipts"]] == [word] * len(given)
        for receipt in record["receipts"]:
            message_id = given[receipt["segment"] - 1]
            assert message_id.encode() in bytes.fromhex(receipt["raw"])
            assert receipt["final"]
            assert receipt["duplicate_of"] is None


def test_every_receipt_and_probe_was_answered_with_ok(traffic: Traffic) -> None:
    answered = Counter(line["status"] for line in traffic.peer.journal("receipt_answered"))
    assert answered == {0: len(traffic.peer.journal("submit"))}
    if traffic.name != "smpp34":  # which answers and sends probes without saying so
        assert {line["status"] for line in traffic.peer.journal("enquire_link_answered")} == {0}
        assert traffic.peer.journal("enquire_link")
    assert len(traffic.peer.journal("unbind")) == 1


def test_everything_is_sealed_and_verifies(traffic: Traffic) -> None:
    assert all(record["seal"] for record in traffic.records.values())
    seals = [e for e in entries_of_file(traffic.site.data) if e["ev"] == "S.1"]
    assert Counter(seal["state"] for seal in seals) == Counter(w.state for w in WANTED.values())
    pinned = traffic.site.directory / "trusted.policy"
    pinned.write_text(f"log {traffic.vkey}\nquorum none\n")
    for case, bundle in traffic.bundles.items():
        path = traffic.site.directory / f"{case}.json"
        path.write_text(bundle)
        ran = traffic.site.acuse("verify", "--json", "--policy", str(pinned), str(path))
        assert (ran.code, ran.json()["verdict"]) == (4, "UNANCHORED")
        assert broken_checks(ran.json()) == {"timestamp"}
        assert judge(bundle, traffic.vkey)[0] == 4

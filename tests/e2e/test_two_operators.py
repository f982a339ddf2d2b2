"""2,000 messages through two operators that reorder, repeat and anticipate their receipts.

Real processes, real TCP. One fixture sends and waits; each test asks one question about the result.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.sim.outcomes import outcome_of
from tests.support.process import Site, wait_until
from tests.support.sealed import broken_checks, entries_of_file
from tests.support.standalone import judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.process import Ran

MESSAGES: Final = 2_000
#: In how many ways numbers end (see gateway/sim/outcomes.py), and the state that follows.
ENDINGS: Final = {
    "901": "undelivered",
    "902": "expired",
    "903": "deleted",
    "904": "rejected",
    "905": "accepted",  # only ACCEPTD: open until the deadline
    "906": "accepted",
    "910": "rejected",
    "911": "rejected",
    "940": "delivered",
    "943": "delivered",
    "944": "delivered",  # after EXPIRED: reopened
    "947": "delivered",
    "948": "delivered",
    "949": "accepted",  # text and TLV contradict each other: it decides nothing
    "950": "delivered",
}
#: Each of these makes the operator pause, or keeps a slot of the window for seconds.
SLOW_ENDINGS: Final = {
    "912": "delivered",
    "922": "delivered",
    "932": "delivered",
    "931": "delivered",
    "930": "unknown",
}
OPEN: Final = {"accepted", "unknown"}
#: What the two operators do; their seeds differ, so no message id is given twice.
FAULTS: Final = {
    "early": 0.1,
    "reorder": 0.2,
    "response_delay_s": 0.02,
    "receipt_delay_min_s": 0.02,
    "receipt_delay_max_s": 0.3,
    "late_response_s": 5,
    "resend_s": 60,
}
#: Two segments each, which differ from those of every other message.
LONG: Final = "La factura {0} vence el dia 30 de este mes. "
LONG_UCS2: Final = "Счёт {0} следует оплатить. "


@dataclass(frozen=True)
class Wanted:
    """A message to send and what must become of it."""

    ref: str
    to: str
    text: str
    parts: int
    state: str

    @property
    def reports(self) -> int:
        """How many receipts the operator sends about it, repeated ones included."""
        outcome = outcome_of(self.to)
        refused = outcome.refusal and outcome.refusals is None
        return 0 if refused else self.parts * len(outcome.reports)


def messages() -> list[Wanted]:
    """The load: each ending from both countries, one in ten repeated, one in twenty long."""
    wanted: list[Wanted] = []

    def add(country: str, ending: str, state: str) -> None:
        number = len(wanted)
        text, parts = f"Aviso {number}", 1
        if number % 20 == 7 and ending in ("222", "941", "901"):
            text = LONG.format(number) * 5 if number % 40 == 7 else LONG_UCS2.format(number) * 4
            parts = 2
        stem = "+34600111" if country == "ES" else "+33639980"
        wanted.append(Wanted(f"r{number}", stem + ending, text, parts, state))

    for country in ("ES", "FR"):
        for ending, state in SLOW_ENDINGS.items():
            add(country, ending, state)
        for ending, state in ENDINGS.items():
            for _ in range(6):
                add(country, ending, state)
    while len(wanted) < MESSAGES:
        number = len(wanted)
        add("ES" if number % 3 else "FR", "941" if number % 10 == 7 else "222", "delivered")
    random.Random(20261121).shuffle(wanted)
    return wanted


@dataclass
class Traffic:
    """What is left when everything has arrived and the daemon has stopped."""

    site: Site
    wanted: list[Wanted]
    answers: list[dict[str, Any]]
    records: dict[str, dict[str, Any]]
    status: dict[str, Any]
    acknowledged: dict[str, Counter[tuple[str, str]]]
    counts: dict[str, dict[str, int]]
    bundles: dict[str, str]
    vkey: str
    daemon_log: str

    def of(self, state: str) -> list[dict[str, Any]]:
        return [record for record in self.records.values() if record["state"] == state]

    def pinned(self) -> Path:
        """A policy file that pins the log's key."""
        path = self.site.directory / "trusted.policy"
        path.write_text(f"log {self.vkey}\nquorum none\n")
        return path


@pytest.fixture(scope="module")
def traffic() -> Iterator[Traffic]:
    """Send everything, wait until nothing more can come, stop the daemon."""
    wanted = messages()
    with ExitStack() as stack:
        site = stack.enter_context(
            Site.open(
                {"movistar": {**FAULTS, "seed": 1}, "orange": {**FAULTS, "seed": 2}},
                settings="window = 100\nresponse_timeout_s = 4.0",
                routes={"+34": ["movistar", "orange"], "+33": ["orange", "movistar"]},
            )
        )
        daemon = site.serve().ready()
        requests = [
            ("submit", {"to": w.to, "text": w.text, "ref": w.ref, "category": "legal_notice"})
            for w in wanted
        ]
        with site.admin() as admin:
            answers = [a for a in admin.pipeline(requests) if isinstance(a, dict)]
        status = daemon.wait_for(_settled(wanted), "every message settles and every receipt is in")
        listed = site.acuse("receipts", "list", "--json")
        records = {record["ref"]: record for record in listed.lines()}
        with site.admin() as admin:
            sample = random.Random(7).sample(list(records.values()), 12)
            sample += [
                r for r in records.values() if r.get("contradicted") or len(r["segments"]) > 1
            ]
            bundles = {
                each["submission_id"]: admin.call(
                    "bundle", {"submission_id": each["submission_id"], "redact": []}
                )["bundle"]
                for each in sample[:24]
            }
            vkey = admin.call("ledger.head", {})["vkey"]
        acknowledged = {
            name: Counter(
                (line["message_id"], line["stat"]) for line in simulator.journal("acknowledged")
            )
            for name, simulator in site.simulators.items()
        }
        daemon.stop()
        counts = {name: simulator.stop() for name, simulator in site.simulators.items()}
        yield Traffic(
            site,
            wanted,
            answers,
            records,
            status,
            acknowledged,
            counts,
            bundles,
            vkey,
            daemon.log(),
        )


def _settled(wanted: list[Wanted]) -> Any:
    receipts = sum(each.reports for each in wanted)
    states = Counter(each.state for each in wanted)

    def settled(status: dict[str, Any]) -> bool:
        queues = status["queues"]
        return status["totals"]["receipts"] >= receipts and all(
            queues[state] == states[state]
            for state in ("held", "queued", "sending", "accepted", "unknown")
        )

    return settled


def test_every_submission_was_answered_with_an_id_of_its_own(traffic: Traffic) -> None:
    assert len(traffic.answers) == MESSAGES
    assert len({answer["submission_id"] for answer in traffic.answers}) == MESSAGES
    assert len(traffic.records) == MESSAGES
    answered = [(answer["submission_id"], answer["segments"]) for answer in traffic.answers]
    assert answered == [(traffic.records[w.ref]["submission_id"], w.parts) for w in traffic.wanted]
    long = sum(w.parts > 1 for w in traffic.wanted)
    assert MESSAGES * 0.04 < long < MESSAGES * 0.06


def test_every_message_ends_in_the_right_state(traffic: Traffic) -> None:
    wrong = {
        w.to: (w.state, traffic.records[w.ref]["state"])
        for w in traffic.wanted
        if traffic.records[w.ref]["state"] != w.state
    }
    assert wrong == {}


def test_each_country_goes_through_its_operator(traffic: Traffic) -> None:
    carried = Counter((r["to"][:3], r["operator"]) for r in traffic.records.values())
    assert set(carried) == {("+34", "movistar"), ("+33", "orange")}


def test_no_segment_was_sent_twice(traffic: Traffic) -> None:
    for counts in traffic.counts.values():
        assert counts["duplicates"] == 0
    parts = sum(w.parts for w in traffic.wanted if w.reports or w.state in OPEN)
    assert sum(counts["accepted"] for counts in traffic.counts.values()) == parts


def test_every_receipt_of_the_operators_is_sealed_exactly_once(traffic: Traffic) -> None:
    """Each receipt that an operator saw acknowledged is there, and decides no more than once."""
    stored: dict[str, Counter[tuple[str, str]]] = {"movistar": Counter(), "orange": Counter()}
    first: Counter[tuple[str, str, str]] = Counter()
    for record in traffic.records.values():
        ids = {segment["number"]: segment["message_id"] for segment in record["segments"]}
        for receipt in record["receipts"]:
            # A receipt resolves an unknown message before a late answer names its id.
            named = re.search(rb"id:(\S+)", bytes.fromhex(receipt["raw"]))
            message_id = ids[receipt["segment"]] or (named[1].decode() if named else "")
            stored[record["operator"]][message_id, receipt["message_state"]] += 1
            # The same receipt is the same PDU but for its header.
            first[record["operator"], message_id, receipt["raw"][32:]] += (
                receipt["duplicate_of"] is None
            )
    assert stored == traffic.acknowledged
    assert set(first.values()) == {1}
    assert sum(c["receipts_waiting"] for c in traffic.counts.values()) == 0


def test_every_ending_has_one_seal_unless_it_was_reopened(traffic: Traffic) -> None:
    for record in traffic.records.values():
        events = Counter(event["event"] for event in record["events"])
        decided = [r for r in record["receipts"] if r["duplicate_of"] is None]
        assert events["x.Duplicate"] == len(record["receipts"]) - len(decided)
        assert events["E.1"] + events["E.2"] + events["x.CarrierReport"] == len(decided)
        if record["state"] in OPEN:
            assert record["seal"] is None
            assert events["S.1"] == 0
        else:
            assert events["S.1"] == 1 + events["x.Reopened"]
            assert record["seal"]["seq"] in {event["seq"] for event in record["events"]}
        if record["to"][-3:] == "931":  # the response may come after the seal: it is in the ledger
            assert events["x.Reopened"] in (0, 1)
            assert events["F.1"] == 1
        else:
            assert events["x.Reopened"] == (record["to"][-3:] == "944")
        assert record.get("contradicted", False) == (record["to"][-3:] == "944")


def test_receipts_overtook_their_responses_and_none_stayed_an_orphan(traffic: Traffic) -> None:
    seen = Counter(entry["ev"] for entry in entries_of_file(traffic.site.data))
    assert seen["x.Orphan"] > MESSAGES * 0.02
    assert traffic.status["queues"]["orphans"] == 0
    assert traffic.status["totals"]["receipts"] == sum(w.reports for w in traffic.wanted)
    assert traffic.status["totals"]["sealed"] >= sum(w.state not in OPEN for w in traffic.wanted)


def test_the_ledger_verifies(traffic: Traffic) -> None:
    ran = traffic.site.acuse("ledger", "verify", "--json", "--policy", str(traffic.pinned()))
    report = ran.json()
    assert "verdict" in report, report
    assert (ran.code, report["verdict"]) == (4, "UNANCHORED")
    assert broken_checks(report) == {"timestamp"}
    assert report["size"] == traffic.status["ledger"]["size"]


def test_sampled_bundles_pass_both_verifiers(traffic: Traffic, tmp_path: Path) -> None:
    files = []
    for submission_id, text in traffic.bundles.items():
        path = tmp_path / f"{submission_id}.json"
        path.write_text(text)
        files.append(str(path))
        code, line = judge(text, traffic.vkey)
        assert code == 4, line
    ran = traffic.site.acuse("verify", "--json", "--policy", str(traffic.pinned()), *files)
    assert ran.code == 4
    reports = ran.lines()
    assert len(reports) == len(traffic.bundles) > 12
    for report in reports:
        assert report["verdict"] == "UNANCHORED"
        assert broken_checks(report) == {"timestamp"}
        assert report["submission_id"] in traffic.bundles


def test_one_changed_byte_makes_a_bundle_invalid(traffic: Traffic, tmp_path: Path) -> None:
    text = next(iter(traffic.bundles.values()))
    damages = {
        "state": text.replace("delivered", "Delivered", 1),
        "hash": _flipped(text, text.index('\\"prev\\"') + 30),
        "disclosed": _flipped(text, text.index('"salt"') + 20),
        "complete": _flipped(text, text.index('"complete"') + 120),
    }
    files: dict[str, str] = {}
    for name, damaged in damages.items():
        assert damaged != text
        path = tmp_path / f"{name}.json"
        path.write_text(damaged)
        files[str(path)] = name
        assert judge(damaged, traffic.vkey)[0] == 1, name
    ran: Ran = traffic.site.acuse("verify", "--json", *files)
    assert ran.code == 1
    verdicts = {files[report["file"]]: report["verdict"] for report in ran.lines()}
    assert verdicts == dict.fromkeys(damages, "INVALID")
    assert all(report["reason"] for report in ran.lines())


def _flipped(text: str, at: int) -> str:
    """*text* with another hex digit, or letter of base64, at the first such place from *at* on."""
    while not text[at].isalnum():
        at += 1
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]


def test_the_log_names_no_recipient_and_no_text(traffic: Traffic) -> None:
    log = traffic.daemon_log
    assert "bind.up" in log
    assert "600111" not in log
    assert "639980" not in log
    assert "factura" not in log


def test_when_an_operator_goes_the_other_carries_its_messages() -> None:
    """Fail-over, and back: queued messages wait for nobody."""
    quick = {"receipt_delay_max_s": 0.05, "receipt_delay_min_s": 0.01}
    with Site.open(
        {"movistar": {**quick, "seed": 1}, "orange": {**quick, "seed": 2}},
        settings="reconnect_s = [0.05, 0.1]",
    ) as site:
        daemon = site.serve().ready()

        def send(name: str) -> list[dict[str, Any]]:
            batch = [
                ("submit", {"to": "+34600111222", "text": f"{name} {n}", "category": "otp"})
                for n in range(20)
            ]
            with site.admin() as admin:
                answers = [a for a in admin.pipeline(batch) if isinstance(a, dict)]
                return [
                    admin.call(
                        "messages.wait",
                        {"submission_id": answer["submission_id"], "timeout_s": 30},
                    )
                    for answer in answers
                ]

        before = send("first")
        assert site.simulators["movistar"].stop()["accepted"] == 20
        wait_until(
            lambda: daemon.status()["operators"][0]["state"] != "bound", "movistar is missed"
        )
        after = send("second")
        daemon.stop()
    assert {(r["operator"], r["state"]) for r in before} == {("movistar", "delivered")}
    assert {(r["operator"], r["state"]) for r in after} == {("orange", "delivered")}

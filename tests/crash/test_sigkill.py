"""SIGKILL at random instants under load, over one growing data directory.

The simulated operators are processes of their own and survive; their journals say what really
arrived. The submitter tries again with the same ref until it has an answer.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from gateway.sim.outcomes import outcome_of
from tests.crash.stored import FINAL, Stored
from tests.support.process import Site, wait_until
from tests.support.sealed import broken_checks
from tests.support.standalone import judge
from tests.support.submitter import Submitter

if TYPE_CHECKING:
    from collections.abc import Iterable

SEED: Final = 20_261_121
KILLS: Final = 20
#: Messages the submitter may add in each life of the daemon.
PER_LIFE: Final = 300
#: Longest life after the daemon is ready, and for every fourth kill after its process began.
LIFE_S: Final = 0.3
START_S: Final = 0.8
#: Mostly delivered; some fail, throttle, come twice, before their response, or by data_sm.
ENDINGS: Final = (*["222"] * 24, "901", "904", "910", "943", "940", "940", "941", "950")
FAULTS: Final = {
    "early": 0.1,
    "reorder": 0.1,
    "response_delay_s": 0.02,
    "receipt_delay_min_s": 0.005,
    "receipt_delay_max_s": 0.25,
    "resend_s": 1.0,
}


def message(number: int) -> dict[str, Any]:
    """One in twelve has two segments; every segment differs from every other."""
    # Many recipients: messages to one person go one after the other.
    stem = f"+34600{100 + number // 2 % 800}" if number % 2 else f"+3363998{number // 2 % 10}"
    text = f"Aviso {number} vence el dia 30. "
    # Throttled now and then only: each time the whole operator is paused, longer and longer.
    ending = "921" if number % 1000 == 7 else random.Random(number).choice(ENDINGS)
    return {
        "to": stem + ending,
        "text": text * 8 if number % 12 == 5 else text,
        "category": "legal_notice",
        "ref": f"k{number}",
    }


def accepted_by(site: Site) -> list[dict[str, Any]]:
    """Every segment the operators took, as their journals have it."""
    return [line for each in site.simulators.values() for line in each.journal("accepted")]


def acknowledged_to(site: Site) -> Counter[tuple[str, str, str]]:
    """(operator, message id, word) of each receipt that we acknowledged, and how often."""
    return Counter(
        (name, line["message_id"], line["stat"])
        for name, simulator in site.simulators.items()
        for line in simulator.journal("acknowledged")
    )


def assert_nothing_is_sent_twice(site: Site) -> None:
    taken = Counter((line["dest"], line["octets"]) for line in accepted_by(site))
    assert [what for what, times in taken.items() if times > 1] == []


def look(site: Site, acknowledged: dict[str, str]) -> Stored:
    """Read what the dead daemon left; *acknowledged* and the operators' word must be in it."""
    told = acknowledged_to(site)
    stored = Stored.read(site.data)
    for ref, submission_id in acknowledged.items():
        assert stored.submissions[submission_id].ref == ref
    assert len({each.ref for each in stored.submissions.values()}) == len(stored.submissions)
    kept = Counter((each.operator, each.message_id, each.state) for each in stored.receipts)
    assert not told - kept, "a receipt was acknowledged and is not stored"
    stored.assert_each_receipt_is_sealed_once()
    stored.assert_each_seal_is_the_only_one()
    assert_nothing_is_sent_twice(site)
    return stored


def test_twenty_kills_lose_nothing_and_send_nothing_twice() -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    unknown, sending, boots = set[int](), set[int](), 0
    with ExitStack() as stack:
        site = stack.enter_context(
            Site.open(
                {"movistar": {**FAULTS, "seed": 11}, "orange": {**FAULTS, "seed": 12}},
                settings="window = 40\nreconnect_s = [0.05, 0.2]",
                routes={"+34": ["movistar"], "+33": ["orange"]},
                gateway="[ledger]\ncheckpoint_every_entries = 400",
            )
        )
        submitter = stack.enter_context(Submitter(site.directory / "admin.sock", message))
        for kill in range(KILLS):
            submitter.allow(PER_LIFE)
            daemon = site.serve()
            if kill % 4 < 3:
                daemon.ready(bound=False)
            # This is the random instant, not a way to wait for something.
            time.sleep(chance.random() * (LIFE_S if kill % 4 < 3 else START_S))
            acknowledged = dict(submitter.acknowledged)
            daemon.kill()
            stored = look(site, acknowledged)
            if stored.boots() > boots:
                # What was being sent when the last one died is unknown, and stays so.
                unknown |= sending
            assert {stored.segments[each].outcome for each in unknown} <= {"unknown"}
            sending, boots = stored.sending(), stored.boots()
            print(f"kill {kill}: {len(acknowledged)} acknowledged, {len(unknown)} left unknown")
        daemon = site.serve().ready()
        unknown |= sending
        submitter.finish()
        assert submitter.wrong == []
        expected = sum(len(outcome_of(line["dest"]).reports) for line in accepted_by(site))
        wait_until(lambda: acknowledged_to(site).total() >= expected, "every receipt is taken")
        daemon.wait_for(
            lambda status: not any(status["queues"][s] for s in ("queued", "sending", "accepted")),
            "nothing is under way",
        )
        finish(site, submitter.acknowledged, unknown)
        daemon.stop()
        counts = [simulator.stop() for simulator in site.simulators.values()]
        assert [each["duplicates"] for each in counts] == [0, 0]
        assert [each["receipts_waiting"] for each in counts] == [0, 0]
        ran = site.acuse("ledger", "verify", "--json")
        assert (ran.code, broken_checks(ran.json())) == (4, {"policy", "timestamp"})
        stored = look(site, submitter.acknowledged)
        assert len(stored.submissions) == len(submitter.acknowledged) == KILLS * PER_LIFE
        check_the_end(site, stored, unknown)


def finish(site: Site, acknowledged: dict[str, str], unknown: Iterable[int]) -> None:
    """Proofs of some submissions, of each that a crash touched among them, pass both verifiers."""
    stored = Stored.read(site.data)
    touched = sorted({stored.segments[each].submission_id for each in unknown})[:6]
    with site.admin() as admin:
        vkey = admin.call("ledger.head", {})["vkey"]
        for submission_id in [*touched, *sorted(acknowledged.values())[:: KILLS * PER_LIFE // 6]]:
            bundle = admin.call("bundle", {"submission_id": submission_id, "redact": []})["bundle"]
            code, line = judge(bundle, vkey)
            assert code == 4, line


def check_the_end(site: Site, stored: Stored, unknown: set[int]) -> None:
    """Everything has an end: final, or unknown because a crash fell between sending and answer."""
    assert unknown, "no kill fell between sending and answer: choose another seed"
    touched = {stored.segments[each].submission_id for each in unknown}
    for submission in stored.submissions.values():
        assert submission.state in FINAL or submission.submission_id in touched, submission
    outcomes = Counter((e["mid"], e["ev"]) for e in stored.entries if "mid" in e)
    for segment_id in unknown:
        segment = stored.segments[segment_id]
        assert segment.outcome == "unknown"
        assert outcomes[segment.submission_id, "x.OutcomeUnknown"] >= 1
    # An orphan at the end is the receipt of a message whose answer was lost with a process, and
    # that recipient and time did not single out.
    known = {(each.operator, each.message_id) for each in stored.segments.values()}
    taken = {
        (name, line["message_id"])
        for name, simulator in site.simulators.items()
        for line in simulator.journal("accepted")
    }
    orphans = {(r.operator, r.message_id) for r in stored.receipts if r.submission_id is None}
    assert orphans <= taken - known
    assert len(orphans) <= len(unknown)

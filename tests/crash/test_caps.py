"""SIGKILL at random instants while many promotions press on a cap: no place is given twice."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from typing import Any, Final

from tests.support.process import Site
from tests.support.ruled import command
from tests.support.spent import (
    MOST,
    arrived,
    assert_nobody_overspent,
    assert_the_rest_waits_exactly,
    held,
    taken,
    three_a_day,
)
from tests.support.submitter import Submitter

SEED: Final = 20_261_122
KILLS: Final = 6
PER_LIFE: Final = 150
RECIPIENTS: Final = 120
LIFE_S: Final = 0.25
FAULTS: Final = {"response_delay_s": 0.05, "receipt_delay_max_s": 0.1, "seed": 5}


def message(number: int) -> dict[str, Any]:
    """A promotion to one of few."""
    return {
        "to": f"+34600111{100 + number * 7 % RECIPIENTS}",
        "text": f"Oferta {number}",
        "category": "promotional",
        "ref": f"p{number}",
    }


def test_no_kill_ever_lets_one_too_many_through() -> None:
    chance = random.Random(SEED)
    with ExitStack() as stack:
        site = stack.enter_context(
            Site.open({"movistar": FAULTS}, settings="window = 20\nreconnect_s = [0.05, 0.2]")
        )
        packs = three_a_day(site.directory)
        submitter = stack.enter_context(Submitter(site.directory / "admin.sock", message))
        for _ in range(KILLS):
            submitter.allow(PER_LIFE)
            daemon = site.serve(command(site, packs)).ready(bound=False)
            # This is the random instant, not a way to wait for something.
            time.sleep(chance.random() * LIFE_S)
            daemon.kill()
            assert_nobody_overspent(site)
        daemon = site.serve(command(site, packs)).ready()
        submitter.finish()
        assert submitter.wrong == []
        status = daemon.wait_for(
            lambda status: not any(status["queues"][s] for s in ("queued", "sending", "accepted")),
            "everything is sent or held",
        )
        assert_nobody_overspent(site)
        assert_the_rest_waits_exactly(site)
        # Every recipient has all places taken, and every message has one or waits for one.
        places = taken(site)
        assert {len(each) for each in places.values()} == {MOST}
        assert len(places) == RECIPIENTS
        assert sum(map(len, places.values())) + len(held(site)) == KILLS * PER_LIFE
        # What a kill cut off between sending and answer is unknown and counts as used.
        lost = sum(map(len, places.values())) - arrived(site).total()
        assert 0 <= lost <= status["queues"]["unknown"]
        daemon.stop()

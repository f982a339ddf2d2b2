"""One cap, many who try: processes, sessions and operators at once never send one too many."""

from __future__ import annotations

import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.process import ACUSE, PATIENCE_S, Site, environment
from tests.support.ruled import command
from tests.support.spent import (
    MOST,
    arrived,
    assert_nobody_overspent,
    assert_the_rest_waits_exactly,
    held,
    three_a_day,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROCESSES: Final = 4
#: Messages of each process to each recipient.
EACH: Final = 6
#: The last is refused once for now by its operator, and counts once all the same.
RECIPIENTS: Final = (*(f"+34600111{number}" for number in range(201, 208)), "+34600111914")
FAULTS: Final = {
    "early": 0.1,
    "reorder": 0.2,
    "response_delay_s": 0.02,
    "receipt_delay_max_s": 0.1,
    "throttle": 0.01,
}


@pytest.fixture
def site() -> Iterator[Site]:
    """Two operators with two sessions each, that share the load."""
    with Site.open(
        {"movistar": {**FAULTS, "seed": 3}, "vodafone": {**FAULTS, "seed": 4}},
        settings="window = 20\nsessions = 2",
    ) as opened:
        text = opened.config.read_text()
        route = 'operators = ["movistar", "vodafone"]'
        opened.config.write_text(text.replace(route, route + '\nstrategy = "balance"'))
        yield opened


def batch(site: Site, number: int) -> Path:
    """A file of promotions, to each recipient the same many."""
    path = site.directory / f"batch{number}.csv"
    rows = [f"{to},promotional,Oferta {number}-{n}" for n in range(EACH) for to in RECIPIENTS]
    path.write_text("to,category,text\n" + "\n".join(rows) + "\n")
    return path


def test_processes_that_hammer_one_cap_over_many_sessions_never_overspend_it(site: Site) -> None:
    daemon = site.serve(command(site, three_a_day(site.directory))).ready()
    env = environment(ACUSE_CONFIG=str(site.config))
    children = [
        subprocess.Popen(
            [*ACUSE, "submit", "--batch", str(batch(site, number)), "--json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=env,
        )
        for number in range(PROCESSES)
    ]
    try:
        assert [child.wait(PATIENCE_S) for child in children] == [0] * PROCESSES
    finally:
        for child in children:
            child.kill()
            child.wait()
    daemon.wait_for(
        lambda status: not any(status["queues"][s] for s in ("queued", "sending", "accepted")),
        "everything is sent or held",
    )
    numbers = [to[1:] for to in RECIPIENTS]
    assert arrived(site) == dict.fromkeys(numbers, MOST)
    assert_nobody_overspent(site)
    waiting = Counter(person for person, _ in held(site))
    assert set(waiting.values()) == {PROCESSES * EACH - MOST}
    assert len(waiting) == len(RECIPIENTS)
    assert_the_rest_waits_exactly(site)
    # The operators shared them: one session alone would prove little.
    journals = [each.journal("accepted") for each in site.simulators.values()]
    assert all(journals)
    shown = site.acuse("messages", "list", "--state", "held", "--limit", "1", "--json").json()
    assert shown["due_at"].endswith("Z")
    daemon.stop()


def test_one_daemon_at_a_time_has_a_data_directory_by_whatever_path(site: Site) -> None:
    packs = three_a_day(site.directory)
    first = site.serve(command(site, packs)).ready()
    (site.directory / "alias").symlink_to(site.data)
    other = site.directory / "other.toml"
    text = site.config.read_text()
    other.write_text(
        text.replace(f"{site.directory}/data", f"{site.directory}/alias").replace(
            "admin.sock", "other.sock"
        )
    )
    other.chmod(0o600)
    for path in (site.config, other):
        second = site.acuse("serve", "--config", str(path))
        assert second.code == 75
        assert f"process {first.pid}" in second.err
    (site.data / "lock").unlink()
    third = site.acuse("serve", "--config", str(other))
    assert third.code == 75
    assert "another acuse serve" in third.err
    with site.admin() as admin:
        request = {"to": "+34600111201", "text": "Oferta", "category": "promotional"}
        for _ in range(MOST + 1):
            admin.call("submit", request)
    first.wait_for(lambda status: status["queues"]["held"] == 1, "the fourth is held")
    first.kill()
    again = site.serve(command(site, packs)).ready()
    assert again.pid != first.pid
    with site.admin() as admin:
        answer = admin.call("submit", request)
    assert answer["state"] == "held"
    assert_the_rest_waits_exactly(site)
    assert_nobody_overspent(site)
    again.stop()

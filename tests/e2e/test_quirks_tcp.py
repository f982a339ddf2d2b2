"""Some of the habits again with the real processes on TCP, where octets are cut as they come."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.process import Site, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Last digits → the habit they force and the events that follow.
HABITS: dict[str, tuple[str, list[str]]] = {
    "201": ("receipt-before-response", ["A.1", "F.1", "E.1", "S.1"]),
    "202": ("tlv-only", ["A.1", "F.1", "E.1", "S.1"]),
    "203": ("bad-length", ["A.1", "F.1", "E.1", "S.1"]),
    "204": ("foreign-tlvs", ["A.1", "F.1", "E.1", "S.1"]),
    "205": ("data-sm-receipt", ["A.1", "F.1", "E.1", "S.1"]),
    "206": ("unknown-command", ["A.1", "F.1", "E.1", "S.1"]),
    "207": ("throttle", ["A.1", "x.Attempt", "F.1", "E.1", "S.1"]),
    "208": ("half-open", ["A.1", "F.1", "E.1", "S.1"]),
}
#: Short waits: a real clock runs here.
SETTINGS = """
reconnect_s = [0.1, 0.2]
enquire_link_s = 0.3
response_timeout_s = 1
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    behaviour = ",".join(f"{name}@{digits}" for digits, (name, _) in HABITS.items())
    with ExitStack() as stack:
        site = stack.enter_context(
            Site.open(
                {"movistar": {"behaviour": f"odd-sequences,{behaviour}", "seed": 3}},
                settings=SETTINGS,
            )
        )
        site.serve().ready()
        yield site
        site.daemons[0].stop()
        counts = site.simulators["movistar"].stop()
        assert counts["duplicates"] == 0


@pytest.mark.parametrize("digits", HABITS)
def test_the_process_meets_the_habit_on_tcp(site: Site, digits: str) -> None:
    site.daemons[0].ready()
    shown: dict[str, Any] = {}
    with site.admin() as admin:
        answer = admin.call(
            "submit",
            {"to": f"+34600111{digits}", "text": f"Aviso {digits}", "category": "legal_notice"},
        )

        def is_final() -> bool:
            args = {"submission_id": answer["submission_id"]}
            shown.update(admin.call("receipts.show", args))
            return shown["seal"] is not None

        wait_until(is_final, "the message is sealed")
    assert shown["state"] == "delivered"
    assert [event["event"] for event in shown["events"]] == HABITS[digits][1]
    assert site.daemons[0].running()

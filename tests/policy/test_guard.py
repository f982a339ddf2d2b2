"""The last moments before quiet hours, and until when what left may arrive."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from gateway.policy.calendar import Openings
from gateway.policy.decide import Decision, Facts, Message, decide
from gateway.policy.loader import load_rulebook
from gateway.policy.request import brand_windows
from tests.policy.samples import at, pack, rule, seconds, write_packs

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook

PARIS = "+33639981234"  # promotions: Monday to Saturday, 08:00 to 22:00, that is 07:00Z to 21:00Z


def guarded(book: Rulebook, now: str, category: Any = "promotional", **more: Any) -> Decision:
    guard_s = more.pop("guard_s", 120)
    message = Message(PARIS, category, **more)
    return decide(book, message, Facts(), at(now), frozenset({"windows"}), guard_s)


def test_within_the_guard_before_closing_a_promotion_is_held_to_the_next_opening(
    law: Rulebook,
) -> None:
    before = guarded(law, "2026-11-24T20:57:59Z")
    assert (before.action, before.released_until_s) == ("release", seconds("2026-11-24T20:58:00Z"))
    within = guarded(law, "2026-11-24T20:58:00Z")
    assert (within.action, within.reason, within.rules) == ("hold", "quiet_hours", ["FR-QH"])
    assert within.until_text() == "2026-11-25T07:00:00Z"
    assert guarded(law, "2026-11-25T07:00:00Z").action == "release"


def test_explain_is_exact_it_knows_no_guard_unless_told(law: Rulebook) -> None:
    assert guarded(law, "2026-11-24T20:59:59Z", guard_s=0).action == "release"
    assert guarded(law, "2026-11-24T21:00:00Z", guard_s=0).action == "hold"


@pytest.mark.parametrize("category", ["cart_reminder", "debt_claim", "promotional"])
def test_the_guard_is_for_what_must_arrive_within_hours(category: str, book: Rulebook) -> None:
    evening = brand_windows([{"open": "08:00", "close": "18:00"}])  # 17:00Z
    now = "2026-11-24T16:59:00Z"
    assert guarded(book, now, category, windows=evening).action == "hold"
    for other in ("transactional", "otp", "legal_notice"):
        assert guarded(book, now, other, windows=evening).action == "release"


def test_an_opening_hardly_longer_than_the_guard_is_used_whole(law: Rulebook) -> None:
    brief = brand_windows([{"open": "10:00", "close": "10:03"}])
    now = "2026-11-24T09:02:59Z"
    assert guarded(law, now, windows=brief, guard_s=120).action == "release"
    assert guarded(law, now, windows=brief, guard_s=90).action == "hold"


def test_a_message_that_is_valid_only_within_the_guard_is_refused_at_once(law: Rulebook) -> None:
    decision = guarded(law, "2026-11-24T20:58:30Z", valid_until=at("2026-11-24T21:30:00Z"))
    assert (decision.action, decision.reason) == ("refuse", "expired_before_window")


def test_before_the_last_opening_there_is_there_is_no_guard(tmp_path: Path) -> None:
    closing = rule("FR-LAST", open='"00:00"', close='"24:00"', expires="2100-01-01")
    never = rule("FR-NEVER", effective="2026-11-25", open='"02:00"', close='"02:01"')
    other = rule("FR-OTHER", effective="2026-11-25", open='"03:00"', close='"03:01"')
    packs = write_packs(tmp_path, FR=pack("FR", closing, never, other))
    book = load_rulebook([packs], "law")
    # From the 25th on two rules never open together; the 24th ends at 23:00Z.
    assert guarded(book, "2026-11-24T22:59:30Z").action == "release"
    assert guarded(book, "2026-11-24T23:00:00Z").action == "refuse"


def test_what_left_may_arrive_until_the_hours_end_and_a_notice_whenever(law: Rulebook) -> None:
    noon = "2026-11-24T12:00:00Z"
    assert guarded(law, noon).arrive_until_s == seconds("2026-11-24T21:00:00Z")
    assert guarded(law, noon, "legal_notice").arrive_until_s == math.inf
    madrid = decide(law, Message("+34600111222"), Facts(), at(noon), frozenset({"windows"}))
    assert madrid.arrive_until_s == math.inf  # no hours are kept there
    unchecked = decide(law, Message(PARIS), Facts(), at(noon), frozenset({"caps"}))
    assert unchecked.arrive_until_s == math.inf
    held = guarded(law, "2026-11-24T22:00:00Z")
    assert held.arrive_until_s == held.at_s


def test_the_interval_around_an_instant() -> None:
    openings = Openings(((10, 20), (30, 40)))
    assert [openings.around(at) for at in (9, 10, 19.9, 20, 29, 30, 40)] == [
        None, (10, 20), (10, 20), None, None, (30, 40), None,
    ]  # fmt: skip

"""How often: exact counts over every instant, and the first instant at which one more may go."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError, DataError
from gateway.policy import caps
from gateway.policy.decide import Decision, Facts, Message, decide
from gateway.policy.explain import explain
from gateway.policy.facts import Sent
from gateway.policy.loader import load_rulebook
from gateway.policy.request import brand_windows
from gateway.policy.rules import CapRule
from tests.policy.samples import ask, at, limit, pack, rule, seconds, write_packs

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook

H, D = 3600, 86_400
NOON = seconds("2026-11-24T12:00:00Z")
MADRILENO = "+34910000000"


def cap(kind: Any = "rolling", most: int = 3, **changes: Any) -> CapRule:
    """A rule about promotions: 3 in 24 hours, unless changed."""
    values: dict[str, Any] = {
        "id": "TEST-CAP",
        "jurisdiction": "ES",
        "layer": "law",
        "profile": "law",
        "applies": frozenset({"promotional"}),
        "effective": date(2000, 1, 1),
        "expires": None,
        "cite": "a law",
        "url": "https://example.org/law",
        "confidence": "high",
        "reviewed": date(2026, 11, 21),
        "on_violation": "hold",
        "kind": kind,
        "most": most,
        "period_s": D if kind == "rolling" else 0,
        "zone": "America/Bogota" if kind.startswith("calendar") else "",
    }
    return CapRule(**(values | changes))


def sent(*instants: str | float, **more: Any) -> tuple[Sent, ...]:
    at_s = (float(seconds(each)) if isinstance(each, str) else each for each in instants)
    return tuple(Sent(each, **({"category": "promotional"} | more)) for each in at_s)


def free(rule: CapRule, now: str | float, *history: Sent, **message: Any) -> str | None:
    """When the rule lets a message go that is asked about at *now*."""
    asked = Message(MADRILENO, **message)
    at_s = float(seconds(now)) if isinstance(now, str) else now
    found = caps.free_at(rule, asked, caps.stamps(rule, asked, history), at_s)
    if found is None:
        return None
    return datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(rule: CapRule, now: str, *history: Sent, **message: Any) -> int:
    asked = Message(MADRILENO, **message)
    return caps.count(rule, asked, caps.stamps(rule, asked, history), seconds(now)).counted


# --- rolling periods ------------------------------------------------------------------------------


def test_the_fourth_of_a_day_waits_until_the_first_is_exactly_24_hours_old() -> None:
    history = sent("2026-11-24T08:00:01Z", "2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z")
    assert free(cap(), "2026-11-24T12:00:00Z", *history[:2]) == "2026-11-24T12:00:00Z"
    assert free(cap(), "2026-11-24T12:00:00Z", *history) == "2026-11-25T08:00:01Z"
    assert free(cap(), "2026-11-25T08:00:00Z", *history) == "2026-11-25T08:00:01Z"
    assert free(cap(), "2026-11-25T08:00:01Z", *history) == "2026-11-25T08:00:01Z"
    assert counted(cap(), "2026-11-25T08:00:00Z", *history) == 3
    assert counted(cap(), "2026-11-25T08:00:01Z", *history) == 2


def test_a_day_is_24_hours_that_pass_not_a_day_of_the_wall_clock_where_clocks_go_forward() -> None:
    # 19:30 in New York on the eve of the change: a day later on the wall is only 23 hours later.
    eve = datetime(2027, 3, 13, 19, 30, tzinfo=ZoneInfo("America/New_York"))
    history = sent(eve.timestamp())
    by_the_wall = (eve + timedelta(hours=24)).timestamp()
    assert by_the_wall - eve.timestamp() == 23 * H
    found = free(cap(most=1), by_the_wall, *history)
    assert found == "2027-03-15T00:30:00Z"
    assert datetime.fromisoformat(found).timestamp() - eve.timestamp() == 24 * H


def test_an_instant_between_two_seconds_is_kept_exactly() -> None:
    history = sent(NOON + 0.25)
    one = cap(most=1)
    assert caps.free_at(one, Message(MADRILENO), [NOON + 0.25], NOON) == NOON + 0.25 + D
    assert free(one, NOON + D + 0.25, *history) == "2026-11-25T12:00:00Z"


def test_more_than_the_cap_allows_were_sent_all_the_same_and_all_must_age() -> None:
    history = sent(*(NOON + minute * 60.0 for minute in range(5)))
    # Five where three may be: the place that becomes free is that of the third, not of the first.
    assert free(cap(), NOON + 600.0, *history) == "2026-11-25T12:02:00Z"


def test_what_is_planned_for_later_counts_too() -> None:
    assert free(cap(most=1), NOON, *sent(NOON + 3.0 * H)) == "2026-11-25T15:00:00Z"


# --- calendar days and weeks ----------------------------------------------------------------------

BOGOTA = cap("calendar_day", 1, applies=frozenset({"promotional", "debt_claim"}))
SANTIAGO = cap("calendar_day", 1, zone="America/Santiago")
CHILE = cap(
    "calendar_week",
    2,
    zone="America/Santiago",
    min_gap_s=2 * D,
    applies=frozenset({"debt_claim"}),
)


def test_a_day_in_bogota_ends_at_midnight_there_and_not_in_utc() -> None:
    late = sent("2026-11-25T04:59:59Z")  # 24 November, 23:59:59 in Bogotá
    assert free(BOGOTA, "2026-11-25T04:59:59Z", *late) == "2026-11-25T05:00:00Z"
    assert counted(BOGOTA, "2026-11-25T05:00:00Z", *late) == 0
    assert free(BOGOTA, "2026-11-25T05:00:00Z", *late) == "2026-11-25T05:00:00Z"


def test_a_promotion_and_a_claim_share_the_one_contact_of_a_colombian_day() -> None:
    claim = sent("2026-11-24T13:00:00Z", category="debt_claim")
    assert free(BOGOTA, "2026-11-24T15:00:00Z", *claim) == "2026-11-25T05:00:00Z"
    notice = sent("2026-11-24T13:00:00Z", category="legal_notice")
    assert free(BOGOTA, "2026-11-24T15:00:00Z", *notice) == "2026-11-24T15:00:00Z"


def test_where_the_clock_skips_midnight_the_day_begins_at_the_first_instant_after_the_gap() -> None:
    # Santiago, 6 September 2026: 00:00 does not exist, 24:00 of the 5th is 01:00 of the 6th.
    eve = sent("2026-09-06T03:59:00Z")
    assert free(SANTIAGO, "2026-09-06T03:59:30Z", *eve) == "2026-09-06T04:00:00Z"
    first = sent("2026-09-06T04:00:00Z")
    assert counted(SANTIAGO, "2026-09-06T20:00:00Z", *first) == 1
    assert free(SANTIAGO, "2026-09-06T20:00:00Z", *first) == "2026-09-07T03:00:00Z"  # 23 hours


def test_the_hour_before_midnight_that_comes_twice_is_of_one_day() -> None:
    # Santiago, 4 April 2026: 23:00 to 24:00 comes twice, so the day has 25 hours.
    first = sent("2026-04-04T03:00:00Z")
    assert free(SANTIAGO, "2026-04-05T02:30:00Z", *first) == "2026-04-05T04:00:00Z"
    assert free(SANTIAGO, "2026-04-05T03:30:00Z", *first) == "2026-04-05T04:00:00Z"


def test_a_midnight_that_comes_twice_begins_one_day_only() -> None:
    # Havana, 3 November 2024: at 01:00 the clock goes back to 00:00.
    havana = cap("calendar_day", 1, zone="America/Havana")
    first = sent("2024-11-03T04:30:00Z")  # 00:30, the first time
    assert free(havana, "2024-11-03T05:30:00Z", *first) == "2024-11-04T05:00:00Z"


def test_a_week_begins_on_monday_at_local_midnight() -> None:
    sunday = sent("2026-11-23T02:59:59Z", category="debt_claim")  # Sunday 23:59:59 in Santiago
    weekly = cap("calendar_week", 1, zone="America/Santiago", applies=frozenset({"debt_claim"}))
    assert free(weekly, "2026-11-23T02:59:59Z", *sunday) == "2026-11-23T03:00:00Z"
    monday = sent("2026-11-23T03:00:00Z", category="debt_claim")
    assert free(weekly, "2026-11-29T12:00:00Z", *monday) == "2026-11-30T03:00:00Z"


def test_chile_allows_two_claims_a_week_and_two_days_between_them() -> None:
    monday = sent("2026-11-23T13:00:00Z", category="debt_claim")
    assert free(CHILE, "2026-11-24T13:00:00Z", *monday) == "2026-11-25T13:00:00Z"
    assert free(CHILE, "2026-11-25T13:00:00Z", *monday) == "2026-11-25T13:00:00Z"
    both = (*monday, *sent("2026-11-25T13:00:00Z", category="debt_claim"))
    assert free(CHILE, "2026-11-27T13:00:00Z", *both) == "2026-11-30T03:00:00Z"


def test_the_gap_holds_over_the_end_of_the_week_too() -> None:
    sunday = sent("2026-11-29T15:00:00Z", category="debt_claim")
    assert free(CHILE, "2026-11-30T12:00:00Z", *sunday) == "2026-12-01T15:00:00Z"


# --- what counts ----------------------------------------------------------------------------------


def test_campaigns_count_apart_only_where_both_are_known() -> None:
    one = cap(most=1, by_campaign=True)
    summer, winter, unknown = (
        sent("2026-11-24T11:00:00Z", campaign=name) for name in ("summer", "winter", "")
    )
    noon, later = "2026-11-24T12:00:00Z", "2026-11-25T11:00:00Z"
    assert free(one, noon, *summer, campaign="winter") == noon
    assert free(one, noon, *winter, campaign="winter") == later
    assert free(one, noon, *unknown, campaign="winter") == later
    assert free(one, noon, *summer) == later
    assert free(cap(most=1), noon, *summer, campaign="winter") == later  # counts per person


def test_a_failed_delivery_gives_the_place_back_only_where_contacts_count() -> None:
    noon, later = "2026-11-24T12:00:00Z", "2026-11-25T11:00:00Z"
    contacts = cap(most=1, count_on="delivered_or_unknown")
    for outcome in ("accepted", "delivered", "unknown", "undelivered"):
        history = sent("2026-11-24T11:00:00Z", outcome=outcome)
        assert free(cap(most=1), noon, *history) == later
        assert free(contacts, noon, *history) == (noon if outcome == "undelivered" else later)


# --- carts ----------------------------------------------------------------------------------------

CART = cap("cart", 1, applies=frozenset({"cart_reminder"}), on_violation="refuse")


def reminder(now: str, *history: str, abandoned: str | None) -> str | None:
    return free(
        CART,
        now,
        *sent(*history, category="cart_reminder"),
        category="cart_reminder",
        cart_abandoned_at=None if abandoned is None else at(abandoned),
    )


def test_a_cart_is_reminded_of_once_since_it_was_abandoned() -> None:
    noon = "2026-11-24T12:00:00Z"
    assert reminder(noon, abandoned="2026-11-24T10:00:00Z") == noon
    before = "2026-11-24T09:59:59Z"  # about another cart
    assert reminder(noon, before, abandoned="2026-11-24T10:00:00Z") == noon
    for after in ("2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z"):
        assert reminder(noon, after, abandoned="2026-11-24T10:00:00Z") is None


def test_without_its_instant_a_cart_is_any_of_the_last_two_days() -> None:
    noon = "2026-11-24T12:00:00Z"
    assert reminder(noon, "2026-11-22T12:00:00Z", abandoned=None) is None
    assert reminder(noon, "2026-11-22T11:59:59Z", abandoned=None) == noon


def test_a_cart_older_than_the_log_reaches_gets_no_reminder_for_nobody_can_tell() -> None:
    noon = "2026-11-24T12:00:00Z"
    assert reminder(noon, abandoned="2026-10-25T12:00:00Z") == noon
    assert reminder(noon, abandoned="2026-10-25T11:59:59Z") is None


# --- against a scan of every second ---------------------------------------------------------------

ZONES = ("America/Bogota", "America/Santiago", "America/Havana", "Asia/Kathmandu")
#: Around both changes of the clock in Santiago and in Havana.
STARTS = tuple(
    seconds(f"{day}T00:00:00Z")
    for day in ("2026-11-22", "2026-09-05", "2026-04-03", "2024-11-02", "2024-03-09")
)
GRAIN_S = 1800


@st.composite
def limits(draw: st.DrawFn) -> CapRule:
    kind = draw(st.sampled_from(["rolling", "calendar_day", "calendar_week"]))
    return cap(
        kind,
        draw(st.integers(1, 3)),
        period_s=draw(st.integers(1, 96)) * GRAIN_S if kind == "rolling" else 0,
        zone=draw(st.sampled_from(ZONES)) if kind != "rolling" else "",
        min_gap_s=draw(st.sampled_from([0, 0, 4 * H, 2 * D])),
        by_campaign=draw(st.booleans()),
        count_on=draw(st.sampled_from(["submit", "delivered_or_unknown"])),
        on_violation=draw(st.sampled_from(["hold", "hold", "hold", "refuse", "warn"])),
    )


histories = st.lists(
    st.tuples(
        st.builds(
            lambda slot, off: slot * GRAIN_S + off,
            st.integers(0, 200),
            st.sampled_from([0, 0, 1, 0.5]),
        ),
        st.sampled_from(["promotional", "promotional", "debt_claim"]),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["accepted", "undelivered"]),
    ),
    max_size=8,
)


def allowed(rule: CapRule, message: Message, history: tuple[Sent, ...], at_s: float) -> bool:
    """The rule read aloud: everything is looked at again for each instant."""

    def local(instant_s: float) -> date:
        day = datetime.fromtimestamp(instant_s, ZoneInfo(rule.zone)).date()
        return day - timedelta(days=day.weekday()) if rule.kind == "calendar_week" else day

    count = 0
    for each in history:
        if each.category not in rule.applies:
            continue
        if rule.count_on == "delivered_or_unknown" and each.outcome == "undelivered":
            continue
        same = not message.campaign or not each.campaign or message.campaign == each.campaign
        if rule.by_campaign and not same:
            continue
        if rule.min_gap_s and at_s - each.at_s < rule.min_gap_s:
            return False
        if rule.kind == "rolling":
            count += at_s - each.at_s < rule.period_s
        else:
            count += local(each.at_s) >= local(at_s)
    return count < rule.most


@given(limits(), histories, st.sampled_from(STARTS), st.sampled_from(["", "a"]), st.data())
@settings(deadline=None, max_examples=150)
def test_the_free_instant_is_the_first_that_a_scan_of_the_instants_allows(
    rule: CapRule, log: list[Any], start_s: int, campaign: str, data: st.DataObject
) -> None:
    history = tuple(Sent(start_s + off, what, name, how) for off, what, name, how in log)
    now = start_s + data.draw(st.integers(0, 200)) * GRAIN_S
    message = Message(MADRILENO, campaign=campaign)
    stamps = caps.stamps(rule, message, history)
    found = caps.free_at(rule, message, stamps, now)
    assert found is not None
    # Nothing changes between these: the ends of periods, gaps and days are all among them.
    steps = {float(now), found, found - 0.25, found - 1}
    steps |= {now + step * 900.0 for step in range(int((found - now) // 900) + 1)}
    for instant in sorted(step for step in steps if now <= step <= found):
        assert allowed(rule, message, history, instant) == (instant == found)
    assert allowed(rule, message, history, found + data.draw(st.integers(0, 20 * D)))
    # The count that a decision keeps says the same (the gap apart).
    if not rule.min_gap_s:
        count = caps.count(rule, message, stamps, now).counted
        assert (count < rule.most) == (found == now)


def test_close_to_the_free_instant_every_single_second_is_shut() -> None:
    for each in (cap(most=2), BOGOTA, SANTIAGO):
        history = sent(*(seconds("2026-09-05T20:00:00Z") + n * 7.0 for n in range(4)))
        now = seconds("2026-09-05T21:00:00Z")
        message = Message(MADRILENO)
        found = caps.free_at(each, message, caps.stamps(each, message, history), now)
        assert found is not None
        scanned = (
            second for second in range(now, now + 2 * D) if allowed(each, message, history, second)
        )
        assert next(scanned) == found


# --- windows and caps together --------------------------------------------------------------------

WINDOW = rule("ES-QH")  # every day from 08:00 to 20:00


def loaded(directory: Path, *rules: str) -> Rulebook:
    return load_rulebook([write_packs(directory, ES=pack("ES", *rules))])


def judged(book: Rulebook, now: str, *history: Sent, **more: Any) -> Decision:
    return ask(book, MADRILENO, now, facts=Facts(history=history), **more)


def test_what_the_cap_frees_at_night_goes_when_the_window_opens(tmp_path: Path) -> None:
    book = loaded(tmp_path, WINDOW, limit(period='"10h"'))
    decision = judged(book, "2026-11-24T15:00:00Z", *sent("2026-11-24T14:00:00Z"))
    assert (decision.action, decision.reason) == ("hold", "cap")
    assert decision.until_text() == "2026-11-25T07:00:00Z"  # 08:00; the cap was free at midnight
    assert decision.rules == ["ES-CAP", "ES-QH"]


def test_what_the_window_lets_go_waits_on_for_the_cap(tmp_path: Path) -> None:
    book = loaded(tmp_path, WINDOW, limit())
    decision = judged(book, "2026-11-24T22:00:00Z", *sent("2026-11-24T14:30:00Z"))
    assert (decision.action, decision.reason) == ("hold", "quiet_hours")
    assert decision.until_text() == "2026-11-25T14:30:00Z"
    assert decision.rules == ["ES-QH", "ES-CAP"]


def test_a_cap_that_is_free_when_the_window_opens_is_not_to_blame(tmp_path: Path) -> None:
    book = loaded(tmp_path, WINDOW, limit(period='"10h"'))
    decision = judged(book, "2026-11-24T22:00:00Z", *sent("2026-11-24T14:00:00Z"))
    assert decision.until_text() == "2026-11-25T07:00:00Z"
    assert decision.rules == ["ES-QH"]


def test_every_cap_that_forbids_is_named_whatever_their_order(tmp_path: Path) -> None:
    one, other = limit("ES-A", period='"3h"'), limit("ES-B", period='"5h"')
    for number, rules in enumerate(((one, other), (other, one))):
        (tmp_path / str(number)).mkdir()
        book = loaded(tmp_path / str(number), *rules)
        decision = judged(book, "2026-11-24T12:00:00Z", *sent("2026-11-24T11:00:00Z"))
        assert decision.until_text() == "2026-11-24T16:00:00Z"
        assert set(decision.rules) == {"ES-A", "ES-B"}


def test_a_hold_ends_at_a_whole_second_never_before_the_place_is_free(tmp_path: Path) -> None:
    book = loaded(tmp_path, limit())
    history = sent(NOON - 1 + 0.001)
    decision = judged(book, "2026-11-24T12:00:00Z", *history)
    assert decision.until_text() == "2026-11-25T12:00:00Z"
    assert judged(book, "2026-11-25T12:00:00Z", *history).action == "release"
    assert judged(book, "2026-11-25T11:59:59Z", *history).action == "hold"


@pytest.mark.parametrize("end", ["2026-11-25T11:00:00Z", "2026-11-24T20:00:00Z"])
def test_a_place_that_is_free_only_when_the_message_is_stale_refuses_it_at_once(
    tmp_path: Path, end: str
) -> None:
    book = loaded(tmp_path, limit())
    history = sent("2026-11-24T11:00:00Z")
    decision = judged(book, "2026-11-24T12:00:00Z", *history, valid_until=at(end))
    assert (decision.action, decision.reason) == ("refuse", "expired_before_window")
    assert decision.rules == ["ES-CAP"]
    later = at("2026-11-25T11:00:01Z")
    assert judged(book, "2026-11-24T12:00:00Z", *history, valid_until=later).action == "hold"


def test_a_place_that_is_free_after_the_deadline_of_a_cart_refuses_its_reminder(
    tmp_path: Path,
) -> None:
    deadline = limit("ES-LATE", applies='["cart_reminder"]').replace("[[cap]]", "[[deadline]]")
    deadline = "\n".join(
        line for line in deadline.splitlines() if not line.startswith(("kind", "most"))
    ).replace("period", "within")
    book = loaded(tmp_path, limit(applies='["promotional", "cart_reminder"]'), deadline + "\n")
    more = {"category": "cart_reminder", "cart_abandoned_at": at("2026-11-24T10:00:00Z")}
    refused = judged(book, "2026-11-24T12:00:00Z", *sent("2026-11-24T11:00:00Z"), **more)
    assert (refused.reason, refused.rules) == ("expired_before_window", ["ES-CAP", "ES-LATE"])
    held = judged(book, "2026-11-24T12:00:00Z", *sent("2026-11-24T09:00:00Z"), **more)
    assert held.until_text() == "2026-11-25T09:00:00Z"


def test_a_cap_that_refuses_does_not_wait_for_a_place(tmp_path: Path) -> None:
    book = loaded(tmp_path, limit(on_violation='"refuse"'))
    decision = judged(book, "2026-11-24T12:00:00Z", *sent("2026-11-24T11:00:00Z"))
    assert (decision.action, decision.reason, decision.rules) == ("refuse", "cap", ["ES-CAP"])
    assert decision.until is None


def test_a_cap_that_refuses_is_about_the_instant_at_which_the_others_let_go(
    tmp_path: Path,
) -> None:
    one, other = limit("ES-A", period='"3h"', on_violation='"refuse"'), limit("ES-B", period='"5h"')
    for number, rules in enumerate(((one, other), (other, one))):
        (tmp_path / str(number)).mkdir()
        book = loaded(tmp_path / str(number), *rules)
        decision = judged(book, "2026-11-24T12:00:00Z", *sent("2026-11-24T11:00:00Z"))
        assert (decision.action, decision.rules) == ("hold", ["ES-B"])


def test_a_cart_already_reminded_of_is_refused_also_by_a_rule_that_would_hold(
    tmp_path: Path,
) -> None:
    for number, action in enumerate(('"refuse"', '"hold"')):
        (tmp_path / str(number)).mkdir()
        book = loaded(
            tmp_path / str(number),
            limit(applies='["cart_reminder"]', kind='"cart"', period="", on_violation=action),
        )
        history = sent("2026-11-24T11:00:00Z", category="cart_reminder")
        more = {"category": "cart_reminder", "cart_abandoned_at": at("2026-11-24T10:00:00Z")}
        decision = judged(book, "2026-11-24T12:00:00Z", *history, **more)
        assert (decision.action, decision.reason, decision.rules) == ("refuse", "cap", ["ES-CAP"])
        assert judged(book, "2026-11-24T12:00:00Z", **more).action == "release"


@pytest.mark.parametrize("change", [{"on_violation": '"warn"'}, {"confidence": '"low"'}])
def test_a_cap_that_only_warns_lets_go_and_says_so_at_the_one_too_many(
    tmp_path: Path, change: dict[str, str]
) -> None:
    book = loaded(tmp_path, limit(most="2", **change))
    first = judged(book, "2026-11-24T12:00:00Z", *sent("2026-11-24T11:00:00Z"))
    assert (first.action, first.warnings) == ("release", ())
    history = sent("2026-11-24T11:00:00Z", "2026-11-24T11:30:00Z")
    third = judged(book, "2026-11-24T12:00:00Z", *history)
    assert (third.action, third.rules) == ("release", [])
    assert third.warnings == ("ES-CAP: it would be one too many (a law)",)


def test_a_decision_keeps_what_every_cap_counted_and_since_when(tmp_path: Path) -> None:
    day = limit("ES-DAY", kind='"calendar_day"', zone='"America/Bogota"', period="", most="9")
    book = loaded(tmp_path, limit(most="3"), day, limit("ES-WARN", on_violation='"warn"'))
    history = sent("2026-11-24T11:00:00Z", "2026-11-24T04:00:00Z")
    decision = judged(book, "2026-11-24T12:00:00Z", *history)
    expected = [
        {"rule": "ES-CAP", "counted": 2, "most": 3, "since": "2026-11-23T12:00:00Z"},
        {"rule": "ES-DAY", "counted": 1, "most": 9, "since": "2026-11-24T05:00:00Z"},
        {"rule": "ES-WARN", "counted": 2, "most": 1, "since": "2026-11-23T12:00:00Z"},
    ]
    assert decision.as_json()["caps"] == expected
    assert decision.as_entry()["caps"] == expected


def test_caps_are_judged_only_when_asked_for_and_only_in_force(tmp_path: Path) -> None:
    history = sent("2026-11-24T11:00:00Z")
    book = loaded(tmp_path, limit())
    without = judged(book, "2026-11-24T12:00:00Z", *history, checks=["windows"])
    assert (without.action, without.caps) == ("release", ())
    (tmp_path / "2").mkdir()
    lapsed = loaded(tmp_path / "2", limit(expires="2026-11-24"))
    assert judged(lapsed, "2026-11-24T12:00:00Z", *history).caps == ()
    assert judged(lapsed, "2026-11-23T12:00:00Z", *history).caps != ()


def test_a_release_holds_no_longer_than_the_day_for_rules_begin_and_lapse_with_it(
    tmp_path: Path,
) -> None:
    book = loaded(tmp_path, limit(effective="2026-11-25"))
    decision = judged(book, "2026-11-24T23:59:00Z", *sent("2026-11-24T22:00:00Z"))
    assert decision.action == "release"
    assert decision.released_until_s == seconds("2026-11-25T00:00:00Z")
    assert judged(book, "2026-11-25T00:00:00Z", *sent("2026-11-24T22:00:00Z")).action == "hold"


def test_a_cap_that_reaches_further_than_the_computed_windows_still_ends_inside_one(
    tmp_path: Path,
) -> None:
    book = loaded(tmp_path, WINDOW, limit(period='"60d"'))
    decision = judged(book, "2026-11-24T12:00:00Z", *sent("2026-11-23T23:00:00Z"))
    assert (decision.action, decision.reason) == ("hold", "cap")
    assert decision.until_text() == "2027-01-23T07:00:00Z"
    assert judged(book, "2027-01-23T07:00:00Z", *sent("2026-11-23T23:00:00Z")).action == "release"


def test_hours_in_which_nothing_may_wait_refuse_what_a_cap_would_free_in_them(
    tmp_path: Path,
) -> None:
    book = loaded(tmp_path, rule("ES-QH", on_violation='"refuse"'), limit(period='"10h"'))
    decision = judged(book, "2026-11-24T15:00:00Z", *sent("2026-11-24T14:00:00Z"))
    assert (decision.action, decision.reason, decision.rules) == (
        *("refuse", "quiet_hours"),
        ["ES-QH"],
    )


@given(limits(), limits(), histories, st.integers(0, 96), st.sampled_from([8, 12, 23]))
@settings(deadline=None, max_examples=60)
def test_windows_and_caps_agree_on_the_first_minute_a_scan_allows(
    one: CapRule, other: CapRule, log: list[Any], slot: int, opens: int
) -> None:
    caps_of_it = tuple(
        _named(rule, f"ES-{number}") for number, rule in enumerate((one, other), start=1)
    )
    book = _book_with(caps_of_it)
    start_s = STARTS[0]
    history = tuple(Sent(start_s + int(off), what, name, how) for off, what, name, how in log)
    now_s = start_s + slot * GRAIN_S
    hours = brand_windows([{"open": f"{opens:02d}:00", "close": f"{(opens + 5) % 24:02d}:00"}])
    message = Message(MADRILENO, campaign="a", windows=hours)
    now = datetime.fromtimestamp(now_s, UTC)
    decision = decide(book, message, Facts(history=history), now)

    def lets(instant_s: float, action: str) -> bool:
        return all(
            allowed(rule, message, history, instant_s)
            for rule in caps_of_it
            if rule.on_violation == action
        )

    def is_open(instant_s: float) -> bool:
        local = datetime.fromtimestamp(instant_s, ZoneInfo("Europe/Madrid"))
        return (local.hour - opens) % 24 < 5

    minute = now_s
    while not (is_open(minute) and lets(minute, "hold")):
        minute += 60 if minute % 60 == 0 else 1
    if not lets(minute, "refuse"):
        assert (decision.action, decision.reason) == ("refuse", "cap")
    elif minute == now_s:
        assert decision.action == "release"
    else:
        assert decision.until is not None
        # Stamps lie on whole seconds; what ends a second after a full minute is found by it.
        assert minute - 60 < decision.until.timestamp() <= minute
        assert is_open(decision.until.timestamp())
        assert lets(decision.until.timestamp(), "hold")
        again = decide(book, message, Facts(history=history), decision.until)
        assert again.action == "release"


def _named(rule: CapRule, name: str) -> CapRule:
    values = {field: getattr(rule, field) for field in CapRule.__dataclass_fields__}
    return CapRule(**(values | {"id": name}))


_BOOK: list[Rulebook] = []


def _book_with(rules: tuple[CapRule, ...]) -> Rulebook:
    """A book whose only rules for Spain are these caps; the prefix table is loaded once."""
    from gateway.policy.book import Rulebook as Book
    from gateway.policy.rules import Pack, Rules

    if not _BOOK:
        _BOOK.append(load_rulebook())
    packs = {
        "ES": Pack("ES", "Spain", "1", (), Rules(caps=rules)),
        "default": Pack("default", "elsewhere", "1", ()),
    }
    return Book(packs, _BOOK[0].numbering, _BOOK[0].vocabulary, "seed", "test")


# --- questions and packs --------------------------------------------------------------------------


def test_explain_takes_a_history_and_shows_the_snapshot(tmp_path: Path) -> None:
    book = loaded(tmp_path, limit(by_campaign="true"))
    asked = {
        "to": MADRILENO,
        "now": "2026-11-24T12:00:00Z",
        "campaign": "A",
        "history": [{"at": "2026-11-24T11:00:00Z", "campaign": "B"}],
    }
    assert explain(book, asked)["action"] == "release"
    asked["history"] = [{"at": "2026-11-24T11:00:00Z"}]  # of whatever campaign: it counts
    answer = explain(book, asked)
    assert (answer["action"], answer["until"]) == ("hold", "2026-11-25T11:00:00Z")
    assert answer["caps"] == [
        {"rule": "ES-CAP", "counted": 1, "most": 1, "since": "2026-11-23T12:00:00Z"}
    ]


def test_a_cart_that_will_be_abandoned_is_a_mistake_of_the_question(book: Rulebook) -> None:
    asked = {"to": MADRILENO, "now": "2026-11-24T12:00:00Z"}
    with pytest.raises(DataError) as caught:
        explain(book, asked | {"cart_abandoned_at": "2026-11-24T12:00:01Z"})
    assert caught.value.fields["field"] == "cart_abandoned_at"
    assert explain(book, asked | {"cart_abandoned_at": "2026-11-24T12:00:00Z"})


@pytest.mark.parametrize("key", ["period", "min_gap"])
def test_a_cap_cannot_reach_further_back_than_messages_are_remembered(
    tmp_path: Path, key: str
) -> None:
    weekly = {"kind": '"calendar_week"', "zone": '"America/Bogota"', "period": ""}
    more = weekly if key == "min_gap" else {}
    loaded(tmp_path, limit(**(more | {key: '"366d"'})))
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, limit(**(more | {key: '"367d"'})))
    assert f"{key}: is longer than 366 days" in str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("kind", "more", "reach_s"),
    [
        ("rolling", {"period_s": 5 * H}, 5 * H),
        ("rolling", {"period_s": 5 * H, "min_gap_s": D}, D),
        ("calendar_day", {}, 2 * D),
        ("calendar_week", {}, 8 * D),
        ("calendar_week", {"min_gap_s": 10 * D}, 10 * D),
        ("cart", {}, 30 * D),
    ],
)
def test_a_cap_says_how_far_back_it_looks(kind: Any, more: dict[str, int], reach_s: int) -> None:
    assert cap(kind, **more).reach_s == reach_s

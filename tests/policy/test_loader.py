"""Packs that are wrong are refused, every finding at once, with file, rule and a way out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

import pytest

from gateway.errors import ConfigError
from gateway.policy.hours import did_you_mean, parse_clock, parse_days
from gateway.policy.loader import load_rulebook
from gateway.policy.rules import days_text
from tests.policy.samples import ask, pack, rule, table, waiver, write_packs
from tests.support.counting import calls_of

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.rules import Profile


def problems(directory: Path, **packs: str) -> list[ConfigError]:
    with pytest.raises(ConfigError) as caught:
        load_rulebook([write_packs(directory, **packs)])
    found = list(caught.value.problems)
    assert found
    assert all(problem.hint for problem in found)
    assert all(problem.message in caught.value.message for problem in found)
    return found


def the_problem(directory: Path, **packs: str) -> ConfigError:
    found = problems(directory, **packs)
    assert len(found) == 1, [problem.message for problem in found]
    return found[0]


@pytest.mark.parametrize(
    ("changes", "says", "hint"),
    [
        ({"cite": ""}, "ES-QH.cite: is missing", "add cite"),
        ({"cite": '" "'}, "ES-QH.cite: must be a text", "write cite"),
        ({"url": ""}, "ES-QH.url: is missing", "add url"),
        ({"cites": '"a law"'}, "ES-QH.cites: is no known key", "did you mean cite?"),
        ({"close": '"08:00"'}, "open and close are the same", "[open, close)"),
        ({"open": '"24:00"'}, "open is the end of the day", "[open, close)"),
        ({"close": '"00:00"'}, "write 24:00 for the day's end", "[open, close)"),
        ({"open": '"8:00"'}, "'8:00' is no time of day", "write 08:00"),
        ({"close": '"24:30"'}, "'24:30' is no time of day", "write 08:00"),
        ({"close": '"25:00"'}, "'25:00' is no time of day", "write 08:00"),
        ({"days": '"mon-fry"'}, "'mon-fry' is no list of days", "mon-sat"),
        ({"days": '"weekdays"'}, "'weekdays' is no list of days", "mon-sat"),
        ({"days": ""}, "ES-QH.days: is missing", "add days"),
        ({"days": "7"}, "ES-QH.days: must be a text", "write days"),
        ({"applies": '["promotion"]'}, "'promotion' is not known", "did you mean promotional?"),
        ({"applies": "[]"}, "must be a list of words", '["promotional"]'),
        ({"applies": ""}, "ES-QH.applies: is missing", "add applies"),
        ({"applies": '"promotional"'}, "must be a list of words", '["promotional"]'),
        ({"applies": '[["otp"]]'}, "is not known", "otp"),
        ({"effective": '"2020-01-01"'}, "effective: must be a date", "without quotes"),
        ({"effective": "2020-01-01T00:00:00Z"}, "effective: must be a date", "without quotes"),
        ({"effective": ""}, "effective: is missing", "add effective"),
        ({"expires": "2020-01-01"}, "expires: is not after effective", "first day without"),
        ({"reviewed": ""}, "reviewed: is missing", "add reviewed"),
        ({"confidence": '"hihg"'}, "'hihg' is not known", "did you mean high?"),
        ({"on_violation": '"defer"'}, "'defer' is not known", "hold"),
        ({"layer": '"brand"'}, "'brand' is not known", "law"),
        ({"profile": '"sead"'}, "'sead' is not known", "did you mean seed?"),
        ({"holidays": '"closed"'}, "'closed' is not known", "closed:FR+subdivision"),
        ({"holidays": '"closed:XX"'}, "no list for XX", "holidays package"),
        ({"zone": '"Europe/Madird"'}, "is no time zone", "Europe/Madrid"),
        ({"urgent_bypass": '"yes"'}, "must be true or false", "urgent_bypass = true"),
        ({"hours": "[]"}, "must be a list of windows", "hours = ["),
        ({"hours": '"08:00"'}, "must be a list of windows", "hours = ["),
        ({"id": '"es_qh"'}, "'es_qh' is no rule id", "FR-QH"),
        ({"id": '"BRAND-1"'}, "'BRAND-1' is no rule id", "BRAND-"),
        ({"id": "5"}, "window[1].id: must be a text", "write id"),
    ],
)
def test_a_rule_with_one_fault_is_refused_with_its_place_and_the_way_out(
    tmp_path: Path, changes: dict[str, str], says: str, hint: str
) -> None:
    found = problems(tmp_path, ES=pack("ES", rule(**changes)))
    told = [problem for problem in found if says in problem.message]
    assert told, [problem.message for problem in found]
    assert hint in told[0].hint
    assert told[0].fields["file"] == "ES.toml"
    assert str(told[0].fields["setting"]).startswith("ES.toml:")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ES.toml: ruleset: is missing"),
        ("[ruleset", "ES.toml: not TOML"),
        ("a = " + "[" * 5000, "ES.toml: not TOML"),
        ("ruleset = 5", "ruleset: must be a table"),
        ("[window]\n", "window: must be a list of tables"),
        ("window = [5]\n", "window[1]: must be a table"),
        (pack("Spain", rule()), "'Spain' is none"),
        (pack("ES", head='overlay = "US 1"'), "'US 1' is no name"),
        (pack("XX", rule()), "'XX' is no country code"),
        (pack("ES", head='parents = "EU"'), "parents: must be a list of jurisdictions"),
        (pack("ES", head="parents = [5]"), "parents: must be a list of jurisdictions"),
        (pack("ES", head='parents = ["EU"]'), "there is no pack 'EU'"),
        (pack("ES", head='parents = ["ES"]'), "it inherits from itself through ES"),
        (pack("ES", head='titel = "x"'), "ruleset.titel: is no known key"),
        (pack("ES", "\n[[caps]]\nid = 1\n"), "caps: is no known key"),
        (pack("ES", "\n[areas]\nGuadeloupe = 5\n"), "areas.Guadeloupe: must be a jurisdiction"),
        (pack("ES", "\n[areas]\nEA = 'ZZ'\n"), "no list for ES, part ZZ"),
        ("areas = 5\n" + pack("ES"), "areas: must be a table"),
    ],
)
def test_a_file_that_is_no_pack_is_refused(tmp_path: Path, text: str, says: str) -> None:
    found = problems(tmp_path, ES=text)
    assert any(says in problem.message for problem in found), [p.message for p in found]


def test_every_problem_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        ES=pack("ES", rule("ES-1", cite="", days='"monday"'), rule("ES-2", open='"x"')),
        FR=pack("FR", rule("FR-1", confidence='"sure"')),
    )
    assert [problem.fields["setting"] for problem in found] == [
        "ES.toml:ES-1.days",
        "ES.toml:ES-1.cite",
        "ES.toml:ES-2.open",
        "FR.toml:FR-1.confidence",
    ]


CART, CLAIM = '["cart_reminder"]', '["debt_claim"]'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (rule(effective="2026-11-21", expires="2026-11-23", days='"mon-fri"'),
         "ES-QH.expires: it is never open between effective and expires"),
        (table("cap", "A-1", kind='"rolling"', most="0", period='"24h"'), "must be a whole number"),
        (table("cap", "A-1", kind='"rolling"', period='"24h"'), "A-1.most: is missing"),
        (table("cap", "A-1", kind='"weekly"', most="1"), "'weekly' is not known"),
        (table("cap", "A-1", kind='"rolling"', most="3"), "A-1.period: is missing"),
        (table("cap", "A-1", kind='"rolling"', most="3", period='"1 day"'), "no time span"),
        (table("cap", "A-1", kind='"rolling"', most="3", period='"24h"', min_gap='"24h"'),
         "A-1.min_gap: is as long as the period"),
        (table("cap", "A-1", kind='"calendar_day"', most="1"), "A-1.zone: is missing"),
        (table("cap", "A-1", kind='"calendar_day"', most="1", zone='"Bogota"'), "no time zone"),
        (table("cap", "A-1", kind='"cart"', most="1"), "only cart reminders have a cart"),
        (table("cap", "A-1", CART, kind='"cart"', most="1", by_campaign="true"),
         "A-1.by_campaign: a cart is counted by itself"),
        (table("deadline", "A-1", within='"24h"'), "A-1.applies: only cart reminders have a cart"),
        (table("deadline", "A-1", CART, within='"31d"'), "A-1.within: is longer than 30 days"),
        (table("deadline", "A-1", CART, within='"24h"', on_violation='"hold"'),
         "A-1.on_violation: waiting does not mend it"),
        (table("carrier", "A-1"), "A-1.applies: only claims have a collector"),
        (table("consent", "A-1", purpose='"adverts"'), "'adverts' is not known"),
        (table("consent", "A-1", purpose='"marketing"', method='"triple"'), "'triple' is not"),
        (table("consent", "A-1", purpose='"marketing"', on_violation='"hold"'), "does not mend"),
        (table("registry", "A-1", registry='"robinsson"'), "'robinsson' is not known"),
        (table("registry", "A-1"), "A-1.registry: is missing"),
        (table("registry", "A-1", registry='"rne"', max_age_days="0"), "whole number from 1 on"),
        (table("sender", "A-1", kinds='["alphanumeric"]'), "give it, forbidden = true, or advice"),
        (table("sender", "A-1", kinds='["alphanumeric"]', registered='"Spain"'), "is no country"),
        (table("sender", "A-1", kinds='["alphanumeric"]', registered='"XX"'),
         "A-1.registered: 'XX' is no country code"),
        (table("sender", "A-1", kinds='["letters"]', registered='"ES"'), "'letters' is not known"),
        (table("sender", "A-1", kinds='["short_code"]', forbidden="true", beginnings='"38"'),
         "A-1.beginnings: must be a list of texts"),
        (table("content", "A-1"), "give requires or forbids"),
        (table("content", "A-1", requires='"brand"', forbids='"alcohol"'), "give requires or"),
        (table("content", "A-1", requires='"logo"'), "'logo' is not known"),
        (table("content", "A-1", forbids='"alcool"'), "'alcool' is not known"),
        (table("content", "A-1", forbids='""'), "A-1.forbids: must be a text"),
        (table("content", "A-1", requires='"brand"', every='"month"'), "is about how to opt out"),
        (table("content", "A-1", requires='"brand"', short_codes='["36"]'), "how to opt out"),
        (table("content", "A-1", requires='"optout"', unless_age_verified="true"),
         "A-1.unless_age_verified: is about a subject"),
        (table("optout", "A-1", scope='"everybody"'), "'everybody' is not known"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_mean_what_it_says_is_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    found = problems(tmp_path, ES=pack("ES", text))
    assert any(says in problem.message for problem in found), [p.message for p in found]


def test_a_rule_for_a_few_days_may_open_on_one_of_them(tmp_path: Path) -> None:
    short = rule(effective="2026-11-21", expires="2026-11-24", days='"mon-fri"')
    book = load_rulebook([write_packs(tmp_path, ES=pack("ES", short))])
    assert ask(book, "+34910000000", "2026-11-21T12:00:00Z").until_text() == "2026-11-23T07:00:00Z"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rule": ""}, "ES-W.rule: is missing"),
        ({"rule": '"ES-QX"'}, "ES-W.rule: there is no rule 'ES-QX'"),
        ({"applies": '["otp"]'}, "ES-W.applies: ES-QH is not about otp"),
        ({"applies": "[]"}, "ES-W.applies: must be a list of words"),
        ({"author": ""}, "ES-W.author: is missing"),
        ({"reason": '" "'}, "ES-W.reason: must be a text"),
        ({"expires": ""}, "ES-W.expires: is missing"),
        ({"effective": ""}, "ES-W.effective: is missing"),
        ({"expires": "2026-01-01"}, "ES-W.expires: is not after effective"),
        ({"id": '"ES-QH"'}, "ES.toml already has a rule of this id"),
        ({"because": '"x"'}, "ES-W.because: is no known key"),
    ],
)
def test_a_waiver_without_a_rule_a_reason_an_author_or_an_end_is_refused(
    tmp_path: Path, changes: dict[str, str], says: str
) -> None:
    found = the_problem(tmp_path, ES=pack("ES", rule(), waiver(**changes)))
    assert says in found.message


def test_a_waiver_may_stand_in_a_file_of_its_own_and_name_another_files_rule(
    tmp_path: Path,
) -> None:
    own = pack("ES", waiver()).replace('"law"', '"house"', 1)
    book = load_rulebook([write_packs(tmp_path, ES=pack("ES", rule()), ES_own=own)])
    decision = ask(book, "+34910000000", "2026-11-24T03:00:00Z")
    assert (decision.action, decision.waivers) == ("release", ("ES-W",))
    assert decision.as_entry()["waivers"] == ["ES-W"]


def test_a_pack_named_by_a_word_rules_where_another_inherits_it(tmp_path: Path) -> None:
    shared = pack("our-house", rule("OUR-QH", open='"10:00"'))
    spain = pack("ES", rule(), head='parents = ["our-house"]')
    book = load_rulebook([write_packs(tmp_path, ES=spain, house=shared)])
    decision = ask(book, "+34910000000", "2026-11-24T08:30:00Z")
    assert (decision.action, decision.rules) == ("hold", ["OUR-QH"])
    assert ask(book, "+33639981234", "2026-11-24T08:30:00Z").action == "release"


def test_the_default_packs_parents_rule_where_there_is_no_pack(tmp_path: Path) -> None:
    shared = pack("our-house", rule("OUR-QH", open='"10:00"'))
    default = pack("default", rule("DEFAULT-QH"), head='parents = ["our-house"]')
    book = load_rulebook([write_packs(tmp_path, default=default, house=shared)])
    decision = ask(book, "+353850000000", "2026-11-24T09:00:00Z")
    assert decision.rules == ["OUR-QH"]
    assert len(decision.warnings) == 1


def test_rules_share_the_day_of_review_of_their_file_unless_they_have_their_own(
    tmp_path: Path,
) -> None:
    rules = (rule("A-1", reviewed=""), rule("A-2", reviewed="2026-05-05"))
    text = pack("ES", *rules, head="reviewed = 2026-02-02")
    book = load_rulebook([write_packs(tmp_path, ES=text)])
    assert [str(each.reviewed) for each in book.packs["ES"].rules.windows] == [
        "2026-02-02",
        "2026-05-05",
    ]


def test_an_overlay_counts_when_it_is_named_and_is_checked_always(tmp_path: Path) -> None:
    strict = pack("ES", rule("ES-STRICT", open='"11:00"'), head='overlay = "very-strict"')
    packs = {"ES": pack("ES", rule()), "ES_strict": strict}
    directory = write_packs(tmp_path, **packs)
    morning = "2026-11-24T09:30:00Z"
    off, on = load_rulebook([directory]), load_rulebook([directory], overlays=["very-strict"])
    assert ask(off, "+34910000000", morning).action == "release"
    assert ask(on, "+34910000000", morning).rules == ["ES-STRICT"]
    assert off.version != on.version
    with pytest.raises(ConfigError, match="there is no overlay 'very-strickt'") as caught:
        load_rulebook([directory], overlays=["very-strickt"])
    assert caught.value.hint == "did you mean very-strict?"
    packs["ES_strict"] = strict.replace("11:00", "25:00")
    assert "no time of day" in the_problem(tmp_path, **packs).message


def test_a_house_adds_packs_of_its_own_in_another_directory(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    shipped.mkdir()
    own.mkdir()
    write_packs(shipped, ES=pack("ES", rule()))
    (own / "ES.toml").write_text(pack("ES", rule("OWN-QH", open='"10:00"')))
    book = load_rulebook([shipped, own])
    assert ask(book, "+34910000000", "2026-11-24T08:30:00Z").rules == ["OWN-QH"]


def test_two_rules_of_one_id_are_refused_also_across_files(tmp_path: Path) -> None:
    found = the_problem(tmp_path, ES=pack("ES", rule("A-1")), FR=pack("FR", rule("A-1")))
    assert found.message == "FR.toml: A-1.id: ES.toml already has a rule of this id"


def test_two_files_for_one_layer_of_a_jurisdiction_are_refused(tmp_path: Path) -> None:
    found = the_problem(tmp_path, A=pack("ES", rule("A-1")), B=pack("ES", rule("B-1")))
    assert "A.toml already has the layer law of ES" in found.message


def test_a_second_layer_in_a_file_of_its_own_is_joined_and_can_only_tighten(
    tmp_path: Path,
) -> None:
    house = pack("ES", rule("ES-HOUSE", open='"10:00"')).replace('"law"', '"house"', 1)
    house = house.replace('version = "1"', 'version = "7"')
    book = load_rulebook([write_packs(tmp_path, ES=pack("ES", rule()), ES_house=house)])
    assert book.packs["ES"].version == "1+7"
    decision = ask(book, "+34910000000", "2026-11-24T08:30:00Z")
    assert (decision.action, decision.until_text()) == ("hold", "2026-11-24T09:00:00Z")
    assert decision.rules == ["ES-HOUSE"]


def test_a_house_rule_needs_a_citation_but_no_address(tmp_path: Path) -> None:
    book = load_rulebook([write_packs(tmp_path, ES=pack("ES", rule(layer='"house"', url="")))])
    assert book.packs["ES"].rules.windows[0].url == ""


def test_inheriting_in_a_circle_is_refused(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        ES=pack("ES", head='parents = ["FR"]'),
        FR=pack("FR", head='parents = ["ES"]'),
    )
    assert {problem.fields["file"] for problem in found} == {"ES.toml", "FR.toml"}


def test_without_a_default_pack_nothing_is_loaded(tmp_path: Path) -> None:
    write_packs(tmp_path, ES=pack("ES"))
    (tmp_path / "default.toml").unlink()
    with pytest.raises(ConfigError, match="no pack for the countries that have none"):
        load_rulebook([tmp_path])


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such directory of rule packs"):
        load_rulebook([write_packs(tmp_path), tmp_path / "nowhere"])


def test_a_file_that_cannot_be_read_or_is_far_too_large_is_named(tmp_path: Path) -> None:
    (tmp_path / "ES.toml").mkdir()
    found = problems(tmp_path, FR="#" * 1_000_001)
    told = "; ".join(problem.message for problem in found)
    assert "ES.toml: cannot be read" in told
    assert "FR.toml: larger than 1 MB" in told


def test_a_profile_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="'strict' is none of law, seed"):
        load_rulebook(profile=cast("Profile", "strict"))  # what a configuration may say


def test_the_version_is_a_hash_that_changes_with_content_and_profile(tmp_path: Path) -> None:
    directory = write_packs(tmp_path, ES=pack("ES", rule()))
    first = load_rulebook([directory])
    assert load_rulebook([directory]).version == first.version
    assert len(first.version) == hashlib.sha256().digest_size * 2
    assert first.under("law").version != first.version
    assert first.under("law").under("seed") is first
    assert load_rulebook([directory], "law").version == first.under("law").version
    write_packs(tmp_path, ES=pack("ES", rule(close='"20:01"')))
    assert load_rulebook([directory]).version != first.version


def test_loading_the_shipped_packs_takes_few_steps_a_rule() -> None:
    rules = sum(len(pack.rules.every()) for pack in load_rulebook().packs.values())
    assert calls_of(load_rulebook) < 1_500 * rules


def test_several_windows_for_different_days_make_one_rule(tmp_path: Path) -> None:
    several = (
        '[{ days = "mon-fri", open = "07:00", close = "19:00" }, '
        '{ days = "sat", open = "08:00", close = "15:00" }]'
    )
    text = rule(days="", open="", close="", hours=several)
    book = load_rulebook([write_packs(tmp_path, ES=pack("ES", text))])
    assert ask(book, "+34910000000", "2026-11-28T13:59:59Z").action == "release"
    assert ask(book, "+34910000000", "2026-11-28T14:00:00Z").until_text() == "2026-11-30T06:00:00Z"


def test_a_fault_inside_one_of_several_windows_names_which(tmp_path: Path) -> None:
    several = '[{ days = "sat", open = "08:00", close = "15:00", till = "x" }, 5]'
    text = rule(days="", open="", close="", hours=several)
    found = problems(tmp_path, ES=pack("ES", text))
    assert found[0].fields["rule"] == "ES-QH.hours[1].till"
    assert found[1].message == "ES.toml: ES-QH.hours[2]: must be a table"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-sun", {0, 1, 2, 3, 4, 5, 6}),
        ("sat", {5}),
        ("mon,wed-fri", {0, 2, 3, 4}),
        ("sat-mon", {5, 6, 0}),
        ("mon, sun", {0, 6}),
        ("sun-sun", {6}),
    ],
)
def test_days_are_read_as_people_write_them(text: str, days: set[int]) -> None:
    assert parse_days(text) == frozenset(days)


def test_days_are_written_the_way_they_are_read() -> None:
    for text in ("mon-sun", "sat", "mon,wed-fri", "mon,sun"):
        days = parse_days(text)
        assert days is not None
        assert days_text(days) == text


@pytest.mark.parametrize("text", ["", "-", "mon-", "-fri", "Mon", "mon;tue", "mon--fri"])
def test_what_is_no_list_of_days_is_not_guessed(text: str) -> None:
    assert parse_days(text) is None


def test_times_of_day_run_from_midnight_to_the_days_end() -> None:
    assert [parse_clock(text) for text in ("00:00", "09:30", "24:00")] == [0, 570, 1440]
    assert [parse_clock(text) for text in ("24:01", "9:30", "09:60", "٠٩:30")] == [None] * 4


def test_a_hint_names_the_nearest_word_or_all_of_them() -> None:
    assert did_you_mean("windw", ["window", "optout"]) == "did you mean window?"
    assert did_you_mean("zzz", ["window", "optout"]) == "known: window, optout"

"""What `acuse policy check` says of packs: errors, doubts, and what somebody should have meant."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from gateway.policy.check import Finding, check_packs
from gateway.policy.loader import shipped_packs
from tests.policy.samples import pack, rule, table, waiver, write_packs

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 22)


def findings(directory: Path, today: date = TODAY, **packs: str) -> list[Finding]:
    return check_packs([write_packs(directory, **packs)], (), today, today)[0]


def told(directory: Path, *rules: str, today: date = TODAY, **packs: str) -> list[str]:
    """`level rule: message` of a pack of Spain with these rules."""
    found = findings(directory, today, ES=pack("ES", *rules), **packs)
    assert all(finding.hint and finding.file for finding in found)
    return [f"{finding.level} {finding.rule}: {finding.message}" for finding in found]


def test_the_shipped_packs_have_no_error_and_no_warning_while_they_are_fresh() -> None:
    found, unreadable = check_packs([], (), TODAY, TODAY)
    assert not unreadable
    assert {finding.level for finding in found} == {"note"}
    assert {finding.rule for finding in found} == {
        "US-DEBT-STATEMENT",
        "US-NJ-ADDRESS",
        "MX-OPERATOR-QH",
    }


def test_the_shipped_directory_may_be_named_and_counts_once() -> None:
    assert check_packs([shipped_packs()], (), TODAY, TODAY) == check_packs([], (), TODAY, TODAY)


def test_a_directory_without_a_default_pack_is_added_to_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(pack("ES", waiver(rule='"ES-ALIAS"')), "utf-8")
    found, _ = check_packs([tmp_path], (), TODAY, TODAY)
    assert "error" not in {finding.level for finding in found}
    (tmp_path / "own.toml").write_text(pack("ES", waiver(rule='"ES-ALAIS"')), "utf-8")
    found, _ = check_packs([tmp_path], (), TODAY, TODAY)
    assert found == [
        Finding(
            "error", "own.toml", "ES-W", "rule: there is no rule 'ES-ALAIS'",
            "did you mean ES-ALIAS?",
        )
    ]  # fmt: skip


def test_every_refusal_of_the_loader_is_an_error_with_file_rule_and_way_out(
    tmp_path: Path,
) -> None:
    found = findings(tmp_path, ES=pack("ES", rule(cite="", close='"08:00"')), FR="[ruleset")
    assert [(each.level, each.file, each.rule) for each in found] == [
        ("error", "ES.toml", "ES-QH"),
        ("error", "ES.toml", "ES-QH"),
        ("error", "FR.toml", ""),
    ]
    assert found[1].message == "cite: is missing"
    assert found[2].message.startswith("not TOML: ")
    assert found[0].as_dict() == {
        "level": "error",
        "file": "ES.toml",
        "rule": "ES-QH",
        "message": "close: open and close are the same: it would be always open or always shut",
        "hint": "the window is [open, close), as 08:00 to 21:00",
    }


def test_what_cannot_be_read_is_told_apart_from_what_is_wrong(tmp_path: Path) -> None:
    assert check_packs([tmp_path / "nowhere"], (), TODAY, TODAY)[1]
    (write_packs(tmp_path) / "ES.toml").mkdir()
    found, unreadable = check_packs([tmp_path], (), TODAY, TODAY)
    assert unreadable
    assert found[0].message == "cannot be read: Is a directory"


def test_an_overlay_that_somebody_wants_must_exist(tmp_path: Path) -> None:
    found, _ = check_packs([], ["us-conservativ"], TODAY, TODAY)
    assert found[0].hint == "did you mean us-conservative?"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"reviewed": "2026-05-26"}, [], id="reviewed-180-days-ago"),
        pytest.param({"reviewed": "2026-05-25"},
                     ["warning ES-QH: last reviewed 181 days ago, on 2026-05-25"],
                     id="reviewed-181-days-ago"),
        pytest.param({"reviewed": "2026-11-23"},
                     ["warning ES-QH: reviewed on 2026-11-23, which is still to come"],
                     id="reviewed-tomorrow"),
        pytest.param({"effective": "2026-11-23"},
                     ["note ES-QH: in force only from 2026-11-23"], id="in-force-tomorrow"),
        pytest.param({"expires": "2026-11-22"}, ["warning ES-QH: expired on 2026-11-22"],
                     id="expired-today"),
        pytest.param({"url": '"BOE"'}, ["warning ES-QH: its address is no link"], id="no-link"),
        pytest.param({"confidence": '"low"'}, ["note ES-QH: confidence low: it warns only"],
                     id="doubtful"),
    ],
)  # fmt: skip
def test_what_makes_a_rule_doubtful_is_said(
    tmp_path: Path, changes: dict[str, str], expected: list[str]
) -> None:
    assert told(tmp_path, rule(**changes)) == expected


def test_an_opt_out_of_low_confidence_acts_all_the_same(tmp_path: Path) -> None:
    text = table("optout", "ES-OUT", scope='"brand"', confidence='"low"')
    assert told(tmp_path, text) == ["note ES-OUT: confidence low, and it acts all the same"]


def test_an_expired_waiver_is_a_warning(tmp_path: Path) -> None:
    assert told(tmp_path, rule(), waiver(expires="2026-11-22")) == [
        "warning ES-W: expired on 2026-11-22, so ES-QH binds again"
    ]
    assert told(tmp_path, rule(), waiver(expires="2026-11-23")) == []


def test_old_zone_rules_are_a_warning(tmp_path: Path) -> None:
    directory = write_packs(tmp_path)
    assert check_packs([directory], (), TODAY, date(2026, 7, 25))[0] == []
    (found,) = check_packs([directory], (), TODAY, date(2026, 7, 24))[0]
    assert found.message == "the zone rules are at least 121 days old"


def test_a_year_without_holidays_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def known(country: str, subdivision: str, year: int) -> frozenset[date]:
        return frozenset() if year == 2027 else frozenset({date(year, 1, 1)})

    monkeypatch.setattr("gateway.policy.check.holidays_of", known)
    text = rule(holidays='"closed:ES"')
    assert told(tmp_path, text) == ["warning ES-QH: the holidays package knows none of ES in 2027"]
    assert told(tmp_path, rule(holidays='"closed:ES"', reviewed="2026-10-01")) == [
        "warning ES-QH: the holidays package knows none of ES in 2027"
    ]
    in_spring = findings(tmp_path, date(2026, 10, 1), ES=pack("ES", text))
    assert "holidays" not in "".join(finding.message for finding in in_spring)


def test_a_pack_nobody_inherits_never_binds(tmp_path: Path) -> None:
    assert told(tmp_path, rule(), house=pack("our-house", rule("OUR-QH"))) == [
        "warning : no pack inherits it, so its rules never bind"
    ]
    spain = pack("ES", rule(), head='parents = ["our-house"]')
    assert findings(tmp_path, ES=spain, house=pack("our-house", rule("OUR-QH"))) == []


def test_a_place_without_a_zone_in_the_prefix_table_is_a_warning(tmp_path: Path) -> None:
    no_zone = "warning : the prefix table has no zone for "
    assert told(tmp_path, "\n[areas]\nZZ = 'MD'\n") == [f"{no_zone}ZZ"]
    assert told(tmp_path, "\n[areas]\n\"ES-MD\" = 'MD'\n") == []  # Spain's clock stands in
    unknown = pack("US-FX", rule("US-FX-QH"))
    assert told(tmp_path, US=pack("US", rule("US-QH")), US_FX=unknown) == [f"{no_zone}US-FX"]


def test_a_rule_inherited_on_two_ways_is_noted_once(tmp_path: Path) -> None:
    law, house = pack("our-law", rule("OUR-LAW")), pack("our-house", rule("OUR-WIDE", **WIDE))
    parents = 'parents = ["our-law", "our-house"]'
    house = house.replace("parents = []", 'parents = ["our-law"]', 1)
    spain, france = (pack(place, head=parents) for place in ("ES", "FR"))
    found = findings(tmp_path, ES=spain, FR=france, law=law, house=house)
    assert [finding.rule for finding in found] == ["OUR-WIDE"]


WIDE: dict[str, Any] = {"layer": '"house"', "url": ""}


@pytest.mark.parametrize(
    ("changes", "idle"),
    [
        pytest.param({}, True, id="the-same-hours"),
        pytest.param({"close": '"23:00"'}, True, id="wider"),
        pytest.param({"close": '"23:00"', "profile": '"seed"'}, True, id="wider-in-one-profile"),
        pytest.param({"open": '"19:00"', "close": '"09:00"'}, False, id="other-hours-over-night"),
        pytest.param({"open": '"08:01"', "close": '"23:00"'}, False, id="a-minute-stricter"),
        pytest.param({"days": '"mon-sat"'}, False, id="fewer-days"),
        pytest.param({"holidays": '"closed:ES"'}, False, id="closed-on-holidays"),
        pytest.param({"zone": '"Europe/London"'}, False, id="by-another-clock"),
        pytest.param({"applies": '["otp"]'}, False, id="about-something-else"),
        pytest.param({"effective": "2019-12-31"}, False, id="in-force-before"),
        pytest.param({"on_violation": '"refuse"'}, False, id="refuses-where-the-law-holds"),
        pytest.param({"layer": '"law"', "url": '"https://example.org/"'}, False, id="law-too"),
    ],
)
def test_a_house_rule_that_the_law_makes_idle_is_noted_as_no_loosening(
    tmp_path: Path, changes: dict[str, str], idle: bool
) -> None:
    found = told(tmp_path, rule(), rule("ES-WIDE", **(WIDE | changes)))
    note = "note ES-WIDE: it never binds: ES-QH is open at no other hour"
    assert found == ([note] if idle else [])


def test_a_law_that_expires_or_only_warns_makes_no_house_rule_idle(tmp_path: Path) -> None:
    assert told(tmp_path, rule(expires="2030-01-01"), rule("ES-WIDE", **WIDE)) == []
    assert told(tmp_path, rule(on_violation='"warn"'), rule("ES-WIDE", **WIDE)) == []
    ending = rule("ES-WIDE", **(WIDE | {"expires": "2029-01-01"}))
    assert len(told(tmp_path, rule(expires="2030-01-01"), ending)) == 1


@pytest.mark.parametrize(
    ("changes", "idle"),
    [
        pytest.param({}, True, id="the-same-cap"),
        pytest.param({"most": "5"}, True, id="a-larger-one"),
        pytest.param({"by_campaign": "true"}, True, id="each-campaign-by-itself"),
        pytest.param({"most": "2"}, False, id="a-smaller-one"),
        pytest.param({"min_gap": '"1h"'}, False, id="with-a-gap"),
        pytest.param({"period": '"48h"'}, False, id="over-a-longer-time"),
    ],
)
def test_a_house_cap_that_the_law_makes_idle_is_noted(
    tmp_path: Path, changes: dict[str, str], idle: bool
) -> None:
    keys = {"kind": '"rolling"', "most": "3", "period": '"24h"'}
    law = table("cap", "ES-CAP", **keys)
    house = table("cap", "ES-MORE", **(keys | WIDE | changes))
    note = "note ES-MORE: it never binds: ES-CAP counts the same and allows no more"
    assert told(tmp_path, law, house) == ([note] if idle else [])


def test_findings_stand_worst_first(tmp_path: Path) -> None:
    levels = [
        finding.level
        for finding in findings(
            tmp_path,
            ES=pack("ES", rule(confidence='"low"'), rule("ES-2", reviewed="2020-01-01")),
        )
    ]
    assert levels == ["warning", "note"]

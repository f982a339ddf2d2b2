"""`acuse policy`: explained without a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Acuse

SUNDAY = {
    "to": "+33639980012",
    "now": "2026-11-29T11:00:00Z",
    "category": "promotional",
    "consent": [{"method": "double"}],
}
SATURDAY = {**SUNDAY, "now": "2026-11-28T11:00:00Z"}


def asked(request: object) -> bytes:
    return json.dumps(request).encode()


def test_a_decision_is_explained_to_programs(acuse: Acuse) -> None:
    shown = acuse("policy", "explain", "--json", stdin=asked(SUNDAY), point=False).json()
    assert (shown["action"], shown["reason"]) == ("hold", "quiet_hours")
    assert shown["until"] == "2026-11-30T07:00:00Z"
    assert set(shown) == {
        *("action", "until", "reason", "rules", "warnings", "candidates", "versions", "caps"),
    }
    released = acuse("policy", "explain", "--json", stdin=asked(SATURDAY), point=False)
    assert (released.code, released.json()["action"]) == (0, "release")


def test_and_to_people(acuse: Acuse) -> None:
    ran = acuse("policy", "explain", stdin=asked(SUNDAY), point=False)
    assert ran.code == 0
    assert ran.out.startswith("Hold until 2026-11-30T07:00:00Z")
    assert max(map(len, ran.out.splitlines())) <= 80


def test_lines_are_answered_one_by_one(acuse: Acuse) -> None:
    stdin = asked(SUNDAY) + b"\nnope\n" + asked(SATURDAY) + b'\n{"to":"\xff"}\n'
    ran = acuse("policy", "explain", "--lines", "--json", stdin=stdin, point=False)
    assert ran.code == 65
    first, second, third, fourth = ran.lines()
    assert (first["action"], third["action"]) == ("hold", "release")
    assert second["error"]["fields"]["line"] == 2
    assert fourth["error"]["code"] == "data"
    ran = acuse("policy", "explain", "--lines", stdin=stdin, point=False)
    assert ran.code == 65
    assert ran.out.splitlines()[0].startswith("hold until 2026-11-30T07:00:00Z (quiet_hours) FR-")
    assert ran.err.startswith("acuse: error: line 2: ")
    good = acuse("policy", "explain", "--lines", stdin=asked(SUNDAY), point=False)
    assert good.code == 0


@pytest.mark.parametrize(
    ("stdin", "says"),
    [
        (b"", "not JSON"),
        (b"{", "line 1, column 2"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"5", ""),
        (b'{"to":"+33639980012"}', "now"),
        (b'{"to":"0639980012","now":"2026-11-28T11:00:00Z"}', "to"),
        (b" " * (16 * 1024 * 1024 + 1), "larger than 16 MiB"),
    ],
)
def test_a_request_that_is_none_is_65(acuse: Acuse, stdin: bytes, says: str) -> None:
    ran = acuse("policy", "explain", "--json", stdin=stdin, point=False)
    assert ran.code == 65
    assert says in ran.json()["error"]["message"]


def test_rules_are_listed_with_their_sources(acuse: Acuse) -> None:
    rules = {rule["id"]: rule for rule in acuse("policy", "list", "--json", point=False).lines()}
    assert "FR-QH" in rules
    assert all(rule["cite"] for rule in rules.values())
    ran = acuse("policy", "list", "FR", point=False)
    assert "FR-QH  FR, operator" in ran.out
    assert rules["FR-QH"]["url"] in ran.out
    assert "ES-" not in ran.out
    of_number = acuse("policy", "list", "+33639980012", "--json", point=False).lines()
    assert {rule["id"] for rule in of_number} >= {"FR-QH"}
    assert acuse("policy", "list", "Atlantis", point=False).code == 65


def test_the_configured_profile_counts(acuse: Acuse) -> None:
    config = acuse.directory / "acuse.toml"
    config.write_text(
        '[gateway]\nname = "a"\ndata_dir = "d"\nadmin_socket = "s"\nprofile = "law"\n'
        '[operators.o]\nhost = "h"\nsystem_id = "i"\npassword = ""\n[[routes]]\noperators = "o"\n'
    )
    every = acuse("policy", "list", "FR", "--json", point=False).lines()
    law = acuse("policy", "list", "FR", "--json", "--config", str(config), point=False).lines()
    assert {rule["profile"] for rule in law} == {"law"}
    assert len(law) < len(every)


def test_rules_are_listed_by_category_and_day(acuse: Acuse) -> None:
    def ids(*words: str) -> set[object]:
        shown = acuse("policy", "list", *words, "--json", point=False).lines()
        return {rule["id"] for rule in shown}

    assert {"FR-QH", "HOUSE-LEGAL", "FR-SENDER-36"} <= ids("FR")
    legal = ids("FR", "--category", "legal_notice")
    assert "HOUSE-LEGAL" in legal
    assert "FR-QH" not in legal
    assert "ES-ALIAS" in ids("ES")
    assert "ES-ALIAS" not in ids("ES", "--at", "2026-09-14")
    assert acuse("policy", "list", "--at", "soon", point=False).code == 64
    assert acuse("policy", "list", "--category", "promo", point=False).code == 64


def test_every_kind_of_rule_is_listed_within_80_columns_but_addresses(acuse: Acuse) -> None:
    ran = acuse("policy", "list", point=False)
    lines = [line for line in ran.out.splitlines() if "https://" not in line]
    assert max(map(len, lines)) <= 80
    for says in (
        "mon-sat 08:00-22:00, closed on public holidays",
        "at most 3 times in any 24 hours to a person, each campaign by itself",
        "once a calendar day (America/Bogota) to a person, contacts made only",
        "at most 2 times a calendar week (America/Santiago) to a person, 2 days apart",
        "once for each abandoned cart",
        "within 48 hours after the cart was abandoned",
        "only with consent that names cart reminders, confirmed by a double opt-in",
        "not to people listed in the Lista Robinson (ES), unless they consented",
        "alphanumeric senders only if registered in ES",
        "no short codes that begin with 38",
        "no claims of third-party collectors",
        "the text says how to opt out, also by a short code that begins with 36",
        "the text gives the company's address and contact, or links to them",
        "the text must not be about alcohol, unless the recipient's age was verified",
        "not after an opt-out given to the brand or to all brands",
        "HOUSE-CAP  house, confidence high, seed profile",
        "for every category; since 2026-09-15",
    ):
        assert says in ran.out, says


def test_packs_are_checked_with_an_exit_code_for_each_outcome(acuse: Acuse) -> None:
    fine = acuse("policy", "check", "--json", point=False)
    assert fine.code == 0
    assert {finding["level"] for finding in fine.lines()} <= {"note", "warning"}
    own = acuse.directory / "own"
    own.mkdir()
    (own / "ES.toml").write_text('[ruleset]\njurisdiction = "ES"\n')
    wrong = acuse("policy", "check", str(own), point=False)
    assert wrong.code == 1
    assert "error    ES.toml: ruleset\n    layer: is missing\n    hint: " in wrong.out
    assert "3 errors" in wrong.err
    assert max(map(len, wrong.out.splitlines())) <= 80
    (own / "ES.toml").unlink()
    (own / "ES.toml").mkdir()
    assert acuse("policy", "check", str(own), "--json", point=False).code == 78
    assert acuse("policy", "check", str(own / "nowhere"), point=False).code == 78


def test_configured_packs_and_overlays_count(acuse: Acuse) -> None:
    (acuse.directory / "own").mkdir()
    (acuse.directory / "own" / "ES.toml").write_text(
        '[ruleset]\njurisdiction = "ES"\nname = "ours"\nlayer = "house"\nversion = "1"\n'
        '[[waiver]]\nid = "OWN-1"\nrule = "ES-ALIAS"\napplies = ["otp"]\nreason = "agreed"\n'
        'author = "M. Ruiz"\neffective = 2020-01-01\nexpires = 2020-02-01\n'
    )
    config = acuse.directory / "acuse.toml"

    def configure(policy: str) -> None:
        config.write_text(
            '[gateway]\nname = "a"\ndata_dir = "d"\nadmin_socket = "s"\n'
            f"[policy]\n{policy}\n"
            '[operators.o]\nhost = "h"\nsystem_id = "i"\npassword = ""\n'
            '[[routes]]\noperators = "o"\n'
        )

    configure('packs = ["own"]\noverlays = ["us-conservative"]')
    ran = acuse("policy", "check", "--json", "--config", str(config), point=False)
    assert ran.code == 0
    assert ("warning", "OWN-1") in {(each["level"], each["rule"]) for each in ran.lines()}
    listed = acuse("policy", "list", "US-AL", "--json", "--config", str(config), point=False)
    assert "US-AL-CALL-QH" in {rule["id"] for rule in listed.lines()}
    waived = acuse(
        *("policy", "list", "ES", "--at", "2020-01-15", "--config", str(config)), point=False
    )
    assert "OWN-1" not in waived.out  # the rule it sets aside was not in force either
    configure('overlays = ["us-conservativ"]')
    ran = acuse("policy", "list", "--config", str(config), point=False)
    assert ran.code == 78
    assert "did you mean us-conservative?" in ran.err

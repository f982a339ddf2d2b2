"""`acuse policy`: explained without a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Acuse

SUNDAY = {"to": "+33639980012", "now": "2026-11-29T11:00:00Z", "category": "promotional"}
SATURDAY = {**SUNDAY, "now": "2026-11-28T11:00:00Z"}


def asked(request: object) -> bytes:
    return json.dumps(request).encode()


def test_a_decision_is_explained_to_programs(acuse: Acuse) -> None:
    shown = acuse("policy", "explain", "--json", stdin=asked(SUNDAY), point=False).json()
    assert (shown["action"], shown["reason"]) == ("hold", "quiet_hours")
    assert shown["until"] == "2026-11-30T07:00:00Z"
    assert set(shown) == {
        *("action", "until", "reason", "rules", "warnings", "candidates", "versions"),
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

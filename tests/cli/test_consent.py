"""`acuse consent` and `acuse optout show`: what they ask, and what people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import AnswerIsNo

if TYPE_CHECKING:
    from tests.cli.conftest import Acuse

ROW = {
    "to": "+34600111222",
    "brand": "acme",
    "purpose": "cart",
    "method": "double",
    "granted_at": "2026-11-21T10:00:00Z",
    "withdrawn_at": None,
}
SHOWN = ROW | {"text": "Sí\x1b[2J", "source": "web", "answer": "SI", "withdrawal": None, "seq": 7}
WAITING = {
    "brand": "acme",
    "purpose": "cart",
    "closed_at": None,
    "expires_at": "2026-11-22T10:00:00Z",
}
GRANT = ("consent", "grant", "--to", "+34600111222", "--purpose", "cart", "--method", "double")


def test_a_grant_asks_what_was_given_and_says_that_an_opt_out_stays(acuse: Acuse) -> None:
    left = {"brand": None, "hint": "the opt-out stays: `acuse optout remove` …"}
    daemon = acuse.daemon(consent_grant=ROW | {"opted_out": left})
    more = ("--brand", "acme", "--source", "web", "--at", "2026-11-21T10:00:00Z")
    ran = acuse(*GRANT, *more, "--form-id", "f1")
    assert ran.code == 0
    assert ran.out == "+34600111222  acme  cart  double  since 2026-11-21 10:00:00 UTC\n"
    assert "opted out of every brand; the opt-out stays" in ran.err
    assert daemon.asked[0][1] == {
        "to": "+34600111222",
        "brand": "acme",
        "purpose": "cart",
        "method": "double",
        "source": "web",
        "at": "2026-11-21T10:00:00Z",
        "form_id": "f1",
    }
    unsourced = acuse(*GRANT, "--json")
    assert unsourced.json()["purpose"] == "cart"
    assert "nothing says where it was confirmed" in unsourced.err
    assert "nothing says" not in ran.err


def test_a_purpose_that_is_none_is_a_wrong_command_line(acuse: Acuse) -> None:
    assert acuse("consent", "grant", "--to", "+34600111222", "--purpose", "x").code == 64


def test_a_confirmation_and_a_withdrawal(acuse: Acuse) -> None:
    withdrawn = ROW | {"withdrawn_at": "2026-11-21T11:00:00Z"}
    daemon = acuse.daemon(consent_confirm=ROW, consent_withdraw=ROW | {"consents": [withdrawn]})
    assert acuse("consent", "confirm", "--to", "+34600111222", "--answer", "SI").code == 0
    assert daemon.asked[-1][1] == {"to": "+34600111222", "answer": "SI"}
    assert acuse("consent", "confirm", "--to", "+34600111222", "--json").json() == ROW
    ran = acuse("consent", "withdraw", "--to", "+34600111222")
    assert ran.out.endswith(", withdrawn 2026-11-21 11:00:00 UTC\n")
    assert daemon.asked[-1][1] == {"to": "+34600111222", "purpose": "all", "source": "cli"}
    assert acuse("consent", "withdraw", "--to", "+34600111222", "--json").json()["consents"]


def test_what_stands_is_shown_with_its_evidence_and_control_characters_only_shown(
    acuse: Acuse,
) -> None:
    shown = {"to": "+34600111222", "consents": [SHOWN], "requests": [WAITING], "opted_out": [None]}
    acuse.daemon(consent_show=shown)
    ran = acuse("consent", "show", "--to", "+34600111222", "--brand", "acme")
    assert ran.code == 0
    assert "text: Sí\\x1b[2J" in ran.out
    assert "ledger entry: 7" in ran.out
    assert "waits until 2026-11-22 10:00:00 UTC" in ran.out
    assert "opted out of every brand, which outranks any consent" in ran.err
    assert acuse("consent", "show", "--to", "+34600111222", "--json").json() == shown


def test_nobody_is_an_answer_and_exit_code_1(acuse: Acuse) -> None:
    nothing = {"to": "+1", "consents": [], "requests": [], "opted_out": [], "registries": []}
    acuse.daemon(consent_show=nothing, optout_show=nothing, consent_confirm=AnswerIsNo("no"))
    for command in ("consent", "optout"):
        ran = acuse(command, "show", "--to", "+1")
        assert (ran.code, ran.err) == (1, "")
        assert acuse(command, "show", "--to", "+1", "--json").code == 1
    assert acuse("consent", "confirm", "--to", "+1").code == 1


def test_consents_are_listed(acuse: Acuse) -> None:
    daemon = acuse.daemon(consent_list=[ROW])
    ran = acuse("consent", "list", "--brand", "acme", "--purpose", "cart", "--limit", "5")
    assert "+34600111222" in ran.out
    assert daemon.asked[0][1] == {"brand": "acme", "purpose": "cart", "limit": 5}
    assert acuse("consent", "list", "--json").lines() == [ROW]


def test_an_opt_out_is_shown_with_its_entry_and_the_registries(acuse: Acuse) -> None:
    row = {"to": "+34600111222", "brand": None, "added_at": "2026-11-21T10:00:00Z", "source": None}
    registry = {"name": "rne", "as_of": "2026-11-20T00:00:00Z"}
    shown = {"to": "+34600111222", "opted_out": [row | {"proof": {"seq": 9}}]}
    acuse.daemon(optout_show=shown | {"registries": [registry]})
    ran = acuse("optout", "show", "--to", "+34600111222")
    assert "every brand  opted out since 2026-11-21 10:00:00 UTC  (-)" in ran.out
    assert "ledger entry: 9" in ran.out
    assert "listed in rne as of 2026-11-20 00:00:00 UTC" in ran.out

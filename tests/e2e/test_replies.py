"""What people write back, with the real daemon, the real commands and a simulated operator."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.process import Site, wait_until
from tests.support.shop import BRANDS, CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.process import Ran

#: What the simulated subscriber answers is in the last three digits (gateway/sim/outcomes.py).
STOP, YES, HELP, DOUBT = "+34600111960", "+34600111961", "+34600111962", "+34600111964"
SILENT = "+34600111222"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.open({"movistar": {"seed": 1}}, gateway=BRANDS) as made:
        made.serve().ready()
        yield made


def notice(site: Site, to: str) -> str:
    ran = site.acuse(
        *("submit", "--to", to, "--from", CODE, "--brand", "tienda"),
        *("--category", "legal_notice", "--text", "Su factura vence el dia 30", "--wait", "--json"),
    )
    assert ran.code == 0, ran.err
    submission_id: str = ran.json()["submission_id"]
    return submission_id


def texts(site: Site, to: str) -> list[tuple[str, str]]:
    """(state, text) of every message to a number, newest first."""
    listed = site.acuse("receipts", "list", "--to", to, "--json").lines()
    return [(each["state"], each["text"]) for each in listed]


def optouts(site: Site, *options: str) -> dict[str, dict[str, Any]]:
    return {each["to"]: each for each in site.acuse("optout", "list", "--json", *options).lines()}


def error_of(ran: Ran) -> dict[str, Any]:
    error: dict[str, Any] = ran.json()["error"]
    return error


def test_a_stop_is_confirmed_and_its_confirmation_answered_by_another_stop_is_not(
    site: Site,
) -> None:
    notice(site, STOP)
    wait_until(lambda: len(texts(site, STOP)) == 2, "the confirmation")
    wait_until(lambda: texts(site, STOP)[0][0] == "delivered", "its receipt")
    text = texts(site, STOP)[0][1]
    assert text.startswith("TIENDA: Baja confirmada.")
    assert optouts(site)[STOP]["source"] == "reply STOP"
    # The subscriber answers the confirmation too, with the same word; then this message is last.
    notice(site, SILENT)
    assert len(texts(site, STOP)) == 2
    refused = site.acuse(
        *("submit", "--to", STOP, "--from", CODE, "--brand", "tienda", "--category", "promotional"),
        *("--text", "TIENDA: rebajas. Responda BAJA para no recibir mas", "--json"),
    )
    assert (refused.code, refused.json()["decision"]["reason"]) == (1, "opted_out")


def test_help_is_answered(site: Site) -> None:
    notice(site, HELP)
    wait_until(lambda: len(texts(site, HELP)) == 2, "the answer")
    assert "ayuda@tienda.example" in texts(site, HELP)[0][1]


def test_a_person_reads_what_only_sounds_like_an_opt_out(site: Site) -> None:
    notice(site, DOUBT)
    wait_until(lambda: DOUBT in optouts(site, "--suspected"), "it is suspected")
    assert optouts(site, "--suspected")[DOUBT]["text"] == "no quiero m\xe1s mensajes"
    shown = site.acuse("optout", "list", "--suspected").out
    assert "no quiero m\xe1s mensajes" in shown
    done = site.acuse("optout", "resolve", "--to", DOUBT, "--as", "optout")
    assert (done.code, done.out.split()) == (0, [DOUBT, "tienda", "opted", "out"])
    assert optouts(site, "--suspected") == {}
    again = site.acuse("optout", "resolve", "--to", DOUBT, "--as", "dismiss", "--json")
    assert (again.code, error_of(again)["code"]) == (1, "no")


def test_a_sign_up_is_confirmed_by_sms(site: Site) -> None:
    ran = site.acuse("consent", "request", "--to", YES, "--brand", "tienda", "--json")
    assert ran.code == 0, ran.err
    asked = ran.json()
    assert (asked["state"], asked["by_code"]) == ("queued", False)

    def consents() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = site.acuse("consent", "show", "--to", YES, "--json").json()[
            "consents"
        ]
        return rows

    wait_until(consents, "the consent")
    (row,) = consents()
    assert (row["method"], row["source"]) == ("double", f"sms {asked['submission_id']}")
    once = site.acuse("consent", "request", "--to", YES, "--brand", "tienda")
    assert once.code == 1
    assert "confirmed already" in once.err


def test_a_sign_up_is_confirmed_by_code(site: Site) -> None:
    person = ("--to", SILENT, "--brand", "muda")
    told = site.acuse("consent", "request", *person, "--purpose", "cart", "--lang", "en")
    assert told.code == 0, told.err
    assert "to be confirmed by code until" in told.out
    wait_until(lambda: texts(site, SILENT)[0][0] == "delivered", "the request arrives")
    code = re.findall(r"\b\d{6}\b", texts(site, SILENT)[0][1])[0]
    wrong = site.acuse("consent", "confirm", *person, "--code", "00000", "--json")
    assert (wrong.code, error_of(wrong)["code"]) == (1, "no")
    right = site.acuse("consent", "confirm", *person, "--code", code)
    assert right.code == 0, right.err
    shown = site.acuse("consent", "show", "--to", SILENT, "--json").json()["consents"]
    assert [(row["purpose"], row["method"]) for row in shown] == [("cart", "double")]


def test_who_opted_out_is_not_asked(site: Site) -> None:
    site.acuse("optout", "add", "--to", "+34600111223", "--source", "web")
    ran = site.acuse("consent", "request", "--to", "+34600111223", "--brand", "tienda")
    assert ran.code == 1
    assert "not asked: opted_out" in ran.out

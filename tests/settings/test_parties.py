"""What brands and senders say of themselves in the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.daemon.parties import identity_of, sender_of
from gateway.settings import load_settings
from tests.settings.test_load import MINIMAL, problems, written

if TYPE_CHECKING:
    from pathlib import Path

BRAND = """
[brands.acme]
legal_name = "Acme SA"
prefix = "ACME:"
opt_out_url = "https://acme.example/baja"
opt_out_text = "Envía BAJA"
append_opt_out = true
"""


def test_a_brand_says_how_it_is_known_and_left(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, MINIMAL + BRAND))
    brand = settings.brands["acme"]
    assert (brand.append_opt_out, brand.opt_out_text) == (True, "Envía BAJA")
    identity = identity_of(brand)
    assert (identity.name, identity.prefix) == ("acme", "ACME:")
    assert identity.opt_out_url == "https://acme.example/baja"


@pytest.mark.parametrize(
    ("name", "more", "kind", "receives"),
    [
        ("ACME", "", "alphanumeric", False),
        ("21234", "", "short_code", True),
        ("21234", "receives = false", "short_code", False),
        ("+34600111222", "", "long_code", True),
        ("+18005550100", "", "toll_free", True),
        ("+18005550100", 'kind = "long_code"', "toll_free", True),
    ],
)
def test_a_sender_hears_answers_unless_it_is_letters_or_said_not_to(
    tmp_path: Path, name: str, more: str, kind: str, receives: bool
) -> None:
    text = f'{MINIMAL}[senders."{name}"]\n{more}\nregistered_in = ["ES", "AU"]\n'
    known = sender_of(load_settings(written(tmp_path, text)).senders[name])
    assert (known.kind, known.receives) == (kind, receives)
    assert known.registered_in == {"ES", "AU"}


@pytest.mark.parametrize(
    ("given", "says", "hint"),
    [
        ('registered_in = ["UK"]', "'UK' is no country", "ES or GB"),
        ('registered_in = ["es"]', "'es' is no country", "did you mean ES?"),
        ('registered_in = ["ES", "ES"]', "twice", "only once"),
        ("registered_in = 34", "must be text", "quotes"),
        ("receives = true", "nobody can answer", "link"),
        ('receives = "no"', "must be true or false", "without quotes"),
    ],
)
def test_what_a_sender_cannot_be_is_said(tmp_path: Path, given: str, says: str, hint: str) -> None:
    found = problems(written(tmp_path, f"{MINIMAL}[senders.ACME]\n{given}\n"))
    [problem] = found.values()
    assert says in problem.message
    assert hint in problem.hint


def test_whoever_lets_texts_be_completed_is_told_when_there_is_nothing_to_add(
    tmp_path: Path,
) -> None:
    text = MINIMAL + '[brands.acme]\nsenders = ["ACME"]\nappend_opt_out = true\n'
    warned = [each.setting for each in load_settings(written(tmp_path, text)).warnings]
    assert "brands.acme.append_opt_out" in warned
    for more in ('opt_out_url = "https://a.example/b"', 'opt_out_text = "STOP 36111"'):
        settings = load_settings(written(tmp_path, f"{text}{more}\n"))
        assert "brands.acme.append_opt_out" not in [each.setting for each in settings.warnings]

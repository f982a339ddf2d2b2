"""Words that opt out, and words that only look like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import ConfigError
from gateway.policy.keywords import load_keywords
from gateway.resources import config_directory

if TYPE_CHECKING:
    from pathlib import Path

WORDS = load_keywords(config_directory() / "keywords.toml")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("STOP", "STOP"),
        ("stop please!", "STOP"),
        ("  Stop. ", "STOP"),
        ("\uff33\uff34\uff2f\uff30", "STOP"),  # full width
        ("Baja", "BAJA"),
        ("BAJA, gracias", "BAJA"),
        ("darse de baja ya", "DARSE DE BAJA"),
        ("No m\u00e1s", "NO MAS"),
        ("opt-out", "OPT OUT"),
        ("Arr\u00eat", "ARRET"),
        ("arre\u0302t", "ARRET"),  # the accent as a character of its own
        ("D\u00e9sabonner", "DESABONNER"),
        ("sair", "SAIR"),
        ("Pare", "PARE"),
        ("Abmelden bitte", "ABMELDEN"),
        ("annulla", "ANNULLA"),
        ("Baixa", "BAIXA"),
        ("Prou!", "PROU"),
        ("cancel\u00b7lar", "CANCEL LAR"),
        ("Cancelar", "CANCELAR"),
        ("Basta.", "BASTA"),
        ("FIN", "FIN"),
        ("end", "END"),
    ],
)
def test_these_opt_out(text: str, word: str) -> None:
    assert WORDS.optout(text) == word


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!!",
        "Para",
        "para el lunes",
        "si",
        "no",
        "S\u00cd",
        "Alta en hospital",
        "ALTA",
        "cancelar la cita del martes",
        "Quiero cancelar",
        "basta con eso",
        "the end of the month",
        "nonstop",
        "please stop",
        "Bajamos a las 5",
        "\u00bfQui\u00e9n es?",
    ],
)
def test_these_do_not(text: str) -> None:
    assert WORDS.optout(text) is None


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("[es\n", "keywords"),
        ("es = 1\n", "es"),
        ("[es]\nloud = []\n", "es.loud"),
        ("[es]\nstrong = 'BAJA'\n", "es.strong"),
        ("[es]\nstrong = [1]\n", "es.strong"),
        ("[es]\nstrong = ['!']\n", "es.strong"),
        ("[es]\nweak = ['a b c d e f g']\n", "es.weak"),
    ],
)
def test_a_table_that_is_none_is_refused_by_name(tmp_path: Path, text: str, setting: str) -> None:
    path = tmp_path / "keywords.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_keywords(path)
    assert caught.value.fields["setting"] == setting


def test_a_table_that_is_missing_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_keywords(tmp_path / "none.toml")

"""What people write back: opt out, opt in, ask, confirm, and what only looks like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.policy.keywords import NO_ANSWER, Answer, load_keywords, tokens
from gateway.resources import config_directory

if TYPE_CHECKING:
    from pathlib import Path

WORDS = load_keywords(config_directory() / "keywords.toml")


def kind(text: str, *, pending: bool = False) -> str:
    return WORDS.classify(text, pending_double_opt_in=pending).kind


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("STOP", "STOP"),
        ("stop.", "STOP"),
        ("STOP PLEASE", "STOP"),
        ("please stop", "STOP"),
        ("Hola, por favor, STOP", "STOP"),
        ("Stop36111", "STOP"),
        ("STOP 36111", "STOP"),
        ("S T O P", "STOP"),
        ("s.t.o.p.", "STOP"),
        ("STOOOOP", "STOP"),
        ("STOPPPP", "STOP"),
        ("ST\u200bOP", "STOP"),  # a space nobody sees
        ("\uff33\uff34\uff2f\uff30", "STOP"),  # full width
        ("\U0001d412\U0001d413\U0001d40e\U0001d40f", "STOP"),  # mathematical bold
        ("stop all", "STOP"),
        ("Unsubscribe me", "UNSUBSCRIBE"),
        ("I revoke my consent", ""),
        ("Revoke", "REVOKE"),
        ("opt-out", "OPT OUT"),
        ("end", "END"),
        ("Quit!", "QUIT"),
        ("cancel", "CANCEL"),
        ("Baja", "BAJA"),
        ("BAJA, gracias", "BAJA"),
        ("darse de baja ya", "DARSE DE BAJA"),
        ("No m\u00e1s", "NO MAS"),
        ("Alto", "ALTO"),
        ("Cancelar", "CANCELAR"),
        ("Cancelar, por favor", "CANCELAR"),
        ("Basta.", "BASTA"),
        ("sair", "SAIR"),
        ("Pare", "PARE"),
        ("remover", "REMOVER"),
        ("Arr\u00eat", "ARRET"),
        ("arre\u0302t", "ARRET"),  # the accent as a character of its own
        ("Arr\u00eater s'il vous pla\u00eet", "ARRETER"),
        ("D\u00e9sabonner", "DESABONNER"),
        ("FIN", "FIN"),
        ("Stopp", "STOPP"),
        ("Abmelden bitte", "ABMELDEN"),
        ("Ende", "ENDE"),
        ("annulla", "ANNULLA"),
        ("Baixa", "BAIXA"),
        ("Prou!", "PROU"),
        ("cancel\u00b7lar", "CANCEL LAR"),
        ("Afmelden", "AFMELDEN"),
        ("Avsluta", "AVSLUTA"),
    ],
)
def test_these_opt_out(text: str, word: str) -> None:
    answer = WORDS.classify(text)
    if word:
        assert (answer.kind, answer.word) == ("optout", word)
    else:
        assert answer.kind != "optout"  # REVOKE is strong only where the message begins with it


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!!",
        "PARA",
        "para el lunes",
        "si",
        "S\u00cd",
        "YES",
        "no",
        "1234",
        "Alta en hospital",
        "quiero el alta",
        "start engine",
        "cancelar la cita del martes",
        "Quiero cancelar",
        "basta con eso",
        "the end of the month",
        "nonstop",
        "Bajamos a las 5",
        "info sobre mi pedido",
        "\u00bfQui\u00e9n es?",
        "por favor",
        "gracias",
    ],
)
def test_these_say_nothing_we_act_on(text: str) -> None:
    assert WORDS.classify(text) == NO_ANSWER


@pytest.mark.parametrize(
    "text",
    [
        "no quiero m\u00e1s SMS",
        "No quiero recibir esto",
        "Deja de escribirme!!",
        "no me escrib\u00e1is m\u00e1s",
        "para de molestarme",
        "quiero darme de baja",
        "leave me alone",
        "don't text me",
        "Do not contact me again",
        "lass mich in Ruhe",
        "H\u00f6ren Sie auf",
        "ne m'\u00e9crivez plus",
        "Ne m\u2019envoyez plus rien",
        "n\u00e3o me mandem mais nada",
        "non scrivetemi pi\u00f9",
        "no m'escriviu m\u00e9s",
        "laat me met rust",
        "sluta skicka",
        "\U0001f44e",
        "vaya oferta \U0001f44e\U0001f3fd",
        "ok, stop",
        "I said STOP",
        "estoy de baja",  # on sick leave, perhaps: a person reads it
    ],
)
def test_what_sounds_like_an_optout_is_for_a_person_to_read(text: str) -> None:
    assert kind(text) == "suspected"
    assert kind(text, pending=True) == "suspected"


@pytest.mark.parametrize("text", ["START", "unstop", "Alta", "ALTA.", "iniciar", "Reprendre"])
def test_an_optin_word_counts_as_the_whole_message_only(text: str) -> None:
    assert kind(text) == "optin"
    assert kind(f"{text} en hospital") == "none"
    assert kind(f"ok {text}") == "none"


@pytest.mark.parametrize(
    "text", ["HELP", "Help?", "help please", "INFO", "Ayuda", "Ajuda", "Aide", "Contact", "Hilfe"]
)
def test_a_help_word_counts_as_the_whole_message(text: str) -> None:
    assert kind(text) == "help"


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("SI", ("es", "it", "ca")),
        ("S\u00ed", ("es", "it", "ca")),
        ("s\u00ed!!", ("es", "it", "ca")),
        ("YES", ("en",)),
        ("yes please", ("en",)),
        ("SIM", ("pt",)),
        ("Oui", ("fr",)),
        ("D'accord", ("fr",)),
        ("J\u2019accepte", ("fr",)),
        ("Ja", ("de", "nl", "sv")),
        ("D'ACORD", ("ca",)),
        ("d'accordo", ("it",)),
    ],
)
def test_a_yes_confirms_only_while_somebody_waits_for_it(
    text: str, languages: tuple[str, ...]
) -> None:
    assert WORDS.classify(text, pending_double_opt_in=True) == Answer(
        "confirm", " ".join(tokens(text)).upper(), languages, "whole"
    )
    assert kind(text) == "none"
    assert kind(f"{text} pero no", pending=True) == "none"


def test_a_code_confirms_and_is_no_word_for_a_log() -> None:
    answer = WORDS.classify(" 04711 ", pending_double_opt_in=True)
    assert (answer.kind, answer.word, answer.code) == ("confirm", "", "04711")
    assert WORDS.classify("0 4 7 1", pending_double_opt_in=True).code == "0471"
    for text in ("123", "1234567", "mi codigo es 1234", "12 34"):
        assert kind(text, pending=True) == "none"
    assert kind("04711") == "none"


@pytest.mark.parametrize("text", ["STOP", "baja", "fin", "Cancelar"])
def test_who_is_asked_to_confirm_may_opt_out_instead(text: str) -> None:
    assert kind(text, pending=True) == "optout"


@pytest.mark.parametrize("text", ["ALTA", "HELP", "START"])
def test_a_request_that_waits_changes_nothing_for_other_words(text: str) -> None:
    assert kind(text, pending=True) == kind(text) != "none"


def test_alta_to_the_uruguayan_register_is_the_opposite_of_an_optin() -> None:
    def said(text: str, country: str = "UY", code: str = "6622") -> str:
        return WORDS.classify(text, country=country, short_code=code).kind

    assert said("ALTA") == "optout"
    assert said("baja") == "none"  # leaves the register: that is consent to nothing
    assert said("STOP") == "optout"
    assert said("ALTA", code="5757") == "optin"
    assert said("ALTA", country="ES") == "optin"
    assert said("BAJA", country="AR") == "optout"


def test_the_language_of_a_word_is_known_where_there_is_only_one() -> None:
    assert WORDS.classify("d\u00e9sabonner").language == "fr"
    assert WORDS.classify("basta").languages == ("es", "it")
    assert WORDS.classify("basta").language == ""
    assert WORDS.classify("STOP").language == ""


def test_every_language_of_the_product_has_every_kind_of_word() -> None:
    for language in ("es", "en", "pt", "fr", "de", "it", "ca", "nl", "sv"):
        for words in (WORDS.strong, WORDS.optin, WORDS.help, WORDS.confirm):
            assert any(language in languages for languages in words.values()), language


def test_a_long_text_is_read_to_the_end_of_what_anybody_writes() -> None:
    assert kind("x y " * 240 + "lass mich in ruhe") == "suspected"
    assert kind("wort " * 100_000) == "none"


# -- properties ------------------------------------------------------------------------------------

_STRONG = st.sampled_from([" ".join(each) for each in WORDS.strong])
_OPTIN = st.sampled_from([" ".join(each) for each in WORDS.optin])
_LINES = st.text(max_size=60)


@given(_STRONG, _LINES, st.booleans())
def test_whatever_follows_a_strong_word_it_opts_out(word: str, rest: str, pending: bool) -> None:
    assert kind(f"{word}. \u2013 {rest}", pending=pending) == "optout"


@given(_OPTIN, st.sampled_from(["hospital", "mañana", "2", "bitte", "please", "ok"]), st.booleans())
def test_nothing_but_the_word_itself_opts_in(word: str, other: str, before: bool) -> None:
    text = f"{other} {word}" if before else f"{word} {other}"
    assert kind(text) != "optin"


@given(_LINES, st.booleans())
def test_any_text_is_classified_and_case_and_punctuation_do_not_matter(
    text: str, pending: bool
) -> None:
    said = " ".join(tokens(text))
    plain = "" if any(symbol in text for symbol in WORDS.symbols) else said
    first = WORDS.classify(text, pending_double_opt_in=pending)
    assert first.kind in ("optout", "optin", "help", "confirm", "suspected", "none")
    if plain:
        again = WORDS.classify(f"  {plain.upper()}!? ", pending_double_opt_in=pending)
        assert tokens(plain) != tuple(plain.split()) or first.kind == again.kind


@given(_LINES)
def test_without_a_request_nothing_confirms(text: str) -> None:
    assert kind(text) != "confirm"


@given(_LINES, _LINES)
def test_a_pending_request_takes_nothing_away(text: str, rest: str) -> None:
    alone, waiting = kind(text + rest), kind(text + rest, pending=True)
    assert waiting in (alone, "confirm")
    assert alone == "none" or waiting == alone or waiting == "confirm"


# -- the file --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("[es\n", "keywords"),
        ("es = 1\n", "es"),
        ("[es]\nloud = []\n", "es.loud"),
        ("[es]\nstrong = 'BAJA'\n", "es.strong"),
        ("[es]\nstrong = [1]\n", "es.strong"),
        ("[es]\nstrong = ['!']\n", "es.strong"),
        ("[es]\nweak = ['aa bb cc dd ee ff gg']\n", "es.weak"),
        ("[es]\nphrases = ['DEJ* DE']\n", "es.phrases"),
        ("[es]\nphrases = ['*']\n", "es.phrases"),
        ("[es]\nstrong = ['ALTA']\noptin = ['Alta']\n", "optin"),
        ("any = 1\n", "any"),
        ("[any]\nloud = []\n", "any"),
        ("[any]\nsymbols = ['']\n", "any.symbols"),
        ("[any]\nsymbols = 'x'\n", "any.symbols"),
        ("[any]\ncourtesy = [1]\n", "any.courtesy"),
        ("opposite = 1\n", "opposite"),
        ("opposite = [1]\n", "opposite[1]"),
        ("[[opposite]]\ncountry = 'UY'\n", "opposite[1]"),
        ("[[opposite]]\ncountry = 'UY'\nshort_code = '1'\nloud = 1\n", "opposite[1]"),
        (
            "[[opposite]]\ncountry = 'UY'\nshort_code = '1'\noptout = 1\n",
            "opposite[1].optout",
        ),
    ],
)
def test_a_table_that_is_none_is_refused_by_name(tmp_path: Path, text: str, setting: str) -> None:
    path = tmp_path / "keywords.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_keywords(path)
    assert caught.value.fields["setting"] == setting


def test_a_word_may_be_listed_twice_for_one_language(tmp_path: Path) -> None:
    path = tmp_path / "keywords.toml"
    path.write_text("[es]\nstrong = ['BAJA', 'baja']\n[ca]\nstrong = ['BAJA']\n")
    assert load_keywords(path).classify("baja").languages == ("es", "ca")


def test_a_table_that_is_missing_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_keywords(tmp_path / "none.toml")

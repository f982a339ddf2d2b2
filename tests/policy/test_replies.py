"""The texts we write ourselves: in a language people read, short, plain, and never advertising."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import ConfigError
from gateway.policy.keywords import load_keywords
from gateway.policy.replies import fill, load_replies, names_in
from gateway.resources import config_directory
from gateway.smpp.gsm7 import ALPHABET
from gateway.smpp.text import encode_text

if TYPE_CHECKING:
    from pathlib import Path

REPLIES = load_replies(config_directory() / "replies.toml")
WORDS = load_keywords(config_directory() / "keywords.toml")
HEAD = "ACME:"
VALUES = {"contact": "ayuda@acme.example", "code": "123456", "link": "https://acme.example/b"}
SENT = (
    "optout_confirmation",
    "optin_confirmation",
    "help_reply",
    "double_opt_in",
    "double_opt_in_code",
)


@pytest.mark.parametrize("language", ["es", "en", "pt", "fr", "de", "it", "ca"])
def test_every_text_is_plain_gsm_and_names_the_brand_first(language: str) -> None:
    texts = REPLIES.texts[language]
    for name in SENT:
        for types in ("marketing", "cart"):
            text = REPLIES.text(language, name, HEAD, types=texts[types], **VALUES)
            assert set(text) <= ALPHABET, (name, set(text) - ALPHABET)
            assert text.startswith(HEAD)
            assert not names_in(text)
            assert len(encode_text(text).parts) <= (2 if name.startswith("double") else 1), name


@pytest.mark.parametrize("language", ["es", "en", "pt", "fr", "de", "it", "ca"])
def test_the_words_a_text_tells_people_to_write_do_what_it_says(language: str) -> None:
    texts = REPLIES.texts[language]
    assert WORDS.classify(texts["stop"]).kind == "optout"
    assert WORDS.classify(texts["start"]).kind == "optin"
    assert texts["start"] in REPLIES.text(language, "optout_confirmation", HEAD)
    request = texts["double_opt_in"]
    yes = {" ".join(each).upper() for each in WORDS.confirm if language in WORDS.confirm[each]}
    help_ = {" ".join(each).upper() for each in WORDS.help if language in WORDS.help[each]}
    said = {word.strip(".,:") for word in request.split()}
    assert said & yes, "it says how to confirm"
    assert said & help_, "it says how to get help"
    assert "{stop}" in request


@pytest.mark.parametrize(
    ("country", "spoken", "language"),
    [
        ("ES", (), "es"),
        ("ES", ("ca",), "ca"),
        ("ES", ("es", "it"), "es"),
        ("ES", ("en", "de", "fr"), "es"),  # STOP: says nothing
        ("ES", ("de",), "de"),
        ("FR", ("nl", "sv"), "fr"),
        ("CH", ("es", "it"), "it"),
        ("JP", (), "en"),
        ("JP", ("pt",), "pt"),
        ("", (), "en"),
    ],
)
def test_the_language_is_that_of_the_word_if_it_tells_else_of_the_country(
    country: str, spoken: tuple[str, ...], language: str
) -> None:
    assert REPLIES.language(country, spoken) == language


def test_what_nobody_filled_in_stays_as_it_is() -> None:
    assert fill("a {b} {c}", {"b": "1"}) == "a 1 {c}"
    assert names_in("a {b} {c}") == {"b", "c"}


_TEXTS = """
stop = "STOP"
start = "START"
marketing = "news"
cart = "carts"
optout_confirmation = "done"
optin_confirmation = "done"
help_reply = "{contact}"
double_opt_in = "{types}"
double_opt_in_code = "{types} {code}"
"""


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("[en\n", "replies"),
        ("[countries]\nES = ['en']\n", "en"),
        (f"[en]{_TEXTS}", "countries"),
        ("en = 1\n[countries]\n", "en"),
        (f"[en]{_TEXTS}[countries]\nES = []\n", "countries.ES"),
        (f"[en]{_TEXTS}[countries]\nES = 'en'\n", "countries.ES"),
        (f"[en]{_TEXTS}[countries]\nES = ['es']\n", "countries.ES"),
        (f"[en]{_TEXTS}loud = 'x'\n[countries]\n", "en.loud"),
        (f"[en]{_TEXTS.replace('help_reply', '#')}[countries]\n", "en.help_reply"),
        (f"[en]{_TEXTS.replace('{contact}', 'x')}[countries]\n", "en.help_reply"),
        (f"[en]{_TEXTS.replace('{contact}', '{contact} {x}')}[countries]\n", "en.help_reply"),
        (f"[en]{_TEXTS.replace('{code}', '')}[countries]\n", "en.double_opt_in_code"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path: Path, text: str, setting: str) -> None:
    path = tmp_path / "replies.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_replies(path)
    assert caught.value.fields["setting"] == setting

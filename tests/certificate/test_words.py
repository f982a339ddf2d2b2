"""The words of a certificate: the same in four languages, and none anywhere else."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, get_args

import pytest

from gateway.certificate.engine import certificate_directory
from gateway.certificate.oddities import KINDS
from gateway.certificate.words import LANGUAGES, words_of
from gateway.errors import DataError
from gateway.ledger import entry
from gateway.ledger.course import _SEALED_BY
from gateway.ledger.rows import State
from gateway.policy.facts import Reason
from gateway.policy.rules import CATEGORIES
from gateway.smpp.text import ENCODINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACE = re.compile(r"\{(\w+)\}")


def table(language: str) -> dict[str, Any]:
    return tomllib.loads((certificate_directory() / f"{language}.toml").read_text())


def leaves(found: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in found.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}/")
        elif isinstance(value, list):
            yield from ((f"{path}{key}/{at}", item) for at, item in enumerate(value))
        else:
            yield path + key, value


def test_four_languages_say_the_same_things() -> None:
    spanish = dict(leaves(table("es")))
    assert sorted(LANGUAGES) == ["ca", "en", "es", "pt"]
    for language in LANGUAGES:
        words = dict(leaves(table(language)))
        assert words.keys() == spanish.keys()
        for key, text in words.items():
            places = sorted(set(_PLACE.findall(text)))
            assert places == sorted(set(_PLACE.findall(spanish[key]))), f"{language} {key}"
            assert text.strip() == text != "", f"{language} {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_a_bundle_may_say_has_a_word(language: str) -> None:
    found = table(language)
    events = {
        value
        for name, value in vars(entry).items()
        if name.isupper() and isinstance(value, str) and re.fullmatch(r"(x|[A-Z])\.\w+", value)
    }
    of_others = {
        *("x.Genesis", "x.Boot", "x.ClockStep", "x.Consent", "x.OptOut", "x.Anchor", "x.Orphan"),
        *("x.Admin", "x.KeyRotate"),
    }
    assert events - of_others <= set(found["event"])
    assert set(_SEALED_BY) == set(found["state"]) <= {state.value for state in State}
    assert set(_SEALED_BY) <= {*found["outcome"], "rejected"}
    assert {"accepted", "queued", "held", "erased", "unknown"} <= set(found["outcome"])
    assert set(get_args(Reason)) <= set(found["reason"])
    assert set(CATEGORIES) <= set(found["category"])
    assert set(KINDS) == set(found["kind"])
    assert set(found["means"]) == {"handset", "smsc", "unknown"}
    assert set(found["action"]) == {"release", "hold", "refuse"}
    assert len(found["date"]["months"]) == 12
    assert {name for name in ENCODINGS if "-" not in name} & set(found["encoding"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_service_is_never_called_qualified(language: str) -> None:
    denied = {"es": "no cualificado", "en": "non-qualified", "pt": "não qualificado"}
    word = re.compile(r"\w*[ck]ualifica\w*|\w*qualifi\w*", re.IGNORECASE)
    for key, text in leaves(table(language)):
        if key == "document/qualified":  # of the authority, and only as the issuer's word
            assert text.startswith("{tsa} (")
            continue
        for found in word.finditer(text):
            before = text[max(0, found.start() - 4) : found.end()].lower().strip()
            assert denied.get(language, "no qualificat") in before, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_is_unused(language: str) -> None:
    """A key nobody asks for would be translated for nothing, or is asked for by a wrong name."""
    sources = "\n".join(
        path.read_text()
        for path in (certificate_directory().parent.parent / "gateway/certificate").glob("*.py")
    )
    by_bundle = ("event/", "state/", "reason/", "category/", "encoding/", "outcome/", "means/")
    by_code = ("kind/", "action/", "date/months", "section/", "field/", "note/", "status/")
    for key, _ in leaves(table(language)):
        if not key.startswith((*by_bundle, *by_code)):
            assert f'"{key.rpartition("/")[2]}"' in sources, key


def test_the_templates_hold_no_words() -> None:
    """Typography only: what a reader reads comes as data."""
    for path in certificate_directory().glob("*.typ"):
        code = re.sub(r"//.*", "", path.read_text())
        for text in re.findall(r'"([^"]*)"', code):
            assert " " not in text or text in ("DejaVu Sans Mono", "Libertinus Serif", "Noto Emoji")
        for text in re.findall(r"\[([^\[\]#]*)\]", code):
            assert not re.search(r"[A-Za-z]{3,}", text), text


def test_an_unknown_language_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(DataError, match="'fr'") as caught:
        words_of("fr")
    assert caught.value.hint == "one of es, en, pt, ca"
    assert caught.value.fields["field"] == "language"

"""What texts are about: a corpus of them, the tricks that hide words, and the table itself."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.policy.table import Findings
from gateway.policy.vocabulary import Vocabulary, load_vocabulary
from gateway.policy.words import Words, fold, read, words_of
from gateway.resources import config_directory

VOCABULARY = load_vocabulary(Findings())
SUBJECTS = VOCABULARY.subjects
TEXTS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "texts.toml").read_text(encoding="utf-8")
)["text"]
#: What S-CONT-1 names, what French, Mexican and South American law adds.
NEEDED = {
    *("illegal_drugs", "mlm", "gambling", "debt_collection", "sex", "hate", "alcohol", "firearms"),
    *("tobacco", "fireworks", "vape", "cbd", "weapon_gear", "energy_renovation", "cpf"),
    *("elections", "court_lookalike", "promotion"),
}


def found(text: str) -> tuple[list[str], list[str]]:
    about = SUBJECTS.of(Words(text))
    clear = sorted(subject for subject, hit in about.items() if hit.clear)
    return clear, sorted(subject for subject, hit in about.items() if not hit.clear)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text["says"][:40])
def test_texts_as_companies_write_them_are_read_as_people_read_them(text: dict[str, Any]) -> None:
    expected = sorted(text.get("clear", [])), sorted(text.get("doubtful", []))
    assert found(text["says"]) == expected


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text["says"][:40])
def test_capitals_and_accents_make_no_difference(text: dict[str, Any]) -> None:
    says = text["says"]
    assert found(says.upper()) == found(says) == found(says.lower())
    assert found(fold(says)) == found(says)


def test_every_subject_the_material_names_has_words() -> None:
    assert set(SUBJECTS.names) == NEEDED
    assert len(TEXTS) >= 120


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("v-a-p-e", "vape"),
        ("v a p e", "vape"),
        ("V.A.P.E!", "vape"),
        ("c4nn4bis", "cannabis"),
        ("c@nnabis", "cannabis"),
        ("\u0441\u0430nnabis", "cannabis"),  # Cyrillic es and a
        ("can\u200bnabis", "cannabis"),
        ("can\u00adnabis", "cannabis"),
        ("\uff43\uff41\uff4e\uff4e\uff41\uff42\uff49\uff53", "cannabis"),
        (
            "\U0001d41c\U0001d41annabis",
            "cannabis",
        ),
        ("hoy c b d aquí", "cbd"),
    ],
)
def test_tricks_of_spelling_hide_nothing(written: str, meant: str) -> None:
    words = Words(f"Hoy {written} barato")
    assert meant in (words.unmasked() or words.listed)


def test_plain_texts_are_read_once() -> None:
    words = read("Su factura vence el 30 de noviembre")
    assert words.unmasked() == []
    assert words is read("Su factura vence el 30 de noviembre")
    assert Words("24 h y 5 kg").unmasked() == ["24", "hys", "kg"]  # nothing, but no word either


def test_words_of_other_scripts_stay_words() -> None:
    assert words_of("Привет, мир") == words_of("привет мир")
    assert len(words_of("Привет, мир")) == 2
    assert words_of("¡Año nuevo \u2013 ya!") == ["ano", "nuevo", "ya"]


def test_only_so_many_strange_characters_are_remembered() -> None:
    strange = "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))
    assert fold(strange) == strange
    assert fold(strange) == strange


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    words = Words(text)
    assert SUBJECTS.of(words) == SUBJECTS.of(Words(text))
    assert words.known == set(words.listed)
    words.unmasked()


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from([t["says"] for t in TEXTS]), min_size=1, max_size=3),
    st.lists(st.sampled_from(["a", "b1", "-", "4@", "·", "\u200b", "é"]), max_size=8),
)
def test_what_is_added_at_the_end_hides_no_clear_word(texts: list[str], junk: list[str]) -> None:
    text = texts[0]
    clear, _ = found(text)
    after, doubtful = found(f"{text} | {'|'.join(junk)}")
    assert set(clear) <= {*after, *doubtful}


# -- the table ------------------------------------------------------------------------------------


def load(directory: Path, subjects: str, instructions: str | None = None) -> Vocabulary:
    (directory / "subjects.toml").write_text(subjects, encoding="utf-8")
    if instructions is None:
        instructions = (config_directory() / "instructions.toml").read_text(encoding="utf-8")
    (directory / "instructions.toml").write_text(instructions, encoding="utf-8")
    findings = Findings()
    vocabulary = load_vocabulary(findings, directory)
    findings.raise_any()
    return vocabulary


def test_endings_in_brackets_make_two_words_and_a_hash_is_any_number(tmp_path: Path) -> None:
    table = '[things.es]\nclear = ["caja(s) roja(s)", "# por #1", "a # euros"]\n'
    vocabulary = load(tmp_path, table)
    for text in ("caja roja", "cajas rojas", "caja rojas", "a 5 euros"):
        assert vocabulary.subjects.of(Words(text))["things"].words == text
    for text in ("caja", "roja caja", "a cinco euros", "euros", "5 euros"):
        assert not vocabulary.subjects.of(Words(text))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("things = 5", "things: must be a table"),
        ("[things]\nes = 5", "things.es: must be a table"),
        ("[things.es]\nsure = ['a']", "sure: is no list there"),
        ("[things.es]\nclear = 'a'", "clear: must be a list of texts"),
        ("[things.es]\nclear = [5]", "clear: must be a list of texts"),
        ("[things.es]\nclear = ['!!']", "'!!' has no word"),
        ("[things.es]\nclear = ['#']", "'#' has no word"),
        ("[things.es", "not TOML"),
        ("#" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_a_table_with_a_mistake_is_not_loaded(tmp_path: Path, table: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, table)
    assert says in caught.value.message
    assert "subjects.toml" in caught.value.message


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[es]\nkeywords = []", "es.verbs: must be a list of texts"),
        ("es = 5", "es: must be a table"),
        ("[es]\nwhy = 5", "es.why: is no key there"),
        ("[es]\nanswer = 5", "es.answer: must be a text"),
    ],
)
def test_the_same_holds_for_the_instructions(tmp_path: Path, table: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "", table)
    assert says in caught.value.message


def test_files_that_are_not_there_are_said(tmp_path: Path) -> None:
    findings = Findings()
    load_vocabulary(findings, tmp_path)
    assert len(findings.problems) == 2
    assert "cannot be read" in findings.problems[0].message

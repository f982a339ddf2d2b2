"""Text on a certificate: nothing left out, nothing that deceives the eye unmarked."""

from __future__ import annotations

import struct
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.certificate import glyphs
from gateway.certificate.oddities import (
    ALPHABET,
    BIDI,
    CONTROL,
    FORM,
    INVISIBLE,
    UNSHOWN,
    clusters,
    hidden,
    oddities,
)
from gateway.certificate.writing import lines, runs
from tests.support.certificates import TEXTS

#: What SMS really carry, and what tries the code, more often than chance would have it.
TRICKY = st.sampled_from(
    "\u200b\u200c\u200d\u202e\u2066\u00ad\ufeff\u3164\u2800\u034f\t\r\u0301\u064e\u093f\u20e3\ufe0f"
    "\U0001f3fd\U0001f1ea\U0001f469\U0001f468\u0430\u03bf\uff21\U0001d41a\ue000\u0378\U00012000"
    "\u1100\u1161\u0e33\u0b4d\u0cc6\u0dcf\u1031\u17d2\ufb1d\ufdfa\u00aa1#*aA \n-éñ€漢あ한م"
)
ANY = st.text(st.one_of(TRICKY, st.characters(exclude_categories=["Cs"])), max_size=40)


def read(value: Any) -> str:
    """The text that runs stand for."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(read, value))
    if "m" in value:
        return bytes.fromhex(value["m"][2:].zfill(8)).decode("utf-32-be")
    return "" if "b" in value else read(value.get("e") or value["o"])


def boxed(value: Any) -> set[str]:
    """The characters shown as a code."""
    if isinstance(value, list):
        return set().union(*map(boxed, value))
    if isinstance(value, dict):
        return {read(value)} if "m" in value else boxed(value.get("o", ""))
    return set()


def plain(value: Any) -> list[str]:
    """The texts that are set as they are."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for each in value for text in plain(each)]
    return plain(value.get("e", value.get("o", [])))


@settings(deadline=None, max_examples=400)
@given(text=ANY)
@example(text=TEXTS["emoji"])
@example(text=TEXTS["invisible"])
@example(text=TEXTS["lookalike"])
@pytest.mark.parametrize("hardened", [False, True])
def test_every_character_is_shown_or_stands_in_the_annex(text: str, hardened: bool) -> None:
    made = lines(text, hardened=hardened)
    assert "\n".join(read(line["runs"]) for line in made) == text
    listed = {odd.char for odd in oddities(text)}
    for line in made:
        if not hardened:
            assert boxed(line["runs"]) <= listed
        for shown in plain(line["runs"]):
            for cluster in clusters(shown):
                seen = [char for char in cluster if not hidden(char)]
                assert all(glyphs.family_of(c, glyphs.cjk_family(text)) for c in seen)


@settings(deadline=None)
@given(text=ANY)
def test_nothing_that_is_not_seen_is_set_unmarked(text: str) -> None:
    listed = {odd.char for odd in oddities(text)}
    for char in text:
        if hidden(char):
            assert char in listed
            assert hidden(char) in (CONTROL, BIDI, INVISIBLE)
    for line in lines(text):
        for shown in plain(line["runs"]):
            # Direction and control characters never reach the page itself.
            assert not any(hidden(char) in (BIDI, CONTROL) for char in shown)


@settings(deadline=None)
@given(text=ANY)
def test_clusters_are_the_text_in_pieces(text: str) -> None:
    assert "".join(clusters(text)) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Su factura está lista: 1ª cuota, 20 €", {}),
        ("p\u0430yp\u0430l", {"\u0430": ALPHABET}),
        ("Привет из ACME Ltd", dict.fromkeys("ACMELtd", ALPHABET)),
        ("Οδός", {}),
        ("カタカナ ACME 漢字", {}),
        ("\uff11", {"\uff11": FORM}),
        ("\ufb01n", {"\ufb01": FORM}),
        ("e\u0301", {"\u0301": FORM}),
        ("a\u2215b", {"\u2215": FORM}),
        ("total \u09ea", {"\u09ea": ALPHABET}),
        ("a\u200bb", {"\u200b": INVISIBLE}),
        ("a\u00a0b", {"\u00a0": INVISIBLE}),
        ("a\u3164b", {"\u3164": INVISIBLE}),
        ("a\u202eb", {"\u202e": BIDI}),
        ("a\tb\r\n", {"\t": CONTROL, "\r": CONTROL}),
        ("\U00012000", {"\U00012000": UNSHOWN}),
        ("\ue000", {"\ue000": UNSHOWN}),
        ("a\u064e", {"\u064e": UNSHOWN}),
        (" \u0301", {"\u0301": UNSHOWN}),
    ],
)
def test_what_the_eye_cannot_tell_is_named_for_what_it_is(text: str, found: dict[str, str]) -> None:
    assert {odd.char: odd.kind for odd in oddities(text)} == found


def test_each_odd_character_is_listed_once_with_all_its_places() -> None:
    (odd,) = oddities("a\u200bb\u200bc")
    assert (odd.code, odd.places) == ("U+200B", (1, 3))


def test_look_alikes_are_underlined_where_they_stand() -> None:
    (line,) = lines("p\u0430ypal")
    assert line["runs"] == ["p", {"o": "\u0430"}, "ypal"]
    (line,) = lines("\u0430")
    assert line["runs"] == "\u0430"


def test_emoji_stay_whole_and_in_their_own_font() -> None:
    family, thumb = "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd"
    flags = "\U0001f1ea\U0001f1f8\U0001f1eb\U0001f1f7"
    assert runs(f"{family}{thumb}") == [{"e": family}, {"e": thumb}]
    assert runs(flags) == [{"e": flags[:2]}, {"e": flags[2:]}]
    assert runs("1\ufe0f\u20e3") == [{"e": "1\ufe0f\u20e3"}]


def test_a_mark_that_no_font_has_with_its_letter_is_boxed_and_the_letter_shown() -> None:
    assert runs("a\u064e b") == ["a", {"m": "U+064E"}, " b"]


def test_joiners_shape_the_scripts_that_need_them_and_nothing_else() -> None:
    assert runs("\u0645\u06cc\u200c\u062e\u0648") == "\u0645\u06cc\u200c\u062e\u0648"
    assert runs("a\u200cb") == ["a", {"m": "U+200C"}, "b"]


def test_hardened_text_is_what_the_latin_font_has_and_codes() -> None:
    assert runs("a漢e\u0301é", hardened=True) == [
        *("a", {"m": "U+6F22"}, "e", {"m": "U+0301"}, "é"),
    ]


def test_long_words_may_break_and_short_ones_may_not() -> None:
    assert runs("https://acme.example/b") == "https://acme.example/b"
    broken = runs("see https://acme.example/0123456789")
    assert isinstance(broken, list)
    assert {"b": 1} in broken
    assert read(broken) == "see https://acme.example/0123456789"
    assert {"b": 1} in runs("\u00e0\u0301" * 30)
    assert runs("漢" * 60) == "漢" * 60


def test_lines_run_as_a_handset_runs_them() -> None:
    shown = lines("مرحبا ACME\nACME مرحبا\n123\n\n\u05e9\u05dc")
    assert [line["rtl"] for line in shown] == [True, False, False, False, True]


def test_ideographs_are_drawn_as_the_language_beside_them_draws_them() -> None:
    assert glyphs.cjk_family("漢字かな") == glyphs.JAPANESE
    assert glyphs.cjk_family("漢字 한글") == glyphs.KOREAN
    assert glyphs.cjk_family("汉字") == glyphs.CHINESE


def test_a_font_may_list_characters_it_has_no_glyph_for() -> None:
    segments = struct.pack(
        ">7H 3H H 3H 3H 3H 2H",
        *(4, 0, 0, 6, 0, 0, 0),
        *(0x42, 0x62, 0xFFFF, 0),  # ends
        *(0x41, 0x61, 0xFFFF),
        *(0, 5, 1),
        *(6, 0, 0),  # the first segment's glyphs stand in a list, the others are counted on
        *(0, 7),
    )
    groups = struct.pack(">HHIII 3I 3I", 12, 0, 0, 0, 2, 0x1F600, 0x1F601, 9, 0x30, 0x31, 0)
    head = struct.pack(">HH", 0, 2) + struct.pack(">HHI HHI", 3, 1, 20, 3, 10, 20 + len(segments))
    found = set(glyphs._mapped(head + segments + groups, 0))
    assert found == {0x42, 0x61, 0x62, 0x1F600, 0x1F601, 0x31}


def test_the_fonts_have_what_their_scripts_need() -> None:
    for char in "aáñçŁЖΩ€—…«»\u2019":
        assert glyphs.family_of(char) == glyphs.LATIN, char
    for char, family in {
        "م": "Noto Sans Arabic",
        "ש": "Noto Sans Hebrew",
        "अ": "Noto Sans Devanagari",
        "漢": glyphs.CHINESE,
        "😀": glyphs.EMOJI,
    }.items():
        assert glyphs.family_of(char) == family
    assert glyphs.family_of("\U00012000") is None
    for family in (*glyphs.FAMILIES, glyphs.CHINESE, glyphs.JAPANESE, glyphs.KOREAN):
        names = glyphs.characters(family)
        assert len(names) > 80
        assert not any(unicodedata.category(chr(code)) == "Co" for code in names)

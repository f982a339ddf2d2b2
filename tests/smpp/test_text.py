"""What a sender writes arrives as written, in whatever alphabet and however long it is."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.smpp import graphemes, gsm7
from gateway.smpp.text import (
    DEFAULT_ALPHABETS,
    ENCODINGS,
    Coding,
    EncodedText,
    decode_text,
    encode_text,
    not_carried,
    strip_udh,
)

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one emoji, five code points, eight units
PROPERTY = settings(deadline=None, max_examples=150)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
gsm_texts = st.text(st.sampled_from(sorted(gsm7.ALPHABET)), min_size=1)
long_texts = st.one_of(
    st.text(st.sampled_from(sorted(gsm7.ALPHABET)), min_size=140, max_size=700),
    st.text(st.sampled_from("a€é漢\U0001f600\u0301\u200d\U0001f1eb\U0001f1f7\r\n"), min_size=60),
    st.lists(st.sampled_from(["a", FAMILY, "e\u0301", "\U0001f1ea\U0001f1f8"]), min_size=40).map(
        "".join
    ),
)


def read_back(encoded: EncodedText, default_alphabet: str) -> str:
    return "".join(
        decode_text(
            part,
            encoded.data_coding,
            default_alphabet=default_alphabet,
            udh=encoded.esm_class == 0x40,
        )
        for part in encoded.parts
    )


@given(texts | gsm_texts | long_texts, st.sampled_from(DEFAULT_ALPHABETS))
@PROPERTY
def test_a_text_reads_back_as_it_was_written(text: str, default_alphabet: str) -> None:
    assert read_back(encode_text(text, Coding(default_alphabet)), default_alphabet) == text


@given(long_texts, st.sampled_from(DEFAULT_ALPHABETS), st.integers(0, 255))
@PROPERTY
def test_every_part_fits_and_is_numbered(text: str, default_alphabet: str, reference: int) -> None:
    encoded = encode_text(text, Coding(default_alphabet), reference=reference)
    lone, beside_header = {"gsm7": (160, 153), "ucs2": (140, 134)}.get(encoded.encoding, (140, 134))
    total = len(encoded.parts)
    if total == 1:
        assert encoded.esm_class == 0
        assert len(encoded.parts[0]) <= lone
    else:
        assert encoded.esm_class == 0x40
        for number, part in enumerate(encoded.parts, 1):
            assert part[:6] == bytes((5, 0, 3, reference, total, number))
            assert 0 < len(part) - 6 <= beside_header
    unit = 2 if encoded.encoding == "ucs2" else 1
    header = 6 if total > 1 else 0
    assert encoded.part_units == tuple((len(part) - header) // unit for part in encoded.parts)
    assert encoded.units == sum(encoded.part_units)
    assert max(encoded.part_units) <= encoded.unit_limit


@given(long_texts)
@PROPERTY
def test_no_part_begins_or_ends_inside_a_pair(text: str) -> None:
    encoded = encode_text(text)
    for part in encoded.parts:
        payload = part[6:] if encoded.esm_class else part
        if encoded.encoding == "gsm7":
            assert payload[-1] != gsm7.ESCAPE
        else:
            payload.decode("utf-16-be")  # strict: half a pair would raise


@given(st.lists(st.sampled_from(["a", "漢", FAMILY, "e\u0301", "\U0001f1ea\U0001f1f8", "\r\n"])))
@PROPERTY
def test_what_a_reader_sees_as_one_character_stays_in_one_part(visible: list[str]) -> None:
    text = "漢" + "".join(visible)
    encoded = encode_text(text)
    cuts, position = set(), 0
    for part in encoded.parts[:-1]:
        position += len(decode_text(part, 8, udh=True))
        cuts.add(position)
    edges, position = {0}, 1
    for character in visible:
        edges.add(position)
        position += len(character)
    assert cuts <= edges


def test_a_euro_at_the_153rd_septet_moves_to_the_next_part() -> None:
    first, second = encode_text("x" * 152 + "€" + "y" * 20, reference=7).parts
    assert first == bytes.fromhex("050003070201") + b"x" * 152
    assert second == bytes.fromhex("050003070202") + b"\x1be" + b"y" * 20


def test_an_emoji_at_the_67th_unit_moves_to_the_next_part() -> None:
    encoded = encode_text("я" * 66 + "\U0001f600" + "я" * 10)
    assert encoded.part_units == (66, 12)
    assert encoded.parts[1][6:10] == bytes.fromhex("d83dde00")
    assert encode_text("я" * 66 + "\U0010fffd" + "я" * 10).part_units == (66, 12)


def test_an_emoji_moves_just_so_beside_characters_of_several_code_points() -> None:
    encoded = encode_text("e\u0301" + "я" * 64 + "\U0001f600" + "я" * 10)
    assert encoded.part_units == (66, 12)


def test_cr_lf_at_the_edge_stays_together() -> None:
    assert encode_text("x" * 152 + "\r\n" + "y" * 20).part_units == (152, 22)
    assert encode_text("x" * 133 + "\r\n" + "y" * 9, Coding("latin1")).part_units == (
        133,
        11,
    )


def test_an_escape_code_in_ascii_is_a_character_like_any_other() -> None:
    assert encode_text("\x1b" * 141, Coding("ascii")).part_units == (134, 7)


@pytest.mark.parametrize(
    ("text", "default_alphabet", "encoding", "data_coding", "units"),
    [
        ("hola", "gsm7", "gsm7", 0, 4),
        ("5 €", "gsm7", "gsm7", 0, 4),
        ("¡mañana §!", "gsm7", "gsm7", 0, 10),
        ("`", "gsm7", "ucs2", 8, 1),  # not in the GSM alphabet
        ("português: ç", "gsm7", "ucs2", 8, 12),  # it has the capital Ç only
        ("português: ç", "latin1", "latin1", 0, 12),
        ("5 €", "latin1", "ucs2", 8, 3),
        ("plain [text]", "ascii", "ascii", 0, 12),
        ("año", "ascii", "ucs2", 8, 3),
        ("\U0001f600", "gsm7", "ucs2", 8, 2),
    ],
)
def test_the_default_alphabet_carries_what_it_can_and_ucs2_the_rest(
    text: str, default_alphabet: str, encoding: str, data_coding: int, units: int
) -> None:
    encoded = encode_text(text, Coding(default_alphabet))
    assert (encoded.encoding, encoded.data_coding, encoded.units, encoded.esm_class) == (
        encoding,
        data_coding,
        units,
        0,
    )


@pytest.mark.parametrize(
    ("encoding", "default_alphabet", "data_coding", "octets"),
    [
        ("latin1", "gsm7", 3, "f161"),
        ("ucs2", "gsm7", 8, "00f10061"),
        ("gsm7", "gsm7", 0, "7d61"),
        ("latin1", "latin1", 0, "f161"),
    ],
)
def test_an_encoding_that_is_asked_for_is_used(
    encoding: str, default_alphabet: str, data_coding: int, octets: str
) -> None:
    encoded = encode_text("ña", Coding(default_alphabet), encoding=encoding)
    assert encoded.encoding == encoding
    assert encoded.data_coding == data_coding
    assert encoded.parts == (bytes.fromhex(octets),)


@pytest.mark.parametrize(
    ("text", "options", "field", "says"),
    [
        ("", {}, "text", "empty"),
        ("a\0b", {}, "text", "NUL at character 2"),
        ("ok \ud83d no", {}, "text", "U+D83D"),
        ("\udc00", {}, "text", "character 1"),
        ("x" * (255 * 153 + 1), {}, "text", "39016 units of gsm7"),
        ("€" * (255 * 153 // 2 + 1), {}, "text", "255 parts"),
        ("я" * (255 * 67 + 1), {}, "text", "17086 units of ucs2"),
        ("año", {"encoding": "ascii"}, "text", "U+00F1"),
        ("x", {"encoding": "utf8"}, "encoding", "'utf8'"),
        ("x", {"encoding": "gsm7", "coding": Coding("latin1")}, "encoding", "latin1"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_way_out(
    text: str, options: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(DataError) as caught:
        encode_text(text, **options)
    assert caught.value.fields["field"] == field
    assert says in caught.value.message
    assert caught.value.hint


def test_the_longest_text_goes_out_in_255_parts() -> None:
    assert len(encode_text("x" * (255 * 153)).parts) == 255
    # Even a text that fills the units may not fit once no pair is cut: 153 septets hold 76 euros.
    assert len(encode_text("€" * (255 * 76)).parts) == 255


def test_a_character_longer_than_a_part_is_cut_between_code_points() -> None:
    text = "e" + "\u0301" * 150
    encoded = encode_text(text)
    assert encoded.part_units == (67, 67, 17)
    assert read_back(encoded, "gsm7") == text


def test_what_makes_a_text_ucs2_can_be_named() -> None:
    assert not_carried("“no” — “no”", "gsm7") == ("“", "”", "—")
    assert not_carried("anything 漢", "ucs2") == ()


def test_the_gsm_table_agrees_with_its_published_marks() -> None:
    assert gsm7.encode("@£$¥èéùìòÇ\nØø\rÅå") == bytes(range(16))
    assert gsm7.encode("Δ_ΦΓΛΩΠΨΣΘΞ") == bytes(range(0x10, 0x1B))
    assert gsm7.encode("ÄÖÑÜ§¿äöñüà") == bytes([*range(0x5B, 0x61), *range(0x7B, 0x80)])
    assert gsm7.encode("\f^{}\\[~]|€").hex() == "1b0a1b141b281b291b2f1b3c1b3d1b3e1b401b65"
    assert len(gsm7.SINGLE) == 127
    assert not gsm7.SINGLE & gsm7.DOUBLE
    same = [c for c in map(chr, range(0x20, 0x7F)) if c not in "@$_`[\\]^{|}~"]
    assert gsm7.encode("".join(same)) == "".join(same).encode()


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("1b65", "€"),
        ("1b1b65", "\ufffde"),  # a doubled escape escapes nothing
        ("611b", "a\ufffd"),
        ("1b61", "a"),  # not in the extension table: the default table's character
        ("80ff", "\ufffd\ufffd"),
        ("1bff", "\ufffd"),
        ("", ""),
    ],
)
def test_damaged_septets_read_as_replacement_characters(octets: str, text: str) -> None:
    assert decode_text(bytes.fromhex(octets), 0) == text


@pytest.mark.parametrize(
    ("octets", "data_coding", "default_alphabet", "text"),
    [
        ("5f", 0, "gsm7", "§"),
        ("5f", 0, "ascii", "_"),
        ("f1", 0, "latin1", "ñ"),
        ("5ff1", 1, "gsm7", "_\ufffd"),
        ("f1", 3, "gsm7", "ñ"),
        ("f1", 4, "gsm7", "ñ"),
        ("d83dde00", 8, "gsm7", "\U0001f600"),
        ("d83d0041", 8, "gsm7", "\ufffdA"),
        ("0041ff", 8, "gsm7", "A\ufffd"),
        ("d4", 6, "gsm7", "д"),
        ("00", 0x10, "latin1", "@"),  # flash, default alphabet of the handset
        ("00f1", 0x18, "gsm7", "ñ"),
        ("f1", 0x14, "gsm7", "ñ"),
        ("f1", 0xF4, "gsm7", "ñ"),
        ("00", 0xF0, "latin1", "@"),
        ("00f1", 0xE0, "gsm7", "ñ"),
        ("00", 0xC8, "gsm7", "@"),
    ],
)
def test_octets_are_read_by_their_data_coding(
    octets: str, data_coding: int, default_alphabet: str, text: str
) -> None:
    assert (
        decode_text(bytes.fromhex(octets), data_coding, default_alphabet=default_alphabet) == text
    )


@given(st.binary(max_size=300), st.integers(0, 255), st.booleans())
@PROPERTY
def test_decoding_never_raises(data: bytes, data_coding: int, udh: bool) -> None:
    decode_text(data, data_coding, udh=udh).encode()


def test_a_header_that_overruns_its_message_is_no_header() -> None:
    assert strip_udh(bytes.fromhex("0500038401016964")) == b"id"
    assert strip_udh(b"\x05\x00\x03\x84\x01\x01") == b""
    assert strip_udh(b"id:1") == b"id:1"
    assert strip_udh(b"") == b""


@given(st.text())
@PROPERTY
def test_clusters_join_to_the_text(text: str) -> None:
    pieces = list(graphemes.clusters(text))
    assert "".join(pieces) == text
    assert all(pieces)
    assert graphemes.joins(text) or pieces == list(text)


@pytest.mark.parametrize(
    "character",
    [
        FAMILY,
        "e\u0301",
        "\U0001f44d\U0001f3fd",
        "\u2764\ufe0f",
        "\U0001f1ea\U0001f1f8",
        "\U0001f3f4\U000e0067\U000e0062\U000e007f",
        "\u1112\u1161\u11ab",
        "\r\n",
        "\u0928\u093f",
        "\U0001f3f3\ufe0f\u200d\U0001f308",
    ],
    ids=lambda text: " ".join(unicodedata.name(c, f"{ord(c):04x}") for c in text)[:30],
)
def test_one_visible_character_is_one_cluster(character: str) -> None:
    assert list(graphemes.clusters(f"a{character}{character}b")) == [
        "a",
        character,
        character,
        "b",
    ]


def test_the_names_of_encodings_are_those_of_the_contract() -> None:
    assert set(DEFAULT_ALPHABETS) <= set(ENCODINGS)

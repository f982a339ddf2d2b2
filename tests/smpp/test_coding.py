"""What an operator may want of text beside the default: national tables, packing, long messages."""

from __future__ import annotations

import itertools
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.smpp import gsm7, national, septets, udh
from gateway.smpp.costs import Cost, character_costs, without
from gateway.smpp.national import Tables
from gateway.smpp.substitution import PLAINER, Substitution, original, substitute
from gateway.smpp.text import (
    LONG_MESSAGES,
    MAX_PARTS,
    PLAIN,
    Coding,
    EncodedText,
    decode_text,
    encode_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PROPERTY = settings(deadline=None, max_examples=200)
ALL = tuple(national.LANGUAGES)
SPANISH = Coding(national_tables=("spanish",))

TABLES = [Tables(), *(tables for name in ALL for tables in national.choices(name))]
seven_bit_codings = st.builds(
    Coding,
    st.just("gsm7"),
    st.lists(st.sampled_from(ALL), unique=True).map(tuple),
    st.booleans(),
    st.sampled_from(LONG_MESSAGES),
)
codings = seven_bit_codings | st.builds(
    Coding, st.sampled_from(("latin1", "ascii")), long_message=st.sampled_from(LONG_MESSAGES)
)


def alphabet_texts(tables: Tables, most: int = 500) -> st.SearchStrategy[str]:
    letters = sorted(national.alphabet(tables).characters)
    return st.text(st.sampled_from(letters), min_size=1, max_size=most)


texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.sampled_from(TABLES).flatmap(alphabet_texts),
    st.text(st.sampled_from("aíçã\u0131ğ€^\r\n漢\U0001f600\u0301\u200d"), min_size=120),
    st.text(st.sampled_from("abí\r"), min_size=130),
)


def read_back(encoded: EncodedText, coding: Coding) -> list[str]:
    """Each part as a receiver reads it."""
    return [
        decode_text(
            encoded.body(number)[0] or encoded.body(number)[1][0].value,
            encoded.data_coding,
            default_alphabet=coding.default_alphabet,
            udh=encoded.esm_class == 0x40,
            packed=coding.packed,
        )
        for number in range(1, len(encoded.parts) + 1)
    ]


@given(texts, codings)
@PROPERTY
def test_whatever_the_operator_wants_the_text_reads_back(text: str, coding: Coding) -> None:
    read = "".join(read_back(encode_text(text, coding), coding))
    if coding.packed:  # a carriage return at the very end may come back twice or not at all
        assert read.rstrip("\r") == text.rstrip("\r")
    else:
        assert read == text


@given(texts, codings, st.integers(0, 2**40))
@PROPERTY
def test_every_part_fits_into_a_short_message(text: str, coding: Coding, reference: int) -> None:
    encoded = encode_text(text, coding, reference=reference)
    total = len(encoded.parts)
    assert total <= MAX_PARTS
    assert sum(encoded.part_units) == encoded.units
    for number in range(1, total + 1):
        octets, tlvs = encoded.body(number)
        if encoded.long_message == "payload":
            assert octets == b""
            assert [tlv.tag for tlv in tlvs] == [0x0424]
            continue
        head = udh.split(octets)[0] if encoded.esm_class else b""
        on_air = len(octets)
        if encoded.tables is not None and not coding.packed:
            on_air = len(head) + -(-(len(octets) - len(head)) * 7 // 8)
        room = 140 - (7 if encoded.long_message == "sar" else 0)
        assert on_air <= room
        assert len(octets) <= 254
        assert encoded.part_units[number - 1] <= encoded.unit_limit


@given(st.sampled_from(TABLES).flatmap(alphabet_texts), st.sampled_from(LONG_MESSAGES))
@PROPERTY
def test_no_part_ends_inside_an_escape_pair(text: str, long_message: str) -> None:
    encoded = encode_text(text, Coding(national_tables=ALL, long_message=long_message))
    for number in range(1, len(encoded.parts) + 1):
        octets = encoded.body(number)[0]
        if encoded.tables is not None and octets:
            assert octets[-1] != gsm7.ESCAPE


# -- national tables ---------------------------------------------------------------------------


@pytest.mark.parametrize("tables", TABLES, ids=lambda tables: tables.name)
def test_every_character_of_every_table_goes_both_ways(tables: Tables) -> None:
    alphabet = national.alphabet(tables)
    for character in alphabet.characters:
        octets = alphabet.encode(character)
        assert alphabet.decode(octets) == character
        assert len(octets) == (2 if character in alphabet.double else 1)
    assert not alphabet.single & alphabet.double
    assert len(alphabet.single) == 127


#: The published tables (3GPP TS 23.038 A.2, A.3), row by row as a reader of the annex sees them.
LOCKING = {
    "turkish": "@£$¥€éù\u0131òÇ\nĞğ\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "İABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§çabcdefghijklmnopqrstuvwxyzäöñüà",
    "portuguese": "@£$¥êéúíóç\nÔô\rÁáΔ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ !\"#º%&'()*+,-./0123456789:;<=>?"
    "ÍABCDEFGHIJKLMNOPQRSTUVWXYZÃÕÚÜ§~abcdefghijklmnopqrstuvwxyzãõ`üà",
}
SINGLE = {
    "turkish": "\f^{}\\[~]|ĞİŞç€ğ\u0131ş",
    "spanish": "ç\f^{}\\[~]|ÁÍÓÚá€íóú",
    "portuguese": "êç\fÔôÁáΦΓ^ΩΠΨΣΘÊ{}\\[~]|ÀÍÓÚÃÕÂ€íóúãõâ",
}
SINGLE_SEPTETS = {
    "turkish": "0a1428292f3c3d3e4047495363656769" + "73",
    "spanish": "090a1428292f3c3d3e4041494f556165696f75",
    "portuguese": "05090a0b0c0e0f12131415161718191f28292f3c3d3e4041494f555b5c6165696f757b7c7f",
}


@pytest.mark.parametrize("language", LOCKING)
def test_a_locking_shift_table_is_the_published_one(language: str) -> None:
    table = LOCKING[language]
    assert len(table) == 128
    alphabet = national.alphabet(Tables(locking=national.LANGUAGES[language]))
    shown = alphabet.decode(bytes(septet for septet in range(128) if septet != gsm7.ESCAPE))
    assert shown == table.replace("\x1b", "")


@pytest.mark.parametrize("language", SINGLE)
def test_a_single_shift_table_is_the_published_one(language: str) -> None:
    alphabet = national.alphabet(Tables(single=national.LANGUAGES[language]))
    septet_list = bytes.fromhex(SINGLE_SEPTETS[language])
    shown = "".join(alphabet.decode(bytes((gsm7.ESCAPE, septet))) for septet in septet_list)
    assert shown == SINGLE[language]
    others = set(range(128)) - set(septet_list) - {gsm7.ESCAPE}
    for septet in others:  # not listed: the character of the table below
        assert alphabet.decode(bytes((gsm7.ESCAPE, septet))) == gsm7.DEFAULT[septet]


def test_an_accent_goes_by_the_spanish_table_where_that_saves_a_part() -> None:
    text = "Le notificamos que su factura del día 5 vence el próximo lunes, 30 de noviembre."
    assert (encode_text(text).encoding, encode_text(text).on_air) == ("ucs2", 2)
    encoded = encode_text(text, SPANISH)
    assert encoded.encoding == "gsm7-spanish-single"
    assert encoded.esm_class == 0x40
    assert encoded.parts[0].startswith(bytes.fromhex("03240102") + b"Le notificamos")
    assert b"d\x1bia" in encoded.parts[0]
    assert encoded.unit_limit == 155
    assert read_back(encoded, SPANISH) == [text]


def test_a_table_that_saves_nothing_is_not_used() -> None:
    assert encode_text("sí", SPANISH).encoding == "ucs2"  # one part either way
    assert encode_text("x" * 150, SPANISH).encoding == "gsm7"
    assert encode_text("sí 漢" + "x" * 80, SPANISH).encoding == "ucs2"  # no table carries it


def test_a_turkish_text_takes_the_way_that_needs_fewest_parts() -> None:
    coding = Coding(national_tables=("turkish",))
    few, many = "ş" * 3 + "x" * 100, "ş" * 120
    assert encode_text(few, coding).encoding == "gsm7-turkish-single"
    assert encode_text(many, coding).encoding == "gsm7-turkish-locking"
    assert encode_text(many, coding).parts[0][:4] == bytes.fromhex("03250101")
    assert encode_text("ü{ğ" * 38, coding).encoding == "gsm7-turkish-locking"


def test_both_tables_of_a_language_are_announced_together() -> None:
    text = "ãÀ" * 60 + "Φ" * 5
    encoded = encode_text(text, Coding(national_tables=("portuguese",)))
    assert encoded.encoding == "gsm7-portuguese-locking-single"
    assert encoded.parts[0][:7] == bytes.fromhex("06240103250103")
    assert encoded.unit_limit == 152


def test_tables_stand_behind_the_concatenation_in_every_part() -> None:
    coding = Coding(national_tables=("spanish",), long_message="udh16")
    encoded = encode_text("í" + "x" * 290, coding, reference=0x1234)
    assert [part[:10].hex() for part in encoded.parts] == [
        "0908041234020124" + "0102",
        "0908041234020224" + "0102",
    ]
    assert encoded.unit_limit == 148


@pytest.mark.parametrize("long_message", ["sar", "payload"])
def test_tables_are_not_used_where_the_operator_makes_the_headers(long_message: str) -> None:
    coding = Coding(national_tables=("spanish",), long_message=long_message)
    assert encode_text("í" + "x" * 100, coding).encoding == "gsm7-spanish-single"  # one part
    assert encode_text("í" + "x" * 290, coding).encoding == "ucs2"


def test_a_text_too_long_for_ucs2_may_fit_by_a_table() -> None:
    text = "í" + "x" * 25_000
    assert encode_text(text, SPANISH).encoding == "gsm7-spanish-single"
    with pytest.raises(DataError, match="255 parts"):
        encode_text("í" + "x" * 39_000, SPANISH)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("0324010264" + "1b6961", "día"),
        ("0325010364" + "0761", "día"),
        ("0324010964" + "1b6961", "dia"),  # a language nobody knows: the default tables
        ("0325010264" + "0761", "dìa"),  # Spanish has no locking table
        ("03240002" + "64", "d"),  # an element without its octet
        ("022401" + "64", "d"),  # an element that overruns
    ],
)
def test_a_received_text_is_read_by_the_tables_its_header_names(octets: str, text: str) -> None:
    assert decode_text(bytes.fromhex(octets), 0, udh=True) == text


@pytest.mark.parametrize(
    ("setting", "coding"),
    [
        ("default_alphabet", {"default_alphabet": "ucs2"}),
        ("national_tables", {"national_tables": ("klingon",)}),
        ("long_message", {"long_message": "split"}),
        ("national_tables", {"default_alphabet": "latin1", "national_tables": ("spanish",)}),
        ("packed", {"default_alphabet": "ascii", "packed": True}),
    ],
)
def test_a_word_nobody_knows_is_refused(setting: str, coding: dict[str, Any]) -> None:
    with pytest.raises(DataError) as caught:
        Coding(**coding)
    assert caught.value.fields["field"] == setting
    assert caught.value.hint


# -- packing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("hello", "e8329bfd06"),
        ("hellohello", "e8329bfd4697d9ec37"),
        ("1234567", "31d98c56b3dd1a"),  # seven spare bits: a carriage return fills them
        ("12345678", "31d98c56b3dd70"),
        ("1234567\r", "31d98c56b3dd1a0d"),
    ],
)
def test_septets_are_packed_as_published(text: str, octets: str) -> None:
    encoded = encode_text(text, Coding(packed=True))
    assert encoded.parts[0].hex() == octets
    assert read_back(encoded, Coding(packed=True))[0].rstrip("\r") == text.rstrip("\r")


def test_fill_bits_follow_the_header() -> None:
    assert [septets.fill_bits(length) for length in (0, 4, 6, 7, 9)] == [0, 3, 1, 0, 5]
    coding = Coding(packed=True)
    first, second = encode_text("a" * 160 + "b", coding, reference=1).parts
    assert first[:7].hex() == "050003010201" + f"{(ord('a') << 1) & 0xFF:02x}"
    assert (len(first), len(second)) == (140, 6 + 8)


def test_a_full_packed_part_never_ends_in_a_carriage_return() -> None:
    coding = Coding(packed=True)
    encoded = encode_text("x" * 152 + "\r" + "y" * 20, coding)
    assert encoded.part_units == (152, 21)
    assert "".join(read_back(encoded, coding)) == "x" * 152 + "\r" + "y" * 20


@given(st.binary(max_size=160), st.integers(0, 13))
@PROPERTY
def test_septets_come_back_from_their_octets(data: bytes, header_bytes: int) -> None:
    plain = bytes(octet & 0x7F for octet in data)
    packed = septets.pack(plain, header_bytes=header_bytes)
    read = septets.unpack(packed, header_bytes=header_bytes)
    assert read.rstrip(b"\r") == plain.rstrip(b"\r")
    assert septets.unpack(b"", header_bytes=header_bytes) == b""


# -- long messages -----------------------------------------------------------------------------


def test_a_wide_reference_stands_in_its_own_element() -> None:
    encoded = encode_text("x" * 161, Coding(long_message="udh16"), reference=0xABCDE)
    assert [part[:7].hex() for part in encoded.parts] == ["060804bcde0201", "060804bcde0202"]
    assert encoded.part_units == (152, 9)
    assert encoded.esm_class == 0x40


def test_sar_says_in_tlvs_what_a_header_would() -> None:
    encoded = encode_text("x" * 161, Coding(long_message="sar"), reference=0xABCDE)
    assert encoded.esm_class == 0
    assert encoded.body(2) == (
        b"x" * 9,
        ((0x020C, b"\xbc\xde"), (0x020E, b"\x02"), (0x020F, b"\x02")),
    )
    assert encode_text("short", Coding(long_message="sar")).body(1) == (b"short", ())


def test_a_payload_is_one_submit_sm_however_many_parts_the_handset_gets() -> None:
    encoded = encode_text("x" * 400, Coding(long_message="payload"))
    assert (len(encoded.parts), encoded.on_air) == (1, 3)
    assert encoded.body(1) == (b"", ((0x0424, b"x" * 400),))
    assert encode_text("short", Coding(long_message="payload")).body(1) == (b"short", ())


@pytest.mark.parametrize(
    ("long_message", "room"), list(zip(LONG_MESSAGES, (153, 152, 152, 153), strict=True))
)
def test_the_longest_text_of_each_method(long_message: str, room: int) -> None:
    coding = Coding(long_message=long_message)
    assert encode_text("x" * (255 * room), coding).on_air == 255
    with pytest.raises(DataError, match="255 parts"):
        encode_text("x" * (255 * room + 1), coding)


# -- substitution and costs --------------------------------------------------------------------


def test_plainer_characters_are_all_in_the_default_alphabet() -> None:
    assert set(itertools.chain(*PLAINER.values())) <= gsm7.ALPHABET
    assert not set(PLAINER) & gsm7.ALPHABET


def test_typographic_characters_give_way_where_it_pays() -> None:
    text = "\u201cL\u2019a\u00e9rea\u201d\u00a0\u2013 hoy\u2026\u200b"
    sent, made = substitute(text)
    assert sent == '"L\'aérea" - hoy...'
    assert Substitution("\u2019", "'", (2,)) in made
    assert Substitution("\u2026", "...", (15,)) in made
    assert original(sent, made) == text


@pytest.mark.parametrize(
    "text",
    [
        "nothing to do",
        "\u2019 and 漢",  # it stays UCS-2 and as long
        "\u200b",  # nothing would be left
    ],
)
def test_what_gains_nothing_stays_as_it_is(text: str) -> None:
    assert substitute(text) == (text, ())


def test_what_the_operator_carries_is_not_touched() -> None:
    assert substitute("«\u00a0sí\u00a0»", Coding("latin1")) == ("«\u00a0sí\u00a0»", ())
    long = "漢" + "x" * 68 + "\u200b\u200b"
    assert substitute(long)[0] == "漢" + "x" * 68  # still UCS-2, but one part less


@given(st.text(st.sampled_from([*PLAINER, *"ab\r"]), min_size=1))
@PROPERTY
def test_the_original_can_always_be_read_back(text: str) -> None:
    sent, made = substitute(text)
    assert original(sent, made) == text


def told(costs: Iterable[Cost]) -> list[tuple[object, ...]]:
    return [astuple(cost) for cost in costs]


def test_each_costly_character_says_why() -> None:
    text = "5 € día 5 €"
    assert told(character_costs("5 € 5 €", encode_text("5 € 5 €"))) == [("€", 2, 2, "extension")]
    costs = character_costs(text, encode_text(text))
    assert told(costs) == [("í", 1, 1, "forces_ucs2")]
    assert (costs[0].code, costs[0].name) == ("U+00ED", "latin small letter i with acute")
    other = without(text, costs)
    assert other is not None
    assert (other.encoding, other.units) == ("gsm7", 13)
    assert without("hola", ()) is None
    (emoji,) = character_costs("\U0001f600", encode_text("\U0001f600"))
    assert (emoji.units, emoji.code) == (2, "U+1F600")
    (control,) = character_costs("\x01", encode_text("\x01"))
    assert control.name == ""


def test_a_character_of_a_national_table_says_so() -> None:
    text = "í€" + "x" * 100
    encoded = encode_text(text, SPANISH)
    assert told(character_costs(text, encoded, SPANISH)) == [
        ("í", 1, 2, "national_table"),
        ("€", 1, 2, "extension"),
    ]
    locking = Coding(national_tables=("turkish",))
    text = "ş" * 120
    assert told(character_costs(text, encode_text(text, locking), locking)) == [
        ("ş", 120, 1, "national_table")
    ]
    assert character_costs("plain", encode_text("plain"), PLAIN) == ()

"""Numbers: written in many ways, refused only when they cannot exist, placed where they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import ConfigError, DataError
from gateway.policy.numbering import Place, load_numbering

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.book import Rulebook


@pytest.mark.parametrize(
    "written",
    [
        "+34600111222",
        "+34 600 111 222",
        "+34-600.111.222",
        "+34 (600) 111/222",
        "+34\u00a0600\u202f111\u2011222",
    ],
)
def test_separators_people_write_are_left_out(book: Rulebook, written: str) -> None:
    assert book.numbering.normalise(written) == "+34600111222"


def test_the_one_of_old_mexican_mobile_numbers_is_taken_away(book: Rulebook) -> None:
    assert book.numbering.normalise("+52 1 55 0000 0000") == "+525500000000"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "there is no number"),
        ("  ", "there is no number"),
        ("+", "consists of + and digits"),
        ("600111222", "does not begin with +"),
        ("22011", "5 digits are a short code"),
        ("0034600111222", "does not begin with +"),
        ("+34600ABC222", "consists of + and digits"),
        ("+34600111222x1", "consists of + and digits"),
        ("3.46E+10", "consists of + and digits"),
        ("+٣٤٦٠٠١١١٢٢٢", "consists of + and digits"),
        ("++34600111222", "consists of + and digits"),
        ("+34", "has 7 to 15 digits"),
        ("+3460011122233344", "has 7 to 15 digits"),
        ("+3460011122", "have 11 digits"),
        ("+3360639981234", "have 11 digits"),
        ("+99912345678", "no country code begins with +999"),
        ("+21012345678", "no country code begins with +210"),
        ("+11305555012", "no area code of country code 1 begins with 1"),
        ("+10305550123", "no area code of country code 1 begins with 0"),
        ("+1305555012", "have 11 digits"),
    ],
)
def test_a_number_that_cannot_exist_is_refused_with_its_field_and_a_way_out(
    book: Rulebook, written: str, says: str
) -> None:
    with pytest.raises(DataError, match=r"^recipient: ") as caught:
        book.numbering.normalise(written, "recipient")
    assert says in caught.value.message
    assert caught.value.hint
    assert caught.value.fields["field"] == "recipient"


@pytest.mark.parametrize(
    ("number", "jurisdiction"),
    [
        ("+16215550123", "US-TX"),
        ("+16795550123", "US-MI"),
        ("+17295550123", "US-TN"),
        ("+13575550123", "US-CA"),
        ("+18375550123", "US-CA"),
        ("+14575550123", "US-LA"),
        ("+14715550123", "US-MS"),
        ("+14835550123", "US-AL"),
    ],
)
def test_area_codes_in_service_are_sent_to_although_published_data_calls_them_invalid(
    book: Rulebook, number: str, jurisdiction: str
) -> None:
    assert book.numbering.normalise(number) == number
    assert {place.jurisdiction for place in book.numbering.places(number)} == {jurisdiction}


def test_a_number_of_an_unassigned_range_is_not_judged_by_validity(book: Rulebook) -> None:
    assert book.numbering.normalise("+33690000000") == "+33690000000"


@pytest.mark.parametrize(
    ("number", "places"),
    [
        ("+34600111222", "ES@Europe/Madrid ES-CN@Atlantic/Canary"),
        ("+34910000000", "ES@Europe/Madrid"),
        ("+34928000000", "ES-CN@Atlantic/Canary"),
        ("+34922000000", "ES-CN@Atlantic/Canary"),
        ("+34822000000", "ES-CN@Atlantic/Canary"),
        ("+34828000000", "ES-CN@Atlantic/Canary"),
        ("+33639981234", "FR@Europe/Paris"),
        (
            "+590690000000",
            "GP@America/Guadeloupe BL@America/Guadeloupe MF@America/Guadeloupe",
        ),
        ("+594694000000", "GF@America/Cayenne"),
        ("+596696000000", "MQ@America/Martinique"),
        ("+508550000", "PM@America/Miquelon"),
        ("+262692000000", "RE@Indian/Reunion"),
        ("+262639000000", "YT@Indian/Mayotte"),
        ("+262709000000", "RE@Indian/Reunion YT@Indian/Mayotte"),
        ("+687750000", "NC@Pacific/Noumea"),
        ("+13055550123", "US-FL@America/New_York"),
        ("+18505550123", "US-FL@America/New_York US-FL@America/Chicago"),
        ("+14485550123", "US-FL@America/New_York US-FL@America/Chicago"),
        ("+16895550123", "US-FL@America/New_York"),
        ("+12195550123", "US-IN@America/Chicago US-IN@America/Indiana/Indianapolis"),
        ("+14235550123", "US-TN@America/New_York US-TN@America/Chicago"),
        ("+19285550123", "US-AZ@America/Phoenix US-AZ@America/Denver"),
        ("+19155550123", "US-TX@America/Denver"),
        ("+16045550123", "CA-BC@America/Vancouver"),
        ("+17875550123", "PR@America/Puerto_Rico"),
        ("+18765550123", "JM@America/Jamaica"),
        ("+526140000000", "MX@America/Chihuahua"),
        ("+528680000000", "MX@America/Matamoros"),
        ("+5581900000000", "BR@America/Recife"),
        ("+5594900000000", "BR@America/Belem"),
        ("+212600000000", "MA@Africa/Casablanca"),
        ("+77010000000", "KZ@Asia/Almaty"),
        ("+56900000000", "CL@America/Santiago"),
        ("+573000000000", "CO@America/Bogota"),
        ("+88213000000", "001@"),
        ("+870770000000", "001@"),
    ],
)
def test_a_prefix_gives_every_place_its_owner_may_be_in(
    book: Rulebook, number: str, places: str
) -> None:
    expected = tuple(Place(*place.split("@")) for place in places.split())
    assert book.numbering.places(book.numbering.normalise(number)) == expected


def test_a_number_of_no_place_in_north_america_may_be_anywhere_in_the_country(
    book: Rulebook,
) -> None:
    for number in ("+18005550199", "+15005550123", "+12115550123"):
        places = book.numbering.places(number)
        assert {place.jurisdiction for place in places} == {"US-*"}
        assert {"America/New_York", "Pacific/Honolulu"} <= {place.zone for place in places}


def test_numbers_of_one_prefix_share_one_tuple_so_that_it_can_key_a_cache(book: Rulebook) -> None:
    assert book.numbering.places("+33639981234") is book.numbering.places("+33639985678")


def test_a_number_nobody_normalised_still_gives_one_clear_error(book: Rulebook) -> None:
    with pytest.raises(DataError, match="no country code"):
        book.numbering.places("+999")


@pytest.mark.parametrize(
    "line",
    ["+34", "+34;11", "+34;eleven;ES@Europe/Madrid", "?;1;2", "=ES", "~ES;35"],
)
def test_a_damaged_line_of_the_table_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "prefixes.csv"
    path.write_text(f"# a comment\n{line}\n", "utf-8")
    with pytest.raises(ConfigError, match="line 2 is damaged") as caught:
        load_numbering(path)
    assert caught.value.fields["setting"] == "prefixes.csv:2"


def test_a_table_that_is_not_there_or_not_text_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_numbering(tmp_path / "prefixes.csv")
    (tmp_path / "prefixes.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_numbering(tmp_path / "prefixes.csv")


def test_a_row_without_lengths_takes_those_of_the_next_shorter_prefix(tmp_path: Path) -> None:
    path = tmp_path / "prefixes.csv"
    path.write_text("+34;11;ES@Europe/Madrid\n\n+34922;;ES-CN@Atlantic/Canary\n+99;;XX@UTC\n")
    table = load_numbering(path)
    with pytest.raises(DataError, match="have 11 digits"):
        table.normalise("+3492211122")
    assert table.normalise("+991234567") == "+991234567"  # nothing is known of its lengths

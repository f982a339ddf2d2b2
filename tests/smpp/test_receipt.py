"""An operator reports in its own manner; what it says is read, and nothing it does not say.

The forms are those met in the field; ids, dates and texts are invented.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.resources import config_directory
from gateway.smpp.dialect import load_dialect
from gateway.smpp.pdu import DataSm, DeliverSm, Tlv
from gateway.smpp.receipt import Receipt, parse_receipt

if TYPE_CHECKING:
    from pathlib import Path

GENERIC = load_dialect(config_directory() / "operators" / "generic.toml")
NOW_MS = int(datetime(2026, 11, 28, 21, tzinfo=UTC).timestamp() * 1000)
PROPERTY = settings(deadline=None, max_examples=200)
R1 = (
    "id:0059113999 sub:001 dlvrd:001 submit date:2602101730 done date:2602101731"
    " stat:DELIVRD err:000 text:@$#!%&/:"
)
R1_TLVS = (
    Tlv(0x000E, b"\x01"),
    Tlv(0x0006, b"\x01"),
    Tlv(0x001E, b"386020f\0"),
    Tlv(0x0427, b"\x02"),
)


def at(year: int, month: int, day: int, hour: int, minute: int, second: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp() * 1000)


def read(
    text: str | bytes = b"",
    *tlvs: Tlv,
    esm_class: int = 0x04,
    data_coding: int = 0,
    utc_offset_s: int | None = None,
) -> Receipt:
    receipt = parse_receipt(
        DeliverSm(
            short_message=text.encode("latin-1") if isinstance(text, str) else text,
            esm_class=esm_class,
            data_coding=data_coding,
            tlvs=tlvs,
        ),
        GENERIC,
        utc_offset_s=utc_offset_s,
        now_ms=NOW_MS,
    )
    assert receipt is not None
    return receipt


def test_text_and_tlvs_that_agree_are_one_receipt() -> None:
    assert read(R1, *R1_TLVS) == Receipt(
        message_id="386020f",
        message_state="DELIVRD",
        state="delivered",
        final=True,
        error="000",
        network_error_code=None,
        submit_at_ms=at(2026, 2, 10, 17, 30),
        done_at_ms=at(2026, 2, 10, 17, 31),
        conflict=False,
        text_message_id="0059113999",
    )


@pytest.mark.parametrize(
    ("text", "message_id", "word", "state", "error"),
    [
        # a dashed id and seconds in the dates
        (
            (
                "id:74e0aaaa-4e2f-4a6e-a78b-4b247d750000 sub:001 dlvrd:001 submit date:260206193041"
                " done date:260206193110 stat:DELIVRD err:000 text:"
            ),
            "74e0aaaa-4e2f-4a6e-a78b-4b247d750000",
            "DELIVRD",
            "delivered",
            "000",
        ),
        (
            (
                "id:94251430999 sub:001 dlvrd:001 submit date:2611040124 done date:2611040124"
                " stat:ACCEPTD err:107 text: 26F100"
            ),
            "94251430999",
            "ACCEPTD",
            "accepted",
            "107",
        ),
        (
            (
                "id:126e85a6edeac1a02020099312470000 sub:001 dlvrd:001 submit date:2602191630"
                " done date:2602191630 stat:DELIVRD err:000 Text:Hello               "
            ),
            "126e85a6edeac1a02020099312470000",
            "DELIVRD",
            "delivered",
            "000",
        ),
        (
            (
                "id:117062714244799999 sub:001 dlvrd:001 submit date:2606271624 "
                "done date:2606271624 stat:DELIVRD err:0000 text:H\x1bello world\x11\x00"
            ),
            "117062714244799999",
            "DELIVRD",
            "delivered",
            "0000",
        ),
        (
            (
                "id:1216080510463409999 sub:001 dlvrd:001 submit date:2608051046 "
                "done date:0000000000 stat:FAILED err:002 Text:"
            ),
            "1216080510463409999",
            "FAILED",
            None,
            "002",
        ),
        (
            (
                "id:3107071515352909999 sub:001 dlvrd:001 submit date:2607151735"
                " done date:2607151750 stat:EXPIRED err:0032 text:Test Message"
            ),
            "3107071515352909999",
            "EXPIRED",
            "expired",
            "0032",
        ),
        # no sub, no dlvrd
        (
            (
                "id:1526758999 submit date:2601240904 done date:2601240904 stat:DELIVRD err:000"
                " text:hellow"
            ),
            "1526758999",
            "DELIVRD",
            "delivered",
            "000",
        ),
        # an id above 64 bits
        (
            (
                "id:64567564356765439999 sub:001 dlvrd:001 submit date:260608165232"
                " done date:260608165237 stat:DELIVRD err:000 text:Hello World"
            ),
            "64567564356765439999",
            "DELIVRD",
            "delivered",
            "000",
        ),
        # the state without its label
        (
            (
                "id:171026 sub:001 dlvrd:001 submit date:260903120815 done date:260903120816 "
                "DELIVRD err:000 Text:"
            ),
            "171026",
            "DELIVRD",
            "delivered",
            "000",
        ),
        ("DELIVRD id:5", "5", "DELIVRD", "delivered", None),
        # any order, any case, blanks about the colon, fields missing
        (
            "ERR:21b STAT:undeliv DONE DATE:2601010101 ID:A-1",
            "A-1",
            "undeliv",
            "undelivered",
            "21b",
        ),
        ("id : 7 stat : REJECTD err : 12", "7", "REJECTD", "rejected", "12"),
        ("id:1\r\nstat:DELETED\r\nerr:9", "1", "DELETED", "deleted", "9"),
        (
            "submit_date:2601010101 donedate:2601010102 stat:DELIVRD",
            None,
            "DELIVRD",
            "delivered",
            None,
        ),
        ("id:9 sub:null dlvrd:null stat:DELIVRD err:null", "9", "DELIVRD", "delivered", "null"),
        ("id:9 stat:DELIVRD err: text:", "9", "DELIVRD", "delivered", None),
        ("id: stat:DELIVRD", None, "DELIVRD", "delivered", None),
        # words nobody listed are kept as they are
        ("id:9 stat:BUFFRED err:0", "9", "BUFFRED", None, "0"),
        ("id:9 stat:DND_REJECTED err:0", "9", "DND_REJECTED", None, "0"),
        ("id:9 stat:DND\x11REJECTED err:0", "9", "DND_REJECTED", None, "0"),
        ("id:9 stat:0 err:0", "9", "0", None, "0"),
        ("id:9 stat: err:0", "9", "", None, "0"),
        ("id:9 stat:DELIVERED TO SMSC err:0", "9", "DELIVERED TO SMSC", None, "0"),
        ("id:9 stat:DELIVRD 000", "9", "DELIVRD", "delivered", None),
        ("id:9 stat:DELIVRD vendor:x err:0", "9", "DELIVRD", "delivered", "0"),
        ("id:9 stat:ENROUTE", "9", "ENROUTE", "enroute", None),
        ("id:9 stat:UNKNOWN", "9", "UNKNOWN", "unknown", None),
        ("", None, "", None, None),
        ("hello", None, "", None, None),
    ],
)
def test_texts_as_operators_write_them(
    text: str, message_id: str | None, word: str, state: str | None, error: str | None
) -> None:
    receipt = read(text)
    assert (receipt.message_id, receipt.message_state, receipt.state, receipt.error) == (
        message_id,
        word,
        state,
        error,
    )
    assert not receipt.conflict
    assert receipt.text_message_id is None
    assert receipt.final is (
        state in {"delivered", "expired", "deleted", "undelivered", "rejected"}
    )


@pytest.mark.parametrize(
    ("text", "message_id", "state", "conflict"),
    [
        # what the subscriber's text says is not a field …
        ("id:1 stat:UNDELIV err:0 text:id:2 stat:DELIVRD err:9", "1", "undelivered", False),
        ("id:1 done date:2601010101 UNDELIV text:id:2 stat:DELIVRD", "1", "undelivered", False),
        ("id:1 stat:UNDELIV text:DELIVRD", "1", "undelivered", False),
        # … unless the state is still to come
        ("text:hello id:1 stat:DELIVRD err:0", "1", "delivered", False),
        ("id:1 text:my id:666 stat:DELIVRD", "1", "delivered", False),
        ("text:your id:666 is ready id:1 stat:DELIVRD", "1", "delivered", False),
        # and then a text that names a state makes the receipt say two things
        ("text:my stat:DELIVRD id:1 stat:UNDELIV", "1", None, True),
        ("id:1 stat:DELIVRD stat:UNDELIV", "1", None, True),
        ("id:1 stat:DELIVRD stat:delivered", "1", "delivered", False),
        ("id:1 stat:FAILED stat:BUFFRED", "1", None, True),
        ("id:1 stat:FAILED stat:failed", "1", None, False),
        # words of the text are never a state without a label
        ("id:1 text:it has EXPIRED", "1", None, False),
        ("id:1 DELIVRD 3 UNDELIV err:0", "1", None, True),
    ],
)
def test_the_quoted_text_is_no_report(
    text: str, message_id: str, state: str | None, conflict: bool
) -> None:
    receipt = read(text)
    assert (receipt.message_id, receipt.state, receipt.conflict) == (message_id, state, conflict)


def test_tlvs_alone_are_a_receipt() -> None:
    receipt = read(
        b"",
        Tlv(0x001E, b"00B8AAAA\0"),
        Tlv(0x0427, b"\x05"),
        Tlv(0x0423, b"\x03\x00\x0b"),
    )
    assert receipt == Receipt(
        message_id="00B8AAAA",
        message_state="UNDELIV",
        state="undelivered",
        final=True,
        error=None,
        network_error_code="03000b",
        submit_at_ms=None,
        done_at_ms=None,
        conflict=False,
        text_message_id=None,
    )


@pytest.mark.parametrize(
    ("octets", "word", "state", "final"),
    [
        ("00", "SCHEDULED", "scheduled", False),
        ("01", "ENROUTE", "enroute", False),
        ("02", "DELIVRD", "delivered", True),
        ("03", "EXPIRED", "expired", True),
        ("04", "DELETED", "deleted", True),
        ("05", "UNDELIV", "undelivered", True),
        ("06", "ACCEPTD", "accepted", False),
        ("07", "UNKNOWN", "unknown", False),
        ("08", "REJECTD", "rejected", True),
        ("09", "SKIPPED", "skipped", True),
        ("0002", "DELIVRD", "delivered", True),  # an integer of unusual length
        ("71", "0x71", None, False),
        ("", "", None, False),
    ],
)
def test_states_as_an_octet(octets: str, word: str, state: str | None, final: bool) -> None:
    receipt = read(b"", Tlv(0x001E, b"1\0"), Tlv(0x0427, bytes.fromhex(octets)))
    assert (receipt.message_state, receipt.state, receipt.final) == (word, state, final)


@pytest.mark.parametrize(
    ("text", "octet", "word"),
    [
        ("id:1 stat:DELIVRD", 5, "DELIVRD"),
        ("id:1 stat:UNDELIV", 2, "UNDELIV"),
        ("id:1 stat:FAILED", 2, "FAILED"),  # nobody has said that FAILED is "delivered"
        ("id:1 stat:DELIVRD", 0x71, "DELIVRD"),
        ("id:1 stat:DELIVRD", 1, "DELIVRD"),
    ],
)
def test_text_and_tlv_that_name_different_states_decide_nothing(
    text: str, octet: int, word: str
) -> None:
    receipt = read(text, Tlv(0x0427, bytes((octet,))))
    assert receipt.conflict
    assert receipt.state is None
    assert not receipt.final
    assert receipt.message_state == word


def test_two_tlvs_that_name_different_states_decide_nothing() -> None:
    receipt = read(b"", Tlv(0x0427, b"\x02"), Tlv(0x0427, b"\x05"))
    assert (receipt.conflict, receipt.state, receipt.message_state) == (True, None, "DELIVRD")


@pytest.mark.parametrize(
    ("octets", "shown"),
    [("030022", "030022"), ("303334", "034"), ("3033", "3033"), ("", None), ("000000", "000000")],
)
def test_a_network_error_is_hex_or_the_digits_an_operator_wrote(
    octets: str, shown: str | None
) -> None:
    assert read(b"", Tlv(0x0423, bytes.fromhex(octets))).network_error_code == shown


def test_an_id_without_its_nul_and_one_cut_short_are_read() -> None:
    assert read(b"", Tlv(0x001E, b"3005")).message_id == "3005"
    assert read(b"", Tlv(0x001E, b" 3005\0junk")).message_id == "3005"
    assert read("id:7 stat:DELIVRD", Tlv(0x001E, b"\0")).message_id == "7"


def test_the_same_id_twice_is_told_once() -> None:
    assert read("id:77 stat:DELIVRD", Tlv(0x001E, b"77\0")).text_message_id is None


@pytest.mark.parametrize(
    ("date", "utc_offset_s", "expected"),
    [
        ("2602101731", None, at(2026, 2, 10, 17, 31)),
        ("2602101731", 3600, at(2026, 2, 10, 16, 31)),
        ("260210173159", -10800, at(2026, 2, 10, 20, 31, 59)),
        ("20260210173159", 3600, at(2026, 2, 10, 16, 31, 59)),
        # its own offset wins: twelve quarters ahead of UTC, nine tenths of a second
        ("260711070003912+", 3600, at(2026, 7, 11, 4, 0, 3) + 900),
        ("260711070003008-", None, at(2026, 7, 11, 9, 0, 3)),
        ("9912312359", None, at(1999, 12, 31, 23, 59)),
        ("0000000000", None, None),
        ("2613101731", None, None),
        ("2602301731", None, None),
        ("260210173160", None, None),
        ("26021017", None, None),
        ("260210173", None, None),
        ("26021017311", None, None),
        ("26021O1731", None, None),
        ("٢٦٠٢١٠١٧٣١", None, None),
        ("26071107000391²+", None, None),
        ("260711070003912R", None, None),
        ("000000000000000R", None, None),
        ("NULL", None, None),
        ("2" * 5000, None, None),
    ],
)
def test_dates_are_utc_by_their_own_offset_or_the_operators(
    date: str, utc_offset_s: int | None, expected: int | None
) -> None:
    receipt = read(
        f"id:1 done date:{date} stat:DELIVRD".encode("utf-16-be"),
        data_coding=8,
        utc_offset_s=utc_offset_s,
    )
    assert receipt.done_at_ms == expected
    assert receipt.state == "delivered"


def test_done_before_submit_is_told_as_it_is() -> None:
    receipt = read("id:1 submit date:2602101731 done date:2602101730 stat:DELIVRD")
    assert receipt.submit_at_ms == at(2026, 2, 10, 17, 31)
    assert receipt.done_at_ms == at(2026, 2, 10, 17, 30)


@pytest.mark.parametrize("data_coding", [0, 1, 3, 4, 8, 0xF1])
def test_a_receipt_in_ucs2_is_read_even_under_another_data_coding(data_coding: int) -> None:
    assert read(R1.encode("utf-16-be"), data_coding=data_coding) == read(R1)


@pytest.mark.parametrize("data_coding", [0, 1, 3, 5, 8, 0xF1])
def test_a_receipt_in_octets_is_read_even_under_ucs2(data_coding: int) -> None:
    assert read(R1, data_coding=data_coding) == read(R1)


def test_a_nul_among_octets_that_say_nothing_changes_nothing() -> None:
    assert read(b"\0nothing").message_id is None


def test_the_user_data_header_is_no_text() -> None:
    header = bytes.fromhex("050003840101")
    assert read(header + R1.encode(), esm_class=0x44) == read(R1)


def test_text_in_message_payload_is_text() -> None:
    assert read(b"", Tlv(0x0424, R1.encode())) == read(R1)


def test_a_receipt_may_come_by_data_sm() -> None:
    pdu = DataSm(esm_class=0x04, tlvs=(Tlv(0x0424, R1.encode()), *R1_TLVS))
    assert parse_receipt(pdu, GENERIC, utc_offset_s=None, now_ms=NOW_MS) == read(R1, *R1_TLVS)


def test_an_intermediate_notification_is_never_final() -> None:
    receipt = read("id:1 stat:DELIVRD", esm_class=0x20)
    assert (receipt.state, receipt.final) == ("delivered", False)
    assert not read("id:1 stat:DELIVRD", esm_class=0x24).final


@pytest.mark.parametrize("esm_class", [0x00, 0x40, 0x80, 0x08, 0x10, 0x18, 0x0C, 0x3C])
def test_without_the_mark_a_text_like_a_receipt_is_a_message(esm_class: int) -> None:
    pdu = DeliverSm(short_message=R1.encode(), esm_class=esm_class, tlvs=R1_TLVS)
    assert parse_receipt(pdu, GENERIC, utc_offset_s=None, now_ms=NOW_MS) is None


@pytest.mark.parametrize(
    ("text", "esm_class", "is_receipt"),
    [
        (R1, 0x00, True),
        (R1, 0x03, True),
        (R1, 0x08, False),
        ("id:1 is all I have", 0x00, False),
        ("stat:DELIVRD", 0x00, False),
        ("hello", 0x00, False),
    ],
)
def test_an_operator_known_to_leave_the_mark_out(
    text: str, esm_class: int, is_receipt: bool, tmp_path: Path
) -> None:
    (tmp_path / "generic.toml").write_text(
        (config_directory() / "operators" / "generic.toml").read_text()
    )
    (tmp_path / "bare.toml").write_text('extends = "generic"\nreceipt_with_esm_class_0 = true')
    pdu = DeliverSm(short_message=text.encode(), esm_class=esm_class)
    receipt = parse_receipt(
        pdu, load_dialect(tmp_path / "bare.toml"), utc_offset_s=None, now_ms=NOW_MS
    )
    assert (receipt is not None) is is_receipt


PIECES = (
    "id:5|ID:A-1|sub:001|dlvrd:001|submit date:2601010101|stat:|err:000|a:b|text:|\x00|\x11|id:"
    "|done date:260711070003912+|stat:DELIVRD|Stat:UNDELIV|DELIVRD|text:stat:EXPIRED|date:"
    "|stat:FAILED|err:nul|::"
)
FIELDS = st.lists(st.sampled_from(PIECES.split("|"))).map(" ".join)


@given(
    st.binary(max_size=300) | FIELDS.map(str.encode) | FIELDS.map(lambda t: t.encode("utf-16-be")),
    st.integers(0, 255),
    st.sampled_from([0x04, 0x20, 0x24, 0x44]) | st.integers(0, 255),
    st.lists(
        st.builds(Tlv, st.sampled_from([0x1E, 0x423, 0x424, 0x427]), st.binary(max_size=70)),
        max_size=4,
    ),
)
@PROPERTY
def test_no_octets_raise_and_no_verdict_lacks_a_word(
    text: bytes, data_coding: int, esm_class: int, tlvs: list[Tlv]
) -> None:
    for pdu in (
        DeliverSm(
            short_message=text, data_coding=data_coding, esm_class=esm_class, tlvs=tuple(tlvs)
        ),
        DataSm(data_coding=data_coding, esm_class=esm_class, tlvs=(*tlvs, Tlv(0x424, text))),
    ):
        receipt = parse_receipt(pdu, GENERIC, utc_offset_s=3600, now_ms=NOW_MS)
        if receipt is None:
            assert esm_class & 0x3C not in (0x04, 0x20, 0x24)
            continue
        assert receipt.state is None or receipt.message_state
        assert not (receipt.conflict and receipt.state)
        assert not receipt.final or receipt.state
        repr(receipt).encode()  # every string can be stored


@given(st.permutations(R1.split(" text:")[0].replace(" date", "_date").split()))
@PROPERTY
def test_the_order_of_fields_means_nothing(fields: list[str]) -> None:
    assert read(" ".join(fields)) == read(R1)

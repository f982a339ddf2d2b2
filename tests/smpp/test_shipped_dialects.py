"""The dialects that travel with the program: each loads, and means what its source says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.resources import config_directory
from gateway.smpp.dialect import load_dialect

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = sorted((config_directory() / "operators").glob("*.toml"))
APPENDIX_B = (
    "DELIVRD",
    "EXPIRED",
    "DELETED",
    "UNDELIV",
    "ACCEPTD",
    "UNKNOWN",
    "REJECTD",
    "ENROUTE",
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_names_its_source_and_knows_the_words_of_the_standard(path: Path) -> None:
    dialect = load_dialect(path)
    assert "Source" in path.read_text()
    assert dialect.description
    assert all(dialect.state(word) for word in APPENDIX_B)
    assert dialect.is_throttling(0x58)


@pytest.mark.parametrize(
    ("name", "word", "state"),
    [
        ("generic", "FAILED", None),
        ("generic", "BUFFRED", None),
        ("kannel", "BUFFERD", "enroute"),
        ("smscentral", "buffred", "enroute"),
        ("smscentral", "FAILED", "undelivered"),
        ("smscentral", "NOCRED", "undelivered"),
        ("ozeki", "FAILED", "undelivered"),
        ("unmarked", "FAILED", None),
        ("vonage", "DELIVRD", "delivered"),
    ],
)
def test_what_their_words_mean(name: str, word: str, state: str | None) -> None:
    assert load_dialect(config_directory() / "operators" / f"{name}.toml").state(word) == state


@pytest.mark.parametrize(
    ("name", "temporary"), [("generic", True), ("openmarket", False), ("hollatags", False)]
)
def test_where_a_failed_submission_is_final(name: str, temporary: bool) -> None:
    dialect = load_dialect(config_directory() / "operators" / f"{name}.toml")
    assert dialect.is_temporary(0x45) is temporary


def test_only_one_takes_receipts_without_their_mark() -> None:
    assert [p.stem for p in SHIPPED if load_dialect(p).receipt_with_esm_class_0] == ["unmarked"]

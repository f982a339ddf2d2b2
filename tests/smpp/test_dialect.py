"""An engineer writes an operator's habits into a file; mistakes in it are named, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import ConfigError
from gateway.resources import config_directory
from gateway.smpp.dialect import STATES, Dialect, load_dialect

if TYPE_CHECKING:
    from pathlib import Path

GENERIC = config_directory() / "operators" / "generic.toml"


@pytest.fixture
def operators(tmp_path: Path) -> Path:
    (tmp_path / "generic.toml").write_text(GENERIC.read_text())
    return tmp_path


def write(directory: Path, text: str, name: str = "ours") -> Dialect:
    path = directory / f"{name}.toml"
    path.write_text(text)
    return load_dialect(path)


def refused(directory: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        write(directory, text)
    return caught.value


def test_the_generic_dialect_is_the_contract() -> None:
    generic = load_dialect(GENERIC)
    assert generic.name == "generic"
    assert {code for code in range(0x600) if generic.is_temporary(code)} == {
        0x08,
        0x14,
        0x45,
        0x58,
        0x64,
    }
    assert {code for code in range(0x600) if generic.is_throttling(code)} == {0x14, 0x45, 0x58}
    assert not generic.receipt_with_esm_class_0


def test_the_words_of_appendix_b_mean_what_it_says() -> None:
    generic = load_dialect(GENERIC)
    words = "DELIVRD EXPIRED DELETED UNDELIV ACCEPTD UNKNOWN REJECTD SKIPPED ENROUTE SCHEDULED"
    assert tuple(map(generic.state, words.split())) == STATES
    assert generic.state("Delivrd") == "delivered"


@pytest.mark.parametrize("word", ["FAILED", "0", "", "ACKED", "BUFFRED", "DELIVR"])
def test_a_word_nobody_defined_means_nothing(word: str) -> None:
    assert load_dialect(GENERIC).state(word) is None


def test_a_dialect_may_hold_only_what_differs(operators: Path) -> None:
    ours = write(
        operators, 'extends = "generic"\n[stat]\nfailed = "undelivered"\nDELETED = "expired"\n'
    )
    assert ours.name == "ours"
    assert ours.state("FAILED") == "undelivered"
    assert ours.state("DELIVRD") == "delivered"
    assert ours.state("DELETED") == "expired"
    assert ours.is_temporary(0x64)
    other = write(
        operators,
        'extends = "ours"\nreceipt_with_esm_class_0 = true\n[status]\n'
        "temporary = [0x58, 0x401]\nthrottling = [0x401]\n",
        "other",
    )
    assert other.state("failed") == "undelivered"
    assert other.is_throttling(0x401)
    assert not other.is_temporary(0x64)
    assert other.receipt_with_esm_class_0


def test_a_dialect_may_stand_alone(operators: Path) -> None:
    alone = write(operators, 'description = "nothing is known"')
    assert alone.description == "nothing is known"
    assert alone.state("DELIVRD") is None
    assert not alone.is_temporary(0x58)


def test_every_mistake_is_reported_at_once(operators: Path) -> None:
    error = refused(
        operators,
        'descripton = "x"\nextends = 3\nreceipt_with_esm_class_0 = "yes"\n'
        "[status]\ntemporary = [0x58, -1, true, [1]]\nthrotling = []\n"
        '[stat]\nFAILED = "undelivred"\nODD = 5\n',
    )
    assert [each.fields["setting"] for each in error.problems] == [
        "descripton",
        "status.throtling",
        "status.temporary",
        "status.temporary",
        "status.temporary",
        "stat.FAILED",
        "stat.ODD",
        "receipt_with_esm_class_0",
        "extends",
    ]
    assert all(str(each.fields["file"]).endswith("ours.toml") for each in error.problems)
    hints = [each.hint for each in error.problems]
    assert hints[0] == "did you mean 'description'?"
    assert hints[1] == "did you mean 'throttling'?"
    assert hints[5] == "did you mean 'undelivered'?"
    assert hints[6].startswith("known: delivered, expired")
    assert error.message == error.problems[0].message


@pytest.mark.parametrize(
    ("text", "setting", "says"),
    [
        ("stat = 1", "stat", "1 is not a table"),
        ("[status]\ntemporary = 5", "status.temporary", "not a list"),
        ("description = 5", "description", "not a string"),
        ("[status]\nthrottling = [0x58]", "status.throttling", "0x58 not in status.temporary"),
        ('extends = "ours"', "extends", "leads back here"),
        ('extends = "../generic"', "extends", "no dialect's name"),
        ('extends = "genric"', "dialect", "No such file"),
        ('[stat]\nA = "expired"\na = "deleted"', "stat.a", "listed twice"),
        ("a = [", "dialect", "not TOML"),
    ],
)
def test_each_mistake_is_named(operators: Path, text: str, setting: str, says: str) -> None:
    error = refused(operators, text)
    assert error.fields["setting"] == setting
    assert says in error.message
    assert error.hint


def test_a_chain_that_leads_back_is_refused(operators: Path) -> None:
    (operators / "one.toml").write_text('extends = "two"')
    with pytest.raises(ConfigError, match="leads back"):
        write(operators, 'extends = "one"', "two")


def test_a_dialect_that_is_not_there_hints_at_the_nearest(tmp_path: Path, operators: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_dialect(operators / "generik.toml")
    assert caught.value.hint == "did you mean 'generic'?"
    with pytest.raises(ConfigError) as caught:
        load_dialect(tmp_path / "nowhere" / "generic.toml")
    assert caught.value.hint == "known: none"


def test_octets_that_are_no_text_are_refused(operators: Path) -> None:
    (operators / "ours.toml").write_bytes(b'description = "\xff"')
    with pytest.raises(ConfigError, match="not TOML"):
        load_dialect(operators / "ours.toml")

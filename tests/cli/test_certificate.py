"""`acuse certificate`: what is wrong with a command line is told before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.certificate.page import LANGUAGES
from gateway.cli import certificate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Acuse

MID = "01990c4e-6a00-7000-8000-1a2b3c4d5e6f"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--since", "1d"),
        ("--since", "yesterday", "-o", "many"),
        (MID, "--json"),
        (MID, MID, "-o", "x.pdf"),
        (MID, "--since", "1d", "-o", "many"),
        (MID, "-o", "x.pdf", "--lang", "de"),
        (MID, "-o", "x.pdf", "--redact", "operator"),
        ("--renew",),
        ("--renew", "x.pdf", "--lang", "es"),
        ("--renew", "x.pdf", "--since", "1d"),
        ("--renew", "x.pdf", "-o", "no-such-directory"),
    ],
)
def test_wrong_use_is_told_with_the_way_out(
    acuse: Acuse, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = acuse("certificate", *arguments)
    assert done.code == 64
    assert "hint" in done.err + done.out
    assert not (tmp_path / "many").exists()


def test_the_command_knows_the_languages_there_are() -> None:
    assert certificate.LANGUAGES == LANGUAGES


def test_the_help_shows_how_one_and_many_are_issued_and_renewed(acuse: Acuse) -> None:
    shown = acuse("certificate", "--help", point=False).out
    for word in ("--since", "--renew", "--unsealed", "-o certificate.pdf"):
        assert word in shown

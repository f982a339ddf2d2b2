"""The certificate's page in poppler's and zbar's reading: its words, fonts, attachment and code."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from gateway.certificate.facts import read_facts
from gateway.certificate.page import LANGUAGES, render
from gateway.certificate.sheet import VERIFY
from gateway.certificate.words import words_of
from tests.support.certificates import LONG, PLAIN, TEXTS, stories

if TYPE_CHECKING:
    from pathlib import Path


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def printed(directory: Path, name: str, language: str = "es") -> Path:
    path = directory / f"{name}.pdf"
    path.write_bytes(render(stories()[name], language))
    return path


def words_in(path: Path, *options: str) -> str:
    """The text of a PDF with every run of white space as one space."""
    return " ".join(run("pdftotext", *options, str(path), "-").split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_page_reads_as_it_looks(tmp_path: Path, language: str) -> None:
    path = printed(tmp_path, "anchored", language)
    text, words = words_in(path, "-f", "1", "-l", "1"), words_of(language)
    for wanted in (
        words("document", "title"),
        words("outcome.delivered", "head"),
        words("outcome.delivered", "by", operator="movistar"),
        "Ejemplo Mensajes SL",
        "ACME Ibérica SA",
        "+34600111222",
        PLAIN,
        read_facts(stories()["anchored"]).code,
        VERIFY,
        words("document", "page", page=1, pages=4),
    ):
        assert wanted in text, wanted


def test_a_long_text_is_all_there(tmp_path: Path) -> None:
    text = words_in(printed(tmp_path, "long"))
    for line in LONG.split("\n"):
        assert line in text


@pytest.mark.parametrize("name", ["cjk", "emoji", "markup"])
def test_other_scripts_can_be_copied_out(tmp_path: Path, name: str) -> None:
    text = words_in(printed(tmp_path, f"text-{name}"), "-f", "1", "-l", "1")
    for word in TEXTS[name].split():
        assert word in text, word


@pytest.mark.parametrize("name", sorted(stories()))
def test_every_font_travels_along(tmp_path: Path, name: str) -> None:
    rows = run("pdffonts", str(printed(tmp_path, name))).splitlines()[2:]
    assert len(rows) >= 4
    for row in rows:
        embedded, subset, unicode = row.split()[-5:-2]
        assert (embedded, subset, unicode) == ("yes", "yes", "yes"), row
        assert "+" in row.split()[0]


def test_poppler_takes_the_proof_out_unchanged(tmp_path: Path) -> None:
    path = printed(tmp_path, "redacted")
    assert "acuse-proof.json" in run("pdfdetach", "-list", str(path))
    run("pdfdetach", "-save", "1", "-o", str(tmp_path / "proof.json"), str(path))
    assert (tmp_path / "proof.json").read_bytes() == stories()["redacted"]


@pytest.mark.parametrize("name", ["text-plain", "names", "refused", "everything"])
def test_a_telephone_reads_the_code(tmp_path: Path, name: str) -> None:
    path, facts = printed(tmp_path, name, "en"), read_facts(stories()[name])
    run("pdftoppm", "-r", "150", "-f", "1", "-l", "1", "-png", str(path), str(tmp_path / "page"))
    (image,) = tmp_path.glob("page*.png")
    read = run("zbarimg", "--quiet", "--raw", str(image)).strip()
    assert read.split("\n") == [
        f"ACUSE {facts.code}",
        facts.submission_id,
        facts.checkpoint.origin,
        VERIFY,
    ]


@pytest.mark.parametrize("name", sorted(stories()))
def test_the_first_page_is_one_page_and_all_pages_are_a4(tmp_path: Path, name: str) -> None:
    path = printed(tmp_path, name, "pt")
    about = dict(row.split(":", 1) for row in run("pdfinfo", str(path)).splitlines())
    assert "(A4)" in about["Page size"]
    assert about["Tagged"].strip() == "yes"
    second = words_in(path, "-f", "2", "-l", "2")
    assert words_of("pt")("document", "annex") in second
    first = words_in(path, "-f", "1", "-l", "1")
    assert '{"' not in first

"""The certificate as a file: what it carries, and that it is always the same bytes."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader

from gateway import __version__
from gateway.certificate import engine
from gateway.certificate.page import LANGUAGES, render
from gateway.errors import DataError
from gateway.ledger.proof import NotABundle
from tests.certificate.test_writing import ANY
from tests.support.certificates import TEXTS, delivered, said, stories

if TYPE_CHECKING:
    from pathlib import Path


def opened(pdf: bytes) -> PdfFileReader:
    return PdfFileReader(io.BytesIO(pdf), strict=True)


def attached(pdf: bytes) -> dict[str, Any]:
    """The one embedded file: its specification, and its bytes under `data`."""
    root = opened(pdf).root
    (entry,) = root["/AF"]
    found = dict(entry.get_object())
    names = root["/Names"]["/EmbeddedFiles"]["/Names"]
    assert [str(names[0])] == ["acuse-proof.json"]
    stream = found["/EF"].get_object()["/F"].get_object()
    return {**found, "data": stream.data, "kind": stream["/Subtype"]}


@pytest.mark.parametrize("name", sorted(stories()))
def test_every_kind_of_submission_has_a_certificate(name: str) -> None:
    bundle = stories()[name]
    pdf = render(bundle, "es")
    assert attached(pdf)["data"] == bundle
    assert pdf.startswith(b"%PDF-1.7")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_certificate_says_how_to_make_it_again(language: str) -> None:
    bundle = stories()["long"]
    reader = opened(render(bundle, language))
    info = reader.trailer["/Info"]
    assert str(info["/Keywords"]).split(", ") == [
        f"acuse-renderer:{__version__}",
        f"acuse-template:{engine.template().digest}",
        f"acuse-language:{language}",
    ]
    assert str(info["/Author"]) == "Ejemplo Mensajes SL"
    assert str(info["/Title"]).endswith("01a1fd8c-6900-77e8-b4c1-391fcec73f0e")
    # Dated by what it proves, never by a clock.
    assert str(info["/CreationDate"]).startswith("D:20261121170119")
    assert str(reader.root["/Lang"]) == language
    assert reader.root["/MarkInfo"]["/Marked"]


def test_it_is_made_for_archives_and_for_every_reader() -> None:
    root = opened(render(stories()["anchored"], "es")).root
    metadata = root["/Metadata"].data.decode()
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in metadata
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata


def test_the_proof_is_attached_as_the_source_of_the_page() -> None:
    found = attached(render(stories()["text-plain"], "es"))
    assert found["/AFRelationship"] == "/Source"
    assert found["/F"] == found["/UF"] == "acuse-proof.json"
    assert found["kind"] == "/application/json"


def test_the_same_bundle_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    bundle = stories()["text-cjk"]
    (tmp_path / "bundle.json").write_bytes(bundle)
    script = (
        "import sys; from hashlib import sha256; from pathlib import Path\n"
        "from gateway.certificate.page import render\n"
        "data = Path(sys.argv[1]).read_bytes()\n"
        "if sys.argv[2] == 'late': render(data, 'en')\n"
        "print(sha256(render(data, 'es')).hexdigest())\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "bundle.json"), when],
            capture_output=True,
            text=True,
            check=True,
            env={"TZ": zone, "LANG": "C", "PYTHONHASHSEED": "random"},
        ).stdout
        for when, zone in (("first", "Asia/Tokyo"), ("late", "America/Lima"))
    }
    render(stories()["text-arabic"], "es")
    assert len(found) == 1
    assert sha256(render(bundle, "es")).hexdigest() + "\n" in found


def test_threads_may_all_ask_at_once() -> None:
    names = ["text-plain", "refused", "text-arabic", "unknown"] * 2
    alone = {name: render(stories()[name], "pt") for name in set(names)}
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: render(stories()[name], "pt"), names))
    assert together == [alone[name] for name in names]


def test_another_bundle_or_language_is_another_page() -> None:
    one, other = stories()["text-plain"], stories()["no-zone"]
    made = {render(one, "es"), render(one, "ca"), render(other, "es")}
    assert len(made) == 3


def test_text_is_never_read_as_markup() -> None:
    assert TEXTS["markup"] in said(stories()["text-markup"])
    words = delivered('#import "x"', shown="#panic()", issuer={"legal_name": "] #eval($x$)"})
    assert render(words.bundle(), "en").startswith(b"%PDF")
    assert "] #eval($x$)" in said(words.bundle(), "en")


@settings(deadline=None, max_examples=25)
@given(text=ANY.filter(bool), shown=st.text("ACME éм😀\u202e\u0301", max_size=11))
def test_whatever_the_text_a_certificate_is_made(text: str, shown: str) -> None:
    assert render(delivered(text, shown=shown).bundle(), "es").startswith(b"%PDF")


def test_what_the_fonts_shape_into_nothing_is_set_as_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster may be of characters that each have a glyph and together have none."""
    asked: list[dict[str, Any]] = []
    press = engine.typeset

    def refuse_first(data: dict[str, Any], attachment: bytes, at_s: int) -> bytes:
        asked.append(data)
        if len(asked) == 1:
            raise typst.TypstError('the text "x" could not be displayed with font "y"', "")
        return press(data, attachment, at_s)

    monkeypatch.setattr(engine, "typeset", refuse_first)
    assert render(delivered("漢字").bundle(), "es").startswith(b"%PDF")
    assert [data["first"]["message"]["lines"][0]["runs"] for data in asked] == [
        "漢字",
        [{"m": "U+6F22"}, {"m": "U+5B57"}],
    ]


def test_a_fault_of_the_template_is_no_fault_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise typst.TypstError("unknown variable: x", "")

    monkeypatch.setattr(engine, "typeset", fail)
    with pytest.raises(typst.TypstError, match="unknown variable"):
        render(stories()["text-plain"], "es")


def test_what_is_no_bundle_or_contradicts_itself_has_no_certificate() -> None:
    with pytest.raises(NotABundle):
        render(b"%PDF-1.7", "es")
    with pytest.raises(DataError, match="contradicts itself: commitments") as caught:
        render(stories()["text-plain"].replace(b"su factura", b"mi factura"), "es")
    assert caught.value.fields["field"] == "bundle"
    assert "acuse verify" in caught.value.hint
    with pytest.raises(DataError, match="no certificates in 'de'"):
        render(stories()["text-plain"], "de")


def test_the_template_is_named_by_all_that_decides_how_a_page_looks() -> None:
    versions = engine.versions()
    assert set(versions) == {
        *("manimgx-fonts", "manimgx-fonts-cjk", "segno", "typst", "tzdata", "unicode"),
    }
    template = engine.template()
    assert set(template.words) == set(LANGUAGES)
    assert len(template.digest) == 64


def test_memory_does_not_grow_with_what_was_printed() -> None:
    """typst remembers what it has laid out; it must also forget."""
    script = (
        "from tests.support.certificates import delivered\n"
        "from gateway.certificate.page import render\n"
        "def peak():\n"
        "    rows = open('/proc/self/status').read().split('\\n')\n"
        "    return next(int(row.split()[1]) // 1024 for row in rows if row[:5] == 'VmHWM')\n"
        "sizes = []\n"
        "for n in range(40):\n"
        "    render(delivered(f'Factura {n} ' * 9).bundle(), 'es')\n"
        "    if n in (19, 39): sizes.append(peak())\n"
        "print(sizes[1] - sizes[0], sizes[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    grown, peak = map(int, done.stdout.split())
    assert grown < 40
    assert peak < 256

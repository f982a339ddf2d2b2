"""Certificates that somebody hostile made: a verdict, little memory, no traceback, no network."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from gateway.certificate import examine
from gateway.certificate.examine import verify_certificate
from gateway.certificate.page import render
from gateway.errors import DataError, InternalError
from gateway.ledger.proof import NotABundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.office import Office

NOW_MS = 1_800_000_000_000
MIB = 1 << 20


def pdf(*objects: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of these objects, numbered from 1, with a right cross-reference."""
    data, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"trailer\n<</Size %d %s>>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        trailer,
        start,
    )
    return bytes(data)


#: `acuse verify`, then its own and its examiners' largest memory in KiB.
_MEASURED = """
import re, resource, sys
from gateway.cli.main import main
code = main(["verify", "--json", *sys.argv[1:]])
# What getrusage says of ourselves counts the process that started us, too.
print(re.search(r"VmHWM:\\s+([0-9]+) kB", open("/proc/self/status").read())[1])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
PAGES = b"<</Type/Pages/Count 0/Kids[]>>"
ATTACHED = (
    b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(acuse-proof.json)3 0 R]>>>>>>"
)
SPEC = b"<</Type/Filespec/F(acuse-proof.json)/UF(acuse-proof.json)/EF<</F 4 0 R/UF 4 0 R>>>>"


def carrying(stream: bytes, filters: bytes = b"") -> bytes:
    """A PDF with *stream* as the attached proof."""
    body = b"<</Type/EmbeddedFile/Length %d%s>>stream\n%s\nendstream" % (
        len(stream),
        filters,
        stream,
    )
    return pdf(ATTACHED, PAGES, SPEC, body)


def zip_bomb(times: int) -> bytes:
    """Packed zeros that unpack to 256 MiB, packed so many times."""
    data, names = bytes(256 * MIB), b""
    for _ in range(times):
        data, names = zlib.compress(data, 9), names + b"/FlateDecode"
    return carrying(data, b"/Filter[%s]" % names)


def many_objects() -> bytes:
    """A cross-reference of half a million entries."""
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", PAGES, *([b"0"] * 250_000))


def xref_that_promises(count: int) -> bytes:
    data = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n"
    rows = b"xref\n0 %d\n0000000000 65535 f \n" % count
    end = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(data))
    return data + rows + end


#: What costs, judged by a process of its own.
HEAVY: dict[str, Callable[[], bytes]] = {
    "zip-bomb": lambda: zip_bomb(1),
    "packed-bomb": lambda: zip_bomb(2),
    "deep-array": lambda: pdf(b"<</Type/Catalog/X " + b"[" * MIB + b"]" * MIB + b">>"),
    "many-objects": many_objects,
    "deep-proof": lambda: carrying(b'{"format":"acuse-proof/v1","entries":' + b"[" * 4 * MIB),
    "ten-mib": lambda: b"%PDF-1.7\n" + b"1 0 obj\n<<>>\nendobj\n" * 500_000 + b"%%EOF\n",
}
#: What goes round in circles, or is nothing.
ODD: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"%PDF-1.7\n%%EOF\n",
    "noise": lambda: b"%PDF-1.7\n" + bytes(range(256)) * 64 + b"%%EOF\n",
    "promises": lambda: xref_that_promises(4_000_000_000),
    "own-previous": lambda: pdf(
        b"<</Type/Catalog/Pages 2 0 R>>", PAGES, trailer=b"/Root 1 0 R/Prev 100"
    ),
    "cyclic-names": lambda: pdf(
        b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles 3 0 R>>>>",
        PAGES,
        b"<</Kids[3 0 R 3 0 R]>>",
    ),
    "cyclic-object": lambda: pdf(b"1 0 R", PAGES),
    "cyclic-fields": lambda: pdf(
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[3 0 R]>>>>",
        PAGES,
        b"<</FT/Sig/T(a)/Kids[3 0 R]/Parent 3 0 R>>",
    ),
    "encrypted": lambda: pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        PAGES,
        b"<</Filter/Standard/V 4/R 4/O(a)/U(b)/P -4>>",
        trailer=b"/Root 1 0 R/Encrypt 3 0 R/ID[(a)(b)]",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_a_file_that_leads_nowhere_is_no_certificate(office: Office, name: str) -> None:
    assert office.fault(ODD[name]()) is not None


def test_hostile_files_get_a_verdict_in_bounded_memory(tmp_path: Path) -> None:
    """One process verifies them all, and tells the most memory any of its examiners had."""
    paths = []
    for name, make in HEAVY.items():
        paths.append(tmp_path / f"{name}.pdf")
        paths[-1].write_bytes(make())
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _MEASURED,
            *map(str, paths),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    *lines, own_kib, examiner_kib = done.stdout.splitlines()
    said = {each["file"]: each for each in map(json.loads, lines)}
    assert done.returncode == 1
    assert done.stderr == ""
    for path in paths:
        assert said[str(path)]["verdict"] == "INVALID", path.name
        assert said[str(path)]["reason"].startswith(("document: ", "parse: ")), path.name
    assert int(own_kib) < 256 * 1024
    assert int(examiner_kib) < 256 * 1024


def test_a_sealed_document_around_something_else_is_no_bundle(
    office: Office, bundle: bytes
) -> None:
    """Intact, and of another format: nothing to judge; exit 65."""
    body = b'<</Type/EmbeddedFile/Length 27>>stream\n{"format":"acuse-proof/v9"}\nendstream'
    pages, sheet = b"<</Type/Pages/Count 1/Kids[5 0 R]>>", b"<</Type/Page/Parent 2 0 R>>"
    with office.sealer() as sealer:
        other = sealer.seal(pdf(ATTACHED, pages, SPEC, body, sheet))
    with pytest.raises(NotABundle):
        office.verify(other, bundle)


def test_a_verifier_who_gives_no_certificates_is_told(sealed: bytes) -> None:
    with pytest.raises(DataError, match="signer_ca"):
        verify_certificate(sealed, now_ms=NOW_MS, signer_ca=b"nothing")
    with pytest.raises(DataError, match="tsa_ca"):
        verify_certificate(sealed, now_ms=NOW_MS, tsa_ca=b"-----BEGIN CERTIFICATE-----\nAA")


def test_a_file_nobody_could_mean_is_refused_by_its_size() -> None:
    with pytest.raises(DataError, match="larger than"):
        verify_certificate(bytes(examine.MAX_CERTIFICATE_BYTES + 1), now_ms=NOW_MS)


def test_an_examiner_that_does_not_start_is_not_the_files_fault(
    sealed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("/bin/false", "/no/such/program"):
        monkeypatch.setattr(sys, "executable", program)
        with pytest.raises(InternalError):
            verify_certificate(sealed, now_ms=NOW_MS)


@pytest.mark.parametrize("changed", [False, True])
def test_the_page_of_another_version_counts_if_this_one_sets_it_alike(
    office: Office, bundle: bytes, changed: bool
) -> None:
    """An upgrade must not take the worth of what was issued before it; nor lend it any."""
    made = render(bundle, "es", renderer="0.0.9")
    if changed:
        made = made.replace(b"/Lang(es)", b"/Lang(ES)").replace(b"/Lang (es)", b"/Lang (ES)")
        assert made != render(bundle, "es", renderer="0.0.9")
    with office.sealer() as sealer:
        report = office.verify(sealer.seal(made), bundle)
    if changed:
        assert (str(report.verdict), str(report.reason).split(":")[0]) == ("UNANCHORED", "document")
    else:
        assert str(report.verdict) == "VALID"

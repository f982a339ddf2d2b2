"""Every way to alter a certificate: the page, the proof in it, the seal, what follows the seal.

Most are judged in this process, which is quick; what the examiner's process makes of a file that
ends it is tested in `test_examine`. Random positions come from a printed seed.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pyhanko.pdf_utils import embed, generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.validation.dss import DocumentSecurityStore

from gateway.certificate import page
from gateway.certificate.pemfiles import parse_certificates
from gateway.certificate.seal import Sealer
from gateway.certificate.sealkey import open_seal
from gateway.settings import KeySource
from gateway.sim.sealauthority import SealAuthority
from tests.support.office import stamped_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.office import Office

OTHER = "01990c4e-6a00-7000-8000-ffffffffffff"


def updated(pdf: bytes, change: Callable[[IncrementalPdfFileWriter], object]) -> bytes:
    """*pdf* with an incremental update, as an editor or an attacker appends one."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    change(writer)
    output = BytesIO()
    writer.write(output)
    return output.getvalue()


def first_page(writer: IncrementalPdfFileWriter) -> generic.DictionaryObject:
    """The first page, to be changed."""
    node = writer.root["/Pages"]
    while "/Kids" in node:
        node = node["/Kids"][0]
    assert isinstance(node, generic.DictionaryObject)
    return node


# --- any byte -------------------------------------------------------------------------------------


def test_one_changed_bit_anywhere_is_noticed(office: Office, sealed: bytes) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    assert office.fault(sealed) is None
    for _ in range(24):
        at, bit = chance.randrange(len(sealed)), 1 << chance.randrange(8)
        changed = bytearray(sealed)
        changed[at] ^= bit
        assert office.fault(bytes(changed)) is not None, (at, bit)


def test_one_changed_bit_in_the_last_time_stamp_is_noticed(office: Office, sealed: bytes) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    start = sealed.rindex(b"/Contents <") + 11
    stop = sealed.index(b">", start)
    for _ in range(24):
        at, bit = chance.randrange(start, stop), 1 << chance.randrange(8)
        changed = bytearray(sealed)
        changed[at] ^= bit
        assert office.fault(bytes(changed)) is not None, (at, bit)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_is_no_certificate(office: Office, sealed: bytes, share: float) -> None:
    assert office.fault(sealed[: int(len(sealed) * share)]) is not None


@pytest.mark.parametrize("more", [b"\n%%EOF\n", b"\0", b"% a comment\n%%EOF\n", b"x" * 100])
def test_nothing_may_stand_after_the_end(office: Office, sealed: bytes, more: bytes) -> None:
    assert office.fault(sealed + more) is not None


def test_nothing_may_stand_before_the_beginning(office: Office, sealed: bytes) -> None:
    assert office.fault(b"\n" + sealed) is not None


# --- what is appended -----------------------------------------------------------------------------


def note_over_the_text(writer: IncrementalPdfFileWriter) -> None:
    target = first_page(writer)
    note = generic.DictionaryObject(
        {
            generic.pdf_name("/Type"): generic.pdf_name("/Annot"),
            generic.pdf_name("/Subtype"): generic.pdf_name("/FreeText"),
            generic.pdf_name("/Rect"): generic.ArrayObject(map(generic.NumberObject, (0, 0, 9, 9))),
            generic.pdf_name("/Contents"): generic.TextStringObject("NO entregado"),
        }
    )
    shown = target.setdefault(generic.pdf_name("/Annots"), generic.ArrayObject())
    shown.append(writer.add_object(note))
    reference = target.container_ref
    assert isinstance(reference, generic.Reference)
    writer.mark_update(reference)
    if isinstance(shown.container_ref, generic.Reference):
        writer.mark_update(shown.container_ref)


def other_content(writer: IncrementalPdfFileWriter) -> None:
    target = first_page(writer)
    target[generic.pdf_name("/Contents")] = writer.add_object(
        generic.StreamObject(stream_data=b"0 0 600 800 re f")
    )
    assert isinstance(target.container_ref, generic.Reference)
    writer.mark_update(target.container_ref)


def one_page_more(writer: IncrementalPdfFileWriter) -> None:
    writer.insert_page(
        generic.DictionaryObject(
            {
                generic.pdf_name("/Type"): generic.pdf_name("/Page"),
                generic.pdf_name("/MediaBox"): generic.ArrayObject(
                    map(generic.NumberObject, (0, 0, 600, 800))
                ),
            }
        )
    )


def other_title(writer: IncrementalPdfFileWriter) -> None:
    writer.set_info(
        generic.DictionaryObject(
            {generic.pdf_name("/Title"): generic.TextStringObject("SMS no entregado")}
        )
    )


def runs_something(writer: IncrementalPdfFileWriter) -> None:
    writer.root[generic.pdf_name("/OpenAction")] = generic.DictionaryObject(
        {
            generic.pdf_name("/S"): generic.pdf_name("/JavaScript"),
            generic.pdf_name("/JS"): generic.TextStringObject("app.alert('x')"),
        }
    )
    writer.update_root()


def second_attachment(writer: IncrementalPdfFileWriter) -> None:
    embed.embed_file(
        writer,
        embed.FileSpec(
            file_spec_string="acuse-proof.json",
            embedded_data=embed.EmbeddedFileObject.from_file_data(writer, b"{}"),
        ),
    )


def other_attachment(writer: IncrementalPdfFileWriter) -> None:
    names = writer.root["/Names"]["/EmbeddedFiles"]["/Names"]
    stream = names[1]["/EF"]["/F"]
    reference = stream.container_ref
    assert isinstance(reference, generic.Reference)
    new = generic.StreamObject(
        {key: value for key, value in stream.items() if key not in ("/Filter", "/Length")},
        stream_data=bytes(stream.data).replace(b"delivered", b"expired  "),
    )
    writer.objects[reference.generation, reference.idnum] = new


def no_seal(writer: IncrementalPdfFileWriter) -> None:
    for key in ("/AcroForm", "/Perms"):
        del writer.root[key]
    writer.update_root()


def field_that_shows(writer: IncrementalPdfFileWriter) -> None:
    fields.append_signature_field(writer, fields.SigFieldSpec("Fake", box=(10, 10, 200, 200)))


@pytest.mark.parametrize(
    "change",
    [
        note_over_the_text,
        other_content,
        one_page_more,
        other_title,
        runs_something,
        second_attachment,
        other_attachment,
        no_seal,
        field_that_shows,
    ],
)
def test_an_update_after_the_seal_that_changes_anything_is_noticed(
    office: Office, sealed: bytes, change: Callable[[IncrementalPdfFileWriter], None]
) -> None:
    fault = office.fault(updated(sealed, change))
    assert fault is not None
    assert fault.startswith(("document: ", "ends with"))


@pytest.mark.parametrize(
    "change",
    [note_over_the_text, other_content, one_page_more, second_attachment, other_attachment],
)
def test_an_issuer_who_seals_another_page_than_the_proof_gives_is_noticed(
    office: Office, bundle: bytes, change: Callable[[IncrementalPdfFileWriter], None]
) -> None:
    """Everything is signed as it must be; only what is signed is not what was rendered."""
    with office.sealer() as sealer:
        forged = sealer.seal(updated(page.render(bundle, "es"), change))
    fault = office.fault(forged)
    assert fault is not None
    assert fault.startswith("document: ")


def test_a_page_hidden_in_the_revision_of_the_seal_is_noticed(
    office: Office, bundle: bytes
) -> None:
    """The original is the true page, and the very update that signs it covers it with another."""
    rendered = page.render(bundle, "es")
    for change in (note_over_the_text, other_content, one_page_more, runs_something):
        writer = IncrementalPdfFileWriter(BytesIO(rendered))
        change(writer)
        with open_seal(office.settings) as key, office.sealer() as sealer:
            output = BytesIO()
            PdfSigner(
                PdfSignatureMetadata(
                    field_name="AcuseSeal",
                    certify=True,
                    docmdp_permissions=fields.MDPPerm.NO_CHANGES,
                    subfilter=fields.SigSeedSubFilter.PADES,
                ),
                signer=key.signer,
            ).sign_pdf(writer, output=output)
            forged = sealer.renew(output.getvalue())
        assert forged.startswith(rendered)
        fault = office.fault(forged)
        assert fault is not None
        assert "sealing changed more than it may" in fault, change.__name__


def test_a_second_signature_is_noticed(
    office: Office, sealed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pyHanko would not sign what is certified; others do.
    monkeypatch.setattr(PdfSigner, "_enforce_certification_constraints", lambda *_: None)
    with open_seal(office.settings) as key:
        output = BytesIO()
        PdfSigner(PdfSignatureMetadata(field_name="Second"), signer=key.signer).sign_pdf(
            IncrementalPdfFileWriter(BytesIO(sealed)), output=output
        )
    assert office.fault(output.getvalue()) == "document: it has a second signature"


def test_a_certificate_without_its_seal_is_not_more_than_the_proof_in_it(
    office: Office, bundle: bytes, sealed: bytes
) -> None:
    rendered = page.render(bundle, "es")
    assert sealed[: len(rendered)] == rendered
    assert office.fault(rendered) == "signer: it is not sealed"
    report = office.verify(rendered, bundle)
    assert (report.verdict, report.reason) == ("UNANCHORED", "signer: it is not sealed")
    # Sealed, but never stamped to last: the file stops after the seal.
    ends = [match.end() for match in re.finditer(rb"%%EOF\n?", sealed)]
    assert office.fault(sealed[: ends[1]]) is None


def test_validation_data_may_be_added(office: Office, bundle: bytes, sealed: bytes) -> None:
    output = BytesIO(sealed)
    DocumentSecurityStore.add_dss(
        output,
        sig_contents=None,
        certs=parse_certificates(SealAuthority(datetime.now(UTC)).ca_pem),
        force_write=True,
    )
    assert len(output.getvalue()) > len(sealed)
    assert office.verify(output.getvalue(), bundle).verdict == "VALID"


# --- the proof inside -----------------------------------------------------------------------------


def test_the_proof_of_another_message_in_the_same_page_is_noticed(office: Office) -> None:
    mine = stamped_bundle(office.tsa)
    other = stamped_bundle(office.tsa, "undelivered", mid=OTHER)
    honest = page.render(mine, "es")
    pdf = bytearray(honest)

    def swap(writer: IncrementalPdfFileWriter) -> None:
        stream = writer.root["/Names"]["/EmbeddedFiles"]["/Names"][1]["/EF"]["/F"]
        reference = stream.container_ref
        assert isinstance(reference, generic.Reference)
        writer.objects[reference.generation, reference.idnum] = generic.StreamObject(
            {generic.pdf_name("/Type"): generic.pdf_name("/EmbeddedFile")}, stream_data=other
        )

    with office.sealer() as sealer:
        forged = sealer.seal(updated(bytes(pdf), swap))
    assert office.fault(forged) is not None


def test_a_proof_that_was_changed_before_the_page_was_set_is_noticed(
    office: Office, bundle: bytes
) -> None:
    """Page and attachment agree, the seal is genuine; what they say was never sealed by the log."""
    value = json.loads(bundle)
    shown = value["disclose"]
    seq = min(shown, key=int)
    shown[seq]["text"]["value"] = "Su pedido no está listo"
    forged = json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
    honest = page.render(bundle, "es")
    pdf = honest.replace(bundle, forged) if bundle in honest else honest
    with office.sealer() as sealer:
        report = office.verify(sealer.seal(pdf), bundle)
    assert report.verdict == ("INVALID" if pdf is not honest else "VALID")


def test_a_page_of_another_template_is_not_compared_and_never_valid(
    office: Office, bundle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.certificate import engine

    other = replace(engine.template(), digest="0" * 64)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "template", lambda: other)
        rendered = page.render(bundle, "es")
    with office.sealer() as sealer:
        report = office.verify(sealer.seal(rendered), bundle)
    assert report.verdict == "UNANCHORED"
    assert report.reason is not None
    assert report.reason.startswith("document: the page was not compared")


# --- who sealed it --------------------------------------------------------------------------------


def test_a_seal_of_an_authority_that_is_not_trusted_is_invalid(
    office: Office, bundle: bytes, tmp_path: Path
) -> None:
    mallory = SealAuthority(datetime.now(UTC))
    seal = mallory.issue("Ejemplo Mensajes SL")
    files = mallory.write(tmp_path, seal)
    settings = replace(
        office.settings,
        certificate=files.certificate,
        key=KeySource(f"file:{files.key}", files.key),
        chain=files.chain,
        crls=files.crls,
    )
    with Sealer(settings, [office.tsa.settings]) as sealer:
        report = office.verify(sealer.seal(page.render(bundle, "es")), bundle)
    assert report.verdict == "INVALID"
    assert report.reason is not None
    assert report.reason.startswith("signer: ")


def test_a_seal_revoked_before_it_sealed_is_invalid_and_one_revoked_later_is_not(
    office: Office, bundle: bytes, sealed: bytes
) -> None:
    for days, fault in ((-1, True), (1, False)):
        authority = replace(office.authority)
        authority._key, authority._root = office.authority._key, office.authority._root
        authority._revoked = []
        authority.revoke(office.seal, datetime.now(UTC) + timedelta(days=days))
        with Sealer(office.settings, [office.tsa.settings], key=False) as sealer:
            output = BytesIO(sealed)
            DocumentSecurityStore.add_dss(
                output, sig_contents=None, crls=[crl_of(authority)], force_write=True
            )
            told = office.fault(sealer.renew(output.getvalue()))
        assert (told is not None and "revoked" in told) is fault


def crl_of(authority: SealAuthority) -> object:
    """The list, as pyHanko takes it."""
    from asn1crypto import crl, pem

    return crl.CertificateList.load(pem.unarmor(authority.crl_pem())[2])

"""What a certificate's file itself shows: its revisions, its attachment, its seal, its time stamps.

pyHanko reads the PDF; whatever a damaged or hostile file makes it raise is left to end the process
that runs this (`examiner`). Here only what can be *said* about a readable file is decided: faults
(it is not what it claims) and lacks (nobody trusted vouches for it).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, Reference, StreamObject
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation.status import SignatureCoverageLevel

from gateway.certificate.increments import changed_after_seal, changed_by_seal, shows_nothing

if TYPE_CHECKING:
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

ATTACHMENT = "acuse-proof.json"
_MIB = 1 << 20
#: A certificate decodes to some MiB; a bundle may have 16.
_LIMITS = DecodeLimits(
    per_stream=StreamDecodeLimits(max_output_size=20 * _MIB),
    document_budget=DocumentDecodeBudget(base_allowance=64 * _MIB, max_ratio=1),
)
#: Renewed every year for a century, and a DSS between.
_MOST_REVISIONS = 256
_END = re.compile(rb"%%EOF(\r\n|\n|\r)?\Z")
_KEYWORD = re.compile(r"acuse-(renderer|template|language):([^\s,;]+)")


@dataclass(slots=True)
class Found:
    """What an examination found; the first fault is the one that is told."""

    faults: list[tuple[str, str]] = field(default_factory=list)
    lacks: list[tuple[str, str]] = field(default_factory=list)
    bundle: bytes | None = None
    #: Of `renderer`, `template` and `language`, what the original says.
    made_by: dict[str, str] = field(default_factory=dict)
    sealed_by: str | None = None
    sealed_at_ms: int | None = None
    #: Document time stamps, the one of the seal itself not counted.
    time_stamps: int = 0

    def fault(self, step: str, message: str) -> None:
        """It is not what it claims to be."""
        self.faults.append((step, f"{step}: {message}"))

    def lack(self, step: str, message: str) -> None:
        """Nothing is wrong, but nobody trusted vouches for it."""
        self.lacks.append((step, f"{step}: {message}"))


class Unreadable(Exception):
    """The file is no PDF of the kind Acuse makes; the message says how."""


@dataclass(frozen=True, slots=True)
class Document:
    """An opened certificate: the whole file, and what it was before anything was appended."""

    data: bytes
    reader: PdfFileReader
    original: bytes
    first: PdfFileReader
    #: The seal, if there is one, and the document time stamps in their order.
    seal: EmbeddedPdfSignature | None
    stamps: tuple[EmbeddedPdfSignature, ...]

    @property
    def revisions(self) -> int:
        """How many times the file was written, the original included."""
        return int(self.reader.xrefs.total_revisions)


def open_document(data: bytes) -> Document:
    """Reads the structure of the file and finds its signatures.

    Raises:
        Unreadable: it is encrypted, goes on after its end, or is signed in a way Acuse never does.
        Exception: whatever pyHanko meets in a damaged file.
    """
    if not data.startswith(b"%PDF-1."):
        raise Unreadable("it does not begin as a PDF")
    if not _END.search(data[-16:]):
        raise Unreadable("it does not end where a PDF ends")
    reader = _reader(data)
    if reader.xrefs.total_revisions > _MOST_REVISIONS:
        raise Unreadable(f"it was changed more than {_MOST_REVISIONS} times")
    original = data[: _end_of_original(data, reader)]
    first = _reader(original)
    if first.xrefs.total_revisions != 1:
        raise Unreadable("its first revision is not its first")
    seal, stamps = None, []
    for signature in reader.embedded_signatures:
        if signature.sig_object_type == "/DocTimeStamp":
            stamps.append(signature)
        elif seal is None:
            seal = signature
        else:
            raise Unreadable("it has a second signature")
    if stamps and seal is None:
        raise Unreadable("it has time stamps and no signature")
    return Document(data, reader, original, first, seal, tuple(stamps))


def _reader(data: bytes) -> PdfFileReader:
    reader = PdfFileReader(BytesIO(data), strict=True, decode_limits=_LIMITS)
    if reader.encrypted:
        raise Unreadable("it is encrypted")
    if reader.xrefs.hybrid_xrefs_present:
        raise Unreadable("it has two kinds of cross-reference at once")
    return reader


def _end_of_original(data: bytes, reader: PdfFileReader) -> int:
    """Where the first revision ends: after the mark that points to its cross-reference."""
    at = int(reader.xrefs.get_startxref_for_revision(0))
    mark = re.compile(rb"startxref\s{1,2}%d\s{1,2}%%%%EOF" % at).search(data, at)
    if mark is None:
        raise Unreadable("its first revision has no end")
    return mark.end()


def read_original(document: Document, found: Found) -> None:
    """The bundle and the maker's marks, as they stand in the original revision."""
    first = document.first
    info = _at(first.trailer, "/Info", DictionaryObject())
    found.made_by = dict(_KEYWORD.findall(str(_at(info, "/Keywords", ""))))
    attached = _attachments(first.root)
    if len(attached) != 1 or attached[0][0] != ATTACHMENT:
        names = ", ".join(sorted(name for name, _ in attached)) or "none"
        found.fault("document", f"it must have one attachment, {ATTACHMENT}; it has: {names[:200]}")
        return
    found.bundle = attached[0][1]
    held = _files_in(first)
    if held != 1:
        found.fault("document", f"it holds {held} files, of which it shows one")
    if _attachments(document.reader.root) != attached:
        found.fault("document", "its attachment was replaced after it was sealed")


def check_revisions(document: Document, found: Found) -> None:
    """The original, the seal, then nothing but validation data and document time stamps."""
    seal = document.seal
    if seal is None:
        if document.revisions > 1:
            found.fault("document", "it was changed, and has no seal")
        return
    if seal.signed_revision != 1:
        found.fault("document", "it was changed before it was sealed")
        return
    changed = changed_by_seal(document.reader, seal)
    if changed is not None:
        found.fault("document", f"sealing changed more than it may: {changed}")
    if _title(document.data) != _title(document.original):
        found.fault("document", "its title was changed after it was rendered")
    signatures = [("the seal", seal)]
    signatures += [(f"time stamp {at}", stamp) for at, stamp in enumerate(document.stamps, 1)]
    for what, signature in signatures:
        if not shows_nothing(signature):
            found.fault("document", f"{what} puts something on the page")
        signature.compute_integrity_info(skip_diff=True)
        _check_coverage(signature, what, found)
    if seal.docmdp_level is not MDPPerm.NO_CHANGES:
        found.fault("document", "the seal does not forbid changes")
    changed = changed_after_seal(document.reader, seal)
    if changed is not None:
        found.fault("document", f"it was changed after it was sealed: {changed}")


def _title(data: bytes) -> tuple[object, ...]:
    """What a viewer shows about the document besides its pages.

    With a reader of its own: pyHanko takes metadata apart in place, and cannot compare it then.
    """
    reader = _reader(data)
    info = _at(reader.trailer, "/Info", DictionaryObject())
    plain = [f"{key} {info[key]}" for key in sorted(info) if key not in ("/ModDate", "/Producer")]
    shown = reader.document_meta_view
    return (*plain, shown.title, shown.author, shown.subject, *shown.keywords, shown.creator)


def _check_coverage(signature: EmbeddedPdfSignature, what: str, found: Found) -> None:
    if signature.coverage not in (
        SignatureCoverageLevel.ENTIRE_FILE,
        SignatureCoverageLevel.ENTIRE_REVISION,
    ):
        found.fault("document", f"{what} does not cover all of what stands before it")
    gap = _gap(signature)
    if gap is None:
        found.fault("document", f"{what} does not say plainly what it covers")
        return
    start, stop = gap
    # The hole of a signature is covered by nothing: it holds the signature and zeros, no more.
    contents: bytes = signature.pkcs7_content
    stream = signature.reader.stream
    stream.seek(start)
    written = stream.read(stop - start)
    length = _der_length(contents)
    plain = contents.hex()
    exact = written[:1] == b"<" and written[1:-1].decode("latin-1") in (plain, plain.upper())
    if not exact or length is None or contents[length:].strip(b"\0"):
        found.fault("document", f"the place of {what} holds more than it")


def _gap(signature: EmbeddedPdfSignature) -> tuple[int, int] | None:
    byte_range = signature.byte_range
    if len(byte_range) != 4 or not all(isinstance(each, int) for each in byte_range):
        return None
    first, length, second, rest = (int(each) for each in byte_range)
    if first != 0 or length <= 0 or second <= length or rest <= 0:
        return None
    return length, second


def _der_length(data: bytes) -> int | None:
    """How many bytes the DER value at the start of *data* has; None if it is none."""
    if len(data) < 2 or data[0] != 0x30:
        return None
    if data[1] < 0x80:
        return 2 + data[1]
    count = data[1] & 0x7F
    if not 1 <= count <= 4 or len(data) < 2 + count:
        return None
    return 2 + count + int.from_bytes(data[2 : 2 + count], "big")


def _attachments(root: DictionaryObject) -> list[tuple[str, bytes]]:
    """Every file the document's catalog names, with its content."""
    tree = _at(_at(root, "/Names", DictionaryObject()), "/EmbeddedFiles", DictionaryObject())
    return [(name, _content(spec)) for name, spec in _leaves(tree, 0)]


def _leaves(node: DictionaryObject, depth: int) -> list[tuple[str, Any]]:
    if depth > 4:
        raise PdfError("the tree of attachments is too deep")
    flat = list(_at(node, "/Names", ArrayObject()))
    leaves = [(str(flat[at]), flat[at + 1].get_object()) for at in range(0, len(flat), 2)]
    for kid in _at(node, "/Kids", ArrayObject()):
        leaves += _leaves(kid.get_object(), depth + 1)
    return leaves


def _content(spec: DictionaryObject) -> bytes:
    file = spec["/EF"]["/F"]
    other = _at(spec["/EF"], "/UF", file)
    if not isinstance(file, StreamObject) or other.data != file.data:
        raise PdfError("the attachment has two contents")
    return bytes(file.data)


def _files_in(reader: PdfFileReader) -> int:
    """Embedded files anywhere in the original, named by its catalog or not."""
    references: set[Reference] = reader.xrefs.explicit_refs_in_revision(0)
    objects = (reader.get_object(reference) for reference in references)
    streams = [each for each in objects if isinstance(each, StreamObject)]
    return sum(str(_at(each, "/Type", "")) == "/EmbeddedFile" for each in streams)


def _at(node: Any, key: str, otherwise: Any) -> Any:  # noqa: ANN401 (a PDF object of any type)
    """What *node* holds under *key*, references followed."""
    try:
        return node[key]
    except KeyError:
        return otherwise

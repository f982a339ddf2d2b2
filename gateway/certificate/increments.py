"""What may be appended to a rendered certificate: the seal, then validation data and time stamps.

pyHanko judges what follows a signature. What the signature's own revision changed it does not
judge, and an issuer who wanted the page to say something else than the bundle would do it there:
here that revision is compared object by object.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    PdfObject,
    Reference,
)
from pyhanko.sign.diff_analysis import (
    DEFAULT_DIFF_POLICY,
    ModificationLevel,
    SuspiciousModification,
)
from pyhanko.sign.fields import MDPPerm

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

#: What sealing adds to or changes in the catalog.
_OF_CATALOG = frozenset({"/AcroForm", "/Perms", "/Extensions", "/Version", "/Metadata"})
_OF_FIELD = frozenset(
    {"/FT", "/T", "/TU", "/V", "/F", "/Ff", "/Type", "/Subtype", "/Rect", "/P", "/Kids", "/Parent"}
)


def changed_by_seal(reader: PdfFileReader, seal: EmbeddedPdfSignature) -> str | None:
    """What revision 1 changed besides adding the seal; None if nothing."""
    before, after = reader.get_historical_resolver(0), reader.get_historical_resolver(1)
    if after.refs_freed_in_revision():
        return "something was deleted"
    old, new = before.root, after.root
    if _without(old, _OF_CATALOG) != _without(new, _OF_CATALOG):
        return "the catalog"
    if "/AcroForm" in old or "/Perms" in old:
        return "an earlier form"
    field = _only_field(new["/AcroForm"])
    if field is None or field != _own_number(seal.sig_field):
        return "the form"
    permissions = new["/Perms"]
    certified = permissions.get_value_as_reference("/DocMDP")
    if set(permissions) != {"/DocMDP"} or certified.idnum != _own_number(seal.sig_object):
        return "what is permitted"
    allowed = {
        after.root_ref.idnum,
        _number(before.trailer_view, "/Info"),
        _number(old, "/Metadata"),
    }
    for reference in after.explicit_refs_in_revision():
        if before.is_ref_unassignable(reference) or reference.idnum in allowed:
            continue
        if not _only_gained(before(reference), after(reference), field):
            return f"object {reference.idnum}"
    return None


def _only_field(form: DictionaryObject) -> int | None:
    """The number of the form's only field; None if there is more to the form."""
    fields = form["/Fields"]
    if not set(form) <= {"/Fields", "/SigFlags"} or len(fields) != 1:
        return None
    field = fields.raw_get(0)
    return field.idnum if isinstance(field, IndirectObject) else None


def _only_gained(old: PdfObject, new: PdfObject, field: int) -> bool:
    """Whether a page (or its list of annotations) is as it was, and now shows the field too."""
    if isinstance(old, ArrayObject) and isinstance(new, ArrayObject):
        return _dump(ArrayObject(new.raw_get(at) for at in range(len(new) - 1))) == _dump(
            old
        ) and _is(new.raw_get(-1), field)
    if not isinstance(old, DictionaryObject) or not isinstance(new, DictionaryObject):
        return False
    if _without(old, {"/Annots"}) != _without(new, {"/Annots"}) or "/Annots" not in new:
        return False
    shown = new["/Annots"]
    was = old["/Annots"] if "/Annots" in old else ArrayObject()
    rest = ArrayObject(shown.raw_get(at) for at in range(len(shown) - 1))
    return _dump(rest) == _dump(was) and _is(shown.raw_get(-1), field)


def _is(value: PdfObject, number: int) -> bool:
    return isinstance(value, IndirectObject) and value.idnum == number


def _own_number(node: DictionaryObject) -> int | None:
    own = node.container_ref
    return own.idnum if isinstance(own, Reference) else None


def _number(node: DictionaryObject, key: str) -> int | None:
    value = node.raw_get(key) if key in node else None
    return value.idnum if isinstance(value, IndirectObject) else None


def _without(node: DictionaryObject, keys: Collection[str]) -> bytes:
    kept = {key: node.raw_get(key) for key in sorted(node) if key not in keys}
    return _dump(DictionaryObject(kept))


def _dump(value: PdfObject) -> bytes:
    stream = BytesIO()
    value.write_to_stream(stream, None)
    return stream.getvalue()


def changed_after_seal(reader: PdfFileReader, seal: EmbeddedPdfSignature) -> str | None:
    """What was changed after sealing besides time stamps and validation data; None if nothing."""
    changes = DEFAULT_DIFF_POLICY.review_file(
        reader, seal.signed_revision, doc_mdp=MDPPerm.NO_CHANGES
    )
    if isinstance(changes, SuspiciousModification):
        return " ".join(str(changes).split())[:200]
    if changes.modification_level > ModificationLevel.LTA_UPDATES:
        return "something else than a time stamp was added"
    return None


def shows_nothing(signature: EmbeddedPdfSignature) -> bool:
    """Whether a signature's field has no place on a page, no appearance and no action."""
    field = signature.sig_field
    rect = [float(each) for each in field["/Rect"]] if "/Rect" in field else [0.0] * 4
    return len(rect) == 4 and rect[:2] == rect[2:] and set(field) <= _OF_FIELD

"""The certificate's page: a PDF/A-3 made from a bundle alone, the same bytes every time."""

from __future__ import annotations

from typing import Any

import typst

from gateway import __version__
from gateway.certificate import engine
from gateway.certificate.annex import annex, numbered
from gateway.certificate.facts import read_facts
from gateway.certificate.glyphs import FAMILIES, cjk_family
from gateway.certificate.scribe import Scribe
from gateway.certificate.sheet import first_page, label_text
from gateway.certificate.words import LANGUAGES, words_of

__all__ = ["LANGUAGES", "render"]


def render(bundle: bytes, language: str, *, renderer: str = __version__) -> bytes:
    """The certificate of the `acuse-proof/v1` *bundle* in *language* (`LANGUAGES`), unsigned.

    A pure function: no clock, no network, no system fonts. The bundle is attached unchanged as
    `acuse-proof.json`. Threads may call it; they are served one after the other. *renderer* is the
    version of Acuse the document names as its maker: a verifier sets a page again under the name
    it bears.

    Raises:
        NotABundle: *bundle* is none.
        DataError: it contradicts itself, so nothing may be certified from it; it is too large for
            pages; or there is no such language.
    """
    words = words_of(language)
    facts = read_facts(bundle)
    try:
        return _print(Scribe(facts, words, hardened=False, renderer=renderer), bundle)
    except typst.TypstError as error:
        if "could not be displayed" not in str(error):
            raise
        # Some cluster was shaped into what no font has: then every mark goes into a box, and what
        # the Latin font lacks is shown by its code. Nothing is left out.
        return _print(Scribe(facts, words, hardened=True, renderer=renderer), bundle)


def _print(scribe: Scribe, bundle: bytes) -> bytes:
    return engine.typeset(page_data(scribe), bundle, scribe.facts.evidence_ms // 1000)


def page_data(scribe: Scribe) -> dict[str, Any]:
    """All that the template is told."""
    facts, words = scribe.facts, scribe.words
    numbers = numbered(facts)
    return {
        "language": words.language,
        "title": f"{words('document', 'title')} · {facts.submission_id}",
        "author": scribe.issuer,
        "about": words("document", "about", id=facts.submission_id),
        "keywords": engine.marks(words.language, scribe.renderer),
        "families": [*FAMILIES, cjk_family(facts.text.text or "")],
        "running": words("document", "title"),
        "id": facts.submission_id,
        "code_label": words("document", "code"),
        "code": facts.code,
        "page_words": words("document", "page", page="{page}", pages="{pages}"),
        "label": scribe.runs(label_text(scribe)),
        "annex_title": words("document", "annex"),
        "first": first_page(scribe, numbers),
        "sections": annex(scribe, numbers),
    }

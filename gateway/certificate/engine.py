"""The typesetter: the template, its words and its fonts, loaded once; data in, PDF/A-3 out.

Nothing here depends on the machine: fonts come from the pinned packages and from typst itself,
zones and Unicode data from what `versions` names. Data reaches the template as JSON only, so no
text can become markup. One typst compiler serves all threads of a process, one at a time.
"""

from __future__ import annotations

import json
import threading
import unicodedata
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any

import typst

from gateway.resources import config_directory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Packages of which another version may set another page.
_PACKAGES = ("manimgx-fonts", "manimgx-fonts-cjk", "segno", "typst", "tzdata")
_FONTS = ("manimgx_fonts", "manimgx_fonts_cjk")
#: The bundle's name inside the certificate (LEDGER section 5).
ATTACHMENT = "acuse-proof.json"
#: Archival (a-3a: tagged, with attachments) and accessible (ua-1).
_STANDARDS: list[typst.PDFStandard] = ["a-3a", "ua-1"]


def certificate_directory() -> Path:
    """Where the template and its words are."""
    return config_directory() / "certificate"


def versions() -> dict[str, str]:
    """What else than the template decides how a page looks, and its version."""
    found = {name: metadata.version(name) for name in _PACKAGES}
    return {**found, "unicode": unicodedata.unidata_version}


@dataclass(frozen=True, slots=True)
class Template:
    """The typst source, the words' bytes by language, and what names both."""

    source: bytes
    words: Mapping[str, bytes]
    #: Hex SHA-256 over source, words and `versions`: equal hashes set equal pages.
    digest: str


@cache
def template() -> Template:
    """The template as it was when first asked for."""
    files = sorted(certificate_directory().iterdir(), key=lambda path: path.name)
    parts = {path.name: path.read_bytes() for path in files if path.suffix in (".typ", ".toml")}
    digest = sha256()
    for name, data in [*parts.items(), ("versions", json.dumps(versions()).encode())]:
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return Template(
        b"\n".join(data for name, data in parts.items() if name.endswith(".typ")),
        {name[:-5]: data for name, data in parts.items() if name.endswith(".toml")},
        digest.hexdigest(),
    )


def marks(language: str, renderer: str) -> tuple[str, ...]:
    """The document keywords by which a verifier can render the page again."""
    return (
        f"acuse-renderer:{renderer}",
        f"acuse-template:{template().digest}",
        f"acuse-language:{language}",
    )


class _Press:
    """The one compiler, with its fonts."""

    def __init__(self) -> None:
        paths = [str(resources.files(name)) for name in _FONTS]
        fonts = typst.Fonts(include_system_fonts=False, font_paths=paths)
        self._compiler = typst.Compiler(font_paths=fonts, ignore_system_fonts=True)
        self._lock = threading.Lock()

    def print(self, data: Mapping[str, Any], attachment: bytes, at_s: int) -> bytes:
        inputs = {"data": json.dumps(data, ensure_ascii=False), "bundle": attachment.decode()}
        with self._lock:
            made = self._compiler.compile(
                template().source,
                format="pdf",
                sys_inputs=inputs,
                pdf_standards=_STANDARDS,
                timestamp=at_s,
            )
        assert isinstance(made, bytes)
        return made


_press = cache(_Press)


def typeset(data: Mapping[str, Any], attachment: bytes, at_s: int) -> bytes:
    """The PDF of *data* with *attachment*, dated *at_s* (seconds since the epoch, UTC).

    Raises:
        typst.TypstError: a character has no glyph, or the template is at fault.
    """
    return _press().print(data, attachment, at_s)

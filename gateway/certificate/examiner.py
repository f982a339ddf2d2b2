"""`python -m gateway.certificate.examiner`: the process that reads a file somebody else wrote.

A PDF can be made to cost its reader all memory and time, or to break it in ways no list of errors
covers. So it is read here, in a process of its own with little memory, little time and nothing to
write to but one answer; whatever goes wrong ends this process, and `examine` says what that means.

It reads one line of JSON (`Question`) and then the file from stdin, prints `{"ready":true}` when
it could start, and then one line of JSON with what it found.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import resource
import sys
from dataclasses import asdict

from gateway import __version__
from gateway.certificate import engine, page
from gateway.certificate.document import (
    Document,
    Found,
    Unreadable,
    check_revisions,
    open_document,
    read_original,
)
from gateway.certificate.endorsement import Anchors, check_endorsement
from gateway.certificate.pemfiles import parse_certificates
from gateway.errors import DataError

#: With the program itself (code, fonts) this stays below 256 MiB.
MEMORY_BYTES = 176 << 20
CPU_S = 7
#: No version is longer.
_MAX_VERSION_CHARS = 40


def main() -> int:
    """Answers one question."""
    logging.disable()
    question = json.loads(sys.stdin.buffer.readline())
    anchors = Anchors(
        *(
            None if question[name] is None else parse_certificates(question[name].encode())
            for name in ("signer_ca", "tsa_ca")
        )
    )
    data = sys.stdin.buffer.read()
    _limit()
    _say({"ready": True})
    _say(answer(data, anchors))
    return 0


def _say(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def answer(data: bytes, anchors: Anchors) -> dict[str, object]:
    """What is found of the file, as `examine` reads it.

    Raises:
        Exception: whatever a damaged file makes pyHanko raise. There is no list of it.
    """
    found = Found()
    try:
        document = open_document(data)
    except Unreadable as error:
        found.fault("document", str(error))
    else:
        read_original(document, found)
        check_revisions(document, found)
        check_endorsement(document, anchors, found)
        _compare_page(document, found)
    told = asdict(found)
    if found.bundle is not None:
        told["bundle"] = base64.b64encode(found.bundle).decode()
    return told


def _compare_page(document: Document, found: Found) -> None:
    """The page that the bundle gives, set again, must be the one in the file, byte for byte."""
    if found.bundle is None:
        return
    language, renderer = found.made_by.get("language", ""), found.made_by.get("renderer", "")
    ours = renderer == __version__
    if (
        language not in page.LANGUAGES
        or len(renderer) > _MAX_VERSION_CHARS
        or found.made_by != _made_by(language, renderer)
    ):
        _not_compared(found)
        return
    try:
        again = page.render(found.bundle, language, renderer=renderer)
    except DataError as error:
        if ours:
            found.fault("document", f"no page can be made of its bundle: {error.message}")
        else:
            _not_compared(found)
        return
    if again == document.original:
        return
    if ours:
        found.fault("document", "the page is not the one its bundle gives")
    else:  # with the same template, another version may still have set it in another way
        _not_compared(found)


def _made_by(language: str, renderer: str) -> dict[str, str]:
    """What a page says of its making, if the template is ours."""
    marks = engine.marks(language, renderer)
    return dict(mark.removeprefix("acuse-").split(":", 1) for mark in marks)


def _not_compared(found: Found) -> None:
    made_by = ", ".join(f"{name} {value[:20]}" for name, value in found.made_by.items())
    found.lack(
        "document",
        f"the page was not compared: it was set by another version ({made_by or 'unmarked'})",
    )


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())

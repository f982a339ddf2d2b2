"""What is appended to a text, what it costs, and how it is shown."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gateway.smpp.text import encode_text, not_carried

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.daemon.work import Work
    from gateway.policy.appending import Addition
    from gateway.smpp.text import Coding


def append(work: Work, added: Sequence[Addition], coding: Coding, *, substitutes: bool) -> None:
    """Append the words to a new submission's text, and note what it took without them.

    A letter that would turn a plain text into UCS-2 loses its accent: "Envia BAJA".

    Raises:
        DataError: the text cannot be sent.
    """
    if not added:
        return
    before = replace(work.request)
    if substitutes:
        before.substitute(coding)
    work.parts_before = len(encode_text(before.text, coding).parts)
    if not not_carried(before.text, coding.default_alphabet):
        added = [replace(each, text=_carried(each.text, coding)) for each in added]
    work.request.append(added)


def _carried(text: str, coding: Coding) -> str:
    """The text without the accents the alphabet lacks; other characters stay."""
    missing = not_carried(text, coding.default_alphabet)
    return "".join(
        unicodedata.normalize("NFD", char)[0] if char in missing else char for char in text
    )


def shown_appended(work: Work) -> dict[str, Any]:
    """What answers tell of it: `fixed`, and `segments_before` where that is known."""
    if not work.request.appended:
        return {}
    shown: dict[str, Any] = {
        "fixed": [{"what": what, "text": text} for what, text in work.request.appended]
    }
    if work.parts_before:
        shown["segments_before"] = work.parts_before
    return shown

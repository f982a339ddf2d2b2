"""The words content is judged by, from `config/subjects.toml` and `config/instructions.toml`."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.policy.instructions import Instructions, Language
from gateway.policy.subjects import LEVELS, Phrase, Subjects, phrases_of
from gateway.policy.words import words_of
from gateway.resources import config_directory

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.policy.table import Findings

_MAX_FILE_BYTES: Final = 1_000_000
_LISTS: Final = ("keywords", "verbs", "leave", "common")
_TEXTS: Final = ("answer", "link", "company")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What texts are read with; a decision's versions cover it."""

    subjects: Subjects
    instructions: Instructions
    advertised: Subjects  # those without the words of advertising itself
    informing: Subjects  # what informs is looked through for these only


#: Words of advertising, and what looks as if a court had sent it: warned of in what informs.
PROMOTION: Final = "promotion"
COURT: Final = "court_lookalike"


def load_vocabulary(findings: Findings, directory: Path | None = None) -> Vocabulary:
    """The words that came with Acuse, or those of a directory; what is wrong goes to *findings*."""
    directory = directory or config_directory()
    subjects = _subjects(directory / "subjects.toml", findings)
    return Vocabulary(
        subjects,
        _instructions(directory / "instructions.toml", findings),
        subjects.among(name for name in subjects.names if name != PROMOTION),
        subjects.among((PROMOTION, COURT)),
    )


def _subjects(path: Path, findings: Findings) -> Subjects:
    table, digest = _table(path, findings)
    phrases: list[Phrase] = []
    context: dict[str, frozenset[str]] = {}
    for subject, languages in table.items():
        near: set[str] = set()
        for language, lists in _tables(path, subject, languages, findings).items():
            where = f"{subject}.{language}"
            for name, entries in _tables(path, where, lists, findings).items():
                if name not in (*LEVELS, "context"):
                    findings.add(
                        path.name, f"{where}.{name}", "is no list there", hint="clear, doubtful, …"
                    )
                    continue
                for entry in _entries(path, f"{where}.{name}", entries, findings):
                    if name == "context":
                        near.update(words_of(entry))
                        continue
                    level = next(each for each in LEVELS if each == name)
                    made = phrases_of(subject, level, entry)
                    if not made:
                        findings.add(
                            path.name, f"{where}.{name}", f"{entry!r} has no word", hint="mend it"
                        )
                    phrases += made
        context[subject] = frozenset(near)
    return Subjects(phrases, context, digest)


def _instructions(path: Path, findings: Findings) -> Instructions:
    table, digest = _table(path, findings)
    languages: dict[str, Language] = {}
    for name, values in table.items():
        given = _tables(path, name, values, findings)
        for key in given:
            if key not in (*_LISTS, *_TEXTS):
                findings.add(path.name, f"{name}.{key}", "is no key there", hint="keywords, verbs…")
        lists = {key: _entries(path, f"{name}.{key}", given.get(key), findings) for key in _LISTS}
        texts = {key: given.get(key) for key in _TEXTS}
        for key, text in texts.items():
            if not isinstance(text, str) or not text:
                findings.add(path.name, f"{name}.{key}", "must be a text", hint="put it in quotes")
        languages[name] = Language(
            keywords=tuple(tuple(words_of(each)) for each in lists["keywords"] if words_of(each)),
            verbs=frozenset(word for each in lists["verbs"] for word in words_of(each)),
            leave=tuple(tuple(words_of(each)) for each in lists["leave"] if words_of(each)),
            common=frozenset(word for each in lists["common"] for word in words_of(each)),
            answer=str(texts["answer"]),
            link=str(texts["link"]),
            company=str(texts["company"]),
        )
    return Instructions(languages, digest)


def _table(path: Path, findings: Findings) -> tuple[dict[str, object], str]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            findings.add(path.name, "", "larger than 1 MB", hint="is it a list of words?")
            return {}, ""
        return tomllib.loads(content.decode("utf-8")), hashlib.sha256(content).hexdigest()
    except OSError as error:
        findings.add(path.name, "", f"cannot be read: {error.strerror}", hint="check permissions")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        findings.add(path.name, "", f"not TOML: {error}", hint="mend the line it names")
    return {}, ""


def _tables(path: Path, where: str, value: object, findings: Findings) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    findings.add(path.name, where, "must be a table", hint=f"write [{where}]")
    return {}


def _entries(path: Path, where: str, value: object, findings: Findings) -> list[str]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    findings.add(path.name, where, "must be a list of texts", hint='write ["one", "two"]')
    return []

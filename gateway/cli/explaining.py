"""`acuse verify --explain`: a verdict in plain words, for somebody who has to rely on it.

The words are in `config/verify.toml`, by language.
"""

from __future__ import annotations

import os
import textwrap
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.cli.output import plain
from gateway.ledger.entry import time_text
from gateway.ledger.facts import CHECKPOINT, LEDGER, OPERATOR, PERSON, Facts
from gateway.ledger.report import FORK, INVALID
from gateway.resources import config_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.ledger.report import Report

LANGUAGES = ("en", "es", "pt", "ca")
#: What a file and its names may fill of a line; the rest of a long name explains nothing.
_NAME_MOST = 80
_WIDTH = 96


def language(environment: Mapping[str, str] = os.environ) -> str:
    """The language the environment asks for, of `LANGUAGES`; else English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            wanted = environment[name][:2].lower()
            return wanted if wanted in LANGUAGES else "en"
    return "en"


def words(lang: str) -> dict[str, Any]:
    """The words of one of `LANGUAGES`."""
    table = tomllib.loads((config_directory() / "verify.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = table[lang]
    return found


def explain(report: Report, lang: str) -> list[str]:
    """*report* in plain words, a line each; an empty line stands before each heading."""
    return list(_Explanation(report, words(lang)).lines())


@dataclass(frozen=True, slots=True)
class _Explanation:
    report: Report
    words: dict[str, Any]

    def lines(self) -> Iterator[str]:
        report, words = self.report, self.words
        headings = words["headings"]
        refuted = report.verdict in (INVALID, FORK)
        yield f"{report.verdict}"
        if report.reason:
            yield from _wrapped(plain(report.reason), "  ")
        facts = report.facts
        meaning = [words["verdict"][report.verdict], self._limit(refuted)]
        if report.verdict == FORK and facts is not None and not facts.pinned:
            meaning.append(words["word"]["own"])  # then anybody could have signed both
        yield from self._part("meaning", meaning)
        if facts is not None and not refuted:
            yield from self._part("matter", self._matter(facts))
            yield from self._part("word", self._word(facts))
        yield from self._part("checked", self._checked())
        yield from self._part("unchecked", self._unchecked())
        if report.notes:
            yield from ("", headings["notes"])
            yield from (f"  {plain(row)}" for note in report.notes for row in note.split("\n"))

    def _part(self, heading: str, rows: list[str]) -> Iterator[str]:
        if rows:
            yield from ("", self.words["headings"][heading])
        for row in rows:
            yield from _wrapped(row, "  ", "- " if len(rows) > 1 else "")

    def _limit(self, refuted: bool) -> str:
        kind = self.report.facts.kind if self.report.facts else ""
        limits = self.words["limit"]
        if refuted:
            return str(limits["refuted"])
        return str(limits[kind if kind in (CHECKPOINT, LEDGER) else "proof"])

    def _matter(self, facts: Facts) -> list[str]:
        report, words = self.report, self.words
        if report.submission_id is None:
            return []
        states = words["state"]
        state = states.get(report.state or "", states["open"])
        if facts.decided_by == PERSON and report.state != "erased":
            state = states["resolved"]
        told = [
            plain(report.submission_id),
            state.format(operator=_name(facts.operator, words), state=report.state),
        ]
        if facts.decided_by == OPERATOR:
            told.append(words["means"][facts.means])
        return told

    def _word(self, facts: Facts) -> list[str]:
        report, said = self.report, self.words["word"]
        size = f"{report.size:,}" if report.size is not None else "?"
        told = [
            said["log"].format(origin=_name(facts.origin, self.words), size=size),
            said["pinned" if facts.pinned else "own"],
        ]
        if report.submission_id is not None:
            told += self._of_matter(facts)
        if facts.sealed_by:
            told.append(said["seal"].format(name=_name(facts.sealed_by, self.words)))
        before, after = report.not_before_ms, report.not_after_ms
        if facts.tsas:
            told.append(
                said["bounds"].format(
                    before=self._time(before), after=self._time(after), tsas=self._list(facts.tsas)
                )
            )
        else:
            told.append(said["no_stamp"])
        told.append(
            said["witnesses"].format(witnesses=self._list(facts.witnesses))
            if facts.witnesses
            else said["no_witness"]
        )
        return told

    def _of_matter(self, facts: Facts) -> Iterator[str]:
        said = self.words["word"]
        names = {"issuer": facts.issuer, "sender": facts.sender, "operator": facts.operator}
        shown = {key: _name(value, self.words) for key, value in names.items()}
        yield said["parties"].format(**shown)
        yield said["content"].format(
            shown=self._list(facts.shown), withheld=self._list(facts.withheld)
        )
        if facts.decided_by:
            yield said[facts.decided_by].format(**shown)
        yield said["clock"].format(first=facts.first, last=facts.last)

    def _checked(self) -> list[str]:
        steps, marks = self.words["step"], self.words["marks"]
        sealed = any(name == "document" for name, _ in self.report.checks)
        return [
            f"[{marks['holds' if ok else 'fails']}] "
            + steps["memory" if name == "signer" and not sealed else name]
            for name, ok in self.report.checks
        ]

    def _unchecked(self) -> list[str]:
        said, checks = self.words["unchecked"], dict(self.report.checks)
        facts = self.report.facts
        told = [said[name] for name in ("policy", "timestamp") if checks.get(name) is not True]
        if "since" not in checks:
            told.append(said["since"])
        if "document" in checks and checks.get("signer") is not True:
            told.append(said["signer"])
        if facts is None or facts.kind not in (CHECKPOINT, LEDGER):
            told += [said["person"], said["operator"]]
        return [*told, said["revocation"]]

    def _time(self, instant_ms: int | None) -> str:
        return str(self.words["unproven"]) if instant_ms is None else time_text(instant_ms)

    def _list(self, names: tuple[str, ...]) -> str:
        distinct = dict.fromkeys(_name(name, self.words) for name in names)
        return ", ".join(distinct) or str(self.words["none"])


def _name(name: str, words: dict[str, Any]) -> str:
    shown = plain(name)
    return shown[:_NAME_MOST] + ("…" if len(shown) > _NAME_MOST else "") or str(words["none"])


def _wrapped(text: str, indent: str, mark: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent + mark,
        subsequent_indent=indent + " " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )

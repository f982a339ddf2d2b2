"""The answer of a verification: one verdict, why, and every step that was taken (LEDGER section 5).

Steps write what they find into `Findings`; only at the end, and only here, findings become a
verdict. Where several fit the gravest wins, so no step can hide what another one saw.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gateway.ledger.entry import time_text

if TYPE_CHECKING:
    from gateway.errors import DataError
    from gateway.ledger.facts import Facts

VALID = "VALID"
INVALID = "INVALID"
FORK = "FORK"
STALE = "STALE"
UNANCHORED = "UNANCHORED"
NOT_FINAL = "NOT-FINAL"
VALID_ERASED = "VALID-ERASED"
AMBIGUOUS = "AMBIGUOUS"

#: Exit codes of `acuse verify`.
EXIT_CODES = {
    VALID: 0,
    INVALID: 1,
    FORK: 2,
    STALE: 3,
    UNANCHORED: 4,
    NOT_FINAL: 5,
    VALID_ERASED: 6,
    AMBIGUOUS: 7,
}
#: Gravest first: what `verify FILE…` ends with, and what wins where several fit.
GRAVITY = (FORK, INVALID, STALE, AMBIGUOUS, UNANCHORED, NOT_FINAL, VALID_ERASED, VALID)

#: Names in a file may be of any length; the rest of one explains nothing.
_MAX_REASON_CHARS = 400

#: The steps in order, with what each one says to people when it holds and when it does not.
STEPS = {
    "parse": ("the file has the form of a proof", "the file does not have the form of a proof"),
    "canonical": (
        "every entry is in the one canonical form",
        "an entry is not in the one canonical form",
    ),
    "inclusion": (
        "every entry is in the tree of the checkpoint",
        "an entry is not in the tree of the checkpoint",
    ),
    "place": (
        "every entry says the log and the place it has",
        "an entry does not say the log and the place it has",
    ),
    "chain": (
        "neighbouring entries name each other's hash",
        "an entry does not name the hash of the one before it",
    ),
    "links": (
        "the entries of a submission follow each other without a gap",
        "the entries of a submission do not follow each other",
    ),
    "complete": (
        "seals list exactly what happened, and nothing is kept back",
        "what is shown is not all that happened, or happened in no allowed order",
    ),
    "envelope": (
        "issuer, sender and operators are those that were sealed",
        "issuer, sender or an operator is not what was sealed",
    ),
    "commitments": (
        "what is disclosed is what was sealed",
        "what is disclosed is not what was sealed",
    ),
    "policy": (
        "the keys are pinned by the policy given",
        "no policy given: the log's key is known only from the file itself",
    ),
    "checkpoint": (
        "the checkpoint is signed by the log's key",
        "the checkpoint is not signed as it must be",
    ),
    "witnesses": (
        "as many witnesses signed as the policy asks for",
        "fewer witnesses signed than the policy asks for",
    ),
    "timestamp": (
        "a trusted time stamp covers the checkpoint",
        "no trusted time stamp covers the checkpoint",
    ),
    "time": ("the times run forward", "the times do not run forward"),
    "since": (
        "the log has only grown since the checkpoint known before",
        "the log is not shown to have only grown since the checkpoint known before",
    ),
    "document": (
        "the document around the proof is as it was sealed",
        "the document around the proof is not as it was sealed",
    ),
    "signer": (
        "the ledger agrees with what its signer remembers",
        "the ledger does not agree with what its signer remembers",
    ),
}
#: `signer` of a document is who sealed it.
_SEALER = (
    "an issuer you trust vouches for the seal",
    "nobody you trust vouches for the seal",
)
_MEANING = {
    VALID: "all steps hold, the keys are pinned by your policy, and a trusted time stamp covers it",
    INVALID: "this does not prove what it claims",
    FORK: "the log has signed two statements that exclude each other; keep both",
    STALE: "this is older than what is known already, or than you allow",
    UNANCHORED: "consistent in itself, but nothing outside vouches for it",
    NOT_FINAL: "consistent and anchored, but the submission is still open",
    VALID_ERASED: "all steps hold; the content was lawfully destroyed and cannot be shown again",
    AMBIGUOUS: "consistent, but the operator's receipt fits more than one submission",
}


@dataclass(frozen=True, slots=True)
class Report:
    """A verdict with its grounds. `reason` begins with a step of `STEPS`; None when all holds."""

    verdict: str
    reason: str | None
    seq: int | None
    checks: tuple[tuple[str, bool], ...]
    submission_id: str | None = None
    state: str | None = None
    size: int | None = None
    not_before_ms: int | None = None
    not_after_ms: int | None = None
    #: Of FORK: the two signed notes.
    notes: tuple[str, ...] = ()
    #: Of a whole ledger: entries not covered by its last anchor.
    tail: int | None = None
    #: What it is about, for those who explain it; None where nothing could be read.
    facts: Facts | None = None

    @property
    def exit_code(self) -> int:
        """What `acuse verify` ends with."""
        return EXIT_CODES[self.verdict]

    def saying(self, step: str) -> tuple[str, str]:
        """What a step says to people when it holds and when it does not."""
        sealed = step == "signer" and any(name == "document" for name, _ in self.checks)
        return _SEALER if sealed else STEPS[step]

    def as_json(self) -> dict[str, object]:
        """The object of `--json`; `notes` only for FORK, `tail` only for a whole ledger."""
        found: dict[str, object] = {
            "verdict": self.verdict,
            "reason": self.reason,
            "seq": self.seq,
            "submission_id": self.submission_id,
            "state": self.state,
            "size": self.size,
            "time": {
                "not_before": _optional_time(self.not_before_ms),
                "not_after": _optional_time(self.not_after_ms),
            },
            "checks": [{"name": name, "ok": ok} for name, ok in self.checks],
        }
        if self.notes:
            found["notes"] = list(self.notes)
        if self.tail is not None:
            found["tail"] = self.tail
        return found

    def explain(self) -> list[str]:
        """The same for people, a sentence a line."""
        lines = [f"{self.verdict}: {_MEANING[self.verdict]}."]
        if self.reason:
            at = "" if self.seq is None else f" (entry {self.seq})"
            lines.append(f"Reason{at}: {self.reason}.")
        if self.submission_id is not None:
            lines.append(f"Submission {self.submission_id}, state {self.state or 'not known'}.")
        if self.size is not None:
            lines.append(f"The log had {self.size} entries then.")
        if self.tail is not None:
            lines.append(f"{self.tail} entries are newer than the last anchor.")
        before, after = _optional_time(self.not_before_ms), _optional_time(self.not_after_ms)
        if before or after:
            lines.append(
                f"It happened after {before or '(not proven)'}, before {after or '(not proven)'}."
            )
        lines += [
            f"  {'holds' if ok else 'FAILS'}  {name}: {self.saying(name)[0 if ok else 1]}"
            for name, ok in self.checks
        ]
        lines += [f"Signed note:\n{note}" for note in self.notes]
        return lines


def around(report: Report, document: Findings) -> Report:
    """*report* of the bundle in a document, with what was found of the document around it.

    The graver verdict counts; where both are as grave, the bundle's reason.
    """
    verdict, reason, seq = document.verdict()
    checks = report.checks + document.checks()
    if GRAVITY.index(verdict) >= GRAVITY.index(report.verdict):
        return replace(report, checks=checks)
    return replace(report, verdict=verdict, reason=reason, seq=seq, checks=checks)


def _line(reason: str) -> str:
    """A reason that a terminal and a JSON reader take, whatever names of a file stand in it."""
    cut = reason if len(reason) <= _MAX_REASON_CHARS else reason[:_MAX_REASON_CHARS] + "…"
    return cut.encode("utf-8", "backslashreplace").decode()


def _optional_time(instant_ms: int | None) -> str | None:
    return None if instant_ms is None else time_text(instant_ms)


@dataclass(slots=True)
class Findings:
    """What the steps found so far."""

    #: Step -> whether it holds; a step that is not here was not taken.
    steps: dict[str, bool] = field(default_factory=dict)
    #: Step -> (reason, seq) of its first fault; a damaged ledger has millions.
    faults: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    stale: str | None = None
    ambiguous: str | None = None
    unanchored: list[str] = field(default_factory=list)
    not_final: str | None = None
    erased: bool = False
    #: Makers of trusted tokens, and the policy's witnesses that signed.
    tsas: list[str] = field(default_factory=list)
    witnesses: list[str] = field(default_factory=list)

    def took(self, *steps: str) -> None:
        """Steps were taken; each holds unless a fault of it was or will be found."""
        for step in steps:
            self.steps.setdefault(step, True)

    def fault(self, step: str, message: str, seq: int | None = None) -> None:
        """A step does not hold: the verdict is INVALID or graver."""
        self.steps[step] = False
        self.faults.setdefault(step, (_line(f"{step}: {message}"), seq))

    def refused(self, error: DataError, seq: int | None = None, *, step: str = "parse") -> None:
        """A fault found as an error of a pure check, which names its own step (else *step*)."""
        reason = str(error.fields.get("reason", step))
        self.fault(reason if reason in STEPS else step, error.message, seq)

    def lacks(self, step: str, reason: str) -> None:
        """Nothing is wrong, but nothing outside vouches for it: UNANCHORED or graver."""
        self.steps[step] = False
        self.unanchored.append(_line(reason))

    def fork(self, first: str, second: str) -> None:
        """Two signed notes exclude each other; the first pair found is kept."""
        self.notes = self.notes or (first, second)

    def verdict(self) -> tuple[str, str | None, int | None]:
        """(verdict, reason, seq): the gravest thing found, of equals the earliest step's."""
        if self.notes:
            return FORK, "since: two signed notes exclude each other", None
        if self.faults:
            reason, seq = next(self.faults[step] for step in STEPS if step in self.faults)
            return INVALID, reason, seq
        if self.stale:
            return STALE, self.stale, None
        if self.ambiguous:
            return AMBIGUOUS, self.ambiguous, None
        if self.unanchored:
            # The verifier's own question comes before the general lack of anchors.
            return UNANCHORED, min(self.unanchored, key=lambda why: why[:5] != "since"), None
        if self.not_final:
            return NOT_FINAL, self.not_final, None
        return (VALID_ERASED if self.erased else VALID), None, None

    def checks(self) -> tuple[tuple[str, bool], ...]:
        """The steps that were taken, in order."""
        return tuple((step, self.steps[step]) for step in STEPS if step in self.steps)

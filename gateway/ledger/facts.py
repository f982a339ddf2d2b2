"""What a proof is about and by whose word, for those who explain a verdict to people.

Nothing here decides anything: a report's verdict says whether any of it may be relied on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.ledger import entry as event
from gateway.ledger.course import DECIDING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.ledger.checks import Case
    from gateway.ledger.report import Findings

BUNDLE = "bundle"
CHECKPOINT = "checkpoint"
LEDGER = "ledger"

#: Who decided what became of a message.
OPERATOR, PERSON, SERVICE = "operator", "person", "service"
_BY_OPERATOR = frozenset(
    {
        event.RELAY_FAILURE,
        event.CARRIER_REPORT,
        event.CONTENT_HANDOVER,
        event.CONTENT_HANDOVER_FAILURE,
    }
)
_ENVELOPED = _BY_OPERATOR | {event.RELAY}


@dataclass(frozen=True, slots=True)
class Facts:
    """By kind of proof; what does not apply is empty."""

    kind: str
    origin: str = ""
    #: The key is one of the verifier's policy; else only the file says whose it is.
    pinned: bool = False
    issuer: str = ""
    sender: str = ""
    #: Whose word says what became of the message: `OPERATOR`, `PERSON` or `SERVICE`.
    decided_by: str = ""
    #: The operator it was last with, and what "delivered" means there.
    operator: str = ""
    means: str = "unknown"
    #: `t` of the first and the last entry shown.
    first: str = ""
    last: str = ""
    #: Names of committed fields that are disclosed, and of those that are not.
    shown: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    #: Of trusted tokens, as the proof names their makers; of the policy's witnesses.
    tsas: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    #: Who sealed the document around the proof, as its certificate says.
    sealed_by: str = ""


def facts_of(case: Case) -> Facts:
    """The facts of a bundle; what its verification refused is not among them."""
    bundle, found = case.bundle, case.found
    disclosed = {(seq, name) for seq, fields in bundle.disclose.items() for name in fields}
    shown: set[str] = set()
    withheld: set[str] = set()
    operator, means = "", "unknown"
    for one in case.entries:
        commits = one.body.get("commit")
        for name in commits if isinstance(commits, dict) else ():
            (shown if (str(one.seq), name) in disclosed else withheld).add(name)
        # Of these the envelope is proven; what else names an operator may name it as it likes.
        if one.body["ev"] in _ENVELOPED and isinstance(one.body.get("operator"), str):
            operator = one.body["operator"]
            profile = bundle.operators.get(operator)
            told = profile.get("receipt_means") if isinstance(profile, dict) else None
            means = told if told in ("handset", "smsc") else "unknown"
    times = [one.body["t"] for one in case.entries]
    return Facts(
        BUNDLE,
        origin=case.opened.checkpoint.origin if case.opened else "",
        pinned=bool(found.steps.get("policy")),
        issuer=_name(bundle.issuer),
        sender=_name(bundle.sender),
        decided_by=_decided_by(one.body["ev"] for one in case.entries),
        operator=operator,
        means=means,
        first=min(times, default=""),
        last=max(times, default=""),
        shown=tuple(sorted(shown)),
        withheld=tuple(sorted(withheld - shown)),
        tsas=tuple(found.tsas),
        witnesses=tuple(found.witnesses),
    )


def facts_of_log(kind: str, origin: str, found: Findings) -> Facts:
    """The facts of a checkpoint or of a whole ledger."""
    return Facts(
        kind,
        origin=origin,
        pinned=bool(found.steps.get("policy")),
        tsas=tuple(found.tsas),
        witnesses=tuple(found.witnesses),
    )


def _decided_by(codes: Iterable[str]) -> str:
    decided = ""
    for code in codes:
        if code == event.REOPENED:
            decided = ""
        elif code in DECIDING or (code == event.CARRIER_REPORT and not decided):
            decided = OPERATOR if code in _BY_OPERATOR else SERVICE
            if code == event.RESOLVED:
                decided = PERSON
    return decided


def _name(party: object) -> str:
    name = party.get("legal_name") if isinstance(party, dict) else None
    return name if isinstance(name, str) else ""

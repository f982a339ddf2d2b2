"""Erasing by request and legal holds: the commands of those who answer for people's data.

Whose rows they are is found beside the writer; each batch of erasures is durable by itself, and the
answer comes when the file is swept. Done again, it goes on where it was cut off.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.clock import to_seconds_text
from gateway.daemon.arguments import free_text
from gateway.daemon.erasing import ROWS
from gateway.daemon.logs import masked
from gateway.daemon.roles import Role
from gateway.daemon.strays import Strays
from gateway.errors import AnswerIsNo, DataError
from gateway.evidence.records import PERSON_BYTES
from gateway.ledger.erasures import Hold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.daemon.erasing import Erasing, Fate
    from gateway.daemon.pipeline import Pipeline
    from gateway.daemon.questions import Read
    from gateway.daemon.reading import SubmissionReader
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.sweeping import Sweeping
    from gateway.evidence.vault import Vault
    from gateway.ledger.due import Due
    from gateway.ledger.reader import Reader
    from gateway.ledger.store import Store

log = structlog.get_logger()

#: What each command needs.
ROLES: Final = {
    "ledger.erase": Role.OPERATOR,
    "ledger.hold": Role.OPERATOR,
    "ledger.release": Role.OPERATOR,
    "ledger.holds": Role.READ,
}
_IDS_MOST: Final = 10_000
_BASIS_HINT: Final = "say why it is lawful, such as 'GDPR 17(1)(b), request 117'"
_WHY_HINT: Final = "say on whose word, such as 'court of Madrid, case 12/2026'"
_OBSTACLES: Final = {
    "open": (
        "is {state}, and nothing is erased of what is not closed",
        "`acuse messages cancel` withdraws what has not left; else wait until it is sealed",
    ),
    "held": (
        "is under legal hold: {why}",
        "`acuse ledger release` ends the hold, once whoever ordered it agrees",
    ),
    "busy": ("is closed, but an answer of the operator is awaited", "try again in a minute"),
}


class Custody:
    """Does the commands; one that changes something is answered when that is durable."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        vault: Vault,
        sealer: Sealer,
        numbers: SubmissionReader,
        due: Due,
        erasing: Erasing,
        sweeping: Sweeping,
        pipeline: Pipeline,
        read: Read,
    ) -> None:
        self._store = store
        self._reader = reader
        self._vault = vault
        self._sealer = sealer
        self._numbers = numbers
        self._due = due
        self._strays = Strays(reader, due, vault)
        self._erasing = erasing
        self._sweeping = sweeping
        self._pipeline = pipeline
        self._read = read

    async def do(self, command: str, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
        """Do one of `ROLES`, asked for by *actor*; its answer.

        Raises:
            AcuseError: it cannot be done; nothing was written.
        """
        if command == "ledger.erase":
            return await self._erase(args, actor)
        if command == "ledger.holds":
            return {"holds": await self._read(self._holds)}
        return await self._hold(args, actor, place=command == "ledger.hold")

    # -- erasing -------------------------------------------------------------------------------

    async def _erase(self, args: Mapping[str, Any], actor: str) -> dict[str, Any]:
        basis = free_text(args, "basis", _BASIS_HINT)
        number, ids = await self._meant(args)
        if args.get("dry_run"):
            fates = await self._pipeline.alone(lambda _: self._erasing.obstacles(ids))
            return _told(fates, dry_run=True)
        alone = number is None and len(ids) == 1
        fates = []
        for some in _batches(ids):
            cmd = f"ledger.erase {args['submission_ids'][0]}" if alone else "ledger.erase"
            erase = partial(self._erasing.submissions, some, basis, by=actor, cmd=cmd)
            fates += await self._pipeline.alone(erase)
        if alone:
            _require_done(fates[0])
        told = _told(fates)
        if number is not None:
            told.update(await self._erase_strays(number, basis))
        if self._sweeping.due or any(fate.outcome == "erased" for fate in fates):
            told["swept"] = await self._sweeping.run()
        log.info(
            "content.erased",
            submissions=len(told["erased"]),
            kept=len(told["kept"]),
            by=actor,
            **({} if number is None else {"to": masked(number)}),
        )
        return told

    async def _erase_strays(self, number: str, basis: str) -> dict[str, Any]:
        """What is of no submission and names *number*."""
        erasing, alone = self._erasing, self._pipeline.alone
        found = await self._read(partial(self._strays.of, number))
        counts = Counter[str]()
        for some in _batches(found.orphans):
            counts["receipts"] += await alone(partial(erasing.orphans, some, basis))
        for some in _batches(found.inbound):
            counts["replies"] += await alone(partial(erasing.inbound, some, basis))
        if found.optouts:
            await alone(partial(erasing.optouts, found.optouts, basis))
        if found.suppressed:
            await alone(lambda _: erasing.suppressed(found.suppressed))
        return {
            "receipts": counts["receipts"],
            "replies": counts["replies"],
            "optouts": found.left,
            "consents": found.consents,
        }

    async def _meant(self, args: Mapping[str, Any]) -> tuple[str | None, list[int]]:
        """The number a command is about, if it is about one, and row ids of its submissions.

        Raises:
            DataError: neither a number nor ids, or both.
            AnswerIsNo: there is no submission with one of the ids.
        """
        given, to = args.get("submission_ids"), args.get("to")
        if (given is None) == (to is None):
            raise DataError(
                "say which: submission ids, or a number", hint="ID…, or --to NUMBER", field="to"
            )
        if to is not None:
            number = self._numbers.number(to if isinstance(to, str) else "")
            person = self._vault.person(number)[:PERSON_BYTES]
            return number, await self._read(partial(self._due.submissions_of, person))
        if (
            not isinstance(given, list)
            or not 1 <= len(given) <= _IDS_MOST
            or not all(isinstance(each, str) for each in given)
        ):
            raise DataError(
                f"submission_ids must be a list of 1 to {_IDS_MOST} ids",
                hint="give the ids `submit` answered",
                field="submission_ids",
            )
        return None, await self._read(partial(self._rows_of, list(dict.fromkeys(given))))

    def _rows_of(self, given: Iterable[str]) -> list[int]:
        ids = []
        for each in given:
            row = self._reader.submission(each)
            if row is None:
                raise AnswerIsNo(
                    f"there is no submission {each!r}",
                    hint="nothing was done; `acuse messages list` shows the latest ones",
                    submission_id=each,
                )
            ids.append(row["id"])
        return ids

    # -- holds ---------------------------------------------------------------------------------

    async def _hold(self, args: Mapping[str, Any], actor: str, *, place: bool) -> dict[str, Any]:
        why = free_text(args, "why", _WHY_HINT)
        number, ids = await self._meant(args)
        change = self._place if place else self._release
        done: list[str] = []
        known: list[str] = []
        for some in _batches(ids):
            fresh, others = await self._pipeline.alone(partial(change, some, actor, why))
            done += fresh
            known += others
        if number is None and len(ids) == 1 and not place and not done:
            raise AnswerIsNo(
                f"submission {known[0]} is not under legal hold",
                hint="`acuse ledger holds` lists what is",
                submission_id=known[0],
            )
        log.info("hold.placed" if place else "hold.released", submissions=len(done), by=actor)
        return {"held" if place else "released": done, "known" if place else "not_held": known}

    def _place(
        self, ids: Sequence[int], actor: str, why: str, now_ms: int
    ) -> tuple[list[str], list[str]]:
        erasures = self._store.erasures
        rows = [row for row in map(erasures.submission, ids) if row is not None]
        gone = [row.submission_id for row in rows if row.key is None]
        if gone and len(rows) == 1:
            raise AnswerIsNo(
                f"the content of submission {gone[0]} was erased",
                hint="there is nothing left to hold; its proof still verifies",
                submission_id=gone[0],
            )
        fresh, known = [], []
        for row in rows:
            if row.key is None:
                continue
            if erasures.hold(row.id) is not None:
                known.append(row.submission_id)
                continue
            cmd = f"ledger.hold {row.submission_id}"
            seq = self._sealer.log_event("x.Admin", now_ms, by=actor, cmd=cmd, why=why)
            erasures.place_hold(Hold(row.id, now_ms, actor, why, seq))
            fresh.append(row.submission_id)
        return fresh, known

    def _release(
        self, ids: Sequence[int], actor: str, why: str, now_ms: int
    ) -> tuple[list[str], list[str]]:
        erasures = self._store.erasures
        fresh, others = [], []
        for row in map(erasures.submission, ids):
            if row is None:
                continue
            if erasures.hold(row.id) is None:
                others.append(row.submission_id)
                continue
            cmd = f"ledger.release {row.submission_id}"
            self._sealer.log_event("x.Admin", now_ms, by=actor, cmd=cmd, why=why)
            erasures.release_hold(row.id)
            fresh.append(row.submission_id)
        return fresh, others

    def _holds(self) -> list[dict[str, Any]]:
        return [
            {
                "submission_id": row["submission_id"],
                "state": row["state"],
                "submitted_at": to_seconds_text(row["submitted_ms"]),
                "held_since": to_seconds_text(row["placed_ms"]),
                "by": row["actor"],
                "why": row["why"],
                "seq": row["seq"],
            }
            for row in self._due.holds()
        ]


def _told(fates: Sequence[Fate], *, dry_run: bool = False) -> dict[str, Any]:
    erased = [fate for fate in fates if fate.outcome == "erased"]
    return {
        "erased": [{"submission_id": fate.submission_id, "seq": fate.seq} for fate in erased],
        "already": [fate.submission_id for fate in fates if fate.outcome == "already"],
        "kept": [
            {
                "submission_id": fate.submission_id,
                "state": fate.state,
                "reason": fate.outcome,
                "message": _explained(fate)[0],
                "hint": _explained(fate)[1],
            }
            for fate in fates
            if fate.outcome in _OBSTACLES
        ],
        **({"dry_run": True} if dry_run else {}),
    }


def _explained(fate: Fate) -> tuple[str, str]:
    message, hint = _OBSTACLES[fate.outcome]
    return message.format(state=fate.state, why=fate.why), hint


def _require_done(fate: Fate) -> None:
    if fate.outcome in _OBSTACLES:
        message, hint = _explained(fate)
        raise AnswerIsNo(
            f"submission {fate.submission_id} {message}",
            hint=hint,
            submission_id=fate.submission_id,
            state=fate.state,
            reason=fate.outcome,
        )


def _batches(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + ROWS] for start in range(0, len(ids), ROWS))

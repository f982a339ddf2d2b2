"""Destroying content, as the writer does it: each change is in a batch of its own, with its entry.

A submission is erased when it is closed, nothing is under way for it and no legal hold is on it.
Its wrapped key, everything sealed under it and what names its recipient go; `x.Erased` says so.
What is of no submission (receipts and replies that match nothing, opt-outs, consents, lists) is
erased by retention month, and one entry names the entries that committed to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from gateway.evidence.people import erased_ref
from gateway.ledger.entry import ERASED
from gateway.ledger.rows import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gateway.daemon.inbound import Inbound
    from gateway.daemon.receipts import Receipts
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import WorkSet
    from gateway.evidence.vault import Vault
    from gateway.ledger.rows import ChunkRow, SubmissionRow
    from gateway.ledger.store import Store

log = structlog.get_logger()

#: Rows erased in one batch: some ten milliseconds.
ROWS: Final = 64


class Fate(NamedTuple):
    """What became of one submission that was to be erased."""

    submission_id: str
    #: erased, already (erased before), or why it was not: open, held, busy (something is under way
    #: for it).
    outcome: str
    state: str
    #: The `seq` of its x.Erased, or of the entry of the hold.
    seq: int | None = None
    #: Why it is held.
    why: str | None = None


class Erasing:
    """Erases in the open batch, which must have nothing else in it."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        works: WorkSet,
        sealer: Sealer,
        receipts: Receipts,
        inbound: Inbound,
        forget: Callable[[], None],
    ) -> None:
        """*forget*: called when a key may be kept open somewhere that is no more to be used."""
        self._store = store
        self._vault = vault
        self._works = works
        self.sealer = sealer
        self._receipts = receipts
        self._inbound = inbound
        self._forget = forget
        #: Counts erasures, for whoever cleans up after them.
        self.count = 0

    # -- submissions ---------------------------------------------------------------------------

    def submissions(
        self,
        ids: Sequence[int],
        basis: str,
        now_ms: int,
        *,
        by: str | None = None,
        cmd: str = "",
    ) -> list[Fate]:
        """Erase the submissions with these row ids, as far as they may be.

        *by*, *cmd*: who asked for it, and how; None for the end of retention.
        """
        rows = [row for row in map(self._store.erasures.submission, ids) if row is not None]
        fates = [(row, self._obstacle(row)) for row in rows]
        if by is not None and any(fate is None for _, fate in fates):
            self.sealer.log_event("x.Admin", now_ms, by=by, cmd=cmd)
        return [fate or self._erase(row, basis, now_ms) for row, fate in fates]

    def obstacles(self, ids: Iterable[int]) -> list[Fate]:
        """What `submissions` would do with them; `erased` for those it would erase."""
        rows = [row for row in map(self._store.erasures.submission, ids) if row is not None]
        return [
            self._obstacle(row) or Fate(row.submission_id, "erased", row.state.value)
            for row in rows
        ]

    def _obstacle(self, row: SubmissionRow) -> Fate | None:
        state = row.state.value
        if row.state is State.ERASED:
            return Fate(row.submission_id, "already", state)
        if row.closed_ms is None:
            return Fate(row.submission_id, "open", state)
        hold = self._store.erasures.hold(row.id)
        if hold is not None:
            return Fate(row.submission_id, "held", state, hold.seq, hold.why)
        work = self._works.peek(row.id)
        if work is not None and work.pinned:
            return Fate(row.submission_id, "busy", state)
        return None

    def _erase(self, row: SubmissionRow, basis: str, now_ms: int) -> Fate:
        seq = self.sealer.erased(row, basis, now_ms)
        ref = None if row.ref is None else erased_ref(row.brand, row.ref, self._vault)
        self._store.erasures.erase_submission(row, seq, ref)
        work = self._works.peek(row.id)
        if work is not None:
            self._works.drop(work)
        self.count += 1
        return Fate(row.submission_id, "erased", State.ERASED.value, seq)

    # -- the end of a retention month ----------------------------------------------------------

    def end(self, month: str, ids: Sequence[int], basis: str, now_ms: int, to: str) -> int:
        """Erase submissions of *month*; keep those that are held or open under the KEK of *to*.

        Returns how many were erased.
        """
        kept = []
        for fate, row_id in zip(self.obstacles(ids), ids, strict=True):
            if fate.outcome in ("open", "held", "busy"):
                kept.append(row_id)
        for row_id in kept:
            self._keep(row_id, month, to)
        rest = [row_id for row_id in ids if row_id not in kept]
        return sum(fate.outcome == "erased" for fate in self.submissions(rest, basis, now_ms))

    def _keep(self, row_id: int, month: str, to: str) -> None:
        work = self._works.peek(row_id)
        row = self._store.erasures.submission(row_id) if work is None else work.row
        if row is None or row.key is None or row.month != month:
            return
        row.key = self._wrapped(row.key, row.submission_id, month, to)
        row.month = to
        self._store.erasures.rewrap("submissions", row_id, row.key, to)
        self.count += 1

    def _wrapped(self, key: bytes, owner: str, month: str, to: str) -> bytes:
        return self._vault.wrap(self._vault.unwrap(key, owner, month), owner, to)

    # -- what is of no submission --------------------------------------------------------------

    def orphans(self, ids: Sequence[int], basis: str, now_ms: int) -> int:
        """Erase receipts that match nothing; how many."""
        rows = self._store.erasures.orphans(ids)
        for row in rows:
            self._receipts.unidentified.discard_orphan(row.id)
            if row.duplicate_of is None:
                self._receipts.orphans.count -= 1
        return self._rows("orphans", [row.id for row in rows], _seqs(rows), basis, now_ms)

    def inbound(self, ids: Sequence[int], basis: str, now_ms: int) -> int:
        """Erase what people wrote that answers nothing of ours; how many PDUs."""
        rows = self._store.erasures.inbound(ids)
        self._inbound.forget({row.id for row in rows})
        return self._rows("inbound", [row.id for row in rows], _seqs(rows), basis, now_ms)

    def optouts(self, ids: Sequence[int], basis: str, now_ms: int) -> int:
        """Forget the numbers of people who opted out one by one; the opt-outs stay."""
        rows = self._store.erasures.optouts(ids)
        return self._rows("optouts", [row.id for row in rows], _seqs(rows), basis, now_ms)

    def suppressed(self, rows: Sequence[tuple[bytes, str]]) -> int:
        """Forget the numbers of people who are on imported lists; the opt-outs stay."""
        self._store.erasures.erase_suppressed(rows)
        self.count += len(rows)
        return len(rows)

    def requests(self, ids: Sequence[int], basis: str, now_ms: int) -> int:
        """Erase what was asked of people who signed up, answered or not."""
        rows = self._store.erasures.requests(ids)
        return self._rows("requests", [row.id for row in rows], _seqs(rows), basis, now_ms)

    def consents(
        self, ids: Sequence[int], basis: str, now_ms: int, *, ended_ms: int, to: str
    ) -> int:
        """Erase the evidence of consents that ended before *ended_ms*; of the others the key is
        wrapped with the KEK of *to*. How many were erased.
        """
        over = []
        for row in self._store.erasures.consents(ids):
            if row.withdrawn_ms is not None and row.withdrawn_ms <= ended_ms:
                over.append(row)
            elif row.key is not None:
                key = self._wrapped(row.key, f"consent:{row.id}", row.month, to)
                self._store.erasures.rewrap("consents", row.id, key, to)
                self.count += 1
        own = [row.seq for row in over if row.chunk is None]
        return self._rows("consents", [row.id for row in over], own, basis, now_ms)

    def lists(self, ids: Sequence[int], basis: str, now_ms: int, *, ended_ms: int, to: str) -> int:
        """Erase the keys of imported lists; of consents only if none stands or ended later than
        *ended_ms*: then it is wrapped with the KEK of *to*.
        """
        over: list[ChunkRow] = []
        for row in self._store.erasures.lists(ids):
            needed = row.kind == "consent" and self._store.erasures.is_needed(row, ended_ms)
            if needed and row.key is not None:
                key = self._wrapped(row.key, f"chunk:{row.id}", row.month, to)
                self._store.erasures.rewrap("chunks", row.id, key, to)
                self.count += 1
            else:
                over.append(row)
        return self._rows("lists", [row.id for row in over], _seqs(over), basis, now_ms)

    def is_left(self, month: str) -> bool:
        """Whether a receipt that matches nothing any more came back under the KEK of *month*."""
        return self._store.erasures.orphan_left(month)

    def services(self, ids: Sequence[int]) -> int:
        """Forget answers of ours to what people did, which no limit counts any more."""
        self._store.erasures.erase_rows("services", ids)
        return len(ids)

    def _rows(self, kind: str, ids: list[int], seqs: list[int], basis: str, now_ms: int) -> int:
        if not ids:
            return 0
        if seqs:
            self.sealer.log_event(ERASED, now_ms, basis=basis, of=sorted(set(seqs)))
        self._store.erasures.erase_rows(kind, ids)
        self._forget()
        self.count += len(ids)
        return len(ids)


def _seqs(rows: Iterable[object]) -> list[int]:
    """The entries that tell of rows; a part of a message that is not whole has none."""
    found = (getattr(row, "seq", None) for row in rows)
    return [seq for seq in found if seq is not None]

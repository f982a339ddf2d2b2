"""Places under the caps: taken when a message is about to leave, given back when it did not.

A place is taken in the batch that says `sending`, by the task that owns all state and right after
policy counted, so that nobody can come in between; it is one for each message, however many
segments, retries and operators that takes. What may have left counts as used. Of categories that no
cap counts nothing is asked and nothing is kept.
"""

from __future__ import annotations

import math
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast

from gateway.daemon.verdict import FAILURES
from gateway.ledger.rows import Outcome, State
from gateway.ledger.sent import Place
from gateway.policy.facts import Sent

if TYPE_CHECKING:
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.rows import SegmentRow
    from gateway.ledger.sent import Key
    from gateway.ledger.store import Store
    from gateway.policy.book import Rulebook
    from gateway.policy.decide import Decision
    from gateway.policy.rules import Category

_TAKEN: Final = (Outcome.ACCEPTED, Outcome.UNKNOWN)
#: How long a place is kept after no cap counts it any more: clocks are corrected now and then.
_MARGIN_MS: Final = 86_400_000
#: Rows looked at for each place taken, so that the table does not grow; at most in one batch; and
#: once in a while when none is taken.
_LOOK_AT: Final = 4
_LOOK_AT_MOST: Final = 1024
_LOOK_AT_IDLE: Final = 256
_IDLE_MS: Final = 60_000
#: Messages to one person that are asked again when a place of theirs was given back.
_WAKE_MOST: Final = 64


class Capping:
    """Takes places into the open batch and gives them back."""

    def __init__(self, book: Rulebook, store: Store, works: WorkSet) -> None:
        self._store = store
        self._works = works
        #: Categories that some cap counts, and how far back it looks.
        self._reach_ms: dict[str, int] = {}
        for pack in book.packs.values():
            for rule in pack.rules.caps:
                for category in rule.applies:
                    if book.counts(rule, category):
                        known = self._reach_ms.get(category, 0)
                        self._reach_ms[category] = max(known, rule.reach_s * 1000)
        self._kept_ms = max(self._reach_ms.values(), default=0) + _MARGIN_MS
        #: Released from hold and not yet on the way: they come before others that are held.
        self._going: dict[Key, dict[int, Sent]] = {}
        self._freed: set[Key] = set()
        self._taken = 0
        self._next_sweep_ms = 0

    # -- deciding ------------------------------------------------------------------------------

    def history(self, work: Work, at_ms: int) -> tuple[Sent, ...]:
        """What counts against *work* at that instant, but for its own place.

        Of a held one also those that were released just before it, as if they left then.
        """
        row = work.row
        reach_ms = self._reach_ms.get(row.category)
        if reach_ms is None:
            return ()
        replaces = work.request.replaces
        replaced = -1 if replaces is None else int(replaces["row"])
        key, mark = (row.person, row.brand), campaign_mark(work.request.campaign)
        found = []
        for place in self._store.sent.of(key, at_ms - reach_ms):
            if place.submission == row.id:
                work.place = place
            elif place.submission != replaced:  # one of the two arrives
                found.append(_sent(place, mark, work.request.campaign))
        if row.state is State.HELD:
            ahead = self._going.get(key, {})
            found += [replace(sent, at_s=at_ms / 1000) for sent in ahead.values()]
        return tuple(found)

    def unchanged(self, work: Work, now_ms: int) -> bool:
        """Whether what the last decision counted is still all there is."""
        if work.row.category not in self._reach_ms:
            return True
        return self.history(work, now_ms) == work.history

    def decided(self, work: Work, decision: Decision, history: tuple[Sent, ...]) -> None:
        """Policy spoke: remember on what."""
        if work.row.category not in self._reach_ms:
            return
        work.history, work.counts = history, decision.caps
        if decision.action != "release" and work.row.state is State.QUEUED:
            self._forgo(work)  # of what was begun, something has left

    def released(self, work: Work) -> None:
        """*work* is held no more, and goes before what is held still."""
        row = work.row
        if row.category in self._reach_ms:
            category, campaign = cast("Category", row.category), work.request.campaign or ""
            ahead = self._going.setdefault((row.person, row.brand), {})
            ahead[row.id] = Sent(0.0, category, campaign)

    # -- a place -------------------------------------------------------------------------------

    def take(self, work: Work, now_ms: int) -> None:
        """*work* is about to leave, for the first time or again: it counts from now on."""
        row = work.row
        if row.category not in self._reach_ms:
            return
        if work.place is not None:
            self._store.sent.remove(work.place)
        mark = campaign_mark(work.request.campaign)
        work.place = Place(row.person, row.brand, now_ms, row.id, row.category, mark)
        self._store.sent.put(work.place)
        self._drop_going(work)
        self._taken += 1

    def left(self, work: Work, segment: SegmentRow, now_ms: int) -> None:
        """*segment* goes onto the wire after a commit that took its time: if another second has
        begun, the place counts from that one on.
        """
        place = work.place
        if place is None or place.at_ms != segment.sent_ms or place.at_ms // 1000 == now_ms // 1000:
            return
        self._store.sent.remove(place)
        work.place = replace(place, at_ms=now_ms)
        self._store.sent.put(work.place)

    def refused(self, work: Work) -> None:
        """The operator refused a segment for good: if it took no other one, nothing was sent."""
        if not any(segment.outcome in _TAKEN for segment in work.segments):
            self.forgo(work)

    def forgo(self, work: Work) -> None:
        """*work* does not leave after all: whoever waits for its place may be next."""
        if work.row.category in self._reach_ms:
            work.place = self._place(work)
            self._forgo(work)

    def told(self, work: Work) -> None:
        """A receipt or a person said what became of *work*: caps that count contacts want to know
        whether anybody can have been reached. The latest word counts.
        """
        row = work.row
        if row.category not in self._reach_ms:
            return
        taken = [segment.final for segment in work.segments if segment.outcome in _TAKEN]
        by_person = row.state is State.UNDELIVERED and not any(taken)
        failed = by_person or (bool(taken) and all(final in FAILURES for final in taken))
        if not failed and not row.contradicted:
            return  # what nobody called failed was never marked
        place = self._place(work)
        if place is None or place.undelivered == failed:
            return
        work.place = replace(place, undelivered=failed)
        self._store.sent.put(work.place)
        if failed:
            self._freed.add((row.person, row.brand))

    # -- one batch -----------------------------------------------------------------------------

    @property
    def freed(self) -> bool:
        """Whether places were given back for which others may wait."""
        return bool(self._freed)

    def refill(self, now_ms: int) -> float:
        """Let those that a cap holds be asked again where a place was given back, and forget what
        no cap counts any more. When a held message is due by this; infinity for never.

        Early in a batch, while the file shows every message that is held.
        """
        self._sweep(now_ms)
        soonest_ms = math.inf
        for key in self._freed:
            for row_id in self._store.sent.waiting(key)[:_WAKE_MOST]:
                work = self._works.usable(row_id)
                if work is None or work.row.state is not State.HELD:
                    continue
                due_ms = max(now_ms, work.request.not_before_ms or 0)
                if due_ms < work.row.due_ms:
                    work.row.due_ms = due_ms
                    self._store.put(work.row)
                    soonest_ms = min(soonest_ms, due_ms)
        self._freed.clear()
        return soonest_ms

    def _sweep(self, now_ms: int) -> None:
        look_at = min(self._taken * _LOOK_AT, _LOOK_AT_MOST)
        if not look_at:
            if now_ms < self._next_sweep_ms:
                return
            look_at = _LOOK_AT_IDLE
        self._taken = 0
        self._next_sweep_ms = now_ms + _IDLE_MS
        self._store.sent.prune(now_ms - self._kept_ms, look_at)

    # -- inside --------------------------------------------------------------------------------

    def _place(self, work: Work) -> Place | None:
        row = work.row
        if work.place is not None:
            return work.place
        places = self._store.sent.of((row.person, row.brand), 0)
        return next((place for place in places if place.submission == row.id), None)

    def _forgo(self, work: Work) -> None:
        key = (work.row.person, work.row.brand)
        if self._drop_going(work):
            self._freed.add(key)
        if work.place is not None:
            self._store.sent.remove(work.place)
            work.place = None
            self._freed.add(key)

    def _drop_going(self, work: Work) -> bool:
        key = (work.row.person, work.row.brand)
        ahead = self._going.get(key)
        if ahead is None or ahead.pop(work.row.id, None) is None:
            return False
        if not ahead:
            del self._going[key]
        return True


def campaign_mark(campaign: str | None) -> bytes:
    """A campaign as places keep it: short, and not in clear; empty for none."""
    if not campaign:
        return b""
    return sha256(b"acuse/campaign/v1\0" + campaign.encode()).digest()[:8]


def _sent(place: Place, mark: bytes, campaign: str | None) -> Sent:
    """A place as policy counts it: a campaign other than the message's own has a name of its own,
    whatever it is.
    """
    same = place.campaign == mark
    return Sent(
        place.at_ms / 1000,
        cast("Category", place.category),
        (campaign or "") if same else place.campaign.hex(),
        "undelivered" if place.undelivered else "accepted",
    )

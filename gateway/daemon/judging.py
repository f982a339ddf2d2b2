"""What policy is asked about a submission: its message, and what is known of its recipient."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from gateway.clock import to_datetime
from gateway.policy.decide import decide
from gateway.policy.facts import Facts, Message
from gateway.policy.request import parse_location

if TYPE_CHECKING:
    from gateway.daemon.parties import Parties
    from gateway.daemon.work import Work
    from gateway.ledger.store import Store
    from gateway.policy.book import Rulebook
    from gateway.policy.decide import Decision
    from gateway.policy.facts import OptedOut
    from gateway.policy.location import Location
    from gateway.policy.rules import Category


class Judging:
    """Asks policy about submissions, with what the ledger file and the configuration know."""

    def __init__(
        self, book: Rulebook, store: Store, parties: Parties, *, close_guard_s: int = 0
    ) -> None:
        self._book = book
        self._store = store
        self._parties = parties
        self._close_guard_s = close_guard_s

    def decide(self, work: Work, at_ms: int) -> Decision:
        """What policy says of *work* at that instant; *work* remembers how long a release holds."""
        decision = decide(
            self._book,
            self._message(work),
            self._facts(work),
            to_datetime(at_ms),
            close_guard_s=self._close_guard_s,
        )
        work.released_until_ms = round(decision.released_until_s * 1000)
        work.arrive_until_s = decision.arrive_until_s
        work.optout_changes = self._store.optout_changes
        return decision

    def _message(self, work: Work) -> Message:
        request, row = work.request, work.row
        return Message(
            to=request.to,
            category=cast("Category", row.category),
            brand=row.brand,
            campaign=request.campaign or "",
            sender=request.sender,
            text=request.text,
            urgent=request.urgent,
            third_party_collector=request.third_party_collector,
            age_verified=request.age_verified,
            valid_until=None if row.expires_ms is None else to_datetime(row.expires_ms),
            windows=self._parties.windows(row.brand),
            identity=self._parties.identity(row.brand),
            sender_facts=self._parties.sender_facts(request.sender),
        )

    def _facts(self, work: Work) -> Facts:
        return Facts(opted_out=self._opted_out(work), location=_location(work))

    def _opted_out(self, work: Work) -> OptedOut:
        brands = {optout.brand for optout in self._store.optouts(work.row.person)}
        return "all" if "" in brands else "brand" if work.row.brand in brands else ""


def _location(work: Work) -> Location | None:
    stated = work.request.location
    return None if stated is None else parse_location(stated)

"""What policy is asked about a submission: its message, and what is known of its recipient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from gateway.clock import to_datetime
from gateway.policy.appending import additions
from gateway.policy.content import shows_optout
from gateway.policy.decide import content_rules, decide
from gateway.policy.facts import Facts, Listing, Message
from gateway.policy.request import parse_location
from gateway.policy.rules import CATEGORIES
from gateway.policy.words import read

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gateway.daemon.capping import Capping
    from gateway.daemon.consents import Consents
    from gateway.daemon.parties import Parties
    from gateway.daemon.work import Work
    from gateway.ledger.rows import SnapshotRow
    from gateway.ledger.store import Store
    from gateway.policy.appending import Addition
    from gateway.policy.book import Rulebook
    from gateway.policy.decide import Decision
    from gateway.policy.facts import OptedOut, Sent
    from gateway.policy.location import Location
    from gateway.policy.rules import Category

#: Categories whose recipients must be told every month how to opt out (S-OPT-2).
REMINDED: Final = frozenset({"promotional", "cart_reminder"})
#: Short codes that begin so take opt-outs in France, whatever a rule there asks for.
ANY_CODE: Final = ("36", "38")


class Judging:
    """Asks policy about submissions, with what the ledger file and the configuration know."""

    def __init__(
        self,
        book: Rulebook,
        store: Store,
        parties: Parties,
        consents: Consents,
        capping: Capping,
        close_guard_s: int,
    ) -> None:
        self._book = book
        self._store = store
        self._parties = parties
        self._close_guard_s = close_guard_s
        self._consents = consents
        self._capping = capping
        self._snapshots: tuple[tuple[SnapshotRow, ...], tuple[Listing, ...]] = (), ()
        #: What the rules ask of a category: whether consent matters, and which registries do.
        self._asks: dict[str, tuple[bool, frozenset[str]]] = {
            category: _asked(book, category) for category in CATEGORIES
        }

    def decide(self, work: Work, at_ms: int) -> Decision:
        """What policy says of *work* at that instant; *work* remembers how long a release holds."""
        history = self._capping.history(work, at_ms)
        decision = decide(
            self._book,
            self._message(work),
            self._facts(work, history),
            to_datetime(at_ms),
            close_guard_s=self._close_guard_s,
        )
        self._capping.decided(work, decision, history)
        work.released_until_ms = round(decision.released_until_s * 1000)
        work.arrive_until_s = decision.arrive_until_s
        work.permission_changes = self._store.people.changes
        return decision

    def lacking(self, work: Work, at_ms: int) -> tuple[Addition, ...]:
        """What the text of a new submission lacks by then, in the words of its brand."""
        message, facts, now = self._message(work), self._facts(work), to_datetime(at_ms)
        rules = content_rules(self._book, message, facts, now)
        wording = self._parties.wording(work.row.brand)
        return additions(self._book.vocabulary, rules, message, facts, now, wording)

    def instructs(self, work: Work) -> bool:
        """Whether the text of a marketing message says how to opt out."""
        if work.row.category not in REMINDED:
            return False
        message = self._message(work)
        return shows_optout(self._book.vocabulary, read(work.request.text), message, ANY_CODE)

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
            cart_abandoned_at=(
                None
                if request.cart_abandoned_ms is None
                else to_datetime(request.cart_abandoned_ms)
            ),
            windows=self._parties.windows(row.brand),
            identity=self._parties.identity(row.brand),
            sender_facts=self._parties.sender_facts(request.sender),
            service=request.service,
        )

    def _facts(self, work: Work, history: tuple[Sent, ...] = ()) -> Facts:
        row, people = work.row, self._store.people
        consent_matters, registries = self._asks[row.category]
        listings: list[SnapshotRow] = []
        if registries:
            listings = people.listings(row.person, registries)
        return Facts(
            opted_out=self._opted_out(work),
            location=_location(work),
            history=history,
            instructed_at=self._instructed_at(work),
            consents=self._consents.of(row.person, row.brand) if consent_matters else (),
            registries=_listings(listings),
            snapshots=self._known_snapshots() if registries else None,
        )

    def _instructed_at(self, work: Work) -> datetime | None:
        """When the brand last told the person how to opt out, where rules ask for it."""
        if work.row.category not in REMINDED:
            return None
        at_ms = self._store.instructed_ms(work.row.person, work.row.brand)
        return None if at_ms is None else to_datetime(at_ms)

    def _known_snapshots(self) -> tuple[Listing, ...]:
        """The snapshots there are; made anew only when one takes another's place."""
        rows = tuple(self._store.people.snapshots().values())
        if rows != self._snapshots[0]:
            self._snapshots = rows, _listings(rows)
        return self._snapshots[1]

    def _opted_out(self, work: Work) -> OptedOut:
        people, person, brand = self._store.people, work.row.person, work.row.brand
        brands = people.opted_out(person)
        if not brands & {"", brand}:
            return ""
        suspected = {row.brand for row in people.optouts(person) if row.suspected}
        given = brands - suspected
        return "all" if "" in given else "brand" if brand in given else "suspected"


def _asked(book: Rulebook, category: Category) -> tuple[bool, frozenset[str]]:
    """Whether any rule asks for consent for a category, and the registries any rule names."""
    packs = [pack.rules for pack in book.packs.values()]
    registries = [rule for rules in packs for rule in rules.registries if category in rule.applies]
    consents = any(category in rule.applies for rules in packs for rule in rules.consents)
    names = frozenset(rule.registry for rule in registries)
    return consents or any(rule.unless_consent for rule in registries), names


def _listings(rows: Iterable[SnapshotRow]) -> tuple[Listing, ...]:
    return tuple(Listing(row.name, to_datetime(row.as_of_ms)) for row in rows)


def _location(work: Work) -> Location | None:
    stated = work.request.location
    return None if stated is None else parse_location(stated)

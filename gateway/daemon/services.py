"""Messages we write ourselves, because of what a person did: each is a submission like any other,
judged, certified and sealed, and leaves at once or not at all.

None is an answer to a machine: only a telephone number is answered, only from the number or code it
wrote to, only a few times a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.daemon.conversation import same_sender
from gateway.daemon.logs import masked
from gateway.errors import AcuseError, DataError, TryAgain
from gateway.evidence.records import PERSON_BYTES
from gateway.ledger.rows import ServiceRow
from gateway.policy.senders import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.daemon.admission import Admission
    from gateway.daemon.dispatch import Dispatcher
    from gateway.daemon.parties import Parties
    from gateway.daemon.reading import SubmissionReader
    from gateway.daemon.work import Work, WorkSet
    from gateway.evidence.vault import Vault
    from gateway.ledger.store import Store
    from gateway.policy.numbering import Numbering
    from gateway.policy.replies import Replies
    from gateway.policy.rules import Service
    from gateway.settings import Brand, Settings

log = structlog.get_logger()

DAY_MS: Final = 24 * 3_600_000
#: A reply leaves within five minutes or not at all (47 CFR 64.1200(a)(12)), before other messages.
_REPLY_VALID: Final = "5m"
_REPLY_PRIORITY: Final = 1
#: Replies to one person in 24 hours: two machines that answer each other fall silent.
_REPLIES_MOST: Final = 4


class Services:
    """Puts our own messages into the open batch."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        vault: Vault,
        works: WorkSet,
        admission: Admission,
        dispatcher: Dispatcher,
        reader: SubmissionReader,
        parties: Parties,
        numbering: Numbering,
        replies: Replies,
    ) -> None:
        self._settings = settings
        self._store = store
        self._vault = vault
        self._works = works
        self._admission = admission
        self._dispatcher = dispatcher
        self._reader = reader
        self._parties = parties
        self._numbering = numbering
        self.replies = replies

    # -- what is known of the parties ----------------------------------------------------------

    def number(self, args: Mapping[str, Any]) -> str:
        """The number a command is about.

        Raises:
            DataError: it is missing, or cannot be one.
        """
        to = args.get("to")
        if not isinstance(to, str) or not to:
            raise DataError("to is missing", hint="give the number as +34…", field="to")
        return self._reader.number(to)

    def written_from(self, source: str) -> str | None:
        """The number of who wrote, as operators have it; None for a short code or a name."""
        try:
            return self._numbering.normalise(f"+{source.lstrip('+').removeprefix('00')}", "source")
        except DataError:
            return None

    def brand(self, name: object) -> Brand:
        """The configured brand of that name; without one the only one there is.

        Raises:
            DataError: there is no such brand, or none.
        """
        found = self._reader.brand(name if isinstance(name, str) and name else None)
        if not found:
            raise DataError("there is no brand", hint="add [brands.NAME]", field="brand")
        return self._settings.brands[found]

    def country(self, number: str) -> str:
        """The country a number belongs to; "" where it may be several."""
        places = self._numbering.places(number)
        countries = {place.jurisdiction.partition("-")[0] for place in places}
        return countries.pop() if len(countries) == 1 else ""

    def brands_of(self, dest: str) -> list[str]:
        """The brands that have *dest* among their senders."""
        return [
            name
            for name, brand in self._settings.brands.items()
            if any(same_sender(sender, dest) for sender in brand.senders)
        ]

    def head(self, brand: Brand) -> str:
        """How a text of that brand begins."""
        return brand.prefix or f"{brand.legal_name or brand.name}:"

    def receives(self, sender: str) -> bool:
        """Whether people can answer a sender, and we hear it."""
        facts = self._parties.sender_facts(sender)
        return kind_of(sender) != "alphanumeric" and (facts is None or facts.receives)

    # -- replies -------------------------------------------------------------------------------

    def reply(
        self,
        service: Service,
        number: str,
        brand: str,
        dest: str,
        about: Work | None,
        languages: Iterable[str],
        now_ms: int,
    ) -> None:
        """Answer what *number* wrote to *dest*, *about* a message of ours.

        Nothing is sent where nothing can be: no such brand, *dest* is no sender of it that
        receives, or there were enough replies today.
        """
        known = self._settings.brands.get(brand)
        sender = self._own(known, dest, about)
        if known is None or sender is None or self._is_ours(number):
            return
        if not self._may_reply(service, number, now_ms):
            log.info("reply.dropped", to=masked(number), service=service, reason="enough today")
            return
        language = self.replies.language(self.country(number), languages)
        text = self._text(service, known, language)
        if text is None:
            reason = f"brands.{brand} has no contact"
            log.warning("reply.dropped", to=masked(number), service=service, reason=reason)
            return
        asked = {
            "to": number,
            "from": sender,
            "brand": brand,
            "category": "transactional",
            "text": text,
            "valid_for": _REPLY_VALID,
            "priority": _REPLY_PRIORITY,
        }
        try:
            self.send(service, asked, now_ms)
        except AcuseError as error:  # nothing was written; their wish is done all the same
            log.warning("reply.dropped", to=masked(number), service=service, reason=error.message)

    def send(
        self, service: Service, asked: dict[str, Any], now_ms: int
    ) -> tuple[dict[str, Any], ServiceRow | None]:
        """Take a message of ours into the batch; CONTRACT's `submit` object, and its row unless
        policy refuses it.

        Raises:
            TryAgain: too many messages wait already.
            AcuseError: what `submit` would raise; nothing was written.
        """
        if self._works.waiting >= self._settings.gateway.max_queued:
            raise TryAgain(
                f"{self._works.waiting} messages wait already",
                hint="try again when the queue is shorter, or raise gateway.max_queued",
                setting="gateway.max_queued",
            )
        candidate = self._reader.read(asked, now_ms)
        candidate.request.service = service
        result, work = self._admission.take(candidate, now_ms)
        if work is None:
            return result, None
        self._works.waiting += 1
        self._dispatcher.enqueue(work)
        row = ServiceRow(
            id=self._store.next_id(ServiceRow),
            person=work.row.person,
            brand=work.row.brand,
            service=service,
            made_ms=now_ms,
            submission=work.row.id,
        )
        self._store.put_new(row)
        to = masked(candidate.request.to)
        log.info("reply.queued", submission_id=work.id, to=to, service=service)
        return result, row

    # -- inside --------------------------------------------------------------------------------

    def _own(self, brand: Brand | None, dest: str, about: Work | None) -> str | None:
        """The brand's sender they wrote to, if it can be written from."""
        if brand is None:
            return None
        senders = [] if about is None else [about.request.sender]
        for sender in (*senders, *brand.senders):
            if same_sender(sender, dest) and self.receives(sender):
                return sender
        return None

    def _is_ours(self, number: str) -> bool:
        named = (sender for brand in self._settings.brands.values() for sender in brand.senders)
        return any(same_sender(sender, number) for sender in (*self._settings.senders, *named))

    def _may_reply(self, service: Service, number: str, now_ms: int) -> bool:
        person = self._vault.person(number)[:PERSON_BYTES]
        rows = self._store.people.services(person, now_ms - DAY_MS)
        made = [row.service for row in rows if row.service != "double_opt_in"]
        if service == "help_reply" and service in made:
            return False
        return len(made) < _REPLIES_MOST

    def _text(self, service: Service, brand: Brand, language: str) -> str | None:
        """None: there is nothing to say."""
        contact = brand.contact or brand.info_url or self._settings.issuer.contact
        if service == "help_reply":
            if brand.help_text:
                return brand.help_text
            if not contact:
                return None
        return self.replies.text(language, service, self.head(brand), contact=contact)

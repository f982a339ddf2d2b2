"""What people wrote is done: opt-outs, opt-ins, questions and confirmations, each in the batch in
which it came.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from gateway.daemon.logs import masked
from gateway.daemon.optouts import BY_REPLY, RESOLUTIONS
from gateway.errors import AnswerIsNo, DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.consents import Consents
    from gateway.daemon.optouts import Optouts
    from gateway.daemon.services import Services
    from gateway.daemon.signups import Signups
    from gateway.daemon.work import Work
    from gateway.policy.keywords import Answer, Keywords
    from gateway.policy.rules import Service

log = structlog.get_logger()

#: Letters of what somebody wrote that are kept as the text they consented with.
_TEXT_MOST: Final = 1000


class Said(NamedTuple):
    """What a person wrote: from *number* to *dest*, *about* a message of ours if it answers one.

    `reference` is how its record is named in evidence.
    """

    number: str
    dest: str
    text: str
    about: Work | None
    reference: str


class Wishes:
    """Does what people ask for by message."""

    def __init__(
        self,
        keywords: Keywords,
        optouts: Optouts,
        consents: Consents,
        services: Services,
        signups: Signups,
        brands_that_confirm: frozenset[str],
    ) -> None:
        self._keywords = keywords
        self._optouts = optouts
        self._consents = consents
        self._services = services
        self._signups = signups
        self._confirming = brands_that_confirm

    def classify(self, text: str, number: str | None, dest: str, now_ms: int) -> Answer:
        """What *text* says; *number* None: it came from no telephone number."""
        if number is None:
            return self._keywords.classify(text, short_code=dest)
        pending = self._consents.pending(self._consents.person(number), now_ms)
        return self._keywords.classify(
            text,
            country=self._services.country(number),
            short_code=dest,
            pending_double_opt_in=bool(pending),
        )

    def obey(self, said: Said, answer: Answer, now_ms: int) -> None:
        """Do what the message asks for."""
        if answer.kind == "optout":
            self._opt_out(said, answer, now_ms)
        elif answer.kind == "optin":
            self._opt_in(said, answer, now_ms)
        elif answer.kind == "help":
            self._help(said, answer, now_ms)
        elif answer.kind == "confirm":
            self._signups.answered(said, answer, now_ms)
        elif answer.kind == "suspected":
            for brand in self._concerned(said):
                if self._optouts.suspect(said.number, brand, said.text[:_TEXT_MOST], now_ms):
                    log.info("optout.suspected", to=masked(said.number), brand=brand or None)

    def _concerned(self, said: Said) -> list[str]:
        """The brands a message is about: of the message it answers, else those whose sender they
        wrote to, else all ("").
        """
        if said.about is not None:
            return [said.about.row.brand]
        return self._services.brands_of(said.dest) or [""]

    def _opt_out(self, said: Said, answer: Answer, now_ms: int) -> None:
        source = f"{BY_REPLY}{answer.word}"
        fresh = False
        for brand in self._concerned(said):
            added = self._optouts.add(said.number, brand, source, now_ms)
            fresh = fresh or not added[1]
            with suppress(AnswerIsNo):  # nothing was allowed; what was, no word brings back
                self._consents.withdraw(said.number, brand, source=source, now_ms=now_ms)
            log.info("optout.added", to=masked(said.number), brand=brand or None)
        about = said.about
        if fresh and about is not None and about.row.brand in self._confirming:
            self._reply("optout_confirmation", said, answer, about.row.brand, now_ms)

    def _opt_in(self, said: Said, answer: Answer, now_ms: int) -> None:
        source = f"{BY_REPLY}{answer.word}"
        for brand in self._concerned(said):
            back = self._optouts.take_back(said.number, brand, source, now_ms)
            if back is None:
                log.info("optout.kept", to=masked(said.number), brand=brand or None)
            elif brand and (back or not self._allows(said.number, brand)):
                self._consents.grant(
                    said.number,
                    brand,
                    "marketing",
                    "single",
                    text=said.text[:_TEXT_MOST],
                    source=f"{source}, {said.reference}",
                    at_ms=None,
                    now_ms=now_ms,
                )
                log.info("optout.removed", to=masked(said.number), brand=brand)
                self._reply("optin_confirmation", said, answer, brand, now_ms)

    def _help(self, said: Said, answer: Answer, now_ms: int) -> None:
        brand = self._concerned(said)[0]
        self._reply("help_reply", said, answer, brand, now_ms)

    def _reply(self, service: Service, said: Said, answer: Answer, brand: str, now_ms: int) -> None:
        self._services.reply(
            service, said.number, brand, said.dest, said.about, answer.languages, now_ms
        )

    def _allows(self, number: str, brand: str) -> bool:
        """Whether the person consents to advertising of that brand."""
        return any(
            consent.purpose == "marketing" and consent.withdrawn_at is None
            for consent in self._consents.of(self._consents.person(number), brand)
        )

    # -- what a person decides -----------------------------------------------------------------

    def resolve(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """Somebody read what was suspected (admin protocol, `optout.resolve`).

        Raises:
            DataError: no number, or no decision.
            AnswerIsNo: nothing of theirs waits to be read.
        """
        number = self._services.number(args)
        said, brand = args.get("as"), args.get("brand")
        if said not in RESOLUTIONS:
            raise DataError(
                f"as: {said!r} is no decision",
                hint=f"one of {', '.join(RESOLUTIONS)}",
                field="as",
            )
        brands = self._optouts.suspected(number)
        if brand is not None:
            brands = [each for each in brands if each == brand]
        if not brands:
            raise AnswerIsNo(
                "nothing this recipient wrote waits to be read",
                hint="`acuse optout list --suspected` shows what does",
            )
        for each in brands:
            self._optouts.resolve(number, each, said, actor, now_ms)
        log.info("optout.resolved", to=masked(number), said=said, by=actor)
        return {"to": number, "as": said, "brands": [each or None for each in brands]}

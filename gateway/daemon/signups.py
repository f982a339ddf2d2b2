"""Double opt-in: somebody who signed up is asked once, by SMS, to confirm it, and does so from the
same number within 24 hours, by a word or by a code; else nothing is allowed.

A word confirms only the request that was the last thing we wrote to them from that sender: a yes
to another question is none to this one.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.clock import to_seconds_text
from gateway.daemon.logs import masked
from gateway.daemon.permissions import shown_consent
from gateway.daemon.services import DAY_MS
from gateway.errors import AnswerIsNo, DataError, UsageError
from gateway.ledger.rows import State
from gateway.policy.replies import fill
from gateway.policy.rules import PURPOSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.consents import Consents
    from gateway.daemon.conversation import Conversation
    from gateway.daemon.services import Services
    from gateway.daemon.wishes import Said
    from gateway.daemon.work import WorkSet
    from gateway.evidence.vault import Vault
    from gateway.ledger.rows import ConsentRequestRow, ConsentRow, ServiceRow
    from gateway.ledger.store import Store
    from gateway.policy.keywords import Answer
    from gateway.settings import Brand

log = structlog.get_logger()

#: The request is not worth sending when hardly any time to answer is left.
_REQUEST_VALID: Final = "23h"
_CODE_DIGITS: Final = 6
#: How often somebody may try a code.
_TRIES_MOST: Final = 5
#: States of a request that did not reach its recipient: another may be sent.
_LOST: Final = (
    State.EXPIRED,
    State.DELETED,
    State.REJECTED,
    State.UNDELIVERED,
    State.CANCELLED,
    State.REFUSED,
)
_ARGUMENTS: Final = frozenset({"to", "brand", "purpose", "lang", "from"})


class Signups:
    """Asks for confirmations, and takes them."""

    def __init__(
        self,
        services: Services,
        consents: Consents,
        conversation: Conversation,
        store: Store,
        vault: Vault,
        works: WorkSet,
    ) -> None:
        self._services = services
        self._consents = consents
        self._conversation = conversation
        self._store = store
        self._vault = vault
        self._works = works

    # -- asking --------------------------------------------------------------------------------

    def request(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """Ask *to* to confirm their sign-up (admin protocol, `consent.request`).

        Asked again while the request is open, nothing is sent: it is once per sign-up. Policy may
        hold it (quiet hours, caps) or refuse it (opted out).

        Raises:
            UsageError: an argument nobody knows.
            DataError: a value that cannot be, or a sender that needs what its brand has not.
            AnswerIsNo: it is confirmed already.
        """
        unknown = sorted(set(args) - _ARGUMENTS)
        if unknown:
            raise UsageError(
                f"unknown argument {unknown[0]!r}",
                hint=f"known are {', '.join(sorted(_ARGUMENTS))}",
                field=unknown[0],
            )
        number, brand = self._services.number(args), self._services.brand(args.get("brand"))
        purpose, person = _purpose(args), self._consents.person(number)
        for row in self._consents.pending(person, now_ms):
            made = self._made(person, now_ms, row)
            same = (row.brand, row.purpose) == (brand.name, purpose)
            if same and made is not None and not self._is_lost(made):
                return {**self._shown(number, row, made), "known": True}
        if any(
            each.purpose == purpose and each.method == "double" and each.withdrawn_at is None
            for each in self._consents.of(person, brand.name)
        ):
            raise AnswerIsNo(
                f"the consent to {purpose} is confirmed already",
                hint="`acuse consent show` shows it",
                brand=brand.name,
                purpose=purpose,
            )
        return self._ask(number, brand, purpose, args, actor, now_ms)

    def _ask(
        self,
        number: str,
        brand: Brand,
        purpose: str,
        args: Mapping[str, Any],
        actor: str,
        now_ms: int,
    ) -> dict[str, Any]:
        sender = args.get("from") or next(iter(brand.senders), None)
        language = self._language(number, args.get("lang"))
        by_code = not (isinstance(sender, str) and self._services.receives(sender))
        template = self._template(brand, purpose, language, by_code=by_code)
        code = f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}" if by_code else None
        asked = {
            "to": number,
            "from": sender,
            "brand": brand.name,
            "category": "promotional",
            "text": fill(template, {} if code is None else {"code": code}),
            "valid_for": _REQUEST_VALID,
        }
        result, made = self._services.send("double_opt_in", asked, now_ms)
        if made is None:
            return {**result, "to": number, "brand": brand.name, "purpose": purpose}
        row = self._consents.request(
            number,
            brand.name,
            purpose,
            text=template,  # with {code} in its place: what was asked, without the secret
            source=f"sms {result['submission_id']}",
            now_ms=now_ms,
            actor=actor,
            evidence={"locale": language},
        )
        made.request = row.id
        made.code = None if code is None else self._vault.code(f"request:{row.id}", code)
        log.info("consent.requested", to=masked(number), brand=brand.name, purpose=purpose)
        return {**result, **self._shown(number, row, made)}

    def _language(self, number: str, asked: object) -> str:
        replies = self._services.replies
        if asked is None or asked == "":
            return replies.language(self._services.country(number))
        if not isinstance(asked, str) or asked not in replies.texts:
            raise DataError(
                f"lang: {asked!r} is no language we write",
                hint=f"one of {', '.join(replies.texts)}",
                field="lang",
            )
        return asked

    def _template(self, brand: Brand, purpose: str, language: str, *, by_code: bool) -> str:
        """The text to send, with `{code}` where the code goes."""
        replies = self._services.replies
        texts = replies.texts[language]
        values = {"types": texts[purpose], "stop": texts["stop"], "link": brand.opt_out_url}
        if by_code and "{code}" not in (brand.double_opt_in_text or "{code}"):
            raise DataError(
                f"brands.{brand.name}.double_opt_in_text has no {{code}}, and nobody can answer the"
                " sender",
                hint="write {code} where the code goes, or send from a number that receives",
                field="from",
                setting=f"brands.{brand.name}.double_opt_in_text",
            )
        if by_code and not brand.opt_out_url:
            raise DataError(
                f"brands.{brand.name}.opt_out_url is not set, and nobody can answer the sender",
                hint="set it: the request must say how to opt out",
                field="from",
                setting=f"brands.{brand.name}.opt_out_url",
            )
        if brand.double_opt_in_text:
            return fill(brand.double_opt_in_text, values)
        name = "double_opt_in_code" if by_code else "double_opt_in"
        return replies.text(language, name, self._services.head(brand), **values)

    # -- answers -------------------------------------------------------------------------------

    def answered(self, said: Said, answer: Answer, now_ms: int) -> None:
        """Somebody wrote a yes, or a code, while a request was open."""
        person = self._consents.person(said.number)
        open_ = {row.id: row for row in self._consents.pending(person, now_ms)}
        if answer.code:
            asked = self._of_code(person, open_, answer.code, now_ms)
        else:  # a yes is not enough where a code was asked for
            about = self._conversation.last(person, said.dest, now_ms, asides=False, exact=True)
            rows = self._store.people.services(person, now_ms - DAY_MS)
            asked = next(
                (
                    open_[row.request]
                    for row in rows
                    if row.request in open_
                    and row.code is None
                    and about is not None
                    and row.submission == about.row.id
                ),
                None,
            )
        if asked is None:
            log.info("consent.unclear", to=masked(said.number))
            return
        self._confirm(asked, f"{answer.word or 'code'}, {said.reference}", "", now_ms)

    def confirm(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        """The person gave the code elsewhere, in a form (admin protocol, `consent.confirm`).

        A wrong code counts as a try, which stays counted although the command fails. Without a
        code only a request that has none is confirmed, by what they answered elsewhere.

        Raises:
            DataError: no number, or no code.
            AnswerIsNo: nothing waits for a code, it is wrong, or there were too many tries.
        """
        number, person = self._whose(args)
        brand, purpose = args.get("brand"), args.get("purpose")
        pending = [
            row
            for row in self._consents.pending(person, now_ms)
            if brand in (None, "", row.brand) and purpose in (None, "", row.purpose)
        ]
        coded = {row.id: row for row in pending if self._has_code(person, now_ms, row)}
        code, asked = args.get("code"), None
        if code is None and not coded and pending:
            answer = args.get("answer")
            said = answer if isinstance(answer, str) and answer else "confirmed by command"
            row = self._confirm(pending[-1], said, actor, now_ms)
            return shown_consent(row, number)
        if not coded:
            raise AnswerIsNo(
                "nothing waits for a confirmation of this recipient",
                hint="a request counts for 24 hours and is answered once: ask again",
            )
        if not isinstance(code, str) or not code.isascii() or not code.isdecimal():
            raise DataError(
                "code is missing, or not digits", hint="give the digits of the SMS", field="code"
            )
        asked = self._of_code(person, coded, code, now_ms)
        if asked is None:
            raise AnswerIsNo(
                "that is not the code, or it was tried too often",
                hint=f"it may be tried {_TRIES_MOST} times; after a day a new one can be asked for",
            )
        return shown_consent(self._confirm(asked, f"code, {actor}", actor, now_ms), number)

    def _whose(self, args: Mapping[str, Any]) -> tuple[str, bytes]:
        number = self._services.number(args)
        return number, self._consents.person(number)

    def _confirm(
        self, asked: ConsentRequestRow, answer: str, actor: str, now_ms: int
    ) -> ConsentRow:
        row = self._consents.confirm(
            asked.person, asked.brand, asked.purpose, answer=answer, now_ms=now_ms, actor=actor
        )
        log.info("consent.confirmed", brand=row.brand, purpose=row.purpose)
        return row

    def _of_code(
        self, person: bytes, open_: Mapping[int, ConsentRequestRow], code: str, now_ms: int
    ) -> ConsentRequestRow | None:
        """The request that has this code; every one it is tried on counts the try."""
        found = None
        for row in self._store.people.services(person, now_ms - DAY_MS):
            asked = None if row.request is None else open_.get(row.request)
            if row.code is None or asked is None or row.tries >= _TRIES_MOST:
                continue
            row.tries += 1
            self._store.put(row)
            hashed = self._vault.code(f"request:{row.request}", code)
            if hmac.compare_digest(hashed, row.code):
                found = asked
        return found

    # -- inside --------------------------------------------------------------------------------

    def _made(self, person: bytes, now_ms: int, request: ConsentRequestRow) -> ServiceRow | None:
        """Our message that asked."""
        rows = self._store.people.services(person, now_ms - DAY_MS)
        return next((row for row in rows if row.request == request.id), None)

    def _is_lost(self, made: ServiceRow) -> bool:
        work = self._works.get_or_none(made.submission)
        return work is None or work.row.state in _LOST  # erased: nothing is known of it any more

    def _has_code(self, person: bytes, now_ms: int, request: ConsentRequestRow) -> bool:
        made = self._made(person, now_ms, request)
        return made is not None and made.code is not None

    def _shown(self, number: str, row: ConsentRequestRow, made: ServiceRow) -> dict[str, Any]:
        work = self._works.get(made.submission)
        return {
            "to": number,
            "brand": row.brand,
            "purpose": row.purpose,
            "submission_id": work.id,
            "state": work.row.state.value,
            "expires_at": to_seconds_text(row.expires_ms),
            "by_code": made.code is not None,
        }


def _purpose(args: Mapping[str, Any]) -> str:
    purpose = args.get("purpose") or "marketing"
    if purpose not in PURPOSES:
        raise DataError(
            f"purpose: {purpose!r} is none of {', '.join(PURPOSES)}",
            hint="marketing for promotions, cart for reminders of an abandoned cart",
            field="purpose",
        )
    return str(purpose)

"""The commands about what persons allow: consents, opt-outs, registries, and who may give them.

Each runs inside a batch of the pipeline and is answered after that batch is durable. One that
cannot be done raises before it has written anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.clock import optional_text, parse_instant, to_seconds_text
from gateway.daemon.logs import masked
from gateway.daemon.roles import Role
from gateway.daemon.terms import EVIDENCE, SOURCE_MOST
from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.daemon.consents import Consents
    from gateway.daemon.lists import Lists
    from gateway.daemon.optouts import Optouts
    from gateway.daemon.reading import SubmissionReader
    from gateway.daemon.registries import Registries
    from gateway.ledger.rows import ConsentRow

log = structlog.get_logger()

#: What each command needs. What lets messages go again, or changes many at once, is an operator's.
ROLES: Final = {
    "consent.grant": Role.SUBMIT,
    "consent.confirm": Role.SUBMIT,
    "consent.withdraw": Role.SUBMIT,
    "consent.import": Role.OPERATOR,
    "optout.add": Role.SUBMIT,
    "optout.remove": Role.OPERATOR,
    "optout.import": Role.OPERATOR,
    "registry.begin": Role.OPERATOR,
    "registry.add": Role.OPERATOR,
    "registry.finish": Role.OPERATOR,
    "registry.drop": Role.OPERATOR,
    "registry.sweep": Role.OPERATOR,
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LONG_NUMBER = re.compile(r"(\d[ .()/-]?){8}")
_STAYS: Final = "the opt-out stays: `acuse optout remove` takes the recipient off that list"


class Permissions:
    """The changes people may ask for, by the name of the command."""

    def __init__(
        self,
        consents: Consents,
        optouts: Optouts,
        lists: Lists,
        registries: Registries,
        reader: SubmissionReader,
    ) -> None:
        self._consents = consents
        self._optouts = optouts
        self._reader = reader
        self._do: dict[str, Callable[[Mapping[str, Any], str, int], dict[str, Any]]] = {
            "consent.grant": self._grant,
            "consent.confirm": self._confirm,
            "consent.withdraw": self._withdraw,
            "consent.import": lists.take_consents,
            "optout.add": self._add_optout,
            "optout.remove": self._remove_optout,
            "optout.import": lists.take_optouts,
            "registry.begin": registries.begin,
            "registry.add": registries.add,
            "registry.finish": registries.finish,
            "registry.drop": registries.drop,
            "registry.sweep": registries.sweep,
        }

    def change(
        self, command: str, args: Mapping[str, Any], actor: str, now_ms: int
    ) -> dict[str, Any]:
        """Do one of `ROLES`, asked for by *actor*; its answer.

        Raises:
            AcuseError: it cannot be done; nothing was written.
        """
        return self._do[command](args, actor, now_ms)

    # -- consents ------------------------------------------------------------------------------

    def _grant(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        number = self._number(args)
        brand = self._reader.brand(_text(args, "brand"))
        at = _text(args, "at")
        given = {name: _text(args, name) for name in EVIDENCE}
        row, known = self._consents.grant(
            number,
            brand,
            _text(args, "purpose") or "",
            _text(args, "method") or "",
            text=_text(args, "text"),
            source=_text(args, "source"),
            at_ms=None if at is None else parse_instant(at, field="at"),
            now_ms=now_ms,
            actor=actor,
            evidence={name: value for name, value in given.items() if value},
        )
        log.info("consent.granted", to=masked(number), brand=brand, purpose=row.purpose)
        answer = {**_shown(row, number), **({"known": True} if known else {})}
        left = self._optouts.blocking(number, brand)
        if left is not None:
            answer["opted_out"] = {"brand": left or None, "hint": _STAYS}
        return answer

    def _confirm(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        number = self._number(args)
        brand = self._reader.brand(_text(args, "brand"))
        row = self._consents.confirm(
            self._consents.person(number),
            brand,
            _text(args, "purpose") or "marketing",
            answer=_text(args, "answer") or "confirmed by command",
            now_ms=now_ms,
            actor=actor,
        )
        log.info("consent.granted", to=masked(number), brand=brand, purpose=row.purpose)
        return _shown(row, number)

    def _withdraw(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        number = self._number(args)
        brand = self._reader.brand(_text(args, "brand"))
        purpose = _text(args, "purpose") or "all"
        if purpose not in ("all", "marketing", "cart"):
            raise DataError(
                f"purpose: {purpose!r} is none of all, marketing, cart",
                hint="leave it out for all",
                field="purpose",
            )
        rows = self._consents.withdraw(
            number,
            brand,
            purpose,
            source=_text(args, "source"),
            now_ms=now_ms,
            actor=actor,
        )
        log.info("consent.withdrawn", to=masked(number), brand=brand, purpose=purpose)
        return {
            "to": number,
            "brand": brand,
            "withdrawn_at": to_seconds_text(now_ms),
            "consents": [_shown(row, number) for row in rows],
        }

    # -- opt-outs ------------------------------------------------------------------------------

    def _add_optout(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        number, brand = self._who(args)
        added_ms, known = self._optouts.add(number, brand, _source(args), now_ms)
        shown: dict[str, Any] = {
            "to": number,
            "brand": brand or None,
            "added_at": to_seconds_text(added_ms),
        }
        return {**shown, "known": True} if known else shown

    def _remove_optout(self, args: Mapping[str, Any], actor: str, now_ms: int) -> dict[str, Any]:
        number, brand = self._who(args)
        withdrawn = self._optouts.remove(number, brand, _source(args), now_ms)
        shown: dict[str, Any] = {
            "to": number,
            "brand": brand or None,
            "removed_at": to_seconds_text(now_ms),
        }
        if withdrawn:  # whoever left and came back has to ask for reminders of carts anew
            shown["withdrawn"] = [_shown(row, number) for row in withdrawn]
        return shown

    # -- inside --------------------------------------------------------------------------------

    def _who(self, args: Mapping[str, Any]) -> tuple[str, str]:
        number, brand = self._number(args), _text(args, "brand") or ""
        if brand:
            self._reader.brand(brand)
        return number, brand

    def _number(self, args: Mapping[str, Any]) -> str:
        to = _text(args, "to")
        if to is None:
            raise DataError("to is missing", hint="give the number as +34…", field="to")
        return self._reader.number(to)


def _text(args: Mapping[str, Any], field: str) -> str | None:
    value = args.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise DataError(f"{field} must be text", hint="put it in quotes", field=field)
    return value


def _source(args: Mapping[str, Any]) -> str:
    """How we came to know of an opt-out, which stands in the ledger in clear."""
    source = _text(args, "source") or "operator"
    if len(source) > SOURCE_MOST:
        raise DataError(
            f"source is longer than {SOURCE_MOST} characters", hint="shorten it", field="source"
        )
    if _LONG_NUMBER.search(_DATE.sub("", source)):
        raise DataError(
            "source holds what looks like a phone number",
            hint="it stands in the ledger for ever, in clear: leave numbers out",
            field="source",
        )
    return source


def _shown(row: ConsentRow, number: str) -> dict[str, Any]:
    return {
        "to": number,
        "brand": row.brand,
        "purpose": row.purpose,
        "method": row.method,
        "granted_at": to_seconds_text(row.granted_ms),
        "text_sha256": None if row.text_hash is None else row.text_hash.hex(),
        "withdrawn_at": optional_text(row.withdrawn_ms),
        "seq": row.seq,
    }

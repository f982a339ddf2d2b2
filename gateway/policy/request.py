"""The request of `acuse policy explain` (CONTRACT): one JSON object into typed values.

Every value is checked, also of facts that no rule asks for yet: a mistake in a question must not
look like an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from gateway.errors import DataError
from gateway.policy.calendar import known_zones
from gateway.policy.consent import REGISTRIES
from gateway.policy.decide import CHECKS
from gateway.policy.facts import (
    Consent,
    Facts,
    Known,
    Listing,
    Message,
    OptedOut,
    Sent,
    SentOutcome,
)
from gateway.policy.hours import did_you_mean, hours_problem, parse_clock, parse_days
from gateway.policy.location import EVIDENCE, Evidence, Location
from gateway.policy.rules import (
    CATEGORIES,
    METHODS,
    PROFILES,
    PURPOSES,
    Category,
    Hours,
    Profile,
    WindowRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.policy.book import Rulebook

_W = TypeVar("_W", bound=str)
_KEYS: Final = frozenset(
    {
        *("to", "category", "now", "brand", "campaign", "from", "text", "profile", "location"),
        *("history", "consent", "cart_abandoned_at", "valid_until", "urgent", "opted_out"),
        *("third_party_collector", "checks", "windows", "age_verified", "registries"),
        *("last_optout_instruction_at",),
    }
)
_LOCATION_KEYS: Final = frozenset({"country", "region", "postcode", "zone", "evidence"})
_WINDOW_KEYS: Final = frozenset({"zone", "open", "close", "days", "applies"})
_HISTORY_KEYS: Final = frozenset({"at", "category", "campaign", "outcome"})
_CONSENT_KEYS: Final = frozenset({"purpose", "granted_at", "method", "withdrawn_at"})
_LISTING_KEYS: Final = frozenset({"registry", "as_of"})
_REGISTRIES: Final = tuple(sorted(REGISTRIES))
_CHECK_NAMES: Final = tuple(sorted(CHECKS))
_OPTED_OUT: Final[tuple[OptedOut, ...]] = ("", "suspected", "brand", "all")
_OUTCOMES: Final[tuple[SentOutcome, ...]] = ("accepted", "delivered", "unknown", "undelivered")
#: More of them in one request is a mistake, or an attack on memory.
_MAX_WINDOWS: Final = 50
_MAX_FACTS: Final = 10_000
_INSTANT_HINT: Final = "write it as 2026-11-28T20:59:59Z"
_NOBODY: Final = Known()
_ALWAYS: Final = date(1970, 1, 1)


@dataclass(slots=True)
class Request:
    """What is asked: the arguments of `decide` and the profile to judge by.

    `impossible` says why nobody can have the number; "" when somebody can. `message.to` is then as
    it was given, and there is nothing more to judge.
    """

    message: Message
    facts: Facts
    now: datetime
    checks: frozenset[str]
    profile: Profile | None  # None: the rulebook's own
    impossible: str = ""


def parse_request(book: Rulebook, raw: object, known: Known | None = None) -> Request:
    """The request, checked; *known* are the brands and senders of the configuration.

    Raises:
        DataError: `fields["field"]` is the dotted path of the first bad value.
    """
    table = _table(raw, "", _KEYS)
    for key in ("to", "now"):
        if key not in table:
            raise _bad(key, "is missing", "a request needs to and now at least")
    now = _parse_instant(table["now"], "now")
    abandoned_at = _instant(table, "cart_abandoned_at")
    if abandoned_at is not None and abandoned_at > now:
        raise _bad(
            "cart_abandoned_at",
            "is after now",
            "give the past instant at which the cart was abandoned, with its zone",
        )
    number, impossible = _recipient(book, _text(table, "to"))
    known = known or _NOBODY
    brand, sender = known.brand(_text(table, "brand")), _text(table, "from") or None
    return Request(
        message=Message(
            to=number,
            category=_category(table, "category"),
            brand=brand,
            campaign=_text(table, "campaign"),
            sender=sender,
            text=_text(table, "text") or None,
            urgent=_flag(table, "urgent"),
            third_party_collector=_flag(table, "third_party_collector"),
            age_verified=_flag(table, "age_verified"),
            cart_abandoned_at=abandoned_at,
            valid_until=_instant(table, "valid_until"),
            windows=() if table.get("windows") is None else brand_windows(table["windows"]),
            identity=known.brands.get(brand),
            sender_facts=known.senders.get(sender or ""),
        ),
        facts=Facts(
            opted_out=_opted_out(table),
            location=_location(table),
            consents=tuple(_consents(table)) if "consent" in table else (),
            history=tuple(_history(table)) if "history" in table else (),
            registries=tuple(_registries(table)) if "registries" in table else (),
            instructed_at=_instant(table, "last_optout_instruction_at"),
        ),
        now=now,
        checks=CHECKS if table.get("checks") is None else _checks(table["checks"]),
        profile=(
            None if table.get("profile") is None else _word(table["profile"], "profile", PROFILES)
        ),
        impossible=impossible,
    )


def _recipient(book: Rulebook, text: str) -> tuple[str, str]:
    """The number, and why there can be no such number; what is no number at all is an error."""
    try:
        return book.numbering.normalise(text), ""
    except DataError as error:
        if error.fields.get("reason") != "invalid_number":
            raise
        return text, f"{error.message.removeprefix('to: ')}; {error.hint}"


def _location(table: Mapping[str, object]) -> Location | None:
    value = table.get("location")
    return None if value is None or value == {} else parse_location(value)


def _opted_out(table: Mapping[str, object]) -> OptedOut:
    value = table.get("opted_out")
    return "" if value is None else _word(value, "opted_out", _OPTED_OUT)


def parse_location(raw: object) -> Location:
    """The `location` object of a request or of `acuse submit --location`.

    Raises:
        DataError: unknown key, wrong type, unknown evidence.
    """
    table = _table(raw, "location", _LOCATION_KEYS)
    evidence: Evidence = "declared"  # what nobody vouches for is only added to the number's places
    if table.get("evidence") is not None:
        evidence = _word(table["evidence"], "location.evidence", EVIDENCE)
    return Location(
        country=_text(table, "country", "location."),
        region=_text(table, "region", "location."),
        postcode=_text(table, "postcode", "location."),
        zone=_text(table, "zone", "location."),
        evidence=evidence,
    )


def brand_windows(raw: object, field: str = "windows") -> tuple[WindowRule, ...]:
    """A brand's own windows: `[{"open","close","days","zone","applies"}]`.

    They intersect with every other rule, so they can only tighten. `days` defaults to the whole
    week, `zone` to the recipient's, `applies` to every category. Equal windows give one object.

    Raises:
        DataError: with the path of the bad value in `fields["field"]`.
    """
    if not isinstance(raw, list) or len(raw) > _MAX_WINDOWS:
        raise _bad(field, f"must be a list of at most {_MAX_WINDOWS} windows", 'as [{"open":…}]')
    return _brand_rules(
        tuple(_brand_window(item, f"{field}[{number}]") for number, item in enumerate(raw))
    )


_Window = tuple[frozenset[Category], Hours, str]


@lru_cache(maxsize=1024)
def _brand_rules(windows: tuple[_Window, ...]) -> tuple[WindowRule, ...]:
    return tuple(
        WindowRule(
            id=f"BRAND-{number}",
            jurisdiction="",
            layer="brand",
            profile="law",
            applies=applies,
            effective=_ALWAYS,
            expires=None,
            cite="the brand's own hours",
            url="",
            confidence="high",
            reviewed=_ALWAYS,
            hours=(hours,),
            on_violation="hold",
            zone=zone,
        )
        for number, (applies, hours, zone) in enumerate(windows, start=1)
    )


def _brand_window(raw: object, field: str) -> _Window:
    table = _table(raw, field, _WINDOW_KEYS)
    inside = f"{field}."
    zone = _text(table, "zone", inside)
    if zone and zone not in known_zones():
        raise _bad(f"{field}.zone", f"{zone!r} is no time zone", "use a name as Europe/Madrid")
    days = parse_days(_text(table, "days", inside) or "mon-sun")
    if days is None:
        raise _bad(f"{field}.days", "is no list of days", "write mon-sat, or mon,wed")
    opens, closes = _clock(table, "open", inside), _clock(table, "close", inside)
    problem = hours_problem(opens, closes)
    if problem:
        raise _bad(f"{field}.close", problem, "the window is [open, close), as 08:00 to 21:00")
    applies = table.get("applies", list(CATEGORIES))
    if not isinstance(applies, list) or not applies:
        raise _bad(f"{field}.applies", "must be a list of categories", 'as ["promotional"]')
    categories = frozenset(_word(word, f"{field}.applies", CATEGORIES) for word in applies)
    return categories, Hours(days, opens, closes), zone


def _clock(table: Mapping[str, object], key: str, inside: str) -> int:
    minutes = parse_clock(_text(table, key, inside))
    if minutes is None:
        raise _bad(f"{inside}{key}", "is no time of day", "write 08:00, up to 24:00")
    return minutes


def _history(table: Mapping[str, object]) -> Iterator[Sent]:
    for number, item in enumerate(_list(table, "history")):
        field = _item("history", number)
        fact = _table(item, field, _HISTORY_KEYS)
        get = fact.get
        campaign = get("campaign")
        category: object = get("category")
        yield Sent(
            _parse_instant(get("at"), field, ".at").timestamp(),
            "promotional" if category is None else _word(category, field, CATEGORIES, ".category"),
            "" if campaign is None else _text(fact, "campaign", f"{field}."),
            _word(get("outcome", "accepted"), field, _OUTCOMES, ".outcome"),
        )


def _consents(table: Mapping[str, object]) -> Iterator[Consent]:
    for number, item in enumerate(_list(table, "consent")):
        field = _item("consent", number)
        get = _table(item, field, _CONSENT_KEYS).get
        granted, withdrawn = get("granted_at"), get("withdrawn_at")
        yield Consent(
            _word(get("purpose", "marketing"), field, PURPOSES, ".purpose"),
            _word(get("method", "single"), field, METHODS, ".method"),
            None if granted is None else _parse_instant(granted, field, ".granted_at"),
            None if withdrawn is None else _parse_instant(withdrawn, field, ".withdrawn_at"),
        )


@lru_cache(maxsize=64)
def _item(key: str, number: int) -> str:
    return f"{key}[{number}]"


def _registries(table: Mapping[str, object]) -> Iterator[Listing]:
    """Registries that list the person: names, or objects with the day of the snapshot."""
    for number, item in enumerate(_list(table, "registries")):
        field = f"registries[{number}]"
        if isinstance(item, str):
            yield Listing(_word(item, field, _REGISTRIES))
            continue
        fact = _table(item, field, _LISTING_KEYS)
        name = _word(fact.get("registry"), f"{field}.registry", _REGISTRIES)
        yield Listing(name, _instant(fact, "as_of", f"{field}."))


def _list(table: Mapping[str, object], key: str) -> list[object]:
    value = table.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MAX_FACTS:
        raise _bad(key, f"must be a list of at most {_MAX_FACTS} objects", f'as "{key}":[{{…}}]')
    return value


def _table(raw: object, field: str, known: frozenset[str]) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise _bad(field or "request", "must be a JSON object", 'as {"to":"+34600111222","now":…}')
    if raw.keys() <= known:
        return raw
    for key in raw:
        if key not in known:
            name = str(key)[:40].encode("ascii", "backslashreplace").decode()
            path = f"{field}.{name}" if field else name
            raise _bad(path, "is no known key", did_you_mean(name, sorted(known)))
    return raw


def _text(table: Mapping[str, object], key: str, inside: str = "") -> str:
    value = table.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _bad(inside + key, "must be a text", f'write "{key}":"…"')
    return value


def _flag(table: Mapping[str, object], key: str) -> bool:
    value = table.get(key)
    if value is not None and not isinstance(value, bool):
        raise _bad(key, "must be true or false", f'write "{key}":true')
    return value is True


def _word(value: object, field: str, known: tuple[_W, ...], part: str = "") -> _W:
    if value not in known:
        word = str(value)[:40]
        raise _bad(field + part, f"{word!r} is not known", did_you_mean(word, known))
    return value


def _category(table: Mapping[str, object], key: str, inside: str = "") -> Category:
    """The category; none given is promotional, the strictest reading."""
    value = table.get(key)
    return "promotional" if value is None else _word(value, inside + key, CATEGORIES)


def _checks(raw: object) -> frozenset[str]:
    if not isinstance(raw, list):
        raise _bad("checks", "must be a list", 'as ["location","windows"]')
    return frozenset(_word(name, "checks", _CHECK_NAMES) for name in raw)


def _instant(table: Mapping[str, object], key: str, inside: str = "") -> datetime | None:
    value = table.get(key)
    return None if value is None else _parse_instant(value, inside + key)


def _parse_instant(value: object, field: str, part: str = "") -> datetime:
    if not isinstance(value, str):
        raise _bad(field + part, "is no time", _INSTANT_HINT)
    parsed = _instant_of(value)
    if parsed is None:
        raise _bad(field + part, "is no time", _INSTANT_HINT)
    if parsed.tzinfo is None:
        raise _bad(
            field + part,
            "the time has no zone",
            "end it with Z for UTC, or with an offset as +01:00",
        )
    return parsed


@lru_cache(maxsize=256)
def _instant_of(text: str) -> datetime | None:
    """The instant, in UTC if it has a zone; None for none. Lines come with few different ones."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed if parsed.tzinfo in (None, UTC) else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _bad(field: str, what: str, hint: str) -> DataError:
    return DataError(f"{field}: {what}", hint=hint, field=field)

"""A submission comes in: checked, decided, and made durable before anybody is answered.

Everything that can be wrong with it is found before the first row or entry is written, so a
submission that is not taken leaves no trace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from gateway.clock import parse_instant, to_datetime
from gateway.daemon.ids import submission_id
from gateway.daemon.months import month_of
from gateway.daemon.work import Request, Work
from gateway.errors import DataError, UsageError
from gateway.evidence.records import PERSON_BYTES
from gateway.evidence.vault import ContentCipher
from gateway.ledger.rows import SegmentRow, State, SubmissionRow
from gateway.policy.decide import Facts, Message, decide
from gateway.policy.request import parse_location
from gateway.policy.rules import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.parties import Parties
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import WorkSet
    from gateway.evidence.vault import Vault
    from gateway.ledger.store import Store
    from gateway.policy.book import Rulebook
    from gateway.policy.decide import Decision
    from gateway.policy.rules import Category
    from gateway.settings import Settings

_ARGUMENTS = frozenset(
    {
        "to",
        "from",
        "brand",
        "category",
        "text",
        "ref",
        "campaign",
        "not_before",
        "valid_for",
        "location",
        "urgent",
        "third_party_collector",
    }
)
_DURATION = re.compile(r"(\d{1,6})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9 ._&+-]{1,11}")
#: An operator's relative validity period ends before 63 days in practice; ours does too.
_VALID_FOR_MOST_S = 60 * 86400


@dataclass(slots=True)
class Candidate:
    """A submission that was read and found possible, not yet decided."""

    request: Request
    brand: str
    category: Category
    ref: str | None


class Admission:
    """Takes submissions into the open batch."""

    def __init__(
        self,
        settings: Settings,
        book: Rulebook,
        store: Store,
        vault: Vault,
        sealer: Sealer,
        works: WorkSet,
        parties: Parties,
    ) -> None:
        self._settings = settings
        self._book = book
        self._store = store
        self._vault = vault
        self._sealer = sealer
        self._works = works
        self._parties = parties
        self.submitted = 0
        self.refused = 0

    # -- reading -------------------------------------------------------------------------------

    def read(self, args: Mapping[str, Any], now_ms: int) -> Candidate:
        """The submission the arguments of `submit` describe.

        Raises:
            UsageError: an argument nobody knows.
            DataError: a value that cannot be; `fields["field"]` names it.
        """
        unknown = set(args) - _ARGUMENTS
        if unknown:
            raise UsageError(
                f"unknown argument {min(unknown)!r}",
                hint=f"known are {', '.join(sorted(_ARGUMENTS))}",
                field=min(unknown),
            )
        brand = self.brand(_text(args, "brand"))
        request = Request(
            to=self.number(_required(args, "to")),
            sender=self._sender(_text(args, "from"), brand),
            text=_required(args, "text"),
            campaign=_text(args, "campaign"),
            location=_location(args.get("location")),
            urgent=_flag(args, "urgent"),
            third_party_collector=_flag(args, "third_party_collector"),
            valid_for_s=_duration(args.get("valid_for"), "valid_for"),
        )
        not_before = _text(args, "not_before")
        if not_before is not None:
            request.not_before_ms = parse_instant(not_before, field="not_before")
            if request.not_before_ms > now_ms + 366 * 86_400_000:
                raise DataError(
                    "not_before is more than a year ahead",
                    hint="submit it nearer to its time",
                    field="not_before",
                )
        category = _text(args, "category") or "promotional"
        if category not in CATEGORIES:
            raise DataError(
                f"unknown category {category!r}",
                hint=f"one of {', '.join(CATEGORIES)}; none given means promotional",
                field="category",
            )
        ref = _text(args, "ref")
        if ref is not None and len(ref) > 200:
            raise DataError("ref is longer than 200 characters", hint="shorten it", field="ref")
        return Candidate(request, brand, category, ref)

    def number(self, text: str) -> str:
        """The recipient's number in E.164 form."""
        return self._book.numbering.normalise(text, "to")

    def brand(self, name: str | None) -> str:
        """The configured brand of that name; without a name the only one there is."""
        known = self._settings.brands
        if name is None:
            if len(known) == 1:
                return next(iter(known))
            if known:
                raise DataError(
                    "which brand sends this?",
                    hint=f"name one of {', '.join(known)}",
                    field="brand",
                )
            return ""
        if name not in known:
            raise DataError(
                f"there is no brand {name!r}",
                hint=f"configured are {', '.join(known) or 'none'}: add [brands.{name}]",
                field="brand",
            )
        return name

    def _sender(self, sender: str | None, brand: str) -> str:
        if sender is None:
            senders = self._settings.brands[brand].senders if brand else ()
            if not senders:
                raise DataError(
                    "no sender given, and the brand has none",
                    hint="give `from`, or set senders of the brand",
                    field="from",
                )
            return senders[0]
        if sender.startswith("+"):
            return self._book.numbering.normalise(sender, "from")
        if sender.isdecimal() and sender.isascii():
            if 3 <= len(sender) <= 8:
                return sender
            raise DataError(
                f"{len(sender)} digits are no short code",
                hint="short codes have 3 to 8 digits; write a number with + and its country code",
                field="from",
            )
        if not _ALPHANUMERIC.fullmatch(sender) or not any(c.isalpha() for c in sender):
            raise DataError(
                "an alphanumeric sender has at most 11 letters, digits, spaces or ._&+-, one of"
                " them a letter",
                hint="GSM networks cut longer ones or refuse them (3GPP TS 23.040)",
                field="from",
            )
        return sender

    # -- deciding ------------------------------------------------------------------------------

    def decide(self, work: Work, now_ms: int, *, planned_ms: int | None = None) -> Decision:
        """What policy says of *work* at *planned_ms* (default now), with the stored facts."""
        request, row = work.request, work.row
        at_ms = now_ms if planned_ms is None else planned_ms
        until = None if row.expires_ms is None else to_datetime(row.expires_ms)
        message = Message(
            to=request.to,
            category=cast("Category", row.category),
            brand=row.brand,
            campaign=request.campaign or "",
            sender=request.sender,
            text=request.text,
            urgent=request.urgent,
            third_party_collector=request.third_party_collector,
            valid_until=until,
            windows=self._parties.windows(row.brand),
        )
        brands = {optout.brand for optout in self._store.optouts(row.person)}
        facts = Facts(
            opted_out="all" if "" in brands else "brand" if row.brand in brands else "",
            location=None if request.location is None else parse_location(request.location),
        )
        work.decided_ms = now_ms
        return decide(self._book, message, facts, to_datetime(at_ms))

    # -- taking in -----------------------------------------------------------------------------

    def admit(self, args: Mapping[str, Any], now_ms: int) -> tuple[dict[str, Any], Work | None]:
        """Take one submission into the batch: its answer, and its `Work` if it is to be sent."""
        candidate = self.read(args, now_ms)
        if candidate.ref is not None:
            known = self._store.submission_by_ref(candidate.brand, candidate.ref)
            if known is not None:
                return self._repeated(candidate, self._works.get(known.id)), None
        work = self._make(candidate, now_ms)
        encoded = work.encoded("gsm7")
        planned_ms = max(now_ms, work.request.not_before_ms or 0)
        decision = self.decide(work, now_ms, planned_ms=planned_ms)
        row = work.row
        row.encoding, row.parts = encoded.encoding, len(encoded.parts)
        self._insert(work)
        row.reason = decision.reason
        if decision.action == "refuse":
            self.refused += 1
            self.refuse(work, decision, now_ms)
            return answer(work, decision), None
        self.submitted += 1
        body = self._submission_body(work, decision)
        body["segments"] = row.parts
        body["encoding"] = row.encoding
        self._sealer.event(work, "A.1", now_ms, body, self._content(work))
        if decision.action == "hold" and decision.until is not None:
            row.state = State.HELD
            row.due_ms = round(decision.until.timestamp() * 1000)
        elif planned_ms > now_ms:
            row.state = State.HELD
            row.due_ms = planned_ms
        return answer(work, decision), work

    def refuse(self, work: Work, decision: Decision, now_ms: int) -> None:
        """Policy says no, at admission or later: A.2, and the seal that closes it."""
        work.row.reason = decision.reason
        body = self._submission_body(work, decision)
        self._sealer.event(work, "A.2", now_ms, body, self._content(work))
        self._sealer.close(work, State.REFUSED, now_ms)

    def _make(self, candidate: Candidate, now_ms: int) -> Work:
        request = candidate.request
        public_id = submission_id(now_ms)
        key = self._vault.new_key()
        cipher = ContentCipher(key)
        month = month_of(now_ms)
        start_ms = max(now_ms, request.not_before_ms or 0)
        row = SubmissionRow(
            id=0,
            submission_id=public_id,
            state=State.QUEUED,
            category=candidate.category,
            brand=candidate.brand,
            ref=candidate.ref,
            person=self._vault.person(request.to)[:PERSON_BYTES],
            month=month,
            key=self._vault.wrap(key, public_id, month),
            request=None,
            encoding="",
            parts=0,
            submitted_ms=now_ms,
            expires_ms=None
            if request.valid_for_s is None
            else start_ms + round(timedelta(seconds=request.valid_for_s).total_seconds() * 1000),
        )
        return Work(row, key, cipher, request, [])

    def _insert(self, work: Work) -> None:
        row = work.row
        row.id = self._store.next_id(SubmissionRow)
        row.request = work.seal("request", work.request.to_bytes())
        self._store.put_new(row)
        for number in range(1, row.parts + 1):
            segment = SegmentRow(self._store.next_id(SegmentRow), row.id, number)
            work.segments.append(segment)
            self._store.put_new(segment)
        self._works.add(work)

    def _submission_body(self, work: Work, decision: Decision) -> dict[str, Any]:
        return {
            "category": work.row.category,
            "brand": work.row.brand,
            "decision": decision.as_entry(),
            "issuer": self._parties.issuer_hash,
            "sender": self._parties.sender_hash(work.row.brand, work.request.sender),
        }

    @staticmethod
    def _content(work: Work) -> dict[str, bytes]:
        request = work.request
        return {
            "to": request.to.encode(),
            "from": request.sender.encode(),
            "text": request.text.encode(),
        }

    def _repeated(self, candidate: Candidate, work: Work) -> dict[str, Any]:
        same = (work.request, work.row.category) == (candidate.request, candidate.category)
        if not same:
            raise DataError(
                f"ref {candidate.ref!r} was already used for another content",
                hint="a ref names one message for ever: use a new one, or none",
                field="ref",
                submission_id=work.id,
            )
        # What was decided then stays decided: the answer is about that submission, as it is now.
        row = work.row
        return {
            "submission_id": work.id,
            "state": row.state.value,
            "decision": {
                "action": "refuse" if row.state is State.REFUSED else "release",
                "until": None,
                "reason": row.reason,
                "rules": [],
                "warnings": [],
            },
            "encoding": row.encoding,
            "segments": row.parts,
            "repeated": True,
        }


def answer(work: Work, decision: Decision) -> dict[str, Any]:
    """The object `acuse submit --json` prints."""
    told = decision.as_json()
    return {
        "submission_id": work.id,
        "state": work.row.state.value,
        "decision": {k: told[k] for k in ("action", "until", "reason", "rules", "warnings")},
        "encoding": work.row.encoding,
        "segments": work.row.parts,
    }


def _text(args: Mapping[str, Any], field: str) -> str | None:
    value = args.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise DataError(f"{field} must be text", hint="put it in quotes", field=field)
    return value


def _required(args: Mapping[str, Any], field: str) -> str:
    value = _text(args, field)
    if value is None:
        raise DataError(f"{field} is missing", hint=f"give {field}", field=field)
    return value


def _flag(args: Mapping[str, Any], field: str) -> bool:
    value = args.get(field, False)
    if value in (True, "true", "1", "yes"):
        return True
    if value in (False, None, "", "false", "0", "no"):
        return False
    raise DataError(f"{field} must be true or false", hint="write true or false", field=field)


def _duration(value: object, field: str) -> int | None:
    """Seconds of `90s`, `15m`, `24h` or `2d`."""
    if value is None or value == "":
        return None
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0
    if not 1 <= seconds <= _VALID_FOR_MOST_S:
        raise DataError(
            f"{field}: {value!r} is not a time span between 1s and 60d",
            hint="write it as 90s, 15m, 24h or 2d",
            field=field,
        )
    return seconds


def _location(value: object) -> dict[str, str] | None:
    if value is None or value == "":
        return None
    if isinstance(value, dict) and all(
        isinstance(k, str) and isinstance(v, str) for k, v in value.items()
    ):
        return dict(value)
    raise DataError(
        "location must be an object of texts",
        hint='as {"country":"US","region":"CA","evidence":"verified"}',
        field="location",
    )

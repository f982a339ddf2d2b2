"""Which segment a receipt is about: operator, message id, recipient and time decide, never a
socket.

The id comes first, letter for letter or in another writing (`smpp.message_id`). Where an operator
gave an id twice, the recipient's number tells the two apart, then the date of submission the
receipt quotes, then which of them is still open. Between two that fit alike nothing is guessed:
the receipt is noted, with how many it fits, and decides nothing.

With `message_id_form = "auto"` another writing of the id counts only where the recipient's number
agrees; what the operator's habit is, is learned from such pairs, and settles what fits in two ways.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.ledger.rows import State
from gateway.smpp.message_id import look_up_keys, matched_by

if TYPE_CHECKING:
    from gateway.daemon.operator import Operator
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.rows import SegmentRow
    from gateway.ledger.store import Store
    from gateway.smpp.receipt import Receipt

#: How far the operator's clock may be from ours, the minute that short dates leave open included.
SKEW_MS = 6 * 60_000
#: The same where nobody said which zone its dates are in (zones reach from -12:00 to +14:00).
ANY_ZONE_MS = 15 * 3_600_000
#: Digits from the end by which a number in national form is known again.
TAIL_DIGITS = 8
#: Digits of the longest number (E.164).
_MOST_DIGITS = 15
#: Pairs from which a habit is known, the share of them it needs, and how far back it is looked for.
_PAIRS = 3
_SHARE = 0.9
_REMEMBERED = 5000


#: `matched_by` of a receipt that no message id ties to its message.
BY_RECIPIENT: Final = "recipient"


class Found(NamedTuple):
    """The segment a receipt is about, by which rule, and how many open submissions it fits.

    `fits` 0: whose it is will be known when the operator has answered what is under way.
    """

    work: Work
    segment: SegmentRow
    rule: str
    fits: int = 1


class _Candidate(NamedTuple):
    work: Work
    segment: SegmentRow
    rule: str
    agrees: bool
    contradicts: bool


def same_number(number: str, address: str) -> bool:
    """Whether the address of a PDU is *number* (`+` and digits), with or without country code."""
    digits = address.lstrip("+0")
    return digits == number[1:] or (len(digits) >= TAIL_DIGITS and number.endswith(digits))


def other_number(number: str, address: str, sender: str) -> bool:
    """Whether the address of a receipt is clearly somebody else's than *number*.

    Only a whole number is: operators also write a short code of theirs, a masked number, a name,
    nothing, or our own *sender*, and say nothing by it.
    """
    digits = address.lstrip("+0")
    whole = TAIL_DIGITS <= len(digits) <= _MOST_DIGITS and digits.isascii() and digits.isdecimal()
    return whole and not same_number(number, address) and digits != sender.lstrip("+0")


def sent_when(segment: SegmentRow, submit_ms: int | None, *, zone_known: bool) -> bool:
    """Whether *segment* may have been sent when a receipt says its message was submitted."""
    if segment.sent_ms is None:
        return False
    if submit_ms is None:
        return True
    return abs(submit_ms - segment.sent_ms) <= (SKEW_MS if zone_known else ANY_ZONE_MS)


class Matcher:
    """Finds the segment of a receipt among what was sent."""

    def __init__(self, store: Store, works: WorkSet) -> None:
        self._works = works
        self._rules: dict[str, Counter[str]] = {}
        for operator, rule, count in store.rules_seen(_REMEMBERED):
            self._rules.setdefault(operator, Counter())[_base(rule)] += count

    def find(
        self, operator: Operator, receipt: Receipt, source: str, body: bytes, *, strict: bool
    ) -> Found | None:
        """The segment *receipt* is about, from the recipient at the address *source*.

        *body* is the PDU without its header, to know one that came before. *strict*: the number
        must agree, whatever the form.
        """
        for message_id in (receipt.message_id, receipt.text_message_id):
            if message_id is None:
                continue
            found = self._candidates(operator, message_id, source, everywhere=False)
            if len(found) != 1 or not self._plain(operator, found[0], receipt):
                found = self._candidates(operator, message_id, source, everywhere=True)
            chosen = self._choose(operator, found, receipt, body, strict=strict)
            if chosen is not None:
                return chosen
        return None

    def names_two(self, operator: Operator, receipt: Receipt, source: str, work: Work) -> bool:
        """Whether TLV and text name two submissions that we know: then it decides nothing."""
        other = receipt.text_message_id
        if other is None or receipt.message_id is None or matched_by(receipt.message_id, other):
            return False
        known = self._candidates(operator, other, source, everywhere=True)
        return any(c.work is not work and (c.agrees or c.rule == "id") for c in known)

    def learned(self, operator: str) -> str | None:
        """How ids differ there, as far as pairs have told: "id", "hex" or "decimal"."""
        rules = self._rules.get(operator)
        if not rules:
            return None
        rule, count = rules.most_common(1)[0]
        total = rules.total()
        return rule if total >= _PAIRS and count >= total * _SHARE else None

    # -- inside --------------------------------------------------------------------------------

    def _candidates(
        self, operator: Operator, message_id: str, source: str, *, everywhere: bool
    ) -> list[_Candidate]:
        found = []
        for key in look_up_keys(message_id, operator.settings.message_id_form):
            for work, segment in self._works.by_match_key(
                operator.name, key, everywhere=everywhere
            ):
                rule = (
                    BY_RECIPIENT  # the operator gave no id: an earlier receipt did
                    if segment.message_id is None
                    else matched_by(segment.message_id, message_id)
                )
                if rule is not None:
                    to, sender = work.request.to, work.request.sender
                    agrees = same_number(to, source)
                    contradicts = not agrees and other_number(to, source, sender)
                    found.append(_Candidate(work, segment, rule, agrees, contradicts))
        return found

    @staticmethod
    def _plain(operator: Operator, found: _Candidate, receipt: Receipt) -> bool:
        """Whether there is no reason to look for an older use of the id in the file."""
        zone_known = operator.settings.receipt_utc_offset_s is not None
        dated = sent_when(found.segment, receipt.submit_at_ms, zone_known=zone_known)
        return found.agrees and dated

    def _choose(
        self,
        operator: Operator,
        found: list[_Candidate],
        receipt: Receipt,
        body: bytes,
        *,
        strict: bool,
    ) -> Found | None:
        found = [each for each in found if not each.contradicts]
        agreeing = [each for each in found if each.agrees]
        auto = operator.settings.message_id_form == "auto"
        if auto:
            pool = self._by_habit(operator, found, agreeing, receipt)
        else:
            pool = agreeing if strict else agreeing or found
        if not pool:
            return None
        chosen = self._of_one_id(operator, pool, receipt, body)
        if self._being_replaced(chosen.work):
            return chosen._replace(fits=0)
        if chosen.fits > 1 and chosen.rule not in ("id", BY_RECIPIENT):
            return None  # another writing of the id, and two that it may be
        if auto and chosen.fits == 1 and agreeing and chosen.rule != BY_RECIPIENT:
            self._rules.setdefault(operator.name, Counter())[_base(chosen.rule)] += 1
        return chosen

    def _being_replaced(self, work: Work) -> bool:
        """Whether the answer to a replace_sm will say which text the receipt is about."""
        by = work.request.replaced_by
        replacement = None if by is None else self._works.by_submission_id(by)
        return replacement is not None and replacement.row.state is State.SENDING

    def _by_habit(
        self,
        operator: Operator,
        found: list[_Candidate],
        agreeing: list[_Candidate],
        receipt: Receipt,
    ) -> list[_Candidate]:
        """Of candidates in several writings those of one; none where that would be a guess."""
        habit = self.learned(operator.name)
        exact = [each for each in agreeing if each.rule in ("id", BY_RECIPIENT)]
        if exact:
            return exact
        bases = {_base(each.rule) for each in agreeing}
        if len(bases) > 1:
            agreeing = [each for each in agreeing if _base(each.rule) == habit]
        if agreeing:
            return agreeing
        # The number does not agree (it may be masked). The same letters are the same id unless
        # they are digits that the operator may mean in the other base.
        named = receipt.message_id or ""
        if habit == "id" or not all(char in "0123456789abcdefABCDEF" for char in named):
            return [each for each in found if each.rule == "id"]
        return []

    @staticmethod
    def _of_one_id(
        operator: Operator, pool: list[_Candidate], receipt: Receipt, body: bytes
    ) -> Found:
        """Of the uses of one id the one that the receipt is about."""
        pool = sorted(pool, key=lambda each: -(each.segment.sent_ms or 0))
        for each in pool:
            if each.work.mark(body) in each.work.marks:
                return Found(each.work, each.segment, each.rule)  # it came before
        zone_known = operator.settings.receipt_utc_offset_s is not None
        dated = [
            each
            for each in pool
            if sent_when(each.segment, receipt.submit_at_ms, zone_known=zone_known)
        ]
        pool = dated or pool
        waiting = [
            each for each in pool if each.work.row.closed_ms is None and each.segment.final is None
        ]
        first = (waiting or pool)[0]
        fits = len({id(each.work) for each in waiting}) or 1
        if fits > 1:
            return Found(first.work, first.segment, first.rule, fits)
        return _in_turn(first, [each for each in pool if each.work is first.work])


def _in_turn(first: _Candidate, parts: list[_Candidate]) -> Found:
    """An id given to several parts of one message: they take turns."""
    work = first.work
    if len(parts) > 1:
        parts.sort(key=lambda each: each.segment.number)
        first = next((each for each in parts if each.segment.final is None), parts[-1])
    # Its part has its receipt; this one is about a part whose answer, with this id, is to come.
    open_parts = work.row.closed_ms is None and not work.all_answered()
    wait = open_parts and len(work.segments) > 1 and first.segment.final is not None
    return Found(work, first.segment, first.rule, 0 if wait else 1)


def _base(rule: str) -> str:
    """The habit a rule shows: case and padding say nothing of the base."""
    return rule if rule in ("hex", "decimal") else "id"
